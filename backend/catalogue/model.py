"""A bookable service and the crew it needs."""

from typing import Final
from uuid import UUID

from msgspec import Struct

MEAL: Final = "meal"  # the kind that is picked up and handed over; every other kind is a visit at the door


class CatalogueItem(Struct, frozen=True, forbid_unknown_fields=True):
    """A service in the version in force: price in fen, promised start window in seconds."""

    item_id: UUID
    version_id: UUID
    code: str
    kind: str
    name: str
    name_en: str
    price_fen: int
    slot_s: int
    acceptance: bool
    rules: list[str]


class CatalogueSeat(Struct, frozen=True, forbid_unknown_fields=True):
    """One place in the crew."""

    number: int
    skills: list[str]
    duration_s: int
    gender_rule: str
