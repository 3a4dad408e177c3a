"""A version of 0 is taken for "no version", so that the conditional write becomes an unconditional one.

Why: versions are numbers that start at 0: a znode that was just created has version 0, as has a fresh row with a version column.
`version or -1` turns exactly this version into ZooKeeper's "whatever it is". The check is skipped for the first change after
each creation, when two writers meet most often, and works in every test that changes a record twice.

Instead: ask for None: `version=-1 if version is None else version`.

Fine when: the number can never be 0 (Consul's ModifyIndex and etcd's revisions start at 1), or the default is chosen by
`is None`.

Sources: ZooKeeper, Data Model (versions, -1 matches any); kazoo source, KazooClient.set.
"""

import re
from collections.abc import Iterator

from coordlint import ERROR, Argument, Found, Op, Operation, System, backend_name, found, rule

_VERSIONS = ("version", "expected_version", "if_seq_no", "seq_no", "generation", "if_generation_match", "row_version")
_FALSY = re.compile(r"\bor\s+(-\s*1|None)\)?$")


@rule("CL506", severity=ERROR)
def falsy_version(system: System) -> Iterator[Found]:
    for write in system.operations(Op.CAS, Op.WRITE, Op.DELETE, Op.EFFECT, Op.TRANSACTION_STEP):
        version = _replaced(write)
        if version is None or version.place is None:
            continue
        store = backend_name(write.backend) if write.backend else write.kind or "the store"
        yield found(
            f"`{version.name}={version.text}` drops a version of 0: the {store} write is then unconditional.",
            at=write,
            because=[(version.place, "0 is falsy, and the first version is 0"), *write.origin],
        )


def _replaced(write: Operation) -> Argument | None:
    """The version that gives way to "any version" when it is falsy."""
    return next((a for a in write.arguments if a.name in _VERSIONS and _FALSY.search(a.text)), None)


EXAMPLES = '''
=== bad: a fresh znode has version 0, through a client of another module
--- app/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- app/keys.py
from app.zk import zk


def update(path, value, version=None):
    zk.set(path, value, version=version or -1)  # finding: falsy-version

=== good: None is asked for
--- app/keys.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def update(path, value, version=None):
    zk.set(path, value, version=-1 if version is None else version)

=== good: the version is passed on
--- app/keys.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def update(path, value):
    _, stat = zk.get(path)
    zk.set(path, value, version=stat.version)

=== good: Consul's index starts at 1
--- app/keys.py
import consul

c = consul.Consul()


def update(key, value, index=None):
    return c.kv.put(key, value, cas=index or None)
'''
