"""A comment for coordlint that it cannot act on: no rule, an unknown rule, or no reason where one is asked for.

Why: a suppression with a typing mistake would either silence nothing, and nobody would know why, or everything, and
nobody would know what. coordlint never reads one as a blanket ignore; it says what is wrong.

Instead: write `# coordlint: ignore[CL101] reason`, with codes or names of rules, separated by commas. Intents are
`# coordlint: performance-lock` and `# coordlint: correctness-lock`.

Fine when: never; a comment that is not meant for coordlint should not begin with its name.

Sources: the suppression syntax in coordlint's documentation.
"""

from collections.abc import Iterator

from coordlint import HIGH, WARNING, Found, System, found, rule


@rule("CL003", severity=WARNING)
def malformed_suppression(system: System) -> Iterator[Found]:
    for suppression, problem in system.malformed_suppressions():
        yield found(
            f"This comment cannot act: it {problem}.",
            at=suppression.place,
            resource=",".join(suppression.codes),
            confidence=HIGH,
        )


EXAMPLES = """
=== bad: no rule, an unknown rule, an unknown word
--- worker.py
a = 1  # coordlint: ignore  # finding: malformed-suppression
b = 2  # coordlint: ignore[CL9999] no such rule  # finding: malformed-suppression
c = 3  # coordlint: ignroe[CL101] a slip of the pen  # finding: malformed-suppression
--- compose.yaml
services:
  worker:
    image: worker  # coordlint: ignore[]  # finding: malformed-suppression

=== good: text that merely contains the words
--- worker.py
HELP = "write # coordlint: ignore to silence"
--- compose.yaml
services:
  worker:
    image: worker
    command: "echo '# coordlint: ignore'"
"""
