"""All SQL of checks before a service: what an item asks, and what was measured."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from backend.database.pool import Connection
from backend.database.rows import many, value
from backend.visits.checks import ItemCheck, Judged, PreCheck
from backend.visits.model import Moment

_HAPPENED: Final[LiteralString] = "CASE WHEN offline THEN least(device_at, received_at) ELSE received_at END"


async def checks_of(connection: Connection, order_id: UUID) -> list[ItemCheck]:
    """Read what is measured before an order's service, in order; an item's own checks go before those of its kind."""
    return await many(
        connection,
        ItemCheck,
        """SELECT c.code, c.name, c.name_en, c.kind, c.unit, c.least, c.most, c.choices, c.source, c.verified
           FROM orders o JOIN item_checks c ON c.item = o.item_code
                OR (c.item = o.kind AND NOT EXISTS (SELECT FROM item_checks i WHERE i.item = o.item_code))
           WHERE o.id = $1 ORDER BY c.position, c.code""",
        order_id,
    )


async def insert(
    connection: Connection,
    order_id: UUID,
    worker_id: UUID,
    moment: Moment,
    answers: Mapping[str, float | str],
    judged: Judged,
    *,
    counts: bool,
) -> UUID:
    """Store what was measured, also where it stops the visit; `counts` says that it was measured at the door."""
    return await value(
        connection,
        """INSERT INTO pre_checks (order_id, resident_id, worker_id, received_at, device_at, offline, answers, outside, missing,
                  counts)
           SELECT id, resident_id, $2, $3, $4, $5, $6, $7, $8, $9 FROM orders WHERE id = $1 RETURNING id""",
        order_id, worker_id, moment.received_at, moment.device_at, moment.offline, dict(answers), judged.outside,
        judged.missing, counts,
    )  # fmt: skip


async def done(connection: Connection, order_id: UUID) -> list[PreCheck]:
    """Read what was measured before an order's service, the newest twenty, as far as the principal may read it."""
    found = await many(
        connection,
        PreCheck,
        """SELECT id, received_at, device_at, offline, answers, outside, missing, passed FROM pre_checks
           WHERE order_id = $1 ORDER BY id DESC LIMIT 20""",
        order_id,
    )
    return found[::-1]


async def due(connection: Connection, order_id: UUID, at: datetime) -> bool:
    """Tell whether a service that asks for checks had none that it passed by an instant: the last one is what counts."""
    return await value(
        connection,
        """SELECT EXISTS (SELECT FROM orders o JOIN item_checks c ON c.item IN (o.item_code, o.kind) WHERE o.id = $1)
              AND NOT coalesce((SELECT passed FROM pre_checks WHERE order_id = $1 AND counts AND """
        + _HAPPENED
        + " <= $2 ORDER BY "
        + _HAPPENED
        + " DESC, id DESC LIMIT 1), false)",
        order_id, at,
    )  # fmt: skip
