"""Managers and query sets of Django that a project defines itself are asked like the library's own, for the model that keeps them."""

from __future__ import annotations

import pytest
from systems import system

MODELS = """
from django.db import models
class Open(models.QuerySet):
    def free(self):
        return self.filter(owner=None)
class Typed(models.QuerySet["Item"]):
    pass
class Own(models.Manager):
    def free(self):
        return self.get_queryset().filter(owner=None)
class Item(models.Model):
    objects = {made}
    owner = models.CharField(max_length=9)
"""


def tables(made: str, asked: str) -> set[str | None]:
    seen = system(None, shop=MODELS.format(made=made), work=f"from shop import Item\ndef run():\n    Item.objects.{asked}\n")
    return {o.key for o in seen.operations() if o.symbol == "work.run" and o.call.endswith((".update", ".bulk_update"))}


@pytest.mark.parametrize("made", ["Own()", "Open.as_manager()", "models.Manager.from_queryset(Open)()", "models.Manager()"])
def test_a_change_through_a_manager_changes_rows_of_its_model(made: str) -> None:
    assert tables(made, "bulk_update([], ['owner'])") == {"Item"}


@pytest.mark.parametrize("made", ["Own()", "Open.as_manager()", "models.Manager.from_queryset(Open)()"])
def test_what_a_method_of_the_manager_gives_are_rows_of_its_model(made: str) -> None:
    assert tables(made, "free().update(owner='me')") == {"Item"}


def test_a_base_class_with_a_type_in_brackets_is_that_base_class() -> None:
    assert tables("Typed.as_manager()", "filter(owner=None).update(owner='me')") == {"Item"}
