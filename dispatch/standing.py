"""Where a worker's day stands: which shift comes next, since when a break can be taken, and which breaks are left.

Time off before the first shift, between two shifts and after the last one is time for breaks like any wait between stops.
Breaks are taken in the order of their windows. A later shift begins at the start place again. Whoever has begun before
their first shift goes on when it begins.
"""

from collections.abc import Sequence

from msgspec import Struct
from numpy import ndarray

from dispatch.plan import Stop
from dispatch.problem import Break, Problem, Worker

_NEVER = -(10**12)


class Standing(Struct, frozen=True):
    """How a worker goes on from what has begun. Times are seconds."""

    shift: int  # number of the first shift that still counts
    place: int
    idle_s: int  # a break can have begun from here on, also before now
    free_s: int  # the worker can leave from here on
    left: tuple[Break, ...]  # still to be taken
    lost: tuple[Break, ...]  # what has begun left no room for them


def shift_of(worker: Worker, stop: Stop) -> int:
    """The number of the shift a stop belongs to: the last that has begun before it is over, else the first."""
    return max(sum(s.start_s <= stop.start_s or s.start_s < stop.end_s for s in worker.shifts) - 1, 0)


def way_to(matrix: ndarray, worker: Worker, before: Stop | None, behind: Stop) -> int:
    """Seconds to a stop: from the one before, or from the start place where a shift begins between the two."""
    if before is None or shift_of(worker, before) < shift_of(worker, behind):
        return int(matrix[worker.start_place, behind.place])
    return int(matrix[before.place, behind.place])


def standing_of(problem: Problem, worker: Worker, begun: Sequence[Stop]) -> Standing:
    """How a worker with shifts goes on once `begun` is over: these stops happen as they are.

    Whoever has nothing to do takes a break as soon as it may begin, also before now: at half past eleven a lunch from
    eleven on is half over. Of several breaks that could have been taken the earliest room counts.
    """
    over = begun[-1].end_s if begun else _NEVER
    free = max(over, problem.now_s)
    holes = _holes(problem, worker, begun) if worker.breaks and begun else []
    left: list[Break] = []
    lost: list[Break] = []
    used = _NEVER
    for rest in worker.breaks:
        taken = min((b for b in (_begin(rest, hole, used) for hole in holes) if b is not None), default=None)
        if taken is not None and not left:
            used = taken + rest.duration_s
            continue
        begin = max(used, rest.earliest_s, over)
        if begin > rest.latest_s:
            lost.append(rest)
            continue
        used = begin + rest.duration_s
        left.append(rest)
    if begun:
        shift = shift_of(worker, begun[-1])
        free = max(free, worker.shifts[shift].start_s)
        return Standing(shift, begun[-1].place, over, free, tuple(left), tuple(lost))
    opens = worker.shifts[0].start_s
    while left and (begin := _begin(left[0], (over, opens), over)) is not None:
        over = begin + left[0].duration_s
        del left[0]  # taken before the day begins
    return Standing(0, worker.start_place, over, max(free, opens), tuple(left), tuple(lost))


def _holes(problem: Problem, worker: Worker, begun: Sequence[Stop]) -> list[tuple[int, int]]:
    """Spans of time before and between what has begun that neither work nor the way to the next stop needs."""
    matrix = problem.travel[worker.mode]
    before: list[Stop | None] = [None, *begun[:-1]]
    return [
        (_NEVER if one is None else one.end_s, two.start_s - way_to(matrix, worker, one, two))
        for one, two in zip(before, begun, strict=True)
    ]


def _begin(rest: Break, hole: tuple[int, int], used: int) -> int | None:
    """When a break begins in a hole, not before all earlier breaks are over; None where it has no room."""
    begin = max(hole[0], rest.earliest_s, used)
    return begin if begin <= rest.latest_s and begin + rest.duration_s <= hole[1] else None
