"""What is asked for and how it was answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct

from backend.core.bounds import Asked, DaySeconds, Instant, Note, Remark, Token, Word

MOST_DAYS: Final = 14  # plan days of one question


class Channel(StrEnum):
    """The door a booking came through."""

    APP = "app"
    PHONE = "phone"
    WALK_IN = "walk_in"


class Wish(Asked, frozen=True):
    """The window asked for. A soft wish may be served late, but not after `latest_at`.

    It may last over nights and days, and begin in the past: it is asked from now on. A soft one lies within two plan days.
    """

    from_at: Instant
    to_at: Instant
    soft: bool = False
    latest_at: Instant | None = None


class Pickup(Asked, frozen=True):
    """Where a meal is fetched and when it is ready; ride and pick-up times in seconds."""

    facility_id: UUID
    ready_at: Instant
    max_ride_s: Annotated[int, Meta(ge=60, le=86400)] | None = None
    pickup_s: Annotated[int, Meta(ge=0, le=3600)] = 120


class After(Asked, frozen=True):
    """The order must start between two gaps after another order of the resident, in seconds."""

    order_id: UUID
    min_gap_s: DaySeconds
    max_gap_s: DaySeconds | None = None
    gap_from: Literal["start", "end"] = "end"


class QuoteRequest(Asked, frozen=True):
    """A service for a resident: in a wished window, or any time over the coming days."""

    resident_id: UUID
    item_code: Word
    wish: Wish | None = None
    from_on: date | None = None
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 3
    pickup: Pickup | None = None
    after: After | None = None
    instead_of: UUID | None = None
    """An order of the resident for the same service: the slots are other times for it, and for nothing else."""


class QuotedSlot(Struct, frozen=True, kw_only=True):
    """One start window on offer; `token` takes it up for ten minutes."""

    token: str
    starts_from: datetime
    starts_to: datetime
    expected_at: datetime | None
    late_s: int
    price_fen: int
    price_lines: list[dict[str, Any]]
    crew_size: int


class QuoteReason(Struct, frozen=True):
    """Why a plan day, from 03:00 to 03:00, offers nothing; a night is a matter of the day its shift began on."""

    on: date
    code: str


class Quote(Struct, frozen=True):
    """The slots offered, and the reasons of the days that offer none."""

    slots: list[QuotedSlot]
    reasons: list[QuoteReason]


class BookingRequest(Asked, frozen=True):
    """Take up a slot: hold and place in one step, or hold only and confirm later."""

    slot: Token
    channel: Channel
    asked_by: UUID | None = None
    note: Note = ""
    hold_only: bool = False


class Rescheduling(Asked, frozen=True):
    """Take up a slot that was quoted instead of an order: from then on the order takes place in it."""

    slot: Token
    reason: Remark = ""
