"""The database holds no infinity and no NaN, whoever writes it, and mends what it held before it refused them."""

import importlib
from uuid import UUID

import asyncpg
import pytest

from backend.core.principal import SYSTEM
from backend.database.pool import Connection
from tests.support.city import City, at

MIGRATION = importlib.import_module("migrations.versions.0014_nothing_infinite")

COULD = """
    SELECT c.relname AS of_table, a.attname AS name, format_type(a.atttypid, NULL) AS kind,
           EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
                   AND k.conkey = ARRAY[a.attnum] AND pg_get_constraintdef(k.oid) LIKE '%is_finite(%') AS refused
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND format_type(a.atttypid, NULL) IN ('timestamp with time zone', 'timestamp without time zone', 'date', 'tstzrange',
          'tsrange', 'daterange', 'double precision', 'real', 'numeric', 'interval')
"""


async def test_every_column_that_could_hold_an_infinity_refuses_it(city: City):
    """A migration that adds such a column ends with SELECT refuse_infinities()."""
    columns = await city.sql(COULD)
    assert len(columns) > 50
    assert [f"{c['of_table']}.{c['name']}" for c in columns if not c["refused"]] == []


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("UPDATE orders SET ready_at = {}", ["'-infinity'", "'infinity'", "'0001-01-01 00:00+00'", "'20000-01-01 00:00+00'"]),
        ("UPDATE shifts SET during = {}", ["'[,]'", "'[-infinity,infinity]'", "'[2030-01-01,]'", "'[,2030-01-01]'"]),
        ("UPDATE places SET x = {}", ["'NaN'", "'Infinity'", "'-Infinity'", "1e300"]),
        ("UPDATE residents SET born_on = {}", ["'infinity'", "'-infinity'", "'0001-01-01'"]),
    ],
)  # fmt: skip
async def test_infinities_are_refused_by_the_database_itself(city: City, statement: str, values: list[str]):
    operator, someone = await city.staff("operator"), await city.resident()
    await city.booked(operator, someone["id"], "rehab-home", at(9), at(17), channel="phone")
    for value in values:
        async with city.owner.unit_of_work(SYSTEM) as connection:
            with pytest.raises(asyncpg.CheckViolationError, match=r"_finite|places_on_the_map"):
                await connection.execute(statement.format(value))


async def _unguarded(connection: Connection) -> None:
    for row in await connection.fetch(
        """SELECT conrelid::regclass AS t, conname FROM pg_constraint
           WHERE conname LIKE '%_finite' OR conname = 'places_on_the_map'"""
    ):
        await connection.execute(f'ALTER TABLE {row["t"]} DROP CONSTRAINT IF EXISTS "{row["conname"]}"')


@pytest.mark.spoils("a window is not")
async def test_what_was_infinite_before_is_mended_or_set_aside(city: City):
    operator = await city.staff("operator")
    await city.sql("DELETE FROM leaves")
    people = [await city.resident(number=number) for number in range(3)]
    late, spoilt, whole = [
        await city.booked(operator, someone["id"], "rehab-home", at(9), at(17), channel="phone") for someone in people
    ]
    async with city.owner.unit_of_work(SYSTEM) as connection:
        await _unguarded(connection)
    async with city.owner.unit_of_work(SYSTEM) as connection:
        await connection.execute("UPDATE orders SET ready_at = '-infinity' WHERE id = $1", UUID(late["id"]))
        await connection.execute("UPDATE orders SET window_from = '-infinity' WHERE id = $1", UUID(spoilt["id"]))
        await connection.execute("UPDATE care_clock SET ceiling_at = 'infinity'")
        await connection.execute("UPDATE accounts SET created_at = '-infinity'")
        await connection.execute("UPDATE places SET x = 'NaN' WHERE id = (SELECT min(place_id::text)::uuid FROM homes)")
        await connection.execute("UPDATE residents SET born_on = 'infinity'")
        await connection.execute(
            "INSERT INTO leaves (worker_id, during, reason) SELECT min(id::text)::uuid, '[2030-04-01,]', 'sick' FROM workers"
        )
    async with city.owner.unit_of_work(SYSTEM) as connection:
        await connection.execute(MIGRATION.MEND)
        await connection.execute("SELECT refuse_infinities()")
    assert (await city.order(late["id"]))["ready_at"] is None
    assert (await city.order(late["id"]))["flags"] == ["MENDED"]
    assert (await city.order(late["id"]))["status"] == "placed"
    aside = await city.order(spoilt["id"])
    assert (aside["status"], aside["reason"], aside["flags"]) == ("manual", "unreadable", ["MENDED"])
    assert await city.one("SELECT count(*) FROM stops WHERE order_id = $1", UUID(spoilt["id"])) == 0
    assert {k: v for k, v in (await city.order(whole["id"])).items() if k != "flags"}["status"] == "placed"
    assert (await city.order(whole["id"]))["flags"] == []
    assert await city.one("SELECT count(*) FROM places WHERE geometry = 'none'") == 1
    assert await city.one("SELECT yinling_now()") == at(8)
    assert await city.one("SELECT count(*) FROM leaves WHERE NOT upper_inf(during)") == 1
