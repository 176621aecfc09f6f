"""Ending a command in order when somebody asks it to: Ctrl-C, a closed terminal, or `kill`."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INTERRUPTED: Final = 130


async def until_told(work: Coroutine[Any, Any, T]) -> T | None:
    """Do some work to its end, or cancel it at the first signal and return None when it has cleaned up.

    A second signal ends the program at once; the guard then ends whatever it had started.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def told() -> None:
        if task.cancelling():
            os._exit(_INTERRUPTED)
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, told)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            return await task
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
    return None
