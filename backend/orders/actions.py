"""The only writers of orders: each action is one transaction's worth of change, checked against the table of moves."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from backend.catalogue.model import MEAL
from backend.core.clock import wall
from backend.core.codes import CODES, code_of
from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.events.catalogue import AssignmentChanged, OfferChanged, OrderChanged
from backend.events.outbox import emit
from backend.orders import crew_queries, ladder, offer_queries, queries, seat_queries, timer_queries
from backend.orders.lifecycle import (
    ACTORS_OF,
    GONE,
    SIDES,
    begin,
    require_seat,
    require_step,
    timers_left_behind,
)
from backend.orders.model import (
    AbortReason,
    Actor,
    Assignment,
    AssignmentStatus,
    Command,
    NewOrder,
    Offer,
    Order,
    OrderStatus,
    Side,
)
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling
from backend.scheduling.actions import Written
from backend.tasks import actions as tasks
from backend.tasks.model import Subject, TaskKind
from backend.visits import digits_queries
from backend.visits.model import OF_REPORTS

_DRAWS: Final = 20
_DIGITS: Final = 10**4
S = OrderStatus
C = Command
_OPEN_SEATS: Final = frozenset({
    AssignmentStatus.PROPOSED, AssignmentStatus.ACCEPTED, AssignmentStatus.EN_ROUTE, AssignmentStatus.CHECKED_IN
})  # fmt: skip

_LEFT: Final = frozenset({
    AssignmentStatus.DECLINED, AssignmentStatus.REPLACED, AssignmentStatus.NO_SHOW, AssignmentStatus.WITHDRAWN
})  # fmt: skip


class CodesUsedUpError(RuntimeError):
    """Every code drawn was another order's: the draw is not random, or the codes are too short by now."""


async def store(connection: Connection, new: NewOrder, draw: Callable[[int], int] = secrets.randbelow) -> UUID:
    """Keep a held order under a code nobody has, and a visit with the digits that are said at its door.

    `draw` picks a number below a limit. Raises CodesUsedUpError.
    """
    for _ in range(_DRAWS):
        order_id = await queries.insert_order(connection, code_of(draw(CODES)), new)
        if order_id is not None:
            if new.kind != MEAL:  # a meal is handed over with one press
                await digits_queries.keep(connection, order_id, new.resident_id, f"{draw(_DIGITS):04d}")
            return order_id
    raise CodesUsedUpError


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
    command: Command,
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
    abort_reason: AbortReason | None = None,
) -> Order:
    """Take one step of a command and tell it; the caller holds the plan's lock.

    Who may come depends on an order's state, so the plan gets a new version: nobody plans on with the old state. What
    was to happen by itself in the state left no longer will; a door that stays shut is the desk's task as long as it is
    the order's state. Raises illegal_transition or stale_version (409).
    """
    require_step(command, order.status, after, actor, order.kind)
    moved = await queries.advance(
        connection, order, after, provider_id=provider_id, reason=reason, reasons=reasons, flag=flag,
        declined_by=declined_by, expired_by=expired_by, abort_reason=abort_reason,
    )  # fmt: skip
    if left_behind := timers_left_behind(order.status, after):
        await timer_queries.clear_timers(connection, order.id, *left_behind)
    if after in GONE:
        await queries.untie(connection, order.id)
    await scheduling.touch(connection, order.zone_id, order.plan_on)
    await tell(connection, moved, order.status, workers)
    if after is S.NO_ACCESS:
        await ladder.begin(connection, moved)
    elif order.status is S.NO_ACCESS:
        await ladder.end(connection, moved)
    return moved


async def seat_workers(
    connection: Connection, order: Order, seats: Mapping[int, UUID], status: AssignmentStatus
) -> list[Assignment]:
    """Bind workers to empty seats, and tell them."""
    require_seat(None, status)
    crew = [
        await seat_queries.insert_assignment(connection, order.id, seat, who, status) for seat, who in seats.items()
    ]
    await tell_crew(connection, order, crew)
    return crew


async def move_seats(
    connection: Connection, order: Order, seats: Sequence[Assignment], after: AssignmentStatus
) -> list[Assignment]:
    """Change these workers' parts in an order, as the table of seats allows, and tell them; the one place that does.

    What was odd about the reports of somebody who leaves is not held against the visit of whoever comes instead.
    Raises illegal_transition or stale_version (409).
    """
    for seat in seats:
        require_seat(seat.status, after)
    moved = await seat_queries.set_assignments(connection, seats, after)
    if moved and after in _LEFT:
        await queries.keep_flags_of_the_crew(connection, order.id, sorted(OF_REPORTS))
    await tell_crew(connection, order, moved)
    return moved


async def move_seats_in(
    connection: Connection, order: Order, states: frozenset[AssignmentStatus], after: AssignmentStatus
) -> list[Assignment]:
    """The same for every seat of an order that is in one of these states."""
    crew = await seat_queries.assignments_of(connection, order.id)
    return await move_seats(connection, order, [seat for seat in crew if seat.status in states], after)


async def order_to_crew(connection: Connection, principal: Principal, order_id: UUID) -> Order:
    """Read an order for the desk, or for the provider it is offered to or carried out by. Raises not_allowed, unknown_order."""
    if principal.role not in {Role.OPERATOR, Role.PROVIDER}:
        raise DomainError("not_allowed")
    order = await queries.own_order(connection, principal, order_id)
    if principal.role is Role.PROVIDER and order.provider_id != principal.provider_id:
        raise DomainError("unknown_order")
    return order


def actor_of(principal: Principal, resident_id: UUID) -> Actor:
    """The lifecycle's name for who is asking about a resident's order."""
    return Actor.FAMILY if principal.is_family_of(resident_id) else ACTORS_OF[principal.role]


async def confirm(connection: Connection, principal: Principal, order_id: UUID, zone_info: ZoneInfo) -> Order:
    """Place a held order: from here its window is promised to the resident. Raises hold_expired (410)."""
    order = await queries.own_order(connection, principal, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        await still_held(connection, order)
        placed = await place(connection, order, actor_of(principal, order.resident_id), zone_info)
        await tasks.close_task(connection, TaskKind.CALL_BACK, Subject(order_id=order_id), placed.status.value)
        return placed


async def still_held(connection: Connection, order: Order) -> None:
    """A hold that has run out is over, whether or not its timer has fired. Raises hold_expired (410)."""
    if order.status is S.LAPSED:
        raise DomainError("hold_expired")
    if order.status is S.HELD and order.hold_expires_at and order.hold_expires_at <= await queries.care_now(connection):
        raise DomainError("hold_expired")


async def place(connection: Connection, order: Order, actor: Actor, zone_info: ZoneInfo) -> Order:
    """The move itself, for confirm and for a booking that holds and places at once."""
    begin(C.CONFIRM, actor, order.status, order.kind)
    placed = await move(connection, order, C.CONFIRM, S.PLACED, actor)
    await scheduling.set_hold_expiry(connection, order.id, None)
    await watch_the_search(connection, placed, zone_info)
    return placed


async def watch_the_search(connection: Connection, placed: Order, zone_info: ZoneInfo) -> None:
    """Set when a search nobody has answered goes to the desk, and when it ends."""
    due_at = placed.latest_at if placed.window_soft else placed.window_to
    await timer_queries.set_timer(connection, "unserved_due", placed.id, due_at)
    if not placed.window_soft:
        await timer_queries.set_timer(
            connection, "manual_due", placed.id, await _desk_time(connection, placed, zone_info)
        )


async def _desk_time(connection: Connection, order: Order, zone_info: ZoneInfo) -> datetime:
    """Tell when an operator takes over an order nobody has accepted: soon on the day itself, else the evening before.

    However near its window, an order is offered first: booked at ten to eleven for eleven o'clock it has a crew in the
    plan, and a desk that took it over at once would take that crew away.
    """
    now = await queries.care_now(connection)
    soon = now + timedelta(seconds=await limit(connection, "manual_after_s", order.community_code))
    hour = time(int(await limit(connection, "manual_evening_hour", order.community_code)))
    evening = wall(order.plan_on - timedelta(days=1), hour, zone_info)
    last = order.window_from - timedelta(seconds=await limit(connection, "manual_before_start_s", order.community_code))
    searched = now + timedelta(seconds=await limit(connection, "manual_search_s", order.community_code))
    return max(now, min(max(soon, evening), last), min(searched, order.window_from))


async def release(connection: Connection, principal: Principal, order_id: UUID) -> Order:
    """Give a hold back before it runs out."""
    order = await queries.own_order(connection, principal, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        return await lapse(connection, order, C.RELEASE, actor_of(principal, order.resident_id), "released")


async def lapse(connection: Connection, order: Order, command: Command, actor: Actor, reason: str) -> Order:
    """End a hold and free its stops."""
    begin(command, actor, order.status, order.kind)
    lapsed = await move(connection, order, command, S.LAPSED, actor, reason=reason)
    await free_stops(connection, order)
    return lapsed


async def free_stops(connection: Connection, order: Order) -> None:
    """Take an order's open stops off its plan and raise the plan's version."""
    await scheduling.delete_stops_of(connection, order.id)
    await scheduling.touch(connection, order.zone_id, order.plan_on)


async def cancel(connection: Connection, principal: Principal, order_id: UUID, reason: str, side: Side | None) -> Order:
    """Call an order off before anybody has arrived, at the wish of its resident; the crew is freed and told.

    Whose wish it was follows from the role; an operator names it, and nobody else can. A provider does not end a
    resident's order: it declines or steps back (`offering.step_back`).
    """
    order = await queries.own_order(connection, principal, order_id)
    actor = actor_of(principal, order.resident_id)
    if actor is Actor.PROVIDER or not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        whose = SIDES.get(actor) or side or Side.RESIDENT
        return await call_off(connection, principal, order, actor, reason, whose)


async def call_off(
    connection: Connection, principal: Principal, order: Order, actor: Actor, reason: str, side: Side
) -> Order:
    """The move itself: what is open with providers, the crew and the stops go with the order."""
    begin(C.CANCEL, actor, order.status, order.kind)
    await withdraw_offers(connection, order)
    crew = await withdraw_crew(connection, order)
    cancelled = await move(
        connection, order, C.CANCEL, S.CANCELLED, actor, provider_id=order.provider_id,
        workers=[a.worker_id for a in crew], reason=f"cancelled_by_{side}",
    )  # fmt: skip
    await note(connection, principal, "cancel", "order", order.id, reason)
    await free_stops(connection, order)
    return cancelled


async def withdraw_offers(connection: Connection, order: Order) -> None:
    """Close what is still open to a provider and tell it."""
    for offer in await offer_queries.withdraw_offers(connection, order.id):
        await timer_queries.clear_timers(connection, offer.id, "offer_expiry")
        await tell_offer(connection, offer)


async def withdraw_crew(connection: Connection, order: Order) -> list[Assignment]:
    """End every open seat of an order and tell the workers."""
    return await move_seats_in(connection, order, _OPEN_SEATS, AssignmentStatus.WITHDRAWN)


async def change_crew(connection: Connection, order: Order, seats: Mapping[int, UUID]) -> None:
    """Put other workers of the same provider on an order that was already offered or accepted."""
    state = AssignmentStatus.PROPOSED if order.status is S.OFFERED else AssignmentStatus.ACCEPTED
    crew = await seat_queries.assignments_of(connection, order.id)
    left = [seat for seat in crew if seats.get(seat.seat, seat.worker_id) != seat.worker_id]
    await move_seats(connection, order, left, AssignmentStatus.REPLACED)
    await seat_workers(connection, order, {seat.seat: seats[seat.seat] for seat in left}, state)
    if order.status is S.OFFERED:
        await crew_queries.name_in_offer(connection, order.id, seats)


async def follow_plan(connection: Connection, written: Written, own: UUID | None = None) -> None:
    """Where a plan commit gave an order another crew, the seats that were taken follow; `own` is seen to elsewhere.

    Also when some of a crew are on the way already: whoever was to join them may be somebody else now.
    """
    for order_id, seats in written.crews.items():
        if order_id != own:
            await change_crew(connection, await queries.order(connection, order_id), seats)


async def give_up(connection: Connection, order: Order, actor: Actor, reason: str) -> Order:
    """Nobody could come: the order ends unserved, free of charge."""
    begin(C.GIVE_UP, actor, order.status, order.kind)
    await withdraw_offers(connection, order)
    crew = await withdraw_crew(connection, order)
    ended = await move(
        connection, order, C.GIVE_UP, S.UNSERVED, actor, workers=[a.worker_id for a in crew], reason=reason
    )
    await free_stops(connection, order)
    return ended


async def unserved_by_operator(connection: Connection, principal: Principal, order_id: UUID, reason: str) -> Order:
    """An operator ends the search early."""
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        await note(connection, principal, "unserved", "order", order_id, reason)
        return await give_up(connection, order, actor_of(principal, order.resident_id), "given_up_at_the_desk")
