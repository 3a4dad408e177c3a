"""What a call of a store is made on, and where in the project it stands."""

from __future__ import annotations

import re

from coordlint.coordination import Operation
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import fixed, words

Resource = tuple[str, ...]
Site = tuple[Place, str]


def site(o: Operation) -> Site:
    return o.place, o.call


def resource(o: Operation) -> Resource:
    """Equal for calls on the same resource: by the words of a key, or by what holds it in one class or function."""
    if not is_plumbing(o) and not is_text_of_script(o):
        if o.key is not None and words(fixed(o.key)):
            return ("key", o.backend, _alike(o.key))
        if len(o.meant) == 1:
            return ("key", o.backend, _alike(re.sub(r"\{[^{}]*\}", "{}", o.meant[0])))
        held = _held(o)
        if held:
            return ("held", o.backend, abstraction(o) if held.startswith("self.") else o.symbol, held)
        if "{" in o.key_text.removeprefix("{}"):
            return ("made", o.backend, o.symbol, o.key_text)
    return ("", str(o.place), o.call)


def _alike(key: str) -> str:
    return re.sub(r"(\{\}|\*)(\W?(\{\}|\*))*", "*", key)


def is_held(o: Operation) -> bool:
    """Whether an attribute of its object holds a call's key."""
    return _held(o).startswith("self.")


def _held(o: Operation) -> str:
    """The attribute or the variable that holds a key: "self.key"."""
    given = o.arguments[0] if o.arguments else None
    whole = [m for m in given.mentions if m != "self"] if given is not None else []
    if given is None or len(whole) != 1 or whole[0].count(".") > 1:
        return ""
    shown = (whole[0], f"{{{whole[0].removeprefix('self.')}}}", f"{{{whole[0]}}}")
    return whole[0] if given.text in shown or (whole[0].isidentifier() and given.text == "{}") else ""


def key_names(o: Operation) -> tuple[str, ...]:
    """What the names are called that make up a key: the last part of each."""
    given = o.arguments[0].mentions if o.arguments and o.arguments[0].name not in ("mapping", "value", "cursor") else ()
    whole = [m for m in given if not any(other.startswith(f"{m}.") for other in given)]
    return tuple(m.rpartition(".")[2] for m in whole)


def says_something(o: Operation) -> bool:
    """Whether a key has words of its own, for many things of a kind."""
    return bool(o.fillers and words(fixed(o.key_text)) and not is_text_of_script(o))


def is_text_of_script(o: Operation) -> bool:
    return o.op is Op.SCRIPT and "redis.call" in o.key_text


def is_plumbing(o: Operation) -> bool:
    """A pipeline, or its MULTI: it does nothing itself."""
    return o.call.rpartition(".")[2] in ("pipeline", "multi") and o.op in (Op.TRANSACTION, Op.TRANSACTION_STEP)


def named(o: Operation) -> str:
    return ".".join(o.symbol.split(".")[-2:])


def function_name(o: Operation) -> str:
    return o.symbol.removeprefix(_module_symbol(o)).rpartition(".")[2]


def class_name(o: Operation) -> str:
    """The class of a method, by the custom that classes are written with a capital."""
    inner = o.symbol.removeprefix(_module_symbol(o)).strip(".").split(".")[:-1]
    return next((part for part in reversed(inner) if part.lstrip("_")[:1].isupper()), "")


def module_name(o: Operation) -> str:
    name = o.place.path.rpartition("/")[2].removesuffix(".py")
    return o.place.path.rpartition("/")[0].rpartition("/")[2] if name == "__init__" else name


def _module_symbol(o: Operation) -> str:
    """The module as the symbol spells it."""
    parts = o.place.path.removesuffix(".py").removesuffix("/__init__").split("/")
    dotted = o.symbol.split(".")
    return next((".".join(dotted[: i + 1]) for i in range(len(dotted)) if dotted[i] == parts[-1]), "")


def abstraction(o: Operation) -> str:
    """The class, else the function, in which a call stands."""
    return o.symbol.rpartition(".")[0] if class_name(o) else o.symbol
