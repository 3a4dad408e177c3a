"""Compose services into workloads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace as altered

from coordlint.deployment import Dependency, Key, Mount, Port, Probe, Replicas, Role, Variable, Workload
from coordlint.finding import Evidence
from coordlint.link.deploy.catalogue import Catalogue, folder_of, join
from coordlint.link.deploy.compose_files import View
from coordlint.link.deploy.compose_merge import environment_table, named_table
from coordlint.link.deploy.containers import Container, Started, Words, split_command, start
from coordlint.link.deploy.images import Copied, Image, ImageBuilder
from coordlint.link.deploy.interpolation import filled
from coordlint.link.deploy.proxies import asked_to_route
from coordlint.link.deploy.roles import role_of
from coordlint.link.deploy.supervision import (
    is_for_swarm,
    names_given,
    pinned_to,
    repeated_commands,
    restarts_when_unhealthy,
)
from coordlint.link.deploy.waiters import waits
from coordlint.manifest import (
    UNKNOWN,
    Items,
    Node,
    Scalar,
    Table,
    at,
    entries,
    image_name,
    integer,
    items,
    place,
    tables,
    text,
    truth,
)
from coordlint.source import Place, Span

_CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
_PORT = re.compile(r"(?:(?P<address>\[[^\]]+\]|[^:\[\]]+):)?(?:(?P<published>[\d-]*):)?(?P<target>\d+)(?:-\d+)?(?:/\w+)?")


class ServiceReader:
    """Reads the services of one view."""

    def __init__(self, catalogue: Catalogue, builder: ImageBuilder, view: View) -> None:
        self.catalogue, self.builder, self.view = catalogue, builder, view

    def read(self, name: str) -> Iterator[tuple[Workload, Started]]:
        """One service as this view sees it, and the commands that are repeated in it."""
        key, service = self.view.services[name]
        path = self.view.home(name)
        image = self._image(service, path)
        written = image_name(service.get("image"))
        if image is None and written and service.get("build") is None:
            image = self.builder.named(written, name, folder_of(path))
        elif image is None and isinstance(said := service.get("image"), Scalar):
            image = self.builder.begun(said.text)
        environment = self._environment(service, path, image)
        mounts, binds = self._mounts(service, path)
        container = Container(
            path,
            place(key, path),
            written,
            image,
            _command(service.get("entrypoint"), path),
            _command(service.get("command"), path),
            text(service.get("working_dir")) or "",
            environment,
            binds,
        )
        started = start(container, self.catalogue)
        in_swarm = is_for_swarm(self.view.services, path)
        profiles = tuple(t for item in items(service.get("profiles")) if (t := text(item)))
        workload = Workload(
            key=Key(name, path, "compose"),
            place=place(key, path),
            role=self._role(service, path, profiles),
            replicas=_replicas(service, path),
            image=written,
            base_image=image.base if image else None,
            image_place=_made_at(service, path) or place(key, path),
            is_built_here=image is not None or service.get("build") is not None,
            processes=started.processes,
            environment=environment,
            ports=(*_ports(service, path), *_image_ports(image)),
            mounts=mounts,
            probes=_healthcheck(service, path, image, restarts_when_unhealthy(name, self.view.services, path)),
            depends_on=_dependencies(service, path, in_swarm),
            profiles=profiles,
            names=_names(name, service),
            runs=started.runs,
            strategy=text(at(service, "deploy", "update_config", "order")) or "",
            command=started.argv,
            command_place=started.place,
            waits=waits(started.spoken, started.environment),
            is_unattended=_is_unattended(service) and not in_swarm,
            named_by=names_given(service, self.catalogue.compose[self.view.path].root, path),
            pinned_to=pinned_to(service, path),
            routed_by=asked_to_route(service, path),
        )
        yield workload, started
        yield from self._repeated(workload, container, service)

    def _repeated(self, workload: Workload, container: Container, service: Table) -> Iterator[tuple[Workload, Started]]:
        for job in repeated_commands(service, container.path):
            argv = split_command(job.command)
            started = start(altered(container, entrypoint=Words((), job.place), command=Words(argv, job.place)), self.catalogue)
            yield (
                Workload(
                    key=Key(job.name, container.path, "repeated"),
                    place=job.place,
                    role=workload.role,
                    replicas=workload.replicas,
                    image=workload.image,
                    base_image=workload.base_image,
                    image_place=workload.image_place,
                    is_built_here=workload.is_built_here,
                    processes=started.processes,
                    environment=workload.environment,
                    mounts=workload.mounts,
                    profiles=workload.profiles,
                    runs=started.runs,
                    concurrency_policy="Allow" if job.may_overlap else "Forbid",
                    schedule=job.schedule,
                    command=argv,
                    command_place=job.place,
                ),
                started,
            )

    def _role(self, service: Table, path: str, profiles: tuple[str, ...]) -> Role:
        """What the service is for: as its profile says, or the file that it extends and has its image from (`local-compose.yml`), or this file."""
        if self.view.role is not Role.PRODUCTION:
            return self.view.role
        if profiles:
            return role_of(profiles[0], path)
        made = _made_at(service, path) if service.get("extends") is not None else None
        base = role_of(made.path) if made is not None and made.path not in (path, self.view.path, self.view.overlay) else Role.PRODUCTION
        return base if base.is_lenient else self.view.role

    def _image(self, service: Table, path: str) -> Image | None:
        build = service.get("build")
        if build is None:
            return None
        target = ""
        file = None
        if isinstance(build, Table):
            context_text, target = text(build.get("context")) or ".", text(build.get("target")) or ""
            file = text(build.get("dockerfile"))
        else:
            context_text = text(build) or "."
            file = text(service.get("dockerfile"))  # as version 1 of the format has it
        written = build.path or path
        if isinstance(build, Table) and (node := build.get("context")) is not None:
            written = node.path or written
        context = join(folder_of(written), context_text)
        if context is None:
            return None
        dockerfile = join(context, file or "Dockerfile")
        if dockerfile not in self.catalogue.dockerfiles and file is None:
            dockerfile = join(context, "Containerfile")
        return self.builder.build(context, dockerfile, target) if dockerfile else None

    def _environment(self, service: Table, path: str, image: Image | None) -> tuple[Variable, ...]:
        found: dict[str, Variable] = {}
        if image is not None:
            found |= {n: Variable(n, v, at_, "dockerfile") for n, (v, at_) in image.environment.items()}
        for file_path in self._env_files(service, path):
            file = self.catalogue.env_file(file_path)
            if file is None:
                continue
            for setting in file.settings:
                known = {v.name: v.value for v in found.values()}
                full = filled(setting.value, known)
                found[setting.name] = Variable(setting.name, full, Place(file.path, Span(setting.line)), "env-file")
        for key, value in entries(environment_table(service.get("environment") or Table((), service.at))):
            is_set = isinstance(value, Scalar) and (value.quoted or value.value is not None)
            content = value.text if isinstance(value, Scalar) and is_set else None
            if not is_set and key.text in found:
                continue
            found[key.text] = Variable(key.text, content, place(key, path))
        return tuple(found.values())

    def _env_files(self, service: Table, path: str) -> Iterator[str]:
        node = service.get("env_file")
        for item in node.items if isinstance(node, Items) else (node,) if node is not None else ():
            written = text(item.get("path")) if isinstance(item, Table) else text(item)
            file = join(folder_of(item.path or path), written) if written else None
            if file is not None:
                yield file

    def _mounts(self, service: Table, path: str) -> tuple[tuple[Mount, ...], tuple[Copied, ...]]:
        mounts: list[Mount] = []
        binds: list[Copied] = []
        for item in items(service.get("volumes")):
            mount = _mount(item, path)
            if mount is None:
                continue
            mounts.append(mount)
            source = join(folder_of(item.path or path), mount.source) if mount.kind == "bind" else None
            if source is not None:
                binds.append(Copied(source, mount.target.rstrip("/") or "/"))
        temporary = service.get("tmpfs")
        for item in temporary.items if isinstance(temporary, Items) else (temporary,) if temporary is not None else ():
            mounts.append(Mount("tmpfs", "", (text(item) or "").partition(":")[0], place(item, path)))
        for item in tables(service.get("configs")):
            mounts.append(Mount("config", text(item.get("source")) or "", text(item.get("target")) or "", place(item, path)))
        return tuple(mounts), tuple(binds)


def _command(node: Node | None, path: str) -> Words | None:
    if node is None or (isinstance(node, Scalar) and not node.quoted and node.value is None):
        return None
    if isinstance(node, Items):
        argv = tuple(item.text for item in node.items if isinstance(item, Scalar))
        return Words(argv, place(node, path))
    if isinstance(node, Scalar):
        return Words(split_command(node.text), place(node, path))
    return None


def _replicas(service: Table, path: str) -> Replicas:
    deploy = service.table("deploy")
    for node in (deploy.get("replicas"), service.get("scale")):
        if node is not None:
            number = integer(node)
            said = Evidence(place(node, path), f"{number if number is not None else 'unknown number of'} replicas")
            return Replicas(number, number, (said,))
    if text(deploy.get("mode")) == "global" and (node := deploy.get("mode")) is not None:
        return Replicas(None, None, (Evidence(place(node, path), "one on every node"),))
    return Replicas(1, 1)


def _is_unattended(service: Table) -> bool:
    """Whether nothing tells compose or a swarm to start it again after a crash or a reboot of the host."""
    policy = text(service.get("restart"))
    deploy = service.table("deploy")
    in_swarm = any(deploy.get(word) is not None for word in ("restart_policy", "replicas", "mode", "placement", "update_config"))
    return (service.get("restart") is None and not in_swarm) or policy in ("no", "false")


def _ports(service: Table, path: str) -> tuple[Port, ...]:
    made: list[Port] = []
    for item in items(service.get("ports")):
        at_ = place(item, path)
        if isinstance(item, Table):
            published = text(item.get("published")) or ""
            made.append(Port(integer(item.get("target")), "published", at_, published, text(item.get("host_ip")) or ""))
            continue
        match = _PORT.fullmatch(item.text.strip()) if isinstance(item, Scalar) else None
        if match:
            address = match["address"] or ""
            if address.isdigit() and not match["published"]:
                made.append(Port(int(match["target"]), "published", at_, address))
            else:
                made.append(Port(int(match["target"]), "published", at_, match["published"] or "", address))
        elif isinstance(item, Scalar):
            target = item.text.rpartition(":")[2].partition("/")[0]
            address = "127.0.0.1" if item.text.startswith(("127.", "localhost:", "[::1]")) else ""
            made.append(Port(int(target) if target.isdigit() else None, "published", at_, "", address))
    for item in items(service.get("expose")):
        number = integer(item)
        made.append(Port(number, "declared", place(item, path)))
    if text(service.get("network_mode")) == "host" and (node := service.get("network_mode")) is not None:
        made.append(Port(None, "host-network", place(node, path)))
    return tuple(made)


def _image_ports(image: Image | None) -> tuple[Port, ...]:
    return tuple(Port(number, "declared", at_) for number, at_ in image.exposed) if image else ()


def _mount(item: Node, path: str) -> Mount | None:
    at_ = place(item, path)
    if isinstance(item, Table):
        kind, source = text(item.get("type")) or "volume", text(item.get("source")) or ""
        target = text(item.get("target")) or ""
        if kind == "volume":
            kind = "named" if source else "anonymous"
        return Mount(kind if kind in ("named", "anonymous", "bind", "tmpfs") else "other", source, target, at_)
    if not isinstance(item, Scalar):
        return None
    parts = re.sub(r"^([A-Z]):[\\/](?=.*:)", r"/\1/", item.text).split(":")
    if len(parts) == 1:
        return Mount("anonymous", "", parts[0], at_)
    is_path = parts[0].startswith((".", "/", "~", UNKNOWN)) or "/" in parts[0]
    return Mount("bind" if is_path else "named", parts[0], parts[1], at_)


def _healthcheck(service: Table, path: str, image: Image | None, restarted: Evidence | None) -> tuple[Probe, ...]:
    node = service.get("healthcheck")
    if isinstance(node, Table):
        test = node.get("test")
        argv = tuple(item.text for item in items(test) if isinstance(item, Scalar))
        if isinstance(test, Scalar):
            argv = ("CMD-SHELL", test.text)
        off = truth(node.get("disable")) is True or argv[:1] == ("NONE",)
        at_ = _place_of(service, path, "healthcheck") or place(node, path)
        return (Probe("healthcheck", at_, command=argv, is_disabled=off, restarted=restarted),)
    if image is not None and image.healthcheck is not None:
        instruction, at_ = image.healthcheck
        off = instruction.words[:1] == ("NONE",)
        return (Probe("healthcheck", at_, command=instruction.words, is_disabled=off, restarted=restarted),)
    return ()


def _dependencies(service: Table, path: str, in_swarm: bool) -> tuple[Dependency, ...]:
    made = []
    for key, value in entries(named_table(service.get("depends_on") or Table((), service.at))):
        condition = text(at(value, "condition")) or "service_started"
        made.append(Dependency(key.text, "ignored" if in_swarm else _CONDITIONS.get(condition, condition), place(key, path)))
    for item in items(service.get("links")):
        if isinstance(item, Scalar):
            made.append(Dependency(item.text.partition(":")[0], "ignored" if in_swarm else "started", place(item, path)))
    return tuple(made)


def _names(name: str, service: Table) -> tuple[str, ...]:
    found = [name, text(service.get("container_name")), text(service.get("hostname"))]
    for _, network in entries(named_table(service.get("networks") or Table((), service.at))):
        found += [text(alias) for alias in items(at(network, "aliases"))]
    return tuple(dict.fromkeys(one.lower() for one in found if one))


def _made_at(service: Table, path: str) -> Place | None:
    return _place_of(service, path, "image", "build")


def _place_of(table: Table, path: str, *names: str) -> Place | None:
    return next((place(key, path) for name in names if (key := table.key(name)) is not None), None)
