"""All SQL of how a visit goes: what it is, who comes, when they are expected and what has happened so far."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import Readable, many, maybe_one, one, readable, value
from backend.orders.model import Order
from backend.orders.queries import ORDER_COLUMNS


class VisitFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What an order is about, in words: the service, whose workers carry it out, where, how many and how long."""

    service: str
    service_en: str
    provider: str | None
    provider_phone: str | None
    address: str
    crew_size: int
    length_s: int


class Coming(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who comes, and how often they have carried out a visit at this resident's before."""

    seat: int
    name: str
    gender: str
    status: str
    visits_before: int


VISITS_BEFORE: Final[LiteralString] = """(SELECT count(*) FROM orders b JOIN assignments c ON c.order_id = b.id
                   WHERE b.resident_id = $2 AND b.window_from < $3 AND c.worker_id = a.worker_id
                     AND c.status = 'checked_out') AS visits_before"""
"""How often a worker `a` has carried out a visit at resident $2's before the instant $3."""


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """When the plan has the crew at the door, and how many visits its first worker has to carry out before."""

    at: Instant
    visits_before: int


class Happened(Struct, frozen=True, forbid_unknown_fields=True):
    """The first time that something was reported."""

    kind: str
    at: Instant


OPEN: tuple[str, ...] = (
    "placed", "offered", "manual", "accepted", "en_route", "arrived", "in_service", "no_access", "awaiting_acceptance",
)  # fmt: skip
"""States of an order that still wants something from its resident: to be at home, or to say how it was."""


async def visit_facts(connection: Connection, order_id: UUID) -> VisitFacts:
    """Read what an order is about; the address is that of the home it was booked for."""
    return await one(
        connection,
        VisitFacts,
        """SELECT i.name AS service, i.name_en AS service_en, p.name AS provider, p.phone AS provider_phone, h.address,
                  (SELECT count(*) FROM order_seats s WHERE s.order_id = o.id) AS crew_size,
                  (SELECT coalesce(max(s.duration_s), 0) FROM order_seats s WHERE s.order_id = o.id) AS length_s
           FROM orders o JOIN catalogue_items i ON i.code = o.item_code JOIN homes h ON h.id = o.home_id
           LEFT JOIN providers p ON p.id = o.provider_id WHERE o.id = $1""",
        order_id,
    )


async def crew_coming(connection: Connection, order: Order) -> list[Coming]:
    """Read who is bound to come, is there or was, by seat."""
    return await many(
        connection,
        Coming,
        "SELECT a.seat, w.name, w.gender, a.status, "
        + VISITS_BEFORE
        + """ FROM assignments a JOIN workers w ON w.id = a.worker_id
           WHERE a.order_id = $1 AND a.status IN ('accepted', 'en_route', 'checked_in', 'checked_out') ORDER BY a.seat""",
        order.id, order.resident_id, order.window_from,
    )  # fmt: skip


async def crew_planned(connection: Connection, order: Order) -> list[Coming]:
    """Read whom the plan has for an order that nobody is bound to yet; another crew may come."""
    return await many(
        connection,
        Coming,
        "SELECT a.seat, w.name, w.gender, 'planned' AS status, "
        + VISITS_BEFORE
        + """ FROM stops a JOIN workers w ON w.id = a.worker_id
           WHERE a.order_id = $1 AND a.kind IN ('visit', 'drop') ORDER BY a.seat""",
        order.id, order.resident_id, order.window_from,
    )  # fmt: skip


class ProviderPlanned(Struct, frozen=True, forbid_unknown_fields=True):
    """The provider whose workers the plan has for an order, and how it answers an offer."""

    name: str
    auto_accept: bool
    offer_expiry_s: int


async def provider_planned(connection: Connection, order_id: UUID) -> ProviderPlanned | None:
    """Read which provider would be asked for an order as it is planned now; None where it has no crew."""
    return await maybe_one(
        connection,
        ProviderPlanned,
        """SELECT p.name, p.auto_accept, p.offer_expiry_s
           FROM stops s JOIN workers w ON w.id = s.worker_id JOIN providers p ON p.id = w.provider_id
           WHERE s.order_id = $1 AND s.kind IN ('visit', 'drop') ORDER BY s.seat LIMIT 1""",
        order_id,
    )


async def expected(connection: Connection, order_id: UUID) -> Expected | None:
    """Read when the plan has the last of the crew at the door; None where it has no stop that is still to come."""
    return await maybe_one(
        connection,
        Expected,
        """SELECT lower(s.during) AS at,
                  (SELECT count(DISTINCT b.order_id) FROM stops b
                   WHERE b.plan_id = s.plan_id AND b.worker_id = s.worker_id AND b.active
                     AND b.kind IN ('visit', 'drop') AND lower(b.during) < lower(s.during)) AS visits_before
           FROM stops s WHERE s.order_id = $1 AND s.kind IN ('visit', 'drop') AND s.active
           ORDER BY lower(s.during) DESC, s.seat LIMIT 1""",
        order_id,
    )


async def happened(connection: Connection, order_id: UUID) -> list[Happened]:
    """Read what has happened, each thing when it was first told: accepted by its provider, and what the crew reported."""
    return await many(
        connection,
        Happened,
        """SELECT kind, min(at) AS at FROM (
               SELECT kind, CASE WHEN offline THEN least(device_at, received_at) ELSE received_at END AS at
               FROM visit_records WHERE order_id = $1 AND counts
               UNION ALL SELECT 'accepted', closed_at FROM offers WHERE order_id = $1 AND status = 'accepted') told
           GROUP BY kind ORDER BY 2, 1""",
        order_id,
    )


async def open_orders(connection: Connection, resident_id: UUID) -> Readable[Order]:
    """Read a resident's orders that are still to come or to be confirmed, the next one first."""
    return await readable(
        connection,
        Order,
        "SELECT " + ORDER_COLUMNS + " FROM orders WHERE resident_id = $1 AND status = ANY ($2) ORDER BY window_from, id LIMIT 50",
        resident_id, list(OPEN),
    )  # fmt: skip


async def past_orders(
    connection: Connection, resident_id: UUID, before: tuple[datetime, UUID] | None, limit: int
) -> Readable[Order]:
    """Read a resident's orders that are over, the last one first; a hold that was never confirmed was no order."""
    at, order_id = before or (None, None)
    return await readable(
        connection,
        Order,
        "SELECT "
        + ORDER_COLUMNS
        + """ FROM orders WHERE resident_id = $1 AND status <> ALL ($2) AND status NOT IN ('held', 'lapsed')
             AND ($3::timestamptz IS NULL OR (window_from, id) < ($3, $4)) ORDER BY window_from DESC, id DESC LIMIT $5""",
        resident_id, list(OPEN), at, order_id, limit,
    )  # fmt: skip


async def last_carried_out(connection: Connection, resident_id: UUID) -> Order | None:
    """Read the last of a resident's orders that was carried out."""
    return await maybe_one(
        connection,
        Order,
        "SELECT "
        + ORDER_COLUMNS
        + """ FROM orders WHERE resident_id = $1 AND status IN ('awaiting_acceptance', 'completed', 'verified', 'settled')
           ORDER BY window_from DESC, id DESC LIMIT 1""",
        resident_id,
    )


class ServiceName(Struct, frozen=True, forbid_unknown_fields=True):
    """What a service is called."""

    code: str
    name: str
    name_en: str


async def service_names(connection: Connection, codes: Sequence[str]) -> list[ServiceName]:
    """Read what services are called."""
    return await many(
        connection, ServiceName, "SELECT code, name, name_en FROM catalogue_items WHERE code = ANY ($1)", list(codes)
    )


async def formerly_followed(connection: Connection, account_id: UUID, order_id: UUID) -> str | None:
    """The name of the resident of an order that somebody could follow before their consent ended; None where they could not.

    A consent ends on machine time, and so does the time in an order's id: its care time may run apart from it.
    """
    return await value(
        connection,
        """SELECT r.name FROM orders o JOIN residents r ON r.id = o.resident_id
           WHERE o.id = $1 AND EXISTS (
               SELECT FROM consents c WHERE c.resident_id = o.resident_id AND c.account_id = $2
                 AND c.purpose IN ('status', 'book') AND c.valid_to <= now() AND c.valid_to > uuid_extract_timestamp(o.id))""",
        order_id, account_id,
    )  # fmt: skip
