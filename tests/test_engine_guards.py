"""An acquire, its guard and its release, in the shapes in which people write them."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Section

HEAD = "import redis\nimport time\nfrom contextlib import ExitStack\nr = redis.Redis()\n"


def sections(text: str, symbol: str = "run") -> list[Section]:
    return [s for s in system(a=HEAD + text).critical_sections() if s.symbol == f"a.{symbol}"]


def effects(section: Section) -> int:
    return len([e for e in section.effects if e.operation.kind])


GUARDS = {  # the guard, and whether a busy lock means that the work is skipped
    "if not lock.acquire(blocking=False):\n        return": True,
    "if not lock.acquire(blocking=False):\n        raise ValueError": False,
    "if not (ok := lock.acquire(blocking=False)):\n        return": True,
    "if lock.acquire(blocking=False) is not True:\n        return": True,
    "ok = lock.acquire(blocking=False)\n    if ok is False or time.time() > 3:\n        return": True,
    "if not any([lock.acquire(blocking=False)]):\n        return": True,
    "if not all(x.acquire(blocking=False) for x in [lock]):\n        return": True,
    "assert lock.acquire(blocking=False)": False,
    "while not lock.acquire(blocking=False):\n        time.sleep(1)": False,
    "while True:\n        if lock.acquire(blocking=False):\n            break\n        time.sleep(1)": False,
    "for _ in range(3):\n        if lock.acquire(blocking=False):\n            break\n    else:\n        return": True,
    "ok = False\n    while not ok:\n        ok = lock.acquire(blocking=False)": False,
}


@pytest.mark.parametrize("guard", GUARDS)
def test_what_stands_behind_a_guard_is_inside_and_the_way_out_is_not(guard: str) -> None:
    (found,) = sections(f"def run():\n    lock = r.lock('x', timeout=9)\n    {guard}\n    open('f', 'w')\n    lock.release()\n    open('g', 'w')\n")
    assert (found.tested, found.skips_when_busy, effects(found), len(found.releases)) == (True, GUARDS[guard], 1, 1)


def test_a_release_in_finally_may_ask_whether_there_is_something_to_release() -> None:
    (found,) = sections(
        "def run():\n    lock = r.lock('x', timeout=9)\n    ok = lock.acquire(blocking=False)\n    try:\n        if ok:\n            open('f', 'w')\n"
        "    finally:\n        if ok:\n            lock.release()\n"
    )
    assert (found.tested, effects(found), [x.on_error for x in found.releases]) == (True, 1, [True])


def test_a_stack_that_will_release_does_so_on_errors_too() -> None:
    (found,) = sections(
        "def run():\n    with ExitStack() as stack:\n        lock = r.lock('x', timeout=9)\n        lock.acquire()\n        stack.callback(lock.release)\n"
        "        open('f', 'w')\n"
    )
    assert (effects(found), [x.on_error for x in found.releases], found.escapes) == (1, [True], False)


HOLDER = "class Holder:\n    def __init__(self):\n        self.lock = r.lock('x', timeout=9)\n        self.lock.acquire()\n    def {0}(self, *a):\n        self.lock.release()\n"


def test_an_object_that_takes_its_lock_when_made_gives_it_back_when_it_goes() -> None:
    (found,) = sections(HOLDER.format("__del__") + "def run():\n    holder = Holder()\n    open('f', 'w')\n")
    assert (effects(found), [x.on_error for x in found.releases], found.escapes) == (1, [True], False)


def test_or_when_its_with_block_ends() -> None:
    (found,) = sections(HOLDER.format("__exit__") + "    def __enter__(self): return self\ndef run():\n    with Holder():\n        open('f', 'w')\n    open('g', 'w')\n")
    assert (effects(found), [x.on_error for x in found.releases], found.escapes) == (1, [True], False)


def test_or_when_it_is_closed_by_name() -> None:
    (found,) = sections(HOLDER.format("done") + "def run():\n    holder = Holder()\n    open('f', 'w')\n    holder.done()\n    open('g', 'w')\n")
    assert (effects(found), [x.on_error for x in found.releases], found.escapes) == (1, [False], False)


def test_who_wins_a_lease_election_of_kubernetes_does_the_work_inside() -> None:
    (found,) = sections(
        "from kubernetes.leaderelection import leaderelection, electionconfig\ndef lead():\n    open('f', 'w')\ndef run(lock):\n"
        "    config = electionconfig.Config(lock, lease_duration=17, renew_deadline=15, retry_period=5, onstarted_leading=lead, onstopped_leading=None)\n"
        "    leaderelection.LeaderElection(config).run()\n"
    )
    assert (found.how, effects(found)) == ("callback", 1)


def test_a_document_that_is_put_in_where_none_matches_is_guarded_by_no_version() -> None:
    text = """
    from pymongo import MongoClient

    pages = MongoClient().db.pages

    def turn(n, seen):
        pages.update_one({"_id": n, "version": seen}, {"$set": {"version": seen + 1}}%s)
    """
    conditions = [[o.conditional for o in system(book=text % more).operations() if o.call.endswith("update_one")] for more in ("", ", upsert=True")]
    assert conditions == [["filter version"], [""]]


@pytest.mark.parametrize(
    ("how", "caught", "skips"),
    [
        ("timeout=9", "LockNotOwnedError", False),
        ("timeout=9", "LockError", False),
        ("timeout=9, blocking_timeout=1", "LockNotOwnedError", False),
        ("timeout=9, blocking_timeout=1", "LockError", True),
        ("timeout=9, blocking_timeout=1", "(LockNotOwnedError, LockError)", True),
    ],
)
def test_a_handler_of_a_lock_that_was_lost_says_nothing_of_one_that_is_busy(how: str, caught: str, skips: bool) -> None:
    text = f"import redis\nfrom redis.exceptions import LockError, LockNotOwnedError\nr = redis.Redis()\ndef run():\n    try:\n        with r.lock('x', {how}):\n            open('f', 'w')\n    except {caught}:\n        print('late')\n"
    (found,) = system(a=text).critical_sections()
    assert found.skips_when_busy is skips
