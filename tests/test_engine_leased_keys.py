"""Keys in etcd that are put if absent under a lease: locks by hand, and who frees them."""

from __future__ import annotations

from systems import system

STORE = (
    "import etcd3\nclient = etcd3.client()\n"
    "def take(name, me):\n    return client.put_if_not_exists(f'/roles/{name}', me, lease=client.lease(9))\n"
    "def drop(name):\n    client.delete(f'/roles/{name}')\n"
)
LEAD = "from a import drop, take\ndef lead(me):\n    if not take('leader', me):\n        return False\n    return True\n"


def test_a_key_that_is_put_if_absent_under_a_lease_is_a_lock_bound_to_its_session() -> None:
    section = next(s for s in system(a=STORE, b=LEAD).critical_sections() if s.symbol == "b.lead")
    assert (section.lock.backend, section.lock.key, section.lock.lifetime.kind, section.tested) == ("etcd", "/roles/leader", "session", True)


def test_a_key_without_a_lease_is_a_record_and_no_lock() -> None:
    found = system(a=STORE.replace(", lease=client.lease(9)", ""), b=LEAD)
    assert list(found.critical_sections()) == []


def test_a_key_that_is_freed_through_a_function_of_the_project_is_known_by_its_name() -> None:
    found = system(a=STORE, b=LEAD + "def stop():\n    drop('leader')\n")
    assert [(f.symbol, f.place.line, f.deed.line) for f in found.freed("/roles/leader")] == [("b.stop", 7, 6)]


def test_who_deletes_a_key_himself_frees_it_without_a_detour() -> None:
    found = system(a=STORE + "def stop():\n    client.delete('/roles/leader')\n")
    assert found.freed("/roles/leader") == ()
