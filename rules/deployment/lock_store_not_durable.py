r"""The Redis that holds correctness locks forgets them when it restarts or fails over.

Why: without an append-only file a restarted Redis comes back without the keys of the last minutes, and replicas receive writes after the client
had its answer. Either way a lock that somebody holds is free again, and a second holder goes to work beside the first.

Instead: do not let correctness hang on the lock: make the write conditional. If the lock must survive restarts, `--appendonly yes` (and
`--appendfsync always` where one second matters) on a volume; no replica helps, because replication is asynchronous.

Fine when: the lock only saves work that may as well be done twice; the store is managed elsewhere, and not known. It is information where persistence
is switched off in so many words, which is a decision, and for a compose service without a restart policy, which is there to try things with.

Known misses: persistence switched on at run time.

Sources: Redis documentation, Distributed Locks with Redis (crash recovery, fsync); Redis documentation, High availability with Redis Sentinel.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    INFO,
    WARNING,
    Coordinator,
    Evidence,
    Found,
    Op,
    Operation,
    Section,
    System,
    found,
    lock_held_in,
    lock_name,
    rule,
)


@rule("CL707", severity=WARNING)
def lock_store_not_durable(system: System) -> Iterator[Found]:
    for store in system.coordinators("redis"):
        if store.is_managed or is_durable(store) or is_configured_elsewhere(store):
            continue
        section = lock_held_in(system, store, correctness=True)
        work = [] if section is not None else list(work_kept_in(system))[:1]
        section = section or (lock_over_effects(system, store) if work else None)
        if section is None:
            continue
        what = "and the work that waits" if work else "for correctness"
        yield found(
            f"{store.workload.name} holds {lock_name(section.lock)} {what} and keeps no append-only file",
            at=store.place,
            because=[Evidence(section.acquired, "the lock is taken here"), *(Evidence(o.place, "work is put into a queue there") for o in work), *store.evidence],
            symbol=store.workload.symbol,
            resource="redis",
            severity=INFO if is_switched_off(store) else store.workload.softened(WARNING),
        )


def work_kept_in(system: System) -> Iterator[Operation]:
    """Where work is put into a queue of Redis, which a restart without an append-only file drops."""
    yield from (o for o in system.operations(backend="redis") if o.kind == "task" or (o.op is Op.QUEUE_PUT and o.role == "job-queue"))


def lock_over_effects(system: System, store: Coordinator) -> Section | None:
    """A lock in the store that is not there to save work only, and under which something is changed that counts."""
    section = lock_held_in(system, store)
    if section is None or section.purpose.kind == "performance":
        return None
    return section if any(e.harmful_when_late and not e.conditional for e in section.effects) else None


def is_durable(store: Coordinator) -> bool:
    """Whether an append-only file is switched on."""
    option = store.option("--appendonly", "appendonly", "REDIS_AOF_ENABLED", "VALKEY_AOF_ENABLED")
    if option is None:
        return any("bitnami" in said.message for said in store.evidence)  # its default is on
    return option[0].strip("\"'").lower() in ("yes", "true", "1") or "$" in option[0]


def is_switched_off(store: Coordinator) -> bool:
    """Whether somebody said that nothing is to be kept: a decision, and no oversight."""
    appendonly, save = store.option("--appendonly", "appendonly"), store.option("--save", "save")
    words = [option[0].strip("\"'").lower() for option in (appendonly, save) if option is not None]
    return any(word in ("no", "false", "") for word in words)


def is_configured_elsewhere(store: Coordinator) -> bool:
    """Whether a configuration file decides that we did not see."""
    words = [word for word in store.workload.command if word.endswith(".conf")]
    return bool(words) and store.option("appendonly", "save", "port", "bind", "maxmemory-policy", "maxmemory", "dir") is None


EXAMPLES = r'''
=== bad: a payment lock in a Redis that keeps nothing
--- compose.yaml
services:
  redis:  # finding: lock-store-not-durable
    image: redis:7
  worker:
    build: .
    command: python worker.py
    environment: {REDIS_URL: "redis://redis:6379/0"}
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- worker.py
import os

import redis
import stripe

r = redis.Redis.from_url(os.environ["REDIS_URL"])

def charge(order):
    with r.lock(f"charge:{order.id}", timeout=30):
        stripe.Charge.create(amount=order.amount, currency="eur")

=== good: an append-only file
--- compose.yaml
services:
  redis:
    image: redis:7
    command: ["redis-server", "--appendonly", "yes"]
    volumes: ["redis:/data"]
volumes: {redis: {}}
--- worker.py
import redis
import stripe

r = redis.Redis(host="redis")

def charge(order):
    with r.lock(f"charge:{order.id}", timeout=30):
        stripe.Charge.create(amount=order.amount, currency="eur")

=== good: a configuration file that is not in the repository
--- compose.yaml
services:
  redis:
    image: redis:7
    command: redis-server /etc/redis/redis.conf
    volumes: ["/srv/redis.conf:/etc/redis/redis.conf"]
--- worker.py
import redis
import stripe

r = redis.Redis(host="redis")

def charge(order):
    with r.lock(f"charge:{order.id}", timeout=30):
        stripe.Charge.create(amount=order.amount, currency="eur")

=== good: a lock that only saves work
--- compose.yaml
services:
  redis:
    image: redis:7
--- worker.py
import redis

r = redis.Redis(host="redis")

def warm_cache(page):
    lock = r.lock(f"cache:{page}", timeout=30)
    if not lock.acquire(blocking=False):
        return
    try:
        r.setex(f"page:{page}", 300, "<html>")
    finally:
        lock.release()

=== bad: a payment lock in a pod that keeps nothing
--- k8s/redis.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: redis  # finding: lock-store-not-durable
spec:
  template:
    metadata: {labels: {app: redis}}
    spec:
      containers:
        - name: redis
          image: "redis:7"
---
apiVersion: v1
kind: Service
metadata: {name: redis}
spec:
  selector: {app: redis}
--- k8s/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  template:
    metadata: {labels: {app: worker}}
    spec:
      containers:
        - name: worker
          image: acme/worker
          command: [python, worker.py]
          env: [{name: REDIS_URL, value: "redis://redis:6379/0"}]
--- worker.py
import os

import redis
import stripe

r = redis.Redis.from_url(os.environ["REDIS_URL"])

def charge(order):
    with r.lock(f"charge:{order.id}", timeout=30):
        stripe.Charge.create(amount=order.amount, currency="eur")

=== good: an append-only file on a claim
--- k8s/redis.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  template:
    metadata: {labels: {app: redis}}
    spec:
      containers:
        - name: redis
          image: "redis:7"
          args: ["--appendonly", "yes"]
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: redis}}]
---
apiVersion: v1
kind: Service
metadata: {name: redis}
spec:
  selector: {app: redis}
--- k8s/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  template:
    metadata: {labels: {app: worker}}
    spec:
      containers:
        - name: worker
          image: acme/worker
          command: [python, worker.py]
          env: [{name: REDIS_URL, value: "redis://redis:6379/0"}]
--- worker.py
import os

import redis
import stripe

r = redis.Redis.from_url(os.environ["REDIS_URL"])

def charge(order):
    with r.lock(f"charge:{order.id}", timeout=30):
        stripe.Charge.create(amount=order.amount, currency="eur")
'''
