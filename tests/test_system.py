"""The questions that rules ask, over one graph."""

from __future__ import annotations

from systems import system

PAYING = {
    "locks.py": "import redis\nr = redis.Redis()\ndef guard(i): return r.lock(f'acct:{i}')\n",
    "pay.py": "import stripe\nfrom locks import guard\ndef bill():\n    stripe.Charge.create(amount=1)\ndef charge(i):\n    with guard(i):\n        bill()\n",
    "web.py": "from flask import Flask\nfrom pay import charge\napp = Flask(__name__)\n@app.route('/pay')\ndef pay():\n    charge(1)\n",
}


def test_a_graph_joins_functions_sections_and_effects() -> None:
    found = set(system(PAYING).relations("acquires", "guards", "performs"))
    assert ("function pay.charge", "acquires", "section pay.py:6") in found
    assert ("section pay.py:6", "guards", "effect pay.py:4") in found
    assert ("function pay.bill", "performs", "effect pay.py:4") in found


def test_callers_are_told_with_the_places_of_their_calls() -> None:
    assert [(caller, str(place)) for caller, place in system(PAYING).callers("pay.bill")] == [("pay.charge", "pay.py:7")]


def test_an_entry_point_reaches_what_its_calls_reach() -> None:
    (entry,) = system(PAYING).entries_reaching("pay.bill")
    assert (entry.kind, entry.symbol, entry.route) == ("http", "web.pay", "/pay")


def test_imports_are_edges_between_modules() -> None:
    assert ("module web", "imports", "module pay") in set(system(PAYING).relations("imports"))


def test_operations_of_test_code_are_left_out_unless_asked_for() -> None:
    found = system({"tests/test_a.py": "import redis\nredis.Redis().set('k', 1)\n"})
    assert [list(found.operations(tests=asked)) != [] for asked in (False, True)] == [False, True]


def test_tests_are_no_callers_unless_they_speak_to_a_coordinator_themselves() -> None:
    found = system({**PAYING, "tests/test_a.py": "from pay import bill\ndef test(): bill()\n", "tests/test_b.py": "import redis\nfrom pay import bill\ndef test(): bill()\n"})
    assert [caller for caller, _ in found.callers("pay.bill")] == ["pay.charge", "tests.test_b.test"]


def test_a_handler_of_every_caller_guards_an_operation_and_one_of_some_does_not() -> None:
    base = "import redis\nr = redis.Redis()\ndef read():\n    return r.get('k')\ndef a():\n    try:\n        read()\n    except Exception:\n        pass\n"
    guarded = system(a=base)
    (operation,) = [o for o in guarded.operations() if o.symbol == "a.read"]
    assert guarded.guards_above(operation)
    bare = system(a=base + "def b():\n    read()\n")
    (operation,) = [o for o in bare.operations() if o.symbol == "a.read"]
    assert not bare.guards_above(operation)
