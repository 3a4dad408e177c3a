"""Things that a class or a module of the project keeps in a store: one of its functions finds none, so that another is called to make it."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import COORDINATORS, MEDIUM, Found, Missed, Op, Operation, System, backend_name, found, words

from ._worth import CACHED, SET_UP

_STORES = frozenset({*COORDINATORS, "redis"})
_MOST = 40  # functions in which the two are looked at
_DECIDES = (Op.CREATE, Op.CAS, Op.ACQUIRE, Op.TRANSACTION_STEP)
_ENDS = frozenset("delete remove clear close stop cancel reset end finish release drop destroy".split())  # done twice as good as once
_SECRETS = frozenset("identity secret key token certificate cert salt password credential credentials seed uuid id".split())
_ALONE = frozenset({"command", "main", "import", "periodic", "test"})


def made_when_missed(system: System) -> Iterator[Found]:
    """The writes without condition that happen because a look-up, in a function beside, found nothing or an old state."""
    homes: set[str] = set()
    for missed in sorted(system.missed(), key=lambda m: m.maker):  # by name: functions in another order are the same program
        home = missed.symbol.rpartition(".")[0]
        if not missed.subject and home in homes:
            continue  # what one class makes for itself in several parts
        write = _written(system, missed) if missed.subject else _same_record(system, missed)
        if write is None or missed.locked or system.is_locked(missed) or (missed.state and words(missed.called) & _ENDS) or _is_set_up(system, missed):
            continue
        store = backend_name(write.backend)
        more = []
        if not missed.subject:
            homes.add(home)
            more = [(w.place, "and so is this one") for m in system.missed() if m is not missed and not m.subject and m.symbol.rpartition(".")[0] == home and (w := _same_record(system, m))]
            told = f"`{write.key_text or write.key}` is looked up in {store}, and `{missed.called}()` writes one without condition because there was none: two at a time both make one, and each may go on with his own."
        elif missed.state:
            told = f"`{missed.subject}` was read from {store}; `{missed.asked}()` asks this copy for its `{missed.state}`, and `{missed.called}()` writes another one without condition: two callers at a time both pass."
        else:
            told = f"`{missed.asked}({missed.subject})` looks in {store}, and `{missed.called}({missed.subject})` writes there without condition because nothing was found: two callers at a time both write, and the first is lost."
        yield found(
            told,
            at=missed.look,
            symbol=missed.symbol,
            resource=missed.maker,
            because=[(missed.place, "the answer may be old by the time it is written here"), (write.place, f"written to {store} here, whatever is there by now"), *more],
            confidence=MEDIUM,
        )


def _written(system: System, missed: Missed) -> Operation | None:
    """The write of the function that is called, to the store in which the other one looks; None where that does more than look, or a condition decides."""
    looked, made = ((f, *sorted(system.reached_from(f))) for f in (missed.finder, missed.maker))
    if len(looked) > _MOST or len(made) > _MOST:
        return None
    before, after = list(system.operations_in(looked)), list(system.operations_in(made))
    read = {o.backend for o in before if o.op in (Op.READ, Op.LIST) and o.backend in _STORES}
    if any(o.op in (Op.WRITE, Op.SET_ADD, Op.DELETE, *_DECIDES) and o.backend in read for o in before):
        return None
    if any(o.op in _DECIDES or o.conditional or o.atomic or o.op is Op.EXPIRE for o in after if o.backend in read):
        return None
    write = next((o for o in after if o.op in (Op.WRITE, Op.SET_ADD) and o.backend in read and o.harmful_late), None)
    is_kept = write is not None and (missed.state or not is_constant(write)) and not ends_by_itself(write) and not (words(missed.maker) | words(missed.called) | write.key_words) & CACHED
    return write if is_kept else None


def _same_record(system: System, missed: Missed) -> Operation | None:
    """The write by the function that is called of the very key that was looked at, which no part of it that differs from call to call makes another one."""
    made = (missed.maker, *sorted(system.reached_from(missed.maker)))
    looked = (missed.finder, *sorted(system.reached_from(missed.finder))) if missed.finder else (missed.symbol,)
    if len(looked) > _MOST or len(made) > _MOST:
        return None
    before = [o for o in system.operations_in(looked) if o.op is Op.READ and o.backend in _STORES and o.key and (missed.finder or o.place == missed.look)]
    after = list(system.operations_in(made))
    for write in after:
        same = [o for o in before if (o.backend, o.key, o.key_text) == (write.backend, write.key, write.key_text) and all(f.startswith("self.") for f in o.fillers)]
        others = [o for o in after if o.backend == write.backend and (o.op in _DECIDES or o.conditional or o.atomic)]
        if not same or others or write.op is not Op.WRITE or not write.harmful_late or ends_by_itself(write) or is_constant(write):
            continue
        if not (words(missed.maker) | words(missed.called) | write.key_words) & CACHED and write.role != "cache":
            return write
    return None


def is_constant(act: Operation) -> bool:
    """Whether all write the same: a flag."""
    given = [a.text.rpartition(".")[2] for a in act.arguments if a.name not in ("key", "path", "name")]
    return all(not text or text.isupper() or text[0] in "\"'0123456789" for text in given)


def ends_by_itself(act: Operation) -> bool:
    """Whether what is written has a lifetime: a known one, or one that the call gives without saying which."""
    return act.ttl is not None and (act.ttl.kind == "seconds" or (act.ttl.kind == "unknown" and act.ttl.place is not None))


def _is_set_up(system: System, missed: Missed) -> bool:
    """Whether only commands and schedules lead there, or code that runs once; a secret that each process makes for itself at its start is another one each time."""
    kinds = {entry.kind for entry in system.entries_reaching(missed.symbol)}
    if not missed.subject and words(f"{missed.asked} {missed.called}") & _SECRETS and "command" not in kinds:
        return False
    return bool(words(missed.symbol) & SET_UP) or (bool(kinds) and kinds <= _ALONE)
