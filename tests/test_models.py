"""The models of libraries: the loader tells mistakes, the shipped files load, and the facts that rules hang on."""

import pytest

from coordlint.models import Late, Models, ModelsInvalid, OnBusy, Op, Scope
from coordlint.models.index import Shipped, shipped, wanted
from coordlint.models.page import libraries_page

HEAD = "library: own\npackage: own\nimports: [own]\n"


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load()


def errors_of(text: str) -> list[str]:
    with pytest.raises(ModelsInvalid) as caught:
        Models.load([], extra=[("own.yaml", text)])
    return [str(error) for error in caught.value.errors]


# the loader


def test_all_mistakes_are_told_at_once_with_file_and_line() -> None:
    text = HEAD + (
        "types:\n"
        "  own.Lock:\n"
        "    rolle: lock\n"  # line 6
        "calls:\n"
        "  own.take:\n"
        "    op: aquire\n"  # line 9
        "  own.give:\n"
        "    op: release\n"
        "    ttl: {param: t, unit: s, spin: 1}\n"  # line 12
    )
    first, second, third = errors_of(text)
    assert first.startswith("own.yaml:6: types.own.Lock.rolle: ")
    assert second.startswith("own.yaml:9: calls.own.take.op: ")
    assert "aquire" in second
    assert third.startswith("own.yaml:12: calls.own.give.ttl.spin: ")


def test_names_that_nobody_defines_are_told_with_their_line() -> None:
    text = HEAD + (
        "types:\n"
        "  own.Client:\n"
        "    bases: [own.Base]\n"
        "calls:\n"
        "  own.make:\n"
        "    op: make-lock\n"
        "    params: [name]\n"
        "    key: nme\n"
        "    ttl: {param: ttl, unit: sec}\n"
        "    returns: own.Lock\n"
        "  own.take:\n"
        "    op: acquire\n"
    )
    assert errors_of(text) == [
        "own.yaml:6: types.own.Client.bases: no type is called `own.Base`",
        "own.yaml:11: calls.own.make.key: no parameter is called `nme`",
        "own.yaml:12: calls.own.make.ttl: `sec` is no unit; known are ms, s, timedelta, unix-ms, unix-s",
        "own.yaml:12: calls.own.make.ttl: no parameter is called `ttl`",
        "own.yaml:13: calls.own.make.returns: no type is called `own.Lock`",
        "own.yaml:15: calls.own.take.op: `acquire` needs a `result`: what does failure look like?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "own.yaml:1: empty; a models file begins with `library:`"),
        ("- a\n", "own.yaml:1: a models file is a mapping that begins with `library:`"),
        ("library: own\n  x: y\n", "own.yaml:2: not YAML: mapping values are not allowed in this context"),
        ("library: own\nlibrary: own\n", "own.yaml:2: `library` stands here twice"),
        (
            "library: !!python/name:os.system x\n",
            "own.yaml:1: the tag `tag:yaml.org,2002:python/name:os.system` is not allowed",
        ),
        ("library: &a own\npackage: *a\n", "own.yaml:1: anchors and aliases are not allowed"),
        ("library: " + "[" * 100, "own.yaml:1: nested deeper than 12 levels"),
        ("library: own\npackage: own\n", "own.yaml:1: Object missing required field `imports`"),
        (HEAD + "calls: [a]\n", "own.yaml:4: `calls` is a mapping of names"),
        (
            HEAD + "calls:\n  own.f: {op: read, name: g}\n",
            "own.yaml:5: the key is the name; leave `name:` out",
        ),
    ],
)
def test_a_file_that_is_no_models_file_is_refused(text: str, message: str) -> None:
    assert errors_of(text) == [message]


def test_brackets_over_many_lines_do_not_crash_the_parser() -> None:
    (message,) = errors_of("library:\n" + "[\n" * 30_000)
    assert "nested deeper" in message


def test_words_that_older_yaml_takes_for_booleans_and_times_stay_words() -> None:
    text = HEAD + "calls:\n  own.f: {op: read, params: [no, on], defaults: {no: 22:22, on: 3.10}}\n"
    models = Models.load([], extra=[("own.yaml", text)])
    call = models.call("own.f")
    assert call is not None
    assert call.params == ("no", "on")
    assert call.defaults == {"no": "22:22", "on": 3.1}


def test_a_users_file_may_build_on_a_shipped_library() -> None:
    text = (
        HEAD
        + "types:\n  own.Client: {bases: [redis.Redis]}\ncalls:\n  own.client: {op: client, returns: own.Client}\n"
    )
    models = Models.load([], extra=[("infra/own.yaml", text)])
    assert models.is_subtype("own.Client", "redis.Redis")
    assert models.backend_of("own.Client") == "redis"
    assert "own" in models.needles
    found = models.method("own.Client", "setnx")
    assert found is not None
    assert found.op is Op.ACQUIRE


def test_two_files_may_not_describe_the_same_call() -> None:
    text = HEAD + "calls:\n  redis.from_url: {op: client}\n"
    with pytest.raises(
        ModelsInvalid,
        match=r"own\.yaml:5: calls\.redis\.from_url: coordlint/models/redis\.yaml describes it too",
    ):
        Models.load(["redis"], extra=[("own.yaml", text)])


# the shipped files


@pytest.mark.parametrize("file", shipped(), ids=lambda file: file.path)
def test_the_index_reads_in_the_first_lines_what_the_loader_reads(file: Shipped, models: Models) -> None:
    library = next(library for library in models.libraries if library.library == file.library)
    assert file.path == f"{file.library}.yaml"
    assert file.imports == frozenset(library.imports)
    assert file.needles == frozenset(library.imports if library.needles is None else library.needles)
    assert library.checked or library.install == "-"


def test_only_the_libraries_that_a_project_imports_are_read() -> None:
    assert {file.library for file in wanted(["kazoo.client"])} == {"kazoo", "stdlib-files"}
    names = {library.library for library in Models.load(["django_redis"]).libraries}
    assert {"django-redis", "django", "redis"} <= names  # what its types inherit and return
    assert "kazoo" not in names


def test_a_namespace_package_is_matched_by_any_import_that_can_reach_it() -> None:
    for module in ("google.cloud", "google.cloud.storage", "google.cloud.storage.blob"):
        assert "google-cloud-storage" in {file.library for file in wanted([module])}
    assert "google-cloud-storage" not in {file.library for file in wanted(["google.auth"])}


def test_needles_come_from_all_files_and_leave_out_libraries_of_mere_effects() -> None:
    needles = Models.load(["kazoo"]).needles
    assert {"kazoo", "redis", "etcd3", "consul", "select_for_update"} <= needles
    assert not {"requests", "boto3", "os", "django", "sqlalchemy"} & needles


def test_the_digest_changes_with_a_users_file() -> None:
    plain = Models.load([]).digest
    assert plain == Models.load(["kazoo"]).digest
    assert plain != Models.load([], extra=[("own.yaml", HEAD)]).digest


# look-ups


@pytest.mark.parametrize(
    ("dotted", "canonical"),
    [
        ("redis.StrictRedis", "redis.Redis"),
        ("redis.client.Redis", "redis.Redis"),
        ("redis.asyncio.Redis", "redis.asyncio.Redis"),
        ("redis.asyncio.client.Redis.lock", "redis.asyncio.Redis.lock"),
        ("redis.asyncio.Redis.get", "redis.Redis.get"),
        ("redis.RedisCluster.set", "redis.Redis.set"),
        ("kazoo.client.KazooClient", "kazoo.client.KazooClient"),
        ("kazoo.client.Lock", "kazoo.recipe.lock.Lock"),
        ("kazoo.recipe.lock.WriteLock.acquire", "kazoo.recipe.lock.Lock.acquire"),
        ("etcd3.client", "etcd3.client"),
        ("etcd3.client.client", "etcd3.client"),
        ("etcd3.client.Etcd3Client", "etcd3.Etcd3Client"),
        ("consul.base.Consul", "consul.Consul"),
        ("django.core.cache.cache.add", "django.core.cache.BaseCache.add"),
        ("django.db.models.Manager.filter", "django.db.models.QuerySet.filter"),
        ("sqlalchemy.ext.asyncio.AsyncSession.execute", "sqlalchemy.orm.Session.execute"),
        ("redis.Redis.nothing", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_every_alias_leads_to_the_one_name(models: Models, dotted: str, canonical: str | None) -> None:
    assert models.canonical(dotted) == canonical


def test_an_asynchronous_type_makes_coroutines_of_what_it_inherits(models: Models) -> None:
    inherited = models.method("redis.asyncio.Redis", "set")
    own = models.method("redis.asyncio.Redis", "lock")
    assert inherited is not None and own is not None
    assert inherited.is_async
    assert not own.is_async


def test_attributes_items_and_instances_lead_to_types(models: Models) -> None:
    assert models.attribute("consul.aio.Consul", "kv") == "consul.api.kv.KV"
    assert models.attribute("kazoo.recipe.election.Election", "lock") == "kazoo.recipe.lock.Lock"
    assert models.attribute("redis.Redis", "kv") is None
    assert models.instance("django.core.cache.cache") == "django.core.cache.BaseCache"
    assert models.item("django.core.cache.caches") == "django.core.cache.BaseCache"


def test_a_backend_is_the_types_own_or_its_librarys(models: Models) -> None:
    assert models.backend_of("kazoo.client.KazooClient.Lock") == "zookeeper"
    assert models.backend_of("valkey.Valkey.set") == "redis"
    assert models.backend_of("portalocker.RedisLock.acquire") == "redis"
    assert models.backend_of("portalocker.Lock.acquire") == "file-lock"
    assert models.backend_of("django.core.cache.cache.add") == "django-cache"
    assert models.backend_of("unknown.Thing") == ""


def test_every_lock_that_can_be_made_can_be_acquired_or_entered(models: Models) -> None:
    """What a make-lock call returns has lock semantics, or the rules would be blind for it."""
    for library in models.libraries:
        for call in library.calls.values():
            if call.op is Op.MAKE_LOCK and call.returns:
                made = models.type(call.returns)
                assert made is not None, call.name
                if made.lock is None and made.role == "lock":
                    raise AssertionError(
                        f"{call.name} returns {call.returns}, of which nobody says what it guarantees"
                    )


# facts that rules hang on


def test_kazoos_locks_live_with_the_session_and_order_their_holders(models: Models) -> None:
    made = models.method("kazoo.client.KazooClient", "Lock")
    assert made is not None
    assert (made.op, made.params[:2], made.returns) == (
        Op.MAKE_LOCK,
        ("path", "identifier"),
        "kazoo.recipe.lock.Lock",
    )
    lock = models.type("kazoo.client.Lock")
    assert lock is not None and lock.lock is not None
    assert (lock.lock.scope, lock.lock.on_busy, lock.lock.binds) == (Scope.DISTRIBUTED, OnBusy.BLOCKS, "none")
    assert lock.lock.session_bound
    assert "node" in lock.lock.token_names


def test_kazoos_set_with_a_version_is_a_compare_and_set(models: Models) -> None:
    call = models.method("kazoo.client.KazooClient", "set")
    assert call is not None
    assert (call.op, call.late) == (Op.WRITE, Late.OVERWRITE)
    assert [(when.param, when.op, when.late) for when in call.when] == [("version", Op.CAS, Late.CONDITIONAL)]
    assert call.defaults["version"] == -1


def test_kazoos_timeout_at_start_is_no_kazoo_exception(models: Models) -> None:
    call = models.method("kazoo.client.KazooClient", "start")
    assert call is not None
    (raised,) = call.raises
    assert not models.is_subtype(raised, "kazoo.exceptions.KazooException")
    assert models.is_subtype("kazoo.exceptions.LockTimeout", "kazoo.exceptions.KazooException")


def test_redis_set_becomes_an_acquire_by_nx_and_counts_its_life_in_two_units(models: Models) -> None:
    call = models.method("redis.Redis", "set")
    assert call is not None and call.ttl is not None
    assert [(when.param, when.op) for when in call.when if when.param == "nx"] == [("nx", Op.ACQUIRE)]
    assert [(d.param, d.unit) for d in (call.ttl, *call.ttls)] == [
        ("ex", "s"),
        ("px", "ms"),
        ("exat", "unix-s"),
        ("pxat", "unix-ms"),
    ]
    assert call.result == "none-or-true"


def test_redis_locks_never_expire_by_default_and_offer_no_token(models: Models) -> None:
    call = models.method("redis.Redis", "lock")
    assert call is not None and call.ttl is not None
    assert call.defaults[call.ttl.param] is None
    lock = models.type(call.returns)
    assert lock is not None and lock.lock is not None
    assert (lock.lock.on_busy, lock.lock.token, lock.lock.renews) == (OnBusy.RAISES, "", False)


@pytest.mark.parametrize(
    "lock", ["etcd3.locks.Lock", "etcd3gw.lock.Lock", "aetcd.locks.Lock", "aiocache.lock.RedLock"]
)
def test_some_locks_run_the_body_although_nobody_granted_them(models: Models, lock: str) -> None:
    model = models.type(lock)
    assert model is not None and model.lock is not None
    assert model.lock.on_busy is OnBusy.ENTERS


def test_etcd3_locks_are_not_renewed_and_give_a_revision(models: Models) -> None:
    made = models.method("etcd3.Etcd3Client", "lock")
    assert made is not None
    assert made.defaults == {"ttl": 60}
    lock = models.type(made.returns)
    assert lock is not None and lock.lock is not None
    assert not lock.lock.renews
    assert "create_revision" in lock.lock.token_names
    acquire = models.method("etcd3.locks.Lock", "acquire")
    assert acquire is not None
    assert (acquire.result, acquire.defaults["timeout"]) == ("bool", 10)


@pytest.mark.parametrize(
    ("call", "unit"),
    [
        ("redlock.Redlock.lock", "ms"),
        ("redlock.RedLock", "ms"),
        ("walrus.Database.lock", "ms"),
        ("dramatiq.rate_limits.ConcurrentRateLimiter", "ms"),
        ("pottery.Redlock", "s"),
        ("redis_lock.Lock", "s"),
        ("redis.Redis.lock", "s"),
        ("redis.Redis.expire", "s"),
        ("redis.Redis.pexpire", "ms"),
    ],
)
def test_times_to_live_have_their_librarys_unit(models: Models, call: str, unit: str) -> None:
    found = models.call(call)
    assert found is not None and found.ttl is not None
    assert found.ttl.unit == unit


def test_consuls_put_is_what_its_arguments_say(models: Models) -> None:
    call = models.method(models.attribute("consul.Consul", "kv") or "", "put")
    assert call is not None
    assert {when.param: when.op for when in call.when} == {
        "acquire": Op.ACQUIRE,
        "release": Op.RELEASE,
        "cas": Op.CAS,
    }
    assert call.result == "bool"


def test_django_redis_takes_the_version_before_the_timeout(models: Models) -> None:
    for type_name in ("django_redis.cache.RedisCache", "django.core.cache.BaseCache"):
        call = models.method(type_name, "lock")
        assert call is not None
        assert call.params[:3] == ("key", "version", "timeout")


def test_djangos_cache_add_expires_by_itself(models: Models) -> None:
    call = models.method("django.core.cache.BaseCache", "add")
    assert call is not None
    assert (call.op, call.result, call.defaults["timeout"]) == (Op.ACQUIRE, "bool", 300)


def test_uploads_to_s3_take_no_condition_and_puts_do(models: Models) -> None:
    put, upload = models.call("boto3:s3.put_object"), models.call("boto3:s3.upload_file")
    assert put is not None and upload is not None
    assert put.conditions == ("IfMatch", "IfNoneMatch")
    assert upload.conditions == ()


def test_every_payment_of_stripe_can_be_made_idempotent(models: Models) -> None:
    library = models.library_of("stripe.Charge.create")
    assert library is not None
    payments = [
        call for call in library.calls.values() if call.effect == "payment" and call.late is Late.EXTERNAL
    ]
    assert payments
    for call in payments:
        assert (
            "idempotency_key" in call.conditions or "options" in call.keywords or "options" in call.params
        ), call.name


def test_local_locks_reach_no_further_than_process_or_host(models: Models) -> None:
    for name in ("stdlib-locks", "filelock", "fasteners", "zc.lockfile", "oslo.concurrency"):
        library = next(library for library in models.libraries if library.library == name)
        scopes = {model.lock.scope for model in library.types.values() if model.lock is not None}
        assert scopes
        assert scopes <= {Scope.PROCESS, Scope.HOST}


@pytest.mark.parametrize(
    ("call", "duration", "none", "forever"),
    [
        ("pymemcache.client.base.Client.add", "ttl", None, (0,)),
        ("aioredlock.Aioredlock.lock", "ttl", 10, ()),
        ("azure.storage.blob.BlobClient.acquire_lease", "ttl", None, (-1,)),
        ("redis.Redis.lock", "ttl", None, ()),
        ("redis.Redis.lock", "wait", None, ()),
        ("redis.Redis.blpop", "wait", None, (0,)),
        ("etcd.Lock.acquire", "wait", None, (0,)),
        ("portalocker.Lock", "wait", 5, ()),
        ("filelock.FileLock", "wait", None, (-1,)),
    ],
)
def test_what_none_and_zero_mean_as_a_time_is_the_librarys_own(
    models: Models, call: str, duration: str, none: float | None, forever: tuple[int, ...]
) -> None:
    found = getattr(models.call(call), duration)
    assert (found.none, found.forever) == (none, forever)


# the page


def test_the_page_tells_what_a_lock_guarantees(models: Models) -> None:
    page = libraries_page(models).splitlines()
    (redis,) = [line for line in page if line.startswith("| `redis.lock.Lock` |")]
    assert (
        redis == "| `redis.lock.Lock` | distributed | `timeout`, never ends by default | raises | no | none |"
    )
    (etcd3,) = [line for line in page if line.startswith("| `etcd3.locks.Lock` |")]
    assert "| `ttl`, 60 s by default | **enters without the lock** | no |" in etcd3
    (redlock,) = [line for line in page if line.startswith("| `redlock.Lock` |")]
    assert "| `ttl`, required, ms |" in redlock
    (memcached,) = [line for line in page if line.startswith("| `pymemcache.AddLock` |")]
    assert "| `expire`, never ends by default |" in memcached
    (zookeeper,) = [line for line in page if line.startswith("| `kazoo.recipe.lock.Lock` |")]
    assert "| with its session | waits for ever | yes | int(lock.node[-10:])" in zookeeper


def test_the_page_lists_every_library_with_its_version(models: Models) -> None:
    page = libraries_page(models)
    assert "| kazoo | 2.11.0 | zookeeper |" in page
    assert "| stdlib-locks | Python 3.11 | process-local |" in page
    for library in models.libraries:
        assert f"\n| {library.library} | " in page


def test_what_carries_a_model_has_a_hash(models: Models) -> None:
    types, calls = [models.type(name) for name in ("redis.Redis", "kazoo.client.KazooClient")], [models.call("redis.Redis.set")]
    assert all(types) and all(calls)
    assert len({*types, *types}) == 2 and len({*calls, *calls}) == 1
