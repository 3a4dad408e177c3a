"""A method of a class may be that of a subclass, when nothing says of which class the object is."""

from __future__ import annotations

from systems import system

BASE = (
    "import redis\nr = redis.Redis()\nclass Job:\n    def run(self, name):\n        with r.lock(name, timeout=5):\n            self.work(name)\n"
    "    def work(self, name):\n        print(name)\n    @property\n    def store(self):\n        return None\n    def keep(self, name):\n        self.store.hset('kept', name, 1)\n"
)
PAY = "class Pay(Job):\n    def work(self, name):\n        r.set('paid', name)\n"


def effects(text: str) -> list[str]:
    return sorted(e.operation.call for s in system(a=text).critical_sections() for e in s.effects)


def test_what_a_subclass_does_instead_happens_under_the_lock_of_the_class() -> None:
    assert effects(BASE) == []
    assert effects(BASE + PAY) == ["redis.Redis.set"]


def test_a_subclass_of_a_subclass_in_another_module_counts_as_well() -> None:
    mail = "from a import Job, r\nclass Mail(Job):\n    pass\nclass Fast(Mail):\n    def work(self, name):\n        r.delete(name)\n"
    found = system(a=BASE, b=mail)
    assert [e.operation.call for s in found.critical_sections() for e in s.effects] == ["redis.Redis.delete"]


def test_an_object_that_was_made_here_is_of_its_own_class() -> None:
    text = "class Plain:\n    def work(self, name):\n        print(name)\nclass Loud(Plain):\n    def work(self, name):\n        r.set(name, 1)\ndef go(name):\n    with r.lock(name, timeout=5):\n        Plain().work(name)\n"
    assert effects("import redis\nr = redis.Redis()\n" + text) == []


def test_more_subclasses_than_a_few_say_nothing() -> None:
    many = "".join(f"class J{n}(Job):\n    def work(self, name):\n        r.set('{n}', name)\n" for n in range(9))
    assert effects(BASE + many) == []


def test_what_tests_derive_says_nothing_of_the_class() -> None:
    found = system({"a.py": BASE, "tests/test_a.py": "from a import Job, r\nclass Fake(Job):\n    def work(self, name):\n        r.set('x', name)\n"})
    assert [e for s in found.critical_sections() for e in s.effects] == []


def test_a_property_may_be_that_of_a_subclass() -> None:
    sub = "class Kept(Job):\n    @property\n    def store(self):\n        return redis.Redis()\n"
    assert [o.call for o in system(a=BASE + sub).operations() if o.call.endswith("hset")] == ["redis.Redis.hset"]
