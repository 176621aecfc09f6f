"""No statement of the platform reads a whole table that grows: row-level security keeps indexes from many a condition."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from backend.core.principal import SYSTEM
from backend.database.pool import Connection, Database
from backend.processes.embedded import Embedded, Urls
from tests.support.statements import statements

_SMALL = {
    "zones", "facilities", "catalogue_versions", "zone_leases", "feed_epoch", "roster_stamp", "care_clock", "alembic_version",
    "item_checks", "item_lines", "workers", "pg_authid", "pg_namespace",
}  # fmt: skip
"""Tables that can be read whole: what a city has of places and people at work, or one row."""
_FEW = {"orders_to_review", "orders_unreadable", "desk_tasks_one_open", "emergencies_open"}
"""Indexes that hold a few rows of a large table: what waits at a desk."""
_MAY = {
    "DELETE FROM limits ": "housekeeping, now and then: one index less to write with every sign-in",
    "DELETE FROM sessions ": "tickets live for half a minute",
    "SELECT at, type, data": "the newest events: it ends with the first few of orders",
}
"""Statements that read a whole table all the same, and why they may."""
_NO_OTHER_WAY = """
    SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
    SET LOCAL plan_cache_mode = force_generic_plan
"""
_MANY_CONSENTS = """
    SET session_replication_role = replica;
    INSERT INTO consents (resident_id, account_id, purpose, given_by, channel, evidence, text_version, phone, person)
    SELECT uuidv7(), CASE n % 2 WHEN 0 THEN uuidv7() END, 'book', 'resident', 'phone', 'call ' || n, '1', '+86139' || (10000000 + n), '某人'
    FROM generate_series(1, 2000) n;
    INSERT INTO consent_requests (account_id, person, phone, sought, named_id, resident_id, purposes, by_desk, expires_at)
    SELECT uuidv7(), '某人', '', '某人', uuidv7(), uuidv7(), '{book}', true, now() FROM generate_series(1, 2000) n;
    INSERT INTO consent_looks (resident_id, account_id, purpose, hour, looked_at)
    SELECT uuidv7(), uuidv7(), 'status', now(), now() FROM generate_series(1, 2000) n;
    INSERT INTO sign_in_cards (account_id, token_hash, digits_hash, printed_by, expires_at)
    SELECT uuidv7(), sha256(n::text::bytea), sha256(('d' || n)::bytea), uuidv7(), now() FROM generate_series(1, 2000) n;
    ANALYZE sign_in_cards; ANALYZE consent_requests; ANALYZE consent_looks
"""


async def test_no_statement_reads_a_whole_table_that_grows(server: Embedded, database_urls: Urls, database: Database):
    """A condition that is not leakproof waits behind the policy, so no index is used for it: seconds in a large city.

    The planner is told that sequential scans cost more than anything: one it plans all the same has no index to go by.
    """
    await _fill(server, database_urls)
    asked = list(statements())
    assert len(asked) > 150
    whole = {}
    for place, sql in asked:
        if found := set(_whole(await _plan(database, sql))):
            whole[f"{place} {' '.join(sql.split())[:60]}"] = found
    assert {name: found for name, found in whole.items() if not any(may in name for may in _MAY)} == {}
    assert [may for may in _MAY if not any(may in name for name in whole)] == [], "no longer so"


async def test_the_session_of_a_token_is_found_by_its_index(database: Database):
    """Each request asks for it through a function of the database, which cannot be read from our source."""
    assert list(_whole(await _plan(database, "SELECT s.* FROM signed_in s WHERE s.token_hash = $1"))) == []


async def _fill(server: Embedded, urls: Urls) -> None:
    """Rows where an empty table would be read whole because it is empty."""
    superuser = await asyncpg.connect(server.url(urlsplit(urls.app).path.lstrip("/")))
    await superuser.execute(_MANY_CONSENTS)
    await superuser.close()


async def _plan(database: Database, sql: str) -> dict[str, Any]:
    """Ask the database how it would go about a statement whatever its parameters are."""
    async with database.unit_of_work(SYSTEM) as connection:
        await connection.execute(f"{_NO_OTHER_WAY}; PREPARE asked AS {sql}")
        anything = ", ".join(["NULL"] * await _parameters(connection))
        answer = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked{anything and f' ({anything})'}")
        await connection.execute("DEALLOCATE asked")
    return json.loads(answer)[0]["Plan"]


async def _parameters(connection: Connection) -> int:
    return await connection.fetchval(
        "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'asked'"
    )


def _whole(plan: dict[str, Any], table: str = "") -> Iterator[str]:
    """The tables of which a plan reads all rows, and the indexes it reads from end to end."""
    table = plan.get("Relation Name", table)
    scans = plan["Node Type"] == "Seq Scan" or ("Index Name" in plan and "Index Cond" not in plan)
    if scans and table not in _SMALL and plan.get("Index Name") not in _FEW:
        yield plan.get("Index Name", table)
    for part in plan.get("Plans", ()):
        yield from _whole(part, table)
