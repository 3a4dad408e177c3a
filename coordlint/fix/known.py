"""Which rules have a mechanical cure, what it does, and whether it is safe. Light: rooms are imported when used."""

from __future__ import annotations

import msgspec

LIFETIME = 300  # seconds; a guess errs on the long side: too short a lease breaks the lock, too long a one delays a restart


class Cure(msgspec.Struct, frozen=True):
    """One kind of change.

    Safe: the program does what it did, apart from the bug. Unsafe: it does something else than before (waits less, stops,
    takes another name), which is what most people want and what somebody has to read.
    """

    code: str
    room: str  # the module of this package that makes it
    safe: bool
    does: str
    manifest: bool = False
    reveals: tuple[str, ...] = ()  # rules that may see more afterwards: only then is it a lock that they can judge


CURES = (
    Cure("CL103", "lock_lifetime", False, f"give the lock a lifetime (`--lifetime`, {LIFETIME} s unless said)"),
    Cure(
        "CL105", "one_command", True, "take the key in one command, with its lifetime: `set(..., nx=True, ex=...)`",
        reveals=("CL101", "CL102", "CL104", "CL108", "CL109", "CL118"),
    ),
    Cure("CL106", "tested_result", False, "stop where the lock was not obtained"),
    Cure("CL108", "released_on_error", True, "release the lock in `finally`, or by `with` where it is a lock of threads"),
    Cure("CL116", "named_argument", True, "name the argument that was meant, or the lock before the `with`"),
    Cure("CL121", "stable_name", False, "replace `hash()` by `zlib.crc32()`, which is the same in every process"),
    Cure("CL402", "end_of_reign", False, "end the process when the leadership is lost: `onstopped_leading`"),
    Cure("CL407", "recreate", False, "stop the old pod before the new one starts: `strategy: {type: Recreate}`", manifest=True),
    Cure("CL408", "no_overlap", False, "let no run start while the last one is busy: `concurrencyPolicy: Forbid`", manifest=True),
    Cure("CL702", "odd_members", False, "add one member, so that the number is odd: `replicas`", manifest=True),
)
_BY_CODE = {cure.code: cure for cure in CURES}


def sentence(code: str) -> str:
    """What the cure of a rule does, for its page; empty where it has none."""
    cure = fixable(code)
    if cure is None:
        return ""
    how = "safe: nothing else changes" if cure.safe else "unsafe, only with `--unsafe`: it changes what the program does, so read it"
    return f"`coordlint fix` can {cure.does} ({how})."


def fixable(code: str) -> Cure | None:
    """The cure of a rule, if it has a mechanical one."""
    return _BY_CODE.get(code)
