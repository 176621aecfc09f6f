"""All SQL of providers."""

from datetime import time
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import maybe_one


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
