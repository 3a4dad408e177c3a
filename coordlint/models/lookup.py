"""The questions about library calls that the linker asks. Pure, and a dictionary look-up each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import msgspec

from coordlint.models.checks import check
from coordlint.models.index import shipped, wanted
from coordlint.models.loader import Document, ModelError, ModelsInvalid, read_document
from coordlint.models.schema import CallModel, Library, TypeModel

_STANDARD = frozenset({"threading", "multiprocessing", "asyncio", "fcntl"})  # no module of a project goes by these names

Extra = Sequence[tuple[str, str]]
"""The user's own models files: (path, text) pairs."""


class Models:
    """Everything that is known about the libraries of a project; canonical names, types, calls.

    A canonical name is the one that the models file uses: "redis.Redis" for "redis.StrictRedis".
    """

    def __init__(
        self, libraries: Sequence[Library], *, needles: Iterable[str] = (), digest: str = "", described: Iterable[Library] = ()
    ) -> None:
        self.libraries = tuple(libraries)
        self.described = frozenset(name for own in described for name in (*own.types, *own.calls))  # by files of the user
        self.needles = frozenset(needles)
        imported = {name.partition(".")[0] for library in libraries if library.package for name in library.imports}
        self.tops = {needle.removeprefix("from ").removeprefix("import ") for needle in self.needles} | imported | _STANDARD
        self.digest = digest
        self._types: dict[str, TypeModel] = {}
        self._calls: dict[str, CallModel] = {}
        self._owners: dict[str, Library] = {}
        self._aliases: dict[str, str] = {}
        self._instances: dict[str, str] = {}
        for library in libraries:
            self._add(library)
        self._methods: dict[tuple[str, str], CallModel | None] = {}
        self._modules = frozenset(
            prefix for known in (self._types, self._calls, self._aliases, self._instances) for name in known for prefix in accumulate(name.split(".")[:-1], "{}.{}".format)
        )

    @staticmethod
    def load(imports: Iterable[str] | None = None, extra: Extra = ()) -> Models:
        """Loads the libraries that a project with these imports can reach; None loads all.

        Raises ModelsInvalid with every mistake, in shipped files and the user's own.
        """
        errors: list[ModelError] = []
        documents = [read for path, text in extra if (read := _read(path, text, errors))]
        files = {file.path: file for file in wanted(imports)}
        own: dict[str, Document | None] = {}
        while unread := sorted(files.keys() - own.keys()):
            own |= {
                path: _read(f"coordlint/models/{path}", files[path].data.decode(), errors) for path in unread
            }
            missing = _outside((*filter(None, own.values()), *documents))
            files |= {file.path: file for file in shipped() if any(file.speaks_of(name) for name in missing)}
        everything = [*filter(None, (own[path] for path in sorted(own))), *documents]
        if errors := errors or list(check(everything)):
            raise ModelsInvalid(errors)
        needles = {needle for file in shipped() for needle in file.needles}
        for document in documents:
            needles.update(_needles(document.library))
        return Models(
            [document.library for document in everything], needles=needles, digest=digest(extra), described=[d.library for d in documents]
        )

    # names

    def is_module(self, dotted: str) -> bool:
        """Whether a module is one of a library's: `etcd` and `etcd.client` are; `etcd.orders`, of which no model knows a name, is not."""
        return dotted.partition(".")[0] in self.tops and ("." not in dotted or dotted in self._modules)

    def canonical(self, dotted: str) -> str | None:
        """The name that the models use for a type, a call or a type's method; None if nobody knows it."""
        if dotted in self._types or dotted in self._calls:
            return dotted
        if (name := self._aliases.get(dotted)) is not None:
            return name
        owner, _, last = dotted.rpartition(".")
        if not owner or (type_name := self._type_name(owner)) is None:
            return None
        found = self.method(type_name, last)
        return found.name if found is not None else None

    def instance(self, dotted: str) -> str | None:
        """The type of a module-level object: "django.core.cache.cache" -> "django.core.cache.BaseCache"."""
        return self._instances.get(dotted)

    def type(self, name: str) -> TypeModel | None:
        type_name = self._type_name(name)
        return self._types[type_name] if type_name is not None else None

    def call(self, name: str) -> CallModel | None:
        """A function, a constructor, or "Type.method" through aliases and bases."""
        canonical = name if name in self._calls else self._aliases.get(name, name)
        if (found := self._calls.get(canonical)) is not None:
            return found
        if (made := self._instances.get(name)) is not None:  # an object that the library has made is called
            return self.method(made, "__call__")
        owner, _, last = name.rpartition(".")
        return self.method(owner, last) if owner else None

    def method(self, type_name: str, method: str) -> CallModel | None:
        """The method of a type or of its bases. An asynchronous type makes coroutines of inherited ones."""
        key = (type_name, method)
        if key not in self._methods:
            self._methods[key] = self._find_method(type_name, method)
        return self._methods[key]

    def attribute(self, type_name: str, attribute: str) -> str | None:
        """The type of `x.attribute`; "*" stands for every name that says nothing else, as in `client.shop.orders`."""
        for name in self.ancestry(type_name):
            known = self._types[name].attributes
            if (found := known.get(attribute) or (known.get("*") if not attribute.startswith("_") else None)) is not None:
                return found
        return None

    def item(self, type_name: str) -> str | None:
        """The type of `x[...]`."""
        return next((found for name in self.ancestry(type_name) if (found := self._types[name].item)), None)

    def ancestry(self, type_name: str) -> Iterator[str]:
        """The type and its bases, nearest first, canonical and each once."""
        waiting, seen = [type_name], set[str]()
        while waiting:
            name = self._type_name(waiting.pop(0))
            if name is not None and name not in seen:
                seen.add(name)
                yield name
                waiting.extend(self._types[name].bases)

    def is_subtype(self, name: str, base: str) -> bool:
        """Whether a type is the base or inherits from it."""
        wanted_name = self._type_name(base)
        return wanted_name is not None and wanted_name in self.ancestry(name)

    # libraries

    def library_of(self, name: str) -> Library | None:
        """The library that describes a type, a call or a type's method."""
        canonical = self.canonical(name)
        return self._owners.get(canonical) if canonical is not None else None

    def backend_of(self, name: str) -> str:
        """The backend of a type or call: its type's, its library's, else that of what it inherits; "" if unknown."""
        canonical = self.canonical(name)
        if canonical is None:
            return ""
        call = self._calls.get(canonical)
        if call is not None and call.lock and canonical not in self._types:
            return self.backend_of(call.lock)
        owner = canonical if canonical in self._types else canonical.rpartition(".")[0]
        home = self._owners.get(canonical)
        inherited = [(self._types[base].backend, self._owners[base]) for base in self.ancestry(owner)]
        for backend, library in inherited:
            if backend and library is home:
                return backend
        libraries = [library for library in (home, *(library for _, library in inherited)) if library is not None]
        return next((library.backend for library in libraries if library.backend), "")

    # building

    def _add(self, library: Library) -> None:
        for name, model in library.types.items():
            self._types[name] = model
            self._owners.setdefault(name, library)
            self._aliases.update((alias, name) for alias in model.aliases)
        for name, call in library.calls.items():
            self._calls[name] = call
            self._owners.setdefault(name, library)
            self._aliases.update((alias, name) for alias in call.aliases)
        self._instances.update(library.instances)

    def _type_name(self, name: str) -> str | None:
        """The canonical type that a name stands for; a module-level object stands for its type."""
        for candidate in (name, self._aliases.get(name), self._instances.get(name)):
            if candidate in self._types:
                return candidate
        return None

    def _find_method(self, type_name: str, method: str) -> CallModel | None:
        asked = self.type(type_name)
        for name in self.ancestry(type_name):
            if (found := self._calls.get(f"{name}.{method}")) is None:
                continue
            inherited_async = asked is not None and asked.is_async and not self._types[name].is_async
            return msgspec.structs.replace(found, is_async=True) if inherited_async else found
        return None


def digest(extra: Extra = ()) -> str:
    """sha256 of every models file, shipped and the user's: the key under which results may be cached."""
    total = hashlib.sha256()
    for path, data in [(file.path, file.data) for file in shipped()] + [(p, t.encode()) for p, t in extra]:
        total.update(f"{path}\0{len(data)}\0".encode())
        total.update(data)
    return total.hexdigest()


def _read(path: str, text: str, errors: list[ModelError]) -> Document | None:
    try:
        return read_document(path, text)
    except ModelsInvalid as invalid:
        errors += invalid.errors
        return None


def _outside(documents: Iterable[Document]) -> frozenset[str]:
    """Type names that these documents use and do not define."""
    defined: set[str] = set()
    used: set[str] = set()
    for document in documents:
        library = document.library
        used.update(library.instances.values())
        for name, model in library.types.items():
            defined.update((name, *model.aliases))
            used.update((*model.bases, *model.attributes.values(), model.item, model.iterates))
        for call in library.calls.values():
            used.update((call.returns, call.yields, call.lock))
    return frozenset(name for name in used - defined if name and name != "self" and not name.startswith("?"))


def _needles(library: Library) -> tuple[str, ...]:
    return library.imports if library.needles is None else library.needles
