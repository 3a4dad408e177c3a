"""docs/precision.md, counted from benchmarks/judgements.yaml, benchmarks/calm.yaml, benchmarks/incidents*.yaml and benchmarks/labels-disagreed.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
VERDICTS = ("right", "debatable", "wrong")

Judged = Sequence[dict[str, Any]]

HEAD = """# Precision on public code

Made from `benchmarks/judgements.yaml` and `benchmarks/calm.yaml` by `python docs/build.py`. Each finding was judged by one reader, by reading the
code as that project's strict maintainer would; no code is kept here. *Debatable*: what is said is true, and whether it should be told like
that can be argued; it counts as wrong in the share. *Told now* leaves out what an engine or a rule no longer says, or no longer says so
loudly. What was mended was often mended because it was seen here, so the share of what is told now flatters: *when seen* is what code that
nobody had looked at got.
"""


def precision_page() -> str:
    """The whole page."""
    repositories = yaml.safe_load((BENCHMARKS / "judgements.yaml").read_text("utf-8"))
    judged = [f for r in repositories for f in r["findings"]]
    lines = [HEAD, f"{len(judged)} findings of {len(repositories)} repositories."]
    for severity, title in (("error", "Errors"), ("warning", "Warnings")):
        lines += ["", f"## {title}", "", *table([f for f in judged if f["severity"] == severity])]
    lines += ["", "## Never tuned on", "", *unseen([r for r in repositories if r.get("round")])]
    lines += ["", "## Repositories that do not coordinate", "", *calm(yaml.safe_load((BENCHMARKS / "calm.yaml").read_text("utf-8")))]
    given = yaml.safe_load((BENCHMARKS / "incidents-given.yaml").read_text("utf-8"))
    lines += ["", "## Real incidents", "", *incidents(yaml.safe_load((BENCHMARKS / "incidents.yaml").read_text("utf-8")), given)]
    lines += ["", "## Labels that are not agreed with", "", *disagreed(yaml.safe_load((BENCHMARKS / "labels-disagreed.yaml").read_text("utf-8")))]
    return "\n".join(lines) + "\n"


def disagreed(repositories: Judged) -> Iterator[str]:
    """Labels that a second reading of the code does not confirm."""
    yield "Eighteen repositories were labelled by hand before coordlint was run on them. Where a second reading comes to another answer (`benchmarks/labels-disagreed.yaml`):"
    yield ""
    yield "| place | label | told | why |"
    yield "|---|---|---|---|"
    for r in repositories:
        for one in r["labels"]:
            yield f"| {r['repository']} {one['path']}:{one['line']} | {one['label'] or 'none'} | {one['told'] or 'nothing'} | {one['reason']} |"


def table(judged: Judged) -> Iterator[str]:
    """One row for each rule, and their sum."""
    yield "| rule | judged | right | debatable | wrong | right when seen | told now | right | debatable | wrong | right now |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for rule in sorted({f["rule"] for f in judged}):
        yield row(rule, [f for f in judged if f["rule"] == rule])
    yield row("**all**", judged)


def row(name: str, judged: Judged) -> str:
    """What was judged of a rule, and what of it is still told."""
    return f"| {name} | {counts(judged)} | {counts([f for f in judged if not f['mended']])} |"


def counts(judged: Judged) -> str:
    found = [sum(f["verdict"] == verdict for f in judged) for verdict in VERDICTS]
    share = f"{found[0] / len(judged):.0%}" if judged else "-"
    return " | ".join(str(n) for n in (len(judged), *found)) + f" | {share}"


def unseen(repositories: Judged) -> Iterator[str]:
    """What the tool said of repositories that nobody had looked at, as it stood then; mends that followed do not count here."""
    yield "Repositories of different kinds that were read once, after the mends that were made until then, and told as the tool stood then: the honest"
    yield "figures. They are in the tables above as well. What was mended because of the first lot was mended when the second was read."
    for number, lot in enumerate(sorted({r["round"] for r in repositories}), start=1):
        yield from _lot(number, [r for r in repositories if r["round"] == lot])


def _lot(number: int, repositories: Judged) -> Iterator[str]:
    yield ""
    yield f"| lot {number} | judged | right | debatable | wrong | right when seen |"
    yield "|---|---|---|---|---|---|"
    judged = [f for r in repositories for f in r["findings"] if not f.get("later")]
    for severity, title in (("error", "errors"), ("warning", "warnings")):
        yield f"| {title} | {counts([f for f in judged if f['severity'] == severity])} |"
    yield ""
    names = [f"{r['repository']} ({sum(not f.get('later') for f in r['findings'])})" for r in repositories]
    yield f"{len(repositories)} repositories, {sum(r['lines'] for r in repositories):,} lines of Python; findings in brackets: {', '.join(names)}."


def calm(repositories: Judged) -> Iterator[str]:
    """Errors and warnings on code in which nothing coordinates: each of them is wrong."""
    yield "Errors and warnings where there is nothing to find. Lines are those of all Python files."
    yield ""
    yield "| repository | commit | lines | errors and warnings | wrong |"
    yield "|---|---|---|---|---|"
    for r in repositories:
        yield f"| {r['repository']} | {r['commit'][:12]} | {r['lines']:,} | {r['findings']} | {r['wrong']} |"
    lines, wrong = sum(r["lines"] for r in repositories), sum(r["wrong"] for r in repositories)
    yield f"| **all** | | {lines:,} | {sum(r['findings'] for r in repositories)} | {wrong} |"
    yield ""
    yield f"Wrong for each 100,000 lines: {wrong * 100_000 / lines:.1f}."


def incidents(own: Judged, given: Judged) -> Iterator[str]:
    """Bugs with the commit that has them and the one that ended them: what was seen at first, what is seen now, and why not."""
    whole = [i for i in own if i["silent"]]
    first = [i for i in whole if i["first"]["found"] and i["first"]["silent"]]
    now = [i for i in whole if "why_missed" not in i]
    yield f"{len(own)} bugs of public projects, from their issue trackers and histories, with place and rule written down before coordlint was run on them"
    yield f"(`benchmarks/incidents.yaml`, measured by `benchmarks/incidents.py`). Of the {len(whole)} that a fix ended wholly, {len(first)} were found before it and"
    yield f"silent after it at first, and {len(now)} now: what was mended was general, but it was mended because it was seen here."
    yield ""
    yield "| incident | rule | at first | now |"
    yield "|---|---|---|---|"
    for i in own:
        link = f"[{i['id']}]({i['thread']})" if i["thread"] else i["id"]
        reason = f"missed: {i['why_missed']}" if "why_missed" in i else "found"
        yield f"| {link} | {i['rule']} | {'found' if i['first']['found'] else 'missed'} | {reason} |"
    yield ""
    yield "Of the incidents that others had collected, these are missed, or not silent after the fix, or not counted there:"
    yield ""
    yield from (f"- {i['id']}: {i['why_missed']}" for i in given)
