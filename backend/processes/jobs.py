"""Timers that have come due in care time, and the chores of the database beside them."""

import asyncio
import time
from uuid import UUID

import asyncpg
import structlog

from backend.config import Settings
from backend.core.principal import SYSTEM
from backend.database.pool import NEVER_IDLE, Connection, Database, Lane
from backend.database.rows import UnreadableRowError
from backend.orders import timers
from backend.orders.aside import set_aside
from backend.orders.timers import Timer
from backend.processes.housekeeping import LOST, House
from backend.processes.logging import where
from backend.processes.metrics import Metrics
from backend.processes.serving import serve
from backend.processes.stopping import pause
from backend.processes.watched import OK, Readiness, create_watched

_POLL_S = 0.25
_TRIES = 5
_CONNECTIONS = 3
_LOCKED = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
_REST_S = 2.0  # a zone whose plan somebody holds is left alone for so long
log = structlog.get_logger()


class Clerk:
    """Fires what is due, each zone for itself: where somebody holds a plan's lock, the timers of no other zone wait."""

    def __init__(self, database: Database, stop: asyncio.Event | None = None) -> None:
        """Told to `stop`, it finishes the timers in hand: the others are rows, and wait."""
        self._database = database
        self._stop = stop
        self._working: dict[UUID | None, asyncio.Task[int]] = {}
        self._rests: dict[UUID, float] = {}  # zones whose lock was not to be had, until a machine time

    async def round(self) -> int:
        """Begin with what is due now; tells for how many zones."""
        self._working = {zone_id: task for zone_id, task in self._working.items() if not _ended(task)}
        now = time.monotonic()
        self._rests = {zone_id: until for zone_id, until in self._rests.items() if until > now}
        busy = [zone_id for zone_id in (*self._working, *self._rests) if zone_id is not None]
        async with self._database.unit_of_work(SYSTEM) as connection:
            found = await timers.due(connection, _TRIES, busy)
        zones: dict[UUID | None, list[Timer]] = {}
        for timer in found:
            zones.setdefault(timer.zone_id, []).append(timer)
        begun = {zone_id: mine for zone_id, mine in zones.items() if zone_id not in self._working}
        for zone_id, mine in begun.items():
            self._working[zone_id] = asyncio.create_task(self._zone(zone_id, mine))
        return len(begun)

    async def done(self) -> int:
        """Wait for what was begun; tells how many timers were seen to."""
        return sum(await asyncio.gather(*self._working.values()))

    async def _zone(self, zone_id: UUID | None, due: list[Timer]) -> int:
        """Each timer in its own transaction; one that fails is tried again and kept for a person."""
        for number, timer in enumerate(due):
            if self._stop is not None and self._stop.is_set():
                return number
            try:
                async with self._database.unit_of_work(SYSTEM, Lane.COMMANDS, zone_id) as connection:
                    await _fire(connection, timer)
            except LOST:
                raise
            except UnreadableRowError as error:
                await _aside(self._database, timer, error)
            except _LOCKED as error:  # that is no fault of the timer
                log.warning("jobs.zone_locked", kind=timer.kind, error=type(error).__name__)
                if zone_id is not None:
                    self._rests[zone_id] = time.monotonic() + _REST_S
                return number
            except Exception as error:
                log.exception("jobs.timer_failed", kind=timer.kind, error=type(error).__name__, trace=where(error))
                async with self._database.unit_of_work(SYSTEM) as connection:
                    await timers.failed(connection, timer.id, type(error).__name__)
        return len(due)


def _ended(task: "asyncio.Task[int]") -> bool:
    """Whether a zone's work is over; a connection lost in it ends the process."""
    if task.done():
        task.result()
    return task.done()


async def fire_due(database: Database) -> int:
    """Fire everything due once; tells how many timers were seen to."""
    clerk = Clerk(database)
    await clerk.round()
    return await clerk.done()


async def _aside(database: Database, timer: Timer, error: UnreadableRowError) -> None:
    """A timer of an order that cannot be read will never fire: a person gets the order instead."""
    async with database.unit_of_work(SYSTEM) as connection:
        await timers.failed(connection, timer.id, type(error).__name__)
        if error.key is not None:
            await set_aside(connection, error.key, error.column)


async def _fire(connection: Connection, timer: Timer) -> None:
    await timers.lock_for(connection, timer)
    if await timers.claim(connection, timer.id):
        await timers.HANDLERS[timer.kind](connection, timer.subject_id)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run until told to stop."""
    connections = settings.database_connections or _CONNECTIONS
    lanes = {Lane.COUNTER: 1, Lane.COMMANDS: max(1, connections - 1)}
    database = await Database.open(
        settings.database_url, time_zone=settings.time_zone, lanes=lanes, patience_s=None, limits=NEVER_IDLE
    )
    metrics = Metrics()
    watched = create_watched(metrics, lambda: Readiness(OK))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_fire_forever(Clerk(database, stop), stop))
            tasks.create_task(House(database, stop, metrics).keep())
            tasks.create_task(serve(watched, settings, settings.jobs_port, stop))
    finally:
        await database.close()


async def _fire_forever(clerk: Clerk, stop: asyncio.Event) -> None:
    while not stop.is_set():
        if await clerk.round() == 0:
            await pause(stop, _POLL_S)
    await clerk.done()
