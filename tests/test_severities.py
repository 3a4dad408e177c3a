"""How loud a finding about a lock is: a warning needs harm that is plain, and nothing that makes it small or unlikely."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.finding import Severity
from coordlint.rulebook import load_rules

FENCING = next(r for r in load_rules() if r.code == "CL101")


def loudness(work: str, *, timeout: int = 30, key: str = "depot:{depot}") -> set[Severity]:
    taken = f'with client.lock(f"{key}", timeout={timeout}):'
    text = f"""
import redis, requests
from django.db import models

client = redis.Redis()

class Parcel(models.Model):
    depot = models.CharField(max_length=9)
    state = models.CharField(max_length=9)

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
