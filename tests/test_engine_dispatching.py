"""Helpers that call a method by its name stand for the method that they call."""

from __future__ import annotations

from systems import system

STORES = """
    import redis
    class Shared:
        def _client(self):
            return redis.Redis()
        def get(self, key):
            return self._client().get(key)
        def lock(self, key, timeout=None):
            return self._client().lock(key, timeout=timeout)
    class Local:
        def __init__(self):
            self.kept = {}
        def get(self, key):
            return self.kept.get(key)
        def lock(self, key, timeout=None):
            return None
    class Either:
        def __init__(self, first, second):
            self._first = first
            self._second = second
        def _ask(self, method, *args, **kwargs):
            asked = getattr(self._first, method)
            try:
                return asked(*args, **kwargs)
            except OSError:
                return getattr(self._second, method)(*args, **kwargs)
        def get(self, key):
            return self._ask("get", key)
        def lock(self, key, timeout=None):
            return self._ask("lock", key, timeout=timeout)
    store = Either(Shared(), Local())
    """


def test_a_method_that_is_called_by_its_name_is_seen_with_its_arguments() -> None:
    app = """
        from stores import store
        def page(name):
            return store.get(f"cache:{name}")
        def book(order):
            held = store.lock(f"lock:order:{order}", timeout=30)
            if not held.acquire(blocking=False):
                return
            try:
                order.save()
            finally:
                held.release()
        """
    found = system(stores=STORES, app=app)
    told = {u.place.line: (u.role, u.backend, u.resource) for u in found.uses() if u.place.path == "app.py"}
    assert told[4] == ("cache", "redis", "cache:{name}")
    assert told[6][:2] == ("lock", "redis")
    (section,) = found.critical_sections()
    assert section.lock.key == "lock:order:{}"
    assert section.lock.lifetime.seconds == 30


def test_a_name_that_only_the_caller_knows_calls_nothing_that_is_known() -> None:
    app = """
        from stores import store
        def any_of(method, key):
            return store._ask(method, key)
        """
    assert [u for u in system(stores=STORES, app=app).uses() if u.place.path == "app.py"] == []
