"""Redis carries hints between hosts and counts what is limited: losing it costs latency, never data or a limit."""

import asyncio
import random
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from backend.accounts.limits import Limiter, Rule
from backend.database.pool import Database
from backend.live.tail import Tail
from backend.processes.gateway import create_gateway
from backend.processes.relay import Relay
from backend.simulation.launch import free_ports
from tests.support.feeds import Reader, own_database, reading, tell
from tests.support.people import Person, person, served, settings


@pytest.fixture(scope="module")
async def feed() -> AsyncIterator[Database]:
    async with own_database() as database:
        yield database


@asynccontextmanager
async def _redis(program: str, port: int, folder: Path) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with Redis(port=port) as client, asyncio.timeout(10):
            while True:
                try:
                    await client.ping()
                    break
                except RedisError:
                    await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
def deaf_to_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway on a host that hears no NOTIFY, and would look for itself only after a minute."""

    async def deaf(_: Tail) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(Tail, "_hear_postgres", deaf)
    monkeypatch.setattr("backend.live.tail._LOOK_ANYWAY_S", 60)


@asynccontextmanager
async def _listening(program: str, feed: Database, folder: Path) -> AsyncIterator[tuple[Process, Reader, Person]]:
    """Redis, a relay and a gateway that use it, and somebody signed in there who has had the greeting."""
    port = free_ports(1)[0]
    async with (
        _redis(program, port, folder) as process,
        Redis(port=port, socket_timeout=1, socket_connect_timeout=1) as client,
    ):
        relay = asyncio.create_task(Relay(feed, client).run(asyncio.Event()))
        try:
            gateway = create_gateway(settings(feed, redis_url=f"redis://127.0.0.1:{port}"), feed)
            async with served(gateway) as address:
                someone = await person(feed, "resident")
                async with reading(feed, address, someone.token) as reader:
                    assert (await reader.next())["type"] == "hello"
                    yield process, reader, someone
        finally:
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)


@pytest.mark.usefixtures("deaf_to_postgres")
async def test_redis_alone_wakes_a_gateway_at_once(redis_server: str, feed: Database, tmp_path: Path):
    async with _listening(redis_server, feed, tmp_path) as (_, reader, someone):
        await tell(feed, someone.own_id)
        assert (await reader.next(within=10))["type"] == "assignment.accepted"


async def test_losing_redis_loses_no_event(redis_server: str, feed: Database, tmp_path: Path):
    async with _listening(redis_server, feed, tmp_path) as (redis, reader, someone):
        await tell(feed, someone.own_id)
        await reader.next()
        redis.kill()
        await redis.wait()
        for _ in range(5):
            await tell(feed, someone.own_id)
            assert (await reader.next(within=8))["type"] == "assignment.accepted"


_SECRET = "an invented secret for limits, long enough"
_SLOW = Rule("slow", room=3, every_s=1000, longest_s=5000)
_WIDE = Rule("wide", room=20, every_s=1000, longest_s=0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not look like a lost Redis."""
    monkeypatch.setattr("backend.accounts.limits._REDIS_WITHIN_S", 10)


@asynccontextmanager
async def _limiter(feed: Database, port: int | None) -> AsyncIterator[Limiter]:
    limiter = Limiter(feed, _SECRET, None if port is None else f"redis://127.0.0.1:{port}")
    try:
        yield limiter
    finally:
        await limiter.close()


@pytest.mark.usefixtures("patient")
async def test_redis_and_the_database_count_alike(redis_server: str, feed: Database, tmp_path: Path):
    """The same tries get the same answers, or a city would change its limits by setting up Redis."""
    chance, port, run = random.Random(7), free_ports(1)[0], str(uuid4())
    async with (
        _redis(redis_server, port, tmp_path),
        _limiter(feed, port) as one,
        _limiter(feed, None) as other,
    ):
        for _ in range(200):
            rules = chance.sample([(_SLOW, "a"), (_SLOW, "b"), (_WIDE, ""), (_WIDE, "c")], chance.randint(1, 4))
            uses = [one.use(rule, run, who, times=chance.choice((1, 1, 0))) for rule, who in rules]
            match chance.randint(0, 5):
                case 0:
                    await asyncio.gather(one.give_back(*uses), other.give_back(*uses))
                case 1:
                    assert await one.each(*uses) == await other.each(*uses)
                case _:
                    waits = [await each.waits(*uses) for each in (one, other)]
                    assert waits[0] == pytest.approx(waits[1], abs=60), "of thousands of seconds"
        async with Redis(port=port) as redis:
            keys = await redis.keys("*")
            assert keys
            assert all([0 < await redis.pttl(key) <= 25_000_000 for key in keys]), "what has leaked away goes by itself"
            assert not any(run.encode() in key for key in keys)


@pytest.mark.usefixtures("patient")
async def test_a_race_in_redis_gets_no_more_than_the_room(redis_server: str, feed: Database, tmp_path: Path):
    port = free_ports(1)[0]
    async with _redis(redis_server, port, tmp_path), _limiter(feed, port) as one, _limiter(feed, port) as two:
        use = one.use(_SLOW, str(uuid4()))
        waits = await asyncio.gather(*(each.take(use) for each in (one, two) * 20))
        assert waits.count(0) == _SLOW.room


async def test_without_redis_the_database_counts_at_once(redis_server: str, feed: Database, tmp_path: Path):
    """Killed, or alive and silent: sign-in goes on within milliseconds, with limits."""
    port = free_ports(1)[0]
    async with _redis(redis_server, port, tmp_path) as process, _limiter(feed, port) as limiter:
        assert await limiter.take(limiter.use(_SLOW, str(uuid4()))) == 0
        process.kill()
        await process.wait()
        use = limiter.use(_SLOW, str(uuid4()))
        assert [await limiter.take(use) == 0 for _ in range(5)] == [True] * 3 + [False] * 2
    async with _silent() as (silent, asked), _limiter(feed, silent) as limiter:
        use = limiter.use(_SLOW, str(uuid4()))
        assert [await limiter.take(use) == 0 for _ in range(5)] == [True] * 3 + [False] * 2
        assert len(asked) == 1, "whoever does not answer is not waited for at each try"


@asynccontextmanager
async def _silent() -> AsyncIterator[tuple[int, list[None]]]:
    """A server that takes connections and never says anything, and those that were made."""
    made: list[None] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(None)
        while await reader.read(1024):
            pass
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], made
    finally:
        server.close()
