"""What the linker hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coordlint.contention import (
    Chosen,
    Creation,
    Foreseen,
    Hushed,
    Led,
    Misread,
    Missed,
    Mutation,
    Refused,
    Restated,
    Rework,
    Rewrite,
    RowOrder,
    Swap,
    Sweep,
)
from coordlint.coordination import (
    Client,
    Entry,
    Freed,
    FunctionInfo,
    Guard,
    Multiplied,
    Operation,
    Section,
    Served,
    Suggestion,
    Time,
    Untaken,
    Use,
)
from coordlint.deployment import Deployment
from coordlint.facts import Requirement, Suppression
from coordlint.retry import DefaultLimit, Retry
from coordlint.source import Place, Skip


@dataclass(frozen=True)
class World:
    """What the linker knows, before anybody asks. Calls are (caller, callee, call site) triples."""

    functions: Mapping[str, FunctionInfo] = field(default_factory=dict)
    operations: tuple[Operation, ...] = ()
    carried: tuple[Operation, ...] = ()  # what calls of the project's functions do to a record that their caller also reads or writes
    named: tuple[Operation, ...] = ()  # what calls of the project's general wrappers do, where the key is named
    answered: tuple[Operation, ...] = ()  # what calls of the project's functions write on condition, and answer whether they could
    sections: tuple[Section, ...] = ()
    clients: tuple[Client, ...] = ()
    untaken: tuple[Untaken, ...] = ()
    served: tuple[Served, ...] = ()
    mutations: tuple[Mutation, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    creations: tuple[Creation, ...] = ()
    reworks: tuple[Rework, ...] = ()
    guarded: Mapping[Place, tuple[Place, str]] = field(default_factory=dict)
    foreseen: tuple[Foreseen, ...] = ()
    missed: tuple[Missed, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    row_orders: tuple[RowOrder, ...] = ()
    swaps: tuple[Swap, ...] = ()
    led: tuple[Led, ...] = ()
    hushed: tuple[Hushed, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    unread: frozenset[Place] = frozenset()  # acquires whose answer is kept where nobody reads it
    misread: tuple[Misread, ...] = ()
    multiplied: tuple[Multiplied, ...] = ()  # what the program itself starts several times
    in_transaction: frozenset[Place] = frozenset()  # calls of the project's functions that stand in a database transaction
    freed: tuple[Freed, ...] = ()
    in_section: frozenset[Place] = frozenset()  # calls of the project's functions that stand in a critical section
    uses: tuple[Use, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    entries: tuple[Entry, ...] = ()
    calls: tuple[tuple[str, str, Place], ...] = ()
    handed: frozenset[tuple[str, Place]] = frozenset()  # functions that are passed at a call, and not what is called
    call_guards: Mapping[Place, tuple[Guard, ...]] = field(default_factory=dict)
    started: frozenset[tuple[str, Place]] = frozenset()  # functions that a call starts beside its own: threads, tasks
    watched: frozenset[Place] = frozenset()  # calls that start a thread or task of which somebody hears how it ends
    kept_up: Mapping[Place, Place] = field(default_factory=dict)  # calls that a loop repeats which has no end but that it is told to stop, with the loop
    refused: tuple[Refused, ...] = ()
    restated: tuple[Restated, ...] = ()
    blocking: frozenset[Place] = frozenset()  # calls that a coroutine makes in the thread of its loop
    naps: tuple[tuple[str, Place, float], ...] = ()  # calls that sleep so many seconds, with their functions
    templated: frozenset[Place] = frozenset()  # calls of a library's constructor that runs methods of the class that is made
    limited: frozenset[Place] = frozenset()  # calls that something ends when they take too long: `wait_for`, `async with timeout(5)`
    default_limits: tuple[DefaultLimit, ...] = ()
    pauses: Mapping[Place, Time] = field(default_factory=dict)  # calls of the project's functions in loops, with the pause between two rounds
    looped: frozenset[Place] = frozenset()  # calls of the project's functions that a loop repeats
    laps: Mapping[Place, Place] = field(default_factory=dict)  # calls in loops over things of unknown number, with the loop
    states: Mapping[Place, frozenset[tuple[str, str, Place]]] = field(default_factory=dict)  # calls that are made only where a field of what a call gave has a value
    rushed: Mapping[Place, Place] = field(default_factory=dict)  # calls that are all that a loop does, with the loop
    retried: Mapping[Place, Retry] = field(default_factory=dict)  # calls that a loop makes again until they succeed
    retried_functions: Mapping[str, Retry] = field(default_factory=dict)  # functions that a decorator calls again
    unheeded: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)  # calls that throw away the yes or no of a taker
    modules: Mapping[str, str] = field(default_factory=dict)  # dotted module name -> path
    imports: tuple[tuple[str, str], ...] = ()  # importing module, imported module
    requirements: tuple[Requirement, ...] = ()
    deployment: Deployment = field(default_factory=Deployment)
    skips: tuple[Skip, ...] = ()
    python2: frozenset[str] = frozenset()
    unused_suppressions: tuple[tuple[Suppression, str], ...] = ()
    malformed_suppressions: tuple[tuple[Suppression, str], ...] = ()
