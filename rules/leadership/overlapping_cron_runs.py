"""A CronJob may start while its last run is still busy, and the job is not safe to overlap.

Why: `concurrencyPolicy` is Allow unless it is said, so a run that takes longer than its interval, or is retried, gets company; the
controller itself may create two jobs for one tick. Two runs then charge, mail or append twice, or overwrite each other.

Instead: `concurrencyPolicy: Forbid` (or Replace), a `startingDeadlineSeconds`, and a job whose effects can be repeated: an
idempotency key, a unique constraint, a conditional update. The policy narrows the overlap; only the sink ends it.

Fine when: the policy is Forbid or Replace; every effect of the job is conditional or safe to repeat, or done under a lock.
Compose has no schedule of its own: the commands that ofelia's labels repeat in a service are understood (`no-overlap: true` is the
Forbid there); a cron daemon in a container is not.

Known misses: jobs whose program could not be joined to code of the repository.

Sources: Kubernetes documentation, CronJob (concurrency policy; jobs should be idempotent); mcuadros/ofelia, README (`no-overlap`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import WARNING, Evidence, Found, Late, Operation, System, Workload, effect_name, found, rule

REPEATS_BADLY = (Late.APPEND, Late.ACCUMULATE, Late.EXTERNAL)
KINDS = ("payment", "email", "message", "database", "object-store", "file", "remote", "task")


@rule("CL408", severity=WARNING)
def overlapping_cron_runs(system: System) -> Iterator[Found]:
    for workload in system.workloads():
        if not (workload.kind == "cronjob" or workload.schedule) or workload.concurrency_policy in ("Forbid", "Replace"):
            continue
        effect = unsafe_effect(system, workload)
        if effect is None:
            continue
        yield found(
            f"runs of {workload.name} may overlap ({policy(workload)}), and {effect_name(effect)} is not safe to repeat",
            at=workload.place,
            because=[Evidence(effect.place, "this happens twice when two runs overlap")],
            symbol=workload.symbol,
            resource=workload.schedule,
            severity=workload.role.softened(WARNING),
        )


def policy(workload: Workload) -> str:
    """What lets its runs overlap, in its scheduler's words."""
    if workload.kind == "repeated":
        return "no-overlap is not set"
    return f"concurrencyPolicy is {workload.concurrency_policy or 'Allow, the default'}"


def unsafe_effect(system: System, workload: Workload) -> Operation | None:
    """The first unconditional effect of the job's program that does harm when it is repeated, outside of any lock."""
    started = {run.path for run in workload.runs}
    for effect in system.operations():
        if effect.late not in REPEATS_BADLY or effect.conditional or effect.kind not in KINDS or system.is_locked(effect):
            continue
        if effect.place.path in started or any(
            entry.kind in ("main", "command") and entry.place.path in started for entry in system.entries_reaching(effect.symbol)
        ):
            return effect
    return None


EXAMPLES = '''
=== bad: the default policy on a job that charges
--- jobs/renew.py
import stripe


def renew(customers):
    for customer in customers:
        stripe.Charge.create(amount=900, customer=customer)


if __name__ == "__main__":
    renew(["c1"])
--- k8s/renew.yaml
apiVersion: batch/v1
kind: CronJob
metadata:
  name: renew  # finding: overlapping-cron-runs
spec:
  schedule: "*/5 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - {name: renew, image: shop, command: [python, jobs/renew.py]}

=== bad: compose, a command that a scheduler repeats in a service
--- jobs/renew.py
import stripe


def renew():
    stripe.Charge.create(amount=900)


if __name__ == "__main__":
    renew()
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- compose.yaml
services:
  scheduler:
    image: mcuadros/ofelia:0.3
    command: daemon --docker
  shop:
    build: .
    command: sleep infinity
    labels:
      ofelia.enabled: "true"
      ofelia.job-exec.renew.schedule: "@every 5m"  # finding: overlapping-cron-runs
      ofelia.job-exec.renew.command: python jobs/renew.py

=== good: runs are forbidden to overlap
--- jobs/renew.py
import stripe


def renew():
    stripe.Charge.create(amount=900)


if __name__ == "__main__":
    renew()
--- k8s/renew.yaml
apiVersion: batch/v1
kind: CronJob
metadata:
  name: renew
spec:
  schedule: "*/5 * * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - {name: renew, image: shop, command: [python, jobs/renew.py]}

=== good: compose, and the scheduler waits for the last run
--- jobs/renew.py
import stripe


def renew():
    stripe.Charge.create(amount=900)


if __name__ == "__main__":
    renew()
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- compose.yaml
services:
  scheduler:
    image: mcuadros/ofelia:0.3
    command: daemon --docker
  shop:
    build: .
    command: sleep infinity
    labels:
      ofelia.enabled: "true"
      ofelia.job-exec.renew.schedule: "@every 5m"
      ofelia.job-exec.renew.command: python jobs/renew.py
      ofelia.job-exec.renew.no-overlap: "true"

=== good: compose runs the job when it is told to, and has no schedule
--- jobs/renew.py
import stripe


def renew():
    stripe.Charge.create(amount=900)


if __name__ == "__main__":
    renew()
--- compose.yaml
services:
  renew:
    build: .
    command: python jobs/renew.py
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .

=== good: an idempotency key makes the repetition harmless
--- jobs/renew.py
import stripe


def renew(order):
    stripe.Charge.create(amount=900, idempotency_key=f"renew-{order}")


if __name__ == "__main__":
    renew(1)
--- k8s/renew.yaml
apiVersion: batch/v1
kind: CronJob
metadata:
  name: renew
spec:
  schedule: "*/5 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - {name: renew, image: shop, command: [python, jobs/renew.py]}
'''
