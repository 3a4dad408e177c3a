"""Which database transaction stands around a call: of the function, of its callers, of the framework around a request."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.models.schema import Op
from coordlint.system import System

MODELS = "from django.db import models\nclass Row(models.Model):\n    n = models.IntegerField()\n"
URLS = "from django.urls import path\nfrom shop import views\nurlpatterns = [path('buy/', views.buy)]\n"
VIEW = "from shop.models import Row\ndef buy(request):\n    Row.objects.create(n=1)\n"
ATOMIC = "DATABASES = {'default': {'ENGINE': 'x', 'ATOMIC_REQUESTS': True}}\n"


def shop(settings: str = ATOMIC, views: str = VIEW, **more: str) -> System:
    files = {"shop/settings.py": settings, "shop/models.py": MODELS, "shop/urls.py": URLS, "shop/views.py": views}
    return system({**files, **{f"shop/{name}.py": text for name, text in more.items()}})


def in_transaction(found: System) -> list[bool]:
    return [o.transaction for o in found.operations() if o.call.endswith(".create")]


@pytest.mark.parametrize(
    ("settings", "is_atomic"),
    [
        (ATOMIC, True),
        ("import environ\nenv = environ.Env()\nDATABASES = {'default': env.db('DATABASE_URL')}\nDATABASES['default']['ATOMIC_REQUESTS'] = True\n", True),
        ("DATABASES = {'default': {'ENGINE': 'x', 'ATOMIC_REQUESTS': False}}\n", False),
        ("DATABASES = {'default': {'ENGINE': 'x'}}\n", False),
        ("DATABASES = {'default': {'ATOMIC_REQUESTS': True}, 'log': {'ATOMIC_REQUESTS': False}}\n", False),
        ("DATABASES = {'default': {'ATOMIC_REQUESTS': read_it()}}\n", False),
    ],
    ids=["said", "said later", "denied", "not said", "of one of two databases", "not known"],
)
def test_a_view_runs_in_a_transaction_where_the_settings_say_so(settings: str, is_atomic: bool) -> None:
    assert in_transaction(shop(settings)) == [is_atomic]


@pytest.mark.parametrize(
    "views",
    [
        "from django.db import transaction\nfrom shop.models import Row\n@transaction.non_atomic_requests\ndef buy(request):\n    Row.objects.create(n=1)\n",
        "from shop.models import Row\nasync def buy(request):\n    Row.objects.create(n=1)\n",
        "from shop.models import Row\ndef later(n):\n    Row.objects.create(n=n)\ndef buy(request): ...\n",
    ],
    ids=["exempt", "asynchronous", "no view"],
)
def test_what_is_no_atomic_view_runs_in_no_transaction(views: str) -> None:
    assert in_transaction(shop(views=views)) == [False]


def test_what_a_view_calls_runs_in_its_transaction() -> None:
    views = "from shop.stock import take\ndef buy(request):\n    take(1)\n"
    assert in_transaction(shop(views=views, stock="from shop.models import Row\ndef take(n):\n    put(n)\ndef put(n):\n    Row.objects.create(n=n)\n")) == [True]


@pytest.mark.parametrize(
    ("calls", "is_inside"),
    [
        ("def a():\n    with transaction.atomic():\n        put(1)\n", True),
        ("def a():\n    with transaction.atomic():\n        put(1)\n@transaction.atomic\ndef b():\n    put(2)\n", True),
        ("def a():\n    with transaction.atomic():\n        put(1)\ndef b():\n    put(2)\n", False),
        ("def a():\n    with transaction.atomic():\n        transaction.on_commit(put)\n", False),
        ("def a():\n    with transaction.atomic():\n        Thread(target=put).start()\n", False),
        ("", False),
    ],
    ids=["one call", "all calls", "some calls", "after the commit", "in a thread", "no call"],
)
def test_a_function_is_in_a_transaction_where_all_of_its_calls_are(calls: str, is_inside: bool) -> None:
    head = "from threading import Thread\nfrom django.db import transaction\nfrom models import Row\ndef put(n=0):\n    Row.objects.create(n=n)\n"
    assert in_transaction(system(models=MODELS, app=head + calls)) == [is_inside]


def test_functions_that_call_each_other_and_nobody_else_does_are_in_none() -> None:
    text = "from models import Row\ndef a(n):\n    b(n)\ndef b(n):\n    Row.objects.create(n=n)\n    a(n)\n"
    assert in_transaction(system(models=MODELS, app=text)) == [False]


def test_a_lock_in_a_view_is_held_inside_the_requests_transaction() -> None:
    views = "import redis\nfrom shop.models import Row\nr = redis.Redis()\ndef buy(request):\n    with r.lock('x', timeout=5):\n        Row.objects.create(n=1)\n"
    assert [s.transaction for s in shop(views=views).critical_sections()] == [True]
    assert [s.transaction for s in shop("", views).critical_sections()] == [False]


HEAD = "import psycopg, psycopg2, pymysql\nfrom sqlalchemy import create_engine, text\n"
LOCKS = "SELECT n FROM desks WHERE id = 1 FOR UPDATE"
CONNECTIONS = {
    "psycopg, told": (f"def f():\n    c = psycopg.connect('x', autocommit=True)\n    c.execute('{LOCKS}')\n", True),
    "psycopg": (f"def f():\n    c = psycopg.connect('x')\n    c.execute('{LOCKS}')\n", False),
    "psycopg2, told later": (f"def f():\n    c = psycopg2.connect('x')\n    c.autocommit = True\n    c.cursor().execute('{LOCKS}')\n", True),
    "psycopg2, another one told": (f"def f():\n    b = psycopg2.connect('y')\n    b.autocommit = True\n    c = psycopg2.connect('x')\n    c.cursor().execute('{LOCKS}')\n", False),
    "pymysql, told": (f"def f():\n    c = pymysql.connect(host='x', autocommit=True)\n    c.cursor().execute('{LOCKS}')\n", True),
    "pymysql, denied": (f"def f():\n    c = pymysql.connect(host='x', autocommit=False)\n    c.cursor().execute('{LOCKS}')\n", False),
    "sqlalchemy, engine": (f"engine = create_engine('x', isolation_level='AUTOCOMMIT')\ndef f():\n    with engine.connect() as c:\n        c.execute(text('{LOCKS}'))\n", True),
    "sqlalchemy": (f"engine = create_engine('x')\ndef f():\n    with engine.connect() as c:\n        c.execute(text('{LOCKS}'))\n", False),
}


@pytest.mark.parametrize("kind", CONNECTIONS)
def test_a_connection_that_commits_each_statement_is_known_by_what_it_was_told(kind: str) -> None:
    body, alone = CONNECTIONS[kind]
    found = system(a=HEAD + body)
    assert [o.commits_alone for o in found.operations(Op.ROW_LOCK)] == [alone]
    assert [s.transaction for s in found.critical_sections()] == [not alone]
