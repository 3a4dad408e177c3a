"""Assignments to properties are calls, and objects that a class makes of itself are of the class that was asked."""

from __future__ import annotations

from systems import system, uses

STORE = "import etcd3\nclient = etcd3.client(host='etcd')\ndef save(key, value):\n    client.put('/state/' + key, value)\n"


def reaches_store(caller: str, **modules: str) -> bool:
    made = system(None, store=STORE, **modules)
    return any(symbol == caller and "store.save" in made.reached_from(symbol) for symbol in (f.symbol for f in made.functions()))


def test_an_assignment_to_a_property_calls_its_setter() -> None:
    thing = "from store import save\nclass Thing:\n    @property\n    def state(self): return None\n    @state.setter\n    def state(self, value): save('x', value)\n"
    assert reaches_store("work.run", thing=thing, work="from thing import Thing\ndef run():\n    made = Thing()\n    made.state = 'on'\n")


def test_a_setter_that_is_named_in_a_call_of_property_is_called_too() -> None:
    thing = "from store import save\nclass Thing:\n    def _get(self): return None\n    def _set(self, value): save('x', value)\n    state = property(_get, _set)\n"
    assert reaches_store("work.run", thing=thing, work="from thing import Thing\ndef run(made: Thing):\n    made.state = 'on'\n")


def test_a_plain_attribute_of_a_subclass_hides_the_property_above() -> None:
    thing = "from store import save\nclass Thing:\n    @property\n    def state(self): return None\n    @state.setter\n    def state(self, value): save('x', value)\n"
    work = "from thing import Thing\nclass Plain(Thing):\n    state = ''\ndef run():\n    made = Plain()\n    made.state = 'on'\n"
    assert not reaches_store("work.run", thing=thing, work=work)


def test_what_a_class_method_makes_of_its_class_is_of_the_class_that_was_asked() -> None:
    base = "class Record:\n    @classmethod\n    def find(cls, key):\n        if not key: return None\n        return cls()\n    def itself(self): return self\n"
    work = "import redis\nfrom base import Record\nclass Job(Record):\n    def take(self):\n        return redis.Redis().lock('job', timeout=9)\ndef run(key):\n    with Job.find(key).itself().take(): pass\n"
    assert ("work.py:7", "lock", "redis") in uses(system(None, base=base, work=work))


def test_a_class_that_is_made_by_its_own_name_is_that_class() -> None:
    base = "class Record:\n    @classmethod\n    def find(cls, key):\n        return Record()\n    def take(self):\n        return open('job')\n"
    work = "import redis\nfrom base import Record\nclass Job(Record):\n    def take(self):\n        return redis.Redis().lock('job', timeout=9)\ndef run(key):\n    with Job.find(key).take(): pass\n"
    assert not [u for u in uses(system(None, base=base, work=work)) if u[0] == "work.py:7"]
