"""A server of its own for tests of the feed (whose load delays nobody else's feed), and a reader."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from backend.accounts.actions import issue_ticket, who_is
from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.events.catalogue import AssignmentChanged
from backend.events.outbox import emit
from tests.support.people import settings
from tests.support.prepared import scratch_server
from tests.support.scratch import EMPTY

ZONE = uuid4()


@asynccontextmanager
async def own_database(size: int = 24) -> AsyncIterator[Database]:
    with scratch_server("yinling-feed-") as server:
        urls = await server.copy_database(EMPTY, "feed")
        database = await Database.open(urls.app, size=size)
        try:
            yield database
        finally:
            await database.close()


def changed(resident_id: UUID, seat: int = 1) -> AssignmentChanged:
    return AssignmentChanged(
        order_id=uuid4(), seat=seat, worker_id=uuid4(), resident_id=resident_id, zone_id=ZONE, status="accepted"
    )


async def tell(database: Database, *resident_ids: UUID) -> None:
    async with database.unit_of_work(SYSTEM) as connection:
        await emit(connection, *(changed(resident_id) for resident_id in resident_ids))


async def ticket(database: Database, token: str | None) -> str:
    session = None if token is None else await who_is(database, token)
    assert token is None or session is not None
    return (await issue_ticket(database, settings(database), session.session_id if session else None)).ticket


class Reader:
    """One websocket of one person."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []

    async def next(self, within: float = 5) -> dict[str, Any]:
        async with asyncio.timeout(within):
            message = msgspec.json.decode(await self.socket.recv())
        self.messages.append(message)
        return message

    async def silence(self, seconds: float) -> list[dict[str, Any]]:
        """What came nevertheless."""
        heard = []
        try:
            while True:
                heard.append(await self.next(seconds))
        except TimeoutError:
            return heard

    async def closed(self, within: float = 10) -> int:
        async with asyncio.timeout(within):
            await self.socket.wait_closed()
        return self.socket.close_code or 0


@asynccontextmanager
async def reading(
    database: Database, address: str, token: str | None, cursor: str | None = None, **options: Any
) -> AsyncIterator[Reader]:
    async with connect(f"ws://{address}/v1/live", compression=None, **options) as socket:
        first = {"ticket": await ticket(database, token), "cursor": cursor}
        await socket.send(msgspec.json.encode(first).decode())
        yield Reader(socket)
