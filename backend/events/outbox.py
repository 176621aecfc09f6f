"""The one way to tell an event: in the transaction that made it true."""

from collections.abc import Sequence

import msgspec

from backend.database.pool import Connection
from backend.database.rows import execute_many
from backend.events.catalogue import Event


async def emit(connection: Connection, *events: Event) -> None:
    """Write events in the caller's transaction; they reach readers when it commits, and never if it does not."""
    rows: Sequence[tuple[str, list[str], object]] = [
        (event.type, list(event.audience()), msgspec.to_builtins(event)) for event in events
    ]
    await execute_many(connection, "INSERT INTO events (type, keys, data) VALUES ($1, $2, $3)", list(rows))
