"""Deciding about what others change too: read, think with nothing held, write if all is still as it was read.

Who thinks inside a transaction keeps a connection from others, and under a lock everybody who needs the same day. So the
thinking comes in between, and is done again when somebody was quicker.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from backend.core.errors import DomainError
from backend.database.pool import PATIENCE_S, Connection

S = TypeVar("S")
F = TypeVar("F")
T = TypeVar("T")
_TRIES: Final = 3
_RETRY_AFTER_S: Final = 1


class MovedOnError(Exception):
    """What was read has changed meanwhile; the caller reads again and decides anew."""


async def decide(
    transaction: Callable[[], AbstractAsyncContextManager[Connection]],
    read: Callable[[Connection], Awaitable[S]],
    think: Callable[[S], F],
    write: Callable[[Connection, F], Awaitable[T]],
    tries: int = _TRIES,
    *,
    on_a_thread: bool = False,
) -> T:
    """What `write` answers to what was thought; it raises MovedOnError where that is out of date, and then all is done again.

    Each step has a transaction of its own, and `think` has none; what takes long is thought on a thread, and everybody else
    is answered meanwhile. Raises MovedOnError when things keep moving.
    """
    for _ in range(tries):
        async with transaction() as connection:
            seen = await read(connection)
        found = await asyncio.to_thread(think, seen) if on_a_thread else think(seen)
        with suppress(MovedOnError):
            async with transaction() as connection:
                return await write(connection, found)
    raise MovedOnError


class OneAtATime:
    """Turns in deciding about the same thing in this process: of a crowd, all but one would think in vain.

    Whoever waits for a turn holds nothing.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncGenerator[None]:
        """The turn for one thing. Raises busy (503) when it does not come in time."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        try:
            async with asyncio.timeout(self._patience_s):
                await lock.acquire()
        except TimeoutError as error:
            raise DomainError("busy", retry_after_s=_RETRY_AFTER_S) from error
        try:
            yield
        finally:
            lock.release()
