"""The bounds of whatever enters from outside: no instant off the calendar, no number off its scale, no endless text.

Every request Struct is an `Asked`, and every field of one names its bound with a type from here or a `Meta` of its own;
a unit test walks all routes and refuses a field without one. What a rule of care allows is asked of the rules; these
are the scales themselves, so that nothing beyond them ever reaches a plan or a table.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)  # what a phone says whose clock was never set
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
FIRST_DAY, LAST_DAY = date(1850, 1, 1), date(2200, 1, 1)  # nobody alive was born before

Instant = Annotated[datetime, Meta(tz=True)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Coordinate = Annotated[float, Meta(ge=-1_000_000, le=1_000_000)]  # degrees, or metres where a zone is a plane
Metres = Annotated[float, Meta(ge=0, le=1_000_000)]
DaySeconds = Annotated[int, Meta(ge=0, le=86400)]
Word = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Reasoned = Annotated[str, Meta(min_length=1, max_length=500)]
Remark = Annotated[str, Meta(max_length=500)]
Note = Annotated[str, Meta(max_length=1000)]
PhoneText = Annotated[str, Meta(min_length=1, max_length=40)]
Token = Annotated[str, Meta(max_length=8192)]


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends. Nothing unknown is in it, and what msgspec has no word for is checked once it is read."""

    def __post_init__(self) -> None:
        """Refuse instants and days off the calendar and texts no column can hold. Raises ValueError."""
        for name in self.__struct_fields__:
            _check(name, getattr(self, name))


def _check(name: str, value: Any) -> None:
    match value:
        case str() if "\0" in value:
            raise ValueError(f"`{name}` holds a NUL character")
        case datetime() if not within(value):
            raise ValueError(f"`{name}` lies outside the years {EARLIEST.year} to {LATEST.year}")
        case date() if not isinstance(value, datetime) and not FIRST_DAY <= value <= LAST_DAY:
            raise ValueError(f"`{name}` lies outside the years {FIRST_DAY.year} to {LAST_DAY.year}")
        case list():
            for item in value:
                _check(name, item)
        case _:
            pass


def within(instant: datetime) -> bool:
    """Whether an instant has a zone and lies on the calendar the platform knows."""
    return instant.tzinfo is not None and EARLIEST <= instant <= LATEST
