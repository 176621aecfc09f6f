"""Reading files without trusting them: whatever is wrong is refused in one line that names file, field and value."""

import gzip
import math
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy import ndarray

_MOST = 1e9  # no figure of any day comes near it


class InstanceError(ValueError):
    """A file cannot be read: which file, which field, which value, and why, in one line."""

    def __init__(self, file: str, field: str, value: object, why: str) -> None:
        shown = " ".join(str(value).split())
        super().__init__(f"{file}: {field}: {shown[:80]} {why}")


class Reading:
    """One file being read, and what may be asked of its values. Every question raises InstanceError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def refuse(self, field: str, value: object, why: str) -> InstanceError:
        """The error to raise for one value."""
        return InstanceError(self.name, field, value, why)

    def content(self) -> bytes:
        """The file's bytes, unpacked when they are gzip."""
        try:
            raw = self.path.read_bytes()
            return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.refuse("file", error, "is not whole") from error
        except OSError as error:
            raise self.refuse("file", error.strerror, "so it cannot be read") from error

    def text(self) -> str:
        """The file as text."""
        raw = self.content()
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise self.refuse("file", raw[error.start : error.start + 4], "is not text") from error

    def json(self) -> dict[str, Any]:
        """The file as one JSON object."""
        raw = self.content()
        try:
            body: Any = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self.refuse("file", error, "is not JSON") from error
        return self.fields(body, "file")

    def fields(self, value: Any, field: str, *names: str) -> dict[str, Any]:
        """An object with at least these keys."""
        if not isinstance(value, dict):
            raise self.refuse(field, value, "is not an object")
        for name in names:
            if name not in value:
                raise self.refuse(f"{field}.{name}" if field != "file" else name, None, "is missing")
        return value

    def items(self, value: Any, field: str, *, least: int = 0, exactly: int | None = None) -> list[Any]:
        """A list of a given or least length."""
        if not isinstance(value, list):
            raise self.refuse(field, value, "is not a list")
        if len(value) < least:
            raise self.refuse(field, len(value), f"entries are fewer than {least}")
        if exactly is not None and len(value) != exactly:
            raise self.refuse(field, len(value), f"entries, but {exactly} are needed")
        return value

    def number(self, value: Any, field: str, *, least: float = 0) -> float:
        """A finite number, as JSON or as text."""
        try:
            found = math.nan if isinstance(value, bool | None) else float(value)
        except (TypeError, ValueError):
            found = math.nan
        if not math.isfinite(found):
            raise self.refuse(field, value, "is not a number")
        if found < least:
            raise self.refuse(field, value, f"is less than {least:g}")
        if found > _MOST:
            raise self.refuse(field, value, f"is more than {_MOST:g}")
        return found

    def whole(self, value: Any, field: str, *, least: int = 0, below: int | None = None) -> int:
        """A whole number in a range."""
        found = self.number(value, field, least=least)
        if found != int(found):
            raise self.refuse(field, value, "is not a whole number")
        if below is not None and found >= below:
            raise self.refuse(field, value, f"is not below {below}")
        return int(found)

    def window(self, value: Any, field: str) -> tuple[float, float]:
        """A pair of times in order."""
        first, last = (self.number(end, field) for end in self.items(value, field, exactly=2))
        if first > last:
            raise self.refuse(field, value, "ends before it begins")
        return first, last

    def label(self, value: Any, field: str) -> str:
        """An id or a name: text that is not empty."""
        if not isinstance(value, str) or not value:
            raise self.refuse(field, value, "is not a name")
        return value

    def once(self, labels: Iterable[str], field: str) -> None:
        """No id stands for two things."""
        seen: set[str] = set()
        for label in labels:
            if label in seen:
                raise self.refuse(field, label, "appears twice")
            seen.add(label)

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
        return [self.number(word, field, least=least) for word in words]
