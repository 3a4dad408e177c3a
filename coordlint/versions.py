"""Which versions of a library a project asks for, as far as its dependency lists say."""

from __future__ import annotations

import re

from coordlint.source import Place
from coordlint.system import System

_BOUND = re.compile(r"(==|~=|<=|>=|<|>|\^|~)\s{0,9}(\d{1,9})(?:\.(\d{1,9}))?")


def required_below(system: System, package: str, version: tuple[int, int]) -> Place | None:
    """Where a version below this one is asked for; None where nobody says so, or somebody else asks for a later one."""
    said: list[Place] = []
    for r in system.requirements():
        if r.name != package:
            continue
        bounds = [(sign, (int(major), int(minor or 0))) for sign, major, minor in _BOUND.findall(r.specifier)]
        if any(sign not in ("<", "<=") and bound >= version for sign, bound in bounds):
            return None
        if any((sign in ("==", "~=", "^", "~", "<=") and bound < version) or (sign == "<" and bound <= version) for sign, bound in bounds):
            said.append(r.place)
    return min(said, default=None)
