"""What a program starts several times by itself, and plug-ins that it loads by their names."""

from systems import system

LAUNCH = """
from oslo_service import service

def serve(server, workers=None):
    return service.launch(None, server, workers=workers)
"""
CORE = """
class Core:
    def take(self):
        return lower()

def lower():
    return 1

def apart():
    return 2
"""


def launched(call: str, symbol: str = "core.lower") -> str | None:
    found = system(launch=LAUNCH, core=CORE, cmd=f"from conf import CONF\nfrom core import Core\nfrom launch import serve\n{call}\n").multiplied(symbol)
    return f"{found.place.path} {found.told}" if found is not None else None


def test_the_number_of_processes_may_stand_in_the_settings() -> None:
    assert launched("serve(Core(), workers=CONF.workers)") == "cmd.py workers=CONF.workers"


def test_what_the_service_does_not_call_is_not_started() -> None:
    assert launched("serve(Core(), workers=4)", "core.apart") is None


def test_one_process_is_not_several() -> None:
    assert launched("serve(Core())") is None
    assert launched("serve(Core(), workers=1)") is None


STORES = {
    "plug.py": """
        from stevedore import driver

        class Plugin:
            group = None

            @classmethod
            def load(cls, name):
                return driver.DriverManager(cls.group, name).driver
    """,
    "store.py": """
        import abc
        from plug import Plugin

        class Store(Plugin):
            @abc.abstractmethod
            def save(self, row):
                \"\"\"Keeps a row.\"\"\"

        def store_of(name):
            return Store.load(name)()
    """,
    "sql.py": """
        import psycopg2
        from store import Store

        db = psycopg2.connect("x")

        class Sql(Store):
            def save(self, row):
                db.cursor().execute("UPDATE rows SET a = %s", (row,))
    """,
    "work.py": """
        import threading
        from store import store_of

        lock = threading.Lock()

        def work(row, name):
            with lock:
                store_of(name).save(row)
    """,
}


def test_a_plugin_that_is_loaded_by_its_name_is_one_of_the_class_that_loads_it() -> None:
    (section,) = system(STORES).critical_sections()
    assert [e.operation.symbol for e in section.effects] == ["sql.Sql.save"]


def test_a_lock_of_files_is_one_of_the_host() -> None:
    found = system(a="from oslo_concurrency import lockutils\ndef f(x):\n    with lockutils.lock('a', external=True):\n        x()\n")
    assert [(s.lock.model.scope.value, s.lock.backend) for s in found.critical_sections()] == [("host", "file-lock")]
