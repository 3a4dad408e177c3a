"""A value near or over the store's limit is written to a coordinator: a file's contents, or a long literal.

Why: ZooKeeper refuses packets over 1 MiB (jute.maxbuffer, 1,048,575 bytes), etcd requests over 1.5 MiB, Consul values over
512 KB. A file that fits today grows past it on some other day, and then the write fails, or, worse, a reader with a smaller
buffer loses its connection each time it reads. Long before that, each large value is copied to every member, logged, kept in
memory and sent to each watcher.

Instead: keep the content in an object store, a database or an image, and the coordinator's node holds its address and checksum.

Fine when: the value is a short literal or a small record.

Known misses: collections that are serialised whole.

Sources: ZooKeeper, configuration parameters (jute.maxbuffer); etcd documentation, System limits; Consul KV API (512 KB).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Argument,
    Found,
    System,
    backend_name,
    found,
    rule,
)

_LIMITS = {"zookeeper": 1_048_575, "etcd": 1_572_864, "consul": 524_288}  # bytes
_CONTENTS = frozenset({"read", "read_text", "read_bytes", "getvalue", "readall", "getbuffer"})
_READERS = frozenset({"open", "Path", "path", "pathlib.Path", "fh", "file", "fp", "f", "handle", "buffer", "upload", "stream"})


@rule("CL302", severity=WARNING)
def oversized_value(system: System) -> Iterator[Found]:
    for write in system.operations(backend=COORDINATORS):
        value = write.argument("value") or write.argument("new_value") or write.argument("data")
        if not write.stores or value is None or value.place is None:
            continue
        limit = _LIMITS[write.backend]
        size = len(value.value) if isinstance(value.value, str) else 0
        if size > limit // 2:
            what, confidence = f"a literal of {size:,} bytes", HIGH
        elif _is_file(value):
            what, confidence = "a file's contents", MEDIUM
        else:
            continue
        yield found(
            f"Writes {what} to {backend_name(write.backend)}, which refuses more than {limit:,} bytes.",
            at=write,
            because=[(value.place, "this is what is written"), *write.origin],
            confidence=confidence,
        )


def _is_file(value: Argument) -> bool:
    """`open(...).read()`, `path.read_bytes()`: everything that a file holds."""
    for name in value.mentions:
        base, _, method = name.rpartition(".")
        if method in _CONTENTS and (base == "" or method != "read" or base.rpartition(".")[2] in _READERS):
            return method != "read" or bool(base) or "open" in value.mentions
    return False


EXAMPLES = '''
=== bad: a file's contents, through a client of another module
--- deploy/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- deploy/push.py
from pathlib import Path

from deploy.zk import zk


def push(name, path):
    zk.set(f"/bundles/{name}", Path(path).read_bytes())  # finding: oversized-value

=== bad: an open file
--- deploy/push.py
import etcd3

etcd = etcd3.client()


def push(name):
    with open(name) as f:
        etcd.put(f"/templates/{name}", f.read())  # finding: oversized-value

=== good: a short value
--- deploy/push.py
import etcd3

etcd = etcd3.client()


def point(name, digest):
    etcd.put(f"/templates/{name}", f"s3://templates/{digest}")

=== good: a small record
--- deploy/push.py
import pickle

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def state(worker, record):
    zk.set(f"/workers/{worker}", pickle.dumps(record))
'''
