"""Watching whether the feed goes on: its lag as a number, a task at the desk while it stands, and whose transaction it is."""

import asyncio
import time
from typing import Any, Final

import asyncpg
import msgspec
import structlog

from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.events.lag_queries import Lag, lag
from backend.processes.metrics import Metric, Metrics
from backend.processes.stopping import pause
from backend.processes.watched import OK, Readiness
from backend.rules import queries as rules
from backend.tasks.actions import close_task, open_task
from backend.tasks.model import TaskKind

WAITS: Final = Metric(
    "yinling_feed_waits_seconds", "gauge", "How long the oldest event that nobody has been told waits."
)
STALLS: Final = Metric(
    "yinling_feed_stalls_total", "counter", "How often the feed stood still for longer than its rule."
)
_EVERY_S: Final = 1.0
_STALE_S: Final = 10.0  # what was seen longer ago says nothing: the database does not answer
log = structlog.get_logger()


def told(found: Lag) -> dict[str, Any]:
    """What is shown of a feed that stands: for how long, and behind whom."""
    return {"waits_s": round(found.waits_s, 1), "behind": msgspec.to_builtins(found.behind)}


class FeedWatch:
    """What the relay knows of the feed it relays."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._seen = Lag(0.0, [])
        self._seen_at: float | None = None
        self._slow_s = 0.0
        self._stands: bool | None = None  # unknown at first: a task of an earlier process may be open
        metrics.add(STALLS, 0)

    async def look(self) -> None:
        """Measure once; a feed that has stood for too long is told once, and so is when it goes on."""
        async with self._database.unit_of_work(SYSTEM) as connection:
            self._slow_s = await rules.limit(connection, "feed_slow_s", rules.EVERYWHERE)
            stalled_s = await rules.limit(connection, "feed_stalled_s", rules.EVERYWHERE)
            found = await lag(connection)
            stands = found.waits_s >= stalled_s
            if stands and not self._stands:
                await open_task(connection, TaskKind.FEED_STALLED, told(found))
            elif not stands and self._stands is not False:
                await close_task(connection, TaskKind.FEED_STALLED)
        self._say(found, stands=stands)
        self._seen, self._seen_at, self._stands = found, time.monotonic(), stands
        self._metrics.put(WAITS, found.waits_s)

    def _say(self, found: Lag, *, stands: bool) -> None:
        if stands and not self._stands:
            self._metrics.add(STALLS)
            first = next(iter(found.behind), None)
            named = {} if first is None else {"pid": first.pid, "name": first.application, "database": first.database}
            log.error("relay.feed_stands_still", seconds=round(found.waits_s, 1), count=len(found.behind), **named)
        elif self._stands and not stands:
            log.warning("relay.feed_goes_on", seconds=round(self._seen.waits_s, 1))

    def readiness(self) -> Readiness:
        """Whether events are told within the time the rules allow; else behind whose transaction they wait."""
        if self._seen_at is None or time.monotonic() - self._seen_at > _STALE_S:
            return Readiness("no database")
        if self._seen.waits_s >= self._slow_s:
            return Readiness("the feed stands still", told(self._seen))
        return Readiness(OK)

    async def run(self, stop: asyncio.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            try:
                await self.look()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("relay.feed_not_measured", error=type(error).__name__)
            await pause(stop, _EVERY_S)
