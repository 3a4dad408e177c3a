"""Locks that a function leaves held: whose they are then, and who gives them back."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Section


def sections(text: str, symbol: str = "") -> list[Section]:
    found = system(a="import redis\nr = redis.Redis()\n" + text).critical_sections()
    return [s for s in found if not symbol or s.symbol == f"a.{symbol}"]


def effects(section: Section) -> list[int]:
    return [e.place.line for e in section.effects if e.operation.kind]


WORK = "def work():\n    l = r.lock('x')\n    l.acquire()\n    open('f', 'w')\n"


def test_a_lock_that_a_function_takes_for_its_own_work_is_not_its_callers() -> None:
    (found,) = sections(WORK + "def run():\n    work()\n    open('g', 'w')\n")
    assert (found.symbol, found.escapes, effects(found)) == ("a.work", True, [6])


BEGIN = (
    "class Job:\n    def __init__(self): self.l = r.lock('x')\n    def begin(self):\n        self.l.acquire()\n        open('f', 'w')\n"
    "    def end(self):\n        self.l.release()\n"
)


def test_it_is_the_callers_where_the_caller_gives_it_back() -> None:
    (found,) = sections(BEGIN + "def run(j: Job):\n    try:\n        j.begin()\n        open('g', 'w')\n    finally:\n        j.end()\n", "run")
    assert (found.lock.via, effects(found), [r.on_error for r in found.releases]) == (("begin",), [13], [True])


def test_a_chain_of_callers_inherits_nothing_where_nobody_gives_it_back() -> None:
    found = sections(BEGIN + "def run(j: Job):\n    j.begin()\ndef main(j: Job):\n    run(j)\n    open('g', 'w')\n")
    assert [s.symbol for s in found] == ["a.Job.begin"]


def test_a_function_that_only_takes_a_lock_hands_it_on_for_good() -> None:
    (found,) = sections("def take():\n    l = r.lock('x')\n    return l.acquire()\ndef run():\n    if take():\n        open('f', 'w')\n", "run")
    assert (found.lock.via, found.tested, effects(found)) == (("take",), None, [8])


def test_a_lock_in_a_returned_list_is_the_callers() -> None:
    (found,) = sections(
        "def take(names):\n    kept = []\n    l = r.lock('x')\n    l.acquire()\n    kept.append(l)\n    open('f', 'w')\n    return kept\n"
        "def run():\n    locks = take(['a'])\n    open('g', 'w')\n",
        "run",
    )
    assert effects(found) == [12]


def test_an_early_way_out_that_forgets_the_lock_hands_nothing_on() -> None:
    found = sections(
        "class Job:\n    def __init__(self): self.l = r.lock('x')\n    def work(self, k):\n        self.l.acquire()\n        if k: return\n"
        "        open('f', 'w')\n        self.l.release()\n    def run(self):\n        self.work(1)\n        open('g', 'w')\n"
    )
    assert [s.symbol for s in found] == ["a.Job.work"]


def test_locks_of_a_list_are_given_back_in_a_loop() -> None:
    (found,) = sections(
        "def run(names):\n    kept = []\n    for n in names:\n        l = r.lock(n)\n        l.acquire()\n        kept.append(l)\n"
        "    try:\n        open('f', 'w')\n    finally:\n        for each in reversed(kept):\n            each.release()\n"
    )
    assert (effects(found), [x.on_error for x in found.releases], found.escapes) == ([10], [True], False)


def test_a_value_that_may_be_empty_tells_whether_the_lock_was_had() -> None:
    (found,) = sections(
        "def take(names):\n    got = set()\n    for n in names:\n        if r.set('lock:' + n, 1, nx=True, ex=9):\n            got.add(n)\n    return got\n"
        "def run():\n    if take(['a']):\n        open('f', 'w')\n",
        "run",
    )
    assert (found.can_fail, found.tested, effects(found)) == (True, True, [11])


def test_a_decorator_that_gives_the_lock_back_ends_the_section() -> None:
    text = (
        "class Node:\n    def __init__(self): self.l = r.lock('x')\n    def take(self): self.l.acquire()\n    def give(self): self.l.release()\n"
        "def giving(fn):\n    def inner(node, *a):\n        try:\n            return fn(node, *a)\n        finally:\n            node.give()\n    return inner\n"
        "@giving\ndef work(n: Node):\n    n.take()\n    open('f', 'w')\ndef run(n: Node):\n    work(n)\n    open('g', 'w')\n"
    )
    (found,) = sections(text, "work")
    assert ([x.on_error for x in found.releases], found.escapes, sections(text, "run")) == ([True], False, [])


def test_whether_a_wrapper_waits_is_what_its_caller_or_its_default_says() -> None:
    text = (
        "import threading\nclass Node:\n    def __init__(self): self.l = threading.Semaphore()\n"
        "    def take(self, blocking=True):\n        if self.l.acquire(blocking):\n            return True\n        return False\n"
        "def run(n: Node):\n    n.take({0})\n    open('f', 'w')\n"
    )
    assert [sections(text.format(given), "run")[0].can_fail for given in ("", "False")] == [False, True]


LOCKING = (
    "def take(name):\n    return r.set('lock:' + name, 1, nx=True, ex=9)\n"
    "def give(names):\n    keys = ['lock:' + n for n in names]\n    r.delete(*keys)\n"
)


def test_a_key_whose_hole_has_no_name_may_be_the_one_that_is_given_back() -> None:
    (found,) = sections(LOCKING + "class Job: pass\ndef run(jobs):\n    job = Job() if jobs else Job\n    if not take(job):\n        return\n    open('f', 'w')\n    give(jobs)\n", "run")
    assert ([(x.place.line, x.deed.line if x.deed else 0) for x in found.releases], effects(found)) == ([(14, 7)], [13])


def test_what_a_loop_takes_is_given_back_in_its_next_round() -> None:
    (found,) = sections(
        "import time\ndef take():\n    return r.set('lock:x', 1, nx=True, ex=9)\ndef give():\n    r.delete('lock:x')\n"
        "def run(state):\n    while True:\n        if state.stopped:\n            give()\n            break\n        take()\n        open('f', 'w')\n    open('g', 'w')\n",
        "run",
    )
    assert ([x.place.line for x in found.releases], effects(found)) == ([11], [14])


def test_behind_an_endless_loop_only_what_its_breaks_leave_is_held() -> None:
    (found,) = sections(
        "def run():\n    while True:\n        l = r.lock('x')\n        if l.acquire(blocking=False):\n            open('f', 'w')\n            l.release()\n            break\n"
        "    open('g', 'w')\n"
    )
    assert effects(found) == [7]


def test_what_is_made_in_order_to_be_called_later_is_no_work_of_the_function_that_hands_it_on() -> None:
    text = (
        "import redis\nr = redis.Redis()\nKEPT = []\n"
        "class Shown:\n    def __init__(self, page): self.page = page\n"
        "class Rule:\n    def __init__(self, path, view, shown): self.path, self.view, self.shown = path, view, shown\n"
        "def index(): return r.get('index')\n"
        "def routes():\n    KEPT.append(Rule('/', index, Shown('index')))\n"
        "def start():\n    r.set('started', 1)\n    routes()\nstart()\n"
    )
    uses = {(u.symbol, u.role) for u in system(a=text).uses()}
    assert ("a.start", "data-store") in uses


TRIES = "def take():\n    mine = str(uuid.uuid4())\n{0}    while True:\n{1}        if r.set('lock:x', mine, nx=True, px=60000):\n            return mine\n        time.sleep(1)\n"
USES = "def run():\n    mine = take()\n    r.incr('n')\n    give(mine)\ndef give(mine):\n    r.delete('lock:x')\n"


def test_who_gets_an_answer_of_a_function_that_tries_until_it_has_the_lock_has_it() -> None:
    (found,) = sections("import time, uuid\n" + TRIES.format("", "") + USES, "run")
    assert (found.can_fail, found.tested) == (False, None)


def test_who_gets_an_answer_of_a_function_that_tries_until_a_deadline_may_not_have_it() -> None:
    late = "        if time.time() > end:\n            return {}\n"
    for nothing in ("False", "None", ""):
        (found,) = sections("import time, uuid\n" + TRIES.format("    end = time.time() + 5\n", late.format(nothing)) + USES, "run")
        assert (found.can_fail, found.tested) == (True, False), nothing


TAKE = "def take(name):\n    l = r.lock(name, timeout=30, blocking_timeout=3)\n    l.acquire()\n    return l\n"


def test_a_lock_that_a_function_hands_over_is_given_back_by_the_name_that_it_gets() -> None:
    (found,) = sections(TAKE + "def run(name):\n    mine = take(name)\n    open('f', 'w')\n    mine.release()\n    open('g', 'w')\n", "run")
    assert (effects(found), [r.place.line for r in found.releases], found.tested) == ([9], [10], False)


def test_who_hands_a_lock_over_leaves_it_to_the_caller_to_ask_for_it() -> None:
    (found,) = sections(TAKE, "take")
    assert found.tested is None


@pytest.mark.parametrize("asked", ["mine.owned()", "mine.locked()", "mine.is_acquired"])
def test_a_caller_may_ask_the_lock_that_it_got_whether_it_is_held(asked: str) -> None:
    (found,) = sections(TAKE + f"def run(name):\n    mine = take(name)\n    if not {asked}:\n        raise OSError\n    open('f', 'w')\n", "run")
    assert (found.tested, found.raises_when_busy) == (True, True)


def test_a_function_between_may_ask_and_raise() -> None:
    between = "def sure(name):\n    l = take(name)\n    if not l.owned():\n        raise OSError\n    return l\n"
    (found,) = sections(TAKE + between + "def run(name):\n    mine = sure(name)\n    open('f', 'w')\n    mine.release()\n", "run")
    assert (found.can_fail, effects(found)) == (False, [14])
