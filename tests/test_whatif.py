"""`coordlint whatif --down NAME`: who cannot start, who fails, who degrades and what saves them."""

from __future__ import annotations

import json

import pytest

COMPOSE = """\
services:
  web:
    build: .
    command: gunicorn web:app
    environment: {REDIS_URL: "redis://cache:6379/0"}
  worker:
    build: .
    command: celery -A jobs worker
    environment: {REDIS_URL: "redis://cache:6379/0"}
    depends_on:
      zoo: {condition: service_healthy}
  mail:
    image: mailer:1
    environment: {WEB: "http://web:8000"}
  cache:
    image: redis:7
  zoo:
    image: zookeeper:3.9
"""
WEB = """\
import redis
from flask import Flask

app = Flask(__name__)
store = redis.Redis.from_url("redis://cache:6379/0")


@app.get("/name")
def name():
    return store.get("name")


@app.get("/colour")
def colour():
    try:
        return store.get("colour")
    except redis.RedisError:
        return "grey"
"""
JOBS = """\
import redis
from celery import Celery

app = Celery("jobs")
store = redis.Redis.from_url("redis://cache:6379/0")


@app.task
def count():
    with store.lock("count", timeout=5):
        pass
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    for name, text in {"compose.yaml": COMPOSE, "web.py": WEB, "jobs.py": JOBS, "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY . .\n"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def down(project, run):
    def ask(name: str) -> dict[str, dict]:
        told = json.loads(run("whatif", "--down", name, "--no-cache", "--format", "json").out)
        return {w["name"]: w for w in told["workloads"]}

    return ask


def hits(told: dict, fate: str) -> list[tuple[str, str]]:
    return [(h["message"], f"{h['because'][0]['path']}:{h['because'][0]['line']}") for h in told["hits"] if h["fate"] == fate]


def test_a_call_that_no_handler_guards_fails_the_request(down) -> None:
    web = down("cache")["web"]
    assert web["fate"] == "fails"
    assert hits(web, "fails") == [("fails the request", "web.py:10")]


def test_a_handler_that_sees_the_outage_is_named_as_what_saves_the_caller(down) -> None:
    (hit,) = [h for h in down("cache")["web"]["hits"] if h["fate"] == "degrades"]
    assert [(b["line"], b["path"]) for b in hit["because"]] == [(16, "web.py"), (17, "web.py")]


def test_a_lock_that_cannot_be_taken_fails_the_task(down) -> None:
    worker = down("cache")["worker"]
    assert hits(worker, "fails") == [("fails each task of count()", "jobs.py:10")]


def test_a_web_server_is_not_hit_by_what_only_tasks_do(project, down) -> None:
    (project / "web.py").write_text(WEB + "\nimport jobs\n")
    assert all(place != "jobs.py:10" for _, place in hits(down("cache")["web"], "fails"))


def test_a_workload_that_waits_for_health_cannot_start(down) -> None:
    worker = down("zoo")["worker"]
    assert worker["fate"] == "cannot start"
    assert hits(worker, "cannot start") == [("is not started before zoo is healthy", "compose.yaml:11")]


def test_who_talks_to_what_is_hit_is_hit_through_it_and_no_further(down) -> None:
    mail = down("cache")["mail"]
    assert mail["fate"] == "hit through others"
    assert mail["hits"][0]["message"] == "talks to web, which fails"


def test_who_has_nothing_to_do_with_it_is_untouched(down) -> None:
    assert down("zoo")["web"]["fate"] == "untouched"


def test_a_kind_of_store_stands_for_all_servers_of_it(down) -> None:
    assert down("redis")["web"]["fate"] == "fails"


def test_a_service_of_ones_own_is_missed_by_those_who_call_it(down) -> None:
    mail = down("web")["mail"]
    assert mail["fate"] == "fails"
    assert mail["hits"][0]["confidence"] == "low"


def test_a_store_that_no_manifest_runs_hits_the_code_that_asks_it(project, down) -> None:
    (project / "compose.yaml").unlink()
    told = down("redis")
    assert set(told) == {None}
    assert told[None]["fate"] == "fails"


def test_an_unknown_name_is_a_usage_error_that_lists_the_known_ones(project, run) -> None:
    ran = run("whatif", "--down", "kafka", "--no-cache")
    assert ran.code == 2
    assert "cache, mail" in ran.err


def test_people_read_it_from_the_worst_to_the_untouched(project, run) -> None:
    out = run("whatif", "--down", "zoo", "--no-cache").out
    assert out.index("cannot start (1)") < out.index("untouched (3)")


def test_the_picture_shows_only_who_is_hit(project, run) -> None:
    out = run("whatif", "--down", "zoo", "--no-cache", "--format", "mermaid").out
    assert "worker" in out
    assert "mail" not in out
