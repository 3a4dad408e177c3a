"""What is held where: with, acquire and release, decorators, context managers, and what happens inside."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Section
from coordlint.models.schema import OnBusy


def sections(text: str) -> list[Section]:
    return list(system(a="import redis\nr = redis.Redis()\n" + text).critical_sections())


def effects(section: Section) -> list[int]:
    return [e.place.line for e in section.effects if e.operation.kind]


def test_a_with_block_holds_its_lock_to_its_end() -> None:
    (found,) = sections("with r.lock('x', timeout=3):\n    open('f', 'w')\nopen('g', 'w')\n")
    assert effects(found) == [4]
    assert (found.lock.key, found.lock.lifetime.seconds, found.how) == ("x", 3, "with")


def test_an_acquire_holds_until_its_release() -> None:
    (found,) = sections("l = r.lock('x')\nl.acquire()\nopen('f', 'w')\nl.release()\nopen('g', 'w')\n")
    assert effects(found) == [5]
    assert [release.how for release in found.releases] == ["library"]


def test_a_guarded_acquire_is_tested_and_the_way_out_is_not_inside() -> None:
    (found,) = sections(
        "def run():\n    l = r.lock('x')\n    if not l.acquire(blocking=False):\n        open('g', 'w')\n        return\n"
        "    open('f', 'w')\n    l.release()\n"
    )
    assert (found.can_fail, found.tested, found.skips_when_busy, effects(found)) == (True, True, True, [8])


def test_a_result_in_a_variable_that_nobody_tests_is_not_tested() -> None:
    (found,) = sections("def run():\n    l = r.lock('x')\n    ok = l.acquire(blocking=False)\n    open('f', 'w')\n")
    assert (found.can_fail, found.tested) == (True, False)


def test_a_release_in_finally_runs_on_errors_too() -> None:
    (found,) = sections("l = r.lock('x')\nl.acquire()\ntry:\n    open('f', 'w')\nfinally:\n    l.release()\n")
    assert [release.on_error for release in found.releases] == [True]


def test_waiting_in_a_loop_for_set_nx_holds_the_key_after_the_loop() -> None:
    (found,) = sections(
        "import time\ndef run():\n    while not r.set('lock:x', 1, nx=True, ex=5):\n        time.sleep(1)\n    open('f', 'w')\n    r.delete('lock:x')\n"
    )
    assert (found.lock.by_hand, found.lock.lifetime.seconds, effects(found)) == (True, 5, [7])


def test_a_conditional_write_that_nobody_calls_a_lock_and_nobody_deletes_is_none() -> None:
    assert sections("def seen(i):\n    return r.set(f'seen:{i}', 1, nx=True, ex=60)\n") == []


def test_a_context_manager_of_the_project_holds_what_it_holds_at_its_yield() -> None:
    found = sections(
        "from contextlib import contextmanager\n@contextmanager\ndef guard(name, ttl=30):\n    with r.lock(name, timeout=ttl):\n        yield\n"
        "def run(i):\n    with guard(f'job:{i}'):\n        open('f', 'w')\n"
    )
    mine = next(s for s in found if s.symbol == "a.run")
    assert (mine.lock.key, mine.lock.lifetime.seconds, mine.lock.via, effects(mine)) == ("job:{}", 30, ("guard",), [10])


def test_a_decorator_of_the_project_holds_its_lock_around_the_function() -> None:
    found = sections(
        "def locked(name):\n    def deco(fn):\n        def inner(*a):\n            with r.lock(name):\n                return fn(*a)\n        return inner\n"
        "    return deco\n@locked('nightly')\ndef run():\n    open('f', 'w')\n"
    )
    mine = next(s for s in found if s.symbol == "a.run")
    assert (mine.how, mine.lock.key, effects(mine)) == ("decorator", "nightly", [12])


def test_effects_are_followed_through_calls_with_the_places_of_the_calls() -> None:
    (found,) = sections("def pay():\n    open('f', 'w')\ndef run():\n    with r.lock('x'):\n        pay()\n")
    (effect,) = [e for e in found.effects if e.operation.kind]
    assert (effect.place.line, [p.line for p in effect.chain]) == (4, [7])


def test_a_function_that_is_started_beside_is_not_inside() -> None:
    (found,) = sections(
        "import threading\ndef pay():\n    open('f', 'w')\nwith r.lock('x'):\n    threading.Thread(target=pay).start()\n"
    )
    assert effects(found) == []


def test_the_default_of_a_wrapper_decides_the_time_to_live() -> None:
    found = sections("def lock(name, ttl=None):\n    return r.lock(name, timeout=ttl)\nwith lock('x'):\n    pass\n")
    mine = next(s for s in found if s.symbol == "a")
    assert (mine.lock.lifetime.kind, mine.lock.lifetime.place.line if mine.lock.lifetime.place else 0) == ("never", 3)


def test_a_lock_that_enters_without_being_granted_says_so() -> None:
    found = system(a="import etcd3\nwith etcd3.client().lock('x', ttl=9):\n    open('f', 'w')\n")
    (section,) = found.critical_sections()
    assert (section.on_busy, section.can_fail, section.tested) == (OnBusy.ENTERS, True, False)


def test_an_unknown_call_inside_is_told_as_unresolved_and_never_counts_as_an_effect() -> None:
    (found,) = sections("def run(thing):\n    with r.lock('x'):\n        thing.launch()\n")
    assert (effects(found), [p.line for p in found.unresolved]) == ([], [5])


def test_the_order_of_the_facts_does_not_matter() -> None:
    files = {"b": "import redis\nr = redis.Redis()\n", "c": "from b import r\nwith r.lock('x'):\n    pass\n"}
    turned = dict(reversed(files.items()))
    assert system(**files).uses() == system(**turned).uses()


def test_a_declared_performance_lock_is_one_unless_the_evidence_is_strong() -> None:
    declared = "# coordlint: performance-lock the worst case is a second refresh\n"
    (cheap,) = sections(f"{declared}with r.lock('x'):\n    open('f', 'w')\n")
    assert (cheap.purpose.kind, cheap.purpose.declared) == ("performance", "performance-lock")
    (money,) = sections(f"import stripe\n{declared}with r.lock('x'):\n    stripe.Charge.create(amount=3)\n")
    assert money.purpose.kind == "correctness"


def test_a_release_on_a_way_out_does_not_end_the_section_on_the_other_ways() -> None:
    (found,) = sections(
        "def run(keys):\n    l = r.lock('x')\n    l.acquire()\n    for k in keys:\n        if k == 'a':\n            l.release()\n            return\n"
        "    open('f', 'w')\n    l.release()\n"
    )
    assert effects(found) == [10]


def test_an_object_that_is_asked_whether_it_has_the_lock_tests_the_acquire() -> None:
    text = (
        "class Jobs:\n    def take(self):\n        return r.lock('jobs').acquire(blocking=False)\n    @property\n"
        "    def acquired(self): return True\ndef run(jobs: Jobs):\n    jobs.take()\n    if {0}:\n        open('f', 'w')\n"
    )
    asked, ignored = sections(text.format("jobs.acquired")), sections(text.format("True"))
    assert [s.tested for s in asked if s.symbol == "a.run"] == [True]
    assert [s.tested for s in ignored if s.symbol == "a.run"] == [False]


def test_a_name_for_the_refusal_turns_the_test_around() -> None:
    (found,) = sections("l = r.lock('x')\nbusy = not l.acquire(blocking=False)\nif not busy:\n    open('f', 'w')\n    l.release()\n")
    assert effects(found) == [6]
    assert found.tested


def test_the_result_of_a_wrapper_that_takes_the_lock_is_looked_at() -> None:
    _, second = sections(
        "def take(key):\n    return r.set('lock:' + key, '1', nx=True, ex=30)\ndef work(key):\n    ok = take(key)\n    if not ok:\n"
        "        return\n    open('f', 'w')\n    r.delete('lock:' + key)\n"
    )
    assert (second.acquired.line, second.tested, effects(second)) == (6, True, [9])


def test_the_key_of_a_script_stands_behind_the_number_of_keys() -> None:
    (found,) = sections(
        "TAKE = \"return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', 3000)\"\nif r.eval(TAKE, 1, 'lock:x', 'me'):\n"
        "    open('f', 'w')\n    r.delete('lock:x')\n"
    )
    assert (found.lock.key, found.lock.lifetime.kind) == ("lock:x", "unknown")


def test_that_a_script_gives_no_lifetime_is_told_where_it_sets_the_key() -> None:
    (found,) = sections(
        'TAKE = """\nif redis.call("exists", KEYS[1]) == 1 then return 0 end\nredis.call("set", KEYS[1], ARGV[1])\nreturn 1\n"""\n'
        "if r.eval(TAKE, 1, 'lock:x', 'me'):\n    open('f', 'w')\n    r.delete('lock:x')\n"
    )
    at = found.lock.lifetime.place
    assert (found.lock.lifetime.kind, at.line if at else None, found.acquired.line) == ("never", 5, 8)


def test_a_script_whose_lines_are_not_those_of_the_file_is_told_by_its_call() -> None:
    (found,) = sections(
        'TAKE = "if redis.call(\'exists\', KEYS[1]) == 1 then return 0 end\\nredis.call(\'set\', KEYS[1], ARGV[1])\\nreturn 1"\n'
        "if r.eval(TAKE, 1, 'lock:x', 'me'):\n    open('f', 'w')\n    r.delete('lock:x')\n"
    )
    at = found.lock.lifetime.place
    assert (found.lock.lifetime.kind, at.line if at else None) == ("never", 4)


@pytest.mark.parametrize(
    ("lease", "seconds", "told"),
    [
        ("app.config.get('LEASE', 60)", 60, "60 s unless LEASE is set"),
        ("settings.get('LEASE', default=DEFAULT) * 2", 180, "180 s unless LEASE is set"),
        ("app.config.get('LEASE')", None, "not known"),
        ("app.config.get('LEASE', read_default())", None, "not known"),
        ("answers.get('LEASE', 60)", None, "not known"),
    ],
)
def test_a_lifetime_from_the_settings_is_known_by_its_default(lease: str, seconds: float | None, told: str) -> None:
    (found,) = sections(f"from app import app, answers, settings, read_default\nDEFAULT = 90\nwith r.lock('x', timeout={lease}):\n    open('f', 'w')\n")
    assert (found.lock.lifetime.kind, found.lock.lifetime.seconds, found.lock.lifetime.told) == ("unknown", seconds, told)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("    for job in jobs():\n        post(job)\n", 7),
        ("    for job in jobs():\n        for side in (1, 2):\n            post(side)\n", 7),
        ("    for n in range(3):\n        post(n)\n", None),
        ("    for n, name in enumerate(['a', 'b']):\n        post(name)\n", None),
        ("    post(1)\n", None),
    ],
)
def test_a_loop_over_things_of_unknown_number_is_noted_with_what_it_does(text: str, line: int | None) -> None:
    (found,) = sections("import requests\nfrom work import jobs\ndef post(x):\n    requests.post('http://x', json=x, timeout=5)\nwith r.lock('x', timeout=9):\n" + text)
    (effect,) = found.effects
    assert (effect.each.line if effect.each else None) == (line + 1 if line else None)


def test_the_loop_that_takes_the_lock_each_time_is_no_loop_inside_it() -> None:
    (found,) = sections("import requests\nfrom work import jobs\nfor job in jobs():\n    with r.lock('x', timeout=9):\n        requests.post('http://x', timeout=5)\n")
    assert [e.each for e in found.effects] == [None]


def test_adding_a_record_that_was_loaded_writes_it_back_and_makes_no_second_one() -> None:
    found = system(
        a="""
        from sqlalchemy.orm import DeclarativeBase, Session
        class Base(DeclarativeBase): pass
        class Job(Base):
            __tablename__ = "job"
        def touch(session: Session, i):
            job = session.get(Job, i)
            session.add(job)
            session.add(Job(id=i))
        """
    )
    late = [o.late.value for o in found.operations() if o.call.endswith(".add")]
    assert late == ["overwrite", "append"]


def test_an_exit_stack_holds_what_was_entered_into_it_to_its_end() -> None:
    (found,) = sections(
        "from contextlib import ExitStack\ndef run():\n    with ExitStack() as stack:\n        stack.enter_context(r.lock('x', timeout=9))\n"
        "        open('f', 'w')\n    open('g', 'w')\n"
    )
    assert (found.how, found.lock.key, effects(found)) == ("with", "x", [7])


def test_a_path_that_is_joined_is_a_key() -> None:
    found = system(a="import os\nfrom kazoo.client import KazooClient\nzk = KazooClient()\ndef put(name):\n    zk.set(os.path.join('/jobs', name), b'')\n")
    assert [o.key_text for o in found.operations() if o.op.value == "write"] == ["/jobs/{name}"]


def test_what_a_call_rules_out_by_its_arguments_is_not_inside() -> None:
    helper = "def remove(key, thoroughly=False):\n    open('f', 'w')\n    if thoroughly:\n        open('g', 'w')\n"
    (found,) = sections(helper + "with r.lock('x'):\n    remove('k')\n")
    assert effects(found) == [4]
    (found,) = sections(helper + "with r.lock('x'):\n    remove('k', thoroughly=True)\n")
    assert effects(found) == [4, 6]
    (found,) = sections(helper + "def run(options):\n    with r.lock('x'):\n        remove('k', **options)\n")
    assert effects(found) == [4, 6]


def test_a_case_of_a_harness_is_a_test_wherever_its_file_stands() -> None:
    text = "import redis\nfrom harness import {0}\nr = redis.Redis()\nclass Locks({0}):\n    def busy(self):\n        r.lock('x').acquire(blocking=False)\n        r.incr('n')\n"
    assert [s.in_test for s in system(a=text.format("StoreTestHarness")).critical_sections()] == []
    assert [s.in_test for s in system(a=text.format("Base")).critical_sections()] == [False]
