"""What is fuzzed: one function for each reader of foreign text. It may return or raise what it says that it raises, nothing else."""

from __future__ import annotations

import json
import random
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from coordlint import baseline, config, shellwords, whatif
from coordlint.cache import decode, encode
from coordlint.discovery import discover
from coordlint.examples import Example
from coordlint.extract import extract
from coordlint.extract.comments import read_comments
from coordlint.extract.yaml_nodes import parse
from coordlint.facts import Facts
from coordlint.finding import Confidence, Finding, Severity
from coordlint.ignorefiles import IgnoreRules
from coordlint.judging import judge
from coordlint.link import link, link_at
from coordlint.models import Models, ModelsInvalid
from coordlint.report import FORMATS, audit, inventory, render
from coordlint.report import whatif as outages
from coordlint.report.graph import render as render_graph
from coordlint.report.result import Coverage, Report
from coordlint.report.style import Style
from coordlint.rulebook import load_rules
from coordlint.source import Kind, Place, Source, Span
from coordlint.sourcetext import Undecodable
from coordlint.sourcetext import decode as decode_text
from coordlint.suppression import suppress

_NAMES = {
    Kind.PYTHON: "app.py", Kind.COMPOSE: "compose.yaml", Kind.KUBERNETES: "pod.yaml",
    Kind.HELM: "chart/templates/a.yaml", Kind.DOCKERFILE: "Dockerfile", Kind.SHELL: "run.sh",
}  # fmt: skip


@lru_cache(maxsize=1)
def _models_of_all() -> Models:
    return Models.load()


def _file(kind: Kind) -> Callable[[str], None]:
    def read(text: str) -> None:
        try:
            text = decode_text(text.encode("utf-8", "surrogateescape"), kind)
        except (Undecodable, UnicodeEncodeError):
            return
        facts = extract(Source(_NAMES[kind], kind, text))
        assert facts.path == _NAMES[kind]
        lines = text.count("\n") + 1
        assert all(1 <= skip.line <= lines + 1 and skip.reason for skip in facts.skips), facts.skips
        assert decode(encode(facts)) == facts
        link([facts], _models_of_all())  # the other half of what foreign text reaches

    return read


def _yaml(text: str) -> None:
    parse(_decodable(text), "a.yaml")


def _decodable(text: str) -> str:
    """Half a character is never the outcome of decoding a file."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _shell(text: str) -> None:
    shellwords.commands(text)
    shellwords.words(text)
    for known in ({}, {"A": "${A}", "B": text[:200]}):
        shellwords.expand(text, known)


def _config(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "coordlint.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            config.load_config(Path(folder), {"CL101": "lock-without-fencing"})
        except config.BadConfig as told:
            assert told.problems


def _baseline(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "b.json"
        place.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            baseline.read(place)
        except baseline.BrokenBaseline as told:
            assert str(told)


def _models(text: str) -> None:
    try:
        Models.load((), (("ours.yaml", _decodable(text)),))
    except ModelsInvalid as told:
        assert "ours.yaml" in str(told)


def _ignore(text: str) -> None:
    IgnoreRules().within("", text.split("\n")).match("src/aaaaaaaaaaaaaaaaaaaaaaaa/app.py")


def _suppressions(text: str) -> None:
    """Comments and annotations of every kind of file, and what they then do to findings."""
    text = _decodable(text)
    last = text.count("\n") + 1
    for kind in Kind:
        wishes, intents = read_comments(Source("a", kind, text))
        assert all(1 <= w.first_line <= w.last_line <= last and bool(w.problem) != bool(w.codes) for w in wishes), wishes
        assert all(1 <= i.place.line <= last for i in intents), intents
        found = [Finding("CL101", "a-rule", Severity.ERROR, Confidence.HIGH, "m", Place("a", Span(n)), "s", "r", (), "") for n in range(1, min(last, 50) + 1)]
        outcome = suppress(found, wishes, {"CL101": "a-rule"}, ["CL101"])
        assert len(outcome.kept) + len(outcome.silenced) == len(found)
    quoted = json.dumps(text)
    pod = f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations: {{coordlint.dev/ignore: {quoted}}}\n"
    service = f"services:\n  a: {{image: redis, x-coordlint: {{ignore: {{{quoted}: {quoted}, CL701: {quoted}}}}}}}\n"
    for kind, manifest in ((Kind.KUBERNETES, pod), (Kind.COMPOSE, service)):
        assert all(bool(w.problem) != bool(w.codes) for w in extract(Source("a", kind, manifest)).suppressions)


def _files(text: str) -> dict[str, str]:
    """Files of a small repository, each below a line `--- path`."""
    found: dict[str, list[str]] = {}
    path = "compose.yaml"
    for line in text.split("\n"):
        if line.startswith("--- ") and 0 < len(line) < 100:
            path = line[4:].strip().replace("\0", "") or path
        else:
            found.setdefault(path, []).append(line)
    return {path: "\n".join(lines) for path, lines in sorted(found.items())[:12]}


def _whole(text: str) -> None:
    """A repository from its files to every format: no rule breaks, and the reports are what they have to be."""
    example = Example("good", "fuzz", _files(_decodable(text)))
    facts = [extract(source) for source in example.sources]
    for format, told in _told(facts, example).items():
        assert not {c for c in told if (ord(c) < 32 and c != "\n") or "\x7f" <= c <= "\x9f"}, format
        assert format not in ("json", "sarif") or json.loads(told)


def _programs(text: str) -> None:
    """As `_whole`; the files in another order say the same, to the byte, and each line can be asked about."""
    example = Example("good", "fuzz", _files(_decodable(text)))
    facts = [extract(source) for source in example.sources]
    assert decode(encode(facts[0])) == facts[0] if facts else True
    told = _told(facts, example)
    lot = random.Random(zlib.crc32(text.encode()))
    lot.shuffle(facts)
    again = _told(facts, example)
    assert told == again, [format for format in told if told[format] != again[format]]
    if facts:
        asked = lot.choice(facts).path
        link_at(facts, _models_of_all(), asked, lot.randrange(1, example.files[asked].count("\n") + 2))


def _told(facts: list[Facts], example: Example) -> dict[str, str]:
    """What every command says of a repository."""
    return dict(_reports(facts, example))


def _reports(facts: list[Facts], example: Example) -> Iterator[tuple[str, str]]:
    system = link(facts, _models_of_all())
    rules = load_rules()
    judged = judge(system, rules, [s for f in facts for s in f.suppressions], {r.code: r.name for r in rules}, config.Config())
    assert not judged.failures, judged.failures
    skips = tuple(sorted({s for f in facts for s in f.skips}))
    coverage = Coverage(len(facts), len(facts), skips)
    report = Report("0", judged.kept, coverage, judged.silenced, texts=dict(example.files))
    for format in FORMATS:
        yield format, render(report, format)
    for format, level in (("mermaid", "sections"), ("dot", "workloads"), ("json", "effects")):
        yield f"graph {format}", render_graph(system, format, level)
    yield "audit", audit.render(report, system, "fuzz")
    yield "inventory", inventory.render_text(system, coverage, Style(), verbose=True)
    yield "inventory json", inventory.render_json(system, coverage, "0")
    for down in ("redis", "zk", "web"):
        try:
            yield f"whatif {down}", outages.render(whatif.whatif(system, down), "full", Style())
        except whatif.NothingByThatName:
            continue


def _folder(text: str) -> None:
    """A whole small repository: each line is a file name, and the text of all of them."""
    with tempfile.TemporaryDirectory() as folder:
        for name in text.split("\n")[:4]:
            with_name = Path(folder) / name.replace("/", "_").replace("\0", "")[:60]
            try:
                with_name.write_text(text, "utf-8", "surrogateescape")
            except (OSError, UnicodeEncodeError):
                continue
        discover(Path(folder))


TARGETS: dict[str, Callable[[str], None]] = {
    "python": _file(Kind.PYTHON),
    "yaml": _yaml,
    "compose": _file(Kind.COMPOSE),
    "kubernetes": _file(Kind.KUBERNETES),
    "helm": _file(Kind.HELM),
    "dockerfile": _file(Kind.DOCKERFILE),
    "shell": _file(Kind.SHELL),
    "words": _shell,
    "config": _config,
    "baseline": _baseline,
    "models": _models,
    "ignore": _ignore,
    "folder": _folder,
    "suppressions": _suppressions,
    "merge": _whole,
    "whole": _whole,
    "programs": _programs,
}
