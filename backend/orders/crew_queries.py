"""All SQL of looking for other workers for an order: how often each has been at its resident's, and whom an offer names."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from backend.database.pool import Connection
from backend.database.rows import execute
from backend.orders.model import Order


async def been_here(connection: Connection, order: Order, worker_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Count how often each of these workers has carried out a visit at an order's resident's before it."""
    rows = await connection.fetch(
        """SELECT c.worker_id, count(*) AS times FROM orders b JOIN assignments c ON c.order_id = b.id
           WHERE b.resident_id = $1 AND b.window_from < $2 AND c.status = 'checked_out' AND c.worker_id = ANY ($3)
           GROUP BY c.worker_id""",
        order.resident_id, order.window_from, list(worker_ids),
    )  # fmt: skip
    return {row["worker_id"]: row["times"] for row in rows}


async def name_in_offer(connection: Connection, order_id: UUID, seats: Mapping[int, UUID]) -> None:
    """Have the open offer of an order name who would come now."""
    await execute(
        connection,
        """UPDATE offer_seats s SET worker_id = now.worker_id
           FROM offers f, unnest($2::integer[], $3::uuid[]) AS now (seat, worker_id)
           WHERE f.order_id = $1 AND f.status = 'open' AND s.offer_id = f.id AND s.seat = now.seat""",
        order_id, list(seats), list(seats.values()),
    )  # fmt: skip


async def keep_choice(connection: Connection, order_id: UUID) -> None:
    """Have planning leave the crew of an order alone: a person has chosen it."""
    await execute(
        connection,
        """UPDATE assignments SET chosen = true
           WHERE order_id = $1 AND status IN ('proposed', 'accepted') AND NOT chosen""",
        order_id,
    )
