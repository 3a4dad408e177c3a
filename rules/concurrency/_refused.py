"""What becomes of a row that the database refuses: who handles that, here or above; and which numbers may be there twice."""

from __future__ import annotations

from coordlint import Creation, Guard, Place, System, words

_REFUSALS = frozenset("IntegrityError UniqueViolation UniqueViolationError DuplicateKeyError DBDuplicateEntry DuplicateEntry NotUniqueError".split())
_ALL = frozenset({"*", "Exception", "BaseException", "SQLAlchemyError", "DatabaseError", "DBAPIError", "PyMongoError"})
_ORDER = frozenset("position order ordering sort rank priority weight display row level depth".split())
_NUMBER = frozenset("number no num code version revision serial".split())
_STORING = frozenset({"commit", "flush", "save", "asave"})
_HEIGHT = 3  # callers of callers that are asked


def is_handled(system: System, row: Creation) -> bool:
    """Whether somebody on the way up handles the refusal by its name, tries again, or goes on after any error."""
    return _handles(system, row.symbol, row.place, _HEIGHT)


def _handles(system: System, symbol: str, place: Place, height: int) -> bool:
    """The same for what happens at one place of a function, and at the commits behind it."""
    function = system.function(symbol)
    if function is not None and any("retry" in d.lower() or "retries" in d.lower() for d in function.decorators):
        return True
    stored = [o for o in system.operations_in((symbol,)) if o.place == place or (o.place > place and o.call.rpartition(".")[2] in _STORING)]
    guards = [*system.shield(symbol), *system.guards_at(place), *(g for o in stored for g in o.guards)]
    return any(_is_answer(g, height == _HEIGHT) for g in guards) or (height > 0 and any(_handles(system, *call, height - 1) for call in system.callers(symbol)))


def _is_answer(guard: Guard, is_own: bool) -> bool:
    """Whether a handler means the refusal, or tries again, or goes on after whatever happens where the row is stored."""
    names = {c.rpartition(".")[2] for c in guard.catches}
    return bool(names & _REFUSALS) or (bool(names & _ALL) and (guard.action == "retry" or (is_own and guard.action not in ("raise", "exit"))))


def is_order(column: str) -> bool:
    """Whether a number only says in which order rows are shown, so that two of one number do little harm."""
    said = words(column)
    return bool(said & _ORDER) and not said & _NUMBER
