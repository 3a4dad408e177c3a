"""Findings to edits: manifests here, Python in a child process that can be killed."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from coordlint.finding import Finding, Fix
from coordlint.fix.edits import between
from coordlint.fix.known import LIFETIME, Cure, fixable
from coordlint.fix.requests import Answer, Batch, CannotFix, Request
from coordlint.source import Place

SECONDS = 20  # for all files together; then for each alone
_PACKAGE = Path(__file__).resolve().parents[2]
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from coordlint.fix.child import main; main()"


def propose(findings: Sequence[Finding], texts: Mapping[str, str], lifetime: int = LIFETIME) -> list[Fix | str]:
    """For each finding its fix, or why there is none (empty: the rule has no mechanical cure). Paths as in the findings."""
    told: list[Fix | str] = [""] * len(findings)
    python: list[Request] = []
    for number, finding in enumerate(findings):
        cure = fixable(finding.code)
        if cure is None:
            continue
        request = Request(number, finding.code, _places(finding, texts), lifetime)
        if not cure.manifest:
            python.append(request)
        else:
            told[number] = _fix(cure, texts, _manifest(cure, request, texts))
    for answer in _python(python, texts):
        cure = fixable(findings[answer.number].code)
        assert cure is not None
        told[answer.number] = _fix(cure, texts, answer)
    return told


def _places(finding: Finding, texts: Mapping[str, str]) -> tuple[Place, ...]:
    return tuple(p for p in (finding.place, *(e.place for e in finding.because)) if p.path in texts)


def _fix(cure: Cure, texts: Mapping[str, str], answer: Answer) -> Fix | str:
    if not answer.path:
        return answer.reason or "the code has another shape than the cure is for"
    edits = between(answer.path, texts[answer.path], answer.text)
    return Fix(cure.does, cure.safe, edits) if edits else "there is nothing to change"


def _manifest(cure: Cure, request: Request, texts: Mapping[str, str]) -> Answer:
    room = importlib.import_module("coordlint.fix.manifests")
    try:
        path, text = getattr(room, cure.room)(request, texts)
    except CannotFix as error:
        return Answer(request.number, reason=str(error))
    return Answer(request.number, path, text)


def _python(requests: Sequence[Request], texts: Mapping[str, str]) -> Iterator[Answer]:
    """One child for all; where it breaks, one for each, so that one bad file costs only its own fixes."""
    if not requests:
        return
    try:
        yield from _asked(requests, texts)
        return
    except _Broken as error:
        if len(requests) == 1:
            yield Answer(requests[0].number, reason=str(error))
            return
    for request in requests:
        try:
            yield from _asked([request], texts)
        except _Broken as error:
            yield Answer(request.number, reason=str(error))


class _Broken(Exception):
    """The child crashed, or took too long."""


def _asked(requests: Sequence[Request], texts: Mapping[str, str]) -> list[Answer]:
    paths = {p.path for r in requests for p in r.places if p.path.endswith((".py", ".pyi", ".pyw"))}
    batch = Batch({path: texts[path] for path in sorted(paths)}, tuple(requests))
    command = [sys.executable, "-P", "-c", _PROGRAM, str(_PACKAGE), str(SECONDS * 2)]
    try:
        done = subprocess.run(
            command, input=msgspec.msgpack.encode(batch), capture_output=True, timeout=SECONDS, check=False, cwd="/"
        )
        if done.returncode:
            raise _Broken("reading the file crashed")
        answers = msgspec.msgpack.decode(done.stdout, type=list[Answer])
    except subprocess.TimeoutExpired:
        raise _Broken(f"reading the file took longer than {SECONDS} s") from None
    except (OSError, msgspec.MsgspecError, UnicodeError) as error:
        raise _Broken(f"no process could read the file: {error}") from None
    return sorted(answers, key=lambda a: a.number)
