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

LEFT_ALONE = {  # no mechanical cure: what has to be done there has to be thought of
    ("CL103", "taken between WATCH and EXEC, and freed in another file"),
    ("CL103", "a script that looks and sets, in a helper that takes the key, beside a store that expires other keys"),
    ("CL121", "a hash in the key, computed in another module"),
    ("CL121", "a process id in the name"),
    ("CL121", "a fresh uuid in the name"),
    ("CL402", "the leader posts charges, elected in another module"),
    ("CL702", "two servers that list each other, through a variable with a default"),
    ("CL702", "an initial cluster of two on the command line"),
}


def laid_out(example: Example, folder: Path) -> Path:
    for path, text in example.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def fixed(folder: Path, code: str, *, unsafe: bool, is_diff: bool = False) -> Outcome:
    options = Options(paths=(str(folder),), root=str(folder), select=(code,), isolated=True, no_cache=True, jobs=1)
    return fix(options, Wish(unsafe=unsafe, is_diff=is_diff))


@pytest.mark.parametrize(("code", "example"), BAD, ids=[f"{code} {e.title}" for code, e in BAD])
def test_a_bad_example_is_clean_after_its_cure_and_a_second_run_changes_nothing(
    code: str, example: Example, tmp_path: Path
) -> None:
    laid_out(example, tmp_path)
    safe = next(cure.safe for cure in CURES if cure.code == code)
    first = fixed(tmp_path, code, unsafe=not safe)
    second = fixed(tmp_path, code, unsafe=True)

    assert not second.changes
    if (code, example.title) in LEFT_ALONE:
        assert not first.changes and all(r.reason for r in first.refused) and first.refused
        return
    assert first.fixed and not first.refused
    assert [r.finding for r in second.report.findings] == []


@pytest.mark.parametrize("cure", [c for c in CURES if not c.safe], ids=lambda cure: cure.code)
def test_an_unsafe_cure_waits_until_it_is_asked_for(cure, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    example = next(e for code, e in BAD if code == cure.code and (code, e.title) not in LEFT_ALONE)
    outcome = fixed(laid_out(example, tmp_path), cure.code, unsafe=False)
    assert not outcome.changes and not outcome.fixed
    assert {f.code for f in outcome.unsafe} == {cure.code}
    assert {p: (tmp_path / p).read_text() for p in example.files} == dict(example.files)


def test_a_diff_writes_nothing(tmp_path: Path) -> None:
    _, example = BAD[-3]
    outcome = fixed(laid_out(example, tmp_path), BAD[-3][0], unsafe=True, is_diff=True)
    assert outcome.changes
    assert {p: (tmp_path / p).read_text() for p in example.files} == dict(example.files)


@pytest.mark.parametrize("cure", CURES, ids=lambda cure: cure.code)
def test_good_examples_are_not_touched(cure, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    good = [e for e in read_examples(RULES[cure.code]) if e.kind == "good"]
    for number, example in enumerate(good):
        laid_out(example, tmp_path / f"system{number}")
    outcome = fixed(tmp_path, cure.code, unsafe=True, is_diff=True)
    assert not outcome.changes
