"""Every process runs until it is told to stop, in one and the same way.

The first SIGTERM or SIGINT asks: the process finishes what it holds, and ends within STOP_WITHIN_S whatever happens. The
second ends it at once. A process without a handler hears neither when it is the first of a container.
"""

import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final

import structlog

from backend.processes.children import kill_helpers

STOP_WITHIN_S: Final = 5.0
_FINISH_S: Final = 3.0  # for what is in hand: requests, a timer, the commit of a plan
_CANCEL_S: Final = 1.0  # for what was cancelled then
_HARD_S: Final = 4.6  # the rest of the five seconds is for the operating system
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
log = structlog.get_logger()


class Stop:
    """What this process has been told."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.signal: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self) -> None:
        """Hear signals from now on. Called before anything slow is imported: until `run`, a signal simply ends the process."""
        for number in _SIGNALS:
            signal.signal(number, self._hear)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self._loop is None or self.signal is not None:
            os._exit(128 + number)
        self.signal = number
        # its watchdog needs neither the event loop nor the interpreter's lock, so nothing can keep it from ending us
        faulthandler.dump_traceback_later(_HARD_S, exit=True)
        self._loop.call_soon_threadsafe(self.told.set)

    async def run(self, work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        """Work until it ends by itself, or we are told to stop: `work` is given the event that says so, and time to finish."""
        self._loop = asyncio.get_running_loop()
        working, telling = asyncio.create_task(work(self.told)), asyncio.create_task(self.told.wait())
        await asyncio.wait({working, telling}, return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        if not await _done_within(working, _FINISH_S):
            log.warning("process.cut_off", seconds=_FINISH_S)
            working.cancel()
            await _done_within(working, _CANCEL_S)
        if working.done() and not working.cancelled():
            working.result()
        if self.signal is not None:
            self._leave()

    def _leave(self) -> None:
        """End without waiting for threads and helpers: what they load, compile or search now is nobody's any more."""
        kill_helpers()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + signal.SIGINT if self.signal == signal.SIGINT else 0)


async def _done_within(task: asyncio.Task[None], seconds: float) -> bool:
    await asyncio.wait({task}, timeout=seconds)
    return task.done()


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake up when told to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
