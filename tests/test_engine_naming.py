"""Who names the key of a general wrapper, and what requests bring into keys."""

from __future__ import annotations

from systems import system

STORE = """
import etcd3

_client = etcd3.client()


def write(key, text, seconds=None, keep=True):
    if seconds is None:
        _client.put(key, text)
    else:
        _client.put(key, text, lease=_client.lease(seconds))
    if not keep:
        _client.delete(key)


def drop(key):
    _client.delete(key)
"""


def named(code: str) -> list[str]:
    found = system({"depot/store.py": STORE, "depot/web.py": code})
    return [f"{o.op} {o.key_text}" + (" for a while" if o.ephemeral else "") + (f" brought at {o.brought.line}" if o.brought else "") for o in found.operations(named=True) if o.via]


def test_the_caller_who_names_the_key_writes_as_well() -> None:
    assert named("from depot import store\n\ndef moor(ship, man):\n    store.write(f'berths/{ship}', man)\n") == ["write berths/{ship}"]


def test_the_branch_that_the_arguments_rule_out_is_not_taken() -> None:
    assert named("from depot import store\n\ndef moor(ship, man):\n    store.write(f'berths/{ship}', man, seconds=30)\n") == ["write berths/{ship} for a while"]


def test_who_only_hands_the_key_on_names_nothing() -> None:
    code = "from depot import store\n\ndef save(key, man):\n    store.write(key, man)\n\ndef moor(ship, man):\n    save('berths/' + ship, man)\n"
    assert named(code) == ["write berths/{ship}"]


def test_a_delete_is_named_too() -> None:
    assert named("from depot import store\n\ndef leave(ship):\n    store.drop(f'berths/{ship}')\n") == ["delete berths/{ship}"]


HEAD = "from flask import Flask, request\nfrom depot import store\napp = Flask(__name__)\n"


def test_a_part_of_a_key_that_a_route_brings() -> None:
    assert named(HEAD + "@app.post('/b/<ship>')\ndef moor(ship):\n    store.write(f'berths/{ship}', 'x')\n") == ["write berths/{ship} brought at 6"]


def test_a_part_of_a_key_that_the_body_of_a_request_brings() -> None:
    (told,) = named(HEAD + "@app.post('/b')\ndef moor():\n    body = request.get_json()\n    store.write('berths/' + body['ship'], 'x')\n")
    assert told.endswith("brought at 7")


def test_what_the_program_knows_itself_is_not_brought() -> None:
    assert named(HEAD + "HOST = 'a' + make()\n\n@app.post('/b')\ndef moor():\n    store.write(f'berths/{HOST}', 'x')\n")[0].endswith("}")


def test_it_is_brought_through_functions_of_other_modules() -> None:
    code = HEAD + "def moor(ship):\n    store.write(f'berths/{ship}', 'x')\n\n@app.post('/b/<name>')\ndef come(name):\n    moor(name)\n"
    assert named(code) == ["write berths/{ship} brought at 9"]
