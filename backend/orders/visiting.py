"""The visit as the crew reports it: on the way, at the door, done; meals picked up and handed over.

Every report of somebody who is or was in the crew is stored, in the transaction in which the order follows it, and also
when the order does not follow: out of order, repeated, by somebody replaced. Nothing here refuses evidence.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from backend.catalogue.model import MEAL
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries, seat_queries, timer_queries
from backend.orders.actions import move, move_seats
from backend.orders.doubting import OPEN_TO_DOUBT, doubt_others
from backend.orders.late import Use, begins_at, follow, is_about, left_already, read_again, use_of
from backend.orders.lifecycle import may_begin
from backend.orders.model import Actor, Assignment, AssignmentStatus, Command, Order, OrderStatus
from backend.orders.reviewing import end_without_word
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling
from backend.visits import evidence_queries as evidence
from backend.visits import plausibility, whereabouts
from backend.visits import queries as visits
from backend.visits.model import Earlier, Flag, Kind, Limits, Moment, Report, Told

S = OrderStatus
W = AssignmentStatus
C = Command


class Taken(Struct, frozen=True):
    """What became of a report: the order as it stands, whether the visit is the worker's, whether it followed, what is odd."""

    order: Order
    came: bool
    counts: bool
    flags: list[Flag]


class Scene(Struct, frozen=True):
    """What a report meets: the order, the reporting worker's own seat, now or before, and what counted so far."""

    order: Order
    mine: Assignment
    crew: Sequence[Assignment]
    earlier: Sequence[Earlier]

    @property
    def in_crew(self) -> bool:
        """Tell whether the seat is still the worker's."""
        return self.mine in self.crew

    def fetched_by(self, at: datetime) -> bool:
        """Tell whether this worker's meal had been fetched by an instant, as far as they have reported it."""
        return any(e.kind is Kind.PICK_UP and e.moment.happened_at <= at for e in self.own())

    def own(self) -> list[Earlier]:
        """Return what counted of this worker's reports from this seat."""
        return [e for e in self.earlier if e.assignment_id == self.mine.id]

    def said(self, kind: Kind) -> int:
        """How often this worker has reported that from this seat, and it counted."""
        return sum(e.kind is kind for e in self.own())


async def take(
    connection: Connection, principal: Principal, order_id: UUID, kind: Kind, report: Report, zone_info: ZoneInfo
) -> Taken:
    """Store a worker's report and let the order follow where its state allows.

    Raises unknown_order (404) where the worker never was in the crew, invalid_request (400) for what no phone can mean.
    """
    if principal.worker_id is None:
        raise DomainError("not_allowed")
    report = report.in_wgs84()
    async with as_the_platform(connection):
        if not await visits.had_seat(connection, order_id, principal.worker_id):
            raise DomainError("unknown_order")
        order = await queries.order_for_update(connection, order_id)
        await scheduling.lock_workers(connection, [principal.worker_id])  # two doors at once see each other
        crew = await seat_queries.assignments_of(connection, order_id)
        scene = await _scene(connection, order, crew, principal.worker_id)
        now = await queries.care_now(connection)
        begun = now >= begins_at(order, zone_info)
        command = _command(scene, kind) if scene and begun else None
        moment = Moment(now, report.device_at, report.offline)
        figures = await visits.limits(connection, order.community_code)
        use = None
        if scene and command is None and is_about(order, moment, zone_info, figures):
            told = [e.kind for e in scene.own() if e.kind is not Kind.EN_ROUTE]
            use = use_of(order, scene.mine, crew, kind, moment, told)
        counts = command is not None or use in {Use.SHOWS, Use.JOINS}
        facts = await _facts(
            connection, order, kind, principal.worker_id, report, moment, scene, figures,
            begun=begun, fits=command is not None, late=use is not None,
        )  # fmt: skip
        flags = plausibility.judge(facts, figures) + ([Flag.SERVED_TWICE] if use is Use.TWICE else [])
        await visits.insert_record(
            connection, order_id, principal.worker_id, scene.mine.id if scene else None, kind, report,
            distance_m=plausibility.distance_m(facts), flags=[flag.value for flag in flags], counts=counts,
        )  # fmt: skip
        if scene and scene.in_crew and scene.mine.status is not W.PROPOSED and order.status in OPEN_TO_DOUBT:
            order = await queries.add_flags(connection, order, plausibility.doubts(flags, figures))
        if counts:
            await doubt_others(connection, order, plausibility.contradicted(facts, figures))
        if scene is not None and command is not None:
            order = await _FOLLOW[command](connection, structs.replace(scene, order=order))
        elif scene is not None and use is not None:
            order = await follow(connection, order, scene.mine, use, kind, zone_info, figures)
        return Taken(order, await evidence.came(connection, order_id, principal.worker_id), counts, flags)


async def _scene(connection: Connection, order: Order, crew: Sequence[Assignment], worker_id: UUID) -> Scene | None:
    """What a worker's report meets; who was only proposed never came, and who was sent before speaks from that seat."""
    mine = next((a for a in crew if a.worker_id == worker_id), None)
    if mine is None or mine.status is W.PROPOSED:
        mine = await seat_queries.seat_left(connection, order.id, worker_id) or mine
    if mine is None:
        return None
    return Scene(order, mine, crew, await visits.earlier(connection, [mine.id, *(a.id for a in crew if a != mine)]))


async def _facts(
    connection: Connection,
    order: Order,
    kind: Kind,
    worker_id: UUID,
    report: Report,
    moment: Moment,
    scene: Scene | None,
    figures: Limits,
    *,
    begun: bool,
    fits: bool,
    late: bool,
) -> plausibility.Facts:
    """Everything the report is held against. Raises invalid_request (400) for a position on no scale."""
    where = order.pickup_place_id if kind is Kind.PICK_UP else None
    place = await visits.place(connection, where or order.place_id)
    plausibility.check_readable(report, place.geometry)
    planned = await scheduling.start_of(connection, order.id)
    earlier = scene.earlier if scene else []
    at_a_place = kind in plausibility.AT_A_PLACE
    came = [e.moment for e in scene.own() if e.kind is Kind.CHECK_IN] if scene and kind is Kind.CHECK_OUT else []
    mine = [*came, moment] if at_a_place else []
    return plausibility.Facts(
        kind=kind,
        report=report,
        moment=moment,
        place=place,
        earliest_at=min(order.window_from, planned[0]) if planned else order.window_from,
        ready_at=order.ready_at,
        planned_s=await visits.seat_duration(connection, order.id, scene.mine.seat) if scene else 0,
        earlier=earlier,
        around=await visits.seen_around(connection, worker_id, moment.happened_at) if at_a_place else [],
        elsewhere=await contradicted_elsewhere(connection, worker_id, order.id, mine, figures),
        pick_up_due=order.pickup_place_id is not None and (scene is None or not scene.fetched_by(moment.happened_at)),
        seat=scene.mine.id if scene else None,
        in_crew=scene is not None and scene.in_crew,
        day_begun=begun,
        fits=fits,
        late=late,
    )


async def contradicted_elsewhere(
    connection: Connection, worker_id: UUID, order_id: UUID, mine: Sequence[Moment], figures: Limits
) -> list[Told]:
    """Find what a worker reported of other visits that cannot be true if `mine` are."""
    if not mine:
        return []
    others = await visits.told_elsewhere(connection, worker_id, order_id, whereabouts.since(mine, figures))
    return whereabouts.contradicted(mine, others, figures)


def _command(scene: Scene, kind: Kind) -> Command | None:
    """What a report asks of the order; None where the order or the worker's seat is in no state for it.

    A meal is set out for twice, to where it is fetched and to the door; everything else is done once.
    """
    order, mine = scene.order, scene.mine
    again = kind is Kind.EN_ROUTE and order.kind == MEAL and mine.status is W.EN_ROUTE
    command = C.SET_OUT_AGAIN if again else _COMMANDS[kind]
    once = kind is Kind.PICK_UP and (order.pickup_place_id is None or scene.said(kind) > 0)
    if once or (again and scene.said(kind) > 1):
        return None
    return command if may_begin(command, Actor.WORKER, order.status, order.kind, mine.status) else None


async def _set_out(connection: Connection, scene: Scene) -> Order:
    """The first of a crew moves the order, each moves their own seat."""
    order, mine = scene.order, scene.mine
    await _seat(connection, order, mine, W.EN_ROUTE)
    await _start(connection, order, mine, ["pickup"] if order.pickup_place_id else ["visit"])
    return await _step(connection, order, C.SET_OUT, S.EN_ROUTE, scene.crew) if order.status is S.ACCEPTED else order


async def _set_out_again(connection: Connection, scene: Scene) -> Order:
    """The meal is on its way to the door."""
    await _start(connection, scene.order, scene.mine, ["drop"])
    return scene.order


async def _check_in(connection: Connection, scene: Scene) -> Order:
    """Service starts when all the crew is there."""
    order, mine = scene.order, scene.mine
    if order.status is not S.ARRIVED:
        order = await _step(connection, order, C.CHECK_IN, S.ARRIVED, scene.crew)
    await _seat(connection, order, mine, W.CHECKED_IN)
    await _start(connection, order, mine, ["visit"])
    crew = await seat_queries.assignments_of(connection, order.id)
    if any(a.status is not W.CHECKED_IN for a in crew):
        return order
    order = await _step(connection, order, C.CHECK_IN, S.IN_SERVICE, crew)
    planned = await scheduling.start_of(connection, order.id)
    if planned is not None:
        patience = timedelta(seconds=await limit(connection, "missing_out_after_s", order.community_code))
        await timer_queries.set_timer(connection, "missing_out", order.id, planned[1] + patience)
    return await _leave_as_told(connection, order, crew)


async def _leave_as_told(connection: Connection, order: Order, crew: Sequence[Assignment]) -> Order:
    """Whoever has left by reports that came before the last check-in has left."""
    gone = await left_already(connection, order, crew)
    if gone:
        order = await read_again(connection, order, await visits.limits(connection, order.community_code))
    for seat in gone:
        order = await _check_out(connection, Scene(order, seat, crew, []))
    return order


async def _check_out(connection: Connection, scene: Scene) -> Order:
    """When the last of the crew is done, the resident is asked to confirm."""
    order = scene.order
    await _seat(connection, order, scene.mine, W.CHECKED_OUT)
    await _finish(connection, order, scene.mine, ["visit"])
    crew = await seat_queries.assignments_of(connection, order.id)
    if any(a.status is not W.CHECKED_OUT for a in crew):
        return order
    return await end_of_care(connection, order, C.CHECK_OUT, Actor.WORKER, crew)


async def end_of_care(
    connection: Connection,
    order: Order,
    command: Command,
    actor: Actor,
    crew: Sequence[Assignment],
    flag: str | None = None,
) -> Order:
    """The care is over: the resident is asked to confirm, where the item asks for that; silence is looked at later."""
    workers = [a.worker_id for a in crew]
    over = await move(
        connection,
        order,
        command,
        S.AWAITING_ACCEPTANCE,
        actor,
        provider_id=order.provider_id,
        workers=workers,
        flag=flag,
    )
    if not over.acceptance:
        return await end_without_word(connection, over, command)
    silence = timedelta(seconds=await limit(connection, "silence_is_agreement_s", over.community_code))
    await timer_queries.set_timer(connection, "acceptance_due", over.id, await queries.care_now(connection) + silence)
    return over


async def end_unreported(connection: Connection, order: Order) -> Order:
    """Nobody checked out: the visit ends by itself, flagged, and its crew is free again."""
    crew = await seat_queries.assignments_of(connection, order.id)
    for mine in crew:
        await _finish(connection, order, mine, ["visit"])
    return await end_of_care(connection, order, C.END_UNREPORTED, Actor.SYSTEM, crew, Flag.MISSING_OUT.value)


async def _pick_up(connection: Connection, scene: Scene) -> Order:
    """The meal is in the box."""
    await _finish(connection, scene.order, scene.mine, ["pickup"])
    return scene.order


async def _hand_over(connection: Connection, scene: Scene) -> Order:
    """The meal is at the door: one tap completes the order, unless something about it is doubted."""
    order = await _step(connection, scene.order, C.HAND_OVER, S.COMPLETED, scene.crew)
    mine = await _seat(connection, order, scene.mine, W.CHECKED_IN)
    await _seat(connection, order, mine, W.CHECKED_OUT)
    await _finish(connection, order, mine, ["pickup", "drop"])
    return await end_without_word(connection, order, C.HAND_OVER) if plausibility.doubted(order.flags) else order


_COMMANDS: Final[Mapping[Kind, Command]] = {
    Kind.EN_ROUTE: C.SET_OUT,
    Kind.CHECK_IN: C.CHECK_IN,
    Kind.CHECK_OUT: C.CHECK_OUT,
    Kind.PICK_UP: C.PICK_UP,
    Kind.HAND_OVER: C.HAND_OVER,
}
_FOLLOW: Final[Mapping[Command, Callable[[Connection, Scene], Awaitable[Order]]]] = {
    C.SET_OUT: _set_out,
    C.SET_OUT_AGAIN: _set_out_again,
    C.CHECK_IN: _check_in,
    C.CHECK_OUT: _check_out,
    C.PICK_UP: _pick_up,
    C.HAND_OVER: _hand_over,
}


async def _step(
    connection: Connection, order: Order, command: Command, after: OrderStatus, crew: Sequence[Assignment]
) -> Order:
    workers = [a.worker_id for a in crew]
    return await move(
        connection, order, command, after, Actor.WORKER, provider_id=order.provider_id, workers=workers
    )  # fmt: skip


async def _seat(connection: Connection, order: Order, mine: Assignment, after: AssignmentStatus) -> Assignment:
    (moved,) = await move_seats(connection, order, [mine], after)
    return moved


async def _start(connection: Connection, order: Order, mine: Assignment, kinds: Sequence[str]) -> None:
    await scheduling.start_stops(connection, order.id, mine.worker_id, kinds)
    await scheduling.touch(connection, order.zone_id, order.plan_on)


async def _finish(connection: Connection, order: Order, mine: Assignment, kinds: Sequence[str]) -> None:
    await scheduling.finish_stops(connection, order.id, mine.worker_id, kinds)
    await scheduling.touch(connection, order.zone_id, order.plan_on)
