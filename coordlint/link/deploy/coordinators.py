"""Which workloads are coordinators, how many members their ensembles have, and what they keep."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from coordlint.deployment import Coordinator, Listed, Mount, Port, Workload
from coordlint.extract.env import server_settings
from coordlint.finding import Evidence
from coordlint.link.deploy.catalogue import Catalogue, folder_of, held_in_map, join
from coordlint.link.deploy.images import bare_name
from coordlint.manifest import UNKNOWN
from coordlint.models.coordinator_table import CoordinatorModel, CoordinatorTable, coordinator_table
from coordlint.source import Place, Span
from coordlint.wording import words as said

Option = tuple[str, str, Place]


def find_coordinators(
    workloads: Iterable[Workload], catalogue: Catalogue
) -> list[Coordinator]:
    """The coordinators among the workloads, grouped into ensembles."""
    table = coordinator_table()
    alone = [c for w in workloads if (c := _coordinator(w, table, catalogue))]
    return [_in_ensemble(c, alone, table) for c in alone]


def recognised(workload: Workload, table: CoordinatorTable) -> tuple[CoordinatorModel, Evidence] | None:
    """The table's entry for a workload that runs a coordinator's server, and how it shows."""
    if workload.processes and not workload.runs:  # a script that may also start its own store is no store to others
        started = [table.of_program(p.program) if _serves(p.argv) else None for p in workload.processes]
        only = next((model for model in started if model is not None), None)
        is_named = only is not None and only.backend in workload.name.lower()
        if only is not None and (is_named or all(model == only for model in started)):
            return only, Evidence(workload.command_place or workload.place, f"starts {only.backend}")
    image = workload.base_image or workload.image
    model = table.of_image(bare_name(image)) if image else None
    if model is None or _is_client_job(workload, model):
        return None
    return model, Evidence(workload.image_place or workload.place, f"runs the image {image}")


def _serves(argv: tuple[str, ...]) -> bool:
    """Whether a program that is more than a server is started as one: `consul agent`, not `consul kv`."""
    name = argv[0].rpartition("/")[2] if argv else ""
    if name == "etcd":
        return argv[1:2] not in (("grpc-proxy",), ("gateway",))
    return name != "consul" or len(argv) == 1 or argv[1] == "agent" or argv[1].startswith("-")


def _is_client_job(workload: Workload, model: CoordinatorModel) -> bool:
    """Whether the command replaces the server: a script, a client tool, a job."""
    if workload.is_one_shot:
        return True
    if workload.runs:
        return True
    first = workload.command[0].rpartition("/")[2] if workload.command else ""
    if not workload.processes:
        return first.endswith("-cli") or first in ("etcdctl", "psql", "zkCli.sh", "pg_dump", "mysqldump", "sleep", "tail")
    if not any(_serves(p.argv) for p in workload.processes):
        return True
    clients = (f"{model.backend}-cli", "redis-cli", "etcdctl", "psql", "zkCli.sh", "pg_dump", "mysqldump", "pg_basebackup", "mysql")
    return all(p.program in clients for p in workload.processes)


def _coordinator(
    workload: Workload, table: CoordinatorTable, catalogue: Catalogue
) -> Coordinator | None:
    seen = recognised(workload, table)
    if seen is None:
        return None
    model, evidence = seen
    options = tuple(_options(workload, model, catalogue))
    if model.server and not _is_server(workload, model, options):
        return None
    persistent, storage = _storage(workload, model, options)
    members, said = _own_members(workload, model, options)
    return Coordinator(
        workload=workload,
        backend=model.backend,
        members=members,
        members_said=said,
        listed=_listed(model, options),
        identity=next(((value, place) for name, value, place in options if name in model.identity and value), None),
        persistent=persistent,
        place=workload.place,
        evidence=(evidence,),
        data_paths=model.data,
        storage=storage,
        exposed=tuple(_exposed(workload, model, options)),
        anonymous=tuple(_anonymous(model, options)),
        open_commands=tuple(
            Evidence(place, f"{name}={value} answers every four-letter word")
            for name, value, place in options
            if name in model.four_letter and value.strip() == "*"
        ),
        has_password=_has_password(workload, model, options),
        is_development_mode=any(name in model.development for name, _, _ in options),
        options=options,
    )


def _options(workload: Workload, model: CoordinatorModel, catalogue: Catalogue) -> Iterator[Option]:
    """Server settings from command flags, environment and mounted configuration files."""
    place = workload.command_place or workload.place
    argv = workload.command
    for process in workload.processes:
        if process.program in model.programs:
            argv, place = process.argv, process.place
    words = list(argv)
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if not word.startswith("-") or word == "-":
            continue
        name, equals, value = word.partition("=")
        if not equals and position < len(words) and not words[position].startswith("-"):
            value = words[position]
            position += 1
        yield name, value, place
    for variable in workload.environment:
        if variable.value is not None:
            yield variable.name, variable.value, variable.place
    for mount in workload.mounts:
        if mount.kind == "bind":
            yield from _file_options(mount, workload, catalogue)
        elif mount.kind == "config":
            yield from _map_options(mount, workload, model, catalogue)


def _file_options(mount: Mount, workload: Workload, catalogue: Catalogue) -> Iterator[Option]:
    path = join(folder_of(mount.place.path), mount.source)
    for candidate in [path] if path else []:
        for name, file in sorted(catalogue.settings.items()):
            if file.what in ("redis", "zookeeper") and (name == candidate or name.startswith(f"{candidate}/")):
                for setting in file.settings:
                    yield setting.name, setting.value, Place(name, Span(setting.line))


def _map_options(mount: Mount, workload: Workload, model: CoordinatorModel, catalogue: Catalogue) -> Iterator[Option]:
    """Settings of configuration files that a mounted ConfigMap holds."""
    for held in held_in_map(mount.source, workload.path, catalogue):
        if held.key.endswith((".conf", ".cfg", ".properties")):
            for setting in server_settings(model.backend, held.text):
                yield setting.name, setting.value, Place(held.path, Span(held.before + setting.line))


def _is_server(workload: Workload, model: CoordinatorModel, options: tuple[Option, ...]) -> bool:
    """Consul's agent is a server, or a client that belongs to no ensemble."""
    names = {name for name, _, _ in options}
    if names & {*model.server, *model.server_settings}:
        return True
    words = workload.command
    if not words or "agent" not in words:
        return workload.kind != "daemonset"
    if any("client" in said(name) for name in (workload.name, *(m.target.rpartition("/")[2] for m in workload.mounts))):
        return False  # without -server an agent is one, but where its configuration says otherwise
    return not any(word.startswith(("-join", "-retry-join", "--join", "--retry-join")) for word in words)


def _storage(
    workload: Workload, model: CoordinatorModel, options: tuple[Option, ...]
) -> tuple[bool | None, tuple[Evidence, ...]]:
    """Whether what the server writes survives it, and the mounts that say so."""
    wanted = [value for name, value, _ in options if name in model.data_settings and value.startswith("/")]
    paths = wanted or list(model.data)
    found: list[Evidence] = []
    for mount in workload.mounts:
        if any(_covers(mount.target, path) and not (_lies_below(mount.target, path) and _is_configuration(mount)) for path in paths):
            word = {"empty-dir": "an emptyDir", "tmpfs": "memory", "anonymous": "an anonymous volume"}.get(mount.kind, "a volume")
            found.append(Evidence(mount.place, f"{mount.target} is {word}"))
            if mount.persists:
                return True, (found[-1],)
    if not found and any(m.persists and m.target and not _is_configuration(m) for m in workload.mounts):
        return None, ()  # some volume is there, and which directory the image writes to is not known
    return False, tuple(found)


def _is_configuration(mount: Mount) -> bool:
    name = mount.target.rpartition("/")[2]
    if re.search(r"\.(conf|cfg|ya?ml|json|properties|sh|sql|pem|crt|key|hcl|xml|env|ini|acl)$", name):
        return True
    return bool(re.search(r"/(conf|config|etc|certs?|ssl|tls|secrets?|scripts?|docker-entrypoint-initdb\.d|localtime|logs?|log|bin)(/|$)", mount.target))


def _covers(target: str, path: str) -> bool:
    target, path = target.rstrip("/"), path.rstrip("/")
    return target == path or path.startswith(target + "/") or target.startswith(path + "/")


def _lies_below(target: str, path: str) -> bool:
    return target.startswith(path.rstrip("/") + "/")


def _own_members(
    workload: Workload, model: CoordinatorModel, options: tuple[Option, ...]
) -> tuple[int | None, tuple[Evidence, ...]]:
    """The ensemble's size as one member tells it: its list of peers, else its replicas."""
    for name, value, place in options:
        if name in model.members:
            count = int(value) if value.isdigit() else len(voters(value))
            if count and UNKNOWN not in value and "$" not in value:
                return count, (Evidence(place, f"{name} tells of {count} {'member' if count == 1 else 'members'}"),)
    return workload.replicas.declared, workload.replicas.because


def voters(value: str) -> tuple[str, ...]:
    """The voting members of a list such as ZOO_SERVERS or --initial-cluster; observers are left out."""
    parts = [part for part in re.split(r"[,;\s]+", value.strip()) if part]
    voting = [part for part in parts if "observer" not in part]
    numbered = [part for part in voting if re.match(r"server\.\d+=", part)]
    kept = numbered or [part for part in voting if not part.isdigit()]
    return tuple(dict.fromkeys(kept))


def _listed(model: CoordinatorModel, options: tuple[Option, ...]) -> tuple[Listed, ...]:
    """The entries of the first member list, `id=address` forms only; nothing when a part of it is not known."""
    for name, value, place in options:
        if name not in model.members or value.isdigit() or UNKNOWN in value or "$" in value:
            continue
        found = []
        for part in re.split(r"[,\s]+", value.strip()):
            match = re.match(r"(?:server\.)?([\w.-]+)=(?:https?://)?([\w.-]+)", part)
            if match:
                found.append(Listed(match[1], match[2].lower(), "observer" not in part, place))
        return tuple(found)
    return ()


def _exposed(workload: Workload, model: CoordinatorModel, options: tuple[Option, ...]) -> Iterator[Port]:
    """Ports that other hosts can reach and that the server listens on."""
    listening = [value for name, value, _ in options if name in model.listen]
    for port in workload.ports:
        if not port.is_exposed:
            continue
        if port.how == "host-network":
            # the container's own loopback is the host's: it matters what the server binds to, where it binds locally by default
            if model.listen and not any("0.0.0.0" in value or "[::]" in value for value in listening):
                continue
        elif port.number is not None and port.number not in (*model.ports, *model.peer_ports):
            continue
        yield port


def _anonymous(model: CoordinatorModel, options: tuple[Option, ...]) -> Iterator[Evidence]:
    for name, value, place in options:
        if value.strip().strip("\"'").lower() in model.anonymous.get(name, ()):
            yield Evidence(place, f"{name}={value} lets anybody in")


def _has_password(workload: Workload, model: CoordinatorModel, options: tuple[Option, ...]) -> bool:
    set_here = {name for name, value, _ in options if value and value.lower() not in ("no", "false", "0")}
    secret = {v.name for v in workload.environment if v.value is None}
    words = " ".join(workload.command)
    return bool((set_here | secret) & set(model.password)) or any(
        flag in words for flag in model.password if flag.startswith("--")
    )


def _in_ensemble(coordinator: Coordinator, everyone: list[Coordinator], table: CoordinatorTable) -> Coordinator:
    """The coordinator with its peers: those it lists, and those that list it."""
    model = table.of_backend(coordinator.backend)
    if model is None or not model.quorum:
        return coordinator
    group = {coordinator.workload.key}
    listed = _listed_hosts(coordinator, model)
    for other in everyone:
        if other.backend != coordinator.backend or other.workload.key in group:
            continue
        if not _same_neighbourhood(coordinator.workload, other.workload):
            continue
        names = set(other.workload.names)
        theirs = _listed_hosts(other, model)
        if names & listed or set(coordinator.workload.names) & theirs:
            group.add(other.workload.key)
    if len(group) == 1:
        return _with_siblings(coordinator, everyone)
    members = coordinator.members
    if members is None or members < len(group):
        members = len(group)
    return replace(coordinator, ensemble=tuple(sorted(group)), members=members)


def _with_siblings(coordinator: Coordinator, everyone: list[Coordinator]) -> Coordinator:
    """zk1, zk2 and zk3 of one file, whose lists are not known (in an image, say): how many vote is not known either."""
    stem = re.sub(r"\d+", "", coordinator.workload.name)
    if coordinator.listed or stem == coordinator.workload.name or coordinator.members not in (1, None):
        return coordinator
    group = [
        c.workload.key
        for c in everyone
        if c.backend == coordinator.backend
        and not c.listed
        and re.sub(r"\d+", "", c.workload.name) == stem
        and _same_neighbourhood(c.workload, coordinator.workload)
    ]
    if len(group) < 3:
        return coordinator
    return replace(coordinator, ensemble=tuple(sorted(group)), members=None)


def _same_neighbourhood(first: Workload, second: Workload) -> bool:
    """Compose services see each other within one file, pods within a folder of manifests."""
    if first.kind == "compose" or second.kind == "compose":
        return first.path == second.path
    return folder_of(first.path) == folder_of(second.path)


def _listed_hosts(coordinator: Coordinator, model: CoordinatorModel) -> set[str]:
    """Host names of peers in member lists and join flags."""
    found: set[str] = set()
    for name, value, _ in coordinator.options:
        if name in model.members or name.lstrip("-") in ("join", "retry-join", "retry_join", "initial-cluster"):
            for part in re.split(r"[,;\s]+", value):
                host = re.sub(r"^(server\.\d+=|[\w.-]+=)?(https?://)?", "", part)
                found.add(re.split(r"[:/]", host)[0].lower())
    for word in coordinator.workload.command:
        match = re.match(r"--?(?:retry-)?join[= ](.+)", word)
        if match:
            found.add(match[1].lower())
    return {name for name in found if name and name not in ("0.0.0.0", "127.0.0.1", "localhost")}
