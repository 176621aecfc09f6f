"""Who may touch which row: the role the application is let in with, the policies of every table, and its grants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from alembic import command

from backend.core.principal import SYSTEM, Principal, Role
from backend.database.migrate import _config, upgrade
from backend.database.owner import open_as_owner
from backend.database.pool import Database, UnsafeRoleError
from backend.processes.embedded import APP, OWNER, Embedded, Urls
from tests.support.statements import Writes, written_by_the_platform

_HARMLESS = "CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS"
_UNSAFE = {
    "a superuser": ["ALTER ROLE {role} SUPERUSER"],
    "not bound by row-level security": ["ALTER ROLE {role} BYPASSRLS"],
    "one who makes roles": ["ALTER ROLE {role} CREATEROLE"],
    "one who copies the server": ["ALTER ROLE {role} REPLICATION"],
    "a member of the owner": [f"GRANT {OWNER} TO {{role}}"],
    "one who may only become the owner": [f"GRANT {OWNER} TO {{role}} WITH INHERIT FALSE, SET TRUE"],
    "one who inherits but may not become": [f"GRANT {OWNER} TO {{role}} WITH INHERIT TRUE, SET FALSE"],
    "a member of a member": ["CREATE ROLE {role}_group", f"GRANT {OWNER} TO {{role}}_group", "GRANT {role}_group TO {role}"],
    "a member of a bypassing role": ["CREATE ROLE {role}_group BYPASSRLS", "GRANT {role}_group TO {role}"],
    "a member of a superuser": ["CREATE ROLE {role}_group SUPERUSER", "GRANT {role}_group TO {role}"],
    "the owner of one table": ["CREATE TABLE owned (id int)", "ALTER TABLE owned OWNER TO {role}"],
    "the owner of a table elsewhere": ["CREATE SCHEMA other", "CREATE TABLE other.owned (id int)",
                                       "ALTER TABLE other.owned OWNER TO {role}"],
    "the owner of one function": ["CREATE FUNCTION owned() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                                  "ALTER FUNCTION owned() OWNER TO {role}"],
    "the owner of a view": ["CREATE VIEW owned AS SELECT 1 AS one", "ALTER VIEW owned OWNER TO {role}"],
    "the owner of a schema": ["CREATE SCHEMA owned AUTHORIZATION {role}"],
    "the owner of the database": ["ALTER DATABASE {database} OWNER TO {role}"],
    "one who writes past grants": ["GRANT pg_write_all_data TO {role}"],
    "one who always becomes another": ["CREATE ROLE {role}_group SUPERUSER", "ALTER ROLE {role} SUPERUSER",
                                       "ALTER ROLE {role} SET role = '{role}_group'"],
}  # fmt: skip


@asynccontextmanager
async def _role(server: Embedded, database: str, statements: list[str]) -> AsyncIterator[str]:
    """A role of its own in a database, with rights as told; yields its address."""
    role = f"someone_{uuid4().hex[:12]}"
    superuser = await asyncpg.connect(server.url(database))
    try:
        for statement in [_HARMLESS, *statements]:
            await superuser.execute(statement.format(role=role, database=database))
        yield server.url(database, role)
    finally:
        await superuser.execute(f"ALTER DATABASE {database} OWNER TO {OWNER}")
        for name in (role, f"{role}_group"):
            if await superuser.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
                await superuser.execute(f"REASSIGN OWNED BY {name} TO {OWNER}; DROP OWNED BY {name}; DROP ROLE {name}")
        await superuser.close()


def _name(urls: Urls) -> str:
    return urlsplit(urls.app).path.lstrip("/")


@pytest.mark.parametrize("kind", _UNSAFE)
async def test_a_role_that_is_not_bound_or_could_free_itself_is_refused(
    server: Embedded, database_urls: Urls, kind: str
):
    """Row-level security binds nobody who owns, bypasses, is a superuser, or can become such a one by any way."""
    async with _role(server, _name(database_urls), _UNSAFE[kind]) as url:
        with pytest.raises(UnsafeRoleError):
            await Database.open(url, size=1)


async def test_the_owner_is_refused_and_the_application_is_let_in(database_urls: Urls):
    with pytest.raises(UnsafeRoleError, match="owner"):
        await Database.open(database_urls.owner, size=1)
    database = await Database.open(database_urls.app, size=1)
    await database.close()


async def test_a_harmless_role_is_let_in(server: Embedded, database_urls: Urls):
    async with _role(server, _name(database_urls), []) as url:
        database = await Database.open(url, size=1)
        await database.close()


async def _rows(urls: Urls, sql: str, *args: Any) -> list[asyncpg.Record]:
    owner = await open_as_owner(urls.owner)
    try:
        async with owner.unit_of_work(SYSTEM) as connection:
            return await connection.fetch(sql, *args)
    finally:
        await owner.close()


async def test_every_table_binds_everybody_with_row_level_security(database_urls: Urls):
    """Partitions too: they can be named in a statement of their own."""
    open_tables = await _rows(
        database_urls,
        """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
           AND NOT (relrowsecurity AND relforcerowsecurity)""",
    )
    assert [row["relname"] for row in open_tables] == []


async def test_next_months_partitions_are_bound_too(database_urls: Urls):
    months = await _rows(database_urls, "SELECT prepare_partition(parent, first) AS made FROM missing_partitions(7)")
    assert [month["made"] for month in months] == [True] * 8
    await test_every_table_binds_everybody_with_row_level_security(database_urls)
    readable = await _rows(
        database_urls,
        f"SELECT relname FROM pg_class WHERE relispartition AND has_any_column_privilege('{APP}', oid, 'SELECT')",
    )
    assert [row["relname"] for row in readable] == []


async def test_every_table_has_policies_and_every_policy_that_lets_write_says_what(database_urls: Urls):
    policies = await _rows(
        database_urls,
        "SELECT tablename, policyname, cmd, permissive, with_check FROM pg_policies WHERE schemaname = 'public'",
    )
    silent = [(p["tablename"], p["policyname"]) for p in policies if p["cmd"] != "SELECT" and p["with_check"] is None]
    assert silent == []
    tables = await _rows(
        database_urls,
        """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
           AND relnamespace = 'public'::regnamespace""",
    )
    assert {row["relname"] for row in tables} == {p["tablename"] for p in policies}


_MAY = """
    SELECT c.relname, a.attname, has_table_privilege($1, c.oid, 'INSERT') AS inserts,
           has_table_privilege($1, c.oid, 'DELETE') AS deletes, has_table_privilege($1, c.oid, 'TRUNCATE') AS truncates,
           has_table_privilege($1, c.oid, 'REFERENCES') OR has_table_privilege($1, c.oid, 'TRIGGER') AS builds,
           has_column_privilege($1, c.oid, a.attnum, 'UPDATE') AS updates
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'v') AND c.relnamespace = 'public'::regnamespace
"""


async def test_the_application_may_write_exactly_what_its_statements_write(database_urls: Urls):
    """Read from the SQL of the processes themselves: a right nobody uses is a way in, a missing one is a failed request."""
    does: Writes = written_by_the_platform()
    rows = await _rows(database_urls, _MAY, APP)
    assert {r["relname"] for r in rows if r["inserts"]} == does.inserted
    assert {r["relname"] for r in rows if r["deletes"]} == does.deleted
    assert not [r["relname"] for r in rows if r["truncates"] or r["builds"]]
    may: dict[str, set[str]] = {}
    for row in rows:
        if row["updates"]:
            may.setdefault(row["relname"], set()).add(row["attname"])
    keys = {"zone_leases": "zone_id"}  # locking a row takes a right to change something of it
    locked_only = {table: {keys.get(table, "id")} for table in does.locked - set(does.updated)}
    assert may == {**does.updated, **locked_only}


async def test_nobody_is_shown_nothing_and_a_person_cannot_write_past_the_policies(database_urls: Urls):
    database = await Database.open(database_urls.app, size=1)
    try:
        async with database.as_nobody() as connection:
            for table in ("zones", "places", "providers", "leaves", "offer_seats", "plans", "zone_leases", "shifts"):
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        for role in (Role.RESIDENT, Role.SUPERVISOR, Role.WORKER):
            for statement in (
                "INSERT INTO places (geometry, x, y) VALUES ('wgs84', 1, 1)",
                "INSERT INTO audit (actor_id, role, action, subject) VALUES (uuidv7(), 'operator', 'cancel', 'order')",
                "INSERT INTO events (type, keys, data) VALUES ('order.placed', '{}', '{}')",
                "INSERT INTO accounts (role, name) VALUES ('operator', 'x')",
                "INSERT INTO account_numbers (account_id, phone) VALUES (uuidv7(), '+8613800000000')",
                "SELECT account_for_resident('x', '+8613800000000')",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with database.unit_of_work(Principal(role, account_id=uuid4())) as connection:
                        await connection.execute(statement)
    finally:
        await database.close()


async def test_a_database_from_before_keeps_every_row_and_its_functions_see_them(server: Embedded):
    """The owner that migrates is bound from now on: whoever forgets that sees an empty city."""
    urls = await server.bootstrap(f"before_{uuid4().hex[:12]}")
    config = _config()
    config.attributes["url"] = urls.owner
    await asyncio.to_thread(command.upgrade, config, "0011")
    owner = await asyncpg.connect(urls.owner)
    try:
        account = await owner.fetchval(
            "INSERT INTO accounts (role, name, phone) VALUES ('worker', 'x', '+861') RETURNING id"
        )
        await owner.execute(
            "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ('t', $1, now() + interval '1 day')",
            account,
        )
        await owner.execute("INSERT INTO zones (code, name, travel_kind) VALUES ('A', 'A', 'plane')")
        await asyncio.to_thread(upgrade, urls.owner)
        assert await owner.fetchval("SELECT count(*) FROM accounts") == 0, "the owner is bound too"
        database = await Database.open(urls.app, size=1)
        try:
            async with database.as_nobody() as connection:
                assert await connection.fetchval("SELECT account_id FROM session_by_token('t')") == account
                assert await connection.fetchval("SELECT current_setting('app.role', true)") in ("", None)
            async with database.unit_of_work(SYSTEM) as connection:
                for table in ("accounts", "sessions", "zones"):
                    assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1, table
        finally:
            await database.close()
    finally:
        await owner.close()
        await server.drop_database(_name(urls))
