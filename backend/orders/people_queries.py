"""All SQL of a provider's people beside their plans: where one of them is expected, and what those visits are."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import many


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
