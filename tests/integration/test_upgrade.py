"""A city that ran on an older version goes on after `migrate`.

The dump was made with pg_dump 18 by the code at schema 0011 (commit 371dd7d), after a morning in fast motion: 200 orders
in nine states, held slots, open offers, running visits, sessions, and one order that nobody could read any more (its meal
ready at minus infinity). Everybody in it is invented.
"""

import asyncio
import lzma
import os
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from backend.core.principal import SYSTEM
from backend.database.migrate import newest_revision, present_revision, upgrade
from backend.events.feed import newest_cursor
from backend.orders import queries as orders
from backend.processes.embedded import Embedded
from tests.support.city import City
from tests.support.dumps import DUMP, restore

UNREADABLE = "15706283"  # the code of the order with the meal at minus infinity
KEPT = (
    "accounts", "residents", "homes", "workers", "consents", "bookings", "orders", "order_seats", "assignments", "offers",
    "visit_records", "shifts", "events", "timers",
)  # fmt: skip


@pytest.fixture(scope="module")
async def upgraded(server: Embedded) -> AsyncIterator[tuple[City, dict[str, int]]]:
    name = f"upgraded_{os.getpid()}"
    urls = await server.bootstrap(name)
    await asyncio.to_thread(restore, urls)
    before = await _counts(server, name)
    await asyncio.to_thread(upgrade, urls.owner)
    async with City.open(urls, spoilt=[""]) as city:  # an old city, with an order that nobody could read
        yield city, before
    await server.drop_database(name)


async def _counts(server: Embedded, name: str) -> dict[str, int]:
    import asyncpg

    connection = await asyncpg.connect(server.url(name))
    try:
        return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in KEPT}
    finally:
        await connection.close()


@pytest.fixture
def city(upgraded: tuple[City, dict[str, int]]) -> Iterator[City]:
    return upgraded[0]


async def test_the_schema_is_the_newest_and_no_row_was_lost(server: Embedded, upgraded: tuple[City, dict[str, int]]):
    city, before = upgraded
    assert await present_revision(city.database) == newest_revision()
    after = await _counts(server, f"upgraded_{os.getpid()}")
    assert {table: after[table] for table in KEPT if after[table] < before[table]} == {}
    assert before["orders"] == 205


async def test_every_order_can_be_read_also_the_one_that_nobody_could_read(city: City):
    """A value that an older version let in must not stop a zone for ever."""
    async with city.database.unit_of_work(SYSTEM) as connection:
        for row in await connection.fetch("SELECT id FROM orders"):
            await orders.order(connection, row["id"])
    mended = (await city.sql("SELECT flags, ready_at FROM orders WHERE code = $1", UNREADABLE))[0]
    assert "MENDED" in mended["flags"]
    assert mended["ready_at"] is None


async def test_days_under_way_are_planned_on(city: City):
    """The dispatcher keeps every zone's day true, and what waits is offered or goes to the desk."""
    await city.dispatch()
    await city.timers()
    assert await city.one("SELECT count(*) FROM timers WHERE fired_at IS NULL AND tries > 0") == 0
    waiting = await city.sql("SELECT code FROM orders WHERE status = 'placed' AND NOT window_soft")
    assert waiting == []


async def test_a_visit_that_was_under_way_ends_and_a_new_one_is_booked(city: City):
    order = (await city.sql("SELECT id FROM orders WHERE status = 'in_service' ORDER BY id LIMIT 1"))[0]
    place = (
        await city.sql("SELECT x, y FROM places p JOIN orders o ON o.place_id = p.id WHERE o.id = $1", order["id"])
    )[0]
    now = await city.one("SELECT yinling_now()")
    end = await city.one("SELECT max(upper(during)) FROM stops WHERE order_id = $1", order["id"])
    await city.clock(max(now, end))
    report = {"device_at": max(now, end).isoformat(), "x": place["x"], "y": place["y"], "accuracy_m": 9.0}
    for seat in await city.crew(str(order["id"])):
        worker = await city.worker(seat["worker_id"])
        answer = await worker.post(f"/v1/orders/{order['id']}/check-out", report | {"lines_reason": "other"})
        assert answer.status_code == 200, answer.text
    assert answer.json()["status"] in {"awaiting_acceptance", "completed", "exception"}
    operator, someone = await city.staff("operator"), await city.resident(number=5)
    tomorrow = max(now, end).replace(hour=2, minute=0) + timedelta(days=1)
    booked = await city.booked(
        operator, someone["id"], "rehab-home", tomorrow, tomorrow + timedelta(hours=6), channel="phone"
    )
    await city.dispatch()
    assert (await city.order(booked["id"]))["status"] in {"offered", "accepted"}


async def test_old_order_codes_are_still_read(city: City):
    operator = await city.staff("operator")
    row = (await city.sql("SELECT id, code FROM orders WHERE status = 'accepted' ORDER BY id LIMIT 1"))[0]
    assert len(row["code"]) == 8
    assert (await operator.get(f"/v1/orders/{row['id']}")).json()["code"] == row["code"]


async def test_sessions_go_on(city: City):
    """Nobody has to sign in again because the software is newer."""
    async with city.owner.unit_of_work(SYSTEM) as connection:
        assert await connection.fetchval("SELECT count(*) FROM signed_in") > 100
        assert await newest_cursor(connection) is not None


def test_the_dump_names_nobody_and_no_machine():
    """A dump is a file like any other: no path of a machine, no address of a host."""
    text = lzma.decompress(DUMP.read_bytes()).decode()
    assert re.search(r"https?://|[\s'\"]/[a-z]+/[a-z]", text) is None


async def test_people_sign_in_with_their_numbers_and_are_found_by_their_names(city: City):
    """Numbers stood at accounts before; everybody keeps theirs, and is found by the pinyin of a name that nobody had typed."""
    people = await city.sql(
        """SELECT r.name, r.phone, r.id, k.key FROM residents r JOIN resident_search_keys k ON k.resident_id = r.id
           WHERE k.key ~ '^[a-z]{4,}$' ORDER BY r.id LIMIT 3"""
    )
    assert people
    assert (
        await city.one(
            "SELECT count(*) FROM residents r WHERE NOT EXISTS (SELECT FROM resident_search_keys k WHERE k.resident_id = r.id)"
        )
        == 0
    )
    operator = await city.staff("operator")
    for someone in people:
        sent = (await city.http.post("/v1/sign-in/codes", json={"phone": someone["phone"]})).json()
        proof = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}
        answer = await city.http.post("/v1/sign-in/phone", json=proof)
        assert answer.json()["resident_id"] == str(someone["id"]), answer.text
        found = (await operator.post("/v1/residents/search", {"text": someone["key"]})).json()
        assert str(someone["id"]) in {one["id"] for one in found}
