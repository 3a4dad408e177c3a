"""A lock-store or coordinator client without any timeout is used in a request, a task or a loop that keeps a lease.

Why: when the store's host vanishes (a network partition, a lost node, a firewall that drops packets) no error comes back:
redis-py before 8.0 waits on the socket with no limit of its own (since 8.0 for 5 s), and the clients etcd3, etcd3gw, etcd3-py, python-consul
(py-consul before 1.8) and kubernetes wait for their call as long, as `requests` and `urllib` do. Each worker that asks for a lock then hangs for ever, until no worker is left to
answer the requests that need no lock. A loop that renews a lease or says that this process is alive
hangs as well: the lease runs out while the work goes on. So it does on a connection to a database where a row says who leads.

Instead: give the client a limit well below the lease: `Redis(socket_timeout=2, socket_connect_timeout=2)`,
`etcd3.client(timeout=3)`, `consul.Consul(connections_timeout=3)` of py-consul, `read_namespaced_lease(..., _request_timeout=3)`, `requests.get(url, timeout=3)`,
`psycopg2.connect(dsn, connect_timeout=3, options="-c statement_timeout=3000")`; where only a URL is configured, `?socket_timeout=2` does it for redis-py. Then handle the
timeout: refuse, or go on without.

Fine when: a timeout stands in any layer: the constructor, the URL, the settings, the pool, the call, `asyncio.wait_for` around it; redis-py is required in version 8
or later, py-consul in 1.8 or later; only endpoints for operators and probes wait on it; the store is a cache, and nothing else.

A URL from the environment or the settings is taken to say where the store is and not how long to wait for it (confidence medium). A class that is put in the place of
`requests.adapters.TimeoutSauce` and only has defaults for `connect` and `read` limits nothing: `requests` always passes both, as None where nobody says a timeout.

Known misses: options that come as a mapping which the repository does not show.

Sources: redis-py source, Redis.__init__ (socket_timeout defaults to None up to 7, to 5 since 8.0); etcd3 API documentation (timeout);
etcd3gw source, Etcd3Client.__init__ (timeout defaults to None and goes to requests); python-consul source, std.HTTPClient; py-consul source, std.DEFAULT_TIMEOUT;
requests source, HTTPAdapter.send (TimeoutSauce).
"""

import re
from collections.abc import Iterator

from coordlint import (
    HIGH,
    MEDIUM,
    WARNING,
    Client,
    Found,
    Late,
    Place,
    System,
    backend_name,
    found,
    is_lead_in_rows,
    rule,
)

from ._waiters import waiters
from ._without_limit import silent_leases, silent_requests

_WITHOUT_DEFAULT = ("redis", "valkey", "etcd3", "etcd3gw", "etcd3-py", "py-consul", "python-consul")  # libraries whose clients wait without limit when nothing is said
_LIMITED_SINCE = {"redis": (8, 0), "py-consul": (1, 8)}
_WITH_AIOHTTP = ("py-consul", "python-consul")  # their asyncio clients end a call after the five minutes of aiohttp: late, but not never
_BOUND = re.compile(r"(===?|~=|<=?|>=?)\s*(\d+)(?:\.(\d+))?")
_DATABASES = ("psycopg2", "psycopg", "pymysql", "mysqlclient")  # drivers whose connections wait for an answer without limit when nothing is said
_LIMIT = re.compile(r"timeout|keepalive|max_execution_time", re.I)


@rule("CL606", severity=WARNING)
def client_without_timeout(system: System) -> Iterator[Found]:
    told: set[Place] = set()
    yield from _of_stores(system, told)
    yield from _of_leaders(system)
    yield from silent_leases(system)
    yield from silent_requests(system)


def _of_stores(system: System, told: set[Place]) -> Iterator[Found]:
    """Clients of Redis and of coordinators on which somebody waits."""
    pools = {client.place: client for client in system.clients()}
    for user in system.clients():
        client = pools.get(user.pool, user) if user.pool is not None else user
        if client.library not in _WITHOUT_DEFAULT or client.timeouts or user.timeouts or client.place in told:
            continue
        if _may_have_one(client) or _is_replaced(system, client) or (".aio." in client.type and client.library in _WITH_AIOHTTP):
            continue
        waiter = next(waiters(system, user), None)
        old = _old_version(system, client)
        if waiter is None or old is False:
            continue
        told.add(client.place)
        yield found(
            f"This {backend_name(client.backend)} {'pool' if client is not user else 'client'} has no timeout, and a {waiter.named} waits on it.",
            at=client.place,
            symbol=client.symbol,
            resource=client.hosts,
            because=[
                *([(user.place, "a client takes its connections from it")] if client is not user else []),
                (waiter.call.place, waiter.use),
                (waiter.place, waiter.reason),
                *([(old, "this version waits without limit by default")] if isinstance(old, Place) else []),
            ],
            confidence=MEDIUM if old is None or _is_configured(client) else HIGH,
        )


def _of_leaders(system: System) -> Iterator[Found]:
    """Connections to a database on which a loop renews a leadership, and on which it would hang with the leadership still believed."""
    if any(_LIMIT.search(f"{a.value} {a.text}") for o in system.operations(kind="database") for a in o.arguments if o.key is None):
        return  # SET statement_timeout
    clients = [c for c in system.clients() if c.library in _DATABASES and c.arguments and not _is_limited(c)]
    limited = {c.library for c in system.clients() if c.arguments and _is_limited(c)}
    told: set[Place] = set()
    for renewal in system.operations(kind="database"):
        if renewal.late is Late.DELETE or not is_lead_in_rows(renewal) or not system.is_repeated(renewal):
            continue
        own = [c for c in clients if c.place == renewal.client]
        alike = [c for c in clients if c.library == renewal.library and c.library not in limited] if renewal.client is None else []
        client = min(own or alike, key=lambda c: ("Pool" not in c.type, c.place), default=None)  # which of several pools is not known
        if client is None or client.place in told:
            continue
        told.add(client.place)
        yield found(
            "These connections have no timeout, and a leadership is renewed on them: when the database hangs, the renewal hangs with it, and the leader goes on believing that it leads.",
            at=client.place,
            symbol=client.symbol,
            because=[(renewal.place, "the leadership is renewed here, in a loop")],
            confidence=MEDIUM,
            help="Give them `connect_timeout`, `tcp_user_timeout` and a `statement_timeout` well below the lease, and let the leader stop by its own clock when the lease runs out.",
        )


def _is_limited(client: Client) -> bool:
    """Whether a connection is told how long to wait, or may be by what is not known."""
    said = (f"{a.name} {a.value} {a.text} {' '.join(a.mentions)}" for a in client.arguments)
    return bool(client.timeouts) or any(a.name in ("**", "", "kwargs") for a in client.arguments) or any(_LIMIT.search(text) for text in said)


def _old_version(system: System, client: Client) -> Place | bool | None:
    """Where a version without a default limit is required; True for libraries without one in any, False where it has one, None when not known."""
    since = _LIMITED_SINCE.get(client.library)
    if since is None:
        return True
    required = system.requires(client.library)
    if required is None:
        return None
    bounds = [(sign, (int(major), int(minor or 0))) for sign, major, minor in _BOUND.findall(required.specifier or "")]
    if client.library == "py-consul" and not any(sign.startswith(("<", "=", "~")) and version < since for sign, version in bounds):
        return False  # what is installed today has one
    for sign, version in bounds:
        if not sign.startswith("<") and version >= since:
            return False
        if not sign.startswith(">") and (version < since or (sign == "<" and version == since)):
            return required.place
    return None


def _may_have_one(client: Client) -> bool:
    """A pool that nobody knows, or a mapping of options from elsewhere, may carry the timeout; a URL that is seen to does."""
    for argument in client.arguments:
        if argument.name == "service_name":
            return True  # of a Sentinel, which hands its own options on to the clients that it gives
        if argument.name in ("connection_pool", "**", "", "connection_kwargs", "sentinel_kwargs"):
            return True
        if argument.name == "unix_socket_path" or (argument.name == "url" and str(argument.value).startswith("unix:")):
            return True  # on the same machine: no network is there to drop what is asked
        if argument.name == "url" and "timeout" in f"{argument.value} {argument.text} {' '.join(argument.mentions)}".lower():
            return True
    return False


def _is_replaced(system: System, client: Client) -> bool:
    """Whether a constructor makes it of nothing, and a later method of the class makes the one that is used: `init_app`."""
    owner, _, method = client.symbol.rpartition(".")
    if method != "__init__" or client.arguments:
        return False
    return any(c.type == client.type and c.arguments and c.symbol.rpartition(".")[0] == owner and c.symbol != client.symbol for c in system.clients())


def _is_configured(client: Client) -> bool:
    """Whether it is told where to go by a URL that the repository does not show."""
    return any(argument.name == "url" and not argument.literal for argument in client.arguments)
