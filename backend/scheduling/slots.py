"""What is asked for and what is offered: the wish planning understands, and the slot a client takes up.

A slot leaves the platform as a signed text, so that nobody has to remember what was shown to whom.
"""

import base64
import hashlib
import hmac
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from backend.core.errors import DomainError

TOKEN_LIFE_S = 600
NEAR_S = 3600
"""How far beyond its gap another plan's visit is still tied to one: as late as a late visit may be planned, not later."""


class WantedSeat(Struct, frozen=True):
    """One place in the crew asked for."""

    number: int
    skills: list[str]
    duration_s: int
    gender_rule: str


class WantedLink(Struct, frozen=True):
    """The gap to another order of the resident, in seconds; `follows` false: the new order comes before the other."""

    order_id: UUID
    min_gap_s: int
    max_gap_s: int | None = None
    gap_from: str = "end"
    follows: bool = True


class Neighbour(Struct, frozen=True, forbid_unknown_fields=True):
    """Another order of the same resident at about that time, with the seconds to leave between the two either way round."""

    order_id: UUID
    plan_id: UUID
    from_at: datetime
    to_at: datetime
    over_at: datetime  # the earliest it can be over: as planned, or while nobody is planned, done as early as may be
    starts_at: datetime  # the latest it can begin: as planned, or as late as may be
    gap_before_s: int
    gap_after_s: int


class PickupPoint(Struct, frozen=True):
    """The meal point and the instant a meal is ready there."""

    facility_id: UUID
    ready_at: datetime
    pickup_s: int
    max_ride_s: int | None


class Wanted(Struct, frozen=True, kw_only=True):
    """What a quote is asked for, complete enough to plan it."""

    resident_id: UUID
    resident_gender: str
    gender_wish: str
    refused_workers: list[UUID]
    zone_id: UUID
    area: str  # the community they live in: which region's rules are theirs
    place_id: UUID
    item_code: str
    kind: str
    catalogue_version_id: UUID
    price_fen: int
    rules: list[str]
    slot_s: int
    acceptance: bool
    seats: list[WantedSeat]
    pickup: PickupPoint | None = None
    pickup_place_id: UUID | None = None
    link: WantedLink | None = None
    neighbours: list[Neighbour] = []
    instead_of: UUID | None = None  # the order that is to take place then: it keeps nobody busy at its old time


class Slot(Struct, frozen=True, kw_only=True):
    """A start window that can be promised. `expected_at` is None while no crew is free: the order would wait for one.

    It names the resident and nothing else about them; everything personal is looked up again when it is taken up.
    """

    resident_id: UUID
    item_code: str
    catalogue_version_id: UUID
    pickup: PickupPoint | None
    links: list[WantedLink]
    beside: list[UUID]  # the resident's other orders at about that time, as the quote knew them
    plan_on: date
    starts_from: datetime
    starts_to: datetime
    wish_from: datetime
    wish_to: datetime
    latest_at: datetime
    soft: bool
    expected_at: datetime | None
    late_s: int
    price_fen: int
    price_lines: list[dict[str, Any]]
    quoted_at: datetime
    crew: list[UUID] = []  # whom the plan has in mind; never signed: when the slot is taken up others may be
    instead_of: UUID | None = None  # the order it was quoted for, and can only be taken up by


class Refused(Struct, frozen=True):
    """Why a day offers nothing."""

    on: date
    rule: str


def sign(slot: Slot, secret: str) -> str:
    """The slot as an opaque text only this platform can have written."""
    body = msgspec.json.encode(msgspec.structs.replace(slot, crew=[]))
    mac = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac + body).decode()


def read(token: str, secret: str, now: datetime) -> Slot:
    """The slot back from its text. Raises DomainError slot_invalid or slot_in_past."""
    slot = opened(token, secret)
    if now - slot.quoted_at > timedelta(seconds=TOKEN_LIFE_S):
        raise DomainError("slot_invalid", "The slot is older than ten minutes; ask for new ones.")
    if (slot.latest_at if slot.soft else slot.starts_to) < now:
        raise DomainError("slot_in_past")
    return slot


def opened(token: str, secret: str) -> Slot:
    """The slot however old it is, to see whom it is for. Raises DomainError slot_invalid."""
    try:
        raw = base64.urlsafe_b64decode(token.encode())
        mac, body = raw[:32], raw[32:]
        if not hmac.compare_digest(mac, hmac.new(secret.encode(), body, hashlib.sha256).digest()):
            raise DomainError("slot_invalid")
        slot = msgspec.json.decode(body, type=Slot)
    except (ValueError, msgspec.MsgspecError) as error:
        raise DomainError("slot_invalid") from error
    return slot


def price_lines(price_fen: int) -> list[dict[str, Any]]:
    """Who pays what, in fen; their sum is the price."""
    return [{"payer": "resident", "fen": price_fen}]
