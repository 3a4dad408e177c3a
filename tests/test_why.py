"""`coordlint why FILE:LINE`: what the engine believes about a line, and which rules looked and what stopped them."""

from __future__ import annotations

import json

import pytest

LOCKS = """\
import redis

client = redis.Redis(host="redis", socket_timeout=2)


def guard(name, seconds=30):
    return client.lock(f"acct:{name}", timeout=seconds)
"""
PAY = """\
import requests
from flask import Flask

from locks import guard

app = Flask(__name__)


@app.post("/pay")
def pay(account):
    with guard(account.id):
        requests.post("https://bank.example/charge", json={"account": account.id})
    return report(account)


def report(account):
    return account.id
"""
COMPOSE = "services:\n  redis:\n    image: redis:7\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    for name, text in {"locks.py": LOCKS, "pay.py": PAY, "compose.yaml": COMPOSE}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def why(project, run):
    return lambda place: json.loads(run("why", place, "--no-cache", "--format", "json").out)


def test_names_are_told_with_what_they_can_be(project, why) -> None:
    names = {n["text"]: n["can_be"] for n in why("pay.py:11")["names"]}
    assert names["guard"] == ["function locks.guard"]
    assert names["guard()"] == ["redis.lock.Lock, made at locks.py:7 through guard"]


def test_a_section_is_told_at_its_acquire_with_its_lock_effects_and_points(project, why) -> None:
    (section,) = why("pay.py:11")["sections"]
    assert section["lock"] == 'the Redis lock "acct:{account.id}"'
    assert section["lifetime"] == "30 s"
    assert section["via"] == ["guard"]
    assert [(e["place"], e["condition"]) for e in section["effects"]] == [("pay.py:12", None)]
    assert section["purpose"]["score"] == sum(p["points"] for p in section["purpose"]["points"])


def test_an_effect_is_told_with_the_section_that_it_runs_in(project, why) -> None:
    assert [s["acquired"] for s in why("pay.py:12")["sections"]] == ["pay.py:11"]


def test_a_function_is_told_with_entries_callers_and_what_is_passed(project, why) -> None:
    function = why("pay.py:17")["function"]
    assert function["symbol"] == "pay.report"
    assert [c["place"] for c in function["callers"]] == ["pay.py:13"]
    assert [(e["kind"], e["symbol"]) for e in function["entered_by"]] == [("http", "pay.pay")]


def test_parameters_are_told_with_what_callers_pass(project, why) -> None:
    (project / "night.py").write_text("from locks import guard\n\nwith guard('night', seconds=5):\n    pass\n")
    assert why("locks.py:7")["function"]["passed"] == {"name": ["'night'"], "seconds": ["5"]}


def test_a_rule_that_found_something_says_what(project, why) -> None:
    found = {v["code"]: v["found"] for v in why("pay.py:12")["rules"]}
    assert any("without a fencing token" in message for message in found["CL101"])


def test_a_rule_that_let_the_line_go_shows_its_own_condition(project, why) -> None:
    stopped = {v["code"]: v["stopped_by"] for v in why("pay.py:11")["rules"] if not v["found"]}
    assert stopped["CL103"][0]["file"] == "lock_without_expiry.py"
    assert "lifetime.kind" in stopped["CL103"][0]["condition"]


def test_rules_that_were_never_handed_the_line_are_not_listed(project, why) -> None:
    assert why("pay.py:17")["rules"] == []


def test_a_line_of_a_manifest_is_told_with_its_workload_and_its_rules(project, why) -> None:
    told = why("compose.yaml:2")
    assert [w["name"] for w in told["workloads"]] == ["redis"]
    assert told["rules"]


def test_a_file_without_any_coordination_is_read_when_it_is_asked_about(project, run, why) -> None:
    (project / "plain.py").write_text("def add(a, b):\n    return a + b\n")
    assert why("plain.py:2")["function"]["symbol"] == "plain.add"


def test_people_read_the_same_in_words(project, run) -> None:
    out = run("why", "pay.py:11", "--no-cache").out
    for line in ("guard(): redis.lock.Lock, made at locks.py:7", "lifetime 30 s", "CL103 lock-without-expiry: looked, and found nothing", "stopped by lock_without_expiry.py"):
        assert line in out


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("pay.py", "say FILE:LINE"),
        ("pay.py:x", "say FILE:LINE"),
        ("pay.py:999", "no such line"),
        ("gone.py:1", "no such file"),
        ("notes.txt:1", "not analysed"),
    ],
)
def test_a_place_that_is_none_is_a_usage_error(project, run, place, told) -> None:
    (project / "notes.txt").write_text("x\n")
    ran = run("why", place, "--no-cache")
    assert ran.code == 2
    assert told in ran.err


def test_the_suppression_that_covers_the_line_is_told(project, why) -> None:
    (project / "pay.py").write_text(PAY.replace("guard(account.id):", "guard(account.id):  # coordlint: ignore[CL111] short"))
    assert [(s["codes"], s["reason"]) for s in why("pay.py:11")["suppressions"]] == [(["CL111"], "short")]


def test_asking_leaves_no_tracer_behind(project, why) -> None:
    import sys

    before = sys.gettrace()
    why("pay.py:11")
    assert sys.gettrace() is before
