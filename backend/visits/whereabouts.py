"""Finding out where a worker was, by everything they reported: nobody is in two visits at once.

Each clock is read for itself. Ours says when a report came; the phone's says when it was made, which counts for what was
sent later and, where it is believable, for everything else too. Whatever is reported last is held against all that was
reported before, so that a contradiction is found by whichever of the two reports comes second.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from backend.visits.model import Kind, Limits, Moment, Told

_IN_CARE: Final = frozenset({Kind.CHECK_IN, Kind.CHECK_OUT, Kind.NO_ACCESS, Kind.ABORT})
_LAST: Final = frozenset({Kind.CHECK_OUT, Kind.ABORT})
_AT_A_DOOR: Final = frozenset({Kind.PICK_UP, Kind.HAND_OVER})
Clock = Callable[[Moment], datetime | None]


class Stay(Struct, frozen=True):
    """A span at one place; a visit nobody has left yet has no end, a meal's door is passed in an instant."""

    from_at: datetime
    to_at: datetime | None

    def meets(self, other: "Stay") -> bool:
        """Tell whether two stays share more than an instant in which one ends and the other begins."""
        return (other.to_at is None or self.from_at < other.to_at) and (
            self.to_at is None or other.from_at < self.to_at
        )


def contradicted(mine: Sequence[Moment], others: Sequence[Told], limits: Limits) -> list[Told]:
    """Return the reports at other orders that cannot be true if `mine` are, the first of each stay, in order.

    `mine` are the reports of one visit so far, `others` what the same worker reported of others.
    """
    found: set[UUID] = set()
    for clock in _clocks(limits):
        own = _span(mine, clock)
        if own is not None:
            found |= {record_id for record_id, stay in _stays(others, clock) if stay.meets(own)}
    return [told for told in others if told.record_id in found]


def since(mine: Sequence[Moment], limits: Limits) -> datetime:
    """Return an instant before which the last report of a stay that meets `mine` cannot have come."""
    return min(moment.happened_at for moment in mine) - 2 * timedelta(seconds=limits.device_clock_s)


def believable(moment: Moment, limits: Limits) -> bool:
    """Tell whether the phone's clock can be right: near ours, or earlier by no more than a report may be kept."""
    if moment.device_at is None:
        return False
    behind_s = (moment.received_at - moment.device_at).total_seconds()
    patience_s = limits.offline_back_s if moment.offline else limits.device_clock_s
    return -limits.device_clock_s <= behind_s <= patience_s


def _clocks(limits: Limits) -> tuple[Clock, Clock]:
    return (
        lambda moment: moment.happened_at,
        lambda moment: moment.device_at if believable(moment, limits) else None,
    )


def _span(moments: Sequence[Moment], clock: Clock) -> Stay | None:
    """Return the stay from the first of these moments to the last; None where this clock does not show them all."""
    times = [clock(moment) for moment in moments]
    known = [at for at in times if at is not None]
    return Stay(min(known), max(known)) if known and len(known) == len(times) else None


def _stays(reports: Sequence[Told], clock: Clock) -> Iterable[tuple[UUID, Stay]]:
    """Return the stays these reports tell of by one clock, each with the report it began with.

    A visit under way goes on, unless only a phone that sends later has told of it: its end is on its way too.
    """
    for told in reports:
        at = clock(told.moment)
        if told.kind in _AT_A_DOOR and at is not None:
            yield told.record_id, Stay(at, at)
    for seat in dict.fromkeys(told.assignment_id for told in reports):
        visit = [told for told in reports if told.assignment_id == seat and told.kind in _IN_CARE]
        stay = _span([told.moment for told in visit], clock)
        if stay is None:
            continue
        ended = any(told.kind in _LAST for told in visit)
        goes_on = not ended and any(told.under_way and not told.moment.offline for told in visit)
        yield visit[0].record_id, structs.replace(stay, to_at=None) if goes_on else stay
