"""The feed: events in the order their transactions became visible, read from a cursor that loses none.

A serial number is no cursor: numbers are drawn before commit, so a reader that has seen 7 may meet 6 later. The order
here is (transaction, number), and only transactions older than every one that still runs in this database are shown:
`feed_horizon()` in the schema, which knows why transactions of the server's other databases need not be waited for.
"""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import execute, many, maybe_one, one

CHANNEL: Final = "feed"  # what the relay notifies and gateways listen to; Redis carries the same between hosts
REDIS_CHANNEL: Final = "yinling:feed"
_LAST_NUMBER: Final = 2**63 - 1
_LARGEST_XID: Final = 2**63 - 1


class Cursor(Struct, frozen=True, order=True):
    """A place in the feed. The epoch is raised when a database is restored, and then every reader starts over."""

    epoch: int
    xid: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read `epoch.xid.id`. Raises ValueError."""
        epoch, xid, number = (int(part) if part.isascii() and part.isdigit() else -1 for part in text.split("."))
        if not (0 <= epoch <= _LARGEST_XID and 0 <= xid <= _LARGEST_XID and 0 <= number <= _LAST_NUMBER):
            raise ValueError("not a cursor")
        return cls(epoch, xid, number)

    def __str__(self) -> str:
        return f"{self.epoch}.{self.xid}.{self.number}"


class FeedRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One event as it is stored."""

    epoch: int
    xid: int
    id: int
    at: datetime
    type: str
    v: int
    keys: list[str]
    data: dict[str, Any]

    @property
    def cursor(self) -> Cursor:
        """Its place in the feed."""
        return Cursor(self.epoch, self.xid, self.id)


async def head(connection: Connection) -> Cursor:
    """The place just behind everything that can be read now; whatever is told later lies beyond it."""
    return await one(
        connection,
        Cursor,
        """SELECT epoch, feed_horizon()::text::bigint - 1 AS xid, $1::bigint AS number
           FROM feed_epoch""",
        _LAST_NUMBER,
    )


async def read_feed(connection: Connection, after: Cursor, limit: int) -> list[FeedRow]:
    """The next events behind a cursor, in feed order; nothing of another epoch."""
    return await many(
        connection,
        FeedRow,
        """SELECT f.epoch, e.xid::text::bigint AS xid, e.id, e.at, e.type, e.v, e.keys, e.data
           FROM events e, feed_epoch f
           WHERE (e.xid, e.id) > ($1::text::xid8, $2) AND e.xid < (SELECT feed_horizon())
             AND f.epoch = $3
           ORDER BY e.xid, e.id LIMIT $4""",
        str(after.xid),
        after.number,
        after.epoch,
        limit,
    )


async def newest(connection: Connection, limit: int) -> list[FeedRow]:
    """The last events, the oldest of them first."""
    rows = await many(
        connection,
        FeedRow,
        """SELECT f.epoch, e.xid::text::bigint AS xid, e.id, e.at, e.type, e.v, e.keys, e.data
           FROM events e, feed_epoch f
           WHERE e.xid < (SELECT feed_horizon())
           ORDER BY e.xid DESC, e.id DESC LIMIT $1""",
        limit,
    )
    return rows[::-1]


async def newest_cursor(connection: Connection) -> Cursor | None:
    """Where the newest event that can be read stands; None while nothing was ever told."""
    return await maybe_one(
        connection,
        Cursor,
        """SELECT f.epoch, e.xid::text::bigint AS xid, e.id AS number
           FROM events e, feed_epoch f
           WHERE e.xid < (SELECT feed_horizon())
           ORDER BY e.xid DESC, e.id DESC LIMIT 1""",
    )


async def wake_readers(connection: Connection, cursor: Cursor) -> None:
    """Tell everybody who listens that the feed has grown to here, when this transaction commits."""
    await execute(connection, "SELECT pg_notify($1, $2)", CHANNEL, str(cursor))
