"""Objects that keep themselves in a store: `app = App.load(name)`, `app.state = x`, `app.save()`, where `save` makes key and value of its own attributes."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.calls.trace import Step
from coordlint.link.code.evaluation.values import Pattern, pieces
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import calls_in, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.wording import fixed, words

_CHANGING = frozenset("append add remove discard update pop popitem clear extend insert setdefault".split())
SELF = "self"


def is_method(scope: Scope) -> bool:
    """Whether a function is asked of an object."""
    return scope.kind == "function" and scope.owner is not None and any(p.name == SELF for p in scope.params()[:1])


def of_self(naming: tuple[ir.Expr, ...], scope: Scope, flow: Flow) -> str:
    """"self" where a key is made of attributes of the method's own object, and of nothing that the method is given."""
    if not is_method(scope):
        return ""
    sources = flow.sources({n for e in naming for n in names_in(e)})
    given = {p.name for p in scope.params()[1:]}
    return SELF if any(n.startswith("self.") for n in sources) and not sources & given else ""


def asked_of(step: Step, callee: Scope, flow: Flow) -> str:
    """The object of which a method is asked, as the caller writes it: "app" in `app.save()`, and in `app = App(name)`."""
    func = step.call.func
    if callee.function.name == "__init__":
        made = sorted(flow.assigned(step.place))
        return made[0] if len(made) == 1 else ""
    if not is_method(callee) or not isinstance(func, ir.Attribute):
        return ""
    if isinstance(func.base, ir.Call):
        return SELF if written(func.base.func) == "super" else ""
    return written(func.base)


def expr_of(step: Step, asked: str) -> ir.Expr:
    """An expression that stands for the object."""
    func = step.call.func
    return func.base if isinstance(func, ir.Attribute) and written(func.base) == asked else ir.Name(at=step.call.at, id=asked)


def keeps_self(value: tuple[ir.Expr, ...], scope: Scope, flow: Flow) -> bool:
    """Whether a method writes what its own attributes hold: `json.dumps(self.__dict__)`, `dumps({"state": self.state})`."""
    if not is_method(scope):
        return False
    called = {written(c.func) for s in scope.statements for e in expressions(s) for c in calls_in(e) if c.args or c.keywords}
    sources = flow.sources({n for e in value for n in names_in(e)})
    return any(isinstance(e, ir.Name) and e.id == SELF for e in value) or any(n.startswith("self.") and n not in called for n in sources)


def fills_self(scope: Scope, step: Step, flow: Flow) -> bool:
    """Whether a method puts what it reads into an attribute of its own object."""
    return is_method(scope) and any(n.startswith("self.") for n in flow.names_of(step.place))


def alters_self(scope: Scope, flow: Flow, *, whatever: bool) -> bool:
    """Whether a method changes its own object: by what it is given, or (`whatever`) by anything."""
    if not is_method(scope) or scope.function.name == "__init__":
        return False
    given = {p.name for p in scope.params()[1:]}
    for s in statements(scope.function.body):
        for target, value in _set(s):
            if target.startswith("self.") and (whatever or (value is not None and flow.sources(names_in(value)) & given)):
                return True
        for call in (c for e in expressions(s) for c in calls_in(e)):
            if isinstance(call.func, ir.Attribute) and call.func.name in _CHANGING and written(call.func.base).startswith("self."):
                return True
    return False


def alters(flow: Flow, asked: str, read: int, write: int) -> bool:
    """Whether a function sets attributes of an object, or changes what they hold, between two lines."""
    for s in statements(flow.body):
        if read <= s.at.line <= write:
            if any(target.startswith(f"{asked}.") for target, _ in _set(s)):
                return True
            for call in (c for e in expressions(s) for c in calls_in(e)):
                if isinstance(call.func, ir.Attribute) and call.func.name in _CHANGING and written(call.func.base).startswith(f"{asked}."):
                    return True
    return False


def _set(s: ir.Stmt) -> list[tuple[str, ir.Expr | None]]:
    match s:
        case ir.Assign(targets=targets, value=value):
            return [(written(t.base if isinstance(t, ir.Index) else t), value) for t in targets]
        case ir.Augment(target=target, value=value):
            return [(written(target.base if isinstance(target, ir.Index) else target), value)]
        case _:
            return []


def is_of_one_shape(read: Pattern, write: Pattern) -> bool:
    """Whether two keys have the same words at the same places: "/app/{name}" and "/app/{self.name}"."""
    return bool(words(fixed(read.named))) and _fixed(read) == _fixed(write)


def _fixed(key: Pattern) -> str:
    return "".join(piece for piece, is_hole in pieces(key.named) if not is_hole)
