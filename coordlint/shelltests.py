"""What `if` asks of variables in a shell script: `[ "$MODE" = "web" ]`, `[[ -z $NAME ]]`, several of them joined by `&&`."""

from __future__ import annotations

from dataclasses import dataclass, field

Asked = tuple[tuple[str, str], ...]  # (word, pattern); all of them have to match


@dataclass
class _If:
    """One `if` that is open; `asked` is None when it asks what cannot be told from variables."""

    asked: list[tuple[str, str]] | None = field(default_factory=list)
    part: str = "test"  # test, then, else
    is_negated: bool = False  # it asks whether they do not match


class Conditions:
    """Keeps the `if`s that stand around the command which is being read."""

    def __init__(self) -> None:
        self._open: list[_If] = []

    def keyword(self, word: str) -> None:
        """A keyword before a command."""
        if word == "if":
            self._open.append(_If())
        elif not self._open:
            return
        elif word == "elif":
            self._open[-1].asked = None  # what has failed before it is not kept
        elif word in ("then", "else"):
            self._open[-1].part = word
        elif word == "!" and self._open[-1].part == "test":
            self._open[-1].asked = None
        elif word == "fi":
            self._open.pop()

    def give_up(self) -> None:
        """One of several tests is enough."""
        if self._open and self._open[-1].part == "test":
            self._open[-1].asked = None

    def tested(self, words: list[str]) -> bool:
        """Whether a command is a test of the `if` that is open, and was noted; another command makes the `if` unknown."""
        if not self._open or self._open[-1].part != "test":
            return False
        last, asked = self._open[-1], _asked([word if word != "!=" else "=" for word in words])
        if asked is None or last.is_negated or ("!=" in words and last.asked):
            last.asked = None  # of several tests one that is negated cannot be kept
        elif last.asked is not None:
            last.asked.append(asked)
            last.is_negated = "!=" in words
        return asked is not None

    def around(self) -> tuple[tuple[Asked, bool], ...]:
        """What has to hold for a command that stands here; an `if` that asks something else is left out."""
        return tuple((tuple(one.asked), (one.part == "then") is not one.is_negated) for one in self._open if one.asked and one.part != "test")


def _asked(words: list[str]) -> tuple[str, str] | None:
    if not words or words[0] not in ("[", "[[", "test"):
        return None
    inner = [word for word in words[1:] if word not in ("]", "]]")]
    match inner:
        case [word, "=" | "==", value] if "$" not in value:
            return word, value if words[0] == "[[" else _literal(value)
        case ["-z", word]:
            return word, ""
        case ["-n", word] | [word]:
            return word, "?*"
        case _:
            return None


def _literal(value: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in value)
