"""Other times for an order: what it had is given back, what was found is promised, and it is dispatched anew.

Both in one transaction, under the locks of both plans: where the second fails, the first has never happened.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from backend.core.principal import Principal
from backend.database.pool import Connection
from backend.events.auditing import note
from backend.orders import offer_queries, queries, seat_queries, timer_queries
from backend.orders.actions import (
    actor_of,
    free_stops,
    move,
    tell_offer,
    watch_the_search,
    withdraw_crew,
    withdraw_offers,
)
from backend.orders.lifecycle import begin
from backend.orders.model import Command, Order, OrderStatus, Terms


async def let_go(connection: Connection, order: Order, terms: Terms) -> tuple[Order, list[UUID]]:
    """Take back all that was arranged for an order's old window, and tell whom it concerns; from here its new terms stand.

    A provider that had accepted hears that it is not asked to come any more: the order's own event is not for it from now on.
    Returns the order, not told yet, and the crew it had.
    """
    await withdraw_offers(connection, order)
    if order.status is OrderStatus.ACCEPTED and order.provider_id is not None:
        for offer in await offer_queries.take_back(connection, order.id, order.provider_id):
            await tell_offer(connection, offer)
    crew = await withdraw_crew(connection, order)
    await free_stops(connection, order)
    await queries.untie(connection, order.id)
    await seat_queries.delete_seats(connection, order.id)
    await timer_queries.clear_timers(connection, order.id, "manual_due", "unserved_due")
    return await queries.change_terms(connection, order.id, terms), [seat.worker_id for seat in crew]


async def place_again(
    connection: Connection,
    principal: Principal,
    order: Order,
    crew: Sequence[UUID],
    promised: Sequence[datetime],
    reason: str,
    zone_info: ZoneInfo,
) -> Order:
    """Move it on, once its new crew is planned: placed, to be offered to whoever can come then. The old `crew` hears of it.

    The window `promised` before stays in the audit: the order knows only what is promised now.
    """
    actor = actor_of(principal, order.resident_id)
    begin(Command.RESCHEDULE, actor, order.status, order.kind)
    placed = await move(
        connection, order, Command.RESCHEDULE, OrderStatus.PLACED, actor, workers=crew, reason="rescheduled", reasons=[]
    )
    await note(connection, principal, "reschedule", "order", order.id, reason)
    await note(connection, principal, "promised_before", "order", order.id, " / ".join(map(str, promised)))
    await watch_the_search(connection, placed, zone_info)
    return placed
