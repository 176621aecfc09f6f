"""A visit that cannot be carried out: stopped by its crew or ended at the desk, and the desk's word about a shut door.

Whoever stood at the door was there: their part is over as it is after a visit, and their stop ends when it did. Who was
still to come is called off. The resident pays nothing for what was not done.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.orders import queries, seat_queries, timer_queries
from backend.orders.actions import free_stops, move, move_seats, withdraw_crew
from backend.orders.lifecycle import begin
from backend.orders.model import (
    OF_A_SHUT_DOOR,
    OF_A_VISIT,
    SUSPENDING,
    AbortReason,
    Actor,
    Assignment,
    AssignmentStatus,
    Command,
    Order,
    OrderStatus,
)
from backend.residents import queries as residents
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling
from backend.tasks.actions import open_task
from backend.tasks.model import Subject, TaskKind
from backend.visits import queries as visits
from backend.visits.model import Kind

S = OrderStatus
W = AssignmentStatus
C = Command
NOBODY_OPENED: Final = "nobody_opened"
STOPPED: Final = "stopped_at_visit"
"""What everybody hears of why: the reason itself may be a fact of somebody's health, and stands in the order alone."""
_STOPS: Final = ("visit", "pickup", "drop")
_TO_COME: Final = (S.HELD, S.PLACED, S.OFFERED, S.MANUAL, S.ACCEPTED, S.EN_ROUTE)


async def at_the_door(connection: Connection, crew: Sequence[Assignment]) -> list[Assignment]:
    """Return who of a crew is or will be at the door: who has had to leave it has checked out from there."""
    told = await visits.earlier(connection, [seat.id for seat in crew])
    left = {one.assignment_id for one in told if one.kind is Kind.CHECK_OUT}
    return [seat for seat in crew if seat.status is not W.CHECKED_OUT and seat.id not in left]


async def wait_for_the_crew(connection: Connection, order: Order) -> None:
    """Set when an order that has arrived again, and is not begun, goes to the desk or back to its shut door."""
    grace = timedelta(seconds=await limit(connection, "missed_grace_s", order.community_code))
    await timer_queries.set_timer(connection, "missed_due", order.id, await queries.care_now(connection) + grace)


async def stop(connection: Connection, order: Order, command: Command, actor: Actor, reason: AbortReason) -> Order:
    """End a visit that is not carried out: seats, stops and state, in this order of things."""
    begin(command, actor, order.status, order.kind, W.CHECKED_IN if actor is Actor.WORKER else None)
    crew = await seat_queries.assignments_of(connection, order.id)
    came = [seat for seat in crew if seat.status is W.CHECKED_IN]
    await move_seats(connection, order, came, W.CHECKED_OUT)
    await move_seats(connection, order, [seat for seat in crew if seat.status in {W.ACCEPTED, W.EN_ROUTE}], W.WITHDRAWN)
    for seat in came:
        await scheduling.finish_stops(connection, order.id, seat.worker_id, _STOPS)
    ended = await move(
        connection, order, command, S.ABORTED, actor, provider_id=order.provider_id,
        workers=[seat.worker_id for seat in crew], reason=NOBODY_OPENED if order.status is S.NO_ACCESS else STOPPED,
        abort_reason=reason,
    )  # fmt: skip
    await free_stops(connection, order)
    return ended


async def abort(
    connection: Connection, principal: Principal, order_id: UUID, reason: AbortReason, remark: str
) -> Order:
    """An operator ends a visit under way, or the search behind a door that stayed shut, with what was found out.

    Who is in hospital or has died is suspended in the same command. Raises invalid_request (400) for a reason that says
    something else, illegal_transition (409).
    """
    async with as_the_platform(connection):
        if reason in SUSPENDING:  # before the plan, as whoever books locks them
            await residents.lock_resident(connection, (await queries.order(connection, order_id)).resident_id)
        order = await queries.order_for_update(connection, order_id)
        begin(C.ABORT_AT_DESK, Actor.OPERATOR, order.status, order.kind)
        if reason not in (OF_A_SHUT_DOOR if order.status is S.NO_ACCESS else OF_A_VISIT):
            raise DomainError("invalid_request", f"An order that is {order.status} does not end with {reason}.")
        await note(connection, principal, "abort", "order", order_id, f"{reason}: {remark}" if remark else reason.value)
        ended = await stop(connection, order, C.ABORT_AT_DESK, Actor.OPERATOR, reason)
        if reason in SUSPENDING:
            await _suspend(connection, principal, order.resident_id)
        return ended


async def _suspend(connection: Connection, principal: Principal, resident_id: UUID) -> None:
    """Nothing more is booked for the resident; what is booked already, the desk looks at with those who know."""
    if await residents.suspend(connection, resident_id):
        await note(connection, principal, "suspend", "resident", resident_id)
    if await queries.has_orders(connection, resident_id, [status.value for status in _TO_COME]):
        await open_task(connection, TaskKind.SUSPENDED, about=Subject(resident_id=resident_id))


async def door_opened(connection: Connection, principal: Principal, order_id: UUID, reason: str) -> Order:
    """The desk knows that somebody opens now: the crew at the door goes in.

    Raises illegal_transition (409), also where nobody of the crew is there any more or still comes.
    """
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        begin(C.DOOR_OPENED, Actor.OPERATOR, order.status, order.kind)
        crew = await seat_queries.assignments_of(connection, order_id)
        if not await at_the_door(connection, crew):
            raise DomainError(
                "illegal_transition", "Nobody of the crew is at the door any more.", current=order.status.value
            )
        await note(connection, principal, "door_opened", "order", order_id, reason)
        opened = await move(
            connection, order, C.DOOR_OPENED, S.ARRIVED, Actor.OPERATOR, provider_id=order.provider_id,
            workers=[seat.worker_id for seat in crew], reason="door_opened",
        )  # fmt: skip
        await wait_for_the_crew(connection, opened)
        return opened


async def another_time(connection: Connection, principal: Principal, order_id: UUID, reason: str) -> Order:
    """The desk has agreed another time of the same day: a crew is looked for anew, by hand."""
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        begin(C.ANOTHER_TIME, Actor.OPERATOR, order.status, order.kind)
        crew = await withdraw_crew(connection, order)
        await note(connection, principal, "another_time", "order", order_id, reason)
        manual = await move(
            connection, order, C.ANOTHER_TIME, S.MANUAL, Actor.OPERATOR, workers=[seat.worker_id for seat in crew],
            reason=NOBODY_OPENED,
        )  # fmt: skip
        await free_stops(connection, order)
        return manual
