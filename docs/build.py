"""Writes the pages that are made from the rules and the models, and the parts of README.md that repeat a fact.

    python docs/build.py           write them
    python docs/build.py --check   fail when one of them is not what it would be written as
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from runpy import run_path

from coordlint.examples import Example, read_examples
from coordlint.fix import sentence
from coordlint.models import Models
from coordlint.models.page import libraries_page
from coordlint.rulebook import Rule, load_rules

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RULE_PAGES = ROOT / "docs" / "rules"
SHOWN = ("CL101", ROOT / "tests" / "goldens" / "shop" / "full.txt")  # the finding on README's first screen

FAMILIES = {  # code prefix: folder, what the family is about
    "CL0": "The tool's own",
    "CL1": "Locks",
    "CL2": "Coordination that is not needed",
    "CL3": "The coordinator as a database",
    "CL4": "Leadership and membership",
    "CL5": "Optimistic concurrency",
    "CL6": "Graceful degradation",
    "CL7": "Deploying the coordinator",
}
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".sh": "sh", ".json": "json"}


def main(arguments: Sequence[str]) -> int:
    """Writes or checks all pages; 1 when a check fails."""
    pages = dict(made())
    strays = [path for path in RULE_PAGES.glob("*.md") if path not in pages]
    stale = [path for path, text in pages.items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in sorted([*stale, *strays]):
            print(f"{path.relative_to(ROOT)} is stale: run python docs/build.py", file=sys.stderr)
        return 1 if stale or strays else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], encoding="utf-8")
    for path in strays:
        path.unlink()
    print(f"{len(pages)} pages, {len(stale)} written, {len(strays)} removed")
    return 0


def made() -> Iterator[tuple[Path, str]]:
    """Every made page with its text."""
    rules = load_rules()
    for rule in rules:
        yield RULE_PAGES / f"{rule.name}.md", rule_page(rule)
    yield ROOT / "docs" / "rules.md", index_page(rules)
    yield ROOT / "docs" / "libraries.md", libraries_page(Models.load(None))
    yield ROOT / "docs" / "precision.md", run_path(str(Path(__file__).with_name("precision_page.py")))["precision_page"]()
    readme = README.read_text("utf-8")
    readme = with_part(readme, "finding", f"```text\n{shown_finding()}\n```")
    yield README, with_part(readme, "rules", rule_table(rules, "docs/rules/"))


def rule_page(rule: Rule) -> str:
    """The rule's docstring, then its examples."""
    summary, *paragraphs = rule.doc.split("\n\n")
    lines = [f"# {rule.code} {rule.name}", "", f"Severity: {rule.severity.label}{', preview' if rule.preview else ''}. {flat(summary)}"]
    for paragraph in paragraphs:
        label, colon, rest = paragraph.partition(":")
        titled = colon and label in ("Why", "Instead", "Fine when", "Known misses", "Sources")
        lines += ["", f"**{label}:** {flat(rest)}" if titled else flat(paragraph)]
    if fix := sentence(rule.code):
        lines += ["", f"**Fix:** {fix}"]
    examples = read_examples(rule)
    for kind, title in (("bad", "## Reported"), ("good", "## Not reported")):
        lines += ["", title]
        for example in examples:
            if example.kind == kind:
                lines += ["", f"### {example.title[0].upper()}{example.title[1:]}", *files_of(example)]
    return "\n".join(lines) + "\n"


def files_of(example: Example) -> Iterator[str]:
    """The files of an example; lines where a finding stands carry its mark."""
    for path, text in example.files.items():
        lines = text.rstrip("\n").split("\n")
        for where, line, name in sorted(example.marks | example.todo):
            if where == path:
                known = "" if (where, line, name) in example.marks else "not yet found: "
                lines[line - 1] += f"  # <- {known}{name}"
        fence = "````" if "```" in text else "```"
        yield from ("", f"`{path}`", "", f"{fence}{LANGUAGES.get(Path(path).suffix, '')}", *lines, fence)


def index_page(rules: Sequence[Rule]) -> str:
    """All rules in one table for each family."""
    lines = [
        "# Rules",
        "",
        "Made from the rule files by `python docs/build.py`. `coordlint explain CODE` says the same on a terminal.",
        "The severity is the usual one: evidence can raise or lower it, and manifests for development lower it.",
        "",
        rule_table(rules, "rules/"),
    ]
    return "\n".join(lines) + "\n"


def rule_table(rules: Sequence[Rule], to: str) -> str:
    """Code, name, severity and summary of every rule, by family."""
    lines: list[str] = []
    for prefix, title in FAMILIES.items():
        family = [rule for rule in rules if rule.code.startswith(prefix)]
        if family:
            lines += ["", f"**{title}**", "", "| code | rule | severity | reports |", "|---|---|---|---|"]
            lines += [f"| {r.code} | [{r.name}]({to}{r.name}.md) | {r.severity.label} | {cell(r.summary)} |" for r in family]
    return "\n".join(lines[1:])


def shown_finding() -> str:
    """The finding of README's demonstration, exactly as the tool prints it."""
    code, golden = SHOWN
    blocks = golden.read_text("utf-8").split("\n\n")
    return next(block for block in blocks if block.split("\n")[0].split(":")[0].split("[")[-1].startswith(code))


def with_part(text: str, name: str, part: str) -> str:
    """The text with what stands between two comments replaced."""
    pattern = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- /made -->)", re.DOTALL)
    replaced, count = pattern.subn(lambda found: found[1] + part + "\n" + found[2], text)
    if count != 1:
        raise SystemExit(f"README.md needs exactly one part '<!-- made: {name} -->'")
    return replaced


def flat(paragraph: str) -> str:
    return " ".join(paragraph.split())


def cell(text: str) -> str:
    return flat(text).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
