"""Reading files without trusting them: whatever is wrong is refused in one line that names file, field and value."""

import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy import ndarray

MOST_PLACES: Final = 10_000  # their travel matrix takes 400 MB
MOST_WORKERS: Final = 10_000
_MOST: Final = 1e9  # no figure of any day comes near it
_MOST_BYTES: Final = 256 * 1024 * 1024  # unpacked; seconds between 5,000 places take half of it
_SHOWN: Final = 80
_LISTED: Final = 300
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # of UTF-16 and UTF-32
_MARK: Final = "\ufeff"
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_FIGURE: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class InstanceError(ValueError):
    """A file cannot be read: which file, which field, which value, and why, in one line of printable text."""

    def __init__(self, file: str, field: str, value: object, why: str) -> None:
        super().__init__(f"{printable(file)}: {printable(field)}: {printable(value)[:_SHOWN]} {printable(why)}")


def printable(value: object) -> str:
    """The value on one line, without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(str(value).split()))


class Reading:
    """One file being read, and what may be asked of its values. Every question raises InstanceError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def refuse(self, field: str, value: object, why: str) -> InstanceError:
        """The error to raise for one value."""
        return InstanceError(self.name, field, value, why)

    def unknown(self, field: str, value: object, known: Iterable[str]) -> InstanceError:
        """The error to raise for a key nobody knows; it lists what would be understood."""
        listed = ", ".join(known)
        shown = listed if len(listed) <= _LISTED else f"{listed[:_LISTED]}…"
        return self.refuse(field, value, f"is not understood; understood are {shown}")

    def content(self) -> bytes:
        """The file's bytes, unpacked when they are gzip."""
        try:
            with self.path.open("rb") as file:
                raw = file.read(_MOST_BYTES + 1)
            if raw[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
                    raw = packed.read(_MOST_BYTES + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.refuse("file", error, "is not whole") from error
        except OSError as error:
            raise self.refuse("file", error.strerror, "so it cannot be read") from error
        except ValueError as error:  # a path no system knows
            raise self.refuse("file", error, "so it cannot be read") from error
        if len(raw) > _MOST_BYTES:
            raise self.refuse("file", f"over {_MOST_BYTES >> 20} MB", "are more than can be read")
        return raw

    def _utf8(self) -> bytes:
        """The bytes after a byte order mark, which editors put before UTF-8; other encodings are refused by name."""
        raw = self.content()
        if raw.startswith(_OTHER_MARKS):
            raise self.refuse("file", "UTF-16 or UTF-32", "is not read; save it as UTF-8")
        raw = raw.removeprefix(_UTF8_MARK)
        if not raw.strip():
            raise self.refuse("file", "nothing", "is in it")
        return raw

    def text(self) -> str:
        """The file as text."""
        raw = self._utf8()
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise self.refuse("file", raw[error.start : error.start + 4], "is not UTF-8 text") from error
        text = text.removesuffix("\x1a")  # the mark that DOS put behind a file
        odd = _CONTROLS.search(text)
        if odd is not None:
            raise self.refuse("file", f"the control character {ord(odd[0]):#04x}", "is in it, so it is not text")
        if _MARK in text:
            raise self.refuse("file", "a byte order mark", "stands inside it, as where two files were joined")
        return text

    def lines(self) -> list[tuple[int, str]]:
        """The lines that are not blank, with their numbers, whichever way they end."""
        whole = self.text().replace("\r\n", "\n").replace("\r", "\n").split("\n")
        lines = [(n, line.strip()) for n, line in enumerate(whole, 1) if line.strip()]
        if not lines:
            raise self.refuse("file", "nothing", "is in it")
        return lines

    def json(self) -> dict[str, Any]:
        """The file as one JSON object, in which no key stands twice."""
        raw = self._utf8()
        try:
            body: Any = msgspec.json.decode(raw)
            json.loads(raw, object_pairs_hook=self._once_each)  # msgspec keeps the last of two equal keys
        except (msgspec.DecodeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise self.refuse("file", error, "is not JSON") from error
        except (RecursionError, OverflowError) as error:
            raise self.refuse("file", error, "so it is not read") from error
        return self.fields(body, "file")

    def _once_each(self, pairs: Sequence[tuple[str, Any]]) -> None:
        self.once((key for key, _ in pairs), "key of one object")

    def fields(self, value: Any, field: str, *names: str) -> dict[str, Any]:
        """An object with at least these keys."""
        if not isinstance(value, dict):
            raise self.refuse(field, value, "is not an object")
        for name in names:
            if name not in value:
                raise self.refuse(_inside(field, name), None, "is missing")
        return value

    def only(self, value: Any, field: str, needed: Sequence[str], may: Sequence[str] = ()) -> dict[str, Any]:
        """An object with these keys and no others: what nobody reads would be lost without a word."""
        entry = self.fields(value, field, *needed)
        for name in entry:
            if name not in needed and name not in may:
                raise self.unknown(_inside(field, name), entry[name], (*needed, *may))
        return entry

    def items(self, value: Any, field: str, *, least: int = 0, exactly: int | None = None) -> list[Any]:
        """A list of a given or least length."""
        if not isinstance(value, list):
            raise self.refuse(field, value, "is not a list")
        if len(value) < least:
            raise self.refuse(field, len(value), f"entries are fewer than {least}")
        if exactly is not None and len(value) != exactly:
            raise self.refuse(field, len(value), f"entries, but {exactly} are needed")
        return value

    def number(self, value: Any, field: str, *, least: float = 0, most: float = _MOST) -> float:
        """A finite number of a JSON file."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.refuse(field, value, "is not a number")
        if value < least:
            raise self.refuse(field, value, f"is less than {least:g}")
        if value > most:
            raise self.refuse(field, value, f"is more than {most:g}")
        return value

    def figure(self, word: str, field: str, *, least: float = 0, most: float = _MOST) -> float:
        """A finite number of a text file, in plain digits."""
        if _FIGURE.fullmatch(word) is None:
            raise self.refuse(field, word, "is not a number")
        found = float(word)
        return self.number(found if math.isfinite(found) else 10 * _MOST, field, least=least, most=most)

    def whole(self, value: Any, field: str, *, least: float = 0, below: int | None = None) -> int:
        """A whole number in a range."""
        found = self.number(value, field, least=least)
        if found != int(found):
            raise self.refuse(field, value, "is not a whole number")
        if below is not None and found >= below:
            raise self.refuse(field, value, f"is not below {below}")
        return int(found)

    def ticks(self, value: float, field: str, unit: int) -> int:
        """A figure in whole parts of `unit` to one: a finer one is refused, because it would be cut."""
        found = Decimal(repr(value)) * unit
        if found != found.to_integral_value():
            raise self.refuse(field, value, "is not whole" if unit == 1 else f"is finer than 1/{unit}")
        return int(found)

    def window(self, value: Any, field: str) -> tuple[float, float]:
        """A pair of times in order."""
        first, last = (self.number(end, field) for end in self.items(value, field, exactly=2))
        if first > last:
            raise self.refuse(field, value, "ends before it begins")
        return first, last

    def label(self, value: Any, field: str) -> str:
        """An id or a name: text that is not empty, all of it visible, with nothing around it."""
        if not isinstance(value, str) or not value:
            raise self.refuse(field, repr(value) if value == "" else value, "is not a name")
        if value != value.strip() or not value.isprintable():
            raise self.refuse(field, repr(value), "has spaces around it or characters nobody sees")
        return value

    def labels(self, value: Any, field: str) -> frozenset[str]:
        """A list of names."""
        return frozenset(self.label(name, field) for name in self.items(value, field))

    def once(self, labels: Iterable[str], field: str) -> None:
        """No id stands for two things."""
        seen: set[str] = set()
        for label in labels:
            if label in seen:
                raise self.refuse(field, label, "appears twice")
            seen.add(label)

    def known(self, name: str, field: str, known: Mapping[str, Any] | frozenset[str] | set[str], what: str) -> str:
        """A name that stands for something in the file."""
        if name not in known:
            raise self.refuse(field, name, f"is {what}")
        return name

    def matrix(self, value: Any, field: str, size: int) -> list[list[float]]:
        """A square of numbers."""
        rows = self.items(value, field, exactly=size)
        return [
            [
                self.number(cell, f"{field}[{i}][{j}]")
                for j, cell in enumerate(self.items(row, f"{field}[{i}]", exactly=size))
            ]
            for i, row in enumerate(rows)
        ]

    def crowd(self, count: int, field: str, most: int = MOST_PLACES) -> int:
        """A count of places or workers, small enough for the square arrays a day is planned in."""
        if count > most:
            raise self.refuse(field, count, f"are more than the {most} that can be planned")
        return count

    def ways(self, matrix: ndarray, field: str) -> ndarray:
        """A travel matrix of whole seconds, in the 32 bits it is searched in."""
        if matrix.size and not 0 <= matrix.min() <= matrix.max() < 2**31:
            raise self.refuse(
                field, f"{matrix.min():g} to {matrix.max():g}", "are ways out of the range from 0 to 2^31"
            )
        return matrix.astype(np.int32)

    def numbers(self, line: str, field: str, count: int, *, least: float = 0) -> list[float]:
        """A line of so many numbers."""
        words: Sequence[str] = line.split()
        if len(words) != count:
            raise self.refuse(field, line.strip(), f"has {len(words)} columns, not {count}")
        return [self.figure(word, field, least=least) for word in words]


def _inside(field: str, name: str) -> str:
    return name if field == "file" else f"{field}.{name}"
