"""All SQL of bookings, and what a quote reads of facilities."""

from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import maybe_one, value


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
