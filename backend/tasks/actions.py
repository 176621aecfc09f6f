"""Opening and closing tasks of the desk, each with the event that tells open desks of it."""

from typing import Any

from backend.database.pool import Connection
from backend.events.catalogue import DeskTaskChanged
from backend.events.outbox import emit
from backend.tasks import queries
from backend.tasks.model import TaskKind


async def open_task(connection: Connection, kind: TaskKind, details: dict[str, Any]) -> bool:
    """Give the desk a task, once while it lasts: whoever notices it second opens none and is told False."""
    opened = await queries.insert_task(connection, kind, details)
    if opened:
        await emit(connection, DeskTaskChanged(kind=kind.value, status="opened"))
    return opened


async def close_task(connection: Connection, kind: TaskKind) -> bool:
    """What it was about is over; False when there was none."""
    closed = await queries.close_tasks(connection, kind)
    if closed:
        await emit(connection, DeskTaskChanged(kind=kind.value, status="closed"))
    return closed
