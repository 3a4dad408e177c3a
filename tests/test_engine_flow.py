"""What flows where through the project's own functions: records that are read and written back, results, limits."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.system import System

HEAD = "import redis\nr = redis.Redis()\n"


def read_back(found: System) -> list[tuple[int, int]]:
    """(line of the write, line of the read it was computed from)."""
    return [(o.place.line, o.reads_back.line) for o in found.operations() if o.reads_back is not None]


LOAD = (
    "def key(user):\n    return f'wallet:{user}'\n"
    "def load(a, b):\n    one = r.hget(key(a), 'n')\n    two = r.hget(key(b), 'n')\n    return int(one), int(two)\n"
)


def test_a_tuple_of_records_that_a_helper_read_is_written_back() -> None:
    found = system(a=HEAD + LOAD + "def move(x, y, n):\n    have, got = load(x, y)\n    r.hset(key(x), 'n', have - n)\n    r.hset(key(y), 'n', got + n)\n")
    assert read_back(found) == [(11, 10), (12, 10)]


def test_what_a_helper_reads_and_does_not_return_is_no_source() -> None:
    found = system(a=HEAD + "def touch(k):\n    r.get(k)\n    return 3\ndef run(k):\n    n = touch(k)\n    r.set(k, n + 1)\n")
    assert read_back(found) == []


def test_a_record_of_another_key_is_no_source() -> None:
    found = system(a=HEAD + LOAD + "def move(x, y, n):\n    have, got = load(x, x)\n    r.hset(key(y), 'n', got + n)\n")
    assert read_back(found) == []


def test_a_key_that_branches_choose_is_one_key() -> None:
    text = "def load(k):\n    return r.get(k)\ndef run(kind, i):\n    if kind == 'a':\n        k = f'/a/{i}'\n    else:\n        k = f'/b/{i}'\n"
    assert read_back(system(a=HEAD + text + "    n = load(k)\n    r.set(k, n + 1)\n")) == [(11, 10)]


def test_the_defaults_of_a_class_reach_the_lock_that_its_method_makes() -> None:
    text = (
        "import redis_lock\nclass Guard:\n    def __init__(self, name, ttl=600, renew=False):\n        self.name, self.ttl, self.renew = name, ttl, renew\n"
        "    def __enter__(self):\n        self.lock = redis_lock.Lock(r, self.name, expire=self.ttl, auto_renewal=self.renew)\n        self.lock.acquire()\n"
        "    def __exit__(self, *a):\n        self.lock.release()\ndef short():\n    with Guard('x'):\n        pass\ndef long():\n    with Guard('x', renew=True):\n        pass\n"
    )
    locks = {s.symbol: s.lock for s in system(a=HEAD + text).critical_sections()}
    assert [(locks[f"a.{n}"].lifetime.seconds, locks[f"a.{n}"].model.renews) for n in ("short", "long")] == [(600, False), (600, True)]


TRANSACTIONS = {
    "a decorator": "from django.db import transaction\n@transaction.atomic\ndef run(i):\n    Row.objects.create(n=i)\n",
    "a decorator with arguments": "from django.db import transaction\n@transaction.atomic(using='x')\ndef run(i):\n    Row.objects.create(n=i)\n",
    "a block": "from django.db import transaction\ndef run(i):\n    with transaction.atomic():\n        Row.objects.create(n=i)\n",
    "a session scope": "from contextlib import contextmanager\nfrom sqlalchemy.orm import Session\n@contextmanager\ndef scope(s: Session):\n    try:\n        yield s\n"
    "        s.commit()\n    finally:\n        s.close()\ndef run(s):\n    with scope(s):\n        Row.objects.create(n=1)\n",
    "none": "def run(i):\n    Row.objects.create(n=i)\n",
}


@pytest.mark.parametrize("kind", TRANSACTIONS)
def test_a_write_stands_in_the_transaction_around_it(kind: str) -> None:
    found = system(a="from django.db import models\nclass Row(models.Model):\n    n = models.IntegerField()\n" + TRANSACTIONS[kind])
    assert [o.transaction for o in found.operations() if o.call.endswith(".create")] == [kind != "none"]
