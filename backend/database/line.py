"""A line for connections: few of them, handed out in turn, so that nobody's crowd takes what others need.

Whoever asks names a key: the zone whose plan they will lock, or the account that asks. One key holds at most its share of
the connections at once, keys take turns, and a line that grows too long or moves too slowly says so instead of growing.
Nobody who waits holds a connection.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from backend.core.errors import DomainError

_LONGEST: Final = 1000  # who comes when so many wait is told to come again
_LONGEST_OF_ONE: Final = 32  # the same for one key
_RETRY_AFTER_S: Final = 2
_SET_ASIDE_S: Final = 2.0  # after the server has refused to open one more connection
ENDED: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InterfaceError,  # what asyncpg says of a connection it has seen closed,
    asyncpg.InternalClientError,  # and of one whose last words it has read while the socket is still open
    ConnectionError,
)
"""The server has ended the session, which is seen when the connection is used: a restart, an administrator, a time limit."""
Waiting = deque["asyncio.Future[asyncpg.Pool]"]


class Line:
    """Some connections, each in an asyncpg pool of its own, which opens it when it is first needed and mends it."""

    def __init__(self, slots: list[asyncpg.Pool], *, patience_s: float | None) -> None:
        """`patience_s`: how long somebody waits before they are told to come again; None for work that can only wait."""
        self._slots = slots
        self._free = deque(slots)  # those in use last are taken first: their connection is open
        self._share = max(1, len(slots) // 2)
        self._patience_s = patience_s
        self._busy: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, Waiting] = OrderedDict()

    @property
    def in_use(self) -> int:
        """How many connections are with somebody at the moment."""
        return self._busy.total()

    @property
    def length(self) -> int:
        """How many wait."""
        return sum(len(queue) for queue in self._waiting.values())

    @asynccontextmanager
    async def connection(self, key: Hashable = None) -> AsyncGenerator[PoolConnectionProxy]:
        """A connection for as long as the block lasts. Raises busy (503)."""
        slot, connection = await self._opened(key)
        try:
            yield connection
        except ENDED:
            await slot.expire_connections()  # what is left of it is handed to nobody
            raise
        finally:
            try:
                await slot.release(connection)
            finally:
                self._give_back(slot, key)

    async def close(self) -> None:
        """Wait for what is in use, then close every connection."""
        await asyncio.gather(*(slot.close() for slot in self._slots))

    def terminate(self) -> None:
        """Close every connection now."""
        for slot in self._slots:
            slot.terminate()

    async def _opened(self, key: Hashable) -> tuple[asyncpg.Pool, PoolConnectionProxy]:
        again = False
        while True:
            slot = await self._turn(key, ahead=again)
            try:
                return slot, await slot.acquire()
            except asyncpg.TooManyConnectionsError:
                # the server has no more: wait for one of those that are open, instead of failing
                others = any(other.get_size() for other in self._slots if other is not slot)
                if not others:
                    self._give_back(slot, key)
                    raise
                self._set_aside(slot, key)
                again = True
            except BaseException:
                self._give_back(slot, key)
                raise

    async def _turn(self, key: Hashable, *, ahead: bool) -> asyncpg.Pool:
        if self._free and self._may(key):
            return self._hand_to(key)
        queue = self._waiting.get(key, deque())
        full = self.length >= _LONGEST or (key is not None and len(queue) >= _LONGEST_OF_ONE)
        if full and not ahead:
            raise DomainError("busy", retry_after_s=_RETRY_AFTER_S)
        turn: asyncio.Future[asyncpg.Pool] = asyncio.get_running_loop().create_future()
        queue.insert(0 if ahead else len(queue), turn)
        self._waiting[key] = queue
        try:
            async with asyncio.timeout(self._patience_s):
                return await turn
        except TimeoutError as error:
            self._leave(key, turn)
            raise DomainError("busy", retry_after_s=_RETRY_AFTER_S) from error
        except BaseException:
            self._leave(key, turn)
            raise

    def _leave(self, key: Hashable, turn: "asyncio.Future[asyncpg.Pool]") -> None:
        """Whoever stops waiting gives back what they were handed in that very moment."""
        queue = self._waiting.get(key)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[key]
        elif turn.done() and not turn.cancelled():
            self._give_back(turn.result(), key)

    def _may(self, key: Hashable) -> bool:
        return key is None or self._busy[key] < self._share

    def _hand_to(self, key: Hashable) -> asyncpg.Pool:
        self._busy[key] += 1
        return self._free.pop()

    def _give_back(self, slot: asyncpg.Pool, key: Hashable) -> None:
        self._free.append(slot)
        self._less(key)

    def _set_aside(self, slot: asyncpg.Pool, key: Hashable) -> None:
        """Try this connection again after a while, and the others before it."""
        asyncio.get_running_loop().call_later(_SET_ASIDE_S, self._back, slot)
        self._less(key)

    def _back(self, slot: asyncpg.Pool) -> None:
        self._free.appendleft(slot)
        self._hand_out()

    def _less(self, key: Hashable) -> None:
        self._busy[key] -= 1
        if self._busy[key] <= 0:
            del self._busy[key]
        self._hand_out()

    def _hand_out(self) -> None:
        """Whose turn it is: keys one after another, and within a key who came first."""
        while self._free:
            ready = [key for key in self._waiting if self._may(key)][:1]
            if not ready:
                return
            queue = self._waiting.pop(ready[0])
            turn = queue.popleft()
            if queue:
                self._waiting[ready[0]] = queue  # behind the others
            if not turn.done():
                turn.set_result(self._hand_to(ready[0]))
