"""What single calls, and all calls on one resource, show of what it is for."""

from __future__ import annotations

import re

from coordlint.coordination import Operation, Outcome
from coordlint.link.code.calls.resource import (
    class_name,
    function_name,
    is_held,
    is_text_of_script,
    key_names,
    module_name,
)
from coordlint.link.code.flow.vocabulary import (
    QUORUM,
    by_head,
    by_key,
    by_weak_words,
    by_words,
    counts,
    sets_up,
)
from coordlint.models.schema import Op
from coordlint.wording import fixed, spelled, words

PURPOSES = ("cache", "session", "job-queue", "rate-limit", "metrics", "config")  # what a whole function or class may be for
_STANDING = ("leader-election", "lock", "membership")  # whoever holds these may be written down by name or host
_LOCKS = (Op.ACQUIRE, Op.RELEASE, Op.EXTEND, Op.CHECK, Op.FORCE_RELEASE, Op.MAKE_LOCK)
SHORT = 600  # seconds up to which what was just done is not done again; after that it is a note of what was done
_QUEUE_OPS = (Op.QUEUE_PUT, Op.QUEUE_GET, Op.QUEUE_ACK, Op.MAKE_QUEUE)
_OF_RECORDS = (Op.READ, Op.LIST, Op.WRITE, Op.DELETE)
_BY_TIME = ("zadd", "zpopmin", "zpopmax", "bzpopmin", "zrangebyscore", "xadd", "xreadgroup")
_OF_NUMBERS = ("get", "set", "setex", "exists", "delete", "unlink", "expire", "ttl", "incr", "incrby", "decr", "decrby", "getset", "getdel", "pipeline")
_ADDRESSES = re.compile(r"(^|[\W_])(ip|remote_?addr(ess)?|ip_?addr(ess)?)($|[\W_])", re.I)
_LIMITS = re.compile(r"_(limit|ban|block)(s|ed|ned)?_?key$", re.I)
_SERVICES = re.compile(r"\b(service|server)_?(name|id|addr(ess)?)\b", re.I)  # what fills a key that has no words of its own
_LAST_KIND = re.compile(r"\}([^{}]*)\{[^{}]*\}/?$")
_QUEUES = re.compile(r"(^|[._])queue(_?name)?$", re.I)  # "active:{queue}" is what one queue keeps
_HOLDS = re.compile(r"\b(reservation|reserved)\b")
_LOGINS = re.compile(r"\b(login|logon|password|auth\w*|failure|attempt)\b")
_PEOPLE = frozenset("user auth authentication authenticate login logout signin token cookie jwt jti sid oauth sso csrf web http request account password passport browser identity customer visitor".split())
_NOTHING = ("''", '""', "b''", 'b""', "None", "", "b")
_ITSELF = re.compile(r"hostname|\bhost\b|getpid|\bpid\b|\bfqdn\b|my_\w{0,40}id\b|\b(worker|instance|node|server|machine|process|consumer)_?(id|name)\b", re.I)


# -- one call ----------------------------------------------------------------------------------------------


def of_counting(o: Operation) -> str | None:
    key = by_words(fixed(o.key_text), o.backend) or by_weak_words(fixed(o.key_text))
    if key in ("rate-limit", "metrics"):
        return key
    if _ADDRESSES.search(" ".join(o.fillers)):
        return "rate-limit"  # what is counted by the address of who asks is counted to turn him away
    around = (by_words(class_name(o), ""), by_words(function_name(o), ""), by_words(module_name(o), ""))
    return "rate-limit" if "rate-limit" in around else None


def of_key(o: Operation, members: list[Operation]) -> str | None:
    if is_text_of_script(o):
        return None
    said = fixed(o.key_text)
    if o.meant and not words(said) and of_class(o) is None and of_function(o) is None:
        told = {by_key(fixed(text), o.backend) for text in o.meant}
        return told.pop() if len(told) == 1 else None
    role = by_key(said, o.backend)
    if o.backend in QUORUM and not words(said) and any(_SERVICES.search(filler) for filler in o.fillers):
        return "service-discovery"
    if role in ("membership", "service-discovery") and by_words(said, "") is None and _belongs(o):
        return None
    if o.backend in QUORUM and sets_up(said) and role not in _STANDING and all(m.op is Op.READ and not m.fillers for m in members):
        return "config"
    if role in (None, "lock", "job-queue") and counts(said):
        numbers = o.backend == "redis" and all(m.call.rpartition(".")[2] in _OF_NUMBERS for m in members)
        given = o.argument("sequence")
        is_sequence = given is not None and given.value is True
        return "counter" if numbers or is_sequence or any(m.reads_back is not None for m in members) else role
    if role in (None, "lock") and (held := _of_hold(said, role, members)) is not None:
        return held
    return "job-queue" if role is None and any(_QUEUES.search(filler) for filler in o.fillers) else role


def _of_hold(said: str, role: str | None, members: list[Operation]) -> str | None:
    """A reservation that ends by itself is a lock; what locks a user out after he failed is none, but a limit."""
    expires = any(o.ttl is not None and o.ttl.kind in ("seconds", "unknown") for o in members if o.op in (Op.WRITE, Op.ACQUIRE, Op.CREATE))
    if role is None:
        return "lock" if expires and _HOLDS.search(" ".join(spelled(said))) else None
    taken = any(o.op in (*_LOCKS, Op.CREATE, Op.CAS, Op.SCRIPT, Op.TRANSACTION_STEP) for o in members)
    about = any(_LOGINS.search(" ".join(spelled(f"{function_name(o)} {class_name(o)} {said}"))) for o in members)
    return "rate-limit" if expires and not taken and about else None


def _belongs(o: Operation) -> bool:
    """Whether a key is of things that a node or a service has, many of them: "/nodes/{host}/ports/{port}" is a port."""
    last = _LAST_KIND.search(o.key_text) if o.backend in QUORUM else None
    return last is not None and bool(words(last[1])) and by_words(last[1], o.backend) is None


def of_names(o: Operation) -> str | None:
    """The variable or expression that holds a key, where the key itself is not known; the object that is asked."""
    names = () if words(fixed(o.key_text)) and not is_text_of_script(o) else key_names(o)
    if 0 < len(names) < 3 and any(counts(re.sub("_(key|name)$", "", name)) for name in names):
        return "counter"
    if any(_LIMITS.search(name) for name in names):
        return "rate-limit"
    told = next((role for name in names if (role := by_words(name, "")) is not None), None)
    return told or (by_words(o.receiver.removeprefix("self."), "") if "(" not in o.receiver else None)


def of_class(o: Operation) -> str | None:
    return by_head(class_name(o))


def of_function(o: Operation) -> str | None:
    role = by_words(function_name(o), "")
    return role if role != "leader-election" or not words(fixed(o.key_text)) else None  # what a leader does is not the election


def of_module(o: Operation) -> str | None:
    """By the file's name, or its folder's; a client that takes any key is for any purpose."""
    if o.key == "{}" and not (class_name(o) and is_held(o)):
        return None
    role = by_words(module_name(o), "") or by_words(o.place.path.rpartition("/")[0].rpartition("/")[2], "")
    return role if role in (*PURPOSES, "lock", "semaphore") else None


def of_weak_words(o: Operation) -> str | None:
    if o.meant and not words(fixed(o.key_text)):
        told = {by_weak_words(fixed(text)) for text in o.meant}
        return told.pop() if len(told) == 1 else None
    last = _LAST_KIND.search(o.key_text) if _belongs(o) else None
    return by_weak_words(last[1] if last is not None else fixed(o.key_text)) if not is_text_of_script(o) else None


# -- all calls on one resource -----------------------------------------------------------------------------


def is_of_people(members: list[Operation]) -> bool:
    """Whether a session is somebody's: nobody is seen to keep it for good, or what is called around it speaks of who logs in."""
    stored = [o for o in members if o.stores or o.op is Op.SET_ADD]
    expires = any(o.ttl is not None and o.ttl.kind != "never" for o in stored)
    return expires or not stored or any(of_class(o) == "session" for o in members) or any(_PEOPLE & words(f"{o.place.path} {o.symbol} {o.key_text} {' '.join(key_names(o))}") for o in members)


def queues(o: Operation) -> bool:
    """Whether a call puts something where others take it from, in its order or by its time."""
    return o.op in _QUEUE_OPS or o.call.rpartition(".")[2] in _BY_TIME


def is_entry(o: Operation) -> bool:
    """Whether a call is on what ends by itself, or on one entry of many: as those are who are there."""
    return o.op in (Op.EXPIRE, Op.SET_ADD) or (o.ttl is not None and o.ttl.kind != "never") or o.call.rpartition(".")[2][:2] in ("sa", "sr", "sm", "si", "za", "zr", "hd")


def is_presence(members: list[Operation]) -> bool:
    """A node that ends with its session, or a key that names its writer and expires unless that writes it again."""
    if any(o.ephemeral for o in members):
        return True
    expires = any(o.op is Op.EXPIRE or (o.ttl is not None and o.ttl.kind == "seconds") for o in members)
    if any(o.op is Op.EXPIRE for o in members) and any(o.op is Op.ACQUIRE and _ITSELF.search(" ".join(o.fillers)) for o in members):
        return True  # a number of its own that a process takes, and keeps while it lives
    return expires and any(o.stores and _ITSELF.search(" ".join(o.fillers)) for o in members)


def is_signal(members: list[Operation]) -> bool:
    """Whether a key only wakes those who watch it: what is written into it says nothing."""
    writes = [o for o in members if o.op is Op.WRITE]
    silent = all((given := o.argument("value")) is not None and given.text in _NOTHING for o in writes)
    return bool(writes) and silent and any(o.op is Op.WATCH for o in members)


def of_mark(members: list[Operation]) -> str | None:
    """A key that is taken with a constant, ends by itself and is never given back: for a while, it was done already."""
    taken = [o for o in members if o.op is Op.ACQUIRE]
    if not taken or len(taken) < len(members) or any(o.outcome is not Outcome.TESTED for o in taken) or any("lock" in (of_class(o), of_function(o), of_names(o)) for o in taken):
        return None
    values = [o.argument("value") for o in taken]
    ttls = [o.ttl.seconds for o in taken if o.ttl is not None and o.ttl.kind == "seconds" and o.ttl.seconds is not None]
    if len(ttls) < len(taken) or not all(v is not None and v.value is not None for v in values):
        return None
    return "rate-limit" if max(ttls) <= SHORT else "data-store"


def is_log(members: list[Operation]) -> bool:
    """Whether a list grows at one end and is cut to its newest at the other, and nobody takes from it: what happened last, whatever it is called."""
    cuts = [o.argument("start") for o in members if o.call.rpartition(".")[2] == "ltrim"]
    to_newest = any(a is not None and (a.value == 0 or (isinstance(a.value, int) and a.value < 0) or a.text.startswith("-")) for a in cuts)
    return to_newest and any(o.op is Op.LIST for o in members) and not any(o.op is Op.QUEUE_GET for o in members)


def is_kept(members: list[Operation]) -> bool:
    """Whether what stands in a cache is kept for good: no write lets it end, and nobody who misses it looks elsewhere."""
    stored = [o for o in members if o.stores]
    for_good = all(o.ttl is not None and o.ttl.kind == "never" and o.absent is None for o in stored)
    return bool(stored) and for_good and all(o.backend == "django-cache" and o.op in _OF_RECORDS and o.made_good is None for o in members)


def is_no_lock(members: list[Operation]) -> bool:
    """Whether a key called a lock is none: nobody takes it away, it does not end by itself, and what is written into it is no constant."""
    stored = [o for o in members if o.stores]
    given = [next((a for a in o.arguments if a.name in ("value", "data")), None) for o in stored]
    says_more = bool(given) and all(a is not None and not a.literal for a in given)
    return says_more and all(o.op in (Op.READ, Op.WRITE) for o in members) and all(o.ttl is not None and o.ttl.kind == "never" for o in stored)


def is_due(members: list[Operation]) -> bool:
    """Whether things are put down with the time at which they are due, asked for up to now, and crossed off: work that waits for its time."""
    calls = {o.call.rpartition(".")[2]: o for o in members}
    asked = calls["zrangebyscore"].argument("min") if "zrangebyscore" in calls else None
    from_the_first = asked is not None and (asked.value == 0 or asked.value == "-inf" or asked.text.strip("'\"") in ("-inf", "0"))
    return from_the_first and {"zadd", "zrem"} <= calls.keys()


def of_structure(members: list[Operation]) -> str | None:
    ops = {o.op for o in members}
    if ops & set(_LOCKS):
        return "lock"
    if Op.INCREMENT in ops:
        return next((said for o in members if o.op is Op.INCREMENT and (said := of_counting(o))), "counter")
    if any(o.call.rpartition(".")[2].startswith("pf") for o in members):
        return "metrics"  # a HyperLogLog holds nothing that could be read back
    if Op.QUEUE_GET in ops or is_due(members):
        return "job-queue"
    if is_log(members) or any(".search." in o.call for o in members):
        return "data-store"  # what is searched is data as well
    if Op.QUEUE_PUT in ops and (ops & {Op.LIST, Op.READ} or any(o.call.endswith(".ltrim") for o in members)):
        return None if any("job-queue" in (of_class(o), of_names(o)) for o in members) else "data-store"  # a list that nobody pops from is a log
    return None
