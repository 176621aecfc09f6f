"""The connection pool and the one door to it: a transaction that runs as somebody."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from backend.core.principal import Principal
from backend.database.line import ENDED, Line

PATIENCE_S: Final = 5.0  # how long a person's request waits in line
LIMITS: Final[Mapping[str, str]] = {
    "statement_timeout": "10s",
    "lock_timeout": "4s",
    "idle_in_transaction_session_timeout": "15s",  # a frozen process gives its locks back; a web process may think
    "transaction_timeout": "20s",
    "client_connection_check_interval": "5s",  # nobody waits for a lock on behalf of a process that is gone
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""Asked for on each connection, so that they hold whatever the role was given."""
NEVER_IDLE: Final[Mapping[str, str]] = {**LIMITS, "idle_in_transaction_session_timeout": "5s"}
"""For processes that do all their thinking between transactions."""
_CONNECT_S: Final = 5
_IDLE_S: Final = 60.0  # an unused connection is given back to other processes
Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
T = TypeVar("T")

_CLOSE_WITHIN_S = 1.0  # a database that does not answer must not keep a process from ending
_SET_PRINCIPAL = """
    SELECT set_config('app.role', $1, true), set_config('app.account', $2, true),
           set_config('app.provider', $3, true), set_config('app.worker', $4, true),
           set_config('app.residents', $5, true)
"""


_UNSAFE = """
    WITH mine AS (
        SELECT r.oid, r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolreplication FROM pg_roles r
        WHERE pg_has_role(session_user, r.oid, 'MEMBER') OR pg_has_role(current_user, r.oid, 'MEMBER')),
    named AS (
        SELECT 1 AS rank, rolname, 'a superuser' AS why FROM mine WHERE rolsuper
        UNION ALL SELECT 2, rolname, 'not bound by row-level security (BYPASSRLS)' FROM mine WHERE rolbypassrls
        UNION ALL SELECT 3, rolname, 'able to make roles' FROM mine WHERE rolcreaterole
        UNION ALL SELECT 3, rolname, 'able to copy the whole server (REPLICATION)' FROM mine WHERE rolreplication
        UNION ALL SELECT 3, rolname, 'a role that reads or writes past all grants' FROM mine
            WHERE rolname IN ('pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
        UNION ALL SELECT 4, m.rolname, 'the owner of the database' FROM mine m JOIN pg_database d ON d.datdba = m.oid
            WHERE d.datname = current_database()
        UNION ALL SELECT 5, m.rolname, 'the owner of schema ' || n.nspname FROM mine m
            JOIN pg_namespace n ON n.nspowner = m.oid WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        UNION ALL SELECT 6, m.rolname, 'the owner of ' || c.oid::regclass FROM mine m
            JOIN pg_class c ON c.relowner = m.oid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        UNION ALL SELECT 7, m.rolname, 'the owner of function ' || f.proname FROM mine m
            JOIN pg_proc f ON f.proowner = m.oid JOIN pg_namespace n ON n.oid = f.pronamespace
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
    SELECT rolname = session_user AS itself, rolname, why FROM named ORDER BY rank, rolname = session_user DESC, rolname LIMIT 1
"""


class UnsafeRoleError(RuntimeError):
    """The application was given a database role that row-level security does not bind, or that can become such a role."""


async def _refuse_unsafe_role(connection: Connection) -> None:
    """Whoever owns a table can switch its row-level security off, and whoever is a member of a role can become it."""
    found = await connection.fetchrow(_UNSAFE)
    if found is not None:
        who = "is" if found["itself"] else f"belongs to {found['rolname']}, which is"
        raise UnsafeRoleError(f"the application's role {who} {found['why']}; give it a role that only uses the tables")


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def _prepare(connection: asyncpg.Connection) -> None:
    decode: Callable[[str], Any] = msgspec.json.decode
    await connection.set_type_codec("jsonb", encoder=_encode, decoder=decode, schema="pg_catalog", format="text")


async def _slot(url: str, limits: Mapping[str, str]) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        url, min_size=0, max_size=1, max_inactive_connection_lifetime=_IDLE_S, timeout=_CONNECT_S, init=_prepare,
        reset=_hand_back, server_settings=dict(limits),
    )  # fmt: skip


async def _hand_back(connection: Connection) -> None:
    """Nothing outlives a transaction here; only one that was cut off in the middle of it has to be cleaned."""
    if connection.is_in_transaction():
        await connection.reset()


class Lane(StrEnum):
    """Who waits in which line. Nobody at the counter waits for those who plan or for a lock."""

    COUNTER = "counter"  # sign-in, sessions, readiness and short reads: takes no lock that others hold for long
    PLANNING = "planning"  # quotes and boards: long to think, locking nothing
    COMMANDS = "commands"  # whatever takes a plan's lock
    FEED = "feed"  # following the feed, which must go on whoever stands at the door


class Database:
    """Lines of connections as the application role; every transaction is opened as a principal."""

    def __init__(self, lines: Mapping[Lane, Line], url: str) -> None:
        self._lines = lines
        self.url = url

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        size: int = 10,
        lanes: Mapping[Lane, int] | None = None,
        patience_s: float | None = PATIENCE_S,
        limits: Mapping[str, str] = LIMITS,
        time_zone: str = "UTC",
    ) -> "Database":
        """Connect and refuse a role that is not bound by row-level security. Raises UnsafeRoleError.

        `lanes` gives each line its connections; without it one line of `size` serves everybody. `time_zone` is the city's:
        statements that take the date of an instant, as those for figures in force do, mean the date there.
        """
        asked = {**limits, "timezone": time_zone}
        database = await cls.connect(url, lanes or {Lane.COUNTER: size}, patience_s=patience_s, limits=asked)
        try:
            async with database.as_nobody() as connection:
                await _refuse_unsafe_role(connection)
        except BaseException:
            database.terminate()
            raise
        return database

    @classmethod
    async def connect(
        cls, url: str, lanes: Mapping[Lane, int], *, patience_s: float | None, limits: Mapping[str, str]
    ) -> "Database":
        """Make the lines, whoever the role is; connections are opened as they are needed."""
        lines = {
            lane: Line(
                [await _slot(url, limits) for _ in range(size)], patience_s=None if lane is Lane.FEED else patience_s
            )
            for lane, size in lanes.items()
        }
        return cls(lines, url)

    async def close(self) -> None:
        """Give every connection back and close it; those that do not come back within a moment are cut."""
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await asyncio.gather(*(line.close() for line in self._lines.values()))
        except TimeoutError:
            self.terminate()

    def terminate(self) -> None:
        """Close every connection now."""
        for line in self._lines.values():
            line.terminate()

    def line(self, lane: Lane) -> Line:
        """The line of a lane; a process without one of its own has everybody at the counter."""
        return self._lines.get(lane) or self._lines[Lane.COUNTER]

    @asynccontextmanager
    async def unit_of_work(
        self, principal: Principal, lane: Lane = Lane.COUNTER, key: Hashable = None
    ) -> AsyncGenerator[Connection]:
        """One transaction that sees and writes only what row-level security grants the principal.

        `key` is the zone whose plan it locks, else the account that asks: one key never takes a whole lane. Raises busy.
        """
        async with AsyncExitStack() as stack:
            try:
                connection = await self._begun(stack, principal, lane, key or principal.account_id)
            except ENDED:  # nothing has been done yet, so it can be begun again
                connection = await self._begun(stack, principal, lane, key or principal.account_id)
            yield connection

    async def _begun(self, stack: AsyncExitStack, principal: Principal, lane: Lane, key: Hashable) -> Connection:
        """A transaction of the principal's, which ends when the stack is left."""
        async with AsyncExitStack() as mine:
            connection = await mine.enter_async_context(self.line(lane).connection(key))
            await mine.enter_async_context(connection.transaction())
            await connection.execute(
                _SET_PRINCIPAL,
                principal.role.value,
                str(principal.account_id or ""),
                str(principal.provider_id or ""),
                str(principal.worker_id or ""),
                ",".join(str(resident_id) for resident_id in principal.resident_ids),
            )
            await stack.enter_async_context(mine.pop_all())
        return connection

    @asynccontextmanager
    async def as_nobody(self) -> AsyncGenerator[Connection]:
        """A connection without a principal: row-level security shows it nothing, so only our SQL functions answer."""
        async with self.line(Lane.COUNTER).connection() as connection:
            yield connection

    async def ask_as_nobody(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        """What one statement answers to nobody in particular; asked again on another connection when the first had ended.

        So `question` is only what may be done twice.
        """
        try:
            async with self.as_nobody() as connection:
                return await question(connection)
        except ENDED:
            async with self.as_nobody() as connection:
                return await question(connection)

    async def listen(self) -> asyncpg.Connection:
        """A connection of its own, outside the lines, for LISTEN; the caller closes it."""
        return await asyncpg.connect(self.url, timeout=_CONNECT_S, server_settings=dict(LIMITS))


@asynccontextmanager
async def as_the_platform(connection: Connection) -> AsyncGenerator[None]:
    """Widen one transaction for writes a person may cause but not make: plans, timers, other people's routes.

    Callers have checked the person's right before, on rows read as that person.
    """
    before = await connection.fetchval("SELECT current_setting('app.role', true)")
    await connection.execute("SELECT set_config('app.role', 'system', true)")
    yield
    await connection.execute("SELECT set_config('app.role', $1, true)", before or "")
