"""All SQL of who looked: noted once an hour, read by the resident, thrown away by its rule."""

from collections.abc import Sequence
from uuid import UUID

from backend.database.pool import Connection
from backend.database.rows import execute, many
from backend.residents.model import Look, Purpose


async def note_looks(connection: Connection, account_id: UUID, resident_ids: Sequence[UUID], purpose: Purpose) -> None:
    """Note that somebody looked; within an hour the first time stays, and nothing is written again."""
    await execute(
        connection,
        """INSERT INTO consent_looks (resident_id, account_id, purpose, hour, looked_at)
           SELECT unnest($2::uuid[]), $1, $3, date_trunc('hour', yinling_now()), yinling_now() ON CONFLICT DO NOTHING""",
        account_id, list(resident_ids), purpose.value,
    )  # fmt: skip


async def looks_at(connection: Connection, resident_id: UUID, most: int) -> list[Look]:
    """Who looked at what of a resident, the latest first, by the name and number they were let in under last."""
    return await many(
        connection,
        Look,
        """SELECT coalesce(c.person, '') AS person, coalesce(c.phone, '') AS phone, l.purpose, l.looked_at
           FROM consent_looks l LEFT JOIN LATERAL (
               SELECT person, phone FROM consents WHERE account_id = l.account_id AND resident_id = l.resident_id
               ORDER BY id DESC LIMIT 1) c ON true
           WHERE l.resident_id = $1 ORDER BY l.looked_at DESC, l.purpose LIMIT $2""",
        resident_id, most,
    )  # fmt: skip


async def forget_looks(connection: Connection, days: float, most: int) -> int:
    """Looks of long ago on care time, some at a time."""
    return await execute(
        connection,
        """DELETE FROM consent_looks WHERE (resident_id, account_id, purpose, hour) IN (
               SELECT resident_id, account_id, purpose, hour FROM consent_looks
               WHERE hour < yinling_now() - make_interval(secs => 86400 * $1::float8) ORDER BY hour LIMIT $2)""",
        days, most,
    )  # fmt: skip
