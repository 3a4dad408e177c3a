"""Proxies that learn from the services beside them whom to pass requests to: Traefik, nginx-proxy, caddy-docker-proxy.

Sources: Traefik documentation, Docker provider (labels, `traefik.enable`); nginx-proxy/nginx-proxy, README (VIRTUAL_HOST);
lucaslorentz/caddy-docker-proxy, README (labels).
"""

from __future__ import annotations

import re

from coordlint.deployment import Workload
from coordlint.finding import Evidence
from coordlint.link.deploy.compose_merge import environment_table
from coordlint.manifest import Table, entries, place, text, truth

_ROUTED = re.compile(r"(traefik)\.(?:(?:http|tcp|udp)\.(?:routers|services)|frontend|port|enable$).*|(caddy)(?:[._].*)?")
_PROXIES = {"traefik": "traefik", "nginx-proxy": "nginx-proxy", "caddy-docker-proxy": "caddy"}


def asked_to_route(service: Table, path: str) -> Evidence | None:
    """What in a service asks a proxy beside it to pass requests on; the message is the kind of the proxy."""
    for labels in (service.get("labels"), service.table("deploy").get("labels")):
        table = environment_table(labels or Table((), service.at))
        if truth(table.get("traefik.enable")) is False:
            continue
        for key, _ in table.entries:
            if match := _ROUTED.fullmatch(key.text):
                return Evidence(place(key, path), match[1] or match[2])
    for key, value in entries(environment_table(service.get("environment") or Table((), service.at))):
        if key.text == "VIRTUAL_HOST" and text(value):
            return Evidence(place(key, path), "nginx-proxy")
    return None


def proxy_kind(workload: Workload) -> str:
    """Which of these proxies a workload is; empty when it is none."""
    name = (workload.base_image or workload.image or "").partition("@")[0].rpartition("/")[2].partition(":")[0]
    return _PROXIES.get(name, "")
