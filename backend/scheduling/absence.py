"""A day without a worker who cannot come: which of their visits fall out, and what becomes of each.

Thought about as the day would be read with the absence recorded, so that what is shown before is what is written after.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from backend.scheduling.leave import missed
from backend.scheduling.model import StopRow
from backend.scheduling.pinning import unpinned
from backend.scheduling.settling import settled
from backend.scheduling.snapshots import Day, Reading, workers_of
from backend.scheduling.swapping import Question
from backend.workers.queries import ShiftRow
from dispatch import Insertion, Plan, Visit, insert

_PROMISED: Final = frozenset({"offered", "accepted"})
_BEGUN: Final = frozenset({"en_route", "arrived", "in_service", "no_access"})


class Outcome(StrEnum):
    """Where a visit goes whose worker cannot come."""

    STAYS = "stays"  # they have set out, or are there: they finish it
    COLLEAGUE = "colleague"  # somebody of the same provider comes, within what was promised
    OFFERED = "offered"  # nobody of theirs can; another provider can, and is asked
    DESK = "desk"  # nobody is found: a person decides
    NOT_LOOKED = "not_looked"  # the time for looking was up: a person is told


class Fallen(Struct, frozen=True):
    """One visit of a worker who cannot come; `crew` and `at` are who would come and when, where that is known."""

    order_id: UUID
    status: str
    outcome: Outcome
    was_at: datetime
    at: datetime | None = None
    crew: dict[int, UUID] = {}


class Relieved(Struct, frozen=True):
    """A day without the worker, its plan with those who come in their place, and each visit that was theirs."""

    day: Day
    plan: Plan
    fallen: list[Fallen]


def relieve(read: Reading, worker_id: UUID, from_at: datetime, to_at: datetime, go_on: Callable[[], bool]) -> Relieved:
    """Find who comes in a worker's place on one day, one visit after the other, until `go_on` says no."""
    without = _without(read, worker_id, from_at, to_at)
    touched = {stop.order_id for stop in read.rows.stops if _touches(stop, worker_id, from_at, to_at)}
    starts = {
        stop.order_id: stop.from_at
        for stop in read.rows.stops
        if stop.order_id in touched and stop.worker_id == worker_id and stop.kind != "pickup"
    }
    aside = {stop.order_id: stop for stop in read.rows.busy if _touches(stop, worker_id, from_at, to_at)}
    states = {visit.order_id: visit.status for visit in read.rows.visits}
    gone = {
        stop.order_id for stop in without.rows.stops if stop.worker_id == worker_id and stop.id in without.rows.missed
    }
    search = _Search(without, worker_id)
    fallen = [_unread(stop) for stop in aside.values() if stop.order_id]
    for order_id, was_at in sorted(starts.items(), key=lambda item: item[1]):
        status = states.get(order_id, "") if order_id else ""
        if order_id is None or status not in _PROMISED | _BEGUN:
            continue  # what is only held, or waits for a crew, is looked after by whoever looks for one
        if order_id not in gone:
            fallen.append(Fallen(order_id, status, Outcome.STAYS, was_at, was_at))
        elif status in _BEGUN:
            fallen.append(Fallen(order_id, status, Outcome.DESK, was_at))  # the others of the crew have set out
        elif not go_on():
            fallen.append(Fallen(order_id, status, Outcome.NOT_LOOKED, was_at))
        else:
            fallen.append(search.found(order_id, status, was_at))
    return Relieved(search.day, search.plan, search.elsewhere(fallen, go_on))


def _unread(stop: StopRow) -> Fallen:
    """A visit that cannot be read is at the desk already, with its crew in it."""
    state = Outcome.STAYS if stop.started else Outcome.DESK
    return Fallen(stop.order_id or stop.id, "", state, stop.from_at, stop.from_at if stop.started else None)


def _touches(stop: StopRow, worker_id: UUID, from_at: datetime, to_at: datetime) -> bool:
    mine = stop.worker_id == worker_id and stop.order_id is not None and stop.left_at is None
    return mine and stop.from_at < to_at and from_at < stop.to_at


def _without(read: Reading, worker_id: UUID, from_at: datetime, to_at: datetime) -> Reading:
    """The day as it is read once the absence is recorded."""
    rows, roster = read.rows, read.rows.roster
    stops = [
        structs.replace(stop, on_leave=True) if _touches(stop, worker_id, from_at, to_at) else stop
        for stop in rows.stops
    ]
    shifts: list[ShiftRow] = []
    for shift in roster.shifts:
        shifts += _less(shift, from_at, to_at) if shift.worker_id == worker_id else [shift]
    index = {place_id: n for n, place_id in enumerate(roster.places)}
    changed = structs.replace(roster, shifts=shifts, workers=workers_of(shifts, index, read.origin))
    gone = missed(stops, {shift.worker_id for shift in shifts})
    return structs.replace(read, rows=structs.replace(rows, roster=changed, stops=stops, missed=gone))


def _less(shift: ShiftRow, from_at: datetime, to_at: datetime) -> list[ShiftRow]:
    """What an absence leaves of a shift; its break comes with the first part."""
    ends = [(shift.from_at, min(shift.to_at, from_at)), (max(shift.from_at, to_at), shift.to_at)]
    parts = [structs.replace(shift, from_at=begins, to_at=stops) for begins, stops in ends if begins < stops]
    return parts[:1] + [structs.replace(part, break_from=None, break_to=None) for part in parts[1:]]


class _Search:
    """The day without the worker, and its plan as it becomes fuller with every visit that somebody takes over."""

    def __init__(self, without: Reading, worker_id: UUID) -> None:
        self._read, self._worker_id = without, worker_id
        self.day = without.built()
        self.plan = settled(self.day) if self.day.problem.workers else self.day.plan

    def found(self, order_id: UUID, status: str, was_at: datetime) -> Fallen:
        """Somebody of the same provider for a visit: with whoever of its crew can still come, else all of them others."""
        visit = _visit(self.day, order_id)
        if visit is None or not self.day.problem.workers:
            return Fallen(order_id, status, Outcome.DESK, was_at)
        at_work = {worker.id for worker in self.day.problem.workers}
        stay = {
            stop.seat - 1: str(stop.worker_id)
            for stop in self._read.rows.stops
            if stop.order_id == order_id and stop.kind != "pickup" and not stop.left_at
            and not stop.on_leave and str(stop.worker_id) in at_work
        }  # fmt: skip
        question = Question(self.day.problem, self.plan, unpinned(visit), {}, self.day.seconds(was_at))
        outcome = question.asked(stay)
        if stay and not isinstance(outcome, Insertion):
            outcome = question.asked({})
        if not isinstance(outcome, Insertion):
            return Fallen(order_id, status, Outcome.DESK, was_at)
        self.plan = outcome.plan
        stops = [stop for stop in outcome.stops if stop.kind != "pickup"]
        crew = {stop.seat + 1: UUID(stop.worker) for stop in stops}
        return Fallen(
            order_id, status, Outcome.COLLEAGUE, was_at, self.day.instant(min(s.start_s for s in stops)), crew
        )

    def elsewhere(self, fallen: Sequence[Fallen], go_on: Callable[[], bool]) -> list[Fallen]:
        """Whether another provider could serve what nobody of their own can, one beside the other; nothing of it is kept."""
        left = {one.order_id for one in fallen if one.outcome is Outcome.DESK and one.status in _PROMISED}
        if not left or not self.day.problem.workers:
            return list(fallen)
        rows = self._read.rows
        visits = [structs.replace(row, provider_id=None) if row.order_id in left else row for row in rows.visits]
        open_to_all = structs.replace(self._read, rows=structs.replace(rows, visits=visits)).built()
        plan, told = self.plan, list[Fallen]()
        for one in fallen:
            visit = _visit(open_to_all, one.order_id) if one.order_id in left and go_on() else None
            outcome = insert(open_to_all.problem, plan, unpinned(visit)) if visit else None
            if isinstance(outcome, Insertion):
                plan = outcome.plan
                told.append(structs.replace(one, outcome=Outcome.OFFERED))
            else:
                told.append(one)
        return told


def _visit(day: Day, order_id: UUID) -> Visit | None:
    return next((visit for visit in day.problem.visits if visit.id == str(order_id)), None)
