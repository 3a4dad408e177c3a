"""Configuration: strict, and every error at once with its line."""

from pathlib import Path

import pytest

from coordlint.config import BadConfig, Config, load_config
from coordlint.finding import Confidence, Severity

NAMES = {"CL101": "lock-without-fencing", "CL104": "unsafe-release", "CL701": "single-member-ensemble"}


def load(root: Path, text: str, name: str = "pyproject.toml") -> Config:
    (root / name).write_text(text)
    return load_config(root, NAMES)


def problems(root: Path, text: str, name: str = "pyproject.toml") -> list[str]:
    with pytest.raises(BadConfig) as caught:
        load(root, text, name)
    return [str(problem) for problem in caught.value.problems]


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "locks.yaml").write_text("")
    config = load(
        tmp_path,
        """
        [tool.coordlint]
        select = ["CL1", "single-member-ensemble"]
        ignore = ["CL104"]
        exclude = ["fixtures/"]
        models = ["locks.yaml"]
        fail-on = "error"
        min-confidence = "low"
        require-reason = true
        baseline = "known.json"
        per-file-ignores = { "tests/**" = ["CL1"] }
        [tool.coordlint.severity]
        CL101 = "warning"
        """,
    )
    assert config == Config(
        path="pyproject.toml",
        select=("CL1", "single-member-ensemble"),
        ignore=("CL104",),
        exclude=("fixtures/",),
        per_file_ignores=(("tests/**", ("CL1",)),),
        severity=(("CL101", Severity.WARNING),),
        models=("locks.yaml",),
        fail_on=Severity.ERROR,
        min_confidence=Confidence.LOW,
        require_reason=True,
        baseline="known.json",
    )


def test_no_file_and_no_table_mean_the_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path, NAMES) == Config()
    assert load(tmp_path, "[project]\nname = 'x'\n") == Config()


def test_an_own_file_goes_before_pyproject(tmp_path: Path) -> None:
    load(tmp_path, "[tool.coordlint]\nfail-on = 'never'\n")
    assert load(tmp_path, "fail-on = 'error'\n", "coordlint.toml").fail_on is Severity.ERROR


def test_never_means_that_findings_do_not_fail(tmp_path: Path) -> None:
    assert load(tmp_path, "[tool.coordlint]\nfail-on = 'never'\n").fail_on is None


def test_a_profile_sets_what_is_not_set_beside_it(tmp_path: Path) -> None:
    config = load(tmp_path, "[tool.coordlint]\nprofile = 'strict'\nfail-on = 'error'\n")
    assert (config.min_confidence, config.fail_on, config.require_reason) == (Confidence.LOW, Severity.ERROR, True)


def test_all_errors_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = """[project]
name = "x"

[tool.coordlint]
selct = ["CL1"]
ignore = [
    "CL104",
    "lock-without-fence",
]
exclude = "tests"
fail-on = "eror"
models = ["../outside.yaml", "missing.yaml"]
rules = ["lint/"]
require-reason = "yes"

[tool.coordlint.severity]
CL999 = "warning"
CL101 = "fatal"

[tool.coordlint.per-file-ignores]
"tests/**" = ["CL77"]
"""
    assert problems(tmp_path, text) == [
        "pyproject.toml:5: unknown key 'selct'; did you mean 'select'?",
        "pyproject.toml:8: unknown rule 'lock-without-fence'; did you mean 'lock-without-fencing'?",
        "pyproject.toml:10: exclude must be a list of strings, not 'tests'",
        "pyproject.toml:11: fail-on must be one of info, warning, error, never, not 'eror'; did you mean 'error'?",
        "pyproject.toml:12: '../outside.yaml' lies outside the project",
        "pyproject.toml:12: 'missing.yaml' does not exist",
        "pyproject.toml:13: rule folders are code: give them on the command line with --rules DIR",
        "pyproject.toml:14: require-reason must be true or false, not 'yes'",
        "pyproject.toml:17: unknown rule 'CL999'",
        "pyproject.toml:18: severity.CL101 must be one of info, warning, error, not 'fatal'",
        "pyproject.toml:21: unknown rule 'CL77'; did you mean 'CL701'?",
    ]


def test_the_own_file_has_its_keys_at_the_top(tmp_path: Path) -> None:
    assert problems(tmp_path, "\nprofil = 'audit'\n", "coordlint.toml") == [
        "coordlint.toml:2: unknown key 'profil'; did you mean 'profile'?"
    ]


def test_broken_toml_with_our_table_is_our_error_and_without_it_is_not(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "[tool.coordlint]\nselect = [\n")
    assert told.startswith("pyproject.toml:") and "is no TOML" in told
    assert load(tmp_path, "[project\n") == Config()


def test_a_table_that_is_none_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, "[tool]\ncoordlint = 3\n") == ["pyproject.toml:1: tool.coordlint must be a table"]


def test_a_link_cannot_lead_models_out_of_the_project(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.yaml").write_text("")
    (root / "locks.yaml").symlink_to(tmp_path / "secret.yaml")
    assert problems(root, "[tool.coordlint]\nmodels = ['locks.yaml']\n") == [
        "pyproject.toml:2: 'locks.yaml' lies outside the project"
    ]


@pytest.mark.parametrize("header", ["[{}]", "{} = 1"])
def test_a_key_of_very_many_parts_is_told_and_not_read(tmp_path: Path, header: str) -> None:
    told = problems(tmp_path, "[tool.coordlint]\n" + header.format("a." * 100_000 + "a") + "\n")
    assert told == ["pyproject.toml:2: a key has more than a thousand parts"]
