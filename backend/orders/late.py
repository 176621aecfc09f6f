"""A visit done without signal: its reports come in when the order has gone on without the crew that carried it out.

Whoever checked in, checked out or handed a meal over stood at the door: that shows that the visit happened, or that at
least somebody came, which nobody but a person can tell apart. So the order becomes an exception, everybody who was to
come instead is called off and told, and the resident is charged for one visit, as that person decides. Being on the way
or having fetched a meal shows nothing of the kind.

A report sent at once says less than one that could not be sent: a phone with signal has been told that others come, and
whoever presses a button reads it again. Only where the platform gave a visit up because nobody had reported, and nobody
else is expected, somebody at the door counts by whatever report.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from backend.catalogue.model import MEAL
from backend.core.clock import day_origin
from backend.database.pool import Connection
from backend.orders import doubting, offer_queries, queries, seat_queries, timer_queries
from backend.orders.actions import free_stops, move, move_seats, tell_offer, withdraw_offers
from backend.orders.lifecycle import may_begin
from backend.orders.model import Actor, Assignment, AssignmentStatus, Command, Order, OrderStatus
from backend.rules.queries import limit
from backend.visits import check_queries, plausibility
from backend.visits import evidence_queries as evidence
from backend.visits import queries as visits
from backend.visits.evidence_queries import Kept
from backend.visits.model import Flag, Kind, Limits, Moment

S = OrderStatus
W = AssignmentStatus
_WAY: Final = timedelta(hours=2)  # nobody sets out for a visit earlier; what is too early otherwise, a rule says
_DAY: Final = timedelta(days=1)
_LONGEST: Final = timedelta(
    hours=6
)  # a visit that begins at the end of its plan day is over by then, late as it may be
_LEFT: Final = frozenset({W.NO_SHOW, W.REPLACED, W.WITHDRAWN})
_NOBODY_EXPECTED: Final = frozenset({S.MISSED, S.ABORTED, S.MANUAL, S.CANCELLED, S.UNSERVED})
_TO_BE_DECIDED: Final = frozenset({S.AWAITING_ACCEPTANCE, S.DISPUTED, S.EXCEPTION})
_OTHERS_CAME: Final = _TO_BE_DECIDED | {S.ARRIVED, S.IN_SERVICE, S.NO_ACCESS, S.COMPLETED}
_OF_CARE: Final = frozenset({Kind.CHECK_IN, Kind.CHECK_OUT})
_OF_A_MEAL: Final = frozenset({Kind.PICK_UP, Kind.HAND_OVER})
BOOKED_AGAIN: Final = "booked_again"


class Use(StrEnum):
    """Names what a report is good for that the order cannot simply follow."""

    SHOWS = "shows"  # the visit happened: the order becomes an exception
    JOINS = "joins"  # it belongs to a visit that waits for somebody's decision
    TWICE = "twice"  # somebody else has come in their place: one of the two is doubted


def begins_at(order: Order, zone_info: ZoneInfo) -> datetime:
    """Return when reports can first be about this visit: from its plan day on, or shortly before it at that day's very beginning."""
    return min(day_origin(order.plan_on, zone_info), order.window_from - _WAY)


def ends_at(order: Order, zone_info: ZoneInfo) -> datetime:
    """Return when the last report about this visit can have been made."""
    return max(day_origin(order.plan_on + _DAY, zone_info), order.latest_at + _LONGEST)


def is_about(order: Order, moment: Moment, zone_info: ZoneInfo, limits: Limits) -> bool:
    """Tell whether a report can have been made on this visit, by when it happened.

    A phone's clock that names a time before the visit was booked, or one to come, is wrong; the report need not be.
    """
    begins = begins_at(order, zone_info)
    tolerance = timedelta(seconds=limits.device_clock_s)
    if moment.offline and moment.device_at is not None:
        possible = order.created_at - tolerance <= moment.device_at <= moment.received_at + tolerance
        if not possible:
            return moment.received_at >= begins
    return begins <= moment.happened_at <= ends_at(order, zone_info)


def use_of(
    order: Order, seat: Assignment, crew: Sequence[Assignment], kind: Kind, moment: Moment, told: Sequence[Kind]
) -> Use | None:
    """Decide what a report about this visit is good for; `told` is what counts of this seat's at a place already."""
    here = order.status
    if kind in told or kind not in (_OF_A_MEAL if order.kind == MEAL else _OF_CARE):
        return None
    shows = kind is not Kind.PICK_UP
    if seat.status not in _LEFT:
        return _of_the_crew(order, seat, kind) if moment.offline else None
    if here in _OTHERS_CAME and any(other.seat == seat.seat for other in crew):
        return Use.TWICE if shows and moment.offline else None
    if here is S.EXCEPTION and (moment.offline or seat.status is W.NO_SHOW or told):
        return Use.JOINS
    if not shows or not may_begin(Command.LATE_RECORD, Actor.SYSTEM, here, order.kind, seat.status):
        return None
    alone = seat.status is W.NO_SHOW and here in _NOBODY_EXPECTED
    return Use.SHOWS if moment.offline or alone else None


def _of_the_crew(order: Order, seat: Assignment, kind: Kind) -> Use | None:
    """Decide the same where the seat is still theirs and the order has taken another step than they reported.

    A check-out before its check-in is not among them: it waits for it, see `visiting`.
    """
    if kind is Kind.HAND_OVER and may_begin(Command.LATE_RECORD, Actor.SYSTEM, order.status, order.kind, seat.status):
        return Use.SHOWS
    forgotten = kind is Kind.CHECK_OUT and seat.status is W.CHECKED_IN
    fetched = kind is Kind.PICK_UP and seat.status is W.CHECKED_OUT
    return Use.JOINS if order.status in _TO_BE_DECIDED and (forgotten or fetched) else None


async def follow(
    connection: Connection, order: Order, seat: Assignment, use: Use, kind: Kind, zone_info: ZoneInfo, limits: Limits
) -> Order:
    """Let the order follow a report that is stored already, as `use_of` has decided."""
    if use is Use.TWICE:
        return await doubting.stand(connection, order, Flag.SERVED_TWICE)
    if use is Use.SHOWS:
        reports = await evidence.kept(connection, order.id)
        about = [one for one in reports if is_about(order, one.moment, zone_info, limits)]
        return await _show(connection, order, seat, about, limits)
    if kind is Kind.CHECK_OUT and seat.status is W.CHECKED_IN:
        await move_seats(connection, order, [seat], W.CHECKED_OUT)
    return await read_again(connection, order, limits)


async def shown_already(connection: Connection, order: Order) -> Order:
    """Look at what was stored before the platform gave a visit up: reports that were waiting for others that never came."""
    reports = [one for one in await evidence.kept(connection, order.id) if Flag.TOO_EARLY not in one.flags]
    for one in reports:
        seat = await seat_queries.assignment(connection, one.assignment_id)
        told = [other.kind for other in reports if other.counts and other.assignment_id == seat.id]
        if not one.counts and use_of(order, seat, [], one.kind, one.moment, told) is Use.SHOWS:
            return await _show(connection, order, seat, reports, await visits.limits(connection, order.community_code))
    return order


async def _show(
    connection: Connection, order: Order, seat: Assignment, reports: Sequence[Kept], limits: Limits
) -> Order:
    """The visit has happened: whoever was to come instead is called off, and a person decides what it was.

    Whoever has stopped it and left came too, and stays in its crew.
    """
    crew = await seat_queries.assignments_of(connection, order.id)
    await withdraw_offers(connection, order)
    still = [other for other in crew if other.id != seat.id and other.status is not W.CHECKED_OUT]
    off = await move_seats(connection, order, still, W.WITHDRAWN)
    if seat.status not in _LEFT:
        for state in (W.CHECKED_IN, W.CHECKED_OUT):
            (seat,) = await move_seats(connection, order, [seat], state)
    provider_id = await seat_queries.provider_of(connection, seat.worker_id)
    if order.provider_id is not None and order.provider_id != provider_id:
        for offer in await offer_queries.take_back(connection, order.id, order.provider_id):
            await tell_offer(connection, offer)
    await _count(connection, order, seat, reports)
    days = int(await limit(connection, "booked_again_days", order.community_code))
    again = await queries.booked_again(connection, order.id, days)
    order = await read_again(connection, await queries.order(connection, order.id), limits)
    told = {other.worker_id for other in off} | set(await evidence.who_came(connection, order.id))
    reasons = [{"worker": "", "rule": BOOKED_AGAIN, "detail": other.code} for other in again]
    shown = await move(
        connection, order, Command.LATE_RECORD, S.EXCEPTION, Actor.SYSTEM, provider_id=provider_id,
        workers=sorted(told), reason=Command.LATE_RECORD.value, reasons=[*order.reasons, *reasons] if again else None,
        flag=Flag.SERVED_TWICE.value if again else None,
    )  # fmt: skip
    await free_stops(connection, order)
    for other in again:
        if (other.zone_id, other.plan_on) == (order.zone_id, order.plan_on):
            await doubting.served_twice(connection, other.id)
        else:  # whoever holds one plan waits for no other
            await timer_queries.set_timer(connection, doubting.TWICE, other.id, await queries.care_now(connection))
    return shown


async def _count(connection: Connection, order: Order, seat: Assignment, reports: Sequence[Kept]) -> None:
    """Let what was stored of the visit before count too: by whoever was bound to come, each kind once, as it happened first."""
    kinds = _OF_A_MEAL if order.kind == MEAL else _OF_CARE
    taken = {(one.assignment_id, one.kind) for one in reports if one.counts}
    fresh: list[Kept] = []
    for one in reports:
        known = one.moment.offline or one.assignment_id == seat.id or one.seat_status == W.NO_SHOW
        if known and one.kind in kinds and (one.assignment_id, one.kind) not in taken:
            taken.add((one.assignment_id, one.kind))
            fresh.append(one)
    await evidence.count_records(connection, [one.record_id for one in fresh])
    gone = [one.record_id for one in fresh if one.seat_status in _LEFT]
    await visits.flag_records(connection, gone, Flag.NOT_IN_CREW)


async def read_again(connection: Connection, order: Order, limits: Limits) -> Order:
    """Let stand on an order, and on its reports, what they say together, in whatever order they came."""
    reports = [one for one in await evidence.kept(connection, order.id) if one.counts and one.came]
    came = {one.assignment_id: one.moment for one in reports if one.kind is Kind.CHECK_IN}
    left = [one for one in reports if one.kind is Kind.CHECK_OUT]
    short = [
        one.record_id
        for one in left
        if one.assignment_id in came
        and plausibility.too_short(came[one.assignment_id], one.moment, list(came.values()), one.planned_s, limits)
    ]
    brought = [one for one in reports if one.kind is Kind.HAND_OVER]
    fetched = [one for one in reports if one.kind is Kind.PICK_UP]
    unfetched = [one.record_id for one in brought if order.pickup_place_id and not any(
        other.assignment_id == one.assignment_id and other.moment.happened_at <= one.moment.happened_at
        for other in fetched)]  # fmt: skip
    unchecked = [one.record_id for one in left
                 if await check_queries.due(connection, order.id, one.moment.happened_at)]  # fmt: skip
    stands = dict.fromkeys(plausibility.doubts([Flag(flag) for one in reports for flag in one.flags], limits))
    for flag in (Flag.NO_PICK_UP, Flag.NO_PRE_CHECK):  # which what came later may have cleared
        stands.pop(flag.value, None)
    stands |= {Flag.NO_PRE_CHECK.value: None} if unchecked else {}
    stands |= {Flag.TOO_SHORT.value: None} if short else {}
    stands |= {Flag.NO_PICK_UP.value: None} if unfetched else {}
    stands |= {Flag.MISSING_OUT.value: None} if came.keys() - {one.assignment_id for one in left} else {}
    await visits.flag_records(connection, short, Flag.TOO_SHORT)
    await visits.flag_records(connection, unfetched, Flag.NO_PICK_UP)
    cleared = [one.record_id for one in brought if one.record_id not in unfetched]
    await evidence.unflag_records(connection, cleared, Flag.NO_PICK_UP)
    await visits.flag_records(connection, unchecked, Flag.NO_PRE_CHECK)
    checked = [one.record_id for one in left if one.record_id not in unchecked]
    await evidence.unflag_records(connection, checked, Flag.NO_PRE_CHECK)
    gone = [flag.value for flag in (Flag.MISSING_OUT, Flag.NO_PICK_UP, Flag.NO_PRE_CHECK) if flag.value not in stands]
    return await queries.add_flags(connection, await queries.drop_flags(connection, order, gone), list(stands))


async def left_already(connection: Connection, order: Order, crew: Sequence[Assignment]) -> list[Assignment]:
    """Let check-outs count that were sent later and came before a check-in; returns the seats of who has left by them."""
    reports = await evidence.kept(connection, order.id)
    gone: dict[Assignment, Kept] = {}
    for seat in crew:
        mine = [one for one in reports if one.assignment_id == seat.id]
        came = next((one for one in mine if one.kind is Kind.CHECK_IN and one.counts), None)
        waiting = [one for one in mine if one.kind is Kind.CHECK_OUT and one.moment.offline and not one.counts]
        if came is not None and seat.status is W.CHECKED_IN:
            after = [one for one in waiting if one.moment.happened_at >= came.moment.happened_at]
            gone |= {seat: after[0]} if after else {}
    await evidence.count_records(connection, [one.record_id for one in gone.values()])
    return list(gone)
