"""Host names in the values of variables and in the words of commands: parsed, never searched for as substrings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LENGTH = 20_000
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://([^\s\"'<>|{}\\]*)")
_HOST_PORT = re.compile(r"(?<![\w.@/:$-])([A-Za-z0-9](?:[\w-]|\.(?=\w))*):(\d{2,5})(?![\w.]*\w)")
_PAIR = re.compile(r"(?:^|[\s;,&?])(?:host|hostaddr|hostname|server|addr|address|data source|broker|bootstrap\.servers)\s*=\s*['\"]?([^\s;,&'\"]+)", re.I)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9]))*")
_NAMES_A_HOST = re.compile(
    r"(^|[_.\-])(HOST(NAME)?S?|SERVERS?|ADDR(ESS)?(ES)?|ENDPOINTS?|UR[LI]S?|DSN|BROKERS?|NODES?|PEERS?|ENSEMBLE|QUORUM|SERVICE|"
    r"CONNECT(ION)?|HOSTS?_?LIST|UPSTREAM|BACKEND|MASTER|JOIN|GATEWAY|REGISTRY|TARGET|SEEDS?|CLUSTER|RETRY_JOIN|ZK|ZOOKEEPER|ETCD|CONSUL)"
    r"(_?\d+)?$|HOST$|HOSTS$|SERVERS$|ADDR$|URL$|URI$",
    re.I,
)
_HOST_FLAG = re.compile(r"--?(h|H|host|hostname|.*[-_]host|server|.*[-_]server|.*[-_]addr(ess)?|broker|join|retry-join|.*url|b|c)$")
_LOCAL = frozenset(("localhost", "127.0.0.1", "0.0.0.0", "::1", "host.docker.internal", "::"))


@dataclass(frozen=True)
class Host:
    """A host name that a text names; `is_sure` when the text can mean nothing else."""

    name: str
    port: int | None
    scheme: str
    is_sure: bool


def hosts_in_value(variable: str, value: str) -> Iterator[Host]:
    """The hosts that an environment variable's value names."""
    value = value.strip()[:MAX_LENGTH]
    yield from _parsed(value)
    if "://" in value:
        return
    if _NAMES_A_HOST.search(variable):
        for part in re.split(r"[,;\s]+", value):
            name = (part.rpartition("=")[2] if "=" in part else part).rstrip(".")
            if _NAME.fullmatch(name) and not name.isdigit():
                yield Host(name.lower(), None, "", True)


def hosts_in_words(words: tuple[str, ...]) -> Iterator[Host]:
    """The hosts that a command line names."""
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        after = words[position + 1] if position + 1 < len(words) else ""
        if word.count("\n") > 2 or " " in word:
            yield from _parsed(word)
            if " " in word:
                yield from _spoken(re.split(r"\s+", word))
            continue
        flag, equals, value = word.partition("=")
        yield from _parsed(value if equals and flag.startswith("-") else word)
        if equals and flag.startswith("-") and _HOST_FLAG.fullmatch(flag) and _NAME.fullmatch(value):
            yield Host(value.lower(), None, "", True)
        elif _NAME.fullmatch(word) and not word.isdigit() and (_HOST_FLAG.fullmatch(before) or _is_port(after)):
            yield Host(word.lower(), int(after) if _is_port(after) else None, "", bool(_is_port(after)))


def _spoken(words: list[str]) -> Iterator[Host]:
    """`nc -z db 5432` and `-h db` inside a longer text."""
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if not _NAME.fullmatch(word) or word.isdigit():
            continue
        if _is_port(after):
            yield Host(word.lower(), int(after), "", True)
        elif before in ("-h", "--host"):
            yield Host(word.lower(), None, "", True)


def _parsed(value: str) -> Iterator[Host]:
    rest = value
    for match in _URL.finditer(value):
        scheme = match[1].lower().partition("+")[0]
        authority = re.split(r"[/?#]", match[2], maxsplit=1)[0].rpartition("@")[2]
        for part in authority.split(","):
            name, _, port = part.partition(":")
            if _NAME.fullmatch(name):
                yield Host(name.lower(), int(port) if port.isdigit() else None, scheme, True)
        rest = rest.replace(match[0], " ")
    for match in _HOST_PORT.finditer(rest):
        if int(match[2]) >= 80 and not match[1].isdigit():
            yield Host(match[1].lower(), int(match[2]), "", True)
    for match in _PAIR.finditer(rest):
        name = match[1].partition(":")[0]
        if _NAME.fullmatch(name):
            yield Host(name.lower(), None, "", True)


def is_local(name: str) -> bool:
    """Whether a name means the container itself, or is an IP address."""
    return name in _LOCAL or bool(re.fullmatch(r"[\d.]+", name))


def _is_port(word: str) -> bool:
    return word.isdigit() and 80 <= int(word) <= 65535
