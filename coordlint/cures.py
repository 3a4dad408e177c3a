"""What makes a late or repeated effect harmless, by where it lands: the cure must fit the sink.

A lock alone cannot stop a holder that lost it; only the sink can refuse. These sentences say how each sink does.
"""

from __future__ import annotations

from coordlint.coordination import Effect, Lock, Operation
from coordlint.models.schema import Late

_BY_KIND = {
    "database": (
        "Let the row refuse: UPDATE ... SET ..., version = version + 1 WHERE id = ... AND version = <the version read>, "
        "then test the row count (SQLAlchemy: version_id_col)."
    ),
    "object-store": (
        "Write with a condition: S3 put_object(IfMatch=<ETag read before>, or IfNoneMatch='*' to create once), "
        "GCS if_generation_match=, Azure etag= with match_condition=."
    ),
    "payment": "Send an idempotency key made from the business operation, such as the order's id, so that a repeat is one charge.",
    "http": "Send an Idempotency-Key or If-Match header that the other side checks, or a version it compares.",
    "message": (
        "Give the message an id made from the business operation and let the consumer drop repeats "
        "(SQS FIFO MessageDeduplicationId, a Kafka transactional id, a unique constraint)."
    ),
    "task": "Make the task safe to run twice: give it an id of the business operation and record it under a unique constraint.",
    "email": "Record the message as sent under a unique constraint, in the transaction that decides to send it, and send from that record.",
    "search": "Index with version= and version_type='external' (the fence as version), or with if_seq_no and if_primary_term.",
    "subprocess": "Hand the program a token or version that its target compares before it acts.",
    "file": "Write to a temporary file and publish it under a name that carries the token, or create with mode 'x'.",
}

_STORES = {
    "redis": "Compare and write in one Lua script, or WATCH the key and write in MULTI, and test the result.",
    "memcached": "Read with gets and write with cas, and test the result.",
    "zookeeper": "Pass version=<the version read> to set or delete; BadVersionError then stops the stale holder.",
    "etcd": "Write in a transaction that compares the lock key's create_revision or the key's mod_revision.",
    "consul": "Write with cas=<ModifyIndex read before> and test the boolean result.",
    "dynamodb": "Add a ConditionExpression on a version attribute.",
}


def cure_for(operation: Operation) -> str:
    """How this sink can refuse a late or repeated effect; a general sentence for a sink that is not known."""
    if operation.kind == "object-store" and operation.call.rpartition(".")[2].startswith("upload_file"):
        return (
            f"{operation.call.rpartition('.')[2]} cannot carry a condition: use put_object with IfMatch=<ETag read before>, "
            "or IfNoneMatch='*' to create once."
        )
    if operation.kind == "database" and operation.late is Late.APPEND:
        return (
            "Let a unique constraint on the business operation's id refuse the second record, and handle the "
            "IntegrityError (INSERT ... ON CONFLICT DO NOTHING)."
        )
    if operation.accepts:
        return f"This call can check a condition itself: pass {' or '.join(operation.accepts)}. " + _BY_KIND.get(operation.kind, "")
    return _BY_KIND.get(operation.kind) or _STORES.get(operation.backend) or (
        "Let the target compare a version or token and refuse the stale one; if it cannot, make the effect safe to repeat."
    )


def fence_for(effect: Effect, lock: Lock) -> str:
    """The cure for an effect under a lock: with the lock's own token where it offers one and the sink can order it."""
    cure = cure_for(effect.operation).strip()
    if lock.offers_token and effect.operation.kind == "database" and effect.operation.late is not Late.APPEND:
        return f"{cure} Or store the lock's token ({lock.model.token}): ... SET fence = :token WHERE id = ... AND fence < :token."
    return cure
