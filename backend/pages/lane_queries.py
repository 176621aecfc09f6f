"""All SQL of a zone's day at the desk: who is on shift, where each is to be, and what of it is in trouble."""

from datetime import date
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import many, readable


class ZoneName(Struct, frozen=True, forbid_unknown_fields=True):
    """One zone, by its public code."""

    id: UUID
    code: str
    name: str


async def zones(connection: Connection) -> list[ZoneName]:
    """Every zone of the city."""
    return await many(connection, ZoneName, "SELECT id, code, name FROM zones ORDER BY code")


class ZoneShift(Struct, frozen=True, forbid_unknown_fields=True):
    """One worker's shift in a zone."""

    worker_id: UUID
    name: str
    from_at: Instant
    to_at: Instant


async def shifts(connection: Connection, zone_id: UUID, on: date) -> list[ZoneShift]:
    """Who is on shift in a zone on a plan day, by their public code."""
    return await many(
        connection,
        ZoneShift,
        """SELECT w.id AS worker_id, w.name, lower(s.during) AS from_at, upper(s.during) AS to_at
           FROM shifts s JOIN workers w ON w.id = s.worker_id
           WHERE s.zone_id = $1 AND s.plan_on = $2 AND w.active ORDER BY w.code, lower(s.during)""",
        zone_id, on,
    )  # fmt: skip


class Somebody(Struct, frozen=True, forbid_unknown_fields=True):
    """One worker, by name."""

    id: UUID
    name: str


async def who_may_come(connection: Connection, zone_id: UUID, from_on: date, to_on: date) -> list[Somebody]:
    """Who is on shift in a zone on some days."""
    return await many(
        connection,
        Somebody,
        """SELECT DISTINCT w.id, w.name FROM shifts s JOIN workers w ON w.id = s.worker_id
           WHERE s.zone_id = $1 AND s.plan_on BETWEEN $2 AND $3 AND w.active ORDER BY w.name, w.id""",
        zone_id, from_on, to_on,
    )  # fmt: skip


class Colleague(Struct, frozen=True, forbid_unknown_fields=True):
    """One worker, and whose they are."""

    id: UUID
    name: str
    provider: str


async def everybody(connection: Connection) -> list[Colleague]:
    """All who work in the city, by their names."""
    return await many(
        connection,
        Colleague,
        """SELECT w.id, w.name, p.name AS provider FROM workers w JOIN providers p ON p.id = w.provider_id
           WHERE w.active ORDER BY w.name, w.id""",
    )


class ZoneStop(Struct, frozen=True, forbid_unknown_fields=True):
    """One stop of a zone's day; without a worker, an order that nobody is to go to yet, at the time it was promised for.

    `late_min` is by how much it begins too late, as it is planned or as it is now; `due` where it should have begun.
    """

    worker_id: UUID | None
    order_id: UUID | None
    order_code: str | None
    order_kind: str | None
    status: str | None
    from_at: Instant
    to_at: Instant
    late_min: int
    due: bool


async def stops(connection: Connection, zone_id: UUID, on: date) -> list[ZoneStop]:
    """Every stop of a zone's plan day, and the orders of it that nobody is to go to, by time."""
    read = await readable(
        connection,
        ZoneStop,
        """WITH known AS (
               SELECT s.worker_id, s.kind, s.order_id, o.code AS order_code, o.kind AS order_kind, o.status, o.window_to,
                      lower(s.during) AS from_at, upper(s.during) AS to_at
               FROM plans p CROSS JOIN LATERAL (
                   SELECT worker_id, kind, order_id, during FROM stops WHERE plan_id = p.id AND active
                   UNION ALL SELECT worker_id, kind, order_id, during FROM stops WHERE plan_id = p.id AND NOT active) s
               LEFT JOIN orders o ON o.id = s.order_id
               WHERE p.zone_id = $1 AND p.plan_on = $2
               UNION ALL
               SELECT NULL, 'visit', o.id, o.code, o.kind, o.status, o.window_to, o.window_from, greatest(o.window_to, o.window_from)
               FROM orders o WHERE o.zone_id = $1 AND o.plan_on = $2 AND o.status IN ('placed', 'manual')
                 AND NOT EXISTS (SELECT FROM stops s WHERE s.order_id = o.id AND s.active))
           SELECT worker_id, order_id, order_code, order_kind, status, from_at, to_at,
                  CASE WHEN kind IN ('visit', 'drop') AND status IN ('placed', 'offered', 'manual', 'accepted', 'en_route')
                       THEN greatest(0, floor(extract(epoch FROM greatest(yinling_now(), from_at) - window_to) / 60)::int)
                       ELSE 0 END AS late_min,
                  kind IN ('visit', 'drop') AND status IN ('accepted', 'en_route') AND from_at < yinling_now() AS due
           FROM known ORDER BY from_at, worker_id""",
        zone_id, on,
    )  # fmt: skip
    return read.rows
