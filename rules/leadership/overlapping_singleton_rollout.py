r"""A scheduler that must run once is rolled out so that the old and the new one run together.

Why: a Deployment's default strategy starts the new pod, waits until it is ready, and only then stops the old one. For as long as that takes, two
schedulers fire the schedule, with every release. A task that runs every minute runs twice in that minute, and nobody connects it with
the release. A swarm stops the old task first, unless `update_config` says `order: start-first`.

Instead: `strategy: {type: Recreate}` (it narrows the overlap for planned rollouts), or a StatefulSet, which never runs two pods of one name; and
tasks that are safe to run twice, because a lost node can leave an old pod running all the same. In a swarm, `order: stop-first`.

The same holds for an APScheduler that the program starts by itself, with a job store that both share all the more.

Fine when: the scheduler elects (celery-redbeat, rq-scheduler), or a lock or an election guards its start; the workload is a StatefulSet; the strategy is Recreate, or its maxSurge is 0;
it runs under compose without a swarm, which stops a container before it starts the next.

Known misses: singletons that a loop of one's own makes.

Sources: Kubernetes documentation, Deployments (Strategy: Recreate, Rolling Update); Celery documentation, Periodic Tasks (a single scheduler at a
time); Compose Deploy Specification (update_config, order).
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import MEDIUM, WARNING, Evidence, Found, Op, System, Workload, found, rule

SCHEDULERS = {"celery-beat": "celery beat", "apscheduler": "APScheduler", "taskiq-scheduler": "the taskiq scheduler", "periodiq": "periodiq"}


@rule("CL407", severity=WARNING)
def overlapping_singleton_rollout(system: System) -> Iterator[Found]:
    if system.requires("celery-redbeat", "celery-beatx", "single-beat") is not None:
        return
    for workload in system.workloads():
        how = overlap(workload)
        if not how or workload.replicas.may_be_many or workload.elections:
            continue
        for process in workload.started(*SCHEDULERS):
            if any("redbeat" in word.lower() for word in process.argv) or workload.surge == 0:
                continue
            yield found(
                f"{SCHEDULERS[process.program]} in {workload.name} is replaced by {how}: the old and the new one run together",
                at=workload.place,
                because=[Evidence(process.place, f"{SCHEDULERS[process.program]} starts here")],
                symbol=workload.symbol,
                resource=process.program,
                severity=workload.role.softened(WARNING),
            )
        yield from in_code(system, workload, how)


def in_code(system: System, workload: Workload, how: str) -> Iterator[Found]:
    """An APScheduler that the workload's program starts."""
    for start in system.operations(Op.SCHEDULER_START):
        if start.library != "apscheduler" or workload not in system.workloads_of(start.symbol):
            continue
        if any(start.symbol in system.reached_from(s.symbol) for s in system.critical_sections(distributed=True)):
            continue
        yield found(
            f"the APScheduler in {workload.name} is replaced by {how}: the old and the new one run together",
            at=workload.place,
            because=[Evidence(start.place, "APScheduler starts here")],
            symbol=workload.symbol,
            resource="apscheduler",
            severity=workload.role.softened(WARNING),
            confidence=MEDIUM,
        )
        return


def overlap(workload: Workload) -> str:
    """The kind of rollout that starts the new instance before it stops the old one, in words; empty for others."""
    if workload.kind == "compose":
        return "an update that starts the new one first" if workload.strategy == "start-first" else ""
    if workload.kind == "deployment" and workload.strategy in ("", "RollingUpdate"):
        return "a rolling update" if workload.strategy else "a rolling update, which is the default"
    return ""


EXAMPLES = r'''
=== bad: the default strategy
--- k8s/beat.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: beat  # finding: overlapping-singleton-rollout
spec:
  replicas: 1
  template:
    spec:
      containers:
        - {name: beat, image: acme/shop, command: [celery, -A, shop, beat]}

=== bad: a swarm is told to start the new one first
--- compose.yaml
services:
  beat:  # finding: overlapping-singleton-rollout
    image: acme/shop
    command: celery -A shop beat
    deploy:
      replicas: 1
      update_config: {order: start-first}

=== bad: the program starts a scheduler of its own
--- k8s/planner.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: planner  # finding: overlapping-singleton-rollout
spec:
  replicas: 1
  template:
    spec:
      containers:
        - {name: planner, image: acme/planner, command: [python, -m, planner]}
--- planner.py
from apscheduler.schedulers.blocking import BlockingScheduler

scheduler = BlockingScheduler()
scheduler.add_jobstore("sqlalchemy", url="postgresql://db/jobs")
scheduler.start()

=== good: a scheduler of its own under Recreate
--- k8s/planner.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: planner}
spec:
  replicas: 1
  strategy: {type: Recreate}
  template:
    spec:
      containers:
        - {name: planner, image: acme/planner, command: [python, -m, planner]}
--- planner.py
from apscheduler.schedulers.blocking import BlockingScheduler

scheduler = BlockingScheduler()
scheduler.start()

=== good: a swarm stops the old one first
--- compose.yaml
services:
  beat:
    image: acme/shop
    command: celery -A shop beat
    deploy:
      replicas: 1
      update_config: {order: stop-first}

=== good: compose replaces a container after it has stopped
--- compose.yaml
services:
  beat:
    image: acme/shop
    command: celery -A shop beat
    restart: always

=== good: Recreate
--- k8s/beat.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: beat}
spec:
  replicas: 1
  strategy: {type: Recreate}
  template:
    spec:
      containers:
        - {name: beat, image: acme/shop, command: [celery, -A, shop, beat]}

=== good: a rolling update that starts none before one has stopped
--- k8s/beat.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: beat}
spec:
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}
  template:
    spec:
      containers:
        - {name: beat, image: acme/shop, command: [celery, -A, shop, beat]}

=== good: a StatefulSet
--- k8s/beat.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: beat}
spec:
  serviceName: beat
  template:
    spec:
      containers:
        - {name: beat, image: acme/shop, command: [celery, -A, shop, beat]}

=== good: the scheduler elects
--- k8s/beat.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: beat}
spec:
  template:
    spec:
      containers:
        - {name: beat, image: acme/shop, command: [celery, -A, shop, beat, -S, redbeat.RedBeatScheduler]}

=== good: an ordinary worker
--- k8s/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  template:
    spec:
      containers:
        - {name: worker, image: acme/shop, command: [celery, -A, shop, worker]}
'''
