"""Raising an alarm, calling it off, and what the desk does about it.

Nothing that could be left out refuses an alarm, and no name of somebody else's gets in by it: what whoever raises it may
not name is left out of the record, but for a resident who is named and not theirs.
"""

from datetime import timedelta
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.clock import care_now
from backend.database.pool import Connection, as_the_platform
from backend.emergencies import queries
from backend.emergencies.model import Alarm, Closing, Emergency
from backend.events.catalogue import EmergencyChanged
from backend.events.outbox import emit
from backend.orders import queries as orders
from backend.residents import queries as residents
from backend.rules.queries import EVERYWHERE, limit
from backend.tasks import actions as tasks
from backend.tasks import queries as task_queries
from backend.tasks.model import Subject, TaskKind
from backend.visits import queries as visits


class About(Struct, frozen=True):
    """Whom an alarm is about, and at which visit."""

    resident_id: UUID | None = None
    order_id: UUID | None = None


async def raise_alarm(connection: Connection, principal: Principal, alarm: Alarm) -> Emergency:
    """Keep an alarm, give the desk its task and tell whom it concerns; pressed again, it is the one that is open.

    One that was called off is none any more: who presses again after a slip means it. Raises unknown_resident (404),
    and for an operator unknown_order.
    """
    account_id = principal.account_id
    if account_id is None:
        raise DomainError("not_allowed")
    alarm = alarm.in_wgs84()
    async with as_the_platform(connection):
        about = await _about(connection, principal, alarm)
        await queries.lock_raiser(connection, account_id)
        if principal.role is not Role.OPERATOR or about.resident_id:  # of two strangers who ring each is one
            within_s = await limit(connection, "emergency_again_s", EVERYWHERE)
            before = await queries.raised_before(connection, account_id, about.resident_id, within_s)
            if before is not None:
                return await queries.emergency(connection, before)
        emergency_id = await queries.insert_emergency(
            connection, account_id, principal.role, about.resident_id, about.order_id, alarm
        )
        due_at = await care_now(connection) + timedelta(seconds=await limit(connection, "emergency_ring_s", EVERYWHERE))
        await tasks.open_task(connection, TaskKind.EMERGENCY, about=Subject(emergency_id=emergency_id), due_at=due_at)
        raised = await queries.emergency(connection, emergency_id)
        await _tell(connection, raised, "raised")
        return raised


async def _about(connection: Connection, principal: Principal, alarm: Alarm) -> About:
    if principal.role is Role.WORKER:
        return await _at_a_visit(connection, principal.worker_id, alarm.order_id)
    if principal.role is Role.OPERATOR:
        order = await orders.order(connection, alarm.order_id) if alarm.order_id else None
        resident_id = alarm.resident_id or (order and order.resident_id)
        if resident_id is not None and not await residents.is_known(connection, resident_id):  # no lock: nobody waits
            raise DomainError("unknown_resident")
        return About(resident_id, order.id if order and order.resident_id == resident_id else None)
    resident_id = alarm.resident_id or principal.own_id
    if resident_id is None and len(principal.resident_ids) == 1:
        resident_id = principal.resident_ids[0]
    if resident_id is not None and resident_id not in principal.resident_ids:
        raise DomainError("unknown_resident")
    own = alarm.order_id is not None and await orders.is_of(connection, alarm.order_id, resident_id)
    return About(resident_id, alarm.order_id if own else None)


async def _at_a_visit(connection: Connection, worker_id: UUID | None, order_id: UUID | None) -> About:
    """A worker's own visit; anybody else's is left out, and the alarm is about the worker alone."""
    if worker_id is None or order_id is None or not await visits.had_seat(connection, order_id, worker_id):
        return About()
    return About((await orders.order(connection, order_id)).resident_id, order_id)


async def call_off(connection: Connection, principal: Principal, emergency_id: UUID) -> Emergency:
    """Whoever raised it says that it was a slip; the desk rings back all the same. Said twice it is said once.

    Raises unknown_emergency (404) for anybody else, already_closed (409).
    """
    async with as_the_platform(connection):
        found = await queries.emergency(connection, emergency_id)
        if principal.account_id is None or found.raised_by != principal.account_id:
            raise DomainError("unknown_emergency")
        if await queries.call_off(connection, emergency_id):
            found = await queries.emergency(connection, emergency_id)
            await _tell(connection, found, "called_off")
        elif found.called_off_at is None:
            raise DomainError("already_closed")
        return found


async def raised(connection: Connection, principal: Principal, emergency_id: UUID) -> Emergency:
    """Read an alarm again, for whoever raised it. Raises unknown_emergency (404) for anybody else."""
    async with as_the_platform(connection):
        found = await queries.emergency(connection, emergency_id)
    if principal.account_id is None or found.raised_by != principal.account_id:
        raise DomainError("unknown_emergency")
    return found


async def take(connection: Connection, principal: Principal, emergency_id: UUID) -> Emergency:
    """An operator sees to an alarm, which is to take its task. Raises unknown_emergency, already_taken, already_closed."""
    async with as_the_platform(connection):
        await queries.emergency(connection, emergency_id)
        task_id = await task_queries.task_of_emergency(connection, emergency_id)
        if task_id is None:
            raise DomainError("already_closed")
        await tasks.take(connection, principal, task_id)
        return await queries.emergency(connection, emergency_id)


async def close(connection: Connection, principal: Principal, emergency_id: UUID, closing: Closing) -> Emergency:
    """An operator says what it was; its task ends with it. Raises unknown_emergency (404), already_closed (409)."""
    if principal.account_id is None:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        await queries.emergency(connection, emergency_id)
        if not await queries.close_emergency(
            connection, emergency_id, principal.account_id, closing.outcome, closing.remark
        ):
            raise DomainError("already_closed")
        await tasks.close_task(
            connection, TaskKind.EMERGENCY, Subject(emergency_id=emergency_id), closing.outcome.value
        )
        closed = await queries.emergency(connection, emergency_id)
        await _tell(connection, closed, "closed")
        return closed


async def _tell(connection: Connection, emergency: Emergency, status: str) -> None:
    await emit(
        connection,
        EmergencyChanged(
            emergency_id=emergency.id, status=status, raised_by=emergency.raised_by, role=emergency.role,
            resident_id=emergency.resident_id, order_id=emergency.order_id,
        ),
    )  # fmt: skip
