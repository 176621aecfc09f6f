"""What planning reads of a day costs what is open, not what is over; and what a transaction was dies with it."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from backend.core.principal import SYSTEM
from backend.database.pool import Connection, Database
from backend.processes.embedded import Urls
from backend.scheduling import queries
from tests.support.city import DAY, City, at

REHAB = "rehab-home"
OPEN, OVER = 6, 200


class Explaining:
    """A connection that answers every reading with how many rows PostgreSQL looked at for it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.looked_at = 0

    async def fetch(self, statement: str, *args: Any) -> list[Any]:
        rows = await self._connection.fetch("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, *args)
        self.looked_at += sum(_rows(node) for node in _nodes(json.loads(rows[0][0])[0]["Plan"]))
        return []


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _rows(node: dict[str, Any]) -> float:
    """Rows a scan of orders or stops has produced or thrown away."""
    if node.get("Relation Name") not in {"orders", "stops"}:
        return 0
    return (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]


async def _looked_at(city: City) -> dict[str, int]:
    found: dict[str, int] = {}
    for zone in await city.sql("SELECT DISTINCT zone_id, plan_on FROM orders"):
        plan_id = await city.one("SELECT id FROM plans WHERE zone_id = $1 AND plan_on = $2", *zone.values())
        workers = [row["id"] for row in await city.sql("SELECT id FROM workers ORDER BY id")]
        waiting = [row["id"] for row in await city.sql("SELECT id FROM orders WHERE status = 'en_route'")]
        async with city.database.unit_of_work(SYSTEM) as connection:
            for what in ("stops", "visits"):
                explaining: Any = Explaining(connection)
                if what == "stops":
                    await queries.live_stops(explaining, plan_id, zone["zone_id"], zone["plan_on"], workers)
                else:
                    await queries.visits(explaining, zone["zone_id"], zone["plan_on"], waiting)
                found[what] = explaining.looked_at
    return found


@pytest.mark.spoils("an order has another crew")
async def test_a_finished_order_is_not_looked_at_once_for_each_open_one(city: City):
    operator = await city.staff("operator")
    for number in range(OPEN):
        someone = await city.resident(number=number)
        await city.booked(operator, someone["id"], REHAB, at(9), at(17), channel="phone")
    await city.sql("UPDATE orders SET status = 'en_route'")
    before = await _looked_at(city)
    assert before["stops"] >= OPEN
    assert before["visits"] >= OPEN
    await city.sql(
        """INSERT INTO orders SELECT over.* FROM orders o, generate_series(1, $1) n, jsonb_populate_record(
               o, jsonb_build_object('id', uuidv7(), 'code', 'over' || n, 'status', 'completed')) over
           WHERE o.id = (SELECT id FROM orders ORDER BY id LIMIT 1)""",
        OVER,
    )
    await city.sql(
        """INSERT INTO stops SELECT over.* FROM stops s, orders o, jsonb_populate_record(
               s, jsonb_build_object('id', uuidv7(), 'order_id', o.id, 'active', false, 'started', true)) over
           WHERE s.id = (SELECT id FROM stops ORDER BY id LIMIT 1) AND o.status = 'completed'"""
    )
    after = await _looked_at(city)
    assert after["stops"] <= before["stops"] + 2 * OVER
    assert after["visits"] <= before["visits"] + 2 * OVER


async def test_seats_and_gaps_come_with_the_order_they_belong_to(city: City):
    operator, someone = await city.staff("operator"), await city.resident(ability=3)
    bath = await city.booked(operator, someone["id"], "bath-home", at(9), at(12), channel="phone")
    rehab = await city.booked(operator, someone["id"], REHAB, at(9), at(17), channel="phone")
    async with city.database.unit_of_work(SYSTEM) as connection:
        read = await queries.visits(
            connection, bath_zone := UUID(str(someone["zone_id"])), DAY, [UUID(bath["id"]), UUID(rehab["id"])]
        )
    assert read.spoilt == []
    rows = read.rows
    assert bath_zone
    by_id = {str(row.order_id): row for row in rows}
    assert [seat.number for seat in by_id[bath["id"]].seats] == [1, 2]
    tied = {(str(link.before_id), str(row.order_id)) for row in rows for link in row.links}
    assert tied & {(bath["id"], rehab["id"]), (rehab["id"], bath["id"])}


async def test_whoever_gets_a_connection_next_is_not_who_had_it_before(database_urls: Urls):
    opened = await Database.open(database_urls.app, size=1)
    try:
        async with opened.unit_of_work(SYSTEM) as connection:
            assert await connection.fetchval("SELECT current_setting('app.role')") == "system"
        async with opened.as_nobody() as connection:
            assert not await connection.fetchval("SELECT current_setting('app.role', true)")
            assert not await connection.fetchval("SELECT app_sees_all()")
    finally:
        await opened.close()
