"""A day as lanes: a row for each worker, a bar for each shift and stop, placed in per cent of the hours that are shown.

Whatever shows lanes shows these: the board, a provider's day, and a zone at the desk. Only numbers go into style.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Self

from msgspec import Struct

_HOUR: Final = timedelta(hours=1)
_EMPTY_DAY: Final = timedelta(hours=10)


class Bar(Struct, frozen=True):
    """One stop or shift: left and width in per cent of the hours shown, how it looks, and what it says."""

    left: float
    width: float
    css: str
    text: str


class Lane(Struct, frozen=True):
    """One row: somebody's shifts and stops of a day; `look` where something of it is in trouble."""

    name: str
    shifts: list[Bar]
    stops: list[Bar]
    look: bool = False


class Axis(Struct, frozen=True):
    """The hours shown, from a full one on: hours that pass, not of a wall clock, which may be put forward in between."""

    first: datetime
    length: timedelta

    @classmethod
    def of(
        cls, begins: Iterable[datetime], ends: Iterable[datetime], zone: tzinfo, now: datetime, longest: timedelta | None = None
    ) -> Self:  # fmt: skip
        """From the first beginning to the last end, an hour at least; round `now` where there is neither."""
        local = min(begins, default=now).astimezone(zone)
        first = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        length = max(max(ends, default=first + _EMPTY_DAY) - first, _HOUR)
        return cls(first, length if longest is None else min(length, longest))

    def at(self, instant: datetime) -> float:
        """Where an instant is, in per cent from the left."""
        return round(100 * ((instant - self.first) / self.length), 3)

    def bar(self, from_at: datetime, to_at: datetime, css: str = "", text: str = "", *, least: float = 0.5) -> Bar:
        """What takes from then to then; never too narrow to be seen, never begun before the first hour."""
        return Bar(max(0.0, self.at(from_at)), max(least, round(100 * ((to_at - from_at) / self.length), 3)), css, text)

    def hours(self, zone: tzinfo) -> list[tuple[datetime, float]]:
        """Each full hour as a wall clock there shows it, and where it is."""
        full = (self.first + n * _HOUR for n in range(int(self.length / _HOUR) + 1))
        return [(hour.astimezone(zone), self.at(hour)) for hour in full]


def looks(order_kind: str | None, status: str | None) -> str:
    """How a stop looks: by what is done there, and whether it is over or under way."""
    kind = "break" if order_kind is None else "rehab" if order_kind == "care" else order_kind
    if status in {"awaiting_acceptance", "completed", "verified", "settled"}:
        return f"stop--{kind} stop--done"
    return f"stop--{kind}" + (" stop--now" if status in {"en_route", "arrived", "in_service"} else "")
