"""Configuration files that name the peers of a program which is not the repository's: nginx, Prometheus, Grafana."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordlint.deployment import Mount, Workload
from coordlint.extract.env import peers_named
from coordlint.link.deploy.catalogue import Catalogue, folder_of, held_in_map, join
from coordlint.link.deploy.images import Copied
from coordlint.manifest import Setting, SettingsFile

_PEERS = ("nginx", "monitoring")


def configured_peers(workload: Workload, placed: Sequence[Copied], known: Catalogue) -> list[SettingsFile]:
    """The files with peers that are mounted into the workload or copied into its image, and those in ConfigMaps that it mounts."""
    mounted = (join(folder_of(m.place.path), m.source) for m in workload.mounts if m.kind == "bind")
    sources = [*(copied.source for copied in placed if copied.source), *(source for source in mounted if source)]
    found = [
        file
        for path, file in sorted(known.settings.items())
        if _serves(workload, file.what) and any(path == s or path.startswith(f"{s}/") for s in sources)
    ]
    return [*found, *(file for m in workload.mounts if m.kind == "config" for file in _in_map(m, workload, known))]


def _serves(workload: Workload, what: str) -> bool:
    """Whether the workload runs a program that reads such a file."""
    image = workload.base_image or workload.image or ""
    if what == "nginx":
        return any(p.program == "nginx" for p in workload.processes) or "nginx" in image
    return what == "monitoring" and any(name in image for name in ("prometheus", "grafana", "victoria-metrics", "vmagent"))


def _in_map(mount: Mount, workload: Workload, known: Catalogue) -> Iterator[SettingsFile]:
    for held in held_in_map(mount.source, workload.path, known):
        for what in (w for w in _PEERS if _serves(workload, w)):
            settings = tuple(Setting(s.name, s.value, held.before + s.line) for s in peers_named(held.key, held.text, what))
            if settings:
                yield SettingsFile(held.path, what, settings)
