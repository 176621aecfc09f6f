"""All SQL of residents, their homes and consents."""

from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import maybe_one


class ResidentForBooking(Struct, frozen=True, forbid_unknown_fields=True):
    """What a booking must know of a resident and the home."""

    id: UUID
    gender: str
    ability_level: int
    gender_wish: str
    refused_workers: list[UUID]
    suspended: bool
    home_id: UUID
    zone_id: UUID
    place_id: UUID
    district_code: str
    street_code: str
    community_code: str


async def resident_for_booking(connection: Connection, resident_id: UUID) -> ResidentForBooking:
    """The resident with the present home. Raises DomainError unknown_resident (404)."""
    found = await maybe_one(
        connection,
        ResidentForBooking,
        """SELECT r.id, r.gender, r.ability_level, r.gender_wish, r.refused_workers, r.suspended, h.id AS home_id,
                  h.zone_id, h.place_id, h.district_code, h.street_code, h.community_code
           FROM residents r JOIN homes h ON h.resident_id = r.id AND h.current WHERE r.id = $1""",
        resident_id,
    )
    if found is None:
        raise DomainError("unknown_resident")
    return found


class ResidentCard(Struct, frozen=True, forbid_unknown_fields=True):
    """What the operator sees when the phone rings."""

    id: UUID
    name: str
    phone: str
    gender: str
    ability_level: int
    gender_wish: str
    diet: list[str]
    address: str
    zone_id: UUID


async def resident_by_phone(connection: Connection, phone: str) -> ResidentCard:
    """The resident who rings from this number. Raises DomainError unknown_resident (404)."""
    found = await maybe_one(
        connection,
        ResidentCard,
        """SELECT r.id, r.name, r.phone, r.gender, r.ability_level, r.gender_wish, r.diet, h.address, h.zone_id
           FROM residents r JOIN homes h ON h.resident_id = r.id AND h.current WHERE r.phone = $1""",
        phone,
    )
    if found is None:
        raise DomainError("unknown_resident")
    return found
