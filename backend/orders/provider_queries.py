"""All SQL of what a provider sees at its board: what it is asked for, what it has answered, and the day of its workers."""

from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import many, readable
from backend.orders.progress_queries import VISITS_BEFORE, Coming


class OfferFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What an offer is about: the service, when, in which zone, how many come and how long. Whose home it is comes later."""

    offer_id: UUID
    order_id: UUID
    resident_id: UUID
    made_at: Instant
    expires_at: Instant
    kind: str
    service: str
    service_en: str
    zone: str
    window_from: Instant
    window_to: Instant
    price_fen: int
    crew_size: int
    length_s: int


async def offer_facts(connection: Connection, provider_id: UUID, offer_id: UUID | None) -> list[OfferFacts]:
    """Read the open offers of a provider, the most urgent first; one of them alone where it is named."""
    read = await readable(
        connection,
        OfferFacts,
        """SELECT f.id AS offer_id, o.id AS order_id, o.resident_id, f.made_at, f.expires_at, o.kind, i.name AS service,
                  i.name_en AS service_en, z.name AS zone, o.window_from, o.window_to, o.price_fen,
                  (SELECT count(*) FROM order_seats s WHERE s.order_id = o.id) AS crew_size,
                  (SELECT coalesce(max(s.duration_s), 0) FROM order_seats s WHERE s.order_id = o.id) AS length_s
           FROM offers f JOIN orders o ON o.id = f.order_id JOIN catalogue_items i ON i.code = o.item_code
           JOIN zones z ON z.id = o.zone_id
           WHERE f.provider_id = $1 AND f.status = 'open' AND ($2::uuid IS NULL OR f.id = $2)
           ORDER BY f.expires_at, f.id LIMIT 200""",
        provider_id, offer_id,
    )  # fmt: skip
    return read.rows


async def crew_asked(connection: Connection, offer: OfferFacts) -> list[Coming]:
    """Read the crew an offer names, by seat, and how often each has been at that resident's."""
    return await many(
        connection,
        Coming,
        "SELECT a.seat, w.name, w.gender, 'proposed' AS status, "
        + VISITS_BEFORE
        + " FROM offer_seats a JOIN workers w ON w.id = a.worker_id WHERE a.offer_id = $1 ORDER BY a.seat",
        offer.offer_id, offer.resident_id, offer.window_from,
    )  # fmt: skip


class Answered(Struct, frozen=True, forbid_unknown_fields=True):
    """An offer that is closed: how, when, and what it was about."""

    status: str
    at: Instant
    kind: str
    window_from: Instant
    reason: str | None


async def answered(connection: Connection, provider_id: UUID, since: datetime) -> list[Answered]:
    """Read what a provider has answered since an instant, the last one first."""
    return await many(
        connection,
        Answered,
        """SELECT f.status, f.closed_at AS at, o.kind, o.window_from, f.reason FROM offers f JOIN orders o ON o.id = f.order_id
           WHERE f.provider_id = $1 AND f.status <> 'open' AND f.closed_at >= $2 ORDER BY f.closed_at DESC LIMIT 12""",
        provider_id, since,
    )  # fmt: skip


class DayVisit(Struct, frozen=True, forbid_unknown_fields=True):
    """One order of a provider's day, with the names it needs to carry it out."""

    order_id: UUID
    code: str
    kind: str
    service: str
    service_en: str
    status: str
    window_from: Instant
    window_to: Instant
    resident: str
    address: str
    crew: list[str]
    expected_at: Instant | None


async def day_visits(connection: Connection, provider_id: UUID, on: date) -> list[DayVisit]:
    """Read the orders a provider has accepted for a plan day, by time; who was only asked knows no name and no door."""
    read = await readable(
        connection,
        DayVisit,
        """SELECT o.id AS order_id, o.code, o.kind, i.name AS service, i.name_en AS service_en, o.status, o.window_from,
                  o.window_to, r.name AS resident, h.address,
                  ARRAY(SELECT w.name FROM assignments a JOIN workers w ON w.id = a.worker_id
                        WHERE a.order_id = o.id AND a.status IN ('accepted', 'en_route', 'checked_in', 'checked_out')
                        ORDER BY a.seat) AS crew,
                  (SELECT max(lower(s.during)) FROM stops s
                   WHERE s.order_id = o.id AND s.active AND s.kind IN ('visit', 'drop')) AS expected_at
           FROM orders o JOIN residents r ON r.id = o.resident_id JOIN homes h ON h.id = o.home_id
           JOIN catalogue_items i ON i.code = o.item_code
           WHERE o.provider_id = $1 AND o.plan_on = $2 AND o.status <> 'offered' ORDER BY o.window_from, o.id LIMIT 500""",
        provider_id, on,
    )  # fmt: skip
    return read.rows


class DayShift(Struct, frozen=True, forbid_unknown_fields=True):
    """One worker's shift of a day."""

    worker_id: UUID
    name: str
    from_at: Instant
    to_at: Instant


async def day_shifts(connection: Connection, provider_id: UUID, on: date) -> list[DayShift]:
    """Read who of a provider is on shift on a plan day."""
    return await many(
        connection,
        DayShift,
        """SELECT w.id AS worker_id, w.name, lower(s.during) AS from_at, upper(s.during) AS to_at
           FROM workers w JOIN shifts s ON s.worker_id = w.id
           WHERE w.provider_id = $1 AND s.plan_on = $2 AND w.active ORDER BY w.code, lower(s.during)""",
        provider_id, on,
    )  # fmt: skip


class DayStop(Struct, frozen=True, forbid_unknown_fields=True):
    """One stop of a worker's day; who has only been asked for it has it as well."""

    worker_id: UUID
    order_id: UUID | None
    kind: str
    order_kind: str | None
    status: str | None
    from_at: Instant
    to_at: Instant


async def day_stops(connection: Connection, provider_id: UUID, on: date) -> list[DayStop]:
    """Read the stops of a provider's workers on a plan day."""
    read = await readable(
        connection,
        DayStop,
        """SELECT s.worker_id, s.order_id, s.kind, o.kind AS order_kind, o.status, lower(s.during) AS from_at,
                  upper(s.during) AS to_at
           FROM plans p CROSS JOIN LATERAL (
               SELECT worker_id, order_id, kind, during FROM stops WHERE plan_id = p.id AND active
               UNION ALL SELECT worker_id, order_id, kind, during FROM stops WHERE plan_id = p.id AND NOT active) s
           JOIN workers w ON w.id = s.worker_id AND w.provider_id = $1 LEFT JOIN orders o ON o.id = s.order_id
           WHERE p.plan_on = $2 ORDER BY lower(s.during)""",
        provider_id, on,
    )  # fmt: skip
    return read.rows
