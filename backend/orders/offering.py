"""Offers: one provider at a time is asked, with a clock running; the first accept wins."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries
from backend.orders.actions import free_stops, move, tell_crew, tell_offer, withdraw_crew, withdraw_offers
from backend.orders.model import Actor, Assignment, AssignmentStatus, Offer, Order, OrderStatus
from backend.providers.queries import Provider, provider
from backend.rules.queries import limit

S = OrderStatus


def expires_at(asked: Provider, now: datetime, zone_info: ZoneInfo) -> datetime:
    """When an offer made now runs out: its seconds count while the provider is open."""
    left, instant = timedelta(seconds=asked.offer_expiry_s), now.astimezone(zone_info)
    while True:
        opens = datetime.combine(instant.date(), asked.opens_at, zone_info)
        closes = datetime.combine(instant.date(), asked.closes_at, zone_info)
        begins = max(instant, opens)
        if begins + left <= closes:
            return begins + left
        left -= max(closes - begins, timedelta())
        instant = datetime.combine(instant.date() + timedelta(days=1), time(), zone_info)


async def offer_order(
    connection: Connection,
    order: Order,
    provider_id: UUID,
    seats: Mapping[int, UUID],
    actor: Actor,
    zone_info: ZoneInfo,
) -> Order:
    """Put a placed order to the provider whose crew was found; an auto-accept rule answers at once."""
    asked = await provider(connection, provider_id)
    now = await queries.care_now(connection)
    offer = await queries.insert_offer(connection, order.id, provider_id, seats, expires_at(asked, now, zone_info))
    await tell_offer(connection, offer)
    for seat, worker_id in seats.items():
        await queries.insert_assignment(connection, order.id, seat, worker_id, AssignmentStatus.PROPOSED)
    offered = await move(connection, order, S.OFFERED, actor, provider_id=provider_id, workers=list(seats.values()))
    if asked.auto_accept:
        return await _accept(connection, offer, offered)
    await queries.set_timer(connection, "offer_expiry", offer.id, offer.expires_at)
    return offered


async def accept(connection: Connection, principal: Principal, offer_id: UUID) -> Order:
    """The provider takes the order. Raises offer_closed (409) when it came too late or was second."""
    offer = await queries.offer(connection, offer_id)
    if offer.provider_id != principal.provider_id:
        raise DomainError("unknown_offer")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, offer.order_id)
        if offer.expires_at <= await queries.care_now(connection):
            raise DomainError("offer_closed", current=order.status.value)
        return await _accept(connection, offer, order)


async def _accept(connection: Connection, offer: Offer, order: Order) -> Order:
    closed = await queries.close_offer(connection, offer.id, "accepted", None)
    if closed is None:
        raise DomainError("offer_closed", current=order.status.value)
    await tell_offer(connection, closed)
    crew = await queries.set_assignments(connection, order.id, [AssignmentStatus.PROPOSED], AssignmentStatus.ACCEPTED)
    workers = [a.worker_id for a in crew]
    accepted = await move(connection, order, S.ACCEPTED, Actor.PROVIDER, provider_id=offer.provider_id, workers=workers)
    await tell_crew(connection, accepted, crew)
    await queries.clear_timers(connection, order.id, "manual_due", "unserved_due")
    await queries.clear_timers(connection, offer.id, "offer_expiry")
    grace = timedelta(seconds=await limit(connection, "missed_grace_s"))
    await queries.set_timer(connection, "missed_due", order.id, order.latest_at + grace)
    return accepted


async def decline(connection: Connection, principal: Principal, offer_id: UUID, reason: str) -> Order:
    """The provider cannot; the order goes back and this provider is not asked again for it."""
    offer = await queries.offer(connection, offer_id)
    if offer.provider_id != principal.provider_id:
        raise DomainError("unknown_offer")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, offer.order_id)
        return await close_and_return(connection, offer, order, "declined", reason)


async def close_and_return(connection: Connection, offer: Offer, order: Order, outcome: str, reason: str) -> Order:
    """Close an offer without acceptance and put the order back among the placed ones, its crew freed."""
    closed = await queries.close_offer(connection, offer.id, outcome, reason)
    if closed is None:
        raise DomainError("offer_closed", current=order.status.value)
    await tell_offer(connection, closed)
    state = AssignmentStatus.DECLINED if outcome == "declined" else AssignmentStatus.WITHDRAWN
    crew: list[Assignment] = await queries.set_assignments(connection, order.id, [AssignmentStatus.PROPOSED], state)
    returned = await move(
        connection, order, S.PLACED, Actor.PROVIDER if outcome == "declined" else Actor.SYSTEM,
        workers=[a.worker_id for a in crew], reason=f"offer_{outcome}",
        declined_by=offer.provider_id if outcome == "declined" else None,
        expired_by=offer.provider_id if outcome == "expired" else None,
    )  # fmt: skip
    await tell_crew(connection, returned, crew)
    await free_stops(connection, returned)
    return returned


async def to_the_desk(
    connection: Connection, order: Order, actor: Actor, reason: str, reasons: list[dict[str, Any]]
) -> Order:
    """Nobody is left to ask: an operator takes over, with the reasons on the screen."""
    await withdraw_offers(connection, order)
    crew = await withdraw_crew(connection, order)
    manual = await move(
        connection, order, S.MANUAL, actor, workers=[a.worker_id for a in crew], reason=reason, reasons=reasons
    )
    await free_stops(connection, order)
    return manual
