"""How loud a finding about a lock is: a warning needs harm that is plain, and nothing that makes it small or unlikely."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.finding import Severity
from coordlint.rulebook import load_rules

RULES = {r.code: r for r in load_rules()}
FENCING = RULES["CL101"]


def loud(code: str, text: str, path: str = "shop.py") -> set[Severity]:
    return {finding.severity for finding in RULES[code].run(system({path: text}))}


def loudness(work: str, *, timeout: int = 30, key: str = "depot:{depot}", more: str = "") -> set[Severity]:
    taken = f'with client.lock(f"{key}", timeout={timeout}):'
    text = f"""
import redis, requests
from django.db import models

client = redis.Redis()

class Parcel(models.Model):
    depot = models.CharField(max_length=9)
    state = models.CharField(max_length=9)
{more}
def handle(depot):
    {taken}
        {work}
"""
    return {finding.severity for finding in FENCING.run(system({"depot.py": text}))}


@pytest.mark.parametrize(
    ("work", "loud"),
    [
        ("Parcel.objects.create(depot=depot)", {Severity.ERROR}),
        ("Parcel.objects.filter(depot=depot).update(state='gone')", {Severity.INFO}),
        ("Parcel.objects.filter(depot=depot).delete()", {Severity.INFO}),
    ],
)
def test_a_second_record_is_louder_than_a_state_that_is_set_again(work: str, loud: set[Severity]) -> None:
    assert loudness(work) == loud


def test_a_lease_that_outlasts_every_pause_makes_a_note_of_a_warning() -> None:
    assert loudness("requests.post('https://pay.example/transfer', json={})", key="transfer:{depot}") == {Severity.WARNING}
    assert loudness("requests.post('https://pay.example/transfer', json={})", key="transfer:{depot}", timeout=3600) == {Severity.INFO}


def test_a_request_whose_receiver_is_not_seen_is_a_note_unless_it_names_money() -> None:
    assert loudness("requests.post('https://depot.example/announce', json={})") == {Severity.INFO}


TWO_KINDS = """
class Crate:
    def pack(self):
        Parcel.objects.create(depot="north")

class Sack:
    def pack(self):
        print("packed")
"""


def test_what_a_call_may_do_and_may_not_do_is_a_note() -> None:
    assert loudness("Crate().pack()", more=TWO_KINDS) == {Severity.ERROR}
    assert loudness("(Crate() if depot else Sack()).pack()", more=TWO_KINDS) == {Severity.INFO}


def test_a_record_beside_the_lock_in_the_same_store_is_a_note_unless_it_names_money() -> None:
    counted = "n = int(client.hget('{0}', depot) or 0)\n        client.hset('{0}', depot, n + 1)"
    assert loudness(counted.format("highest")) == {Severity.INFO}
    assert loudness(counted.format("wallet")) == {Severity.WARNING}


@pytest.mark.parametrize(("key", "loud"), [("path", {Severity.INFO}), ("'depots'", {Severity.WARNING})])
def test_an_object_whose_key_is_not_known_may_be_another_one_for_every_holder(key: str, loud: set[Severity]) -> None:
    store = f"import boto3\ns3 = boto3.client('s3')\ndef put(path):\n    body = s3.get_object(Bucket='b', Key='all')\n    s3.put_object(Bucket='b', Key={key}, Body=body)\n"
    assert loudness("put(f'{depot}')\n        Parcel.objects.get(depot=depot)", more=store) == loud


ASKS = "from flask import Flask\nimport consul\napp = Flask(__name__)\nc = consul.Consul()\n"


def test_a_request_for_what_only_the_coordinator_knows_can_but_fail() -> None:
    only = ASKS + "@app.get('/k')\ndef k():\n    c.kv.put('k', '1')\n    return ''\n"
    more = ASKS + "import requests\n@app.get('/k')\ndef k():\n    c.kv.put('k', '1')\n    return requests.get('http://depot/').text\n"
    rest = "".join(f"@app.get('/{n}')\ndef n{n}():\n    return ''\n" for n in range(9))
    assert (loud("CL601", only + rest), loud("CL601", more + rest)) == ({Severity.INFO}, {Severity.WARNING})


WAITS = "import redis\nfrom celery import Celery\nfrom flask import Flask\nweb = Flask(__name__)\nwork = Celery('a')\nr = redis.Redis()\n"


@pytest.mark.parametrize(
    ("who", "life", "loudly"),
    [("@web.get('/')", "timeout=9", Severity.WARNING), ("@work.task", "timeout=9", Severity.INFO), ("@work.task", "timeout=None", Severity.WARNING)],
)
def test_a_worker_may_wait_for_its_turn_at_a_lock_that_ends_by_itself(who: str, life: str, loudly: Severity) -> None:
    assert loud("CL111", WAITS + f"{who}\ndef run():\n    with r.lock('x', {life}):\n        return r.incr('n')\n") == {loudly}


def test_a_request_that_only_hands_the_work_to_somebody_else_does_not_wait_for_it() -> None:
    run = "def run():\n    with r.lock('x', timeout=9):\n        r.incr('n')\n"
    asked = WAITS + run + "@web.get('/')\ndef ask():\n    {}\n    return ''\n"
    assert loud("CL111", asked.format("run()")) == {Severity.WARNING}
    assert loud("CL111", asked.format("jobs.enqueue(run)")) <= {Severity.INFO}


SESSION = "from kazoo.client import KazooClient\nzk = KazooClient('zk:2181')\nzk.start()\n"


def test_a_session_that_guards_nothing_is_an_exercise() -> None:
    assert loud("CL403", SESSION + "with zk.Lock('/x'):\n    print('mine')\n") == {Severity.INFO}
    assert loud("CL403", SESSION + "import requests\nwith zk.Lock('/x'):\n    requests.post('http://depot/')\n") == {Severity.WARNING}


def test_code_in_a_folder_of_examples_is_told_one_step_softer() -> None:
    text = SESSION + "import requests\nwith zk.Lock('/x'):\n    requests.post('http://depot/')\n"
    assert loud("CL403", text, "examples/locks/one.py") == {Severity.INFO}
    assert loud("CL403", text, "exampled.py") == {Severity.WARNING}


def test_names_of_caches_and_limits_say_that_little_hangs_on_a_lost_update() -> None:
    text = "import redis, json\nr = redis.Redis()\ndef add(user):\n    {0} = json.loads(r.get('roles'))\n    {0}[user.id] = user.role\n    r.set('roles', json.dumps({0}))\n"
    assert (loud("CL503", text.format("roles")), loud("CL503", text.format("cached_roles"))) == ({Severity.WARNING}, {Severity.INFO})


def test_a_release_that_compares_before_it_deletes_is_told_as_such() -> None:
    take = "import redis\nr = redis.Redis()\ndef run(token):\n    if r.set('lock:x', token, nx=True, ex=20):\n        r.rpush('q', 1)\n"
    plain, compared = "        r.delete('lock:x')\n", "        if r.get('lock:x') == token:\n            r.delete('lock:x')\n"
    (first,), (second,) = (list(RULES["CL104"].run(system(shop=take + release))) for release in (plain, compared))
    assert "by a plain delete:" in first.message
    assert "by a get, a comparison and a delete, in separate steps:" in second.message


def test_a_count_that_is_made_with_its_expiry_depends_on_a_second_step_now_and_then_only() -> None:
    text = "import redis\nr = redis.Redis()\ndef hit(user):\n{}    if r.incr(f'hits:{{user}}') == 1:\n        r.expire(f'hits:{{user}}', 60)\n"
    assert loud("CL504", text.format("")) == {Severity.WARNING}
    assert loud("CL504", text.format("    if r.set(f'hits:{user}', 1, nx=True, ex=60):\n        return\n")) == {Severity.INFO}


def test_keys_for_what_grows_slowly_are_a_note() -> None:
    text = "from kazoo.client import KazooClient\nzk = KazooClient('zk:2181')\ndef add(x):\n    zk.create(f'/all/{{x.{}_id}}')\n"
    assert (loud("CL303", text.format("order")), loud("CL303", text.format("project"))) == ({Severity.WARNING}, {Severity.INFO})


def test_a_count_that_only_scheduled_rounds_change_is_a_note() -> None:
    text = (
        "from celery import Celery\nfrom celery.schedules import crontab\nfrom django.db import models\nwork = Celery('a')\n"
        "class Case(models.Model):\n    days = models.IntegerField()\n"
        "@work.task\ndef age(pk):\n    case = Case.objects.get(pk=pk)\n    case.days += 1\n    case.save()\n"
    )
    beat = "work.conf.beat_schedule = {'age': {'task': 'shop.age', 'schedule': crontab(hour=4)}}\n"
    assert (loud("CL503", text), loud("CL503", text + beat)) == ({Severity.WARNING}, {Severity.INFO})


def test_a_handler_that_only_asks_the_coordinator_is_there_to_do_so() -> None:
    asked = ASKS + "import json\n@app.get('/k')\ndef k():\n    json.load(open('k.json'))\n    {}return c.kv.get('k')\n"
    rest = "".join(f"@app.get('/{n}')\ndef n{n}():\n    return ''\n" for n in range(9))
    assert loud("CL117", asked.format("") + rest) == {Severity.INFO}
    assert loud("CL117", "import requests\n" + asked.format("requests.post('http://depot/')\n    ") + rest) == {Severity.WARNING}


def test_pythons_own_server_serves_operators() -> None:
    text = "import consul, requests\nfrom http.server import BaseHTTPRequestHandler\nc = consul.Consul()\nclass Page(BaseHTTPRequestHandler):\n    def do_GET(self):\n        requests.post('http://depot/')\n        c.kv.get('k')\n"
    assert loud("CL117", text) == set()


def test_who_deletes_under_a_lock_that_nobody_else_names_has_nobody_to_keep_away() -> None:
    drop = (
        "import redis\nfrom django.db import models, transaction\nr = redis.Redis()\nclass Crate(models.Model):\n    name = models.TextField()\n"
        "@transaction.atomic\ndef drop(name):\n    with r.lock(f'crate:{name}', timeout=9):\n        Crate.objects.filter(name=name).delete()\n"
    )
    keep = "def keep(label):\n    with r.lock(f'crate:{label}', timeout=9):\n        Crate.objects.create(name=label)\n"
    assert (loud("CL118", drop), loud("CL118", drop + keep)) == ({Severity.INFO}, {Severity.ERROR})


def test_a_lock_that_is_named_for_something_else_than_the_record_is_somebodys_turn() -> None:
    text = "import redis\nr = redis.Redis()\n" + "".join(
        f"def {work}(pk, {who}):\n    with r.lock(f'{work}:{{{name}}}', timeout=9):\n        n = int(r.get(f'crate:{{pk}}'))\n        r.set(f'crate:{{pk}}', n + 1)\n"
        for work, who, name in (("fill", "worker", "{0}"), ("move", "driver", "pk"))
    )
    assert loud("CL119", text.replace("{0}", "pk")) == {Severity.WARNING}
    assert loud("CL119", text.replace("{0}", "worker")) == {Severity.INFO}


def test_entries_that_a_watch_hands_to_everybody_are_few() -> None:
    text = "from kazoo.client import KazooClient\nzk = KazooClient('zk:2181')\ndef add(user):\n    zk.create(f'/certs/{user}/c', b'x', sequence=True)\n"
    watch = "def follow(user, keep):\n    zk.ChildrenWatch(f'/certs/{user}', keep)\n"
    assert (loud("CL301", text), loud("CL301", text + watch)) == ({Severity.WARNING}, {Severity.INFO})


def test_a_listener_that_stops_its_client_stops_nobody_where_nothing_hangs_on_the_session() -> None:
    text = SESSION + "def gone(state):\n    zk.stop()\nzk.add_listener(gone)\nzk.DataWatch('/k', print)\n"
    assert loud("CL403", text) == {Severity.INFO}
    assert Severity.WARNING in loud("CL403", text + "def run():\n    with zk.Lock('/x'):\n        open('f', 'w')\n")


@pytest.mark.parametrize(
    ("check", "loudly"),
    [
        ("", Severity.WARNING),
        ("    if n is None:\n            raise KeyError(depot)\n    ", Severity.WARNING),
        ("    if left < 0:\n            raise ValueError(left)\n    ", Severity.INFO),
        ("    if n == 7:\n            return\n    ", Severity.INFO),
        ("    if depot == 7:\n            return\n    ", Severity.WARNING),
    ],
)
def test_a_value_that_is_compared_before_it_is_written_takes_more_than_an_atomic_update(check: str, loudly: Severity) -> None:
    text = (
        "import redis\nr = redis.Redis()\ndef take(depot, wanted):\n    with r.lock(f'lock:{depot}', timeout=9):\n"
        f"        n = int(r.get(f'left:{{depot}}'))\n        left = n - wanted\n    {check}    r.set(f'left:{{depot}}', left)\n"
    )
    assert loud("CL202", text) == {loudly}


@pytest.mark.parametrize(("check", "loudly"), [("", Severity.WARNING), ("        if depot.left < wanted:\n            raise ValueError(wanted)\n", Severity.INFO)])
def test_the_same_goes_for_a_record(check: str, loudly: Severity) -> None:
    text = (
        "import redis\nfrom django.db import models\nr = redis.Redis()\nclass Depot(models.Model):\n    left = models.IntegerField()\n"
        "def take(pk, wanted):\n    with r.lock(f'lock:{pk}', timeout=9):\n        depot = Depot.objects.get(pk=pk)\n"
        f"{check}        depot.left -= wanted\n        depot.save()\n"
    )
    assert loud("CL202", text) == {loudly}


@pytest.mark.parametrize(("key", "loudly"), [("votes:{paper}", Severity.WARNING), ("retries:{paper}", Severity.INFO)])
def test_a_try_more_than_allowed_is_a_note(key: str, loudly: Severity) -> None:
    text = f"import redis\nr = redis.Redis()\ndef again(paper):\n    n = int(r.get(f'{key}') or 0)\n    r.set(f'{key}', n + 1)\n"
    assert loud("CL504", text) == {loudly}


@pytest.mark.parametrize(("done", "loudly"), [("", Severity.INFO), ("    requests.post('https://mill.example/told', json={})\n", Severity.WARNING)])
def test_storing_what_a_request_is_for_is_a_note(done: str, loudly: Severity) -> None:
    text = (
        "import consul, requests\nfrom flask import Flask, request\napp = Flask(__name__)\nc = consul.Consul()\ndef keep(name, value):\n    c.kv.put(name, value)\n"
        f"@app.route('/flags/<name>', methods=['PUT'])\ndef put(name):\n    keep(name, request.data)\n{done}    return 'kept'\n"
    )
    assert loud("CL117", text) == {loudly}


JOB = """
from django.db import models
from celery import shared_task

class Job(models.Model):
    done = models.IntegerField(default=0)

@shared_task
def run(number, things):
    job = Job.objects.get(pk=number)
    for thing in things:
        pack(thing)
        job.done += 1
        job.save()
"""


def test_a_loop_that_counts_on_a_record_which_nobody_else_changes_is_a_note() -> None:
    other = "\n\ndef correct(number):\n    job = Job.objects.get(pk=number)\n    job.done -= 1\n    job.save()\n"
    assert loud("CL503", JOB) == {Severity.INFO}
    assert loud("CL503", JOB + other) == {Severity.WARNING}


def test_what_a_process_keeps_under_its_own_name_is_a_note() -> None:
    text = """
import json
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def answer({name}, task):
    told = json.loads(zk.get(f"/tasks/{{{name}}}")[0])
    told.append(task)
    zk.set(f"/tasks/{{{name}}}", json.dumps(told).encode())
"""
    assert loud("CL503", text.format(name="hostname")) == {Severity.INFO}
    assert loud("CL503", text.format(name="customer")) == {Severity.WARNING}
