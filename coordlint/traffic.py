"""Which entry points are asked often: what operators and probes ask is rare, and nobody else waits for it."""

from __future__ import annotations

from coordlint.coordination import Entry
from coordlint.wording import words

_RARE = frozenset("admin debug health healthz healthcheck ready readiness liveness status capacity diagnostics setup maintenance crash chaos kill drain shutdown".split())


def is_rare(entry: Entry) -> bool:
    """An endpoint for operators and probes, by the words of its name, its class and its route, or by the name of its module or package.

    Python's own `http.server` counts as well: it is not made for traffic, as its documentation says, and answers one request after the other.
    """
    if "BaseHTTPRequestHandler" in entry.reason:
        return True
    if not _RARE.isdisjoint(entry.symbol.split(".")):
        return True
    return not _RARE.isdisjoint(words(".".join(entry.symbol.split(".")[-2:])) | words(entry.reason) | words(entry.route))
