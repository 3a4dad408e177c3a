"""What an expression can be known to be, without running it. All frozen and hashable.

Structs, not dataclasses: a run makes, compares and copies some millions of them. Where many of them are asked what they are, they are asked
for their `type`: none has subclasses, and an `isinstance` that fails takes ten times as long, as structs have a metaclass of their own.
Values are symbolic: what depends on a parameter stays a `Parameter`, and is filled in at a call by `substitute`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from coordlint.models.schema import CallModel
from coordlint.source import Place


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """Nothing is known, but maybe how it is written: "account.id" as an argument."""

    name: str = ""


class Literal(msgspec.Struct, frozen=True, gc=False):
    """A constant; `unit` is "s" for a timedelta that was turned into seconds."""

    value: bool | int | float | str | None
    place: Place | None = None
    unit: str = ""


class Pattern(msgspec.Struct, frozen=True, gc=False):
    """Text with computed parts: "acct:{}", and the same with names, "acct:{account.id}"."""

    text: str
    named: str


class External(msgspec.Struct, frozen=True, gc=False):
    """A name of a library or of the standard library, dotted."""

    name: str


class ModuleRef(msgspec.Struct, frozen=True, gc=False):
    """A module of the project."""

    name: str


class ClassRef(msgspec.Struct, frozen=True, gc=False):
    """A class of the project."""

    symbol: str


class Arg(msgspec.Struct, frozen=True, gc=False):
    """An argument by parameter name (digits for positions that no signature names)."""

    name: str
    value: Value
    place: Place | None = None


class FunctionRef(msgspec.Struct, frozen=True, gc=False):
    """A function of the project, with its receiver when bound, and arguments that functools.partial holds."""

    symbol: str
    receiver: Value | None = None
    held: tuple[Arg, ...] = ()


class Instance(msgspec.Struct, frozen=True, gc=False):
    """An object of a library type, made by a call at a place, maybe through wrappers."""

    type: str
    call: str = ""
    place: Place | None = None
    arguments: tuple[Arg, ...] = ()
    owner: Value | None = None  # the object whose method made it
    via: tuple[str, ...] = ()
    subclass: str = ""  # the project's class, when it derives from the library's

    def argument(self, name: str) -> Arg | None:
        """The argument bound to a parameter."""
        return next((a for a in self.arguments if a.name == name), None)


class Object(msgspec.Struct, frozen=True, gc=False):
    """An instance of a class of the project; arguments are those of its constructor."""

    symbol: str
    arguments: tuple[Arg, ...] | None = None  # None: not known how it was made
    place: Place | None = None
    loaded: str = ""  # for stored records: "query" when it was read from a store

    def argument(self, name: str) -> Arg | None:
        """The constructor's argument for a parameter."""
        return next((a for a in self.arguments or () if a.name == name), None)


class Method(msgspec.Struct, frozen=True, gc=False):
    """A call of a library, ready to be made on its receiver."""

    owner: Value
    name: str
    model: CallModel


class Parameter(msgspec.Struct, frozen=True, gc=False):
    """What a caller passes."""

    symbol: str
    name: str
    unless: str = ""  # NONE or FALSE: what is used here instead where that is passed


class Environment(msgspec.Struct, frozen=True, gc=False):
    """An environment variable or setting, with its default."""

    name: str
    default: Value | None = None


class Manager(msgspec.Struct, frozen=True, gc=False):
    """The context manager that a generator function of the project makes."""

    symbol: str
    arguments: tuple[Arg, ...]
    receiver: Value | None = None
    place: Place | None = None


class Items(msgspec.Struct, frozen=True, gc=False):
    """A tuple, list or set of known length."""

    kind: str
    items: tuple[Value, ...]


class Table(msgspec.Struct, frozen=True, gc=False):
    """A dict display; entries with unknown keys have an empty key."""

    entries: tuple[tuple[str, Value], ...]
    computed: tuple[Value, ...] = ()  # keys that are texts with computed parts

    def get(self, key: str) -> Value | None:
        """The value of a key."""
        return next((v for k, v in self.entries if k == key), None)


class Result(msgspec.Struct, frozen=True, gc=False):
    """What a library call gave back, where it has no type of its own: a row, a value, a truth."""

    model: CallModel
    place: Place
    owner: Value | None = None


class Partial(msgspec.Struct, frozen=True, gc=False):
    """`functools.partial` of something that is no function of the project: a library's class, function or method."""

    target: Value
    held: tuple[Arg, ...]
    positions: int  # how many positional arguments are held


class Called(msgspec.Struct, frozen=True, gc=False):
    """The result of calling what a caller passes, or with what a caller passes: `factory(*args)`."""

    target: Value
    args: tuple[Arg, ...]
    place: Place | None = None


class Super(msgspec.Struct, frozen=True, gc=False):
    """`super()` in a method of a class."""

    symbol: str
    receiver: Value


class OneOf(msgspec.Struct, frozen=True, gc=False):
    """One of several."""

    options: tuple[Value, ...]


Value = (
    Unknown | Literal | Pattern | External | ModuleRef | ClassRef | FunctionRef | Instance | Object | Method
    | Parameter | Environment | Manager | Items | Table | Result | Partial | Called | Super | OneOf
)  # fmt: skip

UNKNOWN = Unknown()
NONE, FALSE = "none", "false"
MOST_OPTIONS, MOST_CALLED = 6, 20  # the second of functions and classes: a table of handlers, a list of plug-ins


def one_of(values: list[Value]) -> Value:
    """The join: unknown parts are dropped while something is known; too many options are unknown again."""
    if len(values) == 1 and type(values[0]) is not OneOf:
        return values[0] if type(values[0]) is not Unknown else UNKNOWN
    flat: list[Value] = []
    for v in values:
        for option in options(v):
            if type(option) is not Unknown and option not in flat:
                flat.append(option)
    if len(flat) > 1:
        flat = _without_mere_types(flat)
    if len(flat) > MOST_OPTIONS:
        flat = _widened(flat)
    if not flat or len(flat) > (MOST_CALLED if all(type(v) in (ClassRef, FunctionRef) for v in flat) else MOST_OPTIONS):
        return UNKNOWN
    return flat[0] if len(flat) == 1 else OneOf(tuple(flat))


def _without_mere_types(values: list[Value]) -> list[Value]:
    """An object of which only its type is said, `x: Redis | None = None`, is the one that is seen to be made elsewhere."""
    made = {v.type for v in values if isinstance(v, Instance) and v.place is not None}
    return [v for v in values if not (isinstance(v, Instance) and v.type in made and v == Instance(v.type))] if made else values


def _widened(values: list[Value]) -> list[Value]:
    """Many objects are one for each type, of which nothing more is known; what is only text or number beside them is left out."""
    made: list[Value] = []
    for v in values:
        match v:
            case Object(symbol=symbol, loaded=loaded):
                v = Object(symbol, loaded=loaded)
            case Instance(type=name, subclass=subclass):
                v = Instance(name, subclass=subclass)
            case Literal() | Pattern():
                continue
            case _:
                pass
        if v not in made:
            made.append(v)
    return _rows(made) if len(made) > MOST_OPTIONS else made


def _rows(values: list[Value]) -> list[Value]:
    """Tuples of one length are one tuple, of whatever stands at each position."""
    tuples: dict[int, list[Items]] = {}
    for v in values:
        if isinstance(v, Items) and v.kind == "tuple":
            tuples.setdefault(len(v.items), []).append(v)
    joined: list[Value] = [Items("tuple", tuple(one_of(list(column)) for column in zip(*[t.items for t in several], strict=True))) for several in tuples.values()]
    return [*[v for v in values if not (isinstance(v, Items) and v.kind == "tuple")], *joined]


def options(value: Value) -> tuple[Value, ...]:
    """The alternatives of a value: itself, unless it is one of several."""
    return value.options if type(value) is OneOf else (value,)


_WHOLE = frozenset((Unknown, Literal, External, ModuleRef, ClassRef, Environment))  # values without parts that could be changed


def transform(value: Value, change: Callable[[Value], Value | None], depth: int = 0) -> Value:
    """A copy in which `change` replaced every part for which it gave something; bounded in depth."""
    if type(value) in _WHOLE:
        return value
    changed = change(value)
    if changed is not None:
        return changed
    if depth > 8:
        return value

    def sub(v: Value) -> Value:
        return transform(v, change, depth + 1)

    def args(given: tuple[Arg, ...]) -> tuple[Arg, ...]:
        return tuple(replace(a, value=sub(a.value)) for a in given)

    match value:
        case Instance():
            return replace(value, arguments=args(value.arguments), owner=None if value.owner is None else sub(value.owner))
        case Object(arguments=given) if given:
            return replace(value, arguments=args(given))
        case FunctionRef():
            receiver = None if value.receiver is None else sub(value.receiver)
            return replace(value, receiver=receiver, held=args(value.held))
        case Manager():
            receiver = None if value.receiver is None else sub(value.receiver)
            return replace(value, arguments=args(value.arguments), receiver=receiver)
        case Method(owner=owner):
            return replace(value, owner=sub(owner))
        case Partial():
            return replace(value, target=sub(value.target), held=args(value.held))
        case Called():
            return replace(value, target=sub(value.target), args=args(value.args))
        case Result(owner=owner) if owner is not None:
            return replace(value, owner=sub(owner))
        case OneOf(options=several):
            return one_of([sub(v) for v in several])
        case Items(items=items):
            return replace(value, items=tuple(sub(v) for v in items))
        case Table(entries=entries):
            return replace(value, entries=tuple((k, sub(v)) for k, v in entries), computed=tuple(sub(v) for v in value.computed))
        case _:
            return value


Bindings = Mapping[tuple[str, str], Value]


def substitute(value: Value, bindings: Bindings) -> Value:
    """The value with parameters filled in: keys are (function symbol, parameter name)."""
    if not bindings or type(value) in _WHOLE:
        return value

    def change(v: Value) -> Value | None:
        if type(v) is Parameter:
            given = bindings.get((v.symbol, v.name))
            return given if given is None or not v.unless else without(given, v.unless)
        if type(v) is Pattern and "\x00" in v.named:
            return fill(v, bindings)
        return None

    return transform(value, change)


def without(value: Value, nothing: str) -> Value:
    """What is left of a value where None, or all that is false, is known to be replaced by something else."""
    kept: list[Value] = []
    for v in options(value):
        if type(v) is Parameter:
            kept.append(replace(v, unless=nothing))
        elif type(v) is not Literal or not (v.value is None or (nothing == FALSE and not v.value)):
            kept.append(v)
    return one_of(kept) if kept else UNKNOWN


# A hole that a parameter fills is written in `named` as "{\x00symbol\x01name\x00}", so that it can be filled later. Folders of
# templates bring braces into symbols (`{{cookiecutter.name}}/app.py`); a hole keeps them as two other characters.
_KEPT = str.maketrans("{}", "\x02\x03")


def hole(parameter: Parameter, separator: str = "") -> Pattern:
    """The pattern of a text that is wholly a parameter, or all that was passed for `*rest` joined: `"/".join(rest)`."""
    joined = f"\x01{separator}" if separator.strip("{}\x00") and "{" not in separator else ""
    return Pattern("{}", f"{{{hole_of(parameter.symbol)}{parameter.name}{joined}\x00}}")


def hole_of(symbol: str) -> str:
    """How a hole begins that a parameter of this function fills."""
    return f"\x00{symbol.translate(_KEPT)}\x01"


def fill(pattern: Pattern, bindings: Bindings) -> Pattern:
    """Fills the parameter holes for which a text is known."""
    text, named = "", ""
    for piece, is_hole in pieces(pattern.named):
        if is_hole and piece.startswith("\x00") and "\x01" in piece:
            symbol, name, *separator = piece.strip("\x00").split("\x01")
            given = bindings.get((symbol.replace("\x02", "{").replace("\x03", "}"), name))
            if given is not None:
                made = _rest(given, separator[0] if separator else None)
                text += made.text
                named += made.named
                continue
        text += "{}" if is_hole else piece
        named += "{" + piece + "}" if is_hole else piece
    return Pattern(text, named)


def _rest(given: Value, separator: str | None) -> Pattern:
    """What fills a hole: of several things that were gathered, all that are joined, else the first."""
    several = given.items if isinstance(given, Items) and given.kind == "tuple" and given.items else (given,)
    if separator is None:
        return as_pattern(several[0])
    made = [as_pattern(v) for v in several]
    return Pattern(separator.join(p.text for p in made), separator.join(p.named for p in made))


def pieces(named: str) -> list[tuple[str, bool]]:
    """The parts of a named pattern: (text, False) and (hole's name, True)."""
    made: list[tuple[str, bool]] = []
    rest = named
    while rest:
        before, brace, after = rest.partition("{")
        if before:
            made.append((before, False))
        if not brace:
            break
        inside, _, rest = after.partition("}")
        made.append((inside, True))
    return made


def as_pattern(value: Value, name: str = "") -> Pattern:
    """Any value as a text pattern; what is not text is a hole with the given name."""
    match value:
        case Literal(value=bool() | None):
            return Pattern("{}", "{" + name + "}")
        case Literal(value=v):
            text = str(v).replace("{", "(").replace("}", ")")
            return Pattern(text, text)
        case Pattern():
            return value
        case Parameter():
            return hole(value)
        case Environment(name=env):
            return Pattern("{}", "{" + env.replace("{", "").replace("}", "") + "}")
        case Unknown(name=written) if written and not name:
            return Pattern("{}", "{" + written.replace("{", "").replace("}", "") + "}")
        case _:
            return Pattern("{}", "{" + name.replace("{", "").replace("}", "") + "}")


def shown(named: str) -> str:
    """A named pattern for people: parameter holes lose their symbol."""
    made = ""
    for piece, is_hole in pieces(named):
        if not is_hole:
            made += piece
            continue
        made += "{" + (piece.strip("\x00").split("\x01")[1] if piece.startswith("\x00") and "\x01" in piece else piece) + "}"
    return made
