"""The operator's desk: an order the machine could not place is given a crew by hand, with a reason that is kept."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries
from backend.orders.actions import follow_plan
from backend.orders.model import Actor, Order, OrderStatus
from backend.orders.offering import offer_order
from backend.scheduling import queries as scheduling
from backend.scheduling.actions import write_plan
from backend.scheduling.quotes import settled
from backend.scheduling.snapshots import Planner
from dispatch import Refusal, insert


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
        if order.status is not OrderStatus.MANUAL:
            raise DomainError("illegal_transition", current=order.status.value)
        now = await queries.care_now(connection)
        plan = await scheduling.plan_for_update(connection, order.zone_id, order.plan_on)
        day = await planner.day(connection, order.zone_id, order.plan_on, now, plan=plan)
        chosen = {str(worker_id) for worker_id in worker_ids}
        visit = next(visit for visit in day.problem.visits if visit.id == str(order_id))
        start_s = day.seconds(start_at)
        wished = msgspec.structs.replace(visit, earliest_s=start_s, latest_s=start_s, due_s=None, providers=None)
        crew = tuple(worker for worker in day.problem.workers if worker.id in chosen)
        visits = (*(other for other in day.problem.visits if other.id != visit.id), wished)
        outcome = insert(msgspec.structs.replace(day.problem, workers=crew, visits=visits), settled(day), wished)
        if isinstance(outcome, Refusal):
            raise DomainError("no_shift", f"The crew cannot do it then: {outcome.summary}.")
        await follow_plan(connection, await write_plan(connection, day, outcome.plan), order_id)
        seats = {stop.seat + 1: UUID(stop.worker) for stop in outcome.stops if stop.kind != "pickup"}
        provider = next(w.provider for w in day.problem.workers if w.id == str(seats[1]))
        await queries.audit(connection, principal.account_id, principal.role.value, "assign", order_id, reason)
        return await offer_order(connection, order, UUID(provider), seats, Actor.OPERATOR, planner.zone_info)
