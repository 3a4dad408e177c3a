"""When `depends_on` says only in which order to start, and not who talks to whom."""

from __future__ import annotations

import re

from coordlint.deployment import Workload

_NEVER_ASKED = re.compile(
    r"(celery|rq|django|taskiq|flask)-(?!runserver|web|gunicorn|flower|daphne|runsslserver|runserver_plus|events).*"
    r"|django-q|huey|dramatiq|arq|apscheduler|alembic|procrastinate"
)
_WAITER = re.compile(r"(^|.*[-_/])(dockerize|wait[-_]?4x|wait[-_]?for([-_].*)?|wait)$")


def is_order_only(source: Workload, target: Workload, has_one_image: bool) -> bool:
    """Whether a connection that nothing but `depends_on` states is none.

    A job that must have ended, a worker that answers nobody, a sibling of the same image of which neither environment nor
    code says a word, and what a container that only waits is started after: these are waited for, not talked to.
    """
    awaited = [d for d in source.depends_on if d.name == target.name]
    if awaited and all(d.condition == "completed" for d in awaited):
        return True
    if target.processes and all(_NEVER_ASKED.fullmatch(p.program) for p in target.processes):
        return True
    if _WAITER.fullmatch((source.image or "").partition("@")[0].partition(":")[0]):
        return True
    return has_one_image and bool(source.runs) and bool(target.runs)
