"""The starts of one day that are asked about, and the reason why none of them is possible."""

import math
from collections.abc import Sequence
from datetime import datetime

from backend.scheduling.snapshots import Day
from dispatch import Problem, Visit, Worker, refusal

GRID_S = 900
_FINE_S = 300
_MINUTE_S = 60


def starts_of(day: Day, span: tuple[datetime, datetime] | None) -> list[int]:
    """The quarter hours of a day's shifts, inside a span where one is asked for.

    A span between two quarter hours is asked every five minutes from its own beginning: whoever names nine minutes means them.
    """
    shifts = [shift for worker in day.problem.workers for shift in worker.shifts]
    if not shifts:
        return []
    first = max(min(shift.start_s for shift in shifts), day.now_s)
    last = max(shift.end_s for shift in shifts) - 1
    if span is not None:
        first = max(first, math.ceil((span[0] - day.origin).total_seconds()))
        last = min(last, math.floor((span[1] - day.origin).total_seconds()))
    starts = list(range(_up(first, GRID_S), last + 1, GRID_S))
    if starts or span is None or first > last:
        return starts
    minute = _up(first, _MINUTE_S)
    return list(range(minute if minute <= last else first, last + 1, _FINE_S))


def nobody_works(workers: Sequence[Worker], starts: Sequence[int]) -> bool:
    """Whether no shift of these workers has one of the starts in it."""
    return not any(shift.start_s <= s < shift.end_s for worker in workers for shift in worker.shifts for s in starts)


def why_none(problem: Problem, visit: Visit, starts: Sequence[int]) -> str:
    """The rule that leaves a visit without a start: nobody may do it, nobody who may is on shift, or all have no gap."""
    for seat in visit.seats:
        rules = [(worker, refusal(worker, visit, seat)) for worker in problem.workers]
        able = [worker for worker, rule in rules if rule is None]
        if not able:
            named = [rule for _, rule in rules if rule is not None]
            return max(named, key=named.count)
        if nobody_works(able, starts):
            return "no_shift"
    return "no_gap"


def _up(seconds: int, step: int) -> int:
    return -(-seconds // step) * step
