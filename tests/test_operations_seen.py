"""What the linker tells of single calls, where real code made it hard."""

from __future__ import annotations

from systems import system as system_of

from coordlint.coordination import Operation, Outcome
from coordlint.models.schema import Op
from coordlint.system import System


def one(system: System, *ops: Op) -> Operation:
    (operation,) = system.operations(*ops)
    return operation


def test_a_library_is_not_the_sibling_module_of_its_name() -> None:
    wrapper = "from consul import Consul\n\n\ndef get(key):\n    return Consul().kv.get(key)\n"
    system = system_of({"app/__init__.py": "", "app/consul.py": wrapper})
    assert one(system, Op.READ).backend == "consul"


def test_what_tests_pass_does_not_fill_a_key() -> None:
    system = system_of(
        {"tests/test_app.py": "from app import put\n\n\ndef test_put():\n    put('joe')\n"},
        app="import redis\n\nr = redis.Redis()\n\n\ndef put(user):\n    r.set(f'u:{user}', 1)\n",
    )
    assert one(system, Op.WRITE).key == "u:{}"


def test_a_cursor_keeps_the_outcome_of_its_statement() -> None:
    head = "import psycopg2\n\ndb = psycopg2.connect('')\n\n\ndef take(v):\n    c = db.cursor()\n"
    statement = "    c.execute('UPDATE t SET n = 1, version = version + 1 WHERE version = %s', (v,))\n"
    ignored = system_of(app=head + statement)
    tested = system_of(app=head + statement + "    if c.rowcount == 0:\n        raise ValueError\n")
    assert one(ignored, Op.EFFECT).outcome is Outcome.DEAD
    assert one(tested, Op.EFFECT).outcome is Outcome.TESTED


def test_a_loop_that_does_nothing_looks_at_nothing() -> None:
    code = "import etcd3\n\ne = etcd3.client()\n\n\ndef alive(i):\n    for r in e.refresh_lease(i):\n        {}\n"
    assert one(system_of(app=code.format("pass")), Op.KEEPALIVE).outcome is Outcome.DEAD
    assert one(system_of(app=code.format("print(r)")), Op.KEEPALIVE).outcome is Outcome.USED


def test_a_function_may_keep_its_client_on_itself() -> None:
    code = "import etcd3\n\n\ndef client():\n    client.made = etcd3.client()\n    return client.made\n\n\nclient().put('/a', '1')\n"
    assert one(system_of(app=code), Op.WRITE).backend == "etcd"


def test_a_read_through_a_wrapper_feeds_the_write() -> None:
    code = """
from kazoo.client import KazooClient

zk = KazooClient()


def load(path):
    return zk.get(path)[0]


def bump(name):
    path = f"/n/{name}"
    value = load(path)
    zk.set(path, value + b"x")
"""
    write = one(system_of(app=code), Op.WRITE)
    assert write.reads_back is not None and write.reads_back.line == 13


def test_a_lock_counts_only_when_it_is_held_on_every_way() -> None:
    code = """
from kazoo.client import KazooClient

zk = KazooClient()


def change(name):
    zk.set(f"/n/{name}", b"x")


def careful(name):
    with zk.Lock("/lock", "me"):
        change(name)
"""
    careless = code + "\n\ndef careless(name):\n    change(name)\n"
    every, one_way = system_of(app=code), system_of(app=careless)
    assert every.is_locked(one(every, Op.WRITE))
    assert not one_way.is_locked(one(one_way, Op.WRITE))


def test_the_handlers_of_a_context_manager_guard_its_body() -> None:
    code = """
from contextlib import contextmanager, suppress

import etcd3

e = etcd3.client()


@contextmanager
def guarded():
    try:
        yield e
    except etcd3.Etcd3Exception:
        raise RuntimeError


def a():
    with guarded() as c:
        c.put("/a", "1")


def b():
    with suppress(ValueError):
        e.put("/b", "1")
"""
    by_key = {o.key: o for o in system_of(app=code).operations(Op.WRITE)}
    assert [g.action for g in by_key["/a"].guards] == ["raise"]
    assert [g.action for g in by_key["/b"].guards] == ["swallow"]


def test_a_function_that_is_handed_over_at_import_is_not_called_there() -> None:
    code = "HANDLERS = []\n\n\ndef handle():\n    pass\n\n\ndef add(f):\n    HANDLERS.append(f)\n\n\nadd(handle)\n"
    system = system_of(app=code)
    assert [caller for caller, _ in system.callers("app.add")] == ["app"]
    assert system.callers("app.handle") == ()
