"""The decision flowchart gives the article's answer to each of its examples."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.decision import APPROACHES, Verdict, flowchart, verdicts
from coordlint.system import System
from coordlint.tax import tax

ZK = "from kazoo.client import KazooClient\nzk = KazooClient(hosts='zk:2181')\n"
REDIS = "import redis\nr = redis.Redis(host='redis')\n"
DJANGO = "from django.db import models\nfrom django.db.models import F\n\nclass Account(models.Model):\n    email = models.CharField()\n    balance = models.IntegerField()\n    version = models.IntegerField()\n\n"


def decided(found: System, roles: str) -> Verdict:
    """The verdict of the first use with one of these roles."""
    return next(v for u, v in verdicts(found) if u.role in roles.split())


def answer(verdict: Verdict, question: str) -> str:
    return next((a.answer for a in verdict.answers if question in a.question), "not asked")


CASES = {
    "leader election with a coordination service": (
        ZK + "def lead():\n    zk.Election('/scheduler/leader', 'a').run(work)\n\ndef work():\n    pass\n",
        "leader-election", "ZooKeeper or etcd, with a fencing token", "fits",
    ),
    "leader election with a Redis key": (
        REDIS + "def lead():\n    if r.set('leader', 'me', nx=True, ex=10):\n        r.delete('leader')\n",
        "leader-election", "ZooKeeper or etcd, with a fencing token", "less than needed",
    ),
    "cluster membership": (
        ZK + "def join(host):\n    zk.create(f'/members/{host}', ephemeral=True)\n",
        "membership", "ZooKeeper or etcd, with a fencing token", "fits",
    ),
    "a write to an object store under a lock": (
        REDIS + "import boto3\ns3 = boto3.client('s3')\n\ndef save(key):\n    with r.lock(f'file:{key}', timeout=30):\n        body = s3.get_object(Bucket='b', Key=key)['Body'].read()\n        s3.put_object(Bucket='b', Key=key, Body=body + b'x')\n",
        "lock", "database CAS", "more than needed",
    ),
    "a payment under a Redis lock": (
        REDIS + "import stripe\n\ndef pay(order):\n    with r.lock(f'order:{order}', timeout=30):\n        stripe.Charge.create(amount=5, currency='eur', source=order)\n",
        "lock", "ZooKeeper or etcd, with a fencing token", "less than needed",
    ),
    "an invoice and its mail under a lock without a token": (
        ZK + "import boto3, smtplib\ns3 = boto3.client('s3')\n\ndef publish(body):\n    with zk.Lock('/invoices/42'):\n"
        "        s3.put_object(Bucket='b', Key='invoices/42', Body=body)\n        smtplib.SMTP('mail').sendmail('a', 'b', body)\n",
        "lock", "ZooKeeper or etcd, with a fencing token", "less than needed",
    ),
    "a write that carries the token of its lock": (
        ZK + "import psycopg2\ndb = psycopg2.connect('')\n\ndef publish(body):\n    lock = zk.Lock('/report')\n    with lock:\n"
        "        token = int(lock.node[-10:])\n"
        "        db.cursor().execute('UPDATE report SET body = %s, token = %s WHERE id = 1 AND token < %s', (body, token, token))\n",
        "lock", "ZooKeeper or etcd, with a fencing token", "fits",
    ),
    "setting a given value, which is idempotent": (
        REDIS + DJANGO + "def rename(pk, email):\n    with r.lock(f'user:{pk}', timeout=30):\n        Account.objects.filter(pk=pk).update(email=email)\n",
        "lock", "no coordination", "more than needed",
    ),
    "adding to a balance, which is not idempotent": (
        REDIS + DJANGO + "def add(pk):\n    with r.lock(f'account:{pk}', timeout=30):\n        account = Account.objects.get(pk=pk)\n        account.balance += 50\n        account.save()\n",
        "lock", "database CAS", "more than needed",
    ),
    "rate limiting in a quorum store": (
        ZK + "def allow(user):\n    counter = zk.Counter(f'/ratelimit/{user}')\n    counter += 1\n",
        "rate-limit counter", "no coordination", "more than needed",
    ),
    "sessions in a quorum store": (
        ZK + "def keep(sid, data):\n    zk.create(f'/sessions/{sid}', data)\n",
        "session", "no coordination", "more than needed",
    ),
    "caching in a quorum store": (
        ZK + "def warm(page, html):\n    zk.set(f'/cache/{page}', html)\n",
        "cache", "no coordination", "more than needed",
    ),
    "caching in Redis": (
        REDIS + "def warm(page, html):\n    r.set(f'cache:{page}', html, ex=60)\n",
        "cache", "no coordination", "fits",
    ),
    "a job queue in a quorum store": (
        ZK + "def push(job):\n    zk.Queue('/jobs').put(job)\n",
        "job-queue", "no coordination", "more than needed",
    ),
    "user records in a quorum store": (
        ZK + "def profile(user, data):\n    zk.create(f'/users/{user}', data)\n",
        "data-store", "no coordination", "more than needed",
    ),
    "configuration where nothing else needs a coordinator": (
        ZK + "def colour():\n    return zk.get('/config/colour')\n",
        "config", "no coordination", "more than needed",
    ),
    "configuration where a coordinator is needed anyway": (
        ZK + "def colour():\n    return zk.get('/config/colour')\n\ndef lead():\n    zk.Election('/leader', 'a').run(colour)\n",
        "config", "ZooKeeper or etcd, with a fencing token", "fits",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_example_of_the_article_gets_the_articles_answer(name) -> None:
    text, role, recommended, gap = CASES[name]
    verdict = decided(system(app=text), role)
    assert verdict.recommended is not None
    assert (verdict.recommended.name, verdict.gap) == (recommended, gap)
    assert verdict.advice


def test_a_version_check_is_optimistic_concurrency_and_fits() -> None:
    text = "import etcd3\nclient = etcd3.client()\n\ndef swap(old, new):\n    return client.replace('/epoch', old, new)\n"
    verdict = decided(system(app=text), "occ")
    assert verdict.recommended is not None
    assert verdict.recommended.name == "database CAS"


def test_what_is_not_known_is_said_and_not_decided() -> None:
    text = REDIS + "import other\n\ndef work():\n    with r.lock('x', timeout=3):\n        other.do()\n"
    verdict = decided(system(app=text), "lock")
    assert answer(verdict, "safe to repeat") == "unknown"
    assert (verdict.recommended, verdict.gap) == (None, "not decided")


def test_every_answer_of_a_lock_carries_the_places_that_say_so() -> None:
    text, role, *_ = CASES["a payment under a Redis lock"]
    verdict = decided(system(app=text), role)
    harmful = next(a for a in verdict.answers if "safe to repeat" in a.question)
    assert [(str(e.place), e.message.split(":")[0]) for e in harmful.evidence] == [("app.py:7", "Charge.create (payment)")]


def test_every_approach_of_the_table_names_its_costs() -> None:
    assert all(a.consistency and a.complexity and a.latency and a.new_failure for a in APPROACHES)


def test_the_flowchart_that_is_shown_names_every_answer_that_is_given() -> None:
    for words in ("SET NX", "optimistic concurrency", "fencing token", "Consul or etcd", "no coordination"):
        assert words in flowchart()


def test_the_tax_counts_uses_that_need_the_coordinator_and_those_that_do_not() -> None:
    text, *_ = CASES["configuration where a coordinator is needed anyway"]
    found = system(app=text + "\ndef warm(page, html):\n    zk.set(f'/cache/{page}', html)\n")
    (zookeeper,) = tax(found, verdicts(found))
    assert (zookeeper.backend, zookeeper.is_unneeded) == ("zookeeper", False)
    assert dict(zookeeper.instead) == {"no coordination": 1}


def test_a_coordinator_for_configuration_alone_is_a_tax_without_a_need() -> None:
    text, *_ = CASES["configuration where nothing else needs a coordinator"]
    found = system(app=text)
    assert [t.is_unneeded for t in tax(found, verdicts(found))] == [True]
