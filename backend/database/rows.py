"""Rows become frozen Structs here and nowhere else; a value outside an enum is refused, not carried on."""

from typing import Any, LiteralString, TypeVar, get_origin

import msgspec

from backend.database.pool import Connection

T = TypeVar("T")


class RowMissingError(LookupError):
    """A statement that must find a row found none."""


def _convert(row: Any, kind: type[T]) -> T:
    return msgspec.convert(dict(row), kind, from_attributes=False)


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
