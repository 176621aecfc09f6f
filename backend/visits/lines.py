"""What is done at a visit, line by line, as data; and which lines are still to be done."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Asked, Instant, Word
from backend.visits.model import EndReason, LinesReason


class ItemLine(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing to do at a visit; `required` says that nobody leaves it out without saying why."""

    code: str
    name: str
    name_en: str
    required: bool
    source: str
    verified: bool


class Ticked(Asked, frozen=True):
    """One press on a line: it is done, or, with `done` false, it is taken back; `offline` as with any report of a phone."""

    line: Word
    done: bool = True
    device_at: Instant | None = None
    offline: bool = False


class Tick(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a line stands: by the last press that counts, whose it was and when."""

    line: str
    done: bool
    worker_id: UUID
    received_at: datetime
    device_at: datetime | None
    offline: bool


class Ended(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one of the crew said when they checked out: what was left out and why, and why at that time."""

    worker_id: UUID
    at: datetime
    lines_missing: bool
    lines_reason: LinesReason | None
    end_reason: EndReason | None


def still_to_do(lines: Sequence[ItemLine], ticks: Sequence[Tick]) -> list[str]:
    """Return the required lines that are not done, in their order."""
    done = {tick.line for tick in ticks if tick.done}
    return [line.code for line in lines if line.required and line.code not in done]
