"""All SQL of plans, stops, travel and zone leases."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import Readable, execute, execute_many, many, maybe_one, one, readable, value, values
from backend.scheduling.model import NewStop, PlaceRow, PlanRow, StopRow, VisitRow, ZoneRow

LIVE_STATUSES: Final = (
    "held",
    "placed",
    "offered",
    "manual",
    "accepted",
    "en_route",
    "arrived",
    "in_service",
    "no_access",
)


async def ensure_plan(connection: Connection, zone_id: UUID, plan_on: date) -> None:
    """A zone's day has exactly one plan; make it when it is first needed."""
    await execute(
        connection,
        "INSERT INTO plans (zone_id, plan_on) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT plans_one_a_day DO NOTHING",
        zone_id, plan_on,
    )  # fmt: skip


async def lock_plan_of(connection: Connection, order_id: UUID) -> None:
    """Lock the plan an order belongs to when the lock is had: other times may have taken it to another plan meanwhile."""
    await value(connection, "SELECT lock_plan_of_order($1)", order_id)


async def zone_of_order(connection: Connection, order_id: UUID) -> UUID | None:
    """The zone an order is planned in."""
    return await value(connection, "SELECT zone_id FROM orders WHERE id = $1", order_id)


async def zone_of_offer(connection: Connection, offer_id: UUID) -> UUID | None:
    """The zone of the order an offer is about."""
    return await value(
        connection,
        "SELECT o.zone_id FROM offers f JOIN orders o ON o.id = f.order_id WHERE f.id = $1",
        offer_id,
    )


async def zone_of_resident(connection: Connection, resident_id: UUID) -> UUID | None:
    """The zone of a resident's present home."""
    return await value(connection, "SELECT zone_id FROM homes WHERE resident_id = $1 AND current", resident_id)


async def plan(connection: Connection, zone_id: UUID, plan_on: date) -> PlanRow | None:
    """The plan without a lock, or None when nothing was planned for that day."""
    return await maybe_one(
        connection,
        PlanRow,
        """SELECT id, version, improved_version, (SELECT version FROM roster_stamp) AS roster,
                  (SELECT coalesce(sum(o.version), 0)::bigint FROM plans o WHERE o.id = ANY (p.beside)) AS beside
           FROM plans p WHERE zone_id = $1 AND plan_on = $2""",
        zone_id, plan_on,
    )  # fmt: skip


async def roster_version(connection: Connection) -> int:
    """The number that rises whenever who may work changes."""
    return await value(connection, "SELECT version FROM roster_stamp")


async def lock_workers(connection: Connection, worker_ids: Sequence[UUID]) -> None:
    """Lock worker rows in id order, so that two commits never wait for each other in a ring."""
    await execute(
        connection,
        "SELECT id FROM workers WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE",
        sorted(worker_ids),
    )


async def raise_version(connection: Connection, plan_id: UUID, *, improved: bool) -> int:
    """Mark the plan changed; returns its new version."""
    return await value(
        connection,
        """UPDATE plans SET version = version + 1,
                  improved_at = CASE WHEN $2 THEN yinling_now() ELSE improved_at END
           WHERE id = $1 RETURNING version""",
        plan_id, improved,
    )  # fmt: skip


async def touch(connection: Connection, zone_id: UUID, plan_on: date) -> None:
    """What planning reads of an order has changed: whoever read the plan before reads it again."""
    await execute(
        connection, "UPDATE plans SET version = version + 1 WHERE zone_id = $1 AND plan_on = $2", zone_id, plan_on
    )


async def mark_improved(connection: Connection, plan_id: UUID, version: int) -> None:
    """Remember which version was looked at last, and when; nothing better was found, or it is committed already."""
    await execute(
        connection,
        "UPDATE plans SET improved_version = $2, improved_at = yinling_now() WHERE id = $1",
        plan_id, version,
    )  # fmt: skip


async def mark_settled(connection: Connection, plan_id: UUID, version: int) -> None:
    """Remember which version was last brought up to date with what happened."""
    await execute(connection, "UPDATE plans SET settled_version = $2 WHERE id = $1", plan_id, version)


class PlanDay(Struct, frozen=True, forbid_unknown_fields=True):
    """One zone's day that has orders and is not over."""

    zone_id: UUID
    plan_on: date
    id: UUID
    version: int
    improved_version: int
    roster: int
    beside: int

    @property
    def plan(self) -> PlanRow:
        """The plan as it was when the days were listed; what is read afterwards is at least as new."""
        return PlanRow(self.id, self.version, self.improved_version, self.roster, self.beside)


async def plan_days(connection: Connection, zone_ids: Sequence[UUID], today: date) -> list[PlanDay]:
    """The days of these zones that are still to come or under way: a night's shift goes on when the next day has begun."""
    return await many(
        connection,
        PlanDay,
        """SELECT zone_id, plan_on, id, version, improved_version, (SELECT version FROM roster_stamp) AS roster,
                  (SELECT coalesce(sum(o.version), 0)::bigint FROM plans o WHERE o.id = ANY (p.beside)) AS beside
           FROM plans p WHERE zone_id = ANY ($1) AND (plan_on >= $2 OR (plan_on = $2::date - 1
                AND EXISTS (SELECT FROM stops s WHERE s.plan_id = p.id AND s.active)))
           ORDER BY plan_on, zone_id""",
        list(zone_ids), today,
    )  # fmt: skip


async def zone(connection: Connection, zone_id: UUID) -> ZoneRow:
    """One zone with its travel description."""
    return await one(connection, ZoneRow, "SELECT id, code, travel_kind, travel FROM zones WHERE id = $1", zone_id)


async def zone_ids(connection: Connection) -> list[UUID]:
    """Every zone of the city."""
    return await values(connection, "SELECT id FROM zones ORDER BY id")


class MatrixRow(Struct, frozen=True, forbid_unknown_fields=True):
    """Stated travel: row and column order is place_ids, seconds row by row."""

    place_ids: list[UUID]
    seconds: list[int]


async def travel_matrix(connection: Connection, zone_id: UUID) -> MatrixRow | None:
    """The zone's own travel times, where it states them."""
    return await maybe_one(
        connection, MatrixRow, "SELECT place_ids, seconds FROM travel_matrices WHERE zone_id = $1", zone_id
    )


async def places(connection: Connection, place_ids: Sequence[UUID]) -> list[PlaceRow]:
    """Coordinates of the places named."""
    return await many(
        connection, PlaceRow, "SELECT id, geometry, x, y FROM places WHERE id = ANY ($1)", list(place_ids)
    )


async def live_stops(
    connection: Connection, plan_id: UUID, zone_id: UUID, plan_on: date, worker_ids: Sequence[UUID]
) -> Readable[StopRow]:
    """Stops that still matter: what is not finished, where each worker was last, and what is in a worker's box.

    Every part is found by an index of its own, so that the cost follows what is open, not what was done today.
    """
    return await readable(
        connection,
        StopRow,
        """SELECT s.id, s.worker_id, s.kind, s.place_id, s.order_id, s.seat, lower(s.during) AS from_at,
                  upper(s.during) AS to_at, s.started, came.received_at AS arrived_at, NULL::timestamptz AS left_at,
                  EXISTS (SELECT FROM leaves l WHERE l.worker_id = s.worker_id AND l.during && s.during) AS on_leave
           FROM stops s
           LEFT JOIN LATERAL (SELECT min(r.received_at) AS received_at FROM visit_records r
                WHERE s.started AND s.kind = 'visit' AND r.order_id = s.order_id AND r.worker_id = s.worker_id
                  AND r.kind IN ('check_in', 'no_access') AND r.counts) came ON true
           WHERE s.plan_id = $1 AND s.active AND (s.hold_expires_at IS NULL OR s.hold_expires_at > yinling_now())
           UNION ALL
           SELECT d.id, d.worker_id, d.kind, d.place_id, d.order_id, d.seat, lower(d.during), upper(d.during), true,
                  CASE d.kind WHEN 'visit' THEN lower(d.during) END, upper(d.during), false
           FROM (SELECT last.* FROM unnest($2::uuid[]) AS at_work (worker_id) CROSS JOIN LATERAL (
                     SELECT s.* FROM stops s WHERE s.plan_id = $1 AND s.worker_id = at_work.worker_id AND NOT s.active
                     ORDER BY upper(s.during) DESC, lower(s.during) DESC LIMIT 1) last
                 UNION
                 SELECT done.* FROM orders o CROSS JOIN LATERAL (
                     SELECT s.* FROM stops s WHERE s.order_id = o.id AND NOT s.active OFFSET 0) done
                 WHERE o.zone_id = $3 AND o.plan_on = $4 AND o.status IN ('en_route', 'arrived', 'in_service', 'no_access')) d
           ORDER BY worker_id, from_at""",
        plan_id, list(worker_ids), zone_id, plan_on,
    )  # fmt: skip


async def visits(
    connection: Connection, zone_id: UUID, plan_on: date, with_orders: Sequence[UUID]
) -> Readable[VisitRow]:
    """The orders behind live stops, and those that wait for a crew; each with its seats and its gaps to others of them.

    Each order, seat and gap is looked up by its key: with OFFSET 0 a planner without statistics cannot turn that
    round and read all orders of the day for each.
    """
    return await readable(
        connection,
        VisitRow,
        """WITH wanted AS MATERIALIZED (
               SELECT id FROM orders WHERE zone_id = $1 AND plan_on = $2 AND status IN ('placed', 'manual')
               UNION SELECT unnest($3::uuid[]))
           SELECT o.order_id, o.status, o.kind, o.place_id, o.pickup_place_id, o.ready_at, o.pickup_s, o.max_ride_s,
                  o.gender_wish, o.window_from, o.window_to, o.window_soft, o.latest_at, o.provider_id, o.declined_by,
                  o.expired_by, r.refused_workers, r.gender AS resident_gender, seats.seats, links.links,
                  gap.not_before, gap.not_after, chosen.chosen
           FROM wanted w
           CROSS JOIN LATERAL (
               SELECT o.id AS order_id, o.status, o.kind, o.place_id, o.pickup_place_id, o.ready_at, o.pickup_s,
                      o.max_ride_s, o.gender_wish, o.window_from, o.window_to, o.window_soft, o.latest_at, o.provider_id,
                      o.declined_by, o.expired_by, o.resident_id
               FROM orders o WHERE o.id = w.id OFFSET 0) o
           CROSS JOIN LATERAL (
               SELECT r.refused_workers, r.gender FROM residents r WHERE r.id = o.resident_id OFFSET 0) r
           CROSS JOIN LATERAL (
               SELECT coalesce(jsonb_agg(jsonb_build_object('number', s.number, 'skills', s.skills, 'duration_s',
                          s.duration_s, 'gender_rule', s.gender_rule) ORDER BY s.number), '[]') AS seats
               FROM order_seats s WHERE s.order_id = w.id) seats
           CROSS JOIN LATERAL (
               SELECT coalesce(jsonb_agg(jsonb_build_object('number', a.seat, 'worker_id', a.worker_id)), '[]') AS chosen
               FROM assignments a WHERE a.order_id = w.id AND a.chosen
                 AND a.status IN ('proposed', 'accepted', 'en_route', 'checked_in')) chosen
           CROSS JOIN LATERAL (
               SELECT coalesce(jsonb_agg(jsonb_build_object('before_id', l.before_id, 'min_gap_s', l.min_gap_s,
                          'max_gap_s', l.max_gap_s, 'gap_from', l.gap_from) ORDER BY l.before_id), '[]') AS links
               FROM order_links l WHERE l.after_id = w.id AND l.before_id IN (SELECT id FROM wanted)) links
           CROSS JOIN LATERAL (
               SELECT max(done.at + make_interval(secs => l.min_gap_s)) AS not_before,
                      min(done.at + make_interval(secs => l.max_gap_s)) AS not_after
               FROM order_links l CROSS JOIN LATERAL (
                   SELECT max(v.received_at) AS at FROM visit_records v WHERE v.order_id = l.before_id AND v.counts
                     AND v.kind IN (CASE l.gap_from WHEN 'start' THEN 'check_in' ELSE 'check_out' END, 'hand_over')
                   ) done
               WHERE l.after_id = w.id
                 AND (SELECT b.status FROM orders b WHERE b.id = l.before_id) <> ALL ($4)) gap
           ORDER BY o.order_id""",
        zone_id, plan_on, list(with_orders), list(LIVE_STATUSES),
    )  # fmt: skip


async def statuses(connection: Connection, order_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The states of orders of which nothing else can be read."""
    rows = await connection.fetch("SELECT id, status FROM orders WHERE id = ANY ($1)", list(order_ids))
    return {row["id"]: row["status"] for row in rows}


async def start_of(connection: Connection, order_id: UUID) -> tuple[datetime, datetime] | None:
    """Planned start and end of an order's visit, or None while it has no stop."""
    row = await connection.fetchrow(
        """SELECT min(lower(during)) AS from_at, max(upper(during)) AS to_at FROM stops
           WHERE order_id = $1 AND kind IN ('visit', 'drop')""",
        order_id,
    )
    return None if row is None or row["from_at"] is None else (row["from_at"], row["to_at"])


async def delete_stops(connection: Connection, stop_ids: Sequence[UUID]) -> None:
    """Take stops off the plan for good; what happened stays in visit records."""
    await execute(connection, "DELETE FROM stops WHERE id = ANY ($1)", list(stop_ids))


async def delete_stops_of(connection: Connection, order_id: UUID) -> list[UUID]:
    """Take what is not finished of an order off the plan; returns the workers it freed."""
    return await values(connection, "DELETE FROM stops WHERE order_id = $1 AND active RETURNING worker_id", order_id)


async def delete_expired_holds(connection: Connection, plan_id: UUID) -> None:
    """Stops of a hold that ran out no longer keep a worker."""
    await execute(
        connection, "DELETE FROM stops WHERE plan_id = $1 AND active AND hold_expires_at <= yinling_now()", plan_id
    )


async def move_stops(connection: Connection, moved: list[tuple[UUID, datetime, datetime, int]]) -> None:
    """Give stops new times and places in the route."""
    await execute_many(connection, "UPDATE stops SET during = tstzrange($2, $3), seq = $4 WHERE id = $1", list(moved))


async def insert_stops(
    connection: Connection, plan_id: UUID, stops: Sequence[NewStop], hold_expires_at: datetime | None
) -> None:
    """Put stops on the plan; with an expiry they are a hold."""
    await execute_many(
        connection,
        """INSERT INTO stops (plan_id, worker_id, seq, kind, place_id, order_id, seat, during, started, hold_expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, tstzrange($8, $9), $10, $11)""",
        [
            (plan_id, s.worker_id, s.seq, s.kind, s.place_id, s.order_id, s.seat, s.from_at, s.to_at, s.started,
             hold_expires_at)
            for s in stops
        ],
    )  # fmt: skip


async def set_hold_expiry(connection: Connection, order_id: UUID, hold_expires_at: datetime | None) -> None:
    """A confirmed hold no longer expires; an extended one expires later."""
    await execute(connection, "UPDATE stops SET hold_expires_at = $2 WHERE order_id = $1", order_id, hold_expires_at)


async def start_stops(connection: Connection, order_id: UUID, worker_id: UUID, kinds: Sequence[str]) -> None:
    """From here the planner no longer moves these stops."""
    await execute(
        connection,
        "UPDATE stops SET started = true WHERE order_id = $1 AND worker_id = $2 AND kind = ANY ($3)",
        order_id, worker_id, list(kinds),
    )  # fmt: skip


async def finish_stops(connection: Connection, order_id: UUID, worker_id: UUID, kinds: Sequence[str]) -> None:
    """Put down when it really happened; a finished stop no longer occupies its worker, and keeps its end."""
    await execute(
        connection,
        """UPDATE stops s SET active = false, started = true, during = tstzrange(
               least(coalesce((SELECT min(r.received_at) FROM visit_records r WHERE r.order_id = s.order_id
                               AND r.worker_id = s.worker_id AND r.kind IN ('check_in', 'no_access') AND r.counts),
                              lower(s.during)),
                     yinling_now() - interval '1 second'), yinling_now())
           WHERE s.order_id = $1 AND s.worker_id = $2 AND s.kind = ANY ($3) AND s.active""",
        order_id, worker_id, list(kinds),
    )  # fmt: skip


async def finish_stops_as_told(
    connection: Connection, order_id: UUID, worker_id: UUID, from_at: datetime, to_at: datetime
) -> None:
    """The same where a sheet says afterwards when it happened."""
    await execute(
        connection,
        """UPDATE stops SET active = false, started = true, during = tstzrange($3, $4)
           WHERE order_id = $1 AND worker_id = $2 AND kind = 'visit' AND active""",
        order_id, worker_id, from_at, to_at,
    )  # fmt: skip


async def defer_overlaps(connection: Connection) -> None:
    """Let a legal swap inside one commit pass through a moment of overlap."""
    await execute(connection, "SET CONSTRAINTS stops_worker_once DEFERRED")


class Lease(Struct, frozen=True, forbid_unknown_fields=True):
    """A zone that a dispatcher leads, and since which change of leader."""

    zone_id: UUID
    epoch: int


async def lead_zones(connection: Connection, owner: str, seconds: float) -> list[Lease]:
    """Keep the zones one leads and take those that are free; a new leader raises the epoch.

    One statement, asked outside a transaction: its locks are gone when it ends, whatever becomes of who asked. A zone
    whose lease is locked by a commit is passed over, not waited for.
    """
    return await many(connection, Lease, "SELECT zone_id, epoch FROM lead_zones($1, $2)", owner, seconds)


async def give_leases_back(connection: Connection, owner: str) -> int:
    """End a dispatcher's leases now, so that another need not wait for them to run out. Epochs stay: they only ever rise."""
    return await execute(
        connection,
        "UPDATE zone_leases SET expires_at = clock_timestamp() WHERE owner = $1 AND expires_at > clock_timestamp()",
        owner,
    )


async def lease_epoch(connection: Connection, zone_id: UUID) -> int | None:
    """The zone's present epoch, locked against a change of leader, not against the leader keeping it."""
    return await value(connection, "SELECT epoch FROM zone_leases WHERE zone_id = $1 FOR KEY SHARE", zone_id)
