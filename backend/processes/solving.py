"""The solver in a process of its own, with a deadline and a hard kill: its search holds the interpreter's lock."""

import asyncio
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import TypeVar

import structlog

from backend.processes.children import OneHelper
from backend.processes.warming import use_kernels
from dispatch import Plan, Problem, improve, warm

T = TypeVar("T")
_GRACE_S = 10.0  # for sending the day to and fro, and for a process that starts anew
log = structlog.get_logger()


def _search(problem: Problem, plan: Plan, seconds: float, seed: int) -> Plan:
    return improve(problem, plan, seconds, seed)


def _load() -> None:
    use_kernels()
    warm()


class SolverPool:
    """One spawned process that improves plans; killed and replaced when it overruns twice its budget, replaced when it dies."""

    def __init__(self) -> None:
        self._executor = OneHelper()
        self._one_at_a_time = asyncio.Lock()
        self._warmed = False
        self._stopped = False

    def __enter__(self) -> "SolverPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.kill()

    def stop(self) -> None:
        """Give up the search that runs, for good."""
        self._stopped = True
        self._executor.kill()

    async def improve(self, problem: Problem, plan: Plan, seconds: float, seed: int) -> Plan | None:
        """A better plan, or None when the search failed or overran; the plan in force then simply stays."""
        async with self._one_at_a_time:
            if self._stopped:
                return None
            try:
                if not self._warmed:  # a fresh process loads its kernels first, which is no overrun
                    await self._run(_load)
                    self._warmed = True
                return await asyncio.wait_for(self._run(_search, problem, plan, seconds, seed), 2 * seconds + _GRACE_S)
            except (TimeoutError, BrokenProcessPool) as error:
                log.warning("solver.replaced", error=type(error).__name__)
                if not self._stopped:
                    self._executor.kill()
                    self._executor, self._warmed = OneHelper(), False
                return None

    def _run(self, work: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
