"""The only writers of orders: each action is one transaction's worth of change, checked against the table of moves."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.events.catalogue import AssignmentChanged, OfferChanged, OrderChanged
from backend.events.outbox import emit
from backend.orders import queries
from backend.orders.lifecycle import ACTORS_OF, WAITING, require
from backend.orders.model import Actor, Assignment, AssignmentStatus, Offer, Order, OrderStatus
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling
from backend.scheduling.actions import Written

S = OrderStatus


async def tell(connection: Connection, order: Order, before: OrderStatus | None, workers: Sequence[UUID]) -> None:
    """Write the order's event for whoever may know."""
    await emit(
        connection,
        OrderChanged(
            order_id=order.id, code=order.code, kind=order.kind, status=order.status.value,
            before=before.value if before else None, version=order.version, resident_id=order.resident_id,
            zone_id=order.zone_id, provider_id=order.provider_id, worker_ids=tuple(workers), reason=order.reason,
        ),
    )  # fmt: skip


async def tell_crew(connection: Connection, order: Order, crew: Sequence[Assignment]) -> None:
    """Write one event per seat that changed."""
    await emit(
        connection,
        *(
            AssignmentChanged(
                order_id=order.id, seat=a.seat, worker_id=a.worker_id, resident_id=order.resident_id,
                zone_id=order.zone_id, status=a.status.value,
            )
            for a in crew
        ),
    )  # fmt: skip


async def tell_offer(connection: Connection, offer: Offer) -> None:
    """Write the offer's event for the provider asked and the console."""
    await emit(
        connection,
        OfferChanged(offer_id=offer.id, order_id=offer.order_id, provider_id=offer.provider_id, status=offer.status),
    )


async def move(
    connection: Connection,
    order: Order,
    after: OrderStatus,
    actor: Actor,
    *,
    provider_id: UUID | None = None,
    workers: Sequence[UUID] = (),
    reason: str | None = None,
    reasons: list[dict[str, Any]] | None = None,
    flag: str | None = None,
    declined_by: UUID | None = None,
    expired_by: UUID | None = None,
) -> Order:
    """Take one step of the lifecycle and tell it; the caller holds the plan's lock.

    Who may come depends on an order's state, so the plan gets a new version: nobody plans on with the old state.
    Raises illegal_transition or stale_version (409).
    """
    require(order.status, after, actor, order.kind)
    moved = await queries.advance(
        connection, order, after, provider_id=provider_id, reason=reason, reasons=reasons, flag=flag,
        declined_by=declined_by, expired_by=expired_by,
    )  # fmt: skip
    await scheduling.touch(connection, order.zone_id, order.plan_on)
    await tell(connection, moved, order.status, workers)
    return moved


def actor_of(principal: Principal) -> Actor:
    """The lifecycle's name for who is asking."""
    return ACTORS_OF[principal.role]


async def confirm(connection: Connection, principal: Principal, order_id: UUID, zone_info: ZoneInfo) -> Order:
    """Place a held order: from here its window is promised to the resident. Raises hold_expired (410)."""
    order = await queries.order(connection, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        if (
            order.status is S.HELD
            and order.hold_expires_at
            and order.hold_expires_at <= await queries.care_now(connection)
        ):
            raise DomainError("hold_expired")
        return await place(connection, order, actor_of(principal), zone_info)


async def place(connection: Connection, order: Order, actor: Actor, zone_info: ZoneInfo) -> Order:
    """The move itself, for confirm and for a booking that holds and places at once."""
    if order.status is S.LAPSED:
        raise DomainError("hold_expired")
    placed = await move(connection, order, S.PLACED, actor)
    await scheduling.set_hold_expiry(connection, order.id, None)
    await queries.set_timer(
        connection, "unserved_due", order.id, order.latest_at if order.window_soft else order.window_to
    )
    if not order.window_soft:
        await queries.set_timer(connection, "manual_due", order.id, await _desk_time(connection, order, zone_info))
    return placed


async def _desk_time(connection: Connection, order: Order, zone_info: ZoneInfo) -> datetime:
    """When an operator takes over an order nobody has accepted: soon on the day itself, else the evening before."""
    now = await queries.care_now(connection)
    soon = now + timedelta(seconds=await limit(connection, "manual_after_s"))
    hour = time(int(await limit(connection, "manual_evening_hour")))
    evening = datetime.combine(order.plan_on - timedelta(days=1), hour, zone_info)
    last = order.window_from - timedelta(seconds=await limit(connection, "manual_before_start_s"))
    return max(now, min(max(soon, evening), last))


async def release(connection: Connection, principal: Principal, order_id: UUID) -> Order:
    """Give a hold back before it runs out."""
    order = await queries.order(connection, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        return await lapse(connection, order, actor_of(principal), "released")


async def lapse(connection: Connection, order: Order, actor: Actor, reason: str) -> Order:
    """End a hold and free its stops."""
    lapsed = await move(connection, order, S.LAPSED, actor, reason=reason)
    await free_stops(connection, order)
    return lapsed


async def free_stops(connection: Connection, order: Order) -> None:
    """Take an order's open stops off its plan and raise the plan's version."""
    await scheduling.delete_stops_of(connection, order.id)
    await scheduling.touch(connection, order.zone_id, order.plan_on)


async def cancel(connection: Connection, principal: Principal, order_id: UUID, reason: str, side: str) -> Order:
    """Call an order off before anybody has arrived; the crew is freed and told."""
    order = await queries.order(connection, order_id)
    if principal.role is not Role.PROVIDER and not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        require(order.status, S.CANCELLED, actor_of(principal), order.kind)
        await withdraw_offers(connection, order)
        crew = await withdraw_crew(connection, order)
        cancelled = await move(
            connection, order, S.CANCELLED, actor_of(principal), provider_id=order.provider_id,
            workers=[a.worker_id for a in crew], reason=f"cancelled_by_{side}",
        )  # fmt: skip
        await queries.audit(connection, principal.account_id, principal.role.value, "cancel", order_id, reason)
        await free_stops(connection, order)
        return cancelled


async def withdraw_offers(connection: Connection, order: Order) -> None:
    """Close what is still open to a provider and tell it."""
    for offer in await queries.withdraw_offers(connection, order.id):
        await tell_offer(connection, offer)


async def withdraw_crew(connection: Connection, order: Order) -> list[Assignment]:
    """End every open seat of an order and tell the workers."""
    open_states = [
        AssignmentStatus.PROPOSED,
        AssignmentStatus.ACCEPTED,
        AssignmentStatus.EN_ROUTE,
        AssignmentStatus.CHECKED_IN,
    ]
    crew = await queries.set_assignments(connection, order.id, open_states, AssignmentStatus.WITHDRAWN)
    await tell_crew(connection, order, crew)
    return crew


async def change_crew(connection: Connection, order: Order, seats: Mapping[int, UUID]) -> None:
    """Put other workers of the same provider on an order that was already offered or accepted."""
    state = AssignmentStatus.ACCEPTED if order.status is S.ACCEPTED else AssignmentStatus.PROPOSED
    for assignment in await queries.assignments_of(connection, order.id):
        worker_id = seats.get(assignment.seat)
        if worker_id is None or worker_id == assignment.worker_id:
            continue
        replaced = await queries.set_assignment(connection, assignment, AssignmentStatus.REPLACED)
        await queries.insert_assignment(connection, order.id, assignment.seat, worker_id, state)
        fresh = Assignment(replaced.id, order.id, assignment.seat, worker_id, state)
        await tell_crew(connection, order, [replaced, fresh])


async def follow_plan(connection: Connection, written: Written, own: UUID | None = None) -> None:
    """Where a plan commit gave offered or accepted orders another crew, their seats follow; `own` is seen to elsewhere."""
    for order_id, seats in written.crews.items():
        if order_id == own:
            continue
        order = await queries.order(connection, order_id)
        if order.status in {S.OFFERED, S.ACCEPTED}:
            await change_crew(connection, order, seats)


async def give_up(connection: Connection, order: Order, actor: Actor, reason: str) -> Order:
    """Nobody could come: the order ends unserved, free of charge."""
    if order.status not in WAITING:
        raise DomainError("illegal_transition", current=order.status.value)
    await withdraw_offers(connection, order)
    crew = await withdraw_crew(connection, order)
    ended = await move(connection, order, S.UNSERVED, actor, workers=[a.worker_id for a in crew], reason=reason)
    await free_stops(connection, order)
    return ended


async def unserved_by_operator(connection: Connection, principal: Principal, order_id: UUID, reason: str) -> Order:
    """An operator ends the search early."""
    if principal.role is not Role.OPERATOR:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        await queries.audit(connection, principal.account_id, principal.role.value, "unserved", order_id, reason)
        return await give_up(connection, order, Actor.OPERATOR, "given_up_at_the_desk")


async def accept_service(connection: Connection, principal: Principal, order_id: UUID) -> Order:
    """The resident confirms what was done."""
    return await _after_care(connection, principal, order_id, S.COMPLETED)


async def dispute(connection: Connection, principal: Principal, order_id: UUID, reason: str) -> Order:
    """The resident does not agree; a person will look at it."""
    disputed = await _after_care(connection, principal, order_id, S.DISPUTED)
    await queries.audit(connection, principal.account_id, principal.role.value, "dispute", order_id, reason)
    return disputed


async def _after_care(connection: Connection, principal: Principal, order_id: UUID, after: OrderStatus) -> Order:
    order = await queries.order(connection, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        crew = await queries.assignments_of(connection, order_id)
        await queries.clear_timers(connection, order_id, "acceptance_due")
        return await move(
            connection, order, after, actor_of(principal), provider_id=order.provider_id,
            workers=[a.worker_id for a in crew],
        )  # fmt: skip


async def accept_for_resident(connection: Connection, order: Order) -> Order:
    """Silence for a day counts as agreement."""
    crew = await queries.assignments_of(connection, order.id)
    return await move(
        connection, order, S.COMPLETED, Actor.SYSTEM, provider_id=order.provider_id, workers=[a.worker_id for a in crew]
    )
