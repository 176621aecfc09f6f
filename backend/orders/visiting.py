"""The visit as the crew reports it: on the way, at the door, done; meals picked up and handed over.

Every report of somebody who is or was in the crew is stored, in the transaction in which the order follows it, and also
when the order does not follow: out of order, repeated, by somebody replaced. Nothing here refuses evidence; whoever checks
out is asked once for what they have left out.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from backend.catalogue.model import MEAL
from backend.core.bounds import Remark
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import handing, ladder, queries, seat_queries, timer_queries
from backend.orders.actions import move, move_seats
from backend.orders.checklists import left_out
from backend.orders.doors import NOBODY_OPENED, stop, wait_for_the_crew
from backend.orders.doubting import OPEN_TO_DOUBT, doubt_others, put_right
from backend.orders.late import Use, begins_at, follow, is_about, left_already, read_again, use_of
from backend.orders.lifecycle import may_begin
from backend.orders.model import AbortReason, Actor, Assignment, AssignmentStatus, Command, Order, OrderStatus
from backend.orders.reviewing import end_without_word, keep_words
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling
from backend.visits import check_queries, digits_queries, plausibility, whereabouts
from backend.visits import evidence_queries as evidence
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
    wait_until: datetime | None = None


class Scene(Struct, frozen=True):
    """What a report meets: the order, the reporting worker's own seat, now or before, and what counted so far."""

    order: Order
    mine: Assignment
    crew: Sequence[Assignment]
    earlier: Sequence[Earlier]
    reason: AbortReason | None = None

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

    def told_since(self, at: datetime, *kinds: Kind) -> bool:
        """Tell whether somebody of the crew has reported one of these that happened after an instant."""
        return any(e.kind in kinds and e.moment.happened_at > at for e in self.earlier)

    @property
    def complete(self) -> bool:
        """Tell whether all the crew is at the door, and nobody has had to leave it."""
        left = any(e.kind is Kind.CHECK_OUT for e in self.earlier)
        return not left and all(seat.status is W.CHECKED_IN for seat in self.crew)


class Abort(Report, frozen=True, kw_only=True):
    """Why a visit is stopped, as a phone reports it or an operator decides it; the remark is for the desk alone."""

    reason: AbortReason
    remark: Remark = ""


async def take(
    connection: Connection, principal: Principal, order_id: UUID, kind: Kind, report: Report, zone_info: ZoneInfo
) -> Taken:
    """Store a worker's report and let the order follow where its state allows.

    Raises unknown_order (404) where the worker never was in the crew, invalid_request (400) for what no phone can mean,
    lines_missing (409) for a check-out, sent at once, of a visit at which something is still to be done, without a reason.
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
        moment = Moment(now, report.device_at, report.offline)
        command = _command(scene, kind, moment) if scene and begun else None
        reason = report.reason if isinstance(report, Abort) else None
        figures = await visits.limits(connection, order.community_code)
        use = None
        if scene and command is None and is_about(order, moment, zone_info, figures):
            told = [e.kind for e in scene.own() if e.kind is not Kind.EN_ROUTE]
            use = use_of(order, scene.mine, crew, kind, moment, told)
        counts = command is not None or use in {Use.SHOWS, Use.JOINS}
        fit = await _digits_fit(connection, scene, kind, report) if scene and begun else None
        ends = command is C.CHECK_OUT and await check_queries.due(connection, order_id, moment.happened_at)
        lacks = command is C.CHECK_OUT and await left_out(connection, order_id, report, moment)
        facts = await _facts(
            connection, order, kind, principal.worker_id, report, moment, scene, figures,
            begun=begun, fits=command is not None, late=use is not None, digits_fit=fit, pre_check_due=ends,
        )  # fmt: skip
        flags = plausibility.judge(facts, figures)
        flags += [Flag.SERVED_TWICE] * (use is Use.TWICE) + [Flag.LINES_MISSING] * lacks
        await visits.insert_record(
            connection, order_id, principal.worker_id, scene.mine.id if scene else None, kind, report,
            distance_m=plausibility.distance_m(facts), flags=[flag.value for flag in flags], counts=counts,
            reason=reason, digits_fit=fit,
        )  # fmt: skip
        if isinstance(report, Abort) and report.remark:
            await keep_words(connection, principal, order, report.remark)
        if scene and scene.in_crew and scene.mine.status is not W.PROPOSED and order.status in OPEN_TO_DOUBT:
            order = await queries.add_flags(connection, order, plausibility.doubts(flags, figures))
        if scene and fit and scene.said(Kind.CHECK_IN):
            order = await put_right(connection, order, scene.mine.id)
        if counts:
            await doubt_others(connection, order, plausibility.contradicted(facts, figures))
        if scene is not None and command is not None:
            order = await _FOLLOW[command](connection, structs.replace(scene, order=order, reason=reason))
        elif scene is not None and use is not None:
            order = await follow(connection, order, scene.mine, use, kind, zone_info, figures)
        elif scene is not None and kind is Kind.NO_ACCESS and is_about(order, moment, zone_info, figures):
            await _stood_there(connection, scene, moment)
        wait_until = await ladder.wait_until(connection, order) if order.status is S.NO_ACCESS else None
        came = await evidence.came(connection, order_id, principal.worker_id)
        return Taken(order, came, counts, flags, wait_until)


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
    digits_fit: bool | None,
    pre_check_due: bool,
) -> plausibility.Facts:
    """Everything the report is held against. Raises invalid_request (400) for a position on no scale."""
    where = order.pickup_place_id if kind is Kind.PICK_UP else None
    place = await visits.place(connection, where or order.place_id)
    plausibility.check_readable(report, place.geometry)
    planned = await scheduling.start_of(connection, order.id)
    earlier = scene.earlier if scene else []
    at_a_place = kind in plausibility.AT_A_PLACE
    stayed = scene.own() if scene and kind in _AFTER_COMING else []
    came = [e.moment for e in stayed if e.kind in {Kind.CHECK_IN, Kind.NO_ACCESS}]
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
        digits_fit=digits_fit,
        pre_check_due=pre_check_due,
    )


async def _digits_fit(connection: Connection, scene: Scene, kind: Kind, report: Report) -> bool | None:
    """Whether a check-in came with the resident's digits; None where it came with none, or too many were guessed."""
    if report.door_code is None or kind is not Kind.CHECK_IN or scene.mine.status is W.PROPOSED:
        return None
    tries = int(await limit(connection, "door_digits_tries", scene.order.community_code))
    return await digits_queries.fit(connection, scene.order.id, report.door_code, tries)


async def contradicted_elsewhere(
    connection: Connection, worker_id: UUID, order_id: UUID, mine: Sequence[Moment], figures: Limits
) -> list[Told]:
    """Find what a worker reported of other visits that cannot be true if `mine` are."""
    if not mine:
        return []
    others = await visits.told_elsewhere(connection, worker_id, order_id, whereabouts.since(mine, figures))
    return whereabouts.contradicted(mine, others, figures)


def _command(scene: Scene, kind: Kind, moment: Moment) -> Command | None:
    """What a report asks of the order; None where the order or the worker's seat is in no state for it.

    A meal is set out for twice, to where it is fetched and to the door; everything else is done once, but for a door: who
    stands at one that nobody opens checks in again when somebody does, or checks out when they cannot wait.
    """
    order, mine = scene.order, scene.mine
    if mine.status is W.CHECKED_IN and (order.status, kind) in _STANDING_THERE:
        return _standing_there(scene, kind, moment)
    if kind is Kind.NO_ACCESS and not _can_be_shut(scene, moment):
        return None
    again = kind is Kind.EN_ROUTE and order.kind == MEAL and mine.status is W.EN_ROUTE
    command = C.SET_OUT_AGAIN if again else _COMMANDS[kind]
    once = kind is Kind.PICK_UP and (order.pickup_place_id is None or scene.said(kind) > 0)
    if once or (again and scene.said(kind) > 1):
        return None
    return command if may_begin(command, Actor.WORKER, order.status, order.kind, mine.status) else None


def _standing_there(scene: Scene, kind: Kind, moment: Moment) -> Command | None:
    """What somebody at the door means who has checked in or has said that nobody opens; None for what is said already.

    A check-in from before that nobody opened, kept on the phone, says nothing of the door since.
    """
    if scene.said(Kind.CHECK_OUT) or kind is Kind.NO_ACCESS:
        return None
    if kind is Kind.CHECK_IN and (
        scene.told_since(moment.happened_at, Kind.NO_ACCESS) or (scene.order.status is S.ARRIVED and not scene.complete)
    ):
        return None
    command = _STANDING_THERE[scene.order.status, kind]
    return command if may_begin(command, Actor.WORKER, scene.order.status, scene.order.kind, W.CHECKED_IN) else None


def _can_be_shut(scene: Scene, moment: Moment) -> bool:
    """Whether the door can be shut although somebody has come: not after they were in by a later report, or have left."""
    own = Scene(scene.order, scene.mine, [scene.mine], scene.own())
    inside = scene if scene.order.status is S.IN_SERVICE else own
    return not inside.told_since(moment.happened_at, Kind.CHECK_IN) and not any(
        seat.status is W.CHECKED_OUT for seat in scene.crew
    )


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
    if order.status not in {S.ARRIVED, S.NO_ACCESS}:
        order = await _step(connection, order, C.CHECK_IN, S.ARRIVED, scene.crew)
    await _seat(connection, order, mine, W.CHECKED_IN)
    await _start(connection, order, mine, ["visit"])
    crew = await seat_queries.assignments_of(connection, order.id)
    if order.status is S.NO_ACCESS or any(a.status is not W.CHECKED_IN for a in crew):
        return order  # one more of the crew at a door that stays shut has not opened it
    return await _enter(connection, order, C.CHECK_IN, crew)


async def _nobody_opens(connection: Connection, scene: Scene) -> Order:
    """Whoever says so stands at the door, with or without a check-in before; the desk goes on from here."""
    order, mine = scene.order, scene.mine
    if order.status in {S.ACCEPTED, S.EN_ROUTE}:
        order = await _step(connection, order, C.NOBODY_OPENS, S.ARRIVED, scene.crew)
    if mine.status is not W.CHECKED_IN:
        await _seat(connection, order, mine, W.CHECKED_IN)
        await _start(connection, order, mine, ["visit", "pickup", "drop"])
    if order.status is S.NO_ACCESS:
        return order
    return await _step(connection, order, C.NOBODY_OPENS, S.NO_ACCESS, scene.crew, NOBODY_OPENED)


async def _opened(connection: Connection, scene: Scene) -> Order:
    """Somebody opens, or has by the desk's word: service starts, unless some of the crew are still to come."""
    order = scene.order
    if order.status is S.NO_ACCESS:
        order = await _step(connection, order, C.OPENED, S.ARRIVED, scene.crew, "door_opened")
    if not scene.complete:
        await wait_for_the_crew(connection, order)
        return order
    return await _enter(connection, order, C.OPENED, scene.crew)


async def _leave(connection: Connection, scene: Scene) -> Order:
    """Who cannot wait any longer is free for the next door; the order, and their part in it, wait for the desk."""
    await _finish(connection, scene.order, scene.mine, ["visit", "pickup", "drop"])
    return scene.order


async def _abort(connection: Connection, scene: Scene) -> Order:
    """The crew stops the visit; one of them says it for all."""
    return await stop(connection, scene.order, C.ABORT, Actor.WORKER, scene.reason or AbortReason.OTHER)


async def _stood_there(connection: Connection, scene: Scene, moment: Moment) -> None:
    """Somebody stood at a shut door, and it is heard of when the order has gone on without them: the desk still looks.

    As with every late report, it is one that could not be sent, or of somebody whom the platform gave up unheard.
    """
    order, unheard = scene.order, moment.offline or scene.mine.status is W.NO_SHOW
    if unheard and scene.mine.status is not W.PROPOSED and order.status in _GIVEN_UP and order.abort_reason is None:
        await ladder.told_late(connection, order)


async def _enter(connection: Connection, order: Order, command: Command, crew: Sequence[Assignment]) -> Order:
    """Service starts; a visit nobody checks out of ends by itself some time after its planned end."""
    order = await _step(connection, order, command, S.IN_SERVICE, crew)
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
    await handing.begin(connection, over)
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
    order, mine = scene.order, scene.mine
    if order.status is S.NO_ACCESS:
        order = await _step(connection, order, C.HAND_OVER, S.ARRIVED, scene.crew, "door_opened")
    order = await _step(connection, order, C.HAND_OVER, S.COMPLETED, scene.crew)
    if mine.status is not W.CHECKED_IN:
        mine = await _seat(connection, order, mine, W.CHECKED_IN)
    await _seat(connection, order, mine, W.CHECKED_OUT)
    await _finish(connection, order, mine, ["pickup", "drop"])
    return await end_without_word(connection, order, C.HAND_OVER) if plausibility.doubted(order.flags) else order


_COMMANDS: Final[Mapping[Kind, Command]] = {
    Kind.EN_ROUTE: C.SET_OUT,
    Kind.CHECK_IN: C.CHECK_IN,
    Kind.CHECK_OUT: C.CHECK_OUT,
    Kind.PICK_UP: C.PICK_UP,
    Kind.HAND_OVER: C.HAND_OVER,
    Kind.NO_ACCESS: C.NOBODY_OPENS,
    Kind.ABORT: C.ABORT,
}
_STANDING_THERE: Final[Mapping[tuple[OrderStatus, Kind], Command]] = {
    (S.NO_ACCESS, Kind.CHECK_IN): C.OPENED,
    (S.ARRIVED, Kind.CHECK_IN): C.OPENED,
    (S.NO_ACCESS, Kind.CHECK_OUT): C.LEAVE,
    (S.NO_ACCESS, Kind.NO_ACCESS): C.NOBODY_OPENS,
}
"""What else a report means by whoever is at the door already."""
_AFTER_COMING: Final = frozenset({Kind.CHECK_OUT, Kind.NO_ACCESS, Kind.ABORT})
_GIVEN_UP: Final = frozenset({S.PLACED, S.OFFERED, S.MANUAL, S.MISSED, S.UNSERVED, S.ABORTED})
_FOLLOW: Final[Mapping[Command, Callable[[Connection, Scene], Awaitable[Order]]]] = {
    C.SET_OUT: _set_out,
    C.SET_OUT_AGAIN: _set_out_again,
    C.CHECK_IN: _check_in,
    C.CHECK_OUT: _check_out,
    C.PICK_UP: _pick_up,
    C.HAND_OVER: _hand_over,
    C.NOBODY_OPENS: _nobody_opens,
    C.OPENED: _opened,
    C.LEAVE: _leave,
    C.ABORT: _abort,
}


async def _step(
    connection: Connection,
    order: Order,
    command: Command,
    after: OrderStatus,
    crew: Sequence[Assignment],
    reason: str | None = None,
) -> Order:
    workers = [a.worker_id for a in crew]
    return await move(
        connection, order, command, after, Actor.WORKER, provider_id=order.provider_id, workers=workers, reason=reason
    )


async def _seat(connection: Connection, order: Order, mine: Assignment, after: AssignmentStatus) -> Assignment:
    (moved,) = await move_seats(connection, order, [mine], after)
    return moved


async def _start(connection: Connection, order: Order, mine: Assignment, kinds: Sequence[str]) -> None:
    await scheduling.start_stops(connection, order.id, mine.worker_id, kinds)
    await scheduling.touch(connection, order.zone_id, order.plan_on)


async def _finish(connection: Connection, order: Order, mine: Assignment, kinds: Sequence[str]) -> None:
    await scheduling.finish_stops(connection, order.id, mine.worker_id, kinds)
    await scheduling.touch(connection, order.zone_id, order.plan_on)
