"""Quotes and bookings: what a caller is offered, and the promise that follows."""

from datetime import datetime, timedelta
from uuid import UUID

from backend.bookings import queries
from backend.bookings.model import BookingRequest, Channel, Quote, QuotedSlot, QuoteReason, QuoteRequest
from backend.catalogue.queries import current_item, seats_for
from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import actions as orders
from backend.orders import queries as order_queries
from backend.orders.model import NewLink, NewOrder, NewSeat, Order
from backend.residents.queries import resident_for_booking
from backend.scheduling import queries as scheduling
from backend.scheduling import quotes
from backend.scheduling.actions import write_plan
from backend.scheduling.quotes import Slot, Wanted, WantedLink, WantedSeat
from backend.scheduling.snapshots import Planner
from dispatch import Insertion

_HOLD_S = {Channel.APP: 180, Channel.PHONE: 480, Channel.WALK_IN: 480}  # design 5: three minutes, eight in a call
_MAX_DAYS = 14


async def ask(
    connection: Connection, principal: Principal, planner: Planner, secret: str, request: QuoteRequest
) -> Quote:
    """The slots for a service and a resident. Raises unknown_resident, unknown_item, invalid_window, slot_in_past."""
    if not principal.acts_for(request.resident_id):
        raise DomainError("unknown_resident")
    async with as_the_platform(connection):
        now = await order_queries.care_now(connection)
        wanted = await _wanted(connection, planner, request, now)
        if request.wish is not None and request.wish.soft:
            _check_wish(request.wish.from_at, request.wish.to_at, request.wish.latest_at or request.wish.to_at, now)
            slots, refused = await quotes.quote_wish(
                connection, planner, wanted, now, wish=(request.wish.from_at, request.wish.to_at),
                latest_at=request.wish.latest_at or request.wish.to_at,
            )  # fmt: skip
        else:
            slots, refused = await _coming_days(connection, planner, wanted, now, request)
    return Quote(
        [_shown(slot, secret) for slot in slots],
        [QuoteReason(reason.on, reason.rule) for reason in refused],
    )


def _check_wish(from_at: datetime, to_at: datetime, latest_at: datetime, now: datetime) -> None:
    if to_at < from_at or latest_at < to_at:
        raise DomainError("invalid_window")
    if latest_at < now:
        raise DomainError("slot_in_past")


async def _coming_days(
    connection: Connection, planner: Planner, wanted: Wanted, now: datetime, request: QuoteRequest
) -> tuple[list[Slot], list[quotes.Refused]]:
    wish = request.wish
    if wish is not None:
        _check_wish(wish.from_at, wish.to_at, wish.to_at, now)
        on, days = city_date(wish.from_at, planner.zone_info), 1
    else:
        on, days = request.from_on or city_date(now, planner.zone_info), min(request.days, _MAX_DAYS)
        if on < city_date(now, planner.zone_info):
            raise DomainError("slot_in_past")
    slots, refused = await quotes.quote_slots(connection, planner, wanted, now, from_on=on, days=days)
    if wish is not None:
        slots = [slot for slot in slots if wish.from_at <= slot.starts_from <= wish.to_at]
    return slots, refused


def _shown(slot: Slot, secret: str) -> QuotedSlot:
    return QuotedSlot(
        token=quotes.sign(slot, secret), starts_from=slot.starts_from, starts_to=slot.starts_to,
        expected_at=slot.expected_at, late_s=slot.late_s, price_fen=slot.price_fen, price_lines=slot.price_lines,
        crew_size=len(slot.wanted.seats),
    )  # fmt: skip


async def _wanted(connection: Connection, planner: Planner, request: QuoteRequest, now: datetime) -> Wanted:
    """Everything planning must know of the wish, looked up once."""
    resident = await resident_for_booking(connection, request.resident_id)
    if resident.suspended:
        raise DomainError("not_entitled")
    item = await current_item(connection, request.item_code, city_date(now, planner.zone_info))
    seats = await seats_for(connection, item.version_id, resident.ability_level)
    if not seats:
        raise DomainError("not_entitled", "The catalogue has no crew for this resident's ability level.")
    point = await queries.meal_point(connection, request.pickup.facility_id) if request.pickup else None
    link = request.after
    if link is not None:
        await order_queries.order(connection, link.order_id)
    return Wanted(
        resident_id=resident.id, resident_gender=resident.gender, gender_wish=resident.gender_wish,
        refused_workers=resident.refused_workers, zone_id=resident.zone_id, place_id=resident.place_id,
        item_code=item.code, kind=item.kind, catalogue_version_id=item.version_id, price_fen=item.price_fen,
        slot_s=item.slot_s, acceptance=item.acceptance,
        seats=[WantedSeat(s.number, s.skills, s.duration_s, s.gender_rule) for s in seats],
        pickup_facility_id=point.id if point else None, pickup_place_id=point.place_id if point else None,
        ready_at=request.pickup.ready_at if request.pickup else None,
        pickup_s=request.pickup.pickup_s if request.pickup else 0,
        max_ride_s=request.pickup.max_ride_s if request.pickup else None,
        link=WantedLink(link.order_id, link.min_gap_s, link.max_gap_s, link.gap_from) if link else None,
    )  # fmt: skip


async def book(
    connection: Connection, principal: Principal, planner: Planner, secret: str, request: BookingRequest
) -> Order:
    """Hold a slot's crew under the plan's lock and, unless asked to wait, place the order in the same transaction.

    The crew may differ from the one the quote had in mind; window and price never do. Raises slot_taken (409) when
    nobody is left for the window.
    """
    now = await order_queries.care_now(connection)
    slot = quotes.read(request.slot, secret, now)
    if not principal.acts_for(slot.wanted.resident_id):
        raise DomainError("unknown_resident")
    async with as_the_platform(connection):
        order_id = await _hold(connection, principal, planner, slot, request, now)
        order = await order_queries.order(connection, order_id)
        await orders.tell(connection, order, None, [])
        if request.hold_only:
            if order.hold_expires_at is not None:
                await order_queries.set_timer(connection, "hold_expiry", order_id, order.hold_expires_at)
            return order
        return await orders.place(connection, order, orders.actor_of(principal))


async def _hold(
    connection: Connection, principal: Principal, planner: Planner, slot: Slot, request: BookingRequest, now: datetime
) -> UUID:
    wanted = slot.wanted
    await scheduling.ensure_plan(connection, wanted.zone_id, slot.plan_on)
    plan = await scheduling.plan_for_update(connection, wanted.zone_id, slot.plan_on)
    places = [place for place in (wanted.place_id, wanted.pickup_place_id) if place]
    day = await planner.day(connection, wanted.zone_id, slot.plan_on, now, plan=plan, places=places)
    asked_by = request.asked_by or (principal.account_id if request.channel is Channel.APP else None)
    booking_id = await queries.insert_booking(
        connection, wanted.resident_id, wanted.item_code, request.channel.value, asked_by, principal.account_id,
        request.note,
    )  # fmt: skip
    resident = await resident_for_booking(connection, wanted.resident_id)
    hold_s = _HOLD_S[request.channel]
    order_id = await order_queries.insert_order(
        connection,
        NewOrder(
            booking_id=booking_id, resident_id=wanted.resident_id, zone_id=wanted.zone_id, plan_on=slot.plan_on,
            catalogue_version_id=wanted.catalogue_version_id, item_code=wanted.item_code, kind=wanted.kind,
            home_id=resident.home_id, place_id=wanted.place_id, district_code=resident.district_code,
            street_code=resident.street_code, community_code=resident.community_code,
            pickup_facility_id=wanted.pickup_facility_id, pickup_place_id=wanted.pickup_place_id,
            ready_at=wanted.ready_at, pickup_s=wanted.pickup_s, max_ride_s=wanted.max_ride_s,
            gender_wish=wanted.gender_wish, wish_from=slot.wish_from, wish_to=slot.wish_to,
            window_from=slot.starts_from, window_to=slot.starts_to, window_soft=slot.soft, latest_at=slot.latest_at,
            hold_s=hold_s, price_fen=slot.price_fen, price_lines=slot.price_lines, acceptance=wanted.acceptance,
        ),
    )  # fmt: skip
    await order_queries.insert_seats(
        connection, order_id, [NewSeat(s.number, s.skills, s.duration_s, s.gender_rule) for s in wanted.seats]
    )
    if wanted.link is not None:
        li = wanted.link
        await order_queries.insert_link(
            connection, order_id, NewLink(li.order_id, li.min_gap_s, li.max_gap_s, li.gap_from)
        )
    outcome = quotes.place_into(planner, day, quotes.settled(day), slot, str(order_id))
    if isinstance(outcome, Insertion):
        written = await write_plan(connection, day, outcome.plan, hold=(order_id, now + timedelta(seconds=hold_s)))
        await orders.follow_plan(connection, written, order_id)
    elif not slot.soft:
        raise DomainError("slot_taken")
    else:
        await scheduling.raise_version(connection, plan.id, improved=False)
    return order_id


async def extend(connection: Connection, principal: Principal, order_id: UUID, seconds: int, limit_s: int) -> Order:
    """Keep a hold longer while the caller is still on the line. Raises hold_expired (410)."""
    order = await order_queries.order(connection, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await order_queries.order_for_update(connection, order_id)
        if await order_queries.extend_hold(connection, order_id, seconds, limit_s) == 0:
            raise DomainError("hold_expired")
        order = await order_queries.order(connection, order_id)
        if order.hold_expires_at is not None:
            await scheduling.set_hold_expiry(connection, order_id, order.hold_expires_at)
            await order_queries.set_timer(connection, "hold_expiry", order_id, order.hold_expires_at)
        return order
