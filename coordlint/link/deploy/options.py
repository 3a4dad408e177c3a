"""Words of a command line into options and positional words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def positional(words: Iterable[str], values: frozenset[str]) -> Iterator[str]:
    """Words that are neither flags nor the values of flags that take one."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in values
        else:
            yield word


def after_flags(words: tuple[str, ...], values: tuple[str, ...], drop: tuple[str, ...]) -> tuple[str, ...]:
    """The words after the leading flags (and their values) and the words to drop."""
    position = 0
    while position < len(words) and (words[position].startswith("-") or words[position] in drop):
        position += 2 if words[position] in values else 1
    return words[position:]


def options(words: tuple[str, ...], *names: str) -> Iterator[str]:
    """Every value of an option."""
    for position, word in enumerate(words):
        for name in names:
            if word == name and position + 1 < len(words):
                yield words[position + 1]
            elif word.startswith(name + "="):
                yield word[len(name) + 1 :]
            elif len(name) == 2 and name[0] == "-" and word.startswith(name) and len(word) > 2 and word[1] != "-":
                yield word[2:].removeprefix("=")


def option(words: tuple[str, ...], *names: str) -> str | None:
    """The first value of an option, in the forms `-n 4`, `-n4`, `--name 4`, `--name=4`."""
    return next(options(words, *names), None)


def number(words: tuple[str, ...], *names: str, default: int | None = None) -> int | None:
    """A number option: the default when it is absent, None when it is no number."""
    found = option(words, *names)
    if found is None:
        return default
    return int(found) if found.isdigit() else None


def whole(env: Mapping[str, str | None], name: str, default: int) -> int | None:
    """A number from the environment: the default when it is not set, None when it is no number."""
    if name not in env:
        return default
    value = env[name] or ""
    return int(value) if value.isdigit() else None


def is_known(text: str) -> bool:
    """Whether a word holds no variable that was not filled in."""
    return bool(text) and "$" not in text and "\ufffd" not in text
