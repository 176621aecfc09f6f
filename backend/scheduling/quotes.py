"""Quotes: the feasible start windows of the coming days, each with a price, signed so that it can be taken up."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.scheduling.snapshots import Day, Planner, seat_gender
from dispatch import Delivery, Insertion, Link, Plan, Problem, Refusal, Seat, Shift, Visit, quote, retime

TOKEN_LIFE_S = 600
_GRID_S = 900
_LATE_S = 6 * 3600  # how far a day may slip before its times are no longer told
NEW = "new"


class WantedSeat(Struct, frozen=True):
    """One place in the crew asked for."""

    number: int
    skills: list[str]
    duration_s: int
    gender_rule: str


class WantedLink(Struct, frozen=True):
    """The gap to an order of the same day, in seconds."""

    order_id: UUID
    min_gap_s: int
    max_gap_s: int | None
    gap_from: str


class Wanted(Struct, frozen=True, kw_only=True):
    """What a quote is asked for, complete enough to plan it."""

    resident_id: UUID
    resident_gender: str
    gender_wish: str
    refused_workers: list[UUID]
    zone_id: UUID
    place_id: UUID
    item_code: str
    kind: str
    catalogue_version_id: UUID
    price_fen: int
    slot_s: int
    acceptance: bool
    seats: list[WantedSeat]
    pickup_facility_id: UUID | None = None
    pickup_place_id: UUID | None = None
    ready_at: datetime | None = None
    pickup_s: int = 0
    max_ride_s: int | None = None
    link: WantedLink | None = None


class Slot(Struct, frozen=True, kw_only=True):
    """A start window that can be promised. `expected_at` is None while no crew is free: the order would wait for one."""

    wanted: Wanted
    plan_on: date
    starts_from: datetime
    starts_to: datetime
    wish_from: datetime
    wish_to: datetime
    latest_at: datetime
    soft: bool
    expected_at: datetime | None
    late_s: int
    price_fen: int
    price_lines: list[dict[str, Any]]
    quoted_at: datetime


class Refused(Struct, frozen=True):
    """Why a day offers nothing."""

    on: date
    rule: str


def sign(slot: Slot, secret: str) -> str:
    """The slot as an opaque text only this platform can have written."""
    body = msgspec.json.encode(slot)
    mac = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac + body).decode()


def read(token: str, secret: str, now: datetime) -> Slot:
    """The slot back from its text. Raises DomainError slot_invalid or slot_in_past."""
    try:
        raw = base64.urlsafe_b64decode(token.encode())
        mac, body = raw[:32], raw[32:]
        if not hmac.compare_digest(mac, hmac.new(secret.encode(), body, hashlib.sha256).digest()):
            raise DomainError("slot_invalid")
        slot = msgspec.json.decode(body, type=Slot)
    except (ValueError, msgspec.MsgspecError) as error:
        raise DomainError("slot_invalid") from error
    if now - slot.quoted_at > timedelta(seconds=TOKEN_LIFE_S):
        raise DomainError("slot_invalid", "The slot is older than ten minutes; ask for new ones.")
    if (slot.latest_at if slot.soft else slot.starts_to) < now:
        raise DomainError("slot_in_past")
    return slot


def visit_of(day: Day, wanted: Wanted, slot: Slot | None, identity: str) -> Visit:
    """The planner's visit for a wanted order inside a slot's window."""
    if slot is None:
        earliest, latest, due = 0, 0, None
    elif slot.soft:
        earliest, latest, due = day.seconds(slot.starts_from), day.seconds(slot.latest_at), day.seconds(slot.wish_to)
    else:
        earliest, latest, due = day.seconds(slot.starts_from), day.seconds(slot.starts_to), None
    delivery = None
    if wanted.pickup_place_id and wanted.ready_at:
        delivery = Delivery(
            day.place(wanted.pickup_place_id), day.seconds(wanted.ready_at), wanted.pickup_s, wanted.max_ride_s
        )
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


def with_visit(day: Day, visit: Visit, link: WantedLink | None) -> Problem:
    """The day's problem with one more visit, tied to an earlier order when asked."""
    links = day.problem.links
    if link is not None:
        links = (*links, Link(str(link.order_id), visit.id, link.min_gap_s, link.max_gap_s, link.gap_from == "end"))
    return msgspec.structs.replace(day.problem, visits=(*day.problem.visits, visit), links=links)


def settled(day: Day) -> Plan:
    """The day's plan with times brought up to what has really happened.

    When that breaks a promised window, lateness is the truth: the times say so, and nobody is dropped for it.
    """
    if not any(stop.locked for route in day.plan.routes.values() for stop in route):
        return day.plan
    return retime(day.problem, day.plan) or retime(_forgiving(day.problem), day.plan) or day.plan


def _forgiving(problem: Problem) -> Problem:
    visits = tuple(
        msgspec.structs.replace(v, latest_s=v.latest_s + _LATE_S, due_s=v.latest_s if v.due_s is None else v.due_s)
        for v in problem.visits
    )
    workers = tuple(
        msgspec.structs.replace(w, breaks=(), shifts=tuple(Shift(s.start_s, s.end_s + _LATE_S) for s in w.shifts))
        for w in problem.workers
    )
    return msgspec.structs.replace(problem, visits=visits, workers=workers)


async def quote_slots(
    connection: Connection, planner: Planner, wanted: Wanted, now: datetime, *, from_on: date, days: int
) -> tuple[list[Slot], list[Refused]]:
    """Every feasible start of the coming days on a quarter-hour grid."""
    slots: list[Slot] = []
    refused: list[Refused] = []
    for step in range(days):
        on = from_on + timedelta(days=step)
        day = await planner.day(connection, wanted.zone_id, on, now, places=_places(wanted))
        starts = _grid(day)
        if not starts:
            refused.append(Refused(on, "no_shift"))
            continue
        visit = msgspec.structs.replace(visit_of(day, wanted, None, NEW), earliest_s=starts[0], latest_s=starts[-1])
        found = quote(with_visit(day, visit, wanted.link), settled(day), visit, starts)
        if not found:
            refused.append(Refused(on, "no_gap"))
        slots += [_slot(day, wanted, found_slot.start_s, now) for found_slot in found]
    return slots, refused


async def quote_wish(
    connection: Connection,
    planner: Planner,
    wanted: Wanted,
    now: datetime,
    *,
    wish: tuple[datetime, datetime],
    latest_at: datetime,
) -> tuple[list[Slot], list[Refused]]:
    """One slot for a soft wish: as near to the wished window as anybody can come, late if it must be.

    When nobody is free the slot says so by an empty `expected_at`, with the reason; taken up, the order waits for a crew.
    """
    on = city_date(wish[0], planner.zone_info)
    day = await planner.day(connection, wanted.zone_id, on, now, places=_places(wanted))
    slot = Slot(
        wanted=wanted, plan_on=on, starts_from=wish[0], starts_to=wish[1], wish_from=wish[0], wish_to=wish[1],
        latest_at=max(latest_at, wish[1]), soft=True, expected_at=None, late_s=0, price_fen=wanted.price_fen,
        price_lines=price_lines(wanted.price_fen), quoted_at=now,
    )  # fmt: skip
    visit = visit_of(day, wanted, slot, NEW)
    outcome = planner.place(with_visit(day, visit, wanted.link), settled(day), visit)
    if isinstance(outcome, Refusal):
        return [slot], [Refused(on, outcome.summary)]
    start = max(stop.start_s for stop in outcome.stops if stop.kind != "pickup")
    late = max(0, start - day.seconds(wish[1]))
    return [msgspec.structs.replace(slot, expected_at=day.instant(start), late_s=late)], []


def price_lines(price_fen: int) -> list[dict[str, Any]]:
    """Who pays what, in fen; their sum is the price."""
    return [{"payer": "resident", "fen": price_fen}]


def place_into(planner: Planner, day: Day, plan: Plan, slot: Slot, identity: str) -> Insertion | Refusal:
    """Find the crew for a slot taken up, inside its promised window."""
    visit = visit_of(day, slot.wanted, slot, identity)
    return planner.place(with_visit(day, visit, slot.wanted.link), plan, visit)


def _slot(day: Day, wanted: Wanted, start_s: int, now: datetime) -> Slot:
    starts_from = day.instant(start_s)
    starts_to = starts_from + timedelta(seconds=wanted.slot_s)
    return Slot(
        wanted=wanted, plan_on=day.rows.plan_on, starts_from=starts_from, starts_to=starts_to, wish_from=starts_from,
        wish_to=starts_to, latest_at=starts_to, soft=False, expected_at=starts_from, late_s=0,
        price_fen=wanted.price_fen, price_lines=price_lines(wanted.price_fen), quoted_at=now,
    )  # fmt: skip


def _places(wanted: Wanted) -> Sequence[UUID]:
    return [place for place in (wanted.place_id, wanted.pickup_place_id) if place]


def _grid(day: Day) -> list[int]:
    shifts = [shift for worker in day.problem.workers for shift in worker.shifts]
    if not shifts:
        return []
    first = max(min(shift.start_s for shift in shifts), day.now_s)
    last = max(shift.end_s for shift in shifts)
    return list(range(-(-first // _GRID_S) * _GRID_S, last, _GRID_S))
