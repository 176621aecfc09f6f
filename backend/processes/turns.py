"""Requests of one address take turns, so that one that asks at full speed slows down itself and not the others."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from backend.core.addresses import Network, client_address, counted

LEFT: Final = "yinling.left"  # the ASGI extension that tells whether whoever asked has hung up meanwhile
_LANES: Final = 2000  # addresses remembered before those that rest are forgotten
_REFUSED: Final = [(b"content-type", b"text/plain"), (b"retry-after", b"5"), (b"connection", b"close")]


class Pace(Struct, frozen=True, kw_only=True):
    """How fast one address is answered. It may stand for a whole office: it is slowed down and never locked out."""

    at_once: int = 12
    per_s: float = 50.0
    burst: int = 150  # answered at any speed before the pace counts
    waiting: int = 400


class _Lane:
    """One address: who is being answered, who waits, and when the next may begin."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.next_at = 0.0

    async def enter(self, at_once: int) -> None:
        if self.running < at_once:
            self.running += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the place is handed on
                return
        self.running -= 1

    def delay(self, now: float, pace: Pace) -> float:
        """How long the next request has to wait for its pace."""
        self.next_at = max(self.next_at, now) + 1 / pace.per_s
        return self.next_at - pace.burst / pace.per_s - now


class Turns:
    """An ASGI application around another."""

    def __init__(self, app: Any, pace: Pace, proxies: Sequence[Network] = ()) -> None:
        self._app = app
        self._pace = pace
        self._proxies = proxies
        self._lanes: dict[str, _Lane] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer in turn."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        peer = scope["client"][0] if scope.get("client") else None
        address = counted(client_address(peer, scope["headers"], self._proxies))
        lane = self._lanes.setdefault(address, _Lane())
        if len(lane.waiting) >= self._pace.waiting:
            await send({"type": "http.response.start", "status": 429, "headers": _REFUSED})
            await send({"type": "http.response.body", "body": b""})
            return
        left: Callable[[], bool] = scope.get("extensions", {}).get(LEFT, bool)
        loop = asyncio.get_running_loop()
        await lane.enter(self._pace.at_once)
        try:
            if not left():
                delay = lane.delay(loop.time(), self._pace)
                if delay > 0:
                    await asyncio.sleep(delay)
                if not left():
                    await self._app(scope, receive, send)
        finally:
            lane.leave()
            if len(self._lanes) > _LANES:
                self._forget(loop.time())

    def _forget(self, now: float) -> None:
        """Drop the addresses that ask nothing at present."""
        self._lanes = {name: lane for name, lane in self._lanes.items() if lane.running or lane.next_at > now}
