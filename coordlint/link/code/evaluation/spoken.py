"""Values in words, for people who ask what the engine believes."""

from __future__ import annotations

from coordlint.link.code.evaluation.values import (
    Called,
    ClassRef,
    Environment,
    External,
    FunctionRef,
    Instance,
    Items,
    Literal,
    Manager,
    Method,
    ModuleRef,
    Object,
    Parameter,
    Partial,
    Pattern,
    Result,
    Super,
    Table,
    Value,
    shown,
)


def spoken(value: Value) -> str:
    """One value in a few words; empty when nothing is known."""
    match value:
        case Literal(value=v):
            return repr(v)
        case Pattern(named=named):
            return f'text "{shown(named)}"'
        case External(name=name):
            return name.removeprefix("builtins.")
        case ModuleRef(name=name):
            return f"module {name}"
        case ClassRef(symbol=symbol):
            return f"class {symbol}"
        case FunctionRef(symbol=symbol):
            return f"function {symbol}"
        case Instance(type=name, place=place, via=via):
            through = f" through {', '.join(via)}" if via else ""
            return f"{name}{f', made at {place}' if place else ''}{through}"
        case Object(symbol=symbol, loaded=loaded):
            return f"an object of {symbol}{', read from a store' if loaded else ''}"
        case Method(name=name):
            return f"method {name}"
        case Parameter(name=name, symbol=symbol):
            return f"parameter {name} of {symbol}"
        case Environment(name=name, default=default):
            told = spoken(default) if default is not None else ""
            return f"setting {name}{f', {told} unless set' if told else ''}"
        case Manager(symbol=symbol):
            return f"context manager {symbol}"
        case Items(kind=kind, items=items):
            return f"several values ({kind})" if kind == "many" else f"{kind} of {len(items)}"
        case Table(entries=entries):
            return f"dict with {len(entries)} entries"
        case Result(model=model):
            return f"result of {model.name}"
        case Partial(target=target):
            return f"partial of {spoken(target)}"
        case Called(target=target):
            return f"what {spoken(target)} gives"
        case Super(symbol=symbol):
            return f"the parent of {symbol}"
        case _:
            return ""
