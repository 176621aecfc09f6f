"""One worker in two homes at once: found by whichever report comes second, and flagged on both orders."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.integration.test_evidence import RESOLVED, report, silence, the_resident, two_visits, visited
from tests.integration.test_sheets import path, sheet
from tests.support.city import DAY, Caller, City, at

LASTS = timedelta(minutes=45)


async def sent_later(
    city: City, order: dict[str, Any], worker: Caller, *, came_at: datetime, left_at: datetime, **said: Any
) -> dict[str, Any]:
    """Both reports of a visit, kept on the phone and sent now."""
    said = {**await city.door(order["id"]), **said, "offline": True}
    await report(worker, order, "check-in", **said, device_at=came_at.isoformat())
    return await report(worker, order, "check-out", **said, device_at=left_at.isoformat())


async def flags(city: City, order: dict[str, Any]) -> set[str]:
    return set((await city.order(order["id"]))["flags"])


async def word(city: City, order: dict[str, Any]) -> str:
    """What becomes of a visit its resident confirms."""
    return (await (await the_resident(city, order)).post(path(order, "accept-service"))).json()["status"]


@pytest.mark.parametrize("position", [{}, {"x": None, "y": None}], ids=["at the doors", "no position"])
async def test_two_visits_sent_later_for_the_same_hour_are_in_two_places(city: City, position: dict[str, Any]):
    """They come in one after the other; both phones' times say the same three quarters of an hour."""
    worker, (one, two) = await two_visits(city)
    await city.clock(at(11))
    first = await sent_later(city, one, worker, came_at=at(10), left_at=at(10, 45), **position)
    assert "TWO_PLACES" not in first["flags"]
    await city.clock(at(11, 10))
    second = await sent_later(city, two, worker, came_at=at(10), left_at=at(10, 45), **position)
    assert "TWO_PLACES" in second["report"]["flags"]
    for order in (one, two):
        assert "TWO_PLACES" in await flags(city, order)
        assert await word(city, order) == "exception", "whoever made one up may hold the resident's telephone"
    marked = await city.sql("SELECT DISTINCT order_id FROM visit_records WHERE 'TWO_PLACES' = ANY (flags)")
    assert {row["order_id"] for row in marked} == {UUID(one["id"]), UUID(two["id"])}, "a reviewer sees which reports"


@pytest.mark.parametrize("first", ["online", "later", "paper"])
@pytest.mark.parametrize("second", ["online", "later", "paper"])
async def test_whatever_two_reports_of_one_hour_come_by_both_visits_are_doubted(city: City, first: str, second: str):
    """Online, sent later, on paper, in either order; silence completes neither."""
    worker, (one, two) = await two_visits(city)
    operator, doors = await city.staff("operator"), [await city.door(o["id"]) for o in (one, two)]

    async def tell(order: dict[str, Any], how: str, from_at: datetime) -> None:
        if how == "later":
            await sent_later(city, order, worker, came_at=from_at, left_at=from_at + LASTS)
        elif how == "paper":
            answer = await operator.post(path(order, "sheet"), await sheet(city, order, from_at, LASTS))
            assert answer.status_code == 200, answer.text

    by_phone = {order["id"]: door for order, door, how in ((one, doors[0], first), (two, doors[1], second))
                if how == "online"}  # fmt: skip
    times = {one["id"]: at(10), two["id"]: at(10, 20)}
    for step, passed in (("check-in", timedelta()), ("check-out", LASTS)):
        for order in (one, two):
            if order["id"] in by_phone:
                await city.clock(times[order["id"]] + passed)
                await report(worker, order, step, **by_phone[order["id"]])
    await city.clock(at(11, 30))
    for order, how in ((one, first), (two, second)):
        await tell(order, how, times[order["id"]])
    for order in (one, two):
        assert "TWO_PLACES" in await flags(city, order), (first, second)
        assert await silence(city, order) == "exception"


async def test_what_is_reported_elsewhere_later_opens_a_completed_visit_again(city: City):
    """The resident was there and said so; that they were is now as doubtful as the rest."""
    worker, (one, two) = await two_visits(city)
    await visited(city, one, [worker], from_at=at(10), lasts=LASTS)
    assert await word(city, one) == "completed"
    await city.clock(at(11, 30))
    await sent_later(city, two, worker, came_at=at(10, 15), left_at=at(11))
    order = await city.order(one["id"])
    assert (order["status"], order["flags"], order["reason"]) == ("exception", ["TWO_PLACES"], "flagged")
    operator = await city.staff("operator")
    assert (await operator.post(path(one, "resolve"), RESOLVED)).json()["status"] == "completed"
    assert await city.one("SELECT count(*) FROM events WHERE type = 'order.exception'") == 1


async def test_what_a_person_decided_knowing_of_it_stays_decided(city: City):
    """A third visit in the same hour tells nothing new of the first."""
    worker, (one, two) = await two_visits(city)
    await visited(city, one, [worker], from_at=at(10), lasts=LASTS)
    await city.clock(at(11, 30))
    door = await city.door(two["id"])
    await report(worker, two, "check-in", **door, device_at=at(10, 15).isoformat(), offline=True)
    assert await word(city, one) == "exception"
    operator = await city.staff("operator")
    assert (await operator.post(path(one, "resolve"), RESOLVED)).json()["status"] == "completed"
    await report(worker, two, "check-out", **door, device_at=at(11).isoformat(), offline=True)
    assert (await city.order(one["id"]))["status"] == "completed"


@pytest.mark.spoils("an order is served")
async def test_an_order_of_another_plan_is_flagged_by_a_timer_that_is_due_at_once(city: City):
    """Whoever holds one day's plan waits for no other; nobody's word in between completes it for good."""
    worker, (one, two) = await two_visits(city)
    await visited(city, one, [worker], from_at=at(10), lasts=LASTS)
    other_zone = await city.one("SELECT id FROM zones WHERE id <> $1 LIMIT 1", UUID(one["zone_id"]))
    await city.sql("INSERT INTO plans (zone_id, plan_on) VALUES ($1, $2)", other_zone, DAY)
    await city.sql("UPDATE orders SET zone_id = $2 WHERE id = $1", UUID(one["id"]), other_zone)
    await city.clock(at(11, 30))
    await sent_later(city, two, worker, came_at=at(10, 15), left_at=at(11))
    assert await word(city, one) == "completed"
    await city.timers()
    assert (await city.order(one["id"]))["status"] == "exception"


async def test_a_door_too_far_to_be_reached_is_doubted_at_both_ends_whatever_comes_first(city: City):
    """The visit sent later lies between two others in time: whoever was there could not be here."""
    worker, (one, two) = await two_visits(city)
    far = await city.one("SELECT place_id FROM orders WHERE id = $1", UUID(two["id"]))
    await city.sql("UPDATE places SET x = x + 0.5 WHERE id = $1", far)
    await visited(city, one, [worker], from_at=at(10, 46), lasts=LASTS)
    await city.clock(at(11, 40))
    second = await sent_later(city, two, worker, came_at=at(9, 30), left_at=at(10, 45))
    assert "TWO_PLACES" in second["report"]["flags"]
    assert "TWO_PLACES" in await flags(city, one)


async def test_a_position_far_from_its_own_door_says_nothing_against_another_visit(city: City):
    """A phone that loses its way spoils one visit, not the one before it."""
    worker, (one, two) = await two_visits(city)
    await visited(city, one, [worker], from_at=at(10), lasts=LASTS)
    await city.clock(at(10, 55))
    lost = await report(worker, two, "check-in", x=0, y=0)
    assert {"OUT_OF_RANGE", "TWO_PLACES"} <= set(lost["report"]["flags"])
    assert await flags(city, one) == set()


async def test_one_phone_behind_on_signal_contradicts_nothing_it_says_in_order(city: City):
    """Honest reports, sent late and out of order, while the worker is at the next door already."""
    worker, (one, two) = await two_visits(city)
    doors = [await city.door(order["id"]) for order in (one, two)]
    await city.clock(at(11))
    await report(worker, two, "check-in", **doors[1], device_at=at(11).isoformat())
    await city.clock(at(11, 5))
    for step, when in (("check-in", at(10)), ("check-out", at(10, 45))):
        late = await report(worker, one, step, **doors[0], device_at=when.isoformat(), offline=True)
        assert late["report"]["flags"] == ["OFFLINE"]
    await city.clock(at(11, 45))
    done = await report(worker, two, "check-out", **doors[1], device_at=at(11, 45).isoformat())
    assert done["report"]["flags"] == []
    assert await flags(city, one) == {"OFFLINE"}
    assert await word(city, one) == await word(city, two) == "completed"


async def test_a_phone_that_is_wrong_by_its_own_clock_is_read_by_ours(city: City):
    """Its clock was put right between two visits, which then seem to overlap; what came in when is known."""
    worker, (one, two) = await two_visits(city)
    doors = [await city.door(order["id"]) for order in (one, two)]
    for order, door, from_at, wrong in (
        (one, doors[0], at(9, 30), timedelta(hours=1)),
        (two, doors[1], at(10, 30), timedelta()),
    ):
        for step, when in (("check-in", from_at), ("check-out", from_at + LASTS)):
            await city.clock(when)
            await report(worker, order, step, **door, device_at=(when + wrong).isoformat())
    assert await flags(city, one) == {"DEVICE_CLOCK"}
    assert await flags(city, two) == set()


async def test_two_visits_overlapping_by_the_phones_own_clock_are_doubted_though_they_came_in_one_after_the_other(
    city: City,
):
    worker, (one, two) = await two_visits(city)
    doors = [await city.door(order["id"]) for order in (one, two)]
    said = [(one, "check-in", at(10), at(10)), (one, "check-out", at(10, 35), at(10, 45)),
            (two, "check-in", at(10, 45), at(10, 35)), (two, "check-out", at(11, 25), at(11, 25))]  # fmt: skip
    for order, step, received, made in said:
        await city.clock(received)
        await report(worker, order, step, **doors[order is two], device_at=made.isoformat())
    for order in (one, two):
        assert "TWO_PLACES" in await flags(city, order)


@pytest.mark.spoils("a meal comes")
async def test_a_meal_handed_over_before_it_was_fetched_by_the_phones_own_time_was_fetched_nowhere(city: City):
    worker, (one, _) = await two_visits(city)
    await city.sql("UPDATE orders SET kind = 'meal', pickup_place_id = place_id WHERE id = $1", UUID(one["id"]))
    door = await city.door(one["id"])
    await city.clock(at(11))
    await report(worker, one, "en-route")
    await report(worker, one, "pick-up", **door, device_at=at(10, 50).isoformat(), offline=True)
    done = await report(worker, one, "hand-over", **door, device_at=at(10, 30).isoformat(), offline=True)
    assert (done["status"], "NO_PICK_UP" in done["report"]["flags"]) == ("exception", True)


async def test_a_check_out_before_the_check_in_by_the_phones_own_time_is_too_short(city: City):
    worker, (one, _) = await two_visits(city)
    await city.clock(at(11))
    backwards = await sent_later(city, one, worker, came_at=at(10, 45), left_at=at(10))
    assert "TOO_SHORT" in backwards["flags"]
