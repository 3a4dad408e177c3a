"""The nouns of coordination that the linker finds in code, and that rules reason about. All frozen.

Unknown is a value: `None` (or the kind "unknown") means that the analysis could not tell, never a guess.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from coordlint.models.schema import Late, LockModel, OnBusy, Op
from coordlint.source import Place
from coordlint.wording import fixed, holes, words


class Time(msgspec.Struct, frozen=True):
    """A duration as the code states it. Kind is "seconds", "never" (no limit), "session" or "unknown"."""

    kind: str
    seconds: float | None = None
    place: Place | None = None  # where it was decided: an argument, or the default of a wrapper
    told: str = ""  # how to say it: "30 s", "never (timeout defaults to None)"
    raw: float | None = None  # the number as written, before its unit was applied
    unit: str = "s"


UNKNOWN_TIME = Time("unknown", told="not known")


class Argument(msgspec.Struct, frozen=True):
    """One argument of a call, bound to its parameter. `literal` says whether `value` is the known constant."""

    name: str
    value: bool | int | float | str | None = None
    literal: bool = False
    text: str = ""  # the argument as a pattern: names in braces where it is computed
    place: Place | None = None
    mentions: tuple[str, ...] = ()  # bare and dotted names that occur in it


class Outcome(StrEnum):
    """What becomes of a call's result."""

    DEAD = "dead"  # nobody looks
    TESTED = "tested"  # decides a branch, here or through a variable
    RETURNED = "returned"
    USED = "used"  # passed on, stored, or read in another way


class Guard(msgspec.Struct, frozen=True):
    """An exception handler around a place.

    `catches` holds dotted exception names ("*" for a bare except). `action` is what the handler does at its end:
    "swallow" (goes on as after a success), "return" (goes another way, or notes the failure), "raise", "exit" or "retry"
    (stays in a loop). `empty`: it goes on with a list or table of nothing, in place of the answer. `quiet_end`: where it
    leaves the function's loop for good, and tells nobody but the log.
    """

    catches: tuple[str, ...]
    action: str
    place: Place
    empty: bool = False
    quiet_end: Place | None = None
    goes_on: bool = False  # what stands behind the `try` is reached all the same
    own: bool = False  # all that it catches are exceptions of the project, which no library raises
    only_notes: bool = False  # it does no more than log
    gives: str | None = None  # what it returns or assigns in place of the answer, as written: "None", "[]", "default"; None where it does neither
    passes: bool = False  # it raises again what it caught, and does no more than write to the log before
    next_lap: bool = False  # its `try` stands in a loop, which goes on after the failure; that is only logged
    gives_up: Place | None = None  # and behind that loop, which does not pause, stands a `raise` for when no lap succeeded


_SETTINGS = frozenset("config configuration conf setting cfg parameter feature flag toggle".split())
_QUORUM = ("zookeeper", "etcd", "consul")  # these count by no command of their own: their cure is a version


HARMFUL = (Late.OVERWRITE, Late.APPEND, Late.ACCUMULATE, Late.EXTERNAL, Late.DELETE)


class Operation(msgspec.Struct, frozen=True):
    """One library call with a known meaning, at one place: a read, a write, an acquire, a payment ..."""

    place: Place
    symbol: str  # qualified name of the enclosing function, "module.Class.method"; the module for top-level code
    op: Op
    call: str  # canonical name, "redis.Redis.set"
    library: str
    backend: str  # "" for what is not a coordinator or store
    kind: str = ""  # database | object-store | payment | http | message | file | email | subprocess | search | task | remote
    key: str | None = None  # normalised resource: "acct:{}" with empty holes; None when not known
    key_text: str = ""  # the same with the names of what fills the holes: "acct:{account.id}"
    late: Late = Late.UNKNOWN
    conditional: str = ""  # why a late or repeated call does no harm: "IfMatch", "WHERE version", "unique constraint handled"
    accepts: tuple[str, ...] = ()  # parameters through which this sink could check a token or version
    arguments: tuple[Argument, ...] = ()
    outcome: Outcome = Outcome.USED
    guards: tuple[Guard, ...] = ()  # innermost first, in this function only
    loop: str = ""  # "" | "for" | "while" | "forever": the innermost loop around it in this function
    pause: Time | None = None  # the sleep in that loop, if there is one
    atomic: str = ""  # "pipeline" | "script" | "transaction": the step it is part of
    transaction: bool = False  # inside a database transaction
    commits_alone: bool = False  # its connection was told to commit each statement
    ephemeral: bool | None = None  # bound to a session or lease; None: not known or not applicable
    ttl: Time | None = None
    compares: tuple[tuple[str, str], ...] = ()  # columns that a change of rows is limited by, with how: "=", "in", "is", "!=", or "<" for every order
    writes: tuple[tuple[str, str], ...] = ()  # columns that it gives a value: "=", "+=" where that is counted on, "null" where it is none
    token: bool = False  # a fencing token or version that was read flows into it
    row_lock: Place | None = None  # the query that it builds or runs locks its rows: where that was said
    reads_back: Place | None = None  # the value written was computed from what was read here, same record
    through: tuple[str, ...] = ()  # names that hold what that read gave, or what was computed from it
    is_counted: bool = False  # to what is written a number was added, or taken away from it
    adds: bool = False  # and is the number that was read, more or less something
    changes: bool = False  # and what was read is seen to be changed on the way, not only handed on
    is_checked: bool = False  # a comparison of what was read decides on the way whether it is written at all
    absent: Place | None = None  # it is done because this look-up found nothing there
    refuses: tuple[tuple[str, ...], ...] = ()  # of a look at a key: for each branch that turns the caller away, the values that lead there; "*": any
    on_error: bool = False  # of a write or a release: made in a `finally` or in a handler
    notes: tuple[Place, ...] = ()  # it writes what a call gave that was made because nothing was found at its key: the look-up and the call
    unwatched: Place | None = None  # of a write in a transaction: the WATCH before it was given up here, or began here, after the value was read
    made_good: Place | None = None  # of a read of a cache: what is asked or made elsewhere, here, because it found nothing
    room: Place | None = None  # how many there are under its key was counted here, and a bound let it through
    read_each: Place | None = None  # of a listing: its entries are read one by one here
    sought: bool = False  # and held against something, to find one
    vetted: tuple[str, ...] = ()  # of those that fill its key: names that only pass when a known set has them
    drawn: tuple[str, ...] = ()  # of those that fill its key: names that hold a new id each time
    presence: bool = False  # of a listing: its function answers by yes or no, whether there is anything
    brought: Place | None = None  # a part of its key comes with a request or message: where a handler takes it out
    keeps: tuple[str, ...] = ()  # fields of its own object that a method writes down with it: "self.name"
    receiver: str = ""  # the object as written, "self._zk"
    client: Place | None = None  # where the client was made
    guessed: bool = False  # what it is asked of is known only by what it is asked: no type says it
    in_test: bool = False
    is_async: bool = False
    refusal: str = ""  # what its script answers where a test in it keeps it from changing anything: "-1"
    only_told: bool = False  # and that is only logged, or put into what somebody outside reads
    via: tuple[str, ...] = ()  # wrappers between the caller and the library call, outermost first
    named_at: Place | None = None  # behind wrappers: the call that says most of the key's words
    kept: Place | None = None  # an object that was read writes itself: the call in its class that names the key
    role: str | None = None  # what it is used for, judged over the whole project; None: it is no use of coordination
    meant: tuple[str, ...] = ()  # what a key without words of its own is elsewhere: as callers pass it, as it was listed

    def argument(self, name: str) -> Argument | None:
        """The argument bound to this parameter, if it was passed."""
        return next((a for a in self.arguments if a.name == name), None)

    @property
    def stores(self) -> bool:
        """Whether it leaves a value under a key of a store: a plain, creating or conditional write, alone or in a transaction."""
        if self.op is Op.TRANSACTION_STEP:
            return self.late not in (Late.READ, Late.CONDITIONAL, Late.DELETE)
        return self.op in (Op.WRITE, Op.CREATE, Op.CAS)

    @property
    def harmful_late(self) -> bool:
        """Done late or twice, it destroys or repeats something."""
        return self.late in HARMFUL

    @property
    def ensures(self) -> bool:
        """Whether it makes a row where there is none: two at a time get the same one, and nothing else is decided by it."""
        return self.call.endswith("get_or_create")

    @property
    def is_configuration(self) -> bool:
        """Whether its key, or else the function around it, names configuration."""
        return bool((self.key_words or self.symbol_words) & _SETTINGS)

    @property
    def takes_all_below(self) -> bool:
        """Whether a delete removes the keys below its own as well."""
        asked = [a for name in ("recurse", "recursive") if (a := self.argument(name)) is not None]
        return any(a.value is True for a in asked) or self.call.rpartition(".")[2] in ("delete_prefix", "delete_range")

    @property
    def counts(self) -> bool:
        """Whether it writes back a number that was computed from the one read: `set(key, int(get(key)) + 1)`.

        Known by the written value, or by what the variable in it was computed from.
        """
        if self.reads_back is None or self.adds:
            return self.adds
        value = self.argument("value") or self.argument("val") or self.argument("data")
        written = value.text if value is not None else ""
        return (self.is_counted and self.backend not in _QUORUM) or any(sign in written for sign in (" + ", " - ", "+1", "-1"))

    @property
    def key_words(self) -> frozenset[str]:
        """Words in the fixed parts of the key: "/users/{user.id}/mail" -> {"user", "mail"}."""
        return words(fixed(self.key_text or self.key or ""))

    @property
    def fillers(self) -> tuple[str, ...]:
        """What fills the holes of the key, as written: "/users/{user.id}" -> ("user.id",)."""
        return holes(self.key_text or self.key or "")

    @property
    def symbol_words(self) -> frozenset[str]:
        """Words in the name of the enclosing function and, for a method, of its class."""
        return words(".".join(self.symbol.split(".")[-2:]))

    @property
    def origin(self) -> tuple[tuple[Place, str], ...]:
        """Evidence of what is talked to: where the client was made, as far as is known."""
        return ((self.client, f"the {self.backend} client is made here"),) if self.client else ()


class Lock(msgspec.Struct, frozen=True):
    """A lock as the code builds it."""

    type: str  # canonical type, "redis.lock.Lock"; "redis SET NX" for one made by hand
    model: LockModel
    library: str
    backend: str
    key: str | None  # normalised: "acct:{}"
    key_text: str
    lifetime: Time  # how long it is held without renewal; "never" means that it does not expire
    wait: Time  # how long an acquire waits; "never" means without limit
    blocking: bool | None
    made: Place  # the library call that builds or takes it
    via: tuple[str, ...] = ()  # wrapper functions or classes between the caller and the library, outermost first
    by_hand: bool = False  # SET NX, setnx, cache.add, kv put: no library checks owner or expiry
    topology: str = ""  # sentinel | cluster | proxy
    identity: str = ""  # equal for two places that take the same lock, as far as is known
    masters: int | None = None  # Redlock: how many servers it spans

    @property
    def shared(self) -> bool:
        """Whether several hold it at a time: a semaphore of more than one, the reading side of a lock."""
        return self.model.kind in ("semaphore", "read-lock")

    @property
    def offers_token(self) -> bool:
        """Whether the library can give a fencing token at all."""
        return bool(self.model.token)


class Release(msgspec.Struct, frozen=True):
    """Where and how a section ends. How: "library" | "with" | "delete" | "compare-and-delete" |
    "timed-delete" (only while the clock says that the lease still runs)."""

    place: Place
    how: str
    on_error: bool  # runs also when an exception passes (finally, with)
    only_on_error: bool = False  # stands in an exception handler: after a success the key stays
    deed: Place | None = None  # the library's call, where `place` is the call of a wrapper around it
    empty: tuple[str, ...] = ()  # names that hold nothing where it stands, as a test around it says
    chosen: bool = False  # behind a condition that says nothing of the lock: where it does not hold, the lock stays too


class Freed(msgspec.Struct, frozen=True):
    """A key that one function deletes through another, which gets its name: maybe a lock that a third one took."""

    place: Place  # of the call
    symbol: str  # of the function around it
    key: str
    key_text: str
    deed: Place  # the library's delete
    given: str = ""  # the name, as written: "lock_key"


class Effect(msgspec.Struct, frozen=True):
    """An operation that happens inside a section, directly or through calls."""

    operation: Operation
    chain: tuple[Place, ...] = ()  # the call sites from the section to the operation, outermost first
    token: bool = False  # a token of this section's lock reaches it
    conditional: str = ""
    each: Place | None = None  # the loop in the section, here or on the way, that does it for things of unknown number, or without an end of its own
    is_sure: bool = True  # no call on the way has several functions that it may mean
    renewed: bool = False  # a function on the way, or the one that does it, renews the lease

    @property
    def place(self) -> Place:
        """Where the effect stands."""
        return self.operation.place

    @property
    def harmful_when_late(self) -> bool:
        """A stale holder that performs it late destroys or repeats something."""
        return self.operation.harmful_late


class Point(msgspec.Struct, frozen=True):
    """One piece of evidence for correctness (positive) or performance (negative)."""

    points: int
    reason: str
    place: Place | None = None


class Purpose(msgspec.Struct, frozen=True):
    """Why a lock is held: "correctness", "performance" or "unknown", with the evidence and a declared intent."""

    kind: str
    points: tuple[Point, ...] = ()
    declared: str = ""

    @property
    def score(self) -> int:
        """The sum of all points; four or more means correctness, minus three or less performance."""
        return sum(p.points for p in self.points)


class Entry(msgspec.Struct, frozen=True):
    """A function that something outside calls.

    Kind: http | task | periodic | consumer | command | main | startup (once, when a process begins) | signal (whoever sends it) |
    interrupt (a signal of the operating system) | test.
    """

    symbol: str
    kind: str
    place: Place
    reason: str  # what says so: "@app.route", "class Command(BaseCommand)"
    route: str = ""  # of an HTTP handler, where a decorator or a table says it: "/healthz"


class Section(msgspec.Struct, frozen=True):
    """A critical section: from an acquire to its release, with what happens in between."""

    lock: Lock
    symbol: str
    acquired: Place
    how: str  # with | acquire | decorator | callback | row-lock
    blocking: bool | None
    wait: Time
    can_fail: bool | None  # the acquire can end without the lock and say so only by its result
    tested: bool | None  # that result decides what happens; None when can_fail is not true
    on_busy: OnBusy  # what the library does when the lock cannot be had
    skips_when_busy: bool  # a failed acquire returns, continues or passes: try-and-skip work
    raises_when_busy: bool  # a failed acquire raises
    releases: tuple[Release, ...] = ()
    escapes: bool = False  # the lock is returned, stored or handed on: released elsewhere
    effects: tuple[Effect, ...] = ()
    reads: tuple[Effect, ...] = ()
    row_locks: tuple[Effect, ...] = ()  # queries inside that lock the rows they read
    token_taken: Place | None = None  # where a fencing token of this lock is obtained
    checked: tuple[Place, ...] = ()  # where ownership is re-checked
    extended: tuple[Place, ...] = ()  # where the lease is renewed by hand
    renewals: tuple[Place, ...] = ()  # and where functions that are called inside do
    unresolved: tuple[Place, ...] = ()  # calls inside whose effects are not known
    laps: tuple[Place, ...] = ()  # loops inside, over things of unknown number or without an end, around calls that nobody knows
    rests: tuple[tuple[Place, float], ...] = ()  # where its work sleeps, and how many seconds in all: where that is known
    shares_fate: bool = False  # the lock and every write end with the same database transaction
    transaction: bool = False
    nested: tuple[Place, ...] = ()  # where further locks are taken while this one is held, through calls as well
    purpose: Purpose = Purpose("unknown")
    loop: str = ""
    in_test: bool = False
    is_async: bool = False
    bound_use: Place | None = None  # where an attribute is asked of the name that `with lock as name` binds
    without: Place | None = None  # where a wrapper goes on to its work although it was refused, and nobody asks
    again: Place | None = None  # where its function calls itself inside, and takes the lock once more

    @property
    def path(self) -> str:
        """The file of the acquire."""
        return self.acquired.path

    def asks_before(self, effect: Effect) -> bool:
        """Whether ownership is asked for again on the way to an effect: it narrows the window, and does not close it."""
        at = effect.chain[0] if effect.chain else effect.place
        return any(c.path == at.path and c.line < at.line for c in self.checked)


class Use(msgspec.Struct, frozen=True):
    """A use of coordination, as `inventory` lists it: at the library call, and at each call of a wrapper."""

    place: Place
    role: str
    backend: str
    library: str
    symbol: str
    resource: str | None
    options: tuple[tuple[str, str], ...] = ()
    via: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    confidence: str = "high"


class Suggestion(msgspec.Struct, frozen=True):
    """A wrapper that could not be followed, and what a models file would say of it: lines of YAML under `types` and `calls`."""

    place: Place
    name: str  # dotted, as it is imported
    kind: str  # lock | election
    reason: str
    called: tuple[Place, ...]
    types: tuple[str, ...]
    calls: tuple[str, ...]


class Served(msgspec.Struct, frozen=True):
    """A module of the project whose application a program serves in several processes."""

    place: Place  # of the call that starts the server
    module: str
    workers: int  # the most that the program says
    told: Place  # where the number is written


class Untaken(msgspec.Struct, frozen=True):
    """A lock that a function makes and only asks about and gives back, or that the `and` of a `with` leaves out."""

    place: Place
    symbol: str
    name: str  # as written
    shown: Place  # where it is given back, or where it stands beside the other
    between: str = ""  # "and" | "or"
    in_test: bool = False
    freer: str = ""  # of an object of the project: the method that gives it back


class Client(msgspec.Struct, frozen=True):
    """Where a client of a coordinator or store is made."""

    place: Place
    symbol: str
    type: str
    library: str
    backend: str
    topology: str
    arguments: tuple[Argument, ...]
    timeouts: tuple[Argument, ...]  # those arguments that bound a round trip
    listeners: tuple[Place, ...] = ()  # session listeners registered on it, anywhere
    listens_for: tuple[str, ...] = ()  # states that a listener tests: "LOST", "SUSPENDED"
    unheard: Place | None = None  # the first of its listeners, where all of them keep to themselves what they hear
    at_import: bool = False
    hosts: str | None = None
    in_test: bool = False
    pool: Place | None = None  # where the connections that it was given are made; None: it makes its own, or nobody knows


class Multiplied(msgspec.Struct, frozen=True):
    """A class or function of the project that a launcher runs in several processes."""

    place: Place  # the launch
    symbol: str
    told: str  # how many, as written: "workers=CONF.workers"


class FunctionInfo(msgspec.Struct, frozen=True):
    """A function of the project."""

    symbol: str
    place: Place
    end_line: int
    is_async: bool
    in_test: bool
    decorators: tuple[str, ...]
    class_name: str = ""
    followed: tuple[str, ...] = ()  # those of its decorators that the project defines, and that call it in sight
    shield: tuple[Guard, ...] = ()  # the handlers that they have around every call of it
    kept: Place | None = None  # where it gives back what an earlier call kept in the process, before it asks anybody
    made_once: tuple[str, ...] = ()  # what outlives it and is made by its first call, as a test says: "_zk", "self.client"
