"""What must hold between the entries of models files: every name that is used is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from coordlint.models.loader import Document, ModelError
from coordlint.models.schema import CallModel, Op

_NEEDS_RESULT = frozenset({Op.ACQUIRE, Op.CAS})
_UNITS = frozenset({"s", "ms", "timedelta", "unix-s", "unix-ms"})


def check(documents: Sequence[Document], known_elsewhere: Iterable[str] = ()) -> Iterator[ModelError]:
    """Tells every name that nobody defines. A type written `?name` belongs to a library without a model."""
    known = set(known_elsewhere)
    for document in documents:
        for name, model in document.library.types.items():
            known.update((name, *model.aliases))
    for document in documents:
        yield from _types(document, known)
        yield from _calls(document, known)
    yield from _doubles(documents)


def _types(document: Document, known: set[str]) -> Iterator[ModelError]:
    for name, model in document.library.types.items():
        used = (
            *(("bases", base) for base in model.bases),
            *(("attributes", type_name) for type_name in model.attributes.values()),
            ("item", model.item),
            ("iterates", model.iterates),
        )
        for field, type_name in used:
            if type_name and not _is_known(type_name, known):
                line = document.line("types", name, field)
                yield ModelError(
                    document.path, line, f"types.{name}.{field}: no type is called `{type_name}`"
                )
    for name, type_name in document.library.instances.items():
        if not _is_known(type_name, known):
            line = document.line("instances", name)
            yield ModelError(document.path, line, f"instances.{name}: no type is called `{type_name}`")


def _calls(document: Document, known: set[str]) -> Iterator[ModelError]:
    for name, call in document.library.calls.items():
        for field, message in _faults(call, known):
            line = document.line("calls", name, field)
            yield ModelError(document.path, line, f"calls.{name}.{field}: {message}")


def _faults(call: CallModel, known: set[str]) -> Iterator[tuple[str, str]]:
    for field, type_name in (("returns", call.returns), ("yields", call.yields), ("lock", call.lock)):
        if type_name and type_name != "self" and not _is_known(type_name, known):
            yield field, f"no type is called `{type_name}`"
    parameters = {*call.params, *call.keywords}
    for field, parameter in _parameters(call):
        if parameter and parameter not in parameters:
            yield field, f"no parameter is called `{parameter}`"
    for duration in (call.ttl, call.wait, *call.ttls):
        if duration is not None and duration.unit not in _UNITS:
            yield "ttl", f"`{duration.unit}` is no unit; known are {', '.join(sorted(_UNITS))}"
    if call.variadic and (not call.params or call.params[-1] != call.variadic):
        yield "variadic", "only the last of `params` takes all further arguments"
    needy = [op for op in (call.op, *(when.op for when in call.when)) if op in _NEEDS_RESULT]
    if needy and not call.result:
        yield "op", f"`{needy[0]}` needs a `result`: what does failure look like?"
    if call.op is Op.LOCK_DECORATOR and not call.lock:
        yield "op", f"`{call.op}` needs a `lock`: the type that is held"


def _parameters(call: CallModel) -> Iterator[tuple[str, str]]:
    yield from (("defaults", name) for name in call.defaults)
    yield from (("key", call.key), ("value", call.value), ("blocking", call.blocking))
    yield from (("ephemeral", call.ephemeral),)
    yield from (("ttl", call.ttl.param),) if call.ttl else ()
    yield from (("wait", call.wait.param),) if call.wait else ()
    yield from (("ttls", duration.param) for duration in call.ttls)
    yield from (("timeouts", name) for name in call.timeouts)
    yield from (("conditions", name) for name in call.conditions)
    yield from (("when", when.param) for when in call.when)
    yield from (("backend_in", name) for name in call.backend_in if "." not in name)  # "configure.backend" is a fluent call's


def _doubles(documents: Sequence[Document]) -> Iterator[ModelError]:
    """Two files may not describe the same name; libraries of one import name keep to their own."""
    for part in ("types", "calls"):
        owners: dict[str, str] = {}
        for document in documents:
            for name in getattr(document.library, part):
                if (owner := owners.setdefault(name, document.path)) != document.path:
                    line = document.line(part, name)
                    yield ModelError(document.path, line, f"{part}.{name}: {owner} describes it too")


def _is_known(name: str, known: set[str]) -> bool:
    return name.startswith("?") or name in known
