"""The page of the documentation that lists what is known about libraries, made from the models themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordlint.models.lookup import Models
from coordlint.models.schema import CallModel, Duration, Library, LockModel, OnBusy, Op

_BUSY = {
    OnBusy.RAISES: "raises",
    OnBusy.BLOCKS: "waits for ever",
    OnBusy.ENTERS: "**enters without the lock**",
    OnBusy.YIELDS_FALSE: "enters and binds False",
}
_MAKES = (Op.MAKE_LOCK, Op.MAKE_ELECTION, Op.ACQUIRE, Op.LOCK_DECORATOR, Op.TASK_DEDUP, Op.SCHEDULER)


def libraries_page(models: Models) -> str:
    """Markdown: what every lock guarantees, then every library with its version."""
    libraries = sorted(models.libraries, key=lambda library: library.library.lower())
    return "\n".join(
        [
            "# Libraries",
            "",
            "Made from `coordlint/models/*.yaml`. Names, parameters and defaults are compared with the installed",
            "libraries by `pytest -m models`, in the version that stands here.",
            "",
            "## What locks guarantee",
            "",
            *_table(
                ("lock", "reaches", "lives", "`with` on a busy lock", "renewed", "fencing token"),
                [row for library in libraries for row in _locks(models, library)],
            ),
            "",
            "## Libraries",
            "",
            *_table(
                ("library", "version", "backend", "types", "calls", "note"),
                [_library(library) for library in libraries],
            ),
            "",
        ]
    )


def _locks(models: Models, library: Library) -> Iterator[tuple[str, ...]]:
    for name, model in sorted(library.types.items()):
        if model.lock is None:
            continue
        lock = model.lock
        yield (
            f"`{name}`" + ("" if lock.kind == "lock" else f" ({lock.kind})"),
            lock.scope.value,
            _lifetime(lock, _maker(models, name)),
            _BUSY[lock.on_busy],
            "yes" if lock.renews else "no",
            lock.token or "none",
        )


def _maker(models: Models, type_name: str) -> CallModel | None:
    """The call that makes such a lock: the one that takes a time to live, if any does."""
    makers = [
        call
        for library in models.libraries
        for call in library.calls.values()
        if type_name in (call.returns, call.lock) and call.op in _MAKES
    ]
    if (acquire := models.method(type_name, "acquire")) is not None:
        makers.append(acquire)
    return next((call for call in makers if call.ttl is not None), makers[0] if makers else None)


def _lifetime(lock: LockModel, maker: CallModel | None) -> str:
    if maker is not None and maker.ttl is not None:
        return f"`{maker.ttl.param}`, {_default(maker, maker.ttl)}"
    if lock.session_bound:
        return "with its session"
    if lock.scope.value in ("process", "host"):
        return "with its process"
    return lock.note or "not given"


def _default(call: CallModel, duration: Duration) -> str:
    if duration.param not in call.defaults:
        return f"required, {duration.unit}" if duration.param in call.params else duration.unit
    default = call.defaults[duration.param]
    default = duration.none if default is None else default
    if default is None or default in duration.forever:
        return "never ends by default"
    return f"{default:g} {duration.unit} by default"


def _library(library: Library) -> tuple[str, ...]:
    notes = [library.unmaintained and f"unmaintained: {library.unmaintained}", library.collides]
    return (
        library.library,
        f"Python {library.checked}" if not library.package else library.checked or "not installed",
        library.backend,
        str(len(library.types)),
        str(len(library.calls)),
        "; ".join(note for note in notes if note),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
