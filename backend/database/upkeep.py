"""All SQL of keeping the database in order that belongs to no slice: whose turn it is, and the months of tables that grow."""

from datetime import date

from msgspec import Struct

from backend.database.pool import Connection
from backend.database.rows import execute, many, value


class Month(Struct, frozen=True, forbid_unknown_fields=True):
    """One month of one table."""

    parent: str
    first: date


async def take_turn(connection: Connection, chore: str) -> bool:
    """Hold a chore until the transaction ends; False while another process is at it."""
    return await value(
        connection, "SELECT pg_try_advisory_xact_lock(hashtextextended('yinling.chore.' || $1, 0))", chore
    )


async def missing_partitions(connection: Connection, months_ahead: int) -> list[Month]:
    """The months that want a partition of their own: those to come, and past ones whose rows were caught elsewhere."""
    return await many(connection, Month, "SELECT parent, first FROM missing_partitions($1)", months_ahead)


async def prepare_partition(connection: Connection, month: Month) -> bool:
    """Make one; False when somebody else did. Raises asyncpg's LockNotAvailableError when a reader stays too long."""
    await (
        execute(  # rows that were caught elsewhere are copied first, while nobody waits: a month of them takes its time
            connection,
            "SELECT set_config('statement_timeout', '60s', true), set_config('transaction_timeout', '90s', true)",
        )
    )
    return await value(connection, "SELECT prepare_partition($1, $2)", month.parent, month.first)
