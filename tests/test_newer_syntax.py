"""Python newer than the interpreter: read in an older form, every line where it was; what breaks that is told in time."""

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from systems import system, uses

from coordlint import cache, check, ir
from coordlint.cache import Cache
from coordlint.extract import newer_syntax
from coordlint.extract.expressions import JOINED
from coordlint.extract.newer_syntax import NotRead, read_newer
from coordlint.extract.python import read_python
from coordlint.extraction import Extractor
from coordlint.source import Kind, Source

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python reads the examples itself")

NEWER = {
    "a type alias": "type Key = str\nf()\n",
    "a generic type alias": "type Pair[A, B: int = str] = tuple[A, B]\nf()\n",
    "a type alias over several lines": "type Pair[\n    A,\n] = (\n    int |\n    A\n)\nf()\n",
    "a generic function": "def first[T: (int, str), *Ts, **P](a: T) -> T:\n    return f(a)\n",
    "a generic function over several lines": "async def first[\n    T,  # anything\n](a: T):\n    return f(a)\n",
    "a generic class": "class Box[T](Base[T]):\n    def put[V](self, v: V): f(v)\n",
    "a generic class over several lines": "class Box[\n    T,\n    V = int,\n]:\n    x = f()\n",
    "exceptions without parentheses": "try:\n    f()\nexcept KeyError, errors.Gone:\n    g()\n",
    "exception groups without parentheses": "try:\n    f()\nexcept* KeyError, ValueError:\n    g()\n",
    "the same quotes within an f-string": 'f(f"a:{d["k"]}:{g("x")}")\n',
    "f-strings within f-strings": 'x = f"{", ".join(f"{k}={v["n"]}" for k, v in f())}"\n',
    "a backslash in an f-string's hole": 'x = f"{"\\n".join(f())}"\n',
    "an f-string hole over several lines": 'x = f"a{\n    f(  # why\n        1,\n    )\n}b"\ng()\n',
    "a comment at the end of a hole": 'x = f"a{\n    f() # why\n    !r:>{w[\n    0]}}b"\nh()\n',
    "a long f-string": 'x = f"""a\n{d["""k"""]}\n"{f()}"\n\n{g("""x""")}"""\nh()\n',
    "an f-string among other strings": 'x = (\n    "a"  # one\n    f"b{d["k"]}"\n    f"c{f()}"\n    "d{e}"\n)\ng()\n',
    "a raw f-string that ends in a backslash": 'x = rf"\\d{f("a")}\\{g("b")}"\nh()\n',
    "an f-string that shows its expression": 'x = f"{f("a")=}"\n',
    "a template string": 'x = t"select {f(1)} from {d["k"]}"\ng()\n',
    "a lazy import": "lazy import json\nlazy from a import b as c\nf()\n",
    "lines that end in CR LF": 'class Box[\r\n    T,\r\n]:\r\n    x = f"{f("a")}"\r\n',
}


@pytest.fixture(autouse=True)
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[newer_syntax._Child]:
    """A child of the test's own."""
    made = newer_syntax._Child()
    monkeypatch.setattr(newer_syntax, "_CHILD", made)
    yield made
    made.close()


def read(text: str) -> tuple[ir.Module | None, list[str]]:
    module, skips = read_python(Source("m.py", Kind.PYTHON, text))
    return module, [s.reason for s in skips]


def landmarks(text: str) -> list[tuple[str, int]]:
    """The calls and definitions of a text by a plain search, with their lines; names of one letter are called."""
    found = []
    for number, line in enumerate(text.replace("\r", "").split("\n"), 1):
        found += [(name, number) for name in "fgh" if f"{name}(" in line.replace("if(", "")]
        found += [(word, number) for word in ("first", "put", "Box") if f" {word}[" in line]
    return sorted(found)


def seen(tree: ast.Module) -> list[tuple[str, int]]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id != JOINED:
            found.add((node.func.id, node.lineno))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add((node.name, node.lineno))
    return sorted(found)


@pytest.mark.parametrize("text", NEWER.values(), ids=NEWER.keys())
def test_newer_syntax_is_read_and_every_call_and_definition_stays_on_its_line(text: str) -> None:
    with pytest.raises(SyntaxError):
        ast.parse(text)
    module, reasons = read(text)
    assert module is not None and reasons == []
    assert seen(read_newer(text)) == landmarks(text) != []


@pytest.mark.parametrize("text", NEWER.values(), ids=NEWER.keys())
def test_the_older_form_has_as_many_lines(text: str, child: newer_syntax._Child) -> None:
    older = child.ask(text)
    assert older.count("\n") == text.count("\n")
    assert ast.parse(older)


def text_of(expr: ir.Expr | None) -> list[str]:
    """An f-string's parts: literals as they are, holes as the name or index they hold."""
    assert isinstance(expr, ir.Text)
    return [str(p.value) if isinstance(p, ir.Const) else f"<{type(p).__name__}>" for p in expr.parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('x = f"a:{d["k"]}:b"', ["a:", "<Index>", ":b"]),
        ('x = "a" f"{b}" f"c{d["k"]}{{}}" "e"', ["a", "<Name>", "c", "<Index>", "{}", "e"]),
        ('x = f"""a{d["""k"""]}"b"{c}"\n"""', ["a", "<Index>", '"b"', "<Name>", '"\n']),
        ('x = rf"\\d{d["k"]}\\{c}"', ["\\d", "<Index>", "\\", "<Name>"]),
        ('x = f"{d["k"]=:>{w}}"', ['d["k"]=', "<Index>"]),
        ('x = t"a{b}"', ["a", "<Name>"]),
    ],
)
def test_an_f_string_keeps_its_literals_and_holes(text: str, parts: list[str]) -> None:
    module, _ = read(text + "\n")
    assert module is not None and isinstance(module.body[0], ir.Assign)
    assert text_of(module.body[0].value) == parts


def test_uses_of_coordination_are_found_through_it() -> None:
    found = system(
        locks="""
        import redis

        type Key = str

        client = redis.Redis()

        def lock_of[T](account: dict[str, T]):
            return client.lock(f"acct:{account["id"]}", timeout=10)
        """,
        billing="""
        from locks import lock_of

        def charge(account):
            try:
                with lock_of(account):
                    account.save()
            except TimeoutError, ValueError:
                pass
        """,
    )
    assert ("locks.py:9", "lock", "redis") in uses(found)
    assert ("billing.py:6", "lock", "redis") in uses(found)
    assert {str(u.resource) for u in found.uses() if u.role == "lock"} == {"acct:{account['id']}"}


def test_findings_stand_on_their_lines_in_newer_syntax(tmp_path: Path) -> None:
    written = """\
    import redis

    type Key = str

    client = redis.Redis()


    def charge[T](
        account: T,
    ):
        lock = client.lock(f"acct:{account["id"]}")
        lock.acquire()
        account.save()
        lock.release()
    """
    (tmp_path / "billing.py").write_text(dedent(written))
    report = check([tmp_path])
    assert report.coverage.skipped == ()
    assert ("CL103", 12) in [(r.finding.code, r.finding.place.line) for r in report.findings]


def test_type_aliases_are_followed_as_assignments() -> None:
    module, _ = read("type Lock = redis.lock.Lock\n")
    assert module is not None and isinstance(module.body[0], ir.Assign)
    assert module.body[0].targets[0] == ir.Name("Lock", ir.Span(1, 1, 1, 5))


@pytest.mark.parametrize(
    "text",
    [
        "def f(:\n",
        "x = (\n",
        "print 'a'\nx = (\n",
    ],
)
def test_mistakes_stay_told_skips_that_start_no_process(
    text: str, child: newer_syntax._Child
) -> None:
    module, reasons = read(text)
    assert module is None
    assert len(reasons) == 1 and reasons[0].startswith("syntax error: ")
    assert child.started == 0


def test_a_mistake_in_newer_syntax_is_a_syntax_error_as_before() -> None:
    assert read("type X = = 1\n") == (None, ["syntax error: invalid syntax"])


def test_syntax_that_cannot_be_made_older_asks_for_a_newer_python() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    reason = f"syntax newer than Python {version}: run coordlint on a newer Python"
    assert read("type X = int\ny = [*x for x in z]\n") == (None, [reason])


NESTED = "type X = int\nx = " + "[" * 1250 + "]" * 1250 + "\n"  # 2.5 KB on which libcst crashes
SUM = "type X = int\nx = " + " + ".join(["1"] * 10_000) + "\n"  # 20 KB on which it hangs
LONG = "type X = int\n" + "x = [1, 2, 3]\n" * 400_000  # 5 MB that do not fit into the child's memory


@pytest.mark.parametrize("text", [NESTED, SUM, LONG], ids=["crashes", "hangs", "huge"])
def test_what_libcst_breaks_on_is_told_and_the_next_file_is_read(
    text: str, child: newer_syntax._Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newer_syntax, "SECONDS", 2)
    with pytest.raises(NotRead, match=r"^(syntax newer than|nested too deeply)"):
        read_newer(text)
    assert read_newer("type X = int\n")


BREAKING = {
    "os._exit(139)": "crashed",
    "sys.stdin.buffer.read(4); os._exit(139)": "crashed",
    "sys.stdout.buffer.write(b'+' + bytes(3)); sys.stdout.flush(); os._exit(0)": "crashed",
    "time.sleep(600)": "took longer than 1 s",
    "sys.stdout.buffer.write(b'+' + bytes(3)); sys.stdout.flush(); time.sleep(600)": "took longer than 1 s",
}


@pytest.mark.parametrize(("program", "told"), BREAKING.items())
def test_a_process_that_crashes_or_hangs_is_ended_told_and_replaced(
    program: str, told: str, child: newer_syntax._Child, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "breaking.py").write_text(f"import os, sys, time\n{program}\n")
    with monkeypatch.context() as broken:
        broken.setattr(newer_syntax, "PROGRAM", tmp_path / "breaking.py")
        broken.setattr(newer_syntax, "SECONDS", 1)
        for _ in range(2):
            with pytest.raises(NotRead, match=f"rewriting it {told}"):
                read_newer("x = 1\n" * 100_000)
            assert child.process is None
    assert read_newer("type X = int\n")
    assert child.started == 3


def test_files_that_break_it_cannot_cost_more_than_the_patience_for_all(
    child: newer_syntax._Child, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "breaking.py").write_text("raise SystemExit\n")
    monkeypatch.setattr(newer_syntax, "PROGRAM", tmp_path / "breaking.py")
    monkeypatch.setattr(newer_syntax, "PATIENCE", 0.0)
    with pytest.raises(NotRead, match="crashed"):
        read_newer("type X = int\n")
    with pytest.raises(NotRead, match="not tried"):
        read_newer("type X = int\n")
    assert child.started == 1


def test_many_files_share_one_process(child: newer_syntax._Child) -> None:
    for text in NEWER.values():
        read_newer(text)
    assert child.started == 1


def test_a_process_that_ended_while_it_had_nothing_to_do_is_replaced(
    child: newer_syntax._Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_newer("type X = int\n")
    monkeypatch.setattr(newer_syntax, "IDLE", -1.0)
    read_newer("type X = int\n")
    assert child.started == 2


def test_nothing_is_imported_from_the_folder_that_is_analysed(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("libcst", "ast", "gc", "resource", "signal"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')\n")
    monkeypatch.chdir(tmp_path)
    assert read_newer("type X = int\n")
    assert not (tmp_path / "imported").exists()


def test_it_works_in_worker_processes_and_libcst_is_never_imported_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from coordlint import extraction

    monkeypatch.setattr(extraction, "POOL_FROM", 0)
    monkeypatch.setattr(extraction, "CHUNK", 1)
    read_newer("type X = int\n")  # the workers are forked from a process that has a child of its own
    sources = [Source(f"m{n}.py", Kind.PYTHON, f"type X{n} = int\n") for n in range(6)]
    facts = Extractor(Cache(None), 2)(sources)
    assert [f.skips for f in facts] == [()] * 6
    assert [f.module.body[0].targets[0].id for f in facts] == [f"X{n}" for n in range(6)]
    assert read_newer("type X = int\n")


def test_facts_that_another_python_made_are_not_taken_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("m.py", Kind.PYTHON, "type X = int\n")
    here = Cache(None).key(source)
    cache._extractor_stamp.cache_clear()
    monkeypatch.setattr(sys, "version", "3.99")
    there = Cache(None).key(source)
    cache._extractor_stamp.cache_clear()
    assert here != there


SCRIPT = """
import os, sys
from coordlint.extract import newer_syntax
newer_syntax.read_newer("type X = int\\n")
print(newer_syntax._CHILD.process.pid, "libcst" in sys.modules, flush=True)
{ending}
"""


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="asks /proc which processes there are")
@pytest.mark.parametrize(
    "ending",
    ["", "raise KeyboardInterrupt", "os._exit(1)", "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)"],
    ids=["at its end", "on Ctrl-C", "on a hard exit", "when killed", "when terminated"],
)
def test_no_process_is_left_behind(ending: str) -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT.format(ending=ending)], capture_output=True, text=True)
    pid, imported = ran.stdout.split()
    assert imported == "False"
    assert _is_gone(int(pid))


def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            told = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return True
        if told.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False
