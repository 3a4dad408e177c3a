"""Coordinators spoken to over plain HTTP: what a request to their REST interface does, by path and verb.

Paths are those of the vendors' API references: Consul's /v1, etcd's /v2/keys and the JSON gateway of v3, and the
Lease objects of Kubernetes.
"""

from __future__ import annotations

from dataclasses import dataclass

from coordlint.link.code.values import Pattern, pieces
from coordlint.models.schema import Op


@dataclass(frozen=True, slots=True)
class Rest:
    """A request, understood: the backend, the operation, and the resource in its path."""

    backend: str
    op: Op
    key: Pattern | None


_VERBS = {"get": Op.READ, "head": Op.READ, "put": Op.WRITE, "post": Op.WRITE, "delete": Op.DELETE, "patch": Op.WRITE}
_PATHS: tuple[tuple[str, str, Op | None], ...] = (  # path, backend, operation (None: by the verb)
    ("/v1/agent/service/register", "consul", Op.REGISTER),
    ("/v1/agent/service/deregister/", "consul", Op.DEREGISTER),
    ("/v1/catalog/register", "consul", Op.REGISTER),
    ("/v1/catalog/deregister", "consul", Op.DEREGISTER),
    ("/v1/catalog/services", "consul", Op.DISCOVER),
    ("/v1/catalog/service/", "consul", Op.DISCOVER),
    ("/v1/catalog/nodes", "consul", Op.DISCOVER),
    ("/v1/health/service/", "consul", Op.DISCOVER),
    ("/v1/agent/services", "consul", Op.DISCOVER),
    ("/v1/session/create", "consul", Op.LEASE),
    ("/v1/session/renew/", "consul", Op.KEEPALIVE),
    ("/v1/session/destroy/", "consul", Op.REVOKE),
    ("/v1/kv/", "consul", None),
    ("/v2/keys", "etcd", None),
    ("/v3/kv/range", "etcd", Op.READ),
    ("/v3/kv/put", "etcd", Op.WRITE),
    ("/v3/kv/deleterange", "etcd", Op.DELETE),
    ("/v3/kv/txn", "etcd", Op.TRANSACTION),
    ("/v3/lease/grant", "etcd", Op.LEASE),
    ("/v3/lease/keepalive", "etcd", Op.KEEPALIVE),
    ("/v3/lock/lock", "etcd", Op.ACQUIRE),
    ("/v3/lock/unlock", "etcd", Op.RELEASE),
    ("/apis/coordination.k8s.io/", "kubernetes-lease", None),
)  # fmt: skip


def request(verb: str, url: Pattern) -> Rest | None:
    """What a request means to a coordinator; None when its path is not one of theirs."""
    for path, backend, op in _PATHS:
        if path not in url.text:
            continue
        if backend == "consul" and op is None and ("acquire=" in url.text or "release=" in url.text):
            op = Op.ACQUIRE if "acquire=" in url.text else Op.RELEASE
        if op is None and "cas=" in url.text:
            op = Op.CAS
        found = op or _VERBS.get(verb.lower())
        return None if found is None else Rest(backend, found, _resource(url, path))
    return None


def _resource(url: Pattern, path: str) -> Pattern | None:
    """What follows the path, without the query."""
    text = url.text.partition(path)[2].partition("?")[0].strip("/")
    named = ""
    seen = ""
    for piece, is_hole in pieces(url.named):
        before = seen
        seen += "{}" if is_hole else piece
        if path in before:
            named += "{" + piece + "}" if is_hole else piece
        elif path in seen and not is_hole:
            named += piece.partition(path.rpartition("/")[2] if path not in piece else path)[2]
    return Pattern(text, named.partition("?")[0].strip("/") or text) if text else None
