"""Many files into facts: from the cache where they stand there, else here or in worker processes.

What comes back is plain data in the order of the sources, whatever the number of workers. A file on which the
extractor breaks, hangs or dies becomes a told skip; it never costs another file's facts.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from coordlint import ir
from coordlint.cache import Cache, decode, encode
from coordlint.facts import Facts
from coordlint.reading import is_risky
from coordlint.sharing import Shared
from coordlint.source import Skip, Source

POOL_FROM = 2_000_000  # characters; below, starting workers costs more than it saves, and so does sharing words
CHUNK = 400_000  # characters that a worker takes at once
SECONDS_PER_CHUNK = 120.0
SECONDS_ALONE = 30.0  # for one file, after its chunk failed
PATIENCE = 300.0  # seconds that broken files may cost together; after that each gets
SECONDS_IN_HASTE = 3.0
MEMORY = 1_000_000_000  # bytes that a worker may take beyond what it starts with
MAX_FACTS = 24_000_000  # bytes that one file may become
TOO_DEEP = "nests too deeply to be analysed"


class Extractor:
    """Extracts sources; remembers what broke on the way."""

    def __init__(self, cache: Cache, jobs: int = 0) -> None:
        self.cache = cache
        self.jobs = jobs or _processors()
        self.lost = 0.0  # seconds spent on files that had to be read alone
        self.failures: list[tuple[str, str]] = []

    def __call__(self, sources: Sequence[Source]) -> list[Facts]:
        """The facts of each source, in their order."""
        with _without_collector():
            return self._facts(sources)

    def _facts(self, sources: Sequence[Source]) -> list[Facts]:
        keys = [self.cache.key(source) if self.cache.folder else "" for source in sources]
        share = Shared().module if _are_many(sources) else None
        found = [self._kept(key, share) for key in keys]
        missing = [number for number, facts in enumerate(found) if facts is None]
        made = self._make([sources[number] for number in missing])
        for number, data in zip(missing, made, strict=True):
            facts = data if isinstance(data, Facts) else decode(data)
            if share is not None and facts.module is not None:
                share(facts.module)
            found[number] = facts
            if keys[number] and not any(skip.passing for skip in facts.skips):
                with contextlib.suppress(RecursionError):
                    self.cache.put(keys[number], encode(data) if isinstance(data, Facts) else data)
        return [facts for facts in found if facts is not None]

    def _kept(self, key: str, share: Callable[[ir.Module], None] | None) -> Facts | None:
        facts = self.cache.get(key) if key else None
        if share is not None and facts is not None and facts.module is not None:
            share(facts.module)
        return facts

    def _make(self, sources: Sequence[Source]) -> Iterator[Facts | bytes]:
        """Facts, one after the other as they are asked for; encoded ones when a worker made them."""
        if self.jobs > 1 and _are_many(sources):
            yield from self._pooled(sources)
            return
        risky = [source for source in sources if is_risky(source)]
        elsewhere = iter(self._pooled(risky))
        for source in sources:
            yield next(elsewhere) if is_risky(source) else extract_one(source)

    def _pooled(self, sources: Sequence[Source]) -> Iterator[Facts | bytes]:
        """Facts made in worker processes. Where a worker dies or hangs, the files of its chunk are tried one by one."""
        chunks = list(_chunks(sources))
        while chunks:
            pool = _pool(min(self.jobs, len(chunks)))
            try:
                with _uninterrupted():
                    pending = deque(pool.submit(extract_many, chunk) for chunk in chunks)
                while pending:
                    made = pending.popleft().result(timeout=SECONDS_PER_CHUNK)
                    chunks.pop(0)
                    yield from made
            except (BrokenProcessPool, OutOfTime, MemoryError):
                _stop(pool)
                yield from [self._alone(source) for source in chunks.pop(0)]
            finally:
                _stop(pool)

    def _alone(self, source: Source) -> Facts | bytes:
        """One file in a process of its own, after the pool broke: is it the one?"""
        pool = _pool(1)
        begun = time.monotonic()
        seconds = SECONDS_ALONE if self.lost < PATIENCE else SECONDS_IN_HASTE
        try:
            with _uninterrupted():
                answer = pool.submit(extract_many, [source])
            return answer.result(timeout=seconds)[0]
        except BrokenProcessPool:
            reason = "the analysis of this file crashed its process"
        except OutOfTime:
            reason = f"the analysis of this file took longer than {seconds:.0f} s"
        except MemoryError:
            reason = f"the analysis of this file needs more than {MEMORY // 1_000_000} MB of memory"
            return _unread(source, reason)
        finally:
            _stop(pool)
            self.lost += time.monotonic() - begun
        self.failures.append((source.path, reason))
        return _unread(source, reason)


def _are_many(sources: Sequence[Source]) -> bool:
    return sum(len(source.text) for source in sources) >= POOL_FROM


def extract_many(sources: Sequence[Source]) -> list[bytes]:
    """What a worker does: encoded facts, in order."""
    with _without_collector():
        return [_encoded(extract_one(source)) for source in sources]


def extract_one(source: Source) -> Facts:
    """The facts of one file. An extractor that raises is an internal error of ours, told as a skip."""
    from coordlint.extract import extract

    try:
        return extract(source)
    except RecursionError:
        return _unread(source, TOO_DEEP)
    except MemoryError:
        raise  # only a worker has a limit; the file is tried alone
    except Exception as error:
        return _unread(source, f"internal error: {type(error).__name__}: {error}")


def _encoded(facts: Facts) -> bytes:
    try:
        data = encode(facts)
    except RecursionError:
        return encode(_unread(facts, TOO_DEEP))
    if len(data) > MAX_FACTS:
        return encode(_unread(facts, f"too large to be analysed: {len(data) // 1_000_000} MB once it is read"))
    return data


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
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker, initargs=(os.getpid(), MEMORY))


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Holds Ctrl-C back while workers are started: Python drops an interrupt that comes in the middle of a fork, and a worker that is
    not yet one would answer it. They inherit the mask, so it never reaches them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker(parent: int, memory: int) -> None:
    """A worker leaves Ctrl-C to its parent, ends when that is gone, and cannot take all memory of the machine."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        size, _ = (int(pages) for pages in Path("/proc/self/statm").read_text().split()[:2])
        most = size * resource.getpagesize() + memory
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _stop(pool: ProcessPoolExecutor) -> None:
    """Ends a pool at once, also one whose worker hangs."""
    workers = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.kill()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
