"""All SQL of offers: providers asked to take an order, and what they answered."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import execute, execute_many, many, maybe_one, one
from backend.orders.model import Offer


async def insert_offer(
    connection: Connection, order_id: UUID, provider_id: UUID, seats: Mapping[int, UUID], expires_at: datetime
) -> Offer:
    """Ask a provider, naming the crew it would send."""
    offer = await one(
        connection,
        Offer,
        """INSERT INTO offers (order_id, provider_id, expires_at) VALUES ($1, $2, $3)
           RETURNING id, order_id, provider_id, kind, status, version, made_at, expires_at""",
        order_id, provider_id, expires_at,
    )  # fmt: skip
    await execute_many(
        connection,
        "INSERT INTO offer_seats (offer_id, seat, worker_id) VALUES ($1, $2, $3)",
        [(offer.id, seat, worker_id) for seat, worker_id in seats.items()],
    )
    return offer


async def offer(connection: Connection, offer_id: UUID) -> Offer:
    """One offer the principal may see. Raises DomainError unknown_offer (404)."""
    found = await maybe_one(
        connection,
        Offer,
        "SELECT id, order_id, provider_id, kind, status, version, made_at, expires_at FROM offers WHERE id = $1",
        offer_id,
    )
    if found is None:
        raise DomainError("unknown_offer")
    return found


async def open_offers(connection: Connection, provider_id: UUID | None) -> list[Offer]:
    """The offers that wait for a provider, the most urgent first."""
    return await many(
        connection,
        Offer,
        """SELECT id, order_id, provider_id, kind, status, version, made_at, expires_at FROM offers
           WHERE provider_id = $1 AND status = 'open' ORDER BY expires_at LIMIT 200""", provider_id,
    )  # fmt: skip


async def open_offer_of(connection: Connection, order_id: UUID, provider_id: UUID) -> Offer:
    """The offer by which this provider is asked to take an order. Raises DomainError offer_closed (409)."""
    found = await maybe_one(
        connection,
        Offer,
        """SELECT id, order_id, provider_id, kind, status, version, made_at, expires_at FROM offers
           WHERE order_id = $1 AND provider_id = $2 AND status = 'open'""",
        order_id, provider_id,
    )  # fmt: skip
    if found is None:
        raise DomainError("offer_closed")
    return found


async def close_offer(connection: Connection, offer_id: UUID, status: str, reason: str | None) -> Offer | None:
    """Close an open offer; None when somebody closed it before. This statement alone decides who wins."""
    return await maybe_one(
        connection,
        Offer,
        """UPDATE offers SET status = $2, version = version + 1, closed_at = yinling_now(), reason = $3
           WHERE id = $1 AND status = 'open'
           RETURNING id, order_id, provider_id, kind, status, version, made_at, expires_at""",
        offer_id, status, reason,
    )  # fmt: skip


async def withdraw_offers(connection: Connection, order_id: UUID) -> list[Offer]:
    """Close what is still open for an order."""
    return await many(
        connection,
        Offer,
        """UPDATE offers SET status = 'withdrawn', version = version + 1, closed_at = yinling_now()
           WHERE order_id = $1 AND status = 'open'
           RETURNING id, order_id, provider_id, kind, status, version, made_at, expires_at""",
        order_id,
    )


async def take_back(connection: Connection, order_id: UUID, provider_id: UUID) -> list[Offer]:
    """Withdraw what a provider had accepted: the order is not for it to carry out any more."""
    return await many(
        connection,
        Offer,
        """UPDATE offers SET status = 'withdrawn', version = version + 1, closed_at = yinling_now()
           WHERE id = (SELECT id FROM offers WHERE order_id = $1 AND provider_id = $2 AND status = 'accepted'
                       ORDER BY id DESC LIMIT 1) AND status = 'accepted'
           RETURNING id, order_id, provider_id, kind, status, version, made_at, expires_at""",
        order_id, provider_id,
    )  # fmt: skip


async def forget_closed(connection: Connection, days: float, most: int) -> int:
    """Offers answered long ago in care time with their crews, some at a time."""
    return await execute(
        connection,
        """WITH gone AS (
               SELECT id FROM offers
               WHERE status <> 'open' AND closed_at < yinling_now() - make_interval(secs => 86400 * $1::float8)
               ORDER BY closed_at LIMIT $2),
           seats AS (DELETE FROM offer_seats WHERE offer_id IN (SELECT id FROM gone))
           DELETE FROM offers WHERE id IN (SELECT id FROM gone)""",
        days, most,
    )  # fmt: skip
