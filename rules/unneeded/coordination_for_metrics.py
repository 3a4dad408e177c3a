"""Metrics or readings are written to a quorum store (ZooKeeper, etcd, Consul).

Why: a metric is written often, by everybody, and read later by somebody who can live with a missing point. A quorum store
is the opposite: rare writes that all must see. Each reading costs a round of consensus and, in etcd, a revision that is
kept until compaction; ten writers at one reading a second are 864,000 consensus writes a day.

Instead: let Prometheus scrape (`prometheus_client.Gauge("qps", "...").set(12)`), push to StatsD or an OpenTelemetry collector, or
write readings to a time-series database or a broker. Discovery of what to scrape may come from the quorum store.

Fine when: the entry is a lease or an ephemeral node that says "I am alive" and nothing more.

Sources: ZooKeeper, Data Model (coordination data); etcd documentation, System limits.
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
    Outcome,
    Place,
    System,
    backend_name,
    found,
    rule,
)

_METRICS = frozenset(
    {"metric", "metrics", "stat", "stats", "statistic", "statistics", "gauge", "telemetry", "measurement", "measure", "reading"}
    | {"latency", "qps", "rps", "throughput", "temperature", "sensor", "usage", "histogram", "percentile"}
    | {"medicion", "medicione", "medida", "lectura", "metrica", "medicao", "leitura", "mesure"}  # the same in Spanish, Portuguese, French
    | {"messung", "messungen", "messwert", "messwerte"}  # and German; plurals without their last s
)
_COUNTS = frozenset({"num", "count", "total", "number"})  # how many there are of something, counted with each that comes
_NUMBERS = frozenset({"next", "id", "seq", "sequence", "epoch", "term", "version", "revision", "generation", "retry", "attempt", "lock", "semaphore"})
_SETTING = frozenset({"config", "configuration", "setting", "conf", "policy", "threshold", "schema", "limit", "interval", "period", "enabled"})


@rule("CL207", severity=WARNING)
def coordination_for_metrics(system: System) -> Iterator[Found]:
    told: set[tuple[str, str | None]] = set()
    for write in sorted(system.operations(backend=COORDINATORS, named=True), key=lambda o: not o.loop):  # the write that repeats says most
        is_counted = bool(write.key_words & _COUNTS) and not write.key_words & _NUMBERS and write.counts and _goes_on(system, write)
        if not (write.stores or write.op is Op.COUNTER) or not (write.key_words & _METRICS or is_counted) or write.key_words & _SETTING:
            continue
        if write.op is Op.CREATE and write.argument("value") is None:
            continue  # a folder, or a node that says by being there all that it says
        if (write.place.path, write.key) in told:
            continue
        told.add((write.place.path, write.key))
        known = write.pause is not None and write.pause.kind == "seconds"
        often = f", every {write.pause.told}" if write.loop and write.pause is not None and known else ", in a loop" if write.loop else ""
        readers = [(o.place, "and collected here") for o in system.same_key(write) if o.op in (Op.READ, Op.LIST)]
        yield found(
            f"{'Keeps a count in' if is_counted else 'Writes readings to'} {backend_name(write.backend)}{often}: `{write.key_text or write.key}`.",
            at=write,
            because=[*readers[:2], *write.origin] or [(_key_place(write), "the key says what is written")],
            confidence=HIGH if write.loop else MEDIUM,
        )
    yield from _counts(system)


def _counts(system: System) -> Iterator[Found]:
    """Numbers that a loop counts up there, and that nobody asks for but to print them."""
    for count in system.operations(Op.INCREMENT, backend=COORDINATORS):
        if count.outcome is not Outcome.DEAD or not system.is_repeated(count) or count.key_words & _SETTING:
            continue
        named = f": `{count.key_text or count.key}`" if count.key else ""
        yield found(
            f"Counts in {backend_name(count.backend)}, in a loop, what is only printed{named}.",
            at=count,
            because=list(count.origin) or [(_key_place(count), "this is added each time")],
            confidence=MEDIUM,
        )


def _goes_on(system: System, write: Operation) -> bool:
    """Whether each request, each message or each round of a loop counts."""
    return system.is_repeated(write) or any(e.kind in ("http", "consumer") for e in system.entries_reaching(write.symbol))


def _key_place(write: Operation) -> Place:
    return next((a.place for a in write.arguments if a.place), write.place)


EXAMPLES = '''
=== bad: how many rows a server has, written with each that is added
--- store/rows.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def added(server):
    text, _ = zk.get(f"/servers/{server}/info/rowNum")
    zk.set(f"/servers/{server}/info/rowNum", str(int(text) + 1).encode())  # finding: coordination-for-metrics
--- store/serve.py
from store.rows import added


def main(server, rows, save):
    for row in rows:
        save(row)
        added(server)

=== good: a number that is given to somebody, and one that an operator changes
--- store/numbers.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def next_number():
    text, _ = zk.get("/store/nextNumber")
    zk.set("/store/nextNumber", str(int(text) + 1).encode())


def one_more_shard():
    text, _ = zk.get("/store/shardCount")
    zk.set("/store/shardCount", str(int(text) + 1).encode())


def serve(requests):
    for _ in requests:
        next_number()

=== bad: requests per second as a znode, through a client of another module
--- app/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- app/report.py
import time

from app.zk import zk


def report(measure):
    while True:
        zk.set("/metrics/qps", str(measure()).encode())  # finding: coordination-for-metrics
        time.sleep(5)

=== bad: a counter of readings
--- app/count.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
readings = zk.Counter("/stats/readings")  # finding: coordination-for-metrics

=== bad: counted up in a loop, by a counter that another module makes, and only printed
--- tally/store.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- tally/main.py
import time

from tally.store import zk


def main(sample):
    rounds = zk.Counter("/rounds")
    while True:
        sample()
        rounds += 1  # finding: coordination-for-metrics
        print(f"round {rounds.value}")
        time.sleep(5)

=== good: what is counted decides something
--- tally/main.py
import time

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def main(sample, most):
    rounds = zk.Counter("/rounds")
    while True:
        rounds += 1
        if rounds.value > most:
            break
        sample()
        time.sleep(5)

=== bad: Consul keys
--- app/report.py
import consul

c = consul.Consul()


def tell(host, value):
    c.kv.put(f"telemetry/{host}/latency", str(value))  # finding: coordination-for-metrics

=== bad: one finding for the write that repeats, and none for the node that says who is there
--- sensor.py
import time

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def run(name, probe):
    zk.ensure_path("/mediciones")
    zk.create(f"/mediciones/{name}", ephemeral=True)
    while True:
        value = probe.read()
        zk.set(f"/mediciones/{name}", str(value).encode())  # finding: coordination-for-metrics
        time.sleep(5)

=== good: a lease that says "alive"
--- app/alive.py
import etcd3

etcd = etcd3.client()


def alive(host):
    etcd.put(f"/alive/{host}", "1", lease=etcd.lease(10))

=== good: how often to measure is configuration
--- app/settings.py
import etcd3

etcd = etcd3.client()


def set_interval(seconds):
    etcd.put("/config/metrics/interval", str(seconds))

=== good: Prometheus
--- app/report.py
from prometheus_client import Gauge

QPS = Gauge("qps", "requests per second")


def report(value):
    QPS.set(value)
'''
