"""The decision flowchart: a use of coordination, question by question, to a Verdict.

    Do several processes have to agree on something?
      no  -> no coordination: keep it in a store made for it
      yes -> Is it leader election or cluster membership?
               yes -> a coordination service: ZooKeeper or etcd, or the platform's own (a Kubernetes Lease)
             Is it a shared resource that only one may touch?
               Is every effect harmless when it comes late or twice? yes -> no lock, just do it
               Can the store decide by itself (an atomic update, a version check)? yes -> optimistic concurrency
               Does a mistake do harm, or only repeat work?
                 harm -> a lock WITH a fencing token that the target compares
                 work -> SET NX with an expiry is enough
             Is it configuration or feature flags?
               Is there a coordinator that is needed anyway? yes -> use it; no -> environment, files, a flag service
             Is it service discovery?
               Does the platform do it (Kubernetes, a cloud)? yes -> use that; no -> Consul or etcd

Every answer is yes, no or unknown, with its evidence: what is not known is said, and the verdict is then "not decided".
Two places differ from the article, on its sources' own word: a ZooKeeper or etcd lock without a token that the target
compares is recommended to nobody, and a Kubernetes Lease is a coordination service where one is there anyway.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Effect, Section, Use
from coordlint.finding import Evidence
from coordlint.models.schema import Late, Op
from coordlint.source import Place
from coordlint.system import COORDINATORS, System
from coordlint.telling import effect_name, lock_name

NO_AGREEMENT = ("cache", "rate-limit", "session", "job-queue", "metrics", "data-store", "counter")
TRULY = ("leader-election", "membership", "barrier")
_KUBERNETES = ("deployment", "statefulset", "daemonset", "replicaset", "cronjob", "job", "pod")
_HARMFUL = (Late.OVERWRITE, Late.APPEND, Late.ACCUMULATE, Late.EXTERNAL, Late.DELETE)
_SETS = (Late.OVERWRITE, Late.ADD_MEMBER, Late.DELETE)
_MADE_FOR = {
    "cache": "a cache with a time to live (Redis, memcached); a stale entry is no mistake",
    "rate-limit": "a counter for each server, or INCR with an expiry in Redis; nobody needs the exact number",
    "session": "Redis, memcached or a database: it is data of one user, and no cluster metadata",
    "job-queue": "a message queue (SQS, RabbitMQ, Kafka) or a table with SKIP LOCKED",
    "metrics": "a metrics system that scrapes or is pushed to",
    "data-store": "a database",
    "counter": "an atomic increment in the store that holds the number",
}


class Answer(msgspec.Struct, frozen=True):
    """One question of the flowchart: "yes", "no" or "unknown", why, and the places that say so."""

    question: str
    answer: str
    why: str
    evidence: tuple[Evidence, ...] = ()


class Approach(msgspec.Struct, frozen=True):
    """A row of the trade-off table: what it promises and what it costs."""

    name: str
    consistency: str
    complexity: str
    latency: str
    new_failure: str


NONE = Approach("no coordination", "eventual or none", "lowest", "lowest", "none")
REDIS = Approach("Redis lock (SET NX with expiry)", "best effort", "low", "about 1 ms", "Redis is away, or loses a lock that it granted")
CAS = Approach("database CAS", "strong, for each row", "medium", "about 5-20 ms", "none that the database is not already; retries under contention")
QUORUM = Approach("ZooKeeper or etcd, with a fencing token", "linearizable", "high", "about 5-15 ms", "no majority: nobody locks, nobody leads")
CONSUL = Approach("Consul", "strong", "high", "about 5-15 ms", "no majority: stale or no answers")
PLATFORM = Approach("the platform's own", "as the platform", "low", "as the platform", "none that the platform is not already")
APPROACHES = (NONE, REDIS, CAS, QUORUM, CONSUL, PLATFORM)

_DOES = {
    **dict.fromkeys(("zookeeper", "etcd"), QUORUM), "consul": CONSUL, "kubernetes-lease": PLATFORM,
    **dict.fromkeys(("redis", "memcached", "django-cache"), REDIS),
    **dict.fromkeys(("database-row", "postgres-advisory", "mysql-get-lock", "dynamodb"), CAS),
}  # fmt: skip
_WEIGHT = {NONE: 0, PLATFORM: 0, REDIS: 1, CAS: 1, CONSUL: 2, QUORUM: 2}


class Verdict(msgspec.Struct, frozen=True):
    """What the flowchart recommends for a use, what the code does, and how far apart they are.

    `gap` is "fits", "more than needed" (a tax without a need), "less than needed" (a promise that is not kept), or
    "not decided". `advice` says what to do, in words that fit the use.
    """

    recommended: Approach | None
    does: Approach | None
    gap: str
    advice: str
    answers: tuple[Answer, ...]


def decide(system: System, use: Use, section: Section | None = None) -> Verdict:
    """Walks the flowchart for one use; `section` is the critical section that begins at it, if one does."""
    answers: list[Answer] = []
    recommended, advice = _walk(system, use, section, answers)
    does = _DOES.get(use.backend)
    return Verdict(recommended, does, _gap(use, section, recommended, does), advice, tuple(answers))


def _walk(system: System, use: Use, section: Section | None, answers: list[Answer]) -> tuple[Approach | None, str]:
    at = Evidence(use.place, f"{use.role} on {use.backend}")
    if use.role in NO_AGREEMENT:
        answers.append(Answer("must several processes agree?", "no", f"{use.role} is data, not agreement", (at,)))
        return NONE, f"Keep it in {_MADE_FOR[use.role]}."
    if use.role in ("client", "watch"):
        return None, ""  # the way to a coordinator; what is done through it has its own verdict
    answers.append(Answer("must several processes agree?", "yes", f"{use.role} is agreement", (at,)))
    if use.role in TRULY:
        answers.append(Answer("leader election or membership?", "yes", use.role, (at,)))
        if _is_kubernetes(system):
            return PLATFORM if use.backend == "kubernetes-lease" else QUORUM, "Use a Lease or the coordination service; give every term a token that targets compare."
        return QUORUM, "Use a coordination service; give every term a token that targets compare."
    answers.append(Answer("leader election or membership?", "no", use.role))
    if use.role == "config":
        return _configuration(system, use, answers)
    if use.role == "service-discovery":
        return _discovery(system, answers)
    if use.role == "occ":
        answers.append(Answer("can the store decide by itself?", "yes", "it is asked to: a version or condition is compared", (at,)))
        return CAS, "Keep it: the store decides. Bound the retries."
    return _exclusion(section, answers)


def _exclusion(section: Section | None, answers: list[Answer]) -> tuple[Approach | None, str]:
    """A lock or semaphore: what it guards decides."""
    if section is None:
        answers.append(Answer("is every effect safe to repeat?", "unknown", "what runs under the lock is not seen here"))
        return None, "Look at what it guards: `coordlint why` on the line of the acquire."
    if section.lock.model.kind == "semaphore":
        return REDIS, "A limit of how many work at once need not be exact; let it expire."
    harmful = [] if _only_sets(section) else [e for e in section.effects if _does_harm(e)]
    told = tuple(Evidence(e.place, f"{effect_name(e.operation)}: {e.operation.late}") for e in harmful[:3])
    unknown = tuple(Evidence(p, "what this does is not known") for p in section.unresolved[:3])
    fenced = tuple(Evidence(e.place, f"{effect_name(e.operation)} carries the token") for e in section.effects if e.token)
    if fenced and not harmful:
        answers.append(Answer("does every write carry the holder's token?", "yes", "the target can refuse a late holder", fenced[:3]))
        return QUORUM, "Keep it: the target refuses whoever comes late."
    if not harmful:
        safe = "no" if unknown and not section.effects else "unknown" if unknown else "yes"
        if safe == "yes":
            answers.append(Answer("is every effect safe to repeat?", "yes", "nothing inside does harm when it comes late or twice", told))
            if section.purpose.kind == "performance" or section.skips_when_busy:
                return REDIS, "The lock only saves work: SET NX with an expiry is enough."
            return NONE, "Leave the lock away: both may do it, the result is the same."
        answers.append(Answer("is every effect safe to repeat?", "unknown", "not all that runs under the lock is known", unknown))
        return (REDIS, "As far as is seen the lock only saves work.") if section.purpose.kind == "performance" else (None, "Decide what the unknown calls do.")
    answers.append(Answer("is every effect safe to repeat?", "no", f"{len(harmful)} of {len(section.effects)} effects do harm when late or repeated", told))
    if _store_can_decide(section, harmful):
        answers.append(Answer("can the store decide by itself?", "yes", "one kind of record, in a store that compares", told[:1]))
        return CAS, "Let the row refuse: an atomic update, or a version in the condition whose outcome is tested."
    answers.append(Answer("can the store decide by itself?", "no", "the effects leave the store, or reach several", told))
    purpose = section.purpose
    points = tuple(Evidence(p.place, f"{p.reason} ({p.points:+d})") for p in purpose.points if p.place is not None)
    answer = {"correctness": "harm", "performance": "work"}.get(purpose.kind, "unknown")
    answers.append(Answer("does a mistake do harm, or only repeat work?", answer, f"evidence weighs {purpose.score:+d}", points))
    if purpose.kind == "performance":
        return REDIS, "The lock only saves work: SET NX with an expiry is enough."
    if purpose.kind == "correctness":
        return QUORUM, f"Of itself, {lock_name(section.lock)} cannot stop a late holder: give each holder a token that the target compares, or make the effect safe to repeat."
    return None, "Say what it is for: `# coordlint: performance-lock` or `correctness-lock`."


def _does_harm(effect: Effect) -> bool:
    return effect.operation.late in _HARMFUL and not effect.conditional and not effect.operation.conditional


def _only_sets(section: Section) -> bool:
    """One write of given values and nothing read before it: done twice, or by two, it ends the same."""
    effects = [e.operation for e in section.effects if e.operation.op is not Op.COMMIT]
    if section.reads or section.unresolved or len(effects) != 1:
        return False
    return effects[0].late in _SETS and effects[0].reads_back is None and not effects[0].loop


def _store_can_decide(section: Section, harmful: list[Effect]) -> bool:
    """All harmful effects land in one database or store that compares, and nothing leaves it."""
    kinds = {e.operation.kind or e.operation.backend for e in harmful if e.operation.op is not Op.COMMIT}
    return section.shares_fate or (len(kinds) == 1 and kinds <= {"database", "object-store", "dynamodb", "redis"} and not section.unresolved)


def _configuration(system: System, use: Use, answers: list[Answer]) -> tuple[Approach | None, str]:
    needed = next((u for u in system.uses() if u.backend in COORDINATORS and u.role in (*TRULY, "lock")), None)
    if needed is not None:
        answers.append(Answer("is there a coordinator that is needed anyway?", "yes", f"{needed.backend} for {needed.role}", (Evidence(needed.place, f"{needed.role} on {needed.backend}"),)))
        return QUORUM if needed.backend != "consul" else CONSUL, "Use it, with a watch, and keep the last known values for the time it is away."
    answers.append(Answer("is there a coordinator that is needed anyway?", "no", "nothing else in this system needs one"))
    return NONE, "Environment variables, files or a flag service do it without another cluster to run."


def _discovery(system: System, answers: list[Answer]) -> tuple[Approach | None, str]:
    workload = next((w for w in system.workloads() if w.kind in _KUBERNETES), None)
    if workload is not None:
        answers.append(Answer("does the platform do discovery?", "yes", "Kubernetes gives every Service a name", (Evidence(workload.place, f"{workload.kind} {workload.name}"),)))
        return PLATFORM, "Use the Service's name; drop the registration."
    if system.workloads():
        answers.append(Answer("does the platform do discovery?", "no", "compose only, no Kubernetes"))
        return CONSUL, "Consul or etcd; keep the last known list for the time it is away."
    answers.append(Answer("does the platform do discovery?", "unknown", "no manifest tells where this runs"))
    return None, "On Kubernetes or in a cloud the platform does it; elsewhere Consul or etcd."


def _is_kubernetes(system: System) -> bool:
    return any(w.kind in _KUBERNETES for w in system.workloads())


def _gap(use: Use, section: Section | None, recommended: Approach | None, does: Approach | None) -> str:
    if recommended is None or does is None:
        return "not decided"
    if recommended is QUORUM and use.role in ("lock", "semaphore"):
        return "fits" if section is not None and any(e.token or e.conditional for e in section.effects) else "less than needed"
    if use.role in NO_AGREEMENT:
        return "more than needed" if use.backend in COORDINATORS else "fits"
    if use.role in TRULY and use.backend in ("redis", "memcached", "django-cache", "database-row"):
        return "less than needed"
    if recommended is CAS and does is CAS:
        return "fits"
    if recommended in (NONE, PLATFORM, CAS) and recommended is not does:
        return "more than needed"
    return "more than needed" if _WEIGHT[does] > _WEIGHT[recommended] else "less than needed" if _WEIGHT[does] < _WEIGHT[recommended] else "fits"


def verdicts(system: System) -> Iterator[tuple[Use, Verdict]]:
    """The verdict of every use, in the order of the uses."""
    sections = list(system.critical_sections(tests=True))
    begun = {s.acquired: s for s in sections}
    made: dict[Place, list[Section]] = {}
    for section in sections:
        if section.lock.made is not None:
            made.setdefault(section.lock.made, []).append(section)
    for use in system.uses():
        taken = made.get(use.place, [])  # where a lock is made for one section, that is what it is for
        yield use, decide(system, use, begun.get(use.place) or (taken[0] if len(taken) == 1 else None))


def flowchart() -> str:
    """The flowchart as this file states it."""
    return (__doc__ or "").strip() + "\n"
