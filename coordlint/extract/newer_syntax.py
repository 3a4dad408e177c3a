"""Python newer than the interpreter that runs coordlint: a child process rewrites it to an older form, line by line.

Only a file that the parser refused is looked at, and only when the refused line shows newer syntax. libcst can
crash or hang on what it reads, so it never runs in this process: the child has limits of time and memory, and is
replaced when it breaks. One child serves all files of a process.
"""

from __future__ import annotations

import ast
import atexit
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import IO

from coordlint.extract.expressions import JOINED

PROGRAM = Path(__file__).with_name("older_form.py")
SECONDS = 5  # for one file
IDLE = 30.0  # seconds after which a child is not asked again: it may be about to end
PATIENCE = 60.0  # seconds that files which broke a child may cost together in one process
MOST_LINES = 50  # of a refused range that are looked at
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
TOO_NEW = f"syntax newer than Python {VERSION}"

_SIGNS = re.compile(
    r"""^\s*type\s+\w+\s*[\[=\\]            # type X = Y
    | ^\s*(?:async\s+)?def\s+\w+\s*\[       # def f[T]()
    | ^\s*class\s+\w+\s*\[                  # class A[T]:
    | ^\s*lazy\s+(?:import|from)\s          # lazy import
    | ^\s*except\b\*?.*,\s*(?:[A-Z]\w*|\w+(?:\.\w+)+)\s*:  # except A, B: (Python 2 names a variable there)
    | (?<![^\W_])(?:[fFtT][rR]?|[rR][fFtT])["']            # f"{a["b"]}", t"{a}"
    """,
    re.VERBOSE,
)


class NotRead(Exception):
    """Why a file of newer syntax could not be read; an empty reason: it is no Python of any version."""


def is_newer(text: str, error: SyntaxError) -> bool:
    """Whether what the parser refused looks like Python of a later version than this one's."""
    if error.msg.startswith("f-string"):
        return True
    first, last = error.lineno or 1, error.end_lineno or 0
    refused = text.split("\n")[first - 1 : min(max(first, last), first + MOST_LINES)]
    return any(_SIGNS.search(line) for line in [error.text or "", *refused])


def read_newer(text: str) -> ast.Module:
    """The tree of a text in newer syntax, each statement on its line. Raises NotRead."""
    older = _CHILD.ask(text)
    if older.count("\n") != text.count("\n"):
        raise NotRead(f"{TOO_NEW}; it could not be rewritten line by line")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(older)
    except (RecursionError, MemoryError):
        raise NotRead("nested too deeply for the Python parser") from None
    except (SyntaxError, ValueError):
        raise NotRead(f"{TOO_NEW}: run coordlint on a newer Python") from None


class _Child:
    """The process that rewrites; started when first asked, replaced after it broke."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.used = 0.0
        self.lost = 0.0
        self.started = 0

    def ask(self, text: str) -> str:
        """The older text. Raises NotRead."""
        if self.lost > PATIENCE:
            raise NotRead(f"{TOO_NEW}; not tried, because other such files took too long")
        request = text.encode("utf-8", "surrogatepass")
        begun = time.monotonic()
        process = self._ready()
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            sign, answer = _exchange(process, request)
        except BaseException as error:
            self.close()
            if not isinstance(error, OSError | EOFError):
                raise
            spent = time.monotonic() - begun
            self.lost += spent
            how = f"took longer than {SECONDS} s" if spent >= SECONDS else "crashed"
            raise NotRead(f"{TOO_NEW}; rewriting it {how}") from None
        finally:
            timer.cancel()
        self.used = time.monotonic()
        told = answer.decode("utf-8", "surrogatepass")
        if sign == b"+":
            return told
        raise NotRead(f"{TOO_NEW}; {told}" if told else "")

    def _ready(self) -> subprocess.Popen[bytes]:
        if self.process is not None and time.monotonic() - self.used > IDLE:
            self.close()
        if self.process is None:
            self.process = _start()
            if not self.started:
                atexit.register(self.close)
                if hasattr(os, "register_at_fork"):
                    os.register_at_fork(after_in_child=self.forget)
            self.started += 1
        return self.process

    def close(self) -> None:
        """Ends the child, whatever it does."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            _close_pipes(process)

    def forget(self) -> None:
        """In a forked process: the child is the parent's."""
        process, self.process = self.process, None
        if process is not None:
            process.returncode = 0  # not ours to wait for
            _close_pipes(process)


def _start() -> subprocess.Popen[bytes]:
    """-P and a path: nothing is ever imported from the folder that is being analysed."""
    command = [sys.executable, "-P", str(PROGRAM), JOINED, str(SECONDS * 2)]
    try:
        return subprocess.Popen(
            command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        raise NotRead(f"{TOO_NEW}; no process could be started to rewrite it") from None


def _exchange(process: subprocess.Popen[bytes], request: bytes) -> tuple[bytes, bytes]:
    """Sends one text, and waits for sign and answer. Raises OSError or EOFError when the child died."""
    assert process.stdin is not None and process.stdout is not None
    message = memoryview(len(request).to_bytes(4, "big") + request)
    while message:
        message = message[process.stdin.write(message) :]
    head = _exactly(process.stdout, 5)
    return head[:1], _exactly(process.stdout, int.from_bytes(head[1:], "big"))


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    parts = []
    while size:
        part = pipe.read(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


_CHILD = _Child()
