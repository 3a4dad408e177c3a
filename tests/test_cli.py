"""The command line from end to end: exit codes, formats, options, bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Ran

LOCKED = """\
import redis
import boto3

r = redis.Redis(host="redis")
s3 = boto3.client("s3")


def charge(account, amount):
    with r.lock(f"acct:{account}"):
        s3.put_object(Bucket="ledger", Key=account, Body=str(amount))
"""
COMPOSE = "services:\n  worker:\n    build: .\n    command: python -m tasks\n  redis:\n    image: redis:7\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a lock that never expires around a write that does harm when late."""
    for name in ("PRE_COMMIT", "GITHUB_STEP_SUMMARY", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "shop"
    (root / ".git").mkdir(parents=True)
    (root / "tasks.py").write_text(LOCKED)
    (root / "compose.yaml").write_text(COMPOSE)
    monkeypatch.chdir(root)
    return root


def check(run, *arguments: str) -> Ran:
    return run("check", "--no-cache", *arguments)


# -- exit codes -----------------------------------------------------------------------------------------------------


def test_findings_exit_with_one_in_every_format(project, run) -> None:
    for format in ("full", "concise", "json", "sarif", "github", "markdown"):
        assert check(run, "--format", format).code == 1


def test_a_clean_project_exits_with_zero_and_tells_what_it_looked_at(project, run) -> None:
    (project / "tasks.py").write_text("x = 1\n")
    ran = check(run)
    assert ran.code == 0
    assert ran.out.endswith("2 files seen, 2 analysed, 0 skipped\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--exit-zero"], 0),
        (["--fail-on", "never"], 0),
        (["--select", "CL201"], 0),
        (["--select", "CL201", "--fail-on", "info"], 1),
        (["--select", "CL103", "--fail-on", "error"], 0),
        (["--ignore", "CL"], 0),
    ],
)
def test_what_fails_can_be_chosen(project, run, arguments: list[str], code: int) -> None:
    assert check(run, *arguments).code == code


def test_a_missing_path_is_a_usage_error(project, run) -> None:
    ran = check(run, "nowhere", "here.py")
    assert (ran.code, ran.out) == (2, "")
    assert (
        ran.err
        == "coordlint: error: no such file or folder: nowhere\ncoordlint: error: no such file or folder: here.py\n"
    )


def test_an_unknown_rule_is_a_usage_error_with_the_nearest_name(project, run) -> None:
    ran = check(run, "--select", "CL110,lock-without-fence", "--ignore", "CL9999")
    assert ran.code == 2
    assert "unknown rule 'lock-without-fence'; did you mean 'lock-without-fencing'?" in ran.err
    assert "unknown rule 'CL9999'" in ran.err


def test_a_broken_configuration_is_a_usage_error_with_every_line(project, run) -> None:
    (project / "pyproject.toml").write_text("[tool.coordlint]\nselct = []\nfail-on = 3\n")
    ran = check(run)
    assert (ran.code, ran.out) == (2, "")
    assert "pyproject.toml:2: unknown key 'selct'; did you mean 'select'?" in ran.err
    assert "pyproject.toml:3: fail-on must be one of info, warning, error, never, not 3" in ran.err
    assert check(run, "--isolated").code == 1


def test_an_unknown_option_and_an_unknown_command_are_usage_errors(project, run) -> None:
    assert "Did you mean" in run("check", "--fromat", "json").err
    ran = run("chekc")
    assert ran.code == 2 and "Did you mean 'check'?" in ran.err


def test_an_empty_folder_is_nothing_to_analyse(tmp_path, run) -> None:
    (tmp_path / "README.md").write_text("hello")
    ran = check(run, str(tmp_path))
    assert (ran.code, ran.out) == (3, "")
    assert "nothing to analyse" in ran.err


def test_a_part_without_sources_is_nothing_to_analyse(project, run) -> None:
    (project / "docs").mkdir()
    (project / "docs" / "a.md").write_text("hello")
    assert check(run, "docs").code == 3


BROKEN = {
    "syntax.py": "def f(:\n",
    "encoding.py": b"x = '\xff'\n",
    "null.py": b"x = 1\x00\n",
    "deep.py": "x = " + "(" * 5000 + ")" * 5000 + "\n",
    "compose.broken.yaml": "services:\n  a: [\n",
    "k8s.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {{ name }}\n  bad: [\n",
    "flow.yaml": "apiVersion: v1\nkind: Pod\na: " + "[" * 30_000 + "\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_analysed_is_told_and_costs_nothing_else(project, run, name: str) -> None:
    content = BROKEN[name]
    (project / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    ran = check(run, "--format", "json")
    assert ran.code == 1
    assert "CL101" in ran.codes
    assert {skip["path"] for skip in ran.json["coverage"]["skipped"]} == {name}
    assert {f["path"] for f in ran.json["findings"] if f["code"] == "CL001"} == {name}
    assert ran.json["coverage"]["seen"] == 3 and ran.json["coverage"]["analysed"] == 2
    assert check(run, "--strict").code == 4
    assert check(run, "--strict", "--exit-zero").code == 4


def test_a_rule_that_breaks_is_told_and_the_others_still_speak(project, run, tmp_path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "broken_rule.py").write_text(
        '"""Breaks."""\nfrom coordlint import WARNING, rule\n\n\n'
        '@rule("XX001", severity=WARNING)\ndef broken_rule(system):\n    yield from {}["missing"]\n'
    )
    ran = check(run, "--format", "json", "--rules", str(folder))
    assert ran.code == 4
    assert "CL101" in ran.codes
    assert ran.json["failures"] == [
        {"what": "rule XX001 broken-rule", "message": "KeyError: 'missing' (broken_rule.py:7)"}
    ]


@pytest.mark.parametrize("text", ["def (", "raise ValueError('odd')", "x = 1"])
def test_a_file_that_is_no_rule_is_a_usage_error(project, run, tmp_path, text: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    ran = check(run, "--rules", str(tmp_path))
    assert ran.code == 2 and "mine.py" in ran.err
    assert check(run, "--rules", str(tmp_path / "nowhere")).code == 2


def test_rule_folders_of_a_scanned_repository_are_not_loaded(project, run) -> None:
    (project / "pyproject.toml").write_text('[tool.coordlint]\nrules = ["lint"]\n')
    ran = check(run)
    assert ran.code == 2 and "rule folders are code" in ran.err


# -- what is reported -----------------------------------------------------------------------------------------------


def test_paths_filter_the_report_and_not_the_analysis(project, run) -> None:
    (project / "locks.py").write_text(
        "import redis\n\nr = redis.Redis()\n\n\ndef held(k):\n    return r.lock(k)\n"
    )
    (project / "work").mkdir()
    (project / "work" / "job.py").write_text(
        LOCKED.replace('r.lock(f"acct:{account}")', "held(account)") + "\n"
    )
    (project / "work" / "job.py").write_text(
        "from locks import held\n" + (project / "work" / "job.py").read_text()
    )
    ran = check(run, "work", "--format", "json")
    assert {f["path"] for f in ran.json["findings"]} == {"work/job.py"}
    assert "locks.py" in {b["path"] for f in ran.json["findings"] for b in f["because"]}
    assert ran.json["coverage"]["seen"] == 4


def test_a_comment_silences_and_an_unused_one_is_told(project, run) -> None:
    text = LOCKED.replace(
        '{account}"):', '{account}"):  # coordlint: ignore[CL1,CL101,CL104] the ledger is a toy'
    )
    (project / "tasks.py").write_text(text.replace("CL1,", ""))
    ran = check(run, "--format", "json")
    assert "CL101" not in ran.codes
    assert [s["suppressed_by"]["reason"] for s in ran.json["suppressed"] if s["code"] == "CL101"] == [
        "the ledger is a toy"
    ]
    assert [f["message"] for f in ran.json["findings"] if f["code"] == "CL002"] == [
        "This suppression of CL104 (unsafe-release) silences nothing."
    ]


def test_configuration_selects_ignores_and_changes_severities(project, run) -> None:
    (project / "pyproject.toml").write_text(
        "[tool.coordlint]\nselect = ['CL101', 'CL103']\nseverity = { CL101 = 'info' }\n"
        "per-file-ignores = { 'tas*.py' = ['CL103'] }\n"
    )
    ran = check(run, "--format", "json")
    assert {(f["code"], f["severity"]) for f in ran.json["findings"]} == {("CL101", "info")}
    assert ran.code == 0


def test_severity_and_confidence_thresholds_count_what_they_hide(project, run) -> None:
    everything = check(run, "--format", "json", "--profile", "audit").json
    errors = check(run, "--format", "json", "--profile", "audit", "--severity", "error").json
    assert {f["severity"] for f in errors["findings"]} == {"error"}
    assert errors["summary"]["below_threshold"] == len(everything["findings"]) - len(errors["findings"]) > 0


def test_fingerprints_survive_moved_lines(project, run) -> None:
    before = {f["fingerprint"] for f in check(run, "--format", "json").json["findings"]}
    (project / "tasks.py").write_text("# a comment\n\n" + LOCKED)
    assert {f["fingerprint"] for f in check(run, "--format", "json").json["findings"]} == before


def test_outputs_are_written_beside_the_report(project, run, tmp_path) -> None:
    ran = check(
        run,
        "--output",
        f"sarif={tmp_path}/a.sarif",
        "--output",
        f"json={tmp_path}/a.json",
        "--format",
        "concise",
    )
    assert ran.code == 1
    sarif = json.loads((tmp_path / "a.sarif").read_text())
    told = json.loads((tmp_path / "a.json").read_text())
    marks = [r["partialFingerprints"]["coordlint/v1"] for r in sarif["runs"][0]["results"]]
    assert marks == [f["fingerprint"] for f in told["findings"]]


@pytest.mark.parametrize("wrong", ["sarif", "pdf=a", "sarif=nowhere/a.sarif", "json="])
def test_a_wrong_output_is_a_usage_error(project, run, wrong: str) -> None:
    assert check(run, "--output", wrong).code == 2


def test_pre_commit_gets_concise_lines_and_github_a_step_summary(project, run, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PRE_COMMIT", "1")
    assert check(run, "--select", "CL1").out.startswith("tasks.py:")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert check(run, "--format", "github", "--select", "CL1").out.startswith("::error file=tasks.py")
    assert (tmp_path / "summary").read_text().startswith("# coordlint")


def test_machine_formats_keep_stdout_to_themselves(project, run) -> None:
    ran = check(run, "--format", "json")
    assert ran.json["version"] == 1
    assert "3 files seen" not in ran.out and "2 files seen, 2 analysed" in ran.err


def test_colour_follows_the_environment(project, run, monkeypatch) -> None:
    assert "\x1b[" not in check(run).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in check(run).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in check(run).out


def test_the_cache_does_not_change_the_result(project, run) -> None:
    first, second = run("check", "--format", "json"), run("check", "--format", "json")
    assert (project / ".coordlint_cache" / "CACHEDIR.TAG").is_file()
    for damaged in (project / ".coordlint_cache").glob("??/*"):
        damaged.write_bytes(b"\xc1 damaged")
    third = run("check", "--format", "json")
    assert first.out == second.out == third.out == check(run, "--format", "json").out
    assert run("clean").code == 0
    assert not (project / ".coordlint_cache").exists()


# -- baseline -------------------------------------------------------------------------------------------------------


def test_a_baseline_is_created_used_goes_stale_and_is_pruned(project, run) -> None:
    assert run("baseline", "create").code == 0
    ran = check(run, "--format", "json")
    assert (ran.code, ran.json["findings"]) == (0, [])
    assert {s["suppressed_by"]["how"] for s in ran.json["suppressed"]} == {"baseline"}
    (project / "tasks.py").write_text("import redis\n")
    stale = check(run)
    assert stale.code == 1 and "stale baseline entry" in stale.out
    assert check(run, "--allow-stale").code == 0
    assert run("baseline", "prune").code == 0
    assert check(run).code == 0


def test_a_new_finding_beside_a_baseline_fails(project, run) -> None:
    run("baseline", "create")
    (project / "more.py").write_text(LOCKED)
    ran = check(run, "--format", "json", "--select", "CL1")
    assert ran.code == 1
    assert {f["path"] for f in ran.json["findings"]} == {"more.py"}


def test_rules_that_did_not_run_leave_their_entries_alone(project, run) -> None:
    run("baseline", "create")
    assert check(run, "--select", "CL701").code == 0


def test_create_does_not_overwrite_and_a_broken_baseline_is_told(project, run) -> None:
    run("baseline", "create")
    assert run("baseline", "create").code == 2
    (project / ".coordlint-baseline.json").write_text("{")
    ran = check(run)
    assert ran.code == 2 and "is no baseline" in ran.err
    assert check(run, "--baseline", "").code == 1


def test_a_baseline_is_never_written_through_a_link(project, run, tmp_path) -> None:
    (project / ".coordlint-baseline.json").symlink_to(tmp_path / "victim")
    ran = run("baseline", "create")
    assert ran.code == 2 and "symbolic link" in ran.err
    assert not (tmp_path / "victim").exists()


def test_the_public_door_gives_a_report(project) -> None:
    import coordlint

    report = coordlint.check(["tasks.py"], no_cache=True, select=("CL101",))
    assert [r.finding.name for r in report.findings] == ["lock-without-fencing"]


# -- changes --------------------------------------------------------------------------------------------------------


def git(root: Path, *arguments: str) -> None:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def repository(project: Path) -> Path:
    (project / ".git").rmdir()
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "one")
    return project


def test_only_findings_that_touch_changed_lines_are_reported(repository, run) -> None:
    assert check(run, "--changed").code == 0
    (repository / "more.py").write_text(
        "import os\n" + LOCKED.replace("acct", "other").replace("ledger", "other")
    )
    assert {
        f["path"] for f in check(run, "--changed", "--format", "json", "--select", "CL1").json["findings"]
    } == {"more.py"}
    git(repository, "add", ".")
    assert check(run, "--changed").code == 1
    git(repository, "commit", "-q", "-m", "two")
    assert check(run, "--changed").code == 0
    assert check(run, "--diff-base", "HEAD~1").code == 1
    assert check(run).code == 1


def test_a_changed_line_anywhere_in_the_evidence_counts(repository, run) -> None:
    text = LOCKED.replace('r.lock(f"acct:{account}")', 'r.lock(f"account:{account}")')
    (repository / "tasks.py").write_text(text)
    ran = check(run, "--changed", "--format", "json", "--select", "CL101")
    assert [f["line"] for f in ran.json["findings"]] == [10]


def test_a_repository_without_commits_is_all_changed(project, run) -> None:
    (project / ".git").rmdir()
    git(project, "init", "-q")
    assert check(run, "--changed").code == 1


def test_changes_without_git_or_with_an_unknown_base_are_usage_errors(
    project, repository, run, tmp_path
) -> None:
    assert check(run, "--diff-base", "nowhere").code == 2
    assert check(run, "--diff-base", "--output=/tmp/x").code == 2
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.py").write_text("x = 1\n")
    assert check(run, "--changed", str(tmp_path / "plain")).code == 2


# -- the other commands ---------------------------------------------------------------------------------------------


def test_inventory_lists_uses_workloads_coordinators_and_edges(project, run) -> None:
    told = json.loads(run("inventory", "--no-cache", "--format", "json").out)
    use = next(u for u in told["uses"] if u["role"] == "lock")
    assert {
        "path",
        "line",
        "role",
        "backend",
        "library",
        "symbol",
        "resource",
        "options",
        "via",
        "workloads",
        "verdict",
    } <= set(use)
    assert (use["path"], use["line"], use["backend"], use["workloads"]) == (
        "tasks.py",
        9,
        "redis",
        ["worker"],
    )
    worker = next(w for w in told["workloads"] if w["name"] == "worker")
    assert {"name", "kind", "path", "line", "role", "replicas", "processes", "runs"} <= set(worker)
    assert [r["path"] for r in worker["runs"]] == ["tasks.py"]
    assert {"workload": "redis", "backend": "redis", "path": "compose.yaml"}.items() <= told["coordinators"][
        0
    ].items()
    assert "lock on redis" in run("inventory", "--no-cache").out


def test_the_audit_is_one_markdown_page(project, run, tmp_path) -> None:
    text = run("audit", "--no-cache").out
    for part in (
        "# How shop coordinates",
        "## Uses of coordination",
        "## Workloads",
        "```mermaid",
        "## Findings",
        "## Coverage",
    ):
        assert part in text
    assert run("audit", "--no-cache", "-o", str(tmp_path / "a.md")).out == ""
    assert (tmp_path / "a.md").read_text() == text


def test_the_graph_can_be_mermaid_dot_and_json(project, run) -> None:
    assert run("graph", "--no-cache").out.startswith("flowchart LR\n")
    assert run("graph", "--no-cache", "--format", "dot").out.startswith("digraph coordlint {\n")
    told = json.loads(run("graph", "--no-cache", "--format", "json").out)
    assert {n["kind"] for n in told["nodes"]} == {"workload", "coordinator", "section", "effect"}


def test_rules_are_listed_and_explained(project, run) -> None:
    told = json.loads(run("rules", "--format", "json").out)
    assert {"code", "name", "severity", "summary", "has_fix"} == set(told[0])
    assert tuple(told[0][k] for k in ("code", "name", "severity")) == ("CL001", "unreadable-source", "info")
    for word in ("CL101", "lock-without-fencing", "cl101"):
        assert run("explain", word).out.startswith("CL101 lock-without-fencing (error)\n")
    assert "Do several processes have to agree" in run("explain", "decision").out
    ran = run("explain", "lock-without-fence")
    assert ran.code == 2 and "did you mean 'lock-without-fencing'?" in ran.err
    assert run("explain", "CL1").code == 2


def test_suppressions_are_listed_with_their_reasons(project, run) -> None:
    (project / "a.py").write_text("x = 1  # coordlint: ignore[CL101] why\ny = 2  # coordlint: ignore\n")
    ran = run("suppressions", "--no-cache")
    assert ran.out == "a.py:1: CL101: why\na.py:2: -: names no rule: write ignore[CODE] reason\n"


# -- as a process ---------------------------------------------------------------------------------------------------


def process(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "coordlint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload]


def test_a_reader_that_goes_away_is_no_error(project) -> None:
    pipe = f"{sys.executable} -m coordlint check --no-cache | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_closed_streams_are_no_error(project) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m coordlint check --no-cache <&- >&- 2>&-"], check=False
    )
    assert done.returncode == 1


def test_an_interrupt_ends_with_130_and_no_traceback(project) -> None:
    code = (
        "import coordlint.pipeline as p\nfrom coordlint.cli import main\n"
        "def stop(*given): raise KeyboardInterrupt\np.judged = p.judged_on_grounds = stop\nmain(['check'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "coordlint: interrupted")


def test_the_number_of_jobs_does_not_change_a_byte(project) -> None:
    for number in range(30):
        (project / f"m{number}.py").write_text(LOCKED + "# filler\n" * 9000)
    environment = {**os.environ, "PYTHONHASHSEED": "random"}
    one, two = (
        process("check", "--no-cache", "--format", "json", "--jobs", jobs, env=environment).stdout
        for jobs in ("1", "3")
    )
    assert one == two and one
