"""A suppression silenced nothing in this run.

Why: a comment that silences nothing is a trap: the code that it excused is gone, or the rule no longer sees a problem,
and the next real finding on that line would be silenced by a reason that was never about it.

Instead: delete the comment, or the code in its brackets that is not needed any more.

Fine when: the rule did not run, because `--select` or `--ignore` left it out; such a suppression is not told.

Sources: the same check in other linters (ruff's unused-noqa, mypy's warn_unused_ignores).
"""

from collections.abc import Iterator

from coordlint import HIGH, WARNING, Found, System, found, rule


@rule("CL002", severity=WARNING)
def unused_suppression(system: System) -> Iterator[Found]:
    for suppression, of in system.unused_suppressions():
        yield found(
            f"This suppression of {of} silences nothing.",
            at=suppression.place,
            resource=of,
            confidence=HIGH,
        )


EXAMPLES = """
=== bad: there is no lock on the line any more
--- worker.py
def work(order):
    print(order)  # coordlint: ignore[CL101] the ledger refuses late writes  # finding: unused-suppression

=== good: a suppression that the code still needs
--- worker.py
# coordlint: ignore[CL001] kept as a sample of what users send
def broken(:
    pass
"""
