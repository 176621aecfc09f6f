"""The database's clock of care time, which every process asks."""

from datetime import datetime

from backend.database.pool import Connection
from backend.database.rows import value


async def care_now(connection: Connection) -> datetime:
    """Return the present instant of care time."""
    return await value(connection, "SELECT yinling_now()")
