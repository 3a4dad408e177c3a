"""Dependency lists and the small formats beside manifests."""

from __future__ import annotations

import pytest

from coordlint.extract.manifests import extract_manifest
from coordlint.extract.python_words import read_words
from coordlint.facts import Facts
from coordlint.manifest import EntryPoints, PythonWords, SettingsFile
from coordlint.source import Kind, Source


def read(path: str, text: str, kind: Kind = Kind.REQUIREMENTS) -> Facts:
    return extract_manifest(Source(path, kind, text))


def listed(facts: Facts) -> list[tuple[str, str, int]]:
    return [(r.name, r.specifier, r.place.line) for r in facts.requirements]


def test_lines_of_a_requirements_file_with_their_specifiers() -> None:
    text = "# stores\nKazoo>=2.9 # client\nredis[hiredis]==5.0 ; python_version > '3'\n-r other.txt\n./local\ngit+https://x/y.git#egg=My_Lib\n\nceleryredbeat\n"
    assert listed(read("requirements.txt", text)) == [("kazoo", ">=2.9", 2), ("redis", "==5.0", 3), ("my-lib", "", 6), ("celeryredbeat", "", 8)]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("pyproject.toml", '[project]\ndependencies = [\n  "kazoo>=2",\n]\n', [("kazoo", ">=2", 3)]),
        ("pyproject.toml", '[project.optional-dependencies]\nlocks = ["etcd3"]\n', [("etcd3", "", 2)]),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.11"\nredis = {version = "^5", optional = true}\n', [("redis", "^5", 3)]),
        ("Pipfile", '[packages]\ncelery-redbeat = "*"\n', [("celery-redbeat", "", 2)]),
        ("Pipfile.lock", '{"default": {\n"kazoo": {"version": "==2.9"}}}', [("kazoo", "==2.9", 2)]),
        ("poetry.lock", '[[package]]\nname = "kazoo"\nversion = "2"\n', [("kazoo", "", 2)]),
        ("setup.cfg", "[options]\ninstall_requires =\n    kazoo>=2\n", [("kazoo", ">=2", 3)]),
        ("environment.yml", "dependencies:\n  - kazoo=2.9\n", [("kazoo", "=2.9", 2)]),
    ],
)
def test_every_format_gives_names_specifiers_and_lines(path: str, text: str, expected: list[tuple[str, str, int]]) -> None:
    assert listed(read(path, text)) == expected


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [("pyproject.toml", "[project]\nname = \n", 2), ("Pipfile.lock", "{\n,}", 2), ("setup.cfg", "x\n", 1), ("pyproject.toml", "a = " + "[" * 30_000, 1)],
)
def test_a_file_that_breaks_its_format_is_told(path: str, text: str, line: int) -> None:
    (skip,) = read(path, text).skips
    assert skip.line == line


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pyproject.toml", '[project.scripts]\nshopd = "shop.server:main"\n'),
        ("setup.cfg", "[options.entry_points]\nconsole_scripts =\n    shopd = shop.server:main\n"),
    ],
)
def test_console_scripts_are_declared(path: str, text: str) -> None:
    (manifest,) = read(path, text).manifests
    assert isinstance(manifest, EntryPoints)
    assert [(s.name, s.value) for s in manifest.scripts] == [("shopd", "shop.server:main")]


def test_console_scripts_of_a_setup_py_are_read_from_its_text() -> None:
    text = "setup(entry_points={'console_scripts': ['shopd=shop.server:main']})\n"
    (scripts,) = [m for m in read_words(Source("setup.py", Kind.PYTHON, text)) if isinstance(m, EntryPoints)]
    assert [(s.name, s.value, s.line) for s in scripts.scripts] == [("shopd", "shop.server:main", 1)]


def test_an_env_file_gives_names_values_and_lines() -> None:
    (manifest,) = read(".env", "# x\nexport A=1 # one\nB='two words'\nC=\"over\nlines\"\nnonsense\nD=\n", Kind.ENV).manifests
    assert isinstance(manifest, SettingsFile)
    assert [(s.name, s.value, s.line) for s in manifest.settings] == [("A", "1", 2), ("B", "two words", 3), ("C", "over\nlines", 4), ("D", "", 7)]


@pytest.mark.parametrize(
    ("path", "text", "what", "first"),
    [
        ("Procfile", "web: gunicorn app:app\n", "procfile", ("web", "gunicorn app:app")),
        ("conf/worker.conf", "[program:w]\ncommand=celery\n  worker\n", "supervisor", ("program:w/command", "celery worker")),
        ("redis.conf", "# x\nMaxMemory-Policy allkeys-lru\n", "redis", ("maxmemory-policy", "allkeys-lru")),
        ("zoo.cfg", "dataDir=/data\n", "zookeeper", ("dataDir", "/data")),
        ("nginx.conf", "location / {\n  proxy_pass http://web:8000/;\n}\n", "nginx", ("upstream", "http://web:8000/")),
        ("uwsgi.ini", "[uwsgi]\nmodule = shop.wsgi\n", "uwsgi", ("uwsgi/module", "shop.wsgi")),
    ],
)
def test_small_formats_are_told_by_name_and_content(path: str, text: str, what: str, first: tuple[str, str]) -> None:
    (manifest,) = read(path, text, Kind.OTHER).manifests
    assert isinstance(manifest, SettingsFile)
    assert (manifest.what, (manifest.settings[0].name, manifest.settings[0].value)) == (what, first)


def test_words_of_a_python_file_are_variables_addresses_and_imports() -> None:
    text = "import a.b as c\nfrom .d import e, f as g\nURL = os.getenv('SHOP_URL', 'http://shop:80')\nHOST = 'redis'\nx = 'some.module'\n"
    (words,) = read_words(Source("p/m.py", Kind.PYTHON, text))
    assert isinstance(words, PythonWords)
    assert words.names == ("SHOP_URL",)
    assert [(s.name, s.value, s.line) for s in words.hosts] == [("SHOP_URL", "http://shop:80", 3), ("HOST", "redis", 4)]
    assert words.imports == ("a.b", ".d", ".d.e", ".d.f", "some.module")
