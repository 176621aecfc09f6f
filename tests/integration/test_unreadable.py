"""One order that nobody can read never stops a day: it goes to the desk with its reason, and all others go on."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.core.principal import SYSTEM
from tests.support.city import DAY, City, at

pytestmark = pytest.mark.spoils("")  # rows that no statement of the platform writes: the judge cannot read them either
REHAB, BATH, MEAL = "rehab-home", "bath-home", "meal-lunch"
NOWHERE = "UPDATE places SET geometry = 'none', x = 0, y = 0 WHERE id = (SELECT place_id FROM orders WHERE id = $1)"
SPOILS = {
    "an infinity": ("orders", "UPDATE orders SET window_from = '-infinity' WHERE id = $1", "window_from"),
    "a time of another age": ("orders", "UPDATE orders SET ready_at = '1901-01-01 00:00+00' WHERE id = $1", "ready_at"),
    "another day": ("", "UPDATE orders SET latest_at = latest_at + interval '30 days' WHERE id = $1", "latest_at"),
    "no seats": ("", "DELETE FROM order_seats WHERE order_id = $1", "seats"),
    "a seat that is missing": ("", "UPDATE order_seats SET number = 3 WHERE order_id = $1", "seats"),
    "a seat without length": ("", "UPDATE order_seats SET duration_s = 0 WHERE order_id = $1", "seats"),
    "a gender nobody has": ("", "UPDATE orders SET gender_wish = 'x' WHERE id = $1", "gender_wish"),
    "a rule nobody knows": ("", "UPDATE order_seats SET gender_rule = 'x' WHERE order_id = $1", "seats[0].gender_rule"),
    "a place without coordinates": ("", NOWHERE, "place"),
    "a stop in no seat": ("", "UPDATE stops SET seat = 4 WHERE order_id = $1", "stops"),
    "a stop of another kind": ("", "UPDATE stops SET kind = 'drop' WHERE order_id = $1", "stops"),
    "a stop years later": (
        "", "UPDATE stops SET during = tstzrange('2031-01-01 00:00+00', '2031-01-01 01:00+00') WHERE order_id = $1", "stops",
    ),
    "a stop without end": ("stops", "UPDATE stops SET during = '[2030-03-12 02:00+00,)' WHERE order_id = $1", "to_at"),
    "a pick-up of a year": ("", "UPDATE orders SET pickup_s = 31536000 WHERE id = $1", "pickup"),
}  # fmt: skip


async def _spoil(city: City, how: str, order_id: str) -> str:
    """Make an order unreadable as the owner, who may also drop what the database guards itself with."""
    table, statement, why = SPOILS[how]
    async with city.owner.unit_of_work(SYSTEM) as connection:
        if table:
            for row in await connection.fetch(
                "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND conname LIKE '%finite'", table
            ):
                await connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{row["conname"]}"')
        await connection.execute(statement, UUID(order_id))
        await connection.execute("UPDATE plans SET version = version + 1")
    return why


async def _day_goes_on(city: City, operator: Any, number: int) -> None:
    """Somebody else of the same zone and day books, is offered and accepted."""
    someone = await city.resident(number=number)
    order = await city.booked(operator, someone["id"], REHAB, at(9), at(17), channel="phone")
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"


@pytest.mark.parametrize("how", SPOILS)
async def test_an_unreadable_order_goes_to_the_desk_and_the_day_goes_on(city: City, how: str):
    operator, someone = await city.staff("operator"), await city.resident(number=0)
    async with city.owner.unit_of_work(SYSTEM) as connection:
        await connection.execute("UPDATE providers SET auto_accept = true")
    order = await city.booked(operator, someone["id"], REHAB, at(9), at(17), channel="phone")
    why = await _spoil(city, how, order["id"])
    assert await city.quote(operator, (await city.resident(number=1))["id"], REHAB, at(9), at(17))
    await city.dispatch()
    aside = await city.order(order["id"])
    assert aside["status"] == "manual"
    assert aside["reasons"] == [{"worker": "", "rule": "unreadable", "detail": why}]
    assert await city.one("SELECT count(*) FROM stops WHERE order_id = $1", UUID(order["id"])) == 0
    await _day_goes_on(city, operator, 2)
    supervisor = await city.staff("supervisor")
    assert (await supervisor.get("/board")).status_code == 200
    assert (await operator.get("/v1/orders")).status_code == 200
    assert (await operator.get(f"/v1/orders/{order['id']}")).status_code in {200, 409}
    start = {"worker_ids": [str(uuid4())], "start_at": at(13).isoformat(), "reason": "urgent"}
    assert (await operator.post(f"/v1/orders/{order['id']}/assign", start)).status_code in {409, 422}
    await city.clock(at(18))
    await city.timers()
    assert (await city.order(order["id"]))["status"] in {"manual", "unserved"}


@pytest.mark.parametrize("how", ["no seats", "another day", "a seat without length"])
async def test_a_crew_that_counts_on_coming_stays_busy_and_free_of_others(city: City, how: str):
    """An accepted order keeps its crew and state, flagged; nobody else is put into their time."""
    async with city.owner.unit_of_work(SYSTEM) as connection:
        await connection.execute("UPDATE providers SET auto_accept = true")
    operator, someone = await city.staff("operator"), await city.resident(number=0)
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(10), channel="phone")
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    stop = (await city.sql("SELECT * FROM stops WHERE order_id = $1", UUID(order["id"])))[0]
    await _spoil(city, how, order["id"])
    for number in range(1, 4):
        await _day_goes_on(city, operator, number)
    flagged = await city.order(order["id"])
    assert (flagged["status"], flagged["flags"]) == ("accepted", ["UNREADABLE"])
    assert (await city.sql("SELECT * FROM stops WHERE order_id = $1", UUID(order["id"])))[0] == stop
    worker = await city.worker(stop["worker_id"])
    route = (await worker.get("/v1/workers/me/route", on=DAY.isoformat())).json()["stops"]
    assert order["id"] in {at_door["order_id"] for at_door in route}


async def test_a_shift_nobody_can_read_leaves_out_one_worker(city: City):
    someone = await city.resident()
    operator = await city.staff("operator")
    async with city.owner.unit_of_work(SYSTEM) as connection:
        spoilt = await connection.fetchval(
            """UPDATE workers SET travel_mode = 'rocket' WHERE id = (
                   SELECT s.worker_id FROM shifts s WHERE s.zone_id = $1 ORDER BY s.worker_id LIMIT 1) RETURNING id""",
            someone["zone_id"],
        )  # fmt: skip
    order = await city.booked(operator, someone["id"], REHAB, at(9), at(17), channel="phone")
    await city.dispatch()
    assert spoilt not in {seat["worker_id"] for seat in await city.crew(order["id"])}


async def test_who_lives_nowhere_is_told_so(city: City):
    someone, operator = await city.resident(), await city.staff("operator")
    async with city.owner.unit_of_work(SYSTEM) as connection:
        await connection.execute(
            "UPDATE places SET geometry = 'none' WHERE id = (SELECT place_id FROM homes WHERE resident_id = $1)",
            someone["id"],
        )
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "days": 1}
    answer = await operator.post("/v1/quotes", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "unreachable_place")


@pytest.mark.parametrize("days", [-3000, -1, 1, 30])
async def test_a_meal_is_brought_on_the_day_it_is_ready(city: City, days: int):
    someone, operator = await city.resident(), await city.staff("operator")
    ready = {
        "facility_id": str(await city.meal_point(someone["zone_id"])),
        "ready_at": at(11, 30, days=days).isoformat(),
    }
    wishes = [{"soft": False}, {"soft": True, "latest_at": (at(12) + timedelta(hours=1)).isoformat()}]
    for wish in wishes:
        body = {"resident_id": str(someone["id"]), "item_code": MEAL, "pickup": ready,
                "wish": {"from_at": at(11, 45).isoformat(), "to_at": at(12, 15).isoformat(), **wish}}  # fmt: skip
        answer = await operator.post("/v1/quotes", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_window"), wish
    body = {"resident_id": str(someone["id"]), "item_code": MEAL, "pickup": ready, "days": 1}
    assert (await operator.post("/v1/quotes", body)).json()["code"] == "invalid_window"
