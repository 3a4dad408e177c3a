"""Reads of a coordinator that say whether something is protected, and whose failure is taken for "no"."""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    MEDIUM,
    Found,
    Guard,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    found,
    sees_outage,
    words,
)

_NOTHING = frozenset({"None", "False", "[]", "{}", "()", "''", '""', "'[]'", '"[]"', "'{}'", '"{}"', "set()", "list()", "dict()", "0", "b''", 'b""'})
_LISTED = frozenset(
    {"protected", "denied", "deny", "denylist", "blocked", "blocklist", "blacklist", "blacklisted", "banned", "revoked", "forbidden"}
    | {"frozen", "maintenance", "readonly", "quarantine", "quarantined", "suspended"}
)
_ASKED = frozenset({"need", "needs", "needed", "require", "requires", "required", "enabled", "must", "enforce", "enforced"})
_GUARDS = frozenset({"auth", "authentication", "authorization", "login", "permission", "acl", "mfa", "captcha", "verification", "signature"})
_ASKS = ("is_", "has_", "need", "require", "must", "check_", "in_")
_FROM_OUTSIDE = ("http", "consumer", "task")


def failing_open(system: System) -> Iterator[Found]:
    """Where any failure of the store gives nothing, and nothing means that nobody is kept out."""
    told: set[Place] = set()
    for read in system.operations(Op.READ, Op.LIST, backend=COORDINATORS, named=True):
        protects = _protects(system, read)
        swallowed = _swallowed(system, read) if protects is not None else None
        entry = next((e for e in system.entries_reaching(read.symbol) if e.kind in _FROM_OUTSIDE), None)
        if protects is None or swallowed is None or entry is None or read.place in told:
            continue
        told.add(read.place)
        guard, given = swallowed
        place, said = protects
        named = f" in place of `{read.key_text}`" if read.key_text else ""
        yield found(
            f"An outage of {backend_name(read.backend)} switches a protection off: any failure gives {given}{named}, which is taken for nothing to protect.",
            at=read,
            because=[
                (guard.place, f"catches {', '.join(guard.catches)} and goes on with {given}"),
                *([(place, said)] if place is not None else []),
                (entry.place, f"asked for with what comes from outside: {entry.reason}"),
                *read.origin,
            ],
            confidence=MEDIUM,
            help="Keep the last value that was read, in memory and in a file for restarts, and go on with that; where there is none, refuse. Let only a key that is known to be missing mean no.",
        )


def _protects(system: System, read: Operation) -> tuple[Place | None, str] | None:
    """What says that an empty answer lets everybody in: the key's own words, or the question that is answered with it."""
    if read.key_words & _LISTED:
        return None, ""
    asking: list[tuple[str, Place | None]] = [(read.symbol, None)]
    for symbol, place in asking[:]:
        asking += [(caller, at) for caller, at in system.callers(symbol) if place is None]
    for symbol, place in asking:
        name = symbol.rpartition(".")[2]
        said = words(name)
        if (said & _ASKED and said & _GUARDS) or (said & _LISTED and name.lstrip("_").startswith(_ASKS)):
            return place, f"{name}() answers with it"
    return None


def _swallowed(system: System, read: Operation) -> tuple[Guard, str] | None:
    """The first handler that sees an outage of the store, where it goes on with nothing; and that nothing, as written."""
    own = next((g for g in read.guards if sees_outage(g, read)), None)
    inner = [g for g in _inside(system, read) if sees_outage(g, read)] if read.via else []
    guard = inner[0] if inner else own
    if guard is None or guard.action not in ("return", "swallow") or guard.gives is None:
        return None
    given = guard.gives
    passed = read.argument(given)
    if passed is not None and passed.literal:
        given = passed.text
    parts = [part.strip() for part in given.strip("()").split(",")] if "," in given else [given]
    return (guard, given) if all(part in _NOTHING for part in parts) else None


def _inside(system: System, read: Operation) -> tuple[Guard, ...]:
    """The handlers in the wrapper that is called, around what it asks in turn."""
    called = next((f.symbol for f in system.functions() if f.symbol.rpartition(".")[2] == read.via[0] and (read.symbol, read.place) in system.callers(f.symbol)), None)
    if called is None:
        return ()
    if len(read.via) == 1:
        return next((o.guards for o in system.operations_in({called}) if o.call == read.call), ())
    asked = [f.symbol for f in system.functions() if f.symbol.rpartition(".")[2] == read.via[1]]
    return next((system.guards_at(at) for symbol in asked for caller, at in system.callers(symbol) if caller == called), ())
