"""Alembic's entry: asyncpg as the owner role, one advisory lock, a short lock timeout."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from migrations.support import RELEASE_CAUGHT_ROWS

_LOCK = 7_424_120_531


def _upgrade(connection: Connection) -> None:
    connection.execute(text("SET lock_timeout = '5s'"))
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.exec_driver_sql(RELEASE_CAUGHT_ROWS)
        context.run_migrations()


async def _run() -> None:
    url = context.config.attributes["url"].replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
