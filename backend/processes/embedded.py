"""PostgreSQL 18 from a wheel: started beside the program, with the same roles a production database has."""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import asyncpg
from msgspec import Struct

from backend.processes.guard import FOLDER, guard
from backend.processes.postgres import PORT, Server

OWNER, APP = "yinling_owner", "yinling_app"
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
_APP_LIMITS = {
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "15s",
    "transaction_timeout": "20s",
    "lock_timeout": "4s",
}


class Urls(Struct, frozen=True):
    """One database as its owner (migrations) and as the application (everything else)."""

    owner: str
    app: str


class Embedded:
    """A running server; leaving the `with` block stops it, and so does the end of this program, however it ends."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Start it. Raises ServerError.

        A server that is not durable loses nothing when a process is killed, but everything when the machine is.
        """
        for name in [name for name in os.environ if name.startswith("PG")]:
            del os.environ[name]  # what a desktop says of other servers would lead every client of ours astray
        self.folder = folder
        self._server = Server(folder, durable=durable)

    def __enter__(self) -> "Embedded":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def runs(self) -> bool:
        """Whether the server is still there: it may have been killed."""
        return self._server.runs

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """The address of one database, as the server's superuser or as another role."""
        where = quote(str(self._server.socket_folder), safe="/")
        return f"postgresql://{quote(user)}@/{database}?host={where}&port={PORT}"

    async def bootstrap(self, database: str) -> Urls:
        """Make the two roles and the database, once. The application role owns nothing and cannot bypass row security."""
        connection = await asyncpg.connect(self.url())
        try:
            await _roles(connection)
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
                await connection.execute(f"CREATE DATABASE {_safe(database)} OWNER {OWNER}")
        finally:
            await connection.close()
        return self.urls(database)

    def urls(self, database: str) -> Urls:
        """The two addresses of a database."""
        return Urls(self.url(database, OWNER), self.url(database, APP))

    async def copy_database(self, template: str, database: str) -> Urls:
        """A fresh copy of a migrated template, for one test."""
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(
                f"CREATE DATABASE {_safe(database)} TEMPLATE {_safe(template)} OWNER {OWNER} STRATEGY file_copy"
            )  # block by block through the log, as is usual, takes half as long again
        finally:
            await connection.close()
        return self.urls(database)

    async def has_database(self, database: str) -> bool:
        """Whether there is a database of this name."""
        connection = await asyncpg.connect(self.url())
        try:
            return await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database)
        finally:
            await connection.close()

    async def rename_database(self, database: str, name: str) -> None:
        """Give a database to which nobody is connected another name."""
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(f"ALTER DATABASE {_safe(database)} RENAME TO {_safe(name)}")
        finally:
            await connection.close()

    async def drop_database(self, database: str) -> None:
        """Throw a database away, whoever is still connected."""
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {_safe(database)} WITH (FORCE)")
        finally:
            await connection.close()


async def _roles(connection: asyncpg.Connection) -> None:
    for role in (OWNER, APP):
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
            await connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE")
    for setting, limit in _APP_LIMITS.items():
        await connection.execute(f"ALTER ROLE {APP} SET {setting} = '{limit}'")


def _safe(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"not a database name: {name!r}")
    return name


@contextmanager
def temporary_folder(prefix: str, *, keep: bool = False, parent: Path | None = None) -> Generator[Path]:
    """A folder for one run, with a server's data in it; it goes with this program, however that ends, unless kept."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    folder.chmod(0o711)  # started by root, the server runs as another user
    if keep:
        yield folder
        return
    guard.hold(FOLDER, str(folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        guard.release(FOLDER, str(folder))


def fresh_secret() -> str:
    """A secret for one demo or replay."""
    return secrets.token_urlsafe(32)
