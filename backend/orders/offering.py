"""Offers: one provider at a time is asked, with a clock running; the first accept wins."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from backend.core.clock import wall
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.orders import offer_queries, queries, timer_queries
from backend.orders.actions import (
    call_off,
    free_stops,
    move,
    move_seats_in,
    seat_workers,
    tell_offer,
    watch_the_search,
    withdraw_crew,
    withdraw_offers,
)
from backend.orders.lifecycle import begin
from backend.orders.model import Actor, AssignmentStatus, Command, Offer, Order, OrderStatus, Side
from backend.providers.queries import Provider, provider
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling

S = OrderStatus
C = Command
ABSENT = "worker_absent"
_PROPOSED = frozenset({AssignmentStatus.PROPOSED})


def expires_at(asked: Provider, now: datetime, zone_info: ZoneInfo) -> datetime:
    """When an offer made now runs out: its seconds count while the provider is open."""
    left, instant, on = timedelta(seconds=asked.offer_expiry_s), now.astimezone(UTC), now.astimezone(zone_info).date()
    while True:
        closes = wall(on, asked.closes_at, zone_info)
        begins = max(instant, wall(on, asked.opens_at, zone_info))
        if begins + left <= closes:
            return begins + left
        left -= max(closes - begins, timedelta())
        on += timedelta(days=1)


async def offer_order(
    connection: Connection,
    order: Order,
    provider_id: UUID,
    seats: Mapping[int, UUID],
    command: Command,
    actor: Actor,
    zone_info: ZoneInfo,
) -> Order:
    """Put an order to the provider whose crew was found; an auto-accept rule answers at once."""
    begin(command, actor, order.status, order.kind)
    asked = await provider(connection, provider_id)
    now = await queries.care_now(connection)
    offer = await offer_queries.insert_offer(
        connection, order.id, provider_id, seats, expires_at(asked, now, zone_info)
    )
    await tell_offer(connection, offer)
    offered = await move(
        connection, order, command, S.OFFERED, actor, provider_id=provider_id, workers=list(seats.values())
    )
    await seat_workers(connection, offered, seats, AssignmentStatus.PROPOSED)
    if asked.auto_accept:
        return await _accept(connection, offer, offered, command)
    await timer_queries.set_timer(connection, "offer_expiry", offer.id, offer.expires_at)
    return offered


async def accept(connection: Connection, principal: Principal, offer_id: UUID) -> Order:
    """The provider takes the order. Raises offer_closed (409) when it came too late or was second."""
    offer = await offer_queries.offer(connection, offer_id)
    if offer.provider_id != principal.provider_id:
        raise DomainError("unknown_offer")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, offer.order_id)
        await still_asked(connection, offer, order)
        return await _accept(connection, offer, order, C.ACCEPT_OFFER)


async def _accept(connection: Connection, offer: Offer, order: Order, command: Command) -> Order:
    await _close(connection, offer, order, "accepted", None)
    crew = await move_seats_in(connection, order, _PROPOSED, AssignmentStatus.ACCEPTED)
    workers = [a.worker_id for a in crew]
    accepted = await move(
        connection, order, command, S.ACCEPTED, Actor.PROVIDER, provider_id=offer.provider_id, workers=workers
    )
    await await_crew(connection, order)
    return accepted


async def await_crew(connection: Connection, order: Order) -> None:
    """Set when an accepted order is missed for which nobody has come."""
    grace = timedelta(seconds=await limit(connection, "missed_grace_s", order.community_code))
    planned = await scheduling.start_of(connection, order.id)
    expected_at = max(order.latest_at, planned[0]) if planned else order.latest_at  # later only where the desk said so
    await timer_queries.set_timer(connection, "missed_due", order.id, expected_at + grace)


async def still_asked(connection: Connection, offer: Offer, order: Order) -> None:
    """An offer that has run out is over, whether or not its timer has fired. Raises offer_closed (409)."""
    if offer.expires_at <= await queries.care_now(connection):
        raise _closed(offer, order)


async def _close(connection: Connection, offer: Offer, order: Order, outcome: str, reason: str | None) -> None:
    """Close an open offer and tell it; its clock stops. Raises offer_closed (409) when somebody was quicker."""
    closed = await offer_queries.close_offer(connection, offer.id, outcome, reason)
    if closed is None:
        raise _closed(offer, order)
    await timer_queries.clear_timers(connection, offer.id, "offer_expiry")
    await tell_offer(connection, closed)


def _closed(offer: Offer, order: Order) -> DomainError:
    """Who is too late learns how the order stands only while it is theirs."""
    own = order.provider_id == offer.provider_id
    return DomainError("offer_closed", **({"current": order.status.value} if own else {}))


async def decline(connection: Connection, principal: Principal, offer_id: UUID, reason: str) -> Order:
    """The provider cannot; the order goes back and this provider is not asked again for it."""
    offer = await offer_queries.offer(connection, offer_id)
    if offer.provider_id != principal.provider_id:
        raise DomainError("unknown_offer")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, offer.order_id)
        return await close_and_return(connection, offer, order, C.DECLINE_OFFER, reason)


async def step_back(
    connection: Connection, principal: Principal, order_id: UUID, reason: str, zone_info: ZoneInfo
) -> Order:
    """A provider gives an order of its own back; what that means follows from how far the order is.

    Offered, it declines. Accepted, another provider is asked in its place: the promised window stays. With the crew
    on the way, the visit is called off from the provider's side, never from the resident's. Raises unknown_order,
    illegal_transition.
    """
    own = principal.provider_id
    if own is None or (await queries.order(connection, order_id)).provider_id != own:
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        if order.provider_id != own:
            raise DomainError("unknown_order")
        if order.status is S.OFFERED:
            offer = await offer_queries.open_offer_of(connection, order_id, own)
            return await close_and_return(connection, offer, order, C.DECLINE_OFFER, reason)
        if order.status is S.EN_ROUTE:
            return await call_off(connection, principal, order, Actor.PROVIDER, reason, Side.PROVIDER)
        begin(C.STEP_BACK, Actor.PROVIDER, order.status, order.kind)
        crew = await withdraw_crew(connection, order)
        returned = await move(
            connection, order, C.STEP_BACK, S.PLACED, Actor.PROVIDER, workers=[a.worker_id for a in crew],
            reason="provider_stepped_back", declined_by=own,
        )  # fmt: skip
        await note(connection, principal, "step_back", "order", order_id, reason)
        await free_stops(connection, returned)
        await watch_the_search(connection, returned, zone_info)
        return returned


async def lose_crew(connection: Connection, order: Order, actor: Actor, zone_info: ZoneInfo) -> Order:
    """Ask others in a provider's place, whose crew cannot come any more and who has nobody else: the promised window stays.

    The provider has not declined: at another time, or with somebody back at work, it may be asked again.
    """
    begin(C.LOSE_CREW, actor, order.status, order.kind)
    await withdraw_offers(connection, order)
    crew = await withdraw_crew(connection, order)
    returned = await move(
        connection, order, C.LOSE_CREW, S.PLACED, actor, workers=[a.worker_id for a in crew], reason=ABSENT
    )
    await free_stops(connection, returned)
    if order.status is S.ACCEPTED:
        await watch_the_search(connection, returned, zone_info)
    return returned


_OUTCOMES = {
    C.DECLINE_OFFER: ("declined", Actor.PROVIDER, AssignmentStatus.DECLINED),
    C.EXPIRE_OFFER: ("expired", Actor.SYSTEM, AssignmentStatus.WITHDRAWN),
}


async def close_and_return(connection: Connection, offer: Offer, order: Order, command: Command, reason: str) -> Order:
    """Close an offer without acceptance and put the order back among the placed ones, its crew freed."""
    outcome, actor, state = _OUTCOMES[command]
    await _close(connection, offer, order, outcome, reason)
    begin(command, actor, order.status, order.kind)
    crew = await move_seats_in(connection, order, _PROPOSED, state)
    returned = await move(
        connection, order, command, S.PLACED, actor, workers=[a.worker_id for a in crew], reason=f"offer_{outcome}",
        declined_by=offer.provider_id if actor is Actor.PROVIDER else None,
        expired_by=offer.provider_id if actor is Actor.SYSTEM else None,
    )  # fmt: skip
    await free_stops(connection, returned)
    return returned


async def to_the_desk(
    connection: Connection,
    order: Order,
    actor: Actor,
    reason: str,
    reasons: list[dict[str, Any]],
    command: Command = C.TO_THE_DESK,
) -> Order:
    """Nobody is left to ask: an operator takes over, with the reasons on the screen."""
    begin(command, actor, order.status, order.kind)
    await withdraw_offers(connection, order)
    crew = await withdraw_crew(connection, order)
    manual = await move(
        connection, order, command, S.MANUAL, actor, workers=[a.worker_id for a in crew], reason=reason,
        reasons=reasons,
    )  # fmt: skip
    await free_stops(connection, order)
    return manual
