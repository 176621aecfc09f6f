"""Bringing a database to the newest schema."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config

_FOLDER = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(owner_url: str) -> None:
    """Run every migration that is missing, as the owner role; safe to start twice at once."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["url"] = owner_url
    command.upgrade(config, "head")


async def migrate(owner_url: str) -> None:
    """The same from inside an event loop."""
    await asyncio.to_thread(upgrade, owner_url)
