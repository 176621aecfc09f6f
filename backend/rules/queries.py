"""All SQL of care rule parameters."""

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import many, value


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


class Figure(Struct, frozen=True):
    """One figure in force, in the rule's own unit."""

    code: str
    value: float


async def figures(connection: Connection, prefix: str) -> dict[str, float]:
    """Every figure in force today whose code begins so, by the rest of its code; a region's own before the general one."""
    found = await many(
        connection,
        Figure,
        """SELECT DISTINCT ON (code) code, value FROM rule_parameters
           WHERE starts_with(code, $1)
             AND valid_from <= yinling_now()::date AND (valid_to IS NULL OR valid_to > yinling_now()::date)
           ORDER BY code, region DESC, valid_from DESC""",
        prefix,
    )
    return {figure.code.removeprefix(prefix): figure.value for figure in found}
