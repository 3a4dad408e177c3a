"""Depth that small files can hold: what is read and linked in the process itself ends there, on an eighth of the stack that is usual.

Larger files and longer lines are read in workers, which may die (`test_hostile_text.py`); here every line is short, and nothing may.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_bad_input import LOCKED

from coordlint.reading import is_risky
from coordlint.source import Kind, Source

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the size of the stack cannot be set")]

STACK = 1_000_000  # bytes; 8 MB are usual
DEEP, LONG, CHAIN = 20_000, 50_000, 3_000
REDIS = "import redis\nr = redis.Redis()\n"
TAKES = "    with r.lock('x'): open('f', 'w')\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


def chain(line: str, number: int = CHAIN) -> str:
    """A line for each of many numbers; {n} is the number, {m} the next."""
    return "".join(line.format(n=n, m=n + 1) for n in range(number))


PARSED = {
    "attributes": "x = (a\n" + ".b\n" * LONG + ")\n",
    "calls": "x = (a\n" + "()\n" * LONG + ")\n",
    "items": "x = (a\n" + "[0]\n" * LONG + ")\n",
    "sums": "x = (a\n" + "+ a\n" * LONG + ")\n",
    "powers": "x = (a\n" + "** a\n" * LONG + ")\n",
    "not not": "x = (\n" + "not\n" * LONG + "y)\n",
    "signs": "x = (\n" + "-\n" * LONG + "y)\n",
    "awaits": "async def f():\n x = (\n" + "await\n" * 30_000 + "y)\n",
    "lambdas": "x = (\n" + "lambda:\n" * 30_000 + "y)\n",
    "conditions": "x = (\n" + "a if b else\n" * DEEP + "c)\n",
    "round brackets": "x = (\n" + "(\n" * LONG + ")\n" * LONG + ")\n",
    "square brackets": "x = (\n" + "[\n" * LONG + "]\n" * LONG + ")\n",
    "curly brackets": "x = (\n" + "{\n" * LONG + "}\n" * LONG + ")\n",
    "texts in texts": "x = (\n" + "f'{\n" * 10_000 + "}'\n" * 10_000 + ")\n",
    "branches": "if a: pass\n" + "elif b: pass\n" * DEEP,
    "patterns": "match x:\n case (\n" + "a | \n" * LONG + "b): pass\n",
    "decorators": "@d\n" * LONG + "def f(): pass\n",
    "targets": "x = (\n" + "(a, \n" * 90 + "b" + ")" * 91 + "\n" + "a = \\\n" * DEEP + "1\n",
}
LINKED = {
    "names of names": "import redis\na0 = redis.Redis()\n" + chain("a{m} = a{n}\n") + f"a{CHAIN}.lock('x')\n",
    "functions that return what they are given": "import redis\ndef f0(x): return x\n" + chain("def f{m}(x): return f{n}(x)\n") + f"f{CHAIN}(redis.Redis()).lock('x')\n",
    "callers of callers": REDIS + "def f0():\n" + TAKES + chain("def f{m}(): f{n}()\n"),
    "callees of callees": REDIS + chain("def f{n}(): f{m}()\n") + f"def f{CHAIN}():\n" + TAKES,
    "parameters of parameters": "import redis\n" + chain("def f{n}(r): f{m}(r)\n") + f"def f{CHAIN}(r):\n" + TAKES + "f0(redis.Redis())\n",
    "classes of classes": "import redis\nclass C0(redis.Redis): pass\n" + chain("class C{m}(C{n}): pass\n") + f"C{CHAIN}().lock('x').acquire()\n",
    "attributes of one object": "import redis\nclass A:\n  def __init__(self):\n    self.a0 = redis.Redis()\n" + chain("    self.a{m} = self.a{n}\n") + f"  def f(self, r=None):\n    self.a{CHAIN}.lock('x').acquire()\n",
    "defaults": "import redis\n" + chain("def f{n}(r=f{m}()): return r\n"),
    "generators": "import redis\n" + chain("def f{n}():\n  yield from f{m}()\n"),
    "managers of managers": "from contextlib import contextmanager\n" + REDIS + "@contextmanager\ndef f0():\n  with r.lock('x'): yield\n" + chain("@contextmanager\ndef f{m}():\n  with f{n}(): yield\n"),
    "locks that are handed on": REDIS + "def go():\n  with r.lock('x') as k: f0(k)\n" + chain("def f{n}(k): f{m}(k)\n"),
    "a ring": REDIS + chain("def f{n}(): return f{m}()\n", 50) + "def f50(): return f0()\n" + "f0().lock('x').acquire()\n",
}  # fmt: skip
MANIFESTS = {
    "flow lists": POD + "a:\n  " + "[\n  " * DEEP + "]\n  " * DEEP,
    "flow tables": POD + "a:\n  " + "{a:\n  " * DEEP + "}\n  " * DEEP,
    "blocks": POD + "".join(" " * n + "a:\n" for n in range(700)),
    "keys of keys": POD + "a:\n" + " ? " * 6_000 + "b\n",
    "lists of lists": POD + "a:\n" + " - " * 6_000 + "b\n",
}


@pytest.mark.parametrize("kind", ["parsed", "linked", "manifests"])
def test_nothing_that_is_deep_and_small_ends_the_process(tmp_path: Path, kind: str) -> None:
    import resource

    cases = {"parsed": PARSED, "linked": LINKED, "manifests": MANIFESTS}[kind]
    (tmp_path / ".git").mkdir()
    (tmp_path / "tasks.py").write_bytes(LOCKED)
    for number, text in enumerate(cases.values()):
        place = tmp_path / f"case{number}" / ("p.yaml" if kind == "manifests" else "a.py")
        assert not is_risky(Source(place.name, Kind.PYTHON, text)), "this one would be read in a worker"
        place.parent.mkdir()
        place.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "coordlint", "check", "--no-cache", "--format", "json", "--root", str(tmp_path), str(tmp_path)], capture_output=True, timeout=300, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK)),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr[-500:]
    report = json.loads(done.stdout)
    assert ("tasks.py", "CL101") in {(f["path"], f["code"]) for f in report["findings"]}
    assert report["failures"] == []
    assert kind == "linked" or len(report["coverage"]["skipped"]) >= 4
