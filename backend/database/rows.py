"""Rows become frozen Structs here and nowhere else; a value outside an enum is refused, not carried on."""

import re
from collections.abc import Mapping
from typing import Any, Final, Generic, LiteralString, TypeVar, get_origin
from uuid import UUID

import msgspec
from msgspec import Struct

from backend.database.pool import Connection

T = TypeVar("T")
_PLACE: Final = re.compile(r"`\$\.?(.*)`$")
_KEYS: Final = ("order_id", "id", "worker_id")


class RowMissingError(LookupError):
    """A statement that must find a row found none."""


class UnreadableRowError(ValueError):
    """A row holds what its Struct has no word for. It names the order, or whose row it is, and the column; never the value."""

    def __init__(self, kind: str, key: UUID | None, column: str) -> None:
        super().__init__(f"{kind}: {column}")
        self.kind = kind
        self.key = key
        self.column = column


class Readable(Struct, Generic[T], frozen=True):
    """What could be read of several rows, and what could not."""

    rows: list[T]
    spoilt: list[UnreadableRowError]


def _convert(row: Any, kind: type[T]) -> T:
    found: Mapping[str, Any] = dict(row)
    try:
        return msgspec.convert(found, kind, from_attributes=False)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        name = (get_origin(kind) or kind).__name__
        key = next((found[key] for key in _KEYS if isinstance(found.get(key), UUID)), None)
        raise UnreadableRowError(name, key, place[1] if place else "") from error


async def one(connection: Connection, kind: type[T], sql: LiteralString, *args: Any) -> T:
    """The only row, as `kind`. Raises RowMissingError when there is none."""
    row = await connection.fetchrow(sql, *args)
    if row is None:
        raise RowMissingError(get_origin(kind) or kind.__name__)
    return _convert(row, kind)


async def maybe_one(connection: Connection, kind: type[T], sql: LiteralString, *args: Any) -> T | None:
    """The first row as `kind`, or None."""
    row = await connection.fetchrow(sql, *args)
    return None if row is None else _convert(row, kind)


async def many(connection: Connection, kind: type[T], sql: LiteralString, *args: Any) -> list[T]:
    """All rows as `kind`."""
    return [_convert(row, kind) for row in await connection.fetch(sql, *args)]


async def readable(connection: Connection, kind: type[T], sql: LiteralString, *args: Any) -> Readable[T]:
    """All rows that can be read as `kind`, and apart from them those that cannot: one of them must not hide the rest."""
    rows: list[T] = []
    spoilt: list[UnreadableRowError] = []
    for row in await connection.fetch(sql, *args):
        try:
            rows.append(_convert(row, kind))
        except UnreadableRowError as error:
            spoilt.append(error)
    return Readable(rows, spoilt)


async def value(connection: Connection, sql: LiteralString, *args: Any) -> Any:
    """The first column of the first row, or None."""
    return await connection.fetchval(sql, *args)


async def execute(connection: Connection, sql: LiteralString, *args: Any) -> int:
    """Run a statement and tell how many rows it touched."""
    status = await connection.execute(sql, *args)
    tail = status.rsplit(" ", 1)[-1]
    return int(tail) if tail.isdigit() else 0


async def execute_many(connection: Connection, sql: LiteralString, rows: list[tuple[Any, ...]]) -> None:
    """Run one statement for each row of arguments in a single round trip."""
    if rows:
        await connection.executemany(sql, rows)


async def values(connection: Connection, sql: LiteralString, *args: Any) -> list[Any]:
    """The first column of every row."""
    return [row[0] for row in await connection.fetch(sql, *args)]
