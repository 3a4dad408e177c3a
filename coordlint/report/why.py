"""What the engine believes about one line, and what the rules made of it: `coordlint why`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coordlint.coordination import Effect, Operation, Section
from coordlint.report.inventory import use_table
from coordlint.report.json import VERSION, dump
from coordlint.report.result import Verdict, Why
from coordlint.report.style import Style
from coordlint.report.visible import visible
from coordlint.source import Place
from coordlint.system import System
from coordlint.telling import effect_name, lock_name, told

MOST = 8  # sections, callers and entry points that are told to people; JSON has them all


def tables(why: Why, system: System) -> dict[str, Any]:
    """Everything about the line, as plain data."""
    path, line = why.place.path, why.place.line
    return {
        "version": VERSION,
        "path": path,
        "line": line,
        "text": why.text.strip(),
        "names": [{"text": b.text, "can_be": list(b.told)} for b in why.beliefs.expressions],
        "operations": [_operation(o, system) for o in system.operations(tests=True) if _is_at(o.place, path, line)],
        "uses": [use_table(system, u) for u in system.uses() if _is_at(u.place, path, line)],
        "sections": [_section(s) for s in _sections_at(system, path, line)],
        "function": _function(why, system),
        "workloads": [
            {"name": w.name, "kind": w.kind, "role": str(w.role), "path": w.path, "line": w.place.line}
            for w in system.workloads() if w.path == path and w.place.line <= line <= max(w.place.line, w.place.span.end_line)
        ],
        "rules": [_verdict(v) for v in why.verdicts],
        "suppressions": [
            {"codes": list(s.codes), "reason": s.reason, "problem": s.problem, "line": s.place.line} for s in why.suppressions
        ],
    }  # fmt: skip


def render_json(told_: dict[str, Any]) -> str:
    """The answer as one JSON document."""
    return dump(told_)


def render_text(told_: dict[str, Any], style: Style) -> str:
    """The answer for people."""
    head = style.paint(visible(f"{told_['path']}:{told_['line']}"), bold=True)
    return "\n".join([f"{head}  {visible(told_['text'])}", *_lines(told_, style)]) + "\n"


# -- plain data ----------------------------------------------------------------------------------------------------


def _is_at(place: Place, path: str, line: int) -> bool:
    return place.path == path and place.line <= line <= max(place.line, place.span.end_line)


def _touches(section: Section, path: str, line: int) -> bool:
    """A section is told at its acquire, its releases, and where its effects stand or are called from."""
    places = [section.acquired, section.lock.made, *(r.place for r in section.releases)]
    places += [p for e in (*section.effects, *section.reads) for p in (e.place, *e.chain)]
    return any(_is_at(p, path, line) for p in places)


def _sections_at(system: System, path: str, line: int) -> list[Section]:
    """Those that begin at the line, and where none does, those that it has a part in."""
    touching = [s for s in system.critical_sections(tests=True) if _touches(s, path, line)]
    return [s for s in touching if _is_at(s.acquired, path, line)] or touching


def _operation(o: Operation, system: System) -> dict[str, Any]:
    return {
        "call": o.call,
        "does": str(o.op),
        "backend": o.backend or o.kind or None,
        "resource": o.key_text or o.key,
        "when_late": str(o.late),
        "condition": o.conditional or None,
        "ttl": told(o.ttl) if o.ttl is not None else None,
        "atomic": o.atomic or None,
        "in_transaction": o.transaction,
        "commits_alone": o.commits_alone,
        "result": str(o.outcome),
        "handlers": [f"{', '.join(g.catches)}: {g.action} ({g.place})" for g in o.guards],
        "loop": o.loop or None,
        "tried": [f"{r.told} ({r.place})" for r in system.retries(o)],
    }


def _section(s: Section) -> dict[str, Any]:
    return {
        "lock": lock_name(s.lock),
        "acquired": str(s.acquired),
        "how": s.how,
        "made": str(s.lock.made),
        "via": list(s.lock.via),
        "lifetime": told(s.lock.lifetime),
        "wait": told(s.wait),
        "can_fail": s.can_fail,
        "result_tested": s.tested,
        "releases": [{"place": str(r.place), "how": r.how, "on_error": r.on_error} for r in s.releases],
        "escapes": s.escapes,
        "shares_fate": s.shares_fate,
        "token_taken": str(s.token_taken) if s.token_taken else None,
        "effects": [_effect(e) for e in s.effects],
        "reads": [_effect(e) for e in s.reads],
        "not_known": [str(p) for p in s.unresolved],
        "purpose": {
            "kind": s.purpose.kind,
            "score": s.purpose.score,
            "declared": s.purpose.declared or None,
            "points": [{"points": p.points, "reason": p.reason, "place": str(p.place) if p.place else None} for p in s.purpose.points],
        },
    }


def _effect(e: Effect) -> dict[str, Any]:
    return {
        "effect": effect_name(e.operation),
        "place": str(e.place),
        "through": [str(p) for p in e.chain],
        "when_late": str(e.operation.late),
        "condition": e.conditional or None,
        "token_reaches": e.token,
    }


def _function(why: Why, system: System) -> dict[str, Any] | None:
    summary = why.beliefs.function
    if summary is None:
        return None
    inside = [o for symbol in sorted(system.runs(summary.symbol)) for o in system.operations(tests=True) if o.symbol == symbol]
    return {
        "symbol": summary.symbol,
        "place": str(summary.place),
        "returns": list(summary.returns),
        "takes": [{"place": str(p), "lock": t} for p, t in summary.takes],
        "releases": [str(p) for p in summary.releases],
        "reaches": [f"{effect_name(o)} ({o.place})" for o in inside],
        "not_known": [str(p) for p in summary.unresolved],
        "passed": {name: list(values) for name, values in summary.passed},
        "callers": [{"symbol": c, "place": str(p)} for c, p in system.callers(summary.symbol)],
        "entered_by": [{"kind": e.kind, "symbol": e.symbol, "place": str(e.place), "reason": e.reason} for e in system.entries_reaching(summary.symbol) if e.kind != "test"],
        "workloads": [w.name for w in system.workloads_of(summary.symbol)],
    }


def _verdict(v: Verdict) -> dict[str, Any]:
    return {
        "code": v.code,
        "name": v.name,
        "found": list(v.messages),
        "stopped_by": [{"file": file, "line": line, "condition": text} for file, line, text in v.stopped],
        "broke": v.broke or None,
    }


# -- for people ----------------------------------------------------------------------------------------------------


def _lines(told_: dict[str, Any], style: Style) -> Iterator[str]:
    parts = (
        ("names", [f"{n['text']}: {'; or '.join(n['can_be']) or 'not known'}" for n in told_["names"]]),
        ("uses", [_use_line(u) for u in told_["uses"]]),
        ("operations", [line for o in told_["operations"] for line in _operation_lines(o)]),
        ("sections", [line for s in told_["sections"][:MOST] for line in _section_lines(s)] + _more(told_["sections"])),
        ("function", list(_function_lines(told_["function"])) if told_["function"] else []),
        ("workloads", [f"{w['name']} ({w['kind']}, {w['role']})" for w in told_["workloads"]]),
        ("rules", [line for v in told_["rules"] for line in _verdict_lines(v)] or ["no rule was handed anything at this line"]),
        ("suppressions", [f"{', '.join(s['codes'])}: {s['problem'] or s['reason'] or 'no reason given'}" for s in told_["suppressions"]]),
    )
    for title, lines in parts:
        if lines:
            yield ""
            yield style.paint(title, "cyan", bold=True)
            yield from (f"  {visible(line)}" for line in lines)


def _more(told_: list[Any]) -> list[str]:
    return [f"and {len(told_) - MOST} more"] if len(told_) > MOST else []


def _use_line(use: dict[str, Any]) -> str:
    through = f" through {' -> '.join(use['via'])}" if use["via"] else ""
    return f"{use['role']} on {use['backend']} {use['resource'] or ''}{through}".rstrip()


def _operation_lines(o: dict[str, Any]) -> Iterator[str]:
    on = f' on "{o["resource"]}"' if o["resource"] else ""
    yield f"{o['call']}{on}: {o['does']}" + (f", {o['backend']}" if o["backend"] else "")
    said = {
        "when late": o["when_late"], "condition": o["condition"], "time to live": o["ttl"], "atomic": o["atomic"],
        "transaction": "each statement its own" if o["commits_alone"] else "yes" if o["in_transaction"] else None, "result": o["result"], "loop": o["loop"], "tried": ", ".join(o["tried"]) or None,
        "handlers": "; ".join(o["handlers"]) or None,
    }  # fmt: skip
    yield "  " + "; ".join(f"{name}: {value}" for name, value in said.items() if value)


def _section_lines(s: dict[str, Any]) -> Iterator[str]:
    yield f"{s['lock']}, taken at {s['acquired']} ({s['how']}); made at {s['made']}" + (f" through {' -> '.join(s['via'])}" if s["via"] else "")
    tested = {True: "tested", False: "not tested", None: "nothing to test"}[s["result_tested"] if s["can_fail"] else None]
    yield f"  lifetime {s['lifetime']}; waits {s['wait']}; result: {tested}"
    for r in s["releases"]:
        yield f"  released at {r['place']} ({r['how']}{', also after an error' if r['on_error'] else ''})"
    if not s["releases"]:
        yield "  released elsewhere" if s["escapes"] else "  no release seen"
    for word in ("effects", "reads"):
        for e in s[word]:
            through = f" through {', '.join(e['through'])}" if e["through"] else ""
            protected = e["condition"] or ("a token reaches it" if e["token_reaches"] else "")
            yield f"  {word[:-1]} {e['effect']} at {e['place']}{through}" + (f"; protected: {protected}" if protected else "")
    if s["not_known"]:
        yield f"  not known what happens at {', '.join(s['not_known'])}"
    purpose = s["purpose"]
    yield f"  purpose: {purpose['kind']} ({purpose['score']:+d}){', declared ' + purpose['declared'] if purpose['declared'] else ''}"
    for p in purpose["points"]:
        yield f"    {p['points']:+d} {p['reason']}" + (f" ({p['place']})" if p["place"] else "")


def _function_lines(f: dict[str, Any]) -> Iterator[str]:
    yield f"{f['symbol']} ({f['place']})"
    for e in f["entered_by"][:MOST]:
        yield f"  entered by {e['kind']} {e['symbol']} ({e['place']}): {e['reason']}"
    yield from (f"  called by {c['symbol']} ({c['place']})" for c in f["callers"][:MOST])
    yield from (f"  {line} entry points or callers" for line in _more(max(f["entered_by"], f["callers"], key=len)))
    yield from (f"  {name} is {'; or '.join(values)}" for name, values in f["passed"].items())
    yield from (f"  returns {value}" for value in f["returns"])
    yield from (f"  takes {t['lock']} ({t['place']})" for t in f["takes"])
    yield from (f"  releases a lock of others ({place})" for place in f["releases"])
    yield from (f"  reaches {effect}" for effect in f["reaches"][:MOST])
    if f["not_known"]:
        yield f"  not known what happens at {', '.join(f['not_known'])}"
    if f["workloads"]:
        yield f"  runs in {', '.join(f['workloads'])}"


def _verdict_lines(v: dict[str, Any]) -> Iterator[str]:
    name = f"{v['code']} {v['name']}"
    for message in v["found"]:
        yield f"{name}: found: {message}"
    if v["broke"]:
        yield f"{name}: broke: {v['broke']}"
    elif not v["found"]:
        yield f"{name}: looked, and found nothing"
        yield from (f"  stopped by {c['file']}:{c['line']}: {c['condition']}" for c in v["stopped_by"])
