"""All SQL of providers, their facilities and the zones they serve."""

from datetime import time
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import many, maybe_one


class Provider(Struct, frozen=True, forbid_unknown_fields=True):
    """An institution: its opening hours, stars, and whether it takes offers by rule."""

    id: UUID
    name: str
    stars: int
    opens_at: time
    closes_at: time
    auto_accept: bool
    offer_expiry_s: int


async def provider(connection: Connection, provider_id: UUID) -> Provider:
    """One provider. Raises DomainError not_found (404)."""
    found = await maybe_one(
        connection,
        Provider,
        """SELECT id, name, stars, opens_at, closes_at, auto_accept, offer_expiry_s FROM providers
           WHERE id = $1 AND active""",
        provider_id,
    )
    if found is None:
        raise DomainError("not_found")
    return found


class ZoneName(Struct, frozen=True, forbid_unknown_fields=True):
    """A service area that is planned together."""

    id: UUID
    code: str
    name: str


async def zones(connection: Connection) -> list[ZoneName]:
    """Every zone, by code."""
    return await many(connection, ZoneName, "SELECT id, code, name FROM zones ORDER BY code")


class Facility(Struct, frozen=True, forbid_unknown_fields=True):
    """A meal point or a day-care centre."""

    id: UUID
    zone_id: UUID
    kind: str
    name: str
    community_code: str


async def facilities(connection: Connection, zone_id: UUID | None) -> list[Facility]:
    """The facilities of one zone, or of the whole city, by name."""
    return await many(
        connection,
        Facility,
        """SELECT id, zone_id, kind, name, community_code FROM facilities
           WHERE $1::uuid IS NULL OR zone_id = $1 ORDER BY name, id""",
        zone_id,
    )
