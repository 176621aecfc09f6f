"""A meal that hangs at a door: kept as said with the hand-over, and passed over with anything else."""

from uuid import UUID

import pytest

from tests.integration.test_visits import _meals
from tests.support.at_the_door import accepted, report
from tests.support.city import City, at


@pytest.mark.spoils("a meal is fetched")  # earlier than planned, and no dispatcher runs that would move the door up
@pytest.mark.parametrize("left", [True, False])
async def test_a_box_that_hangs_at_the_door_says_so(city: City, left: bool):
    (meal,), courier = await _meals(city, 1)
    await city.clock(at(9, 40))
    kitchen = await city.sql("SELECT p.x, p.y FROM orders o JOIN places p ON p.id = o.pickup_place_id LIMIT 1")
    for step in ("en-route", "pick-up"):
        await courier.post(f"/v1/orders/{meal['id']}/{step}", {"device_at": None, **kitchen[0]})
    await city.clock(at(9, 55))
    answer = await courier.post(
        f"/v1/orders/{meal['id']}/hand-over", {**await city.door(meal["id"]), "left_at_door": left}
    )
    assert (answer.json()["status"], answer.json()["flags"]) == ("completed", []), "a household may have agreed to it"
    kept = await city.sql(
        "SELECT left_at_door FROM visit_records WHERE order_id = $1 AND kind = 'hand_over'", UUID(meal["id"])
    )
    assert [row["left_at_door"] for row in kept] == [left]


async def test_said_of_a_visit_it_is_passed_over(city: City):
    order, (worker,) = await accepted(city)
    assert (await report(city, worker, order, "check-in", left_at_door=True))["report"]["counts"]
    assert await city.one("SELECT bool_or(left_at_door) FROM visit_records") is False
