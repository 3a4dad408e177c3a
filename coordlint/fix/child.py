"""The child process that reads Python with libcst: a batch of requests in, answers out; it ends when it has answered.

Started by `asking` and imported by nobody. The system ends it when it takes too much time or memory, whatever becomes of
its parent.
"""

from __future__ import annotations

import gc
import importlib
import signal
import sys
import warnings

import libcst as cst
import msgspec

from coordlint.fix.known import fixable
from coordlint.fix.requests import Answer, Batch, CannotFix, Request
from coordlint.fix.trees import Tree

MEMORY = 2 << 30  # bytes of address space
DEEPEST = 20_000  # Python frames; libcst writes code recursively


def answered(batch: Batch) -> list[Answer]:
    """The answer to each request; files are parsed once."""
    trees: dict[str, Tree | str] = {}
    return [_answer(request, batch.texts, trees) for request in batch.requests]


def _answer(request: Request, texts: dict[str, str], trees: dict[str, Tree | str]) -> Answer:
    """From the first file that the cure fits; else why it did not fit the first."""
    cure = fixable(request.code)
    assert cure is not None
    room = importlib.import_module(f"coordlint.fix.{cure.room}")
    reason = ""
    for path in dict.fromkeys(p.path for p in request.places if p.path in texts):
        if path not in trees:
            trees[path] = _tree(texts[path], path)
        tree = trees[path]
        if isinstance(tree, str):
            reason = reason or tree
            continue
        try:
            return Answer(request.number, path, room.cure(tree, [p.span for p in request.places if p.path == path], request))
        except CannotFix as error:
            reason = reason or str(error)
        except Exception as error:  # whatever libcst raises is about this one file
            reason = reason or f"{type(error).__name__} while the file was rewritten"
    return Answer(request.number, reason=reason)


def _tree(text: str, path: str) -> Tree | str:
    try:
        return Tree(text, path)
    except cst.ParserSyntaxError:
        return "libcst cannot parse the file"
    except Exception as error:
        return f"{type(error).__name__} while the file was parsed"


def _limited(seconds: int) -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(seconds)  # nobody catches it: also ends a process that hangs in compiled code
    sys.setrecursionlimit(DEEPEST)
    gc.disable()
    warnings.simplefilter("ignore")


def main() -> None:
    """Answers one batch."""
    _limited(int(sys.argv[2]))
    batch = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Batch)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answered(batch)))
