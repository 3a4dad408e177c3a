"""All facts to one System: names, values, walks, sections, uses, and the deployment around them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from coordlint import ir
from coordlint.belief import Beliefs
from coordlint.contention import Mutation
from coordlint.coordination import Freed, FunctionInfo, Guard, Operation, Outcome, Section
from coordlint.facts import Facts
from coordlint.link.code.calls import answered
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.entrances import entries, multiplied, serving
from coordlint.link.code.entrances.plugged import Plugged
from coordlint.link.code.evaluation import calling, sites
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.evaluate import Evaluator, last_name
from coordlint.link.code.evaluation.values import FunctionRef, Pattern, options, shown
from coordlint.link.code.flow.kept import kept_answer, made_once
from coordlint.link.code.inventory import suggesting, uses
from coordlint.link.code.inventory.believing import beliefs
from coordlint.link.code.loops import (
    endless,
    hushing,
    leading,
    misreading,
    restating,
    retrying,
    rushing,
    starving,
    swaps,
    sweeps,
    watched,
)
from coordlint.link.code.purposes import clients, limits
from coordlint.link.code.purposes.roles import Roles
from coordlint.link.code.rows import (
    computed,
    creations,
    missed,
    moves,
    naming,
    once,
    own_rows,
    picking,
    refusing,
    rewriting,
    roworders,
    states,
    transitions,
)
from coordlint.link.code.rows.carried import Carrying
from coordlint.link.code.scopes.project import Project, Scope, is_test
from coordlint.link.code.scopes.walked import walked as walked_in
from coordlint.link.code.walking import (
    atomic,
    decorating,
    foreseen,
    purpose,
    records,
    reworking,
    unasked,
    untaken,
)
from coordlint.link.code.walking.sections import Sections
from coordlint.link.code.walking.tracer import Tracer
from coordlint.link.deploy.deployment import NOTHING_UNREAD, link_deployment
from coordlint.models import Models
from coordlint.models.schema import Op
from coordlint.source import Place, Source
from coordlint.system import System, World

DEEP = 20_000  # frames: the linker recurses in Python only, which needs no machine stack


def link(facts: Iterable[Facts], models: Models, unread: Mapping[str, Source] = NOTHING_UNREAD) -> System:
    """The system that a project's facts describe together. Facts merge like a set: their order does not matter, nor that one comes twice.

    `unread` are Python files, by path, that nothing in them led to; the deployment may lead to them.
    """
    with _deep():
        return System(_Reading(facts, models, unread).world())


def link_at(
    facts: Iterable[Facts], models: Models, path: str, line: int, unread: Mapping[str, Source] = NOTHING_UNREAD
) -> tuple[System, Beliefs]:
    """The same system, and what was believed about one line on the way to it."""
    with _deep():
        reading = _Reading(facts, models, unread, path)
        return System(reading.world()), beliefs(reading.ev, reading.tracer, path, line)


@contextmanager
def _deep() -> Iterator[None]:
    """Room for deep recursion, and no search for garbage: what is built here is kept, and the search costs a fifth of the time."""
    limit, collects = sys.getrecursionlimit(), gc.isenabled()
    sys.setrecursionlimit(max(limit, DEEP))
    gc.disable()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        if collects:
            gc.enable()


class _Reading:
    """The facts of one project while they are understood."""

    def __init__(self, facts: Iterable[Facts], models: Models, unread: Mapping[str, Source], asked: str = "") -> None:
        self.unread = unread
        self.facts = [known for _, known in sorted({(f.path, f.kind): f for f in facts}.items())]
        project = Project(self.facts)
        self.walked = walked_in(project, models, (asked, *(f.path for f in self.facts if f.intents)))
        self.ev = Evaluator(project, models)
        sites.note(self.ev, self.walked)
        self.tracer = Tracer(self.ev)

    def world(self) -> World:
        """Everything that the linker finds."""
        return _world(self.facts, self.unread, self.ev, self.walked, self.tracer)


def _world(facts: Sequence[Facts], unread: Mapping[str, Source], ev: Evaluator, walked: Sequence[str], tracer: Tracer) -> World:
    project = ev.project
    started = tuple(sorted(entries.entries(ev, facts), key=lambda e: (e.place, e.kind, e.symbol)))
    tracer.requests = atomic.requests(ev, started)
    traces = [tracer.trace(symbol) for symbol in walked]
    atomic.spread(traces, started)
    inside = _told_inside(traces)
    _give_roles(traces)
    if inside is not traces:
        _give_roles(inside)
    making = Sections(tracer)
    carrying = Carrying(tracer)
    intents = {(i.place.path, i.place.line): i.intent for f in facts for i in f.intents}
    periodic = frozenset(e.symbol for e in started if e.kind == "periodic")
    found = tuple(sorted(_sections(making, traces, intents, periodic), key=lambda s: (s.acquired, s.lock.type)))
    calls_again, functions_again = retrying.retries(ev, traces)
    brought, kept = naming.brought(carrying, started), naming.kept(carrying, traces)
    operations = tuple(sorted((_with(o, brought, kept) for o in _operations(traces)), key=lambda o: (o.place, o.call)))
    own = operations if inside is traces else tuple(sorted(_operations(inside), key=lambda o: (o.place, o.call)))
    used = tuple(sorted(uses.uses(ev, own, found, inside, started), key=lambda u: (u.place, u.role)))
    modules = {name: scope.path for name, scope in project.modules.items()}
    deployment = link_deployment(facts, modules, unread)
    plugged = Plugged(ev, facts)
    seen = frozenset(walked)
    assumed = [(t, s, method) for t in traces for s, method in plugged.calls(t)]
    creating = creations.Creations(tracer, traces)
    rounds = {place: loop for t in traces for place, loop in endless.kept_up(t)}
    return World(
        functions={s.symbol: _info(s, tracer if s.symbol in seen else None) for s in project.functions()},
        operations=operations,
        carried=tuple(sorted((o for t in traces for o in carrying.pairs(t)), key=lambda o: (o.place, o.call))),
        named=tuple(sorted(naming.named(carrying, traces, brought, kept), key=lambda o: (o.place, o.call))),
        answered=tuple(sorted(answered.answered(ev, traces), key=lambda o: (o.place, o.call, o.via))),
        sections=found,
        clients=tuple(sorted(clients.clients(ev, operations, traces), key=lambda c: c.place)),
        untaken=tuple(sorted((u for t in traces for u in untaken.untaken(ev, t)), key=lambda u: u.place)),
        served=tuple(sorted(serving.served(ev, traces), key=lambda s: s.place)),
        mutations=tuple(sorted(moves.with_moves(ev, creating, _mutations(ev, traces)), key=lambda m: m.place)),
        rewrites=tuple(sorted((r for t in traces for r in rewriting.rewrites(ev, t.scope, t)), key=lambda r: r.place)),
        creations=tuple(sorted((*(c for t in traces for c in creating.of(t)), *creating.validated()), key=lambda c: (c.place, c.look))),
        reworks=tuple(sorted((w for t in traces for w in reworking.reworks(tracer, t)), key=lambda w: (w.place, w.look))),
        guarded=reworking.guarded(traces),
        foreseen=tuple(sorted((f for t in traces for f in foreseen.foreseen(tracer, t)), key=lambda f: (f.acquired, f.look))),
        missed=tuple(sorted((m for t in traces for m in missed.missed(tracer, t)), key=lambda m: (m.place, m.look))),
        row_orders=tuple(sorted(set(roworders.row_orders(ev, traces)), key=lambda r: (r.second_at, r.first_at, r.symbol, r.first, r.second))),
        led=tuple(sorted(leading.led(ev, traces), key=lambda look: look.place)),
        hushed=tuple(sorted(hushing.hushed(traces), key=lambda h: (h.place, h.renewal))),
        chosen=tuple(sorted(hushing.chosen(traces), key=lambda c: (c.test, c.call))),
        unread=frozenset(unasked.unread(project, traces)),
        misread=tuple(sorted(set(misreading.misread(ev, traces)), key=lambda m: (m.place, m.symbol))),
        swaps=tuple(sorted(swaps.swaps(traces, calls_again), key=lambda w: w.place)),
        sweeps=tuple(sorted((w for t in traces for w in sweeps.sweeps(t)), key=lambda w: w.place)),
        multiplied=tuple(sorted(set(multiplied.multiplied(ev, traces)), key=lambda m: (m.place, m.symbol))),
        in_transaction=frozenset(s.place for t in traces for s in t.steps if s.transaction and s.functions and not s.deferred),
        freed=tuple(sorted({f for t in traces for f in _freed(t)}, key=lambda f: (f.place, f.key, f.key_text, f.deed, f.given))),
        in_section=frozenset(making.calls),
        uses=used,
        suggestions=suggesting.suggestions(ev, inside, used),
        entries=started,
        calls=tuple(sorted({*_calls(traces), *_wrapped(tracer, traces), *((t.scope.symbol, method, s.place) for t, s, method in assumed)}, key=lambda c: (c[2], c[1], c[0]))),
        handed=frozenset((f.symbol, s.place) for t in traces for s in t.steps for f in s.functions[s.called :]),
        call_guards=_call_guards(traces) | {s.place: s.guards for _, s, _ in assumed if s.guards},
        retried=calls_again,
        retried_functions=functions_again,
        started=frozenset((f.symbol, s.place) for t in traces if not is_test(t.scope.path) for s in t.steps if s.deferred for f in s.functions)
        | frozenset(endless.own_threads(ev, traces))
        | frozenset(endless.left_running(ev, traces)),
        watched=frozenset(watched.watched(ev, traces)),
        kept_up=rounds,
        blocking=frozenset(starving.blocking(traces)),
        naps=tuple(sorted(set(starving.naps(ev, traces)), key=lambda n: (n[1], n[0]))),
        refused=tuple(sorted(refusing.refused(traces), key=lambda r: r.place)),
        templated=frozenset(tracer.templated),
        restated=tuple(sorted(restating.restated(ev, traces, rounds), key=lambda r: (r.place, r.write))),
        pauses={s.place: s.pause for t in traces for s in t.steps if s.functions and s.loop in ("forever", "while") and s.pause is not None and not s.deferred},
        limited=frozenset(s.place for t in traces for s in t.steps if s.limit is not None),
        default_limits=tuple(sorted(limits.limits(ev, traces), key=lambda d: d.place)),
        looped=frozenset(s.place for t in traces for s in t.steps if s.functions and s.loop),
        laps={s.place: s.each for t in traces for s in t.steps if s.each is not None},
        states=_states(traces),
        rushed=dict(pair for t in traces for pair in rushing.rushed(t)),
        unheeded=_unheeded(ev, traces),
        modules=modules,
        imports=tuple(sorted(_imports(ev, project))),
        requirements=tuple(sorted({r for f in facts for r in f.requirements}, key=lambda r: (r.place, r.name))),
        deployment=deployment,
        python2=frozenset(f.path for f in facts if f.module is not None and f.module.python2),
        skips=tuple(sorted({*(s for f in facts for s in f.skips), *deployment.skips})),
    )


def _sections(
    making: Sections, traces: list[Trace], intents: Mapping[tuple[str, int], str], periodic: frozenset[str]
) -> list[Section]:
    """All sections, with the intent that a comment on the line of the acquire declares."""
    found = [section for t in traces for section in making.of(t.scope.symbol)]
    for i, section in enumerate(found):
        if section.symbol in periodic:
            section = found[i] = msgspec.structs.replace(section, purpose=purpose.on_schedule(section))
        intent = intents.get((section.acquired.path, section.acquired.line))
        if intent is not None:
            found[i] = msgspec.structs.replace(section, purpose=purpose.declared(section.purpose, intent))
    return found


def _give_roles(traces: list[Trace]) -> None:
    """What each call is used for is known once all calls are."""
    roles = Roles(_operations(traces))
    for step in (s for t in traces for s in t.steps):
        role = roles.of(step.operation) if step.operation is not None else None
        if step.operation is not None and role is not None:
            step.operation = msgspec.structs.replace(step.operation, role=role)


def _operations(traces: list[Trace]) -> list[Operation]:
    return [s.operation for t in traces for s in t.steps if s.operation is not None]


def _told_inside(traces: list[Trace]) -> list[Trace]:
    """For the inventory: what methods do that only pass on stands inside of them, and their calls are calls of wrappers."""
    if not any(s.aside is not None for t in traces for s in t.steps):
        return traces
    return [replace(t, steps=[s if s.aside is None else replace(s, operation=s.aside) for s in t.steps if s.passed is None]) for t in traces]


def _with(operation: Operation, brought: Mapping[Place, Place], kept: Mapping[Place, tuple[str, ...]]) -> Operation:
    at, fields = brought.get(operation.place), kept.get(operation.place, ())
    return msgspec.structs.replace(operation, brought=at, keeps=fields) if at is not None or fields else operation


def _mutations(ev: Evaluator, traces: list[Trace]) -> list[Mutation]:
    seen = [m for t in traces for m in (*records.mutations(ev, t.scope, t), *once.fillings(ev, t.scope, t), *transitions.transitions(ev, t.scope, t))]
    tested = {m.place for m in seen if m.moved}
    chosen = [m for t in traces for m in picking.picked(ev, t.scope, t) if m.place not in tested]
    return [*seen, *chosen, *own_rows.own_rows(ev, traces), *computed.computed(ev, traces)]


def _calls(traces: list[Trace]) -> list[tuple[str, str, Place]]:
    return [(t.scope.symbol, f.symbol, s.place) for t in traces for s in t.steps for f in _calls_of(t, s)]


def _wrapped(tracer: Tracer, traces: list[Trace]) -> Iterator[tuple[str, str, Place]]:
    """Whoever enters a decorated function enters the wrapper that a decorator of the project puts around it; what one holds around it is the function's own section."""
    ev = tracer.ev
    for scope in (t.scope for t in traces if t.scope.kind == "function"):
        for said in scope.function.decorators:
            for d in options(ev.value(said, scope.parent or scope)):
                for wrapper in options(ev.returns(d.symbol)) if isinstance(d, FunctionRef) else ():
                    if isinstance(wrapper, FunctionRef) and wrapper.symbol != scope.symbol and not tracer.trace(wrapper.symbol).drafts:
                        yield scope.symbol, wrapper.symbol, scope.place(said.at)


def _calls_of(trace: Trace, step: Step) -> tuple[FunctionRef, ...]:
    """What a step calls. At the top level of a module, a function that is handed over is registered, not called."""
    return step.functions[: step.called] if trace.scope.kind == "module" else step.functions


def _states(traces: list[Trace]) -> dict[Place, frozenset[states.State]]:
    """The calls that are made in a certain state of a record only."""
    found: dict[Place, set[states.State]] = {}
    for place, state in (pair for t in traces for pair in states.states(t)):
        found.setdefault(place, set()).add(state)
    return {place: frozenset(several) for place, several in found.items()}


def _freed(trace: Trace) -> Iterator[Freed]:
    for x in trace.loose:
        if x.how == "delete" and x.deed != x.place and isinstance(x.subject, Pattern) and not is_test(trace.scope.path):
            yield Freed(x.place, trace.scope.symbol, x.subject.text, shown(x.subject.named), x.deed, x.given)


def _call_guards(traces: list[Trace]) -> dict[Place, tuple[Guard, ...]]:
    return {s.place: s.guards for t in traces for s in t.steps if s.functions and s.guards}


def _unheeded(ev: Evaluator, traces: list[Trace]) -> dict[str, tuple[Place, ...]]:
    """For functions that try to take something, or to swap a value, and answer whether they could: where nobody looks at the answer."""
    takers = {o.symbol for o in _operations(traces) if o.op in (Op.CREATE, Op.ACQUIRE) and o.outcome in (Outcome.TESTED, Outcome.RETURNED)}
    answering = {symbol for symbol in takers if (scope := ev.project.scopes.get(symbol)) is not None and scope.kind == "function" and _answers(scope)}
    answering |= {o.symbol for o in _operations(traces) if o.op in (Op.CREATE, Op.ACQUIRE) and o.outcome is Outcome.RETURNED and ev.project.scopes[o.symbol].kind == "function"}
    answering |= {o.symbol for o in _operations(traces) if (o.refusal or o.op is Op.CAS) and o.outcome is Outcome.RETURNED and not o.only_told}
    found: dict[str, list[Place]] = {}
    for t in traces if answering else ():
        for s in t.steps:
            if s.ignored and s.called == 1 and s.functions[0].symbol in answering and not is_test(t.scope.path):
                found.setdefault(s.functions[0].symbol, []).append(s.place)
    return {symbol: tuple(sorted(places)) for symbol, places in sorted(found.items())}


def _answers(scope: Scope) -> bool:
    """Whether a function returns True and False, and nothing else."""
    said = [e.value if isinstance(e, ir.Const) else None for e in calling.returned(scope)]
    return True in said and False in said and all(isinstance(value, bool) for value in said)


def _imports(ev: Evaluator, project: Project) -> list[tuple[str, str]]:
    """Which module of the project imports which, or names it in a text."""
    found: set[tuple[str, str]] = set()
    for scope in project.scopes.values():
        for bindings in [*scope.names.values(), scope.stars]:
            for b in bindings:
                if b.kind not in ("import", "from"):
                    continue
                dotted = b.module if b.kind == "from" else b.name
                for candidate in (f"{dotted}.{b.name}" if b.kind == "from" and dotted else b.name, dotted):
                    target = project.find_module(candidate, scope, b.level)
                    if target is not None and target != scope.module:
                        found.add((scope.module, target))
    for name, spelled in project.spelled.items():  # settings, URL configurations and task modules are named by texts
        for dotted in spelled & project.modules.keys() - {name}:
            found.add((name, dotted))
    return sorted(found)


def _info(scope: Scope, tracer: Tracer | None) -> FunctionInfo:
    """A function of the project; what its decorators do is asked for where it was walked."""
    node = scope.node
    assert isinstance(node, ir.Function)
    followed, shield = decorating.shield(tracer, scope) if node.decorators and tracer is not None else ((), ())
    return FunctionInfo(
        symbol=scope.symbol,
        place=scope.place(node.at),
        end_line=node.end,
        is_async=node.is_async,
        in_test=in_test(scope),
        decorators=tuple(last_name(d) for d in node.decorators),
        class_name=scope.owner.symbol if scope.owner is not None else "",
        followed=followed,
        shield=shield,
        kept=kept_answer(scope) if tracer is not None else None,
        made_once=made_once(scope) if tracer is not None else (),
    )
