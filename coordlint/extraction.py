"""Many files into facts: from the cache where they stand there, else here or in worker processes.

What comes back is plain data in the order of the sources, whatever the number of workers. A file on which the
extractor breaks, hangs or dies becomes a told skip; it never costs another file's facts.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from concurrent.futures.process import BrokenProcessPool

from coordlint.cache import Cache, decode, encode
from coordlint.facts import Facts
from coordlint.source import Skip, Source

POOL_FROM = 2_000_000  # characters; below, starting workers costs more than it saves
CHUNK = 400_000  # characters that a worker takes at once
SECONDS_PER_CHUNK = 120.0
TOO_DEEP = "nests too deeply to be analysed"
SECONDS_ALONE = 30.0  # for one file, after its chunk failed


class Extractor:
    """Extracts sources; remembers what broke on the way."""

    def __init__(self, cache: Cache, jobs: int = 0) -> None:
        self.cache = cache
        self.jobs = jobs or _processors()
        self.failures: list[tuple[str, str]] = []

    def __call__(self, sources: Sequence[Source]) -> list[Facts]:
        """The facts of each source, in their order."""
        with _without_collector():
            return self._facts(sources)

    def _facts(self, sources: Sequence[Source]) -> list[Facts]:
        keys = [self.cache.key(source) if self.cache.folder else "" for source in sources]
        found = [self.cache.get(key) if key else None for key in keys]
        missing = [number for number, facts in enumerate(found) if facts is None]
        made = self._make([sources[number] for number in missing])
        for number, data in zip(missing, made, strict=True):
            found[number] = data if isinstance(data, Facts) else decode(data)
            if keys[number]:
                self._keep(keys[number], data)
        return [facts for facts in found if facts is not None]

    def _keep(self, key: str, data: Facts | bytes) -> None:
        if isinstance(data, bytes):
            self.cache.put(key, data)
        elif data.path not in {path for path, _ in self.failures}:
            with contextlib.suppress(RecursionError):
                self.cache.put(key, encode(data))

    def _make(self, sources: Sequence[Source]) -> list[Facts | bytes]:
        """Facts; encoded ones when a worker made them."""
        if self.jobs < 2 or sum(len(s.text) for s in sources) < POOL_FROM:
            return [extract_one(source) for source in sources]
        made: list[Facts | bytes] = []
        chunks = list(_chunks(sources))
        pool = _pool(min(self.jobs, len(chunks)))
        try:
            pending = [pool.submit(extract_many, chunk) for chunk in chunks]
            broken = False
            for chunk, future in zip(chunks, pending, strict=True):
                try:
                    if broken:
                        raise BrokenProcessPool
                    made.extend(future.result(timeout=SECONDS_PER_CHUNK))
                except (BrokenProcessPool, OutOfTime):
                    broken = True
                    made.extend(self._alone(source) for source in chunk)
        finally:
            _stop(pool)
        return made

    def _alone(self, source: Source) -> Facts | bytes:
        """One file in a process of its own, after the pool broke: is it the one?"""
        pool = _pool(1)
        try:
            return pool.submit(extract_many, [source]).result(timeout=SECONDS_ALONE)[0]
        except BrokenProcessPool:
            reason = "the analysis of this file crashed its process"
        except OutOfTime:
            reason = f"the analysis of this file took longer than {SECONDS_ALONE:.0f} s"
        finally:
            _stop(pool)
        self.failures.append((source.path, reason))
        return _unread(source, reason)


def extract_many(sources: Sequence[Source]) -> list[bytes]:
    """What a worker does: encoded facts, in order."""
    with _without_collector():
        return [_encoded(extract_one(source)) for source in sources]


def extract_one(source: Source) -> Facts:
    """The facts of one file. An extractor that raises is an internal error of ours, told as a skip."""
    from coordlint.extract import extract

    try:
        return extract(source)
    except (RecursionError, MemoryError):
        return _unread(source, TOO_DEEP)
    except Exception as error:
        return _unread(source, f"internal error: {type(error).__name__}: {error}")


def _encoded(facts: Facts) -> bytes:
    try:
        return encode(facts)
    except RecursionError:
        return encode(_unread(facts, TOO_DEEP))


def _unread(file: Source | Facts, reason: str) -> Facts:
    return Facts(path=file.path, kind=file.kind, skips=(Skip(file.path, reason),))


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Facts hold no cycles: collecting while they grow costs a fifth of the time, and two thirds of it when they are decoded."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _chunks(sources: Sequence[Source]) -> Iterator[list[Source]]:
    chunk: list[Source] = []
    size = 0
    for source in sources:
        chunk.append(source)
        size += len(source.text) + 200
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _pool(workers: int) -> ProcessPoolExecutor:
    method = "fork" if sys.platform == "linux" else "spawn"
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(method))


def _stop(pool: ProcessPoolExecutor) -> None:
    """Ends a pool at once, also one whose worker hangs."""
    workers = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
