"""One meaning in many spellings: how a key, an option, a test of the outcome and a pause may be written, and what is understood of it all the same."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Outcome
from coordlint.models.schema import Op

KEYS = {
    "an f-string": ("", 'f"lock:{job}"'),
    "format": ("", '"lock:{}".format(job)'),
    "percent": ("", '"lock:%s" % job'),
    "plus": ("", '"lock:" + str(job)'),
    "join": ("", '":".join(["lock", str(job)])'),
    "a constant of a class": ('class Keys:\n    LOCK = "lock:{}"\n', "Keys.LOCK.format(job)"),
    "an enumeration": ('import enum\nclass Keys(str, enum.Enum):\n    LOCK = "lock:{}"\n', "Keys.LOCK.value.format(job)"),
    "a table": ('KEYS = {"job": "lock:{}"}\n', 'KEYS["job"].format(job)'),
    "a function": ('def key(name):\n    return f"lock:{name}"\n', "key(job)"),
    "a function of another file": ("from keys import key\n", "key(job)"),
    "a constant of another file": ("import keys\n", "keys.LOCK.format(job)"),
    "settings": ("from keys import settings\n", "settings.lock.format(job)"),
}
OTHER = """
    LOCK = "lock:{}"
    class Settings:
        lock = "lock:{}"
    settings = Settings()
    def key(name):
        return f"lock:{name}"
    """
CLAIM = "import redis\n{before}r = redis.Redis()\ndef work(job):\n    if not r.set({key}, '1', nx=True, ex=30):\n        return\n    job.run()\n"


@pytest.mark.parametrize("spelling", KEYS)
def test_a_key_is_the_same_however_it_is_made(spelling: str) -> None:
    before, key = KEYS[spelling]
    (taken,) = system(app=CLAIM.format(before=before, key=key), keys=OTHER).operations(Op.ACQUIRE)
    assert taken.key == "lock:{}"


OPTIONS = {
    "a number": ("", "ex=30"),
    "a product": ("", "ex=15 * 2"),
    "a constant": ("SECONDS = 30\n", "ex=SECONDS"),
    "a table of options": ('OPTIONS = dict(ex=30)\n', "**OPTIONS"),
    "a table where it is called": ("", '**{"ex": 30}'),
    "a period": ("from datetime import timedelta\n", "ex=timedelta(seconds=30)"),
    "a period in seconds": ("from datetime import timedelta\n", "ex=int(timedelta(seconds=30).total_seconds())"),
    "a class of limits": ("class Limits:\n    lock = 30\nlimits = Limits()\n", "ex=limits.lock"),
}


@pytest.mark.parametrize("spelling", OPTIONS)
def test_a_lifetime_is_the_same_however_it_is_given(spelling: str) -> None:
    before, option = OPTIONS[spelling]
    text = f"import redis\n{before}r = redis.Redis()\ndef work(job):\n    if r.set('lock', '1', nx=True, {option}):\n        job.run()\n"
    (taken,) = system(app=text).operations(Op.ACQUIRE)
    assert taken.ttl is not None and taken.ttl.seconds == 30


TESTS = {
    "not": "if not {}:\n        return\n    job.run()",
    "is None": "if {} is None:\n        return\n    job.run()",
    "a name": "got = {}\n    if not got:\n        return\n    job.run()",
    "a walrus": "if not (got := {}):\n        return\n    job.run()",
    "bool": "if bool({}):\n        job.run()",
    "else": "if {}:\n        pass\n    else:\n        return\n    job.run()",
    "raise": "if not {}:\n        raise RuntimeError(job)\n    job.run()",
    "while": "while not {}:\n        pass\n    job.run()",
    "and": "ready = {} and job\n    if ready:\n        job.run()",
}
STORE = """
    import redis
    r = redis.Redis()
    class Store:
        def take(self, name):
            return self._take("lock:" + name)
        def _take(self, key):
            return r.set(key, "1", nx=True, ex=30)
    """


@pytest.mark.parametrize("spelling", TESTS)
def test_the_answer_of_a_function_that_takes_is_tested_where_it_is_called(spelling: str) -> None:
    text = f"from store import Store\nstore = Store()\ndef work(job):\n    {TESTS[spelling].format('store.take(job.name)')}\n"
    found = [o for o in system(app=text, store=STORE).operations(Op.ACQUIRE, answered=True) if o.symbol == "app.work"]
    assert [(o.outcome, o.key, o.via) for o in found] == [(Outcome.TESTED, "lock:{}", ("store.Store.take", "store.Store._take"))]


def test_an_answer_that_is_thrown_away_is_dead_where_the_function_is_called() -> None:
    text = "from store import Store\nstore = Store()\ndef work(job):\n    store.take(job.name)\n    job.run()\n"
    found = [o for o in system(app=text, store=STORE).operations(Op.ACQUIRE, answered=True) if o.symbol == "app.work"]
    assert [o.outcome for o in found] == [Outcome.DEAD]


def test_a_function_that_decides_itself_hands_nothing_up() -> None:
    store = "import redis\nr = redis.Redis()\ndef take():\n    if not r.set('lock', '1', nx=True, ex=30):\n        raise RuntimeError()\n    return 'token'\n"
    text = "from store import take\ndef work(job):\n    take()\n    job.run()\n"
    assert not [o for o in system(app=text, store=store).operations(Op.ACQUIRE, answered=True) if o.symbol == "app.work"]


PAUSES = {
    "time.sleep(5)": ("while True:\n            self._beat()\n            time.sleep(5)", [5.0]),
    "an event in the test": ("while not self._stop.wait(5):\n            self._beat()", [5.0]),
    "an event by keyword": ("while not self.shutdown.wait(timeout=5):\n            self._beat()", [5.0]),
    "an event in the body": ("while self.alive:\n            self._beat()\n            self._done.wait(5)", [5.0]),
    "an event without a limit": ("while True:\n            self._beat()\n            self._stop.wait()", []),
    "a process": ("while True:\n            self._beat()\n            self.child.wait(5)", []),
    "once": ("self._beat()", []),
}


@pytest.mark.parametrize("spelling", PAUSES)
def test_the_pause_of_a_loop_is_known_behind_the_call_of_a_method(spelling: str) -> None:
    body, expected = PAUSES[spelling]
    text = f"import time\nimport etcd3\netcd = etcd3.client()\nclass Beat:\n    def run(self):\n        {body}\n    def _beat(self):\n        etcd.put('/beat', '1')\n"
    found = system(app=text)
    (write,) = found.operations(Op.WRITE)
    assert [p.seconds for p in found.pauses(write)] == expected


@pytest.mark.parametrize(("later", "given_back"), [("r.delete, 'lock'", True), ("drop, 'lock'", True), ("r.delete, 'other'", False), ("print, 'lock'", False)])
def test_a_stack_gives_back_in_the_end_what_it_is_asked_to(later: str, given_back: bool) -> None:
    text = f"import contextlib\nimport redis\nr = redis.Redis()\ndef drop(key):\n    r.delete(key)\ndef work(job):\n    with contextlib.ExitStack() as stack:\n        if not r.set('lock', '1', nx=True, ex=30):\n            return\n        stack.callback({later})\n        job.run()\n"
    (section,) = system(app=text).critical_sections()
    assert [r.on_error for r in section.releases] == [True] * given_back
