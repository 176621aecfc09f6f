"""Months of tables that only grow are prepared whoever reads, whoever writes, and whatever was caught meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from alembic import command

from backend.core.principal import SYSTEM
from backend.database import upkeep
from backend.database.migrate import _config, upgrade
from backend.database.pool import Database
from backend.events.feed import Cursor, read_feed
from backend.processes import housekeeping
from backend.processes.embedded import APP, OWNER, Embedded
from backend.processes.housekeeping import DONE, FAILED, House
from backend.processes.metrics import Metrics
from tests.support.feeds import tell
from tests.support.processes import until


def month(step: int) -> date:
    """The first day of the month so many months from now."""
    today = datetime.now(UTC).date()
    years, number = divmod(today.month - 1 + step, 12)
    return date(today.year + years, number + 1, 1)


def _name(step: int, parent: str = "events") -> str:
    return f"{parent}_{month(step):%Y%m}"


@asynccontextmanager
async def _owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A session of the owner's, bound to nothing of ours."""
    connection = await asyncpg.connect(database.url.replace(f"//{APP}@", f"//{OWNER}@"))
    try:
        await connection.execute("SELECT set_config('app.role', 'system', false)")
        yield connection
    finally:
        await connection.close()


async def _where(owner: asyncpg.Connection) -> dict[str, int]:
    """How many events lie in which partition."""
    rows = await owner.fetch("SELECT tableoid::regclass::text AS name, count(*) AS n FROM events GROUP BY 1")
    return {row["name"]: row["n"] for row in rows}


async def _caught(owner: asyncpg.Connection, *steps: int) -> None:
    """Events of these months, which nobody had prepared for."""
    for step in steps:
        await owner.execute(f"DROP TABLE IF EXISTS {_name(step)}")
        await owner.execute(
            "INSERT INTO events (recorded_at, type, keys, data) VALUES ($1, 'order.placed', '{}', '{}')",
            datetime.combine(month(step), datetime.min.time(), UTC),
        )
    assert (await _where(owner))["events_default"] == len(steps)


async def _round(database: Database) -> Metrics:
    metrics = Metrics()
    await House(database, asyncio.Event(), metrics).round()
    return metrics


def _number(metrics: Metrics, metric: Any, chore: str) -> float:
    return metrics._values.get(metric, {}).get((("chore", chore),), 0)


async def _waits_for_a_lock(owner: asyncpg.Connection) -> bool:
    return await owner.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")


async def test_while_a_month_waits_for_a_reader_to_finish_bookings_go_on(database: Database):
    """Behind the lock that was wanted before, every order of the city waited for as long as somebody read."""
    async with _owner(database) as owner, _owner(database) as reader:
        await owner.execute(f"DROP TABLE {_name(3)}")
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM events")  # and now it thinks
            async with database.unit_of_work(SYSTEM) as jobs:
                preparing = asyncio.create_task(
                    jobs.fetchval("SELECT prepare_partition('events', $1, '60 s')", month(3))
                )
                await until(_waits_for_a_lock, owner)
                async with asyncio.timeout(20):  # the reader never ends by itself
                    await tell(database, uuid4())
                assert not preparing.done()
                await reader.execute("ROLLBACK; BEGIN")
                assert await preparing
        assert await owner.fetchval("SELECT is_prepared('events', $1)", month(3))


async def test_nobody_queues_behind_a_month_that_cannot_be_had(database: Database, monkeypatch: pytest.MonkeyPatch):
    """A dump reads for hours: the month gives up after a moment, is tried again, and at last it is told."""
    monkeypatch.setattr(housekeeping, "_TRIES", 3)
    monkeypatch.setattr(housekeeping, "_AGAIN_S", 0)
    async with _owner(database) as owner, _owner(database) as reader:
        await owner.execute(f"DROP TABLE {_name(3)}; DROP TABLE {_name(3, 'audit')}")
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM events")
            metrics = await _round(database)
        assert (_number(metrics, FAILED, "partitions"), _number(metrics, FAILED, "timers")) == (1, 0)
        assert await owner.fetchval("SELECT is_prepared('audit', $1)", month(3)), (
            "the other table's month was not in the way"
        )
        assert not await owner.fetchval("SELECT is_prepared('events', $1)", month(3))
        metrics = await _round(database)
        assert _number(metrics, FAILED, "partitions") == 0
        assert await owner.fetchval("SELECT is_prepared('events', $1)", month(3))


async def test_rows_that_were_caught_go_to_their_month_and_keep_it_from_nothing(database: Database):
    """Once there was one, that month failed for ever, and with it everything that is done beside."""
    async with _owner(database) as owner:
        await owner.execute(
            "INSERT INTO live_tickets (token_hash, expires_at) VALUES ('old', now() - interval '1 day')"
        )
        await _caught(owner, -4, 0, 2)
        before = await owner.fetch("SELECT * FROM events ORDER BY id")
        metrics = await _round(database)
        assert await _where(owner) == {_name(-4): 1, _name(0): 1, _name(2): 1}
        assert await owner.fetch("SELECT * FROM events ORDER BY id") == before
        assert await owner.fetchval("SELECT count(*) FROM live_tickets") == 0
    assert (_number(metrics, FAILED, "partitions"), _number(metrics, DONE, "partitions") > 0) == (0, True)
    await tell(database, uuid4())
    async with database.unit_of_work(SYSTEM) as connection:
        assert len(await read_feed(connection, Cursor(1, 0, 0), 10)) == 4, "the feed reads them where they are now"


async def test_whoever_writes_while_their_month_is_moved_waits_and_is_not_refused(database: Database):
    """An order of that very moment has chosen where its event goes when the place is taken from under it."""
    async with _owner(database) as owner:
        await _caught(owner, 0)
        stop, told = asyncio.Event(), 0

        async def write() -> None:
            nonlocal told
            while not stop.is_set():
                await tell(database, uuid4())
                told += 1

        async def wrote(times: int) -> bool:
            return told >= times

        writers = asyncio.gather(*(write() for _ in range(6)))
        await until(wrote, 20)
        metrics = await _round(database)
        await until(wrote, told + 20)
        stop.set()
        await writers
        assert _number(metrics, FAILED, "partitions") == 0
        assert await _where(owner) == {_name(0): told + 1}


async def test_two_processes_at_once_make_each_month_once_and_neither_fails(database: Database):
    """Whoever upgrades starts the new one before the old one has ended."""
    async with _owner(database) as owner:
        for step in (1, 2, 3):
            await owner.execute(f"DROP TABLE {_name(step)}; DROP TABLE {_name(step, 'audit')}")
        everybody = await asyncio.gather(*(_round(database) for _ in range(4)))
        assert [_number(metrics, FAILED, "partitions") for metrics in everybody] == [0] * 4
        async with database.unit_of_work(SYSTEM) as connection:
            assert await upkeep.missing_partitions(connection, 3) == []


async def test_a_made_up_table_or_day_is_no_month(database: Database):
    """The function runs as the owner: it makes months of two tables and nothing else."""
    for parent, first in (
        ("accounts", month(0)),
        ("events", month(0).replace(day=2)),
        ("events; DROP TABLE x", month(0)),
    ):
        with pytest.raises(asyncpg.PostgresError):
            async with database.unit_of_work(SYSTEM) as connection:
                await connection.execute("SELECT prepare_partition($1, $2)", parent, first)


async def test_a_database_whose_months_had_failed_is_brought_up_to_date(server: Embedded):
    """The migration that binds everybody prepares months too, and would stop at the rows that were caught."""
    urls = await server.bootstrap(f"caught_{uuid4().hex[:12]}")
    config = _config()
    config.attributes["url"] = urls.owner
    await asyncio.to_thread(command.upgrade, config, "0011")
    owner = await asyncpg.connect(urls.owner)
    try:
        await _caught(owner, -1, 0, 2)
        await asyncio.to_thread(upgrade, urls.owner)
        await owner.execute("SELECT set_config('app.role', 'system', false)")
        assert await _where(owner) == {_name(-1): 1, _name(0): 1, _name(2): 1}
        unbound = await owner.fetch(
            """SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND NOT
               (relrowsecurity AND relforcerowsecurity AND NOT has_table_privilege($1, oid, 'SELECT'))""",
            APP,
        )
        assert unbound == []
    finally:
        await owner.close()
        await server.drop_database(urls.app.split("@/")[1].split("?")[0])
