"""Which commands of a script known words lead to, and what their own words become."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from coordlint.link.deploy.interpolation import filled
from coordlint.manifest import UNKNOWN, ShellCommand
from coordlint.shellwords import words


def expanded(argv: tuple[str, ...], environment: Mapping[str, str | None]) -> Iterator[str]:
    """Variables filled in; a word that is one variable may become several words."""
    for word in argv:
        if "$" not in word:
            yield word
            continue
        if array := re.fullmatch(r"\$\{(\w+)\[[@*]\]\}", word):
            yield from words(environment.get(array[1]) or "")
            continue
        word = re.sub(r"\$\((\w+)\)", r"${\1}", word)
        value = filled(word, environment)
        if re.fullmatch(r"\$\w+|\$\{[^}]*\}", word) and " " in value:
            yield from words(value)
        elif value:
            yield value


def with_arguments(argv: tuple[str, ...], arguments: list[str]) -> Iterator[str]:
    for word in argv:
        if word in ("$@", "$*", "${@}", "${*}"):
            yield from arguments
        else:
            yield with_numbers(word, arguments)


def named(text: str, arguments: Sequence[str]) -> str:
    """The text of `sh -c` with `$0` filled in, as `ENTRYPOINT start.sh $0 $@` wants it."""
    return re.sub(r"\$(?:0|\{0\})(?!\w)", lambda _: arguments[0], text) if arguments else text


def with_numbers(word: str, arguments: Sequence[str]) -> str:
    def value(match: re.Match[str]) -> str:
        number = int(match[1] or match[2])
        if 0 < number <= len(arguments):
            return arguments[number - 1]
        return match[0].replace(match[1] or match[2], "UNSET") if match[3] else ""

    if "$" not in word:
        return word
    return re.sub(r"\$(?:([1-9])|\{([1-9])(:?-[^{}]*+)?\})", value, word)


def is_reached(
    command: ShellCommand, body: list[ShellCommand], arguments: Sequence[str], known: Mapping[str, str | None]
) -> bool:
    """Whether known words lead to the command, through `case` and `if`."""
    for asked, wanted in command.conditions:
        answers = [_matches(word, pattern, arguments, known) for word, pattern in asked]
        if (False in answers) if wanted else all(answers):
            return False
    return _branch_taken(command, body, arguments, known)


def _matches(word: str, pattern: str, arguments: Sequence[str], known: Mapping[str, str | None]) -> bool | None:
    value = filled(with_numbers(word, arguments), known)
    return None if UNKNOWN in value or "$" in value else fnmatchcase(value, pattern)


def _branch_taken(
    command: ShellCommand, body: list[ShellCommand], arguments: Sequence[str], known: Mapping[str, str | None]
) -> bool:
    """Whether a `case` on a known word takes the branch; branches of unknown words are all taken."""
    if not command.branch:
        return True
    subject = filled(with_numbers(command.subject, arguments), known) if command.subject else UNKNOWN
    if UNKNOWN in subject or "$" in subject:
        return True
    if not any(fnmatchcase(subject, pattern) for pattern in command.branch):
        return False
    if "*" not in command.branch:
        return True
    siblings = {c.branch for c in body if c.branch and c.subject == command.subject and c.function == command.function}
    return not any(fnmatchcase(subject, p) for branch in siblings if "*" not in branch for p in branch)
