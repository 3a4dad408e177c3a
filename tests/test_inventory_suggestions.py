"""A project's own models file for wrappers that hide what they do, and the file that the inventory suggests."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from systems import system

HIDDEN = """
    import importlib
    import os
    class Mutex:
        def __init__(self, name, ttl=30):
            self._real = importlib.import_module(os.environ["LOCKS"]).make(name, ttl)
        def acquire(self):
            return self._real.acquire()
        def release(self):
            self._real.release()
        def __enter__(self):
            self.acquire()
            return self
        def __exit__(self, *failure):
            self.release()
    def get_lock(name, ttl=30):
        return Mutex(name, ttl)
    """
MODELS = """
    library: our locks
    package: ""
    imports: [infra.locks]
    backend: redis
    types:
      infra.locks.Mutex:
        role: lock
        lock: {scope: distributed}
    calls:
      infra.locks.get_lock:
        op: make-lock
        params: [name, ttl]
        defaults: {ttl: 30}
        key: name
        ttl: {param: ttl}
        returns: infra.locks.Mutex
      infra.locks.Mutex.acquire: {op: acquire, result: bool}
      infra.locks.Mutex.release: {op: release}
    """
APP = """
    import requests
    from infra.locks import get_lock
    def pay(order):
        with get_lock(f"order:{order.id}"):
            requests.post("https://pay.example/charge", json=order.data)
    """


def project(root: Path, files: dict[str, str]) -> str:
    """A folder with these files."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dedent(text))
    return str(root)


def test_a_models_file_of_the_project_says_what_its_own_wrappers_mean(run, tmp_path: Path) -> None:
    root = project(tmp_path, {"infra/locks.py": HIDDEN, "infra/locks.yaml": MODELS, "app.py": APP, "pyproject.toml": '[tool.coordlint]\nmodels = ["infra/locks.yaml"]\n'})
    (use,) = [u for u in run("inventory", root, "--format", "json").json["uses"] if u["path"] == "app.py"]
    assert (use["line"], use["role"], use["backend"], use["resource"]) == (5, "lock", "redis", "order:{order.id}")
    codes = {f["code"] for f in run("check", root, "--format", "json").json["findings"]}
    assert "CL101" in codes  # the payment under that lock


def test_without_the_file_nothing_is_claimed_of_them(run, tmp_path: Path) -> None:
    root = project(tmp_path, {"infra/locks.py": HIDDEN, "app.py": APP})
    assert run("inventory", root, "--format", "json").json["uses"] == []


def test_a_models_file_names_modules_as_they_are_imported_whatever_folder_they_lie_in(run, tmp_path: Path) -> None:
    root = project(
        tmp_path,
        {"src/infra/locks.py": HIDDEN, "locks.yaml": MODELS, "src/app.py": APP, "pyproject.toml": '[tool.coordlint]\nmodels = ["locks.yaml"]\n'},
    )
    assert [u["role"] for u in run("inventory", root, "--format", "json").json["uses"] if u["path"] == "src/app.py"] == ["lock"]


def suggested(found) -> list[str]:
    """The names of what is suggested."""
    return [s.name for s in found.suggestions()]


def test_the_suggested_file_makes_the_callers_of_what_hides_itself_uses(run, tmp_path: Path) -> None:
    root = project(tmp_path, {"infra/locks.py": HIDDEN, "app.py": APP})
    told = run("inventory", root, "--format", "json").json["suggested_models"]
    assert [(s["name"], s["kind"], s["path"]) for s in told] == [
        ("infra.locks.Mutex", "lock", "infra/locks.py"),
        ("infra.locks.get_lock", "lock", "infra/locks.py"),
    ]
    assert told[1]["called"] == [{"path": "app.py", "line": 5}]
    text = run("inventory", root).out
    assert "wrappers that could not be followed" in text
    lines = text.split("[tool.coordlint]:\n")[1].split("skipped")[0].splitlines()
    written = "\n".join(line.removeprefix("    ") for line in lines if line.startswith("    "))
    project(tmp_path, {"infra/locks.yaml": written, "pyproject.toml": '[tool.coordlint]\nmodels = ["infra/locks.yaml"]\n'})
    again = run("inventory", root, "--format", "json").json
    assert [(u["role"], u["resource"]) for u in again["uses"] if u["path"] == "app.py"] == [("lock", "order:{order.id}")]
    assert again["suggested_models"] == []


def test_each_suggestion_is_a_models_file_of_its_own(run, tmp_path: Path) -> None:
    root = project(tmp_path, {"infra/locks.py": HIDDEN, "app.py": APP})
    told = run("inventory", root, "--format", "json").json["suggested_models"]
    project(tmp_path, {"own.yaml": told[1]["yaml"], "pyproject.toml": '[tool.coordlint]\nmodels = ["own.yaml"]\n'})
    assert [u["role"] for u in run("inventory", root, "--format", "json").json["uses"] if u["path"] == "app.py"] == ["lock"]


def test_a_lock_of_a_library_without_models_is_suggested_where_it_is_entered_with_a_key() -> None:
    app = """
        from dlm.client import DistributedLock
        def report(day):
            with DistributedLock(f"report:{day}", ttl=60):
                build(day)
        """
    (told,) = system(app=app).suggestions()
    assert told.name == "dlm.client.DistributedLock"
    assert told.calls[0] == "dlm.client.DistributedLock: {op: make-lock, params: [name, ttl], key: name, ttl: {param: ttl}, returns: dlm.client.DistributedLock}"


def test_a_generator_that_locks_in_a_hidden_way_is_suggested_by_its_own_name() -> None:
    guards = """
        from contextlib import contextmanager
        from settings import backend
        @contextmanager
        def cluster_lock(key, blocking_timeout=None):
            token = backend().take(key, blocking_timeout)
            try:
                yield
            finally:
                backend().give(token)
        """
    app = "from guards import cluster_lock\ndef work():\n    with cluster_lock('work'):\n        go()\n"
    (told,) = system(guards=guards, app=app).suggestions()
    assert told.types == ("guards.cluster_lock.Held: {role: lock, virtual: true, lock: {scope: distributed}}",)
    assert "wait: {param: blocking_timeout}" in told.calls[0]


def test_an_election_that_cannot_be_followed_is_suggested_as_one() -> None:
    election = """
        from settings import load
        class LeaderElection:
            def __init__(self, name):
                self._impl = load(name)
            def campaign(self):
                return self._impl.campaign()
            def resign(self):
                self._impl.resign()
            def is_leader(self):
                return self._impl.leads()
        """
    app = "from election import LeaderElection\ndef run():\n    e = LeaderElection('beat')\n    e.campaign()\n"
    (told,) = system(election=election, app=app).suggestions()
    assert told.kind == "election"
    assert "election.LeaderElection.is_leader: {op: check}" in told.calls


@pytest.mark.parametrize(
    "text",
    [
        "class Article:\n    def lock(self):\n        self.save()\n    def unlock(self):\n        self.save()\ndef f(a):\n    Article().lock()\n",
        "import door\nclass FrontDoorLock:\n    def lock(self):\n        door.send('lock')\n    def unlock(self):\n        door.send('open')\ndef f():\n    FrontDoorLock().lock()\n",
        "def lock_user(user):\n    user.locked = True\n    user.save()\ndef f(u):\n    lock_user(u)\n",
        "import threading\nclass SafeLock:\n    def __init__(self):\n        self.inner = threading.Lock()\n    def acquire(self):\n        return self.inner.acquire()\n    def release(self):\n        self.inner.release()\ndef f():\n    SafeLock().acquire()\n",
        "import anyio\nasync def f():\n    async with anyio.Lock():\n        pass\n",
        "from gui import BlockDialog\ndef f():\n    with BlockDialog('Save'):\n        pass\n",
        "from impl import make\nclass FakeLock:\n    def acquire(self):\n        return make().acquire()\n    def release(self):\n        make().release()\ndef f():\n    FakeLock().acquire()\n",
        "from impl import make\nclass UnusedLock:\n    def acquire(self):\n        return make().acquire()\n    def release(self):\n        make().release()\n",
    ],
    ids=["a record's state", "a door", "a flag of a record", "a lock of the process", "a lock without a key", "another word", "a stand-in", "nobody calls it"],
)  # fmt: skip
def test_names_alone_suggest_nothing(text: str) -> None:
    assert suggested(system(app=text)) == []


def test_what_is_understood_is_not_suggested() -> None:
    locks = """
        import redis
        client = redis.Redis()
        class Mutex:
            def __init__(self, name):
                self.inner = client.lock(name, timeout=9)
            def acquire(self):
                return self.inner.acquire()
            def release(self):
                self.inner.release()
        """
    assert suggested(system(locks=locks, app="from locks import Mutex\ndef f():\n    Mutex('a').acquire()\n")) == []


def test_at_most_ten_are_suggested_those_with_most_callers_first() -> None:
    lines = ["from impl import make"]
    for n in range(14):
        lines += [f"class Lock{chr(65 + n)}:", "    def acquire(self):", "        return make().take()", "    def release(self):", "        make().give()"]
    lines += ["def f():", *(f"    Lock{chr(65 + n)}()" for n in range(14)), "    LockN()"]
    found = suggested(system(app="\n".join(lines) + "\n"))
    assert len(found) == 10
    assert found[0] == "app.LockN"
