"""All SQL of a provider's people beside their plans: where one of them is expected, and what those visits are."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import many, value, values
from backend.workers.model import AbsenceReason
from backend.workers.queries import OwnWorker


class PlanKey(Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """The zone and day of a plan."""

    zone_id: UUID
    plan_on: date


async def plans_with(connection: Connection, worker_id: UUID, from_at: datetime, to_at: datetime) -> list[PlanKey]:
    """Find the plans in which a worker is expected somewhere in some of a time."""
    return await many(
        connection,
        PlanKey,
        """SELECT DISTINCT p.zone_id, p.plan_on FROM stops s JOIN plans p ON p.id = s.plan_id
           WHERE s.worker_id = $1 AND s.active AND s.during && tstzrange($2, $3) ORDER BY p.plan_on, p.zone_id""",
        worker_id, from_at, to_at,
    )  # fmt: skip


class VisitFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody of the order's own provider is told of a visit that has to be done by somebody else."""

    order_id: UUID
    code: str
    kind: str
    service: str
    service_en: str
    zone: str
    window_from: Instant
    window_to: Instant


async def visit_facts(connection: Connection, order_ids: Sequence[UUID]) -> list[VisitFacts]:
    """Read what these orders are about."""
    return await many(
        connection,
        VisitFacts,
        """SELECT o.id AS order_id, o.code, o.kind, i.name AS service, i.name_en AS service_en, z.name AS zone,
                  o.window_from, o.window_to
           FROM orders o JOIN catalogue_items i ON i.code = o.item_code JOIN zones z ON z.id = o.zone_id
           WHERE o.id = ANY ($1) ORDER BY o.window_from, o.id""",
        list(order_ids),
    )


class ShiftTime(Struct, frozen=True, forbid_unknown_fields=True):
    """From when to when somebody works."""

    from_at: Instant
    to_at: Instant


class AbsentTime(Struct, frozen=True, forbid_unknown_fields=True):
    """From when to when somebody does not come, and for which of a few reasons."""

    id: UUID
    reason: AbsenceReason
    from_at: Instant
    to_at: Instant


class PersonView(Struct, frozen=True, forbid_unknown_fields=True):
    """A worker as their provider sees them today: shifts, absences that are not over, and visits still before them."""

    worker_id: UUID
    name: str
    gender: str
    shifts: list[ShiftTime]
    absences: list[AbsentTime]
    visits: int


async def people(connection: Connection, provider_id: UUID, on: date) -> list[PersonView]:
    """Read a provider's workers with their plan day."""
    return await many(
        connection,
        PersonView,
        """SELECT w.id AS worker_id, w.name, w.gender,
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('from_at', lower(s.during), 'to_at', upper(s.during))
                                             ORDER BY lower(s.during)), '[]')
                   FROM shifts s WHERE s.worker_id = w.id AND s.plan_on = $2) AS shifts,
                  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'reason', l.reason, 'from_at', lower(l.during),
                                             'to_at', upper(l.during)) ORDER BY lower(l.during)), '[]')
                   FROM leaves l WHERE l.worker_id = w.id AND upper(l.during) > yinling_now()) AS absences,
                  (SELECT count(DISTINCT s.order_id) FROM stops s JOIN plans p ON p.id = s.plan_id
                   WHERE s.worker_id = w.id AND s.active AND p.plan_on = $2) AS visits
           FROM workers w WHERE w.provider_id = $1 AND w.active ORDER BY w.code LIMIT 500""",
        provider_id, on,
    )  # fmt: skip


class Ending(Struct, frozen=True, forbid_unknown_fields=True):
    """A credential from whose end on its worker may not do what it is for, and their visits planned beyond it."""

    worker_id: UUID
    name: str
    skill: str
    expires_on: date
    visits: int


async def credentials_ending(connection: Connection, provider_id: UUID, until: date) -> list[Ending]:
    """Read the credentials of a provider's workers that have expired, or do by a day; the first to expire first."""
    return await many(
        connection,
        Ending,
        """SELECT w.id AS worker_id, w.name, k.skill, k.expires_on,
                  (SELECT count(DISTINCT s.order_id) FROM stops s JOIN plans p ON p.id = s.plan_id
                   JOIN order_seats q ON q.order_id = s.order_id AND q.number = s.seat
                   WHERE s.worker_id = w.id AND s.active AND p.plan_on >= k.expires_on AND k.skill = ANY (q.skills)) AS visits
           FROM workers w JOIN worker_skills k ON k.worker_id = w.id
           WHERE w.provider_id = $1 AND w.active AND k.expires_on <= $2 ORDER BY k.expires_on, w.code, k.skill LIMIT 500""",
        provider_id, until,
    )  # fmt: skip


class DayCount(Struct, frozen=True, forbid_unknown_fields=True):
    """How many visits a worker has on a plan day."""

    worker_id: UUID
    plan_on: date
    visits: int


async def visits_by_day(
    connection: Connection, worker_ids: Sequence[UUID], from_on: date, to_on: date
) -> list[DayCount]:
    """Count the visits still before some workers, by plan day."""
    return await many(
        connection,
        DayCount,
        """SELECT s.worker_id, p.plan_on, count(DISTINCT s.order_id) AS visits FROM stops s JOIN plans p ON p.id = s.plan_id
           WHERE s.worker_id = ANY ($1) AND s.active AND p.plan_on BETWEEN $2 AND $3 GROUP BY s.worker_id, p.plan_on""",
        list(worker_ids), from_on, to_on,
    )  # fmt: skip


class AwayTime(Struct, frozen=True, forbid_unknown_fields=True):
    """When a worker does not come."""

    worker_id: UUID
    from_at: Instant
    to_at: Instant


async def away_between(
    connection: Connection, worker_ids: Sequence[UUID], from_at: datetime, to_at: datetime
) -> list[AwayTime]:
    """Read the absences of some workers that touch a time."""
    return await many(
        connection,
        AwayTime,
        """SELECT worker_id, lower(during) AS from_at, upper(during) AS to_at FROM leaves
           WHERE worker_id = ANY ($1) AND during && tstzrange($2, $3)""",
        list(worker_ids), from_at, to_at,
    )  # fmt: skip


async def own_workers(connection: Connection, provider_id: UUID) -> list[OwnWorker]:
    """Read the workers of a provider, in the order of its roster."""
    return await many(
        connection,
        OwnWorker,
        "SELECT id, name, provider_id FROM workers WHERE provider_id = $1 AND active ORDER BY code LIMIT 500",
        provider_id,
    )


async def plan_ids(connection: Connection, zone_ids: Sequence[UUID], days: Sequence[date]) -> list[UUID]:
    """Find the plans of some zones and days."""
    return await values(
        connection, "SELECT id FROM plans WHERE zone_id = ANY ($1) AND plan_on = ANY ($2)", list(zone_ids), list(days)
    )


async def visits_in(connection: Connection, worker_id: UUID, spans: Sequence[tuple[datetime, datetime]]) -> int:
    """Count the visits that somebody was promised and that a worker is to do in some of these times."""
    return await value(
        connection,
        """SELECT count(DISTINCT s.order_id) FROM stops s
           JOIN unnest($2::timestamptz[], $3::timestamptz[]) AS gone (from_at, to_at)
                ON s.during && tstzrange(gone.from_at, gone.to_at)
           WHERE s.worker_id = $1 AND s.active AND s.order_id IS NOT NULL""",
        worker_id, [a for a, _ in spans], [b for _, b in spans],
    )  # fmt: skip
