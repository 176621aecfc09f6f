"""Letting a doubt stand on an order whose own reports looked right until somebody reported another.

A visit that is still open is flagged, so that silence completes nothing; one that was completed already, by whoever's
word, becomes an exception for a person to look at.
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from backend.database.pool import Connection
from backend.orders import queries, timer_queries
from backend.orders.actions import move
from backend.orders.lifecycle import WAITING, may_begin
from backend.orders.model import Actor, Command, Order, OrderStatus
from backend.visits import evidence_queries as evidence
from backend.visits import queries as visits
from backend.visits.model import Flag, Kind

S = OrderStatus
OPEN_TO_DOUBT: Final = frozenset(
    {S.ACCEPTED, S.EN_ROUTE, S.ARRIVED, S.IN_SERVICE, S.NO_ACCESS, S.AWAITING_ACCEPTANCE, S.DISPUTED, S.EXCEPTION}
)
TIMER: Final = "contradicted"
TWICE: Final = "served_twice"


async def doubt_others(connection: Connection, order: Order, contradicted: Mapping[UUID, Sequence[UUID]]) -> None:
    """Flag the reports of other orders that a report on this one contradicts, and these orders with them.

    The caller holds this order's plan. An order of the same plan follows at once; one of another day or zone is left to
    a timer that is due now, because whoever holds one plan waits for no other.
    """
    for other_id in sorted(contradicted.keys() - {order.id}):
        await visits.flag_records(connection, contradicted[other_id], Flag.TWO_PLACES)
        other = await queries.order(connection, other_id)
        if (other.zone_id, other.plan_on) == (order.zone_id, order.plan_on):
            await doubt(connection, other_id)
        else:
            await timer_queries.set_timer(connection, TIMER, other_id, await queries.care_now(connection))


async def doubt(connection: Connection, order_id: UUID) -> None:
    """Let what stands on the reports of an order's crew stand on the order; what a person knew and decided stays so."""
    order = await queries.order_for_update(connection, order_id)
    if order.status in WAITING or not await evidence.crew_is_flagged(connection, order_id, Flag.TWO_PLACES):
        return
    await stand(connection, order, Flag.TWO_PLACES)


async def put_right(connection: Connection, order: Order, assignment_id: UUID) -> Order:
    """Let the resident's digits, said after a check-in, take the place of wrong ones or of the position it had not."""
    came = [one.record_id for one in await evidence.kept(connection, order.id)
            if one.assignment_id == assignment_id and one.kind is Kind.CHECK_IN]  # fmt: skip
    for flag in (Flag.WRONG_CODE, Flag.NO_POSITION):
        await evidence.unflag_records(connection, came, flag)
        if not await evidence.crew_is_flagged(connection, order.id, flag):
            order = await queries.drop_flags(connection, order, [flag.value])
    return order


async def served_twice(connection: Connection, order_id: UUID) -> None:
    """Let it stand on an order that the same service was given by somebody else: it is charged once, as a person decides."""
    await stand(connection, await queries.order_for_update(connection, order_id), Flag.SERVED_TWICE)


async def stand(connection: Connection, order: Order, flag: Flag) -> Order:
    """Flag an order, once; one that was completed already goes back to a person."""
    again = may_begin(Command.DOUBT, Actor.SYSTEM, order.status, order.kind)
    if flag in order.flags or (order.status not in OPEN_TO_DOUBT | WAITING and not again):
        return order
    flagged = await queries.add_flags(connection, order, [flag.value])
    if not again:
        return flagged
    return await move(
        connection, flagged, Command.DOUBT, S.EXCEPTION, Actor.SYSTEM, provider_id=order.provider_id,
        workers=await evidence.who_came(connection, order.id), reason="flagged",
    )  # fmt: skip
