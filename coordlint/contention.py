"""What several at a time do, to the rows of one table or as the leader that there should be one of: nouns that the linker fills and rules ask for."""

from __future__ import annotations

import msgspec

from coordlint.retry import Retry
from coordlint.source import Place


class Move(msgspec.Struct, frozen=True):
    """What goes with a change of a record's state."""

    into: str  # the new state, in capitals and without the name of its enumeration: "DONE"
    old: tuple[str, ...] = ()  # the states that were asked for, as far as they are written out
    owner: str = ""  # a field that gets a name beside it: "worker"
    makes: tuple[tuple[Place, str], ...] = ()  # rows that are made on the same way, which nothing keeps unique, with their classes
    each: bool = False  # it happens to each row of a list
    begun: Place | None = None  # where the function sets it for the first time, on a way that goes on


class Mutation(msgspec.Struct, frozen=True):
    """`record.field = f(record.field)` on a stored record, and the save that follows it.

    Or a field that was found empty (`read`) and is given what was made for it (`written`): then `maker` is the call that made it.
    """

    place: Place
    symbol: str
    record: str  # as written: "account"
    type: str  # the record's class, qualified where known
    field: str
    read: Place
    written: Place
    versioned: bool  # a version or row lock protects it
    locked: tuple[str, ...]  # identities of the locks held
    arithmetic: bool
    in_test: bool = False
    maker: str = ""  # as written: "Payment.objects.create"
    made: str = ""  # what it made, where that is known: "Payment"
    since: bool = False  # what is added is the time since another field of the record: two at a time write the same
    progress: bool = False  # a loop counts on it, of which it was read before: how far its owner has come
    keeps_part: bool = False  # the field gets a name or number of what was made, and not the thing itself
    claimed: bool = False  # found empty, and given to somebody who was there before
    moved: bool = False  # found in one state, and put into another
    absorbed: bool = False  # a yes or no alone is written, which is the same whoever writes it first
    picked: bool = False  # any row in the old state was asked for: whoever asks at the same time gets the same
    own: bool = False  # a method counts in the row of its own object
    unread: bool = False  # nobody is seen to read that object before
    again: bool = False  # the function puts itself into a queue again: one chain of rounds, of which each waits for the one before
    ends: bool = False  # in the same step the record is given its last state, or the time of its end
    flag: bool = False  # the new state is a yes, or the time at which it was: `sent = True`, `paid_at = now()`
    text: bool = False  # what is added is a text: a note, a log
    left: int | None = None  # of a new state: the last line of the branch that it decides about
    until: tuple[Place, ...] = ()  # of a new state: the calls behind it that are made before it is saved
    ahead: tuple[Place, ...] = ()  # of a new state: the calls that are made between the look at the old one and the change
    move: Move | None = None  # of a new state: what goes with it


class RowOrder(msgspec.Struct, frozen=True):
    """Two related tables of which a transaction locks rows, in its order; by the names of their classes."""

    first: str
    second: str
    first_at: Place
    second_at: Place
    symbol: str  # of the function with the transaction
    said: bool  # the first is locked by SELECT ... FOR UPDATE
    is_upwards: bool  # a row of the first names one of the second


class Sweep(msgspec.Struct, frozen=True):
    """Rows that a loop counts up or down one by one, in the order of something that has none."""

    place: Place  # the update
    symbol: str
    over: str  # what the loop runs over, as written
    loop: Place
    transaction: bool  # this function keeps the rows locked until the loop is over
    in_test: bool = False


class Swap(msgspec.Struct, frozen=True):
    """A call of the project's own compare-and-swap, which is made again until it wins."""

    place: Place
    symbol: str
    call: str  # as written: "db.conditional_update"
    retry: Retry
    pauses: bool  # between the rounds


class Creation(msgspec.Struct, frozen=True):
    """A row that is made, or put into a state, because a query before it found no other, or not too many."""

    place: Place  # where it is stored
    symbol: str
    type: str  # the row's class, qualified
    look: Place
    asks: str  # the last step of the query: "exists", "get", "count"
    columns: tuple[str, ...]  # those that the query holds equal to something
    counts: bool  # the query counts: one more than allowed may be made
    refused: str | None  # the columns by which the database refuses a second one; "" where it does not, None where nobody knows
    guarded: bool  # the refusal is handled
    locked: tuple[str, ...]  # identities of the locks held around the query
    in_test: bool = False
    upsert: bool = False  # `get_or_create`, which is both
    state: str = ""  # the state that the row is put into, and that the query looked for: "status = 'SOLD'"
    table: bool = False  # statements of SQL look and make: `type` is the name of a table
    clashes: bool = False  # it is seen that the database refuses a second one, by columns that the query asks for
    before: tuple[Place, ...] = ()  # the calls that are made on every way from the query to the row
    answers: bool = False  # what the query finds is the function's answer, or is worked on: a replay
    spends: str = ""  # no row is made: this column is counted off, of which the look-up found enough
    overlaps: bool = False  # the query asks for rows that overlap: two columns are held against an order
    leaves: bool = False  # where the query finds one, the function ends: with that one, or with a refusal
    numbered: str = ""  # the column that gets the next number after the highest of those that the query saw


class Missed(msgspec.Struct, frozen=True):
    """A call of a function of the project that happens because another, of the same class or module and asked for the same thing, found nothing.

    Or, where `state` names an attribute: because an object that a function gave was not found in a state, into which the call puts it.
    """

    place: Place
    symbol: str
    look: Place
    asked: str  # as written: "Crew.find"
    finder: str  # the function that looks, qualified; "" where the library is asked by the function itself
    called: str  # as written: "Crew.open"
    maker: str  # the function that is called then
    subject: str  # what both are given, as written: "name"; or the object; "" where there is only one, that nobody has to name
    locked: tuple[str, ...]  # identities of the locks held
    state: str = ""
    in_test: bool = False


class Rework(msgspec.Struct, frozen=True):
    """What a function loads by one function of the project, and stores by another one of the same class or module."""

    place: Place  # where it is stored
    symbol: str
    look: Place  # where it was loaded
    loader: str
    saver: str
    in_test: bool = False


class Foreseen(msgspec.Struct, frozen=True):
    """What was known of a thing before its lock was taken, and is acted upon under the lock without a second look."""

    acquired: Place
    symbol: str
    how: str  # "state": tested, and set under the lock; "asked": whether it is there or done; "read": under the same lock, which was given back
    what: str  # as written: "note.sent", "self.exists()", "old"
    look: Place
    used: Place  # where it is acted upon
    in_test: bool = False


class Rewrite(msgspec.Struct, frozen=True):
    """A row that one function reads, changes and saves again."""

    place: Place  # the save
    symbol: str
    record: str  # as written: "order"
    type: str  # its class, qualified
    read: Place
    fields: tuple[str, ...]  # what the function means to change
    documents: tuple[str, ...]  # those of which it changes a part: `order.notes["sent"] = True`
    whole: bool  # all columns are written back as they were read
    locked: bool
    in_test: bool = False


class Restated(msgspec.Struct, frozen=True):
    """What a loop finds of each of several things, written down in every round of a loop without end, with nothing that asks whether it is new."""

    place: Place  # the call in the loop over the things
    symbol: str
    loop: Place
    write: Place  # the library's call
    way: tuple[Place, ...]  # the calls between them
    round: Place  # the call that the loop without end repeats
    keeper: Place  # that loop


class Led(msgspec.Struct, frozen=True):
    """A look at a flag that says that this process leads, and the calls that are made because it did."""

    place: Place
    symbol: str  # the function that looks
    told: str  # the test, as written: "node.is_leader"
    owners: frozenset[str]  # classes or modules whose lease the flag speaks of
    set_at: Place  # where it comes to say so
    calls: tuple[tuple[Place, Place | None], ...]  # with the loop around each that does not look again
    asked: frozenset[str]  # other functions that look at it
    timed: bool = False  # those who keep it hold a clock against something: it may end by itself


class Hushed(msgspec.Struct, frozen=True):
    """Where a renewal in a loop that failed is told from one that did not, and nobody who works under the lease hears of it."""

    place: Place
    symbol: str
    renewal: Place  # the call that prolongs
    callees: tuple[str, ...]  # the functions of the project that it calls
    flag: str  # the attribute that is cleared or set then, and that no worker reads; "" where it is only logged
    ends: bool  # the loop ends there


class Chosen(msgspec.Struct, frozen=True):
    """A test of what a call said that takes a lock or asks to lead."""

    symbol: str
    call: Place
    test: Place


class Misread(msgspec.Struct, frozen=True):
    """A time of a Lease that is a `datetime`, and is treated as text."""

    place: Place  # of the call that fails
    symbol: str  # of the function that reads the Lease
    look: Place
    handler: Place | None  # where the failure ends, None where it goes up
    answer: str  # what is answered then, as written: "True"; "" where that is not said


class Refused(msgspec.Struct, frozen=True):
    """A call that may be refused, and says so by its answer, which is thrown away."""

    place: Place
    symbol: str  # of the function around it
    called: str  # as written
    told: str  # what is asked: "job.status"
    test: Place  # where it is asked
    behind: tuple[Place, ...]  # the calls that are made afterwards all the same
