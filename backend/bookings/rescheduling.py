"""Other times for an order: a slot that was quoted instead of it is taken up, and the old promise stands until it is.

The order keeps its id and its code. Which provider comes is decided anew: the one that had accepted is not preferred.
"""

from uuid import UUID

import msgspec

from backend.bookings import actions, caps
from backend.bookings.actions import Chosen, Considered
from backend.bookings.asking import may_move
from backend.core.clock import city_date, day_origin
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries as order_queries
from backend.orders import rescheduling as orders
from backend.orders.model import Order
from backend.scheduling import queries as scheduling
from backend.scheduling import slots as tokens
from backend.scheduling.actions import StalePlanError, lock_day
from backend.scheduling.snapshots import Planner


class NoOrderError(RuntimeError):
    """A slot for a new order was taken up as another time for one."""


async def consider(
    connection: Connection, principal: Principal, planner: Planner, secret: str, order_id: UUID, token: str
) -> Considered:
    """Read an order, the slot it is to move to, and that slot's day without it.

    Raises unknown_order, illegal_transition, invalid_window, slot_invalid, slot_in_past, slot_taken, and stale_version
    when the order has moved since the slot was quoted: one question, one move.
    """
    planner.refuse_until_ready()
    order = await order_queries.own_order(connection, principal, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        await may_move(connection, principal, order)
        now = await order_queries.care_now(connection)
        slot = tokens.read(token, secret, now)
        if slot.instead_of != order.id:
            raise DomainError("slot_invalid", "The slot was not quoted as another time for this order.")
        if order.placed_at is None or slot.quoted_at < order.placed_at:
            raise DomainError("stale_version", current=order.status.value)
        considered = await actions.read_beside(connection, planner, slot, now)
    return msgspec.structs.replace(considered, moved=order)


def choose(planner: Planner, considered: Considered) -> Chosen:
    """Find a crew for the slot. Raises slot_taken when nobody is left.

    A promise is given up for a window nobody is found for yet only where the slot itself said so.
    """
    chosen = actions.choose(planner, considered)
    if chosen.taken.plan is None and considered.slot.expected_at is not None:
        raise DomainError("slot_taken")
    return chosen


async def reschedule(
    connection: Connection, principal: Principal, planner: Planner, chosen: Chosen, reason: str
) -> Order:
    """Give the old window back and promise the new one, under the locks of both plans.

    Raises StalePlanError when the order, its new day or anything else that was considered is no longer as it was.
    """
    seen = chosen.considered
    if seen.moved is None:
        raise NoOrderError
    async with as_the_platform(connection):
        before = await scheduling.plan(connection, seen.moved.zone_id, seen.moved.plan_on)
        await lock_day(connection, chosen.day, [*chosen.across, *([before.id] if before else [])])
        now = await order_queries.care_now(connection)
        since = day_origin(city_date(now, planner.zone_info), planner.zone_info)
        await caps.may_move(connection, seen.resident, seen.moved, seen.slot.plan_on, since)
        order = await order_queries.order_for_update(connection, seen.moved.id)
        if order.version != seen.moved.version:
            raise StalePlanError
        await may_move(connection, principal, order)
        resident = await actions.still_as_read(connection, planner, seen, now)
        order, crew = await orders.let_go(connection, order, actions.terms_of(resident, seen))
        await actions.promise(connection, chosen, order.id, hold=None)
        promised = [at.astimezone(planner.zone_info) for at in (seen.moved.window_from, seen.moved.window_to)]
        return await orders.place_again(connection, principal, order, crew, promised, reason, planner.zone_info)
