"""Which calls of the project's own code are uses of coordination: wrappers through any number of layers, and no business."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.link.code.scopes.bottom_up import bottom_up
from coordlint.system import System


def via(found: System) -> dict[int, tuple[str, str, str]]:
    """Line: (role, backend, chain) of the uses in app.py that stand behind wrappers."""
    return {u.place.line: (u.role, u.backend, ",".join(u.via)) for u in found.uses() if u.place.path == "app.py" and u.via}


QUEUE = """
    import json
    import redis
    class WorkQueue:
        def __init__(self, client: redis.Redis, name):
            self.client = client
            self.name = name
        def push(self, item):
            self._send(json.dumps(item))
        def _send(self, text):
            self.client.lpush(f"queue:{self.name}", text)
        def pop(self):
            found = self.client.brpop(f"queue:{self.name}")
            return json.loads(found[1]) if found else None
        def __len__(self):
            return self.client.llen(f"queue:{self.name}")
    """


def test_a_class_that_is_for_a_queue_is_one_where_it_is_made_and_called() -> None:
    app = """
        from store import WorkQueue
        class Service:
            def __init__(self, client):
                self.work = WorkQueue(client, "mail")
            def send(self, mail):
                self.work.push(mail)
            def run(self):
                mail = self.work.pop()
                render(mail).deliver()
        """
    assert via(system(store=QUEUE, app=app)) == {
        5: ("job-queue", "redis", "WorkQueue"),
        7: ("job-queue", "redis", "push,_send"),
        9: ("job-queue", "redis", "pop"),
    }


def test_a_wrapper_is_seen_through_any_number_of_layers() -> None:
    layers = """
        import redis
        client = redis.Redis()
        def bottom(key):
            return client.get(f"cache:{key}")
        def one(key):
            return bottom(key)
        def two(key):
            return one(key)
        def three(key):
            return two(key)
        def four(key):
            return three(key)
        """
    found = system(layers=layers, app="from layers import four\ndef page(name):\n    return four('page')\n").uses()
    (use,) = [u for u in found if u.place.path == "app.py"]
    assert use.via == ("four", "three", "two", "one", "bottom")
    assert (use.role, use.resource) == ("cache", "cache:page")


def test_business_that_coordinates_on_the_way_is_no_use_for_its_callers() -> None:
    app = """
        import redis
        import requests
        from mailer import send_receipt
        client = redis.Redis()
        def process_order(order):
            with client.lock(f"order:{order.id}", timeout=30):
                requests.post("https://pay.example/charge", json=order.data)
                send_receipt(order)
                order.mark_paid()
        def checkout(cart):
            for order in cart.orders:
                process_order(order)
        """
    found = system(app=app)
    assert via(found) == {}
    assert [u.role for u in found.uses() if u.place.line == 7] == ["lock"]


def test_a_lock_that_stays_held_after_business_is_no_use_for_its_callers() -> None:
    app = """
        import requests
        from guards import acquire
        def begin(node):
            acquire(node.id)
            requests.post("https://bmc.example/power", json={"on": True})
            node.touch()
            node.notify()
            node.save()
        def api(node):
            begin(node)
        """
    guards = """
        import redis
        client = redis.Redis()
        def acquire(name):
            lock = client.lock(f"node:{name}")
            lock.acquire()
            return lock
        """
    assert via(system(guards=guards, app=app)) == {5: ("lock", "redis", "acquire")}


def test_a_queue_that_takes_a_lock_first_is_a_queue() -> None:
    store = """
        import redis
        client = redis.Redis()
        def enqueue(item):
            with client.lock("queue:guard"):
                client.lpush("queue:mail", item)
        """
    app = "from store import enqueue\ndef register(user):\n    enqueue(user.mail)\n"
    assert via(system(store=store, app=app)) == {3: ("job-queue", "redis", "enqueue")}


def test_a_function_that_gives_a_client_is_a_client_where_it_is_called() -> None:
    connect = """
        import os
        import redis
        _client = None
        def get_client():
            global _client
            if _client is None:
                _client = redis.Redis.from_url(os.environ["REDIS_URL"])
            return _client
        """
    app = "from connect import get_client\ndef start():\n    client = get_client()\n    return client\n"
    assert via(system(connect=connect, app=app)) == {3: ("client", "redis", "get_client")}


def test_business_that_makes_a_client_of_its_own_is_no_client_for_its_callers() -> None:
    app = """
        import redis
        from office import archive, collect, notify, publish
        def report(day):
            client = redis.Redis()
            rows = collect(day)
            publish(rows, day)
            notify(day)
            archive(rows)
            return len(rows)
        def nightly():
            report("today")
        """
    assert via(system(app=app)) == {}


def test_a_decorator_of_the_project_that_locks_is_a_use_where_it_decorates() -> None:
    guards = """
        import functools
        import redis
        client = redis.Redis()
        def only_one(name, timeout=60):
            def outer(function):
                @functools.wraps(function)
                def inner(*args, **kwargs):
                    with client.lock(name, timeout=timeout):
                        return function(*args, **kwargs)
                return inner
            return outer
        """
    app = "from guards import only_one\n@only_one('report')\ndef report():\n    build()\n"
    assert via(system(guards=guards, app=app))[2][:2] == ("lock", "redis")


def test_a_decorator_of_the_project_that_caches_is_a_use_where_it_decorates() -> None:
    caching = """
        import functools
        from django.core.cache import cache
        def cached(key):
            def outer(function):
                @functools.wraps(function)
                def inner(request, *args):
                    known = cache.get(key)
                    if known is None:
                        known = function(request, *args)
                        cache.set(key, known, 60)
                    return known
                return inner
            return outer
        """
    app = "from caching import cached\nclass View:\n    @cached('front')\n    def get(self, request):\n        return render(request)\n"
    assert via(system(caching=caching, app=app)) == {3: ("cache", "django-cache", "cached")}


@pytest.mark.parametrize(
    "call", ["retry(client.get, key)", "retry(client.set, key, 'x', ex=30)"], ids=["a method that reads", "a method that writes"]
)
def test_a_librarys_method_that_a_helper_calls_is_a_use_where_it_is_passed(call: str) -> None:
    app = f"""
        import redis
        client = redis.Redis()
        def retry(function, *args, **kwargs):
            for _ in range(3):
                try:
                    return function(*args, **kwargs)
                except redis.ConnectionError:
                    continue
        def profile(key):
            return {call}
        """
    assert via(system(app=app))[11][1:] == ("redis", "retry")


def test_what_a_caller_passes_is_no_deed_of_who_calls_it() -> None:
    app = """
        import redis
        client = redis.Redis()
        def ping():
            return client.get("probe")
        def timed(function):
            return function()
        def check():
            return timed(ping)
        """
    assert 7 not in via(system(app=app))


def test_who_registers_by_its_name_stands_for_it_whatever_it_puts_together_on_the_way() -> None:
    store = (
        "import httpx, logging, socket, os\nlog = logging.getLogger()\ndef NAME(name, port):\n    ip = socket.gethostbyname(socket.gethostname())\n"
        "    payload = {'Name': name, 'Address': ip, 'Port': port, 'Check': check_of(ip, port)}\n    resp = httpx.put('http://consul:8500/v1/agent/service/register', json=payload, timeout=5)\n"
        "    resp.raise_for_status()\n    import shutil\n    os.makedirs(state_of(name))\n    shutil.copy(ip, name)\n    log.info('registered %s', name)\n"
    )
    app = "import store\ndef start():\n    store.NAME('till', 80)\n"
    assert {name: len(via(system(store=store.replace("NAME", name), app=app.replace("NAME", name)))) for name in ("register_service", "announce", "prepare")} == {
        "register_service": 1, "announce": 1, "prepare": 0
    }  # fmt: skip


def test_a_handler_is_no_wrapper_for_who_calls_it() -> None:
    app = """
        import redis
        from flask import Flask
        app = Flask(__name__)
        client = redis.Redis()
        @app.route("/hits")
        def hits():
            return client.incr("hits")
        def warm():
            hits()
        """
    assert via(system(app=app)) == {}


def test_a_class_with_some_coordination_among_its_business_is_no_use_where_it_is_made() -> None:
    app = """
        import redis
        import requests
        class Orders:
            def __init__(self, client: redis.Redis):
                self.client = client
            def known(self, key):
                return self.client.exists(f"order:{key}")
            def pay(self, order):
                requests.post("https://pay.example/charge", json=order)
            def ship(self, order):
                requests.post("https://ship.example/send", json=order)
        def main(client: redis.Redis):
            orders = Orders(client)
            return orders.known("1")
        """
    assert {line: chain for line, (_, _, chain) in via(system(app=app)).items()} == {15: "known"}


def test_helpers_of_the_same_object_are_told_where_they_call_a_library_but_not_behind_each_other() -> None:
    app = """
        import redis
        class Panel:
            def __init__(self, client: redis.Redis):
                self.client = client
            def _count(self, name):
                return self.client.get(f"stats:{name}")
            def _both(self):
                return [self._count("hits"), self._count("misses")]
            def show(self):
                return self._both()
        """
    found = via(system(app=app))
    assert 9 in found
    assert 11 not in found


def test_locks_of_one_process_are_no_use_behind_wrappers() -> None:
    app = """
        import threading
        _lock = threading.Lock()
        def guard():
            _lock.acquire()
        def work():
            guard()
        """
    assert via(system(app=app)) == {}


def test_functions_that_call_each_other_end_in_one_component_after_their_callees() -> None:
    calls = {"main": ["a"], "a": ["b", "leaf"], "b": ["a"], "leaf": ["outside"]}
    assert list(bottom_up(calls)) == [("leaf",), ("a", "b"), ("main",)]


def test_a_very_deep_chain_of_calls_needs_no_stack() -> None:
    calls = {f"f{i}": [f"f{i + 1}"] for i in range(20_000)}
    order = list(bottom_up(calls))
    assert order[0] == ("f19999",)
    assert order[-1] == ("f0",)


def test_a_partial_of_a_helper_and_a_librarys_method_is_a_use_where_it_is_called() -> None:
    app = """
        from functools import partial
        import consul
        conn = consul.Consul()
        def guarded(function, *args, **kwargs):
            try:
                return function(*args, **kwargs)
            except ConnectionError as error:
                raise RuntimeError from error
        def push_config(name, value):
            put = partial(guarded, conn.kv.put)
            return put(name, value)
        """
    assert via(system(app=app))[12][1:] == ("consul", "guarded")


def test_a_helper_that_is_given_such_a_partial_is_a_use_where_it_is_given() -> None:
    app = """
        from functools import partial
        import consul
        def guarded(function, *args):
            return function(*args)
        def is_well(ask, name):
            return bool(ask(name))
        def check(name):
            return is_well(partial(guarded, consul.Consul().health.service), name)
        """
    assert via(system(app=app)) == {9: ("service-discovery", "consul", "is_well,guarded")}


def test_a_function_that_makes_an_object_and_keeps_it_gives_a_client() -> None:
    board = """
        import os
        from tooz import coordination
        class Board:
            def __init__(self):
                self.inner = None
            def start(self):
                self.inner = coordination.get_coordinator("zk://", b"me")
            def join(self):
                self.inner.join_group(b"crew").get()
            def lock(self, name):
                return self.inner.get_lock(name)
            def run(self):
                self.inner.run_elect_coordinator()
        _board = None
        def get_board():
            global _board
            if _board is None:
                _board = Board()
            return _board
        """
    app = "from board import get_board\ndef work():\n    b = get_board()\n    with b.lock(b'x'):\n        pass\n"
    assert via(system(board=board, app=app)) == {3: ("client", "tooz", "get_board,Board"), 4: ("lock", "tooz", "lock")}


def test_asking_an_object_whether_it_has_its_lock_is_a_use() -> None:
    locking = """
        import redis
        class Guard:
            def __init__(self, name):
                self._lock = redis.Redis().lock(name)
            def take(self):
                return self._lock.acquire()
            def has(self):
                return self._lock.owned
        """
    app = "from locking import Guard\nguard = Guard('x')\ndef state():\n    return guard.has()\n"
    assert via(system(locking=locking, app=app))[4] == ("lock", "redis", "has")


def test_writing_into_a_locked_file_is_a_use_for_who_asks_for_it_and_none_behind_him() -> None:
    app = """
        import fcntl
        def write_alone(path, text):
            with open(path, "w") as out:
                fcntl.flock(out, fcntl.LOCK_EX)
                try:
                    out.write(text)
                    out.flush()
                finally:
                    fcntl.flock(out, fcntl.LOCK_UN)
        def allow(name):
            write_alone(f"/etc/hosts.d/{name}", "yes")
        def setup():
            allow("a")
        """
    assert via(system(app=app)) == {12: ("lock", "file-lock", "write_alone")}


def test_reading_a_value_to_swap_it_is_optimistic_for_the_caller() -> None:
    store = """
        import consul
        class Shelf:
            def __init__(self):
                self.c = consul.Consul()
            def extend(self, key, more):
                while True:
                    index, found = self.c.kv.get(key)
                    if self.c.kv.put(key, found["Value"] + more, cas=found["ModifyIndex"]):
                        return
        """
    app = "from store import Shelf\nshelf = Shelf()\ndef note(x):\n    shelf.extend('settings', x)\n"
    assert via(system(store=store, app=app))[4] == ("occ", "consul", "extend")


def test_a_helper_that_is_named_for_its_role_keeps_it_whatever_key_it_is_given() -> None:
    caching = """
        import redis
        client = redis.Redis()
        def get_cached(key):
            return client.get(key)
        """
    app = "from caching import get_cached\ndef page():\n    return get_cached('stats_page')\n"
    assert via(system(caching=caching, app=app))[3] == ("cache", "redis", "get_cached")


def test_a_lambda_with_a_name_is_a_function_like_any_other() -> None:
    app = """
        from django.core.cache import cache
        def once(key, work):
            take = lambda: cache.add(key, "1", 30)
            give = lambda: cache.delete(key)
            if take():
                try:
                    work()
                finally:
                    give()
        """
    (found,) = [s for s in system(app=app).critical_sections() if s.symbol == "app.once"]
    assert (found.tested, found.skips_when_busy, [r.on_error for r in found.releases]) == (True, True, [True])


@pytest.mark.parametrize(("passed", "seconds"), [("", 90), (", timeout=None", 90), (", timeout=20", None)])
def test_a_limit_that_nobody_passes_is_what_stands_behind_the_or(passed: str, seconds: int | None) -> None:
    text = (
        "import redis\nr = redis.Redis()\nclass Turn:\n    LIMIT = 90\n"
        "    def __init__(self, name, timeout=None):\n        self.name, self.life = f'lock:{name}', int((timeout or self.LIMIT) * 1000)\n"
        "    def take(self):\n        return bool(r.set(self.name, 'x', nx=True, px=self.life))\n"
        f"def run(name):\n    turn = Turn(name{passed})\n    if turn.take():\n        open('f', 'w')\n"
    )
    assert {s.lock.lifetime.seconds for s in system(turn=text).critical_sections()} == {seconds}
