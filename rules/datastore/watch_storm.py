"""A watch is set for each entity, or each new entity wakes every instance to fight for it: a change is sent to all, and few need it.

Why: watches live in the memory of the server that the client is connected to. When that server goes away, each client sends all
its watches to the next one in one burst; when a watched key changes, each watcher is told and reads the key again at the
same moment. A watch for each of ten thousand tasks makes both grow with the traffic instead of with the number of processes. Where
every instance watches the directory of the jobs and tries to lock each new one, all but one of them come for nothing, each time.

Instead: watch the directory once (`get_children` watch, etcd `watch_prefix`) and look up what changed, or let the worker that
changes the entity tell the one that waits for it (a queue, a callback). Let one instance hand the jobs out, or take them from a queue.

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
    Late,
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


_OF_CHILDREN = ("ChildrenWatch", "get_children", "watch_prefix", "watch_prefix_once", "add_watch_prefix_callback")


@rule("CL304", severity=WARNING)
def watch_storm(system: System) -> Iterator[Found]:
    for watch in system.operations(Op.WATCH, backend=COORDINATORS, named=True):
        entity = _entity(watch) or _made_beside(system, watch)
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
    yield from _herds(system)


def _made_beside(system: System, watch: Operation) -> str:
    """What a watch is set for when the same loop makes the node, each time that its function is called again."""
    made = [o for o in system.operations(Op.CREATE, backend=watch.backend) if o.symbol == watch.symbol and system.lap(o.place) == system.lap(watch.place) and _is_new(o)]
    shared = [f for o in made for f in o.fillers[-1:] or [a.text.strip("{}") for a in o.arguments[:1]] if f in watch.fillers]
    if not shared or system.lap(watch.place) is None or watch.key_words & {"config", "configuration", "setting", "lock", "election"}:
        return ""
    return shared[0] if system.is_called_again(watch.symbol) else ""


def _is_new(create: Operation) -> bool:
    """ZooKeeper refuses to create what is there; who does so each time, and does not mind, gives each a new name."""
    return create.call.endswith(".create") and not create.guards and create.late is not Late.ADD_MEMBER


def _herds(system: System) -> Iterator[Found]:
    """A directory in which each job gets its entry, and every instance that watches it tries to lock the new one."""
    sections = sorted(system.critical_sections(distributed=True, backend=COORDINATORS), key=lambda s: "{}" not in (s.lock.key or ""))
    for watch in system.operations(Op.WATCH, backend=COORDINATORS):
        if watch.loop or not watch.call.endswith(_OF_CHILDREN):
            continue
        above = (watch.key or "").rstrip("/") + "/"
        added = next((o for o in system.operations(backend=watch.backend) if _is_added(o, above)), None)
        reached = {symbol for callback in _callbacks(system, watch) for symbol in system.reached_from(callback)}
        raced = next((s for s in sections if s.symbol in reached), None)
        if added is None or raced is None:
            continue
        yield found(
            f"Every instance watches `{watch.key_text or watch.key}` in {backend_name(watch.backend)}, and each new entry sends all of them for one lock.",
            at=watch,
            because=[(added.place, f"an entry is made for each {_entity(added)}"), (raced.acquired, "all who are woken try to take this lock"), *watch.origin],
            confidence=MEDIUM,
        )


def _callbacks(system: System, watch: Operation) -> list[str]:
    """The functions that a watch calls: passed to it, or standing below it as their decorator."""
    passed = list(system.handed_at(watch.place))
    if passed:
        return passed
    name = watch.call.rpartition(".")[2]
    decorated = (f for f in system.functions() if name in f.decorators and f.place.path == watch.place.path and f.place > watch.place)
    nearest = min(decorated, key=lambda f: f.place, default=None)
    return [nearest.symbol] if nearest is not None else []


def _is_added(write: Operation, above: str) -> bool:
    key = write.key or ""
    return write.stores and not write.ephemeral and key.startswith(above) and above != "/" and key.rstrip("/").count("/") == above.count("/") and bool(_entity(write))


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

=== bad: every instance is woken for each new job, and all of them go for its lock
--- jobs/store.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def submit(job_id, body):
    zk.create(f"/jobs/{job_id}", body)


def claim(job_id):
    with zk.Lock(f"/claims/{job_id}"):
        body, _ = zk.get(f"/jobs/{job_id}")
        return body
--- jobs/instance.py
from jobs.store import claim, zk


def follow(work):
    known = set()

    @zk.ChildrenWatch("/jobs")  # finding: watch-storm
    def on_change(names):
        for name in set(names) - known:
            known.add(name)
            work(claim(name))

=== bad: for each question that comes, a node and a watch on its answer
--- ask/client.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def ask(paths, text, on_answer):
    for path in paths:
        zk.create(path, text)
        zk.ensure_path(path + "/answer")
        zk.DataWatch(path + "/answer", on_answer)  # finding: watch-storm
--- ask/prompt.py
from ask.client import ask


def main(paths_for, on_answer):
    while True:
        text = input("> ")
        ask(paths_for(text), text.encode(), on_answer)

=== good: made and watched once, when the program starts
--- ask/client.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def begin(paths, on_change):
    for path in paths:
        zk.ensure_path(path)
        zk.create(path + "/state", b"")
        zk.DataWatch(path + "/state", on_change)

=== good: each instance watches the others, and locks what one of them leaves
--- jobs/instance.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def join(host):
    zk.create(f"/instances/{host}", b"", ephemeral=True)


def adopt(name):
    with zk.Lock("/locks/adopt"):
        zk.set(f"/adopted/{name}", b"")


@zk.ChildrenWatch("/instances")
def on_change(names):
    for name in names:
        adopt(name)

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
