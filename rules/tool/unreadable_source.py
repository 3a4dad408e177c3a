"""A file in scope could not be analysed.

Why: what was not read cannot be found wrong. A run that leaves files out in silence looks the same as a clean one, so
every file that could not be analysed is told, with the line and the reason: its syntax, its encoding, its size, a
template that only its tool can render.

Instead: mend the file; or say that it is not the project's own with `exclude = ["path"]` under `[tool.coordlint]`. With
`--strict` a run fails when anything was skipped.

Fine when: the file is a template or a deliberately broken test input; exclude it, so that the next one is noticed.

Sources: the exit codes and the coverage that every coordlint report carries.
"""

from collections.abc import Iterator
from itertools import groupby

from coordlint import HIGH, INFO, Found, Place, Span, System, found, rule


@rule("CL001", severity=INFO)
def unreadable_source(system: System) -> Iterator[Found]:
    for path, skips in groupby(system.skips(), lambda skip: skip.path):  # they come sorted by path
        first, *more = sorted(skips, key=lambda skip: skip.line)
        others = f" ({len(more)} more such {'place' if len(more) == 1 else 'places'} in this file)" if more else ""
        yield found(
            f"{path} was not analysed: {first.reason}{others}.",
            at=Place(path, Span(first.line)),
            because=[(Place(path, Span(skip.line)), skip.reason) for skip in more[:2]],
            confidence=HIGH,
        )


EXAMPLES = """
=== bad: Python that no interpreter would read
--- worker.py
import redis
def broken(:  # finding: unreadable-source
    pass
--- fine.py
import redis

=== bad: one finding for a file, however many of its documents are broken
--- objects.yaml
apiVersion: v1
kind: Service
metadata: {name: a, name: b}   # finding: unreadable-source
---
apiVersion: v1
kind: Service
metadata: {name: c, [x]: b}
---
apiVersion: v1
kind: Service
metadata: {name: c, [y]: b}

=== good: Python and a compose file that are well formed
--- worker.py
import redis
--- compose.yaml
services:
  worker:
    image: worker
"""
