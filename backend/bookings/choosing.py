"""The three windows that suit a resident best, each with its reason, instead of every quarter hour of a week.

The earliest one; one with the people who came last time; one on the weekday and at the hour at which they usually come.
What would stand twice is replaced by the earliest window of another day.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, field, structs

from backend.bookings import asking, queries
from backend.bookings.asking import Asked
from backend.bookings.model import MOST_DAYS, Pickup, QuotedSlot, QuoteReason, QuoteRequest, Wish
from backend.bookings.queries import Earlier
from backend.core import bounds
from backend.core.bounds import Word
from backend.core.errors import DomainError
from backend.core.principal import Principal, Role
from backend.database.pool import Connection, as_the_platform
from backend.scheduling.slots import Slot
from backend.scheduling.snapshots import Planner
from backend.workers.queries import WorkerName, names

_MANY: Final = 3
_APART: Final = timedelta(hours=2)  # nearer than this two windows of one day are no choice


class Why(StrEnum):
    """Why a window is among the best."""

    EARLIEST = "earliest"
    SAME_PEOPLE = "same_people"
    AS_USUAL = "as_usual"
    OTHER_DAY = "other_day"


class Narrow(bounds.Asked, frozen=True):
    """Which of the windows come into question: those that begin at some hours, on some days, with somebody.

    A window is kept where at least one of `worker_ids` would come; `gender` asks for a crew of it where the resident has no
    wish of their own on record.
    """

    from_minute: Annotated[int, Meta(ge=0, le=1439)] = 0
    to_minute: Annotated[int, Meta(ge=1, le=1440)] = 1440  # the window begins before it
    weekdays: Annotated[list[Annotated[int, Meta(ge=0, le=6)]], Meta(max_length=7)] = field(default_factory=list)
    to_on: date | None = None
    gender: Literal["female", "male"] | None = None
    worker_ids: Annotated[list[UUID], Meta(max_length=50)] = field(default_factory=list)

    def fits(self, slot: Slot, zone: ZoneInfo) -> bool:
        """Whether a window is among them."""
        starts = slot.starts_from.astimezone(zone)
        return (
            self.from_minute <= _minute(starts) < self.to_minute
            and (not self.weekdays or starts.weekday() in self.weekdays)
            and (self.to_on is None or starts.date() <= self.to_on)
            and (not self.worker_ids or not set(self.worker_ids).isdisjoint(slot.crew))
        )


class BestRequest(bounds.Asked, frozen=True):
    """A service for a resident, at any time over some days from a plan day on; today unless it is said."""

    resident_id: UUID
    item_code: Word
    from_on: date | None = None
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 7
    wish: Wish | None = None
    pickup: Pickup | None = None
    instead_of: UUID | None = None  # the order that is to be moved
    narrow: Narrow | None = None


class CrewName(Struct, frozen=True):
    """Somebody the plan has in mind for a window; others may come. `last_time` says that they came last time."""

    name: str
    gender: str
    last_time: bool


class Choice(QuotedSlot, frozen=True, kw_only=True):
    """One of the best windows, why it is, and who would come as it looks now."""

    why: Why
    crew: list[CrewName]


class Choices(Struct, frozen=True):
    """At most three windows in order of time, and why the days without any have none."""

    choices: list[Choice]
    reasons: list[QuoteReason]


class Wondered(Struct, frozen=True):
    """What choosing needs of the database, read at one moment."""

    asked: Asked
    earlier: list[Earlier]
    narrow: Narrow | None = None


async def ask(connection: Connection, principal: Principal, planner: Planner, request: BestRequest) -> Wondered:
    """Read what a choice depends on. `choose` is for when the connection is back.

    Only the desk asks for somebody: it reads the roster anyway. Raises not_allowed, and what `asking.ask` does.
    """
    if request.narrow and request.narrow.worker_ids and principal.role is not Role.OPERATOR:
        raise DomainError("not_allowed")
    question = QuoteRequest(
        resident_id=request.resident_id, item_code=request.item_code, wish=request.wish,
        from_on=None if request.wish else request.from_on, days=request.days, pickup=request.pickup,
        instead_of=request.instead_of,
    )  # fmt: skip
    gender = request.narrow.gender if request.narrow else None
    asked = await asking.ask(connection, principal, planner, question, gender)
    async with as_the_platform(connection):
        earlier = await queries.earlier_visits(connection, request.resident_id, request.item_code)
    return Wondered(asked, earlier, request.narrow)


def choose(planner: Planner, wondered: Wondered) -> tuple[list[tuple[Slot, Why]], list[QuoteReason]]:
    """Find the best windows; their crews' names are still to be read (`named`)."""
    slots, reasons = asking.found(planner, wondered.asked)
    if (narrow := wondered.narrow) is not None:
        slots = [slot for slot in slots if narrow.fits(slot, planner.zone_info)]
    return best(slots, wondered.earlier, planner.zone_info), reasons


async def named(
    connection: Connection, planner: Planner, secret: str, wondered: Wondered, chosen: Sequence[tuple[Slot, Why]]
) -> list[Choice]:
    """Put the windows as they are told, with the names of who would come."""
    async with as_the_platform(connection):
        known = {row.id: row for row in await names(connection, {who for slot, _ in chosen for who in slot.crew})}
    last = set(wondered.earlier[0].crew) if wondered.earlier else set[UUID]()
    return [
        Choice(
            **structs.asdict(asking.shown(slot, secret, wondered.asked.crew_size, planner)), why=why,
            crew=[_crew_name(known[who], last) for who in slot.crew if who in known],
        )
        for slot, why in chosen
    ]  # fmt: skip


def _crew_name(row: WorkerName, last: set[UUID]) -> CrewName:
    return CrewName(row.name, row.gender, row.id in last)


def best(slots: Sequence[Slot], earlier: Sequence[Earlier], zone: ZoneInfo) -> list[tuple[Slot, Why]]:
    """Choose at most three of these windows, which are in order of time; `earlier` are visits, the last one first."""
    picked: dict[datetime, tuple[Slot, Why]] = {}

    def take(found: Slot | None, why: Why) -> None:
        if found is not None and len(picked) < _MANY:
            picked.setdefault(found.starts_from, (found, why))

    take(next(iter(slots), None), Why.EARLIEST)
    if earlier:
        last = set(earlier[0].crew)
        take(_most(slots, lambda slot: len(last & set(slot.crew))), Why.SAME_PEOPLE)
        take(_as_usual(slots, [visit.window_from for visit in earlier], zone), Why.AS_USUAL)
    for apart in (_of_another_day, _far_from):
        while len(picked) < _MANY and (other := apart(slots, [slot for slot, _ in picked.values()])):
            take(other, Why.OTHER_DAY)
    return [picked[start] for start in sorted(picked)]


def _most(slots: Iterable[Slot], worth: Callable[[Slot], int]) -> Slot | None:
    """Find the earliest of the slots that are worth most; None where none is worth anything."""
    found = max(slots, key=worth, default=None)
    return found if found is not None and worth(found) > 0 else None


def _as_usual(slots: Iterable[Slot], visits: Sequence[datetime], zone: ZoneInfo) -> Slot | None:
    """Find the slot of the usual weekday that is nearest to the usual time of day."""
    local = [at.astimezone(zone) for at in visits]
    weekday, _ = Counter(at.weekday() for at in local).most_common(1)[0]
    usual = Counter(_minute(at) for at in local if at.weekday() == weekday).most_common(1)[0][0]
    mine = [slot for slot in slots if slot.starts_from.astimezone(zone).weekday() == weekday]
    return min(mine, key=lambda slot: abs(_minute(slot.starts_from.astimezone(zone)) - usual), default=None)


def _minute(at: datetime) -> int:
    return at.hour * 60 + at.minute


def _of_another_day(slots: Iterable[Slot], picked: Sequence[Slot]) -> Slot | None:
    days = {slot.plan_on for slot in picked}
    return next((slot for slot in slots if slot.plan_on not in days), None)


def _far_from(slots: Iterable[Slot], picked: Sequence[Slot]) -> Slot | None:
    return next(
        (slot for slot in slots if all(abs(slot.starts_from - other.starts_from) >= _APART for other in picked)), None
    )
