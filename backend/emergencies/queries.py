"""All SQL of alarms."""

from typing import Final, LiteralString
from uuid import UUID

from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.database.pool import Connection
from backend.database.rows import execute, many, maybe_one, value
from backend.emergencies.model import Alarm, Emergency, Outcome

_EMERGENCIES: Final[LiteralString] = """
    SELECT e.id, e.raised_by, e.role, e.resident_id, e.order_id, e.x, e.y, e.accuracy_m, e.device_at, e.remark, e.raised_at,
           e.called_off_at, t.id AS task_id, t.owner_id, t.taken_at, e.closed_at, e.closed_by, e.outcome, e.closing_remark
    FROM emergencies e LEFT JOIN desk_tasks t ON t.emergency_id = e.id
"""


async def lock_raiser(connection: Connection, account_id: UUID) -> None:
    """Let one alarm of one person at a time be looked for and kept: a button is pressed many times."""
    await execute(connection, "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 3))", str(account_id))


async def raised_before(
    connection: Connection, account_id: UUID, resident_id: UUID | None, within_s: float
) -> UUID | None:
    """The open alarm that the same person has raised for the same resident within so many seconds, and not called off."""
    return await value(
        connection,
        """SELECT id FROM emergencies
           WHERE raised_by = $1 AND raised_at >= yinling_now() - make_interval(secs => $3::float8)
             AND resident_id IS NOT DISTINCT FROM $2 AND closed_at IS NULL AND called_off_at IS NULL
           ORDER BY raised_at DESC, id DESC LIMIT 1""",
        account_id, resident_id, within_s,
    )  # fmt: skip


async def insert_emergency(
    connection: Connection, account_id: UUID, role: Role, resident_id: UUID | None, order_id: UUID | None, alarm: Alarm
) -> UUID:
    """Keep an alarm."""
    return await value(
        connection,
        """INSERT INTO emergencies (raised_by, role, resident_id, order_id, x, y, accuracy_m, device_at, remark)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id""",
        account_id, role.value, resident_id, order_id, alarm.x, alarm.y, alarm.accuracy_m, alarm.device_at, alarm.remark,
    )  # fmt: skip


async def emergency(connection: Connection, emergency_id: UUID) -> Emergency:
    """One alarm. Raises DomainError unknown_emergency (404)."""
    found = await maybe_one(connection, Emergency, _EMERGENCIES + " WHERE e.id = $1", emergency_id)
    if found is None:
        raise DomainError("unknown_emergency")
    return found


async def open_emergencies(connection: Connection, limit: int) -> list[Emergency]:
    """Alarms nobody has closed, the oldest first: whoever has waited longest comes next."""
    return await many(
        connection, Emergency, _EMERGENCIES + " WHERE e.closed_at IS NULL ORDER BY e.raised_at, e.id LIMIT $1", limit
    )


async def closed_emergencies(connection: Connection, limit: int) -> list[Emergency]:
    """Alarms that are over, the last one first."""
    return await many(
        connection,
        Emergency,
        _EMERGENCIES + " WHERE e.closed_at <= yinling_now() ORDER BY e.closed_at DESC LIMIT $1",
        limit,
    )


async def call_off(connection: Connection, emergency_id: UUID) -> bool:
    """Note that it was a slip; False when that is noted already, or the alarm is closed."""
    called_off = await value(
        connection,
        """UPDATE emergencies SET called_off_at = greatest(raised_at, yinling_now())
           WHERE id = $1 AND called_off_at IS NULL AND closed_at IS NULL RETURNING id""",
        emergency_id,
    )
    return called_off is not None


async def close_emergency(
    connection: Connection, emergency_id: UUID, account_id: UUID, outcome: Outcome, remark: str
) -> bool:
    """Close an alarm with what it was; False when it is closed already."""
    closed = await value(
        connection,
        """UPDATE emergencies SET closed_at = greatest(raised_at, yinling_now()), closed_by = $2, outcome = $3,
                  closing_remark = $4
           WHERE id = $1 AND closed_at IS NULL RETURNING id""",
        emergency_id, account_id, outcome.value, remark,
    )  # fmt: skip
    return closed is not None
