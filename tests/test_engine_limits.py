"""Limits and locks that a web application decorates its handlers with: the store is told at start-up, elsewhere."""

from __future__ import annotations

from systems import system

from coordlint.system import System


def told(found: System, path: str = "app.py") -> dict[int, tuple[str, str]]:
    return {u.place.line: (u.role, u.backend) for u in found.uses() if u.place.path == path}


VIEWS = """
    from extensions import limiter
    @limiter.limit("10/minute")
    def sign_in():
        return render("sign_in")
    """
EXTENSIONS = "from flask_limiter import Limiter\nlimiter = Limiter(key_func=address)\n"


def test_a_limiter_counts_where_a_setting_named_by_a_constant_of_its_library_says() -> None:
    factory = """
        import flask_limiter
        from extensions import limiter
        def create_app(app):
            app.config[flask_limiter.extension.C.STORAGE_URL] = "redis://counts"
            limiter.init_app(app)
        """
    assert told(system(extensions=EXTENSIONS, app=VIEWS, app_factory=factory)) == {3: ("rate-limit", "redis")}


def test_an_address_is_that_of_the_store_for_which_it_is_handed_on() -> None:
    factory = """
        import os
        import flask_limiter
        STORE = os.environ.get("STORE_URI")
        def connect(app, redis_url):
            app.store = open_store(redis_url)
        def create_app(app):
            app.config["RATELIMIT_STORAGE_URI"] = STORE
            connect(app, STORE)
        """
    assert told(system(extensions=EXTENSIONS, app=VIEWS, app_factory=factory)) == {3: ("rate-limit", "redis")}


def test_an_address_of_which_nothing_is_said_is_nobodys() -> None:
    factory = """
        import os
        import flask_limiter
        STORE = os.environ.get("STORE_URI")
        def connect(app, location_url):
            app.store = open_store(location_url)
        def create_app(app):
            app.config["RATELIMIT_STORAGE_URI"] = STORE
            connect(app, STORE)
        """
    assert told(system(extensions=EXTENSIONS, app=VIEWS, app_factory=factory)) == {}


def test_the_client_inside_a_limits_storage_is_one_of_redis_and_the_storage_counts() -> None:
    app = """
        from typing import Optional
        from limits.storage import RedisStorage
        kept: Optional[RedisStorage] = None
        def use(storage: RedisStorage):
            global kept
            kept = storage
        def free(name):
            kept.storage.delete(f"lock:{name}")
        def count(name):
            return kept.incr(f"hits:{name}", 60)
        """
    assert told(system(app=app)) == {9: ("lock", "redis"), 11: ("rate-limit", "redis")}


def test_an_object_that_a_function_makes_to_decorate_with_holds_its_lock_around_each_call() -> None:
    guarding = """
        import redis
        from functools import wraps
        client = redis.Redis()
        class Busy(Exception):
            pass
        class _Guard:
            def __init__(self, name):
                self.name = name
            def __call__(self, f):
                @wraps(f)
                def inside(*args, **kwargs):
                    if not client.set(f"lock:{self.name}", "1", nx=True, ex=5):
                        raise Busy()
                    try:
                        return f(*args, **kwargs)
                    finally:
                        client.delete(f"lock:{self.name}")
                return inside
        def one_at_a_time(name=None):
            return _Guard(name)
        """
    app = """
        import guarding
        @guarding.one_at_a_time(name="signup")
        def sign_up():
            return render("sign_up")
        again = guarding._Guard("again")
        @again
        def retry():
            return render("retry")
        """
    found = told(system(guarding=guarding, app=app))
    assert found[3] == ("lock", "redis")
    assert found[7] == ("lock", "redis")


def test_what_is_done_to_a_lease_serves_what_the_module_around_it_is_for() -> None:
    election = """
        import kr8s
        async def read(name):
            api = await kr8s.asyncio.api()
            async with api.call_api("GET", base=f"/apis/coordination.k8s.io/v1/namespaces/shop/leases/{name}", version="") as answer:
                return answer.json()
        async def write(name, body):
            api = await kr8s.asyncio.api()
            async with api.call_api("PUT", base=f"/apis/coordination.k8s.io/v1/namespaces/shop/leases/{name}", version="", json=body) as answer:
                return answer.json()
        """
    found = told(system(leader_election=election), "leader_election.py")
    assert {role for role, backend in found.values() if backend == "kubernetes-lease"} == {"leader-election"}
