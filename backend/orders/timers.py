"""What happens by itself when its time comes: holds lapse, offers expire, searches end, silence becomes agreement."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from backend.catalogue.model import MEAL
from backend.database.pool import Connection
from backend.orders import queries
from backend.orders.actions import accept_for_resident, free_stops, give_up, lapse, move, tell_crew
from backend.orders.model import Actor, AssignmentStatus, Order, OrderStatus
from backend.orders.offering import close_and_return, to_the_desk
from backend.orders.queries import Timer, claim, due, failed, tidy
from backend.orders.visiting import end_unreported

S = OrderStatus
_NOT_THERE_YET = (AssignmentStatus.ACCEPTED, AssignmentStatus.EN_ROUTE)


async def _order(connection: Connection, order_id: UUID) -> Order:
    return await queries.order_for_update(connection, order_id)


async def _hold_expiry(connection: Connection, order_id: UUID) -> None:
    order = await _order(connection, order_id)
    if order.status is S.HELD:
        await lapse(connection, order, Actor.SYSTEM, "expired")


async def _offer_expiry(connection: Connection, offer_id: UUID) -> None:
    offer = await queries.offer(connection, offer_id)
    if offer.status == "open":
        order = await _order(connection, offer.order_id)
        await close_and_return(connection, offer, order, "expired", "offer_expired")


async def _manual_due(connection: Connection, order_id: UUID) -> None:
    order = await _order(connection, order_id)
    if order.status in {S.PLACED, S.OFFERED} and not order.window_soft:
        await to_the_desk(connection, order, Actor.SYSTEM, "nobody_accepted", order.reasons)


async def _unserved_due(connection: Connection, order_id: UUID) -> None:
    order = await _order(connection, order_id)
    if order.status in {S.PLACED, S.OFFERED, S.MANUAL}:
        rules = [str(reason.get("rule")) for reason in order.reasons]
        await give_up(connection, order, Actor.SYSTEM, max(set(rules), key=rules.count) if rules else "nobody_accepted")


async def _missed_due(connection: Connection, order_id: UUID) -> None:
    order = await _order(connection, order_id)
    if order.status is S.ARRIVED:
        absent = await queries.set_assignments(connection, order_id, _NOT_THERE_YET, AssignmentStatus.NO_SHOW)
        await tell_crew(connection, order, absent)
        await to_the_desk(connection, order, Actor.SYSTEM, "crew_incomplete", order.reasons)
    if order.status in {S.ACCEPTED, S.EN_ROUTE}:
        crew = await queries.set_assignments(connection, order_id, _NOT_THERE_YET, AssignmentStatus.NO_SHOW)
        await tell_crew(connection, order, crew)
        after, reason = (S.ABORTED, "eat_by_passed") if order.kind == MEAL else (S.MISSED, "no_check_in")
        await move(
            connection, order, after, Actor.SYSTEM, provider_id=order.provider_id,
            workers=[a.worker_id for a in crew], reason=reason,
        )  # fmt: skip
        await free_stops(connection, order)


async def _missing_out(connection: Connection, order_id: UUID) -> None:
    order = await _order(connection, order_id)
    if order.status is S.IN_SERVICE:
        await end_unreported(connection, order)


async def _acceptance_due(connection: Connection, order_id: UUID) -> None:
    order = await _order(connection, order_id)
    if order.status is S.AWAITING_ACCEPTANCE:
        await accept_for_resident(connection, order)


HANDLERS: Final[dict[str, Callable[[Connection, UUID], Awaitable[None]]]] = {
    "hold_expiry": _hold_expiry,
    "offer_expiry": _offer_expiry,
    "manual_due": _manual_due,
    "unserved_due": _unserved_due,
    "missed_due": _missed_due,
    "missing_out": _missing_out,
    "acceptance_due": _acceptance_due,
}

__all__ = ["HANDLERS", "Timer", "claim", "due", "failed", "tidy"]
