"""What planning reads from the database: one zone's day as rows."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant

Stamp = tuple[int, int]


class PlanRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One zone's plan of one day; `version` rises with every change of its stops, `roster` whenever who works changes.

    `beside` rises with every change of other plans that hold orders tied to some of this one: a day has a border at night,
    and a resident's visits on both sides of it keep apart.
    """

    id: UUID
    version: int
    improved_version: int
    roster: int
    beside: int

    @property
    def stamp(self) -> Stamp:
        """What tells the plan from itself before any change of what planning around it reads."""
        return self.version, self.beside


class ZoneRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A zone and how travel in it is known."""

    id: UUID
    code: str
    travel_kind: str
    travel: dict[str, Any]


class PlaceRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A point: WGS-84 degrees, or metres on a plane; a place of no geometry has no coordinates."""

    id: UUID
    geometry: str
    x: float
    y: float


Kind = Literal["visit", "pickup", "drop", "break"]


class StopRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One active stop of a plan, with what the worker's phone has reported about it."""

    id: UUID
    worker_id: UUID
    kind: Kind
    place_id: UUID
    order_id: UUID | None
    seat: int
    from_at: Instant
    to_at: Instant
    started: bool
    arrived_at: Instant | None
    left_at: Instant | None
    on_leave: bool  # its worker takes leave at that time


class SeatRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One seat of an order."""

    number: int
    skills: list[str]
    duration_s: int
    gender_rule: Literal["any", "same"]


class ChosenRow(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a person has chosen for one seat."""

    number: int
    worker_id: UUID


class LinkRow(Struct, frozen=True, forbid_unknown_fields=True):
    """The gap in seconds an order keeps to one before it, of the same plan."""

    before_id: UUID
    min_gap_s: int
    max_gap_s: int | None
    gap_from: Literal["start", "end"]


class VisitRow(Struct, frozen=True, forbid_unknown_fields=True):
    """What planning must know of an order."""

    order_id: UUID
    status: str
    kind: str
    place_id: UUID
    pickup_place_id: UUID | None
    ready_at: Instant | None
    pickup_s: int
    max_ride_s: int | None
    gender_wish: Literal["any", "female", "male"]
    window_from: Instant
    window_to: Instant
    window_soft: bool
    latest_at: Instant
    provider_id: UUID | None
    declined_by: list[UUID]
    expired_by: list[UUID]
    refused_workers: list[UUID]
    resident_gender: str
    seats: list[SeatRow]
    links: list[LinkRow]
    not_before: Instant | None  # bounds of its start that visits of the same resident leave, finished or in other plans
    not_after: Instant | None
    room_until: Instant | None = None  # the same where another plan has the resident served afterwards
    chosen: list[ChosenRow] = []


class Aside(Struct, frozen=True):
    """An order that nothing can be planned for as it stands, and what is wrong with it."""

    order_id: UUID
    why: str


class NewStop(Struct, frozen=True):
    """A stop as it is to be stored."""

    worker_id: UUID
    seq: int
    kind: str
    place_id: UUID
    order_id: UUID | None
    seat: int
    from_at: datetime
    to_at: datetime
    started: bool
