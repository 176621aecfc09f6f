"""A provider's roster: who works when in the weeks to come, set a day at a time or copied from another week.

A shift in which visits are promised is not cut: they are given to others first, or their worker is said not to come.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, structs

from backend.core import bounds
from backend.core.clock import city_date, day_origin
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import people_queries
from backend.orders.people import own_provider
from backend.orders.queries import care_now
from backend.rules.queries import EVERYWHERE, limit
from backend.scheduling import queries as scheduling
from backend.scheduling import tie_queries
from backend.workers import queries as workers
from backend.workers.queries import OwnWorker, SetShift

_WEEK: Final = 7
Times = tuple[datetime, datetime]


class Span(bounds.Asked, frozen=True):
    """From when to when somebody works."""

    from_at: bounds.Instant
    to_at: bounds.Instant


class DayShifts(bounds.Asked, frozen=True):
    """When a worker works on a plan day; never where there is no span. `was` is what whoever asks has seen there."""

    worker_id: UUID
    on: date
    spans: Annotated[list[Span], Meta(max_length=3)]
    was: Annotated[list[Span], Meta(max_length=3)] | None = None


class NewRoster(bounds.Asked, frozen=True):
    """Days of a roster as they shall be; every other day stays as it is."""

    days: Annotated[list[DayShifts], Meta(min_length=1, max_length=500)]


class CopyWeek(bounds.Asked, frozen=True):
    """The first days of the week that is copied, and of the one it is copied into."""

    from_on: date
    to_on: date


class RosterTime(Struct, frozen=True, kw_only=True):
    """From when to when."""

    from_at: datetime
    to_at: datetime


class RosterDay(Struct, frozen=True, kw_only=True):
    """One worker's day: shifts as they were set, times in which they do not come all the same, and visits still before them."""

    on: date
    shifts: list[RosterTime]
    away: list[RosterTime]
    visits: int


class RosterRow(Struct, frozen=True, kw_only=True):
    """One worker's week."""

    worker_id: UUID
    name: str
    days: list[RosterDay]


class RosterView(Struct, frozen=True, kw_only=True):
    """A provider's week, beginning on a day."""

    from_on: date
    now: datetime
    workers: list[RosterRow]


async def week(connection: Connection, principal: Principal, from_on: date, zone_info: ZoneInfo) -> RosterView:
    """Read a provider's week."""
    provider_id = own_provider(principal)
    async with as_the_platform(connection):
        return await _week(connection, provider_id, from_on, zone_info)


async def _week(connection: Connection, provider_id: UUID, from_on: date, zone_info: ZoneInfo) -> RosterView:
    everybody = await people_queries.own_workers(connection, provider_id)
    ids, days = [one.id for one in everybody], [from_on + timedelta(days=n) for n in range(_WEEK)]
    ends = [day_origin(day, zone_info) for day in [*days, days[-1] + timedelta(days=1)]]
    shifts = await workers.roster(connection, ids, days[0], days[-1])
    away = await people_queries.away_between(connection, ids, ends[0], ends[-1])
    counted = await people_queries.visits_by_day(connection, ids, days[0], days[-1])
    visits = {(one.worker_id, one.plan_on): one.visits for one in counted}

    def day(worker: OwnWorker, n: int) -> RosterDay:
        return RosterDay(
            on=days[n], visits=visits.get((worker.id, days[n]), 0),
            shifts=[RosterTime(from_at=s.from_at, to_at=s.to_at) for s in shifts
                    if (s.worker_id, s.plan_on) == (worker.id, days[n])],
            away=[RosterTime(from_at=a.from_at, to_at=a.to_at) for a in away
                  if a.worker_id == worker.id and a.from_at < ends[n + 1] and ends[n] < a.to_at],
        )  # fmt: skip

    return RosterView(
        from_on=from_on, now=await care_now(connection),
        workers=[
            RosterRow(worker_id=one.id, name=one.name, days=[day(one, n) for n in range(_WEEK)]) for one in everybody
        ],
    )  # fmt: skip


async def set_days(
    connection: Connection, principal: Principal, days: Sequence[DayShifts], zone_info: ZoneInfo
) -> RosterView:
    """Set days of a roster, all of them or none; answers with the week of the first one.

    Raises unknown_worker, invalid_window, in_the_past, too_far_ahead, shift_too_long, shifts_overlap, stale_version where a
    day is not as it was seen, and shift_holds_visits, which says how many; each names the worker and the day.
    """
    provider_id = own_provider(principal)
    if len({(day.worker_id, day.on) for day in days}) < len(days):
        raise DomainError("invalid_request", "A day of a worker stands there twice.")
    async with as_the_platform(connection):
        await _write(connection, provider_id, [(day, None) for day in days], zone_info)
        return await _week(connection, provider_id, min(day.on for day in days), zone_info)


async def copy_week(connection: Connection, principal: Principal, wanted: CopyWeek, zone_info: ZoneInfo) -> RosterView:
    """Have everybody work in a week as in another one, on days to come that nothing is set for yet. Raises as `set_days` does."""
    provider_id = own_provider(principal)
    async with as_the_platform(connection):
        ids = [one.id for one in await people_queries.own_workers(connection, provider_id)]
        begins, into = wanted.from_on, wanted.to_on
        today = city_date(await care_now(connection), zone_info)
        old = await workers.roster(connection, ids, begins, begins + timedelta(days=_WEEK - 1))
        there = await workers.roster(connection, ids, into, into + timedelta(days=_WEEK - 1))
        taken = {(shift.worker_id, shift.plan_on) for shift in there}
        copies: dict[tuple[UUID, date], list[SetShift]] = {}
        for shift in old:
            moved = _on(shift, shift.plan_on + (into - begins), zone_info)
            if moved.plan_on > today and (moved.worker_id, moved.plan_on) not in taken:
                copies.setdefault((moved.worker_id, moved.plan_on), []).append(moved)
        days = [
            (DayShifts(worker_id, on, [Span(s.from_at, s.to_at) for s in shifts]), shifts)
            for (worker_id, on), shifts in copies.items()
        ]
        await _write(connection, provider_id, days, zone_info)
        return await _week(connection, provider_id, into, zone_info)


def _on(shift: SetShift, on: date, zone_info: ZoneInfo) -> SetShift:
    """A shift at the same times of the clock on another day."""

    def moved(at: datetime) -> datetime:
        return (at.astimezone(zone_info).replace(tzinfo=None) + (on - shift.plan_on)).replace(tzinfo=zone_info)

    return structs.replace(
        shift, plan_on=on, from_at=moved(shift.from_at), to_at=moved(shift.to_at),
        break_from=shift.break_from and moved(shift.break_from), break_to=shift.break_to and moved(shift.break_to),
    )  # fmt: skip


async def _write(
    connection: Connection,
    provider_id: UUID,
    days: Sequence[tuple[DayShifts, Sequence[SetShift] | None]],
    zone_info: ZoneInfo,
) -> None:
    """Set days, each with shifts that are copied or with new ones; the plans they belong to are locked, then the workers.

    Whoever was about to plan somebody into a time that is taken off finds the roster changed.
    """
    everybody = {one.id for one in await people_queries.own_workers(connection, provider_id)}
    ids = sorted({day.worker_id for day, _ in days})
    if not everybody.issuperset(ids):
        raise DomainError("unknown_worker")
    if not ids:
        return
    now = await care_now(connection)
    most = timedelta(seconds=await limit(connection, "shift_most_s", EVERYWHERE))
    last = city_date(now, zone_info) + timedelta(days=await limit(connection, "roster_ahead_days", EVERYWHERE))
    on = [day.on for day, _ in days]
    zones = {shift.zone_id for shift in await workers.roster(connection, ids, min(on), max(on))}
    await tie_queries.lock_plans(connection, await people_queries.plan_ids(connection, sorted(zones), on))
    await scheduling.lock_workers(connection, ids)
    there: dict[tuple[UUID, date], list[SetShift]] = {}
    for shift in await workers.roster(connection, ids, min(on), max(on)):
        there.setdefault((shift.worker_id, shift.plan_on), []).append(shift)
    changed: list[tuple[DayShifts, list[SetShift]]] = []
    for day, copied in days:
        old = there.get((day.worker_id, day.on), [])
        refused = _wrong(day, old, now, most, last, zone_info)
        if refused:
            raise DomainError(refused, **_about(day))
        wanted = sorted((span.from_at, span.to_at) for span in day.spans)
        if wanted != [(shift.from_at, shift.to_at) for shift in old]:
            await _take_off(connection, day, old, wanted)
            changed.append((day, list(copied or await _new(connection, provider_id, day, wanted, old, zone_info))))
    for day, shifts in changed:  # when all that goes is gone: a night that ends earlier makes room for the next morning
        for shift in shifts:
            if await workers.works_beside(connection, day.worker_id, day.on, shift.from_at, shift.to_at):
                raise DomainError("shifts_overlap", **_about(day))
            await workers.insert_shift(connection, shift)


def _about(day: DayShifts) -> dict[str, str]:
    return {"worker_id": str(day.worker_id), "on": day.on.isoformat()}


def _wrong(
    day: DayShifts, old: Sequence[SetShift], now: datetime, most: timedelta, last: date, zone_info: ZoneInfo
) -> str | None:
    """What speaks against a day, as far as that can be told from the day alone."""
    before, after = [(s.from_at, s.to_at) for s in old], sorted((span.from_at, span.to_at) for span in day.spans)
    if day.was is not None and sorted((span.from_at, span.to_at) for span in day.was) != before:
        return "stale_version"
    if any(b <= a or city_date(a, zone_info) != day.on for a, b in after):
        return "invalid_window"
    if any(second[0] < first[1] for first, second in pairwise(after)):
        return "shifts_overlap"
    if sum((b - a for a, b in after), timedelta()) > most:
        return "shift_too_long"
    if day.on > last:
        return "too_far_ahead"
    until_now = [[(a, min(b, now)) for a, b in spans if a < now] for spans in (before, after)]
    return "in_the_past" if until_now[0] != until_now[1] else None


async def _take_off(connection: Connection, day: DayShifts, old: Sequence[SetShift], wanted: Sequence[Times]) -> None:
    """Take the shifts of a day off, unless visits are promised in what is not to be worked any more."""
    if gone := _less([(shift.from_at, shift.to_at) for shift in old], wanted):
        held = await people_queries.visits_in(connection, day.worker_id, gone)
        if held:
            detail = f"{held} promised visits lie in the time that would be cut off; give them to others first."
            raise DomainError("shift_holds_visits", detail, visits=held, **_about(day))
    await workers.delete_shifts(connection, day.worker_id, day.on)


async def _new(
    connection: Connection,
    provider_id: UUID,
    day: DayShifts,
    wanted: Sequence[Times],
    old: Sequence[SetShift],
    zone_info: ZoneInfo,
) -> list[SetShift]:
    """Shifts where their worker is that day or was last, with the break they had where it lies inside."""
    like = old[0] if old else await workers.last_shift(connection, day.worker_id, day.on)
    zone_id = like.zone_id if like else await workers.zone_of_provider(connection, provider_id)
    if zone_id is None:
        raise DomainError("unknown_zone")
    rest = like and _on(like, day.on, zone_info)
    found: list[SetShift] = []
    for from_at, to_at in wanted:
        shift = SetShift(
            id=day.worker_id, worker_id=day.worker_id, zone_id=zone_id, plan_on=day.on, from_at=from_at, to_at=to_at,
            break_from=None, break_to=None, break_s=0,
        )  # fmt: skip
        if rest and rest.break_from and rest.break_to and from_at <= rest.break_from and rest.break_to <= to_at:
            shift = structs.replace(
                shift, break_from=rest.break_from, break_to=rest.break_to, break_s=rest.break_s
            )  # fmt: skip
        found.append(shift)
    return found


def _less(before: Sequence[Times], after: Sequence[Times]) -> list[Times]:
    """What of some times is not in others; both in order, and apart among themselves."""
    left = list(before)
    for begins, ends in after:
        parts = [[(a, min(b, begins)), (max(a, ends), b)] for a, b in left]
        left = [(a, b) for both in parts for a, b in both if a < b]
    return left
