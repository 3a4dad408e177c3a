"""The command as a process of its own: what it says, how it ends, and what it takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coordlint

SECONDS = 120  # after which a run counts as one that hangs


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    peak: int  # bytes of memory that the process itself took

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.out)  # type: ignore[no-any-return]

    @property
    def skipped(self) -> dict[str, tuple[int, str]]:
        """Path to line and reason: the first of each file."""
        found: dict[str, tuple[int, str]] = {}
        for skip in self.report["coverage"]["skipped"]:
            found.setdefault(skip["path"], (skip["line"], skip["reason"]))
        return found

    def codes(self, path: str) -> set[str]:
        return {f["code"] for f in self.report["findings"] if f["path"] == path}


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """Begins a run in a group of its own, so that a signal to the group is what Ctrl-C on a terminal is."""
    ours = str(Path(coordlint.__file__).parents[1])
    base = {"PYTHONPATH": ours} | {k: v for k, v in os.environ.items() if k not in ("PRE_COMMIT", "FORCE_COLOR", "GITHUB_STEP_SUMMARY")}
    return subprocess.Popen(
        [sys.executable, "-m", "coordlint", *arguments], cwd=folder, env={**base, **environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def ended(process: subprocess.Popen[bytes]) -> Ran:
    """How a run ended; one that takes too long is killed and fails the test."""
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    texts: dict[str, bytes] = {}
    readers = [
        threading.Thread(target=lambda n=name, p=pipe: texts.update({n: p.read()}))  # type: ignore[misc]
        for name, pipe in (("out", process.stdout), ("err", process.stderr))
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    out, err = (texts[name].decode("utf-8", "surrogateescape") for name in ("out", "err"))
    assert process.returncode != -9, f"killed after {SECONDS} s: {err[-500:]}"
    assert "Traceback" not in out + err, err
    assert "internal error" not in err, err
    return Ran(process.returncode, out, err, usage.ru_maxrss * 1024)


def run(folder: Path, *arguments: str, **environment: str) -> Ran:
    return ended(start(folder, *arguments, **environment))


def check(folder: Path, *arguments: str, **environment: str) -> Ran:
    return run(folder, "check", "--format", "json", *arguments, **environment)
