"""Decorators of every build that hold a lock around the function that they are given."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Section

HEAD = "import functools\nimport redis\nfrom contextlib import ContextDecorator, contextmanager\nr = redis.Redis()\n"


def held(text: str) -> tuple[Section, int]:
    """The one section around `run`, and how many effects it has."""
    (found,) = [s for s in system(a=HEAD + text).critical_sections() if s.symbol == "a.run"]
    return found, len([e for e in found.effects if e.operation.kind])


AROUND = "def inner(*a):\n{0}    with r.lock({1}):\n{0}        return fn(*a)\n{0}return inner\n"
RUN = "def run():\n    open('f', 'w')\n"
BUILDS = {
    "without arguments": "def locked(fn):\n    " + AROUND.format("    ", "'x'") + "@locked\n" + RUN,
    "with arguments": "def locked(name):\n    def deco(fn):\n        " + AROUND.format(" " * 8, "name") + "    return deco\n@locked('x')\n" + RUN,
    "applied by a call": "def locked(name):\n    def deco(fn):\n        " + AROUND.format(" " * 8, "name") + "    return deco\n" + RUN + "run = locked('x')(run)\n",
    "with and without": "def locked(fn=None, *, name='x'):\n    if fn is None:\n        return functools.partial(locked, name=name)\n    " + AROUND.format("    ", "name") + "@locked\n" + RUN,
    "a class with arguments": "class Locked:\n    def __init__(self, name): self.name = name\n    def __call__(self, fn):\n        " + AROUND.format(" " * 8, "self.name") + "@Locked('x')\n" + RUN,
    "a class without": "class Locked:\n    def __init__(self, fn): self.fn = fn\n    def __call__(self):\n        with r.lock('x'):\n            return self.fn()\n@Locked\n" + RUN,
    "a generator context manager": "@contextmanager\ndef locked(name):\n    with r.lock(name):\n        yield\n@locked('x')\n" + RUN,
    "a context decorator": "class Locked(ContextDecorator):\n    def __init__(self, name): self.l = r.lock(name)\n    def __enter__(self): self.l.acquire()\n"
    "    def __exit__(self, *a): self.l.release()\n@Locked('x')\n" + RUN,
}  # fmt: skip


@pytest.mark.parametrize("build", BUILDS)
def test_a_decorator_holds_its_lock_around_the_function(build: str) -> None:
    found, effects = held(BUILDS[build])
    assert (found.how, found.lock.key, effects, [x.on_error for x in found.releases]) == ("decorator", "x", 1, [True])


def test_a_library_decorator_gives_back_at_the_end_of_the_function() -> None:
    found, effects = held("from oslo_concurrency import lockutils\n@lockutils.synchronized('x', external=True)\n" + RUN)
    assert (effects, [x.on_error for x in found.releases]) == (1, [True])


def test_a_task_base_class_that_runs_once_holds_a_lock_around_its_tasks() -> None:
    found, effects = held("from celery import Celery\nfrom celery_once import QueueOnce\napp = Celery('a')\n@app.task(base=QueueOnce)\n" + RUN)
    assert (found.lock.type, found.skips_when_busy, effects) == ("celery_once.QueueOnce", True, 1)


SINGLE = "from celery import Celery\nfrom celery_singleton import Singleton\napp = Celery('a')\n"
ONCE = "from celery import Celery\nfrom celery_once import QueueOnce\napp = Celery('a')\n"


@pytest.mark.parametrize(
    ("task", "life"),
    [
        (SINGLE + "@app.task(base=Singleton)\n", ("never", None)),
        (SINGLE + "@app.task(base=Singleton, lock_expiry=60 * 5)\n", ("seconds", 300)),
        (SINGLE + "from settings import LIMIT\n@app.task(base=Singleton, lock_expiry=LIMIT)\n", ("unknown", None)),
        (SINGLE + "class Alone(Singleton):\n    lock_expiry = 40\n@app.task(base=Alone)\n", ("seconds", 40)),
        (ONCE + "@app.task(base=QueueOnce, once={'timeout': 60})\n", ("seconds", 60)),
        (ONCE + "@app.task(base=QueueOnce, once={'graceful': True})\n", ("seconds", 3600)),
    ],
)
def test_the_lock_of_a_task_that_runs_once_lives_as_long_as_it_is_told_to(task: str, life: tuple[str, int | None]) -> None:
    found, _ = held(task + RUN)
    assert (found.lock.lifetime.kind, found.lock.lifetime.seconds) == life


def test_a_limit_that_a_framework_asks_before_a_handler_is_one_where_it_is_named() -> None:
    limits = """
        import redis
        from fastapi import Depends, HTTPException
        r = redis.Redis()
        def client():
            return r
        def limited(user: str, store: redis.Redis = Depends(client)):
            if store.incr(f"ratelimit:{user}") > 9:
                raise HTTPException(429)
        """
    app = """
        from fastapi import APIRouter, Depends
        from limits import client, limited
        router = APIRouter()
        @router.get("/", dependencies=[Depends(limited)])
        def page(store=Depends(client)):
            return 1
        @router.get("/more")
        def more(allowed=Depends(limited)):
            return 2
        """
    found = [u for u in system(limits=limits, app=app).uses() if u.place.path == "app.py"]
    assert [(u.place.line, u.role, u.via) for u in found] == [(5, "rate-limit", ("limited",)), (9, "rate-limit", ("limited",))]


def test_a_decorator_that_a_library_makes_with_a_prefix_is_a_lock_wherever_it_is_made() -> None:
    found = system(
        tools="from oslo_concurrency import lockutils\nsynchronized = lockutils.synchronized_with_prefix('shop-')\nlock = lockutils.lock_with_prefix('shop-')\n",
        jobs="from tools import lock, synchronized\n@synchronized('plain')\ndef first():\n    open('f', 'w')\n@synchronized('host', external=True)\n"
        "def second():\n    open('f', 'w')\ndef third():\n    with lock('part'):\n        open('f', 'w')\n",
    )
    held = {(s.symbol, s.how, s.lock.key, str(s.lock.model.scope)) for s in found.critical_sections() if s.how != "acquire"}
    assert held == {("jobs.first", "decorator", "plain", "process"), ("jobs.second", "decorator", "host", "host"), ("jobs.third", "with", "part", "process")}


MENDING = """
    import functools, logging, time
    def once_more(f):
        @functools.wraps(f)
        def inner(*args, **kwargs):
            try:
                return f(*args, **kwargs)
            except OSError:
                args[0].connect()
            return f(*args, **kwargs)
        return inner
    def patient(f):
        @functools.wraps(f)
        def inner(*args, **kwargs):
            for _ in range(5):
                try:
                    return f(*args, **kwargs)
                except OSError:
                    time.sleep(1)
        return inner
    def quietly(what):
        def outer(f):
            def inner(*args):
                try:
                    return f(*args)
                except Exception:
                    logging.exception(what)
            return inner
        return outer
    """


def shield(decorator: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    found = system(mending=MENDING, a=f"from mending import once_more, patient, quietly\n@{decorator}\ndef ask(self):\n    return 1\n")
    function = found.function("a.ask")
    assert function is not None
    return function.followed, [g.catches for g in found.shield("a.ask")]


def test_a_decorator_that_catches_around_every_call_shields_the_function() -> None:
    assert shield("patient") == (("patient",), [("builtins.OSError",)])
    assert shield("quietly('away')") == (("quietly",), [("builtins.Exception",)])


def test_one_that_tries_again_without_a_handler_lets_the_second_failure_through() -> None:
    assert shield("once_more") == (("once_more",), [])


def test_what_a_decorator_of_others_does_is_not_known() -> None:
    assert shield("elsewhere.retry") == ((), [])


# -- tasks whose base class holds a lock ---------------------------------------------------------------------------------

TASK = "from celery import Celery, Task\napp = Celery('x')\nclass Alone(Task):\n    def __call__(self, *a, **k):\n{body}@app.task(base=Alone)\n" + RUN


@pytest.mark.parametrize(
    "body",
    [
        "        with r.lock('x'):\n            return super().__call__(*a, **k)\n",
        "        with r.lock('x'):\n            return self.run(*a, **k)\n",
        "        with r.lock('x'):\n            return Task.__call__(self, *a, **k)\n",
        "        held = r.lock('x')\n        if not held.acquire(blocking=False):\n            raise self.retry(countdown=5)\n        try:\n            return super().__call__(*a, **k)\n        finally:\n            held.release()\n",
    ],
    ids=["the call above", "run", "the class by its name", "taken by hand"],
)
def test_the_base_class_of_a_task_holds_its_lock_around_the_task(body: str) -> None:
    found, effects = held(TASK.format(body=body))
    assert (found.how, found.lock.key, effects) == ("decorator", "x", 1)


def test_a_base_class_that_gives_its_lock_back_before_the_task_runs_holds_nothing_around_it() -> None:
    text = TASK.format(body="        with r.lock('x'):\n            r.incr('begun')\n        return super().__call__(*a, **k)\n")
    assert [s for s in system(a=HEAD + text).critical_sections() if s.symbol == "a.run"] == []
