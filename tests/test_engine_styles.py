"""Ways in which programs put layers over a coordinator: repositories, injected clients, backends that settings choose."""

from __future__ import annotations

from systems import system, uses

REPOSITORY = """
    import json
    import os
    from typing import Generic, TypeVar
    import etcd3
    T = TypeVar("T")
    ROOT = os.getenv("ROOT", "/mill")
    class Store:
        def __init__(self): self._client = etcd3.client()
        def get(self, key): return json.loads(self._client.get(key)[0])
        def put(self, key, value, ttl=None):
            lease = self._client.lease(ttl) if ttl else None
            self._client.put(key, json.dumps(value), lease=lease)
    class Repository(Generic[T]):
        kind = ""
        def __init__(self, store: Store): self.store = store
        def _key(self, name): return f"{ROOT}/{self.kind}/{name}"
        def find(self, name): return self.store.get(self._key(name))
        def save(self, item): self.store.put(self._key(item.name), vars(item))
    class Sack: pass
    class Sacks(Repository[Sack]):
        kind = "sacks"
    class Wheels(Repository[Sack]):
        kind = "nodes"
    """


def told(found_in: str, **modules: str) -> dict[str, tuple[str, str | None]]:
    """Role and resource by function, of one module."""
    return {u.symbol.removeprefix(f"{found_in}."): (u.role, u.resource) for u in system(**modules).uses() if u.place.path == f"{found_in}.py"}


def test_a_repository_of_one_kind_is_its_generic_base_with_that_kind() -> None:
    users = """
        from stores import Sacks, Wheels
        class Miller:
            def __init__(self, sacks: Sacks, wheels: Wheels):
                self.sacks = sacks
                self.wheels = wheels
            def fetch(self, name): return self.sacks.find(name)
            def keep(self, sack): self.sacks.save(sack)
            def turn(self, wheel): self.wheels.save(wheel)
        """
    found = told("mill", stores=REPOSITORY, mill=users)
    assert found["Miller.fetch"] == ("data-store", "{ROOT}/sacks/{name}")
    assert found["Miller.keep"] == ("data-store", "{ROOT}/sacks/{item.name}")
    assert found["Miller.turn"] == ("membership", "{ROOT}/nodes/{item.name}")


def test_a_lease_that_only_some_callers_ask_for_makes_no_membership_of_a_store() -> None:
    found = [(u.place.line, u.role) for u in system(stores=REPOSITORY).uses() if u.symbol == "stores.Store.put"]
    assert {role for _, role in found} == {"data-store"} and len(found) == 2
    always = REPOSITORY.replace(" if ttl else None", "")
    assert {u.role for u in system(stores=always).uses() if u.symbol == "stores.Store.put"} == {"membership"}


def test_a_name_for_an_annotated_client_is_that_client_in_every_handler() -> None:
    deps = """
        from typing import Annotated
        import redis.asyncio as redis
        from fastapi import Depends, Request
        def connect(request: Request): return request.app.state.anything
        Store = Annotated[redis.Redis, Depends(connect)]
        """
    web = """
        from deps import Store
        async def take(name, store: Store):
            async with store.lock(f"lock:{name}", timeout=5): ...
        """
    assert ("web.py:4", "lock", "redis") in uses(system(deps=deps, web=web))


def test_a_name_for_a_type_that_holds_itself_ends() -> None:
    assert uses(system(a='from typing import Union\nTree = Union[str, "Tree"]\ndef f(t: Tree): return t.lock("x")\n')) == []


FACTORY = """
    import importlib
    import os
    KINDS = {"zk": "backends.Quorum", "redis": "backends.Fast"}
    def make():
        module, _, name = KINDS[os.environ.get("KIND", "zk")].rpartition(".")
        return getattr(importlib.import_module(module), name)()
    def run(job):
        with make().lock(job): ...
    """


def test_a_class_that_settings_choose_by_its_path_is_any_of_the_table() -> None:
    backends = """
        import redis
        from kazoo.client import KazooClient
        class Quorum:
            def __init__(self): self.client = KazooClient()
            def lock(self, name): return self.client.Lock("/locks/" + name)
        class Fast:
            def __init__(self): self.client = redis.Redis()
            def lock(self, name): return self.client.lock("locks:" + name)
        """
    assert ("factory.py:9", "lock") in [(place, role) for place, role, _ in uses(system(backends=backends, factory=FACTORY))]


def test_an_item_of_an_enumeration_is_no_class() -> None:
    body = """
        import enum
        class Kind(enum.Enum):
            LOCK = "lock"
        def f(name): return Kind[name].acquire()
        """
    assert uses(system(a=body)) == []
