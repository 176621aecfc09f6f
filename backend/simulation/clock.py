"""The stepped clock of a replay: care time moves only as fast as people have acted and the platform has answered.

Simulated people nap until a care time or until something wakes them. While any of them is awake, care time stands
still at the instant they woke at; when all nap, it moves to the next instant somebody or a timer is due.
"""

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any, Final

from msgspec import Struct

_STEP_S: Final = 60.0  # the longest stride of care time without asking the platform again
_PATIENCE_S: Final = 20.0  # real seconds after which the clock goes on although the platform has not answered
_ASK_S: Final = 0.004


class Stand(Struct, frozen=True):
    """How the platform stands: why care time must wait, and what it has to do next by itself."""

    wait_for: str | None
    due_s: float | None  # the next timer, in seconds of care time


class Sleeper:
    """One simulated person's nap; whoever wakes them makes the clock stand still at once."""

    def __init__(self, clock: "StepClock") -> None:
        self._clock = clock
        self._nap: asyncio.Future[bool] | None = None
        self._roused = False

    def wake(self) -> None:
        """Something happened that concerns this person; a nap ends, or the next one does not begin."""
        if self._nap is None or self._nap.done():
            self._roused = True
        else:
            self._finish(by_clock=False)

    def due(self, nap: "asyncio.Future[bool]") -> None:
        """The clock has come to the time this nap was to end."""
        if nap is self._nap and not nap.done():
            self._finish(by_clock=True)

    def _finish(self, *, by_clock: bool) -> None:
        if self._nap is not None:
            self._clock.rouse()
            self._nap.set_result(by_clock)

    async def nap(self, until_s: float | None = None) -> bool:
        """Sleep until a care time or until woken; tells whether the time came."""
        if self._roused:
            self._roused = False
            return until_s is not None and until_s <= self._clock.now_s
        nap = self._nap = asyncio.get_running_loop().create_future()
        self._clock.doze(self, nap, until_s)
        try:
            return await nap
        finally:
            self._nap = None


class StepClock:
    """Moves care time; all times are seconds after the recorded day's minute 0.

    `move(from_s, to_s, rate)` writes the clock; `stand()` asks the platform. Speed 0 means unlimited.
    """

    def __init__(
        self,
        start_s: float,
        speed: float,
        move: Callable[[float, float, float], Awaitable[None]],
        stand: Callable[[], Awaitable[Stand]],
    ) -> None:
        self.now_s = start_s
        self.speed = speed
        self.gave_up: dict[str, int] = {}
        self.spent_s: dict[str, float] = {}
        self._move = move
        self._stand = stand
        self._naps: list[tuple[float, int, Sleeper, asyncio.Future[bool]]] = []
        self._numbers = count()
        self._awake = 0
        self._changed = asyncio.Event()
        self._waiting_since: tuple[str, float] | None = None

    def rouse(self) -> None:
        """Somebody is awake: care time stands still until they nap or leave."""
        self._awake += 1

    def doze(self, sleeper: Sleeper, nap: "asyncio.Future[bool]", until_s: float | None) -> None:
        """Somebody naps, until a time or until woken."""
        if until_s is not None:
            heapq.heappush(self._naps, (until_s, next(self._numbers), sleeper, nap))
        self.leave()

    def leave(self) -> None:
        """Somebody awake naps now or has gone home."""
        self._awake -= 1
        self._changed.set()

    def person(self, life: Callable[[Sleeper], Awaitable[None]]) -> Coroutine[Any, Any, None]:
        """Live one person's life; from this call to its end they are awake unless they nap."""
        self.rouse()
        return self._live(life)

    async def _live(self, life: Callable[[Sleeper], Awaitable[None]]) -> None:
        try:
            await life(Sleeper(self))
        finally:
            self.leave()

    async def run(self, finished: Callable[[], Awaitable[bool]], until_s: float) -> None:
        """Move care time until the day is over; people must have been started before."""
        while True:
            began = time.monotonic()
            await self._everybody_naps()
            self._spent("people", began)
            if await finished() or self.now_s >= until_s:
                return
            began = time.monotonic()
            stand = await self._stand()
            if self._awake or self._must_wait(stand):
                await asyncio.sleep(_ASK_S)
                self._spent(stand.wait_for or "people", began)
                continue
            self._spent("asking", began)
            if self._ring():
                continue
            target = min(self._next_due(), until_s, self.now_s + _STEP_S)
            if stand.due_s is not None and stand.due_s > self.now_s:
                target = min(target, stand.due_s)
            await self._stride(target)
            self._ring()

    async def skip_to(self, target_s: float) -> None:
        """Jump over a stretch in which nobody acts, such as the night."""
        if target_s > self.now_s:
            await self._move(target_s, target_s, 0.0)
            self.now_s = target_s

    async def _everybody_naps(self) -> None:
        while self._awake:
            self._changed.clear()
            await self._changed.wait()

    def _spent(self, on: str, since: float) -> None:
        """Keep account of the real seconds care time stood still for each reason."""
        self.spent_s[on] = self.spent_s.get(on, 0.0) + time.monotonic() - since

    def _must_wait(self, stand: Stand) -> bool:
        """Whether the platform is still busy; after a while the clock goes on, and the report says so."""
        if stand.wait_for is None:
            self._waiting_since = None
            return False
        if self._waiting_since is None or self._waiting_since[0] != stand.wait_for:
            self._waiting_since = (stand.wait_for, time.monotonic())
        if time.monotonic() - self._waiting_since[1] < _PATIENCE_S:
            return True
        self.gave_up[stand.wait_for] = self.gave_up.get(stand.wait_for, 0) + 1
        self._waiting_since = None
        return False

    def _next_due(self) -> float:
        while self._naps and self._naps[0][3].done():
            heapq.heappop(self._naps)
        return self._naps[0][0] if self._naps else float("inf")

    def _ring(self) -> bool:
        """Wake everybody who is due; tells whether there was anybody."""
        rang = False
        while self._next_due() <= self.now_s:
            _, _, sleeper, nap = heapq.heappop(self._naps)
            sleeper.due(nap)
            rang = True
        return rang

    async def _stride(self, target_s: float) -> None:
        span = target_s - self.now_s
        if span <= 0:
            await asyncio.sleep(_ASK_S)
            return
        takes = span / self.speed if self.speed else 0.0
        if takes > 0:
            await self._move(self.now_s, target_s, span / takes)
            await asyncio.sleep(takes)
        else:
            await self._move(target_s, target_s, 0.0)
        self.now_s = target_s
