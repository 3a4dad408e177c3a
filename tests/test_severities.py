"""How loud a finding about a lock is: a warning needs harm that is plain, and nothing that makes it small or unlikely."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.finding import Severity
from coordlint.rulebook import load_rules

FENCING = next(r for r in load_rules() if r.code == "CL101")


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
