"""Records that a function reads or writes for its callers: what a caller makes of the two together."""

from __future__ import annotations

from systems import system

STORE = """
import etcd3

client = etcd3.client()


def fetch(name):
    return client.get(f"/depot/{name}")[0]


def has(name):
    return client.get(f"/depot/{name}")[0] is not None


def put(name, text):
    client.put(f"/depot/{name}", text)
"""


def carried(code: str) -> list[str]:
    found = system({"depot/store.py": STORE, "depot/crews.py": code})
    own = set(found.operations())
    return [
        f"{o.op} {o.key_text} by {'.'.join(o.via)}" + (f" from line {o.reads_back.line}" if o.reads_back else "")
        for o in found.operations(carried=True)
        if o not in own
    ]


def test_a_read_and_a_write_of_one_record_through_functions_of_another_module() -> None:
    code = "from depot.store import fetch, put\n\ndef join(ship, man):\n    crew = fetch(ship)\n    put(ship, crew + man)\n"
    assert carried(code) == ["read /depot/{ship} by fetch", "write /depot/{ship} by put from line 4"]


def test_a_read_that_only_says_whether_something_is_there_gives_no_value() -> None:
    code = "from depot.store import has, put\n\ndef join(ship, man):\n    if not has(ship):\n        put(ship, man)\n"
    assert carried(code) == ["read /depot/{ship} by has", "write /depot/{ship} by put"]


def test_another_record_is_no_pair() -> None:
    code = "from depot.store import fetch, put\n\ndef copy(ship, other):\n    crew = fetch(ship)\n    put(other, crew)\n"
    assert carried(code) == []


def test_what_another_branch_made_of_the_read_is_not_what_is_written() -> None:
    code = """from depot.store import fetch, put

def join(ship, man):
    crew = fetch(ship)
    if crew:
        names = crew.split()
        show(names)
    else:
        names = [man]
        put(ship, names)
"""
    assert carried(code) == ["read /depot/{ship} by fetch", "write /depot/{ship} by put"]


def test_a_method_of_a_repository_over_the_store_carries_as_well() -> None:
    code = """from depot.store import fetch, put

class Crews:
    def load(self, ship):
        return fetch(ship).split()

    def save(self, ship, names):
        put(ship, " ".join(names))

def join(ship, man):
    crews = Crews()
    names = crews.load(ship)
    names.append(man)
    crews.save(ship, names)
"""
    assert carried(code) == ["read /depot/{ship} by load.fetch", "write /depot/{ship} by save.put from line 12"]


def test_a_write_that_happens_because_nothing_was_found() -> None:
    code = """from depot.store import has, put

def join(ship, man):
    if has(ship):
        raise KeyError(ship)
    put(ship, man)

def rename(ship, man):
    if has(ship):
        put(ship, man)
"""
    found = system({"depot/store.py": STORE, "depot/crews.py": code})
    told = {o.place.line: o.absent for o in found.operations(carried=True) if o.symbol.startswith("depot.crews") and o.op == "write"}
    assert {line: at.line if at else None for line, at in told.items()} == {6: 4, 10: None}
