"""What goes to stdout, to stderr and to files; a stream that is closed, full or gone is no traceback."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coordlint.exits import Exit

if TYPE_CHECKING:
    from coordlint.report.style import Style


def say(text: str) -> None:
    """To stdout. A reader that went away is no error of ours: the exit code still tells the result."""
    if sys.stdout is None:  # closed before we began
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk: what was said is not to be had
        tell(f"the output cannot be written: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(Exit.BROKEN) from None


def say_bytes(data: bytes) -> None:
    """To stdout, unchanged."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        return say(data.decode("utf-8", "replace"))
    try:
        buffer.write(data)
        buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: str) -> None:
    """To stderr, one line, under our name."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"coordlint: {_obeyed_by_none(text)}\n")
        sys.stderr.flush()


def refuse(error: click.ClickException) -> None:
    """A wrong use to stderr, in click's words."""
    words = io.StringIO()
    error.show(words)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(_obeyed_by_none(words.getvalue()))


def _obeyed_by_none(text: str) -> str:
    """A message with what it quotes of a repository or of the command line made visible; its lines stay lines."""
    if all(line.isprintable() for line in text.split("\n")):
        return text
    from coordlint.report.visible import visible

    return "\n".join(visible(line) for line in text.split("\n"))


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def style_of(stream: Any) -> Style:
    from coordlint.report.style import style_for

    terminal = bool(getattr(stream, "isatty", lambda: False)())
    return style_for(terminal, getattr(stream, "encoding", "") or "", os.environ)


def write(path: Path, text: str) -> None:
    """To a file that a user named."""
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise click.UsageError(f"{path}: cannot be written: {error.strerror}") from None
