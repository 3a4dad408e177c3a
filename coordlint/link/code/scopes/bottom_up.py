"""The order in which summaries are made: callees before their callers, and what calls each other in one go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


def bottom_up(calls: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """The strongly connected components of a call graph, callees first, each sorted. Names that are no key are left out."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: list[str] = []
    is_open: set[str] = set()
    for root in calls:
        if root in index:
            continue
        todo = [(root, iter(calls[root]))]
        index[root] = low[root] = len(index)
        open_.append(root)
        is_open.add(root)
        while todo:  # Tarjan's algorithm without recursion: generated code calls deeper than any stack
            name, rest = todo[-1]
            callee = next((c for c in rest if c in calls and (c not in index or c in is_open)), None)
            if callee is None:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[name])
                if low[name] == index[name]:
                    yield _closed(name, open_, is_open)
            elif callee in index:
                low[name] = min(low[name], index[callee])
            else:
                index[callee] = low[callee] = len(index)
                open_.append(callee)
                is_open.add(callee)
                todo.append((callee, iter(calls[callee])))


def _closed(name: str, open_: list[str], is_open: set[str]) -> tuple[str, ...]:
    found = [open_.pop()]
    while found[-1] != name:
        found.append(open_.pop())
    is_open.difference_update(found)
    return tuple(sorted(found))
