"""All SQL of care rule parameters."""

from backend.database.pool import Connection
from backend.database.rows import value


async def parameter_value(connection: Connection, code: str) -> float | None:
    """The figure of a rule in force today, in its own unit; None where the city has not set one."""
    return await value(
        connection,
        """SELECT value FROM rule_parameters
           WHERE code = $1 AND valid_from <= yinling_now()::date AND (valid_to IS NULL OR valid_to > yinling_now()::date)
           ORDER BY region DESC, valid_from DESC LIMIT 1""",
        code,
    )
