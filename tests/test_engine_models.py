"""What calls of libraries and requests to their servers mean: caches, rate limits, sessions, raw protocols."""

from __future__ import annotations

import pytest
from systems import system, uses


def told(body: str, /, **modules: str) -> list[tuple[int, str, str]]:
    """(line, role, backend) of the uses in module `a`; line 1 is the first line of the body."""
    found = uses(system({"a.py": body}, **modules))
    return [(int(place.partition(":")[2]), role, backend) for place, role, backend in found if place.startswith("a.py:")]


# -- caches, rate limits, sessions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "decorator",
    ["@cache_page(60)", "@method_decorator(cache_page(60))"],
)
def test_a_view_whose_page_is_kept_uses_the_cache_where_it_is_decorated(decorator: str) -> None:
    body = (
        "from django.views.decorators.cache import cache_page\nfrom django.utils.decorators import method_decorator\n"
        f"class View:\n    {decorator}\n    def get(self, request):\n        return 1\n"
    )
    assert told(body) == [(4, "cache", "django-cache")]


def test_a_decorator_of_a_class_is_seen() -> None:
    body = (
        "from django.views.decorators.cache import cache_page\nfrom django.utils.decorators import method_decorator\n"
        "@method_decorator(cache_page(60), name='dispatch')\nclass View:\n    pass\n"
    )
    assert told(body) == [(3, "cache", "django-cache")]


@pytest.mark.parametrize(
    ("body", "line", "role", "backend"),
    [
        ("from cache_memoize import cache_memoize\n@cache_memoize(60, prefix='p')\ndef f(): ...\n", 2, "cache", "django-cache"),
        ("from cacheops import cached\n@cached(timeout=60)\ndef f(): ...\n", 2, "cache", "redis"),
        ("from aiocache import cached, Cache\n@cached(ttl=9, cache=Cache.REDIS)\nasync def f(): ...\n", 2, "cache", "redis"),
        ("from flask_caching import Cache\nc = Cache(config={'CACHE_TYPE': 'RedisCache'})\n@c.memoize(9)\ndef f(): ...\n", 3, "cache", "redis"),
        (
            "from dogpile.cache import make_region\nr = make_region().configure('dogpile.cache.memcached')\n@r.cache_on_arguments()\ndef f(): ...\n",
            3, "cache", "memcached",
        ),
        ("from cashews import cache\ncache.setup('redis://h')\n@cache(ttl='1m')\nasync def f(): ...\n", 3, "cache", "redis"),
        ("from slowapi import Limiter\nl = Limiter(str, storage_uri='redis://h')\n@l.limit('5/minute')\ndef f(): ...\n", 3, "rate-limit", "redis"),
        ("from django_ratelimit.decorators import ratelimit\n@ratelimit(key='ip', rate='5/m')\ndef f(): ...\n", 2, "rate-limit", "django-cache"),
        (
            "from limits import storage, strategies\ns = strategies.MovingWindowRateLimiter(storage.storage_from_string('redis://h'))\n"
            "def f(item): return s.hit(item, 'x')\n",
            3, "rate-limit", "redis",
        ),
    ],
    ids=["cache_memoize", "cacheops", "aiocache", "flask-caching", "dogpile", "cashews", "slowapi", "django-ratelimit", "limits"],
)  # fmt: skip
def test_a_decorator_that_keeps_or_limits_is_a_use_of_the_store_behind_it(body: str, line: int, role: str, backend: str) -> None:
    assert (line, role, backend) in told(body)


@pytest.mark.parametrize(
    "body",
    [
        "from aiocache import cached\n@cached(ttl=9)\nasync def f(): ...\n",
        "from slowapi import Limiter\nl = Limiter(str)\n@l.limit('5/minute')\ndef f(): ...\n",
        "from flask_caching import Cache\nc = Cache(config={'CACHE_TYPE': 'SimpleCache'})\n@c.cached()\ndef f(): ...\n",
    ],
)
def test_what_is_kept_in_the_process_is_no_coordination(body: str) -> None:
    assert told(body) == []


@pytest.mark.parametrize(
    "setting",
    [
        "class Config:\n    RATELIMIT_STORAGE_URI = 'redis://h'\n",
        "def configure(app):\n    app.config['RATELIMIT_STORAGE_URI'] = 'redis://h'\n",
        "def configure(app):\n    app.config.update(RATELIMIT_STORAGE_URI='redis://h')\n",
        "import os\nRATELIMIT_STORAGE_URI = os.getenv('REDIS_URL')\n",
    ],
    ids=["class", "item", "keyword", "environment"],
)
def test_the_store_of_a_limiter_may_stand_in_the_configuration(setting: str) -> None:
    body = "from flask_limiter import Limiter\nl = Limiter(str)\n@l.limit('5/minute')\ndef f(): ...\n"
    assert told(body, config=setting) == [(3, "rate-limit", "redis")]


def test_two_settings_that_differ_say_nothing() -> None:
    body = "from flask_session import Session\nSession()\n"
    one, other = "SESSION_TYPE = 'redis'\n", "SESSION_TYPE = 'memcached'\n"
    assert told(body, config=one) == [(2, "session", "redis")]
    assert told(body, config=one, settings=other) == []


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_lock_on_a_file_is_taken_and_given_back_by_its_flags() -> None:
    found = system(
        a="""
        import fcntl
        def run(f):
            fcntl.flock(f, fcntl.LOCK_EX)
            work()
            fcntl.flock(f, fcntl.LOCK_UN)
        """
    )
    (section,) = found.critical_sections()
    assert section.lock.backend == "file-lock"
    assert [r.place.span.line for r in section.releases] == [6]


@pytest.mark.parametrize(("external", "backends"), [("True", ["file-lock"]), ("False", [])])
def test_a_lock_of_the_process_that_is_told_to_reach_others_is_a_file(external: str, backends: list[str]) -> None:
    body = f"from oslo_concurrency import lockutils\n@lockutils.synchronized('x', external={external})\ndef f():\n    pass\n"
    assert [backend for _, _, backend in told(body)] == backends


def test_the_lock_of_a_cache_lives_where_the_cache_does() -> None:
    body = "from cashews import cache\ncache.setup('redis://h')\nasync def f():\n    async with cache.lock('k', expire='10s'):\n        pass\n"
    assert (4, "lock", "redis") in told(body)


# -- Redis ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "op"),
    [
        ("unlink('k')", "delete"), ("ttl('k')", "read"), ("bitcount('k')", "read"), ("pfcount('k')", "read"), ("hscan('k')", "list"),
        ("zrevrank('k', 'v')", "read"), ("sinter('k', 'j')", "list"), ("xrevrange('k')", "list"), ("linsert('k', 'before', 1, 2)", "queue-put"),
        ("json().get('k')", "read"), ("publish('k', 1)", "publish"), ("pubsub().psubscribe('k')", "subscribe"), ("pfmerge('k', 'a')", "write"),
    ],
)  # fmt: skip
def test_a_command_of_redis_has_its_operation_and_its_key(command: str, op: str) -> None:
    found = system(a=f"import redis\nr = redis.Redis()\ndef f():\n    r.{command}\n")
    assert (op, "k") in [(str(o.op), o.key_text) for o in found.operations()]


def test_the_lua_of_a_script_is_found_through_its_digest() -> None:
    found = system(
        a="""
        import redis
        r = redis.Redis()
        FREE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"
        def free(token):
            sha = r.script_load(FREE)
            r.evalsha(sha, 1, "locks:x", token)
        """
    )
    assert ("release", "locks:x") in [(str(o.op), o.key_text) for o in found.operations()]


# -- requests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "op", "key"),
    [
        ("requests.put(f'{BASE}/v1/kv/locks/a', params={'acquire': sid})", "acquire", "locks/a"),
        ("requests.put('{}/v1/kv/locks/a?release={}'.format(BASE, sid))", "release", "locks/a"),
        ("requests.get(BASE + '/v1/kv/a', params={'index': 3})", "watch", "a"),
        ("requests.get(BASE + '/v1/kv/a?recurse')", "list", "a"),
        ("requests.put('%s/v1/kv/a' % BASE, params={'cas': 3})", "cas", "a"),
        ("requests.request('DELETE', BASE + '/v1/kv' + '/a')", "delete", "a"),
        ("urllib.request.urlopen(urllib.request.Request(BASE + '/v1/kv/a', data=b'', method='PUT'))", "write", "a"),
        ("urllib.request.urlopen(BASE + '/v1/catalog/service/web')", "discover", "web"),
        ("requests.put(BASE + '/v1/agent/check/pass/service:web')", "keepalive", "pass/service:web"),
        ("requests.put('http://etcd:2379/v2/keys/a', data={'value': 1, 'prevExist': 'false'})", "create", "a"),
        ("requests.put('http://etcd:2379/v2/keys/a', data={'value': 1, 'prevValue': 0})", "cas", "a"),
        ("requests.get('http://etcd:2379/v2/keys/a?wait=true')", "watch", "a"),
        ("requests.put('https://k/apis/coordination.k8s.io/v1/namespaces/n/leases/a', json={})", "cas", "v1/namespaces/n/leases/a"),
        ("kr8s.api().call_api('PUT', base='/apis/coordination.k8s.io', version='v1', url='leases/a')", "cas", "v1/leases/a"),
        ("kr8s.api().call_api('POST', base='/apis/coordination.k8s.io/v1/namespaces/n/leases', version='')", "create", "v1/namespaces/n/leases"),
    ],
)
def test_a_request_to_a_coordinator_is_what_its_path_verb_and_options_say(call: str, op: str, key: str) -> None:
    found = system(a=f"import kr8s, requests, urllib.request\nBASE = 'http://h'\ndef f(sid):\n    {call}\n")
    assert (op, key) in [(str(o.op), o.key_text) for o in found.operations()]


def test_the_lifetime_of_an_etcd_key_stands_in_its_form() -> None:
    found = system(a="import requests\ndef f():\n    requests.put('http://e/v2/keys/a', data={'value': 1, 'ttl': 30})\n")
    (operation,) = found.operations()
    assert operation.ttl is not None
    assert operation.ttl.seconds == 30


def test_a_lock_over_http_belongs_to_the_coordinator() -> None:
    put = "    requests.put('http://c/v1/kv/a?{}=' + sid)\n"
    found = system(a="import requests\ndef f(sid):\n" + put.format("acquire") + "    work()\n" + put.format("release"))
    (section,) = found.critical_sections()
    assert (section.lock.backend, section.lock.lifetime.kind) == ("consul", "session")


# -- Kubernetes ----------------------------------------------------------------------------------------------------


def test_a_client_for_pods_is_no_coordination_and_one_for_leases_is() -> None:
    pods = "from kubernetes import client\nclient.CoreV1Api().list_namespaced_pod('n')\n"
    leases = "from kubernetes import client\nclient.CoordinationV1Api().read_namespaced_lease('a', 'n')\n"
    assert told(pods) == []
    assert {backend for _, _, backend in told(leases)} == {"kubernetes-lease"}


def test_lightkubes_one_client_coordinates_where_a_lease_is_passed() -> None:
    body = (
        "from lightkube import Client\nfrom lightkube.resources.core_v1 import Pod\nfrom lightkube.resources.coordination_v1 import Lease\n"
        "c = Client()\nc.get(Pod, 'x')\nc.get(Lease, 'leader')\n"
    )
    assert [line for line, _, _ in told(body)] == [6]
