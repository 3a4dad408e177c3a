"""What a library call does with these arguments: its operation, its key, its times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from coordlint.coordination import UNKNOWN_TIME, Argument, Time
from coordlint.link.code.calls.refusals import refusal
from coordlint.link.code.calls.rest import Rest, requested
from coordlint.link.code.calls.scripts import FOREVER, SHAPES, lua_shape, setting_line
from coordlint.link.code.evaluation.arguments import expanded
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    Environment,
    External,
    Instance,
    Items,
    Literal,
    Parameter,
    Pattern,
    Table,
    Value,
    as_pattern,
    options,
    shown,
)
from coordlint.models.schema import CallModel, Duration, Late, OnBusy, Op, Scope
from coordlint.models.sql import SqlMeaning, classify_sql
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator


class Meaning(msgspec.Struct, frozen=True):
    """A call, understood."""

    model: CallModel
    op: Op
    late: Late
    args: tuple[Arg, ...]
    on_busy: OnBusy | None = None
    scope: Scope | None = None
    sql: SqlMeaning | None = None
    rest: Rest | None = None  # a request to a coordinator's REST interface
    lua: str = ""  # what a script does: "compare-and-delete", "compare-and-expire", "acquire", ...
    refusal: str = ""  # what a script answers where it refuses to change anything
    lua_sets: Place | None = None  # the line of its text that writes the key, where that can be told

    def arg(self, name: str) -> Arg | None:
        """An argument by its parameter name."""
        return next((a for a in self.args if a.name == name), None)


def understand(ev: Evaluator, model: CallModel, args: tuple[Arg, ...], owner: Value | None) -> Meaning:
    """The meaning of a call, with argument-dependent operations, raw commands, scripts and SQL looked into."""
    args = expanded(args)
    if model.op is Op.RAW_COMMAND and isinstance(owner, Instance):
        raw = _raw_command(ev, owner, args)
        if raw is not None:
            return raw
    made = Meaning(model, model.op, model.late or Late.UNKNOWN, args)
    for when in model.when:
        given = made.arg(when.param)
        if given is not None and _holds(ev, given.value, when.is_):
            made = replace(
                made,
                op=when.op or made.op,
                late=when.late or made.late,
                on_busy=when.on_busy or made.on_busy,
                scope=when.scope or made.scope,
            )
    if made.model.effect == "http":
        return requested(ev, made, owner)
    if made.op is Op.SQL:
        return _sql(ev, made)
    if made.op is Op.SCRIPT:
        return _script(ev, made, owner)
    return made


def _holds(ev: Evaluator, value: Value, wanted: object) -> bool:
    """Whether an argument has the value that changes a call; what is not known does not."""
    known = ev.settle(value)
    if wanted == "given":
        return not (isinstance(known, Literal) and known.value is None)
    for option in options(known):
        if isinstance(option, Literal):
            return bool(option.value) if wanted == "truthy" else option.value == wanted
        if (isinstance(option, External) and option.name == wanted) or (isinstance(option, Instance) and option.type == wanted):
            return True
        if wanted == "truthy" and isinstance(option, Items | Instance | Pattern):
            return True
    return False


# -- raw protocols -------------------------------------------------------------------------------------------------

_SET_FLAGS = {"NX": "nx", "XX": "xx", "KEEPTTL": "keepttl", "GET": "get"}
_SET_TIMES = {"EX": "ex", "PX": "px", "EXAT": "exat", "PXAT": "pxat"}


def _raw_command(ev: Evaluator, owner: Instance, args: tuple[Arg, ...]) -> Meaning | None:
    """`execute_command("SET", k, v, "NX", "EX", 5)` as the method call that it is."""
    given: list[Arg] = []
    for arg in args:
        given += [Arg("", v, arg.place) for v in arg.value.items] if isinstance(arg.value, Items) else [arg]
    words = [str(a.value.value).upper() if isinstance(a.value, Literal) else "" for a in given]
    if not words or not words[0]:
        return None
    name = {"DEL": "delete", "EXISTS": "exists"}.get(words[0], words[0].lower())
    model = ev.models.method(owner.type, name)
    if model is None or model.op is Op.RAW_COMMAND:
        return None
    made: list[Arg] = []
    rest = list(zip(given[1:], words[1:], strict=True))
    position = 0
    while rest:
        arg, word = rest.pop(0)
        if name == "set" and position >= 2 and word in _SET_FLAGS:
            made.append(Arg(_SET_FLAGS[word], Literal(True), arg.place))
        elif name == "set" and position >= 2 and word in _SET_TIMES and rest:
            made.append(replace(rest.pop(0)[0], name=_SET_TIMES[word]))
        else:
            made.append(replace(arg, name=model.params[position] if position < len(model.params) else str(position)))
            position += 1
    return understand(ev, model, tuple(made), owner)


def _script(ev: Evaluator, made: Meaning, owner: Value | None) -> Meaning:
    """A Lua script is one atomic step; some shapes are the well-known ones."""
    holders = [owner, *[o for a in made.args for o in options(ev.settle(a.value))]]  # a prepared script, or the digest of a loaded one
    texts = [a.value for a in made.args] + [a.value for h in holders if isinstance(h, Instance) for a in h.arguments]
    for value in texts:
        for option in options(ev.settle(value)):
            if isinstance(option, Literal | Pattern):
                body = option.value if isinstance(option, Literal) else option.named
                lua = lua_shape(body) if isinstance(body, str) else ""
                if lua and not made.model.name.endswith(("register_script", "script_load")):  # which run nothing yet
                    place = setting_line(option.value, option.place) if isinstance(option, Literal) and isinstance(option.value, str) else None
                    return replace(made, op=SHAPES.get(lua, Op.SCRIPT), lua=lua, lua_sets=place, late=Late.CONDITIONAL, refusal=refusal(body) if isinstance(body, str) else "")
    return replace(made, late=Late.UNKNOWN)


def sql_text(ev: Evaluator, value: Value) -> str:
    """The text of a statement: a literal, a pattern, `text("...")`, or "" when it is not known."""
    for option in options(ev.settle(value)):
        match option:
            case Literal(value=str(text)):
                return text
            case Pattern(named=named):
                return shown(named)
            case Instance(arguments=args) if args:
                return sql_text(ev, args[0].value)
            case _:
                pass
    return ""


_OF_ROWS = ("select", "insert", "update", "delete")


def _is_anything(ev: Evaluator, value: Value) -> bool:
    """Whether callers pass statements about several tables: what is done is then said where they call."""
    while isinstance(value, Instance) and value.arguments:
        value = value.arguments[0].value
    if not isinstance(value, Parameter):
        return False
    several = {(sql.kind, sql.table) for option in options(ev.settle(value)) if (text := sql_text(ev, option)) for sql in (classify_sql(text),)}
    return len({table for _, table in several}) > 1 and all(kind in _OF_ROWS for kind, _ in several)


_SQL_OPS = {
    "advisory-lock": Op.ACQUIRE, "try-advisory-lock": Op.ACQUIRE, "advisory-xact-lock": Op.ACQUIRE, "get-lock": Op.ACQUIRE,
    "try-advisory-xact-lock": Op.ACQUIRE, "advisory-unlock": Op.RELEASE, "release-lock": Op.RELEASE, "row-lock": Op.ROW_LOCK,
    "table-lock": Op.ROW_LOCK, "select": Op.DB_READ, "insert": Op.EFFECT, "update": Op.EFFECT, "delete": Op.EFFECT,
    "listen": Op.SUBSCRIBE, "notify": Op.PUBLISH,
}  # fmt: skip


def _sql(ev: Evaluator, made: Meaning) -> Meaning:
    text, given = next(((t, a.value) for a in made.args for t in (sql_text(ev, a.value),) if t), ("", None))
    if not text or (given is not None and _is_anything(ev, given)):
        return made
    sql = classify_sql(text)
    op = _SQL_OPS.get(sql.kind, Op.SQL)
    return replace(made, op=op, sql=sql, late=sql.late or made.late)


# -- times ---------------------------------------------------------------------------------------------------------


def time_of(ev: Evaluator, given: Arg | None, duration: Duration, model: CallModel, at: Place) -> Time:
    """A duration argument in seconds, with where it was decided; a missing one is the library's default."""
    if given is None:
        if duration.param in model.defaults:
            return _time(model.defaults[duration.param], duration, at, f"the default of {duration.param}")
        return UNKNOWN_TIME
    value = given.value
    if isinstance(value, Parameter):
        default = ev.default_of(value)
        passed = ev.settle(value)
        if isinstance(passed, Literal) and isinstance(default, Literal) and passed.value == default.value:
            return _literal(default, duration, given, f"{value.name} defaults to")
        return Time("unknown", place=given.place, told=f"not known: from the parameter {value.name}")
    known = [v for v in options(value) if isinstance(v, Literal)]
    if len(known) == 1 and len(options(value)) == 1:
        return _literal(known[0], duration, given, "")
    if isinstance(value, Environment):
        if isinstance(value.default, Literal) and value.default.value is not None:
            made = _literal(value.default, duration, given, "")
            return Time("unknown", made.seconds, made.place, f"{made.told} unless {value.name} is set", made.raw, made.unit)
        return Time("unknown", place=given.place, told=f"not known: from {value.name}")
    return Time("unknown", place=given.place, told="not known")


def _literal(value: Literal, duration: Duration, given: Arg, words: str) -> Time:
    if value.value is not None and not isinstance(value.value, int | float):
        return Time("unknown", place=given.place, told="not known")
    return _time(value.value, duration, value.place or given.place, words, value.unit)


def _time(number: object, duration: Duration, place: Place | None, words: str, unit: str = "") -> Time:
    """What None and numbers like 0 and -1 mean differs by library: its model says so."""
    unit = unit or duration.unit
    number = duration.none if number is None else number
    if number is None or (number in duration.forever and not isinstance(number, bool)):
        shown_number = "None" if number is None else f"{number:g}" if isinstance(number, int | float) else str(number)
        told = f"never ({words} is {shown_number})" if words.startswith("the default") else f"never ({words} {shown_number})" if words else f"never ({shown_number})"
        return Time("never", None, place, told, float(number) if isinstance(number, int | float) else None, unit)
    if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
        return UNKNOWN_TIME
    scale = {"s": 1.0, "ms": 0.001, "timedelta": 1.0, "us": 1e-6, "min": 60.0}.get(unit)
    if scale is None:
        return Time("unknown", place=place, told="a point in time", raw=float(number), unit=unit)
    seconds = number * scale
    told = f"{seconds:g} s" + (f" ({words})" if words and words.startswith("the default") else "")
    return Time("seconds", seconds, place, told, float(number), unit)


_OTHER_WAYS = ("**", "*", "expire", "expires", "expiry", "ttl", "lease", "lease_time")


def lifetime(ev: Evaluator, made: Meaning, at: Place) -> Time | None:
    """The time to live that a call gives, None when the call has no such thing."""
    if made.lua == "acquire":
        return Time("unknown", None, at, "as its script says")
    if made.lua == FOREVER:
        return Time("never", None, made.lua_sets or at, "never (its script gives the key no lifetime)")
    if made.rest is not None:
        return time_of(ev, made.rest.ttl, Duration("ttl"), made.model, at) if made.rest.ttl is not None else None
    ways = ((made.model.ttl,) if made.model.ttl else ()) + made.model.ttls
    if not ways:
        return None
    for way in ways:
        given = made.arg(way.param)
        if given is not None and not (isinstance(given.value, Literal) and given.value.value is None):
            return time_of(ev, given, way, made.model, at)
    given = next((a for way in ways for a in (made.arg(way.param),) if a is not None), None)
    elsewhere = next((a for a in made.args if a.name in _OTHER_WAYS and a is not given), None)
    if elsewhere is not None:  # **options, or a keyword of another library's twin of this call
        return Time("unknown", place=elsewhere.place, told="not known")
    return time_of(ev, given, ways[0], made.model, at)


# -- keys and arguments --------------------------------------------------------------------------------------------


def key_of(ev: Evaluator, made: Meaning) -> Pattern | None:
    """The resource that a call names, as a pattern."""
    if made.rest is not None:
        return made.rest.key
    if made.sql is not None and made.sql.kind.removeprefix("try-").startswith(("advisory", "get-lock", "release-lock")):
        return _advisory_id(ev, made)
    if made.sql is not None and made.sql.kind in ("listen", "notify"):
        return _channel(made.sql)
    if made.sql is not None:
        return Pattern(made.sql.table, made.sql.table) if made.sql.table else None
    given = made.arg(made.model.key) if made.model.key else None
    if given is None and made.model.variadic and made.model.variadic == made.model.key:
        given = made.arg("*")
    if made.lua:
        given = next((a for a in made.args if a.name in ("keys", "keys_and_args")), None) or _first_key(made) or given
    if given is None:
        return None
    for option in options(given.value):
        if isinstance(option, Items) and option.items:
            option = option.items[0]
        if isinstance(option, Literal) and isinstance(option.value, str | int):
            return as_pattern(option)
        if isinstance(option, Pattern | Parameter):
            return as_pattern(option)
        if isinstance(option, Environment):
            inner = option.default
            return as_pattern(inner) if isinstance(inner, Literal | Pattern) else as_pattern(option)
    return None


def _channel(sql: SqlMeaning) -> Pattern | None:
    """The channel of LISTEN or NOTIFY, where the statement says it."""
    name = sql.key.strip("'")
    return Pattern(name, name) if name and name.replace("_", "a").isalnum() else None


def _first_key(made: Meaning) -> Arg | None:
    """`eval(script, 1, key, ...)`: the keys stand behind their number."""
    if made.model.params[1:2] != ("numkeys",):
        return None
    return made.arg(str(len(made.model.params)))


_ADVISORY = re.compile(r"(?:advisory\w{0,40}lock\w{0,40}|get_lock|release_lock)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"%s|%\(\w+\)s|\$\d+|:\w+|\?")


def _advisory_id(ev: Evaluator, made: Meaning) -> Pattern | None:
    """The id of an advisory lock: in the text of the statement, its placeholders filled from the argument behind it."""
    text, rest = "", []
    for position, arg in enumerate(made.args):
        text = sql_text(ev, arg.value)
        if text:
            rest = list(made.args[position + 1 :])
            break
    found = _ADVISORY.search(text)
    if found is None:
        return None
    inside = found[1].partition(",")[0] if "get_lock" in found[0].lower() else found[1]  # MySQL's second argument is a time to wait
    given: list[Value] = []
    for value in (option for arg in rest[:1] for option in options(arg.value)):
        given += value.items if isinstance(value, Items) else [v for _, v in value.entries] if isinstance(value, Table) else []
    shown_text = named = ""
    at = 0
    for hole in _PLACEHOLDER.finditer(inside):
        before = inside[at : hole.start()]
        filled = as_pattern(given.pop(0) if given else UNKNOWN)
        shown_text, named, at = shown_text + before + filled.text, named + before + filled.named, hole.end()
    tail = inside[at:]
    return Pattern((shown_text + tail).strip(" '"), (named + tail).strip(" '"))


def argument(arg: Arg, mentions: tuple[str, ...], text: str) -> Argument:
    """An argument as rules see it."""
    value = arg.value
    literal = isinstance(value, Literal)
    constant = value.value if isinstance(value, Literal) else None
    if isinstance(value, Pattern):
        text = shown(value.named)
    return Argument(arg.name, constant, literal, text, arg.place, mentions)


__all__ = ["UNKNOWN", "Meaning", "argument", "key_of", "lifetime", "sql_text", "time_of", "understand"]
