"""How loud a finding is where the code itself says that little hangs on it, or that nobody else can be there."""

from __future__ import annotations

import pytest
from systems import system
from test_severities import RULES, SESSION, loud, loudness

from coordlint.finding import Severity

COUNTED = """
from django.db import models
from celery import shared_task

class Haul(models.Model):
    {column}
    state = models.CharField(max_length=9)
    finished_at = models.DateTimeField(null=True)

@shared_task
def run(number, things):
    haul = Haul.objects.get(pk=number)
    weigh(things)
{work}
"""


@pytest.mark.parametrize(
    ("work", "loudly"),
    [
        ("    haul.skipped = haul.skipped + 1\n    haul.state = 'done'\n    haul.save()\n", Severity.INFO),
        ("    haul.skipped = haul.skipped + 1\n    haul.finished_at = now()\n    haul.save()\n", Severity.INFO),
        ("    haul.skipped = haul.skipped + 1\n    if haul.skipped > 4:\n        haul.state = 'done'\n    haul.save()\n", Severity.WARNING),
        ("    haul.skipped += 1\n    haul.save()\n    run.apply_async((number, things), countdown=9)\n", Severity.INFO),
        ("    haul.skipped += 1\n    haul.save()\n    other.apply_async((number, things), countdown=9)\n", Severity.WARNING),
    ],
)
def test_a_task_that_ends_its_record_or_goes_on_by_itself_counts_alone(work: str, loudly: Severity) -> None:
    assert loud("CL503", COUNTED.format(column="skipped = models.IntegerField()", work=work)) == {loudly}


@pytest.mark.parametrize(("name", "field", "loudly"), [("Purse", "balance", Severity.ERROR), ("Shelf", "quantity", Severity.WARNING), ("PageCache", "hits", Severity.INFO)])
def test_money_is_louder_than_things_and_things_are_louder_than_copies(name: str, field: str, loudly: Severity) -> None:
    text = f"from django.db import models\nclass {name}(models.Model):\n    {field} = models.IntegerField()\ndef take(pk, n):\n    row = {name}.objects.get(pk=pk)\n    row.{field} -= n\n    row.save()\n"
    assert loud("CL503", text) == {loudly}


@pytest.mark.parametrize(("path", "loudly"), [("queue/memory_stub.py", Severity.INFO), ("tools/devappserver2/pool.py", Severity.INFO), ("queue/stubborn.py", Severity.WARNING)])
def test_what_stands_in_for_the_real_thing_is_told_one_step_softer(path: str, loudly: Severity) -> None:
    assert loud("CL403", SESSION + "import requests\nwith zk.Lock('/x'):\n    requests.post('http://depot/')\n", path) == {loudly}


@pytest.mark.parametrize(("beat", "loudly"), [("threading.Thread(target=keep).start()", Severity.INFO), ("pass", Severity.ERROR)])
def test_a_release_that_is_wrong_only_when_a_renewal_has_failed_is_a_note(beat: str, loudly: Severity) -> None:
    text = (
        "import threading, time\nfrom django.core.cache import cache\ndef keep():\n    while True:\n        time.sleep(9)\n        cache.set('sweeping', 'yes', timeout=60)\n"
        f"def sweep():\n    if cache.add('sweeping', 'yes', timeout=60):\n        {beat}\n        try:\n            work()\n        finally:\n            cache.delete('sweeping')\n"
    )
    assert loud("CL104", text) == {loudly}


@pytest.mark.parametrize(("key", "loudly"), [('"announce"', Severity.INFO), ('f"announce:{pk}"', Severity.WARNING)])
def test_a_lease_that_only_keeps_two_runs_of_one_thing_apart_may_be_outlived(key: str, loudly: Severity) -> None:
    text = (
        "import redis, requests\nr = redis.Redis()\ndef announce(pk):\n"
        f"    lock = r.lock({key}, timeout=60)\n    if not lock.acquire(blocking=False):\n        return\n    try:\n        requests.get('https://mill.example/menu')\n    finally:\n        lock.release()\n"
    )
    assert loud("CL109", text) == {loudly}


@pytest.mark.parametrize(("lease", "loudly"), [(2, {Severity.INFO}), (60, {Severity.ERROR})])
def test_a_lease_of_seconds_that_a_loop_outlasts_is_itself_what_is_wrong(lease: int, loudly: set[Severity]) -> None:
    assert loudness("for n in depots(depot):\n            Parcel.objects.create(depot=n)", timeout=lease) == loudly


@pytest.mark.parametrize(
    ("method", "done", "loudly"), [("put", "", Severity.INFO), ("get", "", Severity.WARNING), ("put", "        requests.post('https://mill.example/told', json={})\n", Severity.WARNING)]
)
def test_a_request_that_changes_what_is_in_the_coordinator_is_spared_nothing_by_a_copy(method: str, done: str, loudly: Severity) -> None:
    text = (
        "import consul, json, requests\nfrom tornado.web import RequestHandler\nc = consul.Consul()\n"
        "def turn(name, on):\n    index, flags = c.kv.get('flags')\n    c.kv.put('flags', json.dumps({**json.loads(flags['Value']), name: on}))\n"
        f"class FlagHandler(RequestHandler):\n    def {method}(self, name):\n        turn(name, self.request.body)\n{done}        self.write('kept')\n"
    )
    assert loud("CL117", text) == {loudly}


@pytest.mark.parametrize(("key", "loudly"), [("failures:{job}", Severity.INFO), ("failures:{user}", Severity.WARNING), ("failures:limit:{who}", Severity.WARNING)])
def test_how_often_work_failed_is_a_note_and_how_often_somebody_guessed_is_none(key: str, loudly: Severity) -> None:
    name = key.partition("{")[2][:-1]
    assert loud("CL504", f"import redis\nr = redis.Redis()\ndef failed({name}):\n    n = int(r.get(f'{key}') or 0)\n    r.set(f'{key}', n + 1)\n") == {loudly}


@pytest.mark.parametrize(("use", "loudly"), [("print(c.agent.services())", Severity.INFO), ("for s in c.agent.services():\n        print(s)", Severity.INFO), ("return list(c.agent.services())", Severity.WARNING)])
def test_a_look_up_that_is_only_printed_is_a_note(use: str, loudly: Severity) -> None:
    text = f"import consul\nfrom flask import Flask\napp = Flask(__name__)\nc = consul.Consul()\n@app.route('/')\ndef home():\n    {use}\n    return 'ok'\n"
    assert loud("CL603", text) == {loudly}


PAYOUT = """
from django.db import models, transaction
from flask import Flask

app = Flask(__name__)

class Pledge(models.Model):
    status = models.CharField(max_length=9)

class Payout(models.Model):
    pledge = models.IntegerField()

class Receipt(models.Model):
    number = models.CharField(max_length=9{unique})

def receive(number):
    with transaction.atomic():
        Receipt.objects.create(number=number)

@app.post("/pledges/<number>")
def release(number):
    with transaction.atomic():
        pledge = Pledge.objects.get(pk=number)
        if pledge.status == "HELD":
            receive(number)
            pledge.status = "RELEASED"
            pledge.save()
            Payout.objects.create(pledge=number)
"""


@pytest.mark.parametrize(("unique", "loudly"), [(", unique=True", Severity.INFO), ("", Severity.WARNING)])
def test_a_unique_row_in_the_transaction_takes_back_what_a_second_one_makes(unique: str, loudly: Severity) -> None:
    assert loud("CL503", PAYOUT.format(unique=unique)) == {loudly}


def test_an_object_whose_constructor_begins_its_record_has_one_of_its_own() -> None:
    text = (
        "import json, redis\nr = redis.Redis()\nclass Progress:\n    def __init__(self, key):\n        self.key = key\n        {begin}\n"
        "    def get(self):\n        return json.loads(r.get(self.key))\n    def put(self, steps):\n        r.set(self.key, json.dumps(steps))\n"
        "    def add(self, step):\n        steps = self.get()\n        steps.append(step)\n        self.put(steps)\n"
    )
    assert loud("CL503", text.format(begin="r.set(self.key, json.dumps([]))")) == {Severity.INFO}
    assert loud("CL503", text.format(begin="self.steps = 0")) == {Severity.WARNING}


def test_a_program_among_the_examples_may_fail_when_it_starts() -> None:
    ask = "import consul\nc = consul.Consul()\ndef ask(name):\n    return c.kv.put(name, '1')\n"
    app = "from starlette.applications import Starlette\nfrom depot import ask\nasync def begin():\n    ask('a')\napp = Starlette(on_startup=[begin])\n"
    for path, loudly in (("example/app.py", Severity.INFO), ("shop/app.py", Severity.WARNING)):
        assert {f.severity for f in RULES["CL601"].run(system({"depot.py": ask, path: app}))} == {loudly}


@pytest.mark.parametrize(("added", "loudly"), [("'; ' + note", Severity.INFO), ("note", Severity.WARNING)])
def test_a_note_that_is_added_as_the_record_ends_is_its_enders(added: str, loudly: Severity) -> None:
    text = (
        "from django.db import models\nclass Haul(models.Model):\n    state = models.CharField(max_length=9)\n    note = models.CharField(max_length=99)\n"
        f"def end(pk, note):\n    haul = Haul.objects.get(pk=pk)\n    haul.state = 'done'\n    if haul.note:\n        haul.note += {added}\n    haul.save()\n"
    )
    assert loud("CL503", text) == {loudly}


@pytest.mark.parametrize(("way", "loudly"), [("@shared_task\ndef callback(message):", Severity.INFO), ("@app.post('/callback/<message>')\ndef callback(message):", Severity.WARNING)])
def test_callbacks_that_a_task_sends_are_sent_until_they_get_through(way: str, loudly: Severity) -> None:
    text = (
        "import redis, requests\nfrom celery import shared_task\nfrom flask import Flask\napp = Flask(__name__)\nr = redis.Redis()\n"
        f"{way}\n    with r.lock(f'callback:{{message}}', timeout=30):\n        requests.post('https://mill.example/told', json={{}})\n"
    )
    assert loud("CL210", text) == {loudly}


@pytest.mark.parametrize(("around", "loudly"), [("with r.lock('purse:' + purse, timeout=9):", Severity.INFO), ("if purse:", Severity.WARNING)])
def test_a_mark_that_is_read_before_and_set_under_a_lock_is_a_note(around: str, loudly: Severity) -> None:
    text = (
        "import redis\nr = redis.Redis()\ndef pay(purse, number):\n    if r.get(f'idempotency:{number}'):\n        return\n"
        f"    {around}\n        r.set(f'idempotency:{{number}}', '1', nx=True, ex=900)\n        r.hset('purses', purse, '0')\n"
    )
    assert loud("CL106", text) == {loudly}
