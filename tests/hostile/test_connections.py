"""Whoever opens connections to do harm is closed, and everybody else is served meanwhile."""

import asyncio
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from ipaddress import ip_network
from pathlib import Path
from uuid import uuid4

import pytest
from litestar import Litestar, Request, get, post
from websockets.asyncio.client import connect

from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.processes.connections import Limits
from backend.processes.embedded import Embedded
from backend.processes.gateway import create_gateway
from backend.processes.turns import Pace
from tests.support.effort import effort
from tests.support.feeds import own_database, reading, tell
from tests.support.hostile import ELSEWHERE, HELLO, Raw, bounded, honest, many, raw
from tests.support.people import person, settings
from tests.support.processes import Started, started, until
from tests.support.scratch import GUARDED

POST = b"POST /long HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\nContent-Type: application/octet-stream\r\n\r\n"
STANDS_STILL_S = 30.0  # what a frozen process keeps people waiting for and a busy machine does not


@get("/health/live")
async def live() -> str:
    return "ok"


@get("/large")
async def large() -> bytes:
    return b"x" * 20_000_000


@post("/long")
async def long(request: Request) -> str:
    return str(len(await request.body()))


def _app() -> Litestar:
    return Litestar([live, large, long], openapi_config=None, logging_config=None)


@pytest.fixture(scope="module")
async def urls(server: Embedded):
    name = f"hostile_{uuid4().hex}"
    yield await server.copy_database(GUARDED, name)
    await server.drop_database(name)


@pytest.fixture(scope="module")
async def web(urls) -> AsyncIterator[Started]:
    """The bare process, as an operator starts it, with nothing in front."""
    async with started("web", urls.app) as one:
        await one.answers("/health/live")
        yield one


@pytest.fixture(scope="module")
async def gateway(urls) -> AsyncIterator[Started]:
    async with started("gateway", urls.app) as one:
        await one.answers("/health/live")
        yield one


@pytest.fixture(scope="module")
async def feed() -> AsyncIterator[Database]:
    async with own_database() as database:
        yield database


async def _sends(line: Raw, first: bytes, again: bytes, most: int) -> int:
    """Say the same again and again, until cut off or `most` bytes."""
    said, more = 0, await line.say(first)
    while more and said < most:
        more = await line.say(again)
        said += len(again)
        await asyncio.sleep(0)
    return said


@pytest.mark.parametrize("which", ["web", "gateway"])
@pytest.mark.parametrize(
    "again", [b"a" * 32_768, b"a: b\r\n" * 5_000, b"\r\n" * 10_000], ids=["line", "count", "empty"]
)
async def test_an_endless_header_is_cut_off_and_nobody_waits(which: str, again: bytes, web: Started, gateway: Started):
    """Without a bound each chunk is put behind all before it, and the process stands still for minutes."""
    address = {"web": web, "gateway": gateway}[which].address
    most = effort(24, 200) * 1024 * 1024
    start = b"" if again.startswith(b"\r") else b"GET / HTTP/1.1\r\nx: "
    async with honest(address) as one:
        while len(one.took) < effort(10, 200):
            async with raw(address) as line:
                assert await _sends(line, start, again, most) < most / 2
    assert one.failed == 0
    assert max(one.took) < STANDS_STILL_S


async def test_a_header_too_large_is_named(web: Started):
    async with raw(web.address) as line:
        await line.say(b"GET / HTTP/1.1\r\nx: " + b"a" * 16_384)
        assert b" 431 " in await line.hears()
    async with raw(web.address) as line:
        await line.say(b"GET /board HTTP/1.1\r\nHost: a\r\nCookie: " + b"a" * 8_000 + b"\r\n\r\n")
        assert b" 401 " in await line.hears()


async def test_a_flood_of_pipelined_requests_is_cut_off(web: Started):
    """Whoever sends thousands of requests at once is answered a few of them; somebody who sends three gets three answers."""
    async with honest(web.address) as one:
        while len(one.took) < effort(10, 200):
            async with raw(web.address) as line:
                await line.say(HELLO * 4_000)
                assert (await line.everything(within=20)).count(b" 200 ") < 20
    assert one.failed == 0
    assert max(one.took) < STANDS_STILL_S
    async with raw(web.address, ("127.0.0.1", 0)) as line:  # not the address that has to slow down now
        await line.say(HELLO * 3 + HELLO.replace(b"Host", b"Connection: close\r\nHost"))
        assert (await line.everything(within=10)).count(b" 200 ") == 4


@pytest.mark.parametrize(
    "first",
    [b"", b"G", b"GET /health/live HTTP/1.1\r\nHost: a\r\n", POST, POST + b"x" * 100, HELLO + b"GET /health/live"],
    ids=["silent", "letter", "head", "no body", "half a body", "second request"],
)
async def test_half_a_request_does_not_stay(first: bytes):
    limits = Limits(head_s=0.5, request_s=0.8)
    async with bounded(_app(), limits) as (address, running), raw(address) as line:
        await line.say(first)
        assert await line.is_closed(within=6)
        await until(_empty, running, within=5)


async def _empty(running) -> bool:
    return len(running.open_connections) == 0


@pytest.mark.parametrize("first", [b"GET /health/live HTTP/1.1\r\nx: ", POST], ids=["head", "body"])
async def test_one_byte_at_a_time_is_no_way_to_stay(first: bytes):
    async with bounded(_app(), Limits(head_s=0.5, request_s=0.8)) as (address, _), raw(address) as line:
        await line.say(first)
        closed = asyncio.create_task(line.is_closed(within=8))
        for _ in range(60):
            if closed.done() or not await line.say(b"x"):
                break
            await asyncio.sleep(0.1)
        assert await closed


async def test_a_slow_phone_is_waited_for(web: Started):
    """Sixty kilobytes in ten seconds is a bad line, not an attack."""
    seconds = effort(3, 10)
    async with raw(web.address) as line:
        await line.say(POST.replace(b"/long", b"/v1/sign-in/codes").replace(b"octet-stream", b"json"))
        for _ in range(30):
            await line.say(b" " * 2_000)
            await asyncio.sleep(seconds / 30)
        assert b" 400 " in await line.hears(), "it was read to its end and then refused for what it says"


async def test_a_client_that_asks_first_is_told_to_go_on(web: Started):
    """So do many before they send something large."""
    async with raw(web.address) as line:
        head = b"POST /v1/sign-in/codes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
        await line.say(head + b"Expect: 100-continue\r\n\r\n")
        assert b" 100 " in await line.hears()
        await line.say(b"{}")
        assert b" 400 " in await line.hears()


async def test_an_answered_request_does_not_bring_a_body_for_ever(web: Started):
    async with raw(web.address) as line:
        most = 64 * 1024 * 1024
        head = b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n"
        assert await _sends(line, head, b"x" * 65_536, most) < most


@pytest.mark.parametrize(
    "first",
    [
        b"POST /v1/nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 90000\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n",
    ],
    ids=["a body", "a head"],
)
async def test_an_answer_that_came_early_is_read_to_its_end(first: bytes, web: Started):
    """Closed on bytes nobody had read, the connection was reset, and the answer lost on its way to whoever was still sending."""
    host, port = web.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(first + b"x" * 1_000)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 4")
    for _ in range(4):
        writer.write(b"x" * 10_000)
        await writer.drain()
        await asyncio.sleep(0.02)
    async with asyncio.timeout(10):
        assert (await reader.read()).lower().startswith((b"content-", b"connection: close", b"x-", b"date"))
    writer.close()
    await writer.wait_closed()


async def test_who_does_not_read_an_answer_is_cut_off():
    limits = Limits(stuck_s=0.5)
    async with bounded(_app(), limits) as (address, running), AsyncExitStack() as stack:
        small = sockets.socket()
        stack.callback(small.close)
        small.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        small.setblocking(False)
        host, port = address.split(":")
        await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
        await asyncio.get_running_loop().sock_sendall(small, HELLO.replace(b"/health/live", b"/large"))
        await until(_holds, running, 1)
        await until(_empty, running, within=10)


async def _holds(running, number: int) -> bool:
    return len(running.open_connections) == number


async def test_a_socket_that_stops_reading_is_really_closed(feed: Database):
    """Not only told so: what waits to be sent would keep the connection open for ever."""
    resident = await person(feed, "resident")
    async with bounded(create_gateway(settings(feed), feed), Limits(stuck_s=0.5)) as (address, running):
        small = sockets.socket()
        small.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        host, port = address.split(":")
        small.connect((host, int(port)))
        small.setblocking(False)
        async with reading(feed, address, resident.token, sock=small, max_queue=1) as stuck:
            await stuck.next()
            stuck.socket.transport.pause_reading()
            for _ in range(4):
                await tell(feed, *[resident.own_id] * 250)
            await until(_empty, running, within=20)
            stuck.socket.transport.abort()


async def test_a_socket_that_talks_all_the_time_is_cut_off(gateway: Started):
    """After its ticket a socket has nothing to say; pings that nobody reads the answers of would fill the memory."""
    ping = b"\x89\x84\x00\x00\x00\x00ping"
    async with honest(gateway.address) as one, raw(gateway.address) as line:
        await line.say(
            b"GET /v1/live HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert b" 101 " in await line.hears()
        assert await _sends(line, b"", ping * 500, 16 * 1024 * 1024) < 8 * 1024 * 1024
    assert max(one.took) < STANDS_STILL_S


@pytest.mark.parametrize("local", [ELSEWHERE, ("127.0.0.1", 0)], ids=["elsewhere", "same address"])
async def test_silent_sockets_do_not_keep_out_who_has_a_ticket(local, urls, gateway: Started):
    """A thousand that open a websocket and say nothing; those with a ticket come in meanwhile, and stay."""
    owner = await open_as_owner(urls.owner)
    resident = await person(owner, "resident")
    silent = 0

    async def keep_silent() -> None:
        nonlocal silent
        async with AsyncExitStack() as stack:
            for _ in range(effort(1000, 3000) // 10):
                try:
                    line = await stack.enter_async_context(connect(f"ws://{gateway.address}/v1/live", local_addr=local))
                except (OSError, EOFError, ConnectionError, TimeoutError):
                    continue
                except Exception as error:
                    if "Invalid" not in type(error).__name__:
                        raise
                    continue
                silent += 1
                stack.push_async_callback(_cut, line)
            await asyncio.sleep(600)

    crowd = [asyncio.create_task(keep_silent()) for _ in range(10)]
    try:
        async with reading(owner, gateway.address, resident.token) as first:
            assert (await first.next())["type"] == "hello"
            came_in = 0
            while silent < effort(700, 2000) or came_in < 5:
                async with reading(owner, gateway.address, resident.token) as reader:
                    assert (await reader.next())["type"] == "hello"
                came_in += 1
                assert not any(task.done() for task in crowd)
            assert first.socket.close_code is None, "who came in before stays"
    finally:
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        await owner.close()


async def _cut(line) -> None:
    line.transport.abort()


async def test_the_oldest_of_one_address_make_room_for_its_newest():
    async with bounded(_app(), Limits(per_address=20)) as (address, running):
        async with many(address, 50) as lines, raw(address, ("127.0.0.1", 0)) as other:
            await other.say(HELLO)
            assert b" 200 " in await other.hears()
            await lines[-1].say(HELLO)
            assert b" 200 " in await lines[-1].hears()
            assert await lines[0].is_closed(within=2)
            assert len(running.open_connections) <= 21
        await until(_empty, running, within=5)


async def test_a_full_process_closes_the_oldest_of_whoever_holds_most():
    async with (
        bounded(_app(), Limits(connections=30)) as (address, running),
        many(address, 25, ("127.0.0.1", 0)) as crowd,
        many(address, 8) as few,
    ):
        for line in few:
            await line.say(HELLO)
            assert b" 200 " in await line.hears()
        assert await crowd[0].is_closed(within=2)
        assert len(running.open_connections) <= 30


async def test_a_trusted_proxy_is_not_one_client():
    proxies = (ip_network("127.0.0.0/8"),)
    async with (
        bounded(_app(), Limits(per_address=20), proxies=proxies) as (address, running),
        many(address, 50) as lines,
    ):
        await lines[0].say(HELLO)
        assert b" 200 " in await lines[0].hears()
        assert len(running.open_connections) == 50


async def test_requests_of_one_address_take_turns_and_those_behind_a_proxy_count_by_themselves():
    running: dict[str, int] = {}
    most: dict[str, int] = {}

    @get("/work")
    async def work(request: Request) -> str:
        who = request.headers.get("x-forwarded-for", "")
        running[who] = running.get(who, 0) + 1
        most[who] = max(most.get(who, 0), running[who])
        await asyncio.sleep(0.05)
        running[who] -= 1
        return "done"

    app = Litestar([work], openapi_config=None, logging_config=None)
    proxies = (ip_network("127.0.0.0/8"),)
    async with bounded(app, Limits(), Pace(at_once=3, per_s=1000, burst=1000), proxies) as (address, _):

        async def ask(who: bytes) -> None:
            async with raw(address) as line:
                await line.say(b"GET /work HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + who + b"\r\n\r\n")
                assert b" 200 " in await line.hears()

        await asyncio.gather(*(ask(who) for who in [b"192.0.2.1"] * 12 + [b"192.0.2.2"] * 12))
    assert most == {"192.0.2.1": 3, "192.0.2.2": 3}


async def test_one_address_is_slowed_down_to_its_pace_and_never_refused():
    async with bounded(_app(), Limits(), Pace(per_s=50, burst=10)) as (address, _), raw(address) as line:
        began = asyncio.get_running_loop().time()
        await line.say(HELLO)
        for _ in range(60):
            await line.hears_all(b"ok")
            await line.say(HELLO)
        assert asyncio.get_running_loop().time() - began > 0.9


async def test_a_process_opens_as_many_files_as_it_may(web: Started):
    """A thousand open connections must not be all it can have: that is the limit it is started with on most machines."""
    limits = await asyncio.to_thread(_limits_of, web.process.pid)
    assert limits is None or int(limits[0]) >= min(int(limits[1]), 4096)


def _limits_of(pid: int) -> tuple[str, str] | None:
    path = Path(f"/proc/{pid}/limits")
    if not path.exists():
        return None
    line = next(line for line in path.read_text().splitlines() if line.startswith("Max open files"))
    soft, hard = line.split()[3:5]
    return soft, hard
