"""A registration that ends with a session, or with a forgetful agent, is made once and not made again.

Why: kazoo reconnects by itself, and after a session was lost it begins a new one, but it does not bring back what lived in
the old one: ephemeral nodes are gone, while the process runs on and believes that it is registered. A network break that is
longer than the session's time-out, a long pause of the process, or a restart of the ensemble takes healthy instances out of
service one by one, until somebody restarts them. A Consul agent in development mode keeps its registrations in memory, and forgets
them all when it is restarted.

Instead: put the registration into a function, call it at the start and again from a thread that the state listener wakes at
CONNECTED after LOST (the listener itself must not block); or use a recipe that joins again. With Consul, register again from time to time, and give the agent a data directory.
Where members are rows of a table, or stand in a set or hash of Redis, and silent ones are taken out or marked as away, let the sign of life enter them again.

Fine when: a state listener, a retry loop or the creation in a loop brings the node back; only the number at the end of a sequence node is wanted: ZooKeeper never gives
it twice, and it stays one's own when the node is gone.

Sources: kazoo documentation, Basic Usage (KazooState.LOST); such a bug and its fix: linkedin/iris#244 (a party that is not joined
again).
"""

from collections.abc import Iterator

from coordlint import (
    HIGH,
    MEDIUM,
    WARNING,
    Client,
    Found,
    Late,
    Op,
    Operation,
    Outcome,
    Place,
    System,
    found,
    listings,
    pruned,
    rule,
    words,
)

from ._agents import in_agents
from ._wiped import in_wiped_paths

_MEMBERS = frozenset(
    {"service", "provider", "node", "member", "instance", "worker", "server", "broker", "host", "master", "agent", "peer"}
    | {"replica", "backend", "registry", "discovery", "alive", "live", "online", "participant", "executor", "candidate"}
)
_REGISTERS = frozenset({"register", "registration", "announce", "advertise", "join", "enroll"})
_BEATS = frozenset({"heartbeat", "beat", "seen", "ping", "alive"})
_MARKS = frozenset({"status", "state", "alive", "online", "active", "available", "healthy", "up"})
_AGAIN = frozenset({"again", "reconnect", "reconnected", "rejoin", "reregister", "restore", "recover", "retry", "restart", "renew", "refresh", "lost", "expired"})
_RECIPES = frozenset({"lock", "mutex", "election", "barrier", "semaphore", "queue"})


@rule("CL409", severity=WARNING)
def membership_not_restored(system: System) -> Iterator[Found]:
    clients = list(system.clients(backend="zookeeper"))
    direct = {o.place for o in system.operations(backend="zookeeper")}
    for registration in system.operations(backend="zookeeper", named=True):
        if not registration.stores or not registration.ephemeral or registration.loop or not (_is_membership(registration) or (registration.place in direct and listings(system, registration))):
            continue  # a wrapper that makes a listed node is told, and not its callers
        if _is_only_a_number(system, registration):
            continue
        client = _client_of(registration, clients)
        if client is None or (client.listeners and client.unheard is None) or _made_again(system, registration):
            continue
        yield found(
            f"Registers `{registration.key_text or registration.key}` once: after the session is lost nothing makes it again.",
            at=registration,
            because=[_deaf(client), *((o.place, "those who are registered are looked up here") for o in listings(system, registration)[:1])],
            confidence=HIGH if registration.symbol_words & _REGISTERS else MEDIUM,
        )
    joins = [op for op in system.operations(Op.JOIN, backend="zookeeper") if op.call.endswith(".join")]
    for join in joins:
        client = _client_of(join, clients)
        if client is None or client.listeners or join.loop or any(other.client == join.client for other in joins if other.place != join.place):
            continue  # a listener that forgets the party is told as a loss of the session that is ignored
        yield found(
            "Joins the party once: after the session is lost nothing joins again.",
            at=join,
            because=[(client.place, "no listener on this client tells of a new session")],
        )
    yield from in_agents(system)
    yield from in_wiped_paths(system)
    yield from _in_swept_rows(system)
    yield from _in_expired_keys(system)
    for gone in pruned(system):
        yield found(
            f"Enters `{name_told(gone.made)}` once: whoever misses a sign of life takes the member out again, and nothing brings it back when it goes on.",
            at=gone.made,
            because=[
                (gone.look.place, "the sign of life is looked for here"),
                (gone.drop.place, "and the member is taken out here"),
                (gone.sign.place, "the sign of life does not enter it again"),
            ],
            confidence=MEDIUM,
            help="Let each sign of life enter the member as well: adding it twice does no harm.",
        )


def name_told(made: Operation) -> str:
    return made.key or "" if "{}" not in (made.key or "{}") else (made.meant or (made.key_text,))[0]


def _deaf(client: Client) -> tuple[Place, str]:
    if client.unheard is not None:
        return client.unheard, "this listener hears of a new session, and tells nobody who could register again"
    return client.place, "no listener on this client tells of a new session"


def _in_swept_rows(system: System) -> Iterator[Found]:
    """Rows of members that others delete when their sign of life is old, and that the next sign of life does not bring back."""
    told: set[str] = set()
    for beat in system.operations(kind="database"):
        written = {column for column, how in beat.writes if how != "null" and words(column) & _BEATS}
        if not written or not beat.key or beat.key in told or beat.outcome is not Outcome.DEAD or not system.is_repeated(beat):
            continue
        if not any(sign == "=" for _, sign in beat.compares):
            continue  # an insert, or one that makes the row where it is missing
        table = [o for o in system.same_key(beat) if o.symbol != beat.symbol]
        swept = next((o for o in table if (o.late is Late.DELETE or _marks(o, beat, table)) and written & {column for column, sign in o.compares if sign == "<"}), None)
        made = next((o for o in table if _inserts(o)), None)
        if swept is None or made is None or any(_inserts(o) for o in (*table, beat) if system.is_repeated(o)):
            continue
        told.add(beat.key)
        done = "removed" if swept.late is Late.DELETE else "marked as away"
        yield found(
            f"The sign of life only changes the row in `{beat.key}`, and nobody looks whether it was there: a member whose row was {done} while it paused is never seen again.",
            at=beat,
            because=[(swept.place, f"rows with an old sign of life are {done} here"), (made.place, "and the row is made here, once")],
            confidence=MEDIUM,
            help="Let the sign of life make the row where it is missing (INSERT ... ON CONFLICT DO UPDATE), or look at the count of changed rows and register again when it is zero.",
        )


def _marks(sweep: Operation, beat: Operation, table: list[Operation]) -> bool:
    """Whether rows are only marked, in a column by which members are chosen, that the sign of life leaves as it is and only the first entry sets."""
    marked = {column for column, how in sweep.writes if words(column) & _MARKS} - {column for column, _ in beat.writes}
    reads = [a for o in table if o.late is Late.READ for a in o.arguments]
    asked = {c for c in marked for a in reads if c in words(str(a.value)) or any(m.rpartition(".")[2] == c for m in a.mentions)}
    given = {column for o in table if o.place != sweep.place and not _inserts(o) and o.late is not Late.READ for column, _ in o.writes}
    return bool(asked - given)


def _in_expired_keys(system: System) -> Iterator[Found]:
    """Keys of members that only EXPIRE keeps alive: once a pause was longer than they live, it finds nothing to prolong."""
    for beat in system.operations(Op.EXPIRE, backend="redis"):
        if beat.role != "membership" or beat.outcome is not Outcome.DEAD or not system.is_repeated(beat) or beat.ttl is None or beat.atomic:
            continue
        writes = [o for o in system.same_key(beat) if o.op in (Op.WRITE, Op.SET_ADD, Op.CREATE, Op.ACQUIRE) and not o.in_test]
        if not writes or any(o.symbol == beat.symbol or system.is_repeated(o) for o in writes):
            continue
        yield found(
            f"EXPIRE keeps `{beat.key_text or beat.key}` alive and nobody looks whether it was there: after a pause longer than {beat.ttl.told} the member is never seen again.",
            at=beat,
            because=[(writes[0].place, "the key is written here, once")],
            confidence=MEDIUM,
            help="Write the key with its time to live in each round (SET key value EX 30), or register again when EXPIRE answers 0.",
        )


def _inserts(operation: Operation) -> bool:
    """Whether a statement makes the row."""
    return operation.late is Late.APPEND or any(str(a.value).lstrip()[:7].lower() in ("insert ", "insert\n", "replace", "merge i") for a in operation.arguments if isinstance(a.value, str))


def _is_membership(registration: Operation) -> bool:
    if registration.key_words & _RECIPES:
        return False
    one_of_many = "{}" in (registration.key or "") and bool(registration.key_words & _MEMBERS)
    return one_of_many or bool(registration.symbol_words & _REGISTERS)


def _is_only_a_number(system: System, registration: Operation) -> bool:
    """Whether a sequence node holds nothing, its name is taken, and nobody looks at those beside it: who draws a number is no member of anything."""
    numbered, value = registration.argument("sequence") or registration.argument("sequential"), registration.argument("value") or registration.argument("data")
    is_empty = value is None or (value.literal and value.value in (None, "")) or value.text in ("", "b''", 'b""')
    if numbered is None or numbered.value is not True or not is_empty or registration.outcome is Outcome.DEAD or registration.symbol_words & _REGISTERS:
        return False
    above = (registration.key or "").rstrip("/").rpartition("/")[0]
    looks = [o for o in system.operations(Op.LIST, Op.WATCH, Op.DISCOVER, backend=registration.backend) if not o.in_test]
    return not any(o.key in (None, "", "{}") or (o.key or "").rstrip("/") == above for o in looks)


def _client_of(registration: Operation, clients: list[Client]) -> Client | None:
    if registration.client is None:
        return clients[0] if len(clients) == 1 else None
    return next((c for c in clients if c.place == registration.client), None)


def _made_again(system: System, registration: Operation) -> bool:
    """Created at another place too, such as the handler of a missing node; but not by who begins a session of its own, once: another program, or a later part."""
    return any(o.stores and o.ephemeral and not _is_apart(system, o, registration) for o in system.same_key(registration))


def _is_apart(system: System, other: Operation, registration: Operation) -> bool:
    """Whether the other one is made on another client, which its own function or module begins, and neither of the two is made again or called back."""
    if None in (other.client, registration.client) or other.client == registration.client or other.symbol == registration.symbol:
        return False
    begun = any(o.client == other.client and o.symbol == other.symbol for o in system.operations(Op.CONNECT, backend=other.backend))
    return begun and not any(o.on_error or system.is_repeated(o) or o.symbol_words & _AGAIN or _is_called_back(system, o.symbol) for o in (other, registration))


def _is_called_back(system: System, symbol: str) -> bool:
    """Whether a function may run when something happens: passed to somebody, but for the start of a thread or process, or not seen to run as a program starts."""
    above, todo = {symbol}, [symbol]
    while todo:
        for caller, _ in system.callers(todo.pop()):
            if caller not in above:
                above.add(caller)
                todo.append(caller)
    passed = any(set(system.handed_over(s)) - set(system.started_at(s)) or words(s.rpartition(".")[2]) & _AGAIN for s in above)
    return passed or not any(e.kind == "main" for e in system.entries_reaching(symbol))


EXAMPLES = '''
=== bad: once, with an agent that forgets
--- app/main.py
import consul

c = consul.Consul(host="consul")


def announce():
    c.agent.service.register("shop", port=80, check=consul.Check.tcp("shop", 80, "10s"))  # finding: membership-not-restored


if __name__ == "__main__":
    announce()
--- compose.yaml
services:
  consul:
    image: consul:1.15
    command: agent -dev -client=0.0.0.0

=== bad: once, with an agent on Kubernetes that forgets
--- app/main.py
import consul

c = consul.Consul(host="consul")


def announce():
    c.agent.service.register("shop", port=80, check=consul.Check.tcp("shop", 80, "10s"))  # finding: membership-not-restored


if __name__ == "__main__":
    announce()
--- k8s/consul.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: consul}
spec:
  serviceName: consul
  template:
    spec:
      containers:
        - name: consul
          image: consul:1.15
          args: [agent, -dev, "-client=0.0.0.0"]

=== good: an agent on Kubernetes that keeps its state
--- app/main.py
import consul

c = consul.Consul(host="consul")


def announce():
    c.agent.service.register("shop", port=80, check=consul.Check.tcp("shop", 80, "10s"))


if __name__ == "__main__":
    announce()
--- k8s/consul.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: consul}
spec:
  serviceName: consul
  template:
    spec:
      containers:
        - name: consul
          image: consul:1.15
          args: [agent, -server, "-bootstrap-expect=1", "-data-dir=/consul/data", "-client=0.0.0.0"]
          volumeMounts: [{name: data, mountPath: /consul/data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}

=== good: again and again; an agent that keeps its state is the other cure
--- app/main.py
import time

import consul

c = consul.Consul(host="consul")


def announce():
    c.agent.service.register("shop", port=80, check=consul.Check.tcp("shop", 80, "10s"))


if __name__ == "__main__":
    while True:
        announce()
        time.sleep(20)
--- compose.yaml
services:
  consul:
    image: consul:1.15
    command: agent -dev -client=0.0.0.0

=== good: an agent with a data directory
--- app/main.py
import consul

c = consul.Consul(host="consul")
c.agent.service.register("shop", port=80, check=consul.Check.tcp("shop", 80, "10s"))
--- compose.yaml
services:
  consul:
    image: consul:1.15
    command: agent -server -data-dir=/consul/data -bootstrap-expect=1
    volumes:
      - consul:/consul/data
volumes:
  consul: {}

=== bad: registered once, on a client of another module
--- app/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- app/member.py
import socket

from app.zk import zk


def register():
    zk.create("/workers/" + socket.gethostname(), b"", ephemeral=True)  # finding: membership-not-restored

=== bad: a party that is joined once
--- app/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- app/member.py
from kazoo.recipe.party import Party

from app.zk import zk


def enter(me):
    Party(zk, "/senders", me).join()  # finding: membership-not-restored

=== good: a listener that forgets the party is told by session-loss-ignored
--- app/member.py
from kazoo.client import KazooClient, KazooState
from kazoo.recipe.party import Party


class Member:
    def __init__(self, hosts, me):
        self.zk = KazooClient(hosts=hosts)
        self.party = Party(self.zk, "/senders", me)
        self.usable = False
        self.zk.add_listener(self.on_state)
        self.party.join()

    def on_state(self, state):
        self.usable = state not in (KazooState.SUSPENDED, KazooState.LOST)

=== good: the party is joined again
--- app/member.py
from kazoo.client import KazooClient, KazooState
from kazoo.recipe.party import Party


class Member:
    def __init__(self, hosts, me):
        self.zk = KazooClient(hosts=hosts)
        self.party = Party(self.zk, "/senders", me)
        self.zk.add_listener(self.on_state)
        self.party.join()

    def on_state(self, state):
        if state == KazooState.CONNECTED:
            self.zk.handler.spawn(self.again)

    def again(self):
        self.party.join()

=== good: who is given the joining does it again, when a listener says so
--- app/again.py
from kazoo.client import KazooState


def keep_doing(zk, command):
    def on_state(state):
        if state == KazooState.CONNECTED:
            zk.handler.spawn(command)

    zk.add_listener(on_state)
    command()
--- app/member.py
from kazoo.client import KazooClient

from app.again import keep_doing

zk = KazooClient(hosts="zk:2181")


def enter(me):
    def join():
        zk.Party("/members", me).join()

    keep_doing(zk, join)

=== good: a listener brings it back
--- app/member.py
import socket
import threading

from kazoo.client import KazooClient, KazooState

zk = KazooClient(hosts="zk:2181")
lost = threading.Event()


def register():
    zk.create("/workers/" + socket.gethostname(), b"", ephemeral=True)


def on_state(state):
    if state == KazooState.LOST:
        lost.set()
    elif state == KazooState.CONNECTED and lost.is_set():
        zk.handler.spawn(register)


zk.add_listener(on_state)

=== good: made again in a loop
--- app/member.py
import time

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def stay(hostname):
    while True:
        if not zk.exists(f"/workers/{hostname}"):
            zk.create(f"/workers/{hostname}", b"", ephemeral=True)
        time.sleep(5)

=== good: made again where it is missing
--- app/member.py
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

zk = KazooClient(hosts="zk:2181")


def register(hostname):
    zk.create(f"/workers/{hostname}", b"", ephemeral=True)


def busy(hostname):
    try:
        zk.set(f"/workers/{hostname}", b"busy")
    except NoNodeError:
        zk.create(f"/workers/{hostname}", b"busy", ephemeral=True)

=== good: a block of numbers is drawn, and stays one's own
--- app/tickets.py
from kazoo.client import KazooClient

BLOCK = 500


class Tickets:
    def __init__(self, root):
        self.zk = KazooClient(hosts="zk:2181")
        self.root = root

    def draw(self):
        path = self.zk.create(self.root + "/node-", ephemeral=True, sequence=True)
        return int(path[-10:]) * BLOCK

=== good: the number of this worker in the ids that it makes
--- app/ids.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def worker_number():
    return int(zk.create("/ids/workers/worker-", b"", ephemeral=True, sequence=True).rpartition("-")[2]) % 1024

=== bad: numbered members that somebody looks up
--- app/pool.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def enrol_worker(name):
    return zk.create("/pool/" + name + "/worker-", b"", ephemeral=True, sequence=True)  # finding: membership-not-restored


def workers(name):
    return zk.get_children("/pool/" + name)

=== bad: a numbered node that says where its member is
--- app/pool.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def serve(pool, address):
    return zk.create("/pool/" + pool + "/worker-", address.encode(), ephemeral=True, sequence=True)  # finding: membership-not-restored

=== good: the contender of a lock
--- app/own_lock.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def take(node):
    return zk.create(f"/locks/{node}", b"", ephemeral=True)
'''
