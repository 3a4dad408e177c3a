"""A lock without a lifetime gets one, where it is made: `timeout=`, `ex=` or `expire=`, as its library calls it.

python-redis-lock's lock is told to renew itself as well, so that its lifetime is no bound for the work.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from coordlint.fix.one_command import LIFETIMES, in_one
from coordlint.fix.requests import CannotFix, Request
from coordlint.fix.trees import Replacement, Tree, is_plain, keyword, method, named, walk, with_arguments
from coordlint.source import Span

LOCKS = ("lock", "acquire", "mutex", "lease", "claim")
NEVER = ("None", "0", "-1")


def cure(tree: Tree, places: Sequence[Span], request: Request) -> str:
    """The text with a lifetime at the first of the places that makes a lock. Raises CannotFix."""
    seconds = cst.Integer(str(request.lifetime))
    first: CannotFix | None = None
    for span in places:
        try:
            call = tree.call(span)
            if (tree.path, span) != (request.places[0].path, request.places[0].span):
                check_is_lock(tree, call)
            return tree.replaced(lasting(tree, call, seconds))
        except CannotFix as error:
            first = first or error
    raise first or CannotFix("the lock is made elsewhere")


def check_is_lock(tree: Tree, call: cst.Call) -> None:
    """Refuses a SET NX behind a helper that may keep other things than locks: they would expire as well."""
    function = tree.function(call)
    name = function.name.value.lower() if function is not None else ""
    if method(call) in ("set", "setnx") and not any(word in name for word in LOCKS):
        raise CannotFix("the key is set by a helper that may keep other things as well")


def lasting(tree: Tree, call: cst.Call, seconds: cst.Integer) -> dict[cst.CSTNode, Replacement]:
    """The change at one call."""
    if not is_plain(call):
        raise CannotFix("its arguments are unpacked")
    name = method(call)
    if name == "setnx":
        return dict(in_one(tree, call, [keyword("ex", seconds)]))
    if name == "set":
        return set_lasting(call, seconds)
    if name in ("lock", "Lock"):
        of_package = isinstance(call.func, cst.Attribute) and tree.code(call.func.value) == "redis_lock"
        parameter, more = ("expire", [keyword("auto_renewal", cst.Name("True"))]) if of_package else ("timeout", [])
        given = named(call, parameter)
        if given is None:
            if len([a for a in call.args if a.keyword is None]) > (2 if of_package or name == "Lock" else 1):
                raise CannotFix("its arguments are not named")
            return {call: with_arguments(call, [keyword(parameter, seconds), *more])}
        if tree.code(given.value) in NEVER:
            return {given.value: seconds}
        return default_of(tree, call, given.value, seconds)
    raise CannotFix(f"how {name or 'this'}() is told a lifetime is not known")


def set_lasting(call: cst.Call, seconds: cst.Integer) -> dict[cst.CSTNode, Replacement]:
    """`set(..., nx=True)`, with ex."""
    if named(call, "nx") is None:
        raise CannotFix("it is no SET NX")
    given = [a for name in LIFETIMES if (a := named(call, name)) is not None]
    if given:
        raise CannotFix("its lifetime is computed")
    return {call: with_arguments(call, [keyword("ex", seconds)])}


def default_of(tree: Tree, call: cst.Call, value: cst.BaseExpression, seconds: cst.Integer) -> dict[cst.CSTNode, Replacement]:
    """The default of the parameter that is passed on, where it is None and nothing else is made of it."""
    if not isinstance(value, cst.Name):
        raise CannotFix("its lifetime is computed")
    for function in tree.up(call):
        if not isinstance(function, cst.FunctionDef):
            continue
        for parameter in (*function.params.params, *function.params.kwonly_params):
            if parameter.name.value != value.value:
                continue
            if parameter.default is None or tree.code(parameter.default) not in NEVER or mentions(function, value.value) != 1:
                raise CannotFix("its lifetime is computed")
            return {parameter.default: seconds}
    raise CannotFix("its lifetime is computed")


def mentions(function: cst.FunctionDef, name: str) -> int:
    """How often a name occurs in a function, other than as that of an argument."""
    nodes = list(walk(function.body))
    keywords = {id(n.keyword) for n in nodes if isinstance(n, cst.Arg)}
    return sum(isinstance(n, cst.Name) and n.value == name and id(n) not in keywords for n in nodes)
