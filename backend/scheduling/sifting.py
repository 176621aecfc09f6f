"""What of a day can be planned, and what has to be set aside: one order nobody can read never stops the others."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from backend.database.rows import Readable
from backend.scheduling.model import Aside, StopRow, VisitRow
from backend.scheduling.tie_queries import Bound
from backend.workers.queries import ShiftRow

_BEFORE: Final = timedelta(days=1)
_AFTER: Final = timedelta(days=3)  # a day that lasts past midnight, and everything that may slip in it
_LONGEST_S: Final = 86400
_SEATS: Final = 4
KEPT: Final = frozenset({"accepted", "en_route", "arrived", "in_service", "no_access"})
"""States of an order in which a crew counts on coming: what cannot be read of it still keeps them busy."""


class Sifted(Struct, frozen=True):
    """The rows of a day that fit together, times at which workers are busy with what was set aside, and what that is."""

    stops: list[StopRow]
    visits: list[VisitRow]
    busy: list[StopRow]
    aside: list[Aside]


def sift(
    stops: Readable[StopRow],
    visits: Readable[VisitRow],
    statuses: dict[UUID, str],
    unknown: Collection[UUID],
    origin: datetime,
) -> Sifted:
    """Part what can be planned from what cannot; `unknown` are places no way leads to, `statuses` of spoilt orders."""
    why = {error.key: error.column for error in (*stops.spoilt, *visits.spoilt) if error.key}
    known = {visit.order_id: visit for visit in visits.rows}
    for visit in visits.rows:
        if fault := _visit_fault(visit, unknown, origin):
            why.setdefault(visit.order_id, fault)
    seen: set[tuple[UUID, int, str]] = set()
    for stop in stops.rows:
        visit = known.get(stop.order_id) if stop.order_id else None
        fault = _stop_fault(stop, visit, unknown, origin)
        if stop.order_id and stop.left_at is None:
            again = (stop.order_id, stop.seat, stop.kind)
            fault = "stops" if again in seen else fault
            seen.add(again)
        if fault:
            why.setdefault(stop.order_id or stop.id, fault)
    states = statuses | {visit.order_id: visit.status for visit in visits.rows}
    fit = [stop for stop in stops.rows if (stop.order_id or stop.id) not in why]
    busy = [
        stop
        for stop in stops.rows
        if stop.order_id in why and states.get(stop.order_id or stop.id) in KEPT and stop.left_at is None
        and stop.from_at < stop.to_at and _near(stop.from_at, origin) and _near(stop.to_at, origin)
    ]  # fmt: skip
    return Sifted(
        fit,
        [visit for visit in visits.rows if visit.order_id not in why],
        busy,
        [Aside(order_id, what) for order_id, what in why.items() if order_id in states],
    )


def tied(visits: Readable[VisitRow], bounds: Iterable[Bound]) -> Readable[VisitRow]:
    """The same with the bounds that visits of the same residents in other plans leave."""
    left = {bound.order_id: bound for bound in bounds}
    return Readable([_between(visit, left.get(visit.order_id)) for visit in visits.rows], visits.spoilt)


def _between(visit: VisitRow, bound: Bound | None) -> VisitRow:
    if bound is None:
        return visit
    before = [at for at in (visit.not_before, bound.not_before) if at]
    after = [at for at in (visit.not_after, bound.not_after) if at]
    return msgspec.structs.replace(
        visit,
        not_before=max(before, default=None),
        not_after=min(after, default=None),
        room_until=bound.room_until,
    )


def _near(instant: datetime, origin: datetime) -> bool:
    return origin - _BEFORE <= instant <= origin + _AFTER


def _visit_fault(visit: VisitRow, unknown: Collection[UUID], origin: datetime) -> str | None:
    """The first thing about an order that no planning can bear."""
    if visit.place_id in unknown or visit.pickup_place_id in unknown:
        return "place"
    if [seat.number for seat in visit.seats] != list(range(1, len(visit.seats) + 1)) or not visit.seats:
        return "seats"
    if len(visit.seats) > _SEATS or not all(0 < seat.duration_s <= _LONGEST_S for seat in visit.seats):
        return "seats"
    if not 0 <= visit.pickup_s <= _LONGEST_S or not 0 <= (visit.max_ride_s or 0) <= _LONGEST_S:
        return "pickup"
    for link in visit.links:
        if not 0 <= link.min_gap_s <= (_LONGEST_S if link.max_gap_s is None else min(link.max_gap_s, _LONGEST_S)):
            return "links"
    times = {
        "window_from": visit.window_from, "window_to": visit.window_to, "latest_at": visit.latest_at,
        "ready_at": visit.ready_at, "links": visit.not_before, "gaps": visit.not_after,
    }  # fmt: skip
    return next((name for name, instant in times.items() if instant and not _near(instant, origin)), None)


def _stop_fault(stop: StopRow, visit: VisitRow | None, unknown: Collection[UUID], origin: datetime) -> str | None:
    if stop.place_id in unknown:
        return "place"
    if stop.from_at >= stop.to_at or not (_near(stop.from_at, origin) and _near(stop.to_at, origin)):
        return "stops"
    if visit is None or stop.left_at is not None:
        return None
    fetched = visit.pickup_place_id is not None
    if (stop.kind == "visit") == fetched or stop.seat not in {seat.number for seat in visit.seats}:
        return "stops"
    return None


def able(
    shifts: Iterable[ShiftRow], unknown: Collection[UUID], modes: Collection[str], origin: datetime
) -> list[ShiftRow]:
    """The shifts somebody can be planned in: places the ways are known to, a way to travel, times of the day."""
    return [shift for shift in shifts if _can_work(shift, unknown, modes, origin)]


def _can_work(shift: ShiftRow, unknown: Collection[UUID], modes: Collection[str], origin: datetime) -> bool:
    times = [at for at in (shift.from_at, shift.to_at, shift.break_from, shift.break_to) if at]
    return (
        shift.start_place_id not in unknown
        and shift.end_place_id not in unknown
        and shift.travel_mode in modes
        and all(_near(at, origin) for at in times)
        and shift.from_at < shift.to_at
        and 0 <= shift.break_s <= _LONGEST_S
    )


def places_of(visits: Sequence[VisitRow], stops: Sequence[StopRow]) -> list[UUID]:
    """Every place the rows of a day name."""
    named = [place for visit in visits for place in (visit.place_id, visit.pickup_place_id) if place]
    return list(dict.fromkeys([*named, *(stop.place_id for stop in stops)]))
