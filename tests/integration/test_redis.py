"""Redis carries hints between hosts: with it a gateway wakes at once, without it nothing is lost."""

import asyncio
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from backend.database.pool import Database
from backend.live.tail import Tail
from backend.processes.gateway import create_gateway
from backend.processes.relay import Relay
from tests.support.feeds import Reader, own_database, reading, tell
from tests.support.people import Person, person, served, settings


@pytest.fixture(scope="module")
async def feed() -> AsyncIterator[Database]:
    async with own_database() as database:
        yield database


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


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
    port = _free_port()
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
