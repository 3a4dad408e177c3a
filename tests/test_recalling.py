"""What changed is looked at alone, and where the verdict stands it is told again: the same bytes as a whole run, whatever was edited."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_bad_input import LOCKED, Ran, coordlint
from test_verdicts import judged, own_key  # noqa: F401

from coordlint import reading, selection

Files = dict[str, str]
SHOP: Files = {
    "shop/locks.py": "import redis\n\nr = redis.Redis(host='redis', socket_timeout=1)\n\n\ndef order_lock(number):\n    return r.lock(f'order:{number}', timeout=10)\n\n\ndef unlocked(number):\n    return number\n",
    "shop/api.py": "from .locks import order_lock\nfrom shop.text import shown\n",
    "shop/__init__.py": "",
    "shop/orders.py": "import boto3\nfrom shop.api import order_lock\nfrom shop.totals import total\n\ns3 = boto3.client('s3')\n\n\ndef add(number, line):\n    with order_lock(number):\n        body = s3.get_object(Bucket='orders', Key=number)['Body'].read()\n        s3.put_object(Bucket='orders', Key=number, Body=body + line)\n        return total(body)\n",
    "shop/totals.py": "def total(body):\n    return len(body)\n",
    "shop/text.py": "def shown(text):\n    # as it is\n    return text.strip()\n",
    "shop/more.py": "from shop.text import shown\n\n\ndef twice(text):\n    return shown(text) * 2\n",
    "shop/accounts.py": "class Accounts:\n    def charge(self, account, n):\n        account.total = account.total - n\n        account.save()\n",
    "shop/pages.py": "from shop import text, locks\n\n\ndef page(x):\n    return text.shown(x) + str(locks.unlocked(x))\n",
    "shop/settings.py": "BROKER_URL = 'redis://redis:6379/0'\n",
    "tests/test_text.py": "from shop.text import shown\n\n\ndef test_shown():\n    assert shown(' a ') == 'a'\n",
    "gunicorn.conf.py": "bind = '0.0.0.0:8000'\nworkers = 2\n",
    "worker.py": "import shop.settings\nfrom shop import orders\n\nwhile True:\n    orders.add('1', b'x')\n",
    "compose.yaml": "services:\n  redis:\n    image: redis:7\n  worker:\n    build: .\n    command: python worker.py\n    deploy: {replicas: 2}\n  web:\n    build: .\n    command: gunicorn -c gunicorn.conf.py shop.pages:page\n",
    "Dockerfile": "FROM python:3.12\nCOPY . .\n",
    "notes/a.yaml": "fixes:\n  - one\n",
    "requirements.txt": "redis==5.0\nboto3\n",
}  # fmt: skip
LINES = (
    "# a remark", "", "x = 1", "import redis", "from shop.locks import order_lock", "from shop.api import *", "from .locks import order_lock as lock", "from shop import locks",
    "def more(number):\n    with order_lock(number):\n        return number", "def count(thing):\n    thing.n += 1\n    thing.save()", "HOST = 'redis://redis:6379'", "locks.order_lock(2)",
    "# coordlint: ignore[CL101] it is known", "def f(:", "redis:", "    image: redis:6", "import shop.pages", "'''", "    pass", "# redis",
)  # fmt: skip


def appended(files: Files, path: str, lot: random.Random) -> None:
    files[path] += f"{lot.choice(LINES)}\n"


def inserted(files: Files, path: str, lot: random.Random) -> None:
    lines = files[path].split("\n")
    lines.insert(lot.randrange(len(lines)), lot.choice(LINES))
    files[path] = "\n".join(lines)


def line_removed(files: Files, path: str, lot: random.Random) -> None:
    lines = files[path].split("\n")
    del lines[lot.randrange(len(lines))]
    files[path] = "\n".join(lines)


def remarked(files: Files, path: str, lot: random.Random) -> None:
    lines = files[path].split("\n")
    at = lot.randrange(len(lines))
    lines[at] += "  # a remark"
    files[path] = "\n".join(lines)


def as_another(files: Files, path: str, lot: random.Random) -> None:
    files[path] = files[lot.choice(sorted(files))]


def as_at_first(files: Files, path: str, lot: random.Random) -> None:
    if path in SHOP:
        files[path] = SHOP[path]


def gone(files: Files, path: str, lot: random.Random) -> None:
    del files[path]


def new(files: Files, path: str, lot: random.Random) -> None:
    files[f"shop/{lot.choice(('one', 'two', 'text', 'totals'))}.py"] = f"{lot.choice(LINES)}\n"


def moved(files: Files, path: str, lot: random.Random) -> None:
    files[f"{path.rpartition('.')[0]}_{lot.randrange(3)}.{path.rpartition('.')[2]}"] = files.pop(path)


EDITS: tuple[Callable[[Files, str, random.Random], None], ...] = (appended, appended, inserted, line_removed, remarked, remarked, remarked, as_another, as_at_first, gone, new, moved)


def lay(root: Path, before: Files, after: Files, *, anew: bool) -> None:
    """Writes what is different, in place or as many editors do: beside it, and then over it."""
    for path in before.keys() - after.keys():
        (root / path).unlink()
    for path, text in after.items():
        if before.get(path) != text:
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if anew:
                (place.parent / ".new").write_text(text)
                (place.parent / ".new").rename(place)
            else:
                place.write_text(text)
    time.sleep(0.003)


def told(root: Path, *arguments: str) -> Ran:
    return coordlint(root, "check", "--profile", "audit", *arguments)


@pytest.mark.slow
@pytest.mark.parametrize("small", [0, 400], ids=["files are chosen", "all files are read"])
@pytest.mark.parametrize("number", range(4))
def test_any_edits_lead_to_the_bytes_of_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judged: list[str], small: int, number: int) -> None:  # noqa: F811
    monkeypatch.setattr(selection, "SMALL", small)
    lot = random.Random(number)
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    root, files = tmp_path / "shop", dict(SHOP)
    if number % 2:
        del files["compose.yaml"]
    lay(root, {}, files, anew=False)
    format = lot.choice(("full", "json", "sarif"))
    stood = 0
    for _ in range(12):
        first, judged[:] = told(root, "--format", format), []
        before = dict(files)
        for _ in range(lot.choice((1, 1, 1, 2, 3))):
            lot.choice(EDITS)(files, lot.choice(sorted(files)), lot)
        lay(root, before, files, anew=lot.random() < 0.5)
        again = told(root, "--format", format)
        stood += not judged and before != files
        whole = told(root, "--format", format, "--no-cache")
        assert (again.code, again.out) == (whole.code, whole.out), (before, files)
        assert "".join(again.err.split()) == "".join(whole.err.split())
        if not judged[:-1]:
            assert again.out == first.out
    assert stood or small, "the verdict never stood: this test said nothing"


SAME: dict[str, tuple[str, str]] = {  # edits that the verdict does not rest on
    "a file that nothing leads to": ("shop/more.py", "from shop.text import shown\n\n\ndef thrice(text):\n    return shown(text) * 3\n"),
    "a test": ("tests/test_text.py", "from shop.text import shown\n\n\ndef test_shown():\n    assert shown('') == ''\n"),
    "a file of no known kind": ("notes/a.yaml", "fixes:\n  - two\n"),
    "a remark at the end of a file that takes a lock": ("shop/orders.py", SHOP["shop/orders.py"] + "# a remark\n"),
    "a remark in a manifest": ("compose.yaml", SHOP["compose.yaml"] + "# of the shop\n"),
}
OTHER: dict[str, tuple[str, str]] = {  # and such that it may
    "a lock in a file that had none": ("shop/more.py", LOCKED.decode()),
    "a wrapper is called": ("shop/more.py", "from shop.locks import order_lock\n\n\ndef f(n):\n    with order_lock(n):\n        pass\n"),
    "a record is counted": ("shop/more.py", SHOP["shop/accounts.py"]),
    "a module hands on what it defined": ("shop/totals.py", "from shop.locks import unlocked as total\n"),
    "a line above": ("shop/orders.py", "\n" + SHOP["shop/orders.py"]),
    "a remark on a line that is shown": ("shop/orders.py", SHOP["shop/orders.py"].replace("order_lock(number):", "order_lock(number):  # once")),
    "settings that a workload reads": ("shop/settings.py", "BROKER_URL = 'redis://other:6379/0'\n"),
    "the configuration of a server": ("gunicorn.conf.py", "bind = '0.0.0.0:8000'\nworkers = 4\n"),
    "a file that cannot be decoded": ("shop/more.py", "# coding: ascii\n# é\n"),
    "generated code": ("shop/more.py", "# @generated\n"),
    "a file that becomes a manifest": ("notes/a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"),
    "a comment that speaks to us": ("shop/more.py", SHOP["shop/more.py"] + "# coordlint: ignore[CL101] no\n"),
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judged: list[str]) -> Path:  # noqa: F811
    monkeypatch.setattr(selection, "SMALL", 0)
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    lay(tmp_path / "shop", {}, SHOP, anew=False)
    assert told(tmp_path / "shop").code == 1
    judged.clear()
    return tmp_path / "shop"


@pytest.mark.parametrize("anew", [False, True], ids=["in place", "renamed over it"])
@pytest.mark.parametrize(("path", "text"), SAME.values(), ids=SAME)
def test_a_verdict_stands_when_it_does_not_rest_on_what_changed(shop: Path, judged: list[str], path: str, text: str, anew: bool) -> None:  # noqa: F811
    for _ in range(2):
        lay(shop, SHOP, {**SHOP, path: text}, anew=anew)
        again = told(shop)
        assert judged == []
        assert again.out == told(shop, "--no-cache").out
        judged.clear()
        lay(shop, {**SHOP, path: text}, SHOP, anew=anew)  # and back
        told(shop)
        assert judged == []


@pytest.mark.parametrize(("path", "text"), OTHER.values(), ids=OTHER)
def test_whatever_a_verdict_may_rest_on_is_judged_again(shop: Path, judged: list[str], path: str, text: str) -> None:  # noqa: F811
    lay(shop, SHOP, {**SHOP, path: text}, anew=False)
    again = told(shop)
    assert judged == ["judged"]
    assert again.out == told(shop, "--no-cache").out


def test_a_large_file_is_looked_at_in_a_worker(shop: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(reading, "LARGE", 10)
    for remark in ("# a remark\n", "# another\n"):
        lay(shop, SHOP, {**SHOP, "shop/orders.py": SHOP["shop/orders.py"] + remark}, anew=False)
        told(shop)
        assert judged == []
    lay(shop, SHOP, {**SHOP, "shop/orders.py": "\n" + SHOP["shop/orders.py"]}, anew=False)
    told(shop)
    assert judged == ["judged"]


def test_a_commit_does_not_make_git_another_project(shop: Path, judged: list[str]) -> None:  # noqa: F811
    (shop / ".git" / "index.lock").write_text("")
    (shop / ".git" / "index.lock").rename(shop / ".git" / "index")
    time.sleep(0.003)
    told(shop)
    assert judged == []
