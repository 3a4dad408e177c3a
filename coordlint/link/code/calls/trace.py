"""What a walk over a function leaves behind: its calls in order, and the locks held around them."""

from __future__ import annotations

from dataclasses import dataclass, field

from coordlint import ir
from coordlint.coordination import Guard, Lock, Operation, Outcome, Release, Time
from coordlint.link.code.calls.meaning import Meaning
from coordlint.link.code.evaluation.values import Arg, FunctionRef, Parameter, Pattern, Value
from coordlint.link.code.flow.usage import names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.source import Place

NONE = " is None"
"""Behind the name of a parameter: not its truth decides, but whether it is None."""


@dataclass(slots=True, eq=False)
class Draft:
    """A critical section while it is being walked."""

    lock: Lock
    subject: Value  # the value that is the lock, for substitution in callers and to match a release
    written: str  # the lock as the code writes it, "self._lock"
    acquired: Place
    how: str
    scope: Scope
    args: tuple[Arg, ...] = ()  # of the acquire
    meaning: Meaning | None = None  # of the acquire; None for `with` and decorators
    owner: Value | None = None  # the client, for a lock made by hand
    names: set[str] = field(default_factory=set)  # variables that hold the acquire's result
    is_denial: bool = False  # a true result means that the lock was not had: `busy = not lock.acquire()`
    can_fail: bool | None = None
    tested: bool = False
    skips: bool = False
    raises_when_busy: bool = False
    steps: list[Step] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    checked: list[Place] = field(default_factory=list)
    extended: list[Place] = field(default_factory=list)
    token_names: set[str] = field(default_factory=set)
    token_taken: Place | None = None
    escapes: bool = False
    is_returned: bool = False  # the lock itself: its callers can ask it whether it is held
    transaction: bool = False
    loop: str = ""
    is_raw: bool = False
    is_used: bool = False  # the acquire's result is stored or passed on, and not tested
    given: tuple[tuple[str, bool], ...] = ()  # parameters of its function whose truth decides that it is taken
    is_left: bool = False  # still held where the function can end
    does_work: bool = False  # its function works under it, and so is more than a way to take it
    provisional: bool = False  # taken by a called function for its own work: a section here only if it is given back here
    bound_use: Place | None = None  # where an attribute is asked of the name that `with lock as name` binds
    within: tuple[Draft, ...] = ()  # what was held when it was taken
    limit: Place | None = None  # where it is said how long anything may wait that is waited for around here
    without: Place | None = None  # what its wrapper comes to also where it was refused: the yield, the call, the end of `__enter__`


@dataclass(slots=True, frozen=True, eq=False)
class Asked:
    """A request over HTTP of which only the callers of its function say where it goes."""

    callee: Value
    args: tuple[Arg, ...]  # of the library's call, with the parameters of the function in them
    guards: tuple[Guard, ...]
    via: tuple[str, ...]  # functions between the library and here


@dataclass(slots=True, eq=False)
class Step:
    """One call, in the order in which calls happen."""

    place: Place
    call: ir.Call
    operation: Operation | None = None
    aside: Operation | None = None  # the same, where it is told at the callers, who say what it is done with
    passed: Place | None = None  # where the operation stands inside of the function that is called, and told here
    functions: tuple[FunctionRef, ...] = ()
    called: int = 0  # how many of `functions` are what is called; the others are passed to be called
    args: tuple[Arg, ...] = ()  # by the parameters of the first of `functions`
    asks: tuple[Asked, ...] = ()  # requests whose path or method the callers say
    parameter: Parameter | None = None  # the callee is what a caller passed
    guards: tuple[Guard, ...] = ()
    loop: str = ""
    each: Place | None = None  # the loop over things of unknown number that stands around it
    pause: Time | None = None  # the sleep in the loop around it
    limit: Place | None = None  # what ends the wait for it: `wait_for(f(), 5)`, `async with timeout(5)`
    inside: tuple[Draft, ...] = ()  # what is held around it, and excludes others or only bounds how many they are
    outcome: Outcome = Outcome.USED
    ignored: bool = False  # a statement of its own: what it answers is thrown away
    unresolved: bool = False
    transaction: bool = False  # inside a database transaction that this function opens
    deferred: bool = False  # started elsewhere (a thread, a task): not inside what is held here
    given: tuple[tuple[str, bool], ...] = ()  # parameters of its function whose truth decides that it happens
    key: Pattern | None = None  # the operation's resource, with the holes that parameters fill still open
    is_wrapped: bool = False  # the callee takes, gives or releases a lock or a client for the caller

    @property
    def held(self) -> tuple[Draft, ...]:
        """The locks around it that keep everybody else out: a semaphore of several permits does not."""
        return tuple(d for d in self.inside if d.lock.model.kind != "semaphore")

    @property
    def mentions(self) -> set[str]:
        """Names and dotted names that occur in the call."""
        return names_in(self.call)


@dataclass(slots=True, eq=False)
class Loose:
    """A release of a lock that was not taken in the same function."""

    subject: Value
    written: str
    place: Place
    how: str
    on_error: bool
    deed: Place  # the library's call behind all wrappers
    backend: str = ""  # of a key that is deleted: the store that it was in
    given: str = ""  # what a wrapper is given first, as written: "lock_key"


@dataclass(slots=True, eq=False)
class Trace:
    """The walk over one function."""

    scope: Scope
    steps: list[Step] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    left: list[Draft] = field(default_factory=list)  # still held at the end
    at_yield: list[Draft] = field(default_factory=list)  # held while a generator is suspended
    loose: list[Loose] = field(default_factory=list)
    gives_result: bool = False  # the return value tells whether a lock was obtained
    yields_in_transaction: bool = False
    guards_at_yield: tuple[Guard, ...] = ()  # a generator context manager's handlers see what its body raises
    saves: list[tuple[Place, str]] | None = None  # calls that store, with the record they are about; None before somebody asks
    complete: bool = True
