"""Modules that stand in for each other, of which the configuration chooses one."""

from __future__ import annotations

from systems import system

ZK = """
    from kazoo.client import KazooClient
    zk = KazooClient(hosts="zk:2181")
    def exists(path):
        return bool(zk.exists(path))
    def get(path):
        return zk.get(path)[0]
    def create(path, value):
        return zk.create(path, value)
    def replace(path, value):
        return zk.set(path, value)
    """
PLAIN = """
    kept = {}
    def exists(path):
        return path in kept
    def get(path):
        return kept[path]
    def create(path, value):
        kept[path] = value
    def replace(path, value):
        kept[path] = value
    """
OPTIONS = """
    from orders.loading import loaded
    KNOWN = {"zookeeper": "orders.keeping.in_zookeeper", "memory": "orders.keeping.in_memory"}
    def options(parser):
        parser.add_argument("--keeping", default="memory", type=lambda name: loaded(KNOWN[name]))
    """
USER = """
    from orders.settings import chosen
    def note(order_id, state):
        backend = chosen().keeping
        path = f"/orders/{order_id}"
        if backend.exists(path):
            backend.replace(path, state)
        else:
            backend.create(path, state)
    """


def carried(files: dict[str, str]) -> list[str]:
    return [f"{o.op} {o.backend} {o.key_text}" for o in system(files).operations(carried=True) if o.symbol == "orders.notes.note"]


def test_an_attribute_that_bears_the_name_of_their_package_is_one_of_them() -> None:
    files = {"orders/keeping/in_zookeeper.py": ZK, "orders/keeping/in_memory.py": PLAIN, "orders/options.py": OPTIONS, "orders/notes.py": USER}
    assert carried(files) == ["read zookeeper /orders/{order_id}", "write zookeeper /orders/{order_id}", "create zookeeper /orders/{order_id}"]


def test_where_nobody_spells_them_out_the_attribute_is_anything() -> None:
    files = {"orders/keeping/in_zookeeper.py": ZK, "orders/keeping/in_memory.py": PLAIN, "orders/notes.py": USER}
    assert carried(files) == []


def test_modules_with_two_functions_in_common_have_no_interface() -> None:
    other = "def exists(path):\n    return False\n\ndef get(path):\n    return None\n"
    files = {"orders/keeping/in_zookeeper.py": ZK, "orders/keeping/in_memory.py": other, "orders/options.py": OPTIONS, "orders/notes.py": USER}
    assert carried(files) == []
