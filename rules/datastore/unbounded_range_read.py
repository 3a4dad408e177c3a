"""The whole of a growing prefix or child list is read on a hot path.

Why: the answer grows with the data: listing the children of a znode returns every name in one packet, which fails beyond
1 MiB, and an etcd range without a limit is gathered in the server's memory before it is sent. A request that lists ten
thousand keys to find one waits for all of them, each time.

Instead: read the one key that is meant (build its name from the id), keep the list in the process by a watch, or read in pages
(etcd `limit` with `sort_order`, Consul `keys=` with a separator). Data that has to be searched belongs in a database.

Fine when: the set is bounded, watched, or read once at start.

Sources: ZooKeeper, configuration parameters (jute.maxbuffer); etcd documentation, System limits (request size).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    Found,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    found,
    rule,
    words,
)

_GROWING = frozenset(
    {"id", "uuid", "uid", "user", "job", "task", "request", "order", "session", "message", "event", "file", "filename", "run"}
    | {"account", "customer", "item", "product", "device", "timestamp", "hash", "token", "email"}
)


@rule("CL306", severity=INFO)
def unbounded_range_read(system: System) -> Iterator[Found]:
    watched = {op.key for op in system.operations(Op.WATCH, backend=COORDINATORS) if op.key}
    for listing in system.operations(Op.LIST, backend=COORDINATORS):
        grown = _grown_by(system, listing)
        if grown is None or listing.key in watched or listing.argument("limit"):
            continue
        hot = _hot_path(system, listing)
        if hot is None:
            continue
        yield found(
            f"Lists all of `{listing.key_text or listing.key}` in {backend_name(listing.backend)} on a hot path, and a key is added for "
            f"each {_last_filler(grown)}.",
            at=listing,
            because=[(grown.place, "keys are added here"), hot],
        )


def _grown_by(system: System, listing: Operation) -> Operation | None:
    """A lasting key below the listed one that is made for each entity."""
    above = (listing.key or "").rstrip("/")
    if not above or "{}" in above:
        return None
    for write in system.operations(backend=listing.backend):
        below = write.stores and not write.ephemeral and (write.key or "").startswith(above + "/")
        if below and any(words(filler) & _GROWING for filler in write.fillers):
            return write
    return None


def _last_filler(write: Operation) -> str:
    return next((f for f in reversed(write.fillers) if words(f) & _GROWING), "entity")


def _hot_path(system: System, listing: Operation) -> tuple[Place, str] | None:
    if listing.loop in ("forever", "while"):
        return (listing.pause.place if listing.pause and listing.pause.place else listing.place), "and read again in a loop"
    entry = next((e for e in system.entries_reaching(listing.symbol) if e.kind in ("http", "consumer", "periodic", "task")), None)
    return (entry.place, f"and read from here: {entry.reason}") if entry else None


EXAMPLES = '''
=== bad: all orders, for one request, through a client of another module
--- shop/store.py
import etcd3

etcd = etcd3.client(host="etcd")
--- shop/orders.py
from shop.store import etcd


def place(order_id, body):
    etcd.put(f"/orders/{order_id}", body)


def all_orders():
    return list(etcd.get_prefix("/orders/"))  # finding: unbounded-range-read
--- shop/views.py
from flask import Flask

from shop.orders import all_orders

app = Flask(__name__)


@app.get("/orders/<customer>")
def orders(customer):
    return [o for o in all_orders() if customer in str(o)]

=== good: the one key
--- shop/views.py
import etcd3
from flask import Flask

app = Flask(__name__)
etcd = etcd3.client()


def place(order_id, body):
    etcd.put(f"/orders/{order_id}", body)


@app.get("/orders/<order_id>")
def order(order_id):
    return etcd.get(f"/orders/{order_id}")[0]

=== good: a bounded set
--- shop/views.py
import etcd3
from flask import Flask

app = Flask(__name__)
etcd = etcd3.client()


def register(host, address):
    etcd.put(f"/shards/{host}", address)


@app.get("/shards")
def shards():
    return list(etcd.get_prefix("/shards/"))

=== good: once, at start
--- shop/load.py
import etcd3

etcd = etcd3.client()


def place(order_id, body):
    etcd.put(f"/orders/{order_id}", body)


def main():
    for value, _ in etcd.get_prefix("/orders/"):
        print(value)


if __name__ == "__main__":
    main()
'''
