"""All SQL of what ties the plan of a day to other plans: visits of one resident on both sides of a border, and workers."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant
from backend.database.pool import Connection
from backend.database.rows import execute, many
from backend.scheduling.queries import LIVE_STATUSES


async def lock_plans(connection: Connection, plan_ids: Sequence[UUID]) -> None:
    """Lock plans and all that are tied to them, in id order, so that two commits never wait for each other in a ring."""
    await execute(
        connection,
        """SELECT id FROM plans WHERE id IN (
               SELECT unnest($1::uuid[]) UNION ALL SELECT unnest(beside) FROM plans WHERE id = ANY ($1))
           ORDER BY id FOR NO KEY UPDATE""",
        list(plan_ids),
    )


async def tie_plans(connection: Connection, plan_id: UUID, others: Sequence[UUID]) -> None:
    """Remember that planning one day reads of the other ones from now on, and the other way round; they are locked."""
    await execute(
        connection,
        """UPDATE plans SET version = version + 1, beside = ARRAY(
               SELECT DISTINCT * FROM unnest(beside || CASE WHEN id = $1 THEN $2::uuid[] ELSE ARRAY[$1::uuid] END))
           WHERE id = $1 OR id = ANY ($2)""",
        plan_id, list(others),
    )  # fmt: skip


class Bound(Struct, frozen=True, forbid_unknown_fields=True):
    """The starts that visits of the same resident in other plans leave an order; None where they leave all."""

    order_id: UUID
    not_before: Instant | None
    not_after: Instant | None
    room_until: Instant | None


async def bounds_of_ties(connection: Connection, zone_id: UUID, plan_on: date) -> list[Bound]:
    """How far orders of a plan keep from the orders of other plans that they are tied to.

    Those are told as planned, else as early and as late as they may come. Where the later one has begun first, the other
    one waits until it is over, as it does within a plan.
    """
    return await many(
        connection,
        Bound,
        """WITH tied AS (
               SELECT own.id AS order_id, other.id AS other_id, l.after_id = own.id AS follows, l.min_gap_s, l.max_gap_s
               FROM plans p JOIN plans q ON q.id = ANY (p.beside)
               JOIN orders other ON other.zone_id = q.zone_id AND other.plan_on = q.plan_on
               JOIN order_links l ON other.id IN (l.before_id, l.after_id)
               JOIN orders own ON own.id = CASE other.id WHEN l.before_id THEN l.after_id ELSE l.before_id END
               WHERE p.zone_id = $1 AND p.plan_on = $2 AND own.zone_id = $1 AND own.plan_on = $2
                 AND other.status = ANY ($3) AND (other.status <> 'held' OR other.hold_expires_at > yinling_now())),
           timed AS (
               SELECT t.*, coalesce(s.from_at, o.window_from) AS first_from, coalesce(s.from_at, o.latest_at) AS last_from,
                      coalesce(s.to_at, o.window_from + make_interval(secs => o.length_s)) AS first_to,
                      coalesce(s.to_at, o.latest_at + make_interval(secs => o.length_s)) AS last_to,
                      coalesce(s.begun, false) AS other_begun,
                      EXISTS (SELECT FROM stops m WHERE m.order_id = t.order_id AND m.started) AS begun,
                      (SELECT max(duration_s) FROM order_seats WHERE order_id = t.order_id) AS length_s
               FROM tied t
               CROSS JOIN LATERAL (SELECT x.window_from, x.latest_at, (SELECT max(duration_s) FROM order_seats
                                   WHERE order_id = x.id) AS length_s FROM orders x WHERE x.id = t.other_id) o
               CROSS JOIN LATERAL (SELECT min(lower(during)) AS from_at, max(upper(during)) AS to_at,
                                          bool_or(started) AS begun
                                   FROM stops WHERE order_id = t.other_id AND kind <> 'pickup') s)
           SELECT order_id,
                  max(CASE WHEN follows AND begun AND NOT other_begun THEN NULL
                           WHEN follows THEN first_to + make_interval(secs => min_gap_s)
                           WHEN other_begun AND NOT begun THEN last_to
                           ELSE first_from - make_interval(secs => max_gap_s + length_s) END) AS not_before,
                  min(CASE WHEN follows AND (other_begun OR NOT begun)
                           THEN last_to + make_interval(secs => max_gap_s) END) AS not_after,
                  min(CASE WHEN NOT follows AND (begun OR NOT other_begun)
                           THEN last_from - make_interval(secs => min_gap_s + length_s) END) AS room_until
           FROM timed GROUP BY order_id""",
        zone_id, plan_on, list(LIVE_STATUSES),
    )  # fmt: skip
