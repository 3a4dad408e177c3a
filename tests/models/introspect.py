"""Finds the object behind a model's name and compares what the model says of its parameters.

Run as a program with the name of one library, it answers in JSON: {"skip": reason} or {"mistakes": [...]}. One process
a library: some cannot be imported together (two that register the same protocol buffers, two of one import name).
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from coordlint.models import CallModel, Library, Models

SIMPLE = (bool, int, float, str, type(None))

# Methods that a constructor sets: they are found on an instance only.
INSTANCES: dict[str, Callable[[Any], Any]] = {
    "kazoo.client.KazooClient": lambda kind: kind(),
    "etcd3.client.Transactions": lambda kind: kind(),
    "aetcd.client.Transactions": lambda kind: kind(),
}


# Applications that a library's models need; only its own, because some packages of others hide each other (`crontab`).
APPS = {
    "django-celery-beat": ("django_celery_beat",),
    "django-db-mutex": ("db_mutex",),
    "django-pglock": ("pgactivity", "pglock"),
    "django-pglocks": ("pgactivity", "pglock"),
}


def configure_django(library: str) -> None:
    """Models of Django applications do not import without settings."""
    if find_spec("django") is None:
        return
    import django
    from django.conf import settings

    if settings.configured:
        return
    own = APPS.get(library, ())
    wanted = ("django.contrib.contenttypes", "django.contrib.auth", *own)
    settings.configure(
        INSTALLED_APPS=[name for name in wanted if find_spec(name.partition(".")[0]) is not None],
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "none"}},
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    )
    django.setup()


def find(name: str) -> tuple[Any, Any]:
    """(the object, what it is an attribute of). Raises LookupError."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        parent = None
        try:
            for part in parts[end:]:
                parent, found = found, _attribute(found, part)
        except AttributeError:
            continue
        if inspect.ismodule(found) and callable(
            getattr(found, parts[-1], None)
        ):  # etcd3.client: module and function
            return getattr(found, parts[-1]), None
        return found, parent
    raise LookupError(name)


def _attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        make = INSTANCES.get(f"{getattr(owner, '__module__', '')}.{getattr(owner, '__qualname__', '')}")
        if make is None:
            raise
        return getattr(make(owner), name)


def parameters(found: Any, parent: Any, name: str) -> list[inspect.Parameter]:
    """What a caller can give: without self. Raises ValueError where there is no signature."""
    listed = list(inspect.signature(found).parameters.values())
    if inspect.isclass(parent) and not inspect.isclass(found) and not inspect.ismethod(found):
        static = inspect.getattr_static(parent, name, None)
        if static is not None and not isinstance(static, (staticmethod, classmethod)):
            return listed[1:]
    return listed


def mistakes(library: Library) -> Iterator[str]:
    """Every way in which the library differs from its models file."""
    for name, model in library.types.items():
        if model.virtual or ":" in name:
            continue
        try:
            kind, _ = find(name)
        except LookupError:
            yield f"{name}: there is no such type"
            continue
        for alias in model.aliases:
            yield from _alias(name, alias, kind)
    for name, call in library.calls.items():
        if ":" not in name and call.verified != "documentation":
            yield from _call(name, call, library)


def _alias(name: str, alias: str, kind: Any) -> Iterator[str]:
    """An alias of an older release may be gone; one that is there must be the same thing."""
    try:
        other, _ = find(alias)
    except LookupError:
        return
    related = (
        inspect.isclass(kind)
        and inspect.isclass(other)
        and (issubclass(kind, other) or issubclass(other, kind))
    )
    if other is not kind and not related:
        yield f"{name}: {alias} is something else"


def _call(name: str, call: CallModel, library: Library) -> Iterator[str]:
    owner = name.rpartition(".")[0]
    if owner in library.types and library.types[owner].virtual:
        return
    try:
        found, parent = find(name)
    except LookupError:
        yield f"{name}: there is no such call"
        return
    try:
        listed = parameters(found, parent, name.rpartition(".")[2])
    except (ValueError, TypeError) as error:
        yield f"{name}: no signature ({error}); mark it `verified: documentation`"
        return
    if inspect.iscoroutinefunction(inspect.unwrap(found)) and not call.is_async:
        yield f"{name}: is a coroutine"
    yield from (f"{name}: {message}" for message in _parameters(call, listed))


def _parameters(call: CallModel, listed: list[inspect.Parameter]) -> Iterator[str]:
    by_position = [p.name for p in listed if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    star = next((p.name for p in listed if p.kind is p.VAR_POSITIONAL), "")
    takes_any = any(p.kind is p.VAR_KEYWORD for p in listed)
    named = {p.name: p for p in listed}
    positional = call.params[:-1] if call.variadic else call.params
    if list(positional) != by_position[: len(positional)] and not star:
        yield f"takes {by_position}, not {list(positional)}"
    if call.variadic and not star:
        yield f"takes no *{call.variadic}"
    for keyword in call.keywords:
        if keyword not in named and not takes_any:
            yield f"has no parameter `{keyword}`"
    told = (
        {d.param for d in (call.ttl, call.wait, *call.ttls) if d is not None}
        | {call.blocking}
        | set(call.defaults)
    )
    for name in sorted(told & named.keys()):
        default = named[name].default
        if (
            default is inspect.Parameter.empty or type(default) not in SIMPLE
        ):  # a sentinel: the model says what it means
            continue
        if name not in call.defaults:
            yield f"the default of `{name}` is {default!r}, which the model leaves out"
        elif call.defaults[name] != default or type(call.defaults[name]) is bool is not type(default):
            yield f"the default of `{name}` is {default!r}, not {call.defaults[name]!r}"


# boto3's classes are made at run time, from data of the services that botocore ships.


def boto3_mistakes(library: Library) -> Iterator[str]:
    session = importlib.import_module("botocore.session").get_session()
    snake = importlib.import_module("botocore").xform_name
    for name, call in library.calls.items():
        service, _, operation = name.removeprefix("boto3:").partition(".")
        if ":" not in name or "." in operation or operation[0].isupper() or call.params:
            continue  # resources, and the transfer methods that boto3 adds itself
        model = session.get_service_model(service)
        known = {snake(operation_name): operation_name for operation_name in model.operation_names}
        if operation not in known:
            yield f"{name}: no such operation"
            continue
        shape = model.operation_model(known[operation]).input_shape
        given = (*call.keywords, *call.conditions)
        yield from (f"{name}: no parameter `{keyword}`" for keyword in given if keyword not in shape.members)


def why_not(library: Library) -> str:
    """Why a library cannot be compared here; "" when it can."""
    if library.install == "-":
        return f"{library.library} cannot be installed: {library.unmaintained or 'no wheel'}"
    if not library.package:
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        return (
            ""
            if running == library.checked
            else f"this is Python {running}, the facts are those of {library.checked}"
        )
    try:
        installed = version(library.package)
    except PackageNotFoundError:
        return f"{library.package} is not installed; see requirements-models.txt"
    return (
        ""
        if installed == library.checked
        else f"{installed} is installed, the facts are those of {library.checked}"
    )


def main(name: str) -> None:
    library = next(library for library in Models.load().libraries if library.library == name)
    if reason := why_not(library):
        print(json.dumps({"skip": reason}))
        return
    configure_django(name)
    found = [*mistakes(library), *(boto3_mistakes(library) if name == "boto3" else ())]
    print(json.dumps({"mistakes": found}))


if __name__ == "__main__":
    main(sys.argv[1])
