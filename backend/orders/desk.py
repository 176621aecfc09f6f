"""The operator's desk: an order the machine could not place is given a crew by hand, with a reason that is kept."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.orders import queries, timer_queries
from backend.orders.actions import follow_plan
from backend.orders.lifecycle import begin
from backend.orders.model import Actor, Command, Order
from backend.orders.offering import offer_order
from backend.scheduling.actions import StalePlanError, lock_day, write_plan
from backend.scheduling.quotes import ByHand, place_by_hand
from backend.scheduling.snapshots import Day, Planner, Reading


class Considered(Struct, frozen=True):
    """A manual order and its day, read at one moment."""

    order: Order
    read: Reading


class Chosen(Struct, frozen=True):
    """The same with the crew the operator chose."""

    order: Order
    day: Day
    placed: ByHand


async def consider(connection: Connection, planner: Planner, order_id: UUID) -> Considered:
    """Read an order an operator wants to find a crew for. Raises unknown_order, illegal_transition."""
    async with as_the_platform(connection):
        order = await queries.order(connection, order_id)
        begin(Command.ASSIGN, Actor.OPERATOR, order.status, order.kind)
        now = await queries.care_now(connection)
        return Considered(order, await planner.read(connection, order.zone_id, order.plan_on, now))


def choose(considered: Considered, worker_ids: Sequence[UUID], start_at: datetime) -> Chosen:
    """Put the order to the crew the operator chose. Raises no_shift (422) with the rule that refuses them."""
    day = considered.read.built()
    placed = place_by_hand(day, considered.order.id, worker_ids, start_at)
    if isinstance(placed, str):
        raise DomainError("no_shift", f"The crew cannot do it then: {placed}.")
    return Chosen(considered.order, day, placed)


async def assign(
    connection: Connection,
    principal: Principal,
    planner: Planner,
    chosen: Chosen,
    start_at: datetime,
    reason: str,
) -> Order:
    """Offer a manual order with its crew. Raises StalePlanError when it or its day is no longer as it was read."""
    async with as_the_platform(connection):
        await lock_day(connection, chosen.day)
        order = await queries.order_for_update(connection, chosen.order.id)
        if order.version != chosen.order.version:
            raise StalePlanError
        await follow_plan(connection, await write_plan(connection, chosen.day, chosen.placed.plan), order.id)
        await note(connection, principal, "assign", "order", order.id, reason)
        await timer_queries.set_timer(connection, "unserved_due", order.id, max(start_at, order.latest_at))
        return await offer_order(
            connection,
            order,
            chosen.placed.provider_id,
            chosen.placed.seats,
            Command.ASSIGN,
            Actor.OPERATOR,
            planner.zone_info,
        )
