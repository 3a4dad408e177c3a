r"""Session-level advisory locks through pgbouncer in transaction mode.

Why: in transaction mode the pooler gives each transaction whatever server connection is free. `pg_advisory_lock` belongs to a server session: it is taken on
one connection, the next statement and the unlock may run on another, so that the lock stays with a connection that now serves somebody else, and whoever
gets that connection holds your lock.

Instead: `pg_advisory_xact_lock` inside the transaction that does the work; or a connection to the server itself, or a pool in session mode, for what
needs a session.

Fine when: the lock is one of the transaction; the pooler runs in session mode; the program connects to the server directly.

Known misses: a pooler that no manifest of the repository shows; LISTEN.

Sources: pgbouncer documentation, features by pool mode; PostgreSQL documentation, advisory locks.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ERROR, HIGH, Evidence, Found, Scope, System, Workload, found, lock_name, rule

MODE = ("POOL_MODE", "PGBOUNCER_POOL_MODE", "PGBOUNCER_DEFAULT_POOL_MODE")


@rule("CL114", severity=ERROR)
def session_lock_behind_pooler(system: System) -> Iterator[Found]:
    poolers = [(w, mode) for w in system.workloads() if (mode := transaction_mode(w)) is not None]
    if not poolers:
        return
    for section in system.critical_sections(scopes=(Scope.DB_SESSION,), backend="postgres-advisory"):
        for workload in system.workloads_of(section.symbol):
            for pooler, mode in poolers:
                way = next((c for c in system.deployment.clients_of(pooler.key) if c.source == workload.key), None)
                if way is None:
                    continue
                yield found(
                    f"{lock_name(section.lock)} belongs to a server session, and {workload.name} reaches the database through {pooler.name}, which "
                    "changes the session with each transaction",
                    at=section,
                    because=[mode, *(Evidence(e.place, f"{workload.name} connects to {pooler.name}") for e in way.evidence[:1])],
                    confidence=HIGH,
                )


def transaction_mode(workload: Workload) -> Evidence | None:
    """The evidence that a workload is pgbouncer in transaction or statement mode."""
    if "pgbouncer" not in (workload.image or "") and workload.name != "pgbouncer":
        return None
    mode = workload.variable(*MODE)
    if mode is None or mode.value not in ("transaction", "statement"):
        return None
    return Evidence(mode.place, f"{workload.name} pools in {mode.value} mode")


EXAMPLES = r'''
=== bad: a session lock, a pooler in transaction mode
--- shop/__init__.py
--- shop/worker.py
import os

import psycopg2

db = psycopg2.connect(os.environ["DATABASE_URL"])

def work(job):
    cur = db.cursor()
    cur.execute("SELECT pg_advisory_lock(42)")  # finding: session-lock-behind-pooler
    try:
        job.run()
    finally:
        cur.execute("SELECT pg_advisory_unlock(42)")

if __name__ == "__main__":
    work(None)
--- compose.yaml
services:
  worker:
    build: .
    command: python -m shop.worker
    environment:
      DATABASE_URL: postgres://shop@pgbouncer:6432/shop
  pgbouncer:
    image: edoburu/pgbouncer:1.22
    environment:
      POOL_MODE: transaction
      DB_HOST: postgres
  postgres:
    image: postgres:16

=== good: a lock of the transaction
--- shop/__init__.py
--- shop/worker.py
import os

import psycopg2

db = psycopg2.connect(os.environ["DATABASE_URL"])

def work(job):
    with db:
        cur = db.cursor()
        cur.execute("SELECT pg_advisory_xact_lock(42)")
        job.run()

if __name__ == "__main__":
    work(None)
--- compose.yaml
services:
  worker:
    build: .
    command: python -m shop.worker
    environment:
      DATABASE_URL: postgres://shop@pgbouncer:6432/shop
  pgbouncer:
    image: edoburu/pgbouncer:1.22
    environment:
      POOL_MODE: transaction

=== good: the pooler keeps sessions
--- shop/__init__.py
--- shop/worker.py
import os

import psycopg2

db = psycopg2.connect(os.environ["DATABASE_URL"])

def work(job):
    cur = db.cursor()
    cur.execute("SELECT pg_advisory_lock(42)")
    job.run()
    cur.execute("SELECT pg_advisory_unlock(42)")

if __name__ == "__main__":
    work(None)
--- compose.yaml
services:
  worker:
    build: .
    command: python -m shop.worker
    environment:
      DATABASE_URL: postgres://shop@pgbouncer:6432/shop
  pgbouncer:
    image: edoburu/pgbouncer:1.22
    environment:
      POOL_MODE: session

=== good: this program goes around the pooler
--- shop/__init__.py
--- shop/worker.py
import os

import psycopg2

db = psycopg2.connect(os.environ["DATABASE_URL"])

def work(job):
    cur = db.cursor()
    cur.execute("SELECT pg_advisory_lock(42)")
    job.run()
    cur.execute("SELECT pg_advisory_unlock(42)")

if __name__ == "__main__":
    work(None)
--- compose.yaml
services:
  worker:
    build: .
    command: python -m shop.worker
    environment:
      DATABASE_URL: postgres://shop@postgres:5432/shop
  web:
    image: shop/web
    environment:
      DATABASE_URL: postgres://shop@pgbouncer:6432/shop
  pgbouncer:
    image: edoburu/pgbouncer:1.22
    environment:
      POOL_MODE: transaction
  postgres:
    image: postgres:16

=== bad: the pooler stands in the cluster
--- shop/__init__.py
--- shop/worker.py
import os

import psycopg2

db = psycopg2.connect(os.environ["DATABASE_URL"])

def work(job):
    cur = db.cursor()
    cur.execute("SELECT pg_advisory_lock(42)")  # finding: session-lock-behind-pooler
    try:
        job.run()
    finally:
        cur.execute("SELECT pg_advisory_unlock(42)")

if __name__ == "__main__":
    work(None)
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
          image: acme/shop
          command: [python, -m, shop.worker]
          env: [{name: DATABASE_URL, value: "postgres://shop@pgbouncer:6432/shop"}]
--- k8s/pgbouncer.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: pgbouncer}
spec:
  template:
    metadata: {labels: {app: pgbouncer}}
    spec:
      containers:
        - name: pgbouncer
          image: edoburu/pgbouncer:1.22
          env: [{name: POOL_MODE, value: transaction}]
---
apiVersion: v1
kind: Service
metadata: {name: pgbouncer}
spec:
  selector: {app: pgbouncer}

=== good: the pooler in the cluster keeps sessions
--- shop/__init__.py
--- shop/worker.py
import os

import psycopg2

db = psycopg2.connect(os.environ["DATABASE_URL"])

def work(job):
    cur = db.cursor()
    cur.execute("SELECT pg_advisory_lock(42)")
    try:
        job.run()
    finally:
        cur.execute("SELECT pg_advisory_unlock(42)")

if __name__ == "__main__":
    work(None)
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
          image: acme/shop
          command: [python, -m, shop.worker]
          env: [{name: DATABASE_URL, value: "postgres://shop@pgbouncer:6432/shop"}]
--- k8s/pgbouncer.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: pgbouncer}
spec:
  template:
    metadata: {labels: {app: pgbouncer}}
    spec:
      containers:
        - name: pgbouncer
          image: edoburu/pgbouncer:1.22
          env: [{name: POOL_MODE, value: session}]
---
apiVersion: v1
kind: Service
metadata: {name: pgbouncer}
spec:
  selector: {app: pgbouncer}
'''
