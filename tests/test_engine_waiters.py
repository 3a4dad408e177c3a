"""What waits for others in the start of a container, before its program begins."""

from __future__ import annotations

from coordlint.link.deploy.launch import Spoken
from coordlint.link.deploy.waiters import waits
from coordlint.source import Place, Span

HERE = Place("start.sh", Span(1))


def hosts(*commands: str, **environment: str) -> list[str]:
    return [found.message for found in waits([Spoken(tuple(c.split()), HERE) for c in commands], environment)]


def test_tools_that_wait_tell_whom_they_wait_for() -> None:
    assert hosts("wait-for-it.sh zk:2181 -- python app.py") == ["zk"]
    assert hosts("dockerize -wait tcp://etcd:2379 -timeout 30s python app.py")[0].split()[0] == "etcd"
    assert hosts("/wait", WAIT_HOSTS="zk1:2181, zk2:2181") == ["zk1 zk2"]
    assert hosts("python manage.py wait_for_consul") == ["consul"]


def test_an_address_that_nobody_set_could_be_anybodys() -> None:
    assert hosts("wait-for-it.sh $STORE:2181 -- python app.py") == [""]


def test_a_dial_in_the_start_is_a_wait_and_a_question_is_one_beside_a_pause() -> None:
    assert hosts("nc -z zk 2181") == ["zk"]
    assert hosts("curl http://consul:8500/v1/status/leader", "sleep 1") == ["consul"]
    assert hosts("curl http://consul:8500/v1/agent/self") == []


def test_a_program_whose_name_begins_like_that_does_not_wait() -> None:
    assert hosts("waitress-serve app:app", "python app.py --wait 3", "wait") == []


def test_what_a_script_of_the_repository_does_says_whom_it_waits_for() -> None:
    spoken = [Spoken(("./wait.sh",), HERE), Spoken(("nc", "-z", "db", "5432"), Place("deploy/wait.sh", Span(2)))]
    assert [w.message for w in waits(spoken, {})] == ["db"]
