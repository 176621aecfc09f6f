"""A zone's day at the desk, between calls: the lanes of its workers, those in trouble before the others."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.params import FromQuery
from msgspec import Struct

from backend.core.clock import city_date
from backend.core.codes import grouped
from backend.database.pool import Connection
from backend.pages import facts, lane_queries
from backend.pages.call import DESK
from backend.pages.facts import calendar
from backend.pages.lane_queries import ZoneName, ZoneShift, ZoneStop
from backend.pages.lanes import Axis, Bar, Lane, looks
from backend.pages.refusals import door
from backend.pages.rendering import Asked, page
from backend.pages.times import Calendar


class Trouble(Struct, frozen=True):
    """One order of the day that wants looking at: whose it is, what, and why."""

    order_id: UUID
    code: str
    who: str  # empty where nobody is to go there yet
    what: str
    why: str


class ZoneDay(Struct, frozen=True):
    """A zone's day as it is shown."""

    zones: list[ZoneName]
    zone: ZoneName | None
    hours: list[tuple[str, float]]
    lanes: list[Lane]
    trouble: list[Trouble]
    now: float


async def zone_day(connection: Connection, when: Calendar, code: str) -> ZoneDay:
    """Read the day of the zone with a code; of the first one where there is none with it."""
    zones = await lane_queries.zones(connection)
    zone = next((one for one in zones if one.code == code), zones[0] if zones else None)
    if zone is None:
        return ZoneDay([], None, [], [], [], 0.0)
    on = city_date(when.now, when.zone)
    shifts = await lane_queries.shifts(connection, zone.id, on)
    stops = await lane_queries.stops(connection, zone.id, on)
    return laid_out(zones, zone, shifts, stops, when)


def laid_out(
    zones: list[ZoneName], zone: ZoneName, shifts: list[ZoneShift], stops: list[ZoneStop], when: Calendar
) -> ZoneDay:
    """Put everybody into a lane: what nobody is to go to first, then whoever is in trouble, then the others by their codes."""
    spans = [(one.from_at, one.to_at) for one in [*shifts, *stops]]
    axis = Axis.of((begin for begin, _ in spans), (end for _, end in spans), when.zone, when.now)
    names: dict[UUID | None, str] = {shift.worker_id: shift.name for shift in shifts}
    lanes: dict[UUID | None, Lane] = {None: Lane(_said(when, "还没有人", "nobody yet"), [], [], look=True)}
    for shift in shifts:
        lanes.setdefault(shift.worker_id, Lane(shift.name, [], [])).shifts.append(axis.bar(shift.from_at, shift.to_at))
    late: dict[UUID | None, int] = {}
    trouble: dict[UUID, tuple[tuple[int, datetime], Trouble]] = {}
    for stop in stops:
        why = _why(stop, when)
        if (
            stop.worker_id in lanes
        ):  # whoever stands in the plan without a shift has no lane, and is told of all the same
            lanes[stop.worker_id].stops.append(_bar(axis, stop, why, when))
        if why and stop.order_id is not None:
            late[stop.worker_id] = max(late.get(stop.worker_id, 0), stop.late_min)
            line = Trouble(
                stop.order_id, grouped(stop.order_code or ""), names.get(stop.worker_id, ""), _what(stop, when), why
            )
            trouble.setdefault(stop.order_id, (_urgency(stop), line))
    in_trouble = sorted((who for who in late if who is not None and who in lanes), key=lambda who: -late[who])
    first = [lanes[None]] if lanes[None].stops else []
    hurt = [Lane(lane.name, lane.shifts, lane.stops, look=True) for lane in (lanes[who] for who in in_trouble)]
    others = [lane for who, lane in lanes.items() if who is not None and who not in late]
    return ZoneDay(
        zones, zone, [(f"{hour.hour}", left) for hour, left in axis.hours(when.zone)], [*first, *hurt, *others],
        [line for _, line in sorted(trouble.values(), key=lambda one: one[0])], axis.at(when.now),
    )  # fmt: skip


def _said(when: Calendar, zh: str, en: str) -> str:
    return en if when.language == "en" else zh


def _urgency(stop: ZoneStop) -> tuple[int, datetime]:
    """Who is kept waiting longest comes first, then who has nobody, then by when it should have begun."""
    return (-stop.late_min if stop.late_min else 0 if stop.worker_id is None else 1, stop.from_at)


def _why(stop: ZoneStop, when: Calendar) -> str:
    """What is wrong with it; empty where nothing is."""
    if stop.late_min:
        return _said(when, f"晚{stop.late_min}分", f"{stop.late_min} min late")
    if stop.worker_id is None:
        return _said(when, "还没有人", "nobody yet")
    return _said(when, "该到了", "should be there") if stop.due else ""


def _what(stop: ZoneStop, when: Calendar) -> str:
    kind = facts.KINDS.get(stop.order_kind or "break", facts.KINDS["care"])
    return f"{when.clock24(stop.from_at)} {_said(when, *kind)}"


def _bar(axis: Axis, stop: ZoneStop, why: str, when: Calendar) -> Bar:
    css = looks(stop.order_kind, stop.status) + (" stop--risk" if why else "")
    return axis.bar(stop.from_at, stop.to_at, css, f"{_what(stop, when)} {why}".strip())


@get("/desk/lanes", guards=[DESK])
async def lanes_live(request: Asked, zone: FromQuery[str] = "") -> Response[Any]:
    """The lanes, fetched again by the clock."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        when = await calendar(connection, request)
        day = await zone_day(connection, when, zone)
    return page(request, "desk/lanes.html", day=day, when=when)


route_handlers = [door([lanes_live])]
