"""Constructors of libraries call methods that the subclass defines."""

from __future__ import annotations

import pytest
from systems import system

STORE = "import redis\nclient = redis.Redis()\ndef note(): client.set('started', 1)\n"


def calls_back(base: str, method: str, body: str) -> bool:
    module, _, name = base.rpartition(".")
    source = f"from {module} import {name}\nfrom store import note\nclass Mine({name}):\n    def __init__(self, *args, **kwargs):\n        {body}\n    def {method}(self): note()\n"
    return "store.note" in system(None, store=STORE, mine=source).reached_from("mine.Mine.__init__")


@pytest.mark.parametrize(
    ("base", "method"),
    [("celery.beat.Scheduler", "setup_schedule"), ("django_celery_beat.schedulers.DatabaseScheduler", "setup_schedule"), ("socketserver.BaseRequestHandler", "handle")],
)
def test_the_constructor_above_calls_what_the_subclass_defines(base: str, method: str) -> None:
    assert calls_back(base, method, "super().__init__(*args, **kwargs)")
    assert calls_back(base, method, "super(Mine, self).__init__(*args, **kwargs)")
    assert calls_back(base, method, f"{base.rpartition('.')[2]}.__init__(self, *args, **kwargs)")


@pytest.mark.parametrize("body", ["super().__init__(*args, lazy=True)", "kwargs['lazy'] = True; super().__init__(*args, **kwargs)", "kwargs.setdefault('lazy', True); super().__init__(*args, **kwargs)"])
def test_one_that_is_told_not_to_does_not(body: str) -> None:
    assert not calls_back("celery.beat.Scheduler", "setup_schedule", body)


def test_another_base_class_does_not() -> None:
    assert not calls_back("collections.UserDict", "setup_schedule", "super().__init__(*args, **kwargs)")
