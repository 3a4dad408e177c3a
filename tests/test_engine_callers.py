"""A general wrapper is for what its callers are for: judged again where they name the key, by the same evidence as a library call."""

from __future__ import annotations

import pytest
from systems import system

STORE = """import redis
class {cls}:
    def __init__(self):
        self._r = redis.Redis()
    def get(self, key):
        return self._r.get(key)
    def put(self, key, value, ttl=None):
        return self._r.set(key, value, ex=ttl)
    def drop(self, *keys):
        return self._r.delete(*keys)
    def bump(self, key):
        return self._r.incr(key)
box = {cls}()
"""
LINES = STORE.count("\n")


def roles(body: str, cls: str = "Store", path: str = "app.py") -> list[str]:
    """The roles of the calls after the wrapper, in their order."""
    made = system({path: STORE.format(cls=cls) + body}).uses()
    return [u.role for u in sorted(made, key=lambda u: u.place) if u.place.line > LINES and u.role != "client"]


def keys(text: str) -> list[str | None]:
    return [u.resource for u in sorted(system({"app.py": text}).uses(), key=lambda u: u.place) if u.role != "client"]


@pytest.mark.parametrize(
    ("body", "role"),
    [
        ("def f(user):\n    return box.get(f'session:{user}')\n", "session"),
        ("def load_session(user):\n    return box.get(user)\n", "session"),
        ("class Throttle:\n    def f(self, user):\n        return box.get(user)\n", "rate-limit"),
        ("def f(make, user):\n    client_limit_key = make(user)\n    return box.get(client_limit_key)\n", "rate-limit"),
        ("def f(user):\n    return box.get(user)\n", "data-store"),
    ],
)
def test_the_key_the_function_and_the_class_of_a_caller_say_what_a_general_store_is_for(body: str, role: str) -> None:
    assert roles(body) == [role]


def test_one_resource_has_one_role_whichever_way_it_is_reached() -> None:
    direct = "r = redis.Redis()\ndef open_session(user):\n    r.set(f'desk:{user}', 1)\ndef close(user):\n    box.drop(f'desk:{user}')\n"
    assert roles(direct) == ["session", "session"]


@pytest.mark.parametrize(
    ("body", "role"),
    [
        ("def f(user):\n    return box.get(f'captcha:{user}')\n", "data-store"),
        ("def verify_phone_code(phone):\n    return box.get(phone)\n", "data-store"),
        ("def f(user):\n    return box.get(f'throttle:{user}')\n", "rate-limit"),
        ("def f(name):\n    return box.get(f'settings:{name}')\n", "cache"),
        ("def f(name):\n    return box.get(f'stats:{name}')\n", "cache"),
        ("def f(name):\n    return box.get(f'prices:{name}')\n", "cache"),
    ],
)
def test_a_cache_holds_what_has_another_home_and_no_sessions_limits_or_codes(body: str, role: str) -> None:
    assert roles(body, cls="CacheProvider") == [role]


def test_what_is_counted_through_a_cache_to_turn_somebody_away_is_a_limit() -> None:
    body = "def f(make, ip):\n    key = f'{make()}{ip}'\n    if box.get(key):\n        return\n    box.bump(key)\n"
    assert roles(body, cls="CacheProvider") == ["rate-limit", "rate-limit"]


def test_keys_of_one_function_that_look_alike_are_told_by_their_variables() -> None:
    body = (
        "def send(make, phone):\n    phone_limit_key = f'{make()}{phone}'\n    box.get(phone_limit_key)\n    box.put(f'{make()}{phone}', 1)\n"
        "def other(make, phone):\n    box.put(f'{make()}{phone}', 1)\n"
    )
    assert roles(body) == ["rate-limit", "data-store", "data-store"]


def test_a_wrapper_of_a_wrapper_is_for_what_the_inner_call_is_for() -> None:
    body = "class TokenStore:\n    def forget(self, token):\n        box.drop(token)\ntokens = TokenStore()\ndef leave(it):\n    tokens.forget(it)\n"
    assert roles(body, cls="CacheProvider") == ["session", "session"]


def test_a_key_that_the_wrapper_knows_itself_is_not_what_its_callers_are_called() -> None:
    body = "class Seen:\n    def __init__(self, name):\n        self.name = name\n        self._r = redis.Redis()\n    def has(self):\n        return self._r.exists(self.name)\nseen = Seen('a')\ndef enqueue():\n    return seen.has()\n"
    assert roles(body) == ["data-store", "data-store"]


def test_keys_that_are_handed_on_as_the_rest_are_known_at_the_caller() -> None:
    text = "import redis\nr = redis.Redis()\ndef drop(*keys):\n    return r.delete(*keys)\ndef also(*keys):\n    return drop(*keys)\ndef f(x):\n    also(f'desk:{x}')\n"
    assert keys(text) == ["{keys}", "{keys}", "desk:{x}"]


@pytest.mark.parametrize(
    "joined",
    ["'/'.join([self._base] + list(parts))", "'/'.join([self._base, *parts])", "'/'.join((self._base,) + parts)", "'/'.join([self._base] + list(map(str, parts)))"],
)
def test_a_list_that_is_put_together_where_it_is_joined_is_known_as_well(joined: str) -> None:
    text = (
        "import redis\nclass Board:\n    def __init__(self, base):\n        self._r = redis.Redis()\n        self._base = base\n"
        f"    def _at(self, *parts):\n        return {joined}\n"
        "    def post(self, task):\n        self._r.set(self._at('note', task), 1)\n    def size(self):\n        return self._r.get(self._at('size'))\n"
    )
    assert keys(text) == ["{base}/note/{task}", "{base}/size"]


def test_what_is_gathered_and_joined_for_a_key_is_known_at_the_caller() -> None:
    text = (
        "import etcd\nclass Board:\n    def __init__(self, base):\n        self._e = etcd.Client()\n        self._base = base\n"
        "    def _at(self, *parts):\n        return '%s/%s' % (self._base, '/'.join(parts))\n"
        "    def post(self, task):\n        self._e.write(self._at('queue', task), 1)\n    def size(self):\n        return self._e.read(self._at('queue'))\n"
    )
    assert keys(text) == ["{base}/queue/{task}", "{base}/queue"]


def test_one_of_many_nodes_of_a_kind_is_no_setting() -> None:
    text = "import etcd\ne = etcd.Client()\ndef f(prefix, name):\n    return e.read(f'{prefix}/boats/{name}')\n"
    assert [u.role for u in system({"app.py": text}).uses() if u.role != "client"] == ["data-store"]


def test_what_nodes_of_a_kind_are_called_says_it_where_nothing_else_does() -> None:
    text = "import etcd\ne = etcd.Client()\ndef f(prefix, name):\n    return e.read(f'{prefix}/tasks/{name}')\n"
    assert [u.role for u in system({"app.py": text}).uses() if u.role != "client"] == ["job-queue"]


@pytest.mark.parametrize(("key", "role"), [("/{space}/{service_name}", "service-discovery"), ("/{space}/{boat_name}", "data-store")])
def test_nodes_that_are_named_by_a_service_are_for_finding_it(key: str, role: str) -> None:
    text = (
        "import etcd\nclass Wire:\n    def __init__(self, space):\n        self._e = etcd.Client()\n        self.space = space\n"
        "    def look(self, key):\n        return self._e.read(f'/{self.space}/{key}')\n"
        f"wire = Wire(given())\ndef find({key.rpartition('{')[2].strip('}')}):\n    return wire.look({key.rpartition('{')[2].strip('}')})\n"
    )
    assert [u.role for u in sorted(system({"app.py": text}).uses(), key=lambda u: u.place)][-1] == role
