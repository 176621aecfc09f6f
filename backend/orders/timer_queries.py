"""All SQL of timers: set and cleared by what orders do; found, locked and taken when their time has come."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backend.database.pool import Connection
from backend.database.rows import execute, many, value
from backend.orders.model import Timer


async def set_timer(connection: Connection, kind: str, subject_id: UUID, due_at: datetime) -> None:
    """Ask for something to happen at a care time; asking again moves it."""
    await execute(
        connection,
        """INSERT INTO timers (kind, subject_id, due_at) VALUES ($1, $2, $3)
           ON CONFLICT (kind, subject_id) DO UPDATE
           SET due_at = excluded.due_at, fired_at = NULL, tries = 0, rests_until = NULL""",
        kind, subject_id, due_at,
    )  # fmt: skip


async def clear_timers(connection: Connection, subject_id: UUID, *kinds: str) -> None:
    """What was to happen by itself no longer can; a timer being fired right now looks at the order for itself."""
    await execute(
        connection,
        """DELETE FROM timers WHERE id IN (
               SELECT id FROM timers WHERE subject_id = $1 AND kind = ANY ($2) AND fired_at IS NULL
               FOR UPDATE SKIP LOCKED)""",
        subject_id, list(kinds),
    )  # fmt: skip


async def due(connection: Connection, tries: int, resting: Sequence[UUID] = ()) -> list[Timer]:
    """Timers whose time has come, but for zones at rest and for what failed a moment ago, the oldest first.

    One that failed too often waits for a person.
    """
    return await many(
        connection,
        Timer,
        """SELECT t.id, t.kind, t.subject_id, coalesce(o.zone_id, a.zone_id) AS zone_id
           FROM timers t LEFT JOIN orders o ON o.id = t.subject_id
           LEFT JOIN offers f ON f.id = t.subject_id LEFT JOIN orders a ON a.id = f.order_id
           WHERE t.fired_at IS NULL AND t.due_at <= yinling_now() AND t.tries < $1
             AND (t.rests_until <= now()) IS NOT FALSE AND (coalesce(o.zone_id, a.zone_id) = ANY ($2)) IS NOT TRUE
           ORDER BY t.due_at LIMIT 100""",
        tries, list(resting),
    )  # fmt: skip


async def lock_for(connection: Connection, timer: Timer) -> None:
    """Lock the plan of the order a timer is about before the timer itself: whoever moves a timer holds that lock."""
    await execute(
        connection,
        """WITH about AS (SELECT $1::uuid AS id UNION ALL SELECT order_id FROM offers WHERE id = $1)
           SELECT lock_plan_of_order(id) FROM about""",
        timer.subject_id,
    )


async def claim(connection: Connection, timer_id: UUID) -> bool:
    """Take a timer in this transaction; false when another process has it or it was moved."""
    claimed = await value(
        connection,
        """UPDATE timers SET fired_at = now() WHERE id = (
               SELECT id FROM timers WHERE id = $1 AND fired_at IS NULL AND due_at <= yinling_now()
               FOR UPDATE SKIP LOCKED) RETURNING id""",
        timer_id,
    )
    return claimed is not None


async def failed(connection: Connection, timer_id: UUID, error: str) -> None:
    """Count a failed try; the next ones come later and later, by the machine's clock: care time may stand still, or run fast."""
    await execute(
        connection,
        """UPDATE timers SET tries = tries + 1, last_error = $2,
                  rests_until = now() + make_interval(secs => 5 * 2 ^ tries) WHERE id = $1""",
        timer_id, error,
    )  # fmt: skip


async def forget_fired(connection: Connection, days: float, most: int) -> int:
    """Timers that fired long ago on machine time, some at a time; one set again meanwhile stays."""
    return await execute(
        connection,
        """DELETE FROM timers
           WHERE fired_at < now() - make_interval(secs => 86400 * $1::float8) AND id IN (
               SELECT id FROM timers WHERE fired_at < now() - make_interval(secs => 86400 * $1::float8)
               ORDER BY fired_at LIMIT $2)""",
        days, most,
    )  # fmt: skip
