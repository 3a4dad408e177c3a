"""What each cure of Python makes of one shape of code, and which shapes it leaves alone."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordlint.fix.child import answered
from coordlint.fix.edits import applied, between, diff
from coordlint.fix.requests import Batch, Request
from coordlint.source import Place, Span


def span_of(text: str, part: str) -> Span:
    """Where a part of the text stands, from its last occurrence."""
    start = text.rindex(part)
    line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    end = start + len(part)
    return Span(line, column, text.count("\n", 0, end) + 1, end - text.rfind("\n", 0, end))


def cured(code: str, text: str, *parts: str) -> str:
    """The text after the cure of a rule whose finding stands at these parts; why not, where there is none."""
    text = dedent(text)
    places = tuple(Place("a.py", span_of(text, part)) for part in parts)
    (told,) = answered(Batch({"a.py": text}, (Request(0, code, places, 300),)))
    return told.text if told.path else f"refused: {told.reason}"


def same(code: str, text: str, expected: str, *parts: str) -> None:
    assert cured(code, text, *parts) == dedent(expected)


# -- one command ----------------------------------------------------------------------------------------------------


def test_a_returned_answer_stays_true_or_false() -> None:
    same(
        "CL105",
        """\
        async def take(r, k):
            ok = await r.setnx(k, 1)
            if ok:
                # a crash must not keep it
                await r.expire(k, timedelta(seconds=5))
            return ok
        """,
        """\
        async def take(r, k):
            # a crash must not keep it
            ok = bool(await r.set(k, 1, nx=True, ex=timedelta(seconds=5)))
            return ok
        """,
        "r.setnx(k, 1)",
        "r.expire(k, timedelta(seconds=5))",
    )


def test_arguments_one_a_line_stay_one_a_line() -> None:
    same(
        "CL105",
        """\
        def take(r, k):
            if not r.setnx(
                k,
                "1",
            ):
                return False
            r.pexpire(k, 5000)
            return True
        """,
        """\
        def take(r, k):
            if not r.set(
                k,
                "1",
                nx=True,
                px=5000,
            ):
                return False
            return True
        """,
        'r.setnx(\n        k,\n        "1",\n    )',
        "r.pexpire(k, 5000)",
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("if not r.setnx(k, 1):\n        return\n    ttl = ask()\n    r.expire(k, 5)", "other steps"),
        ("if not r.setnx(k, 1):\n        log()\n    r.expire(k, 5)", "other steps"),
        ("r.setnx(k, 1)\n    r.expire(k, 5)", "other steps"),
        ("if r.setnx(k, 1):\n        other.expire(k, 5)", "different clients"),
        ("if r.setnx(k, 1):\n        r.expire(j, 5)", "name the key differently"),
        ("if r.setnx(*k):\n        r.expire(k, 5)", "unpacked"),
        ("if r.setnx(k, 1):\n        r.expire(k, 5, nx=True)", "no plain expire"),
        ("if r.setnx(k, 1):\n        done = r.expire(k, 5)", "more is done"),
        ("if r.setnx(k, 1):\n        r.expire(k, 5)  # five", "a comment stands beside"),
    ],
)
def test_two_commands_that_may_mean_something_else_are_left_alone(body: str, why: str) -> None:
    text = f"def take(r, k):\n    {body}\n"
    second = next(line.strip() for line in text.split("\n") if "expire" in line).removeprefix("done = ").split("  #")[0]
    first = "r.setnx(*k)" if "*k" in text else "r.setnx(k, 1)"
    told = cured("CL105", text, first, second)
    assert told.startswith("refused") and why in told


def test_a_value_that_reads_as_nothing_is_no_claim() -> None:
    text = "def take(r, k):\n    if r.get(k):\n        return\n    r.set(k, 0)\n"
    assert "may read as nothing" in cured("CL105", text, "r.get(k)", "r.set(k, 0)")


# -- released on error ----------------------------------------------------------------------------------------------


def test_texts_of_several_lines_keep_their_indentation() -> None:
    same(
        "CL108",
        '''\
        def work(lock, db):
            lock.acquire()

            # all of them
            db.run("""
        SELECT 1
            """)
            lock.release()  # at last

            return 1
        ''',
        '''\
        def work(lock, db):
            lock.acquire()

            try:
                # all of them
                db.run("""
        SELECT 1
            """)
            finally:
                lock.release()  # at last

            return 1
        ''',
        "lock.acquire()",
        "lock.release()",
    )


def test_a_lock_of_tasks_becomes_an_async_with() -> None:
    same(
        "CL108",
        """\
        import asyncio

        gate = asyncio.Lock()

        async def work(db):
            await gate.acquire()
            await db.run()
            gate.release()
        """,
        """\
        import asyncio

        gate = asyncio.Lock()

        async def work(db):
            async with gate:
                await db.run()
        """,
        "gate.acquire()",
        "gate.release()",
    )


def test_an_answer_with_a_name_is_followed_to_its_test() -> None:
    same(
        "CL108",
        """\
        def work(lock, db):
            got = lock.acquire(timeout=5)
            if not got:
                return
            db.run()
            lock.release()
        """,
        """\
        def work(lock, db):
            got = lock.acquire(timeout=5)
            if not got:
                return
            try:
                db.run()
            finally:
                lock.release()
        """,
        "lock.acquire(timeout=5)",
        "lock.release()",
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("lock.acquire()\n    if a:\n        lock.release()\n        b()\n    c()\n    lock.release()", "several ways"),
        ("lock.acquire()\n    if a:\n        lock.release()\n        return b()\n    c()\n    lock.release()", "several ways"),
        ("lock.acquire()\n    lock = other()\n    c()\n    lock.release()", "only computed in between"),
        ("lock.acquire()\n    lock.release()", "nothing between"),
        ("lock.acquire()\n    if a:\n        b()\n        lock.release()", "different blocks"),
        ("while not lock.acquire():\n        pass\n    b()\n    lock.release()", "another way"),
    ],
)
def test_releases_that_mean_more_are_left_alone(body: str, why: str) -> None:
    told = cured("CL108", f"def work(lock, a, b, c):\n    {body}\n", "lock.acquire()", "lock.release()")
    assert told.startswith("refused") and why in told


# -- the others -----------------------------------------------------------------------------------------------------


def test_who_gives_a_value_raises_and_who_goes_round_goes_on() -> None:
    same(
        "CL106",
        "def work(lock):\n    lock.acquire(blocking=False)\n    return 1\n",
        'def work(lock):\n    if not lock.acquire(blocking=False):\n        raise RuntimeError("the lock is held by somebody else")\n    return 1\n',
        "lock.acquire(blocking=False)",
    )
    same(
        "CL106",
        "def work(locks):\n    for lock in locks:\n        # try\n        lock.acquire(False)\n        go()\n",
        "def work(locks):\n    for lock in locks:\n        # try\n        if not lock.acquire(False):\n            continue\n        go()\n",
        "lock.acquire(False)",
    )


def test_an_acquire_inside_a_try_that_gives_back_is_left_alone() -> None:
    text = "def work(lock):\n    try:\n        lock.acquire(False)\n        go()\n    finally:\n        lock.release()\n"
    assert "give back what was not obtained" in cured("CL106", text, "lock.acquire(False)")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('lock("a")', 'lock("a", timeout=300)'),
        ('lock("a", timeout=None)', 'lock("a", timeout=300)'),
        ('set("a", 1, nx=True)', 'set("a", 1, nx=True, ex=300)'),
        ('setnx("a", 1)', 'set("a", 1, nx=True, ex=300)'),
    ],
)
def test_a_lock_gets_a_lifetime_in_the_words_of_its_call(before: str, after: str) -> None:
    same("CL103", f"r.{before}\n", f"r.{after}\n", f"r.{before}")


@pytest.mark.parametrize("call", ['r.lock("a", *rest)', 'r.lock("a", timeout=ask())', 'r.set("a", 1)', 'r.eval("a")'])
def test_a_lifetime_that_is_computed_or_unknown_is_left_alone(call: str) -> None:
    assert cured("CL103", f"{call}\n", call).startswith("refused")


def test_an_import_goes_where_it_is_looked_for() -> None:
    text = '"""Doc."""\n\nfrom __future__ import annotations\n\nimport os\nimport sys\n\nimport redis\n\n\ndef f(r, name: str):\n    r.lock(hash(name))\n'
    expected = text.replace("hash(name)", "zlib.crc32(name.encode())").replace("import sys\n", "import sys\nimport zlib\n")
    same("CL121", text, expected, "r.lock(hash(name))")
    bare = '"""Doc."""\n\nX = 1\n\ndef f(r, k):\n    r.lock(hash(k))\n'
    same("CL121", bare, '"""Doc."""\n\nimport zlib\n\nX = 1\n\ndef f(r, k):\n    r.lock(zlib.crc32(str(k).encode()))\n', "r.lock(hash(k))")


# -- texts and edits ------------------------------------------------------------------------------------------------

LINES = st.lists(st.sampled_from(["a", "b", "  c", "", "\f", "é\u2028"]), max_size=12)


@given(LINES, LINES, st.booleans(), st.booleans())
def test_edits_lead_from_any_text_to_any_other(old: list[str], new: list[str], old_end: bool, new_end: bool) -> None:
    before = "\n".join(old) + ("\n" if old_end else "")
    after = "\n".join(new) + ("\n" if new_end else "")
    assert applied(before, between("a", before, after)) == after
    assert (diff("a", before, after) == "") == (before == after)
