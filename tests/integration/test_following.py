"""An order that is to follow another one: the gap somebody asks for adds to what care rules keep apart, and replaces nothing."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.scheduling.quotes import is_near
from backend.scheduling.slots import Neighbour
from tests.support.city import Caller, City, at

BATH, REHAB, MEAL = "bath-home", "rehab-home", "meal-lunch"


async def _starts(who: Caller, resident_id: UUID, item: str, **after: Any) -> list[datetime]:
    asked = await who.post(
        "/v1/quotes", {"resident_id": str(resident_id), "item_code": item, "days": 1, "after": after}
    )
    assert asked.status_code == 200, asked.text
    return [datetime.fromisoformat(slot["starts_from"]) for slot in asked.json()["slots"]]


async def _meal(city: City, who: Caller, resident: dict[str, Any]) -> dict[str, Any]:
    asked = {
        "resident_id": str(resident["id"]), "item_code": MEAL, "days": 1,
        "wish": {"from_at": at(11, 30).isoformat(), "to_at": at(12, 30).isoformat()},
        "pickup": {"facility_id": str(await city.meal_point(resident["zone_id"])), "ready_at": at(11).isoformat()},
    }  # fmt: skip
    slot = (await who.post("/v1/quotes", asked)).json()["slots"][0]["token"]
    booked = await who.post("/v1/bookings", {"slot": slot, "channel": "app"})
    assert booked.status_code == 201, booked.text
    return booked.json()


async def _planned(city: City, order: dict[str, Any]) -> tuple[datetime, datetime]:
    row = await city.sql(
        "SELECT min(lower(during)) AS f, max(upper(during)) AS t FROM stops WHERE order_id = $1 AND kind <> 'pickup'",
        UUID(order["id"]),
    )
    return row[0]["f"], row[0]["t"]


async def test_a_gap_from_the_start_never_puts_two_services_into_one_hour(city: City):
    someone = await city.resident(ability=3)
    me = await city.signed_in(someone["account_id"])
    bath = await city.booked(me, someone["id"], BATH, at(12), at(13))
    _, over = await _planned(city, bath)
    starts = await _starts(me, someone["id"], REHAB, order_id=bath["id"], min_gap_s=0, max_gap_s=7200, gap_from="start")
    assert starts
    assert all(over <= start <= over + timedelta(hours=2) for start in starts)
    asked = {"resident_id": str(someone["id"]), "item_code": REHAB, "days": 1,
             "after": {"order_id": bath["id"], "min_gap_s": 0, "max_gap_s": 900, "gap_from": "start"}}  # fmt: skip
    refused = await me.post("/v1/quotes", asked)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_window")


@pytest.mark.parametrize("gap_from", ["start", "end"])
async def test_a_bath_follows_a_meal_by_an_hour_whatever_gap_is_asked_for(city: City, gap_from: str):
    """Resting after a meal is a rule of care; naming the meal switched it off."""
    someone = await city.resident()
    me = await city.signed_in(someone["account_id"])
    meal = await _meal(city, me, someone)
    _, eaten = await _planned(city, meal)
    starts = await _starts(me, someone["id"], BATH, order_id=meal["id"], min_gap_s=0, gap_from=gap_from)
    assert starts
    assert all(start >= eaten + timedelta(hours=1) for start in starts)


async def test_a_gap_is_kept_to_a_service_that_is_over(city: City):
    """The quote looked at the day's visits only, promised too early, and the visit was missed before its crew was due."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone = await city.resident()
    me = await city.signed_in(someone["account_id"])
    first = await city.booked(me, someone["id"], REHAB, at(9), at(10))
    await city.dispatch()
    worker, door = await city.worker((await city.crew(first["id"]))[0]["worker_id"]), await city.door(first["id"])
    begins, over = await _planned(city, first)
    for step, instant in (("check-in", begins), ("check-out", over)):
        await city.clock(instant)
        assert (await worker.post(f"/v1/orders/{first['id']}/{step}", door)).status_code == 200
    starts = await _starts(me, someone["id"], REHAB, order_id=first["id"], min_gap_s=7200, max_gap_s=14_400)
    assert starts
    assert all(over + timedelta(hours=2) <= start <= over + timedelta(hours=4) for start in starts)


async def test_several_days_end_with_the_horizon(city: City):
    await city.sql("UPDATE rule_parameters SET value = 3 WHERE code = 'booking_horizon_days'")
    operator, someone = await city.staff("operator"), await city.resident()
    asked = {"resident_id": str(someone["id"]), "item_code": REHAB, "days": 10}
    slots = (await operator.post("/v1/quotes", asked)).json()["slots"]
    assert slots
    assert max(datetime.fromisoformat(slot["starts_from"]) for slot in slots) < at(0, days=4)


@pytest.mark.parametrize("channel", ["phone", "walk_in"])
async def test_only_a_desk_books_by_telephone(city: City, channel: str):
    """The channel decides how long a hold is kept, and who is asked when something is doubted."""
    someone = await city.resident()
    me = await city.signed_in(someone["account_id"])
    slot = (await city.quote(me, someone["id"], REHAB, at(13), at(15)))[0]["token"]
    refused = await me.post("/v1/bookings", {"slot": slot, "channel": channel})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


async def test_a_meal_fetched_without_saying_where_is_doubted(city: City):
    """Leaving the position out was better for a cheat than naming a wrong one."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone = await city.resident()
    meal = await _meal(city, await city.signed_in(someone["account_id"]), someone)
    await city.dispatch()
    worker, door = await city.worker((await city.crew(meal["id"]))[0]["worker_id"]), await city.door(meal["id"])
    await city.clock((await _planned(city, meal))[0])
    for step, said in (("en-route", {}), ("pick-up", {}), ("hand-over", door)):
        answer = (await worker.post(f"/v1/orders/{meal['id']}/{step}", said)).json()
    assert answer["status"] != "completed"
    assert "NO_POSITION" in answer["flags"]


def test_a_visit_of_another_day_matters_as_far_as_its_gap_and_an_hour_of_lateness_reach():
    other = Neighbour(uuid4(), uuid4(), at(10), at(11), at(11), at(10), gap_before_s=600, gap_after_s=1800)
    first, last, second = at(8, 30), at(12, 30), timedelta(seconds=1)
    for from_at, to_at, near in (
        (last - second, at(20), True),
        (last, at(20), False),
        (at(1), first + second, True),
        (at(1), first, False),
    ):
        assert is_near(other, from_at, to_at) is near, (from_at, to_at)
