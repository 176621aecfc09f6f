"""How long the feed stands still, and behind whose transaction. What it waits for is `feed_horizon()` in the schema."""

from typing import Final

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import many, maybe_one

_MOST: Final = 5


class Holder(Struct, frozen=True, forbid_unknown_fields=True):
    """A transaction the feed waits for. What it does is not told: its text may hold somebody's name.

    `pid` is empty for a prepared transaction, which has no session: it is found in pg_prepared_xacts by its number `xid`.
    """

    xid: int
    pid: int | None
    application: str
    database: str
    role: str
    age_s: float  # at least: another role's transaction does not show its beginning
    prepared: bool


class Lag(Struct, frozen=True):
    """How long the oldest event that nobody has been told waits, and who holds it up, the oldest first."""

    waits_s: float
    behind: list[Holder]


class _Oldest(Struct, frozen=True):
    xid: int
    waits_s: float


async def lag(connection: Connection) -> Lag:
    """How far the feed is behind now, in machine time; nobody is named while nothing waits."""
    oldest = await maybe_one(
        connection,
        _Oldest,
        """SELECT xid::text::bigint AS xid,
                  greatest(extract(epoch FROM clock_timestamp() - recorded_at), 0)::double precision AS waits_s
           FROM events WHERE xid >= (SELECT feed_horizon()) ORDER BY events.xid, id LIMIT 1""",
    )
    if oldest is None:
        return Lag(0.0, [])
    behind = await many(
        connection,
        Holder,
        """SELECT x.xid::text::bigint AS xid, a.pid, coalesce(a.application_name, '') AS application,
                  current_database()::text AS database, coalesce(r.rolname, '')::text AS role, p.transaction IS NOT NULL AS prepared,
                  greatest(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)), $2)::double precision
                      AS age_s
           FROM pg_snapshot_xip(pg_current_snapshot()) AS x (xid)
           LEFT JOIN pg_stat_get_activity(NULL) a ON a.backend_xid = x.xid::xid
           LEFT JOIN pg_prepared_xact() p ON p.transaction = x.xid::xid
           LEFT JOIN pg_roles r ON r.oid = coalesce(a.usesysid, p.ownerid)
           WHERE x.xid <= $1::text::xid8 AND coalesce(a.datid, p.dbid)
                 = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
           ORDER BY x.xid LIMIT $3""",
        str(oldest.xid), oldest.waits_s, _MOST,
    )  # fmt: skip
    return Lag(oldest.waits_s, behind)
