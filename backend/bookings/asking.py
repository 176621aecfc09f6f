"""Quotes: what a caller is offered, and all that planning must know of a wish."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from backend.bookings import caps, queries
from backend.bookings.model import MOST_DAYS, After, Quote, QuotedSlot, QuoteReason, QuoteRequest, Wish
from backend.catalogue.model import MEAL
from backend.catalogue.queries import current_item, seats_for
from backend.core.clock import city_date, day_origin
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries as order_queries
from backend.orders.actions import actor_of
from backend.orders.lifecycle import begin
from backend.orders.model import Command, Order
from backend.residents.queries import ResidentForBooking, resident_for_booking
from backend.rules.queries import limit
from backend.scheduling import quotes
from backend.scheduling import slots as tokens
from backend.scheduling.queries import LIVE_STATUSES
from backend.scheduling.slots import NEAR_S, Neighbour, PickupPoint, Refused, Slot, Wanted, WantedLink, WantedSeat
from backend.scheduling.snapshots import Planner, Reading

_READ = timedelta(days=1)  # before and after the days asked about: no gap between two services is longer
_LONGEST_DAY = timedelta(days=2)  # a shift of a plan day may begin at its end
_DAY = timedelta(days=1)
_SOFT_DAYS = 2  # an order that waits does so in one plan, whose night reaches into the next day
_OTHER_DAY = "The meal is ready on another day than the one asked for."


class Span(Struct, frozen=True):
    """From when to when a question is, the plan days it touches, and whether a night that began before them counts."""

    begins: datetime
    ends: datetime
    on: date
    last: date
    nights: bool


class Asked(Struct, frozen=True):
    """All that answering a question needs of the database, read at one moment; `on` is the first day it touches."""

    request: QuoteRequest
    now: datetime
    on: date
    crew_size: int
    days: list[tuple[Wanted, Reading]]


async def ask(
    connection: Connection, principal: Principal, planner: Planner, request: QuoteRequest, gender: str | None = None
) -> Asked:
    """Read and count a question about slots. `answer` is for when the connection is back: thinking may take long.

    `gender` is wished for this once; what is on record for the resident goes before it.

    Raises unknown_resident, unknown_item, invalid_window, slot_in_past.
    """
    if not principal.acts_for(request.resident_id):
        raise DomainError("unknown_resident")
    async with as_the_platform(connection):
        now = await order_queries.care_now(connection)
        today = city_date(now, planner.zone_info)
        await caps.may_ask(connection, principal, request.resident_id, today)
        link = request.after and await _link(connection, request.after, request.resident_id)
        resident = await resident_for_booking(connection, request.resident_id)
        if gender is not None and resident.gender_wish == "any":
            resident = msgspec.structs.replace(resident, gender_wish=gender)
        pickup = request.pickup and PickupPoint(
            request.pickup.facility_id, request.pickup.ready_at, request.pickup.pickup_s, request.pickup.max_ride_s
        )
        wanted = await wanted_of(connection, planner, resident, request.item_code, pickup, link, now)
        if request.instead_of is not None:
            await _can_move(connection, principal, request, request.instead_of)
            wanted = msgspec.structs.replace(wanted, instead_of=request.instead_of)
        span = await _span(connection, planner, wanted, now, request)
        days = await _days(connection, planner, wanted, now, span)
        await caps.note_asked(connection, principal, request.resident_id, today)
    return Asked(request, now, span.on, len(wanted.seats), days)


def answer(planner: Planner, secret: str, asked: Asked) -> Quote:
    """The slots for a service and a resident, in order of time, and why a day has none."""
    slots, reasons = found(planner, asked)
    return Quote([shown(slot, secret, asked.crew_size, planner) for slot in slots], reasons)


def found(planner: Planner, asked: Asked) -> tuple[list[Slot], list[QuoteReason]]:
    """The same before it is signed: for whoever chooses among the slots."""
    wish = asked.request.wish
    slots, refused = _firm(planner, asked) if wish is None or not wish.soft else _soft(planner, asked, wish)
    return slots, [QuoteReason(reason.on, reason.rule) for reason in sorted(refused, key=lambda reason: reason.on)]


def _firm(planner: Planner, asked: Asked) -> tuple[list[Slot], list[Refused]]:
    """Every start that is possible on the days asked about, once; the night before them is no day of its own."""
    wish, slots, refused = asked.request.wish, dict[datetime, Slot](), list[Refused]()
    span = None if wish is None else (max(wish.from_at, asked.now), wish.to_at)
    for wanted, read in asked.days:
        found, reason = quotes.quote_slots(planner, wanted, read.built(), asked.now, span)
        for slot in found:
            slots.setdefault(slot.starts_from, slot)
        if reason is not None:
            refused.append(reason)
    if slots:
        refused = [reason for reason in refused if reason.on >= asked.on]
    return [slots[start] for start in sorted(slots)], refused


def _soft(planner: Planner, asked: Asked, wish: Wish) -> tuple[list[Slot], list[Refused]]:
    """The slot at which anybody comes first; while nobody can, one that waits, where somebody is on shift at all."""
    latest_at = wish.latest_at or wish.to_at
    slots, refused = list[Slot](), list[Refused]()
    for wanted, read in asked.days:
        found, reasons = quotes.quote_wish(
            planner, wanted, read.built(), asked.now, wish=(wish.from_at, wish.to_at), latest_at=latest_at
        )
        slots += found
        refused += reasons
    sure = [(slot.expected_at, slot) for slot in slots if slot.expected_at is not None]
    if sure:
        return [min(sure, key=lambda one: one[0])[1]], []
    idle = {reason.on for reason in refused if reason.rule == "no_shift"}
    return sorted(slots, key=lambda slot: slot.plan_on in idle)[:1], refused


async def _link(connection: Connection, after: After, resident_id: UUID) -> WantedLink:
    """The gap to the order that comes before, which is the same resident's and takes place."""
    if after.max_gap_s is not None and after.max_gap_s < after.min_gap_s:
        raise DomainError("invalid_window", "The longest gap is shorter than the shortest.")
    other = await order_queries.order(connection, after.order_id)
    if other.resident_id != resident_id:
        raise DomainError("unknown_order")
    if other.status in order_queries.NOT_THERE:
        raise DomainError("invalid_request", "The order it should follow does not take place.")
    return WantedLink(after.order_id, after.min_gap_s, after.max_gap_s, after.gap_from)


async def _can_move(connection: Connection, principal: Principal, request: QuoteRequest, order_id: UUID) -> None:
    """Refuse other times for what is no order of this resident for this service, or cannot move any more.

    Raises unknown_order, illegal_transition, invalid_window.
    """
    order = await order_queries.order(connection, order_id)
    if (order.resident_id, order.item_code) != (request.resident_id, request.item_code):
        raise DomainError("unknown_order")
    await may_move(connection, principal, order)


async def may_move(connection: Connection, principal: Principal, order: Order) -> None:
    """Refuse to move an order from its state, or away from one that has to follow it within some time.

    That one was promised by its gap: it is moved or called off first. Raises illegal_transition, invalid_window.
    """
    begin(Command.RESCHEDULE, actor_of(principal, order.resident_id), order.status, order.kind)
    if await order_queries.is_followed(connection, order.id, LIVE_STATUSES):
        raise DomainError(
            "invalid_window", "Another order is to follow this one within a longest gap; move that first."
        )


def _check_wish(from_at: datetime, to_at: datetime, latest_at: datetime, now: datetime) -> None:
    if to_at < from_at or latest_at < to_at:
        raise DomainError("invalid_window")
    if latest_at < now:
        raise DomainError("slot_in_past")


async def _span(connection: Connection, planner: Planner, wanted: Wanted, now: datetime, request: QuoteRequest) -> Span:
    """Work out what a question is about. Raises invalid_window, slot_in_past, too_far_ahead."""
    zone, wish, today = planner.zone_info, request.wish, city_date(now, planner.zone_info)
    horizon = int(await limit(connection, "booking_horizon_days", wanted.area))
    farthest = today + timedelta(days=horizon)
    if wish is None:
        on = request.from_on or today
        if on < today:
            raise DomainError("slot_in_past")
        if on > farthest:
            raise DomainError("too_far_ahead")
        last = min(on + timedelta(days=request.days - 1), farthest)
        begins = now if request.from_on is None else max(now, day_origin(on, zone))
        ends = day_origin(last + timedelta(days=2), zone)  # a night may last as long as the day behind it
        return Span(begins, ends, on, last, request.from_on is None)
    latest_at = wish.to_at if wish.latest_at is None or not wish.soft else wish.latest_at
    _check_wish(wish.from_at, wish.to_at, latest_at, now)
    begins = max(wish.from_at, now)
    if begins - now > timedelta(days=horizon):
        raise DomainError("too_far_ahead")
    end = max(begins, latest_at - timedelta(seconds=1)) if wish.soft else latest_at  # late until three is that night's
    on, last = city_date(begins, zone), city_date(end, zone)
    most = _SOFT_DAYS if wish.soft else MOST_DAYS
    if (last - on).days >= most:
        raise DomainError("invalid_window", f"Such a wish lies within {most} days, each from 03:00 to 03:00.")
    return Span(begins, latest_at, on, max(on, min(last, farthest)), nights=True)


async def _days(
    connection: Connection, planner: Planner, wanted: Wanted, now: datetime, span: Span
) -> list[tuple[Wanted, Reading]]:
    """Every plan day that a question touches, and the one before where its night goes on into it."""

    async def read(mine: Wanted, on: date) -> tuple[Wanted, Reading]:
        return mine, await quotes.read_day(connection, planner, mine, now, on=on)

    first, last, begins, ready_on = span.on, span.last, span.begins, span.last
    if wanted.pickup is not None:
        await _fresh(connection, wanted.pickup, wanted.area, begins)
        ready_on = city_date(wanted.pickup.ready_at, planner.zone_info)
        if not first - _DAY <= ready_on <= last:
            raise DomainError("invalid_window", _OTHER_DAY)
        first = last = max(first, ready_on)
        begins = max(begins, wanted.pickup.ready_at)
    beside = await with_neighbours(connection, planner, wanted, first, (last - first).days + 1)
    _can_follow(beside[0], span, now)
    found = [await read(mine, first + timedelta(days=step)) for step, mine in enumerate(beside)]
    before = first - _DAY
    if span.nights and await planner.goes_on(connection, found[0][1], begins):
        night = await with_neighbours(connection, planner, wanted, before, 1)
        found.append(await read(night[0], before))
    if ready_on < first:
        found = [one for one in found if one[1].rows.plan_on == before]
        if not found:
            raise DomainError("invalid_window", _OTHER_DAY)
    return found


def brought_between(planner: Planner, pickup: PickupPoint | None, from_on: date, to_on: date) -> None:
    """Refuse a meal that is ready on none of these plan days. Raises invalid_window."""
    if pickup is not None and not from_on <= city_date(pickup.ready_at, planner.zone_info) <= to_on:
        raise DomainError("invalid_window", _OTHER_DAY)


async def _fresh(connection: Connection, pickup: PickupPoint, area: str, begins: datetime) -> None:
    """Refuse a meal that was ready so long before anybody may bring it that it is none any more."""
    if begins - pickup.ready_at > timedelta(seconds=await limit(connection, "meal_kept_s", area)):
        raise DomainError("invalid_window", "The meal was ready too long before it could be brought.")


def _can_follow(wanted: Wanted, span: Span, now: datetime) -> None:
    """Refuse a gap to another order that none of the times asked about keeps. Raises invalid_request, invalid_window."""
    link = wanted.link
    if link is None:
        return
    other = next((neighbour for neighbour in wanted.neighbours if neighbour.order_id == link.order_id), None)
    if other is None:
        raise DomainError("invalid_request", "The order it should follow does not take place.")
    first = other.over_at + timedelta(seconds=link.min_gap_s)
    spare = NEAR_S if other.to_at > now else 0  # what is still to come may come later than planned
    last = None if link.max_gap_s is None else other.to_at + timedelta(seconds=link.max_gap_s + spare)
    if first > span.ends or (last is not None and last < span.begins):
        raise DomainError("invalid_window", "No time asked for is as far from the order it should follow.")


def shown(slot: Slot, secret: str, crew_size: int, planner: Planner) -> QuotedSlot:
    """The slot as it leaves the platform: signed, and in the city's time."""
    zone, expected_at = planner.zone_info, slot.expected_at
    return QuotedSlot(
        token=tokens.sign(slot, secret), starts_from=slot.starts_from.astimezone(zone), starts_to=slot.starts_to.astimezone(zone),
        expected_at=expected_at and expected_at.astimezone(zone), late_s=slot.late_s, price_fen=slot.price_fen, price_lines=slot.price_lines,
        crew_size=crew_size,
    )  # fmt: skip


async def wanted_of(
    connection: Connection,
    planner: Planner,
    resident: ResidentForBooking,
    item_code: str,
    pickup: PickupPoint | None,
    link: WantedLink | None,
    now: datetime,
) -> Wanted:
    """Everything planning must know of the wish, looked up once."""
    if resident.suspended:
        raise DomainError("not_entitled")
    item = await current_item(connection, item_code, city_date(now, planner.zone_info))
    seats = await seats_for(connection, item.version_id, resident.ability_level)
    if not seats:
        raise DomainError("not_entitled", "The catalogue has no crew for this resident's ability level.")
    if (item.kind == MEAL) != (pickup is not None):
        raise DomainError("invalid_request", "A meal needs a pickup, and nothing else does.")
    point = await queries.meal_point(connection, pickup.facility_id) if pickup else None
    if point is not None and point.zone_id != resident.zone_id:
        raise DomainError("unknown_facility", "This meal point does not serve the resident's zone.")
    return Wanted(
        resident_id=resident.id, resident_gender=resident.gender, gender_wish=resident.gender_wish,
        refused_workers=resident.refused_workers, zone_id=resident.zone_id, area=resident.community_code, place_id=resident.place_id,
        item_code=item.code, kind=item.kind, catalogue_version_id=item.version_id, price_fen=item.price_fen, rules=item.rules,
        slot_s=item.slot_s, acceptance=item.acceptance,
        seats=[WantedSeat(s.number, s.skills, s.duration_s, s.gender_rule) for s in seats],
        pickup=await _hot(connection, item.rules, pickup, resident.community_code) if pickup else None,
        pickup_place_id=point.place_id if point else None, link=link,
    )  # fmt: skip


async def _hot(connection: Connection, rules: Sequence[str], pickup: PickupPoint, area: str) -> PickupPoint:
    """The care rule limits how long a hot meal rides; a client may ask for less, never for more."""
    limits = [pickup.max_ride_s] if pickup.max_ride_s is not None else []
    if "hot_meal_ride_s" in rules:
        limits.append(int(await limit(connection, "hot_meal_ride_s", area)))
    return msgspec.structs.replace(pickup, max_ride_s=min(limits, default=None))


async def with_neighbours(
    connection: Connection, planner: Planner, wanted: Wanted, from_on: date, days: int, named: Sequence[UUID] = ()
) -> list[Wanted]:
    """The wish, for each day, beside the resident's other orders at about that time and those that are `named`.

    They are found by time: a plan day ends at night, what keeps a resident busy does not.
    """
    begins = [day_origin(from_on + timedelta(days=step), planner.zone_info) for step in range(days)]
    named = [*named, *([wanted.link.order_id] if wanted.link else [])]
    others = await order_queries.orders_beside(
        connection, wanted.resident_id, (begins[0] - _READ, begins[-1] + _LONGEST_DAY + _READ),
        list(named), wanted.instead_of,
    )  # fmt: skip
    if not others:
        return [wanted] * days
    rest_s = int(await limit(connection, "meal_to_bath_gap_s", wanted.area))
    reach, own = timedelta(seconds=rest_s + NEAR_S), "meal_to_bath_gap_s" in wanted.rules
    link = wanted.link
    found: list[Neighbour] = []
    for other in others:
        before = rest_s if own and other.kind == MEAL else 0
        after = rest_s if other.rests_after_meals and wanted.kind == MEAL else 0
        if link is not None and other.id == link.order_id:
            link = _as_rules_have_it(link, other.length_s, before)
        found.append(
            Neighbour(
                other.id, other.plan_id, other.from_at, other.to_at, other.over_at, other.starts_at, before, after
            )
        )

    def at(day: datetime) -> list[Neighbour]:
        end = day + _LONGEST_DAY + reach
        return [n for n in found if (n.from_at < end and n.to_at > day - reach) or n.order_id in named]

    return [msgspec.structs.replace(wanted, neighbours=at(day), link=link) for day in begins]


def _as_rules_have_it(link: WantedLink, length_s: int, rest_s: int) -> WantedLink:
    """The gap somebody asked for, from the end of the other order and no shorter than care rules have it.

    Counted from its start a short gap would put two services into one hour. Raises invalid_window.
    """
    served_s = length_s if link.gap_from == "start" else 0
    shortest_s = max(link.min_gap_s - served_s, rest_s)
    longest_s = None if link.max_gap_s is None else link.max_gap_s - served_s
    if longest_s is not None and longest_s < shortest_s:
        raise DomainError(
            "invalid_window", "The longest gap ends before the other service, and the rest after it, does."
        )
    return msgspec.structs.replace(link, min_gap_s=shortest_s, max_gap_s=longest_s, gap_from="end")
