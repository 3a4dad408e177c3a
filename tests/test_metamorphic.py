"""Changes that mean nothing change nothing: the same findings before and after, wherever they then stand.

Two reports are the same when they hold the same findings, counted: code, symbol (the qualified name around it) and resource.
Where a change moves code into a new function or module, its mark in the name is taken out before symbols are compared.
"""

from __future__ import annotations

import ast
import io
import random
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from coordlint.config import Config
from coordlint.examples import Example, read_examples
from coordlint.extract import extract
from coordlint.judging import AFTERTHOUGHTS, judge
from coordlint.link import link
from coordlint.models import Models
from coordlint.rulebook import Rule, load_rules

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "err"
RULES = load_rules()
MODELS = Models.load()
BEFORE: dict[str, Counter[tuple[str, str, str]]] = {}  # what is found in each system as it stands
MARK = "_elsewhere"  # in the names of what a change makes
Files = Mapping[str, str]
Same = Counter[tuple[str, str, str]]

# What ought to be the same and is not yet, by change. The tests tell when one of them starts to hold.
TODO: dict[str, set[str]] = {
    "functions in another order": {  # one finding about several functions stands in the first of them: another place as good
        "CL112 over a call, with locks in Redis",
        "CL119 the type of an event says nothing of the state of the record",  # in the later one of the two
        "CL305 two kinds of readings that one loop writes are one finding",
        "CL601 one round over the members, and then an exception that nobody handles",  # in who registers, or in who connects
    },
    "variables renamed": {  # the word is a part of the evidence, and these names say nothing
        "CL301 a fixed number of keys",
        "CL302 an open file",
        "CL304 a data watch for every task, which is written elsewhere",
        "CL104 a store's own lock, given back by its general delete",  # that what is deleted is a lock, its name alone says
        "CL606 options whose names are all known",  # where the client connects is known by the name of what holds its options
        "CL404 what starts workers notes them by the number of their process, and nobody takes off the one that dies",  # `pid`
        "CL404 the one that leads writes its process down, and whoever starts after its death finds the place taken",  # the same
    },
    "a function extracted": {
        "CL306 one entry is looked for among all that wait, through the project's own reader",  # the reading and the looking are then two calls apart
        # What a rule asks of a function and of who calls it, and not of a call further: here a handler, a task or a leader's loop
        # only passes on what it was asked for.
        "CL113 a lock for each account, and a command that starts four processes",
        "CL119 the type of an event says nothing of the state of the record",
        "CL301 whatever an API is asked to keep, through a wrapper of another module",  # told where the other kind is kept
        "CL303 one key for each name that requests make up; those of the other kind are deleted, through the same wrapper",
        "CL305 a sequence is brought forward, one node after the other",
        "CL402 the renewal succeeds whoever leads, and the leader works on",
        "CL501 what a wrapper answers about its script is thrown away",
        "CL606 a timer that sets itself again tells Consul that all is well",  # the function that the timer calls only hands on
        "CL507 an address is looked up by a helper, and the account is made from a form",
        "CL507 statements of SQL; a helper of another module looks",
        "CL602 any failure gives an empty list, and then nothing is protected",
        "CL507 a seat is confirmed because no other booking of it is",
        "CL118 whether it was delivered is asked before the lock, and set under it",
        "CL123 a thread that extends the lock, and logs that it could not",  # the thread's function then only hands on
        "CL501 nothing is expected, or nothing follows",  # the answer is then thrown away in a function that goes on with nothing itself
        "CL505 the mail goes out, and whose it was is asked afterwards, each by a function of its own",
        "CL601 the lock of Redis in a thread",
        "CL104 without a lease, nobody else can have taken it meanwhile",  # that the lease is None together with its argument is known within one function
    },
    "a block extracted": {
        "CL109 whether the lock was had is asked at once, and never again",  # which of two functions asked first is not known
        "CL109 and so does redis-py's that replaces",  # that the extension stands in the loop under the lock is seen within one function
        "CL503 the pipeline that watched is closed before another one writes",  # that it is another one is seen within one function
        "CL118 what others do under the lock is only queued under it",
        "CL118 read before the lock, written under it",  # that the two are about one record is seen within one function
        "CL101 notes its progress before it takes the lock and under it: that is not what the lock is for",  # that it does the same before is seen within one function
    },
}


def found(files: Files, rules: list[Rule], order: int = 0) -> Same:
    """What the rules find, up to position and to the names that a change has made."""
    facts = [extract(source) for source in Example("bad", "changed", files).sources]
    if order:
        random.Random(order).shuffle(facts)
    judged = judge(link(facts, MODELS), rules, (), {r.code: r.name for r in RULES}, Config())
    assert not judged.failures, judged.failures
    return Counter((f.code, _unmarked(f.symbol), _unmarked(f.resource)) for f in (r.finding for r in judged.kept))


def _unmarked(name: str) -> str:
    return name.replace(MARK, "")


# The changes. Each takes the files of a repository and gives them back changed, or as they are where it does not apply.


def each_python(change: Callable[[str], str]) -> Callable[[Files], dict[str, str]]:
    def changed(files: Files) -> dict[str, str]:
        return {path: change(text) if _parses(path, text) else text for path, text in files.items()}

    return changed


def _parses(path: str, text: str) -> bool:
    if not path.endswith(".py"):
        return False
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def written_anew(text: str) -> str:
    """Other quotes, other line breaks, no comments."""
    return ast.unparse(ast.parse(text)) + "\n"


def with_remarks(text: str) -> str:
    """A blank line and a comment after each statement, and a remark at the end of it."""
    lines = text.split("\n")
    ends = {t.start[0] for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.NEWLINE}
    made = []
    for number, line in enumerate(lines, 1):
        made.append(line)
        if number in ends and not line.endswith("\\"):
            made[-1] += "  # a remark" if "#" not in line else ""
            made += ["", "# that says nothing"]
    return "\n".join(["# at the head", "", *made])


def remarked(files: Files) -> dict[str, str]:
    made = {path: with_remarks(text) if _parses(path, text) else text for path, text in files.items()}
    return {path: "# a remark\n\n" + text if path.endswith((".yaml", ".yml")) else text for path, text in made.items()}


def reordered(text: str) -> str:
    """Functions that stand side by side, in modules and in classes, the last one first."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body = list(_turned(node.body))
    return ast.unparse(tree) + "\n"


def _turned(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    run: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and not statement.decorator_list and statement.name not in {s.name for s in run}:  # type: ignore[attr-defined]
            run.append(statement)
            continue
        yield from reversed(run)
        run = []
        yield statement
    yield from reversed(run)


def documents_reordered(files: Files) -> dict[str, str]:
    """The documents of a manifest, or the services of a compose file, the last one first."""
    made = {}
    for path, text in files.items():
        plain = path.endswith((".yaml", ".yml")) and "{{" not in text and not text.startswith("---")
        parts = text.split("\n---\n")
        made[path] = "\n---\n".join(p.strip("\n") for p in reversed(parts)) + "\n" if plain and len(parts) > 1 else text
        if plain and "&" not in text and (services := re.search(r"^services:\n((?:  .*\n|\n)+)", text, re.M)):
            each = re.findall(r"  [^\s#].*\n(?:   .*\n|\n)*", services[1])
            if "".join(each) == services[1]:
                made[path] = text[: services.start(1)] + "".join(reversed(each)) + text[services.end() :]
    return made


def renamed(text: str) -> str:
    """Variables of functions have names that say nothing."""
    tree = ast.parse(text)
    for function in _outermost(tree):
        names = _own_variables(function)
        new = {name: f"v{number}" for number, name in enumerate(sorted(names))}
        taken = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id in new and new[node.id] not in taken:
                node.id = new[node.id]
    return ast.unparse(tree) + "\n"


def _outermost(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        else:
            yield from _outermost(child)


def _own_variables(function: ast.AST) -> set[str]:
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    kept = {a.arg for n in ast.walk(function) if isinstance(n, ast.arguments) for a in _parameters(n)}
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            kept |= set(node.names)
        elif isinstance(node, ast.ClassDef):  # what it stores are its attributes
            kept |= {node.name, *(n.id for n in ast.walk(node) if isinstance(n, ast.Name))}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            kept.add(node.name or "")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            kept |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("locals", "vars"):
            return set()
    return stored - kept


def _parameters(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *(a for a in (arguments.vararg, arguments.kwarg) if a)]


def body_extracted(text: str) -> str:
    """What a function of a module does is done by another, which it calls."""
    tree = ast.parse(text)
    body: list[ast.stmt] = []
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and _is_plain(statement):
            inner = ast.parse(ast.unparse(statement)).body[0]
            assert isinstance(inner, ast.FunctionDef)
            inner.name, inner.decorator_list, inner.returns = statement.name + MARK, [], None
            inner.args.defaults = []
            passed = ", ".join(a.arg for a in statement.args.args)
            statement.body = ast.parse(f"return {inner.name}({passed})").body
            body.append(inner)
        body.append(statement)
    tree.body = body
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _is_plain(function: ast.FunctionDef) -> bool:
    arguments = function.args
    odd = arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs
    inside = [n for s in function.body for n in ast.walk(s)]
    return not odd and not any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal | ast.FunctionDef | ast.Lambda) for n in inside)


def block_extracted(text: str) -> str:
    """What stands in a `with` is done by a function, which is called there."""
    tree = ast.parse(text)
    made: list[ast.stmt] = []
    for function in [f for f in tree.body if isinstance(f, ast.FunctionDef)]:
        local = _own_variables(function) | {a.arg for a in _parameters(function.args)}
        within = {n.name for n in ast.walk(function) if isinstance(n, ast.FunctionDef) and n is not function}
        for number, node in enumerate(n for n in ast.walk(function) if isinstance(n, ast.With)):
            inside = [n for s in node.body for n in ast.walk(s)]
            if any(isinstance(n, ast.Return | ast.Break | ast.Continue | ast.Yield | ast.YieldFrom | ast.Await | ast.With | ast.FunctionDef | ast.Nonlocal | ast.Global) for n in inside):
                continue
            stored = {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            outside = Counter(n.id for n in ast.walk(function) if isinstance(n, ast.Name)) - Counter(n.id for n in inside if isinstance(n, ast.Name))
            if stored & set(outside) or within & {n.id for n in inside if isinstance(n, ast.Name)}:
                continue
            passed = ", ".join(sorted({n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} & local - stored))
            name = f"{function.name}{MARK}{number or ''}"
            made += ast.parse(f"def {name}({passed}):\n    pass\n").body
            made[-1].body, node.body = node.body, ast.parse(f"{name}({passed})").body  # type: ignore[attr-defined]
    tree.body = [*tree.body, *made]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def split(files: Files) -> dict[str, str]:
    """The values of a module stand in a module beside it, from which it imports them."""
    made = dict(files)
    for path, text in files.items():
        if not _parses(path, text) or path.endswith("__init__.py"):
            continue
        tree = ast.parse(text)
        defined = {s.name for s in tree.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
        changed = {name for n in ast.walk(tree) if isinstance(n, ast.Global) for name in n.names}
        moved = [s for s in tree.body if isinstance(s, ast.Assign) and _can_move(s, defined | changed)]
        imports = [s for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
        names = [t.id for s in moved for t in s.targets if isinstance(t, ast.Name)]
        needed = {n.id for s in moved for n in ast.walk(s) if isinstance(n, ast.Name)}
        known = {(a.asname or a.name).partition(".")[0] for s in imports for a in s.names} | set(names)
        future = any(isinstance(s, ast.ImportFrom) and s.module == "__future__" for s in imports)
        if not names or future or not needed <= known | {"True", "False", "None", "int", "str", "float", "dict", "list", "set"}:
            continue
        beside = path.removesuffix(".py") + MARK
        module = beside.rpartition("/")[2]
        made[f"{beside}.py"] = ast.unparse(ast.Module([*imports, *moved], [])) + "\n"
        start = f"from {'.' if '/' in path else ''}{module} import {', '.join(dict.fromkeys(names))}"
        rest = [s for s in tree.body if s not in moved]
        after = 1 + max((rest.index(s) for s in imports), default=-1)
        made[path] = ast.unparse(ast.Module([*rest[:after], *ast.parse(start).body, *rest[after:]], [])) + "\n"
    return made


def _can_move(statement: ast.Assign, kept: set[str]) -> bool:
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    return all(isinstance(t, ast.Name) and not t.id.startswith("__") for t in statement.targets) and not names & kept


def same(files: Files) -> dict[str, str]:
    return dict(files)


CHANGES: dict[str, Callable[[Files], dict[str, str]]] = {
    "files in another order": same,
    "written anew": each_python(written_anew),
    "remarks and blank lines": remarked,
    "functions in another order": each_python(reordered),
    "documents and services in another order": documents_reordered,
    "variables renamed": each_python(renamed),
    "a function extracted": each_python(body_extracted),
    "a block extracted": each_python(block_extracted),
    "a module split": split,
}


def fixture(name: str) -> dict[str, str]:
    root = FIXTURES / name
    return {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in sorted(root.rglob("*")) if p.is_file() and "__pycache__" not in p.parts}


def cases() -> Iterator[tuple[str, Files, list[Rule]]]:
    for place in sorted(FIXTURES.iterdir()):
        if place.is_dir():
            yield f"fixture {place.name}", fixture(place.name), [r for r in RULES if r.code not in AFTERTHOUGHTS]
    for rule in RULES:
        if rule.code in AFTERTHOUGHTS:
            continue
        for example in read_examples(rule):
            if not any("coordlint" in text for text in example.files.values()):  # a wish is bound to its line
                yield f"{rule.code} {example.title}", example.files, [rule]


def difference(before: Same, after: Same) -> Any:
    return {"lost": sorted((before - after).elements()), "new": sorted((after - before).elements())}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_means_nothing_changes_no_finding(change: str) -> None:
    broken, applied = {}, 0
    for name, files, rules in cases():
        changed = CHANGES[change](files)
        order = 1 if CHANGES[change] is same else 0
        applied += bool(order) or changed != files
        if not order and changed == files:
            continue
        if name not in BEFORE:
            BEFORE[name] = found(files, rules)
        before, after = BEFORE[name], found(changed, rules, order)
        if before != after:
            broken[name] = difference(before, after)
    assert applied > 20
    todo = TODO.get(change, set())
    told = "\n".join(f"{name}: {what}" for name, what in broken.items() if name not in todo)
    assert not told, told
    assert set(broken) == todo, "these hold now: take them out of TODO"
