"""A look-up decides whether to create or change a record, and nothing keeps the answer true until then.

Why: two requests that look at the same time both find nothing and both create the record: two accounts for one address, a coupon
used twice, a wallet whose first deposit the second creator overwrites. It takes no load, only a double click or a retry by the
client while the first request is still running.

Instead: let the store decide in one step: a unique constraint and its error handled (Django `get_or_create` over unique fields, SQL
INSERT ... ON CONFLICT DO NOTHING with the row count tested), Redis SET with nx=True or HSETNX, ZooKeeper `create` and NodeExistsError,
etcd `put_if_not_exists`. To spend from a balance: UPDATE ... WHERE balance >= :amount, and test the row count.

Told of keys of stores: what is looked up and written where it was not there, also through the functions of a class or module that keeps things there; the state of a copy that
is asked and then written; members that are added where a count showed room. Rows of databases, by way of classes or of statements of SQL, are told where a query by some columns decides, in the same function or in one that is asked there, whether a row with the same values
is made, or put into the state that was looked for, and the class declares nothing that keeps these columns unique (which is what `get_or_create` relies on); where a number
of rows is held against a limit; where the next number is computed from the highest there is (`MAX(number) + 1`); where a row is found and answered with, else made, and nobody turns the refusal of a
unique constraint into that answer (a note, and a warning for idempotency keys); and where a flag of a record (`sent`, `paid_at`) is tested and then set so that a mail, a message or a payment goes out once. So it is in requests for names, slugs and codes for which the function ends where it finds one. It is a note
where names do not say that much hangs on it.

Fine when: the database refuses the second one (a unique column, columns that are unique together, a constraint of exclusion), the step is get_or_create over unique
columns or an upsert, a lock is held around both, the key ends by itself; a command, a script or a migration does it.

Known misses: constraints that the database has and neither models nor schemas in the code show (so this is a preview); rows that are matched in Python or by JSON columns before one is made.

Sources: Django documentation, get_or_create (atomic only with unique fields); CWE-367 (time-of-check time-of-use).
"""

import re
from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    MEDIUM,
    WARNING,
    Found,
    Late,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    found,
    rule,
    two_steps,
    words,
)

from ._made_rows import made_rows
from ._missed import ends_by_itself, is_constant, made_when_missed
from ._room import added_where_room
from ._worth import CACHED, SET_UP, is_record_of_requests

_CREATES = (Late.APPEND, Late.OVERWRITE, Late.ADD_MEMBER)
_NEW = re.compile(r"\buuid[14]\(|\btoken_(?:hex|bytes|urlsafe)\(")


@rule("CL507", severity=WARNING, preview=True)
def check_then_act(system: System) -> Iterator[Found]:
    told: set[Place] = {write.place for _, write in two_steps(system)}  # claims, which non-atomic-acquire tells
    for act in system.operations(Op.WRITE, Op.CREATE, Op.SET_ADD, backend="redis"):
        if act.absent is None or act.key in (None, "None") or act.late not in _CREATES or act.conditional or act.atomic or _is_brief(system, act) or system.is_locked(act):
            continue
        if act.place in told or (act.notes and is_record_of_requests(act)):
            continue  # told below
        told.add(act.absent)
        yield found(
            f"`{act.key_text or act.key}` is looked up and then created in {backend_name(act.backend)} because it was not there: two callers at a time both do it.",
            at=act.absent,
            symbol=act.symbol,
            resource=act.key,
            because=[(act.place, "the answer may be old by the time it is used here"), *act.origin],
            confidence=MEDIUM,
        )
    yield from _served_twice(system)
    yield from added_where_room(system)
    yield from made_rows(system)
    for act in system.operations(Op.WRITE, backend=COORDINATORS, carried=True):
        if act.absent is None or act.conditional or act.atomic or act.ttl or is_constant(act) or _is_setting_up(act) or system.is_locked(act):
            continue
        told.add(act.absent)
        yield found(
            f"`{act.key_text}` is looked up in {backend_name(act.backend)} and then written because it was not there, with no condition on the write: two "
            "callers at a time both write it, and the first is lost.",
            at=act.absent,
            symbol=act.symbol,
            because=[(act.place, "the answer may be old by the time it is written here"), *act.origin],
            confidence=MEDIUM,
        )
    yield from (made for made in made_when_missed(system) if made.place not in told)


def _served_twice(system: System) -> Iterator[Found]:
    """A record of requests that were served, which is written without a condition when one has been."""
    for note in system.operations(Op.WRITE, backend=("redis", "django-cache", "memcached")):
        if note.notes and is_record_of_requests(note) and not system.is_locked(note):
            look, work = note.notes
            yield found(
                f"`{note.key_text or note.key}` is looked up, the request is served because it was not there, and only then is it written: two deliveries at a time are both served.",
                at=look,
                symbol=note.symbol,
                resource=note.key,
                because=[(work, "the request is served here"), (note.place, "and noted here"), *note.origin],
                confidence=MEDIUM,
                help="Claim the key before the work (SET NX with an expiry, cache.add, a row with a unique key), and put the answer in its place afterwards.",
            )


def _is_setting_up(act: Operation) -> bool:
    """Whether it stands in code that runs once."""
    return bool(words(act.symbol) & SET_UP)


def _is_cached(act: Operation) -> bool:
    """Whether the key, the name that holds it, or the object that is asked says that it is a cache."""
    named = next((name for a in act.arguments if a.name in ("key", "name") for name in a.mentions), "")
    return bool((act.key_words | words(act.receiver.rpartition(".")[2]) | words(named)) & CACHED)


def _is_brief(system: System, act: Operation) -> bool:
    """What is filled again whoever fills it: an entry of a cache, a key that ends by itself; and a name that nobody else comes upon."""
    if ends_by_itself(act) or _is_cached(act) or _NEW.search(act.key_text or act.key or ""):
        return True
    return any(o.op is Op.EXPIRE and o.symbol == act.symbol for o in system.same_key(act))
