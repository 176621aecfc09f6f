"""What a task of the desk is."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from msgspec import Struct


class TaskKind(StrEnum):
    """What has to be seen to."""

    FEED_STALLED = "feed_stalled"  # nobody hears anything new: a transaction in the database is in the way
    CODES_NOT_SENT = (
        "codes_not_sent"  # who asks for a sign-in code waits in vain: they can be signed in by card or rung
    )
    EMERGENCY = "emergency"  # 紧急: somebody has raised an alarm
    NO_ACCESS = "no_access"  # 无人应答: a crew stands at a door that nobody opens
    NO_ACCESS_LATE = "no_access_late"  # the same, told by a phone after the order had gone on without it
    CREW_SHORT = "crew_short"  # 缺人: somebody of a crew cannot come, and nobody was found in their place
    CONSENT_ASKED = "consent_asked"  # 等同意: family asks for a consent, and the resident is to be rung for an answer
    CALL_BACK = "call_back"  # 要回拨: somebody hung up while a time was held for them, or was promised a call
    WORD_ASKED = "word_asked"  # 问满意: a resident without digits at hand wants to be rung about how it was
    SUSPENDED = "suspended"  # 暂停服务: what is still booked for somebody who is in hospital or has died


BY_HAND: Final = frozenset(
    {TaskKind.NO_ACCESS_LATE, TaskKind.SUSPENDED, TaskKind.CREW_SHORT, TaskKind.CALL_BACK, TaskKind.WORD_ASKED}
)
"""What an operator closes; everything else ends with what it is about."""


class Subject(Struct, frozen=True):
    """What a task is about: an order, an emergency, a resident, or nothing but the platform itself."""

    order_id: UUID | None = None
    emergency_id: UUID | None = None
    resident_id: UUID | None = None


THE_PLATFORM: Final = Subject()


class Alarmed(Struct, frozen=True):
    """Whom the alarm of a task concerns: they hear that somebody sees to it."""

    raised_by: UUID
    role: str
    resident_id: UUID | None
    order_id: UUID | None


class DeskTask(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that wants a person; `level` rises while nobody has ended it, `owner_id` is the operator who took it."""

    id: UUID
    kind: TaskKind
    details: dict[str, Any]
    order_id: UUID | None
    order_code: str | None
    emergency_id: UUID | None
    resident_id: UUID | None
    level: int
    opened_at: datetime
    due_at: datetime | None
    owner_id: UUID | None
    taken_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
