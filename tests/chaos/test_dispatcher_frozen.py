"""A dispatcher stands still in the middle of keeping its zones; the city must not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg

from backend.database.pool import Database
from backend.processes.dispatcher import Dispatcher
from tests.support.city import City, NoSolver
from tests.support.people import settings

_MOST_MESSAGES = 14  # more than keeping four zones took when each was a statement of its own


class Wire:
    """What a process sends to its database, cut off after some messages as if the process had been stopped."""

    def __init__(self, socket_path: str) -> None:
        self._path = socket_path
        self.left: int | None = None
        self.frozen = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: list[asyncio.StreamWriter] = []

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_unix_connection(self._path)
        self._ends += [ours, writer]
        for task in (self._send(reader, ours), self._answer(theirs, writer)):
            running = asyncio.create_task(task)
            self._tasks.add(running)

    async def _send(self, reader: asyncio.StreamReader, ours: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.left is not None:
                if self.left == 0:
                    self.frozen.set()
                    await asyncio.Event().wait()
                self.left -= 1
            ours.write(data)
            await ours.drain()

    async def _answer(self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await theirs.read(65536):
            writer.write(data)
            await writer.drain()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for end in self._ends:
            end.close()
        await asyncio.gather(*(end.wait_closed() for end in self._ends), return_exceptions=True)


@asynccontextmanager
async def _stopped_after(url: str, messages: int) -> AsyncIterator[None]:
    """A connected dispatcher that keeps its zones, and stands still when it has sent so many messages."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query)["host"][0]
    wire = Wire(f"{folder}/.s.PGSQL.5432")
    async with await asyncio.start_server(wire.carry, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = await Database.open(f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}", size=1)
        dispatcher = Dispatcher(settings(database), database, NoSolver())
        wire.left = messages
        renewing = asyncio.create_task(dispatcher.renew())
        frozen = asyncio.create_task(wire.frozen.wait())
        await asyncio.wait({renewing, frozen}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        try:
            yield
        finally:
            for task in (renewing, frozen):
                task.cancel()
            database.terminate()
            await asyncio.gather(renewing, frozen, return_exceptions=True)
            await wire.end()


async def test_a_dispatcher_that_stands_still_anywhere_in_keeping_its_zones_holds_no_lease(city: City):
    """Another takes its zones when its lease is over, and no commit waits for it."""
    await city.dispatcher.renew()
    await city.sql("UPDATE zone_leases SET expires_at = now() - interval '1 hour'")
    for messages in range(_MOST_MESSAGES):
        async with _stopped_after(city.database.url, messages):
            for _ in range(20):
                try:
                    await city.sql("SELECT zone_id FROM zone_leases FOR UPDATE NOWAIT")
                    break
                except asyncpg.LockNotAvailableError:
                    await asyncio.sleep(0.1)  # the statement itself may still be running
            else:
                raise AssertionError(f"leases are locked by a dispatcher that stopped after {messages} messages")
        await city.sql("UPDATE zone_leases SET expires_at = now() - interval '1 hour'")
    await city.dispatcher.renew()
    assert len(city.dispatcher.zones) == 4
