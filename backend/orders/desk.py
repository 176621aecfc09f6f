"""The operator's desk: an order the machine could not place is given a crew by hand, with a reason that is kept."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries
from backend.orders.actions import follow_plan
from backend.orders.lifecycle import begin
from backend.orders.model import Actor, Command, Order
from backend.orders.offering import offer_order
from backend.scheduling import queries as scheduling
from backend.scheduling.actions import write_plan
from backend.scheduling.quotes import place_by_hand
from backend.scheduling.snapshots import Planner


async def assign(
    connection: Connection,
    principal: Principal,
    planner: Planner,
    order_id: UUID,
    worker_ids: Sequence[UUID],
    start_at: datetime,
    reason: str,
) -> Order:
    """Offer a manual order with the crew an operator chose. Raises no_shift (422) with the rule that refuses them."""
    if not reason.strip():
        raise DomainError("invalid_request", "An override needs a reason.")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        begin(Command.ASSIGN, Actor.OPERATOR, order.status, order.kind)
        now = await queries.care_now(connection)
        plan = await scheduling.plan_for_update(connection, order.zone_id, order.plan_on)
        day = await planner.day(connection, order.zone_id, order.plan_on, now, plan=plan)
        placed = place_by_hand(day, order_id, worker_ids, start_at)
        if isinstance(placed, str):
            raise DomainError("no_shift", f"The crew cannot do it then: {placed}.")
        await follow_plan(connection, await write_plan(connection, day, placed.plan), order_id)
        await queries.audit(connection, principal.account_id, principal.role.value, "assign", order_id, reason)
        await queries.set_timer(connection, "unserved_due", order.id, max(start_at, order.latest_at))
        return await offer_order(
            connection, order, placed.provider_id, placed.seats, Command.ASSIGN, Actor.OPERATOR, planner.zone_info
        )
