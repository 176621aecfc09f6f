"""The bounds of whatever enters from outside: no instant off the calendar, no number off its scale, no endless text.

Every request Struct is an `Asked`, and every field of one names its bound with a type from here or a `Meta` of its own,
and every text says besides whether it may be blank; a unit test walks all routes and refuses a field without either. What
a rule of care allows is asked of the rules; these are the scales themselves, so that nothing beyond them ever reaches a
plan or a table.
"""

from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct, structs

from backend.core.typed import says_something, trimmed

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)  # what a phone says whose clock was never set
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
FIRST_DAY, LAST_DAY = date(1850, 1, 1), date(2200, 1, 1)  # nobody alive was born before

Instant = Annotated[datetime, Meta(tz=True)]
_IN_DEGREES: Final = Meta(ge=-180, le=180)
# a latitude too: one beyond 90 is a slip that is named where its zone is known
_ON_A_MAP: Final = Meta(ge=-1_000_000, le=1_000_000)  # degrees, or metres where a zone is a plane
Longitude = Annotated[float, _IN_DEGREES, Meta(description="Degrees east of Greenwich, in the `datum`.")]
Latitude = Annotated[float, _IN_DEGREES, Meta(description="Degrees north of the equator, in the `datum`.")]
GivenX = Annotated[
    float,
    _ON_A_MAP,
    Meta(description="Longitude in degrees, in the `datum`; metres east where the city lies on a plane."),
]
GivenY = Annotated[
    float,
    _ON_A_MAP,
    Meta(description="Latitude in degrees, in the `datum`; metres north where the city lies on a plane."),
]
ShownX = Annotated[float, Meta(description="Longitude in degrees, WGS-84; metres east where the city lies on a plane.")]
ShownY = Annotated[float, Meta(description="Latitude in degrees, WGS-84; metres north where the city lies on a plane.")]
Metres = Annotated[float, Meta(ge=0, le=1_000_000)]
DaySeconds = Annotated[int, Meta(ge=0, le=86400)]


class Wording(StrEnum):
    """Say what a text is for: whether somebody else is to read it, and may find nothing there."""

    SAID = "said"  # must say something: a name, a reason, an address
    REMARK = "remark"  # may be left out: blank is empty
    MATCHED = "matched"  # compared or looked up, as it was sent: a code, a number, a password


def wording(kind: Wording) -> dict[str, Wording]:
    """Make what a `Meta` of a text carries in `extra`."""
    return {_WORDING: kind}


_WORDING: Final = "wording"
Word = Annotated[str, Meta(min_length=1, max_length=64, extra=wording(Wording.MATCHED))]
Text = Annotated[str, Meta(min_length=1, max_length=200, extra=wording(Wording.SAID))]
Reasoned = Annotated[str, Meta(min_length=1, max_length=500, extra=wording(Wording.SAID))]
Remark = Annotated[str, Meta(max_length=500, extra=wording(Wording.REMARK))]
Note = Annotated[str, Meta(max_length=1000, extra=wording(Wording.REMARK))]
PhoneText = Annotated[str, Meta(min_length=1, max_length=40, extra=wording(Wording.MATCHED))]
Secret = Annotated[str, Meta(min_length=1, max_length=200, extra=wording(Wording.MATCHED))]
Token = Annotated[str, Meta(max_length=8192, extra=wording(Wording.MATCHED))]


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client sends. Nothing unknown is in it, and what msgspec has no word for is checked once it is read."""

    def __post_init__(self) -> None:
        """Refuse instants and days off the calendar, texts no column can hold and blank ones that ought to say something.

        What nobody sees at the ends of a text is taken off. Raises ValueError.
        """
        read = _texts_of(type(self))
        for name in self.__struct_fields__:
            value = getattr(self, name)
            _check(name, value)
            if name in read:
                structs.force_setattr(self, name, _read(name, value, read[name]))


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


@cache
def _texts_of(kind: type[Asked]) -> dict[str, Wording]:
    """The fields of a request that hold text for people."""
    hints = get_type_hints(kind, include_extras=True)
    found = {name: use for name, hint in hints.items() if (use := _wording_of(hint)) is not None}
    return {name: use for name, use in found.items() if use is not Wording.MATCHED}


def _wording_of(hint: Any) -> Wording | None:
    """Find what a field says its text is for, also inside a list or where it may be left out."""
    if get_origin(hint) is Annotated:
        for meta in get_args(hint)[1:]:
            if isinstance(meta, Meta) and meta.extra and _WORDING in meta.extra:
                return meta.extra[_WORDING]
    return next((use for part in get_args(hint) if (use := _wording_of(part))), None)


def _read(name: str, value: Any, use: Wording) -> Any:
    if isinstance(value, list):
        return [_read(name, item, use) for item in value]
    if not isinstance(value, str):
        return value
    text = trimmed(value)
    if use is Wording.SAID and not says_something(text):
        raise ValueError(f"`{name}` says nothing: it needs a letter or a digit")
    return text


def within(instant: datetime) -> bool:
    """Whether an instant has a zone and lies on the calendar the platform knows."""
    return instant.tzinfo is not None and EARLIEST <= instant <= LATEST
