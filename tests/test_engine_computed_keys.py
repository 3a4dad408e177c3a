"""Keys of dicts that are computed, and numbers that are computed from what callers pass."""

from __future__ import annotations

from systems import system

STORE = "import consul\nc = consul.Consul()\n"


def keys(code: str) -> list[str]:
    return sorted({o.key_text for o in system(a=STORE + code).operations() if o.symbol == "a.run"})


def test_a_dict_that_another_function_fills_gives_the_keys_that_it_computes() -> None:
    code = """def below(prefix, fields):
    made = {}
    for name, value in fields.items():
        made["{}/{}".format(prefix, name)] = value.encode()
    return made
def run(ship, fields):
    for key, value in below(f"/ships/{ship}", fields).items():
        c.kv.put(key, value)
"""
    assert keys(code) == ["/ships/{ship}/{name}"]


def test_so_does_a_comprehension_and_what_quotes_a_text_leaves_it_known() -> None:
    code = "from urllib.parse import quote\ndef run(ship, fields):\n    for key, value in {quote(f'/ships/{ship}/{n}'): v for n, v in fields}.items():\n        c.kv.put(key, value)\n"
    assert keys(code) == ["/ships/{ship}/{n}"]


def test_a_dict_that_is_begun_with_what_nobody_knows_has_keys_that_nobody_knows() -> None:
    code = "def run(ship, fields):\n    more = dict(fields)\n    more['id'] = ship\n    for key, value in more.items():\n        c.kv.put(f'/ships/{ship}/{key}', value)\n"
    assert keys(code) == ["/ships/{ship}/{key}"]


def test_a_sum_with_what_the_constructor_is_given_is_known() -> None:
    code = """import redis
r = redis.Redis()
class Purse:
    def __init__(self, lease=10):
        self.lease = lease
    def keep(self, what):
        r.set("purse", what, ex=self.lease + 5)
"""
    (kept,) = [o for o in system(a=code).operations() if o.key == "purse"]
    assert kept.ttl is not None and kept.ttl.seconds == 15


def test_a_key_of_a_listing_is_known_through_names_that_are_bound_to_each_other_many_times() -> None:
    again = "".join("    one = [two, two]\n    two = list(one) + sorted(one)\n    one.extend(two, two)\n" for _ in range(20))
    code = f"import redis\nr = redis.Redis()\ndef run(one, two):\n{again}    two = r.scan_iter('ships:*')\n    for key in one:\n        r.delete(key)\n"
    made = [o for o in system(a=code).operations() if o.meant]
    assert [o.meant for o in made] == [("ships:*",)]


def test_a_digest_of_a_key_is_as_different_as_the_key() -> None:
    code = "import hashlib\ndef run(ship):\n    name = f'/ships/{ship}'.encode()\n    c.kv.put(hashlib.sha256(name).hexdigest(), b'1')\n    c.kv.delete(hashlib.md5(name, usedforsecurity=False).hexdigest())\n"
    assert keys(code) == ["/ships/{ship}"]


def test_a_digest_of_what_nobody_knows_is_not_known() -> None:
    code = "from mill import digest\ndef run(ship):\n    c.kv.put(digest(ship).hexdigest(), b'1')\n"
    assert keys(code) == [""]
