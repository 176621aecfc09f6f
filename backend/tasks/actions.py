"""Opening, taking and closing tasks of the desk, each with the event that tells open desks of it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.events.catalogue import DeskTaskChanged, EmergencyChanged
from backend.events.outbox import emit
from backend.tasks import queries
from backend.tasks.model import BY_HAND, THE_PLATFORM, DeskTask, Subject, TaskKind

_NOTHING: Final[dict[str, Any]] = {}


async def open_task(
    connection: Connection,
    kind: TaskKind,
    details: dict[str, Any] = _NOTHING,
    about: Subject = THE_PLATFORM,
    due_at: datetime | None = None,
) -> bool:
    """Give the desk a task, once while it lasts: whoever notices it second opens none and is told False."""
    opened = await queries.insert_task(connection, kind, details, about, due_at)
    if opened:
        await emit(connection, DeskTaskChanged(kind=kind.value, status="opened", task_id=opened))
    return opened is not None


async def close_task(
    connection: Connection, kind: TaskKind, about: Subject = THE_PLATFORM, outcome: str | None = None
) -> bool:
    """What it was about is over; False when there was none."""
    closed = await queries.close_tasks(connection, kind, about, outcome)
    if closed:
        await emit(connection, DeskTaskChanged(kind=kind.value, status="closed", task_id=closed))
    return closed is not None


async def raise_level(connection: Connection, kind: TaskKind, order_id: UUID, most: int, due_at: datetime) -> int:
    """Make the task about an order more urgent, up to the level `most`; returns its level, 0 where there is none."""
    raised = await queries.raise_level(connection, kind, order_id, most, due_at)
    if raised is None:
        return 0
    await emit(connection, DeskTaskChanged(kind=kind.value, status="raised", task_id=raised[0], level=raised[1]))
    return raised[1]


async def take(connection: Connection, principal: Principal, task_id: UUID) -> DeskTask:
    """An operator sees to a task; to take it twice is to have it.

    Raises unknown_task (404), already_taken (409) where somebody else has it, already_closed (409).
    """
    if principal.account_id is None:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        before = await queries.task(connection, task_id)
        if not await queries.take(connection, task_id, principal.account_id):
            now = await queries.task(connection, task_id)
            raise DomainError("already_closed" if now.closed_at else "already_taken")
        if before.owner_id is None:
            await emit(connection, DeskTaskChanged(kind=before.kind.value, status="taken", task_id=task_id))
            await _tell_whom_it_concerns(connection, before)
        return await queries.task(connection, task_id)


async def _tell_whom_it_concerns(connection: Connection, task: DeskTask) -> None:
    """Whoever raised an alarm hears that an operator sees to it, by whichever way it was taken."""
    if task.emergency_id is None:
        return
    alarm = await queries.alarm(connection, task.emergency_id)
    await emit(
        connection,
        EmergencyChanged(
            emergency_id=task.emergency_id, status="taken", raised_by=alarm.raised_by, role=alarm.role,
            resident_id=alarm.resident_id, order_id=alarm.order_id,
        ),
    )  # fmt: skip


async def close_by_hand(connection: Connection, task_id: UUID, outcome: str) -> DeskTask:
    """An operator says what came of a task.

    Raises unknown_task (404), closes_by_itself (409) for what ends with what it is about, already_closed (409).
    """
    async with as_the_platform(connection):
        task = await queries.task(connection, task_id)
        if task.kind not in BY_HAND:
            raise DomainError("closes_by_itself")
        if not await queries.close(connection, task_id, outcome):
            raise DomainError("already_closed")
        await emit(connection, DeskTaskChanged(kind=task.kind.value, status="closed", task_id=task_id))
        return await queries.task(connection, task_id)
