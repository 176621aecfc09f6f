"""Indelible notes of what somebody decided over others: overrides of orders, how a resident is reached, who does not come."""

from typing import Literal
from uuid import UUID

from backend.core.principal import Principal
from backend.database.pool import Connection
from backend.database.rows import execute


async def note(
    connection: Connection,
    principal: Principal,
    action: str,
    subject: Literal["order", "resident", "worker"],
    subject_id: UUID,
    reason: str = "",
) -> None:
    """Note who did what to which order, resident or worker; nothing is ever changed or deleted there."""
    await execute(
        connection,
        "INSERT INTO audit (actor_id, role, action, subject, subject_id, reason) VALUES ($1, $2, $3, $4, $5, $6)",
        principal.account_id, principal.role.value, action, subject, subject_id, reason,
    )  # fmt: skip
