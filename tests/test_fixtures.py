"""Whole small systems: those under fixtures/err get exactly the reports in tests/goldens, those under fixtures/ok get none.

`pytest tests/test_fixtures.py --refresh` writes the goldens anew. A golden that nobody has read proves nothing: look at
the diff, finding by finding, before it is committed.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sarif_pydantic import Sarif

from coordlint.cli import main

HERE = Path(__file__).resolve().parent
FIXTURES, GOLDENS = HERE.parent / "fixtures", HERE / "goldens"
ERR = sorted(p.name for p in (FIXTURES / "err").iterdir() if p.is_dir())
OK = sorted(p.name for p in (FIXTURES / "ok").iterdir() if p.is_dir())
FILES = {"full": "full.txt", "json": "report.json", "sarif": "report.sarif"}
SCHEMA = Path(os.environ.get("SARIF_SCHEMA") or HERE / "data" / "sarif-schema-2.1.0.json")  # see test_report_sarif

# What each system is for: the rule, where it is told, and a place in another file that the evidence has to reach.
HEADLINES = [
    ("shop", "lock-without-fencing", "shop/payments.py", "shop/locks.py"),
    ("shop", "singleton-on-replicas", "compose.yaml", "compose.yaml"),
    ("shop", "coordinator-as-database", "shop/customers.py", "shop/coordination.py"),
    ("shop", "lock-store-evicts", "compose.yaml", "shop/locks.py"),
    ("accounts", "coordinator-as-database", "accounts/audit.py", "accounts/zookeeper.py"),
    ("pages", "coordination-for-caching", "pages/fragments.py", "pages/store.py"),
    ("statements", "lock-without-fencing", "statements/storage.py", "statements/locks.py"),
    ("stock", "local-lock-across-replicas", "stock/views.py", "compose.yaml"),
    ("ensemble", "even-sized-ensemble", "k8s/zookeeper.yaml", "k8s/zookeeper.yaml"),
    ("ensemble", "ensemble-without-storage", "k8s/zookeeper.yaml", "k8s/zookeeper.yaml"),
    ("ensemble", "coordinator-exposed", "k8s/zookeeper.yaml", "indexer/membership.py"),
]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `coordlint check` on a copy of a fixture; the exit code and what was printed."""
    for name in ("PRE_COMMIT", "GITHUB_STEP_SUMMARY", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def run(kind: str, name: str, format_: str, *arguments: str, command: str = "check") -> tuple[int, str]:
        place = tmp_path / name
        if not place.exists():
            shutil.copytree(FIXTURES / kind / name, place, ignore=shutil.ignore_patterns("__pycache__", ".coordlint_cache"))
        monkeypatch.chdir(place)
        with pytest.raises(SystemExit) as ended:
            main([command, "--no-cache", "--format", format_, *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    return run


@pytest.mark.parametrize("format_", FILES)
@pytest.mark.parametrize("name", ERR)
def test_a_system_with_mistakes_gets_the_report_that_was_read_and_accepted(report, request, name, format_) -> None:
    code, told = report("err", name, format_)
    golden = GOLDENS / name / FILES[format_]
    told = without_rule_texts(told) if format_ == "sarif" else told
    if request.config.getoption("--refresh"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(told, encoding="utf-8")
    assert code == 1
    assert told == golden.read_text(encoding="utf-8"), "read the difference; accept it with --refresh"


@pytest.mark.parametrize(("format_", "level"), [("mermaid", "workloads"), ("mermaid", "sections"), ("mermaid", "effects"), ("dot", "effects"), ("json", "effects")])
def test_the_picture_of_a_system_at_each_level_is_the_one_that_was_accepted(report, request, format_, level) -> None:
    code, drawn = report("err", "shop", format_, "--level", level, command="graph")
    golden = GOLDENS / "shop" / f"graph-{level}.{format_}"
    if request.config.getoption("--refresh"):
        golden.write_text(drawn, encoding="utf-8")
    assert code == 0
    assert drawn == golden.read_text(encoding="utf-8"), "look at the picture; accept it with --refresh"


@pytest.mark.parametrize("name", OK)
def test_a_system_that_was_mended_gets_no_finding_even_in_an_audit(report, name) -> None:
    code, told = report("ok", name, "json", "--profile", "audit", "--min-confidence", "low")
    assert [f"{f['code']} {f['path']}:{f['line']} {f['message']}" for f in json.loads(told)["findings"]] == []
    assert code == 0
    assert json.loads(told)["coverage"]["skipped"] == []


@pytest.mark.parametrize(("name", "rule", "path", "evidence"), HEADLINES)
def test_the_evidence_of_a_headline_reaches_into_the_other_file(report, name, rule, path, evidence) -> None:
    _, told = report("err", name, "json")
    found = [f for f in json.loads(told)["findings"] if (f["name"], f["path"]) == (rule, path)]
    assert found, f"{rule} is not told in {path}"
    assert any(evidence in {b["path"] for b in f["because"]} for f in found)


@pytest.mark.parametrize("name", ERR)
def test_every_system_with_mistakes_has_a_twin_without(name) -> None:
    assert name in OK


def test_goldens_belong_to_fixtures_and_name_no_place_of_any_machine() -> None:
    assert sorted(p.name for p in GOLDENS.iterdir()) == ERR
    for golden in GOLDENS.rglob("*.*"):
        text = golden.read_text(encoding="utf-8")
        assert str(FIXTURES) not in text and "/tmp/" not in text and str(Path.home()) + "/" not in text


@pytest.mark.parametrize("name", ERR)
def test_a_reader_of_sarif_that_is_not_ours_understands_the_whole_reports(report, name) -> None:
    log = Sarif.model_validate_json(report("err", name, "sarif")[1])
    read = {(r.rule_id, r.locations[0].physical_location.artifact_location.uri) for r in log.runs[0].results}
    told = json.loads(report("err", name, "json")[1])["findings"]
    assert read == {(f["code"], f["path"]) for f in told}


@pytest.mark.skipif(not SCHEMA.is_file(), reason=f"no SARIF schema at {SCHEMA.name}: set SARIF_SCHEMA")
@pytest.mark.parametrize("name", ERR)
def test_the_oasis_schema_accepts_the_goldens_and_the_whole_reports(report, name) -> None:
    validator = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    validator.validate(json.loads((GOLDENS / name / FILES["sarif"]).read_text(encoding="utf-8")))
    validator.validate(json.loads(report("err", name, "sarif")[1]))


def without_rule_texts(told: str) -> str:
    """SARIF with the rules that were broken, by code and name only: their texts are tested where they stand."""
    log: dict[str, Any] = json.loads(told)
    for run in log["runs"]:
        broken = {result["ruleId"] for result in run["results"]}
        rules = run["tool"]["driver"]["rules"]
        run["tool"]["driver"]["rules"] = [{"id": r["id"], "name": r["name"]} for r in rules if r["id"] in broken]
        for result in run["results"]:
            assert rules[result.pop("ruleIndex")]["id"] == result["ruleId"]
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"
