"""What one manifest file says: small trees of scalars, lists and tables with their places, and a few typed forms.

YAML and JSON manifests stay trees here, because variants, `extends`, patches and interpolation work on trees; typed
workloads are read from them in `coordlint.link`, after everything has been merged. A node's `path` is empty while it
stands in its own file, and filled in when a merge carries it into the tree of another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

import msgspec

from coordlint.source import Place, Span

UNKNOWN = "\ufffd"  # stands in a text where a variable's value is not known


class Scalar(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """One value as it was written. A quoted scalar is always text; a plain one is read by the YAML 1.2 core schema."""

    text: str
    at: Span
    quoted: bool = False
    custom: str = ""  # an application tag such as "!reset"
    path: str = ""

    @property
    def value(self) -> bool | int | float | str | None:
        """The value under the YAML 1.2 core schema: `no`, `22:22` and `1_000` are text, `3.10` is a number."""
        return self.text if self.quoted else plain_value(self.text)


class Items(msgspec.Struct, frozen=True, array_like=True, tag="l"):
    """A list."""

    items: tuple[Node, ...]
    at: Span
    custom: str = ""
    path: str = ""


class Table(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """A mapping in written order; of duplicate keys the last one is kept, as every consumer does."""

    entries: tuple[tuple[Scalar, Node], ...]
    at: Span
    custom: str = ""
    path: str = ""

    def get(self, name: str) -> Node | None:
        """The value of a key, or None."""
        for key, value in self.entries:
            if key.text == name:
                return value
        return None

    def key(self, name: str) -> Scalar | None:
        """The key itself, for its place."""
        return next((key for key, _ in self.entries if key.text == name), None)

    def table(self, name: str) -> Table:
        """The table under a key; empty when it is absent or something else."""
        found = self.get(name)
        return found if isinstance(found, Table) else Table((), self.at, path=self.path)


Node = Union[Scalar, Items, Table]  # noqa: UP007 - the union is recursive, and msgspec resolves it by name


def plain_value(text: str) -> bool | int | float | str | None:
    """Reads a plain scalar by the YAML 1.2 core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if not text or not (text[0].isdigit() or text[0] in "+-.") or "_" in text:
        return text
    try:
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    except ValueError:
        pass
    try:
        return float(text) if text.lstrip("+-").lower() not in ("inf", "infinity", "nan") else text
    except ValueError:
        return text


_WORDS: dict[str, bool | None] = {"": None, "~": None}
for _word, _meaning in (("null", None), ("true", True), ("false", False)):
    _WORDS |= {_word: _meaning, _word.capitalize(): _meaning, _word.upper(): _meaning}


def at(node: Node | None, *keys: str) -> Node | None:
    """The node that a path of keys leads to, or None."""
    for key in keys:
        if not isinstance(node, Table):
            return None
        node = node.get(key)
    return node


def text(node: Node | None) -> str | None:
    """A scalar's text; None for an absent, null or not fully known value, a list or a table."""
    if not isinstance(node, Scalar) or node.value is None or UNKNOWN in node.text:
        return None
    return node.text


def image_name(node: Node | None) -> str | None:
    """An image whose name is known, its tag left out when that is not; None when the name itself is not known."""
    if not isinstance(node, Scalar) or not node.text:
        return None
    name = node.text.lstrip(UNKNOWN).lstrip("/:")  # an unset registry in front is an empty text to compose
    if UNKNOWN not in name:
        return name or None
    head = name.split(UNKNOWN)[0].rstrip(":@-")
    return head if head and ":" in name.split(UNKNOWN)[0] and not head.endswith("/") else None


def integer(node: Node | None) -> int | None:
    """A scalar's whole number, quoted or not; None when it is anything else."""
    if not isinstance(node, Scalar):
        return None
    try:
        return int(node.text.strip())
    except ValueError:
        return None


def truth(node: Node | None) -> bool | None:
    """A scalar's truth, quoted or not, in the words that manifests use; None when it is anything else."""
    if not isinstance(node, Scalar):
        return None
    word = node.text.strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    return False if word in ("false", "no", "off", "0") else None


def items(node: Node | None) -> tuple[Node, ...]:
    """The items of a list; nothing for anything else."""
    return node.items if isinstance(node, Items) else ()


def tables(node: Node | None) -> Iterator[Table]:
    """The tables of a list."""
    return (item for item in items(node) if isinstance(item, Table))


def entries(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    """The entries of a table; nothing for anything else."""
    return node.entries if isinstance(node, Table) else ()


def place(node: Scalar | Items | Table, path: str) -> Place:
    """Where a node begins; `path` is the file that it stands in unless a merge brought it from another."""
    whole = isinstance(node, Scalar) and node.at.end_line == node.at.line
    return Place(node.path or path, node.at if whole else Span(node.at.line, node.at.column))


def stamped(node: Node, path: str) -> Node:
    """The same tree, with every node of it saying that it stands in `path`."""
    if isinstance(node, Scalar):
        return node if node.path else Scalar(node.text, node.at, node.quoted, node.custom, path)
    if isinstance(node, Items):
        return Items(tuple(stamped(item, path) for item in node.items), node.at, node.custom, node.path or path)
    pairs = tuple((Scalar(k.text, k.at, k.quoted, k.custom, k.path or path), stamped(v, path)) for k, v in node.entries)
    return Table(pairs, node.at, node.custom, node.path or path)


# -- what a file can be -----------------------------------------------------------------------------------------


class ComposeFile(msgspec.Struct, frozen=True, tag="compose"):
    """A compose file, before interpolation, `extends`, `include` and overrides."""

    path: str
    root: Table
    heading: str = ""  # the comment at its top


class KubernetesObject(msgspec.Struct, frozen=True, tag="kubernetes"):
    """One object of a Kubernetes file: a document, a member of a List, or what could be read of a template.

    Values of Secrets are never kept: only their keys are.
    """

    path: str
    api_version: str
    kind: str
    namespace: str
    name: str
    root: Table
    templated: bool = False  # read from a template whose expressions stay unknown
    at: Span = Span(1)  # where the object begins
    switch: str = ""  # the value of the chart that is off, and must be on for the object to exist

    @property
    def id(self) -> str:
        """kind/namespace/name, for messages and fingerprints."""
        return f"{self.kind}/{self.namespace or 'default'}/{self.name}"


class Kustomization(msgspec.Struct, frozen=True, tag="kustomization"):
    """A kustomization file; its folder is the unit that it builds."""

    path: str
    root: Table


class HelmFile(msgspec.Struct, frozen=True, tag="helm"):
    """Chart.yaml ("chart") or a values file ("values")."""

    path: str
    what: str
    root: Table


class HelmTemplate(msgspec.Struct, frozen=True, tag="helm-template"):
    """A file of a chart's templates folder, as text: what it says depends on values and on other templates."""

    path: str
    text: str


class Instruction(msgspec.Struct, frozen=True, array_like=True):
    """One Dockerfile instruction: upper-case name, its words, and whether they stood in exec form ([...])."""

    name: str
    words: tuple[str, ...]
    line: int
    exec_form: bool = False
    writes: tuple[str, ...] = ()  # the shell scripts that its here-documents write, by their path in the image


class Stage(msgspec.Struct, frozen=True):
    """From one FROM to the next: base image (or an earlier stage), own name, instructions in order."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]
    line: int


class Dockerfile(msgspec.Struct, frozen=True, tag="dockerfile"):
    """A Dockerfile; `arguments` are the defaults of ARGs before the first FROM."""

    path: str
    stages: tuple[Stage, ...]
    arguments: dict[str, str] = {}


class Setting(msgspec.Struct, frozen=True, array_like=True):
    """A name, its value as written, and the line."""

    name: str
    value: str
    line: int


class SettingsFile(msgspec.Struct, frozen=True, tag="settings"):
    """Name-value lines of a small format, in order.

    `what` is one of: "env", "procfile", "supervisor" (section/key), "uwsgi" (section/key), "redis" (redis.conf),
    "zookeeper" (zoo.cfg), "nginx" (upstream servers and proxy_pass targets), "monitoring" (targets of Prometheus, data sources of
    Grafana), "ini" (section/key).
    """

    path: str
    what: str
    settings: tuple[Setting, ...]


class ShellCommand(msgspec.Struct, frozen=True, array_like=True):
    """One simple command: its words without quotes, variables not yet expanded, and where in the script it stands."""

    words: tuple[str, ...]
    line: int
    assigned: tuple[tuple[str, str], ...] = ()  # NAME=value before the words, or alone
    branch: tuple[str, ...] = ()  # the patterns of the `case` branch around it
    function: str = ""  # the function whose body it belongs to
    subject: str = ""  # the word that the `case` looks at: "$1"
    maybe: bool = False  # under if, while, && or ||
    conditions: tuple[tuple[tuple[tuple[str, str], ...], bool], ...] = ()  # of `if`s around it: (word, pattern) that all match, or not all


class ShellScript(msgspec.Struct, frozen=True, tag="shell"):
    """The simple commands of a shell script, in order; one that a Dockerfile writes has its path in the image as `name`."""

    path: str
    commands: tuple[ShellCommand, ...]
    name: str = ""

    @property
    def key(self) -> str:
        """What tells it from others of its file."""
        return f"{self.path}<<{self.name}" if self.name else self.path


SCRIPTS = ("console_scripts", "gui_scripts")  # groups of entry points that are programs


class EntryPoints(msgspec.Struct, frozen=True, tag="entry-points"):
    """Console scripts that a package declares, name -> "module:function", and plug-ins, group -> "module:class"."""

    path: str
    scripts: tuple[Setting, ...]
    plugins: tuple[Setting, ...] = ()


class PythonWords(msgspec.Struct, frozen=True, tag="python-words"):
    """What a Python file says to its deployment, by the text of its literals: no more than evidence.

    `imports` are dotted names, relative ones with their dots; `names` are environment variables that it may read;
    `hosts` are settings that look like addresses (the variable, empty when there is none; its literal or default).
    """

    path: str
    imports: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    hosts: tuple[Setting, ...] = ()
    named: tuple[str, ...] = ()  # dotted names that stand in strings alone
    scripts: tuple[str, ...] = ()  # paths of Python files that stand in strings


Manifest = Union[  # noqa: UP007 - a tagged union that msgspec decodes
    ComposeFile, KubernetesObject, Kustomization, HelmFile, HelmTemplate, Dockerfile, SettingsFile, ShellScript, EntryPoints,
    PythonWords,
]  # fmt: skip
