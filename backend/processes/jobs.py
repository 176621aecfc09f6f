"""Timers that have come due in care time, and the housekeeping of tables that grow."""

import asyncio

import asyncpg
import structlog

from backend.accounts import queries as accounts
from backend.bookings import queries as bookings
from backend.config import Settings
from backend.core.principal import SYSTEM
from backend.database.pool import Connection, Database
from backend.database.rows import UnreadableRowError
from backend.orders import timers
from backend.orders.aside import set_aside
from backend.orders.timers import Timer
from backend.processes.logging import where
from backend.processes.stopping import pause

_POLL_S = 0.25
_HOUSEKEEPING_S = 3600.0
_TRIES = 5
_LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)  # the process ends and is started again
log = structlog.get_logger()


async def fire_due(database: Database, stop: asyncio.Event | None = None) -> int:
    """Fire what is due, each timer in its own transaction; a timer that fails is tried again and kept for a person.

    Told to stop, it finishes the timer in hand: the others are rows, and wait.
    """
    async with database.unit_of_work(SYSTEM) as connection:
        due = await timers.due(connection, _TRIES)
    for timer in due:
        if stop is not None and stop.is_set():
            break
        try:
            async with database.unit_of_work(SYSTEM) as connection:
                await _fire(connection, timer)
        except _LOST:
            raise
        except UnreadableRowError as error:
            await _aside(database, timer, error)
        except Exception as error:
            log.exception("jobs.timer_failed", kind=timer.kind, error=type(error).__name__, trace=where(error))
            async with database.unit_of_work(SYSTEM) as connection:
                await timers.failed(connection, timer.id, type(error).__name__)
    return len(due)


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
    database = await Database.open(settings.database_url, size=3)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_fire_forever(database, stop))
            tasks.create_task(_keep_house(database, stop))
    finally:
        await database.close()


async def _fire_forever(database: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        if await fire_due(database, stop) == 0:
            await pause(stop, _POLL_S)


async def _keep_house(database: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            async with database.unit_of_work(SYSTEM) as connection:
                await timers.tidy(connection)
                await accounts.tidy(connection)
                await bookings.tidy(connection)
        except asyncpg.PostgresError as error:
            log.exception("jobs.housekeeping_failed", error=type(error).__name__)
        await pause(stop, _HOUSEKEEPING_S)
