"""What a task of the desk is."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct


class TaskKind(StrEnum):
    """What has to be seen to."""

    FEED_STALLED = "feed_stalled"  # nobody hears anything new: a transaction in the database is in the way
    CODES_NOT_SENT = (
        "codes_not_sent"  # who asks for a sign-in code waits in vain: they can be signed in by card or rung
    )


class DeskTask(Struct, frozen=True, forbid_unknown_fields=True):
    """Something of the platform that wants a person; it closes itself when it is over."""

    id: UUID
    kind: TaskKind
    details: dict[str, Any]
    opened_at: datetime
    closed_at: datetime | None
