"""Session listeners: whether anybody hears what they hear."""

from __future__ import annotations

import pytest
from systems import system

HEAD = """
from kazoo.client import KazooClient

class Link:
    def __init__(self, hosts, told):
        self.client = KazooClient(hosts=hosts)
        self.client.add_listener(self._on_state)
        self._told = told
        self._lost = False

    def _on_state(self, state):
        {does}
"""


@pytest.mark.parametrize("does", ["print(state)", "self._lost = state == 'LOST'", "self.client.DataWatch('/settings', self._told)"])
def test_a_listener_that_only_notes_is_heard_by_nobody(does: str) -> None:
    assert [c.unheard is not None for c in system(link=HEAD.format(does=does)).clients()] == [True]


@pytest.mark.parametrize("does", ["self._told(state)", "self.lost = True", "raise SystemExit", "self.states[0] = state", "self.client.handler.spawn(self._told)"])
def test_what_calls_raises_or_tells_may_be_heard(does: str) -> None:
    assert [c.unheard is not None for c in system(link=HEAD.format(does=does)).clients()] == [False]


def test_a_note_that_another_function_reads_is_heard() -> None:
    reader = "\n    def work(self):\n        return not self._lost\n"
    assert [c.unheard for c in system(link=HEAD.format(does="self._lost = True") + reader).clients()] == [None]


def test_what_a_wrapper_is_told_of_the_life_of_a_node_is_its_callers() -> None:
    store = "from kazoo.client import KazooClient\nzk = KazooClient()\ndef put(path, value, fleeting=False):\n    zk.create(path, value, ephemeral=fleeting)\n"
    use = "from store import put\ndef enter(me):\n    put(f'/members/{me}', b'up', fleeting=True)\ndef keep(me):\n    put(f'/facts/{me}', b'x')\n"
    found = system(store=store, use=use).operations(named=True)
    assert {o.key: o.ephemeral for o in found if o.via} == {"/members/{}": True, "/facts/{}": False}
