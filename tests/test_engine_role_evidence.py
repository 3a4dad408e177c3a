"""What a use is for, where no single word says it: what is done with a key, how it was found, who is told, what stands around."""

from __future__ import annotations

import pytest
from systems import system

REDIS = "import redis\nr = redis.Redis()\n"


def in_order(text: str, path: str = "app.py") -> list[str]:
    found = system({path: text}).uses()
    return [u.role for u in sorted(found, key=lambda u: u.place) if u.role != "client"]


# -- keys that nobody writes where they are used ---------------------------------------------------------------------------


def test_a_key_that_came_from_a_listing_is_what_was_listed_whoever_lists() -> None:
    body = """
def scan_all(pattern):
    found = []
    cursor = 0
    while True:
        cursor, some = r.scan(cursor=cursor, match=pattern)
        found.extend(some)
        if cursor == 0:
            return found
def clear(town):
    for key in scan_all(f"heartbeat:{town}:*"):
        r.delete(key)
"""
    assert in_order(REDIS + body) == ["membership"] * 3


def test_a_helper_whose_callers_all_pass_keys_of_one_kind_is_for_these() -> None:
    body = "def load(key):\n    return r.hgetall(key)\ndef a(x):\n    return load(f'throttle:{x}')\ndef b(x):\n    return load(f'quota:{x}')\n"
    assert in_order(REDIS + body) == ["rate-limit"] * 3


def test_a_helper_that_is_handed_any_key_is_for_none() -> None:
    body = "def load(key):\n    return r.hgetall(key)\ndef a(x):\n    return load(f'throttle:{x}')\ndef b(x):\n    return load(x)\n"
    assert in_order(REDIS + body)[0] == "data-store"


# -- words that mean something else as often --------------------------------------------------------------------------------


def test_the_record_of_a_task_is_data_where_nothing_waits_in_a_queue() -> None:
    state = "def note(i, x):\n    r.set(f'task:{i}', x)\ndef read(i):\n    return r.get(f'task:{i}')\n"
    assert in_order(REDIS + state) == ["data-store", "data-store"]
    assert in_order(REDIS + state + "def put(i):\n    r.lpush('backlog', i)\n")[:2] == ["job-queue", "job-queue"]


def test_a_node_is_a_member_where_it_is_one_of_many_or_expires() -> None:
    assert in_order(REDIS + "def f(i, x):\n    r.set(f'node:{i}', x)\n") == ["data-store"]
    assert in_order(REDIS + "def f(i, x):\n    r.set(f'node:{i}', x, ex=30)\n") == ["membership"]


def test_sessions_are_of_people_or_end_by_themselves() -> None:
    assert in_order(REDIS + "def f(i, x):\n    r.hset(f'session:{i}', 'state', x)\n", "renderer.py") == ["data-store"]
    assert in_order(REDIS + "def f(i, x):\n    r.set(f'session:{i}', x, ex=900)\n", "renderer.py") == ["session"]
    assert in_order(REDIS + "def login(i, x):\n    r.hset(f'session:{i}', 'state', x)\n", "door.py") == ["session"]


# -- what is done with it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "role"), [(2, "rate-limit"), (86400, "data-store")])
def test_a_constant_that_is_set_once_and_never_given_back_marks_what_was_done(seconds: int, role: str) -> None:
    body = f"def ring(door):\n    if r.set(f'rung:{{door}}', '1', nx=True, ex={seconds}):\n        print(door)\n"
    assert in_order(REDIS + body) == [role]


def test_a_key_that_is_given_back_is_a_lock_whatever_is_written_into_it() -> None:
    body = "def ring(door):\n    if r.set(f'rung:{door}', '1', nx=True, ex=2):\n        print(door)\n        r.delete(f'rung:{door}')\n"
    assert in_order(REDIS + body) == ["lock", "lock"]


@pytest.mark.parametrize(("start", "end", "role"), [("-50", "-1", "data-store"), ("0", "49", "data-store"), ("20", "-1", "cache")])
def test_a_list_that_is_cut_to_its_newest_is_a_log_whatever_it_is_called(start: str, end: str, role: str) -> None:
    body = f"def f(x):\n    r.rpush('event-cache', x)\n    r.ltrim('event-cache', {start}, {end})\n    return r.lrange('event-cache', 0, -1)\n"
    assert in_order(REDIS + body) == [role] * 3


NEWS = """
class News:
    def tell(self, x):
        r.rpush("past", x)
        r.incr("told")
        r.publish("news", x)
    def change(self, x):
        r.hset("articles", x, 1)
        r.publish("changes", x)
def past():
    return r.lrange("past", 0, -1)
def a(x):
    News().tell(x)
def b(x):
    News().change(x)
"""


def test_who_tells_others_and_keeps_it_for_the_late_tells() -> None:
    assert in_order(REDIS + NEWS)[6:] == ["watch", "data-store"]


# -- who leads -------------------------------------------------------------------------------------------------------------

ELECTION = """
class LeaderLease:
    def __init__(self, me):
        self._me = me
        self._leads = False
    def contend(self):
        self._leads = bool(r.set("shop:leader", self._me, nx=True, ex=30))
    def is_leader(self):
        return self._leads
class Shop:
    def __init__(self, me):
        self.lease = LeaderLease(me)
    def is_leader(self):
        return self.lease.is_leader()
    def clean(self):
        if self.is_leader():
            print("swept")
"""


def test_asking_an_election_who_leads_is_the_election_also_through_others() -> None:
    found = sorted(u.place.line for u in system({"shop.py": REDIS + ELECTION}).uses() if u.via == ("is_leader",))
    assert found == [16]


OFFICE = """
from kazoo.client import KazooClient
class Office:
    def __init__(self):
        self._zk = KazooClient()
        self._lock = self._zk.Lock("/shop/office", "me")
    def take(self):
        return self._lock.acquire(timeout=1)
    def give_up(self):
        self._lock.release()
    def has_it(self):
        if not self._lock.is_acquired:
            self.give_up()
        return self._lock.is_acquired
"""
WORK = "from office import Office\noffice = Office()\ndef run():\n    while True:\n        office.take()\n        sweep()\ndef sweep():\n    if office.has_it():\n        print('swept')\n"


@pytest.mark.parametrize(("more", "role"), [("", "leader-election"), ("def rest():\n    office.give_up()\n", "lock")])
def test_a_lock_that_is_tried_again_asked_for_and_never_given_back_is_an_election(more: str, role: str) -> None:
    found = sorted(system({"office.py": OFFICE, "work.py": WORK + more}).uses(), key=lambda u: u.place)
    assert [u.role for u in found if u.place.path == "work.py" and u.place.line in (5, 8)] == [role, role]


@pytest.mark.parametrize(("first", "role"), [("0", "job-queue"), ("'-inf'", "job-queue"), ("now - 60", "data-store")])
def test_things_that_are_asked_for_up_to_now_and_crossed_off_are_work_that_waits_for_its_time(first: str, role: str) -> None:
    body = f"def put(x, at):\n    r.zadd('returns', {{x: at}})\ndef due(now):\n    for x in r.zrangebyscore('returns', {first}, now):\n        r.zrem('returns', x)\n"
    assert in_order(REDIS + body) == [role] * 3
