"""Quotes: the feasible start windows of the coming days, each with a price; and finding the crew when one is taken up."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.scheduling.instead import without
from backend.scheduling.placing import place, with_visit
from backend.scheduling.settling import settled
from backend.scheduling.slots import NEAR_S, Neighbour, Refused, Slot, Wanted, WantedLink, price_lines
from backend.scheduling.snapshots import Day, Planner, Reading, seat_gender
from backend.scheduling.starts import nobody_works, starts_of, why_none
from dispatch import (
    Delivery,
    Insertion,
    Link,
    Plan,
    Refusal,
    Seat,
    Visit,
    insert,
    quote,
    remove,
)

_FAR_S = 10**6
NEW = "new"


def visit_of(day: Day, wanted: Wanted, slot: Slot | None, identity: str) -> Visit:
    """The planner's visit for a wanted order inside a slot's window."""
    if slot is None:
        earliest, latest, due = 0, 0, None
    elif slot.soft:
        earliest, latest, due = day.seconds(slot.starts_from), day.seconds(slot.latest_at), day.seconds(slot.wish_to)
    else:
        earliest, latest, due = day.seconds(slot.starts_from), day.seconds(slot.starts_to), None
    delivery = None
    if wanted.pickup_place_id and wanted.pickup:
        delivery = Delivery(
            day.place(wanted.pickup_place_id), day.seconds(wanted.pickup.ready_at), wanted.pickup.pickup_s,
            wanted.pickup.max_ride_s,
        )  # fmt: skip
    return Visit(
        id=identity,
        place=day.place(wanted.place_id),
        seats=tuple(
            Seat(
                frozenset(s.skills),
                s.duration_s,
                seat_gender(s.gender_rule, wanted.gender_wish, wanted.resident_gender),
            )
            for s in wanted.seats
        ),
        earliest_s=earliest,
        latest_s=latest,
        due_s=due,
        delivery=delivery,
        refused_workers=frozenset(str(worker) for worker in wanted.refused_workers),
    )


def links_with(visit: str, wanted: Sequence[WantedLink]) -> list[Link]:
    """The gaps between a wanted visit and others of the day."""
    return [
        Link(
            str(link.order_id) if link.follows else visit, visit if link.follows else str(link.order_id),
            link.min_gap_s, link.max_gap_s, link.gap_from == "end",
        )
        for link in wanted
    ]  # fmt: skip


class Turn(Struct, frozen=True):
    """One place in the resident's own day: the starts it leaves open, and the links that keep it."""

    lo: int
    hi: int
    links: list[WantedLink]


def turns(day: Day, wanted: Wanted, *, tied: bool = False) -> list[Turn]:
    """Before, between and after the resident's other orders; nobody is bathed while being fed.

    What nobody is planned for yet may come at any time of its window: a firm window stays clear of all of it, while a
    soft one, whose time follows from its links (`tied`), only needs room for the one behind the other.
    """
    asked = [wanted.link] if wanted.link else []
    first, last = beside_other_plans(day, wanted, asked)
    others = sorted((n for n in wanted.neighbours if wanted.link is None or n.order_id != wanted.link.order_id),
                    key=lambda n: n.from_at)  # fmt: skip
    length = _length(wanted)
    found: list[Turn] = []
    for turn in range(len(others) + 1):
        lo = max((day.seconds(n.over_at if tied else n.to_at) + n.gap_before_s for n in others[:turn]), default=first)
        lo = max(lo, first)
        hi = min(
            (day.seconds(n.starts_at if tied else n.from_at) - n.gap_after_s - length for n in others[turn:]),
            default=_FAR_S,
        )
        hi = min(hi, last)
        links = [WantedLink(n.order_id, n.gap_before_s) for n in others[:turn]]
        links += [WantedLink(n.order_id, n.gap_after_s, follows=False) for n in others[turn:]]
        if lo <= hi:
            found.append(Turn(lo, hi, asked + links))
    return found


def beside_other_plans(day: Day, wanted: Wanted, links: Sequence[WantedLink]) -> tuple[int, int]:
    """First and last start beside linked orders that no visit of the day stands for: they are over, or in another plan."""
    first, last = 0, _FAR_S
    beside = {n.order_id: n for n in wanted.neighbours}
    planned = {visit.id for visit in day.problem.visits} if links else set[str]()
    for link in links:
        other = beside.get(link.order_id)
        if other is None or str(link.order_id) in planned:
            continue
        if link.follows:
            first = max(first, day.seconds(other.over_at) + link.min_gap_s)
            last = last if link.max_gap_s is None else min(last, day.seconds(other.to_at) + link.max_gap_s)
        else:
            last = min(last, day.seconds(other.starts_at) - link.min_gap_s - _length(wanted))
    return first, last


def _length(wanted: Wanted) -> int:
    return max(seat.duration_s for seat in wanted.seats)


def _near(day: Day, wanted: Wanted, links: list[WantedLink], from_at: datetime, until_at: datetime) -> list[WantedLink]:
    """The links without those to other plans' visits that are too far away to come in the way of these starts."""
    beside = {n.order_id: n for n in wanted.neighbours}
    asked = wanted.link and wanted.link.order_id
    return [
        link
        for link in links
        if link.order_id == asked
        or beside[link.order_id].plan_id == day.rows.plan.id
        or is_near(beside[link.order_id], from_at, until_at + timedelta(seconds=_length(wanted)))
    ]


def is_near(other: Neighbour, from_at: datetime, to_at: datetime) -> bool:
    """Whether another order of the resident may come in the way of a visit in this span, late as either may be."""
    reach = timedelta(seconds=max(other.gap_before_s, other.gap_after_s) + NEAR_S)
    return other.from_at - reach < to_at and other.to_at + reach > from_at


async def read_day(connection: Connection, planner: Planner, wanted: Wanted, now: datetime, *, on: date) -> Reading:
    """The day somebody asks about, with ways to where they are to be served; asked about without the connection."""
    read = await planner.read(connection, wanted.zone_id, on, now, places=_places(wanted))
    return read if wanted.instead_of is None else without(read, wanted.instead_of)


def quote_slots(
    planner: Planner, wanted: Wanted, day: Day, now: datetime, span: tuple[datetime, datetime] | None = None
) -> tuple[list[Slot], Refused | None]:
    """Every feasible start of one day on a quarter-hour grid, inside a span where one is asked for, or why there is none."""
    starts, on = starts_of(day, span), day.rows.plan_on
    if nobody_works(day.problem.workers, starts):
        return [], Refused(on, "no_shift")
    prepared = planner.prepared(day)
    slots: list[Slot] = []
    tried = False
    for turn in turns(day, wanted):
        mine = [start for start in starts if turn.lo <= start and start + wanted.slot_s <= turn.hi]
        if not mine:
            continue
        tried = True
        visit = msgspec.structs.replace(visit_of(day, wanted, None, NEW), earliest_s=mine[0], latest_s=mine[-1])
        problem = with_visit(day, visit, links_with(NEW, turn.links))
        possible = quote(problem, day.plan, visit, mine, prepared)
        slots += [_slot(day, wanted, slot.start_s, slot.crew, now, turn.links) for slot in possible]
    if slots:
        return slots, None
    if tried:
        return [], Refused(on, why_none(day.problem, visit_of(day, wanted, None, NEW), starts))
    first, last = beside_other_plans(day, wanted, [wanted.link] if wanted.link else [])
    beside = any(first <= start and start + wanted.slot_s <= last for start in starts)
    return [], Refused(on, "resident_busy" if beside else "window")


def quote_wish(
    planner: Planner,
    wanted: Wanted,
    day: Day,
    now: datetime,
    *,
    wish: tuple[datetime, datetime],
    latest_at: datetime,
) -> tuple[list[Slot], list[Refused]]:
    """One slot for a soft wish: as near to the wished window as anybody can come, late if it must be.

    When nobody is free the slot says so by an empty `expected_at`, with the reason; taken up, the order waits for a crew.
    When the resident is busy then, there is no slot: nobody receives two services at once, and waiting changes nothing.
    Raises invalid_window for a wish that no crew of any size could keep.
    """
    on = day.rows.plan_on
    waiting = Slot(
        resident_id=wanted.resident_id, item_code=wanted.item_code, catalogue_version_id=wanted.catalogue_version_id,
        pickup=wanted.pickup, links=[wanted.link] if wanted.link else [], beside=_beside(wanted), plan_on=on,
        starts_from=max(wish[0], day.origin),
        starts_to=max(wish[1], day.origin), wish_from=wish[0], wish_to=wish[1], latest_at=max(latest_at, wish[1]), soft=True,
        expected_at=None, late_s=0, price_fen=wanted.price_fen, price_lines=price_lines(wanted.price_fen),
        quoted_at=now, instead_of=wanted.instead_of,
    )  # fmt: skip
    best: tuple[int, Slot] | None = None
    possible: list[Slot] = []
    refused: list[Refused] = []
    wished = visit_of(day, wanted, waiting, NEW)
    first = first_start(day, wanted, wished)
    for turn in turns(day, wanted, tied=True):
        if max(first, turn.lo) > min(wished.latest_s, turn.hi):
            continue
        slot = msgspec.structs.replace(
            waiting, links=_near(day, wanted, turn.links, waiting.starts_from, waiting.latest_at)
        )
        possible.append(slot)
        visit = msgspec.structs.replace(
            wished, earliest_s=max(wished.earliest_s, turn.lo), latest_s=min(wished.latest_s, turn.hi)
        )
        outcome = place(planner, day, visit, links_with(NEW, turn.links))
        if isinstance(outcome, Refusal):
            refused.append(Refused(on, outcome.summary))
            continue
        start = max(stop.start_s for stop in outcome.stops if stop.kind != "pickup")
        if best is None or start < best[0]:
            late = max(0, start - day.seconds(wish[1]))
            best = (start, msgspec.structs.replace(slot, expected_at=day.instant(start), late_s=late))
    if best is not None:
        return [best[1]], []
    return possible[:1], refused or [Refused(on, "resident_busy")]


def first_start(day: Day, wanted: Wanted, visit: Visit) -> int:
    """The earliest anybody could be at the door for a soft wish, with the meal and after the order it is to follow.

    Raises invalid_window where that is later than the latest start wished: nothing is sold that nobody can keep.
    """
    first, last = max(visit.earliest_s, day.now_s), visit.latest_s
    meal = visit.delivery
    if meal is not None:
        ways = [int(ways[meal.pickup_place, visit.place]) for ways in day.problem.travel.values()]
        ride = min(ways, default=0)
        if meal.max_ride_s is not None and ride > meal.max_ride_s:
            raise DomainError("invalid_window", "The meal cannot be brought as quickly as it has to be.")
        first = max(first, meal.ready_s + meal.pickup_duration_s + ride)
        if first > last:
            raise DomainError("invalid_window", "The meal is ready too late to be brought within the window.")
    link = wanted.link
    other = next((n for n in wanted.neighbours if link is not None and n.order_id == link.order_id), None)
    if link is not None and other is not None:
        first = max(first, day.seconds(other.over_at) + link.min_gap_s)
        last = last if link.max_gap_s is None else min(last, day.seconds(other.to_at) + link.max_gap_s)
    if first > last:
        raise DomainError("invalid_window", "No time within the window is as far from the order it should follow.")
    return first


def place_into(planner: Planner, day: Day, wanted: Wanted, slot: Slot, identity: str) -> Plan | None:
    """The day with a crew for a slot taken up, inside its promised window; None when nobody is left.

    Raises slot_taken where the resident has no time left in it.
    """
    visit = visit_of(day, wanted, slot, identity)
    first, last = beside_other_plans(day, wanted, slot.links)
    first, last = max(visit.earliest_s, first), min(visit.latest_s, last)
    if first > last:
        raise DomainError("slot_taken", "Another order of this resident lies in between; ask for new slots.")
    visit = msgspec.structs.replace(visit, earliest_s=first, latest_s=last)
    outcome = place(planner, day, visit, links_with(identity, slot.links))
    return outcome.plan if isinstance(outcome, Insertion) else None


class TakenUp(Struct, frozen=True):
    """A day with a slot's order in it under the name of `NEW`; no plan when nobody is left."""

    plan: Plan | None

    def named(self, order_id: UUID) -> Plan | None:
        """The plan, once the order has its id."""
        if self.plan is None:
            return None
        name = str(order_id)
        routes = {
            worker: tuple(msgspec.structs.replace(stop, visit=name) if stop.visit == NEW else stop for stop in route)
            for worker, route in self.plan.routes.items()
        }
        return msgspec.structs.replace(self.plan, routes=routes)


def take_up(planner: Planner, day: Day, wanted: Wanted, slot: Slot) -> TakenUp:
    """Find a crew for a slot taken up, before the plan is locked: nobody waits for our thinking."""
    return TakenUp(place_into(planner, day, wanted, slot, NEW))


class ByHand(Struct, frozen=True):
    """A crew an operator has chosen, by seat, its provider, and the day with it."""

    provider_id: UUID
    seats: dict[int, UUID]
    plan: Plan


def place_by_hand(day: Day, order_id: UUID, worker_ids: Sequence[UUID], start_at: datetime) -> ByHand | str:
    """Put an order to the workers named, at the start named; returns the rule that refuses them."""
    chosen = {str(worker_id) for worker_id in worker_ids}
    start_s = day.seconds(start_at)
    visit = next((visit for visit in day.problem.visits if visit.id == str(order_id)), None)
    row = next((row for row in day.rows.visits if row.order_id == order_id), None)
    if visit is None or row is None:
        return "unreadable"
    if (row.not_before and start_at < row.not_before) or (row.room_until and start_at > row.room_until):
        return "resident_busy"  # by what is over, or in another plan: what is in this one, the links know
    wished = msgspec.structs.replace(visit, earliest_s=start_s, latest_s=start_s, due_s=None, providers=None)
    crew = tuple(worker for worker in day.problem.workers if worker.id in chosen)
    if not crew:
        return "no_shift"
    visits = (*(other for other in day.problem.visits if other.id != visit.id), wished)
    others = remove(settled(day), visit.id)
    outcome = insert(msgspec.structs.replace(day.problem, workers=crew, visits=visits), others, wished)
    if isinstance(outcome, Refusal):
        return outcome.summary
    seats = {stop.seat + 1: UUID(stop.worker) for stop in outcome.stops if stop.kind != "pickup"}
    provider = next(worker.provider for worker in crew if worker.id == str(seats[1]))
    return ByHand(UUID(provider), seats, outcome.plan)


def _slot(day: Day, wanted: Wanted, start_s: int, crew: Sequence[str], now: datetime, links: list[WantedLink]) -> Slot:
    starts_from = day.instant(start_s)
    starts_to = starts_from + timedelta(seconds=wanted.slot_s)
    links = _near(day, wanted, links, starts_from, starts_to)
    return Slot(
        resident_id=wanted.resident_id, item_code=wanted.item_code, catalogue_version_id=wanted.catalogue_version_id,
        pickup=wanted.pickup, links=links, beside=_beside(wanted), plan_on=day.rows.plan_on, starts_from=starts_from, starts_to=starts_to, wish_from=starts_from,
        wish_to=starts_to, latest_at=starts_to, soft=False, expected_at=starts_from, late_s=0,
        price_fen=wanted.price_fen, price_lines=price_lines(wanted.price_fen), quoted_at=now, crew=[UUID(worker) for worker in crew],
        instead_of=wanted.instead_of,
    )  # fmt: skip


def _beside(wanted: Wanted) -> list[UUID]:
    return [neighbour.order_id for neighbour in wanted.neighbours]


def _places(wanted: Wanted) -> Sequence[UUID]:
    return [place for place in (wanted.place_id, wanted.pickup_place_id) if place]
