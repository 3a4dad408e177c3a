"""Renewals that fail, and who hears of it; answers of acquires that are kept where nobody reads them."""

from __future__ import annotations

from systems import system

LEASE = """
import redis

r = redis.Redis()

class Lease:
    def __init__(self, me):
        self.me, self.held = me, False

    def renew(self):
        return r.eval("return 1", 1, "yard", self.me)

    def keep(self):
        while True:
{loop}
"""


def told(*lines: str, **more: str) -> list[tuple[str, bool]]:
    loop = "\n".join(f"            {line}" for line in lines)
    return [(h.flag, h.ends) for h in system(lease=LEASE.format(loop=loop), **more).hushed()]


def test_a_failure_that_is_only_logged_reaches_nobody() -> None:
    assert told("if not self.renew():", "    print('lost')") == [("", False)]
    assert told("ok = self.renew()", "if ok is False:", "    print('lost')", "    break") == [("", True)]
    assert told("if self.renew():", "    pass", "else:", "    print('lost')") == [("", False)]


def test_a_failure_that_does_something_is_heard() -> None:
    assert told("if not self.renew():", "    self.on_lost()") == []
    assert told("if not self.renew():", "    raise RuntimeError('lost')") == []


def test_a_flag_is_heard_by_whoever_reads_it_for_work() -> None:
    flagged = ("if not self.renew():", "    self.held = False", "    break")
    assert told(*flagged) == [("held", True)]
    assert told(*flagged, work="def work(lease):\n    while lease.held:\n        print(1)\n") == []
    assert told(*flagged, end="def release(lease):\n    if lease.held:\n        print(1)\n") == [("held", True)]


def test_an_answer_in_an_attribute_is_read_somewhere_or_nowhere() -> None:
    taken = "import redis\nlock = redis.Redis().lock('a', timeout=5)\n\nclass Beat:\n    def begin(self):\n        self.alone = lock.acquire(blocking=False)\n"
    for more, expected in (("", True), ("    def tick(self):\n        return self.alone\n", False)):
        found = system(beat=taken + more)
        assert [found.is_unread(o.place) for o in found.operations() if o.call.endswith("Lock.acquire")] == [expected]
