"""Which library object a name is, wherever it was made and however it was passed on."""

from __future__ import annotations

import pytest
from systems import system, uses

from coordlint.link.code.evaluation.values import Pattern, fill

LOCKED = ("lock", "redis")


def locks(files: dict[str, str] | None = None, /, **modules: str) -> list[str]:
    return [place for place, role, backend in uses(system(files, **modules)) if (role, backend) == LOCKED]


def test_an_alias_of_an_import_is_the_library() -> None:
    assert locks(a="import redis as r\nclient = r.StrictRedis()\nclient.lock('x')\n") == ["a.py:3"]


def test_a_name_that_is_reexported_by_a_package_is_found_where_it_was_made() -> None:
    found = locks(
        {
            "infra/clients.py": "import redis\nclient = redis.Redis()\n",
            "infra/__init__.py": "from .clients import client\n",
            "jobs.py": "from infra import client\nclient.lock('x')\n",
        }
    )
    assert found == ["jobs.py:2"]


def test_a_star_import_brings_the_names_of_its_module() -> None:
    found = locks(
        clients="import redis\nclient = redis.Redis()\n",
        shim="from clients import *\n",
        jobs="from shim import client\nclient.lock('x')\n",
    )
    assert found == ["jobs.py:2"]


CLIENTS = "import redis\nclient = redis.Redis()\n"
LEFT_OVER = {"src/__init__.py": "", "src/shop/__init__.py": "", "src/shop/infra/__init__.py": "", "src/shop/infra/clients.py": CLIENTS}


@pytest.mark.parametrize("importer", ["src/shop/jobs.py", "src/shop/web/late.py", "tools/once.py"])
def test_a_package_whose_modules_import_past_it_is_where_the_path_begins(importer: str) -> None:
    own = {"src/shop/health.py": "from shop.infra.clients import client\n", importer: "from shop.infra.clients import client\nclient.lock('x')\n"}
    assert locks(LEFT_OVER | own) == [f"{importer}:2"]


def test_it_is_so_for_the_folder_that_a_container_starts_in() -> None:
    files = {"api/__init__.py": "", "api/core/__init__.py": "", "api/core/store.py": CLIENTS, "api/work/jobs.py": "def run():\n    from core.store import client\n    client.lock('x')\n"}
    assert locks(files) == ["api/work/jobs.py:3"]


@pytest.mark.parametrize("other", ["from src.shop.infra import clients\n", "from ...shop import infra\n", "import src\n"])
def test_a_package_that_others_name_or_climb_up_to_is_no_beginning_of_the_path(other: str) -> None:
    assert locks(LEFT_OVER | {"src/shop/web/other.py": other, "src/shop/jobs.py": "from shop.infra.clients import client\nclient.lock('x')\n"}) == []


def test_a_script_from_another_time_that_names_it_does_not_outvote_the_modules_that_go_past_it() -> None:
    importers = {f"src/shop/{name}.py": "from shop.infra.clients import client\nclient.lock('x')\n" for name in ("jobs", "mail", "stock", "web")}
    old = {"src/old.py": "from src.shop.infra import clients\n"}
    assert locks(LEFT_OVER | importers | old) == [f"{path}:2" for path in importers]
    assert locks(LEFT_OVER | dict(list(importers.items())[:3]) | old) == []


def test_a_folder_of_the_project_may_have_the_name_of_a_library() -> None:
    files = {"app/etcd/places.py": CLIENTS, "app/jobs/late.py": "from etcd.places import client\nclient.lock('x')\n"}
    assert locks(files) == ["app/jobs/late.py:2"]


def test_a_library_with_the_name_of_a_folder_stays_the_library_in_a_package_that_is_named() -> None:
    files = {"app/__init__.py": "", "app/core/store.py": CLIENTS, "app/jobs/late.py": "from core.store import client\nclient.lock('x')\n", "main.py": "import app.jobs.late\n"}
    assert locks(files) == []


def test_a_local_module_named_like_a_library_does_not_hide_the_library() -> None:
    found = uses(
        system(
            {
                "app/consul.py": "from consul import Consul\ndef make():\n    return Consul()\n",
                "app/store.py": "from app.consul import make\nmake().kv.get('config/a')\n",
            }
        )
    )
    assert ("app/store.py:2", "config", "consul") in found


@pytest.mark.parametrize(
    "body",
    [
        "class Jobs:\n    def __init__(self):\n        self.r = redis.Redis()\n    def run(self):\n        self.r.lock('x')\n",
        "class Jobs:\n    r = redis.Redis()\n    def run(self):\n        self.r.lock('x')\n",
        "class Base:\n    def __init__(self):\n        self.r = redis.Redis()\nclass Jobs(Base):\n    def run(self): self.r.lock('x')\n",
        "class Jobs:\n    @property\n    def r(self):\n        return redis.Redis()\n    def run(self): self.r.lock('x')\n",
        "def make():\n    return redis.Redis()\ndef run(): make().lock('x')\n",
        "def run(r: redis.Redis): r.lock('x')\n",
        "def run(r: 'redis.Redis | None'): r.lock('x')\n",
        "def run(r): r.lock('x')\nrun(redis.Redis())\n",
        "def run(flag):\n    r = redis.Redis() if flag else None\n    r.lock('x')\n",
        "async def make():\n    return redis.Redis()\nasync def run():\n    (await make()).lock('x')\n",
        "from fastapi import Depends\ndef get():\n    yield redis.Redis()\ndef view(r=Depends(get)): r.lock('x')\n",
        "class Mine(redis.Redis):\n    pass\ndef run(): Mine().lock('x')\n",
        "app.state.redis = redis.Redis()\ndef view(request): request.app.state.redis.lock('x')\n",
        "clients = {'main': redis.Redis()}\ndef run(): clients['main'].lock('x')\n",
    ],
    ids=[
        "set in the constructor", "class attribute", "inherited", "property", "factory", "annotation", "quoted union",
        "passed by a caller", "conditional expression", "awaited factory", "injected dependency", "subclass of the library's",
        "set on an object of somebody else", "kept in a dict",
    ],
)  # fmt: skip
def test_a_client_is_followed_to_where_it_is_used(body: str) -> None:
    line = next(n for n, text in enumerate(body.split("\n"), 2) if ".lock('x')" in text)
    assert f"a.py:{line}" in locks(a="import redis\n" + body)


def test_a_method_of_a_plain_value_is_no_use() -> None:
    assert uses(system(a="import redis\nd = {}\nd.get('x')\nd.lock('y')\n")) == []


def test_a_partial_of_a_library_class_makes_the_lock_where_it_is_called() -> None:
    found = system(
        a="""
        import functools, redis, redis_lock
        class Global:
            factory = None
            @classmethod
            def configure(cls):
                cls.factory = functools.partial(redis_lock.Lock, redis.Redis())
            def __init__(self, name, ttl=600):
                self.name, self.ttl = name, ttl
            def __enter__(self):
                self._lock = Global.factory(self.name, expire=self.ttl)
                if not self._lock.acquire():
                    raise RuntimeError
            def __exit__(self, *exc):
                self._lock.release()
        def run(i):
            with Global(f"job:{i}", ttl=9):
                pass
        """
    )
    section = next(s for s in found.critical_sections() if s.symbol == "a.run")
    assert (section.lock.key, section.lock.lifetime.seconds, section.how) == ("job:{}", 9, "with")
    assert section.lock.via == ("Global",)


def test_a_request_to_the_rest_interface_of_consul_is_a_use_of_consul() -> None:
    found = uses(
        system(
            a="""
            import os, requests
            BASE = f"http://{os.getenv('CONSUL')}:8500"
            session = requests.Session()
            def register(body):
                session.put(BASE + "/v1/agent/service/register", json=body, timeout=2)
            def find(name):
                return session.get(f"{BASE}/v1/health/service/{name}?passing=true", timeout=2)
            """
        )
    )
    assert found == [("a.py:6", "service-discovery", "consul"), ("a.py:8", "service-discovery", "consul")]


def test_a_registry_that_calls_the_factory_it_is_given_holds_what_the_factory_makes() -> None:
    found = locks(
        registry="""
            class Registry:
                def __init__(self):
                    self.known = {}
                def get(self, key, make, *args):
                    return self.known.get(key) or self.add(key, make, *args)
                def add(self, key, make, *args):
                    self.known[key] = made = make(*args)
                    return made
            """,
        jobs="import redis\nfrom registry import Registry\nclients = Registry()\nclients.get('a', redis.Redis.from_url, 'redis://a').lock('x')\n",
    )
    assert found == ["jobs.py:4"]


def test_a_library_that_a_helper_imports_by_its_name_is_the_library() -> None:
    found = locks(
        optional="import importlib\n\ndef load(name):\n    try:\n        return importlib.import_module(name)\n    except ImportError:\n        return None\n",
        jobs="from optional import load\nload('redis').Redis().lock('x')\n",
    )
    assert found == ["jobs.py:2"]


def test_an_attribute_that_is_set_and_read_in_one_function_is_what_was_set() -> None:
    found = locks(
        app="""
            import redis
            def client_of(app):
                if getattr(app, "client", None) is None:
                    app.client = redis.Redis()
                return app.client
            def work(app):
                client_of(app).lock("x")
            """
    )
    assert found == ["app.py:8"]


def test_the_class_of_a_client_makes_another_client() -> None:
    found = locks(
        jobs="""
            from redis import Redis
            def parts(client: Redis):
                return client.__class__
            class Worker:
                def __init__(self, client):
                    self.make = parts(client)
                def work(self):
                    self.make().lock("x")
            """
    )
    assert found == ["jobs.py:9"]


def test_a_client_that_nothing_types_is_redis_where_it_is_asked_for_what_only_redis_has() -> None:
    body = "import redis\nclass Limits:\n    def hit(self, key):\n        self.store.{0}(key, 1)\n    def reset(self, key):\n        self.store.delete('limit:' + key)\n"
    assert ("a.py:6", "rate-limit", "redis") in uses(system(a=body.format("setnx")))
    assert uses(system(a=body.format("put"))) == []
    assert uses(system(a=body.format("setnx").replace("import redis", "import json"))) == []


def test_proxies_that_hold_each_other_end_somewhere() -> None:
    text = """
        class Proxy:
            def __init__(self, inner):
                self._inner = inner or Proxy(self)
            def __getattr__(self, name):
                return getattr(self._inner, name)
        def run():
            Proxy(Proxy(None)).lock("x")
    """
    assert not system(app=text).uses()


def test_a_function_of_a_package_may_have_the_name_of_a_module_beside_it() -> None:
    files = {
        "app/__init__.py": "import redis\nfrom app.main import x\ndef main():\n    redis.Redis().lock(x)\nif __name__ == '__main__':\n    main()\n",
        "app/main.py": "import redis\nx = 'x'\nredis.Redis().lock(x)\n",
    }
    assert [place for place, role, _ in uses(system(files)) if role == "lock"] == ["app/__init__.py:4", "app/main.py:3"]


def test_a_hole_that_is_not_made_by_a_parameter_stays_one() -> None:
    assert fill(Pattern("{}/a", "{\x00odd}/a"), {}).text == "{}/a"


def test_a_folder_of_a_template_has_braces_in_its_name_and_its_keys_are_known() -> None:
    locks = """
        import redis
        client = redis.Redis()
        def guard(name):
            return client.lock(f"order:{name}", timeout=30)
        def pay(order):
            with guard("pay"):
                order.charge()
        """
    found = system({"{{cookiecutter.name}}/locks.py": locks})
    assert [s.lock.key for s in found.critical_sections()] == ["order:pay"]


def test_a_folder_is_a_package_for_one_file_and_the_beginning_of_the_path_for_others() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/app.py": "from shop.stock.rows import Row\n",
        "shop/stock/rows.py": "class Row: pass\n",
        "shop/etcd/members.py": "import redis\nclient = redis.Redis()\n",
        "shop/orders/app.py": "from etcd.members import client\nclient.lock('order')\n",
        "shop/bills/app.py": "from etcd.members import client\nclient.lock('bill')\n",
    }
    assert locks(files) == ["shop/bills/app.py:2", "shop/orders/app.py:2"]


def test_the_name_of_a_library_that_is_asked_for_alone_stays_the_librarys() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/app.py": "import shop.redis.client\nimport redis\n",
        "shop/redis/client.py": "class Redis: pass\n",
        "shop/orders/app.py": "from redis.client import Redis\nRedis().lock('order')\n",
    }
    assert locks(files) == ["shop/orders/app.py:2"]


def test_a_long_text_that_is_put_together_keeps_its_end() -> None:
    columns = ", ".join(f"column_{n}" for n in range(60))
    body = f"import redis\nr = redis.Redis()\ndef run(n):\n    r.lock('{columns}' + f':tail:{{n}}')\n"
    assert [u.resource.endswith(":tail:{n}") for u in system(jobs=body).uses() if u.role == "lock"] == [True]
