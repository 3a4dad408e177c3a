"""Rows that are made because a query found none: what looks, what makes, and what the database refuses."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.contention import Creation

PEOPLE = "from django.db import models\nclass Person(models.Model):\n    email = models.EmailField({email})\n    team = models.IntegerField()\n    born = models.DateField()\n{meta}\n"
TOGETHER = "    class Meta:\n        unique_together = [('email', 'team')]"
CONSTRAINT = "    class Meta:\n        constraints = [models.UniqueConstraint(fields=['team'], {more}name='one')]"


def made(body: str, email: str = "", meta: str = "") -> list[Creation]:
    """The rows that one function makes because it found none."""
    return list(system(people=PEOPLE.format(email=email, meta=meta), app=f"from people import Person\ndef join(email, team):\n{body}").creations())


LOOKS = "    if Person.objects.filter(email=email).exists():\n        return None\n    return Person.objects.create(email=email, team=team)\n"


@pytest.mark.parametrize(
    "body",
    [
        LOOKS,
        "    found = Person.objects.filter(email=email).first()\n    if found is None:\n        found = Person(email=email)\n        found.save()\n    return found\n",
        "    try:\n        return Person.objects.get(email=email)\n    except Person.DoesNotExist:\n        return Person.objects.create(email=email)\n",
        "    try:\n        Person.objects.get(email=email)\n        raise ValueError\n    except Person.DoesNotExist:\n        pass\n    Person.objects.create(email=email)\n",
        "    query = Person.objects.all()\n    query = query.filter(email=email)\n    if not query.exists():\n        person = Person()\n        person.email = email\n        person.save()\n",
        "    if not Person.objects.filter(email=email).exists():\n        store(email)\ndef store(address):\n    Person.objects.create(email=address)\n",
        "    if is_there(email):\n        return\n    Person.objects.create(email=email)\ndef is_there(address):\n    return Person.objects.filter(email=address).exists()\n",
    ],
    ids=["exists", "first", "in the handler", "behind the handler", "a query in steps", "made by a helper", "looked for by a helper"],
)
def test_a_look_up_leads_to_a_row_with_the_values_that_it_looked_for(body: str) -> None:
    assert [(c.type, c.columns, c.refused) for c in made(body)] == [("people.Person", ("email",), "")]


@pytest.mark.parametrize(
    "body",
    [
        "    if Person.objects.filter(email=email).exists():\n        Person.objects.create(email=email)\n",
        "    if not Person.objects.filter(email=email).exists():\n        return\n    Person.objects.create(email=email)\n",
        "    if not Person.objects.filter(email='root').exists():\n        Person.objects.create(email=email)\n",
        "    if not Person.objects.filter(team=7).exists():\n        Person.objects.create(email=email)\n",
        "    print(Person.objects.filter(email=email).exists())\n    Person.objects.create(email=email)\n",
        "    if not Person.objects.select_for_update().filter(email=email).exists():\n        Person.objects.create(email=email)\n",
    ],
    ids=["made because it is there", "left because it is not", "another one", "by what it is not given", "only told", "locked"],
)
def test_other_look_ups_lead_to_nothing(body: str) -> None:
    assert made(body) == []


@pytest.mark.parametrize(
    ("email", "meta", "refused"),
    [
        ("unique=True", "", "email"),
        ("primary_key=True", "", "email"),
        ("", TOGETHER, "email, team"),
        ("", CONSTRAINT.format(more=""), "team"),
        ("", CONSTRAINT.format(more="condition=models.Q(born=None), "), "a constraint"),
        ("", "", ""),
    ],
)
def test_what_a_class_declares_unique_refuses_the_second(email: str, meta: str, refused: str) -> None:
    assert [c.refused for c in made(LOOKS, email, meta)] == [refused]


def test_a_class_whose_columns_are_partly_elsewhere_is_not_known() -> None:
    people = "from shared import Base\nfrom django.db import models\nclass Person(Base):\n    email = models.EmailField()\n"
    found = system(people=people, app=f"from people import Person\ndef join(email, team):\n{LOOKS}").creations()
    assert [c.refused for c in found] == [None]


def test_a_limit_is_a_number_that_decides() -> None:
    body = "    if Person.objects.filter(team=team).count() >= 5:\n        return\n    Person.objects.create(team=team, email=email)\n"
    assert [(c.counts, c.columns) for c in made(body)] == [(True, ("team",))]


def test_a_row_that_gets_the_state_which_others_were_asked_for() -> None:
    body = (
        "    me = Person.objects.get(pk=1)\n    if Person.objects.filter(team=team, email='captain').exists():\n        return\n"
        "    me.email = 'captain'\n    me.save()\n"
    )
    assert [c.state for c in made(body)] == ["email = 'captain'"]


def test_an_upsert_that_changes_what_it_looks_for_finds_no_second() -> None:
    assert [c.upsert for c in made("    Person.objects.get_or_create(email=email)\n")] == [True]
    assert made("    Person.objects.update_or_create(email=None, team=team, defaults={'email': email})\n") == []


def test_what_a_helper_finds_or_makes_is_the_helpers_matter() -> None:
    body = (
        "    first = root(team)\n    if first is None:\n        return\n    Person.objects.create(team=team, email=email)\n"
        "def root(team):\n    found = Person.objects.filter(team=team).first()\n    if found is None:\n        found = Person.objects.create(team=team)\n    return found\n"
    )
    assert [c.symbol for c in made(body)] == ["app.root"]


def test_a_row_that_a_helper_gives_leads_to_another_only_where_it_is_missing() -> None:
    helper = "def last(team):\n    return Person.objects.filter(team=team).first()\n"
    assert made("    if last(team):\n        Person.objects.create(team=team)\n" + helper) == []
    assert [c.columns for c in made("    if last(team) is None:\n        Person.objects.create(team=team)\n" + helper)] == [("team",)]
