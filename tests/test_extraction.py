"""Many files into facts: in order, from the cache, with broken files told; and which files are chosen at all."""

import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

import coordlint.extract
from coordlint import extraction, ir, selection
from coordlint.cache import Cache, decode, encode, open_cache
from coordlint.extraction import Extractor
from coordlint.facts import Facts
from coordlint.leads import Module
from coordlint.selection import select
from coordlint.sharing import Shared
from coordlint.source import Kind, Source, put_away


def python(path: str, text: str = "x = 1\n") -> Source:
    return Source(path, Kind.PYTHON, text)


@pytest.fixture
def behaving(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Source], Facts]], None]:
    """Replaces the extractor, and makes every run use worker processes."""
    monkeypatch.setattr(extraction, "POOL_FROM", 0)
    monkeypatch.setattr(extraction, "CHUNK", 1)
    monkeypatch.setattr(extraction, "SECONDS_PER_CHUNK", 1.0)
    monkeypatch.setattr(extraction, "SECONDS_ALONE", 1.0)

    def install(extract: Callable[[Source], Facts]) -> None:
        monkeypatch.setattr(coordlint.extract, "extract", extract)

    return install


def well(source: Source) -> Facts:
    return Facts(source.path, source.kind)


def test_facts_come_in_the_order_of_the_sources_from_any_number_of_workers(behaving) -> None:
    sources = [python(f"m{number}.py") for number in range(20)]
    behaving(well)
    for jobs in (1, 2, 3):
        assert [f.path for f in Extractor(Cache(None), jobs)(sources)] == [s.path for s in sources]


def test_a_file_on_which_the_extractor_raises_is_a_told_skip(behaving) -> None:
    def raises(source: Source) -> Facts:
        if source.path == "bad.py":
            raise ValueError("odd")
        return well(source)

    behaving(raises)
    good, bad = Extractor(Cache(None), 1)([python("good.py"), python("bad.py")])
    assert good.skips == ()
    assert [s.reason for s in bad.skips] == ["internal error: ValueError: odd"]


def test_a_file_that_kills_its_worker_costs_only_itself(behaving) -> None:
    def dies(source: Source) -> Facts:
        if source.path == "bad.py":
            os._exit(139)
        return well(source)

    behaving(dies)
    extractor = Extractor(Cache(None), 2)
    facts = extractor([python("a.py"), python("bad.py"), python("z.py")])
    assert [(f.path, [s.reason for s in f.skips]) for f in facts] == [
        ("a.py", []),
        ("bad.py", ["the analysis of this file crashed its process"]),
        ("z.py", []),
    ]
    assert extractor.failures == [("bad.py", "the analysis of this file crashed its process")]


def test_a_file_that_hangs_costs_only_itself(behaving) -> None:
    def hangs(source: Source) -> Facts:
        if source.path == "bad.py":
            time.sleep(60)
        return well(source)

    behaving(hangs)
    facts = Extractor(Cache(None), 2)([python("a.py"), python("bad.py")])
    assert [[s.reason for s in f.skips] for f in facts] == [
        [],
        ["the analysis of this file took longer than 1 s"],
    ]


def test_a_second_run_reads_from_the_cache_until_the_text_changes(behaving, tmp_path: Path) -> None:
    read: list[str] = []

    def counts(source: Source) -> Facts:
        read.append(source.path)
        return well(source)

    behaving(counts)
    for text in ("x = 1\n", "x = 1\n", "x = 2\n"):
        facts = Extractor(open_cache(tmp_path), 1)([python("a.py", text), python("b.py")])
        assert [f.path for f in facts] == ["a.py", "b.py"]
    assert read == ["a.py", "b.py", "a.py"]


def test_the_cache_never_follows_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / ".coordlint_cache").symlink_to(outside)
    cache = open_cache(root)
    cache.put("ab" * 20, b"x")
    assert list(outside.iterdir()) == []
    assert cache.folder is not None and cache.folder.is_relative_to(tmp_path / "user")


def test_the_cache_does_not_write_through_links_that_wait_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / ".coordlint_cache"
    folder.mkdir()
    (folder / ".gitignore").symlink_to(tmp_path / "victim")
    (folder / "ab").symlink_to(tmp_path)
    open_cache(tmp_path).put("ab" * 20, b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".coordlint_cache"]


def test_the_cache_forgets_what_is_oldest_when_it_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordlint.cache.MAX_BYTES", 250)
    cache = open_cache(tmp_path)
    for age, name in enumerate("abcd"):
        cache.put(name * 40, b"x" * 100)
        os.utime(cache.folder / (name * 2) / (name * 38), (age, age))
    cache.trim()
    assert sorted(p.parent.name for p in cache.folder.glob("??/*")) == ["cc", "dd"]


# -- selection ------------------------------------------------------------------------------------------------------


def chosen(monkeypatch: pytest.MonkeyPatch, sources: Sequence[Source], *needles: str) -> list[str]:
    monkeypatch.setattr(selection, "SMALL", 0)
    return [f.path for f in select(sources, needles, lambda wanted: [well(s) for s in wanted])[0]]


LOCKS = "import redis\n\ndef account_lock(k):\n    return redis.Redis().lock(k)\n\ndef unrelated():\n    return 1\n"


def test_small_projects_are_read_whole() -> None:
    sources = [python("a.py"), Source("compose.yaml", Kind.COMPOSE, "")]
    assert [f.path for f in select(sources, ["redis"], lambda wanted: [well(s) for s in wanted])[0]] == [
        "a.py",
        "compose.yaml",
    ]


def test_files_with_a_needle_their_callers_and_their_callees_are_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [
        python(
            "app/callers.py",
            "from app.locks import account_lock\nfrom app import ledger\nwith account_lock(1):\n    ledger.add()\n",
        ),
        python("app/ledger.py", "def add():\n    pass\n"),
        python("app/locks.py", LOCKS),
        python("app/other.py", "import os\n"),
        python("app/polite.py", "from app.locks import unrelated\n"),
        Source("compose.yaml", Kind.COMPOSE, ""),
    ]
    assert chosen(monkeypatch, sources, "redis") == [
        "app/callers.py",
        "app/ledger.py",
        "app/locks.py",
        "compose.yaml",
    ]


def test_a_module_that_only_hands_on_names_is_chosen_between_two_chosen_files(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [
        python("app/core.py", "import asyncio\n\nclass Runner:\n    lock = asyncio.Lock()\n"),
        python("app/locks.py", LOCKS),
        python("app/main.py", "from app.locks import account_lock\nfrom app.runner import Runner\n\ndef main():\n    account_lock(1)\n"),
        python("app/more.py", "from app.core import Runner\n\nclass More:\n    runner = Runner\n"),
        python("app/runner.py", "from app.core import *\n"),
    ]
    assert chosen(monkeypatch, sources, "redis", "asyncio.Lock") == ["app/core.py", "app/locks.py", "app/main.py", "app/runner.py"]


def test_modules_that_define_the_records_of_chosen_files_are_chosen_also_behind_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    record = "from django.db import models\n\nclass {}(models.Model):\n    pass\n"
    texts = {
        "app/locks.py": LOCKS.replace("import redis\n", "import redis\nfrom app.bills import Bill\nfrom app.models import Seat\n"),
        "app/bills.py": record.format("Bill"),
        "app/models/__init__.py": "from app.models.seats import Seat\n",
        "app/models/seats.py": record.format("Seat"),
        "app/models/unused.py": record.format("Unused"),
    }
    assert chosen(monkeypatch, [python(path, text) for path, text in texts.items()], "redis") == [
        "app/locks.py", "app/bills.py", "app/models/__init__.py", "app/models/seats.py",
    ]  # fmt: skip


def test_a_file_that_tests_a_field_and_then_sets_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"a.py": "def f(x):\n    if x.state != 1:\n        return\n    x.state = 2\n    x.save()\n", "b.py": "def f(x):\n    x.state = 2\n    if x.state != 1:\n        x.save()\n"}
    assert chosen(monkeypatch, [python(path, text) for path, text in texts.items()], "redis") == ["a.py"]


def test_of_tests_those_are_chosen_that_name_a_coordinator_or_speak_to_this_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    local = "import threading\nlock = threading.Lock()\n"
    texts = {"a.py": local, "test_b.py": local, "test_c.py": "import redis\n", "test_d.py": "x = 1  # coordlint: ignore[CL101] why\n"}
    assert chosen(monkeypatch, [python(path, text) for path, text in texts.items()], "redis", "threading.Lock") == ["a.py", "test_c.py", "test_d.py"]


@pytest.mark.parametrize(
    ("text", "is_chosen"),
    [
        ("# ask for consultation\n", False),
        ("url = 'consul://agent'\n", True),
        ("consul_client = make()\n", True),
        ("url = 'rediss://host'\n", True),
        ("from api import walrus\n", False),
        ("try: import walrus\nexcept ImportError: pass\n", True),
        ("from walrus import Database\n", True),
        ("from threading import Lock\n", True),
    ],
)
def test_a_needle_that_is_part_of_another_word_chooses_nothing(monkeypatch: pytest.MonkeyPatch, text: str, is_chosen: bool) -> None:
    assert bool(chosen(monkeypatch, [python("a.py", text)], "consul", "redis", "import walrus", "from walrus", "import Lock")) is is_chosen


def test_wrappers_of_wrappers_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [
        python("a_locks.py", LOCKS),
        python(
            "b_guards.py", "from a_locks import account_lock\n\ndef guarded(k):\n    return account_lock(k)\n"
        ),
        python("c_jobs.py", "import b_guards\n\nwith b_guards.guarded(1):\n    pass\n"),
    ]
    assert chosen(monkeypatch, sources, "redis") == ["a_locks.py", "b_guards.py", "c_jobs.py"]


@pytest.mark.parametrize(
    "change",
    [
        "    wallet.coins -= n\n    wallet.save()\n",
        "    wallet.coins = wallet.coins + n\n    db.commit()\n",
        "    Wallet.objects.filter(pk=pk).update(coins=F('coins') - n)\n",
        "    if not wallet.card:\n        wallet.card = bank.create_card(n)\n        wallet.save()\n",
    ],
    ids=["augmented", "spelled out", "counted in place", "filled once"],
)
def test_files_that_change_a_record_from_what_they_read_are_chosen_with_its_class(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    sources = [
        python("shop/records.py", "from django.db import models\n\nclass Wallet(models.Model):\n    pass\n"),
        python("shop/spend.py", f"from shop.records import Wallet\n\ndef spend(pk, n):\n    wallet = Wallet.objects.get(pk=pk)\n{change}"),
        python("shop/rename.py", "def rename(wallet, name):\n    wallet.name = name\n    wallet.save()\n"),
        python("shop/local.py", "def count(seen):\n    seen.number += 1\n"),
    ]
    assert chosen(monkeypatch, sources, "redis") == ["shop/records.py", "shop/spend.py"]


def test_what_touches_coordination_is_found_through_names_of_the_file() -> None:
    text = "from redis import Redis as R\nclient = R()\n\nclass Keeper:\n    def go(self):\n        return client\n\ndef idle():\n    pass\n"
    names, used = Module(python("a.py", text)).touching({"redis"})
    assert names == {"R", "client", "Keeper"}
    assert "go" in used and "idle" not in used


def test_of_many_files_equal_words_and_line_numbers_are_one_object_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "POOL_FROM", 0)
    text = "\n" * 400 + "def take(store, *, key):\n    with store.lock(key, name=key) as held:\n        return held.token\n"
    one, other = Extractor(Cache(None), 2)([python("one.py", text), python("other.py", text)])
    assert one.module is not None and other.module is not None
    first, second = one.module.body[0], other.module.body[0]
    assert isinstance(first, ir.Function) and isinstance(second, ir.Function)
    assert first == second
    assert first.at.line is second.at.line and first.at.line == 401
    assert first.params[0].name is second.params[0].name
    with_first, with_second = first.body[0], second.body[0]
    assert isinstance(with_first, ir.With) and isinstance(with_second, ir.With)
    call, same = with_first.items[0].context, with_second.items[0].context
    assert isinstance(call, ir.Call) and isinstance(same, ir.Call)
    assert call.keywords[0].name is same.keywords[0].name
    assert call.func.at.line is same.func.at.line


def test_sharing_knows_every_part_of_a_statement() -> None:
    """A kind of node that it passes over would keep words of its own without anybody seeing it."""
    text = "\n" * 300 + EVERYTHING
    facts = coordlint.extract.extract(python("all.py", text))
    module = decode(encode(facts)).module
    assert module is not None
    Shared().module(module)
    words: dict[str, str] = {}
    for name in _names(module):
        assert words.setdefault(name, name) is name


EVERYTHING = """
import thing
def thing(thing, *things, key=thing, **more) -> thing:
    global thing
    a = [thing, (thing, {thing}), {thing: thing, **thing}]
    b = thing[thing] if thing < thing else -thing + thing
    c = lambda thing: thing
    d = [thing for thing in thing if thing]
    e = f"{thing} {thing!r}"
    f: thing = (thing := thing)
    a += thing
    if thing: thing
    elif thing: thing
    else: thing
    for thing in thing: thing
    else: thing
    while thing: thing
    with thing as thing, thing(thing, *thing, thing=thing, **thing): thing
    try: thing
    except (thing, thing.thing) as thing: thing
    else: thing
    finally: thing
    del thing
    assert thing, thing
    raise thing
async def thing():
    yield thing
    await thing
    return thing
class thing(thing, thing=thing):
    @thing
    def thing(self): yield from thing
    @thing.thing
    class thing: thing
"""


def _names(node: object) -> Iterator[str]:
    """The names that expressions hold, down from a node."""
    if isinstance(node, tuple):
        for one in node:
            yield from _names(one)
    elif isinstance(node, msgspec.Struct):
        if isinstance(node, ir.Name):
            yield node.id
        elif isinstance(node, ir.Attribute | ir.Param | ir.Keyword):
            yield node.name
        for field in node.__struct_fields__:
            yield from _names(getattr(node, field))


def test_texts_that_are_put_away_stay_what_they_were() -> None:
    source = python("a.py", "name = '\u00e9\ud800'\n" * 100)
    text = source.text
    put_away([source])
    assert source.text == text
    assert pickle.loads(pickle.dumps(source)).text == text


def test_where_nothing_is_kept_the_same_files_are_chosen_and_have_no_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "SMALL", 0)
    sources = [python("store.py", "import redis\n\ndef take():\n    return redis.Redis()\n"), python("use.py", "from store import take\n\ntake()\n"), python("other.py")]
    known = select(sources, ["redis"], lambda several: [well(s) for s in several])
    passing = select(sources, ["redis"], lambda several: [well(s) for s in several], kept=False)
    assert known[1] is not None and passing[1] is not None
    assert passing[0] == known[0]
    assert known[1].voices.keys() == known[1].entered.keys() == {"store.py", "use.py"}
    assert passing[1].voices == {}
    assert passing[1]._replace(voices=known[1].voices) == known[1]
