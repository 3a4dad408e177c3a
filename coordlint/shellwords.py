"""Shell text into simple commands, and `$NAME` expansion; never runs anything.

A reader for start commands and entry scripts: quotes, continuation lines, operators, `case` branches, functions and
here-documents are understood as far as telling which programs a script starts takes. Everything unknown stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from coordlint.manifest import ShellCommand
from coordlint.shelltests import Conditions

MAX_TEXT = 200_000
MAX_COMMANDS = 2_000
_OPERATOR = re.compile(r";;&?|;&|&&|\|\||[;&|()\n]")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.S)
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_]\w*)\1")
_REDIRECT = re.compile(r"\d*(?:>>|>&|>\||&>|<&|<>|>|<)")
_DECLARING = frozenset(("export", "readonly", "local", "declare", "typeset"))
_KEYWORDS = _DECLARING | frozenset(
    ("if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "{", "}", "!", "time", "select")
)
_Token = tuple[str, str, int]  # ("word" | "op", text, line)


def commands(text: str, first_line: int = 1) -> list[ShellCommand]:
    """The simple commands of a script or of the text after `sh -c`, in order."""
    reader = _Reader()
    for token in _tokens(text[:MAX_TEXT], first_line):
        reader.take(token)
        if len(reader.made) >= MAX_COMMANDS:
            break
    reader.end_command()
    return reader.made


def words(text: str) -> tuple[str, ...]:
    """The words of one command line, operators left out; what compose does with a `command` given as a string."""
    return tuple(word for kind, word, _ in _tokens(text[:MAX_TEXT], 1) if kind == "word")


class _Reader:
    """Groups tokens into commands and keeps track of `case` branches and functions."""

    def __init__(self) -> None:
        self.made: list[ShellCommand] = []
        self._words: list[str] = []
        self._line = 1
        self._cases: list[tuple[str, tuple[str, ...]]] = []  # subject, patterns of the branch that is open
        self._in_pattern = False
        self._function = ""
        self._braces = 0
        self._tests = 0
        self._maybe = False
        self._ifs = Conditions()

    def take(self, token: _Token) -> None:
        kind, text, line = token
        if self._in_pattern:
            self._pattern(kind, text)
        elif kind == "word":
            if not self._words:
                self._line = line
            self._words.append(text)
            if text == "in" and self._words[0] == "case":
                self._cases.append((" ".join(self._words[1:-1]), ()))
                self._words, self._in_pattern = [], True
        else:
            self._operator(text)

    def _pattern(self, kind: str, text: str) -> None:
        subject, patterns = self._cases[-1]
        if kind == "word" and text == "esac" and not patterns:
            self._cases.pop()
            self._in_pattern = False
        elif kind == "word":
            self._cases[-1] = (subject, (*patterns, text))
        elif text == ")":
            self._in_pattern = False

    def _operator(self, text: str) -> None:
        if text == "(" and len(self._words) == 1 and not self._function:
            self._function, self._braces = self._words[0], 0  # name ( ) {
            self._words = []
            return
        if text == "&" and self._words[:1] == ["exec"]:
            self._words.pop(0)  # it takes the place of a copy of the shell, which goes on
        self.end_command()
        self._maybe = text in ("&&", "||")
        if text == "||":
            self._ifs.give_up()
        if (text.startswith(";;") or text == ";&") and self._cases:
            self._cases[-1] = (self._cases[-1][0], ())
            self._in_pattern = True

    def end_command(self) -> None:
        """Closes the command that is being read."""
        found, self._words = self._words, []
        declares = False
        while found and (found[0] in _KEYWORDS or found[0] == "function"):
            word = found.pop(0)
            declares = declares or word in _DECLARING
            self._ifs.keyword(word)
            if word == "function" and found:
                self._function, self._braces = found.pop(0), 0
            elif word == "{":
                self._braces += 1
            elif word == "}":
                self._braces -= 1
                if self._braces <= 0:
                    self._function = ""
            elif word in ("fi", "done"):
                self._tests = max(self._tests - 1, 0)
            elif word in ("if", "while", "until", "for"):
                self._tests += 1
                if word == "for":
                    found = []  # its words are a name and values
        if found == ["esac"]:
            if self._cases:
                self._cases.pop()
            return
        if not found or self._ifs.tested(found):
            return
        assigned: list[tuple[str, str]] = []
        while found and (match := _ASSIGNMENT.fullmatch(found[0])):
            assigned.append((match[1], match[2]))
            found.pop(0)
        if declares:
            assigned += [(m[1], m[2]) for word in found if (m := _ASSIGNMENT.fullmatch(word))]
            found = []
        if not found and not assigned:
            return
        subject, branch = self._cases[-1] if self._cases else ("", ())
        self.made.append(
            ShellCommand(
                tuple(found),
                self._line,
                tuple(assigned),
                branch,
                self._function,
                subject,
                self._maybe or self._tests > 0,
                self._ifs.around(),
            )
        )


def _tokens(text: str, first_line: int) -> Iterator[_Token]:
    """Words and operators with their lines; here-documents, comments and redirections are left out."""
    position, line, length = 0, first_line, len(text)
    waiting: list[str] = []  # here-documents whose bodies follow the line
    skip_target = False
    while position < length:
        char = text[position]
        if char == "\n":
            yield ("op", "\n", line)
            position, line = position + 1, line + 1
            for mark in waiting:
                body = re.compile(rf"^[ \t]*+{re.escape(mark)}[ \t\r]*+$", re.M).search(text, position)
                stop = body.end() if body else length
                line += text.count("\n", position, stop)
                position = stop
            waiting.clear()
        elif char in " \t\r":
            position += 1
        elif text.startswith("\\\n", position):
            position, line = position + 2, line + 1
        elif char == "#":
            end_of_line = text.find("\n", position)
            position = length if end_of_line < 0 else end_of_line
        elif heredoc := _HEREDOC.match(text, position):
            waiting.append(heredoc[2])
            position = heredoc.end()
        elif redirect := _REDIRECT.match(text, position):
            position, skip_target = redirect.end(), True
        elif operator := _OPERATOR.match(text, position):
            yield ("op", operator[0], line)
            position = operator.end()
        else:
            word, end = _word(text, position)
            if not skip_target:
                yield ("word", word, line)
            skip_target = False
            line += text.count("\n", position, end)
            position = end


def _word(text: str, start: int) -> tuple[str, int]:
    """One word from `start`, its quotes removed; returns it and where it ends."""
    out: list[str] = []
    position, length = start, len(text)
    while position < length:
        char = text[position]
        if char == "(" and out and out[-1] == "=":  # an array: its words in one text
            end = _closing(text, position)
            out.append(text[position + 1 : end - 1].strip())
            position = end
            continue
        if char in " \t\r\n;&|()<>":
            break
        if char == "\\" and position + 1 < length:
            if text[position + 1] != "\n":
                out.append(text[position + 1])
            position += 2
        elif char == "'":
            end = text.find("'", position + 1)
            end = length if end < 0 else end
            out.append(text[position + 1 : end])
            position = end + 1
        elif char == '"':
            inner, position = _double_quoted(text, position + 1)
            out.append(inner)
        elif char == "$" and text[position + 1 : position + 2] in ("(", "{"):
            end = _closing(text, position + 1)
            out.append(text[position:end])
            position = end
        elif char == "`":
            end = text.find("`", position + 1)
            end = length if end < 0 else end + 1
            out.append(text[position:end])
            position = end
        else:
            out.append(char)
            position += 1
    return "".join(out), max(position, start + 1)


def _double_quoted(text: str, start: int) -> tuple[str, int]:
    out: list[str] = []
    position, length = start, len(text)
    while position < length and text[position] != '"':
        if text[position] == "\\" and position + 1 < length:
            if text[position + 1] != "\n":
                out.append(text[position + 1] if text[position + 1] in '"\\$`' else text[position : position + 2])
            position += 2
        elif text[position] == "$" and text[position + 1 : position + 2] in ("(", "{"):
            end = _closing(text, position + 1)
            out.append(text[position:end])
            position = end
        else:
            out.append(text[position])
            position += 1
    return "".join(out), position + 1


def _closing(text: str, start: int) -> int:
    """The position after the bracket that closes the one at `start`."""
    pairs = {"(": ")", "{": "}"}
    opening, closing, depth = text[start], pairs[text[start]], 0
    for position in range(start, min(len(text), start + 5_000)):
        if text[position] == opening:
            depth += 1
        elif text[position] == closing:
            depth -= 1
            if depth == 0:
                return position + 1
    return len(text)


# -- variables --------------------------------------------------------------------------------------------------

_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_]\w*)(?:(:?[-=?+])|([#%/^,@:].*?))?|([A-Za-z_]\w*))")
_MAX_NESTING = 10
MAX_VALUE = 2_000  # characters that variables may add to a text; what grows further is not known, lest doublings grow without end

Known = Mapping[str, str | None]
"""Variables by name; a None value is one that is set to something unknown."""


def expand(text: str, known: Known, missing: str | None = None, depth: int = 0) -> str | None:
    """Text with `$NAME`, `${NAME}` and the forms :- - := = :? ? :+ + filled in; None when it cannot be known.

    `$$` is one dollar sign. `missing` is what an unset variable without a default means.
    """
    if "$" not in text:
        return text
    if depth > _MAX_NESTING:
        return None
    out: list[str] = []
    position = 0
    while match := _VARIABLE.search(text, position):
        out.append(text[position : match.start()])
        position = match.end()
        if match[1]:
            out.append("$")
            continue
        value: str | None
        if match[5]:
            value = known.get(match[5], missing)
        else:
            end = _closing(text, match.start() + 1)
            inner = text[match.end() : end - 1]
            position = end
            value = None if match[4] else _form(match[2], match[3] or "", inner, known, missing, depth)
        if value is None:
            return None
        out.append(value)
    out.append(text[position:])
    return "".join(out) if sum(map(len, out)) <= MAX_VALUE + 4 * len(text) else None


def _form(name: str, form: str, inner: str, known: Known, missing: str | None, depth: int) -> str | None:
    """The value of `${NAME<form>inner}`."""
    is_set = name in known
    value = known.get(name)
    counts = is_set and not (form.startswith(":") and value == "")
    again: Callable[[], str | None] = lambda: expand(inner, known, missing, depth + 1)  # noqa: E731 - read twice below
    if form.endswith(("-", "=")):
        return value if counts else again()
    if form.endswith("+"):
        return again() if counts else ""
    return value if is_set else missing
