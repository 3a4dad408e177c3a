"""Files that only this user's own runs can have written: each is sealed with a key that lies in the user's cache folder.

A cache folder may come with a repository, and whoever wrote that repository would like to choose what is found in it. A
file whose seal does not fit its name and content is as good as none. Written whole or not at all; links are not followed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

try:  # what hashlib would give, without the library of ciphers that it loads first
    from _blake2 import blake2b as blake2b
except ImportError:
    from hashlib import blake2b as blake2b

FOLDER = ".coordlint_cache"
_SEAL = 16  # bytes
_KEY = 32


def read(place: Path) -> bytes | None:
    """What was sealed there; None when there is nothing, or nothing of ours."""
    key = _key()
    if key is None:
        return None
    try:
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            data = file.read()
    except OSError:
        return None
    content = data[_SEAL:]
    return content if data[:_SEAL] == _seal(key, place, content) else None


def write(place: Path, content: bytes) -> int:
    """Seals and keeps a content; the bytes written. Raises OSError."""
    key = _key()
    if key is None or place.parent.is_symlink():
        return 0
    place.parent.mkdir(parents=True, exist_ok=True)
    from tempfile import mkstemp  # a run that only reads need not wait for it

    descriptor, name = mkstemp(dir=place.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_seal(key, place, content) + content)
        Path(name).replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    return _SEAL + len(content)


def folders(root: Path) -> tuple[Path, Path]:
    """Where the cache of a project may lie: in its root, or in the user's cache folder when that cannot be written to."""
    return root / FOLDER, _home() / blake2b(os.fsencode(root), digest_size=8).hexdigest()


def digest(parts: Iterable[str]) -> str:
    """One short word for several texts in their order."""
    made = blake2b(digest_size=20)
    for part in parts:
        octets = part.encode("utf-8", "surrogatepass")
        made.update(len(octets).to_bytes(8, "big"))
        made.update(octets)
    return made.hexdigest()


def _seal(key: bytes, place: Path, content: bytes) -> bytes:
    digest = blake2b(os.fsencode(place.parent.name + place.name), key=key, digest_size=_SEAL)
    digest.update(content)
    return digest.digest()


def _home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "coordlint"  # noqa: PTH111


def _key() -> bytes | None:
    return _key_in(_home())


@lru_cache(maxsize=4)
def _key_in(home: Path) -> bytes | None:
    """The user's key, made on first use; None where none can be kept: then nothing is believed."""
    place = home / "key"
    try:
        if not place.exists():
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            from tempfile import mkstemp

            descriptor, name = mkstemp(dir=home)
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(_KEY))
            with contextlib.suppress(FileExistsError):  # another run was faster: its key it is
                Path(place).hardlink_to(name)
            Path(name).unlink()
        key = place.read_bytes()
    except OSError:
        return None
    return key if len(key) == _KEY else None
