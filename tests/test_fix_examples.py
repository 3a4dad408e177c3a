"""Each mechanical cure, on the bad examples of its rule: written, judged again, and clean; or told why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordlint.examples import Example, read_examples
from coordlint.fix import CURES
from coordlint.fixing import Wish, fix
from coordlint.project import Options
from coordlint.report.fixed import Outcome
from coordlint.rulebook import load_rules

RULES = {rule.code: rule for rule in load_rules()}
BAD = [(cure.code, e) for cure in CURES for e in read_examples(RULES[cure.code]) if e.kind == "bad"]

CURED = {  # how many of the bad examples have a mechanical cure, at least; for the rest something has to be thought of
    "CL103": 5, "CL105": 5, "CL106": 7, "CL108": 4, "CL116": 3, "CL121": 2, "CL402": 1, "CL407": 1, "CL408": 1, "CL702": 1,
}  # fmt: skip


def laid_out(example: Example, folder: Path) -> Path:
    for path, text in example.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def fixed(folder: Path, code: str, *, unsafe: bool, is_diff: bool = False) -> Outcome:
    options = Options(paths=(str(folder),), root=str(folder), select=(code,), isolated=True, no_cache=True, jobs=1)
    return fix(options, Wish(unsafe=unsafe, is_diff=is_diff))


@pytest.mark.parametrize(("code", "example"), BAD, ids=[f"{code} {e.title}" for code, e in BAD])
def test_a_bad_example_is_clean_after_its_cure_or_is_told_why_not_and_a_second_run_changes_nothing(
    code: str, example: Example, tmp_path: Path
) -> None:
    laid_out(example, tmp_path)
    safe = next(cure.safe for cure in CURES if cure.code == code)
    first = fixed(tmp_path, code, unsafe=not safe)
    second = fixed(tmp_path, code, unsafe=True)

    assert not second.changes
    assert bool(first.changes) == bool(first.fixed)
    assert all(r.reason for r in first.refused)
    assert len(first.fixed) + len(first.refused) == len(first.report.findings) > 0
    assert [r.finding.symbol for r in second.report.findings] == [r.finding.symbol for r in first.refused]


@pytest.mark.parametrize("code", sorted(CURED))
def test_most_bad_examples_of_a_rule_are_cured(code: str, tmp_path: Path) -> None:
    for number, (_, example) in enumerate([b for b in BAD if b[0] == code]):
        laid_out(example, tmp_path / f"system{number}")
    alone = [fixed(folder, code, unsafe=True, is_diff=True) for folder in sorted(tmp_path.iterdir())]
    assert sum(bool(outcome.fixed) and not outcome.refused for outcome in alone) >= CURED[code]


@pytest.mark.parametrize("cure", [c for c in CURES if not c.safe], ids=lambda cure: cure.code)
def test_an_unsafe_cure_waits_until_it_is_asked_for(cure, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for number, example in enumerate(e for code, e in BAD if code == cure.code):
        laid_out(example, tmp_path / f"system{number}")
    texts = {path: path.read_text() for path in tmp_path.rglob("*.*")}
    outcome = fixed(tmp_path, cure.code, unsafe=False)
    assert not outcome.changes and not outcome.fixed
    assert {f.code for f in outcome.unsafe} == {cure.code}
    assert {path: path.read_text() for path in texts} == texts


def test_a_diff_writes_nothing(tmp_path: Path) -> None:
    example = next(e for code, e in BAD if code == "CL408")
    outcome = fixed(laid_out(example, tmp_path), "CL408", unsafe=True, is_diff=True)
    assert outcome.changes
    assert {p: (tmp_path / p).read_text() for p in example.files} == dict(example.files)


@pytest.mark.parametrize("cure", CURES, ids=lambda cure: cure.code)
def test_good_examples_are_not_touched(cure, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    good = [e for e in read_examples(RULES[cure.code]) if e.kind == "good"]
    for number, example in enumerate(good):
        laid_out(example, tmp_path / f"system{number}")
    outcome = fixed(tmp_path, cure.code, unsafe=True, is_diff=True)
    assert not outcome.changes
