"""What newcomers and CI read is true: README's parts, commands, options and links, the made pages, `.ci/run`."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from coordlint.cli import cli
from coordlint.config import Config

HERE = Path(__file__).resolve().parent.parent
README = (HERE / "README.md").read_text("utf-8")
SETUP_AND_AUDIT = "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/coordlint audit fixtures/err/shop"
SETUP_AND_TEST = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest"
PAGES = sorted([HERE / "README.md", HERE / "CONTRIBUTING.md", HERE / "CHANGELOG.md", *(HERE / "docs").glob("*.md")])


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """docs/build.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_build", HERE / "docs" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_made_from_rules_and_models_are_up_to_date() -> None:
    command = [sys.executable, str(HERE / "docs" / "build.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_that_is_stale_missing_or_left_over_is_told(build, monkeypatch, tmp_path, capsys) -> None:
    for name in ("ROOT", "README", "RULE_PAGES"):
        real = getattr(build, name)
        monkeypatch.setattr(build, name, tmp_path / real.relative_to(HERE))
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0
    (tmp_path / "docs/rules/lock-without-fencing.md").write_text("changed")
    (tmp_path / "docs/rules/lock-without-expiry.md").unlink()
    (tmp_path / "docs/rules/long-gone.md").write_text("left over")
    (tmp_path / "README.md").write_text(README.replace("error[CL101]", "error[CL999]"), encoding="utf-8")
    assert build.main(["--check"]) == 1
    told = capsys.readouterr().err
    for name in ("README.md", "docs/rules/lock-without-fencing.md", "docs/rules/lock-without-expiry.md", "docs/rules/long-gone.md"):
        assert f"{name} is stale" in told


def test_the_finding_that_readme_shows_is_one_that_the_tool_prints() -> None:
    """tests/test_fixtures.py compares the golden with what is printed; here README with the golden."""
    shown = README.partition("```text\n")[2].partition("\n```")[0]
    printed = (HERE / "tests/goldens/shop/full.txt").read_text("utf-8").split("\n\n")
    assert shown in printed
    assert shown.startswith("error[CL101] lock-without-fencing: ")


@pytest.mark.parametrize("command", [SETUP_AND_AUDIT, SETUP_AND_TEST])
def test_readme_gives_each_command_once_and_alone(command: str) -> None:
    assert f"```sh\n{command}\n```" in README
    assert README.count(command) == 1


def test_ci_runs_the_very_command_that_readme_gives() -> None:
    script = (HERE / ".ci/run").read_text("utf-8")
    assert f'tests="{SETUP_AND_TEST}"\n' in script
    assert 'bash -c "$tests"' in script
    assert script.startswith("#!/usr/bin/env bash\n") and "\nset -euo pipefail\n" in script
    assert script.rstrip().endswith('tail -n 1 "$work/pytest.txt"')
    assert "bash .ci/run" in (HERE / ".github/workflows/ci.yml").read_text("utf-8")


def test_options_and_commands_that_readme_names_exist() -> None:
    known = {o for command in commands(cli) for p in command.params for o in (*p.opts, *p.secondary_opts)}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named - known - {"--help"} == set()
    for words in re.findall(r"coordlint ((?:check|audit|inventory|why|whatif|graph|explain|rules|suppressions|clean|baseline \w+)\b)", README):
        command: click.Command | None = cli
        for word in words.split():
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command is not None, words


def commands(group: click.Command) -> list[click.Command]:
    if not isinstance(group, click.Group):
        return [group]
    context = click.Context(group)
    below = [group.get_command(context, name) for name in group.list_commands(context)]
    return [group, *(c for command in below if command is not None for c in commands(command))]


def test_readme_lists_every_key_of_the_configuration() -> None:
    table = README.partition("[tool.coordlint]\n")[2].partition("```")[0]
    keys = re.findall(r"^([a-z-]+) =", table, re.MULTILINE)
    fields = {name.replace("_", "-") for name in Config.__struct_fields__} - {"path"}
    assert set(keys) == fields
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    broken = [t for t in targets if not t.startswith(("http://", "https://")) and not (page.parent / t).exists()]
    assert broken == []


def test_files_that_the_architecture_names_exist() -> None:
    text = (HERE / "docs/architecture.md").read_text("utf-8")
    named = re.findall(r"`((?:coordlint|rules|tests|fixtures|docs|link|models|extract|report)/[\w./*]*)`", text)
    missing = [n for n in named if not list(HERE.glob(n)) and not list((HERE / "coordlint").glob(n))]
    assert named and missing == []


def test_the_example_rule_of_the_contributors_page_is_a_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from coordlint.examples import read_examples, run_example
    from coordlint.rulebook import load_rules

    text = (HERE / "CONTRIBUTING.md").read_text("utf-8")
    rule_text, examples = (block.strip() for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:2])
    (tmp_path / "endless_lock_in_request.py").write_text(f"{rule_text}\n\n\n{examples}\n", encoding="utf-8")
    (rule,) = [r for r in load_rules([tmp_path]) if r.code == "CL199"]
    bad = next(e for e in read_examples(rule) if e.kind == "bad")
    found = {(f.place.path, f.place.line, f.name) for f in run_example(bad, rule)}
    assert found == bad.marks and found
