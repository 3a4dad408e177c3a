"""What is asked of functions that a decorator makes tasks of, and of clients of which only the type is said."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.system import System


def sent(made: System) -> list[tuple[str, int]]:
    return [(o.call, o.place.line) for o in made.operations(kind="task")]


@pytest.mark.parametrize(
    ("made", "asked", "call"),
    [
        ("from celery import shared_task\n@shared_task\n", "delay(1)", "celery.Task.delay"),
        ("from celery import shared_task\n@shared_task(bind=True)\n", "apply_async((1,))", "celery.Task.apply_async"),
        ("from celery import Celery\n@Celery('shop').task(name='post')\n", "delay(1)", "celery.Task.delay"),
        ("import dramatiq\n@dramatiq.actor\n", "send(1)", "dramatiq.Actor.send"),
    ],
    ids=["shared", "with options", "of an app", "an actor"],
)
def test_the_name_of_a_task_answers_as_the_task(made: str, asked: str, call: str) -> None:
    assert sent(system(a=f"{made}def post(n): ...\ndef run():\n    post.{asked}\n")) == [(call, 5)]


def test_what_is_sent_under_a_lock_is_an_effect_of_the_section() -> None:
    made = system(
        tasks="from celery import shared_task\n@shared_task\ndef post(n): ...\n",
        a="import redis\nfrom tasks import post\nr = redis.Redis()\ndef run():\n    with r.lock('x', timeout=9):\n        post.delay(1)\n",
    )
    (section,) = made.critical_sections()
    assert [e.operation.kind for e in section.effects] == ["task"]
    assert not section.unresolved


def test_a_function_under_any_other_decorator_is_asked_for_nothing_that_is_known() -> None:
    assert sent(system(a="import celery\nfrom elsewhere import told\n@told\ndef post(n): ...\ndef run():\n    post.delay(1)\n")) == []


def test_a_client_of_which_only_the_type_is_said_is_the_one_that_is_made() -> None:
    made = system(
        a="import redis\n"
        "class Store:\n"
        "    def __init__(self):\n"
        "        self._client: redis.Redis | None = None\n"
        "    def open(self):\n"
        "        self._client = redis.Redis(host='redis')\n"
        "    def get(self) -> redis.Redis:\n"
        "        return self._client\n"
        "store = Store()\n"
        "def run():\n"
        "    store.get().set('a', 1)\n"
    )
    (write,) = [o for o in made.operations(backend="redis") if o.call.endswith(".set")]
    assert write.client is not None and write.client.line == 6
