"""One websocket: what waits to be sent is bounded, and a reader who cannot keep up is let go."""

import asyncio
import contextlib
from collections import deque
from enum import IntEnum
from typing import Any, Final

from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from backend.accounts.model import SignedIn
from backend.events.feed import Cursor

QUEUE_LIMIT: Final = 1000
PING_S: Final = 20.0
_STALLED_S: Final = 20.0  # a message that takes longer to leave has a reader who is gone or stuck
_CLOSING_S: Final = 5.0
_PING: Final = '{"type":"ping"}'


class Close(IntEnum):
    """Why a socket was closed by us."""

    RESTART = 1012
    BUSY = 1013
    SLOW = 4008
    BAD_MESSAGE = 4400
    TICKET = 4401
    ORIGIN = 4403


class Connection:
    """An admitted socket: who holds it, what it listens to, and its queue."""

    def __init__(self, socket: WebSocket[Any, Any, Any], holder: SignedIn | None, limit: int = QUEUE_LIMIT) -> None:
        self.holder = holder  # none: the public board
        self.keys: frozenset[str] = frozenset()
        self.after: Cursor | None = None  # nothing up to here is sent again
        self._socket = socket
        self._limit = limit
        self._queue: deque[str] = deque()
        self._more = asyncio.Event()
        self._closing: asyncio.Future[Close] = asyncio.get_running_loop().create_future()

    def tell(self, text: str) -> None:
        """Queue a message without waiting; a full queue ends the connection."""
        if len(self._queue) >= self._limit:
            self.end(Close.SLOW)
            return
        self._queue.append(text)
        self._more.set()

    def end(self, code: Close) -> None:
        """Have the socket closed with this code; the first reason counts."""
        if not self._closing.done():
            self._closing.set_result(code)

    async def carry(self) -> None:
        """Send what is queued until either side ends it."""
        tasks = [asyncio.ensure_future(self._send()), asyncio.ensure_future(self._hear())]
        try:
            await asyncio.wait([*tasks, self._closing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._closing.done():
            await close(self._socket, self._closing.result())

    async def _send(self) -> None:
        try:
            while True:
                if not self._queue:
                    await self._something_to_say()
                while self._queue:
                    async with asyncio.timeout(_STALLED_S):
                        await self._socket.send_data(self._queue.popleft())
        except TimeoutError:
            self.end(Close.SLOW)

    async def _something_to_say(self) -> None:
        """Wait for a message; after a silence say that we are still here."""
        self._more.clear()
        try:
            async with asyncio.timeout(PING_S):
                await self._more.wait()
        except TimeoutError:
            self.tell(_PING)

    async def _hear(self) -> None:
        """Notice the other side hanging up; what it says after its first message means nothing to us."""
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await self._socket.receive_data("text")


async def close(socket: WebSocket[Any, Any, Any], code: Close) -> None:
    """Close with a code, giving up soon on a line that is dead already."""
    with contextlib.suppress(OSError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(_CLOSING_S):
            await socket.close(code)
