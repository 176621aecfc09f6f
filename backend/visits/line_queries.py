"""All SQL of what is done at a visit: the lines of an item, and every press on one."""

from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from backend.database.pool import Connection
from backend.database.rows import many, value
from backend.visits.lines import Ended, ItemLine, Tick
from backend.visits.model import Flag, Moment

_HAPPENED: Final[LiteralString] = "CASE WHEN offline THEN least(device_at, received_at) ELSE received_at END"


async def lines_of(connection: Connection, order_id: UUID) -> list[ItemLine]:
    """Read what is done at an order's visit, in order; an item's own lines go before those of its kind."""
    return await many(
        connection,
        ItemLine,
        """SELECT l.code, l.name, l.name_en, l.required, l.source, l.verified
           FROM orders o JOIN item_lines l ON l.item = o.item_code
                OR (l.item = o.kind AND NOT EXISTS (SELECT FROM item_lines i WHERE i.item = o.item_code))
           WHERE o.id = $1 ORDER BY l.position, l.code""",
        order_id,
    )


async def insert(
    connection: Connection, order_id: UUID, worker_id: UUID, moment: Moment, line: str, *, done: bool, counts: bool
) -> UUID:
    """Store a press; `counts` says that it was made at the door."""
    return await value(
        connection,
        """INSERT INTO visit_ticks (order_id, worker_id, line, done, received_at, device_at, offline, counts)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
        order_id, worker_id, line, done, moment.received_at, moment.device_at, moment.offline, counts,
    )  # fmt: skip


async def standing(connection: Connection, order_id: UUID, by: datetime | None = None) -> list[Tick]:
    """Read how each line stands, or stood at an instant, as far as the principal may read it: as it was pressed last."""
    return await many(
        connection,
        Tick,
        "SELECT DISTINCT ON (line) line, done, worker_id, received_at, device_at, offline FROM visit_ticks"
        " WHERE order_id = $1 AND counts AND ($2::timestamptz IS NULL OR " + _HAPPENED + " <= $2)"
        " ORDER BY line, " + _HAPPENED + " DESC, id DESC",
        order_id, by,
    )  # fmt: skip


async def ended(connection: Connection, order_id: UUID) -> list[Ended]:
    """Read what the crew said when they checked out, by the reports that count."""
    return await many(
        connection,
        Ended,
        "SELECT worker_id, " + _HAPPENED + """ AS at, $2 = ANY (flags) AS lines_missing, lines_reason, end_reason
           FROM visit_records WHERE order_id = $1 AND kind = 'check_out' AND counts ORDER BY id""",
        order_id, Flag.LINES_MISSING.value,
    )  # fmt: skip
