"""Work that failed is due again after a pause of machine time: care time may stand still, or run a hundred times as fast."""

from collections.abc import Callable, Hashable
from typing import Final

import asyncpg
from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.line import ENDED

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_FORGOTTEN_S: Final = 600.0  # a failure of something that never came up again
Work = tuple[str, Hashable]
"""What was tried, and the order or day it is about."""
_PASSING: Final = (
    *ENDED,
    OSError,
    TimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)


def is_passing(error: Exception) -> bool:
    """Whether it lies in how busy or broken the database is at the moment, not in what was asked of it."""
    return isinstance(error, _PASSING) or (isinstance(error, DomainError) and error.code == "busy")


class _Failure(Struct):
    times: int = 0
    faults: int = 0  # those of the work itself
    due_at: float = 0.0


class Retries:
    """What failed lately, how often in a row, and when it may be tried again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds of machine time that only ever rise."""
        self._clock = clock
        self._failures: dict[Work, _Failure] = {}

    def due(self, work: Work) -> bool:
        """Whether nothing keeps it from being tried now."""
        failure = self._failures.get(work)
        return failure is None or failure.due_at <= self._clock()

    def resting(self, what: str) -> list[Hashable]:
        """What is not due yet of one kind of work."""
        now = self._clock()
        self._failures = {work: f for work, f in self._failures.items() if now - f.due_at < _FORGOTTEN_S}
        return [about for (kind, about), failure in self._failures.items() if kind == what and failure.due_at > now]

    def failed(self, work: Work, *, passing: bool) -> None:
        """Rest before the next try, twice as long each time up to a bound."""
        failure = self._failures.setdefault(work, _Failure())
        failure.due_at = self._clock() + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failure.times, 16))
        failure.times += 1
        failure.faults += not passing

    def faults(self, work: Work) -> int:
        """How often in a row it failed through what it is about itself."""
        failure = self._failures.get(work)
        return failure.faults if failure else 0

    def done(self, work: Work) -> None:
        """It went well: nothing is held against it any more."""
        self._failures.pop(work, None)
