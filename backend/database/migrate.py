"""Bringing a database to the newest schema."""

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from backend.database.pool import Database

_FOLDER = Path(__file__).resolve().parents[2] / "migrations"


class SchemaError(RuntimeError):
    """The database cannot be brought to the schema of this program; the message says why in one line."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))  # it would be read as a placeholder
    return config


def upgrade(owner_url: str) -> None:
    """Run every migration that is missing, as the owner role; safe to start twice at once. Raises SchemaError."""
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
    return ScriptDirectory.from_config(_config()).get_current_head()


async def present_revision(database: Database) -> str | None:
    """The schema the database has; None when it has none of ours."""
    async with database.as_nobody() as connection:
        try:
            return await connection.fetchval("SELECT version_num FROM alembic_version")
        except asyncpg.UndefinedTableError:
            return None
