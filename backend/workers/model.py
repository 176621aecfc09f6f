"""What is written down of a worker's absence: when, and one reason of four."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class AbsenceReason(StrEnum):
    """Why somebody does not come; what they have is nobody's business here."""

    SICK = "sick"  # 病假
    HOLIDAY = "holiday"  # 休假
    TRAINING = "training"  # 培训
    OTHER = "other"  # 别的


class AbsenceView(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One absence of a worker; one that was ended before it began has no time between its two ends."""

    id: UUID
    worker_id: UUID
    reason: AbsenceReason
    from_at: datetime
    to_at: datetime
