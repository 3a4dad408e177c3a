"""Python 2 is read as it stands: every statement on its line, and what is found in it less sure."""

import ast
import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from systems import system, uses

from coordlint import Confidence, check, ir
from coordlint.extract.python import read_python
from coordlint.extract.python2 import NotPython2, read_python2, rewritten
from coordlint.source import Kind, Source

WRITTEN = {
    "print 'a', b": "print('a', b)",
    "print": "print",
    "print 'a', # why": "print('a',) # why",
    "print('a'), b": "print('a'), b",
    "print -x, [1][0]": "print(-x, [1][0])",
    "print [x for x in y]; f()": "print([x for x in y]); f()",
    "print >>err, 'a' % b": "print(  err, 'a' % b)",
    "if a: print 'b'\nelse: print 'c'": "if a: print('b')\nelse: print('c')",
    "print 'a' \\\n  'b'": "print('a' \\\n  'b')",
    "f = lambda x: x; print f": "f = lambda x: x; print(f)",
    "exec code": "exec(code)",
    "exec code in a, b": "exec(code ,  a, b)",
    "exec('code')": "exec('code')",
    "raise Gone, 'a'": "raise Gone( 'a')",
    "raise Gone, ('a', 1), trace": "raise Gone( ('a', 1)).with_traceback( trace)",
    "raise Gone('a', 1)": "raise Gone('a', 1)",
    "try: f()\nexcept Gone, e: g()": "try: f()\nexcept Gone as e: g()",
    "try: f()\nexcept (A, B), e: g()": "try: f()\nexcept (A, B) as e: g()",
    "try: f()\nexcept A,e: g()": "try: f()\nexcept A as e: g()",
    "try: f()\nexcept A, (code, text): g()": "try: f()\nexcept A as _ : g()",
    "try: f()\nexcept (A, B): print 'b'": "try: f()\nexcept (A, B): print('b')",
    "x = `a` + `b`": "x = repr(a) + repr(b)",
    "if a <> b: c": "if a != b: c",
    "x = 0777, 0, 00, 10L, 0xFFL, 0.5": "x = 0o777, 0, 00, 10 , 0xFF , 0.5",
    "x = ur'a', u'b', '\\u', '\\\\u', r'\\u', u'\\u0041', 0777": "x = r'a', u'b', '\\\\u', '\\\\u', r'\\u', u'\\u0041', 0o777",
    "def f(a, (b, c), d=(1, 2)): pass": "def f(a, _b_c, d=(1, 2)): pass",
    "f = lambda (a, b), c: a": "f = lambda _a_b , c: a",
    "f = lambda a=(1, 2): 0777": "f = lambda a=(1, 2): 0o777",
    "f(async=True); x.async": "f(async_=True); x.async_",
    "if a:\n\tb()\n        c()": "if a:\n        b()\n        c()",
    "'''print 'a'\n0777''' # print 'b'\nprint 'c'": "'''print 'a'\n0777''' # print 'b'\nprint('c')",
    "class A: x = {'print': 1}; print x": "class A: x = {'print': 1}; print(x)",
    "print 'a'\r\nprint 'b'": "print('a')\r\nprint('b')",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_each_form_of_python_2_is_written_as_python_3_in_its_place(text: str) -> None:
    assert rewritten(text) == WRITTEN[text]
    ast.parse(WRITTEN[text])


PIECES = ["print", "exec", "raise", "except", "def", "lambda", "async", "x", " ", "\n", "\r\n", "\\\n", ",", "(", ")", ":", ";", "`", "'", '"""', "0777", "ur'", "#", "in", ">>", "<>", "\t", "\\"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=60))
def test_nothing_moves_a_line(text: str) -> None:
    breaks = re.compile(r"\r\n?|\n")
    assert breaks.findall(rewritten(text)) == breaks.findall(text)


@pytest.mark.parametrize("text", ["def f(:\n", "x = (\n", "x = 1\n"])
def test_what_has_nothing_of_python_2_is_not_tried(text: str) -> None:
    with pytest.raises(NotPython2, match=r"^$"):
        read_python2(text)


def test_a_mistake_in_python_2_is_told_on_its_line() -> None:
    module, skips = read_python(Source("m.py", Kind.PYTHON, "print 'a'\n\ndef f(:\n"))
    assert module is None
    assert [(s.line, s.reason) for s in skips] == [(3, "syntax error: invalid syntax, also as Python 2")]


def test_a_module_says_that_it_is_python_2() -> None:
    for text, is_old in (("print 'a'\n", True), ("print('a')\n", False)):
        module, _ = read_python(Source("m.py", Kind.PYTHON, text))
        assert module is not None and module.python2 is is_old
        assert isinstance(module.body[0], ir.Evaluate) and isinstance(module.body[0].value, ir.Call)


def test_uses_in_python_2_are_followed_over_files() -> None:
    found = system(
        {
            "stock/store.py": """
                from kazoo.client import KazooClient

                def connected(hosts):
                    print 'connecting to', hosts
                    zk = KazooClient(hosts=hosts)
                    zk.start()
                    return zk
            """,
            "stock/count.py": """
                import store

                zk = store.connected('zk:2181')

                def put(item, (shelf, place)):
                    try:
                        zk.set('/items/' + item, `shelf`)
                    except Exception, error:
                        raise IOError, error
            """,
        }
    )
    assert ("stock/count.py:8", "data-store", "zookeeper") in uses(found)


def test_findings_in_python_2_stand_on_their_lines_and_are_less_sure(tmp_path: Path) -> None:
    text = dedent("""\
        import redis

        client = redis.Redis()


        def charge(account):
            print "charging"
            if client.setnx("charge", 1):
                account.save(mode=0640)
                client.delete("charge")  # coordlint: ignore[CL104] tried and accepted
        """)
    newer = text.replace('print "charging"', 'print("charging")').replace("0640", "0o640")
    for name, said in (("old", text), ("new", newer)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "billing.py").write_text(said)
    old, new = check([tmp_path / "old"]), check([tmp_path / "new"])
    assert [(f.finding.code, f.finding.place) for f in old.findings] == [(f.finding.code, f.finding.place) for f in new.findings]
    assert ("CL103", 8) in {(f.finding.code, f.finding.place.line) for f in old.findings}
    assert max(f.finding.confidence for f in new.findings) is Confidence.HIGH
    assert max(f.finding.confidence for f in old.findings) is Confidence.MEDIUM


@pytest.mark.parametrize(
    ("old", "new"),
    [("print 0777\n", "print(0o777)\n"), ("print `b`\n", "print(repr(b))\n"), ("raise E, 10L\n", "raise E( 10 )\n"), ("print 'a', 1 <> 2\n", "print('a', 1 != 2)\n")],
)
def test_what_ends_a_statement_is_rewritten_before_its_bracket_is_closed(old: str, new: str) -> None:
    assert rewritten(old) == new
