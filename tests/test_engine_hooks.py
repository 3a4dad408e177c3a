"""What frameworks' own methods call of the classes that inherit them."""

from __future__ import annotations

import pytest
from systems import system

RUN = """\
from {library} import {base}
from tasks import note

class Form({base}):
    def {hook}(self, *given):
        note()

def view(data):
    form = Form(data=data)
    form.{asked}()
"""
TASKS = "import redis\nr = redis.Redis()\ndef note():\n    r.set('seen', 1)\n"


@pytest.mark.parametrize(
    ("library", "base", "asked", "hook"),
    [
        ("rest_framework.serializers", "ModelSerializer", "is_valid", "validate_name"),
        ("rest_framework.serializers", "Serializer", "save", "create"),
        ("django.forms", "ModelForm", "is_valid", "clean"),
        ("django.forms", "Form", "full_clean", "clean_name"),
        ("flask_wtf", "FlaskForm", "validate_on_submit", "validate_name"),
    ],
)
def test_a_framework_calls_what_its_protocol_names(library: str, base: str, asked: str, hook: str) -> None:
    made = system({"app.py": RUN.format(library=library, base=base, asked=asked, hook=hook), "tasks.py": TASKS})
    assert [c for c, _ in made.callers(f"app.Form.{hook}")] == ["app.view"]
    assert "tasks.note" in made.reached_from("app.view")


def test_only_the_protocol_is_called() -> None:
    other = RUN.format(library="rest_framework.serializers", base="Serializer", asked="is_valid", hook="create")
    made = system({"app.py": other, "tasks.py": TASKS})
    assert made.callers("app.Form.create") == ()
    strange = RUN.format(library="acme.forms", base="Form", asked="is_valid", hook="clean")
    assert system({"app.py": strange, "tasks.py": TASKS}).callers("app.Form.clean") == ()


def test_the_method_above_calls_what_stands_below() -> None:
    text = """\
from rest_framework import serializers

class Serializer(serializers.Serializer):
    def is_valid(self, raise_exception=False):
        return super().is_valid(raise_exception)

    def validate(self, data):
        return data
"""
    assert [c for c, _ in system({"app.py": text}).callers("app.Serializer.validate")] == ["app.Serializer.is_valid"]


def test_a_method_of_the_project_is_called_itself() -> None:
    text = RUN.format(library="django.forms", base="Form", asked="is_valid", hook="clean").replace("def view", "    def is_valid(self):\n        return True\n\ndef view")
    made = system({"app.py": text, "tasks.py": TASKS})
    assert made.callers("app.Form.clean") == ()
    assert [c for c, _ in made.callers("app.Form.is_valid")] == ["app.view"]


def test_what_the_object_was_made_with_may_be_anything() -> None:
    text = """
from rest_framework.serializers import Serializer
import redis
r = redis.Redis()

class Order(Serializer):
    def __init__(self, take, **rest):
        self.take = take

    def validate(self, given):
        r.set("seen", 1)

def view(data):
    order = Order(r.lpop, data=data)
    order.is_valid()
"""
    assert [c for c, _ in system({"app.py": text}).callers("app.Order.validate")] == ["app.view"]
