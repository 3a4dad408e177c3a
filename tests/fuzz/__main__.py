"""Fuzzes every reader of foreign text: `python tests/fuzz --seconds 60`; a minute in CI, ten or more at night.

Texts are the fixtures and the corpus, cut, doubled, spliced and salted with the words that parsers trip over; whole programs are
composed and changed as trees (`programs.py`). A finding is shrunk and printed; put it into `corpus/TARGET-what.txt`, and it is tried first from then on.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning
from programs import joined, programs
from targets import TARGETS

from coordlint.examples import read_examples
from coordlint.rulebook import load_rules

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS_EACH = 20  # of the processor, for one text; longer is a hang
SMALLER = 60  # seconds to make what breaks smaller
EXAMPLES = 60  # of one target before the next has its turn

OVERLAID = [
    {
        "compose.yaml": "include: [other/compose.yaml]\nservices:\n  a:\n    extends: {service: b, file: base.yaml}\n    environment: {A: '${A:-1}'}\n",
        "compose.override.yaml": "services:\n  a:\n    environment: [A=2]\n    ports: !override ['6379:6379']\n    command: !reset null\n",
        "compose.prod.yaml": "services:\n  a: {deploy: {replicas: 3}, volumes: ['data:/data']}\nvolumes: {data: {}}\n",
        "base.yaml": "services:\n  b: {image: 'redis:${V}', env_file: .env, volumes: [{type: bind, source: ., target: /app}]}\n",
        "other/compose.yaml": "services:\n  c: {image: zookeeper, depends_on: [a]}\n",
        ".env": "A=3\nV=7\n",
    },
    {
        "docker-compose.yml": "x-a: &a {image: redis}\nservices:\n  a: {<<: *a}\n  b: {<<: [*a], extends: a}\n",
        "docker-compose.dev.yml": "services:\n  a: {ports: ['6379:6379'], environment: {X: }}\n",
    },
]
SALT = [
    "--- compose.yaml\n", "--- compose.override.yaml\n", "--- .env\n",
    "(", ")", "[", "]", "{", "}", "{{", "}}", "${", "$(", "$", "`", "'", '"', '"""', "\\", "\n", "\t", "\r", "\f", "\0", "\ufeff", " ", ":", ": ", "- ",
    "---\n", "&a ", "*a", "<<: *a", "!x ", "|\n", ">-\n", "? ", "#", "# coordlint: ignore[CL101] x", "# coordlint: ", "%", "@", ",", "=", "=>", "->",
    ":=", "f'", "async ", "await ", "lambda: ", "match x:\n case ", "type X = ", "except* ", "yield ", "*", "**", "<<EOF\n", "EOF\n", "&&", "||", ";", "|",
    "FROM a AS b\n", "ARG A=${A}\n", "ENV A $A\n", "extends: {service: a}\n", "include: [a.yaml]\n", "env_file: .env\n", "deploy: {replicas: '${N:-3}'}\n",
    "apiVersion: v1\n", "kind: List\nitems:\n", "1e999", "-1", "0x", "9" * 30, "null", "~", "true", "\ud800", '"\\ud800"', "é", "\u202e", "\x1b[31m", "true: false", "[[a]]\n",
    "[tool.coordlint]\n", "version", "library: x\n", "types:\n", "{{ include \"a\" . }}", "{{- range .Values.a }}", "{{ end }}", "redis.Redis().lock(", "with ",
]  # fmt: skip


def seeds(target: str) -> list[str]:
    """The texts to begin with: recorded ones of the target, and all small files of the fixtures."""
    recorded = sorted((HERE / "corpus").glob(f"{target}-*.txt"))
    files = [p for p in sorted((ROOT / "fixtures").rglob("*")) if p.is_file() and p.stat().st_size < 5_000]
    texts = [p.read_bytes().decode("utf-8", "replace") for p in (*recorded, *files)]
    if target == "models":
        texts += [p.read_text("utf-8")[:4_000] for p in sorted((ROOT / "coordlint" / "models").glob("*.yaml"))[:12]]
    if target in ("merge", "whole"):
        texts = [*texts[: len(recorded)], *repositories(merge=target == "merge")]
    return texts or [""]


def repositories(merge: bool) -> list[str]:
    """The systems of the rules' examples; for `merge` those with several compose files, and some that are laid over each other."""
    systems = [dict(files) for files in examples()]
    if merge:
        systems = [files for files in systems if sum("compose" in path for path in files) > 1] + OVERLAID
    return [joined(files) for files in systems]


@lru_cache(maxsize=1)
def examples() -> list[dict[str, str]]:
    """The systems of the rules' examples."""
    return [dict(e.files) for rule in load_rules() for e in read_examples(rule)]


def mutated(text: str, changes: list[tuple[int, int, int, str]], other: str) -> str:
    """A text after cuts, copies and insertions at places that wrap around its length."""
    for how, at, size, salt in changes:
        start = at % (len(text) + 1)
        end = min(start + size, len(text))
        if how == 0:
            text = text[:start] + text[end:]
        elif how == 1:
            text = text[:end] + text[start:end] * 3 + text[end:]
        elif how == 2:
            text = text[:start] + other[start : start + size] + text[start:]
        else:
            text = text[:start] + salt * (1 + how % 3) + text[start:]
        text = text[:20_000]
    return text


def texts(target: str) -> st.SearchStrategy[str]:
    """Mutated seeds, and text from nothing; programs are changed as trees."""
    if target == "programs":
        return programs(examples())
    known = seeds(target)
    change = st.tuples(st.integers(0, 6), st.integers(0, 5_000), st.integers(1, 200), st.sampled_from(SALT))
    changed = st.builds(mutated, st.sampled_from(known), st.lists(change, max_size=8), st.sampled_from(known))
    return changed | st.lists(st.sampled_from(SALT) | st.text(max_size=4), max_size=40).map("".join)


class Hang(BaseException):
    """One text took too long. What breaks in a rule is noted and the next one run; this ends the run."""


def watched(target: Callable[[str], None], text: str) -> None:
    """Runs a target; a hang becomes an exception."""

    def stop(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_EACH)
    try:
        target(text)
    except Hang:
        raise TimeoutError(f"more than {SECONDS_EACH} seconds") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def fuzz(name: str, number: int) -> str:
    """One round of a target: nothing, or what was found, in words."""
    broken: list[str] = []

    @seed(number)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(texts(name))
    def tries(text: str) -> None:
        try:
            watched(TARGETS[name], text)
        except Exception:
            broken.append(text)
            raise

    try:
        tries()
    except Exception as error:
        kind = type(error)
        least = smaller(broken[-1], lambda text: type(_error(name, text)) is kind) if broken else ""
        trace = "".join(traceback.format_exception(_error(name, least) or error)[-12:])
        return f"{name}: {trace}\n{least!r}\n{least}"
    return ""


def _error(name: str, text: str) -> Exception | None:
    try:
        watched(TARGETS[name], text)
    except Exception as error:
        return error
    return None


def smaller(text: str, still: Callable[[str], bool]) -> str:
    """A text without the lines, then without the characters, that it takes nothing from; within SMALLER seconds."""
    ends = time.monotonic() + SMALLER
    for parted, joint in ((text.split("\n"), "\n"), (None, "")):
        parts = parted if parted is not None else list(text)
        size = len(parts) // 2
        while size and time.monotonic() < ends:
            at = 0
            while at < len(parts) and time.monotonic() < ends:
                if still(joint.join(fewer := [*parts[:at], *parts[at + size :]])):
                    parts = fewer
                else:
                    at += size
            size //= 2
        text = joint.join(parts)
    return text


def main() -> int:
    """Replays the corpus, then fuzzes until the time is over."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("targets", nargs="*", default=[], help=", ".join(TARGETS))
    asked = options.parse_args()
    warnings.simplefilter("ignore", HypothesisWarning)  # of seeds that are long to print
    names = asked.targets or list(TARGETS)
    for name in names:
        for place in sorted((HERE / "corpus").glob(f"{name}-*.txt")):
            watched(TARGETS[name], place.read_bytes().decode("utf-8", "surrogateescape"))
    found: dict[str, str] = {}
    ends, rounds = time.monotonic() + asked.seconds, 0
    while time.monotonic() < ends and len(found) < len(names):
        for name in names:
            if name not in found and time.monotonic() < ends and (told := fuzz(name, asked.seed + rounds)):
                found[name] = told
                print(told, flush=True)
        rounds += 1
    print(f"{rounds} rounds of {EXAMPLES} texts for {len(names)} targets; {len(found)} of them broke")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
