"""The roles of all calls of a project, judged together.

Some calls say it themselves: an acquire, an election. Of the others, reads and writes of keys, a role is judged from what all calls on
the same resource show together, the surest evidence first: what the resource is (it ends with its session, it is popped from, it is
counted up), what its key says, the abstraction in which its calls live, the functions that make them, their neighbours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from coordlint.coordination import Operation
from coordlint.link.code.calls.resource import (
    Resource,
    Site,
    abstraction,
    class_name,
    function_name,
    is_plumbing,
    is_text_of_script,
    resource,
    says_something,
    site,
)
from coordlint.link.code.flow.vocabulary import QUORUM, by_words, is_leading
from coordlint.link.code.purposes.evidence import (
    PURPOSES,
    is_entry,
    is_kept,
    is_log,
    is_no_lock,
    is_of_people,
    is_presence,
    is_signal,
    of_class,
    of_function,
    of_key,
    of_mark,
    of_module,
    of_names,
    of_structure,
    of_weak_words,
    queues,
)
from coordlint.link.code.purposes.presences import around_members
from coordlint.link.code.purposes.role import default, is_use, said_by_itself
from coordlint.models.schema import Op
from coordlint.wording import fixed, words

_BEHIND = {  # what a wrapper is for, and what it may be for in a caller's hands; what is kept nowhere else is in no cache
    "cache": frozenset(("session", "rate-limit", "job-queue", "semaphore", "leader-election", "lock", "data-store", "membership")),
    "counter": frozenset(("rate-limit", "metrics")),
}
_CHANGES = (Op.DELETE, Op.INCREMENT, Op.SET_ADD, Op.ACQUIRE, Op.TRANSACTION, Op.TRANSACTION_STEP, Op.SCRIPT, Op.QUEUE_PUT, Op.QUEUE_GET, Op.QUEUE_ACK)
_IS_CHANGED = ("job-queue", "rate-limit", "session", "cache", "metrics", "counter", "data-store")  # by those who use it
_LEASES = (Op.LEASE, Op.KEEPALIVE, Op.REVOKE)
_SHARE = {"lock": 2, "config": 5}  # one in so many functions has to say so: who takes a lock, or configures, may look at what it is for
_HELD = ("leader-election", "lock", "semaphore", "service-discovery")  # what else ends with its session, or names its holder
Evidence = Callable[[Operation], "str | None"]


def role_of(operation: Operation) -> str | None:
    """What a call is used for, as judged over its project, or alone where it is none of it; None when it is no use of coordination."""
    if operation.role is None and is_use(operation):
        return Roles((operation,)).of(operation)
    return operation.role


def as_called(operation: Operation, symbol: str) -> str | None:
    """What a call of a wrapper is for: its caller may be who is elected with it."""
    if operation.role in ("lock", "membership") and by_words(".".join(symbol.split(".")[-2:]), "") == "leader-election":
        return "leader-election"
    return operation.role


class Roles:
    """The roles of all calls of a project, judged together: one resource has one role."""

    def __init__(self, operations: Iterable[Operation], behind: Mapping[Site, str] | None = None) -> None:
        self._behind = behind or {}  # of calls of wrappers, what the wrapper is for by itself
        self._uses = [o for o in operations if is_use(o)]
        self._told: dict[Site, str] = {}
        self._groups: dict[Resource, list[Operation]] = defaultdict(list)
        self._functions: dict[str, list[Operation]] = defaultdict(list)
        self._classes: dict[str, list[Operation]] = defaultdict(list)
        self._backends: dict[str, list[Operation]] = defaultdict(list)
        self._queueing = {o.backend for o in self._uses if queues(o)}
        for o in self._uses:
            self._groups[resource(o)].append(o)
            self._functions[o.symbol].append(o)
            self._classes[abstraction(o)].append(o)
            self._backends[o.backend].append(o)
        self._of_people = {site(o) for members in self._groups.values() if is_of_people(members) for o in members}
        self._judge()

    def of(self, operation: Operation) -> str | None:
        """What a call is used for; None when it is no use of coordination."""
        return self._told.get(site(operation)) if is_use(operation) else None

    # -- the order of judgement --------------------------------------------------------------------------------------

    def _judge(self) -> None:
        for members in self._groups.values():
            self._of_resource(members)
        self._tell({site(o): role for o, role in around_members(self._uses, self._told) if self._is_open(o)})
        self._by(self._of_what_was_listed)
        self._by_resource(of_class)
        self._by_resource(of_function)
        self._by(of_module)
        for members in self._functions.values():
            self._by_reading_through(members)
        self._by_neighbours(self._functions, lambda o: not says_something(o))
        for belonging in (self._classes, self._backends):
            self._by_neighbours(belonging, lambda o: (not words(fixed(o.key_text)) and not o.meant) or is_text_of_script(o))
        for members in self._groups.values():
            self._by_weak_words(members)
        for members in self._groups.values():
            role = default(members, self._classes[abstraction(members[0])])
            for o in members:
                self._told.setdefault(site(o), self._behind.get(site(o), role))
        for backend in sorted(QUORUM & self._backends.keys()):
            self._only_read(self._backends[backend])
        for members in self._functions.values():
            self._plumbing(members)
            self._leases(members)

    def _by(self, evidence: Evidence) -> None:
        self._tell({site(o): role for o in self._uses if self._is_open(o) and (role := evidence(o)) is not None})

    def _by_resource(self, evidence: Evidence) -> None:
        for members in self._groups.values():
            left = [o for o in members if self._is_open(o)]
            votes = {(o.symbol, evidence(o)) for o in left}
            role = most(votes)
            if role in _SHARE and _SHARE[role] * sum(told == role for _, told in votes) < len(votes):
                role = None
            self._tell({site(o): role for o in left if role is not None})

    def _tell(self, roles: Mapping[Site, str]) -> None:
        self._told.update((s, role) for s, role in roles.items() if self._may_be(s, role))

    def _may_be(self, s: Site, role: str) -> bool:
        if role == "session" and s not in self._of_people:
            return False  # of a worker, of a chat: any record
        return role in _BEHIND.get(self._behind.get(s, ""), (role,))

    def _is_open(self, o: Operation) -> bool:
        return site(o) not in self._told and not is_plumbing(o)

    # -- what all calls on one resource show -------------------------------------------------------------------------

    def _of_resource(self, members: list[Operation]) -> None:
        """By what it is, what its key says, and what the variables that hold its key are called."""
        key = most({(o.symbol, of_key(o, members)) for o in members})
        if key == "cache" and is_log(members):
            key = "data-store"
        if key == "lock" and is_no_lock(members):
            key = None
        known = "watch" if is_signal(members) else key
        names = of_structure(members) or ("data-store" if key is None and is_kept(members) else None) or most({(o.symbol, of_names(o)) for o in members})
        alike: dict[str, list[Operation]] = defaultdict(list)
        for o in members:
            alike[o.key_text].append(o)
        renewed = any(o.op in (Op.EXPIRE, Op.EXTEND) for o in members)
        is_taken = any(o.op is Op.ACQUIRE for o in members) and is_presence(members)
        for same in alike.values():
            role = known or of_mark(same) or of_structure(same) or names
            here = "membership" if (is_presence(same) or is_taken) and key not in _HELD else role
            for o in same:
                if here == "lock" and (of_class(o) == "leader-election" or is_leading(said_around(o), renewed)):
                    here = "leader-election"
                said = said_by_itself(o, here) or here
                if said is not None and not is_plumbing(o):
                    self._tell({site(o): said})

    def _of_what_was_listed(self, operation: Operation) -> str | None:
        """A key that comes from a listing is of the kind that was listed: `for key in store.keys("*:queue"): store.delete(key)`."""
        if operation.key is not None:
            return None
        listed = [o for o in self._functions[operation.symbol] if o.op is Op.LIST and o.place < operation.place and site(o) in self._told]
        return self._told[site(listed[-1])] if listed else None

    def _by_reading_through(self, members: list[Operation]) -> None:
        """A function that reads, and writes what it did not find for a while, keeps a cache."""
        left = [o for o in members if self._is_open(o) and o.backend not in QUORUM]
        if any(o.op not in (Op.READ, Op.WRITE, Op.EXPIRE) for o in left):
            return
        expires = any(o.op is Op.EXPIRE or (o.ttl is not None and o.ttl.kind == "seconds") for o in left)
        if expires and any(o.op is Op.READ for o in left) and any(o.op is Op.WRITE for o in left):
            self._tell({site(o): "cache" for o in left})

    def _by_weak_words(self, members: list[Operation]) -> None:
        """A word that means something else as often counts where what is done fits: work waits where something is a queue, who is there expires."""
        made: dict[Site, str] = {}
        for o in members:
            role = of_weak_words(o) if self._is_open(o) else None
            if role == "job-queue" and o.backend not in QUORUM and o.backend not in self._queueing:
                role = None
            if role == "membership" and o.backend not in QUORUM and not any(is_entry(m) for m in members):
                role = None
            if role is not None:
                made[site(o)] = role
        self._tell(made)

    def _by_neighbours(self, belonging: dict[str, list[Operation]], is_silent: Callable[[Operation], bool]) -> None:
        """What nothing else is known of serves what nearly all calls around it serve."""
        made: dict[Site, str] = {}
        for members in belonging.values():
            known = [role for o in members if (role := self._told.get(site(o))) not in (None, "client", "watch", "occ", "lock")]
            purposes = Counter(role for role in known if role in PURPOSES)
            role = min(purposes, key=lambda r: (-purposes[r], r), default="")
            silent = [o for o in members if self._is_open(o) and is_silent(o) and site(o) not in self._behind]
            if role and 3 * purposes[role] >= 2 * len(known):
                made.update({site(o): role for o in silent})
        self._tell(made)
        for members in self._groups.values():
            role = most({(o.symbol, made.get(site(o))) for o in members})
            self._tell({site(o): role for o in members if role is not None and self._is_open(o)})

    def _only_read(self, members: list[Operation]) -> None:
        """Single keys of a quorum store in which the program changes nothing: the key `queue` says what a queue is called, and is none."""
        if any(o.stores or o.op in _CHANGES for o in members):
            return
        for o in members:
            keys, told = (*o.meant,) or (o.key or "{}",), self._told.get(site(o))
            if o.op is not Op.READ or told not in _IS_CHANGED or any("{" in key for key in keys):
                continue
            if told == "data-store" or all(by_words(key.rpartition("/")[2], o.backend) == told for key in keys):  # what lies below a queue is in it
                self._told[site(o)] = "config"

    def _plumbing(self, members: list[Operation]) -> None:
        """A pipeline is for what goes through it; one whose keys are watched is a check before a set."""
        for i, o in enumerate(members):
            if is_plumbing(o):
                after = [m for m in members[i + 1 :] if not is_plumbing(m) and (m.atomic == "pipeline" or m.receiver != o.receiver)]
                told = [self._told[site(m)] for m in after if self._told.get(site(m), "client") != "client"]
                self._told[site(o)] = told[0] if told else of_class(o) or of_function(o) or of_module(o) or "data-store"


    def _leases(self, members: list[Operation]) -> None:
        """A lease is for what is kept under it: of itself it only says who is there."""
        kept = {self._told[site(o)] for o in members if o.stores and o.argument("lease") is not None}
        if len(kept) == 1 and (role := kept.pop()) not in ("client", "occ", "watch"):
            self._told.update((site(o), role) for o in members if o.op in _LEASES and self._told.get(site(o)) == "membership")


def said_around(o: Operation) -> str:
    """What a lock's key and function are called, and its class where it has one lock, not one for each of many."""
    return f"{fixed(o.key_text)} {function_name(o)} {'' if o.fillers else class_name(o)}"


def most(votes: set[tuple[str, str | None]]) -> str | None:
    """What most functions say; of equals the more telling word, by the alphabet of roles."""
    counted = Counter(role for _, role in votes if role is not None)
    return min(counted, key=lambda role: (-counted[role], role != "lock", role)) if counted else None
