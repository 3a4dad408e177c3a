"""Instances of a service are looked up with no last known list to fall back on.

Why: while a registry is away, the instances that it listed a second ago mostly still run. A caller that asks it for every call
and keeps nothing turns an outage of the registry into an outage of everything behind it, at the same moment for all callers.

Instead: keep the last list that was not empty, refresh it in the background (watch, blocking query) and go on with it when the
registry fails; let the connection to an instance decide whether the address still works. Better yet, let DNS or the platform
resolve names.

Fine when: the failure is handled here or by every caller, and by more than a refusal (an error raised again, an answer of 5xx); the list is kept by a watch; a command for operators looks it up. It is a note
where what is found is only printed or logged: no address is used.

Sources: kazoo documentation, Basic Usage (ChildrenWatch); py-consul source (what health.service raises).
"""

import re
from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Guard,
    Op,
    Operation,
    Outcome,
    Place,
    System,
    backend_name,
    found,
    members_below,
    rule,
    sees_outage,
    survives_outage,
    way_in,
)

_ERRORS = re.compile(r"\b50[0-4]\b|_50[0-4]_|SERVICE_UNAVAILABLE|INTERNAL_SERVER_ERROR|BAD_GATEWAY|GATEWAY_TIMEOUT")
_REGISTRY = frozenset({"service", "instance", "endpoint", "upstream", "registry", "discovery"})


@rule("CL603", severity=WARNING)
def discovery_without_last_known(system: System) -> Iterator[Found]:
    told: set[tuple[str, str, Place]] = set()
    watched = {op.key for op in system.operations(Op.WATCH, backend=COORDINATORS) if op.key}
    for lookup in sorted(system.operations(Op.DISCOVER, Op.LIST, backend=COORDINATORS), key=lambda o: (o.only_told, o.outcome is Outcome.TESTED)):
        if not _is_lookup(system, lookup) or lookup.key in watched:
            continue
        forgetting, refusing = _forgetting(system, lookup), _refusing(system, lookup)
        if forgetting is None and refusing is None and survives_outage(system, lookup):
            continue
        way = way_in(system, lookup)
        if way is None or (lookup.symbol, lookup.backend, way.place) in told:
            continue  # one finding for each function and for each way in
        told.add((lookup.symbol, lookup.backend, way.place))
        if forgetting is not None:
            yield found(
                f"An outage of {backend_name(lookup.backend)} is answered with an empty list, as if no instance were there; the last known ones mostly still run.",
                at=forgetting.place,
                symbol=lookup.symbol,
                because=[(lookup.place, "this lookup fails while the registry is away"), (way.place, way.reason), *lookup.origin],
                confidence=MEDIUM,
            )
            continue
        what = f" `{lookup.key_text or lookup.key}`" if lookup.key else ""
        yield found(
            f"Looks up{what} in {backend_name(lookup.backend)} with no last known list: an outage {way.harm}.",
            at=lookup,
            because=[(way.place, way.reason), *_told(refusing), *_members(system, lookup), *lookup.origin],
            severity=INFO if lookup.only_told else WARNING,
            confidence=HIGH if lookup.op is Op.DISCOVER else MEDIUM,
        )


def _forgetting(system: System, lookup: Operation) -> Guard | None:
    """The handler that sees an outage first, where it puts nothing in the place of the answer."""
    seeing = next((guard for guard in system.guards_above(lookup) if sees_outage(guard, lookup)), None)
    return seeing if seeing is not None and seeing.empty else None


def _refusing(system: System, lookup: Operation) -> Guard | None:
    """The handler in the function of the request that sees an outage, and answers with an error."""
    entries = {e.symbol for e in system.entries_waiting(lookup.symbol) if e.kind == "http"}
    todo, seen = [(lookup.symbol, lookup.guards)], set[str]()
    found: Guard | None = None
    while todo and len(seen) < 40:
        symbol, guards = todo.pop(0)
        seeing = next((g for g in guards if sees_outage(g, lookup)), None)
        if seeing is not None and not (symbol in entries and _fails(seeing)):
            return None  # somebody on some way knows better
        found = found or seeing
        if symbol in seen or seeing is not None:
            continue
        seen.add(symbol)
        todo += [(caller, system.guards_at(at)) for caller, at in system.callers(symbol)]
    return found


def _fails(guard: Guard) -> bool:
    return guard.action == "raise" or (guard.action == "return" and _ERRORS.search(guard.gives or "") is not None)


def _told(refusing: Guard | None) -> list[tuple[Place, str]]:
    return [(refusing.place, "the failure is caught here, and the request answered with an error")] if refusing is not None else []


def _members(system: System, lookup: Operation) -> list[tuple[Place, str]]:
    """Where those that are looked up register, in a program of this project."""
    return [(o.place, f"`{o.key_text or o.key}` is registered here, for as long as its session lasts") for o in members_below(system, lookup)[:1]]


def _is_lookup(system: System, lookup: Operation) -> bool:
    return lookup.op is Op.DISCOVER or bool(lookup.key_words & _REGISTRY) or bool(members_below(system, lookup))


EXAMPLES = '''
=== bad: a request asks Consul for an address, in a helper of another module
--- app/discovery.py
import consul

c = consul.Consul(host="consul")


def address(name):
    _, nodes = c.health.service(name, passing=True)  # finding: discovery-without-last-known
    return nodes[0]["Service"]["Address"]
--- app/views.py
from flask import Flask

from app.discovery import address

app = Flask(__name__)


@app.get("/pay")
def pay():
    return address("payments")

=== bad: the children of a znode
--- app/views.py
from flask import Flask
from kazoo.client import KazooClient

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")


@app.get("/pay")
def pay():
    return zk.get_children("/services/payments")[0]  # finding: discovery-without-last-known

=== bad: nothing is put in the place of what was known
--- app/views.py
import consul
from flask import Flask

app = Flask(__name__)
c = consul.Consul(host="consul")


@app.get("/nodes")
def nodes():
    try:
        found = list(c.catalog.services()[1])
    except consul.ConsulException:  # finding: discovery-without-last-known
        found = []
    return found

=== good: the last list is kept
--- app/views.py
import consul
from flask import Flask

app = Flask(__name__)
c = consul.Consul(host="consul")
last = {}


@app.get("/pay")
def pay():
    try:
        last["payments"] = c.health.service("payments", passing=True)[1]
    except consul.ConsulException:
        print("registry is away")
    return str(last["payments"])

=== good: a watch keeps the list
--- app/views.py
from flask import Flask
from kazoo.client import KazooClient

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")
nodes = []


@zk.ChildrenWatch("/services/payments")
def changed(children):
    nodes[:] = children


@app.get("/pay")
def pay():
    return nodes[0]

=== good: an operator's command
--- tools/nodes.py
import consul

c = consul.Consul(host="consul")


def main():
    print(c.catalog.services())


if __name__ == "__main__":
    main()
'''
