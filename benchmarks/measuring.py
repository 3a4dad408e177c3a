"""What one run of a command takes: wall time, CPU time and memory, of all its processes together."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE = 0.1  # seconds between two looks at memory; looking costs the kernel time


@dataclass(frozen=True)
class Taken:
    """Seconds of one run, its start included; `cpu` is user and system time of the process and all that it waited for."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Command:
    words: Sequence[str | Path]
    folder: Path
    environment: Mapping[str, str]
    ends: Collection[int] = (0,)  # exit codes of a run that did its work


class Failed(Exception):
    """A command ended as none should that did its work: what it measured means nothing."""


def timed(command: Command) -> Taken:
    """Runs a command to its end. Raises Failed."""
    with tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = _started(command, errors.fileno())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        _judge(command, process.returncode, errors)
    return Taken(wall, usage.ru_utime + usage.ru_stime)


def peak(command: Command) -> float | None:
    """MiB that the processes of a run took together at their largest, shared pages counted once (Linux); None elsewhere.

    At least what the largest of them took, for runs too short to be looked at. To look at memory costs time, therefore this is never the run that is timed. Raises Failed.
    """
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    most = 0
    with tempfile.TemporaryFile() as errors:
        process = _started(command, errors.fileno())
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            most = max(most, sum(map(_share, _family(process.pid))))
            time.sleep(SAMPLE)
        process.returncode = os.waitstatus_to_exitcode(status)
        _judge(command, process.returncode, errors)
    return max(most, usage.ru_maxrss) / 1024


def _started(command: Command, errors: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(word) for word in command.words], cwd=command.folder, env={**os.environ, **command.environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
    )  # fmt: skip


def _judge(command: Command, code: int, errors: tempfile._TemporaryFileWrapper[bytes]) -> None:
    if code not in command.ends:
        errors.seek(0)
        raise Failed(f"exit code {code} of {' '.join(map(str, command.words))}\n{errors.read()[-1000:].decode('utf-8', 'replace')}")


def _family(pid: int) -> Iterator[int]:
    """A process and all that it started, as far as they still run."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                yield from _family(int(child))
    except OSError:
        return


def _share(pid: int) -> int:
    """KiB of a process, pages shared with others in proportion."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in told.splitlines() if line.startswith("Pss:")), 0)
