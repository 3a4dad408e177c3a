r"""The Redis that holds locks may evict them when its memory is full.

Why: a lock is a key like any other. With an eviction policy, Redis drops it in the middle of the work when something else needs the room: the
next one takes the lock, and two holders believe in it. The volatile-* policies are worse than they sound: lock keys carry a time
to live, so they are exactly what is evicted first.

Instead: `--maxmemory-policy noeviction` on the instance that holds locks, with memory to spare and an alarm on it, and the cache in an instance
of its own.

Where no lock is known, a store that is kept on a volume and may evict any key is told as information: it holds more than a cache.

Fine when: the evicting instance is the cache, and the locks are kept in another.

Known misses: managed services, whose default is often volatile-lru and stands in no manifest; the policy set at run time.

Sources: Redis documentation, Key eviction; Redis Software documentation, Eviction policy (default volatile-lru).
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    INFO,
    LOW,
    Coordinator,
    Evidence,
    Found,
    Place,
    System,
    found,
    lock_held_in,
    lock_name,
    rule,
)


@rule("CL706", severity=ERROR)
def lock_store_evicts(system: System) -> Iterator[Found]:
    for store in system.coordinators("redis"):
        option = store.option("--maxmemory-policy", "maxmemory-policy", "REDIS_MAXMEMORY_POLICY")
        if option is None or option[0] == "noeviction" or "$" in option[0]:
            continue
        policy, place = option
        section = lock_held_in(system, store)
        if section is None:
            yield from kept_and_evicted(store, policy, place)
            continue
        first = " first of all, because it has a time to live" if policy.startswith("volatile") else ""
        yield found(
            f"{store.workload.name} may evict {lock_name(section.lock)}{first} (maxmemory-policy {policy})",
            at=place,
            because=[Evidence(section.acquired, "the lock is taken here"), *store.evidence],
            symbol=store.workload.symbol,
            resource="redis",
            severity=store.workload.role.softened(ERROR),
        )


def kept_and_evicted(store: Coordinator, policy: str, place: Place) -> Iterator[Found]:
    """A store whose data is kept on a volume, and any of whose keys may go: it is more than a cache."""
    if policy.startswith("allkeys") and store.persistent and store.storage:
        yield found(
            f"{store.workload.name} keeps its data on a volume and may evict any of it (maxmemory-policy {policy})",
            at=place,
            because=[*store.storage, *store.evidence],
            symbol=store.workload.symbol,
            resource="redis",
            severity=INFO,
            confidence=LOW,
            help="If queues, locks or sessions are kept there, use noeviction (or volatile-* where only keys with a lifetime may go), "
            "and a separate instance for the cache.",
        )


EXAMPLES = r'''
=== bad: allkeys-lru on the instance that holds the lock
--- compose.yaml
services:
  redis:
    image: redis:7
    command: redis-server --maxmemory 256mb --maxmemory-policy allkeys-lru  # finding: lock-store-evicts
  worker:
    build: .
    command: python -m shop.worker
    environment: {REDIS_URL: "redis://redis:6379/0"}
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- shop/__init__.py
--- shop/worker.py
from shop.locks import stock_lock

def restock():
    with stock_lock():
        print("counting")
--- shop/locks.py
import os

import redis

client = redis.Redis.from_url(os.environ["REDIS_URL"])

def stock_lock():
    return client.lock("stock", timeout=60)

=== bad: volatile-lru in a mounted configuration file
--- compose.yaml
services:
  redis:
    image: redis:7
    command: redis-server /etc/redis.conf
    volumes:
      - ./conf/redis.conf:/etc/redis.conf
--- conf/redis.conf
maxmemory 100mb
maxmemory-policy volatile-lru  # finding: lock-store-evicts
--- worker.py
import redis

r = redis.Redis(host="redis")

def close_books():
    with r.lock("books", timeout=30):
        print("closing")

=== bad: the policy stands in a ConfigMap
--- k8s/redis.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  template:
    spec:
      containers:
        - name: redis
          image: redis:7
          args: [/etc/redis/redis.conf]
          volumeMounts: [{name: conf, mountPath: /etc/redis}]
      volumes:
        - name: conf
          configMap: {name: redis-conf}
--- k8s/conf.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: redis-conf}
data:
  redis.conf: |
    maxmemory 100mb
    maxmemory-policy allkeys-lru  # finding: lock-store-evicts
--- worker.py
import redis

r = redis.Redis(host="redis")

def close_books():
    with r.lock("books", timeout=30):
        print("closing")

=== bad: what is kept on a volume may be evicted
--- compose.yaml
services:
  redis:
    image: redis:7
    command: redis-server /usr/local/etc/redis.conf
    volumes:
      - data:/data
      - ./redis.conf:/usr/local/etc/redis.conf
volumes: {data: {}}
--- redis.conf
maxmemory 1gb
maxmemory-policy allkeys-lru  # finding: lock-store-evicts

=== good: noeviction
--- compose.yaml
services:
  redis:
    image: redis:7
    command: redis-server --maxmemory-policy noeviction
--- worker.py
import redis

r = redis.Redis(host="redis")

def close_books():
    with r.lock("books", timeout=30):
        print("closing")

=== good: the cache evicts, the locks live elsewhere
--- compose.yaml
services:
  cache:
    image: redis:7
    command: redis-server --maxmemory-policy allkeys-lru
  locks:
    image: redis:7
  worker:
    build: .
    command: python worker.py
    environment: {LOCK_HOST: locks}
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- worker.py
import os

import redis

r = redis.Redis(host=os.environ["LOCK_HOST"])

def close_books():
    with r.lock("books", timeout=30):
        print("closing")

=== good: nobody takes a lock
--- compose.yaml
services:
  redis:
    image: redis:7
    command: redis-server --maxmemory-policy allkeys-lru

=== good: a pod that evicts nothing
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
          args: ["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]
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

r = redis.Redis.from_url(os.environ["REDIS_URL"])

def close_books():
    with r.lock("books", timeout=30):
        print("closing")
'''
