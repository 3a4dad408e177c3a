"""What a use is for: judged from all calls on one resource, its key, and the abstraction in which the calls stand."""

from __future__ import annotations

import pytest
from systems import system

REDIS = "import redis\nr = redis.Redis()\n"
ZOOKEEPER = "from kazoo.client import KazooClient\nzk = KazooClient()\n"


def roles(text: str, path: str = "app.py") -> dict[int, str]:
    """The role by line; a client's own line is left out."""
    return {u.place.line: u.role for u in system({path: text}).uses() if u.role != "client"}


def in_order(text: str, path: str = "app.py") -> list[str]:
    return [role for _, role in sorted(roles(text, path).items())]


# -- what the call or the resource is ------------------------------------------------------------------------------------


def test_publishing_and_subscribing_are_watching() -> None:
    assert in_order(REDIS + "r.publish('news', 'x')\np = r.pubsub()\np.subscribe('news')\n") == ["watch", "watch", "watch"]


def test_a_pipeline_is_for_what_goes_through_it() -> None:
    body = "def f(user):\n    pipe = r.pipeline()\n    pipe.set(f'cache:{user}', 1)\n    pipe.execute()\n"
    assert in_order(REDIS + body) == ["cache", "cache"]


def test_a_pipeline_whose_keys_are_watched_is_optimistic() -> None:
    body = "def f(user):\n    pipe = r.pipeline()\n    pipe.watch(f'account:{user}')\n    pipe.multi()\n    pipe.set(f'account:{user}', 1)\n"
    assert in_order(REDIS + body) == ["occ", "occ", "data-store", "data-store"]


def test_around_nodes_that_end_with_their_sessions_others_look_up_who_is_there() -> None:
    joins = ZOOKEEPER + "import os\nzk.ensure_path('/shelf')\nif not zk.exists('/shelf/' + os.environ['ID']):\n    zk.create('/shelf/' + os.environ['ID'], b'8000', ephemeral=True)\n"
    looks = ZOOKEEPER + "def pick(n):\n    if zk.exists(f'/shelf/{n}'):\n        return n\n    return zk.get_children('/shelf')\n"
    keeps = ZOOKEEPER + "zk.ChildrenWatch('/shelf', print)\nprint(zk.get_children('/shelf'))\nprint(zk.get_children('/desk'))\n"
    found = {(u.place.path, u.place.line): u.role for u in system({"joins.py": joins, "looks.py": looks, "keeps.py": keeps}).uses() if u.role != "client"}
    assert {role for (path, _), role in found.items() if path == "joins.py"} == {"membership"}
    assert {role for (path, _), role in found.items() if path == "looks.py"} == {"service-discovery"}
    assert [role for (path, _), role in sorted(found.items()) if path == "keeps.py"] == ["watch", "membership", "config"]


def test_a_watch_on_a_lock_is_part_of_the_lock() -> None:
    body = "def release(name):\n    pipe = r.pipeline()\n    pipe.watch(f'lock:{name}')\n    pipe.delete(f'lock:{name}')\n"
    assert in_order(REDIS + body) == ["lock", "lock", "lock"]


def test_reads_and_deletes_of_a_key_that_is_taken_as_a_lock_are_the_lock() -> None:
    body = "def take(name):\n    return r.set(f'busy:{name}', 1, nx=True, ex=5)\ndef owner(name):\n    return r.get(f'busy:{name}')\n"
    assert in_order(REDIS + body) == ["lock", "lock"]


def test_a_key_that_is_counted_up_is_a_counter_wherever_it_is_touched() -> None:
    body = "def hit(page):\n    r.incr(f'pages:{page}')\ndef forget(page):\n    r.delete(f'pages:{page}')\n"
    assert in_order(REDIS + body) == ["counter", "counter"]


@pytest.mark.parametrize(
    ("key", "role"), [("throttle:{user}", "rate-limit"), ("metrics:{user}", "metrics"), ("apilimit:{user}", "rate-limit"), ("{user}", "counter")]
)
def test_a_counter_may_be_there_to_limit_or_to_measure(key: str, role: str) -> None:
    assert in_order(REDIS + f"def f(user):\n    r.incr(f'{key}')\n") == [role]


def test_what_is_kept_for_each_queue_is_the_queue() -> None:
    body = "def put(queue, x):\n    r.zadd(f'active:{queue}', x)\n"
    assert in_order(REDIS + body) == ["job-queue"]


def test_a_list_that_is_popped_from_is_a_queue_and_one_that_is_only_read_a_log() -> None:
    queue = "def put(x):\n    r.lpush('inbox', x)\ndef size():\n    return r.llen('inbox')\ndef take():\n    return r.rpop('inbox')\n"
    log = "def note(x):\n    r.lpush('history', x)\n    r.ltrim('history', 0, 99)\ndef last():\n    return r.lrange('history', 0, 9)\n"
    assert in_order(REDIS + queue) == ["job-queue"] * 3
    assert in_order(REDIS + log) == ["data-store"] * 3


def test_a_list_that_is_cut_to_a_length_is_a_log() -> None:
    body = "def note(x):\n    history = make(x)\n    r.rpush(history, x)\n    r.ltrim(history, -99, -1)\n"
    assert in_order(REDIS + body) == ["data-store", "data-store"]


def test_a_list_that_is_only_pushed_to_is_a_queue_for_somebody_else() -> None:
    assert in_order(REDIS + "def put(x):\n    r.lpush('inbox', x)\n") == ["job-queue"]


def test_a_key_that_names_its_writer_and_expires_is_presence() -> None:
    body = "import socket\ndef report():\n    key = f'stats:{socket.gethostname()}'\n    r.set(key, 1)\n    r.expire(key, 60)\n"
    assert in_order(REDIS + body) == ["membership", "membership"]


def test_a_key_that_names_its_writer_and_stays_is_what_its_words_say() -> None:
    assert in_order(REDIS + "import socket\ndef report():\n    r.set(f'stats:{socket.gethostname()}', 1)\n") == ["metrics"]


def test_an_ephemeral_node_is_membership_unless_its_path_says_more() -> None:
    body = "def f(name):\n    zk.create(f'/online/{name}', ephemeral=True)\n    zk.create(f'/election/{name}', ephemeral=True, sequence=True)\n"
    assert in_order(ZOOKEEPER + body) == ["membership", "leader-election"]


def test_a_function_that_reads_and_writes_for_a_while_what_it_did_not_find_keeps_a_cache() -> None:
    body = "def price(item):\n    found = r.get(f'price:{item}')\n    if found is None:\n        r.set(f'price:{item}', ask(item), ex=60)\n"
    assert in_order(REDIS + body) == ["cache", "cache"]


# -- what a key says -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "role"),
    [
        ("cache:stats:{x}", "cache"),
        ("lock:cache:{x}", "lock"),
        ("lock:{x}:failures", "counter"),
        ("web-session:{x}", "session"),
        ("idempotency:{x}", "data-store"),
        ("leaderboard:{x}", "data-store"),
        ("block:{x}", "data-store"),
        ("rate_of_exchange:{x}", "data-store"),
        ("taskqueue:{x}", "job-queue"),
        ("flags:{x}:enabled", "config"),
    ],
)
def test_the_words_of_a_key_say_what_it_is_for(key: str, role: str) -> None:
    assert in_order(REDIS + f"def f(x):\n    r.set(f'{key}', 1)\n") == [role]


def test_a_service_is_discovered_in_a_coordinator_and_is_any_business_elsewhere() -> None:
    assert in_order(ZOOKEEPER + "def f(x):\n    return zk.get_children(f'/services/{x}/a')\n") == ["service-discovery"]
    assert in_order(REDIS + "def get_from_cache(x):\n    return r.get(f'tx-service:{x}')\n") == ["cache"]


def test_a_variable_that_holds_an_unknown_key_says_it_too() -> None:
    assert in_order(REDIS + "def f(x):\n    executions_count_key = make(x)\n    return r.get(executions_count_key)\n") == ["counter"]
    assert in_order(REDIS + "def f(settings):\n    return r.get(settings.queue_key)\n") == ["job-queue"]


def test_the_settings_that_a_key_is_taken_from_say_nothing_of_it() -> None:
    assert in_order(REDIS + "def f(app):\n    return r.get(app.conf.schedule_key)\n") == ["data-store"]


def test_the_caller_of_a_helper_for_any_key_says_what_the_key_is_for() -> None:
    body = "def fetch(key):\n    return r.get(key)\ndef visitor(x):\n    return fetch(f'session:{x}')\ndef other(x):\n    return fetch(f'a:{x}')\n"
    assert in_order(REDIS + body) == ["data-store", "session", "data-store"]


def test_a_helper_that_says_what_it_is_for_is_for_that_whatever_is_kept_in_it() -> None:
    body = "def from_cache(key):\n    return r.get(key)\ndef numbers(x):\n    return from_cache(f'stats:{x}')\n"
    assert in_order(REDIS + body) == ["cache", "cache"]


def test_the_object_that_is_asked_says_it_too() -> None:
    assert in_order("import redis\ncache = redis.Redis()\ndef f(x):\n    return cache.get(x)\n") == ["cache"]


def test_keys_that_come_from_a_listing_are_of_the_kind_that_was_listed() -> None:
    body = "def stats():\n    for key in r.keys('*:queue'):\n        yield r.zcard(key)\n"
    assert in_order(REDIS + body) == ["job-queue", "job-queue"]


def test_functions_agree_on_the_role_of_one_key() -> None:
    body = "def get_cached_schema(x):\n    return r.get(f'schema:{x}')\ndef delete(x):\n    r.delete(f'schema:{x}')\n"
    assert in_order(REDIS + body) == ["cache", "cache"]


# -- where the calls stand -----------------------------------------------------------------------------------------------


def method(cls: str, call: str) -> str:
    return f"import redis\nclass {cls}:\n    def __init__(self, key):\n        self.key = key\n        self.r = redis.Redis()\n    def f(self, x):\n        {call}\n"


@pytest.mark.parametrize(
    ("cls", "role"),
    [
        ("PriorityQueue", "job-queue"),
        ("Semaphore", "semaphore"),
        ("LockingQueue", "job-queue"),
        ("QueueLock", "lock"),
        ("SessionStore", "session"),
        ("RateLimitRegistry", "rate-limit"),
        ("QueueSizeAndRates", "data-store"),
        ("Store", "data-store"),
    ],
)
def test_the_class_says_what_its_keys_are_for_by_its_last_telling_word(cls: str, role: str) -> None:
    assert in_order(method(cls, "self.r.zadd(self.key, x)")) == [role]


def test_a_key_that_speaks_for_itself_is_not_what_its_class_is_called() -> None:
    assert in_order(method("Queue", "self.r.set(f'throttle:{x}', 1)")) == ["rate-limit"]


@pytest.mark.parametrize(("path", "role"), [("rate_limit.py", "rate-limit"), ("cache/store.py", "cache"), ("tasks/node.py", "data-store")])
def test_the_file_says_what_its_keys_are_for(path: str, role: str) -> None:
    assert in_order(REDIS + "def f(x):\n    r.set(f'a:{x}', 1)\n", path) == [role]


def test_the_file_says_nothing_of_a_function_that_takes_any_key_but_of_a_class_that_holds_one() -> None:
    assert in_order(REDIS + "def get(path):\n    return r.get(path)\n", "queue.py") == ["data-store"]
    assert roles(method("Window", "self.r.zadd(self.key, x)"), "stats.py") == {7: "metrics"}


def test_what_a_leader_does_is_not_the_election() -> None:
    assert in_order(ZOOKEEPER + "def leader_work():\n    return zk.get_children('/measurements')\n") == ["metrics"]


def test_a_lock_that_a_scheduler_renews_elects_it() -> None:
    body = "def start(me):\n    r.set('scheduler-lock', me, nx=True, ex=60)\ndef beat():\n    r.expire('scheduler-lock', 60)\n"
    assert in_order(REDIS + body) == ["leader-election", "leader-election"]


def test_a_key_of_its_own_is_not_what_its_neighbours_are_for() -> None:
    body = "def f(x):\n    r.lpush('queue:a', x)\n    r.lpush('queue:b', x)\n    r.set(f'timeout:{x}', 1)\n"
    assert in_order(REDIS + body) == ["job-queue", "job-queue", "data-store"]


def test_a_key_that_says_nothing_is_for_what_all_of_its_neighbours_are() -> None:
    body = "def f(x):\n    r.lpush('queue:a', x)\n    r.lpush('queue:b', x)\n    r.set(make(x), 1)\n"
    assert in_order(REDIS + body) == ["job-queue", "job-queue", "job-queue"]


def test_a_single_node_that_is_read_is_configuration_and_nodes_of_a_kind_are_data() -> None:
    assert in_order(ZOOKEEPER + "def f():\n    return zk.get('/thresholds')\n") == ["config"]
    assert in_order(ZOOKEEPER + "def f(user):\n    return zk.get(f'/users/{user}')\n") == ["data-store"]


def test_the_order_of_files_changes_no_role() -> None:
    files = {
        "a.py": REDIS + "def _unlock(x):\n    r.delete(f'query:{x}')\n",
        "b.py": REDIS + "def enqueue(x):\n    r.set(f'query:{x}', 1)\n",
    }
    found = [{str(u.place): u.role for u in system(dict(order)).uses()} for order in (files.items(), reversed(files.items()))]
    assert found[0] == found[1]
    assert {role for role in found[0].values() if role != "client"} == {"lock"}


HANDLE = """
    import consul
    class {name}:
        def __init__(self, host):
            self.c = consul.Consul(host)
        def get_config(self, key):
            return self.c.kv.get(key)
        def put_config(self, key, value):
            self.c.kv.put(key, value)
    def connect(host):
        return {name}(host)
"""


@pytest.mark.parametrize(("name", "role"), [("ConsulHandle", "client"), ("ConfigClient", "client"), ("ConfigStore", "config")])
def test_making_an_object_that_connects_is_making_a_client_unless_its_class_says_what_it_is_for(name: str, role: str) -> None:
    found = {u.place.line: u.role for u in system({"app.py": HANDLE.format(name=name)}).uses()}
    assert found[11] == role


def test_who_is_elected_with_a_helper_for_nodes_is_a_leader() -> None:
    body = "def hold(path):\n    zk.create(path, ephemeral=True)\nclass Leader:\n    def seize(self):\n        hold('/a/b')\n"
    assert in_order(ZOOKEEPER + body) == ["membership", "leader-election"]


def test_nodes_that_are_numbered_for_their_numbers_count() -> None:
    assert in_order(ZOOKEEPER + "def next_id():\n    return zk.create('/ids/job_sequence', sequence=True)\n") == ["counter"]


def test_functions_share_what_the_neighbours_of_one_say_of_a_key() -> None:
    body = "def load():\n    r.get('a_enabled')\n    r.get('a_target')\ndef run():\n    r.set('a_target', 1)\n"
    assert in_order(REDIS + body) == ["config", "config", "config"]


# -- what infrastructure writes ------------------------------------------------------------------------------------------


def test_a_fixed_key_that_names_a_setting_of_something_is_configuration() -> None:
    consul = "import consul\nc = consul.Consul()\n"
    assert in_order(consul + "name = c.kv.get('broker/queue-name')[1]\nurl = c.kv.get('cache/url')[1]\n") == ["config", "config"]
    assert in_order(consul + "def next():\n    return c.kv.get('broker/queue/first')[1]\n") == ["job-queue"]


def test_a_key_that_only_wakes_its_watchers_is_a_watch() -> None:
    wake = "import etcd\nc = etcd.Client()\ndef wake():\n    c.write('/election/wake', '')\ndef wait():\n    c.watch('/election/wake')\n"
    assert in_order(wake) == ["watch", "watch"]
    assert in_order(wake.replace("''", "me")) == ["leader-election", "watch"]


def test_how_an_election_waits_and_renews_is_the_election() -> None:
    body = """\
import etcd
class Election:
    def __init__(self, key, me):
        self.c, self.key, self.me = etcd.Client(), key, me
    def renew(self):
        self.c.write(self.key, self.me, prevValue=self.me, ttl=9)
    def wait(self):
        self.c.watch(self.key)
"""
    assert in_order(body) == ["leader-election", "leader-election"]
    assert in_order(body.replace("Election", "Keeper")) == ["occ", "watch"]


def test_what_is_counted_by_address_or_locks_out_is_a_limit() -> None:
    counted = "def f(request):\n    r.incr(f'bad:{request.client_ip}')\n    r.set(f'lockout:{request.client_ip}', 1, ex=60)\n"
    assert in_order(REDIS + counted) == ["rate-limit", "rate-limit"]
    assert in_order(REDIS + counted.replace("client_ip", "page").replace("lockout", "note")) == ["counter", "data-store"]


def test_a_list_that_is_called_a_queue_is_one_although_its_length_is_asked() -> None:
    body = "def push(queue_name, x):\n    r.rpush(queue_name, x)\n    return r.llen(queue_name)\n"
    assert in_order(REDIS + body) == ["job-queue", "job-queue"]
    assert in_order(REDIS + body.replace("queue_name", "name")) == ["data-store", "data-store"]


def test_the_queues_and_topics_of_hazelcast() -> None:
    made = "import hazelcast\nc = hazelcast.HazelcastClient()\n"
    assert in_order(made + "q = c.get_queue('mail').blocking()\nq.put(1)\nq.take()\n") == ["job-queue"] * 3
    assert in_order(made + "t = c.get_topic('news')\nt.publish(1)\nt.add_listener(print)\n") == ["watch", "watch"]


def test_what_belongs_to_a_node_is_no_node() -> None:
    etcd = "import etcd\nc = etcd.Client()\ndef f(host, port):\n"
    assert in_order(etcd + "    c.read(f'/nodes/{host}/ports/{port}')\n") == ["data-store"]
    assert in_order(etcd + "    c.read(f'/nodes/{host}')\n    c.read(f'/services/{host}/endpoints/{port}')\n") == ["membership", "service-discovery"]


def test_a_setting_whose_key_is_not_known_at_all_is_data() -> None:
    assert in_order("import etcd\nc = etcd.Client()\ndef f(*args):\n    return c.read(*args)\n") == ["data-store"]


KEPT = "from django.core.cache import cache\ndef save(head):\n    cache.set('chain:head', head, None)\n"


def test_what_never_ends_in_a_cache_and_is_found_nowhere_else_is_data() -> None:
    read = "def load():\n    return cache.get('chain:head')\n"
    assert in_order(KEPT + read) == ["data-store", "data-store"]
    assert in_order(KEPT.replace(", None", ", 60") + read) == ["cache", "cache"]


def test_what_is_asked_elsewhere_when_a_cache_misses_it_is_only_cached() -> None:
    asked = "def load():\n    head = cache.get('chain:head')\n    if head is None:\n        head = newest()\n    return head\n"
    either = "def load():\n    return cache.get('chain:head') or newest()\n"
    newest = "def newest():\n    return 1\n"
    assert in_order(KEPT + newest + asked) == ["cache", "cache"]
    assert in_order(KEPT + newest + either) == ["cache", "cache"]
    told = asked.replace("head = newest()", "newest()")
    assert in_order(KEPT + newest + told) == ["data-store", "data-store"]


def test_what_is_called_a_lock_and_neither_ends_nor_is_taken_away_is_none() -> None:
    body = "def write(account, word):\n    cache.set(f'{account}:lock', word, None)\ndef read(account):\n    return cache.get(f'{account}:lock')\n"
    start = "from django.core.cache import cache\n"
    assert in_order(start + body) == ["data-store", "data-store"]
    assert in_order(start + body.replace("word, None", "True, None")) == ["lock", "lock"]
    assert in_order(start + body + "def free(account):\n    cache.delete(f'{account}:lock')\n") == ["lock", "lock", "lock"]


def test_the_lock_of_a_cache_lives_in_its_server() -> None:
    uses = system({"app.py": "from django.core.cache import cache\ndef f():\n    with cache.lock('a'):\n        cache.set('b', 1)\n"}).uses()
    assert {(u.role, u.backend) for u in uses} == {("lock", "redis"), ("cache", "django-cache")}
