r"""A scheduler that must run once is deployed to run more than once.

Why: every instance of celery beat, and every process with its own APScheduler, fires every entry of the schedule. With two replicas each
customer gets two reminders and two invoices; with four workers of gunicorn, four. Nothing fails, so nobody is told. An autoscaler makes
it worse exactly when the load is high.

Instead: one workload for the scheduler alone, `replicas: 1` with `strategy: {type: Recreate}`, and never `-B` on scaled workers. Where it must
survive its host: a scheduler that elects (celery-redbeat, APScheduler 4 with a shared store), or an election around the start. Make the
tasks safe to run twice in any case.

Fine when: the scheduler takes a lock itself (redbeat, rq-scheduler); an election or a distributed lock guards its start; its pods may write Leases, have one
of their name, or run a leader elector beside the program, which is how they elect one of them; gunicorn preloads
the application, so that the scheduler starts in the parent process only. Ordinary workers are meant to be many.

Known misses: replicas that are set outside the repository; loops written by hand.

Sources: Celery documentation, Periodic Tasks (a single scheduler at a time); APScheduler documentation, FAQ (sharing a job store among
processes); django-apscheduler README; celery-redbeat documentation.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    MEDIUM,
    Evidence,
    Found,
    Op,
    Operation,
    System,
    Workload,
    found,
    many_processes,
    rule,
)

SCHEDULERS = {"celery-beat": "celery beat", "apscheduler": "APScheduler", "taskiq-scheduler": "the taskiq scheduler", "periodiq": "periodiq"}


@rule("CL405", severity=ERROR)
def singleton_on_replicas(system: System) -> Iterator[Found]:
    for workload in system.workloads():
        many = instances(workload)
        if many:
            yield from scheduler_commands(system, workload, many)
    for start in system.operations(Op.SCHEDULER_START):
        if start.library == "apscheduler" and not elected(system, start):
            yield from scheduler_in_code(system, start)


def scheduler_commands(system: System, workload: Workload, many: list[Evidence]) -> Iterator[Found]:
    """A scheduler that the command line starts, in every replica."""
    for process in workload.started(*SCHEDULERS):
        if elects_itself(system, process.argv, workload):
            continue
        yield found(
            f"{SCHEDULERS[process.program]} runs in {workload.name}, {count(workload)}: every instance fires the whole schedule",
            at=process.place,
            because=[*many, Evidence(workload.place, f"{workload.name} is defined here")],
            symbol=workload.symbol,
            resource=process.program,
            severity=workload.role.softened(ERROR),
        )


def scheduler_in_code(system: System, start: Operation) -> Iterator[Found]:
    """A scheduler that a replicated or forking program starts."""
    for workload in system.workloads_of(start.symbol):
        preloads = any("--preload" in process.argv for process in workload.processes)
        forks = None if preloads else many_processes(workload)
        many = [*instances(workload), *([forks] if forks else [])]
        if not many:
            continue
        yield found(
            f"an APScheduler starts in every instance of {workload.name} ({many[0].message}): each fires the whole schedule",
            at=start.place,
            because=[*many, Evidence(workload.place, f"{workload.name} is defined here")],
            symbol=start.symbol,
            resource="apscheduler",
            severity=workload.role.softened(ERROR),
            confidence=MEDIUM,
        )


def instances(workload: Workload) -> list[Evidence]:
    """What says that a workload runs more than once, with no election among its instances."""
    if workload.is_one_shot or workload.elections:
        return []
    if workload.replicas.may_be_many or workload.kind == "daemonset":
        return list(workload.replicas.because)
    return []


def count(workload: Workload) -> str:
    """How many instances, in words."""
    replicas = workload.replicas
    if workload.kind == "daemonset":
        return "which runs on every node"
    most = max(replicas.declared or 0, replicas.most or 0)
    return f"which has {most} replicas" if replicas.declared == most else f"which scales up to {most} replicas"


def elects_itself(system: System, argv: tuple[str, ...], workload: Workload) -> bool:
    """Whether beat is given a scheduler that takes a lock: by flag, by environment, or as a dependency of the project."""
    words = [*argv, *(v.value or "" for v in workload.environment if "SCHEDULER" in v.name.upper() or "BEAT" in v.name.upper())]
    if any("redbeat" in word.lower() for word in words):
        return True
    return system.requires("celery-redbeat", "celery-beatx", "single-beat") is not None


def elected(system: System, start: Operation) -> bool:
    """Whether a distributed lock or an election guards the start."""
    return any(start.symbol in system.reached_from(s.symbol) for s in system.critical_sections(distributed=True))


EXAMPLES = r'''
=== bad: beat embedded in three workers
--- compose.yaml
services:
  worker:
    build: .
    command: celery -A shop worker -B --loglevel=info  # finding: singleton-on-replicas
    deploy:
      replicas: 3
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- shop/__init__.py
--- shop/celery.py
from celery import Celery

app = Celery("shop", broker="redis://redis")

=== bad: beat behind an autoscaler in another file, started by a script
--- k8s/beat.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: beat}
spec:
  template:
    spec:
      containers:
        - name: beat
          image: acme/shop:1.4
          command: ["/bin/sh", "-c"]
          args:
            - python manage.py migrate && exec celery -A shop beat  # finding: singleton-on-replicas
--- k8s/scaling.yaml
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: beat}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: beat}
  minReplicas: 1
  maxReplicas: 4

=== bad: APScheduler in a web application with four workers
--- compose.yaml
services:
  web:
    build: .
    command: gunicorn -w 4 app:app
--- Dockerfile
FROM python:3.12
WORKDIR /srv
COPY . .
--- app.py
from flask import Flask
from apscheduler.schedulers.background import BackgroundScheduler

app = Flask(__name__)
scheduler = BackgroundScheduler()
scheduler.start()  # finding: singleton-on-replicas

=== good: one beat, many workers
--- compose.yaml
services:
  beat:
    build: .
    command: celery -A shop beat
  worker:
    build: .
    command: celery -A shop worker
    deploy: {replicas: 5}

=== good: redbeat takes a lock
--- compose.yaml
services:
  beat:
    build: .
    command: celery -A shop beat -S redbeat.RedBeatScheduler
    deploy: {replicas: 2}

=== good: rq-scheduler takes a lock
--- compose.yaml
services:
  scheduler:
    image: acme/jobs
    command: rqscheduler --host redis
    deploy: {replicas: 2}

=== good: the application is preloaded
--- compose.yaml
services:
  web:
    build: .
    command: gunicorn --preload -w 4 app:app
--- Dockerfile
FROM python:3.12
WORKDIR /srv
COPY . .
--- app.py
from apscheduler.schedulers.background import BackgroundScheduler

scheduler = BackgroundScheduler()
scheduler.start()

=== good: an election around the start
--- compose.yaml
services:
  clock:
    build: .
    command: python clock.py
    deploy: {replicas: 3}
--- Dockerfile
FROM python:3.12
WORKDIR /srv
COPY . .
--- clock.py
from apscheduler.schedulers.blocking import BlockingScheduler
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk1,zk2,zk3")
scheduler = BlockingScheduler()

def lead():
    scheduler.start()

def main():
    zk.start()
    zk.Election("/clock/leader").run(lead)

main()

=== good: one beat beside many workers
--- k8s/beat.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: beat}
spec:
  replicas: 1
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: beat}}
    spec:
      containers:
        - name: beat
          image: acme/shop:1.4
          command: [celery, -A, shop, beat]
--- k8s/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 5
  template:
    metadata: {labels: {app: worker}}
    spec:
      containers:
        - name: worker
          image: acme/shop:1.4
          command: [celery, -A, shop, worker]

=== good: the pods may write Leases, and elect one of them
--- k8s/beat.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: beat}
spec:
  replicas: 2
  template:
    spec:
      serviceAccountName: beat
      containers:
        - name: beat
          image: acme/shop:1.4
          command: [sh, -c, "elect --lease beat && exec celery -A shop beat"]
--- k8s/rights.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: beat}
rules:
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: beat}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: beat}
subjects: [{kind: ServiceAccount, name: beat}]

=== good: a leader elector runs beside the scheduler
--- k8s/beat.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: beat}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - {name: elector, image: "registry.k8s.io/leader-elector:0.5", args: [--election=beat, "--http=0.0.0.0:4040"]}
        - name: beat
          image: acme/shop:1.4
          command: [sh, -c, "wait-until-leading && exec celery -A shop beat"]

=== bad: a scheduler in code; the Lease of that name is another namespace's
--- Dockerfile
FROM python:3.12
WORKDIR /srv
COPY . .
--- app.py
from apscheduler.schedulers.blocking import BlockingScheduler

scheduler = BlockingScheduler()
scheduler.start()  # finding: singleton-on-replicas
--- compose.yaml
services:
  clock: {build: ., image: acme/clock, command: python app.py}
--- k8s/clock.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: clock, namespace: shop}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - {name: clock, image: acme/clock, command: [python, app.py]}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: clock, namespace: billing}

=== good: a scheduler in code, in pods that have a Lease of their name
--- Dockerfile
FROM python:3.12
WORKDIR /srv
COPY . .
--- app.py
from apscheduler.schedulers.blocking import BlockingScheduler

scheduler = BlockingScheduler()
scheduler.start()
--- compose.yaml
services:
  clock: {build: ., image: acme/clock, command: python app.py}
--- k8s/clock.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: clock, namespace: shop}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - {name: clock, image: acme/clock, command: [python, app.py]}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: clock, namespace: shop}
'''
