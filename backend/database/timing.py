"""A timer for slices that know nothing of orders: what fires it stands with the other timers."""

from datetime import datetime
from uuid import UUID

from backend.database.pool import Connection


async def set_timer_once(connection: Connection, kind: str, subject_id: UUID, due_at: datetime) -> None:
    """Ask for something new to happen at a care time; it is never moved."""
    await connection.execute(
        "INSERT INTO timers (kind, subject_id, due_at) VALUES ($1, $2, $3)", kind, subject_id, due_at
    )
