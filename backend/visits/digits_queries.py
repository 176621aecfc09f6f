"""All SQL of the four digits at the door: kept when an order is made, shown to its resident, judged when they come back.

They leave the database only as their reader's own row; what a worker sends is compared inside it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backend.database.pool import Connection
from backend.database.rows import execute, value, values


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


async def keep_word(connection: Connection, order_id: UUID, resident_id: UUID, digits: str) -> None:
    """Store what the resident confirms their word with, once; the caller holds the order."""
    await execute(
        connection,
        """INSERT INTO word_digits (order_id, resident_id, digits)
           SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM word_digits WHERE order_id = $1)""",
        order_id, resident_id, digits,
    )  # fmt: skip


async def shown_word(connection: Connection, order_id: UUID) -> str | None:
    """Read them as the principal; None for everybody whose word it is not."""
    return await value(connection, "SELECT digits FROM word_digits WHERE order_id = $1", order_id)


async def word_fits(connection: Connection, order_id: UUID, typed: str, tries: int) -> bool | None:
    """Tell whether these are the resident's; None where the visit has none, or was guessed at `tries` times already.

    The caller holds the order, so that two guesses at once are two guesses.
    """
    return await value(
        connection,
        """SELECT digits = $2 FROM word_digits WHERE order_id = $1
           AND (SELECT count(*) FROM handed_words WHERE order_id = $1 AND digits_fit = false) < $3""",
        order_id, typed, tries,
    )  # fmt: skip


async def keep_handed(
    connection: Connection,
    order_id: UUID,
    worker_id: UUID,
    word: str | None,
    device_at: datetime | None,
    *,
    fit: bool | None,
    taken: bool,
) -> None:
    """Store what was pressed on a worker's phone as the resident's word, and whether the digits were right, never which."""
    await execute(
        connection,
        """INSERT INTO handed_words (order_id, worker_id, word, device_at, digits_fit, taken)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        order_id, worker_id, word, device_at, fit, taken,
    )  # fmt: skip


async def handed(connection: Connection, order_id: UUID) -> Sequence[bool | None]:
    """Read whether the digits were right of each word that was handed over, in their order."""
    return await values(
        connection, "SELECT digits_fit FROM handed_words WHERE order_id = $1 ORDER BY id LIMIT 100", order_id
    )
