"""What keys, functions and the calls around them say of a use, where several readings are possible."""

from __future__ import annotations

import pytest
from systems import system

REDIS = "import redis\nr = redis.Redis()\n"
ZOOKEEPER = "from kazoo.client import KazooClient\nzk = KazooClient()\n"


def in_order(text: str) -> list[str]:
    """The roles of the uses by line, without those of clients."""
    return [u.role for u in sorted(system({"app.py": text}).uses(), key=lambda u: u.place) if u.role != "client"]


def test_connections_that_are_kept_in_a_store_are_membership() -> None:
    assert in_order(REDIS + "def join(name):\n    r.sadd('connections', name)\n") == ["membership"]
    assert in_order(REDIS + "class Connection:\n    def load(self, name):\n        return r.get(f'desk:{name}')\n") == ["data-store"]


def test_a_store_that_writes_and_deletes_any_key_of_consul_holds_data_and_one_that_only_reads_configuration() -> None:
    head = "import consul\nclass Shelf:\n    def __init__(self):\n        self.c = consul.Consul()\n    def get(self, key):\n        return self.c.kv.get(key)\n"
    rest = "    def put(self, key, value):\n        self.c.kv.put(key, value)\n    def drop(self, key):\n        self.c.kv.delete(key)\n"
    assert in_order(head) == ["config"]
    assert in_order(head + rest) == ["data-store"] * 3


def test_what_may_be_done_once_in_a_while_is_limited() -> None:
    assert in_order(REDIS + "def wave(who):\n    return r.set(f'debounce:{who}', 1, nx=True, ex=2)\n") == ["rate-limit"]


def test_who_is_locked_out_after_failures_is_limited_and_nobody_holds_a_lock() -> None:
    fail = "def login_failed(user):\n    r.setex(f'user:lock:{user}', 300, 'x')\n"
    assert in_order(REDIS + fail + "def check_login(user):\n    return r.exists(f'user:lock:{user}')\n") == ["rate-limit"] * 2
    assert in_order(REDIS + "def login(user):\n    return r.set(f'user:lock:{user}', 1, nx=True, ex=5)\n") == ["lock"]


def test_a_reservation_that_ends_by_itself_is_a_lock_and_one_that_stays_is_data() -> None:
    assert in_order(REDIS + "def hold(seat, who):\n    r.set(f'reservation:{seat}', who, ex=600)\n") == ["lock"]
    assert in_order(REDIS + "def book(seat, who):\n    r.set(f'reservation:{seat}', who)\n") == ["data-store"]


def test_a_number_that_a_process_takes_and_keeps_while_it_lives_is_membership() -> None:
    take = "def take(worker_id):\n    return r.set(f'numbers:{worker_id}', 1, nx=True, ex=30)\n"
    beat = "def beat(worker_id):\n    r.expire(f'numbers:{worker_id}', 30)\n"
    assert in_order(REDIS + take + beat) == ["membership"] * 2
    assert in_order(REDIS + take) == ["lock"]


def test_what_is_read_by_a_function_that_takes_a_lock_is_not_the_lock() -> None:
    text = (
        "def take_lock(name):\n    r.get(f'dataset:{name}')\n    return r.lock(name)\n"
        "def load(name):\n    return r.get(f'dataset:{name}')\ndef drop(name):\n    r.delete(f'dataset:{name}')\n"
    )
    assert in_order(REDIS + text) == ["data-store", "lock", "data-store", "data-store"]


def test_a_number_that_is_read_and_written_back_in_zookeeper_counts() -> None:
    text = "def more(desk):\n    data, stat = zk.get(f'/desks/{desk}/drawerNum')\n    n = int(data) + 1\n    zk.set(f'/desks/{desk}/drawerNum', str(n))\n"
    assert in_order(ZOOKEEPER + text) == ["counter", "counter"]


@pytest.mark.parametrize(("key", "role"), [("/party/{x}", "membership"), ("/desks/{x}/instructions/{y}", "job-queue"), ("/desks/{x}/drawers/{y}", "data-store")])
def test_words_of_nodes_say_what_they_are_for(key: str, role: str) -> None:
    assert in_order(ZOOKEEPER + f"def f(x, y):\n    return zk.get(f'{key}')\n") == [role]


def test_a_context_manager_that_gives_a_client_after_some_choosing_is_no_business_of_its_callers() -> None:
    text = (
        "import redis\nfrom contextlib import contextmanager\npools = {}\n@contextmanager\ndef connected(shard):\n    number = pick(shard)\n    if number not in pools:\n"
        "        pools[number] = make_pool(find_host(number))\n    client = redis.Redis(connection_pool=pools[number])\n    client.ping()\n    try:\n        yield client\n"
        "    finally:\n        client.close()\ndef register(name):\n    with connected(name) as c:\n        c.sadd('connections', name)\n"
        "def start(name):\n    register(name)\n"
    )
    assert [(u.place.line, u.role) for u in system({"app.py": text}).uses() if u.via] == [(16, "client"), (19, "membership")]
