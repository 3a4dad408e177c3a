"""In which states of a record something is done."""

from __future__ import annotations

from systems import system

from coordlint import Op

HEAD = "import json\nfrom kazoo.client import KazooClient\nzk = KazooClient(hosts='zk:2181')\ndef load(name):\n    return json.loads(zk.get(f'/work/{name}')[0])\n"


def states(body: str) -> set[tuple[str, str]]:
    found = system(a=HEAD + f"def run(name, me, event):\n{body}")
    (write,) = found.operations(Op.WRITE)
    return set(found.states_at([write.place], "/work/{}"))


def test_what_was_tested_of_the_record_that_was_read() -> None:
    assert states("    piece = load(name)\n    if piece['state'] == 'idle' and piece['by'] == me:\n        zk.set(f'/work/{name}', me)\n") == {("state", "idle")}


def test_what_was_tested_of_something_else_says_nothing_of_it() -> None:
    assert states("    piece = load(name)\n    if event.state == 'idle':\n        zk.set(f'/work/{name}', piece)\n") == set()
    assert states("    piece = load(name)\n    other = load('one')\n    if other.state == 'idle':\n        zk.set(f'/work/{name}', piece)\n") == set()


def test_another_branch_is_another_state() -> None:
    assert states("    piece = load(name)\n    if piece.state == 'idle':\n        pass\n    elif piece.state == State.TAKEN:\n        zk.set(f'/work/{name}', me)\n") == {("state", "TAKEN")}
