"""How sure the inventory is of a use, and what it does not know about it, in words.

High: the type of what is called and the key are known. Medium: one of them is not, or only callers know the key. Low: both are
not. What is not known of the section (lifetime, wait, calls inside) is told as well; it makes the use itself no less certain.
"""

from __future__ import annotations

from coordlint.coordination import Operation, Section, Use
from coordlint.models.schema import Op
from coordlint.telling import told
from coordlint.wording import fixed, holes

_LEVELS = ("low", "medium", "high")
_WITHOUT_KEY = frozenset((
    Op.CLIENT, Op.CONNECT, Op.LISTEN, Op.RETRY_POLICY, Op.TRANSACTION, Op.JOIN, Op.LEAVE, Op.LEASE, Op.KEEPALIVE, Op.REVOKE, Op.PARTITION,
    Op.SCRIPT, Op.COMMIT,
))  # fmt: skip


def certainty(use: Use, operation: Operation | None, section: Section | None) -> tuple[str, tuple[str, ...]]:
    """ "high", "medium" or "low", and one short sentence for each thing that is not known."""
    doubts = [*_of_type(use, operation), *_of_key(use, operation)]
    level = min(2 - min(len(doubts), 2), _LEVELS.index(use.confidence) if use.confidence in _LEVELS else 2)
    return _LEVELS[level], (*doubts, *(_of_section(section) if section is not None else ()))


def _of_type(use: Use, operation: Operation | None) -> list[str]:
    if operation is not None and operation.guessed:
        return [f"type: {operation.receiver or 'the client'} is taken for {use.library} by the methods that it is asked for"]
    return []


def _of_key(use: Use, operation: Operation | None) -> list[str]:
    if use.role == "client" or (operation is not None and operation.op in _WITHOUT_KEY):
        return []
    if not use.resource:
        return ["key: not known"]
    if fixed(use.resource).strip(" :/._-"):
        return []
    names = [name for name in holes(use.resource) if name]
    return [f"key: whatever {' and '.join(names)} is" if names else "key: computed"]


def _of_section(section: Section) -> list[str]:
    made = []
    if section.lock.lifetime.kind == "unknown":
        made.append(_time("lifetime", told(section.lock.lifetime)))
    if section.wait.kind == "unknown":
        made.append(_time("wait", told(section.wait)))
    if section.unresolved:
        count = len(section.unresolved)
        made.append(f"effects: {count} call{'s' if count > 1 else ''} inside that nobody knows, the first at {section.unresolved[0]}")
    return made


def _time(what: str, said: str) -> str:
    return f"{what}: {said.removeprefix('not known').strip(' ():') or 'not known'}"
