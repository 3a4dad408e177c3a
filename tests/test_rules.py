"""Every rule says what it is about, and finds in its examples what they say it finds."""

from __future__ import annotations

import pytest

from coordlint.examples import Example, Mark, read_examples, run_example
from coordlint.rulebook import Rule, load_rules

RULES = load_rules()
CASES = [(rule, example) for rule in RULES for example in read_examples(rule)]
PARTS = ("Why:", "Instead:", "Fine when:", "Sources:")


def name_of(case: tuple[Rule, Example]) -> str:
    rule, example = case
    return f"{rule.code} {example.kind}: {example.title}"


def own(marks: frozenset[Mark], rule: Rule) -> set[tuple[str, int]]:
    return {(path, line) for path, line, name in marks if name == rule.name}


@pytest.mark.parametrize(("rule", "example"), CASES, ids=map(name_of, CASES))
def test_an_example_gives_exactly_the_findings_that_are_marked(rule: Rule, example: Example) -> None:
    findings = run_example(example, rule)
    seen = {(f.place.path, f.place.line) for f in findings}
    expected, todo = own(example.marks, rule), own(example.todo, rule)

    cured = sorted(f"{path}:{line}" for path, line in seen & todo)
    assert not cured, f"{rule.name} is found now at {', '.join(cured)}: turn the todo-finding into a finding"
    told = "\n".join(f"  {f.place} {f.message}" for f in findings) or "  nothing"
    assert seen == expected, f"marked: {sorted(expected)}, found:\n{told}"
    if not rule.code.startswith("CL0"):  # what the tool says about itself is its own evidence
        assert all(f.because for f in findings), "a finding needs at least one more place of evidence"
    assert all(f.help for f in findings), "a finding needs a cure"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_explains_itself_and_shows_bad_and_good(rule: Rule) -> None:
    assert rule.summary.endswith("."), "the first line of the docstring is one sentence"
    missing = [part for part in PARTS if f"\n\n{part}" not in rule.doc]
    assert not missing, f"the docstring lacks {missing}"

    examples = read_examples(rule)
    bad = [e for e in examples if e.kind == "bad"]
    assert bad and any(e.kind == "good" for e in examples)
    for example in bad:
        assert own(example.marks | example.todo, rule), f"no line of {example.title!r} is marked"
    assert len({(e.kind, e.title) for e in examples}) == len(examples), "two examples share a title"
