"""Where a program keeps its client, and how the client comes to who asks it: the lock is one on Redis in each of these homes."""

from __future__ import annotations

import pytest
from systems import system, uses

from coordlint.coordination import Operation, Outcome
from coordlint.models.schema import Op

HEAD = "import atexit, functools, sched, signal, threading\nfrom dataclasses import dataclass, field\nfrom typing import Any, NamedTuple\nimport redis\n"
HOMES = {
    "a class of one object that __new__ makes": """
class Store:
    _one = None

    def __new__(cls):
        if cls._one is None:
            cls._one = super().__new__(cls)
            cls._one.client = redis.Redis()
        return cls._one

def get():
    return Store().client
""",
    "a field that a lambda fills": """
@dataclass
class Parts:
    client: Any = field(default_factory=lambda: redis.Redis())

parts = Parts()

def get():
    return parts.client
""",
    "a field that a partial fills": """
@dataclass
class Parts:
    client: Any = field(default_factory=functools.partial(redis.Redis, host="store"))

def get():
    return Parts().client
""",
    "the application of Flask": """
from flask import Flask, current_app

def create_app():
    app = Flask(__name__)
    app.rows = redis.Redis()
    return app

def get():
    return current_app.rows
""",
    "the extensions of the application": """
from flask import Flask, current_app

def create_app():
    app = Flask(__name__)
    app.extensions["rows"] = redis.Redis()
    return app

def get():
    return current_app.extensions["rows"]
""",
    "behind an object that counts what it hands on": """
class Counted:
    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        asked = getattr(self._inner, name)

        def counted(*args, **options):
            METRICS[name] += 1
            return asked(*args, **options)

        return counted

def get():
    return Counted(redis.Redis())
""",
}


@pytest.mark.parametrize("home", HOMES)
def test_a_client_is_known_in_its_home(home: str) -> None:
    found = uses(system(homes=HEAD + HOMES[home], jobs="from homes import get\nget().lock('x')\n"))
    assert [place for place, role, backend in found if (role, backend) == ("lock", "redis") and place.startswith("jobs")] == ["jobs.py:2"]


def test_what_two_applications_keep_under_one_name_is_not_known() -> None:
    two = HOMES["the application of Flask"] + "import kazoo.client\n\ndef other_app():\n    app = Flask(__name__)\n    app.rows = kazoo.client.KazooClient()\n    return app\n"
    assert [u for u in uses(system(homes=HEAD + two, jobs="from homes import get\nget().lock('x')\n")) if u[0].startswith("jobs")] == []


@pytest.mark.parametrize(
    "start",
    [
        'scheduler.add_job(sweep, "interval", seconds=5, args=[client])',
        "threading.Timer(5, sweep, args=[client]).start()",
        "scheduler.enter(5, 1, sweep, (client,))",
        "pool.apply_async(sweep, (client,))",
        "atexit.register(sweep, client)",
        "loop.add_signal_handler(signal.SIGTERM, sweep, client)",
        "schedule.every(5).seconds.do(sweep, client)",
    ],
)
def test_what_is_called_later_gets_the_client_that_is_handed_over(start: str) -> None:
    found = uses(system(jobs=HEAD + f"client = redis.Redis()\ndef sweep(store):\n    store.lock('x')\n{start}\n"))
    assert ("jobs.py:7", "lock", "redis") in found


PASSING = """
class Store:
    def __init__(self, client):
        self._client = client

    def put(self, *args, **options):
        {body}

store = Store(redis.Redis())
"""
BODIES = ["return self._client.set(*args, **options)", "log(args)\n        try:\n            return self._client.set(*args, **options)\n        except redis.ConnectionError:\n            return None"]


def asked(body: str, call: str) -> Operation:
    found = system(stores=HEAD + PASSING.format(body=body), jobs=f"from stores import store\ndef take(door):\n    if not {call}:\n        return\n    open(door)\n")
    return next(o for o in found.operations() if o.place.path == "jobs.py")


@pytest.mark.parametrize("body", BODIES)
def test_a_method_that_passes_on_all_that_it_is_given_is_the_librarys_where_it_is_called(body: str) -> None:
    found = asked(body, "store.put(f'doors/{door}', 1, nx=True)")
    assert (found.op, found.key_text, found.outcome, found.via) == (Op.ACQUIRE, "doors/{door}", Outcome.TESTED, ("put",))
    assert bool(found.guards) is ("try" in body)


def test_what_such_a_method_adds_counts_as_well() -> None:
    assert asked("return self._client.set(*args, nx=True, **options)", "store.put('door', 1)").op is Op.ACQUIRE


def test_a_method_that_nobody_is_seen_to_call_is_told_where_it_stands() -> None:
    (found,) = [o for o in system(stores=HEAD + PASSING.format(body=BODIES[0])).operations() if o.call.endswith(".set")]
    assert found.place.path == "stores.py"


def test_a_method_that_changes_what_it_passes_on_is_another_one() -> None:
    text = PASSING.replace("*args", "key, *args").format(body="return self._client.set('jobs/' + key, *args, **options)")
    found = system(stores=HEAD + text, jobs="from stores import store\nstore.put('a', 1)\n")
    assert not [o for o in found.operations() if o.place.path == "jobs.py" and o.key_text == "a"]


THIN = """
class Store:
    def __init__(self, client):
        self._client = client

    def put(self, name, body, only_new=None, seconds=None):
        {body}

store = Store(redis.Redis())
"""


@pytest.mark.parametrize(
    "body",
    [
        "return self._client.set(name, body, nx=only_new, ex=seconds)",
        "try:\n            return self._client.set(name, body, nx=only_new, ex=seconds)\n        except redis.ConnectionError:\n            return False",
    ],
)
def test_a_method_whose_only_deed_is_a_librarys_is_that_where_it_is_called(body: str) -> None:
    code = "from stores import store\ndef take(door):\n    if not store.put(f'doors/{door}', 1, only_new=True):\n        return\n    open(door)\ndef note(door):\n    store.put(door, 'open')\n"
    found = system(stores=HEAD + THIN.format(body=body), jobs=code)
    took, noted = [o for o in found.operations() if o.backend == "redis" and o.op in (Op.ACQUIRE, Op.WRITE)]
    assert (took.op, str(took.place), took.key_text, took.outcome, took.ttl and took.ttl.kind) == (Op.ACQUIRE, "jobs.py:3", "doors/{door}", Outcome.TESTED, "never")
    assert (noted.op, str(noted.place), noted.key_text, noted.via) == (Op.WRITE, "jobs.py:7", "{door}", ("put",))
    assert bool(took.guards) is ("try" in body)


def test_it_is_so_through_another_method_that_only_passes_on() -> None:
    layers = THIN.format(body="return self._client.set(name, body)") + "class Rooms:\n    def keep(self, room, state):\n        return store.put(room, state)\nrooms = Rooms()\n"
    found = system(stores=HEAD + layers, jobs="from stores import rooms\ndef close(room):\n    rooms.keep(f'rooms/{room}', 'shut')\n")
    assert [(str(o.place), o.key_text) for o in found.operations(Op.WRITE)] == [("jobs.py:3", "rooms/{room}")]


@pytest.mark.parametrize(
    "body",
    [
        "return self._client.set('doors/' + name, body)",  # a key of its own
        "return self._client.set(name, body, nx=True)",  # a deed of its own
        "log(name)\n        return self._client.set(name, body)",
        "return self._client.lock(name, body)",  # an object that is asked further
    ],
)
def test_a_method_that_adds_something_is_told_where_it_stands(body: str) -> None:
    found = system(stores=HEAD + THIN.format(body=body), jobs="from stores import store\ndef take(door):\n    store.put(door, 1)\n")
    assert "jobs.py" not in {o.place.path for o in found.operations(Op.WRITE, Op.ACQUIRE)}


def test_where_one_caller_does_not_say_what_it_passes_it_is_told_inside() -> None:
    found = system(stores=HEAD + THIN.format(body="return self._client.set(name, body)"), jobs="from stores import store\ndef note(door, *more):\n    store.put(door, 1)\n    store.put(*more)\n")
    assert [o.place.path for o in found.operations(Op.WRITE)] == ["stores.py"]


def test_the_inventory_counts_the_librarys_call_and_those_of_its_method() -> None:
    found = uses(system(stores=HEAD + THIN.format(body="return self._client.set(name, body)"), jobs="from stores import store\ndef note(door):\n    store.put(f'session:{door}', 1)\n"))
    assert [place for place, role, _ in found if role != "client"] == ["jobs.py:3", "stores.py:11", "stores.py:13"]
