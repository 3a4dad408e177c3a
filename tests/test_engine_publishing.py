"""Buses of the project's own: who publishes through them watches, whatever else they do on the way."""

from __future__ import annotations

from systems import system

BUS = """
    import asyncio
    import redis.asyncio as redis
    class LocalBus:
        def emit(self, name, data):
            for handler in self.handlers:
                handler(name, data)
    class RedisBus:
        def __init__(self, client: redis.Redis):
            self._client = client
            self._local = LocalBus()
            self._ready = asyncio.get_running_loop().create_future()
        def emit(self, name, data):
            if not self._ready.done():
                self._ready.set_result(True)
            here = self._local.emit(name, data)
            there = asyncio.create_task(self._client.publish(f"news:{name}", data))
            return asyncio.gather(here, there)
    """


def places(app: str) -> list[tuple[int, str, str]]:
    found = system(bus=BUS, app=app).uses()
    return sorted((u.place.line, u.role, u.backend) for u in found if u.place.path == "app.py" and u.role != "client")


APP = """
    from bus import {bus}, RedisBus
    import redis.asyncio as redis
    class Shop:
        def __init__(self, bus: {bus}):
            self._bus = bus
        def open(self):
            self._bus.emit("opened", "1")
    def main():
        return Shop(RedisBus(redis.Redis()))
    """


def test_a_function_named_for_publishing_publishes_although_it_tells_those_here_too() -> None:
    assert (8, "watch", "redis") in places(APP.format(bus="RedisBus"))


def test_an_annotation_that_every_caller_contradicts_gives_way_to_what_is_passed() -> None:
    assert (8, "watch", "redis") in places(APP.format(bus="LocalBus"))


def test_an_annotation_holds_where_nobody_is_seen_to_pass_anything() -> None:
    unused = APP.format(bus="LocalBus").replace("return Shop(RedisBus(redis.Redis()))", "return RedisBus(redis.Redis())")
    assert not any(role == "watch" for line, role, _ in places(unused) if line == 8)
