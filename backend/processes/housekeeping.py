"""Chores of the database, once an hour: months are prepared, and what is over leaves by its rule.

Each has transactions of its own and one process at a time. One that fails is told in the log and in a number, and keeps
no other from being done.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import asyncpg
import structlog

from backend.accounts import old_queries as accounts
from backend.bookings import queries as bookings
from backend.core.clock import machine_now
from backend.core.principal import SYSTEM
from backend.database import upkeep
from backend.database.pool import Connection, Database, Lane
from backend.orders import offer_queries, timer_queries
from backend.processes.logging import where
from backend.processes.metrics import Metric, Metrics
from backend.processes.stopping import pause
from backend.residents import look_queries as looks
from backend.residents import request_queries as requests
from backend.rules import queries as rules
from backend.tasks import queries as tasks

EVERY_S: Final = 3600.0
BATCH: Final = 1000  # rows a transaction: locks are held for moments
_TRIES: Final = 30  # for a month that somebody reads all the time
_AGAIN_S: Final = 1.0
LOST: Final = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)
"""The database is gone: the process ends and is started again."""
DONE: Final = Metric(
    "yinling_chore_done_timestamp_seconds", "gauge", "When a chore was last done to its end, in seconds since 1970."
)
FAILED: Final = Metric("yinling_chore_failures_total", "counter", "How often a chore failed.")
FORGOTTEN: Final = Metric(
    "yinling_forgotten_rows_total", "counter", "Rows that were thrown away because they are over."
)
Forget = Callable[[Connection, float, int], Awaitable[int]]
Chore = Callable[["House"], Awaitable[None]]
log = structlog.get_logger()


class House:
    """A database and what is to be done in it."""

    def __init__(
        self, database: Database, stop: asyncio.Event, metrics: Metrics, chores: Mapping[str, Chore] | None = None
    ) -> None:
        self.database = database
        self.stop = stop
        self.metrics = metrics
        self._chores = CHORES if chores is None else chores

    async def keep(self) -> None:
        """Do every chore, again and again, until told to stop."""
        while not self.stop.is_set():
            await self.round()
            await pause(self.stop, EVERY_S)

    async def round(self) -> None:
        """Do every chore once; one that fails keeps no other from being done."""
        for name, chore in self._chores.items():
            if self.stop.is_set():
                return
            began = time.monotonic()
            try:
                await chore(self)
            except LOST:
                raise
            except Exception as error:
                # whatever is wrong with one chore is not wrong with the others; it is told loudly
                log.exception("jobs.chore_failed", name=name, error=type(error).__name__, trace=where(error))
                self.metrics.add(FAILED, chore=name)
            else:
                self.metrics.put(DONE, machine_now().timestamp(), chore=name)
                log.info("jobs.chore_done", name=name, seconds=round(time.monotonic() - began, 3))


async def prepare_months(house: House) -> None:
    """Make the partitions that are missing, a transaction each. Raises LockNotAvailableError when somebody reads all the time."""
    async with house.database.unit_of_work(SYSTEM, Lane.COMMANDS, "chores") as connection:
        ahead = int(await rules.limit(connection, "partitions_ahead_months", rules.EVERYWHERE))
        missing = await upkeep.missing_partitions(connection, ahead)
    failures: list[Exception] = []
    for month in missing:
        try:
            await _prepare(house, month)
        except LOST:
            raise
        except Exception as error:  # noqa: BLE001  it is raised below, when the other months are done
            failures.append(error)
    if failures:
        raise failures[0]


async def _prepare(house: House, month: upkeep.Month) -> None:
    """Nobody queues behind a try for longer than a moment, so there are many."""
    for left in reversed(range(_TRIES)):
        try:
            async with house.database.unit_of_work(SYSTEM, Lane.COMMANDS, "chores") as connection:
                await upkeep.prepare_partition(connection, month)
        except asyncpg.LockNotAvailableError:
            if left == 0 or house.stop.is_set():
                raise
            await pause(house.stop, _AGAIN_S)
        else:
            return


async def forget(name: str, rule: str | None, work: Forget, house: House) -> None:
    """Throw away what is older than the rule says, some rows a transaction, until none is left."""
    gone = BATCH
    while gone >= BATCH and not house.stop.is_set():
        async with house.database.unit_of_work(SYSTEM, Lane.COMMANDS, "chores") as connection:
            if not await upkeep.take_turn(connection, name):
                return
            days = 0.0 if rule is None else await rules.limit(connection, rule, rules.EVERYWHERE)
            gone = await work(connection, days, BATCH)
        house.metrics.add(FORGOTTEN, gone, chore=name)


FORGET: Final[Mapping[str, tuple[str | None, Forget]]] = {
    "live_tickets": ("keep_live_tickets_days", accounts.forget_tickets),  # before the sessions they belong to
    "sign_in_codes": ("keep_sign_in_codes_days", accounts.forget_codes),
    "sign_in_cards": ("keep_sign_in_cards_days", accounts.forget_cards),
    "sign_in_places": ("keep_sign_in_places_days", accounts.forget_places),
    "limits": (None, accounts.forget_buckets),
    "sessions": ("keep_sessions_days", accounts.forget_sessions),
    "answers": ("keep_answers_days", accounts.forget_answers),
    "timers": ("keep_timers_days", timer_queries.forget_fired),
    "offers": ("keep_offers_days", offer_queries.forget_closed),
    "quote_counts": ("keep_quote_counts_days", bookings.forget_quote_counts),
    "consent_requests": ("keep_consent_requests_days", requests.forget_ended),
    "consent_looks": ("keep_looks_days", looks.forget_looks),
    "desk_tasks": ("keep_desk_tasks_days", tasks.forget_closed),
}
CHORES: Final[Mapping[str, Chore]] = {
    "partitions": prepare_months,
    **{name: partial(forget, name, rule, work) for name, (rule, work) in FORGET.items()},
}
