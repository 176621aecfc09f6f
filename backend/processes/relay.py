"""The relay: sees that the feed has grown and wakes the gateways, so that no booking has to.

A NOTIFY inside a booking's transaction makes all commits queue behind one lock; here one stands for hundreds of events.
"""

import asyncio
import contextlib
import time

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from backend.config import Settings
from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.events.feed import REDIS_CHANNEL, Cursor, newest_cursor, wake_readers
from backend.processes.feedwatch import FeedWatch
from backend.processes.metrics import Metrics
from backend.processes.serving import serve
from backend.processes.stopping import pause
from backend.processes.watched import create_watched

_ACTIVE_S, _IDLE_S, _QUIET_AFTER_S, _RETRY_S = 0.012, 0.25, 2.0, 1.0
log = structlog.get_logger()


class Relay:
    """Looks at the end of the feed, often while things happen and seldom while nothing does."""

    def __init__(self, database: Database, redis: Redis | None = None) -> None:
        self._database = database
        self._redis = redis
        self._told: Cursor | None = None
        self._grew_at = time.monotonic()

    async def look(self) -> bool:
        """Wake the gateways when there is something new; tell whether there was."""
        async with self._database.unit_of_work(SYSTEM) as connection:
            newest = await newest_cursor(connection)
            if newest is None or newest == self._told:
                return False
            await wake_readers(connection, newest)
        self._told = newest
        self._grew_at = time.monotonic()
        if self._redis is not None:
            with contextlib.suppress(
                RedisError, OSError
            ):  # a hint only: gateways look for themselves every two seconds
                await self._redis.publish(REDIS_CHANNEL, str(newest))
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            try:
                await self.look()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("relay.lost_the_database", error=type(error).__name__)
                await pause(stop, _RETRY_S)
            quiet = time.monotonic() - self._grew_at > _QUIET_AFTER_S
            await pause(stop, _IDLE_S if quiet else _ACTIVE_S)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Relay until stopped."""
    database = await Database.open(settings.database_url, time_zone=settings.time_zone, size=1, patience_s=None)
    redis = None
    if settings.redis_url:
        redis = Redis.from_url(settings.redis_url, socket_timeout=1, socket_connect_timeout=1)
    metrics = Metrics()
    watch = FeedWatch(database, metrics)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(Relay(database, redis).run(stop))
            tasks.create_task(watch.run(stop))
            tasks.create_task(serve(create_watched(metrics, watch.readiness), settings, settings.relay_port, stop))
    finally:
        await database.close()
        if redis is not None:
            await redis.aclose()
