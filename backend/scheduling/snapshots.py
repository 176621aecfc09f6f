"""One zone's day in memory: rows become a planning problem and a plan, keyed by the plan's version."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import structlog
from msgspec import Struct

from backend.core.clock import day_origin
from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.rules.queries import EVERYWHERE, figures
from backend.scheduling import queries, tie_queries
from backend.scheduling.leave import missed, without_missed
from backend.scheduling.model import Aside, PlanRow, StopRow, VisitRow
from backend.scheduling.pinning import pinned
from backend.scheduling.sifting import able, places_of, sift, tied
from backend.scheduling.travel import ZoneTravel
from backend.workers.queries import ShiftRow, shifts_of
from dispatch import Break, Delivery, Link, Plan, Prepared, Problem, Seat, Shift, Stop, Visit, Weights, Worker

POLICIES = ("best", "nearest")
_MOST_DAYS = 400
_RETRY_AFTER_S = 5  # a process that compiles its kernels first needs a minute or two
_NOT_YET = UUID(int=0)  # the plan of a day for which nothing was booked
_BROKEN_S = 3600  # how much later still a late visit may be planned
_WEIGHS = "weigh_"  # what the codes of such rules begin with
_OPEN = frozenset({"en_route", "arrived", "in_service", "no_access"})
log = structlog.get_logger()


class Roster(Struct, frozen=True):
    """Who works in one zone on one day; their places come first among the day's places, so they keep their numbers."""

    version: int
    shifts: Sequence[ShiftRow]
    places: list[UUID]
    workers: tuple[Worker, ...]
    providers: frozenset[str]
    modes: frozenset[str]
    weights: Weights  # what planning weighs on that day, kept here because it changes as seldom as who works


class DayRows(Struct, frozen=True):
    """What was read for one zone and day, at one plan version."""

    zone_id: UUID
    plan_on: date
    plan: PlanRow
    roster: Roster
    stops: Sequence[StopRow]
    visits: Sequence[VisitRow]
    busy: Sequence[StopRow] = ()  # times of workers that belong to what is set aside
    missed: frozenset[UUID] = frozenset()  # stops whose crew is not complete any more: another one is looked for
    aside: Sequence[Aside] = ()  # what could not be planned as it stands


class Day(Struct, frozen=True):
    """The same as the planner sees it; ids of places and workers are positions and text."""

    rows: DayRows
    origin: datetime
    now_s: int
    place_ids: list[UUID]
    problem: Problem
    plan: Plan

    @property
    def searchable(self) -> Problem:
        """The problem without what is on an operator's desk: a search must not reserve workers for it.

        On the desk is also a door that stays shut, once its crew has had to leave.
        """
        desk = self._unserved("manual") | self._unserved("no_access")
        visits = tuple(visit for visit in self.problem.visits if visit.id not in desk)
        return msgspec.structs.replace(self.problem, visits=visits)

    @property
    def waiting(self) -> list[Visit]:
        """Visits of placed orders that nobody is planned for yet."""
        nobody = self._unserved("placed")
        return [visit for visit in self.problem.visits if visit.id in nobody] if nobody else []

    def _unserved(self, status: str) -> set[str]:
        """Orders of a status that nobody is planned for."""
        return {str(visit.order_id) for visit in self.rows.visits if visit.status == status} & set(self.plan.unserved)

    def seconds(self, instant: datetime) -> int:
        """Seconds from the day's 03:00 to an instant."""
        return int((instant - self.origin).total_seconds())

    def instant(self, seconds: int) -> datetime:
        """The instant so many seconds after the day's 03:00."""
        return self.origin + timedelta(seconds=seconds)

    def place(self, place_id: UUID) -> int:
        """Position of a place in the travel matrices."""
        return self.place_ids.index(place_id)


class Reading(Struct, frozen=True):
    """A zone's day as it was read, with all that is needed to think about it when the connection is back."""

    rows: DayRows
    now: datetime
    origin: datetime
    place_ids: list[UUID]
    travel: ZoneTravel

    def built(self) -> Day:
        """The day as the planner sees it. Its work is no work for somebody who holds a connection."""
        return _build(self)


class Planner:
    """Keeps the days somebody asked about, and reads them again when their plan version has moved on."""

    def __init__(self, time_zone: str, policy: str = "best", warm: asyncio.Event | None = None) -> None:
        """`warm`: set when this process can plan. Raises ValueError for the policy."""
        if policy not in POLICIES:
            raise ValueError(policy)
        self.policy = policy
        self._warm = warm
        self._zone_info = ZoneInfo(time_zone)
        self._travel: dict[UUID, ZoneTravel] = {}
        self._days: dict[tuple[UUID, date], DayRows] = {}
        self._rosters: dict[tuple[UUID, date], Roster] = {}
        self._prepared: dict[tuple[UUID, date], tuple[DayRows, int, Prepared]] = {}

    @property
    def ready(self) -> bool:
        """Whether this process can plan yet."""
        return self._warm is None or self._warm.is_set()

    def refuse_until_ready(self) -> None:
        """Raise not_ready until this process can plan: before anything is read, where nothing else can be answered."""
        if not self.ready:
            raise DomainError("not_ready", retry_after_s=_RETRY_AFTER_S)

    @property
    def zone_info(self) -> ZoneInfo:
        """The city's time zone."""
        return self._zone_info

    async def read(
        self,
        connection: Connection,
        zone_id: UUID,
        plan_on: date,
        now: datetime,
        *,
        plan: PlanRow | None = None,
        places: Sequence[UUID] = (),
    ) -> Reading:
        """Read the zone's day as of now; `places` are further places the caller wants travel to.

        Raises DomainError until this process can plan: whoever asks holds a connection, and nobody waits holding one;
        and unreachable_place where the zone knows no way to one of the places.
        """
        self.refuse_until_ready()
        rows = await self.rows(connection, zone_id, plan_on, plan)
        travel = await self._ways(connection, zone_id)
        if await travel.know(connection, places):
            raise DomainError("unreachable_place")
        place_ids = list(
            dict.fromkeys(
                rows.roster.places
                + [place for v in rows.visits for place in (v.place_id, v.pickup_place_id) if place]
                + [stop.place_id for stop in rows.stops]
                + list(places)
            )
        )
        await travel.know(connection, place_ids)
        return Reading(rows, now, day_origin(plan_on, self._zone_info), place_ids, travel)

    async def rows(self, connection: Connection, zone_id: UUID, plan_on: date, plan: PlanRow | None = None) -> DayRows:
        """What can be read of the zone's day, and what had to be set aside."""
        if plan is None:
            plan = await queries.plan(connection, zone_id, plan_on)
        if plan is None:
            plan = PlanRow(_NOT_YET, 0, 0, await queries.roster_version(connection), 0)
        travel = await self._ways(connection, zone_id)
        roster = await self._roster(connection, travel, zone_id, plan_on, plan.roster)
        rows = self._days.get((zone_id, plan_on))
        if rows is None or rows.roster is not roster or (rows.plan.id, rows.plan.stamp) != (plan.id, plan.stamp):
            origin = day_origin(plan_on, self._zone_info)
            rows = await _read(connection, travel, DayRows(zone_id, plan_on, plan, roster, (), ()), origin)
            if len(self._days) > _MOST_DAYS:
                self._days.clear()
                self._rosters.clear()
                self._prepared.clear()
            self._days[zone_id, plan_on] = rows
        return rows

    async def goes_on(self, connection: Connection, read: Reading, until: datetime) -> bool:
        """Whether a shift of the plan day before one that was read goes on after an instant: a night is one plan's."""
        rows = read.rows
        before = rows.plan_on - timedelta(days=1)
        roster = await self._roster(connection, read.travel, rows.zone_id, before, rows.plan.roster)
        return any(shift.to_at > until for shift in roster.shifts)

    async def _ways(self, connection: Connection, zone_id: UUID) -> ZoneTravel:
        travel = self._travel.get(zone_id)
        if travel is None:
            travel = self._travel[zone_id] = await ZoneTravel.load(connection, zone_id)
        elif travel.full:
            travel = self._travel[zone_id] = travel.afresh()
        return travel

    def prepared(self, day: Day) -> Prepared:
        """The day's plan ready to be asked about; kept until the plan, or what is known of the present, has changed."""
        key = (day.rows.zone_id, day.rows.plan_on)
        kept = self._prepared.get(key)
        if kept is None or kept[0] is not day.rows or kept[1] != day.now_s:
            kept = self._prepared[key] = (day.rows, day.now_s, Prepared(day.problem, day.plan))
        return kept[2]

    async def _roster(
        self, connection: Connection, travel: ZoneTravel, zone_id: UUID, plan_on: date, version: int
    ) -> Roster:
        """Who works that day, as of a version of all rosters."""
        kept = self._rosters.get((zone_id, plan_on))
        if kept is None or kept.version != version:
            origin = day_origin(plan_on, self._zone_info)
            shifts = await _shifts(connection, travel, zone_id, plan_on, origin)
            weights = _weights(await figures(connection, _WEIGHS, EVERYWHERE))
            kept = self._rosters[zone_id, plan_on] = _rostered(shifts, origin, version, weights)
        return kept


def _weights(figures: dict[str, float]) -> Weights:
    whole = {name: int(figure) if figure.is_integer() else figure for name, figure in figures.items()}
    return msgspec.convert(whole, Weights)


def _rostered(shifts: Sequence[ShiftRow], origin: datetime, version: int, weights: Weights) -> Roster:
    places = list(dict.fromkeys(place for s in shifts for place in (s.start_place_id, s.end_place_id) if place))
    index = {place_id: i for i, place_id in enumerate(places)}
    return Roster(
        version, shifts, places, workers_of(shifts, index, origin),
        frozenset(str(shift.provider_id) for shift in shifts), frozenset(shift.travel_mode for shift in shifts),
        weights,
    )  # fmt: skip


async def _shifts(
    connection: Connection, travel: ZoneTravel, zone_id: UUID, plan_on: date, origin: datetime
) -> list[ShiftRow]:
    """Who can be planned that day; whoever cannot is told, and the others work."""
    read = await shifts_of(connection, zone_id, plan_on, plan_on)
    named = [place for shift in read.rows for place in (shift.start_place_id, shift.end_place_id) if place]
    unknown = await travel.know(connection, list(dict.fromkeys(named)))
    modes = {shift.travel_mode for shift in read.rows if travel.knows_mode(shift.travel_mode)}
    shifts = able(read.rows, unknown, modes, origin)
    able_to = {shift.worker_id for shift in shifts}
    left_out = {error.key for error in read.spoilt} | {s.worker_id for s in read.rows if s.worker_id not in able_to}
    for worker_id in left_out:
        log.error("planning.shift_left_out", worker=str(worker_id), zone=str(zone_id), plan_on=str(plan_on))
    return shifts


async def _read(connection: Connection, travel: ZoneTravel, empty: DayRows, origin: datetime) -> DayRows:
    zone_id, plan_on = empty.zone_id, empty.plan_on
    at_work = [UUID(worker.id) for worker in empty.roster.workers]
    stops = await queries.live_stops(connection, empty.plan.id, zone_id, plan_on, at_work)
    with_orders = {stop.order_id for stop in stops.rows if stop.order_id}
    visits = await queries.visits(connection, zone_id, plan_on, list(with_orders))
    unknown = await travel.know(connection, places_of(visits.rows, stops.rows))
    spoilt = [error.key for error in (*stops.spoilt, *visits.spoilt) if error.key]
    statuses = await queries.statuses(connection, spoilt) if spoilt else {}
    if empty.plan.beside:
        visits = tied(visits, await tie_queries.bounds_of_ties(connection, zone_id, plan_on))
    sifted = sift(stops, visits, statuses, unknown, origin)
    for order in sifted.aside:
        log.error("planning.order_set_aside", order=str(order.order_id), reason=order.why, zone=str(zone_id))
    return msgspec.structs.replace(
        empty, stops=sifted.stops, visits=sifted.visits, busy=sifted.busy, aside=sifted.aside,
        missed=missed(sifted.stops, {shift.worker_id for shift in empty.roster.shifts}),
    )  # fmt: skip


def _build(read: Reading) -> Day:
    rows, now, origin, place_ids, travel = read.rows, read.now, read.origin, read.place_ids, read.travel
    index = {place_id: i for i, place_id in enumerate(place_ids)}
    now_s = max(0, math.ceil((now - origin).total_seconds()))
    workers = without_missed(rows.roster.workers, rows.stops, rows.missed, origin)
    routes, anchors = _routes(rows, workers, index, origin, now_s)
    _keep_busy(rows, routes, anchors, {w.id: w for w in workers}, index, origin, now_s)
    workers, visits = pinned(workers, _visits(rows, index, origin), rows.visits, rows.stops, rows.missed)
    problem = Problem(
        workers=workers,
        visits=(*visits, *anchors),
        links=tuple(_links(rows)),
        travel={mode: travel.between(place_ids, mode) for mode in rows.roster.modes},
        now_s=now_s,
        weights=rows.roster.weights,
    )
    served = {stop.visit for route in routes.values() for stop in route}
    unserved = tuple(visit.id for visit in problem.visits if visit.id not in served)
    return Day(rows, origin, now_s, place_ids, problem, Plan(routes=routes, unserved=unserved))


def _links(rows: DayRows) -> Iterator[Link]:
    """The gaps between visits. Where the later one has begun first, the other one waits until it is over.

    Nobody receives two services at once, also when the order of things was not kept.
    """
    begun = {stop.order_id for stop in rows.stops if stop.started}
    for visit in rows.visits:
        for link in visit.links:
            if visit.order_id in begun and link.before_id not in begun:
                yield Link(str(visit.order_id), str(link.before_id), 0, None, from_end=True)
            else:
                before, after = str(link.before_id), str(visit.order_id)
                yield Link(before, after, link.min_gap_s, link.max_gap_s, link.gap_from == "end")


def workers_of(shifts: Sequence[ShiftRow], index: dict[UUID, int], origin: datetime) -> tuple[Worker, ...]:
    """The workers of some shifts as the planner sees them; `index` says which position a place has."""

    def at(instant: datetime) -> int:
        return int((instant - origin).total_seconds())

    by_worker: dict[UUID, list[ShiftRow]] = {}
    for shift in shifts:
        by_worker.setdefault(shift.worker_id, []).append(shift)
    return tuple(
        Worker(
            id=str(worker_id),
            provider=str(mine[0].provider_id),
            skills=frozenset(mine[0].skills),
            gender=mine[0].gender,
            mode=mine[0].travel_mode,
            start_place=index[mine[0].start_place_id],
            end_place=index[mine[-1].end_place_id] if mine[-1].end_place_id else None,
            shifts=tuple(Shift(at(s.from_at), at(s.to_at)) for s in sorted(mine, key=lambda s: s.from_at)),
            breaks=tuple(
                Break(at(s.break_from), at(s.break_to), s.break_s) for s in mine if s.break_from and s.break_to
            ),
            box_capacity=mine[0].box_capacity,
        )
        for worker_id, mine in by_worker.items()
    )


def seat_gender(gender_rule: str, gender_wish: str, resident_gender: str) -> str | None:
    """The gender a seat must have: the resident's wish, else the item's rule, else any."""
    if gender_wish != "any":
        return gender_wish
    return resident_gender if gender_rule == "same" else None


def _visits(rows: DayRows, index: dict[UUID, int], origin: datetime) -> list[Visit]:
    def at(instant: datetime) -> int:
        return int((instant - origin).total_seconds())

    planned: dict[UUID, int] = {}
    for stop in rows.stops:
        if stop.order_id and stop.kind != "pickup" and stop.id not in rows.missed:
            planned[stop.order_id] = max(at(stop.from_at), planned.get(stop.order_id, 0))
    everyone = rows.roster.providers
    found: list[Visit] = []
    for v in rows.visits:
        if v.status not in queries.LIVE_STATUSES:
            continue  # over: its last stop only says where the worker stands
        refused = {str(p) for p in v.declined_by} | {str(p) for p in v.expired_by if v.expired_by.count(p) > 1}
        providers = frozenset({str(v.provider_id)}) if v.provider_id else (everyone - refused if refused else None)
        delivery = None
        if v.pickup_place_id:
            ready_s = at(v.ready_at or v.window_from)
            delivery = Delivery(index[v.pickup_place_id], ready_s, v.pickup_s, v.max_ride_s)
        latest_s = at(v.latest_at) if v.window_soft else at(v.window_to)
        due_s = at(v.window_to) if v.window_soft else None
        earliest_s = max(at(v.window_from), at(v.not_before) if v.not_before else 0)
        latest_s = max(earliest_s, min(latest_s, at(v.not_after) if v.not_after else latest_s))
        latest_s = (
            min(latest_s, at(v.room_until)) if v.room_until else latest_s
        )  # no time at all where there is no room
        if planned.get(v.order_id, 0) > latest_s:  # the promise is broken already: late is better than never
            latest_s, due_s = planned[v.order_id] + _BROKEN_S, at(min(v.window_to, v.not_after or v.window_to))
        found.append(
            Visit(
                id=str(v.order_id),
                place=index[v.place_id],
                seats=tuple(
                    Seat(
                        frozenset(s.skills), s.duration_s, seat_gender(s.gender_rule, v.gender_wish, v.resident_gender)
                    )
                    for s in v.seats
                ),
                earliest_s=earliest_s,
                latest_s=latest_s,
                due_s=due_s,
                delivery=delivery,
                providers=providers,
                refused_workers=frozenset(str(worker) for worker in v.refused_workers),
            )
        )
    return found


def _routes(
    rows: DayRows, workers: Sequence[Worker], index: dict[UUID, int], origin: datetime, now_s: int
) -> tuple[dict[str, tuple[Stop, ...]], list[Visit]]:
    """Routes with what is under way locked at its real times; a finished stop stays as the place its worker stands at."""

    def at(instant: datetime) -> int:
        return int((instant - origin).total_seconds())

    statuses = {visit.order_id: visit.status for visit in rows.visits}
    durations = {(v.order_id, seat.number): seat.duration_s for v in rows.visits for seat in v.seats}
    crew_start: dict[UUID, int] = {}
    for stop in rows.stops:
        if stop.order_id and stop.kind == "visit":  # whoever is at the door waits for those who are not
            came = at(stop.arrived_at) if stop.arrived_at else max(at(stop.from_at), now_s)
            crew_start[stop.order_id] = max(came, crew_start.get(stop.order_id, 0))
    routes: dict[str, list[Stop]] = {worker.id: [] for worker in workers}
    anchors: list[Visit] = []
    for s in rows.stops:
        worker = str(s.worker_id)
        over = s.left_at is None and s.order_id is not None and statuses.get(s.order_id) not in queries.LIVE_STATUSES
        if worker not in routes or over or s.id in rows.missed:
            continue
        place = index[s.place_id]
        start, end = at(s.from_at), at(s.to_at)
        if s.left_at is not None and not (s.kind == "pickup" and s.order_id and statuses.get(s.order_id) in _OPEN):
            end = max(1, at(s.left_at))
            start = min(start, end - 1)
            anchor = f"at:{s.id}"
            anchors.append(Visit(anchor, place, (Seat(frozenset(), end - start),), start, start))
            routes[worker].append(Stop(worker, "visit", anchor, 0, place, start, end, locked=True))
            continue
        if s.started:
            duration = end - start
            if s.kind == "visit" and s.order_id:
                start = crew_start[s.order_id]
                duration = durations[s.order_id, s.seat]
            # a fetch or hand-over under way is taken to have begun as planned: no phone reports its beginning
            end = at(s.left_at) if s.left_at else max(start + duration, now_s, 1)
            start = min(start, end - 1)
        visit = str(s.order_id) if s.order_id else ""
        routes[worker].append(Stop(worker, s.kind, visit, s.seat - 1, place, start, end, locked=s.started))
    # what has begun comes first: a worker already on the way elsewhere goes there before anything else
    ordered = {
        worker: sorted(stops, key=lambda s: (not s.locked, s.start_s)) if len(stops) > 1 else stops
        for worker, stops in routes.items()
    }
    return {worker: _one_after_another(stops) if stops else () for worker, stops in ordered.items()}, anchors


def _keep_busy(
    rows: DayRows,
    routes: dict[str, tuple[Stop, ...]],
    anchors: list[Visit],
    workers: dict[str, Worker],
    index: dict[UUID, int],
    origin: datetime,
    now_s: int,
) -> None:
    """Whoever counts on an order that was set aside stays free for it at its time: nobody else may do it in the plan."""
    for row in rows.busy:
        worker = workers.get(str(row.worker_id))
        start = max(int((row.from_at - origin).total_seconds()), 0 if row.started else now_s)
        end = max(int((row.to_at - origin).total_seconds()), now_s if row.started else 0)
        if worker is None or end <= start:
            continue
        place = index.get(row.place_id, worker.start_place)
        others = frozenset(workers.keys() - {worker.id})
        name = f"at:{row.id}"
        anchors.append(Visit(name, place, (Seat(frozenset(), end - start),), start, start, refused_workers=others))
        stop = Stop(worker.id, "visit", name, 0, place, start, end, locked=row.started)
        mine = [*routes[worker.id], stop]
        routes[worker.id] = _one_after_another(sorted(mine, key=lambda s: (not s.locked, s.start_s)))


def _one_after_another(stops: Sequence[Stop]) -> tuple[Stop, ...]:
    """Who sets out for the next door has left the last one, whether or not the phone has said so."""
    apart: list[Stop] = []
    for stop in stops:
        if apart and apart[-1].locked and stop.locked and apart[-1].end_s > stop.start_s:
            before = apart[-1]
            apart[-1] = msgspec.structs.replace(before, end_s=max(before.start_s + 1, stop.start_s))
            start = max(stop.start_s, apart[-1].end_s)
            apart.append(msgspec.structs.replace(stop, start_s=start, end_s=max(stop.end_s, start + 1)))
        else:
            apart.append(stop)
    return tuple(apart)
