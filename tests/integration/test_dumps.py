"""A dump made as ops/README.md says holds every row, and a city restored from it is the same city."""

import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.places import account, binaries
from tests.support.city import City, at

ROLES = Path(__file__).parents[2] / "ops" / "postgres-roles.sh"
BACKUP = "yinling_backup"


async def _as_superuser(server: Embedded, database: str, *statements: str) -> None:
    connection = await asyncpg.connect(server.url(database))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def backup(server: Embedded) -> AsyncIterator[str]:
    """The role for dumps, made by the very statements an operator runs."""
    own = [line for line in ROLES.read_text().splitlines() if BACKUP in line and line.endswith(";")]
    assert len(own) == 3, own
    await _as_superuser(server, "postgres", *(line.replace(":'backup'", "'an invented password'") for line in own))
    yield BACKUP
    await _as_superuser(server, "postgres", f"DROP ROLE {BACKUP}")


async def _program(name: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run, [binaries(account()) / name, *map(str, arguments)], capture_output=True, text=True, check=False,
        env={"PATH": os.environ.get("PATH", "")},
    )  # fmt: skip


async def _rows(server: Embedded, database: str) -> dict[str, Any]:
    """How many rows each table has, partitions one by one, and a digest of them all, past row-level security."""
    connection = await asyncpg.connect(server.url(database))
    try:
        tables = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
        )
        return {
            table["relname"]: tuple(
                await connection.fetchrow(
                    f"SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table['relname']} t"
                )
            )
            for table in tables
        }
    finally:
        await connection.close()


async def _lived(city: City) -> str:
    """Something in many tables; returns the database's name."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, someone = await city.staff("operator"), await city.resident()
    order = await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    await city.dispatch()
    worker = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
    await city.clock(at(10))
    assert (await worker.post(f"/v1/orders/{order['id']}/check-in", {})).status_code == 200
    return await city.one("SELECT current_database()")


async def test_a_dump_by_the_backup_role_holds_every_row_and_is_restored_to_the_same_city(
    server: Embedded, city: City, backup: str
):
    """Row-level security is forced on every table, and a dump that it thins out looks like any other until it is needed."""
    name = await _lived(city)
    before = await _rows(server, name)
    filled = {table for table, (count, _) in before.items() if count}
    assert {"orders", "stops", "assignments", "visit_records", "homes", "idempotency_keys", "timers"} <= filled
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "city.dump"
        made = await _program("pg_dump", "--format=custom", f"--dbname={server.url(name, backup)}", f"--file={file}")
        assert made.returncode == 0, made.stderr
        await _as_superuser(server, "postgres", f"CREATE DATABASE {name}_again OWNER yinling_owner")
        restored = await _program("pg_restore", f"--dbname={server.url(f'{name}_again')}", file)
        assert (restored.returncode, restored.stderr) == (0, "")
    try:
        assert await _rows(server, f"{name}_again") == before
        database = await Database.open(server.urls(f"{name}_again").app)
        async with database.unit_of_work(SYSTEM) as connection:
            assert await connection.fetchval("SELECT status FROM orders") == "in_service"
        async with database.as_nobody() as connection:
            assert await connection.fetchval("SELECT count(*) FROM orders") == 0, (
                "whom rows are hidden from comes along"
            )
        await database.close()
    finally:
        await server.drop_database(f"{name}_again")


async def test_the_owner_is_refused_a_dump_and_the_backup_role_every_write(server: Embedded, city: City, backup: str):
    """No dump at all is better than one with rows missing; and whoever steals the backup's login changes nothing."""
    name = await city.one("SELECT current_database()")
    refused = await _program("pg_dump", f"--dbname={city.owner.url}")
    assert refused.returncode != 0
    assert re.search("query would be affected by row-level security policy", refused.stderr)
    connection = await asyncpg.connect(server.url(name, backup))
    try:
        assert await connection.fetchval("SELECT count(*) FROM residents") > 0
        await connection.execute("SET default_transaction_read_only = off")
        for table in await connection.fetch("SELECT oid::regclass::text AS name FROM pg_class WHERE relrowsecurity"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM {table['name']}")
    finally:
        await connection.close()
