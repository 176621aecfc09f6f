"""The sheet of paper (纸质服务单) of a visit that no phone reported, keyed in afterwards by an operator.

What it says is stored as evidence of the workers it names, with who keyed it in, and flagged: silence never completes
it, the resident's own word does, and else an operator decides who is not the one who keyed it in.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.orders import queries, seat_queries
from backend.orders.actions import move, move_seats
from backend.orders.doubting import doubt_others
from backend.orders.late import begins_at, ends_at
from backend.orders.lifecycle import begin
from backend.orders.model import Actor, Assignment, AssignmentStatus, Command, Order, OrderStatus
from backend.orders.visiting import contradicted_elsewhere, end_of_care
from backend.scheduling import queries as scheduling
from backend.visits import plausibility
from backend.visits import queries as visits
from backend.visits.model import Attendance, Flag, Kind, Moment, Report

S = OrderStatus
C = Command


async def key_in(
    connection: Connection,
    principal: Principal,
    order_id: UUID,
    sheet: Sequence[Attendance],
    reason: str,
    zone_info: ZoneInfo,
) -> Order:
    """Store what a sheet says of the whole crew, and let the order follow: to the resident, or, given up as missed, to a person.

    Raises unknown_order (404), illegal_transition (409) where a phone has reported or the visit is over, invalid_request
    (400) for a sheet of other people, of another day or of hours still to come.
    """
    if principal.role is not Role.OPERATOR or principal.account_id is None:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        begin(C.KEY_SHEET, Actor.OPERATOR, order.status, order.kind)
        crew = await seat_queries.crew_expected(connection, order_id)
        said = {entry.worker_id: entry for entry in sheet}
        _check(order, crew, sheet, said, await queries.care_now(connection), zone_info)
        await scheduling.lock_workers(connection, sorted(said))
        flags = await _store(connection, order, crew, said, principal.account_id)
        order = await queries.add_flags(connection, order, flags)
        await note(connection, principal, "key_sheet", "order", order_id, reason)
        if order.status is S.MISSED:
            return await move(
                connection, order, C.KEY_SHEET, S.EXCEPTION, Actor.OPERATOR, provider_id=order.provider_id,
                workers=sorted(said), reason="flagged",
            )  # fmt: skip
        for state in (AssignmentStatus.CHECKED_IN, AssignmentStatus.CHECKED_OUT):
            crew = await move_seats(connection, order, crew, state)
        for entry in sheet:
            await scheduling.finish_stops_as_told(connection, order_id, entry.worker_id, entry.came_at, entry.left_at)
        return await end_of_care(connection, order, C.KEY_SHEET, Actor.OPERATOR, crew, Flag.PAPER.value)


def _check(
    order: Order,
    crew: Sequence[Assignment],
    sheet: Sequence[Attendance],
    said: Mapping[UUID, Attendance],
    now: datetime,
    zone_info: ZoneInfo,
) -> None:
    begins = begins_at(order, zone_info)
    ends = ends_at(order, zone_info)
    if len(said) != len(sheet) or set(said) != {seat.worker_id for seat in crew}:
        raise DomainError("invalid_request", "A sheet names everybody of the crew, once.")
    if any(not begins <= entry.came_at < entry.left_at <= ends for entry in sheet):
        raise DomainError("invalid_request", "A sheet is of the order's own day, and nobody leaves before they come.")
    if any(entry.left_at > now for entry in sheet):
        raise DomainError("invalid_request", "A sheet says what has been, not what is to come.")


async def _store(
    connection: Connection, order: Order, crew: Sequence[Assignment], said: Mapping[UUID, Attendance], keyed_by: UUID
) -> list[str]:
    """Two records for each worker, judged as a phone's reports are; returns the flags that stand."""
    figures = await visits.limits(connection, order.community_code)
    planned = await scheduling.start_of(connection, order.id)
    earliest_at = min(order.window_from, planned[0]) if planned else order.window_from
    began_at = max(entry.came_at for entry in said.values())
    now = await queries.care_now(connection)
    found: dict[str, None] = {}
    contradicted: dict[UUID, list[UUID]] = {}
    for seat in crew:
        entry = said[seat.worker_id]
        mine = [Moment(now, entry.came_at, offline=True), Moment(now, entry.left_at, offline=True)]
        others = await contradicted_elsewhere(connection, seat.worker_id, order.id, mine, figures)
        flags = plausibility.judge_sheet(
            entry.came_at, entry.left_at, began_at, earliest_at,
            await visits.seat_duration(connection, order.id, seat.seat), figures, elsewhere=bool(others),
        )  # fmt: skip
        for other in others:
            contradicted.setdefault(other.order_id, []).append(other.record_id)
        for kind, at, tasks in ((Kind.CHECK_IN, entry.came_at, []), (Kind.CHECK_OUT, entry.left_at, entry.tasks)):
            await visits.insert_record(
                connection, order.id, seat.worker_id, seat.id, kind, Report(device_at=at, tasks=tasks, offline=True),
                distance_m=None, flags=[flag.value for flag in flags[kind]], counts=True, entered_by=keyed_by,
            )  # fmt: skip
            found |= dict.fromkeys(flag.value for flag in flags[kind])
    await doubt_others(connection, order, contradicted)
    return list(found)
