"""Quotes: what a caller is offered, and all that planning must know of a wish."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from backend.bookings import caps, queries
from backend.bookings.model import After, Quote, QuotedSlot, QuoteReason, QuoteRequest, Wish
from backend.catalogue.model import MEAL
from backend.catalogue.queries import current_item, seats_for
from backend.core.clock import city_date, day_origin
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries as order_queries
from backend.residents.queries import ResidentForBooking, resident_for_booking
from backend.rules.queries import limit
from backend.scheduling import quotes
from backend.scheduling import slots as tokens
from backend.scheduling.slots import NEAR_S, Neighbour, PickupPoint, Refused, Slot, Wanted, WantedLink, WantedSeat
from backend.scheduling.snapshots import Planner, Reading

_READ = timedelta(days=1)  # before and after the days asked about: no gap between two services is longer
_LONGEST_DAY = timedelta(days=2)  # a shift of a plan day may begin at its end


class Asked(Struct, frozen=True):
    """All that answering a question needs of the database, read at one moment."""

    request: QuoteRequest
    now: datetime
    crew_size: int
    days: list[tuple[Wanted, Reading]]


async def ask(connection: Connection, principal: Principal, planner: Planner, request: QuoteRequest) -> Asked:
    """Read and count a question about slots. `answer` is for when the connection is back: thinking may take long.

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
        pickup = request.pickup and PickupPoint(
            request.pickup.facility_id, request.pickup.ready_at, request.pickup.pickup_s, request.pickup.max_ride_s
        )
        wanted = await wanted_of(connection, planner, resident, request.item_code, pickup, link, now)
        if request.wish is not None and request.wish.soft:
            days = [await _soft(connection, planner, wanted, now, request.wish)]
        else:
            days = await _coming_days(connection, planner, wanted, now, request)
        await caps.note_asked(connection, principal, request.resident_id, today)
    return Asked(request, now, len(wanted.seats), days)


def answer(planner: Planner, secret: str, asked: Asked) -> Quote:
    """The slots for a service and a resident, and why a day has none."""
    wish, slots, refused = asked.request.wish, list[Slot](), list[Refused]()
    for wanted, read in asked.days:
        day = read.built()
        if wish is not None and wish.soft:
            latest_at = wish.latest_at or wish.to_at
            found, reasons = quotes.quote_wish(
                planner, wanted, day, asked.now, wish=(wish.from_at, wish.to_at), latest_at=latest_at
            )
        else:
            found, reason = quotes.quote_slots(planner, wanted, day, asked.now)
            reasons = [reason] if reason else []
        slots += found
        refused += reasons
    if wish is not None and not wish.soft:
        slots = [slot for slot in slots if wish.from_at <= slot.starts_from <= wish.to_at]
    return Quote(
        [_shown(slot, secret, asked.crew_size) for slot in slots],
        [QuoteReason(reason.on, reason.rule) for reason in sorted(refused, key=lambda reason: reason.on)],
    )


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


async def _soft(
    connection: Connection, planner: Planner, wanted: Wanted, now: datetime, wish: Wish
) -> tuple[Wanted, Reading]:
    latest_at = wish.latest_at or wish.to_at
    _check_wish(wish.from_at, wish.to_at, latest_at, now)
    on = await _within_horizon(connection, planner, wanted, wish.from_at, now)
    if latest_at > day_origin(on, planner.zone_info) + timedelta(days=1):
        raise DomainError("invalid_window", "The latest start lies beyond the day of the wish.")
    brought_between(planner, wanted.pickup, on, on)
    wanted = (await with_neighbours(connection, planner, wanted, on, 1))[0]
    return wanted, await quotes.read_day(connection, planner, wanted, now, on=on)


def _check_wish(from_at: datetime, to_at: datetime, latest_at: datetime, now: datetime) -> None:
    if to_at < from_at or latest_at < to_at:
        raise DomainError("invalid_window")
    if latest_at < now:
        raise DomainError("slot_in_past")


async def _coming_days(
    connection: Connection,
    planner: Planner,
    wanted: Wanted,
    now: datetime,
    request: QuoteRequest,
) -> list[tuple[Wanted, Reading]]:
    wish = request.wish
    if wish is not None:
        _check_wish(wish.from_at, wish.to_at, wish.to_at, now)
        on, days = await _within_horizon(connection, planner, wanted, wish.from_at, now), 1
    else:
        today = city_date(now, planner.zone_info)
        on, days = request.from_on or today, request.days
        if on < today:
            raise DomainError("slot_in_past")
        horizon = int(await limit(connection, "booking_horizon_days", wanted.area))
        if (on - today).days > horizon:
            raise DomainError("too_far_ahead")
        days = min(days, horizon - (on - today).days + 1)
    if wanted.pickup is not None:
        on, days = brought_between(planner, wanted.pickup, on, on + timedelta(days=days - 1)) or on, 1
    return [
        (mine, await quotes.read_day(connection, planner, mine, now, on=on + timedelta(days=step)))
        for step, mine in enumerate(await with_neighbours(connection, planner, wanted, on, days))
    ]


async def _within_horizon(
    connection: Connection, planner: Planner, wanted: Wanted, instant: datetime, now: datetime
) -> date:
    """The plan day of a wish. Raises too_far_ahead when the city does not take bookings for it yet."""
    if instant - now > timedelta(days=await limit(connection, "booking_horizon_days", wanted.area)):
        raise DomainError("too_far_ahead")
    return city_date(instant, planner.zone_info)


def brought_between(planner: Planner, pickup: PickupPoint | None, from_on: date, to_on: date) -> date | None:
    """The one day a meal can be brought: the plan day it is ready on. Raises invalid_window for another day."""
    if pickup is None:
        return None
    on = city_date(pickup.ready_at, planner.zone_info)
    if not from_on <= on <= to_on:
        raise DomainError("invalid_window", "The meal is ready on another day than the one asked for.")
    return on


def _shown(slot: Slot, secret: str, crew_size: int) -> QuotedSlot:
    return QuotedSlot(
        token=tokens.sign(slot, secret), starts_from=slot.starts_from, starts_to=slot.starts_to,
        expected_at=slot.expected_at, late_s=slot.late_s, price_fen=slot.price_fen, price_lines=slot.price_lines,
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
        list(named),
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
