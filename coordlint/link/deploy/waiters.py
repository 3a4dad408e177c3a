"""Commands of a container's start that wait until somebody else answers, before the program begins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from coordlint.finding import Evidence
from coordlint.link.deploy.launch import Spoken
from coordlint.wording import words

_TOOLS = frozenset({"wait", "waits", "waiting", "waiter", "dockerize", "waitforit", "waitfor"})
_PARTICLES = frozenset({"it", "for", "sh", "py", "bash", "until", "on", "to", "and", "is"})
_DIALS = frozenset({"nc", "ncat", "netcat", "nmap", "telnet"})
_ASKS = frozenset({
    "redis-cli", "etcdctl", "consul", "zkServer.sh", "zkCli.sh", "curl", "wget", "pg_isready", "psql", "mysqladmin", "mongosh", "mongo", "rabbitmqctl",
    "getent", "ping", "http", "grpc_health_probe",
})  # fmt: skip
_LISTED = ("WAIT_HOSTS", "WAIT_FOR", "WAIT_SERVICES", "WAITFORIT_HOST")  # what docker-compose-wait and its kin read
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?([A-Za-z][\w.-]*)(?::\d+)?(?:/.*)?")


def waits(spoken: Sequence[Spoken], environment: Mapping[str, str | None]) -> tuple[Evidence, ...]:
    """What waits, each with the hosts that it names; none where it names none that can be read."""
    pauses = any(_name(s.words) in ("sleep", "usleep") for s in spoken)
    found: dict[Evidence, None] = {}
    for said in spoken:
        tool = _waiter(said.words)
        if tool is not None:
            name = said.words[tool].rpartition("/")[2]
            if any(s.place.path.rpartition("/")[2] == name for s in spoken):
                continue  # a script of the repository: what it does says whom it waits for
            told = said.words[tool + 1 :]
            told = told[: told.index("--")] if "--" in told else told
            listed = [value for name in _LISTED if (value := environment.get(name))]
            found[Evidence(said.place, " ".join(_hosts((*sorted(words(name) - _TOOLS - _PARTICLES), *told, *([] if any(":" in w for w in told) else listed)))))] = None
        elif _name(said.words) in _DIALS or (pauses and _name(said.words) in _ASKS):
            found[Evidence(said.place, " ".join(_hosts(said.words[1:])))] = None
    return tuple(found)


def _waiter(argv: tuple[str, ...]) -> int | None:
    """Where a waiting tool stands among the first words: alone, or started by a shell or an interpreter. The shell's own `wait` is for its children."""
    for position, word in enumerate(argv[:6]):
        is_word = " " not in word and not word.startswith("-") and word != "wait"
        if is_word and _TOOLS & words(word.rpartition("/")[2]):
            return position
    return None


def _hosts(said: Sequence[str]) -> tuple[str, ...]:
    """The host names in words such as `tcp://etcd:2379`, `zoo1:2181,zoo2:2181` and `redis`; nothing where one is a variable that nobody set."""
    parts = [part for word in said for part in re.split(r"[,;\s=]+", word) if part]
    if any("$" in part for part in parts):
        return ()
    found = [match[1].lower() for part in parts if not part.startswith("-") and (match := _HOST.fullmatch(part))]
    return tuple(dict.fromkeys(found))


def _name(argv: tuple[str, ...]) -> str:
    return argv[0].rpartition("/")[2] if argv else ""
