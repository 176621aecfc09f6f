"""An alarm as it is sent, as it is kept, and as whoever raised it reads it again."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from backend.core.bounds import Asked, GivenX, GivenY, Instant, Metres, Remark, ShownX, ShownY
from backend.core.geo import Datum, to_wgs84


class Outcome(StrEnum):
    """What an alarm was in the end."""

    HOSPITAL = "hospital"  # 送医
    FINE = "fine"  # 没事
    MISTAKE = "mistake"  # 误触
    OTHER = "other"  # 其他


class Alarm(Asked, frozen=True):
    """What a phone says when the button is pressed, or an operator of somebody who rings; nothing of it has to be said.

    `resident_id`: whom it is about; left out, the one who presses, or the only one a family member may speak for.
    `order_id`: the visit at which a worker presses. A position of which half is missing is taken for none.
    """

    resident_id: UUID | None = None
    order_id: UUID | None = None
    device_at: Instant | None = None
    x: GivenX | None = None
    y: GivenY | None = None
    datum: Datum = "wgs84"
    accuracy_m: Metres | None = None
    remark: Remark = ""

    def in_wgs84(self) -> "Alarm":
        """The same alarm with its position in WGS-84, or without one."""
        if self.x is None or self.y is None:
            return replace(self, x=None, y=None)
        if self.datum == "wgs84":
            return self
        x, y = to_wgs84(self.x, self.y, self.datum)
        return replace(self, x=x, y=y, datum="wgs84")


class Closing(Asked, frozen=True):
    """What an alarm was, and what the desk remarks on it."""

    outcome: Outcome
    remark: Remark = ""


class Emergency(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One alarm with all the desk knows of it; `owner_id` is the operator who sees to it."""

    id: UUID
    raised_by: UUID
    role: str
    resident_id: UUID | None
    order_id: UUID | None
    x: ShownX | None
    y: ShownY | None
    accuracy_m: float | None
    device_at: datetime | None
    remark: str
    raised_at: datetime
    called_off_at: datetime | None
    task_id: UUID | None
    owner_id: UUID | None
    taken_at: datetime | None
    closed_at: datetime | None
    closed_by: UUID | None
    outcome: Outcome | None
    closing_remark: str


Standing = Literal["open", "taken", "closed"]


class Raised(Struct, frozen=True, kw_only=True):
    """What whoever raised an alarm reads of it: that it is there, and how far the desk is."""

    id: UUID
    standing: Standing
    raised_at: datetime
    called_off_at: datetime | None
    taken_at: datetime | None
    closed_at: datetime | None


def told(emergency: Emergency) -> Raised:
    """Return an alarm as whoever raised it reads it."""
    standing: Standing = "closed" if emergency.closed_at else "taken" if emergency.taken_at else "open"
    return Raised(
        id=emergency.id, standing=standing, raised_at=emergency.raised_at, called_off_at=emergency.called_off_at,
        taken_at=emergency.taken_at, closed_at=emergency.closed_at,
    )  # fmt: skip
