"""All SQL of care rule parameters."""

from typing import Final

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import many, value

EVERYWHERE: Final = ""
"""The area of what concerns the whole city and no home of it: only general figures are asked for."""


class RuleMissingError(LookupError):
    """The city has no figure for a rule the platform cannot do without; the message names it."""


async def limit(connection: Connection, code: str, area: str) -> float:
    """The figure of a rule in force today where somebody lives, in its own unit.

    `area` is an administrative code; codes of what lies inside begin with it. The nearest region's own figure goes before
    wider ones, the general one comes last. Raises RuleMissingError.
    """
    found = await value(
        connection,
        """SELECT value FROM rule_parameters
           WHERE code = $1 AND (region = '*' OR starts_with($2, region))
             AND valid_from <= yinling_now()::date AND (valid_to IS NULL OR valid_to > yinling_now()::date)
           ORDER BY length(region) DESC, valid_from DESC LIMIT 1""",
        code, area,
    )  # fmt: skip
    if found is None:
        raise RuleMissingError(code)
    return found


class Figure(Struct, frozen=True):
    """One figure in force, in the rule's own unit."""

    code: str
    value: float


async def figures(connection: Connection, prefix: str, area: str) -> dict[str, float]:
    """Every figure in force today whose code begins so, by the rest of its code; for an area as `limit` has it."""
    found = await many(
        connection,
        Figure,
        """SELECT DISTINCT ON (code) code, value FROM rule_parameters
           WHERE starts_with(code, $1) AND (region = '*' OR starts_with($2, region))
             AND valid_from <= yinling_now()::date AND (valid_to IS NULL OR valid_to > yinling_now()::date)
           ORDER BY code, length(region) DESC, valid_from DESC""",
        prefix, area,
    )  # fmt: skip
    return {figure.code.removeprefix(prefix): figure.value for figure in found}
