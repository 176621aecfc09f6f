"""Bookings: a slot is taken up, and from then on its window is promised."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from backend.accounts import queries as accounts
from backend.bookings import caps, queries
from backend.bookings.asking import brought_between, wanted_of, with_neighbours
from backend.bookings.model import BookingRequest, Channel
from backend.core.clock import city_date, day_origin
from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.orders import actions as orders
from backend.orders import queries as order_queries
from backend.orders import seat_queries, timer_queries
from backend.orders.lifecycle import begin
from backend.orders.model import Command, NewLink, NewOrder, NewSeat, Order, OrderStatus, Terms
from backend.residents.queries import ResidentForBooking, resident_for_booking
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling
from backend.scheduling import quotes, tie_queries
from backend.scheduling import slots as tokens
from backend.scheduling.actions import StalePlanError, lock_day, write_plan
from backend.scheduling.quotes import TakenUp, is_near
from backend.scheduling.slots import Slot, Wanted
from backend.scheduling.snapshots import Day, Planner, Reading

_HOLD_RULE: Final = {Channel.APP: "hold_app_s", Channel.PHONE: "hold_call_s", Channel.WALK_IN: "hold_call_s"}


class Considered(Struct, frozen=True):
    """All that taking up a slot needs of the database, read at one moment; `moved` is the order it is another time for."""

    resident: ResidentForBooking
    wanted: Wanted
    slot: Slot
    read: Reading
    moved: Order | None = None


class Chosen(Struct, frozen=True):
    """The same with the crew that was found."""

    considered: Considered
    day: Day
    taken: TakenUp

    @property
    def across(self) -> list[UUID]:
        """The other plans with orders of the resident at about that time: what is promised is tied to them."""
        return sorted({n.plan_id for n in self.considered.wanted.neighbours} - {self.day.rows.plan.id})


async def consider(
    connection: Connection, principal: Principal, planner: Planner, secret: str, request: BookingRequest
) -> Considered:
    """Read a slot that is to be taken up, and its day. `choose` is for when the connection is back, `book` for afterwards.

    Raises slot_invalid, slot_in_past, unknown_resident, slot_taken.
    """
    planner.refuse_until_ready()
    now = await order_queries.care_now(connection)
    slot = tokens.read(request.slot, secret, now)
    if not principal.acts_for(slot.resident_id):
        raise DomainError("unknown_resident")
    if slot.instead_of is not None:
        raise DomainError("slot_invalid", "The slot is another time for an order, and cannot be booked as a new one.")
    async with as_the_platform(connection):
        return await read_beside(connection, planner, slot, now)


async def read_beside(connection: Connection, planner: Planner, slot: Slot, now: datetime) -> Considered:
    """The slot with whoever it is for and its day, as they are now. Raises slot_invalid, slot_taken."""
    resident, wanted, slot = await _taken_up(connection, planner, slot, now)
    if await scheduling.plan(connection, wanted.zone_id, slot.plan_on) is None:
        await scheduling.ensure_plan(connection, wanted.zone_id, slot.plan_on)
    read = await quotes.read_day(connection, planner, wanted, now, on=slot.plan_on)
    return Considered(resident, wanted, slot, read)


def choose(planner: Planner, considered: Considered) -> Chosen:
    """Find a crew for the slot. It may differ from the one the quote had in mind; window and price never do."""
    day = considered.read.built()
    return Chosen(considered, day, quotes.take_up(planner, day, considered.wanted, considered.slot))


async def book(
    connection: Connection, principal: Principal, planner: Planner, request: BookingRequest, chosen: Chosen
) -> Order:
    """Hold the crew under the plan's lock and, unless asked to wait, place the order in the same transaction.

    Raises slot_taken (409) when nobody is left for the window, and StalePlanError when the day, or anything else that was
    considered, is no longer as it was.
    """
    async with as_the_platform(connection):
        order_id = await _hold(connection, principal, planner, request, chosen)
        order = await order_queries.order(connection, order_id)
        await orders.tell(connection, order, None, [])
        if request.hold_only:
            if order.hold_expires_at is not None:
                await timer_queries.set_timer(connection, "hold_expiry", order_id, order.hold_expires_at)
            return order
        return await orders.place(connection, order, orders.actor_of(principal, order.resident_id), planner.zone_info)


async def _taken_up(
    connection: Connection, planner: Planner, slot: Slot, now: datetime
) -> tuple[ResidentForBooking, Wanted, Slot]:
    """Whoever the slot is for, what planning must know of it, and the slot beside their day as it is now."""
    resident = await resident_for_booking(connection, slot.resident_id)
    wanted = await wanted_of(connection, planner, resident, slot.item_code, slot.pickup, None, now)
    wanted = msgspec.structs.replace(wanted, instead_of=slot.instead_of)
    if wanted.catalogue_version_id != slot.catalogue_version_id:
        raise DomainError("slot_invalid", "The service has changed meanwhile; ask for new slots.")
    brought_between(planner, wanted.pickup, slot.plan_on, slot.plan_on + timedelta(days=1))  # or in its night
    return resident, *await _still_apart(connection, planner, wanted, slot)


async def _hold(
    connection: Connection, principal: Principal, planner: Planner, request: BookingRequest, chosen: Chosen
) -> UUID:
    seen = chosen.considered
    await lock_day(connection, chosen.day, chosen.across)
    now = await order_queries.care_now(connection)
    since = day_origin(city_date(now, planner.zone_info), planner.zone_info)
    await caps.may_book(connection, seen.resident, seen.slot.plan_on, since)
    resident = await still_as_read(connection, planner, seen, now)
    asked_by = await _asker(connection, principal, request)
    booking_id = await queries.insert_booking(
        connection, resident.id, seen.wanted.item_code, request.channel.value, asked_by, principal.account_id,
        request.note,
    )  # fmt: skip
    hold_s = int(await limit(connection, _HOLD_RULE[request.channel], resident.community_code))
    order_id = await orders.store(
        connection,
        NewOrder(
            booking_id=booking_id, resident_id=resident.id, item_code=seen.wanted.item_code, kind=seen.wanted.kind,
            hold_s=hold_s, terms=terms_of(resident, seen),
        ),
    )  # fmt: skip
    await promise(connection, chosen, order_id, hold=(order_id, now + timedelta(seconds=hold_s)))
    return order_id


async def still_as_read(
    connection: Connection, planner: Planner, seen: Considered, now: datetime
) -> ResidentForBooking:
    """Whoever the slot is for, under the locks. Raises StalePlanError when anything considered is no longer as it was."""
    resident, wanted, slot = await _taken_up(connection, planner, seen.slot, now)
    if (wanted, slot) != (seen.wanted, seen.slot):
        raise StalePlanError
    return resident


def terms_of(resident: ResidentForBooking, seen: Considered) -> Terms:
    """What an order under this slot promises, at the resident's present home."""
    wanted, slot = seen.wanted, seen.slot
    return Terms(
        zone_id=wanted.zone_id, plan_on=slot.plan_on, catalogue_version_id=wanted.catalogue_version_id,
        home_id=resident.home_id, place_id=wanted.place_id, district_code=resident.district_code,
        street_code=resident.street_code, community_code=resident.community_code,
        pickup_facility_id=slot.pickup.facility_id if slot.pickup else None,
        pickup_place_id=wanted.pickup_place_id, ready_at=slot.pickup.ready_at if slot.pickup else None,
        pickup_s=slot.pickup.pickup_s if slot.pickup else 0,
        max_ride_s=slot.pickup.max_ride_s if slot.pickup else None,
        gender_wish=wanted.gender_wish, wish_from=slot.wish_from, wish_to=slot.wish_to,
        window_from=slot.starts_from, window_to=slot.starts_to, window_soft=slot.soft, latest_at=slot.latest_at,
        price_fen=slot.price_fen, price_lines=slot.price_lines, acceptance=wanted.acceptance,
    )  # fmt: skip


async def promise(
    connection: Connection, chosen: Chosen, order_id: UUID, *, hold: tuple[UUID, datetime] | None
) -> None:
    """Give an order under these terms its seats, its gaps to others and its crew's stops; the plans are locked.

    Raises slot_taken when nobody is left for the window.
    """
    slot, plan_id, across = chosen.considered.slot, chosen.day.rows.plan.id, chosen.across
    await seat_queries.insert_seats(
        connection,
        order_id,
        [NewSeat(s.number, s.skills, s.duration_s, s.gender_rule) for s in chosen.considered.wanted.seats],
    )
    for link in slot.links:
        before, after = (link.order_id, order_id) if link.follows else (order_id, link.order_id)
        await order_queries.insert_link(
            connection, NewLink(before, after, link.min_gap_s, link.max_gap_s, link.gap_from)
        )
    if across:
        await tie_queries.tie_plans(connection, plan_id, across)
    planned = chosen.taken.named(order_id)
    if planned is not None:
        written = await write_plan(connection, chosen.day, planned, hold=hold)
        await orders.follow_plan(connection, written, order_id)
    elif not slot.soft:
        raise DomainError("slot_taken")
    else:
        await scheduling.raise_version(connection, plan_id, improved=False)


async def _asker(connection: Connection, principal: Principal, request: BookingRequest) -> UUID | None:
    """Who wanted it: in the app whoever is signed in; at the desk whoever is named, or nobody with an account."""
    if principal.role is not Role.OPERATOR:
        if request.channel is not Channel.APP:
            raise DomainError("invalid_request", "Only a desk books by telephone or for somebody who has come in.")
        return principal.account_id
    if request.asked_by is not None and not await accounts.exists(connection, request.asked_by):
        raise DomainError("invalid_request", "Nobody has the account named as asking.")
    return request.asked_by


async def _still_apart(connection: Connection, planner: Planner, wanted: Wanted, slot: Slot) -> tuple[Wanted, Slot]:
    """The wish and the slot beside what the resident has at about that time now. Raises slot_taken.

    Another order since the quote leaves its links incomplete, and so does one that was far away then and has moved.
    One that will not take place any more ties nothing, unless the slot was to follow it within some time.
    """
    tied = [link.order_id for link in slot.links]
    wanted = (await with_neighbours(connection, planner, wanted, slot.plan_on, 1, tied))[0]
    length = timedelta(seconds=max(seat.duration_s for seat in wanted.seats))
    end = (slot.latest_at if slot.soft else slot.starts_to) + length
    others = [n for n in wanted.neighbours if n.order_id not in tied]
    if any(
        is_near(n, slot.starts_from, end)
        or (n.order_id not in slot.beside and city_date(n.from_at, planner.zone_info) == slot.plan_on)
        for n in others
    ):
        raise DomainError("slot_taken", "Something else was booked for this resident meanwhile; ask for new slots.")
    there = {n.order_id for n in wanted.neighbours}
    if any(link.max_gap_s is not None for link in slot.links if link.order_id not in there):
        raise DomainError("slot_taken", "The order it was to follow was called off meanwhile; ask for new slots.")
    links = [link for link in slot.links if link.order_id in there]
    mine = [n for n in wanted.neighbours if n.order_id in tied]
    return msgspec.structs.replace(wanted, neighbours=mine), msgspec.structs.replace(slot, links=links)


async def extend(connection: Connection, principal: Principal, order_id: UUID) -> Order:
    """Keep a hold longer while the caller is still on the line.

    Raises hold_expired (410), and hold_at_limit (409) for a hold that goes on, but not for longer.
    """
    order = await order_queries.own_order(connection, principal, order_id)
    if not principal.acts_for(order.resident_id):
        raise DomainError("unknown_order")
    async with as_the_platform(connection):
        order = await order_queries.order_for_update(connection, order_id)
        await orders.still_held(connection, order)
        begin(Command.EXTEND, orders.actor_of(principal, order.resident_id), order.status, order.kind)
        seconds = int(await limit(connection, "hold_extension_s", order.community_code))
        at_most = int(await limit(connection, "hold_extensions_s", order.community_code))
        if await order_queries.extend_hold(connection, order_id, seconds, at_most) == 0:
            raise DomainError("hold_at_limit")
        order = await order_queries.order(connection, order_id)
        if order.hold_expires_at is not None:
            await scheduling.set_hold_expiry(connection, order_id, order.hold_expires_at)
            await timer_queries.set_timer(connection, "hold_expiry", order_id, order.hold_expires_at)
        await orders.tell(connection, order, OrderStatus.HELD, [])
        return order
