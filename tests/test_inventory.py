"""`coordlint inventory`: every use with its section, effects, entry points, confidence, and what is not known."""

import json
from textwrap import dedent

import pytest

LOCKS = """
import os
import redis

client = redis.Redis(host="redis")
LEASE = os.environ["LEASE"]


def guard(name, seconds=30):
    return client.lock(f"acct:{name}", timeout=seconds)


def loose(name):
    return client.lock(f"acct:{name}", timeout=int(LEASE), blocking_timeout=2)
"""
PAY = """
import stripe
from flask import Flask

from locks import guard, loose

app = Flask(__name__)


@app.post("/pay")
def pay(account):
    with guard(account.id):
        charge(account)


def charge(account):
    stripe.Charge.create(amount=account.due)


@app.cli.command()
def sweep(machine):
    with loose("all"):
        machine.launch()


def helper(store, key):
    store.setnx(key, 1)
    store.hget(f"page:{key}", "x")
"""
TEST = """
from pay import pay
def test_pay():
    pay(None)
"""


@pytest.fixture
def told(tmp_path, monkeypatch, run):
    (tmp_path / ".git").mkdir()
    (tmp_path / "tests").mkdir()
    for name, text in {"locks.py": LOCKS, "pay.py": PAY, "tests/test_pay.py": TEST}.items():
        (tmp_path / name).write_text(dedent(text))
    monkeypatch.chdir(tmp_path)

    def told(*arguments: str) -> list[dict]:
        return json.loads(run("inventory", "--no-cache", "--format", "json", *arguments).out)["uses"]

    return told


def at(uses: list[dict], path: str, line: int) -> dict:
    (use,) = [u for u in uses if (u["path"], u["line"]) == (path, line)]
    return use


PAID, SWEPT, MADE, TAKEN, READ = ("pay.py", 12), ("pay.py", 22), ("locks.py", 10), ("pay.py", 27), ("pay.py", 28)


def test_a_use_behind_a_wrapper_carries_the_callers_key_and_the_wrapper(told) -> None:
    use = at(told(), *PAID)
    assert (use["role"], use["backend"], use["resource"], use["via"]) == ("lock", "redis", "acct:{account.id}", ["guard"])


def test_the_section_that_begins_at_a_use_says_how_it_is_held(told) -> None:
    section = at(told(), *PAID)["section"]
    assert section["acquired"] == {"path": "pay.py", "line": 12}
    assert (section["how"], section["lifetime"]["seconds"], section["wait"]["kind"]) == ("with", 30, "never")
    assert [(r["how"], r["on_error"]) for r in section["releases"]] == [("with", True)]


def test_its_purpose_is_told_with_every_point_and_where_it_stands(told) -> None:
    purpose = at(told(), *PAID)["section"]["purpose"]
    assert (purpose["kind"], purpose["score"]) == ("correctness", sum(p["points"] for p in purpose["points"]))
    assert {"points": 5, "reason": "a payment without an idempotency key", "path": "pay.py", "line": 17} in purpose["points"]


def test_effects_are_told_with_the_calls_that_lead_to_them(told) -> None:
    assert at(told(), *PAID)["effects"] == [
        {
            "name": "Charge.create (payment)", "path": "pay.py", "line": 17, "kind": "payment", "late": "external", "condition": None,
            "token": False, "through": [{"path": "pay.py", "line": 13}],
        }
    ]  # fmt: skip


def test_entry_points_are_told_with_kind_and_route_and_tests_are_none(told) -> None:
    uses = told()
    (entry,) = at(uses, *PAID)["entry_points"]
    assert (entry["kind"], entry["symbol"], entry["route"], entry["path"], entry["line"]) == ("http", "pay.pay", "/pay", "pay.py", 11)
    assert [e["kind"] for e in at(uses, *SWEPT)["entry_points"]] == ["command"]
    assert {e["kind"] for e in at(uses, *MADE)["entry_points"]} == {"http"}


def test_a_use_that_is_no_section_has_none_and_no_effects(told) -> None:
    use = at(told(), *MADE)
    assert (use["section"], use["effects"]) == (None, [])


def test_what_is_known_by_type_and_key_is_sure(told) -> None:
    use = at(told(), *PAID)
    assert (use["confidence"], use["unknown"]) == ("high", [])


def test_a_lifetime_from_settings_and_calls_that_nobody_knows_are_told(told) -> None:
    use = at(told(), *SWEPT)
    assert use["confidence"] == "high"
    assert use["unknown"] == ["lifetime: from LEASE", "effects: 1 call inside that nobody knows, the first at pay.py:23"]


def test_a_client_that_only_its_methods_betray_is_less_sure_and_least_with_a_key_from_outside(told) -> None:
    uses = told()
    assert (at(uses, *READ)["confidence"], at(uses, *READ)["unknown"]) == (
        "medium",
        ["type: store is taken for redis by the methods that it is asked for"],
    )
    assert (at(uses, *TAKEN)["confidence"], at(uses, *TAKEN)["unknown"][1]) == ("low", "key: whatever key is")


def test_uses_can_be_asked_for_by_role_and_backend(told) -> None:
    assert {u["role"] for u in told("--role", "lock")} == {"lock"}
    assert {u["role"] for u in told("--role", "lock", "--role", "client")} == {"lock", "client"}
    assert told("--backend", "etcd") == []
    assert len(told("--backend", "redis")) == len(told())


def test_the_text_has_one_line_for_a_use_and_doubts_only_where_there_are_any(told, run) -> None:
    lines = run("inventory", "--no-cache", "--role", "lock").out.splitlines()
    (paid,) = [line for line in lines if line.startswith("  pay.py:12 ")]
    assert "lock on redis acct:{account.id}" in paid
    assert "through guard" in paid
    assert "confidence" not in paid
    everything = run("inventory", "--no-cache").out
    assert next(line for line in everything.splitlines() if line.startswith("  pay.py:28 ")).endswith("medium confidence")


def test_more_words_tell_section_effects_points_entries_and_doubts(told, run) -> None:
    text = run("inventory", "--no-cache", "--role", "lock", "-v").out
    for said in (
        "held: with, lifetime 30 s",
        "Charge.create (payment) at pay.py:17 through pay.py:13 (external when late)",
        "purpose: correctness",
        "+5 a payment without an idempotency key (pay.py:17)",
        "reached from http /pay",
        "not known: lifetime: from LEASE",
    ):
        assert said in text


def test_names_from_hostile_code_cannot_move_the_cursor(tmp_path, monkeypatch, run) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.py").write_text("import redis\nr = redis.Redis()\nwith r.lock('a\\x1b[2Jb', timeout=1):\n    open('f\\x1b[31m', 'w')\n")
    monkeypatch.chdir(tmp_path)
    assert "\x1b" not in run("inventory", "--no-cache", "-v").out


def test_the_audit_tells_what_is_held_why_and_who_gets_there(told, run) -> None:
    text = run("audit", "--no-cache").out
    held = next(line for line in text.splitlines() if line.startswith("| `pay.py:12`") and "30 s" in line)
    for said in ("acct:{account.id}", "Charge.create (payment)", "external when late", "correctness (", "+5 a payment without an idempotency key"):
        assert said in held
    used = next(line for line in text.splitlines() if line.startswith("| `pay.py:12`"))
    assert "| http 1 |" in used
    assert used.endswith("| high |")


def test_a_use_carries_its_verdict_with_costs_and_the_answers_that_led_to_it(told) -> None:
    verdict = at(told(), *PAID)["verdict"]
    assert verdict["gap"] == "less than needed"
    assert verdict["recommended"]["name"] == "ZooKeeper or etcd, with a fencing token"
    assert verdict["does"]["latency"] == "about 1 ms"
    (why,) = [a["because"] for a in verdict["answers"] if "safe to repeat" in a["question"]]
    assert [(e["path"], e["line"]) for e in why] == [("pay.py", 17)]


def test_the_tax_of_each_store_is_told(told, run) -> None:
    (redis,) = json.loads(run("inventory", "--no-cache", "--format", "json").out)["tax"]
    assert (redis["backend"], redis["unneeded"]) == ("redis", False)
    assert redis["uses"] == len([u for u in told() if u["backend"] == "redis"])


def test_the_audit_tells_verdicts_and_tax(told, run) -> None:
    page = run("audit", "--no-cache").out
    assert "| less than needed |" in page
    assert "## The coordination tax" in page
