"""All SQL of tasks of the desk. Everything here runs on machine time."""

from typing import Any

from backend.database.pool import Connection
from backend.database.rows import execute, many
from backend.tasks.model import DeskTask, TaskKind


async def insert_task(connection: Connection, kind: TaskKind, details: dict[str, Any]) -> bool:
    """Open a task; False while one of its kind is open."""
    return (
        await execute(
            connection,
            """INSERT INTO desk_tasks (kind, details) VALUES ($1, $2)
               ON CONFLICT (kind) WHERE closed_at IS NULL DO NOTHING""",
            kind.value, details,
        )
        == 1
    )  # fmt: skip


async def close_tasks(connection: Connection, kind: TaskKind) -> bool:
    """Close the open task of a kind; False when there is none."""
    return (
        await execute(
            connection, "UPDATE desk_tasks SET closed_at = now() WHERE kind = $1 AND closed_at IS NULL", kind.value
        )
        > 0
    )


async def open_tasks(connection: Connection) -> list[DeskTask]:
    """What waits for a person, the oldest first."""
    return await many(
        connection,
        DeskTask,
        """SELECT id, kind, details, opened_at, closed_at FROM desk_tasks WHERE closed_at IS NULL
           ORDER BY opened_at, id LIMIT 100""",
    )


async def forget_closed(connection: Connection, days: float, most: int) -> int:
    """Tasks closed long ago, some at a time."""
    return await execute(
        connection,
        """DELETE FROM desk_tasks WHERE id IN (
               SELECT id FROM desk_tasks WHERE closed_at < now() - make_interval(secs => 86400 * $1::float8)
               ORDER BY closed_at LIMIT $2)""",
        days, most,
    )  # fmt: skip
