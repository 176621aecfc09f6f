"""A recorded day in one form, whichever file it came from, and the one way a malformed file is refused."""

import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

HOUR_S = 3600
PLAN_DAY_STARTS_S, PLAN_DAY_ENDS_S = 3 * HOUR_S, 27 * HOUR_S  # a plan's day runs from 03:00 to 03:00 city time
_SHOWN = 60
_MOST = 1e6  # of anything a day counts: minutes, or metres on a plane as large as planning knows
_MOST_BYTES = 256 * 1024 * 1024  # unpacked
_UTF8_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # of UTF-16 and UTF-32
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff]")
_FIGURE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
MOST_OF_A_MAP = 1e9  # of a coordinate that is kept for a picture only, in whatever projection


class InstanceError(ValueError):
    """A malformed file, told in one line: which file, which field, which value, and why it will not do."""

    def __init__(self, file: str | Path, field: str, value: object, why: str) -> None:
        shown = repr(value)
        self.file, self.field, self.value, self.why = str(file), field, value, why
        self.why = why = " ".join(why.split())
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        super().__init__(f"{file}: {field} = {shown}: {why}")


class Point(Struct, frozen=True):
    """A place: metres on a plane, or coordinates kept for the map only where a matrix states the travel."""

    x: float
    y: float


class CareWorker(Struct, frozen=True, kw_only=True):
    """Somebody who works that day; seconds count from the file's minute 0."""

    id: str
    skills: tuple[str, ...]
    start: int  # position in `places`
    end: int | None
    on_s: int
    off_s: int


class SeatNeed(Struct, frozen=True):
    """One place in a crew."""

    skill: str
    duration_s: int


class MealPickup(Struct, frozen=True):
    """Where a meal is fetched, when it is ready and how long fetching takes."""

    restaurant: int  # position in `places`
    ready_s: int
    pickup_s: int


class Gap(Struct, frozen=True):
    """The order starts between two gaps after the start of another."""

    after: str
    min_s: int
    max_s: int


class Demand(Struct, frozen=True, kw_only=True):
    """One order as it was recorded. `booked_s` is None when it was booked the evening before."""

    id: str
    resident: str
    place: int
    item: str
    kind: str
    seats: tuple[SeatNeed, ...]
    from_s: int
    to_s: int
    latest_s: int
    booked_s: int | None
    pickup: MealPickup | None = None
    gap: Gap | None = None
    refused: tuple[str, ...] = ()


class Instance(Struct, frozen=True, kw_only=True):
    """A recorded day. Travel is the matrix (seconds, row by row) or, without one, a speed on the plane."""

    name: str
    form: str
    places: tuple[Point, ...]
    workers: tuple[CareWorker, ...]
    demands: tuple[Demand, ...]
    matrix: tuple[tuple[int, ...], ...] | None = None
    metres_per_minute: float | None = None

    def travel_s(self, origin: int, target: int) -> int:
        """Seconds from one place to another, rounded up."""
        if self.matrix is not None:
            return self.matrix[origin][target]
        a, b = self.places[origin], self.places[target]
        return math.ceil(math.hypot(a.x - b.x, a.y - b.y) / (self.metres_per_minute or 1) * 60)

    @property
    def residents(self) -> dict[str, int]:
        """Every resident once, with the place they live at, in file order."""
        return {demand.resident: demand.place for demand in self.demands}


def base_seconds(file: str | Path, first_s: int, last_s: int) -> int:
    """Seconds after midnight at which the file's minute 0 is put, so that the whole day lies inside one plan day.

    Four in the morning where that fits. Raises InstanceError when the file spans more than a day.
    """
    earliest, latest = PLAN_DAY_STARTS_S - first_s, PLAN_DAY_ENDS_S - last_s
    if earliest > latest:
        raise InstanceError(
            file, "the recorded day, in minutes", (first_s // 60, last_s // 60), "spans more than 24 hours"
        )
    return min(max(PLAN_DAY_STARTS_S + HOUR_S, earliest), latest)


def read_text(path: Path) -> str:
    """The text of a plain or gzipped file, without the byte order mark some editors write. Raises InstanceError."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if raw[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
                raw = packed.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise InstanceError(path, "file", path.name, "does not exist") from error
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise InstanceError(path, "file", path.name, f"cannot be read ({error})") from error
    if len(raw) > _MOST_BYTES:
        raise InstanceError(path, "file", path.name, f"holds more than {_MOST_BYTES >> 20} MB")
    if raw.startswith(_OTHER_MARKS):
        raise InstanceError(path, "file", path.name, "is UTF-16 or UTF-32; save it as UTF-8")
    return _plain_text(path, raw.removeprefix(_UTF8_MARK))


def _plain_text(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode().removesuffix("\x1a")  # the mark that DOS put behind a file
    except UnicodeDecodeError as error:
        raise InstanceError(path, "file", path.name, f"cannot be read ({error})") from error
    if not text.strip():
        raise InstanceError(path, "file", path.name, "the file is empty")
    odd = _CONTROLS.search(text)
    if odd is not None:
        raise InstanceError(path, "file", odd[0], "is a character that no text holds")
    return text


class Reading:
    """Checks the values of one file; every refusal names the file, the field and the value."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def refuse(self, field: str, value: object, why: str) -> InstanceError:
        """The refusal of one value."""
        return InstanceError(self.file, field, value, why)

    def json(self, *needed: str, may: Sequence[str] = ()) -> dict[str, Any]:
        """The file as one JSON object with these keys and no others, in which no key stands twice."""
        text = read_text(self.file)
        try:
            body: Any = msgspec.json.decode(text)
            json.loads(text, object_pairs_hook=self._once_each)  # msgspec keeps the last of two equal keys
        except json.JSONDecodeError as error:
            raise self.refuse(f"line {error.lineno} column {error.colno}", error.msg, "is not JSON") from error
        except (msgspec.DecodeError, RecursionError, OverflowError, UnicodeEncodeError) as error:
            raise self.refuse("file", self.file.name, f"is not JSON ({error})") from error
        return self.only(body, "", needed, may)

    def _once_each(self, pairs: Sequence[tuple[str, Any]]) -> None:
        self.once((key for key, _ in pairs), "key of one object")

    def only(self, value: Any, field: str, needed: Sequence[str], may: Sequence[str] = ()) -> dict[str, Any]:
        """An object with these keys and no others: what nobody reads would be lost without a word."""
        entry = self.fields(value, field, *needed)
        for name in entry:
            if name not in needed and name not in may:
                known = ", ".join((*needed, *may))
                raise self.refuse(f"{field}.{name}" if field else name, entry[name], f"is not one of {known}")
        return entry

    def fields(self, value: Any, field: str, *needed: str) -> dict[str, Any]:
        """An object that has the fields needed."""
        if not isinstance(value, dict):
            raise self.refuse(field, value, "must be an object")
        for name in needed:
            if name not in value:
                raise self.refuse(f"{field}.{name}" if field else name, None, "is missing")
        return value

    def items(self, value: Any, field: str, *, at_least: int = 0, exactly: int | None = None) -> list[Any]:
        """A list of a certain length."""
        if not isinstance(value, list):
            raise self.refuse(field, value, "must be a list")
        if len(value) < at_least:
            raise self.refuse(field, value, f"must have at least {at_least} entries")
        if exactly is not None and len(value) != exactly:
            raise self.refuse(field, len(value), f"must have exactly {exactly} entries")
        return value

    def number(
        self, value: Any, field: str, *, at_least: float | None = None, above: float | None = None, size: float = _MOST
    ) -> float:
        """A number no further from zero than `size`."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.refuse(field, value, "is not a number")
        if at_least is not None and value < at_least:
            raise self.refuse(field, value, f"must be at least {at_least:g}")
        if above is not None and value <= above:
            raise self.refuse(field, value, f"must be more than {above:g}")
        if abs(value) > size:
            raise self.refuse(field, value, f"lies beyond {size:g}")
        return value

    def figure(self, word: str, field: str, *, at_least: float | None = None) -> float:
        """The same of a table: plain digits."""
        if _FIGURE.fullmatch(word) is None:
            raise self.refuse(field, word, "is not a number")
        return self.number(float(word), field, at_least=at_least)

    def text(self, value: Any, field: str) -> str:
        """A text that is not empty, all of it visible, with nothing around it."""
        if not isinstance(value, str) or not value:
            raise self.refuse(field, value, "must be a text")
        if value != value.strip() or not value.isprintable():
            raise self.refuse(field, value, "has spaces around it or characters nobody sees")
        return value

    def once(self, names: Iterable[str], field: str) -> None:
        """No id stands for two things."""
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise self.refuse(field, name, "appears twice")
            seen.add(name)

    def one_of(self, value: Any, field: str, allowed: Sequence[str]) -> str:
        """One of the texts allowed."""
        if value not in allowed:
            raise self.refuse(field, value, f"must be one of {', '.join(allowed)}")
        return value

    def window(self, value: Any, field: str) -> tuple[float, float]:
        """Two numbers, the first not after the second."""
        pair = self.items(value, field, exactly=2)
        first, last = (self.number(entry, f"{field}[{i}]", at_least=0) for i, entry in enumerate(pair))
        if first > last:
            raise self.refuse(field, value, "ends before it starts")
        return first, last
