"""The live feed loses nothing, repeats nothing, and tells nobody what is not theirs."""

import asyncio
import contextlib
import itertools
import random
import socket as sockets
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.events.catalogue import ConsentChanged
from backend.events.feed import Cursor, head, newest, read_feed
from backend.events.outbox import emit
from backend.live.channels import Hub
from backend.processes.gateway import create_gateway
from backend.processes.relay import Relay
from tests.support.feeds import changed, own_database, reading, tell, ticket
from tests.support.people import consent, person, served, settings


@pytest.fixture(scope="module")
async def feed() -> AsyncIterator[Database]:
    async with own_database() as database:
        yield database


@pytest.fixture(scope="module")
async def gateway(feed: Database) -> AsyncIterator[str]:
    """A gateway with a relay that wakes it; it remembers few events, so that forgetting can be tested."""
    relay = asyncio.create_task(Relay(feed).run(asyncio.Event()))
    async with served(create_gateway(settings(feed), feed, Hub(kept=600)), send_buffer=64 * 1024) as address:
        yield address
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)


async def test_concurrent_writers_lose_no_event_and_none_comes_twice(feed):
    async with feed.unit_of_work(SYSTEM) as connection:
        after = await head(connection)
    chance = random.Random(7)
    written: set[str] = set()

    async def write(events: int) -> None:
        for _ in range(events):
            event = changed(uuid4())
            async with feed.unit_of_work(SYSTEM) as connection:
                await emit(connection, event)
                await asyncio.sleep(chance.random() * 0.01)
                if chance.random() < 0.1:
                    await emit(connection, other := changed(uuid4(), 2))
                    written.add(str(other.order_id))
            written.add(str(event.order_id))

    async def read(stop: asyncio.Event) -> list[str]:
        place, seen = after, []
        while True:
            last_look = stop.is_set()
            async with feed.unit_of_work(SYSTEM) as connection:
                rows = await read_feed(connection, place, 100)
            assert all(one.cursor < two.cursor for one, two in itertools.pairwise(rows))
            assert all(place < row.cursor for row in rows)
            if rows:
                place = rows[-1].cursor
                seen += [row.data["order_id"] for row in rows]
            elif last_look:
                return seen

    stop = asyncio.Event()
    reader = asyncio.create_task(read(stop))
    await asyncio.gather(*(write(25) for _ in range(12)))
    stop.set()
    seen = await reader

    assert len(written) > 12 * 25, "some transactions have told of two things"
    assert len(seen) == len(set(seen))
    assert set(seen) == written


async def test_a_cursor_reads_back_as_it_was_written_and_nothing_else_is_one():
    assert Cursor.parse("1.234.56") == Cursor(1, 234, 56)
    assert str(Cursor(1, 234, 56)) == "1.234.56"
    for wrong in ("", "1.2", "1.2.3.4", "a.b.c", "-1.2.3", "1.2.9999999999999999999", "1.٢.3", "1. 2.3"):
        with pytest.raises(ValueError, match=r"cursor|unpack|digits"):
            Cursor.parse(wrong)


async def test_a_reader_resumes_where_it_was_cut(feed, gateway):
    resident = await person(feed, "resident")
    async with reading(feed, gateway, resident.token) as reader:
        hello = await reader.next()
        assert hello["type"] == "hello"
        await tell(feed, resident.own_id)
        first = await reader.next()
        assert first["type"] == "assignment.accepted"
        assert first["keys"] == [f"resident:{resident.own_id}"]
        assert set(first) == {"type", "v", "cursor", "at", "keys", "data"}
    for _ in range(20):
        await tell(feed, resident.own_id, uuid4(), resident.own_id)
    async with reading(feed, gateway, resident.token, first["cursor"]) as reader:
        assert (await reader.next())["cursor"] == first["cursor"]
        missed = [await reader.next() for _ in range(40)]
        cursors = [Cursor.parse(message["cursor"]) for message in missed]
        assert cursors == sorted(set(cursors))
        assert all(message["keys"] == [f"resident:{resident.own_id}"] for message in missed), "theirs, and no more"
        assert await reader.silence(0.3) == []


async def test_events_arrive_soon(feed, gateway):
    resident = await person(feed, "resident")
    async with reading(feed, gateway, resident.token) as reader:
        await reader.next()
        for _ in range(5):
            await tell(feed, resident.own_id)
            await reader.next(within=0.6)


async def test_a_place_we_cannot_know_leads_to_a_reset(feed, gateway):
    resident = await person(feed, "resident")
    async with feed.unit_of_work(SYSTEM) as connection:
        end = await head(connection)
        oldest = (await newest(connection, 1))[0].cursor
    await tell(feed, *[uuid4()] * 700)  # more than the gateway remembers
    await asyncio.sleep(0.6)
    unknown = {"9.1.1": "another epoch", str(oldest): "forgotten", f"1.{end.xid + 10**6}.1": "not yet", "x": "nonsense"}
    for cursor, why in unknown.items():
        async with reading(feed, gateway, resident.token, cursor) as reader:
            first = await reader.next()
            assert first["type"] == "reset", why
            await tell(feed, resident.own_id)
            assert (await reader.next())["type"] == "assignment.accepted"


async def test_nobody_hears_what_is_not_theirs(feed, gateway):
    one, other, stranger = [await person(feed, "resident") for _ in range(3)]
    family, operator = await person(feed, "family"), await person(feed, "operator")
    await consent(feed, one.own_id, family.account_id, "status")
    await consent(feed, other.own_id, family.account_id, "book")  # may book, may not follow
    async with (
        reading(feed, gateway, one.token) as own,
        reading(feed, gateway, family.token) as relative,
        reading(feed, gateway, operator.token) as desk,
        reading(feed, gateway, stranger.token, "1.0.0") as foreign,
    ):
        for reader in (own, relative, desk, foreign):
            await reader.next()
        await tell(feed, one.own_id, other.own_id)
        mine, theirs = f"resident:{one.own_id}", f"resident:{other.own_id}"
        assert [m["keys"] for m in await own.silence(0.5)] == [[mine]]
        assert [m["keys"] for m in await relative.silence(0.1)] == [[mine]]
        assert await foreign.silence(0.1) == []
        heard = await desk.silence(0.1)
        assert [m["data"]["resident_id"] for m in heard] == [str(one.own_id), str(other.own_id)]
        assert all(not {mine, theirs} & set(m["keys"]) for m in heard), "keys are cut down to those the reader holds"


async def test_a_consent_counts_from_the_event_that_tells_of_it(feed, gateway):
    resident, family = await person(feed, "resident"), await person(feed, "family")
    async with reading(feed, gateway, family.token) as reader:
        await reader.next()
        given = await consent(feed, resident.own_id, family.account_id, "status")
        about = {"resident_id": resident.own_id, "account_id": family.account_id, "purpose": "status"}
        async with feed.unit_of_work(SYSTEM) as connection:
            await emit(connection, ConsentChanged(**about, given=True))
        await tell(feed, resident.own_id)
        assert [(await reader.next())["type"] for _ in range(2)] == ["consent.changed", "assignment.accepted"]
        async with feed.unit_of_work(SYSTEM) as connection:
            await connection.execute("UPDATE consents SET valid_to = now() WHERE id = $1", given)
            await emit(connection, ConsentChanged(**about, given=False))
        await tell(feed, resident.own_id)
        assert [m["type"] for m in await reader.silence(0.6)] == ["consent.changed"]


async def test_a_revoked_session_loses_its_socket_within_seconds(feed, gateway):
    resident = await person(feed, "resident")
    async with reading(feed, gateway, resident.token) as reader:
        await reader.next()
        async with feed.unit_of_work(SYSTEM) as connection:
            await connection.execute(
                "UPDATE sessions SET revoked_at = now() WHERE account_id = $1", resident.account_id
            )
        assert await reader.closed(within=6) == 4401


async def test_a_reader_who_stops_reading_is_let_go(feed, gateway):
    resident = await person(feed, "resident")
    small = sockets.socket()
    small.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    host, port = gateway.split(":")
    small.connect((host, int(port)))
    small.setblocking(False)
    async with (
        reading(feed, gateway, resident.token, sock=small, max_queue=1) as stuck,
        reading(feed, gateway, resident.token, max_queue=None) as quick,
    ):
        await stuck.next()
        await quick.next()
        stuck.socket.transport.pause_reading()
        for _ in range(15):
            await tell(feed, *[resident.own_id] * 200)
            for _ in range(200):
                await quick.next()
        stuck.socket.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            async for _ in stuck.socket:
                pass
        assert stuck.socket.close_code == 4008


async def test_who_comes_from_elsewhere_or_without_a_ticket_is_sent_away(feed, gateway):
    resident = await person(feed, "resident")
    good = await ticket(feed, resident.token)
    first = f'{{"ticket": "{good}"}}'

    async def code_after(message: str | bytes, **options: str) -> int:
        async with connect(f"ws://{gateway}/v1/live", **options) as socket:
            with contextlib.suppress(ConnectionClosed):  # it may be sent away before it has spoken
                await socket.send(message)
            await asyncio.wait_for(socket.wait_closed(), 8)
            return socket.close_code

    assert await code_after(first, origin="https://evil.example") == 4403
    assert await code_after("hello?") == 4400
    assert await code_after(b"\x00\x01") == 4400
    assert await code_after('{"ticket": "made up"}') == 4401
    async with reading(feed, gateway, resident.token, origin="http://localhost:8000") as reader:
        assert (await reader.next())["type"] == "hello"
    async with connect(f"ws://{gateway}/v1/live") as socket:
        await socket.send(first)
        assert "hello" in await socket.recv(), "the ticket was not spent by those who were sent away before showing it"
    assert await code_after(first) == 4401, "a ticket opens one socket"


async def test_a_gateway_that_goes_down_says_so(feed):
    resident = await person(feed, "resident")
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with served(create_gateway(settings(feed), feed)) as address:
            started.set_result(address)
            await stop.wait()

    serving = asyncio.create_task(serve())
    async with reading(feed, await started, resident.token) as reader:
        assert (await reader.next())["type"] == "hello"
        stop.set()
        assert await reader.closed() == 1012
    await serving


async def test_the_board_hears_that_something_changed_and_not_what(feed, gateway):
    async with reading(feed, gateway, None) as board:
        await board.next()
        for _ in range(10):
            await tell(feed, uuid4())
            await asyncio.sleep(0.1)
        heard = await board.silence(1.2)
        assert {m["type"] for m in heard} == {"board.changed"}
        assert all(set(m) == {"type", "cursor"} for m in heard)
        assert 1 <= len(heard) <= 5, "at most two a second"
