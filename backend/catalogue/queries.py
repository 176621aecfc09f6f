"""All SQL of the catalogue."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from backend.catalogue.model import CatalogueItem, CatalogueSeat
from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import many, maybe_one


async def current_item(connection: Connection, code: str, on: date) -> CatalogueItem:
    """The item in its version of that day. Raises DomainError unknown_item (404)."""
    found = await maybe_one(
        connection,
        CatalogueItem,
        """SELECT i.id AS item_id, v.id AS version_id, i.code, i.kind, i.name, i.name_en, v.price_fen, v.slot_s,
                  v.acceptance, v.rules
           FROM catalogue_items i JOIN catalogue_versions v ON v.item_id = i.id
           WHERE i.code = $1 AND v.valid_from <= $2 ORDER BY v.version DESC LIMIT 1""",
        code, on,
    )  # fmt: skip
    if found is None:
        raise DomainError("unknown_item")
    return found


async def current_items(connection: Connection, on: date) -> Sequence[CatalogueItem]:
    """Return all that can be booked, in its version of that plan day of the city."""
    return await many(
        connection,
        CatalogueItem,
        """SELECT DISTINCT ON (i.code) i.id AS item_id, v.id AS version_id, i.code, i.kind, i.name, i.name_en,
                  v.price_fen, v.slot_s, v.acceptance, v.rules
           FROM catalogue_items i JOIN catalogue_versions v ON v.item_id = i.id
           WHERE v.valid_from <= $1 ORDER BY i.code, v.version DESC""",
        on,
    )  # fmt: skip


async def seats_for(connection: Connection, version_id: UUID, ability_level: int) -> list[CatalogueSeat]:
    """The crew a resident of this ability level needs, by seat."""
    return await many(
        connection,
        CatalogueSeat,
        """SELECT number, skills, duration_s, gender_rule FROM catalogue_seats
           WHERE version_id = $1 AND $2 BETWEEN ability_from AND ability_to ORDER BY number""",
        version_id, ability_level,
    )  # fmt: skip
