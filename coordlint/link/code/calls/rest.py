"""Coordinators spoken to over plain HTTP: what a request to their REST interface does, by path, verb and options.

Paths are those of the vendors' API references: Consul's /v1, etcd's /v2/keys and the JSON gateway of v3, and the
Lease objects of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    Instance,
    Items,
    Literal,
    Pattern,
    Table,
    Value,
    as_pattern,
    options,
    pieces,
)
from coordlint.models.schema import Late, Op

if TYPE_CHECKING:
    from coordlint.link.code.calls.meaning import Meaning
    from coordlint.link.code.evaluation.evaluate import Evaluator


class Rest(msgspec.Struct, frozen=True):
    """A request, understood: the backend, the operation, the resource in its path, and the lifetime that it asks for."""

    backend: str
    op: Op
    key: Pattern | None
    ttl: Arg | None = None

    @property
    def late(self) -> Late:
        """What the request does when it comes late."""
        if self.op in (Op.READ, Op.LIST, Op.DISCOVER, Op.WATCH):
            return Late.READ
        if self.op in (Op.CREATE, Op.CAS, Op.ACQUIRE):
            return Late.CONDITIONAL
        return Late.DELETE if self.op is Op.DELETE else Late.OVERWRITE


_VERBS = {"get": Op.READ, "head": Op.READ, "put": Op.WRITE, "post": Op.WRITE, "delete": Op.DELETE, "patch": Op.WRITE}
_KV, _KEYS, _LEASES = "/v1/kv/", "/v2/keys", "/apis/coordination.k8s.io/"
_PATHS: tuple[tuple[str, str, Op | None], ...] = (  # path, backend, operation (None: by verb and options)
    ("/v1/agent/service/register", "consul", Op.REGISTER),
    ("/v1/agent/service/deregister/", "consul", Op.DEREGISTER),
    ("/v1/agent/service/maintenance/", "consul", Op.REGISTER),
    ("/v1/agent/check/register", "consul", Op.REGISTER),
    ("/v1/agent/check/deregister/", "consul", Op.DEREGISTER),
    ("/v1/agent/check/", "consul", Op.KEEPALIVE),  # pass, warn, fail and update
    ("/v1/agent/services", "consul", Op.DISCOVER),
    ("/v1/agent/service/", "consul", Op.DISCOVER),
    ("/v1/agent/checks", "consul", Op.DISCOVER),
    ("/v1/agent/health/service/", "consul", Op.DISCOVER),
    ("/v1/agent/members", "consul", Op.DISCOVER),
    ("/v1/catalog/register", "consul", Op.REGISTER),
    ("/v1/catalog/deregister", "consul", Op.DEREGISTER),
    ("/v1/catalog/services", "consul", Op.DISCOVER),
    ("/v1/catalog/service/", "consul", Op.DISCOVER),
    ("/v1/catalog/nodes", "consul", Op.DISCOVER),
    ("/v1/catalog/node/", "consul", Op.DISCOVER),
    ("/v1/health/service/", "consul", Op.DISCOVER),
    ("/v1/health/checks/", "consul", Op.DISCOVER),
    ("/v1/health/node/", "consul", Op.DISCOVER),
    ("/v1/health/state/", "consul", Op.DISCOVER),
    ("/v1/session/create", "consul", Op.LEASE),
    ("/v1/session/renew/", "consul", Op.KEEPALIVE),
    ("/v1/session/destroy/", "consul", Op.REVOKE),
    (_KV, "consul", None),
    (_KEYS, "etcd", None),
    *(
        (f"/{version}/{path}", "etcd", op)
        for version in ("v3", "v3beta", "v3alpha")
        for path, op in (
            ("kv/range", Op.READ), ("kv/put", Op.WRITE), ("kv/deleterange", Op.DELETE), ("kv/txn", Op.TRANSACTION),
            ("lease/grant", Op.LEASE), ("lease/keepalive", Op.KEEPALIVE), ("lease/revoke", Op.REVOKE), ("kv/lease/revoke", Op.REVOKE),
            ("lock/lock", Op.ACQUIRE), ("lock/unlock", Op.RELEASE), ("watch", Op.WATCH),
            ("election/campaign", Op.RUN_ELECTION), ("election/leader", Op.READ), ("election/resign", Op.RELEASE),
        )
    ),
    (_LEASES, "kubernetes-lease", None),
)  # fmt: skip
_CONDITIONS = ("prevvalue", "previndex")


_OPTIONS = ("params", "data", "json", "content", "body", "fields")


def requested(ev: Evaluator, made: Meaning, owner: Value | None = None) -> Meaning:
    """An HTTP request as what it asks a coordinator to do; unchanged when its path is not one of theirs."""
    args = {a.name: a for a in made.args}
    asking = args.get("url")
    target = ev.settle(asking.value) if asking is not None else Literal("") if "base" in args else UNKNOWN
    for option in options(target):  # urlopen(Request(url, data, method="PUT"))
        if isinstance(option, Instance) and option.argument("url") is not None:
            args = {**args, **{a.name: a for a in option.arguments}}
            target = ev.settle(args["url"].value)
            break
    method = args.get("method")
    verb = made.model.name.rpartition(".")[2]
    if method is not None:
        known = ev.settle(method.value)
        verb = str(known.value) if isinstance(known, Literal) else ""
    elif verb.lower() not in _VERBS:
        verb = "post" if args.keys() & {"data", "body", "json"} else "get"
    for option in options(target):
        if isinstance(option, Literal | Pattern) and "/v" in (path := _based(ev, _whole(ev, as_pattern(option), args), owner)).text:
            found = request(verb, path, _given(ev, args))
            if found is not None:
                return replace(made, op=found.op, rest=found, late=found.late)
    return made


def _based(ev: Evaluator, url: Pattern, owner: Value | None) -> Pattern:
    """The path of a client that was made for one server: `httpx.Client(base_url="http://consul:8500/v1")`."""
    given = owner.argument("base_url") if isinstance(owner, Instance) and "://" not in url.text else None
    base = next((as_pattern(o) for o in options(ev.settle(given.value)) if isinstance(o, Literal | Pattern)), None) if given is not None else None
    return url if base is None else Pattern(f"{base.text.rstrip('/')}/{url.text.lstrip('/')}", f"{base.named.rstrip('/')}/{url.named.lstrip('/')}")


def _whole(ev: Evaluator, url: Pattern, args: Mapping[str, Arg]) -> Pattern:
    """The path of a client that takes it in pieces: `call_api("PUT", base="/apis/coordination.k8s.io", version="v1", url="leases/x")`."""
    for name in ("version", "base"):
        if name in args and "base" in args:
            before = next((as_pattern(o) for o in options(ev.settle(args[name].value)) if isinstance(o, Literal | Pattern)), Pattern("{}", "{}"))
            url = Pattern(f"{before.text}/{url.text}", f"{before.named}/{url.named}")
    return url


def _given(ev: Evaluator, args: Mapping[str, Arg]) -> dict[str, Arg]:
    """Options that are passed beside the URL, as dictionaries or as pairs."""
    made: dict[str, Arg] = {}
    for name in _OPTIONS:
        for value in options(ev.settle(args[name].value)) if name in args else ():
            pairs: list[tuple[str, Value]] = list(value.entries) if isinstance(value, Table) else []
            for item in value.items if isinstance(value, Items) else ():
                if isinstance(item, Items) and len(item.items) == 2 and isinstance(item.items[0], Literal):
                    pairs.append((str(item.items[0].value), item.items[1]))
            if isinstance(value, Literal | Pattern) and "=" in (form := as_pattern(value)).text:  # "value={host}&ttl={ttl}"
                pairs += [(key, Literal(given) if "{" not in given else UNKNOWN) for key, _, given in (part.partition("=") for part in form.text.split("&"))]
            made.update((key, Arg(key, ev.settle(v), args[name].place)) for key, v in pairs if key)
    return made


def request(verb: str, url: Pattern, given: Mapping[str, Arg]) -> Rest | None:
    """What a request means to a coordinator, with the options beside its URL or in it; None when its path is not theirs."""
    url = Pattern(*(text.replace("/v1/kv{", "/v1/kv/{") for text in (url.text, url.named)))  # the key has its own slash
    for path, backend, op in _PATHS:
        if path not in url.text or (path == "/v3/watch" and not url.text.endswith(path)):
            continue
        asked = {**_query(url), **{name.lower(): arg for name, arg in given.items()}}
        found = op or _by_options(path, verb.lower(), asked) or _VERBS.get(verb.lower())
        return None if found is None else Rest(backend, found, _resource(url, path), asked.get("ttl"))
    return None


def _by_options(path: str, verb: str, asked: Mapping[str, Arg]) -> Op | None:
    """The operation where the options say more than the verb."""
    reads = verb in ("get", "head")
    if reads and not asked.keys().isdisjoint(("wait", "watch", "index", "waitindex")):
        return Op.WATCH
    if reads and not asked.keys().isdisjoint(("recurse", "recursive", "keys", "labelselector")):
        return Op.LIST
    if path == _KV and not reads:
        return next((op for name, op in (("acquire", Op.ACQUIRE), ("release", Op.RELEASE), ("cas", Op.CAS)) if name in asked), None)
    if path == _KEYS and not reads:
        if _says(asked.get("prevexist"), "false") or verb == "post":  # a POST makes the next of the keys in order
            return Op.CREATE
        return Op.CAS if any(name in asked for name in _CONDITIONS) else Op.KEEPALIVE if "refresh" in asked else None
    if path == _LEASES:  # an update is refused when the resourceVersion in its body is old
        return {"post": Op.CREATE, "put": Op.CAS}.get(verb)
    return None


def _query(url: Pattern) -> dict[str, Arg]:
    """The options that stand in the URL itself."""
    made: dict[str, Arg] = {}
    for part in re.split(r"[&?]", url.text.partition("?")[2]):
        name, _, value = part.partition("=")
        if name:
            made[name.lower()] = Arg(name, Literal(value))
    return made


def _says(arg: Arg | None, text: str) -> bool:
    return arg is not None and isinstance(arg.value, Literal) and str(arg.value.value).lower() == text


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
