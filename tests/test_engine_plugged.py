"""Calls of objects that nothing types: plug-ins that the package declares, and receivers that are named for a class."""

import pytest
from systems import MODELS

from coordlint.examples import Example
from coordlint.extract import extract
from coordlint.link import link
from coordlint.system import System

STORE = """
import consul

c = consul.Consul()

class MarkStore:
    def marks_of(self, user):
        return c.kv.get("marks/" + user)
"""
VIEW = """
from flask import Flask

app = Flask(__name__)

@app.get("/<user>")
def page(user, {given}):
    return {asked}.marks_of(user)
"""


def system_of(files: dict[str, str]) -> System:
    return link([extract(source) for source in Example("bad", "", files).sources], MODELS)


def reached(asked: str, declared: dict[str, str] | None = None, store: str = STORE) -> bool:
    """Whether a request comes to the store when the view asks something."""
    view = VIEW.format(given=asked.partition(".")[0].partition("[")[0], asked=asked)
    found = system_of({"shop/store.py": store, "shop/views.py": view, **(declared or {})})
    return any(e.kind == "http" for e in found.entries_reaching("shop.store.MarkStore.marks_of"))


@pytest.mark.parametrize("asked", ["mark_store", "self.mark_store", "self._mark_store", "app.state.mark_store", 'stores["mark_store"]'])
def test_a_receiver_that_is_named_for_a_class_is_asked_for_its_method(asked: str) -> None:
    assert reached(asked)


def test_a_receiver_that_is_named_for_the_module_of_the_only_class_with_the_method_is_asked_for_it() -> None:
    assert reached("store")
    assert reached("self._store")


def test_where_two_classes_have_the_method_a_module_says_nothing() -> None:
    assert not reached("store", {"shop/other.py": "class Other:\n    def marks_of(self, user):\n        return []\n"})


@pytest.mark.parametrize("asked", ["marks", "other_store", "self", "mark_store()"])
def test_a_receiver_of_another_name_is_not(asked: str) -> None:
    assert not reached(asked)


def test_two_classes_of_one_name_are_none() -> None:
    assert not reached("mark_store", {"shop/old.py": STORE})


PLUGIN = '"shop.sources": ["marks = shop.store:MarkStore"]'


@pytest.mark.parametrize(
    "declared",
    [
        {"setup.py": "from setuptools import setup\nsetup(entry_points={" + PLUGIN + ', "console_scripts": ["a = shop.store:main"]})\n'},
        {"setup.cfg": "[options.entry_points]\nconsole_scripts =\n    a = shop.store:main\nshop.sources =\n    marks = shop.store:MarkStore\n"},
        {"setup.cfg": "[entry_points]\nshop.sources =\n    marks = shop.store:MarkStore\n"},
        {"pyproject.toml": '[project.entry-points."shop.sources"]\nmarks = "shop.store:MarkStore"\n'},
        {"pyproject.toml": '[tool.poetry.plugins."shop.sources"]\nmarks = "shop.store:MarkStore"\n'},
    ],
)
def test_a_plug_in_is_asked_by_a_word_of_its_kind(declared: dict[str, str]) -> None:
    assert reached("source", declared)
    assert reached("self._source", declared)
    assert not reached("target", declared)
    assert not reached("source", {name: text.replace("MarkStore", "Gone") for name, text in declared.items()})


def test_what_a_plug_in_makes_is_asked_as_well() -> None:
    made = STORE.replace("class MarkStore", "class _Marks") + "\nclass MarkStore:\n    def load(self):\n        return _Marks()\n"
    view = VIEW.format(given="service", asked="service.marks")
    files = {"shop/store.py": made, "shop/views.py": view, "setup.py": "setup(entry_points={" + PLUGIN + "})\n"}
    found = system_of(files)
    assert any(e.kind == "http" for e in found.entries_reaching("shop.store._Marks.marks_of"))


def test_names_that_everybody_answers_to_are_no_sign_of_a_plug_in() -> None:
    store = STORE.replace("marks_of", "get")
    view = VIEW.format(given="source", asked="source").replace("marks_of", "get")
    files = {"shop/store.py": store, "shop/views.py": view, "setup.py": "setup(entry_points={" + PLUGIN + "})\n"}
    assert not system_of(files).entries_reaching("shop.store.MarkStore.get")


def test_a_handler_around_the_call_of_a_plug_in_counts_and_tests_do_not() -> None:
    view = """
def page(source, user):
    try:
        return source.marks_of(user)
    except Exception:
        return None
"""
    test = "from shop.store import MarkStore\n\ndef test_marks():\n    assert MarkStore().marks_of('a')\n"
    files = {"shop/store.py": STORE, "shop/views.py": view, "tests/test_store.py": test, "setup.py": "setup(entry_points={" + PLUGIN + "})\n"}
    found = system_of(files)
    read = next(o for o in found.operations() if o.call.endswith("KV.get"))
    assert [g.action for g in found.guards_above(read)] == ["return"]
