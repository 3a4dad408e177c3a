"""Jobs or messages travel through a quorum store: a queue recipe, or nodes that are created, listed and deleted as work.

Why: each put and each take is a consensus write, a consumer lists all children to find one, and a backlog of jobs
lives in the memory of every member. Listing a directory of many nodes can pass ZooKeeper's 1 MiB packet limit, after
which the queue can neither be read nor emptied; Curator's authors, who maintain such a recipe, advise against it. An
etcd or Consul queue grows the revision history and the snapshots with every message. There is neither a visibility
timeout nor a dead-letter queue, and a job taken by a worker that dies is lost or waits for its session to end.

Instead: use a broker (SQS, RabbitMQ, Kafka, Redis streams) or, for jobs that belong to a database transaction, a table
that workers read with `FOR UPDATE SKIP LOCKED`. Keep in the quorum store only who consumes what.

Fine when: the sequence nodes belong to a lock or an election, which use the same recipe with ephemeral nodes; a handful
of commands to a cluster's members goes through the store because the members are there anyway.

Known misses: a queue under a neutral key prefix that is consumed by a program outside the repository.

Sources: Apache Curator, Tech Note 4 (ZooKeeper as a queue); ZooKeeper, Recipes (queues use sequence nodes) and
jute.maxbuffer in the configuration parameters; etcd documentation, System limits.
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
    Place,
    System,
    backend_name,
    found,
    rule,
)

_RECIPES = ("Queue", "LockingQueue")
_JOBS = frozenset(
    {"job", "task", "queue", "message", "msg", "work", "todo", "inbox", "outbox", "mailbox", "backlog", "pending"}
    | {"instruction", "command", "request", "order", "action", "statement"}
)
# Recipes and records that sequence nodes and job names also serve.
_NOT_WORK = frozenset(
    {"lock", "mutex", "leader", "election", "elect", "candidate", "barrier", "semaphore", "member", "worker", "node"}
    | {"host", "instance", "service", "config", "configuration", "setting", "status", "state", "result", "history", "schedule"}
    | {"certificate", "cert", "credential", "secret"}
)


@rule("CL206", severity=WARNING)
def coordination_as_job_queue(system: System) -> Iterator[Found]:
    puts = list(system.operations(Op.QUEUE_PUT, Op.QUEUE_GET, Op.QUEUE_ACK, backend=COORDINATORS))
    for made in system.operations(backend=COORDINATORS):
        if made.call.rpartition(".")[2] in _RECIPES:
            yield found(
                f"A {backend_name(made.backend)} queue recipe carries messages{_named(made)}.",
                at=made,
                because=[*made.origin, *_uses(made, puts)] or [(_argument_place(made), "the path that holds the messages")],
            )
    for create in system.operations(backend=COORDINATORS):
        if not _is_creation(create) or create.ephemeral or create.key_words & _NOT_WORK or create.symbol_words & {"lock", "election", "elect"}:
            continue
        takes, deletes = _consumption(system, create)
        if takes and deletes and _is_sequence(create):
            yield _work(create, [*takes, *deletes], "as numbered nodes that are listed and deleted")
        elif (deletes or _is_watched(system, create)) and takes and create.key_words & _JOBS and "{}" in (create.key or "").rpartition("/")[2]:
            yield _work(create, [*takes, *deletes], "as one key each, taken by whoever finds it first")


def _work(create: Operation, others: list[tuple[Place, str]], how: str) -> Found:
    return found(
        f"Work is handed over through {backend_name(create.backend)} {how}: `{create.key_text or create.key}`.",
        at=create,
        because=[*others[:4], *create.origin],
        confidence=HIGH if create.key_words & _JOBS and any("deleted" in said for _, said in others) else MEDIUM,
    )


def _consumption(system: System, create: Operation) -> tuple[list[tuple[Place, str]], list[tuple[Place, str]]]:
    """Where the parent of the created key is listed or watched, and where its children are deleted."""
    parent = _parent(create.key)
    if not parent:
        return [], []
    others = list(system.operations(Op.LIST, Op.WATCH, Op.DELETE, backend=create.backend))
    takers = [o for o in others if o.op is not Op.DELETE and (o.key or "").rstrip("/") == parent]
    consumers = {o.symbol for o in takers}
    deletes = [
        (o.place, "what was taken is deleted here")
        for o in others
        if o.op is Op.DELETE
        and ((o.key or "").startswith(parent + "/") or (o.key in (None, "", "{}") and o.symbol in consumers))
    ]
    called = {callback for o in takers for callback in system.handed_at(o.place)}
    reads = [o for o in system.operations_in(called) if o.op is Op.READ and o.backend == create.backend and (o.key or "").startswith(parent + "/")]
    takes = [(o.place, "consumers look for work here") for o in takers] + [(o.place, "and read it here") for o in reads[:1]]
    return takes, deletes


def _is_creation(create: Operation) -> bool:
    """A new entry; ZooKeeper's `set` changes one that is there."""
    return create.stores and not (create.backend == "zookeeper" and create.op in (Op.WRITE, Op.CAS))


def _is_watched(system: System, create: Operation) -> bool:
    """Somebody waits for new children of the parent."""
    watches = system.operations(Op.WATCH, backend=create.backend)
    return any((watch.key or "").rstrip("/") == _parent(create.key) for watch in watches)


def _parent(key: str | None) -> str:
    """The directory of a key whose last part is numbered or computed: "/jobs/{}" and "/jobs/job-" -> "/jobs"."""
    parent = (key or "").rstrip("/").rpartition("/")[0].rstrip("/")
    return "" if not parent or parent.endswith("{}") else parent


def _is_sequence(create: Operation) -> bool:
    flag = create.argument("sequence")
    return flag is not None and flag.value is True


def _uses(made: Operation, puts: list[Operation]) -> list[tuple[Place, str]]:
    """Where the project puts or takes, in the module that makes the queue first."""
    near = sorted(puts, key=lambda put: (put.place.path != made.place.path, put.place))
    said = {Op.QUEUE_PUT: "messages are put here", Op.QUEUE_GET: "messages are taken here"}
    return [(put.place, said.get(put.op, "a message is acknowledged here")) for put in near[:3]]


def _named(made: Operation) -> str:
    return f" under `{made.key_text or made.key}`" if made.key else ""


def _argument_place(made: Operation) -> Place:
    return next((a.place for a in made.arguments if a.place), made.place)


EXAMPLES = '''
=== bad: mail jobs in a ZooKeeper queue whose client is made elsewhere
--- mail/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- mail/queue.py
from mail.zk import zk

outgoing = zk.LockingQueue("/mail/outgoing")  # finding: coordination-as-job-queue


def send_later(body):
    outgoing.put(body)
--- mail/worker.py
from mail.queue import outgoing


def run(deliver):
    while True:
        deliver(outgoing.get())
        outgoing.consume()

=== bad: the recipe class, used directly
--- jobs/consumer.py
from kazoo.client import KazooClient
from kazoo.recipe.queue import Queue

zk = KazooClient(hosts="zk:2181")
zk.start()
queue = Queue(zk, "/demo")  # finding: coordination-as-job-queue
while True:
    print(queue.get())

=== bad: numbered nodes that are listed and deleted
--- orders/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- orders/producer.py
from orders.zk import zk


def submit(body):
    zk.create("/orders/incoming/order-", body, sequence=True)  # finding: coordination-as-job-queue
--- orders/consumer.py
from orders.zk import zk


def drain(handle):
    for name in sorted(zk.get_children("/orders/incoming")):
        body, _ = zk.get(f"/orders/incoming/{name}")
        handle(body)
        zk.delete(f"/orders/incoming/{name}")

=== bad: etcd keys as a job list
--- render/jobs.py
import etcd3

etcd = etcd3.client(host="etcd")


def submit(job_id, spec):
    etcd.put(f"/jobs/{job_id}", spec)  # finding: coordination-as-job-queue


def work(render):
    for spec, meta in etcd.get_prefix("/jobs/"):
        render(spec)
        etcd.delete(meta.key)

=== bad: every statement is a node below the server that shall run it
--- store/coordinator.py
import uuid

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def send(server, statement):
    zk.create(f"/servers/{server}/instructions/{uuid.uuid4()}", statement)  # finding: coordination-as-job-queue
--- store/server.py
import sys

from store.coordinator import zk

mine = f"/servers/{sys.argv[1]}/instructions"


@zk.ChildrenWatch(mine)
def run(names):
    for name in names:
        statement, _ = zk.get(f"{mine}/{name}")
        print(statement)
        zk.delete(f"{mine}/{name}")

=== good: a lock recipe uses sequence nodes too
--- recipes/own_lock.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def take():
    mine = zk.create("/locks/report/lock-", b"", ephemeral=True, sequence=True)
    while sorted(zk.get_children("/locks/report"))[0] != mine.rpartition("/")[2]:
        pass
    return mine


def give(mine):
    zk.delete("/locks/report/" + mine)

=== good: candidates of an election
--- recipes/vote.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def stand():
    return zk.create("/election/candidate-", b"", sequence=True, ephemeral=True)


def withdraw(name):
    if name in zk.get_children("/election"):
        zk.delete(f"/election/{name}")

=== good: a broker carries the jobs
--- mail/queue.py
import boto3

sqs = boto3.client("sqs")


def send_later(body):
    sqs.send_message(QueueUrl="https://sqs.example/mail", MessageBody=body)

=== good: a table with SKIP LOCKED
--- mail/table.py
from sqlalchemy import create_engine, text

engine = create_engine("postgresql://db/mail")


def take():
    with engine.begin() as db:
        row = db.execute(text("SELECT id FROM job WHERE done = false FOR UPDATE SKIP LOCKED LIMIT 1")).first()
        if row:
            db.execute(text("UPDATE job SET done = true WHERE id = :i"), {"i": row.id})

=== good: the state of a job, looked up and never handed over
--- render/status.py
import etcd3

etcd = etcd3.client(host="etcd")


def tell(job_id, status):
    etcd.put(f"/jobs/status/{job_id}", status)


def overview():
    return list(etcd.get_prefix("/jobs/status/"))

=== good: records that are made once, changed, and listed
--- render/tasks.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def begin(task_id, worker):
    zk.create(f"/tasks/{task_id}", worker)


def hand_over(task_id, worker):
    zk.set(f"/tasks/{task_id}", worker)


def all_tasks():
    return zk.get_children("/tasks")

=== good: queue.Queue of the standard library beside ZooKeeper
--- mail/local.py
import queue

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
waiting = queue.Queue()


def later(body):
    waiting.put(body)

=== good: certificates are put under a directory that is watched, and thrown away when they expire
--- keys/store.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
ROOT = "/projects/mail/jobs/certificates"

def publish(name, pem):
    zk.create(f"{ROOT}/{name}", pem)

@zk.ChildrenWatch(ROOT)
def on_change(names):
    for name in names:
        pem, _ = zk.get(f"{ROOT}/{name}")
        if b"EXPIRED" in pem:
            zk.delete(f"{ROOT}/{name}")

=== good: one number for each project, under a directory that is watched
--- queues/versions.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def initialised(project):
    zk.create(f"/queues/jobs/{project}/version", b"1", makepath=True)

@zk.ChildrenWatch("/queues/jobs")
def on_change(projects):
    for project in projects:
        zk.get(f"/queues/jobs/{project}/version")
'''
