"""What a function has loaded by one function of the project, and stores by another one beside it: whose store it is, nobody has to know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint.contention import Rework
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.flow.usage import last_word, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.walking.tracer import Tracer
from coordlint.models.schema import Scope as Reach
from coordlint.source import Place
from coordlint.wording import words

_LOADS = frozenset("load get read fetch find open retrieve current pull download".split())
_STORES = frozenset("persist store save write put dump commit publish push upload".split())


def reworks(tracer: Tracer, trace: Trace) -> Iterator[Rework]:
    """`crew = self._load_crew()`, ..., `self._store(crew)`: one for each store."""
    if trace.scope.kind != "function":
        return
    known = [(s, f) for s in trace.steps if (f := _one(s, tracer.ev.project.scopes)) is not None]
    for at, (save, saver) in enumerate(known):
        if not words(last_word(save.call.func)) & _STORES:
            continue
        given = {n for a in (*save.call.args, *(k.value for k in save.call.keywords)) for n in names_in(a)}
        for load, loader in reversed(known[:at]):
            is_pair = loader.parent is saver.parent and loader is not saver and words(last_word(load.call.func)) & _LOADS and not words(last_word(load.call.func)) & _STORES
            if is_pair and tracer.flow(trace.scope.symbol).assigned(load.place) & given:
                yield Rework(place=save.place, symbol=trace.scope.symbol, look=load.place, loader=loader.symbol, saver=saver.symbol, in_test=in_test(trace.scope))
                break


def guarded(traces: Iterable[Trace]) -> dict[Place, tuple[Place, str]]:
    """Calls of the project's functions that stand under a distributed lock which keeps others out: where it is taken, and its key."""
    drafts = (d for t in traces for d in t.drafts if d.lock.model.scope is Reach.DISTRIBUTED and not d.lock.shared and d.releases)
    return {s.place: (d.acquired, d.lock.key_text) for d in drafts for s in d.steps if s.functions and not s.deferred}


def _one(step: Step, scopes: dict[str, Scope]) -> Scope | None:
    if not step.called or step.deferred or len({f.symbol for f in step.functions[: step.called]}) != 1:
        return None
    scope = scopes[step.functions[0].symbol]
    return scope if scope.kind == "function" else None
