"""What the name of a record says about how much hangs on it."""

from __future__ import annotations

from coordlint import Operation, words

COINS = frozenset({"balance", "amount", "credit", "debit", "money", "fund", "wallet", "ledger", "price", "paid", "bonus"})
# What there is a number of: worth as much as money to a rule that asks whether anything hangs on it, and not to one that asks how loud it has to be.
COUNTED = frozenset({"stock", "inventory", "seat", "quantity", "point", "points", "quota"})
MONEY = COINS | COUNTED
DEAR = frozenset(
    {"payment", "charge", "refund", "invoice", "booking", "reservation", "wallet", "coupon", "voucher", "payout", "transfer", "subscription"}
    | {"withdrawal", "balance", "ledger", "redemption"}
)
ORDERS = frozenset({"order", "purchase", "ticket", "deposit", "transaction"})
# How often something may be done: a limit that lets one more through.
LIMITS = frozenset({"throttle", "throttled", "throttling", "bucket", "limiter", "ratelimit", "ratelimiter"})
# Code that runs once, or by one hand.
SET_UP = frozenset({"setup", "init", "initialize", "initialise", "install", "migrate", "upgrade", "bootstrap", "seed", "sample", "populate", "fixture", "demo"})
# A copy, by its name: what is gone from it is asked again.
COPIES = frozenset({"cache", "cached", "memo", "memoized"})
# What is filled again whoever fills it.
CACHED = frozenset({"cache", "cached", "memo", "tmp", "temp"})

_OF_REQUESTS = frozenset({"idempotency", "idempotent", "idempotence", "idem", "dedup", "dedupe", "deduplicate", "deduplication"})


def is_record_of_requests(note: Operation) -> bool:
    """Whether a record is there so that a request that comes twice is served once, and not to save the work."""
    return bool(_OF_REQUESTS & (note.key_words | note.symbol_words | words(note.symbol) | {w for a in note.arguments[:1] for m in a.mentions for w in words(m)}))
