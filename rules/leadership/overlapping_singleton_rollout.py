r"""A scheduler that must run once is rolled out so that the old and the new one run together.

Why: a Deployment's default strategy starts the new pod, waits until it is ready, and only then stops the old one. For as long as that takes, two
schedulers fire the schedule, with every release. A task that runs every minute runs twice in that minute, and nobody connects it with
the release.

Instead: `strategy: {type: Recreate}` (it narrows the overlap for planned rollouts), or a StatefulSet, which never runs two pods of one name; and
tasks that are safe to run twice, because a lost node can leave an old pod running all the same.

Fine when: the scheduler elects (celery-redbeat, rq-scheduler); the workload is a StatefulSet; the strategy is Recreate, or its maxSurge is 0.

Known misses: singletons that a loop of one's own makes.

Sources: Kubernetes documentation, Deployments (Strategy: Recreate, Rolling Update); Celery documentation, Periodic Tasks (a single scheduler at a
time).
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import WARNING, Evidence, Found, System, found, rule

SCHEDULERS = {"celery-beat": "celery beat", "apscheduler": "APScheduler", "taskiq-scheduler": "the taskiq scheduler", "periodiq": "periodiq"}


@rule("CL407", severity=WARNING)
def overlapping_singleton_rollout(system: System) -> Iterator[Found]:
    if system.requires("celery-redbeat", "celery-beatx", "single-beat") is not None:
        return
    for workload in system.workloads():
        if workload.kind != "deployment" or workload.replicas.may_be_many or workload.strategy not in ("", "RollingUpdate"):
            continue
        for process in workload.started(*SCHEDULERS):
            if any("redbeat" in word.lower() for word in process.argv) or workload.surge == 0:
                continue
            said = "a rolling update" if workload.strategy else "a rolling update, which is the default"
            yield found(
                f"{SCHEDULERS[process.program]} in {workload.name} is replaced by {said}: the old and the new one run together",
                at=workload.place,
                because=[Evidence(process.place, f"{SCHEDULERS[process.program]} starts here")],
                symbol=workload.symbol,
                resource=process.program,
                severity=workload.role.softened(WARNING),
            )


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
