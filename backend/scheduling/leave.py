"""Take an hour of leave out of a day that is planned already: the stops in that hour, and nothing else."""

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.scheduling.model import StopRow
from dispatch import Shift, Worker


def missed(stops: Sequence[StopRow], at_work: Collection[UUID]) -> frozenset[UUID]:
    """Return the stops that do not take place, because their workers take leave then or do not work that day.

    Whoever has begun finishes. A meal is missed with both of its stops or with neither, and a visit that lacks one of its
    crew as a whole, unless a colleague has set out already: a new crew is looked for, with whoever of the old one can.
    """
    begun = {(stop.order_id, stop.seat) for stop in stops if stop.started}
    gone = {(s.order_id, s.seat) for s in stops if s.on_leave or s.worker_id not in at_work} - begun
    called_off = {order_id for order_id, _ in gone} - {order_id for order_id, _ in begun}
    return frozenset(s.id for s in stops if (s.order_id, s.seat) in gone or s.order_id in called_off)


def without_missed(
    workers: Sequence[Worker], stops: Sequence[StopRow], gone: frozenset[UUID], origin: datetime
) -> tuple[Worker, ...]:
    """Return the workers without the times of stops their leave touches: those are theirs until another crew is found."""
    taken: dict[str, list[Shift]] = {}
    for stop in stops:
        if stop.on_leave and stop.id in gone:
            from_s, to_s = ((at - origin).total_seconds() for at in (stop.from_at, stop.to_at))
            taken.setdefault(str(stop.worker_id), []).append(Shift(math.floor(from_s), math.ceil(to_s)))
    return tuple(_less(worker, taken[worker.id]) if worker.id in taken else worker for worker in workers)


def _less(worker: Worker, taken: Sequence[Shift]) -> Worker:
    left = list(worker.shifts)
    for gone in taken:
        before = [Shift(shift.start_s, min(shift.end_s, gone.start_s)) for shift in left]
        after = [Shift(max(shift.start_s, gone.end_s), shift.end_s) for shift in left]
        left = [part for part in (*before, *after) if part.start_s < part.end_s]
    return msgspec.structs.replace(worker, shifts=tuple(left))
