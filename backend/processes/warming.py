"""The kernels of quotes, at hand before anybody waits for them.

Where they were kept from an earlier start, loading them takes a second. The first time on a machine they are compiled,
in a process of its own: compiling holds the interpreter's lock for a minute.
"""

import asyncio
import fcntl
import tempfile
from pathlib import Path

import structlog

from backend.processes.children import kill_helpers, one_helper
from backend.processes.logging import where
from dispatch import quotes_kept, warm_quotes

_LOCK = "yinling-kernels.lock"
log = structlog.get_logger()


def _compile() -> None:
    """One process of a machine compiles; the others wait and load what it has kept."""
    with (Path(tempfile.gettempdir()) / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        warm_quotes()


async def _compiled(loop: asyncio.AbstractEventLoop) -> None:
    compiler = one_helper()
    try:
        await loop.run_in_executor(compiler, _compile)
    except asyncio.CancelledError:
        kill_helpers()  # told to stop: nobody waits for the minute it would take
        raise
    finally:
        compiler.shutdown(wait=False, cancel_futures=True)


async def warm_kernels(warm: asyncio.Event) -> None:
    """Make the kernels ready, then say so."""
    loop = asyncio.get_running_loop()
    try:
        if not quotes_kept():
            await _compiled(loop)
        await loop.run_in_executor(None, warm_quotes)
    except Exception as error:
        # the first question compiles them then, and is slow
        log.exception("kernels.not_ready", error=type(error).__name__, trace=where(error))
    finally:
        warm.set()
