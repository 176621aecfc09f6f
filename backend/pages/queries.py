"""All SQL of the board. It reads codes, states and times: no name, address or number of anybody."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import many, maybe_one, one, readable

Kind = Literal["meal", "bath", "rehab", "care"]  # of each there is a word on the board


class ZoneCount(Struct, frozen=True, forbid_unknown_fields=True):
    """How many orders of a zone are in a state on a day; state None for a zone without any."""

    zone_id: UUID
    code: str
    name: str
    status: str | None
    count: int


async def zone_counts(connection: Connection, on: date) -> list[ZoneCount]:
    """Every zone with its orders of the day by state."""
    return await many(
        connection,
        ZoneCount,
        """SELECT z.id AS zone_id, z.code, z.name, o.status, count(o.id) AS count
           FROM zones z LEFT JOIN orders o ON o.zone_id = z.id AND o.plan_on = $1
           GROUP BY z.id, z.code, z.name, o.status ORDER BY z.code""",
        on,
    )


class BoardShift(Struct, frozen=True, forbid_unknown_fields=True):
    """One worker's shift, by the worker's public code."""

    zone_id: UUID
    worker_id: UUID
    code: str
    from_at: Instant
    to_at: Instant


async def shifts(connection: Connection, on: date) -> list[BoardShift]:
    """Who is on shift on the day."""
    read = await readable(
        connection,
        BoardShift,
        """SELECT s.zone_id, w.id AS worker_id, w.code, lower(s.during) AS from_at, upper(s.during) AS to_at
           FROM shifts s JOIN workers w ON w.id = s.worker_id WHERE s.plan_on = $1 ORDER BY w.code""",
        on,
    )
    return read.rows


class BoardStop(Struct, frozen=True, forbid_unknown_fields=True):
    """One block of a worker's day."""

    worker_id: UUID
    kind: str
    order_code: str | None
    order_kind: Kind | None
    status: str | None
    crew: int
    from_at: Instant
    to_at: Instant


async def stops(connection: Connection, on: date) -> list[BoardStop]:
    """Every stop of the day."""
    read = await readable(
        connection,
        BoardStop,
        """SELECT s.worker_id, s.kind, o.code AS order_code, o.kind AS order_kind, o.status,
                  (SELECT count(*) FROM order_seats c WHERE c.order_id = s.order_id) AS crew,
                  lower(s.during) AS from_at, upper(s.during) AS to_at
           FROM plans p CROSS JOIN LATERAL (
               SELECT worker_id, kind, order_id, during FROM stops WHERE plan_id = p.id AND active
               UNION ALL SELECT worker_id, kind, order_id, during FROM stops WHERE plan_id = p.id AND NOT active) s
           LEFT JOIN orders o ON o.id = s.order_id
           WHERE p.plan_on = $1 ORDER BY lower(s.during)""",
        on,
    )
    return read.rows


class Ticker(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that happened."""

    at: datetime
    type: str
    code: str


async def latest(connection: Connection, limit: int) -> list[Ticker]:
    """The newest order events."""
    read = await readable(
        connection,
        Ticker,
        """SELECT at, type, data ->> 'code' AS code FROM events WHERE type LIKE 'order.%'
           ORDER BY xid DESC, id DESC LIMIT $1""",
        limit,
    )
    return read.rows


class Figures(Struct, frozen=True, forbid_unknown_fields=True):
    """How well dispatch does: real seconds from placed to offered, and the share of starts inside their window."""

    median_s: float | None
    p99_s: float | None
    on_time: float | None


async def figures(connection: Connection, on: date) -> Figures:
    """The day's dispatch figures."""
    return await one(
        connection,
        Figures,
        """WITH told AS (
               SELECT data ->> 'order_id' AS order_id, min(recorded_at) FILTER (WHERE type = 'order.placed') AS placed,
                      min(recorded_at) FILTER (WHERE type = 'order.offered') AS offered
               FROM events WHERE type IN ('order.placed', 'order.offered') AND recorded_at > now() - interval '2 hours'
               GROUP BY 1),
           waits AS (SELECT extract(epoch FROM offered - placed)::float8 AS s FROM told WHERE offered >= placed),
           starts AS (SELECT o.window_to, min(r.received_at) AS began FROM orders o JOIN visit_records r ON r.order_id = o.id
                      WHERE o.plan_on = $1 AND r.counts AND r.kind IN ('check_in', 'hand_over') GROUP BY o.id, o.window_to)
           SELECT (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s) FROM waits) AS median_s,
                  (SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY s) FROM waits) AS p99_s,
                  (SELECT avg((began <= window_to)::int)::float8 FROM starts) AS on_time""",
        on,
    )


class DeskOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """An order a person must place, or a visit a person must decide about."""

    id: UUID
    code: str
    kind: Kind
    status: str
    reason: str | None
    flags: list[str]
    window_to: Instant


async def desk_orders(connection: Connection) -> list[DeskOrder]:
    """What waits at the operator's desk: who still needs somebody first, the most urgent before the others."""
    read = await readable(
        connection,
        DeskOrder,
        """SELECT id, code, kind, status, reason, flags, window_to FROM (
               SELECT id, code, kind, status, reason, flags, window_to FROM orders WHERE status = 'manual'
               UNION ALL SELECT id, code, kind, status, reason, flags, window_to FROM orders
               WHERE status IN ('disputed', 'exception')
               UNION ALL SELECT id, code, kind, 'manual', 'unreadable', flags, window_to FROM orders
               WHERE 'UNREADABLE' = ANY (flags)
                 AND status IN ('accepted', 'en_route', 'arrived', 'in_service', 'no_access')) waiting
           ORDER BY status <> 'manual', window_to LIMIT 8""",
    )
    return read.rows


class HeldOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """A time that is held for somebody an operator speaks with."""

    id: UUID
    kind: Kind
    window_from: Instant
    window_to: Instant
    hold_expires_at: Instant


async def held_for(connection: Connection, resident_id: UUID) -> list[HeldOrder]:
    """What is held for a resident by telephone and not yet called back about; what they hold themselves is their own affair."""
    read = await readable(
        connection,
        HeldOrder,
        """SELECT o.id, o.kind, o.window_from, o.window_to, o.hold_expires_at
           FROM orders o JOIN bookings b ON b.id = o.booking_id AND b.channel = 'phone'
           WHERE o.resident_id = $1 AND o.status = 'held' AND o.hold_expires_at > yinling_now()
             AND NOT EXISTS (SELECT FROM desk_tasks t WHERE t.kind = 'call_back' AND t.order_id = o.id AND t.closed_at IS NULL)
           ORDER BY o.hold_expires_at""",
        resident_id,
    )
    return read.rows


class LateOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """An order whose promised window is over and whose service has not begun."""

    id: UUID
    code: str
    kind: str
    window_to: Instant
    late_min: int


async def late_orders(connection: Connection, on: date) -> list[LateOrder]:
    """The late orders of the day and of the night before it, the latest first."""
    read = await readable(
        connection,
        LateOrder,
        """SELECT id, code, kind, window_to, floor(extract(epoch FROM yinling_now() - window_to) / 60)::int AS late_min
           FROM orders WHERE plan_on BETWEEN $1::date - 1 AND $1 AND window_to < yinling_now() - interval '1 minute'
               AND status IN ('placed', 'offered', 'manual', 'accepted', 'en_route')
           ORDER BY window_to LIMIT 8""",
        on,
    )
    return read.rows


class CareClock(Struct, frozen=True, forbid_unknown_fields=True):
    """How care time runs where it is not the wall clock's: its rate, and whether it has just been set anew."""

    rate: float
    fresh: bool


async def care_clock(connection: Connection) -> CareClock | None:
    """The clock of a demo or replay; None in production."""
    return await maybe_one(
        connection,
        CareClock,
        """SELECT rate, machine_at > now() - interval '20 seconds' AS fresh FROM care_clock
           WHERE rate <> 1 OR abs(extract(epoch FROM yinling_now() - now())) > 1""",
    )
