"""All SQL of the four digits at the door: kept when an order is made, shown to its resident, judged when they come back.

They leave the database only as their reader's own row; what a worker sends is compared inside it.
"""

from uuid import UUID

from backend.database.pool import Connection
from backend.database.rows import execute, value


async def keep(connection: Connection, order_id: UUID, resident_id: UUID, digits: str) -> None:
    """Store what the resident will say at the door."""
    await execute(
        connection,
        "INSERT INTO door_digits (order_id, resident_id, digits) VALUES ($1, $2, $3)",
        order_id, resident_id, digits,
    )  # fmt: skip


async def shown(connection: Connection, order_id: UUID) -> str | None:
    """Read them as the principal; None for everybody whose door it is not."""
    return await value(connection, "SELECT digits FROM door_digits WHERE order_id = $1", order_id)


async def fit(connection: Connection, order_id: UUID, typed: str, tries: int) -> bool | None:
    """Tell whether these are an order's digits; None where it has none, or was guessed at `tries` times already.

    The caller holds the order, so that two guesses at once are two guesses.
    """
    return await value(
        connection,
        """SELECT digits = $2 FROM door_digits WHERE order_id = $1
           AND (SELECT count(*) FROM visit_records WHERE order_id = $1 AND digits_fit = false) < $3""",
        order_id, typed, tries,
    )  # fmt: skip
