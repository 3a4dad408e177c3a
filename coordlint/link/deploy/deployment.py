"""All manifests of a project, and the Python modules beside them, into one Deployment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from coordlint.deployment import Connection, Coordinator, Deployment, Key, Replicas, Role, Workload
from coordlint.extract.python_words import read_words
from coordlint.facts import Facts
from coordlint.finding import Evidence
from coordlint.link.deploy.catalogue import Catalogue, catalogue, folder_of, join
from coordlint.link.deploy.compose_files import View, compose_views
from coordlint.link.deploy.connections import find_connections
from coordlint.link.deploy.containers import Started
from coordlint.link.deploy.coordinators import find_coordinators
from coordlint.link.deploy.helm import helm_dependencies, rendered
from coordlint.link.deploy.images import ImageBuilder, bare_name
from coordlint.link.deploy.kustomize import Kustomizer
from coordlint.link.deploy.operators import operator_coordinators
from coordlint.link.deploy.peers import configured_peers
from coordlint.link.deploy.pods import POD_OWNERS, Cluster, PodReader
from coordlint.link.deploy.reach import Reach, Words
from coordlint.link.deploy.services import ServiceReader
from coordlint.manifest import ComposeFile, HelmFile, KubernetesObject, Table, text
from coordlint.source import Kind, Source

MAX_WORKLOADS = 5_000
NOTHING_UNREAD: Mapping[str, Source] = {}
_DEPLOYING = (ComposeFile, KubernetesObject, HelmFile)


def link_deployment(
    facts: Sequence[Facts], python_modules: Mapping[str, str], unread: Mapping[str, Source] = NOTHING_UNREAD
) -> Deployment:
    """The deployed system. `python_modules` maps dotted names to paths; facts may come in any order.

    `unread` are Python files by path that were not chosen to be read: what they say to the deployment is asked for when a workload runs them.
    """
    if not any(isinstance(manifest, _DEPLOYING) for fact in facts for manifest in fact.manifests):
        return Deployment()
    known = catalogue([*facts, *_configurations(unread)], {**_unread_modules(facts), **python_modules})
    views, composed = compose_views(known)
    builder = ImageBuilder(known, _local_images(known, views))
    builder.learn_from_scripts()
    workloads: dict[Key, Workload] = {}
    started: dict[Key, Started] = {}
    for workload, begun in [*_services(known, builder, views), *_pods(known, builder)]:
        if workload.key in workloads:
            workload, begun = _varied(workloads[workload.key], workload, started[workload.key], begun)
        elif len(workloads) >= MAX_WORKLOADS:
            continue
        workloads[workload.key], started[workload.key] = workload, begun
    ordered = tuple(sorted(workloads.values(), key=lambda w: (w.place, w.key)))
    managed = [*operator_coordinators(known), *helm_dependencies(known)]
    coordinators = sorted(
        [*find_coordinators(ordered, known), *managed], key=lambda c: (c.place, c.workload.key)
    )
    everything = tuple(sorted((*ordered, *(c.workload for c in managed)), key=lambda w: (w.place, w.key)))
    reach = Reach(Words(known.words, unread), known.python_files, known.modules)
    connections = find_connections(everything, started, {w.key: configured_peers(w, started[w.key].placed, known) for w in ordered}, reach, views)
    peers = {frozenset((a, b)) for c in coordinators for a in c.ensemble for b in c.ensemble if a != b}
    unresolved = sorted(
        {*composed.undefined, *_unfollowed(ordered, started)}, key=lambda e: (e.place, e.message)
    )
    between = _without_peers(connections, peers)
    marked = tuple(_with_its_users(c, between) for c in coordinators)
    return Deployment(everything, marked, between, tuple(unresolved), tuple(sorted(composed.problems)))


def _configurations(unread: Mapping[str, Source]) -> Iterator[Facts]:
    """Python files that configure gunicorn, of those that nobody has read."""
    for path in unread:
        if "gunicorn" in path.rpartition("/")[2]:
            yield Facts(path, unread[path].kind, manifests=read_words(unread[path]))


def _unfollowed(workloads: Iterable[Workload], started: Mapping[Key, Started]) -> Iterable[Evidence]:
    """Commands that name code which was not found."""
    return (
        Evidence(p.place, f"{w.name} starts {' '.join(p.argv[:4])[:120]}, and what that runs was not found")
        for w in workloads
        for p in started[w.key].unresolved
    )


def _unread_modules(facts: Iterable[Facts]) -> dict[str, str]:
    """Dotted names of Python files by their paths, for files that nothing but a workload's command leads to."""
    found = {}
    for fact in sorted(facts, key=lambda f: f.path):
        if fact.kind is Kind.PYTHON:
            found[fact.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")] = fact.path
    return found


def _services(known: Catalogue, builder: ImageBuilder, views: Iterable[View]) -> Iterable[tuple[Workload, Started]]:
    for view in views:
        reader = ServiceReader(known, builder, view)
        for name in view.services:
            yield from reader.read(name)


def _pods(known: Catalogue, builder: ImageBuilder) -> Iterable[tuple[Workload, Started]]:
    """Workloads as their own files say, then as each overlay sees them."""
    kustomizer = Kustomizer(known)
    plain = [thing for thing in known.objects if thing.path not in kustomizer.patch_files]
    yield from _read_pods(known, builder, rendered(plain, known))
    for overlay in kustomizer.overlays():
        for workload, begun in _read_pods(known, builder, list(overlay.objects)):
            role = overlay.role if overlay.role is not Role.PRODUCTION else workload.role
            yield replace(workload, role=role), begun


def _read_pods(
    known: Catalogue, builder: ImageBuilder, objects: list[KubernetesObject]
) -> Iterable[tuple[Workload, Started]]:
    reader = PodReader(known, builder, Cluster(objects))
    for thing in objects:
        if thing.kind in POD_OWNERS and thing.name:
            read = reader.read(thing)
            if read is not None:
                yield read


def _varied(base: Workload, variant: Workload, began: Started, begins: Started) -> tuple[Workload, Started]:
    """A workload as its base says, with what an overlay adds: more replicas, further variables, a missing command."""
    most = max((n for n in (base.replicas.most, variant.replicas.most) if n is not None), default=None)
    extra = tuple(e for e in variant.replicas.because if e not in base.replicas.because)
    is_changed = variant.replicas != base.replicas and not variant.role.is_lenient
    replicas = Replicas(base.replicas.declared, most, (*base.replicas.because, *extra)) if is_changed else base.replicas
    names = tuple(dict.fromkeys((*base.names, *variant.names)))
    known = {(v.name, v.value) for v in base.environment}
    added = tuple(v for v in variant.environment if (v.name, v.value) not in known)
    is_bare = not base.runs and not base.processes
    whole = replace(
        base,
        replicas=replicas,
        names=names,
        environment=(*base.environment, *added),
        image=base.image or variant.image,
        base_image=base.base_image or variant.base_image,
        is_built_here=base.is_built_here or variant.is_built_here,
        processes=variant.processes if is_bare else base.processes,
        runs=variant.runs if is_bare else base.runs,
        command=variant.command if is_bare else base.command,
        command_place=variant.command_place if is_bare else base.command_place,
        waits=tuple(dict.fromkeys((*base.waits, *variant.waits))),
        depends_on=(*base.depends_on, *(d for d in variant.depends_on if d not in base.depends_on)),
        mounts=base.mounts or variant.mounts,
        routed_by=base.routed_by or variant.routed_by,
        is_unattended=base.is_unattended and (variant.is_unattended or variant.role.is_lenient),
    )
    joined = Started(
        began.argv or begins.argv,
        began.place or begins.place,
        spoken=(*began.spoken, *(s for s in begins.spoken if s not in began.spoken)),
        unresolved=begins.unresolved if is_bare else began.unresolved,
        placed=(*began.placed, *begins.placed),
        dockerfile=began.dockerfile or begins.dockerfile,
    )
    return whole, joined


def _local_images(known: Catalogue, views: Iterable[View]) -> dict[str, tuple[str, str, str]]:
    """Image names of services that also say how to build them."""
    found: dict[str, tuple[str, str, str]] = {}
    for view in views:
        for name, (_, service) in view.services.items():
            build, image = service.get("build"), text(service.get("image"))
            if build is None:
                continue
            context_text = text(build.get("context")) or "." if isinstance(build, Table) else text(build) or "."
            file = text(build.get("dockerfile")) if isinstance(build, Table) else None
            target = (text(build.get("target")) or "") if isinstance(build, Table) else ""
            context = join(folder_of(build.path or view.home(name)), context_text)
            dockerfile = join(context, file or "Dockerfile") if context is not None else None
            if context is None or dockerfile not in known.dockerfiles:
                continue
            project = folder_of(view.path).rpartition("/")[2]
            names = [bare_name(image)] if image else [f"{project}_{name}", f"{project}-{name}"]
            for one in names:
                found.setdefault(one, (context, dockerfile, target))
    return found


def _with_its_users(coordinator: Coordinator, connections: tuple[Connection, ...]) -> Coordinator:
    """Whether compose publishes it and no service talks to it: half of a stack, whose other half a developer starts by hand."""
    told = {e.message for c in connections if c.target == coordinator.workload.key for e in c.evidence}
    is_half = coordinator.workload.kind == "compose" and bool(coordinator.exposed) and not told - {"monitoring"}
    return replace(coordinator, is_for_the_host=True) if is_half else coordinator


def _without_peers(connections: tuple[Connection, ...], peers: set[frozenset[Key]]) -> tuple[Connection, ...]:
    return tuple(c for c in connections if c.target is None or frozenset((c.source, c.target)) not in peers)
