"""Manifests that Helm has rendered: what `helm template . | coordlint check -` gives, put back where its templates stand.

Helm writes `# Source: chart/templates/web.yaml` above each document. The document is told at that file, each line of it at the line of
the template that it was made from, as far as the two can be recognised in each other.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from coordlint.extract.kubernetes import extract_kubernetes
from coordlint.facts import Facts
from coordlint.link.deploy.templates import placed
from coordlint.manifest import HelmFile, HelmTemplate, KubernetesObject, Table, at, text
from coordlint.source import Kind, Skip, Source

MAX_INPUT = 20_000_000
HELM_SECONDS = 60
NAMELESS = "stdin.yaml"
_SOURCE = re.compile(r"^# Source: (\S+)\s*$", re.M)
_DIVIDE = re.compile(r"^---[ \t]*(?:#.*)?$", re.M)
_ACTION = re.compile(r"\{\{(?:[^{}]|\{(?!\{)|\}(?!\}))*+\}\}")
_NEAR = 400  # lines of the template that are looked through for the next rendered line


def rendered_facts(rendered: str, facts: Iterable[Facts]) -> list[Facts]:
    """The facts of a project with the rendered documents in the place of their charts' templates."""
    facts = list(facts)
    charts = _charts(facts)
    texts = {m.path: m.text for f in facts for m in f.manifests if isinstance(m, HelmTemplate)}
    groups: dict[str, list[str]] = {}
    for document in _documents(rendered[:MAX_INPUT]):
        said = _SOURCE.search(document)
        groups.setdefault(_place(said[1], charts, texts) if said else NAMELESS, []).append(document)
    folders = {path.rpartition("/templates/")[0] for path in groups if path in texts}
    made = [_placed(path, "\n---\n".join(documents), texts.get(path, "")) for path, documents in sorted(groups.items())]
    if len(rendered) > MAX_INPUT:
        made.append(Facts(NAMELESS, Kind.KUBERNETES, skips=(Skip(NAMELESS, f"only the first {MAX_INPUT} characters were read"),)))
    return [*(_without_chart(f, folders) for f in facts), *made]


def helm_program() -> str | None:
    """Where Helm is; None when it is not installed."""
    return shutil.which("helm")


def render_charts(root: Path, sources: Iterable[Source], program: str) -> tuple[str, list[Skip]]:
    """What Helm makes of each chart with its own values, and the charts that it cannot render. Runs Helm, which the user has asked for."""
    parts, skips = [], []
    charts = sorted(s.path for s in sources if s.kind is Kind.HELM and s.path.rpartition("/")[2] == "Chart.yaml")
    for path in charts:
        folder = path.rpartition("/")[0]
        if "charts" in folder.split("/")[:-1] and f"{folder.rpartition('/charts/')[0]}/Chart.yaml".lstrip("/") in charts:
            continue  # its parent renders it
        try:
            ran = subprocess.run([program, "template", "release", str(root / folder)], capture_output=True, text=True, timeout=HELM_SECONDS, check=False)
        except (subprocess.TimeoutExpired, OSError) as error:
            skips.append(Skip(path, f"helm did not render it: {type(error).__name__}"))
            continue
        if ran.returncode:
            skips.append(Skip(path, f"helm did not render it: {(ran.stderr.strip().splitlines() or ['no reason told'])[-1][:200]}"))
        else:
            parts.append(re.sub(r"^# Source: [^/\s]+/", f"# Source: ./{folder}/" if folder else "# Source: ./", ran.stdout, flags=re.M))
    return "\n---\n".join(parts), skips


def _documents(rendered: str) -> Iterator[str]:
    return (part.strip("\n") for part in _DIVIDE.split(rendered) if part.strip())


def _charts(facts: Iterable[Facts]) -> dict[str, str]:
    """Names of charts to their folders."""
    found: dict[str, str] = {}
    for manifest in (m for f in facts for m in f.manifests if isinstance(m, HelmFile) and m.what == "chart"):
        folder = manifest.path.rpartition("/")[0]
        found.setdefault(text(at(manifest.root, "name")) or folder.rpartition("/")[2], folder)
    return found


def _place(said: str, charts: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """The template that Helm names: by its chart's name, or by the end of its path if only one fits."""
    if said.startswith("./"):
        return said[2:]
    chart, _, inner = said.partition("/")
    if chart in charts:
        return f"{charts[chart]}/{inner}".lstrip("/")
    fitting = [path for path in texts if path.endswith(f"/{inner}") or path == inner]
    return fitting[0] if len(fitting) == 1 else said.lstrip("/")


def _placed(path: str, content: str, template: str) -> Facts:
    """The facts of rendered text, with the lines of the template."""
    facts = extract_kubernetes(Source(path, Kind.KUBERNETES, content))
    if not template:
        return facts
    lines = _lines(content, template)
    made = []
    for thing in facts.manifests:
        if isinstance(thing, KubernetesObject):
            root = placed(thing.root, lines)
            thing = replace(thing, root=root, at=root.at) if isinstance(root, Table) else thing
        made.append(thing)
    skips = tuple(Skip(s.path, s.reason, lines[min(s.line, len(lines)) - 1]) for s in facts.skips)
    return replace(facts, manifests=tuple(made), suppressions=(), skips=skips)


def _lines(content: str, template: str) -> list[int]:
    """For each rendered line the template's: the next one that it can have been made from, else that of the line before."""
    shapes = [_shape(line) for line in template.split("\n")]
    found, after = [], 0
    for line in content.split("\n"):
        bare = line.strip()
        number = next((i for i in range(after, min(after + _NEAR, len(shapes))) if bare and _fits(shapes[i], bare)), None)
        if number is not None:
            after = number + 1
        found.append(max(after, 1))
    return found


def _shape(line: str) -> str | list[str] | None:
    """What a line may be made to: itself, or what stands around its actions; None for one of nothing but actions."""
    line = line.strip()
    if "{{" not in line:
        return line or None
    parts = _ACTION.split(line[:1_000])
    if len("".join(parts).strip(" \"'-:")) < 2:
        return None
    return parts


def _fits(shape: str | list[str] | None, line: str) -> bool:
    """Whether a line has the parts of a shape in their order, the first and the last at its ends."""
    if shape is None or isinstance(shape, str):
        return shape == line
    first, *between, last = shape
    if not line.startswith(first) or not line.endswith(last):
        return False
    at, end = len(first), len(line) - len(last)
    for part in between:
        at = line.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return at <= end


def _without_chart(facts: Facts, folders: set[str]) -> Facts:
    """A file of a chart that was rendered says nothing further by itself."""
    if facts.kind is not Kind.HELM or not any(facts.path.startswith(f"{folder}/" if folder else "") for folder in folders):
        return facts
    return replace(facts, manifests=())
