"""Clients that mean harm, at the level of bytes, and somebody honest who asks all the while."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar

from backend.core.addresses import Network
from backend.processes.connections import Limits
from backend.processes.serving import Server, listening, server
from backend.processes.turns import Pace

ELSEWHERE = ("127.0.0.2", 0) if sys.platform == "linux" else ("127.0.0.1", 0)  # another address than the honest one's
HELLO = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


class Raw:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> bool:
        """Send; false when the other side has hung up."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError:
            return False
        return not self.writer.is_closing()

    async def hears(self, within: float = 5) -> bytes:
        """What comes first; nothing when the other side hung up without a word."""
        try:
            async with asyncio.timeout(within):
                return await self.reader.read(4096)
        except OSError:
            return b""

    async def hears_all(self, end: bytes, within: float = 5) -> None:
        """Read on until this has come."""
        async with asyncio.timeout(within):
            await self.reader.readuntil(end)

    async def everything(self, within: float) -> bytes:
        """What comes until the other side hangs up."""
        heard = b""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(within):
                while more := await self.reader.read(65536):
                    heard += more
        return heard

    async def is_closed(self, within: float) -> bool:
        """Whether the other side hangs up in time."""
        try:
            async with asyncio.timeout(within):
                while await self.reader.read(65536):
                    pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True


@asynccontextmanager
async def raw(address: str, local: tuple[str, int] | None = ELSEWHERE) -> AsyncIterator[Raw]:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=local)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def many(address: str, number: int, local: tuple[str, int] | None = ELSEWHERE) -> AsyncIterator[list[Raw]]:
    """So many connections at once."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(raw(address, local)) for _ in range(number)]


class Honest:
    """Somebody at another address who asks a simple question again and again."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.failed = 0

    async def ask(self, address: str) -> None:
        while True:
            began = time.monotonic()
            async with raw(address, ("127.0.0.1", 0)) as line:
                await line.say(HELLO)
                if b" 200 " not in await line.hears(30):
                    self.failed += 1
            self.took.append(time.monotonic() - began)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def honest(address: str) -> AsyncIterator[Honest]:
    one = Honest()
    asking = asyncio.create_task(one.ask(address))
    try:
        yield one
    finally:
        if asking.done():
            asking.result()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


@asynccontextmanager
async def bounded(
    app: Litestar, limits: Limits, pace: Pace | None = None, proxies: tuple[Network, ...] = ()
) -> AsyncIterator[tuple[str, Server]]:
    """The application behind a real socket, with these bounds."""
    running = server(app, limits, pace, proxies)
    with listening("127.0.0.1", 0, 16 * 1024) as listener:
        task = asyncio.create_task(running.serve(sockets=[listener]))
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", running
        finally:
            running.should_exit = True
            await asyncio.wait_for(task, 15)
