"""The visit as the crew reports it: on the way, at the door, done; meals picked up and handed over."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from backend.catalogue.model import MEAL
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries
from backend.orders.actions import move, move_seats
from backend.orders.lifecycle import begin
from backend.orders.model import Actor, Assignment, AssignmentStatus, Command, Order, OrderStatus
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling
from backend.visits.queries import Report, distance_to_place_m, insert_record

S = OrderStatus
W = AssignmentStatus
C = Command


async def en_route(connection: Connection, principal: Principal, order_id: UUID, report: Report) -> Order:
    """The worker sets out; the first of a crew moves the order, each moves its own seat."""
    order, mine, crew = await _mine(connection, principal, order_id)
    command = C.SET_OUT_AGAIN if order.kind == MEAL and mine.status is W.EN_ROUTE else C.SET_OUT
    _begin(command, order, mine)
    async with as_the_platform(connection):
        await insert_record(connection, order_id, mine.worker_id, "en_route", report, [])
        if command is C.SET_OUT_AGAIN:
            await _start(connection, order, mine, ["drop"])
            return order
        await _seat(connection, order, mine, W.EN_ROUTE)
        await _start(connection, order, mine, ["pickup"] if order.pickup_place_id else ["visit"])
        return await _step(connection, order, command, S.EN_ROUTE, crew) if order.status is S.ACCEPTED else order


async def check_in(connection: Connection, principal: Principal, order_id: UUID, report: Report) -> Order:
    """The worker is at the door; out of range is flagged, never blocked. Service starts when all the crew is there."""
    order, mine, crew = await _mine(connection, principal, order_id)
    _begin(C.CHECK_IN, order, mine)
    async with as_the_platform(connection):
        flags = await _range_flags(connection, order, report)
        await insert_record(connection, order_id, mine.worker_id, "check_in", report, flags)
        if order.status is not S.ARRIVED:
            order = await _step(connection, order, C.CHECK_IN, S.ARRIVED, crew, flag=flags[0] if flags else None)
        await _seat(connection, order, mine, W.CHECKED_IN)
        await _start(connection, order, mine, ["visit"])
        crew = await queries.assignments_of(connection, order_id)
        if all(a.status is W.CHECKED_IN for a in crew):
            order = await _step(connection, order, C.CHECK_IN, S.IN_SERVICE, crew)
            planned = await scheduling.start_of(connection, order_id)
            if planned is not None:
                patience = timedelta(seconds=await limit(connection, "missing_out_after_s"))
                await queries.set_timer(connection, "missing_out", order_id, planned[1] + patience)
        return order


async def check_out(connection: Connection, principal: Principal, order_id: UUID, report: Report) -> Order:
    """The worker is done; when the last of the crew is, the resident is asked to confirm."""
    order, mine, _ = await _mine(connection, principal, order_id)
    _begin(C.CHECK_OUT, order, mine)
    async with as_the_platform(connection):
        await insert_record(connection, order_id, mine.worker_id, "check_out", report, [])
        await _seat(connection, order, mine, W.CHECKED_OUT)
        await _finish(connection, order, mine, ["visit"])
        crew = await queries.assignments_of(connection, order_id)
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
    """The care is over: the resident is asked to confirm, where the item asks for that; silence becomes agreement."""
    workers = [a.worker_id for a in crew]
    over = await move(
        connection, order, command, S.AWAITING_ACCEPTANCE, actor, provider_id=order.provider_id, workers=workers,
        flag=flag,
    )  # fmt: skip
    if not over.acceptance:
        return await move(
            connection, over, command, S.COMPLETED, Actor.SYSTEM, provider_id=over.provider_id, workers=workers
        )
    silence = timedelta(seconds=await limit(connection, "silence_is_agreement_s"))
    await queries.set_timer(connection, "acceptance_due", over.id, await queries.care_now(connection) + silence)
    return over


async def end_unreported(connection: Connection, order: Order) -> Order:
    """Nobody checked out: the visit ends by itself, flagged, and its crew is free again."""
    crew = await queries.assignments_of(connection, order.id)
    for mine in crew:
        await _finish(connection, order, mine, ["visit"])
    return await end_of_care(connection, order, C.END_UNREPORTED, Actor.SYSTEM, crew, "MISSING_OUT")


async def pick_up(connection: Connection, principal: Principal, order_id: UUID, report: Report) -> Order:
    """The meal is in the box."""
    order, mine, _ = await _mine(connection, principal, order_id)
    _begin(C.PICK_UP, order, mine)
    async with as_the_platform(connection):
        await insert_record(connection, order_id, mine.worker_id, "pick_up", report, [])
        await _finish(connection, order, mine, ["pickup"])
        return order


async def hand_over(connection: Connection, principal: Principal, order_id: UUID, report: Report) -> Order:
    """The meal is at the door: one tap completes the order."""
    order, mine, crew = await _mine(connection, principal, order_id)
    _begin(C.HAND_OVER, order, mine)
    async with as_the_platform(connection):
        await insert_record(connection, order_id, mine.worker_id, "hand_over", report, [])
        order = await _step(connection, order, C.HAND_OVER, S.COMPLETED, crew)
        mine = await _seat(connection, order, mine, W.CHECKED_IN)
        await _seat(connection, order, mine, W.CHECKED_OUT)
        await _finish(connection, order, mine, ["pickup", "drop"])
        return order


def _begin(command: Command, order: Order, mine: Assignment) -> None:
    begin(command, Actor.WORKER, order.status, order.kind, mine.status)


async def _mine(
    connection: Connection, principal: Principal, order_id: UUID
) -> tuple[Order, Assignment, list[Assignment]]:
    """The order, the asking worker's seat and the whole crew; somebody else's order is unknown to them."""
    if principal.worker_id is None:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        crew = await queries.assignments_of(connection, order_id)
    mine = next((a for a in crew if a.worker_id == principal.worker_id), None)
    if mine is None:
        raise DomainError("unknown_order")
    return order, mine, crew


async def _step(
    connection: Connection,
    order: Order,
    command: Command,
    after: OrderStatus,
    crew: Sequence[Assignment],
    flag: str | None = None,
) -> Order:
    return await move(
        connection, order, command, after, Actor.WORKER, provider_id=order.provider_id,
        workers=[a.worker_id for a in crew], flag=flag,
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


async def _range_flags(connection: Connection, order: Order, report: Report) -> list[str]:
    if report.x is None or report.y is None:
        return ["NO_POSITION"]
    distance = await distance_to_place_m(connection, order.place_id, report.x, report.y)
    radius = await limit(connection, "check_in_radius_m")
    return ["OUT_OF_RANGE"] if distance is not None and distance > radius else []
