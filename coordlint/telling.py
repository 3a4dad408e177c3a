"""How findings name what they are about: a lock, an effect, the way from one to the other.

One home for the wording, so that the same thing is called the same in every message.
"""

from __future__ import annotations

from coordlint.coordination import Effect, Lock, Operation, Section, Time
from coordlint.deployment import Workload
from coordlint.finding import Evidence
from coordlint.models.schema import Late
from coordlint.source import Place
from coordlint.wording import words

_BACKENDS = {
    "redis": "Redis",
    "memcached": "memcached",
    "zookeeper": "ZooKeeper",
    "etcd": "etcd",
    "consul": "Consul",
    "postgres-advisory": "Postgres advisory",
    "mysql-get-lock": "MySQL GET_LOCK",
    "database-row": "row",
    "dynamodb": "DynamoDB",
    "kubernetes-lease": "Kubernetes lease",
    "hazelcast": "Hazelcast",
    "tooz": "tooz",
    "django-cache": "Django cache",
    "file-lock": "file",
    "process-local": "in-process",
}

_DOES_LATE = {
    Late.OVERWRITE: "overwrites newer data",
    Late.APPEND: "adds a second record",
    Late.ACCUMULATE: "counts twice",
    Late.DELETE: "deletes what a newer holder relies on",
    Late.EXTERNAL: "acts a second time, which nothing takes back",
}

_LOCKISH = frozenset(
    {"lock", "locked", "locking", "unlock", "mutex", "lease", "semaphore", "exclusive", "running", "busy", "claim", "acquire"}
)


def backend_name(backend: str) -> str:
    """The field's spelling of a backend: "Redis", "etcd"."""
    return _BACKENDS.get(backend, backend or "distributed")


def lock_name(lock: Lock) -> str:
    """`the Redis lock "acct:{}"`, as far as it is known."""
    kind = {"read-lock": "read lock", "write-lock": "write lock"}.get(lock.model.kind, lock.model.kind)
    key = lock.key_text or lock.key
    named = f' "{key}"' if key else ""
    of = lock.library if lock.backend == "other" and lock.library else backend_name(lock.backend)
    return f"the {of} {kind}{named}"


def call_name(operation: Operation) -> str:
    """The last two parts of the canonical name: `Redis.set`, `S3.put_object`."""
    return ".".join(operation.call.split(".")[-2:])


def effect_name(operation: Operation) -> str:
    """`S3.put_object on "reports/{}"`, with what kind of effect it is where the name does not say so."""
    on = f' on "{operation.key_text or operation.key}"' if operation.key else ""
    kind = f" ({operation.kind})" if operation.kind and not on else ""
    return f"{call_name(operation)}{on}{kind}"


def does_late(operation: Operation) -> str:
    """What the operation does when a stale holder performs it: "overwrites newer data"."""
    return _DOES_LATE.get(operation.late, "takes effect all the same")


def told(time: Time) -> str:
    """The duration as the code states it; "not known" where it does not."""
    if time.told:
        return time.told
    return f"{time.seconds:g} s" if time.seconds is not None else {"never": "no limit"}.get(time.kind, time.kind)


def trail(section: Section, effect: Effect | None = None) -> list[Evidence]:
    """Where the lock is built, how long it lives, where it is taken, and the calls from there to an effect.

    Each place once, in the order of the sentence.
    """
    lock = section.lock
    steps = [Evidence(section.acquired, f"{lock_name(lock)} is taken here")]
    steps.append(Evidence(lock.made, f"the lock is made here{_through(lock)}"))
    if lock.lifetime.place is not None:
        steps.append(Evidence(lock.lifetime.place, f"its lifetime is decided here: {told(lock.lifetime)}"))
    if effect is not None:
        steps.extend(Evidence(place, "the section calls on from here") for place in effect.chain)
        steps.append(Evidence(effect.place, f"and ends in {effect_name(effect.operation)}"))
    return distinct(steps)


def _through(lock: Lock) -> str:
    return f", behind {' -> '.join(lock.via)}" if lock.via else ""


def distinct(steps: list[Evidence], *, besides: Place | None = None) -> list[Evidence]:
    """The first piece of evidence for each line; none for the line of `besides`, unless nothing else would be left."""
    seen = set() if besides is None else {(besides.path, besides.line)}
    kept = []
    for step in steps:
        spot = (step.place.path, step.place.line)
        if spot not in seen:
            seen.add(spot)
            kept.append(step)
    return kept or steps[:1]


def many_instances(workload: Workload) -> Evidence | None:
    """The evidence that a workload runs more than once: its replicas; None when it is not known to."""
    replicas = workload.replicas
    if not replicas.may_be_many:
        return None
    count = max(replicas.declared or 0, replicas.most or 0)
    place = replicas.because[0].place if replicas.because else workload.place
    return Evidence(place, f"{workload.name} runs with {count} replicas")


def many_processes(workload: Workload) -> Evidence | None:
    """The evidence that one instance of a workload starts several worker processes; None when it is not known to."""
    for process in workload.processes:
        if (process.workers or 0) > 1:
            place = process.worker_evidence or process.place
            return Evidence(place, f"{workload.name} starts {process.workers} {process.program} processes")
    return None


def sounds_like_lock(*texts: str | None) -> bool:
    """Whether a key or function is named like a lock. Never evidence by itself: only beside what the code does."""
    return any(text and not _LOCKISH.isdisjoint(words(text)) for text in texts)
