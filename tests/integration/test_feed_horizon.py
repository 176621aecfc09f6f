"""Whose transactions the feed waits for: those that may still write an event, and nobody else's on the same server."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import Struct

from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.events.feed import Cursor, FeedRow, head, newest, read_feed
from backend.events.outbox import emit
from backend.processes.embedded import Embedded, Urls
from tests.support.feeds import changed, tell
from tests.support.prepared import prepare
from tests.support.processes import until
from tests.support.scratch import EMPTY, scratch_folder


class Shared(Struct, frozen=True):
    """A server on which the city's database is one of two."""

    server: Embedded
    feed: Database
    ours: Urls
    theirs: Urls

    @asynccontextmanager
    async def session(self, url: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Shared]:
    with scratch_folder("yinling-horizon-") as folder:
        await asyncio.to_thread(prepare, folder / "data")
        with Embedded(folder / "data", durable=False) as server:
            superuser = await asyncpg.connect(server.url())
            await superuser.execute("ALTER SYSTEM SET max_prepared_transactions = 8")
            await superuser.close()
        with Embedded(folder / "data", durable=False) as server:
            ours, theirs = await server.copy_database(EMPTY, "city"), await server.bootstrap("somebody_elses")
            feed = await Database.open(ours.app, size=24)
            try:
                both = Shared(server, feed, ours, theirs)
                async with both.session(theirs.owner) as other:
                    await other.execute("CREATE TABLE notes (words text)")
                yield both
            finally:
                await feed.close()


async def _read(feed: Database, after: Cursor) -> list[FeedRow]:
    async with feed.unit_of_work(SYSTEM) as connection:
        return await read_feed(connection, after, 100)


async def _end(feed: Database) -> Cursor:
    async with feed.unit_of_work(SYSTEM) as connection:
        return await head(connection)


async def _heard(feed: Database, after: Cursor) -> bool:
    """Whether an event told now is read at once."""
    resident = uuid4()
    await tell(feed, resident)
    return str(resident) in {row.data["resident_id"] for row in await _read(feed, after)}


async def test_a_long_write_in_another_database_of_the_server_does_not_stop_the_feed(shared: Shared):
    """A maintenance job of somebody else's ran for hours, and for hours no phone heard anything."""
    async with shared.session(shared.theirs.owner) as other, other.transaction():
        await other.execute("INSERT INTO notes VALUES ('a long job')")
        after = await _end(shared.feed)
        assert await _heard(shared.feed, after)
        async with shared.feed.unit_of_work(SYSTEM) as connection:
            assert (await newest(connection, 1))[0].cursor > after
        assert await _end(shared.feed) > after, "snapshots are valid at what was told by now"


async def test_a_prepared_transaction_of_another_database_does_not_stop_the_feed(shared: Shared):
    """It has no session, outlives a restart, and may stand there for weeks."""
    async with shared.session(shared.theirs.owner) as other:
        await other.execute("BEGIN; INSERT INTO notes VALUES ('forgotten'); PREPARE TRANSACTION 'theirs'")
        try:
            after = await _end(shared.feed)
            assert await _heard(shared.feed, after)
        finally:
            await other.execute("ROLLBACK PREPARED 'theirs'")


async def test_a_dump_does_not_stop_the_feed(shared: Shared):
    """It only reads, for hours, with a snapshot that several sessions share: it has no number of its own."""
    async with (
        shared.session(shared.server.url("city")) as leader,
        leader.transaction(isolation="repeatable_read", readonly=True),
        shared.session(shared.server.url("city")) as helper,
        helper.transaction(isolation="repeatable_read", readonly=True),
    ):
        await leader.execute("LOCK TABLE events, orders IN ACCESS SHARE MODE")
        snapshot = await leader.fetchval("SELECT pg_export_snapshot()")
        await helper.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        await helper.fetch("SELECT * FROM orders")
        after = await _end(shared.feed)
        assert await _heard(shared.feed, after)


@pytest.mark.parametrize("prepared", [False, True])
async def test_whoever_may_still_write_an_event_here_is_waited_for(shared: Shared, *, prepared: bool):
    """Its event belongs before those of whoever began later and was quicker."""
    late, quick = uuid4(), uuid4()
    after = await _end(shared.feed)
    async with shared.session(shared.ours.app) as slow:
        await slow.execute("BEGIN; SELECT set_config('app.role', 'system', true), pg_current_xact_id()")
        await tell(shared.feed, quick)
        assert await _read(shared.feed, after) == []
        await slow.execute(
            "INSERT INTO events (type, keys, data) VALUES ('x', '{}', jsonb_build_object('resident_id', $1::text))"
            .replace("$1", f"'{late}'")
        )  # fmt: skip
        if prepared:
            await slow.execute("PREPARE TRANSACTION 'ours'")
            assert await _read(shared.feed, after) == []
            await slow.execute("COMMIT PREPARED 'ours'")
        else:
            await slow.execute("COMMIT")
    assert [row.data["resident_id"] for row in await _read(shared.feed, after)] == [str(late), str(quick)]


async def test_whoever_reads_the_feed_in_the_middle_of_writing_does_not_see_their_own_events_yet(shared: Shared):
    """What is not committed has not happened."""
    after = await _end(shared.feed)
    async with shared.feed.unit_of_work(SYSTEM) as connection:
        await emit(connection, changed(uuid4()))
        await tell(shared.feed, uuid4())
        assert await read_feed(connection, after, 100) == []
    assert len(await _read(shared.feed, after)) == 2


async def test_no_event_is_lost_among_writers_of_both_databases_who_come_and_go(shared: Shared):
    """Sessions end and others take their places in the server's list while it is looked at."""
    chance = random.Random(7)
    after, stop, quiet = await _end(shared.feed), asyncio.Event(), asyncio.Event()
    written: set[str] = set()

    async def wrote(times: int) -> bool:
        return len(written) >= times

    async def ours() -> None:
        while not stop.is_set():
            resident = uuid4()
            if chance.random() < 0.3:  # in a session of its own, which takes the place of another one
                async with shared.session(shared.ours.app) as mine, mine.transaction():
                    await mine.execute("SELECT set_config('app.role', 'system', true), pg_current_xact_id()")
                    await asyncio.sleep(chance.random() * 0.01)
                    await mine.execute(
                        "INSERT INTO events (type, keys, data) VALUES ('x', '{}', $1)",
                        f'{{"resident_id": "{resident}"}}',
                    )
            else:
                async with shared.feed.unit_of_work(SYSTEM) as connection:
                    await emit(connection, changed(resident))
                    await asyncio.sleep(chance.random() * 0.01)
            written.add(str(resident))

    async def theirs() -> None:
        while not stop.is_set():
            async with shared.session(shared.theirs.owner) as other:
                for _ in range(chance.randrange(1, 4)):
                    async with other.transaction():
                        await other.execute("SELECT pg_current_xact_id()")
                        await asyncio.sleep(chance.random() * 0.05)

    async def read() -> list[FeedRow]:
        place, seen = after, list[FeedRow]()
        while True:
            last_look = quiet.is_set()
            rows = await _read(shared.feed, place)
            seen += rows
            if rows:
                place = rows[-1].cursor
            elif last_look:
                return seen

    writers = asyncio.gather(*(ours() for _ in range(8)), *(theirs() for _ in range(6)))
    reader = asyncio.create_task(read())
    await until(wrote, 400)
    stop.set()
    await writers
    quiet.set()
    seen = await reader
    assert all(one.cursor < two.cursor for one, two in itertools.pairwise(seen))
    assert {str(UUID(row.data["resident_id"])) for row in seen} == written
    assert len(seen) == len(written)
