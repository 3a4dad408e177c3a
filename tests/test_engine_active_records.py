"""Records that classes of the project keep in a coordinator themselves: `Ship.get(name)`, `ship.save()`; and what settings say of their keys."""

from __future__ import annotations

from systems import system, uses

STORE = """
    import os
    import json
    import etcd
    client = etcd.Client(host="etcd")
    def read(key): return client.read(key)
    def write(key, value): return client.write(key, value)
    class Kept:
        PREFIX = "/harbour/none"
        name = ""
        berth = ""
        @classmethod
        def key_of(cls, name): return "%s/%s" % (cls.PREFIX, name)
        @classmethod
        def get(cls, name):
            told = json.loads(read(cls.key_of(name)).value)
            made = cls()
            made.name = told["name"]
            made.berth = told["berth"]
            return made
        @property
        def key(self): return self.key_of(self.name)
        def save(self): write(self.key, json.dumps({"name": self.name, "berth": self.berth}))
    """


def test_what_an_inherited_maker_gives_is_of_the_class_that_was_asked() -> None:
    ships = """
        from store import Kept
        class Ship(Kept):
            def moor(self, berth):
                self.berth = berth
                self.save()
        def arrive(name, berth):
            ship = Ship.get(name)
            ship.moor(berth)
        """
    assert ("ships.py:9", "data-store", "etcd") in uses(system(store=STORE, ships=ships))


def test_an_empty_text_in_a_class_is_a_place_that_others_fill() -> None:
    kept = {u.resource for u in system(store=STORE).uses() if u.via and u.symbol == "store.Kept.save"}
    assert kept == {"/harbour/none/{self.name}"}
    alone = STORE.replace("made.name =", "made.title =")
    assert {u.resource for u in system(store=alone).uses() if u.via and u.symbol == "store.Kept.save"} == {"/harbour/none/"}


def test_reads_of_what_the_program_writes_itself_are_its_data_whoever_is_configured_with_them() -> None:
    callers = "\n".join(f"def visit_{n}(name): return Kept.get(name)" for n in ("mayor", "pilot", "baker", "smith", "clerk"))
    told = {u.symbol: u.role for u in system(store=STORE, port="from store import Kept\n" + callers + "\ndef configure(name): return Kept.get(name)\n").uses()}
    assert (told["port.configure"], told["port.visit_mayor"]) == ("data-store", "data-store")


def test_the_default_of_a_setting_says_what_its_key_is_for() -> None:
    body = """
        import os
        from store import read
        SWITCH = os.environ.get("SWITCH_KEY", "/harbour/config/tolls")
        WHERE = os.environ.get("WHERE_KEY", "/harbour/tolls")
        def pays(): return read(SWITCH).value
        def told(): return read(WHERE).value
        """
    assert {u.symbol: u.role for u in system(store=STORE, tolls=body).uses()}["tolls.pays"] == "config"


def test_who_hands_a_key_on_reads_what_his_only_caller_names() -> None:
    body = """
        from store import read
        def lines(key): return read(key).value.split(";")
        ALLOWED = lines("/harbour/config/allowed")
        """
    assert {u.symbol: u.role for u in system(store=STORE, rules=body).uses()}["rules.lines"] == "config"
