"""All SQL of bookings, and what a quote reads of facilities."""

from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import execute, many, maybe_one, one, value
from backend.scheduling.queries import LIVE_STATUSES


async def insert_booking(
    connection: Connection,
    resident_id: UUID,
    item_code: str,
    channel: str,
    asked_by: UUID | None,
    entered_by: UUID | None,
    note: str,
) -> UUID:
    """Remember what was asked for, who wanted it and whose hands entered it."""
    return await value(
        connection,
        """INSERT INTO bookings (resident_id, item_id, channel, asked_by, entered_by, note)
           SELECT $1, id, $3, $4, $5, $6 FROM catalogue_items WHERE code = $2 RETURNING id""",
        resident_id, item_code, channel, asked_by, entered_by, note,
    )  # fmt: skip


class Load(Struct, frozen=True, forbid_unknown_fields=True):
    """How many orders a resident has: held, open on one plan day, open in all, and made since an instant."""

    holds: int
    open_on_day: int
    open: int
    made: int


async def load_of(
    connection: Connection, resident_id: UUID, plan_on: date, since: datetime, instead_of: UUID | None = None
) -> Load:
    """What a resident has now beside an order that is to move; a hold that ran out no longer counts as open."""
    return await one(
        connection,
        Load,
        """SELECT count(*) FILTER (WHERE live AND status = 'held') AS holds,
                  count(*) FILTER (WHERE live AND plan_on = $2) AS open_on_day,
                  count(*) FILTER (WHERE live) AS open,
                  count(*) FILTER (WHERE created_at >= $3) AS made
           FROM (SELECT status, plan_on, created_at, status = ANY ($4)
                        AND (status <> 'held' OR hold_expires_at > yinling_now()) AS live
                 FROM orders WHERE resident_id = $1 AND id IS DISTINCT FROM $5) own""",
        resident_id, plan_on, since, list(LIVE_STATUSES), instead_of,
    )  # fmt: skip


async def lock_resident(connection: Connection, resident_id: UUID) -> None:
    """One booking of a resident after the other, also on different days; taken after the plan's lock."""
    await value(connection, "SELECT id FROM residents WHERE id = $1 FOR NO KEY UPDATE", resident_id)


async def quotes_asked(connection: Connection, resident_id: UUID, asked_on: date, *, by_desk: bool) -> int:
    """How often slots were looked for in a resident's name on a day."""
    asked = await value(
        connection,
        "SELECT asked FROM quotes_asked WHERE resident_id = $1 AND asked_on = $2 AND by_desk = $3",
        resident_id, asked_on, by_desk,
    )  # fmt: skip
    return asked or 0


async def count_quote(connection: Connection, resident_id: UUID, asked_on: date, *, by_desk: bool) -> None:
    """Count one more look for slots."""
    await execute(
        connection,
        """INSERT INTO quotes_asked AS q (resident_id, asked_on, by_desk) VALUES ($1, $2, $3)
           ON CONFLICT (resident_id, asked_on, by_desk) DO UPDATE SET asked = q.asked + 1""",
        resident_id, asked_on, by_desk,
    )  # fmt: skip


async def forget_quote_counts(connection: Connection, days: float, most: int) -> int:
    """Forget how often slots were looked for on days that are over in care time, some at a time."""
    return await execute(
        connection,
        """DELETE FROM quotes_asked WHERE (resident_id, asked_on, by_desk) IN (
               SELECT resident_id, asked_on, by_desk FROM quotes_asked WHERE asked_on < yinling_now()::date - $1::integer
               LIMIT $2)""",
        int(days), most,
    )  # fmt: skip


class Earlier(Struct, frozen=True, forbid_unknown_fields=True):
    """A visit that was carried out: when its window began, and by whom."""

    window_from: datetime
    crew: list[UUID]


async def earlier_visits(connection: Connection, resident_id: UUID, item_code: str) -> list[Earlier]:
    """The last visits of a service at a resident's, the last one first: what they are used to."""
    return await many(
        connection,
        Earlier,
        """SELECT window_from, ARRAY(SELECT a.worker_id FROM assignments a
                                     WHERE a.order_id = o.id AND a.status = 'checked_out' ORDER BY a.seat) AS crew
           FROM orders o WHERE resident_id = $1 AND item_code = $2
             AND status IN ('awaiting_acceptance', 'completed', 'verified', 'settled')
           ORDER BY window_from DESC LIMIT 8""",
        resident_id, item_code,
    )  # fmt: skip


class MealPoint(Struct, frozen=True, forbid_unknown_fields=True):
    """A facility a meal is fetched from."""

    id: UUID
    place_id: UUID
    zone_id: UUID


async def meal_point(connection: Connection, facility_id: UUID) -> MealPoint:
    """The meal point named. Raises DomainError unknown_facility (404)."""
    found = await maybe_one(
        connection,
        MealPoint,
        "SELECT id, place_id, zone_id FROM facilities WHERE id = $1 AND kind = 'meal_point'",
        facility_id,
    )
    if found is None:
        raise DomainError("unknown_facility")
    return found


async def nearest_meal_point(connection: Connection, resident_id: UUID) -> UUID:
    """The meal point of a resident's zone that is nearest to their home. Raises DomainError unknown_facility (404)."""
    found = await value(
        connection,
        """SELECT f.id FROM homes h JOIN places d ON d.id = h.place_id JOIN facilities f ON f.zone_id = h.zone_id
           JOIN places p ON p.id = f.place_id
           WHERE h.resident_id = $1 AND h.current AND f.kind = 'meal_point'
           ORDER BY (p.x - d.x) ^ 2 + (p.y - d.y) ^ 2, f.id LIMIT 1""",
        resident_id,
    )
    if found is None:
        raise DomainError("unknown_facility")
    return found
