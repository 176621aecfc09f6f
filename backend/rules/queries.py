"""All SQL of care rule parameters."""

from backend.database.pool import Connection
from backend.database.rows import value


class RuleMissingError(LookupError):
    """The city has no figure for a rule the platform cannot do without; the message names it."""


async def limit(connection: Connection, code: str) -> float:
    """The figure of a rule in force today, in its own unit; a region's own goes before the general one.

    Raises RuleMissingError.
    """
    found = await value(
        connection,
        """SELECT value FROM rule_parameters
           WHERE code = $1 AND valid_from <= yinling_now()::date AND (valid_to IS NULL OR valid_to > yinling_now()::date)
           ORDER BY region DESC, valid_from DESC LIMIT 1""",
        code,
    )
    if found is None:
        raise RuleMissingError(code)
    return found
