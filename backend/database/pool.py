"""The connection pool and the one door to it: a transaction that runs as somebody."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from backend.core.principal import Principal

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

_SET_PRINCIPAL = """
    SELECT set_config('app.role', $1, true), set_config('app.account', $2, true),
           set_config('app.provider', $3, true), set_config('app.worker', $4, true),
           set_config('app.residents', $5, true)
"""


class UnsafeRoleError(RuntimeError):
    """The application was given a database role that row-level security does not bind."""


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def _prepare(connection: asyncpg.Connection) -> None:
    decode: Callable[[str], Any] = msgspec.json.decode
    await connection.set_type_codec("jsonb", encoder=_encode, decoder=decode, schema="pg_catalog", format="text")


async def _hand_back(connection: Connection) -> None:
    """Nothing outlives a transaction here; only one that was cut off in the middle of it has to be cleaned."""
    if connection.is_in_transaction():
        await connection.reset()


class Database:
    """A pool of connections as the application role; every transaction is opened as a principal."""

    def __init__(self, pool: asyncpg.Pool, url: str) -> None:
        self._pool = pool
        self.url = url

    @classmethod
    async def open(cls, url: str, *, size: int = 10) -> "Database":
        """Connect and refuse a role that could bypass row-level security. Raises UnsafeRoleError."""
        pool = await asyncpg.create_pool(url, min_size=1, max_size=size, init=_prepare, reset=_hand_back)
        row = await pool.fetchrow(
            "SELECT rolsuper OR rolbypassrls AS unsafe FROM pg_roles WHERE rolname = current_user"
        )
        if row is None or row["unsafe"]:
            await pool.close()
            raise UnsafeRoleError("the application must not connect as a superuser or with BYPASSRLS")
        return cls(pool, url)

    async def close(self) -> None:
        """Give every connection back and close it."""
        await self._pool.close()

    @asynccontextmanager
    async def unit_of_work(self, principal: Principal) -> AsyncGenerator[Connection]:
        """One transaction that sees and writes only what row-level security grants the principal."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                _SET_PRINCIPAL,
                principal.role.value,
                str(principal.account_id or ""),
                str(principal.provider_id or ""),
                str(principal.worker_id or ""),
                ",".join(str(resident_id) for resident_id in principal.resident_ids),
            )
            yield connection

    @asynccontextmanager
    async def as_nobody(self) -> AsyncGenerator[Connection]:
        """A connection without a principal: row-level security shows it nothing, so only our SQL functions answer."""
        async with self._pool.acquire() as connection:
            yield connection

    async def listen(self) -> asyncpg.Connection:
        """A connection of its own, outside the pool, for LISTEN; the caller closes it."""
        return await asyncpg.connect(self.url)


@asynccontextmanager
async def as_the_platform(connection: Connection) -> AsyncGenerator[None]:
    """Widen one transaction for writes a person may cause but not make: plans, timers, other people's routes.

    Callers have checked the person's right before, on rows read as that person.
    """
    before = await connection.fetchval("SELECT current_setting('app.role', true)")
    await connection.execute("SELECT set_config('app.role', 'system', true)")
    yield
    await connection.execute("SELECT set_config('app.role', $1, true)", before or "")
