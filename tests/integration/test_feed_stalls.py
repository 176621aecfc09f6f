"""A feed that stands still is noticed: how long, behind whose transaction, and a task at the desk while it lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from msgspec import Struct
from structlog.testing import capture_logs

from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.events.lag_queries import lag
from backend.processes import doctor
from backend.processes.embedded import Embedded, Urls
from backend.processes.feedwatch import STALLS, WAITS, FeedWatch
from backend.processes.metrics import Metrics
from backend.tasks import queries as tasks
from tests.support.city import City
from tests.support.feeds import tell
from tests.support.people import settings
from tests.support.prepared import prepare
from tests.support.processes import started, until
from tests.support.scratch import EMPTY, scratch_folder

SECRET_TEXT = "李秀英"  # in the statement of whoever is in the way: somebody's name
NAME = "a maintenance script"


class Feed(Struct, frozen=True):
    """A server of its own, whose rules call a feed slow after a moment."""

    server: Embedded
    urls: Urls
    theirs: Urls
    database: Database

    @asynccontextmanager
    async def behind(self, url: str | None = None) -> AsyncIterator[int]:
        """Somebody's transaction that has written and does not end; and an event that is told after it."""
        other = await asyncpg.connect(url or self.urls.owner, server_settings={"application_name": NAME})
        try:
            await other.execute(f"BEGIN; CREATE TEMP TABLE notes AS SELECT '{SECRET_TEXT}' AS words")
            await tell(self.database, uuid4())
            yield other.get_server_pid()
        finally:
            await other.close()

    async def open_tasks(self) -> list[dict[str, Any]]:
        async with self.database.unit_of_work(SYSTEM) as connection:
            return [task.details for task in await tasks.open_tasks(connection)]

    async def waits(self, seconds: float) -> bool:
        async with self.database.unit_of_work(SYSTEM) as connection:
            return (await lag(connection)).waits_s >= seconds


@pytest.fixture(scope="module")
async def feed() -> AsyncIterator[Feed]:
    with scratch_folder("yinling-stalls-") as folder:
        await asyncio.to_thread(prepare, folder / "data")
        with Embedded(folder / "data", durable=False) as server:
            superuser = await asyncpg.connect(server.url())
            await superuser.execute("ALTER SYSTEM SET max_prepared_transactions = 4")
            await superuser.close()
        with Embedded(folder / "data", durable=False) as server:
            urls, theirs = await server.copy_database(EMPTY, "city"), await server.bootstrap("somebody_elses")
            owner = await open_as_owner(urls.owner)
            async with owner.unit_of_work(SYSTEM) as connection:
                for code, seconds in (("feed_slow_s", 0.2), ("feed_stalled_s", 0.4)):
                    await connection.execute("UPDATE rule_parameters SET value = $2 WHERE code = $1", code, seconds)
            await owner.close()
            database = await Database.open(urls.app, size=4)
            yield Feed(server, urls, theirs, database)
            await database.close()


async def test_while_the_feed_stands_the_desk_has_one_task_and_it_is_closed_when_it_goes_on(feed: Feed):
    """Phones and desks heard nothing new, and nobody knew why."""
    metrics, second = Metrics(), FeedWatch(feed.database, Metrics())
    watch = FeedWatch(feed.database, metrics)
    assert watch.readiness().status == "no database", "nothing has been seen yet"
    await watch.look()
    assert watch.readiness().status == "ok"
    with capture_logs() as logs:
        async with feed.behind() as pid:
            await until(feed.waits, 0.4)
            for _ in range(3):
                await watch.look()
                await second.look()
            found = watch.readiness()
            assert found.status == "the feed stands still"
            assert found.details["waits_s"] >= 0.4
            (holder,) = found.details["behind"]
            assert (holder["pid"], holder["application"], holder["database"]) == (pid, NAME, "city")
            assert (holder["role"], holder["prepared"], holder["age_s"] >= 0.4) == ("yinling_owner", False, True)
            (task,) = await feed.open_tasks()
            assert (task["behind"][0]["pid"], task["behind"][0]["application"]) == (pid, NAME)
            assert metrics._values[WAITS][()] >= 0.4
            assert SECRET_TEXT not in str((found, task, logs)), "what somebody's statement says is told to nobody"
        await until(_goes_on, watch)
        await second.look()
    assert await feed.open_tasks() == []
    assert metrics._values[STALLS][()] == 1
    standing = [line for line in logs if line["event"] == "relay.feed_stands_still"]
    assert [(line["pid"], line["name"], line["database"]) for line in standing] == [(pid, NAME, "city")] * 2
    assert len([line for line in logs if line["event"] == "relay.feed_goes_on"]) == 2
    async with feed.database.unit_of_work(SYSTEM) as connection:
        rows = await connection.fetch("SELECT type, keys FROM events WHERE type LIKE 'task.%' ORDER BY id")
    assert [tuple(row) for row in rows] == [("task.opened", ["console"]), ("task.closed", ["console"])]


async def _goes_on(watch: FeedWatch) -> bool:
    await watch.look()
    return watch.readiness().status == "ok"


async def test_a_relay_that_starts_anew_closes_the_task_of_a_stall_that_is_over(feed: Feed):
    """Its forerunner was ended in the middle of it."""
    async with feed.behind():
        await until(feed.waits, 0.4)
        await FeedWatch(feed.database, Metrics()).look()
        assert len(await feed.open_tasks()) == 1
    await until(_goes_on, FeedWatch(feed.database, Metrics()))
    assert await feed.open_tasks() == []


async def test_a_long_transaction_in_another_database_is_no_lag(feed: Feed):
    """Nothing waits for it, so nobody is troubled with it."""
    async with feed.behind(feed.theirs.owner), feed.database.unit_of_work(SYSTEM) as connection:
        assert (await lag(connection)).waits_s == 0


async def test_a_prepared_transaction_is_named_by_its_number(feed: Feed):
    """It has no session, so no pid: nobody finds it by looking for one."""
    other = await asyncpg.connect(feed.urls.owner)
    await other.execute("BEGIN; SELECT set_config('app.role', 'system', true), pg_current_xact_id()")
    number = await other.fetchval("SELECT pg_current_xact_id()::text::bigint")
    await other.execute("PREPARE TRANSACTION 'forgotten'")
    try:
        await tell(feed.database, uuid4())
        async with feed.database.unit_of_work(SYSTEM) as connection:
            (holder,) = (await lag(connection)).behind
        assert (holder.xid, holder.pid, holder.prepared, holder.database) == (number, None, True, "city")
        assert f"number {number} in pg_prepared_xacts" in doctor._named(holder)
    finally:
        await other.execute("ROLLBACK PREPARED 'forgotten'")
        await other.close()


async def test_the_relay_answers_whose_transaction_it_is_and_the_doctor_says_so(feed: Feed):
    """Whoever is called at night asks these two."""
    async with started("relay", feed.urls.app) as relay:
        await relay.answers("/health/ready")
        async with httpx.AsyncClient(base_url=f"http://{relay.address}", trust_env=False) as http:
            assert (await http.get("/health/ready")).json() == {"status": "ok"}
            async with feed.behind() as pid:

                async def says_so() -> bool:
                    answer = await http.get("/health/ready")
                    return answer.status_code == 503 and answer.json()["details"]["behind"][0]["pid"] == pid

                await until(says_so)
                assert (await http.get("/health/live")).status_code == 200
                numbers = dict(
                    line.split() for line in (await http.get("/metrics")).text.splitlines() if line[0] != "#"
                )
                assert float(numbers["yinling_feed_waits_seconds"]) >= 0.2
                found = await doctor.database(settings(feed.database))
                (line,) = [one for one in found if "feed" in one.text]
                assert not line.good
                assert f"pid {pid}, application {NAME}, database city" in line.text
                assert SECRET_TEXT not in line.text
            await relay.answers("/health/ready")
    assert [one.good for one in await doctor.database(settings(feed.database)) if "feed" in one.text] == [True]


async def test_an_operator_sees_what_wants_a_person_and_nobody_else_does(city: City):
    async with city.database.unit_of_work(SYSTEM) as connection:
        assert await tasks.insert_task(connection, tasks.TaskKind.FEED_STALLED, {"waits_s": 61})
        assert not await tasks.insert_task(connection, tasks.TaskKind.FEED_STALLED, {"waits_s": 62})
    (task,) = (await (await city.staff("operator")).get("/v1/tasks")).json()
    assert (task["kind"], task["details"], task["closed_at"]) == ("feed_stalled", {"waits_s": 61}, None)
    assert (await (await city.staff("supervisor")).get("/v1/tasks")).status_code == 403
    async with city.database.unit_of_work(SYSTEM) as connection:
        await tasks.close_tasks(connection, tasks.TaskKind.FEED_STALLED)
    assert (await (await city.staff("operator")).get("/v1/tasks")).json() == []
