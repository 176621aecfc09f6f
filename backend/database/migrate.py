"""Bringing a database to the newest schema."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import asyncpg

from backend.database.pool import Database

_FOLDER = Path(__file__).resolve().parents[2] / "migrations"


class SchemaError(RuntimeError):
    """The database cannot be brought to the schema of this program; the message says why in one line."""


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))  # it would be read as a placeholder
    return config


def upgrade(owner_url: str) -> None:
    """Run every migration that is missing, as the owner role; safe to start twice at once. Raises SchemaError."""
    from alembic import command
    from alembic.util import CommandError

    config = _config()
    config.attributes["url"] = owner_url
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        newest = newest_revision()
        raise SchemaError(
            f"the schema is newer than {newest}, the newest this program knows: use its program"
        ) from error


async def migrate(owner_url: str) -> None:
    """The same from inside an event loop."""
    await asyncio.to_thread(upgrade, owner_url)


def newest_revision() -> str | None:
    """The schema this program was written for."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head()


def schema_digest() -> str:
    """A digest of the text of all migrations: equal where they make the same schema."""
    digest = hashlib.sha256()
    for file in sorted((_FOLDER / "versions").glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


async def present_revision(database: Database) -> str | None:
    """The schema the database has; None when it has none of ours."""
    async with database.as_nobody() as connection:
        try:
            return await connection.fetchval("SELECT version_num FROM alembic_version")
        except asyncpg.UndefinedTableError:
            return None
