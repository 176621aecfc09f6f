"""All SQL of tasks of the desk.

What is about the platform itself runs on machine time, what is about people on care time, as the clock of the city has it.
"""

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import execute, many, maybe_one, one, value
from backend.tasks.model import THE_PLATFORM, Alarmed, DeskTask, Subject, TaskKind

_TASKS: Final[LiteralString] = """
    SELECT t.id, t.kind, t.details, t.order_id, o.code AS order_code, t.emergency_id,
           coalesce(t.resident_id, o.resident_id, e.resident_id) AS resident_id, t.level, t.opened_at, t.due_at, t.owner_id,
           t.taken_at, t.closed_at, t.outcome
    FROM desk_tasks t LEFT JOIN orders o ON o.id = t.order_id LEFT JOIN emergencies e ON e.id = t.emergency_id
"""
_NOW: Final[LiteralString] = (
    "CASE WHEN num_nonnulls(order_id, emergency_id, resident_id) = 0 THEN now() ELSE yinling_now() END"
)


async def insert_task(
    connection: Connection,
    kind: TaskKind,
    details: dict[str, Any],
    about: Subject = THE_PLATFORM,
    due_at: datetime | None = None,
) -> UUID | None:
    """Open a task; None while one of its kind about the same is open."""
    return await value(
        connection,
        """INSERT INTO desk_tasks (kind, details, order_id, emergency_id, resident_id, due_at, opened_at)
           VALUES ($1, $2, $3, $4, $5, $6,
                   CASE WHEN num_nonnulls($3::uuid, $4::uuid, $5::uuid) = 0 THEN now() ELSE yinling_now() END)
           ON CONFLICT (kind, order_id, emergency_id, resident_id) WHERE closed_at IS NULL DO NOTHING RETURNING id""",
        kind.value, details, about.order_id, about.emergency_id, about.resident_id, due_at,
    )  # fmt: skip


async def close_tasks(
    connection: Connection, kind: TaskKind, about: Subject = THE_PLATFORM, outcome: str | None = None
) -> UUID | None:
    """Close the open task of a kind about something; None when there is none."""
    return await value(
        connection,
        "UPDATE desk_tasks SET outcome = $5, closed_at = greatest(opened_at, "
        + _NOW
        + """) WHERE kind = $1 AND closed_at IS NULL AND order_id IS NOT DISTINCT FROM $2
             AND emergency_id IS NOT DISTINCT FROM $3 AND resident_id IS NOT DISTINCT FROM $4 RETURNING id""",
        kind.value, about.order_id, about.emergency_id, about.resident_id, outcome,
    )  # fmt: skip


async def raise_level(
    connection: Connection, kind: TaskKind, order_id: UUID, most: int, due_at: datetime
) -> tuple[UUID, int] | None:
    """Make an order's open task more urgent, up to a level; returns the task and its level, None when there is none."""
    row = await connection.fetchrow(
        """UPDATE desk_tasks SET level = least(level + 1, $3::int), due_at = $4
           WHERE kind = $1 AND order_id = $2 AND closed_at IS NULL RETURNING id, level""",
        kind.value, order_id, most, due_at,
    )  # fmt: skip
    return row and (row["id"], row["level"])


async def take(connection: Connection, task_id: UUID, account_id: UUID) -> bool:
    """Give an open task to an operator; False when it is closed or somebody else's."""
    taken = await value(
        connection,
        "UPDATE desk_tasks SET owner_id = $2, taken_at = coalesce(taken_at, "
        + _NOW
        + ") WHERE id = $1 AND closed_at IS NULL AND (owner_id IS NULL OR owner_id = $2) RETURNING id",
        task_id, account_id,
    )  # fmt: skip
    return taken is not None


async def close(connection: Connection, task_id: UUID, outcome: str) -> bool:
    """Close one task with what came of it; False when it is closed already."""
    closed = await value(
        connection,
        "UPDATE desk_tasks SET outcome = $2, closed_at = greatest(opened_at, "
        + _NOW
        + ") WHERE id = $1 AND closed_at IS NULL RETURNING id",
        task_id, outcome,
    )  # fmt: skip
    return closed is not None


async def task(connection: Connection, task_id: UUID) -> DeskTask:
    """One task. Raises DomainError unknown_task (404)."""
    found = await maybe_one(connection, DeskTask, _TASKS + " WHERE t.id = $1", task_id)
    if found is None:
        raise DomainError("unknown_task")
    return found


async def opened_at(connection: Connection, kind: TaskKind, order_id: UUID) -> datetime | None:
    """Since when an order has a task of a kind; None while it has none."""
    return await value(
        connection,
        "SELECT opened_at FROM desk_tasks WHERE kind = $1 AND order_id = $2 AND closed_at IS NULL",
        kind.value, order_id,
    )  # fmt: skip


async def alarm(connection: Connection, emergency_id: UUID) -> Alarmed:
    """Whom an alarm concerns."""
    return await one(
        connection,
        Alarmed,
        "SELECT raised_by, role, resident_id, order_id FROM emergencies WHERE id = $1",
        emergency_id,
    )


async def task_of_emergency(connection: Connection, emergency_id: UUID) -> UUID | None:
    """The open task of an emergency."""
    return await value(
        connection,
        """SELECT id FROM desk_tasks WHERE kind = 'emergency' AND order_id IS NULL AND emergency_id = $1
           AND closed_at IS NULL""",
        emergency_id,
    )


async def open_tasks(connection: Connection, most: int = 100) -> list[DeskTask]:
    """What waits for a person, each kind by when it is due, the oldest first.

    Emergencies come before doors that stay shut, these before what keeps others from being served, then whoever waits for a
    call, and what can wait last.
    """
    return await many(
        connection,
        DeskTask,
        _TASKS
        + """ WHERE t.closed_at IS NULL
           ORDER BY CASE WHEN t.kind = 'emergency' THEN 0 WHEN t.kind IN ('no_access', 'no_access_late') THEN 1
                         WHEN t.kind = 'call_back' THEN 3 WHEN t.kind IN ('consent_asked', 'suspended') THEN 4 ELSE 2 END,
                    t.due_at NULLS LAST, t.opened_at, t.id LIMIT $1""",
        most,
    )


async def open_about(connection: Connection, kind: TaskKind, about: Subject) -> DeskTask:
    """The open task of a kind about something."""
    return await one(
        connection,
        DeskTask,
        _TASKS
        + """ WHERE t.kind = $1 AND t.closed_at IS NULL AND t.order_id IS NOT DISTINCT FROM $2
              AND t.emergency_id IS NOT DISTINCT FROM $3 AND t.resident_id IS NOT DISTINCT FROM $4""",
        kind.value, about.order_id, about.emergency_id, about.resident_id,
    )  # fmt: skip


async def calls_back(connection: Connection, resident_id: UUID) -> list[DeskTask]:
    """The calls that a resident, or whoever rang for them, still waits for, the one that is due first before others."""
    return await many(
        connection,
        DeskTask,
        _TASKS
        + """ WHERE t.kind = 'call_back' AND t.closed_at IS NULL AND coalesce(t.resident_id, o.resident_id) = $1
              ORDER BY t.due_at, t.id""",
        resident_id,
    )


async def forget_closed(connection: Connection, days: float, most: int) -> int:
    """Tasks about the platform itself closed long ago, some at a time; what is about people stays with its order."""
    return await execute(
        connection,
        """DELETE FROM desk_tasks WHERE id IN (
               SELECT id FROM desk_tasks WHERE closed_at < now() - make_interval(secs => 86400 * $1::float8)
                 AND num_nonnulls(order_id, emergency_id, resident_id) = 0
               ORDER BY closed_at LIMIT $2)""",
        days, most,
    )  # fmt: skip
