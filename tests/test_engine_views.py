"""Views, forms and serializers say which records they are for; what their frameworks find and hand in is such a record."""

from __future__ import annotations

import pytest
from systems import system

SHOP = """
from django.db import models
from rest_framework import serializers
class Seat(models.Model):
    state = models.CharField(max_length=9)
    holder = models.CharField(max_length=9)
class SeatSerializer(serializers.ModelSerializer):
    class Meta:
        model = Seat
"""
HEAD = """
from django.views.generic import DetailView, UpdateView
from rest_framework import generics, viewsets
from shop import Seat, SeatSerializer
"""


def given(of: str, body: str, name: str = "take(self, request, pk=None)", more: str = "") -> set[str]:
    """Who is told to be given a seat that is found free, in a method of a view."""
    text = f"{HEAD}{more}\nclass Seats({of}):\n    def {name}:\n        {body}\n"
    seen = system(None, shop=SHOP, views=text)
    return {m.field for m in seen.mutations() if m.claimed and not m.versioned and m.symbol.startswith("views.Seats")}


TAKE = "seat = {found}\n        if seat.state != 'free':\n            return\n        seat.state = 'taken'\n        seat.holder = request.user\n        seat.save()"


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("viewsets.ModelViewSet", "queryset = Seat.objects.select_related('row').all()"),
        ("viewsets.GenericViewSet", "def get_queryset(self): return Seat.objects.filter(row=1)"),
        ("generics.RetrieveUpdateAPIView", "serializer_class = SeatSerializer"),
        ("UpdateView", "model = Seat"),
        ("DetailView", "queryset = Seat.objects.all()"),
    ],
)
def test_the_object_of_a_view_is_one_of_its_records(base: str, says: str) -> None:
    more = f"class Base({base}):\n    {says}\n"
    assert given("Base", TAKE.format(found="self.get_object()"), more=more) == {"holder"}
    assert given("Base", TAKE.format(found="super().get_object()"), more=more) == {"holder"}
    assert given("Base", TAKE.format(found="self.get_queryset().get(pk=pk)"), more=more) == {"holder"}


def test_a_mixin_asks_for_the_records_of_the_views_that_it_is_mixed_into() -> None:
    text = HEAD + f"class Taking:\n    def take(self, request):\n        {TAKE.format(found='self.get_object()')}\nclass Seats(Taking, viewsets.ModelViewSet):\n    queryset = Seat.objects.all()\n"
    seen = system(None, shop=SHOP, views=text)
    assert [m.type for m in seen.mutations() if m.claimed] == ["shop.Seat"]


def test_a_view_whose_query_locks_finds_a_locked_record() -> None:
    assert given("viewsets.ModelViewSet", TAKE.format(found="self.get_object()") + "\n    def get_queryset(self):\n        return Seat.objects.select_for_update()") == set()


def test_what_says_for_no_record_what_it_is_for_finds_nothing_known() -> None:
    assert given("viewsets.ModelViewSet", TAKE.format(found="self.get_object()")) == set()


def test_the_serializer_that_is_handed_in_holds_the_record_that_is_updated() -> None:
    more = "class Base(viewsets.ModelViewSet):\n    queryset = Seat.objects.all()\n    serializer_class = SeatSerializer\n"
    body = TAKE.format(found="serializer.instance").replace("request.user", "self.request.user")
    assert given("Base", body, "perform_update(self, serializer)", more) == {"holder"}
    assert given("Base", body, "perform_create(self, serializer)", more) == set()


def test_who_is_named_where_a_state_is_moved_is_no_claim_unless_he_is_saved_with_it() -> None:
    apart = "seat = Seat.objects.get(pk=pk)\n        if seat.state != 'free':\n            return\n        seat.state = 'taken'\n        seat.save()\n        seat.holder = request.user"
    assert given("viewsets.ViewSet", apart) == set()
