"""Tables that no class maps: what the statements that create them declare unique."""

from __future__ import annotations

import re
from collections.abc import Iterable

from coordlint import ir
from coordlint.link.code.calls.meaning import sql_text
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.rows import collected
from coordlint.link.code.rows.uniqueness import Group, groups
from coordlint.models.schema import Op

_LONGEST = 60_000  # characters of a schema that are read
_WIDEST = 6_000  # characters of one table's columns that are read
_COMMENT = re.compile(r"--[^\n]*")
_CREATE = re.compile(r"\bcreate (?:temp |temporary |unlogged )?table (?:if not exists )?(?:[\"`\w]{1,64}\.)?[\"`\[]?(\w{1,64})[\"`\]]? ?\(", re.IGNORECASE)
_INDEX = re.compile(r"\bcreate unique index [^;()]{0,200}?\bon [\"`]?(\w{1,64})[\"`]? ?\(([^()]*)\)([^;]{0,200})", re.IGNORECASE)
_TOGETHER = re.compile(r"(?:constraint \S{1,64} )?(?:unique(?: key| index)?|primary key)(?: [\"`\w]{1,64})? ?\(([^()]*)\)", re.IGNORECASE)
_ALONE = re.compile(r"\bunique\b|\bprimary key\b", re.IGNORECASE)
_EXCLUDES = re.compile(r"(?:constraint \S{1,64} )?exclude\b", re.IGNORECASE)
_NAME = re.compile(r"[\"`\[]?(\w{1,64})")


class Tables:
    """What is unique in each table that the program creates by itself, or that one of its classes maps; read when somebody asks."""

    def __init__(self, ev: Evaluator, traces: Iterable[Trace]) -> None:
        self._ev, self._traces = ev, traces
        self._known: dict[str, list[Group]] | None = None

    def refused_by(self, table: str, equal: Iterable[str], others: Iterable[str]) -> str | None:
        """The unique columns by which the database refuses a second row that is equal in these, or may; "" where none do, None for a table that is made elsewhere."""
        if self._known is None:
            self._known = self._read()
        found = self._known.get(table.lower())
        if found is None:
            return None
        given = {_plain(c) for c in equal}
        both = given | {_plain(c) for c in others}
        covering = next((g for g in found if g and g <= given), None) or next((g for g in found if not g or g & given or g <= both), None)
        return "" if covering is None else ", ".join(sorted(covering)) or "a constraint"

    def _read(self) -> dict[str, list[Group]]:
        known: dict[str, list[Group]] = {}
        for scope in self._ev.project.classes():
            for b in scope.names.get("__tablename__", ()):
                if isinstance(b.expr, ir.Const) and isinstance(b.expr.value, str):
                    known.setdefault(b.expr.value.lower(), []).extend(groups(scope))
        for name, group in collected.indexes(self._traces):
            known.setdefault(name, []).append(group)
        for trace in self._traces:
            for step in trace.steps:
                if step.operation is not None and step.operation.op is Op.SQL and step.call.args:
                    for table, unique in declared(sql_text(self._ev, self._ev.value(step.call.args[0], trace.scope))[:_LONGEST]).items():
                        known.setdefault(table, []).extend(unique)
        return known


def declared(text: str) -> dict[str, list[Group]]:
    """The unique columns of each table that a schema creates, alone or together; an empty group where that is not understood."""
    text = " ".join(_COMMENT.sub("", text).split())
    found: dict[str, list[Group]] = {}
    behind = 0
    for made in _CREATE.finditer(text):
        if made.start() < behind:
            continue  # within the brackets of another one
        unique = found.setdefault(made[1].lower(), [])
        parts = _parts(text, made.end())
        behind = made.end() + sum(len(part) + 1 for part in parts)
        for part in (p.strip() for p in parts):
            name = _NAME.match(part)
            if _EXCLUDES.match(part):
                unique.append(frozenset())
            elif (together := _TOGETHER.match(part)) is not None:
                unique.append(_columns(together[1]))
            elif name is not None and _ALONE.search(part):
                unique.append(frozenset({_plain(name[1])}))
    for index in _INDEX.finditer(text):
        partial = " where " in index[3].lower() or "(" in index[2]
        found.setdefault(index[1].lower(), []).append(frozenset() if partial else _columns(index[2]))
    return found


def _parts(text: str, start: int) -> list[str]:
    """What stands between the commas of a bracket that has been opened."""
    parts, depth = [""], 0
    for sign in text[start : start + _WIDEST]:
        if sign == ")" and depth == 0:
            break
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _columns(listed: str) -> Group:
    return frozenset(_plain(c.strip(' "`\n\t').partition(" ")[0].strip('"`')) for c in listed.split(","))


def _plain(column: str) -> str:
    """As `uniqueness` writes columns: `user_id` is `user`."""
    return column.lower().removesuffix("_id") or column
