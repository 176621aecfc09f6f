"""What happens by itself when its time comes: holds lapse, offers expire, searches end, silence is agreement or a task at the desk."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from backend.catalogue.model import MEAL
from backend.database.pool import Connection
from backend.orders import doubting, ladder, offer_queries, queries, seat_queries
from backend.orders.actions import free_stops, give_up, lapse, move, move_seats_in
from backend.orders.doors import NOBODY_OPENED, at_the_door
from backend.orders.late import shown_already
from backend.orders.lifecycle import may_begin
from backend.orders.model import Actor, AssignmentStatus, Command, Order, OrderStatus, Timer
from backend.orders.offering import close_and_return, to_the_desk
from backend.orders.reviewing import end_without_word
from backend.orders.timer_queries import claim, due, failed, lock_for
from backend.orders.visiting import end_unreported
from backend.residents import asking

S = OrderStatus
C = Command
_NOT_THERE_YET = frozenset({AssignmentStatus.ACCEPTED, AssignmentStatus.EN_ROUTE})


async def _begun(connection: Connection, order_id: UUID, command: Command) -> Order | None:
    """The order, locked; None when it has left the states this is for: then nothing happens."""
    order = await queries.order_for_update(connection, order_id)
    return order if may_begin(command, Actor.SYSTEM, order.status, order.kind) else None


async def _hold_expiry(connection: Connection, order_id: UUID) -> None:
    if order := await _begun(connection, order_id, C.EXPIRE_HOLD):
        await lapse(connection, order, C.EXPIRE_HOLD, Actor.SYSTEM, "expired")


async def _offer_expiry(connection: Connection, offer_id: UUID) -> None:
    offer = await offer_queries.offer(connection, offer_id)
    order = await _begun(connection, offer.order_id, C.EXPIRE_OFFER)
    if order and (await offer_queries.offer(connection, offer_id)).status == "open":
        await close_and_return(connection, offer, order, C.EXPIRE_OFFER, "offer_expired")


async def _manual_due(connection: Connection, order_id: UUID) -> None:
    order = await _begun(connection, order_id, C.TO_THE_DESK)
    if order and not order.window_soft:
        await to_the_desk(connection, order, Actor.SYSTEM, "nobody_accepted", order.reasons)


async def _unserved_due(connection: Connection, order_id: UUID) -> None:
    if order := await _begun(connection, order_id, C.GIVE_UP):
        rules = [str(reason.get("rule")) for reason in order.reasons]
        await give_up(connection, order, Actor.SYSTEM, max(set(rules), key=rules.count) if rules else "nobody_accepted")


async def _missed_due(connection: Connection, order_id: UUID) -> None:
    order = await _begun(connection, order_id, C.MISS)
    if order is None:
        return
    absent = await move_seats_in(connection, order, _NOT_THERE_YET, AssignmentStatus.NO_SHOW)
    if order.status is S.ARRIVED and not absent and await _all_there(connection, order):
        crew = await seat_queries.assignments_of(connection, order_id)
        await move(
            connection, order, C.MISS, S.NO_ACCESS, Actor.SYSTEM, provider_id=order.provider_id,
            workers=[seat.worker_id for seat in crew], reason=NOBODY_OPENED,
        )  # fmt: skip
        return
    if order.status is S.ARRIVED:
        given = await to_the_desk(connection, order, Actor.SYSTEM, "crew_incomplete", order.reasons, C.MISS)
        await shown_already(connection, given)
        return
    after, reason = (S.ABORTED, "eat_by_passed") if order.kind == MEAL else (S.MISSED, "no_check_in")
    given = await move(
        connection, order, C.MISS, after, Actor.SYSTEM, provider_id=order.provider_id,
        workers=[a.worker_id for a in absent], reason=reason,
    )  # fmt: skip
    await free_stops(connection, order)
    await shown_already(connection, given)


async def _all_there(connection: Connection, order: Order) -> bool:
    """Whether the crew stands at a door that was to be opened for them, and nobody has said that they are in."""
    crew = await seat_queries.assignments_of(connection, order.id)
    return len(await at_the_door(connection, crew)) == len(crew)


async def _no_access_due(connection: Connection, order_id: UUID) -> None:
    order = await queries.order_for_update(connection, order_id)
    if order.status is S.NO_ACCESS:
        await ladder.climb(connection, order)


async def _missing_out(connection: Connection, order_id: UUID) -> None:
    if order := await _begun(connection, order_id, C.END_UNREPORTED):
        await end_unreported(connection, order)


async def _acceptance_due(connection: Connection, order_id: UUID) -> None:
    if order := await _begun(connection, order_id, C.AGREE_BY_SILENCE):
        await end_without_word(connection, order, C.AGREE_BY_SILENCE)


HANDLERS: Final[dict[str, Callable[[Connection, UUID], Awaitable[None]]]] = {
    "hold_expiry": _hold_expiry,
    "offer_expiry": _offer_expiry,
    "manual_due": _manual_due,
    "unserved_due": _unserved_due,
    "missed_due": _missed_due,
    "missing_out": _missing_out,
    "acceptance_due": _acceptance_due,
    ladder.TIMER: _no_access_due,
    doubting.TIMER: doubting.doubt,
    doubting.TWICE: doubting.served_twice,
    asking.EXPIRY: asking.expire,
}

__all__ = ["HANDLERS", "Timer", "claim", "due", "failed", "lock_for"]
