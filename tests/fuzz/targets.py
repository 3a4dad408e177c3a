"""What is fuzzed: one function for each reader of foreign text. It may return or raise what it says that it raises, nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from coordlint import baseline, config, shellwords
from coordlint.cache import decode, encode
from coordlint.discovery import discover
from coordlint.extract import extract
from coordlint.extract.yaml_nodes import parse
from coordlint.ignorefiles import IgnoreRules
from coordlint.link import link
from coordlint.models import Models, ModelsInvalid
from coordlint.source import Kind, Source
from coordlint.sourcetext import Undecodable
from coordlint.sourcetext import decode as decode_text

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
}
