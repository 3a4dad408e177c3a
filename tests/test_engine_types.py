"""Which object stands behind an expression: containers, attributes, parameters, classes. Each source asks a Redis client for a lock once."""

from __future__ import annotations

import pytest
from systems import system, uses


def found(*, role: str = "lock", files: dict[str, str] | None = None, **modules: str) -> list[str]:
    return [place for place, told, backend in uses(system(files, **modules)) if (told, backend) == (role, "redis")]


def is_followed(body: str) -> bool:
    line = next(n for n, text in enumerate(body.split("\n"), 2) if ".lock('x')" in text)
    return f"a.py:{line}" in found(a="import redis\n" + body)


@pytest.mark.parametrize(
    "body",
    [
        "class Pool:\n    def __init__(self):\n        self.all = {}\n    def add(self, n):\n        self.all[n] = redis.Redis()\n    def run(self, n): self.all[n].lock('x')\n",
        "class Pool:\n    def __init__(self):\n        self.all = {'a': {}}\n    def add(self, n):\n        self.all['a'][n] = redis.Redis()\n    def run(self, n): self.all['a'][n].lock('x')\n",
        "class Pool:\n    def __init__(self):\n        self.all = {}\n    def add(self, n):\n        mine = {}\n        mine[n] = redis.Redis()\n        self.all['a'] = mine\n    def run(self, n): self.all['a'][n].lock('x')\n",
        "class Pool:\n    def __init__(self):\n        self.all = {}\n    def add(self, n):\n        self.all[n] = (redis.Redis(), n)\n    def run(self, n): self.all[n][0].lock('x')\n",
        "POOL = {}\ndef add(n):\n    POOL[n] = redis.Redis()\ndef run(n): POOL.get(n).lock('x')\n",
        "POOL = {}\ndef add(n):\n    part = POOL.setdefault('a', {})\n    part[n] = redis.Redis()\ndef run(n): POOL['a'][n].lock('x')\n",
        "POOL = {}\ndef get(n):\n    return POOL.setdefault(n, redis.Redis())\ndef run(n): get(n).lock('x')\n",
        "POOL = []\nfor n in range(3):\n    POOL.append(redis.Redis())\ndef run():\n    for one in POOL:\n        one.lock('x')\n",
        "def run(names):\n    pool = {n: redis.Redis() for n in names}\n    for one in pool.values(): one.lock('x')\n",
        "def run(names):\n    pool = {n: redis.Redis() for n in names}\n    for name, one in pool.items(): one.lock('x')\n",
        "def run(names):\n    pool = dict(main=redis.Redis())\n    pool['main'].lock('x')\n",
        "def run(names):\n    for n, one in enumerate([redis.Redis()]): one.lock('x')\n",
        "def run(names):\n    for n, one in zip(names, [redis.Redis()]): one.lock('x')\n",
        "import random\nPOOL = [redis.Redis(), redis.Redis()]\ndef run(): random.choice(POOL).lock('x')\n",
        "import collections\nPOOL = collections.defaultdict(redis.Redis)\ndef run(n): POOL[n].lock('x')\n",
        "POOL = {}\nPOOL.update({'a': redis.Redis()})\ndef run(n): POOL['a'].lock('x')\n",
        "def run(hosts):\n    for one in map(lambda h: redis.Redis(h), hosts): one.lock('x')\n",
    ],
    ids=[
        "put in later", "under two keys", "through a local dict", "in a tuple", "in a module's dict", "in a part that setdefault made",
        "setdefault gives it back", "appended to a list", "values", "items", "dict()", "enumerate", "zip", "chosen", "defaultdict", "update", "map",
    ],
)  # fmt: skip
def test_a_client_in_a_container_is_the_client_when_it_is_taken_out(body: str) -> None:
    assert is_followed(body)


def test_objects_of_one_class_are_followed_however_many_there_are() -> None:
    makes = "".join(f"        self.all[{n!r}] = Store({n!r})\n" for n in "abcdefghij")
    assert is_followed(
        "class Store:\n    def __init__(self, n):\n        self.r = redis.Redis()\nclass Pool:\n    def __init__(self):\n        self.all = {}\n"
        f"{makes}    def run(self, n): self.all[n].r.lock('x')\n"
    )


def test_what_tests_set_on_an_object_says_nothing_of_it() -> None:
    files = {
        "store.py": "class Store:\n    redis: object\ndef run(store: Store):\n    store.redis.lock('x')\n",
        "tests/test_store.py": "import redis\nfrom store import Store\ndef test_it():\n    store = Store()\n    store.redis = redis.Redis()\n",
    }
    assert found(files=files) == []
    assert found(files={"store.py": files["store.py"], "wiring.py": files["tests/test_store.py"]}) == ["store.py:4"]


def test_what_tests_derive_from_a_class_says_nothing_of_it() -> None:
    files = {
        "base.py": "class Base:\n    def client(self): raise NotImplementedError\n    def run(self): self.client().lock('x')\n",
        "tests/test_base.py": "import redis\nfrom base import Base\nclass Fake(Base):\n    def client(self): return redis.Redis()\n",
    }
    assert not [place for place, role, _ in uses(system(files)) if place.startswith("base.py")]


def test_rows_of_a_long_table_are_read_by_column() -> None:
    rows = "".join(f"        ({n!r}, {maker}),\n" for n, maker in zip("abcdefgh", ["First", "Second"] * 4, strict=True))
    assert is_followed(
        "class First:\n    def __init__(self, r):\n        self.r = r\n    def run(self): self.r.lock('x')\nclass Second(First):\n    pass\n"
        f"def start(r):\n    for name, make in (\n{rows}    ):\n        make(r)\nstart(redis.Redis())\n"
    )


def test_many_methods_that_one_name_may_be_leave_it_unknown() -> None:
    calls = "".join(f"apply(r.{name})\n" for name in "get set delete incr expire exists hget hset".split())
    assert found(a=f"import redis\nr = redis.Redis()\ndef apply(f): return f('x')\n{calls}") == []


def test_what_is_put_under_another_key_is_not_what_is_taken_out() -> None:
    assert not is_followed("pool = {}\npool['client'] = redis.Redis()\npool['name'] = 'a'\npool['name'].lock('x')\n")


@pytest.mark.parametrize(
    "body",
    [
        "class Plugin:\n    conn = None\n    def run(self): self.conn.lock('x')\ndef load():\n    p = Plugin()\n    p.conn = redis.Redis()\n",
        "class Plugin:\n    def run(self): self.conn.lock('x')\ndef load(conn):\n    p = Plugin()\n    p.conn = conn\nload(redis.Redis())\n",
        "from celery import Celery\napp = Celery()\ndef start():\n    app.store = redis.Redis()\ndef run(): app.store.lock('x')\n",
        "def start(registry):\n    registry.job_stores = {'a': redis.Redis()}\ndef run(request): request.registry.job_stores['a'].lock('x')\n",
        "async def start(app):\n    app['redis'] = redis.Redis()\nasync def run(request): request.app['redis'].lock('x')\n",
        "class Worker:\n    def __init__(self):\n        self.redis_client = redis.Redis()\ndef run(job): job.worker.redis_client.lock('x')\n",
    ],
    ids=["a known object", "a parameter's value", "a library's object", "a dict on a registry", "an item of an application", "only one class has the attribute"],
)  # fmt: skip
def test_an_attribute_that_is_set_from_outside_is_known_where_it_is_read(body: str) -> None:
    assert is_followed(body)


def test_an_attribute_that_a_class_makes_by_an_unknown_library_is_not_what_others_keep_under_its_name() -> None:
    others = "class Shell:\n    pass\ndef start():\n    Shell.redis = redis.Redis()\n"
    assert is_followed(f"{others}class Agent:\n    def run(self): self.redis.lock('x')\n")
    assert not is_followed(f"import fastredis\n{others}class Agent:\n    def __init__(self):\n        self.redis = fastredis.connect()\n    def run(self): self.redis.lock('x')\n")


def test_attributes_of_one_name_that_hold_different_things_join_nothing() -> None:
    assert not is_followed(
        "import kazoo.client\ndef start(a, b):\n    a.lock_store = redis.Redis()\n    b.lock_store = kazoo.client.KazooClient()\ndef run(c): c.lock_store.lock('x')\n"
    )


@pytest.mark.parametrize(
    "body",
    [
        "class A:\n    def __init__(self, r):\n        self.r = r\n    def run(self): self.r.lock('x')\nclass B(A):\n    pass\nB(redis.Redis())\n",
        "class A:\n    def __init__(self, r):\n        self.r = r\n    def run(self): self.r.lock('x')\nclass B:\n    def __init__(self, r):\n        self.a = A(r)\nB(redis.Redis())\n",
        "class A:\n    def __init__(self, r=None):\n        self.r = r or redis.Redis()\n    def run(self): self.r.lock('x')\n",
        "class A:\n    def work(self, r): r.lock('x')\ndef run(a, r): a.work(r)\nrun(A(), redis.Redis())\n",
        "class A:\n    def __init__(self, **given):\n        self.r = given['r']\n    def run(self): self.r.lock('x')\nA(r=redis.Redis())\n",
        "def work(r): r.lock('x')\ndef run(*args, **more): work(*args, **more)\nrun(redis.Redis())\n",
        "import threading\ndef work(n, r): r.lock('x')\nthreading.Thread(target=work, args=(1, redis.Redis())).start()\n",
        "def work(n, r): r.lock('x')\ndef run(pool): pool.submit(work, 1, redis.Redis())\n",
        "import functools\nclass A:\n    def work(self, r, n): r.lock('x')\n    def run(self): functools.partial(self.work, redis.Redis())(1)\n",
        "import functools\ndef with_store(f):\n    @functools.wraps(f)\n    def inner(r, *rest):\n        r.lock('x')\n        return f(r, *rest)\n    return inner\n@with_store\ndef work(r, n): pass\nwork(redis.Redis(), 1)\n",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    r: object\n    def run(self): self.r.lock('x')\nA(redis.Redis())\n",
        "class A:\n    @classmethod\n    def make(cls, r): return cls(r)\n    def __init__(self, r):\n        self.r = r\n    def run(self): self.r.lock('x')\nA.make(redis.Redis())\n",
        "from celery import Celery, Task\napp = Celery()\nclass Base(Task):\n    @property\n    def r(self): return redis.Redis()\n@app.task(bind=True, base=Base)\ndef work(self, n): self.r.lock('x')\n",
        "from celery import shared_task\n@shared_task(bind=True)\ndef work(self, r): r.lock('x')\nwork.delay(redis.Redis())\n",
        "def work(n, r): r.lock('x')\njobs = [(work, (1, redis.Redis()), None)]\n",
        "from futurist import periodics\ndef work(r): r.lock('x')\nclass A:\n    def run(self, jobs):\n        later = periodics.periodic(spacing=5)(work)\n        jobs.append((later, (redis.Redis(),), {}))\n",
        "class Strategy:\n    def __init__(self, conn):\n        self.conn = conn\n    def run(self): self.conn.lock('x')\ndef build(cls, conn): return cls(conn)\nbuild(Strategy, redis.Redis())\n",
    ],
    ids=[
        "inherited constructor", "two layers of constructors", "default that replaces None", "a method of a passed object", "keywords that are gathered",
        "arguments handed on", "a thread's target", "submitted", "partial of a method", "the wrapper of a decorator", "a field of a dataclass",
        "a class method as factory", "a task's base class", "a task that is sent",
        "named in a list of work", "decorated by a call, and put into a list of work", "a class that is passed",
    ],
)  # fmt: skip
def test_what_callers_pass_is_known_where_it_is_used(body: str) -> None:
    assert is_followed(body)


@pytest.mark.parametrize(
    "body",
    [
        "class One:\n    _it = None\n    def __new__(cls):\n        if cls._it is None:\n            cls._it = redis.Redis()\n        return cls._it\ndef run(): One().lock('x')\n",
        "class Once(type):\n    _all = {}\n    def __call__(cls, *a):\n        if cls not in cls._all:\n            cls._all[cls] = super().__call__(*a)\n        return cls._all[cls]\nclass Store(metaclass=Once):\n    def __init__(self):\n        self.r = redis.Redis()\ndef run(): Store().r.lock('x')\n",
        "import functools\n@functools.lru_cache\ndef store(): return redis.Redis()\ndef run(): store().lock('x')\n",
        "store = None\ndef start():\n    global store\n    store = redis.Redis()\ndef run(): store.lock('x')\n",
        "class Stores:\n    _main = None\n    @classmethod\n    def main(cls):\n        if cls._main is None:\n            cls._main = redis.Redis()\n        return cls._main\ndef run(): Stores.main().lock('x')\n",
        "import functools\nclass A:\n    @functools.cached_property\n    def r(self): return redis.Redis()\ndef run(): A().r.lock('x')\n",
        "class Proxy:\n    def __init__(self):\n        self._client = redis.Redis()\n    def __getattr__(self, name): return getattr(self._client, name)\ndef run(): Proxy().lock('x')\n",
        "class Proxy:\n    def __init__(self, client):\n        self._client = client\n    def __getattr__(self, name):\n        return getattr(self._client, name)\ndef run(): Proxy(redis.Redis()).lock('x')\n",
        "import abc\nclass Store(abc.ABC):\n    @abc.abstractmethod\n    def client(self): ...\nclass Main(Store):\n    def client(self): return redis.Redis()\ndef run(store: Store): store.client().lock('x')\n",
        "from typing import Protocol\nclass Store(Protocol):\n    def client(self): ...\nclass Main:\n    def client(self): return redis.Redis()\ndef run(store: Store): store.client().lock('x')\n",
        "class Base:\n    def client(self):\n        return None\n    def run(self): self.client().lock('x')\nclass Main(Base):\n    def client(self): return redis.Redis()\n",
        "class Base:\n    kinds = ()\n    def __init__(self, r):\n        self.all = [kind(r) for name, kind in self.kinds]\nclass Step:\n    def __init__(self, r):\n        self.r = r\n    def run(self): self.r.lock('x')\nclass Main(Base):\n    kinds = (('step', Step),)\nMain(redis.Redis())\n",
        "class Base:\n    r = None\n    def run(self): self.r.lock('x')\nclass Main(Base):\n    def __init__(self):\n        self.r = redis.Redis()\n",
        "def make():\n    def inner():\n        return redis.Redis()\n    return inner\ndef run(): make()().lock('x')\n",
        "class Store:\n    def __getitem__(self, n):\n        return redis.Redis()\ndef run(): Store()['a'].lock('x')\n",
        "def run():\n    store = None\n    def start():\n        nonlocal store\n        store = redis.Redis()\n    start()\n    store.lock('x')\n",
    ],
    ids=[
        "a singleton by __new__", "a singleton by metaclass", "a cached factory", "a global that a function sets", "set when first asked for",
        "cached property", "a proxy", "a proxy of what it is given", "an abstract class", "a protocol", "a template method", "classes that a subclass lists", "a template attribute",
        "a function that is returned", "an object with items", "nonlocal",
    ],
)  # fmt: skip
def test_a_class_or_function_that_provides_a_client_is_looked_through(body: str) -> None:
    assert is_followed(body)


def test_an_abstract_lock_is_one_of_its_implementations() -> None:
    text = """
        import threading, redis
        class Local:
            def __init__(self, name): self.lock = threading.Lock()
            def take(self): return self.lock.acquire()
        class Shared:
            def __init__(self, name): self.lock = redis.Redis().lock(name)
            def take(self): return self.lock.acquire()
        def choose(shared, name):
            if shared:
                return Shared(name)
            return Local(name)
        def run(name):
            choose(True, name).take()
        """
    assert "a.py:14" in found(a=text)


def test_a_circle_of_names_leaves_no_wrong_answer_behind() -> None:
    text = """
        import redis
        def connect(host): return redis.Redis(host)
        def read(conn, key): return conn.lock(key)
        def start(key):
            config = {}
            conn = connect(config["host"])
            more = read(conn, key)
            config.update(more)
            conn.lock("x")
            return config
        """
    assert found(a=text) == ["a.py:4", "a.py:8", "a.py:10"]


def keys(**modules: str) -> list[str]:
    return sorted({u.resource for u in system(**modules).uses() if u.role == "lock" and u.resource})


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("import enum\nclass Name(enum.Enum):\n    JOB = 'job'\ndef run(r: redis.Redis, i): r.lock(f'{Name.JOB.value}:{i}')\n", "job:{i}"),
        ("KEYS = {'job': 'job:%s'}\ndef run(r: redis.Redis, i): r.lock(KEYS['job'] % i)\n", "job:{i}"),
        ("class Job:\n    prefix = 'job'\n    @property\n    def key(self): return ':'.join([self.prefix, self.id])\n    def run(self, r: redis.Redis): r.lock(self.key)\n", "job:{self.id}"),
        ("class S(dict):\n    pass\nsettings = {}\nsettings['KEY'] = 'job'\ndef run(r: redis.Redis, i): r.lock('{}:{}'.format(settings['KEY'], i))\n", "job:{i}"),
        ("from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    key: str = 'job'\ns = S()\ndef run(r: redis.Redis, i): r.lock(s.key + ':' + i)\n", "job:{i}"),
        ("KEY = 'job:{name}'\ndef run(r: redis.Redis, i): r.lock(KEY.format(name=i))\n", "job:{i}"),
    ],
    ids=["enum member", "dict of patterns", "property", "settings dict", "settings class", "named hole"],
)  # fmt: skip
def test_a_key_is_known_through_what_holds_its_parts(body: str, key: str) -> None:
    assert keys(a="import redis\n" + body) == [key]


@pytest.mark.parametrize(
    ("imported", "call", "backend"),
    [
        ("consul", "c.kv.put('config/a', '1')", "consul"),
        ("kazoo.client", "c.ensure_path('/a')", "zookeeper"),
        ("etcd3", "c.put_if_not_exists('a', '1')", "etcd"),
    ],
)
def test_a_client_that_nothing_types_is_known_by_what_only_its_library_has(imported: str, call: str, backend: str) -> None:
    assert backend in {b for _, _, b in uses(system(a=f"import {imported}\ndef run(c):\n    {call}\n"))}
    assert uses(system(a=f"import json\ndef run(c):\n    {call}\n")) == []


def test_a_subclass_that_keeps_what_it_was_given_keeps_what_the_class_above_keeps() -> None:
    base = "class Base:\n    def __init__(self, client): self.client = client\n"
    known = "class Known(Base):\n    def __init__(self): super().__init__(redis.Redis())\n"
    given = "class Given(Base):\n    def __init__(self, plugin):\n        self.client = plugin.connect()\n        super().__init__(self.client)\n    def run(self): self.client.lock('x')\n"
    assert is_followed(base + known + given)
    assert not is_followed(base + given)


def test_a_client_is_followed_through_hundreds_of_names() -> None:
    chain = "".join(f"def f{n}():\n    return f{n + 1}()\n" for n in range(150))
    assert is_followed(f"{chain}def f150():\n    return redis.Redis()\ndef run():\n    f0().lock('x')\n")
