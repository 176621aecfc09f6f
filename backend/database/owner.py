"""The owner's own door: for migrations, for making a city and for replays, never for a process that people reach.

The processes, and every slice, are kept from importing this by a contract in `pyproject.toml`; and the door they use
refuses the owner's role. The owner is bound by row-level security like everybody, so it says as whom it comes.
"""

from backend.database.pool import Database, Lane


async def open_as_owner(url: str, *, size: int = 1) -> Database:
    """Connect as the role that owns the schema, without asking whether it is safe to serve people with."""
    return await Database.connect(url, {Lane.COUNTER: size}, patience_s=None, limits={})
