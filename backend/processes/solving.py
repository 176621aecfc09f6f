"""The solver in a process of its own, with a deadline and a hard kill: its search holds the interpreter's lock."""

import asyncio
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from types import TracebackType
from typing import TypeVar

import structlog

from dispatch import Plan, Problem, improve, warm

T = TypeVar("T")
_GRACE_S = 10.0  # for sending the day to and fro, and for a process that starts anew
log = structlog.get_logger()


def _search(problem: Problem, plan: Plan, seconds: float, seed: int) -> Plan:
    return improve(problem, plan, seconds, seed)


def _lower_priority() -> None:
    """Searching never competes with answering; Ctrl-C is the parent's business."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class SolverPool:
    """One spawned process that improves plans; killed and replaced when it overruns twice its budget, replaced when it dies."""

    def __init__(self) -> None:
        self._executor = self._fresh()
        self._one_at_a_time = asyncio.Lock()
        self._warmed = False

    def _fresh(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"), initializer=_lower_priority)

    def __enter__(self) -> "SolverPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()

    def _kill(self) -> None:
        for process in active_children():
            process.kill()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def improve(self, problem: Problem, plan: Plan, seconds: float, seed: int) -> Plan | None:
        """A better plan, or None when the search failed or overran; the plan in force then simply stays."""
        async with self._one_at_a_time:
            try:
                if not self._warmed:
                    # the first time on a machine this compiles for half a minute, which is no overrun
                    await self._run(warm)
                    self._warmed = True
                return await asyncio.wait_for(self._run(_search, problem, plan, seconds, seed), 2 * seconds + _GRACE_S)
            except (TimeoutError, BrokenProcessPool) as error:
                log.warning("solver.replaced", error=type(error).__name__)
                self._kill()
                self._executor = self._fresh()
                return None

    def _run(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
