"""Who goes on waiting for a call, and what ends the wait: clients that are handed on, loops, limits around calls and for all of them."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.models.schema import Op
from coordlint.waiting import is_ended, loop_above

BEAT = "import redis\ndef beat(r: redis.Redis):\n    r.set('alive:{me}', 1, ex=9)\n"


def test_an_annotated_client_is_the_one_that_all_callers_pass() -> None:
    main = "import redis\nfrom a import beat\nstore = redis.Redis()\nbeat(store)\n"
    assert [o.client.line for o in system(a=BEAT, b=main).operations(Op.WRITE) if o.client] == [3]


def test_an_annotated_client_of_which_callers_pass_several_is_none_of_them() -> None:
    main = "import redis\nfrom a import beat\nbeat(redis.Redis())\nbeat(redis.Redis(host='other'))\n"
    assert [o.client for o in system(a=BEAT, b=main).operations(Op.WRITE)] == [None]


def test_what_tests_pass_is_not_the_client() -> None:
    found = system({"app/a.py": BEAT, "tests/test_a.py": "import redis\nfrom app.a import beat\nbeat(redis.Redis())\n"})
    assert [o.client for o in found.operations(Op.WRITE)] == [None]


LOOP = "import redis\nr = redis.Redis()\ndef beat():\n    r.set('alive', 1, ex=9)\n"


@pytest.mark.parametrize(
    ("around", "line"),
    [
        ("def run():\n    while True:\n        beat()\n", 7),
        ("def run():\n    beat()\n", None),
        ("import threading\ndef run():\n    beat()\n    threading.Timer(5, run).start()\n", 8),
        ("import threading\ndef run():\n    beat()\n    threading.Timer(5, print).start()\n", None),
    ],
)
def test_a_loop_without_end_goes_on_making_a_call(around: str, line: int | None) -> None:
    found = system(a=LOOP + around)
    (write,) = found.operations(Op.WRITE)
    at = loop_above(found, write)
    assert (at.line if at is not None else None) == line


ASKED = "import asyncio\nimport redis.asyncio as redis\nr = redis.Redis()\nasync def ask():\n    return await r.get('x')\n"


@pytest.mark.parametrize(
    ("callers", "ended"),
    [
        ("async def one():\n    return await asyncio.wait_for(ask(), 3)\n", True),
        ("async def one():\n    async with asyncio.timeout(3):\n        return await ask()\n", True),
        ("async def one():\n    return await asyncio.wait_for(ask(), 3)\nasync def two():\n    return await ask()\n", False),
        ("", False),
    ],
)
def test_a_call_is_ended_where_every_way_to_it_is(callers: str, ended: bool) -> None:
    found = system(a=ASKED + callers)
    (read,) = found.operations(Op.READ)
    assert is_ended(found, read) is ended


SAUCE = "import requests\nfrom requests.adapters import TimeoutSauce\nclass Limit(TimeoutSauce):\n    def __init__(self, {}):\n        {}\nrequests.adapters.TimeoutSauce = Limit\n"


@pytest.mark.parametrize(
    ("params", "body", "works"),
    [
        ("*args, **kwargs", "super().__init__(connect=kwargs.get('connect', 3), read=kwargs.get('read', 3))", False),
        ("connect=3, read=3", "super().__init__(connect=connect, read=read)", False),
        ("*args, **kwargs", "super().__init__(connect=kwargs['connect'] or 3, read=kwargs['read'] or 3)", True),
        ("*args, **kwargs", "super().__init__(connect=3, read=3)", True),
    ],
)
def test_a_default_for_what_is_always_passed_limits_nothing(params: str, body: str, works: bool) -> None:
    assert [limit.works for limit in system(a=SAUCE.format(params, body)).default_limits("requests")] == [works]


@pytest.mark.parametrize(("handler", "passes"), [("raise", True), ("raise e", True), ("raise Mine()", False), ("print(e)\n        raise", True), ("n = None\n        raise", False), ("log.error(e)\n        raise Mine()", False)])
def test_a_handler_that_raises_again_what_it_caught_and_only_logs_before(handler: str, passes: bool) -> None:
    text = f"import redis\nr = redis.Redis()\ndef f():\n    try:\n        r.get('x')\n    except Exception as e:\n        {handler}\n"
    (read,) = system(a=text).operations(Op.READ)
    assert [g.passes for g in read.guards] == [passes]


def test_one_key_of_a_quorum_store_that_nobody_writes_is_configuration() -> None:
    text = "import consul\nc = consul.Consul()\ndef name(key):\n    return c.kv.get(key)\ndef queue():\n    return name('queue')\n"
    assert [o.role for o in system(a=text).operations(Op.READ)] == ["config"]
    written = text + "def take():\n    c.kv.delete('queue')\n"
    assert "config" not in [o.role for o in system(a=written).operations(Op.READ)]
