"""What is done at a visit, line by line: each press is kept, and a check-out without a required line says why.

A press moves no order. A check-out that is sent at once is held until the lines are done or a reason is said; what could
not be sent is kept as it comes, and the desk reads on it that lines were missing.
"""

from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries, seat_queries
from backend.orders.model import AssignmentStatus, OrderStatus
from backend.rules.queries import limit
from backend.scheduling import queries as scheduling
from backend.visits import evidence_queries as evidence
from backend.visits import line_queries
from backend.visits import queries as visits
from backend.visits.lines import Ended, ItemLine, Tick, Ticked, still_to_do
from backend.visits.model import EndReason, Flag, LinesReason, Moment, Report

W = AssignmentStatus
_THERE: Final = frozenset({W.CHECKED_IN, W.CHECKED_OUT})
_TO_COME: Final = frozenset({W.PROPOSED, W.ACCEPTED, W.EN_ROUTE})


class Checklist(Struct, frozen=True):
    """What is done at a visit, how each line stands as far as the reader may know it, and which required ones are missing.

    `ends` is what the crew said when they checked out, for the desk and the provider. That somebody was not well is a fact of
    their health, which the provider does not read, as with a visit that was stopped.
    """

    lines: list[ItemLine]
    ticks: list[Tick]
    missing: list[str]
    ends: list[Ended]


async def read(connection: Connection, principal: Principal, order_id: UUID) -> Checklist:
    """Read what is done at a visit and what has been.

    Raises unknown_order (404) for whoever is no party of the visit, not_allowed for whoever is no worker any more.
    """
    ends: list[Ended] = []
    if principal.role is Role.WORKER:
        if principal.worker_id is None:
            raise DomainError("not_allowed")
        async with as_the_platform(connection):
            if not await visits.had_seat(connection, order_id, principal.worker_id):
                raise DomainError("unknown_order")
    else:
        await queries.own_order(connection, principal, order_id)
        async with as_the_platform(connection):
            ends = [_told(end, principal) for end in await line_queries.ended(connection, order_id)]
    ticks = await line_queries.standing(connection, order_id)  # as the reader: each row says who may
    async with as_the_platform(connection):
        lines = await line_queries.lines_of(connection, order_id)
    return Checklist(lines, ticks, still_to_do(lines, ticks), ends)


def _told(end: Ended, reader: Principal) -> Ended:
    if reader.role is Role.OPERATOR:
        return end
    healthy = {"lines_reason": LinesReason.UNWELL, "end_reason": EndReason.UNWELL}
    return structs.replace(end, **{name: None for name, unwell in healthy.items() if getattr(end, name) is unwell})


async def tick(connection: Connection, principal: Principal, order_id: UUID, said: Ticked) -> Checklist:
    """Keep a press on a line, whatever the line: a list may have changed while the phone was in a basement.

    Raises unknown_order (404) where the worker never was in the crew, invalid_request (400) for what is sent later and
    does not say when it was.
    """
    if principal.worker_id is None:
        raise DomainError("not_allowed")
    if said.offline and said.device_at is None:
        raise DomainError("invalid_request", "What is sent later says in device_at when it was pressed.")
    async with as_the_platform(connection):
        if not await visits.had_seat(connection, order_id, principal.worker_id):
            raise DomainError("unknown_order")
        await queries.order_for_update(connection, order_id)
        there = await is_there(connection, order_id, principal.worker_id, offline=said.offline)
        moment = Moment(await queries.care_now(connection), said.device_at, said.offline)
        await line_queries.insert(
            connection, order_id, principal.worker_id, moment, said.line, done=said.done, counts=there
        )
        await _look_again(connection, order_id)
    return await read(connection, principal, order_id)


async def is_there(connection: Connection, order_id: UUID, worker_id: UUID, *, offline: bool) -> bool:
    """Tell whether somebody speaks from the door: they have come by now, or, by what is sent later, had before they left the crew.

    A phone sends what it kept in order: whoever has not come by now had not come when they pressed.
    """
    crew = await seat_queries.assignments_of(connection, order_id)
    mine = {seat.status for seat in crew if seat.worker_id == worker_id}
    return bool(mine & _THERE) or (
        offline and not mine & _TO_COME and await evidence.came(connection, order_id, worker_id)
    )


async def left_out(connection: Connection, order_id: UUID, report: Report, moment: Moment) -> bool:
    """Tell whether a check-out comes without a required line.

    Raises lines_missing (409), which names them, where it is sent at once and says no reason: whoever stands there can
    still do them. What comes later is never refused.
    """
    lines = await line_queries.lines_of(connection, order_id)
    ticks = await line_queries.standing(connection, order_id, moment.happened_at)
    missing = still_to_do(lines, ticks)
    if missing and not report.offline and report.lines_reason is None:
        raise DomainError("lines_missing", missing=",".join(missing))
    return bool(missing)


async def ends_early_or_late(connection: Connection, principal: Principal, order_id: UUID, report: Report) -> bool:
    """Tell whether whoever checks out now is asked why at this time; not before everything is done or said to be left out.

    Raises unknown_order (404) where the worker never was in the crew.
    """
    if principal.worker_id is None:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        if not await visits.had_seat(connection, order_id, principal.worker_id):
            raise DomainError("unknown_order")
        order = await queries.order(connection, order_id)
        planned = await scheduling.start_of(connection, order_id)
        if order.status is not OrderStatus.IN_SERVICE or planned is None:
            return False
        if report.lines_reason is None and still_to_do(
            await line_queries.lines_of(connection, order_id), await line_queries.standing(connection, order_id)
        ):
            return False
        off_by = (await queries.care_now(connection) - planned[1]).total_seconds()
        return abs(off_by) > await limit(connection, "end_asked_s", order.community_code)


async def _look_again(connection: Connection, order_id: UUID) -> None:
    """Take off a check-out that lines were missing, where the phone of a mate has told since that they were done by then."""
    lines = await line_queries.lines_of(connection, order_id)
    for one in await evidence.kept(connection, order_id):
        if Flag.LINES_MISSING in one.flags:
            ticks = await line_queries.standing(connection, order_id, one.moment.happened_at)
            if not still_to_do(lines, ticks):
                await evidence.unflag_records(connection, [one.record_id], Flag.LINES_MISSING)
