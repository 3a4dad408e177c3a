"""A project's own models file for wrappers that hide what they do, and the file that the inventory suggests."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

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
