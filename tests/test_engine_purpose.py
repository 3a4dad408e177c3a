"""Correctness or performance: each kind of evidence, its points, what they add up to, and declared intents."""

from textwrap import dedent, indent

import pytest
from systems import system

from coordlint import Section


def section(body: str, *, lock: str = "r.lock('things', timeout=9, blocking_timeout=3)", head: str = "", name: str = "run") -> Section:
    """The one section of a function `name` whose body runs under a Redis lock."""
    text = f"import redis\nr = redis.Redis()\n{dedent(head)}\ndef {name}(order, db):\n    with {lock}:\n{indent(dedent(body), ' ' * 8)}\n"
    (found,) = [s for s in system(app=text).critical_sections(distributed=True, tests=True) if s.symbol.endswith(name)]
    return found


def points(found: Section) -> dict[str, int]:
    return {p.reason: p.points for p in found.purpose.points}


DJANGO = "from django.db import models\nclass Account(models.Model):\n    balance = models.IntegerField()\n"


# -- what happens inside -------------------------------------------------------------------------------------------


def test_a_payment_without_a_key_is_correctness_by_itself():
    found = section("stripe.Charge.create(amount=3)", head="import stripe")
    assert points(found) == {"a payment without an idempotency key": 5}
    assert (found.purpose.kind, found.purpose.score) == ("correctness", 5)


def test_a_payment_with_a_key_is_decided_elsewhere():
    found = section("stripe.Charge.create(amount=3, idempotency_key=order)", head="import stripe")
    assert points(found) == {"a write inside is conditional already": -4}
    assert found.purpose.kind == "performance"


def test_a_second_record_is_correctness_by_itself():
    found = section("Account.objects.create(balance=1)", head=DJANGO)
    assert points(found) == {"a database write that is not safe to repeat": 4}


def test_what_is_computed_from_what_was_read_is_correctness():
    found = section("n = int(r.get('n'))\nr.set('n', n + 1)")
    assert points(found) == {"a record is overwritten with what was computed from reading it": 4}


@pytest.mark.parametrize(("calls", "score"), [(1, 2), (2, 3), (3, 3)])
def test_outward_calls_count_two_and_then_one_and_no_more_than_three(calls: int, score: int):
    found = section("requests.post('https://a.example/x', json=order)\n" * calls, head="import requests")
    assert sum(n for reason, n in points(found).items() if "outward" in reason) == score


def test_writes_to_two_kinds_of_stores_need_something_in_common():
    found = section("Account.objects.create(balance=1)\nrequests.post('https://a.example/x', json=order)", head=f"import requests\n{DJANGO}")
    assert points(found)["writes to database and http without a common transaction"] == 2


def test_filling_a_cache_is_performance_by_itself():
    found = section("r.set('page', order, ex=60)")
    assert points(found) == {"the effects only fill a cache or count": -4}
    assert found.purpose.kind == "performance"


def test_what_may_happen_twice_without_harm_is_performance():
    found = section("order.objects.all()\nAccount.objects.filter(balance=0).delete()", head=DJANGO)
    assert points(found)["nothing inside does harm when it happens twice"] == -3


def test_an_overwrite_is_no_such_thing_because_a_late_one_destroys_what_is_newer():
    found = section("Account.objects.filter(id=order).update(balance=3)", head=DJANGO)
    assert "nothing inside does harm when it happens twice" not in points(found)


# -- how the lock is taken and looked after ------------------------------------------------------------------------


def test_waiting_without_limit_speaks_for_correctness():
    assert points(section("pass", lock="r.lock('things', timeout=9)")) == {"the acquire waits without limit": 2}


TRY = "import redis\nr = redis.Redis()\ndef run(order):\n    lock = r.lock('things', timeout=9)\n    if not lock.acquire(blocking=False):\n        {busy}\n    {body}\n    lock.release()\n"


def tried(busy: str, body: str = "pass", **more: str) -> Section:
    (found,) = system(app=TRY.format(busy=busy, body=body), **more).critical_sections(distributed=True)
    return found


def test_skipping_the_work_when_busy_is_performance():
    found = tried("return")
    assert (points(found), found.purpose.kind) == ({"a busy lock means that the work is skipped": -3}, "performance")


def test_an_error_for_the_caller_when_busy_speaks_for_correctness():
    assert points(tried("raise RuntimeError('x')")) == {"a busy lock is an error for the caller": 2}


def test_an_exception_that_is_named_after_a_conflict_counts_once_more():
    found = tried("raise OrderConflict('x')")
    assert points(found) == {"a busy lock is an error for the caller": 2, "it speaks of a conflict: conflict": 1}


def test_renewing_the_lock_speaks_for_correctness():
    assert points(tried("return", "lock.extend(9)"))["the lock is renewed, or asked for again, while it is held"] == 1


def test_a_key_that_is_left_to_expire_speaks_for_performance():
    text = "import redis\nr = redis.Redis()\ndef run(order):\n    if not r.set('lock:run', 1, nx=True, ex=60):\n        return\n    open('f', 'w')\n"
    (found,) = system(app=text).critical_sections()
    assert points(found)["the key is left to expire"] == -2


def test_a_lock_against_stampedes_is_performance_by_itself():
    text = "import aiocache\nasync def run(cache):\n    async with aiocache.lock.RedLock(cache, 'page', lease=2):\n        await cache.set('page', 1)\n"
    found = list(system(app=text).critical_sections())
    assert [s.purpose.kind for s in found] == ["performance"]
    assert -5 in points(found[0]).values()


# -- what it is called ---------------------------------------------------------------------------------------------


def test_a_key_of_one_entity_speaks_for_correctness():
    found = section("pass", lock="r.lock(f'order:{order}', timeout=9, blocking_timeout=3)")
    assert points(found) == {"the key names one order": 2}


@pytest.mark.parametrize("name", ["refresh", "cleanup_things", "warm_cache", "debounce"])
def test_a_function_that_is_called_cheap_speaks_for_performance(name: str):
    assert list(points(section("pass", name=name)).values()) == [-2]


@pytest.mark.parametrize("lock", ["r.lock(f'order:account:{order}', timeout=9, blocking_timeout=3)", "r.lock('cache:warm', timeout=9, blocking_timeout=3)"])
def test_names_alone_never_decide(lock: str):
    found = section("pass", lock=lock)
    assert (abs(found.purpose.score) <= 2, found.purpose.kind) == (True, "unknown")


# -- where it stands -----------------------------------------------------------------------------------------------

PERIODIC = """
    import redis
    from celery import Celery
    r = redis.Redis()
    app = Celery("a")
    app.conf.beat_schedule = {{"x": {{"task": "app.nightly", "schedule": 60}}}}
    @app.task
    def nightly():
        with r.lock({key}, timeout=9, blocking_timeout=3):
            {body}
"""


@pytest.mark.parametrize(
    ("key", "body", "counts"),
    [("'nightly'", "pass", True), ("f'nightly:{who()}'", "pass", False), ("'nightly'", "smtplib.SMTP().sendmail('a', 'b', 'c')", False)],
)  # fmt: skip
def test_a_constant_key_in_a_periodic_task_keeps_runs_apart_unless_mail_leaves_it(key: str, body: str, counts: bool):
    (found,) = system(app="import smtplib\n" + dedent(PERIODIC).format(key=key, body=body)).critical_sections()
    assert ("one constant key in a periodic task keeps two runs apart" in points(found)) is counts


@pytest.mark.parametrize("path", ["shop/migrations/0002_fill.py", "shop/management/commands/fill.py", "tests/test_fill.py"])
def test_tests_migrations_and_commands_take_one_point_away(path: str):
    text = "import redis\nr = redis.Redis()\ndef run():\n    with r.lock('x', timeout=9, blocking_timeout=3):\n        pass\n"
    (found,) = system({path: text}).critical_sections(tests=True)
    assert points(found) == {"it stands in a test, a migration or a command": -1}


# -- sums ----------------------------------------------------------------------------------------------------------


def test_an_unknown_call_inside_leaves_it_unknown_unless_one_piece_of_evidence_is_strong():
    weak = section("requests.post('https://a.example/x', json=order)\ndb.launch()", head="import requests", lock="r.lock(f'x:{order}', timeout=9)")
    assert (weak.purpose.score >= 4, weak.purpose.kind) == (True, "correctness")
    none = section("order.launch()", lock="r.lock('cache', timeout=9, blocking_timeout=3)")
    assert (none.unresolved != (), none.purpose.kind) == (True, "unknown")
    strong = section("stripe.Charge.create(amount=3)\norder.launch()", head="import stripe")
    assert strong.purpose.kind == "correctness"


def test_every_point_about_an_effect_says_where_it_stands():
    found = section("stripe.Charge.create(amount=3)\nr.set('page', order, ex=60)", head="import stripe")
    assert all(p.place is not None and p.place.path == "app.py" for p in found.purpose.points)


# -- declared intents ----------------------------------------------------------------------------------------------

DECLARED = "import redis, stripe\nr = redis.Redis()\ndef run():\n    # coordlint: {intent}\n    with r.lock('x', timeout=9):\n        {body}\n"


@pytest.mark.parametrize(
    ("intent", "body", "kind"),
    [
        ("performance-lock", "open('f', 'w')", "performance"),
        ("performance-lock", "stripe.Charge.create(amount=3)", "correctness"),
        ("correctness-lock", "r.set('page', 1, ex=60)", "correctness"),
        ("correctness-lock", "pass", "correctness"),
    ],
)  # fmt: skip
def test_a_declared_intent_decides_unless_one_piece_of_evidence_for_correctness_is_strong(intent: str, body: str, kind: str):
    (found,) = system(app=DECLARED.format(intent=intent, body=body)).critical_sections()
    assert (found.purpose.kind, found.purpose.declared) == (kind, intent)


@pytest.fixture
def notes(tmp_path, monkeypatch, run):
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)

    def notes(text: str) -> list[str]:
        (tmp_path / "app.py").write_text(text)
        return run("check", "--no-cache", "--format", "json").json["notes"]

    return notes


def test_an_intent_that_the_code_contradicts_is_told_with_the_evidence(notes):
    (note,) = notes(DECLARED.format(intent="performance-lock", body="stripe.Charge.create(amount=3)"))
    assert note == (
        'app.py:5: performance-lock is declared for the Redis lock "x", but the code speaks for correctness: +5 a payment without an '
        "idempotency key (app.py:6); +2 the acquire waits without limit (app.py:5); it is judged as a correctness lock all the same"
    )
    cached = "import redis\nr = redis.Redis()\nl = r.lock('x', timeout=9)\n# coordlint: correctness-lock\nif l.acquire(blocking=False):\n    r.set('page', 1, ex=60)\n    l.release()\n"
    (note,) = notes(cached)
    assert "correctness-lock is declared" in note
    assert "the code speaks for performance: -4 the effects only fill a cache or count (app.py:6)" in note
    assert note.endswith("the comment is believed")


def test_an_intent_that_the_code_bears_out_needs_no_note(notes):
    assert notes(DECLARED.format(intent="correctness-lock", body="stripe.Charge.create(amount=3)")) == []
    assert notes(DECLARED.format(intent="performance-lock", body="open('f', 'w')")) == []


def test_an_intent_where_no_lock_is_taken_is_told(notes):
    (note,) = notes("# coordlint: performance-lock\nx = 1\n")
    assert note == "app.py:2: performance-lock is declared, but no lock is seen to be taken here"
