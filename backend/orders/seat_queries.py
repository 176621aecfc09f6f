"""All SQL of an order's seats and of the workers bound to them, and what that makes of a worker's day."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from backend.core.errors import DomainError
from backend.database.pool import Connection
from backend.database.rows import execute, execute_many, many, maybe_one, one, readable, value
from backend.orders.model import Assignment, AssignmentStatus, NewSeat, RouteStop


async def insert_seats(connection: Connection, order_id: UUID, seats: Sequence[NewSeat]) -> None:
    """Copy the crew the catalogue asks for."""
    await execute_many(
        connection,
        "INSERT INTO order_seats (order_id, number, skills, duration_s, gender_rule) VALUES ($1, $2, $3, $4, $5)",
        [(order_id, seat.number, seat.skills, seat.duration_s, seat.gender_rule) for seat in seats],
    )


async def delete_seats(connection: Connection, order_id: UUID) -> None:
    """Take away the crew that was asked for; another one is copied in its place."""
    await execute(connection, "DELETE FROM order_seats WHERE order_id = $1", order_id)


async def assignments_of(connection: Connection, order_id: UUID) -> list[Assignment]:
    """The crew as it stands, by seat."""
    return await many(
        connection,
        Assignment,
        """SELECT id, order_id, seat, worker_id, status, version FROM assignments
           WHERE order_id = $1 AND status IN ('proposed', 'accepted', 'en_route', 'checked_in', 'checked_out')
           ORDER BY seat""",
        order_id,
    )


async def crew_expected(connection: Connection, order_id: UUID) -> list[Assignment]:
    """Who was to come, by seat: the crew of an order nobody has checked in for, also when it was given up as missed."""
    return await many(
        connection,
        Assignment,
        """SELECT DISTINCT ON (seat) id, order_id, seat, worker_id, status, version FROM assignments
           WHERE order_id = $1 AND status IN ('accepted', 'en_route', 'no_show') ORDER BY seat, id DESC""",
        order_id,
    )


async def assignment(connection: Connection, assignment_id: UUID) -> Assignment:
    """One seat, whoever holds it now."""
    return await one(
        connection,
        Assignment,
        "SELECT id, order_id, seat, worker_id, status, version FROM assignments WHERE id = $1", assignment_id,
    )  # fmt: skip


async def seat_left(connection: Connection, order_id: UUID, worker_id: UUID) -> Assignment | None:
    """The last seat of an order from which a worker was bound to come and does not any more."""
    return await maybe_one(
        connection,
        Assignment,
        """SELECT id, order_id, seat, worker_id, status, version FROM assignments
           WHERE order_id = $1 AND worker_id = $2 AND bound AND status IN ('no_show', 'replaced', 'withdrawn')
           ORDER BY id DESC LIMIT 1""",
        order_id, worker_id,
    )  # fmt: skip


async def provider_of(connection: Connection, worker_id: UUID) -> UUID:
    """Read whose care worker somebody is."""
    return await value(connection, "SELECT provider_id FROM workers WHERE id = $1", worker_id)


async def insert_assignment(
    connection: Connection, order_id: UUID, seat: int, worker_id: UUID, status: AssignmentStatus
) -> Assignment:
    """Bind a worker to a seat."""
    return await one(
        connection,
        Assignment,
        """INSERT INTO assignments (order_id, seat, worker_id, status, bound) VALUES ($1, $2, $3, $4, $4 = 'accepted')
           RETURNING id, order_id, seat, worker_id, status, version""",
        order_id, seat, worker_id, status.value,
    )  # fmt: skip


async def set_assignments(
    connection: Connection, seats: Sequence[Assignment], after: AssignmentStatus
) -> list[Assignment]:
    """Move these seats from the versions read. Raises DomainError stale_version when somebody was quicker."""
    moved = await many(
        connection,
        Assignment,
        """UPDATE assignments a SET status = $3, version = a.version + 1, changed_at = yinling_now(),
                  bound = a.bound OR $3 = 'accepted'
           FROM unnest($1::uuid[], $2::integer[]) AS read (id, version)
           WHERE a.id = read.id AND a.version = read.version
           RETURNING a.id, a.order_id, a.seat, a.worker_id, a.status, a.version""",
        [seat.id for seat in seats], [seat.version for seat in seats], after.value,
    )  # fmt: skip
    if len(moved) != len(seats):
        raise DomainError("stale_version")
    return sorted(moved, key=lambda seat: seat.seat)


async def route(connection: Connection, worker_id: UUID, plan_on: date, begins_at: datetime) -> list[RouteStop]:
    """The stops of accepted orders of one worker and day, in planned order, and what a night's shift still does in it."""
    read = await readable(
        connection,
        RouteStop,
        """SELECT s.order_id, o.code AS order_code, o.version AS order_version, o.status AS order_status,
                  a.status AS assignment_status, s.seat, s.kind, s.place_id, p.geometry, p.x, p.y, lower(s.during) AS from_at,
                  upper(s.during) AS to_at, s.started,
                  EXISTS (SELECT FROM visit_records r WHERE r.order_id = s.order_id AND r.worker_id = s.worker_id AND r.counts
                          AND r.kind IN (CASE s.kind WHEN 'visit' THEN 'check_out' WHEN 'pickup' THEN 'pick_up'
                                         ELSE 'hand_over' END, 'abort')) AS done,
                  EXISTS (SELECT FROM visit_records r WHERE r.order_id = s.order_id AND r.worker_id = s.worker_id AND r.counts
                          AND 'WRONG_CODE' = ANY (r.flags)) AS wrong_code,
                  o.acceptance AS asks_word, o.kind AS item_kind, o.window_from, o.window_to,
                  (SELECT i.name FROM catalogue_items i WHERE i.code = o.item_code) AS service,
                  (SELECT i.name_en FROM catalogue_items i WHERE i.code = o.item_code) AS service_en,
                  (SELECT z.name FROM zones z WHERE z.id = o.zone_id) AS zone,
                  (SELECT r.name FROM residents r WHERE r.id = o.resident_id) AS resident,
                  (SELECT h.address FROM homes h WHERE h.id = o.home_id) AS address,
                  ARRAY(SELECT w.name FROM assignments c JOIN workers w ON w.id = c.worker_id
                        WHERE c.order_id = s.order_id AND c.worker_id <> s.worker_id
                          AND c.status IN ('accepted', 'en_route', 'checked_in', 'checked_out') ORDER BY c.seat) AS crew
           FROM stops s JOIN plans d ON d.id = s.plan_id JOIN places p ON p.id = s.place_id
           JOIN orders o ON o.id = s.order_id
           JOIN assignments a ON a.order_id = s.order_id AND a.worker_id = s.worker_id
                AND a.status IN ('accepted', 'en_route', 'checked_in', 'checked_out')
           WHERE s.worker_id = $1 AND (d.plan_on = $2 OR (d.plan_on = $2::date - 1 AND upper(s.during) > $3))
           ORDER BY lower(s.during)""",
        worker_id, plan_on, begins_at,
    )  # fmt: skip
    return read.rows
