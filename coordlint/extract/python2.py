"""Python 2, rewritten token by token to what Python 3 reads, so that ONE extractor serves it; every line keeps its number.

Only a file that the parser refused comes here. Nothing is imported and nothing runs: a scanner cuts the text into tokens,
and what Python 3 writes otherwise is changed in its place: `print x`, `exec x in y`, `raise E, v`, `except E, e`,
backticks, `<>`, `0777`, `10L`, `ur""`, tuples as parameters, `async` as a name, and tabs that stand for eight columns.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

LARGEST = 1_000_000  # characters; a larger file is told

# A text that nothing ends goes to the end of its line, or of the file: where it failed instead, each quote would be tried anew.
_TOKEN = re.compile(
    r"""
    (?P<string>[uUbB]?[rR]?(?:
        '''(?:[^\\']++|\\.|'(?!''))*+(?:'''|\Z) | \"""(?:[^\\"]++|\\.|"(?!""))*+(?:\"""|\Z)
        | '(?:[^\\'\r\n]++|\\.)*+(?:'|(?=[\r\n])|\Z) | "(?:[^\\"\r\n]++|\\.)*+(?:"|(?=[\r\n])|\Z)))
    | (?P<comment>\#[^\r\n]*+)
    | (?P<number>0[xX][0-9a-fA-F]++[lL]? | 0[bBoO][0-7]++[lL]? | (?:\d++\.?\d*+|\.\d++)(?:[eE][-+]?\d++)?[jJlL]?)
    | (?P<name>\w++)
    | (?P<newline>\r\n?|\n)
    | (?P<space>(?:[ \t\f]|\\(?:\r\n?|\n))++)
    | (?P<sign><>|>>=?|<<=?|\*\*=?|//=?|[-+*/%&|^<>=!]=?|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMPOUND = frozenset("if elif else while for try except finally with def class".split())
_BLANK = ("space", "comment")
_SIGNED = frozenset(("-", "+", "~", "[", "{", "`", ">>"))  # what a statement's first operand may begin with, besides a word
_OPERATORS = frozenset("in is and or if for".split())
_OCTAL = re.compile(r"0[0-7]+")
_ESCAPE = re.compile(r"\\(?:([uUN])|.)", re.DOTALL)
_LINE_END = re.compile(r"\r\n?|\n")


class NotPython2(Exception):
    """Is no Python 2 either: why (empty where nothing in the text is of Python 2), and on which line."""

    def __init__(self, reason: str = "", line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


def read_python2(text: str) -> ast.Module:
    """The tree of a text in Python 2, each statement on its line. Raises NotPython2."""
    if len(text) > LARGEST:
        raise NotPython2
    newer = rewritten(text)
    if newer == text:
        raise NotPython2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(newer)
    except SyntaxError as error:
        raise NotPython2(f"syntax error: {error.msg}, also as Python 2", error.lineno or 1) from None
    except (ValueError, RecursionError, MemoryError):
        raise NotPython2 from None


class _Token:
    """A piece of the text. Those of one text joined are that text. `after` is what is put behind it."""

    __slots__ = ("after", "kind", "text")

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text
        self.after = ""


def rewritten(text: str) -> str:
    """The text as Python 3 writes it; the same text where nothing in it is of Python 2."""
    tokens = [_Token(m.lastgroup or "", m.group()) for m in _TOKEN.finditer(text)]
    statements = list(_statements(tokens))
    for tokens_of in statements:
        _REWRITES.get(tokens_of[0].text, _nothing)(tokens_of)
    _one_by_one(tokens)
    _level(tokens)
    return "".join(t.text + t.after for t in tokens)


def _statements(tokens: list[_Token]) -> Iterator[list[_Token]]:
    """The tokens of each statement from its first to its last word; of a compound one its head, without the colon."""
    made: list[_Token] = []
    words = depth = lambdas = 0  # `words`: the length of `made` up to the last token that is no blank
    for token in tokens:
        text = token.text
        ends = (
            text == ":" and made and made[0].text in _COMPOUND and not lambdas
            if depth == 0 and text == ":"
            else depth == 0 and (token.kind == "newline" or text == ";")
        )
        if ends:
            if words:
                yield made[:words]
            made, words, lambdas = [], 0, 0
            continue
        if token.kind in _BLANK or token.kind == "newline":
            if made:
                made.append(token)
            continue
        made.append(token)
        words = len(made)
        if token.kind == "sign":
            depth = max(0, depth + (text in "([{") - (text in ")]}"))
            lambdas -= text == ":" and depth == 0
        elif depth == 0:
            lambdas += text == "lambda"
    if words:
        yield made[:words]


def _nothing(statement: list[_Token]) -> None:
    """Is written alike in both."""


def _called(statement: list[_Token]) -> None:
    """`print x, y` and `exec x` as calls."""
    word, *rest = statement
    given = [t for t in rest if t.kind not in _BLANK and t.kind != "newline"]
    if not given or not _begins_operand(given[0]):
        return
    if given[0].text == ">>":
        given[0].text = "  "
    if rest[0].kind == "space" and rest[0].text.startswith((" ", "\t")):
        rest[0].text = "(" + rest[0].text[1:]
    else:
        word.text += "("
    for token, depth in _depths(rest):
        if depth == 0 and token.text == "in" and word.text.startswith("exec"):
            token.text = ", "
    statement[-1].after = ")"


def _begins_operand(token: _Token) -> bool:
    if token.kind == "name":
        return token.text not in _OPERATORS
    return token.kind in ("string", "number") or token.text in _SIGNED


def _raised(statement: list[_Token]) -> None:
    """`raise E, v, traceback`."""
    commas = _commas(statement)
    if not commas:
        return
    commas[0].text = "("
    if len(commas) > 1:
        commas[1].text = ").with_traceback("
    statement[-1].after = ")"


def _handled(statement: list[_Token]) -> None:
    """`except E, e`; what is no name to bind (`except E, (a, b)`) gets one that nobody asks."""
    commas = _commas(statement)
    if len(commas) != 1:
        return
    at = statement.index(commas[0])
    bound = [t for t in statement[at + 1 :] if t.kind not in _BLANK]
    commas[0].text = " as" if statement[at + 1 : at + 2] and statement[at + 1].kind == "space" else " as "
    if len(bound) > 1:
        for token in bound:
            token.text = _breaks(token.text)
        bound[0].text = "_" + bound[0].text


def _commas(statement: list[_Token]) -> list[_Token]:
    return [t for t, depth in _depths(statement) if depth == 0 and t.text == ","]


def _depths(tokens: list[_Token]) -> Iterator[tuple[_Token, int]]:
    """Each token with the number of brackets around it."""
    depth = 0
    for token in tokens:
        if token.kind == "sign" and token.text in ")]}":
            depth -= 1
        yield token, depth
        if token.kind == "sign" and token.text in "([{":
            depth += 1


def _defined(statement: list[_Token]) -> None:
    """`def f(a, (b, c)):`"""
    opened = next((n for n, t in enumerate(statement) if t.text == "("), len(statement))
    _name_tuples(statement[opened + 1 :])


def _name_tuples(params: list[_Token]) -> None:
    """A tuple among parameters becomes one name; the names in it stay unknown. Ends where the parameters end."""
    within: list[_Token] = []
    before = ","
    for token, depth in _depths(params):
        if depth < 0 or (depth == 0 and token.text == ":" and not within):
            return
        if within or (depth == 0 and token.text == "(" and before == ","):
            within.append(token)
            if depth == 0 and token.text == ")":
                name = "_".join(["", *(t.text for t in within if t.kind == "name")])
                for t in within:
                    t.text = _breaks(t.text)
                within[0].text = name + within[0].text
                within = []
        if token.kind not in _BLANK and token.kind != "newline":
            before = token.text


def _breaks(text: str) -> str:
    return "".join(_LINE_END.findall(text))


def _one_by_one(tokens: list[_Token]) -> None:
    """What is told from the word itself and its neighbours."""
    quoted = False
    words = [t for t in tokens if t.kind not in _BLANK]
    for n, token in enumerate(words):
        match token.kind:
            case "number":
                token.text = _number(token.text)
            case "string":
                token.text = _string(token.text)
            case "sign" if token.text == "<>":
                token.text = "!="
            case "sign" if token.text == "`":
                token.text = ")" if quoted else "repr("
                quoted = not quoted
            case "name" if token.text == "async" and not (n + 1 < len(words) and words[n + 1].text in ("def", "for", "with")):
                token.text = "async_"
            case "name" if token.text == "lambda" and n + 1 < len(words) and words[n + 1].text == "(":
                _name_tuples(words[n + 1 : n + 100])


def _number(text: str) -> str:
    if text.endswith(("l", "L")):
        text = text[:-1] + " "
    octal = text.rstrip()
    return f"0o{octal[1:]}" if _OCTAL.fullmatch(octal) and octal.strip("0") else text


def _string(text: str) -> str:
    """`ur"x"`, and backslashes that mean something in Python 3 only."""
    quote = min((at for sign in "'\"" if (at := text.find(sign)) >= 0), default=0)
    prefix = text[:quote].lower()
    if prefix == "ur":
        return text[1:]
    if prefix == "" and "\\" in text:
        return _ESCAPE.sub(lambda m: "\\" + m.group() if m[1] else m.group(), text)
    return text


def _level(tokens: list[_Token]) -> None:
    """Tabs at the begin of lines as spaces up to the next eighth column, where a file has lines with and without."""
    starts = [t for before, t in zip([_Token("newline", ""), *tokens], tokens, strict=False) if before.kind == "newline" and t.kind == "space"]
    if len({"\t" in t.text for t in starts}) > 1:
        for token in starts:
            token.text = token.text.expandtabs(8)


_REWRITES = {"print": _called, "exec": _called, "raise": _raised, "except": _handled, "def": _defined}
