"""Locks of the project's own classes that derive from a library's: key and lifetime are what the constructor hands up."""

import pytest
from systems import system

LOCKS = """
    import redis
    from redis.lock import Lock
    r = redis.Redis()
    class Named(Lock):
        def __init__(self, kind, name, ttl=120, client=None):
            self.path = f"/shop/{kind}/{name}"
            %s(%s, self.path, timeout=ttl)
    class Short(Named):
        def __init__(self, name):
            super().__init__("short", name, ttl=5, client=r)
    class Same(Named):
        pass
    def named(kind, name, ttl=60):
        return Named(kind, name, ttl=ttl, client=r)
    """


@pytest.mark.parametrize(("above", "first"), [("super().__init__", "client"), ("super(Named, self).__init__", "client"), ("Lock.__init__", "self, client")])
@pytest.mark.parametrize(
    ("made", "key", "seconds"),
    [
        ("Named('item', x.id)", "/shop/item/{x.id}", 120),
        ("named('item', x.id, ttl=30)", "/shop/item/{x.id}", 30),
        ("Short(x.id)", "/shop/short/{x.id}", 5),
        ("Same('same', x.id, 7)", "/shop/same/{x.id}", 7),
    ],
)
def test_key_and_lifetime_come_through_the_constructors(above: str, first: str, made: str, key: str, seconds: float) -> None:
    work = f"""
        from locks import Named, Same, Short, named
        def work(x):
            with {made}:
                x()
    """
    (section,) = system(locks=LOCKS % (above, first), work=work).critical_sections()
    assert (section.lock.key_text, section.lock.lifetime.seconds) == (key, seconds)


def test_a_class_that_enters_by_itself_keeps_what_it_was_made_with() -> None:
    own = """
    import redis
    from redis.lock import Lock
    class Patient(Lock):
        def __init__(self, name, ttl):
            super().__init__(redis.Redis(), "patient:" + name, timeout=ttl)
        def __enter__(self):
            if not self.acquire(blocking_timeout=3):
                raise RuntimeError(self.name)
            return self
        def __exit__(self, *error):
            self.release()
    """
    work = """
    from own import Patient
    def work(x):
        with Patient("rent", 40):
            x()
    """
    section = next(s for s in system(own=own, work=work).critical_sections() if s.symbol == "work.work")
    assert (section.lock.key, section.lock.lifetime.seconds) == ("patient:rent", 40)


def test_a_renewal_on_the_way_to_an_effect_renews_it() -> None:
    work = """
    import redis
    import requests
    r = redis.Redis()
    def work(pages):
        with r.lock("pages", timeout=30) as lock:
            with_it(lock, pages)
            without(pages)
    def with_it(lock, pages):
        for page in pages:
            lock.extend(30)
            requests.post("http://a", json=page)
    def without(pages):
        for page in pages:
            requests.post("http://b", json=page)
    """
    (section,) = system(work=work).critical_sections()
    assert {e.operation.key: e.renewed for e in section.effects} == {"http://a": True, "http://b": False}
