"""What one gateway process does all the time: reads the feed, and looks again at who may hear what."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from backend.accounts import queries
from backend.core.principal import SYSTEM
from backend.database.pool import Database, Lane
from backend.events.feed import CHANNEL, REDIS_CHANNEL, FeedRow, head, newest, read_feed
from backend.live.audience import keys_of
from backend.live.channels import Hub
from backend.live.connection import Close, Connection

BATCH: Final = 500
_STEP: Final = 50  # events handed out before the senders get their turn
_LOOK_ANYWAY_S: Final = 2.0
_RECHECK_S: Final = 5.0
_BOARD_S: Final = 0.5
_RETRY_S: Final = 1.0
_FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, RedisError)
log = structlog.get_logger()


class Tail:
    """Follows the feed for a hub until cancelled; a lost database or Redis costs time, never an event."""

    def __init__(self, database: Database, hub: Hub, redis_url: str | None = None) -> None:
        self._database = database
        self._hub = hub
        self._redis_url = redis_url
        self._wake = asyncio.Event()
        self.zone_ids: list[UUID] = []

    async def start(self) -> None:
        """Stand at the end of the feed before anybody is let in."""
        async with self._database.unit_of_work(SYSTEM, Lane.FEED) as connection:
            rows = await newest(connection, self._hub.kept)
            end = await head(connection)
            self.zone_ids = await queries.zone_ids(connection)
        self._hub.start(end, rows)

    async def run(self) -> None:
        """Read, listen and re-check, each for itself."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(self._follow))
            tasks.create_task(self._again_and_again(self._recheck_forever))
            tasks.create_task(self._again_and_again(self._hear_postgres))
            tasks.create_task(self._boards())
            if self._redis_url:
                tasks.create_task(self._again_and_again(self._hear_redis))

    async def _again_and_again(self, work: Any) -> None:
        while True:
            try:
                await work()
            except _FAILURES as error:
                log.warning("gateway.lost_a_line", step=work.__name__, error=type(error).__name__)
            await asyncio.sleep(_RETRY_S)

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            while await self._read() == BATCH:
                pass
            try:
                async with asyncio.timeout(_LOOK_ANYWAY_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _read(self) -> int:
        async with self._database.unit_of_work(SYSTEM, Lane.FEED) as connection:
            rows = await read_feed(connection, self._hub.position, BATCH)
        for start in range(0, len(rows), _STEP):
            step = rows[start : start + _STEP]
            await self._consents(step)
            self._hub.deliver(step)
            await asyncio.sleep(0)
        return len(rows)

    async def _consents(self, rows: Iterable[FeedRow]) -> None:
        """A consent that has changed counts from the event that tells of it."""
        changed = [row.data for row in rows if row.type == "consent.changed"]
        accounts = {UUID(data["account_id"]) for data in changed if "account_id" in data}
        if accounts:
            await self._recheck([c for c in self._hub.connections if c.holder and c.holder.account_id in accounts])

    async def _recheck_forever(self) -> None:
        while True:
            await asyncio.sleep(_RECHECK_S)
            async with self._database.unit_of_work(SYSTEM, Lane.FEED) as connection:
                end = await head(connection)
                self.zone_ids = await queries.zone_ids(connection)
            if end.epoch != self._hub.position.epoch:
                await self.start()
            await self._recheck([connection for connection in self._hub.connections if connection.holder])

    async def _recheck(self, connections: list[Connection]) -> None:
        """Close the sockets of sessions that ended, and let the others hear what they may hear now."""
        ids = {connection.holder.session_id for connection in connections if connection.holder}
        async with self._database.unit_of_work(SYSTEM, Lane.FEED) as database:
            standing = {one.session_id: one for one in await queries.still_signed_in(database, list(ids))}
        for connection in connections:
            holder = standing.get(connection.holder.session_id) if connection.holder else None
            if holder is None:
                connection.end(Close.TICKET)
                self._hub.leave(connection)
            elif connection in self._hub.connections:
                connection.holder = holder
                self._hub.listen(connection, keys_of(holder, self.zone_ids))

    async def _boards(self) -> None:
        while True:
            self._hub.hint_to_boards()
            await asyncio.sleep(_BOARD_S)

    async def _hear_postgres(self) -> None:
        line = await self._database.listen()
        lost = asyncio.Event()
        line.add_termination_listener(lambda *_: lost.set())
        try:
            await line.add_listener(CHANNEL, lambda *_: self._wake.set())
            await lost.wait()
        finally:
            line.terminate()

    async def _hear_redis(self) -> None:
        async with Redis.from_url(self._redis_url or "") as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe(REDIS_CHANNEL)
            async for _message in pubsub.listen():
                self._wake.set()
