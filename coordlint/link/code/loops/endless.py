"""Loops that a program means to keep up: without an end, or until somebody says stop. Not those that wait for something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.usage import calls_in, ends, last_word, names_in
from coordlint.link.code.scopes.project import is_test
from coordlint.link.code.scopes.statements import blocks, expressions
from coordlint.source import Place
from coordlint.wording import words

_UNTIL_TOLD = frozenset(
    "stop stopped stopping running run active alive shutdown exit exiting exited quit quitting closed closing terminate terminated finished enabled".split()
)


_TAKES = frozenset("recv receive dequeue popleft blpop brpop consume".split())
_MESSAGES = frozenset("message messages msg event events command commands job jobs task item request work".split())


def kept_up(trace: Trace) -> Iterator[tuple[Place, Place]]:
    """The calls of a function that such a loop repeats, with the loop."""
    if not any(s.loop in ("forever", "while") for s in trace.steps):
        return
    scope = trace.scope
    for s in scope.statements:
        if isinstance(s, ir.Loop) and s.target is None and _is_endless(s.test):
            yield from ((scope.place(made.at), scope.place(s.at)) for made in _repeated(s.body))


def paced(trace: Trace) -> Iterator[Place]:
    """Those of such loops that do in each round what a message tells them, which they took first: without news they wait."""
    scope = trace.scope
    for s in scope.statements:
        if isinstance(s, ir.Loop) and s.target is None and _is_endless(s.test) and _takes_message(s.body):
            yield scope.place(s.at)


def _takes_message(body: tuple[ir.Stmt, ...]) -> bool:
    """Whether one thing is taken from a queue or a socket at the start of a round: `item = queue.get()`, `command = planner.next_command()`."""
    for s in body:
        if isinstance(s, ir.Try | ir.With):
            return any(_takes_message(block) for block in blocks(s)[:1])
        value = s.value if isinstance(s, ir.Assign) else None
        if isinstance(value, ir.Await):
            value = value.value
        if isinstance(value, ir.Call):
            return _is_taken(value)
        if not isinstance(s, ir.Evaluate | ir.Assign):
            return False
    return False


def _is_taken(call: ir.Call) -> bool:
    name = last_word(call.func)
    said = words(name)
    if name == "get" and not call.args:
        return True  # a queue's: what has keys or addresses is asked for one
    return bool(said & _TAKES) or bool("next" in said and said & _MESSAGES)


def _repeated(body: tuple[ir.Stmt, ...]) -> Iterator[ir.Expr]:
    """The calls of a block, and the attributes that it sets (a setter may be called), but for those after which the loop is left."""
    if ends(body) in ("break", "return"):
        return
    for s in body:
        for expr in expressions(s):
            yield from calls_in(expr)
        if isinstance(s, ir.Assign):
            yield from (t for t in s.targets if isinstance(t, ir.Attribute))
        for block in blocks(s):
            yield from _repeated(block)


def _is_endless(test: ir.Expr) -> bool:
    if isinstance(test, ir.Const):
        return bool(test.value)
    if isinstance(test, ir.Unary) and test.op == "not" and isinstance(test.value, ir.Call) and last_word(test.value.func) in ("is_set", "isSet", "wait"):
        return True  # whatever the event is called
    return any(words(name.rpartition(".")[2]) & _UNTIL_TOLD or words(name.rpartition(".")[0].rpartition(".")[2]) & _UNTIL_TOLD for name in names_in(test))



_EAGER = frozenset({"coroutine", "inlineCallbacks"})


def left_running(ev: Evaluator, traces: Sequence[Trace]) -> Iterator[tuple[str, Place]]:
    """Coroutines of generators (tornado's and Twisted's) that a statement calls and does not wait for: they run from the call on, beside it."""
    for t in traces:
        alone = {id(s.value) for s in t.scope.statements if isinstance(s, ir.Evaluate)} if not is_test(t.scope.path) else ()
        for step in t.steps:
            if id(step.call) not in alone:
                continue
            for called in step.functions[: step.called]:
                callee = ev.project.scopes.get(called.symbol)
                if callee is not None and callee.kind == "function" and any(last_word(d) in _EAGER for d in callee.function.decorators):
                    yield called.symbol, step.place


_THREADS = ("threading.Thread", "threading.Timer", "multiprocessing.Process", "multiprocessing.process.BaseProcess")
_ASKS = ("is_alive", "isAlive", "exitcode")


def own_threads(ev: Evaluator, traces: Sequence[Trace]) -> Iterator[tuple[str, Place]]:
    """The `run()` of classes that are threads, with where one is made; none where somebody looks whether threads are still alive."""
    if any(last_word(s.call.func) in _ASKS for t in traces for s in t.steps):
        return
    for cls in ev.project.classes():
        above, libraries = classes.ancestry(ev, cls.symbol) if not is_test(cls.path) else ((), ())
        run = ev.project.scopes.get(f"{cls.symbol}.run")
        if run is None or run.kind != "function" or not any(name in _THREADS for name in libraries):
            continue
        inits = {f"{c.symbol}.__init__" for c in above[:1]}
        made = (s.place for t in traces if not is_test(t.scope.path) for s in t.steps if any(f.symbol in inits for f in s.functions[: s.called]))
        yield run.symbol, min(made, default=run.place(run.function.at))
