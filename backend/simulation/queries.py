"""All SQL of the simulation: importing a day, moving its clock, and judging by the database what really happened."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import execute, execute_many, many, one, value

Rows = Sequence[tuple[Any, ...]]


async def insert_zone(connection: Connection, zone_id: UUID, name: str, kind: str, travel: dict[str, Any]) -> None:
    """The area of the recorded day."""
    await execute(
        connection,
        "INSERT INTO zones (id, code, name, travel_kind, travel) VALUES ($1, 'replay', $2, $3, $4)",
        zone_id, name, kind, travel,
    )  # fmt: skip


async def insert_places(connection: Connection, rows: Rows) -> None:
    """Offices, restaurants, homes: (id, geometry, x, y)."""
    await execute_many(connection, "INSERT INTO places (id, geometry, x, y) VALUES ($1, $2, $3, $4)", list(rows))


async def insert_matrix(
    connection: Connection, zone_id: UUID, place_ids: Sequence[UUID], seconds: Sequence[int]
) -> None:
    """The file's own travel times."""
    await execute(
        connection,
        "INSERT INTO travel_matrices (zone_id, place_ids, seconds) VALUES ($1, $2, $3)",
        zone_id, list(place_ids), list(seconds),
    )  # fmt: skip


async def insert_provider(connection: Connection, provider_id: UUID, name: str, phone: str) -> None:
    """The institution all recorded workers belong to; it accepts by rule, around the clock."""
    await execute(
        connection,
        """INSERT INTO providers (id, name, phone, auto_accept, opens_at, closes_at)
           VALUES ($1, $2, $3, true, '00:00', '23:59:59')""",
        provider_id, name, phone,
    )  # fmt: skip


async def insert_provider_zone(connection: Connection, provider_id: UUID, zone_id: UUID) -> None:
    """Where it works."""
    await execute(connection, "INSERT INTO provider_zones (provider_id, zone_id) VALUES ($1, $2)", provider_id, zone_id)


async def insert_facilities(connection: Connection, rows: Rows) -> None:
    """Restaurants as meal points: (id, provider, zone, place, name)."""
    await execute_many(
        connection,
        """INSERT INTO facilities (id, provider_id, zone_id, place_id, kind, name, district_code, street_code,
                                   community_code)
           VALUES ($1, $2, $3, $4, 'meal_point', $5, '310101', '310101001', '310101001001')""",
        list(rows),
    )


async def insert_items(connection: Connection, rows: Rows) -> None:
    """Services of the file: (id, code, kind, name)."""
    await execute_many(
        connection,
        "INSERT INTO catalogue_items (id, code, kind, name, name_en) VALUES ($1, $2, $3, $4, $4)",
        list(rows),
    )


async def insert_versions(connection: Connection, rows: Rows) -> None:
    """Their only versions: (id, item, price, acceptance)."""
    await execute_many(
        connection,
        """INSERT INTO catalogue_versions (id, item_id, version, valid_from, price_fen, acceptance)
           VALUES ($1, $2, 1, '2020-01-01', $3, $4)""",
        list(rows),
    )


async def insert_catalogue_seats(connection: Connection, rows: Rows) -> None:
    """Their crews: (version, number, skills, duration)."""
    await execute_many(
        connection,
        """INSERT INTO catalogue_seats (version_id, ability_from, ability_to, number, skills, duration_s)
           VALUES ($1, 0, 4, $2, $3, $4)""",
        list(rows),
    )


async def insert_accounts(connection: Connection, rows: Rows) -> None:
    """People who sign in by phone: (id, role, name, phone, provider)."""
    await execute_many(
        connection,
        """WITH made AS (INSERT INTO accounts (id, role, name, provider_id) VALUES ($1, $2, $3, $5))
           INSERT INTO account_numbers (account_id, phone) VALUES ($1, $4)""",
        list(rows),
    )


async def insert_desk_accounts(connection: Connection, rows: Rows) -> None:
    """People who sign in by password: (id, role, name, login, password hash, one-time secret, provider)."""
    await execute_many(
        connection,
        """INSERT INTO accounts (id, role, name, login, password_hash, totp_secret, provider_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        list(rows),
    )


async def insert_workers(connection: Connection, rows: Rows) -> None:
    """(id, account, provider, code, name, start place, end place)."""
    await execute_many(
        connection,
        """INSERT INTO workers (id, account_id, provider_id, code, name, gender, start_place_id, end_place_id)
           VALUES ($1, $2, $3, $4, $5, 'female', $6, $7)""",
        list(rows),
    )


async def insert_skills(connection: Connection, rows: Rows) -> None:
    """(worker, skill)."""
    await execute_many(connection, "INSERT INTO worker_skills (worker_id, skill) VALUES ($1, $2)", list(rows))


async def insert_shifts(connection: Connection, rows: Rows) -> None:
    """(worker, zone, day, from, to)."""
    await execute_many(
        connection,
        "INSERT INTO shifts (worker_id, zone_id, plan_on, during) VALUES ($1, $2, $3, tstzrange($4, $5))",
        list(rows),
    )


async def insert_residents(connection: Connection, rows: Rows) -> None:
    """(id, account, name, phone, refused workers)."""
    await execute_many(
        connection,
        """INSERT INTO residents (id, account_id, name, phone, gender, refused_workers)
           VALUES ($1, $2, $3, $4, 'female', $5)""",
        list(rows),
    )


async def insert_homes(connection: Connection, rows: Rows) -> None:
    """(resident, zone, place, address)."""
    await execute_many(
        connection,
        """INSERT INTO homes (resident_id, zone_id, place_id, address, district_code, street_code, community_code)
           VALUES ($1, $2, $3, $4, '310101', '310101001', '310101001001')""",
        list(rows),
    )


async def start_clock(connection: Connection, care_at: datetime) -> None:
    """Care time begins here and stands still until it is moved."""
    await execute(
        connection,
        """INSERT INTO care_clock (care_at, machine_at, rate, ceiling_at) VALUES ($1, now(), 0, $1)
           ON CONFLICT (single) DO UPDATE SET care_at = excluded.care_at, machine_at = excluded.machine_at, rate = 0,
               ceiling_at = excluded.ceiling_at""",
        care_at,
    )


async def move_clock(connection: Connection, care_at: datetime, rate: float, ceiling_at: datetime) -> None:
    """Let care time run from one instant to another and wait there."""
    await execute(
        connection,
        "UPDATE care_clock SET care_at = $1, machine_at = now(), rate = $2, ceiling_at = $3",
        care_at, rate, ceiling_at,
    )  # fmt: skip


class Pulse(Struct, frozen=True, forbid_unknown_fields=True):
    """What the platform still has to do before care time may go on."""

    last_xid: int
    last_id: int
    unseen: int  # placed orders no dispatcher has looked at, or not for two strides of the clock
    thinking: int  # plans changed since they were last improved
    unsettled: int  # today's plans not yet brought up to date with what happened
    timer_at: datetime | None


async def see_as(connection: Connection, role: str) -> None:
    """Let a connection of one's own see as a role until it is closed."""
    await execute(connection, "SELECT set_config('app.role', $1, false)", role)


async def pulse(connection: Connection, time_zone: str) -> Pulse:
    """The last event, the orders that wait, plans not yet improved or settled, and the next timer."""
    return await one(
        connection,
        Pulse,
        """SELECT coalesce(e.xid, 0) AS last_xid, coalesce(e.id, 0) AS last_id, o.unseen,
                  (SELECT count(*) FROM plans WHERE version <> improved_version) AS thinking,
                  (SELECT count(*) FROM plans WHERE version <> settled_version
                   AND plan_on = (yinling_now() AT TIME ZONE $1 - interval '3 hours')::date) AS unsettled,
                  (SELECT min(due_at) FROM timers WHERE fired_at IS NULL AND tries < 3) AS timer_at
           FROM (SELECT count(*) FILTER (WHERE tried_at IS NULL OR tried_at < yinling_now() - interval '150 seconds') AS unseen
                 FROM orders WHERE status = 'placed') o
           LEFT JOIN LATERAL (SELECT xid::text::bigint AS xid, id FROM events
                              ORDER BY events.xid DESC, id DESC LIMIT 1) e ON true""",
        time_zone,
    )


async def every_zone_is_led(connection: Connection) -> bool:
    """Whether a dispatcher owns each zone."""
    return await value(
        connection,
        """SELECT NOT EXISTS (SELECT FROM zones z WHERE NOT EXISTS (
               SELECT FROM zone_leases l WHERE l.zone_id = z.id AND l.expires_at > clock_timestamp()))""",
    )


class OrderOutcome(Struct, frozen=True, forbid_unknown_fields=True):
    """One order at the end of the day, with what its crew reported."""

    id: UUID
    resident_id: UUID
    status: str
    reason: str | None
    reasons: list[dict[str, Any]]
    window_from: datetime
    window_to: datetime
    latest_at: datetime
    crew: int
    came: int
    started_at: datetime | None  # when the last of the crew had checked in
    handed_at: datetime | None
    offered: bool
    accepted: bool


async def outcomes(connection: Connection) -> list[OrderOutcome]:
    """Every order as it ended, from the records made at the door."""
    return await many(
        connection,
        OrderOutcome,
        """SELECT o.id, o.resident_id, o.status, o.reason, o.reasons, o.window_from, o.window_to, o.latest_at,
                  (SELECT count(*) FROM order_seats s WHERE s.order_id = o.id) AS crew, v.came, v.started_at,
                  v.handed_at, coalesce(t.offered, false) AS offered, coalesce(t.accepted, false) AS accepted
           FROM orders o
           LEFT JOIN LATERAL (
               SELECT count(*) FILTER (WHERE kind = 'check_in') AS came,
                      max(received_at) FILTER (WHERE kind = 'check_in') AS started_at,
                      max(received_at) FILTER (WHERE kind = 'hand_over') AS handed_at
               FROM visit_records r WHERE r.order_id = o.id AND r.counts) v ON true
           LEFT JOIN (SELECT (data ->> 'order_id')::uuid AS order_id, bool_or(type = 'order.offered') AS offered,
                             bool_or(type = 'order.accepted') AS accepted
                      FROM events WHERE type IN ('order.offered', 'order.accepted') GROUP BY 1) t
               ON t.order_id = o.id
           ORDER BY o.id""",
    )


class Handling(Struct, frozen=True, forbid_unknown_fields=True):
    """One worker busy at one place, from the records made there."""

    worker_id: UUID
    order_id: UUID
    seat: int
    kind: str
    place_id: UUID
    from_at: datetime
    to_at: datetime


HANDLING = """
    SELECT i.worker_id, i.order_id, 'visit' AS kind, o.place_id, i.received_at AS from_at, u.received_at AS to_at
    FROM visit_records i JOIN orders o ON o.id = i.order_id
    JOIN visit_records u ON u.order_id = i.order_id AND u.worker_id = i.worker_id AND u.kind = 'check_out' AND u.counts
    WHERE i.kind = 'check_in' AND i.counts
    UNION ALL
    SELECT r.worker_id, r.order_id, 'pickup', o.pickup_place_id, r.received_at - make_interval(secs => o.pickup_s),
           r.received_at
    FROM visit_records r JOIN orders o ON o.id = r.order_id WHERE r.kind = 'pick_up' AND r.counts
    UNION ALL
    SELECT r.worker_id, r.order_id, 'drop', o.place_id, r.received_at - make_interval(secs => s.duration_s),
           r.received_at
    FROM visit_records r JOIN orders o ON o.id = r.order_id
    JOIN order_seats s ON s.order_id = r.order_id AND s.number = 1 WHERE r.kind = 'hand_over' AND r.counts
"""


async def handlings(connection: Connection) -> list[Handling]:
    """Everything every worker did, in order."""
    return await many(
        connection,
        Handling,
        "SELECT h.*, coalesce(a.seat, 1) AS seat FROM ("
        + HANDLING
        + """) h
        LEFT JOIN assignments a ON a.order_id = h.order_id AND a.worker_id = h.worker_id AND a.status = 'checked_out'
        ORDER BY h.worker_id, h.from_at, h.to_at""",
    )


async def overlaps(connection: Connection) -> int:
    """Pairs of handling times of one worker that overlap: the same person in two places."""
    return await value(
        connection,
        "WITH h AS MATERIALIZED ("
        + HANDLING
        + """)
        SELECT count(*) FROM h a JOIN h b ON a.worker_id = b.worker_id
            AND (a.from_at, a.order_id, a.kind) < (b.from_at, b.order_id, b.kind)
            AND tstzrange(a.from_at, a.to_at) && tstzrange(b.from_at, b.to_at)""",
    )


async def count_events(connection: Connection) -> int:
    """Events told since the day began."""
    return await value(connection, "SELECT count(*) FROM events")


async def expected_events(
    connection: Connection, keys: Sequence[str], after_xid: int, after_id: int
) -> set[tuple[int, int]]:
    """The events a watcher holding these keys should have got since its cursor, by (xid, id)."""
    rows = await connection.fetch(
        """SELECT xid::text::bigint AS xid, id FROM events
           WHERE keys && $1 AND (xid, id) > ($2::text::xid8, $3::bigint)""",
        list(keys), str(after_xid), after_id,
    )  # fmt: skip
    return {(row["xid"], row["id"]) for row in rows}


async def dispatch_latencies(connection: Connection) -> list[float]:
    """Real milliseconds from an order's placing to its first offer."""
    rows = await connection.fetch(
        """SELECT extract(epoch FROM offered.at - placed.at) * 1000 AS ms
           FROM (SELECT data ->> 'order_id' AS id, min(recorded_at) AS at FROM events
                 WHERE type = 'order.placed' GROUP BY 1) placed
           JOIN (SELECT data ->> 'order_id' AS id, min(recorded_at) AS at FROM events
                 WHERE type IN ('order.offered', 'order.accepted') GROUP BY 1) offered USING (id)"""
    )
    return [float(row["ms"]) for row in rows]
