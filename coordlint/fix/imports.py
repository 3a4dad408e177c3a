"""Adds an import where isort would put it."""

from __future__ import annotations

import sys

import libcst as cst

from coordlint.fix.trees import Tree


def with_import(tree: Tree, text: str, name: str) -> str:
    """The text, whose imports are still those of the tree, with `import name` (a module of the standard library)."""
    stated = [(s, module) for s in tree.module.body if (module := imported(s)) not in ("", "__future__")]
    plain = [(s, module) for s, module in stated if is_standard(module) and is_plain(s)]
    if any(module == name for _, module in plain):
        return text
    lines = text.split("\n")
    ahead = [s for s, module in plain if module < name]
    if plain:
        row = tree.positions[ahead[-1]].end.line if ahead else tree.positions[plain[0][0]].start.line - 1
        lines.insert(row, f"import {name}")
        return "\n".join(lines)
    row = tree.positions[stated[0][0]].start.line - 1 if stated else _behind_docstring(tree)
    beside = bool(stated) and is_standard(stated[0][1])
    lines[row:row] = [f"import {name}"] if beside else [f"import {name}", ""]
    return "\n".join(lines)


def imported(statement: cst.CSTNode) -> str:
    """The first module that an import statement names; empty for other statements and relative imports."""
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    code = cst.Module([])
    if isinstance(small, cst.Import):
        return code.code_for_node(small.names[0].name)
    if isinstance(small, cst.ImportFrom) and small.module is not None and not small.relative:
        return code.code_for_node(small.module)
    return ""


def is_plain(statement: cst.CSTNode) -> bool:
    """Whether it is `import x` and not `from x import y`."""
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Import)


def is_standard(module: str) -> bool:
    """Whether the module belongs to Python."""
    return module.partition(".")[0] in sys.stdlib_module_names


def _behind_docstring(tree: Tree) -> int:
    """How many lines stand before the first statement that is neither docstring nor future import."""
    row = 0
    for statement in tree.module.body:
        small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
        is_text = isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString)
        if not is_text and imported(statement) != "__future__":
            return tree.positions[statement].start.line - 1
        row = tree.positions[statement].end.line
    return row
