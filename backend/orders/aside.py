"""Setting an order aside that nobody can plan as it stands: a person gets it, with what is wrong, and the others go on."""

from typing import Any, Final
from uuid import UUID

import structlog

from backend.database.pool import Connection
from backend.database.rows import UnreadableRowError
from backend.events.catalogue import OrderChanged
from backend.events.outbox import emit
from backend.orders import offer_queries, queries, seat_queries
from backend.orders.actions import lapse, tell_offer
from backend.orders.lifecycle import may_begin
from backend.orders.model import Actor, AssignmentStatus, Command, OrderStatus
from backend.orders.offering import to_the_desk
from backend.scheduling import queries as scheduling

log = structlog.get_logger()
UNREADABLE: Final = "unreadable"
FLAG: Final = "UNREADABLE"


async def set_aside(connection: Connection, order_id: UUID, why: str) -> None:
    """Give an unreadable order to the desk.

    While nobody comes yet, it goes there as any order does that finds no crew, and a hold ends. Where somebody counts
    on coming it keeps its state and its crew: it is flagged, and the desk sees it among its own.
    """
    log.error("orders.set_aside", order=str(order_id), reason=why)
    reasons = [{"worker": "", "rule": UNREADABLE, "detail": why}]
    try:
        order = await queries.order_for_update(connection, order_id)
    except UnreadableRowError as error:
        await _unread(connection, order_id, [{"worker": "", "rule": UNREADABLE, "detail": error.column}])
        return
    if may_begin(Command.EXPIRE_HOLD, Actor.SYSTEM, order.status, order.kind):
        await lapse(connection, order, Command.EXPIRE_HOLD, Actor.SYSTEM, UNREADABLE)
    elif may_begin(Command.TO_THE_DESK, Actor.SYSTEM, order.status, order.kind):
        await to_the_desk(connection, order, Actor.SYSTEM, UNREADABLE, reasons)
    else:
        await queries.flag_unreadable(connection, order_id, FLAG, reasons)


async def _unread(connection: Connection, order_id: UUID, reasons: list[dict[str, Any]]) -> None:
    """The same where not even the order itself can be read: what is known of it has to do."""
    order = await queries.flag_unreadable(connection, order_id, FLAG, reasons)
    if order.status != OrderStatus.MANUAL:
        return
    for offer in await offer_queries.withdraw_offers(connection, order_id):
        await tell_offer(connection, offer)
    await seat_queries.set_assignments(
        connection, await seat_queries.assignments_of(connection, order_id), AssignmentStatus.WITHDRAWN
    )
    await scheduling.delete_stops_of(connection, order_id)
    await scheduling.touch(connection, order.zone_id, order.plan_on)
    await emit(
        connection,
        OrderChanged(
            order_id=order_id, code=order.code, kind=order.kind, status=order.status, before=order.before,
            version=order.version, resident_id=order.resident_id, zone_id=order.zone_id, provider_id=order.provider_id,
            worker_ids=(), reason=UNREADABLE,
        ),
    )  # fmt: skip
