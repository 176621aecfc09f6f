"""Judging whether a report can be true: pure functions over what was reported before, our clock and the city's figures."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.geo import sphere_m
from backend.visits.model import DOUBTS, NOTES, Earlier, Flag, Kind, Limits, Moment, Place, Report, Sighting, Told
from backend.visits.whereabouts import believable

_DEGREES: Final = (180.0, 90.0)  # longitude, latitude
_BEGIN: Final = frozenset({Kind.CHECK_IN, Kind.HAND_OVER, Kind.NO_ACCESS})
AT_A_PLACE: Final = frozenset(Kind) - {Kind.EN_ROUTE}


class Facts(Struct, frozen=True, kw_only=True):
    """Everything a report is held against."""

    kind: Kind
    report: Report
    moment: Moment
    place: Place
    earliest_at: datetime | None  # the promised or planned start, for what begins a service
    ready_at: datetime | None  # no meal is handed over before it is made
    planned_s: int
    earlier: Sequence[Earlier]  # of the whole crew, on this order, what counted
    seat: UUID | None  # which of them are the reporting worker's own
    in_crew: bool  # whether that seat is still theirs
    around: Sequence[Sighting]  # where the worker was seen just before and, by what is sent later, just after
    elsewhere: Sequence[Told]  # what the worker reported of other visits and this report contradicts
    pick_up_due: bool  # the meal has to be fetched first
    day_begun: bool
    fits: bool  # whether the order is in a state for it
    late: bool  # whether it counts although the order has gone on without it
    digits_fit: bool | None  # whether it came with the resident's digits; None where none were judged
    pre_check_due: bool  # the service asks for checks before it, and none was passed


def check_readable(report: Report, geometry: str) -> None:
    """Refuse what lies off every scale: no such place, no such time. Raises DomainError invalid_request (400)."""
    if (report.x is None) != (report.y is None):
        raise DomainError("invalid_request", "A position has both x and y.")
    if geometry == "wgs84" and report.x is not None and report.y is not None:
        longitude, latitude = _DEGREES
        if abs(report.x) > longitude or abs(report.y) > latitude:
            raise DomainError("invalid_request", "No place on earth has this position.")
    if report.offline and report.device_at is None:
        raise DomainError("invalid_request", "A report sent later says in device_at when it was made.")


def metres(one: Place, x: float, y: float) -> float | None:
    """Measure how far a point is from a place, by the place's own geometry; None where it has none."""
    if one.geometry == "plane":
        return math.hypot(one.x - x, one.y - y)
    return sphere_m(one.x, one.y, x, y) if one.geometry == "wgs84" else None


def judge(facts: Facts, limits: Limits) -> list[Flag]:
    """Every flag of one report, always in the same order."""
    not_followed = facts.seat is not None and not facts.fits and not facts.late
    found = {
        Flag.NOT_IN_CREW: not facts.in_crew,
        Flag.REPEATED: not_followed and _said_before(facts) and not facts.digits_fit,  # said again to put it right
        Flag.OUT_OF_ORDER: not_followed and facts.in_crew and facts.day_begun and not _said_before(facts),
        Flag.TOO_EARLY: _too_early(facts, limits),
        Flag.TOO_SHORT: facts.fits and _too_short(facts, limits),
        Flag.TWO_PLACES: bool(facts.elsewhere) or any(_too_fast(facts, seen, limits) for seen in facts.around),
        Flag.OUT_OF_RANGE: _out_of_range(facts, limits),
        Flag.NO_PICK_UP: facts.fits and facts.kind is Kind.HAND_OVER and facts.pick_up_due,
        Flag.NO_POSITION: _unplaced(facts),
        Flag.OFFLINE: facts.report.offline,
        Flag.DEVICE_CLOCK: _clock_is_wrong(facts.moment, limits),
        Flag.WRONG_CODE: facts.digits_fit is False,
        Flag.NO_PRE_CHECK: facts.kind is Kind.CHECK_OUT and facts.pre_check_due,
    }
    return [flag for flag, stands in found.items() if stands]


def judge_sheet(
    came_at: datetime,
    left_at: datetime,
    began_at: datetime,
    earliest_at: datetime,
    planned_s: int,
    limits: Limits,
    *,
    elsewhere: bool,
) -> dict[Kind, list[Flag]]:
    """The flags of what a sheet says of one worker; `began_at` is when the last of the crew came.

    That it is paper says at once that no position was taken and that it was sent later.
    """
    found = {
        Kind.CHECK_IN: {
            Flag.TOO_EARLY: came_at < earliest_at - timedelta(seconds=limits.early_s),
            Flag.TWO_PLACES: elsewhere,
            Flag.PAPER: True,
        },
        Kind.CHECK_OUT: {
            Flag.TOO_SHORT: (left_at - began_at).total_seconds() < limits.min_share * planned_s,
            Flag.PAPER: True,
        },
    }
    return {kind: [flag for flag, stands in flags.items() if stands] for kind, flags in found.items()}


def contradicted(facts: Facts, limits: Limits) -> dict[UUID, list[UUID]]:
    """Return the reports of other orders that this one speaks against, by order.

    Which of two is made up nobody can know. But a position that is wrong by itself, far from the door it belongs to,
    says nothing against a report made at its own.
    """
    found: dict[UUID, list[UUID]] = {}
    for told in facts.elsewhere:
        found.setdefault(told.order_id, []).append(told.record_id)
    for seen in facts.around if not _out_of_range(facts, limits) else ():
        if seen.counts and _too_fast(facts, seen, limits):
            found.setdefault(seen.order_id, []).append(seen.record_id)
    return found


def doubts(flags: Sequence[Flag], limits: Limits) -> list[str]:
    """The flags that stay on the order: silence will not complete it."""
    passed = NOTES if limits.needs_position else NOTES | {Flag.NO_POSITION}
    return [flag.value for flag in flags if flag not in passed]


def doubted(flags: Sequence[str]) -> bool:
    """Tell whether a flag that casts doubt is among these."""
    return any(flag in DOUBTS for flag in flags)


def _said_before(facts: Facts) -> bool:
    return any(e.assignment_id == facts.seat and e.kind is facts.kind for e in facts.earlier)


def _too_early(facts: Facts, limits: Limits) -> bool:
    if not facts.day_begun:
        return True
    begins = [facts.earliest_at] if facts.kind in _BEGIN else []
    begins += [facts.ready_at] if facts.kind is Kind.HAND_OVER else []
    tolerance = timedelta(seconds=limits.early_s)
    return any(at is not None and facts.moment.happened_at < at - tolerance for at in begins)


def _too_short(facts: Facts, limits: Limits) -> bool:
    """Service lasts from the last of the crew coming in to this worker's going; the phone's own clock may say less."""
    if facts.kind is not Kind.CHECK_OUT:
        return False
    told = [e.kind for e in facts.earlier if e.assignment_id == facts.seat and e.kind is not Kind.EN_ROUTE]
    if told[-1:] == [Kind.NO_ACCESS]:
        return False  # nobody was served: they leave a door that stayed shut
    came = [e for e in facts.earlier if e.kind is Kind.CHECK_IN]
    mine = [e.moment for e in came if e.assignment_id == facts.seat]
    if not mine:
        return True
    return too_short(mine[-1], facts.moment, [e.moment for e in came], facts.planned_s, limits)


def too_short(came: Moment, left: Moment, crew: Sequence[Moment], planned_s: int, limits: Limits) -> bool:
    """Tell whether a worker was there for a small part of the planned time only; `crew` is when each of them came."""
    lasted = [left.happened_at - max(moment.happened_at for moment in crew)]
    if left.device_at is not None and came.device_at is not None:
        lasted.append(left.device_at - came.device_at)
    return min(lasted).total_seconds() < limits.min_share * planned_s


def _too_fast(facts: Facts, seen: Sighting, limits: Limits) -> bool:
    """Between here and where the worker was seen, nobody travels in this time; each position may be wrong by a radius."""
    report = facts.report
    if facts.kind not in AT_A_PLACE or report.x is None or report.y is None:
        return False
    if seen.at.geometry != facts.place.geometry:
        return False
    distance = metres(seen.at, report.x, report.y)
    if distance is None:
        return False
    unsure = 2 * limits.radius_m + _allowance(report.accuracy_m, limits) + _allowance(seen.accuracy_m, limits)
    seconds = abs((facts.moment.happened_at - seen.moment.happened_at).total_seconds())
    return distance - unsure > limits.max_travel_mps * seconds


def _unplaced(facts: Facts) -> bool:
    """Tell whether nothing says where it was made: no position, and no digits that are said at that door alone."""
    somewhere = facts.report.x is not None or facts.place.geometry == "none" or bool(facts.digits_fit)
    return facts.kind in AT_A_PLACE and not somewhere


def _out_of_range(facts: Facts, limits: Limits) -> bool:
    """Tell whether the position is elsewhere; with the resident's digits as unsure as the phone says, but never more.

    Digits can be told by telephone: they explain a position that hardly is one, not a good one in another street.
    """
    distance, accuracy_m = distance_m(facts), facts.report.accuracy_m
    unsure = (accuracy_m or 0.0) if facts.digits_fit else _allowance(accuracy_m, limits)
    return distance is not None and distance - unsure > limits.radius_m


def distance_m(facts: Facts) -> float | None:
    """Metres between the report and where it ought to be made; None on the way, without a position or a geometry."""
    if facts.kind not in AT_A_PLACE or facts.report.x is None or facts.report.y is None:
        return None
    return metres(facts.place, facts.report.x, facts.report.y)


def _allowance(accuracy_m: float | None, limits: Limits) -> float:
    """What the phone says it may be wrong by, up to a limit: a phone that may be anywhere is not at the door."""
    return min(accuracy_m or 0.0, limits.accuracy_m)


def _clock_is_wrong(moment: Moment, limits: Limits) -> bool:
    return moment.device_at is not None and not believable(moment, limits)
