"""The table of coordinators (`coordinators.yaml`), loaded once into frozen types."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import msgspec
import yaml


class CoordinatorModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one kind of coordinator shows in manifests; the file's head explains the fields."""

    backend: str
    images: tuple[str, ...]
    programs: tuple[str, ...]
    ports: tuple[int, ...]
    data: tuple[str, ...]
    quorum: bool = False
    peer_ports: tuple[int, ...] = ()
    data_settings: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    anonymous: dict[str, tuple[str, ...]] = {}
    password: tuple[str, ...] = ()
    four_letter: tuple[str, ...] = ()
    development: tuple[str, ...] = ()
    server: tuple[str, ...] = ()  # flags without which the program is a mere client or agent
    server_settings: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()

    def has_image(self, name: str) -> bool:
        """Whether an image's name (without tag) is one of this coordinator's servers."""
        return any(pattern.search(name) for pattern in _compiled(self.images))


class OperatorKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A custom resource through which an operator runs a coordinator."""

    kind: str
    backend: str
    members: tuple[str, ...]
    api: str = ""


class CoordinatorTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything in the file."""

    coordinators: tuple[CoordinatorModel, ...]
    operators: tuple[OperatorKind, ...]
    companions: tuple[str, ...]
    official: tuple[str, ...]

    def of_image(self, image: str) -> CoordinatorModel | None:
        """The coordinator whose server an image holds."""
        name = image.lower()
        words = set(re.split(r"[^a-z0-9]+", name.rpartition("/")[2]))
        if words & set(self.companions):
            return None
        return next((model for model in self.coordinators if model.has_image(name)), None)

    def of_program(self, program: str) -> CoordinatorModel | None:
        """The coordinator that a program is."""
        return next((model for model in self.coordinators if program in model.programs), None)

    def of_backend(self, backend: str) -> CoordinatorModel | None:
        """The entry of a backend."""
        return next((model for model in self.coordinators if model.backend == backend), None)

    def of_resource(self, kind: str, api_version: str) -> OperatorKind | None:
        """The operator's resource of a kind."""
        found = (o for o in self.operators if o.kind == kind and (not o.api or api_version.startswith(o.api)))
        return next(found, None)


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


@lru_cache(maxsize=1)
def coordinator_table() -> CoordinatorTable:
    """The shipped table. Raises msgspec.ValidationError, naming the field, when it is malformed."""
    text = (Path(__file__).parent / "coordinators.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.load(text, Loader=yaml.CSafeLoader), CoordinatorTable)
