"""A dispatcher stands still in the middle of keeping its zones; the city must not."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg
import pytest

from backend.database.pool import Database
from backend.processes.dispatcher import Dispatcher
from backend.processes.leases import LEASE_S
from tests.support.city import Caller, City, NoSolver, at
from tests.support.people import settings
from tests.support.processes import started, until

_MOST_MESSAGES = 14  # more than keeping four zones took when each was a statement of its own
_ZONES = ("Z1", "Z2", "Z3", "Z4")
_RENEWAL = re.compile(rb"(__asyncpg_stmt_[0-9a-f]+__)\0[^\0]*lead_zones")


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


class Renewal(Wire):
    """A process's way to its database that notices when the process renews its leases; it is stopped in that moment."""

    def __init__(self, socket_path: str, *, heard: bool) -> None:
        """`heard`: whether the database still hears the statement, whose answer then waits for the process."""
        super().__init__(socket_path)
        self._heard = heard
        self._statement: bytes | None = None
        self._kept: list[tuple[bytes, asyncio.StreamWriter]] = []
        self.stops: int | None = None  # whom to stop

    async def _send(self, reader: asyncio.StreamReader, ours: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if prepared := _RENEWAL.search(data):
                self._statement = prepared[1]
            elif self.stops is not None and self._statement is not None and self._statement in data:
                os.kill(self.stops, signal.SIGSTOP)
                self.stops = None
                self.frozen.set()
                if not self._heard:
                    self._kept.append((data, ours))
                    continue
            ours.write(data)
            await ours.drain()

    def let_through(self) -> None:
        """What was on its way arrives."""
        for data, ours in self._kept:
            ours.write(data)


async def _booked_everywhere(city: City, operator: Caller, number: int) -> list[UUID]:
    """An order in each zone, by somebody who has none yet."""
    orders = []
    for zone in _ZONES:
        someone = await city.resident(zone=zone, number=number)
        order = await city.booked(operator, someone["id"], "rehab-home", at(9), at(17), channel="phone")
        orders.append(UUID(order["id"]))
    return orders


async def _offered(city: City, orders: list[UUID]) -> bool:
    return await city.one("SELECT count(*) FROM orders WHERE id = ANY ($1) AND status = 'offered'", orders) == len(
        orders
    )


@pytest.mark.parametrize("heard", [False, True], ids=["before it is heard", "before it hears the answer"])
async def test_a_dispatcher_process_stopped_while_it_renews_its_leases_stops_nobody_and_offers_nothing_twice(
    city: City, heard: bool
):
    """A machine that swaps, a debugger, a paused container: SIGSTOP takes the process wherever it is, its sockets stay open."""
    await city.manual_acceptance()
    operator = await city.staff("operator")
    parts = urlsplit(city.database.url)
    wire = Renewal(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432", heard=heard)
    async with await asyncio.start_server(wire.carry, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?sslmode=disable"
        try:
            async with started("dispatcher", url) as first:
                await until(_offered, city, await _booked_everywhere(city, operator, 0))
                owner = await city.one("SELECT DISTINCT owner FROM zone_leases WHERE expires_at > clock_timestamp()")
                async with started("dispatcher", city.database.url) as second:
                    wire.stops = first.process.pid
                    async with asyncio.timeout(30):
                        await wire.frozen.wait()
                    async with asyncio.timeout(20):
                        assert (await city.http.get("/health/ready")).status_code == 200
                        answer = await city.http.post("/v1/sign-in/codes", json={"phone": "13900001111"},
                                                      headers={"Idempotency-Key": "a" * 36})  # fmt: skip
                        assert answer.status_code == 202
                        waiting = await _booked_everywhere(city, operator, 1)
                    # the second one may still load its kernels: from when it can, it takes over in a lease and a renewal
                    await until(_offered, city, waiting, within=LEASE_S + 50)
                    took_over = "SELECT count(*) FROM zone_leases WHERE owner <> $1 AND expires_at > clock_timestamp()"
                    assert await city.one(took_over, owner) == len(_ZONES)
                    more = await _booked_everywhere(city, operator, 2)
                    os.kill(first.process.pid, signal.SIGCONT)
                    wire.let_through()
                    await until(_offered, city, more)
                    await until(_renewed_since, city, await city.one("SELECT clock_timestamp()"))
                    assert first.process.returncode is None
                    assert second.process.returncode is None
                    assert await city.one(took_over, owner) == len(_ZONES)
        finally:
            await wire.end()
    twice = await city.sql("SELECT order_id FROM offers GROUP BY order_id HAVING count(*) > 1")
    assert twice == []
    assert await city.one("SELECT count(*) FROM offers") == 3 * len(_ZONES)


async def _renewed_since(city: City, instant: Any) -> bool:
    """Whether whoever leads the zones has renewed its leases some seconds later: by then whoever else lives has tried it too."""
    left = await city.one(
        "SELECT min(expires_at) - make_interval(secs => $2) > $1 FROM zone_leases", instant, LEASE_S + 4
    )
    return bool(left)
