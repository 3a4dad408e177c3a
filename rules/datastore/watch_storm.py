"""A watch is set for each entity: every change is sent to every watcher, and every reconnect sets them all again.

Why: watches live in the memory of the server that the client is connected to. When that server goes away, each client sends all
its watches to the next one in one burst; when a watched key changes, each watcher is told and reads the key again at the
same moment. A watch for each of ten thousand tasks makes both grow with the traffic instead of with the number of processes.

Instead: watch the directory once (`get_children` watch, etcd `watch_prefix`) and look up what changed, or let the worker that
changes the entity tell the one that waits for it (a queue, a callback).

Fine when: the watched keys are configuration or members, a bounded set.

Sources: ZooKeeper, Recipes (the herd effect); ZooKeeper, Data Model (watches).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    System,
    backend_name,
    found,
    rule,
    words,
)

_BOUNDED = frozenset(
    {"host", "node", "worker", "service", "shard", "region", "app", "env", "config", "setting", "feature", "flag", "member", "leader"}
    | {"root", "prefix", "path", "lock", "instance", "cluster", "master"}
)
_GROWING = frozenset(
    {"id", "uuid", "user", "job", "task", "request", "order", "session", "message", "event", "file", "filename", "run", "account"}
    | {"customer", "item", "product", "device", "token"}
)


@rule("CL304", severity=WARNING)
def watch_storm(system: System) -> Iterator[Found]:
    for watch in system.operations(Op.WATCH, backend=COORDINATORS):
        entity = _entity(watch)
        if not entity or watch.loop != "for":
            continue
        changes = [o for o in system.same_key(watch) if o.stores]
        yield found(
            f"Sets a watch for each {entity} in {backend_name(watch.backend)}: `{watch.key_text or watch.key}`.",
            at=watch,
            because=[*((o.place, "each of these keys is written here") for o in changes[:2]), *watch.origin]
            or [(watch.place, "one for each turn of the loop")],
            confidence=HIGH if changes else MEDIUM,
        )


def _entity(watch: Operation) -> str:
    if "{}" not in (watch.key or "") or watch.key_words & {"config", "configuration", "setting", "lock", "election"}:
        return ""
    for filler in watch.fillers:
        said = words(filler)
        if said & _GROWING and not said & _BOUNDED:
            return filler
    return ""


EXAMPLES = '''
=== bad: a data watch for every task, which is written elsewhere
--- jobs/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- jobs/worker.py
from jobs.zk import zk


def done(task_id, result):
    zk.set(f"/tasks/{task_id}", result)
--- jobs/master.py
from jobs.zk import zk


def follow(task_ids, on_change):
    for task_id in task_ids:
        zk.DataWatch(f"/tasks/{task_id}", on_change)  # finding: watch-storm

=== good: one watch on the directory
--- jobs/master.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def done(task_id, result):
    zk.create(f"/tasks/{task_id}", result)


def follow(on_change):
    zk.ChildrenWatch("/tasks", on_change)

=== good: one watch for the job in hand
--- jobs/master.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def run(job_id, on_change):
    zk.create(f"/jobs/{job_id}", b"new")
    zk.DataWatch(f"/jobs/{job_id}", on_change)

=== good: a bounded set of settings
--- app/settings.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def follow(names, on_change):
    for name in names:
        zk.DataWatch(f"/config/{name}", on_change)

=== good: one watch for each service that is called
--- app/services.py
import etcd3

etcd = etcd3.client()


def follow(service, on_change):
    etcd.add_watch_prefix_callback(f"/services/{service}/", on_change)
'''
