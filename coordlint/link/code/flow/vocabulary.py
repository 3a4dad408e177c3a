"""Words of the field that tell what a key, a class, a function or a variable is for."""

from __future__ import annotations

import re
from functools import lru_cache

from coordlint.wording import spelled

QUORUM = frozenset({"zookeeper", "etcd", "consul", "tooz", "kubernetes-lease"})

# Each word is looked for in a name's words, singular and in lower case, joined by blanks: "rate limiter", "taskqueue". The first that
# is found decides, so what is said of something stands before the thing: the lock of a cache is a lock, the cache of a queue a cache.
_STRONG = (
    ("leader-election", r"leader|leadership|elect|elected|election|elector"),
    ("semaphore", r"semaphore"),
    ("rate-limit", r"rate limit(s|ed|er|ing)?|ratelimit\w*|limiter|throttl\w*|quota|lockout|debounc\w*|cooldown|cool down|(failed|login|auth\w*|password) attempts?|(rpm|tpm|rps|tps) (gate|limit\w*|slot|quota|budget)|(ip|login|client|user) bans?"),
    ("data-store", r"idempoten\w*|dedup\w*|dupe\w*|leaderboard"),
    ("lock", r"(un)?lock|locked|locker|locking|mutex"),
    ("data-store", r"captcha|otp|totp|nonce|(verification|confirmation|verify|sms|phone|mail|email|otp|one time) (\w+ )?code"),
    ("config", r"(jwt|session|cookie|token|app|signing) (secret|salt|algorithm)"),
    ("session", r"session|cookie|jwt|jti|refresh token|token (store|blacklist|blocklist|denylist)|(revoked|blacklisted) token"),
    ("cache", r"(un|re|\w{3,})?cache|caching|cached|memoized?"),
    ("job-queue", r"(en|de|re|\w{3,})?queue|(en|re)?queued|queueing|queuing|backlog|dead letter|deadletter|dlq"),
    ("metrics", r"metric|stat|statistic|measurement|telemetry|gauge|histogram|qps"),
    ("membership", r"member|membership|heartbeat|alive|liveness|presence|online"),
    ("service-discovery", r"service (discovery|registry|resolver|registrar|registration)|discovery"),
    ("config", r"config\w*|conf|cfg|setting|feature flag|flag|toggle|enabled|disabled|paused?|param|parameter"),
)
_OF_COORDINATORS = (  # what these mean where every key is a service's, a node's or a process's
    ("service-discovery", r"service|endpoint|provider|registry|upstream"),
    ("membership", r"node|worker|instance|peer|host|pod|rank|party"),
    ("config", r"option|feature"),
)
_OF_KEYS = (  # what these mean in a key; a class of the same name is a client
    ("membership", r"connection|connected|subscriber|subscription|viewer|watcher"),
    ("session", r"login (key|token|state|request|flow|challenge)"),
)
_WEAK = (  # what these mean in a key that says nothing else
    ("service-discovery", r"service"),
    ("rate-limit", r"\w*limit"),
    ("job-queue", r"job|task|instruction|command"),
    ("membership", r"worker|node|instance"),
)
_COUNTS = re.compile(r"\b(count|\w{3,}count|(\w{3,})?counter|hit|failure|attempt|retry|seq|sequence|sequential|num)$")
_SETTINGS = re.compile(r"\b(name|host|hostname|port|url|uri|dsn|address|user|username|password|timeout|interval|size)$")
_RUNS_ALONE = re.compile(r"\b(beat|celerybeat)\b")
_RUNS_ALONE_WHILE_IT_RENEWS = re.compile(r"\b(scheduler|primary|master|coordinator)\b")
_Vocabulary = tuple[tuple[str, re.Pattern[str]], ...]


def _compiled(*tables: tuple[tuple[str, str], ...]) -> _Vocabulary:
    return tuple((role, re.compile(rf"\b(?:{told})\b")) for table in tables for role, told in table)


_PLAIN, _QUORUM, _LAST = _compiled(_STRONG), _compiled(_STRONG, _OF_COORDINATORS), _compiled(_WEAK)
_KEYS = _compiled(_OF_KEYS)


@lru_cache(maxsize=8192)
def by_words(text: str, backend: str) -> str | None:
    """The role that a text's words tell, the most telling first."""
    said = " ".join(spelled(text))
    return next((role for role, told in (_QUORUM if backend in QUORUM else _PLAIN) if told.search(said)), None)


@lru_cache(maxsize=8192)
def by_key(text: str, backend: str) -> str | None:
    """The role that a key's words tell: what it says as any name does, else what the word means in keys alone."""
    said = " ".join(spelled(text))
    return by_words(text, backend) or (next((role for role, told in _KEYS if told.search(said)), None) if backend not in QUORUM else None)


@lru_cache(maxsize=8192)
def by_head(text: str) -> str | None:
    """The role that the last telling word of a class's name tells: a RedisThrottledQueue is a queue, a QueueLock a lock."""
    names = spelled(text)
    if "and" in names or "or" in names:
        return None  # it is for several things
    said = " ".join(names)
    found = [(m.end(), -i, role) for i, (role, told) in enumerate(_PLAIN) for m in told.finditer(said)]
    first = by_words(text, "")
    return first if first in ("leader-election", "rate-limit") else max(found)[2] if found else None


@lru_cache(maxsize=8192)
def by_weak_words(text: str) -> str | None:
    """What words tell that mean something else as often: a limit, a task, a node."""
    said = " ".join(spelled(text))
    return next((role for role, told in _LAST if told.search(said)), None)


@lru_cache(maxsize=8192)
def counts(text: str) -> bool:
    """Whether the last word of a key is that of a number which goes up: "lock:{}:failures"."""
    return _COUNTS.search(" ".join(spelled(text))) is not None


@lru_cache(maxsize=8192)
def sets_up(text: str) -> bool:
    """Whether the last word of a key is that of a setting: "broker/queue-name" says what the queue is called, and is none."""
    return _SETTINGS.search(" ".join(spelled(text))) is not None


def is_leading(text: str, renewed: bool) -> bool:
    """Whether a lock's name speaks of a role that one process holds: a beat's lock, the lock that a scheduler renews."""
    said = " ".join(spelled(text))
    return _RUNS_ALONE.search(said) is not None or (renewed and _RUNS_ALONE_WHILE_IT_RENEWS.search(said) is not None)
