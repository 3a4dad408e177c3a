"""Semaphores: one permit excludes as a lock does; several, or nobody knows how many, keep nobody out."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Section

TOP = "import asyncio, os, threading, redis\nfrom django.db import models\nclass Purse(models.Model):\n    left = models.IntegerField()\nr = redis.Redis()\n"


def under(made: str) -> Section:
    (found,) = system(a=f"{TOP}s = {made}\ndef spend():\n    with s:\n        r.set('left', int(r.get('left')) - 1)\n").critical_sections(distributed=False)
    return found


@pytest.mark.parametrize("made", ["threading.Semaphore()", "threading.Semaphore(1)", "threading.BoundedSemaphore(value=1)"])
def test_one_permit_is_a_lock(made: str) -> None:
    assert under(made).lock.model.kind == "lock"


@pytest.mark.parametrize("made", ["threading.Semaphore(4)", "threading.BoundedSemaphore(value=2)", "threading.Semaphore(int(os.environ['N']))", "threading.Semaphore(**given)"])
def test_several_permits_are_none_and_so_is_a_number_that_nobody_knows(made: str) -> None:
    assert under(made).lock.model.kind == "semaphore"


@pytest.mark.parametrize(("made", "locked"), [("threading.Semaphore(1)", True), ("threading.Lock()", True), ("threading.Semaphore(8)", False)])
def test_what_stands_under_several_permits_is_not_locked(made: str, locked: bool) -> None:
    found = system(a=f"{TOP}s = {made}\ndef spend():\n    with s:\n        take()\ndef take():\n    r.set('left', int(r.get('left')) - 1)\n")
    (write,) = (o for o in found.operations() if o.call.endswith(".set"))
    assert found.is_locked(write) is locked


@pytest.mark.parametrize(("made", "locked"), [("threading.Lock()", True), ("threading.Semaphore(8)", False)])
def test_rows_that_are_changed_under_several_permits_are_not_locked(made: str, locked: bool) -> None:
    found = system(
        a=f"{TOP}s = {made}\ndef spend():\n    with s:\n        purse = Purse.objects.get(pk=1)\n        purse.left = purse.left - 1\n        purse.save()\n"
    )
    (changed,) = found.mutations()
    assert bool(changed.locked) is locked
