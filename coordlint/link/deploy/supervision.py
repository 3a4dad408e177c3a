"""What restarts a compose service that is unhealthy, what repeats a command in it, what gives it a name, and where it has to run.

Compose does neither: its healthcheck marks a container. A swarm replaces a task whose check fails; autoheal, a container
that watches the others, restarts what it is told to; ofelia, another, runs commands in them on a schedule.

Sources: Docker documentation, Dockerfile reference (HEALTHCHECK) and Deploy services to a swarm; willfarrell/docker-autoheal,
README; mcuadros/ofelia, README (labels, `no-overlap`); Docker documentation, Docker Compose and Amazon ECS (since retired).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coordlint.finding import Evidence
from coordlint.link.deploy.compose_merge import environment_table
from coordlint.manifest import Scalar, Table, at, entries, image_name, items, place, text, truth
from coordlint.source import Place

# What `docker stack deploy` reads and compose passes over: that a file has it says where it is meant to run.
_SWARM = ("placement", "update_config", "rollback_config", "endpoint_mode")
_NAMES_SWARM = re.compile(r"(^|[._/-])(swarm|stack)([._-]|$)")
_ONE_NODE = re.compile(r"\s*(?:node\.hostname|node\.id)\s*==\s*(\S+)\s*")
_JOB = re.compile(r"ofelia\.job-exec\.([^.]+)\.(schedule|command|no-overlap)")


@dataclass(frozen=True)
class Repeated:
    """A command that is run in a service's container again and again; `place` is its schedule's."""

    name: str
    schedule: str
    command: str
    may_overlap: bool
    place: Place


def restarts_when_unhealthy(name: str, services: Mapping[str, tuple[Scalar, Table]], path: str) -> Evidence | None:
    """What restarts this service when its check fails; None when nothing is known to."""
    service = services[name][1]
    deploy = service.table("deploy")
    for word in _SWARM:
        if (key := deploy.key(word)) is not None:
            return Evidence(place(key, path), f"deploy.{word} is for a swarm, which replaces a task that is unhealthy")
    for other, (key, table) in services.items():
        if other == name or not (image_name(table.get("image")) or "").partition(":")[0].endswith("/autoheal"):
            continue
        label = text(environment_table(table.get("environment") or Table((), table.at)).get("AUTOHEAL_CONTAINER_LABEL")) or "autoheal"
        if label == "all" or truth(_labels(service).get(label)) is True:
            return Evidence(place(key, key.path or path), f"{other} restarts what is unhealthy")
    return None


def is_for_swarm(services: Mapping[str, tuple[Scalar, Table]], path: str) -> bool:
    """Whether a file is for `docker stack deploy`, which passes over `depends_on` and starts again what ends."""
    deploys = [table.table("deploy") for _, table in services.values()]
    return _NAMES_SWARM.search(path.lower()) is not None or any(d.get(word) is not None for d in deploys for word in _SWARM) or any(text(d.get("mode")) == "global" for d in deploys)


def pinned_to(service: Table, path: str) -> Evidence | None:
    """The one node of a swarm that the service may run on, where its placement names it."""
    for item in items(at(service, "deploy", "placement", "constraints")):
        match = _ONE_NODE.fullmatch(text(item) or "")
        if match:
            return Evidence(place(item, path), match[1])
    return None


def names_given(service: Table, root: Table, path: str) -> Evidence | None:
    """What gives the service a name and endpoints that follow its health; None in plain compose.

    The keys that Docker's integration with Amazon ECS reads (`x-aws-vpc`, `x-aws-autoscaling`) say that it runs there, where
    every service is registered in Cloud Map.
    """
    for table in (root, service, service.table("deploy")):
        for key, _ in table.entries:
            if key.text.startswith("x-aws-"):
                return Evidence(place(key, path), f"{key.text} is for Amazon ECS, which registers each service in Cloud Map")
    return None


def repeated_commands(service: Table, path: str) -> Iterator[Repeated]:
    """The commands that ofelia's labels have run in this service, by their names."""
    jobs: dict[str, dict[str, Scalar]] = {}
    for key, value in entries(_labels(service)):
        match = _JOB.fullmatch(key.text)
        if match and isinstance(value, Scalar):
            jobs.setdefault(match[1], {})[match[2]] = value
    for name, said in sorted(jobs.items()):
        schedule, command = said.get("schedule"), said.get("command")
        if schedule is not None and command is not None:
            may_overlap = truth(said.get("no-overlap")) is not True
            yield Repeated(name, schedule.text, command.text, may_overlap, place(schedule, path))


def _labels(service: Table) -> Table:
    return environment_table(service.get("labels") or Table((), service.at))
