"""The coordinator's only use in the whole system is reading configuration at start, without a watch.

Why: an ensemble of three or five members, with its backups, upgrades and on-call rota, then does the work of a file. What is read
once at start does not change until the next start, which is what environment variables, a mounted file or a ConfigMap give,
without a service that has to be up before anything else can be.

Instead: ship the configuration with the deployment (environment, ConfigMap, a file from the repository), or make use of what the
coordinator is good at: watch the keys, so that a change reaches all processes in seconds without a restart.

Fine when: the coordinator is needed for something else anyway, or some process watches.

Sources: etcd documentation, etcd versus other key-value stores.
"""

from collections.abc import Iterator

from coordlint import COORDINATORS, INFO, Found, Op, System, backend_name, found, rule

_HARMLESS = (Op.CLIENT, Op.CONNECT, Op.READ, Op.LIST, Op.LEAVE, Op.RETRY_POLICY)


@rule("CL211", severity=INFO)
def coordinator_for_static_config(system: System) -> Iterator[Found]:
    for backend in COORDINATORS:
        uses = list(system.operations(backend=backend))
        reads = [use for use in uses if use.op in (Op.READ, Op.LIST)]
        if not reads or any(use.op not in _HARMLESS for use in uses) or not all(read.is_configuration for read in reads):
            continue
        first = reads[0]
        others = [(read.place, "and this is read too") for read in reads[1:3]]
        servers = [(c.place, f"{c.workload.name} is run for it") for c in system.coordinators(backend)]
        yield found(
            f"{backend_name(backend)} serves only to read configuration ({len(reads)} place(s)), and nobody watches it.",
            at=first,
            because=[*servers[:1], *others, *first.origin] or [(first.place, "the only use")],
        )


EXAMPLES = '''
=== bad: two settings, read once, and an etcd for them
--- app/store.py
import etcd3

etcd = etcd3.client(host="etcd")
--- app/settings.py
from app.store import etcd

LIMIT = etcd.get("/config/limit")[0]  # finding: coordinator-for-static-config
TOPIC = etcd.get("/config/topic")[0]
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9

=== good: it is watched
--- app/settings.py
import etcd3

etcd = etcd3.client(host="etcd")
LIMIT = etcd.get("/config/limit")[0]


def follow(on_change):
    etcd.add_watch_callback("/config/limit", on_change)

=== good: it is needed for a lock anyway
--- app/settings.py
import etcd3

etcd = etcd3.client(host="etcd")
LIMIT = etcd.get("/config/limit")[0]


def work(run):
    lock = etcd.lock("work", ttl=10)
    if lock.acquire(timeout=5):
        run()
        lock.release()

=== good: it is not configuration
--- app/leader.py
import etcd3

etcd = etcd3.client(host="etcd")


def leader():
    return etcd.get("/leader")[0]
'''
