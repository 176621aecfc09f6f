"""At the door: each of the crew reports for themselves, and the order follows the last or the first of them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.core.geo import _gcj02_shift
from backend.core.principal import SYSTEM
from backend.scheduling.settling import settled
from backend.scheduling.snapshots import Planner
from tests.support.city import DAY, Caller, City, at
from tests.support.fit import found_fit

BATH, REHAB = "bath-home", "rehab-home"
HERE: dict[str, Any] = {"device_at": None, "x": None, "y": None}


async def _accepted(city: City, item: str, ability: int) -> tuple[dict[str, Any], list[Caller]]:
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, someone = await city.staff("operator"), await city.resident(ability=ability)
    order = await city.booked(operator, someone["id"], item, at(10), at(11), channel="phone")
    await city.dispatch()
    await found_fit(city, order["id"])
    return order, [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]


async def _step(worker: Caller, order: dict[str, Any], step: str, status: str, **report: Any) -> None:
    answer = await worker.post(f"/v1/orders/{order['id']}/{step}", {**HERE, **report})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == status


async def _kept(worker: Caller, order: dict[str, Any], step: str, flag: str) -> None:
    """The report is stored, flagged, and the order does not follow."""
    answer = await worker.post(f"/v1/orders/{order['id']}/{step}", HERE)
    assert answer.status_code == 200, answer.text
    assert not answer.json()["report"]["counts"]
    assert flag in answer.json()["report"]["flags"]


async def test_two_bathers_begin_when_both_are_there_and_end_when_both_have_left(city: City):
    order, (first, second) = await _accepted(city, BATH, 3)
    door = await city.door(order["id"])
    await _step(first, order, "en-route", "en_route")
    await _step(second, order, "en-route", "en_route")
    await city.clock(at(10))
    await _step(first, order, "check-in", "arrived", **door)
    await _kept(first, order, "check-out", "OUT_OF_ORDER")
    await _step(second, order, "check-in", "in_service", **door)
    await city.clock(at(11))
    await _step(first, order, "check-out", "in_service", **door)
    assert await city.one("SELECT array_agg(seat) FROM stops WHERE active") == [2], "the other one still bathes"
    await _step(second, order, "check-out", "awaiting_acceptance", **door)
    resident = await city.signed_in(
        await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    )
    assert (await resident.post(f"/v1/orders/{order['id']}/accept-service")).json()["status"] == "completed"
    assert [seat["status"] for seat in await city.crew(order["id"])] == ["checked_out", "checked_out"]


async def test_a_bather_at_the_door_is_busy_until_the_other_has_come_and_both_are_done(city: City):
    order, (first, _) = await _accepted(city, BATH, 3)
    await city.clock(at(9, 50))
    await _step(first, order, "check-in", "arrived")
    async with city.database.unit_of_work(SYSTEM) as connection:
        day = (
            await Planner("Asia/Shanghai").read(connection, (await city.resident())["zone_id"], DAY, at(9, 50))
        ).built()
    stops = day.plan.stops_of(order["id"])
    assert [stop.locked for stop in stops].count(True) == 1
    assert {stop.start_s for stop in stops} == {day.seconds(at(10))}


async def test_en_route_may_be_forgotten(city: City):
    order, (worker,) = await _accepted(city, REHAB, 0)
    await _step(worker, order, "check-in", "in_service")


async def test_a_step_twice_is_recorded_twice_and_followed_once(city: City):
    order, (worker,) = await _accepted(city, REHAB, 0)
    await _step(worker, order, "en-route", "en_route")
    await _kept(worker, order, "en-route", "REPEATED")
    await _step(worker, order, "check-in", "in_service")
    await _kept(worker, order, "check-in", "REPEATED")
    records = await city.sql("SELECT kind, counts FROM visit_records ORDER BY id")
    assert [(row["kind"], row["counts"]) for row in records] == [
        ("en_route", True), ("en_route", False), ("check_in", True), ("check_in", False)]  # fmt: skip


async def test_the_same_report_sent_again_by_a_phone_is_one_report(city: City):
    order, (worker,) = await _accepted(city, REHAB, 0)
    key = str(uuid4())
    answers = [await worker.post(f"/v1/orders/{order['id']}/check-in", HERE, key) for _ in range(3)]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert await city.one("SELECT count(*) FROM visit_records") == 1


async def test_out_of_range_is_flagged_never_blocked_and_the_phones_time_is_only_kept(city: City):
    order, (worker,) = await _accepted(city, REHAB, 0)
    wrong = "2001-01-01T00:00:00+08:00"
    await city.clock(at(10))
    await _step(worker, order, "check-in", "in_service", device_at=wrong, x=121.0, y=31.0, accuracy_m=8.0)
    record = (await city.sql("SELECT * FROM visit_records"))[0]
    assert record["flags"] == ["OUT_OF_RANGE", "DEVICE_CLOCK"]
    assert record["device_at"] == datetime.fromisoformat(wrong)
    assert record["received_at"] == at(10)
    assert (await city.order(order["id"]))["flags"] == ["OUT_OF_RANGE", "DEVICE_CLOCK"]


@pytest.mark.parametrize("said", ["gcj02", None])
async def test_a_phone_that_tells_positions_as_chinese_maps_do_is_at_the_door_if_it_says_so(
    city: City, said: str | None
):
    """Map services in mainland China move each position by some hundred metres: honest workers were all out of range."""
    order, (worker,) = await _accepted(city, REHAB, 0)
    await city.clock(at(10))
    door = await city.door(order["id"])
    east, north = _gcj02_shift(door["x"], door["y"])
    drawn = {"x": door["x"] + east, "y": door["y"] + north, "accuracy_m": 8.0}
    await _step(worker, order, "check-in", "in_service", **drawn, **({"datum": said} if said else {}))
    record = (await city.sql("SELECT x, y, flags, distance_m FROM visit_records"))[0]
    assert record["flags"] == ([] if said else ["OUT_OF_RANGE"])
    assert (record["distance_m"] < 1) is (said == "gcj02")
    assert said is None or (record["x"], record["y"]) == pytest.approx((door["x"], door["y"]), abs=1e-6)


async def test_at_the_door_nothing_is_flagged(city: City):
    order, (worker,) = await _accepted(city, REHAB, 0)
    door = await city.door(order["id"])
    await city.clock(at(10))
    await _step(worker, order, "check-in", "in_service", x=door["x"] + 0.0005, y=door["y"])
    assert (await city.order(order["id"]))["flags"] == []


async def test_a_worker_learns_nothing_of_orders_of_others(city: City):
    order, _ = await _accepted(city, REHAB, 0)
    mine = {seat["worker_id"] for seat in await city.crew(order["id"])}
    other_id = await city.one("SELECT id FROM workers WHERE id <> ALL ($1) LIMIT 1", list(mine))
    other = await city.worker(other_id)
    for step in ("en-route", "check-in", "check-out", "hand-over", "pick-up"):
        assert (await other.post(f"/v1/orders/{order['id']}/{step}", HERE)).json()["code"] == "unknown_order"
    assert await city.one("SELECT count(*) FROM visit_records") == 0
    route = (await other.get("/v1/workers/me/route", on=str(order["plan_on"]))).json()
    assert route["stops"] == []


async def test_nobody_came_is_noticed_after_the_grace(city: City):
    order, _ = await _accepted(city, REHAB, 0)
    await city.clock(datetime.fromisoformat(order["latest_at"]) + timedelta(minutes=61))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "missed"
    assert await city.one("SELECT count(*) FROM stops WHERE active") == 0
    await city.dispatch()


async def test_a_forgotten_check_out_ends_flagged_and_silence_completes_nothing(city: City):
    order, (worker,) = await _accepted(city, REHAB, 0)
    await city.clock(at(10))
    await _step(worker, order, "check-in", "in_service")
    await city.clock(at(14))
    await city.timers()
    left = await city.order(order["id"])
    assert (left["status"], left["flags"]) == ("awaiting_acceptance", ["NO_POSITION", "MISSING_OUT"])
    await city.clock(at(14, 1, days=1))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "exception"


async def _two_visits_of_one(city: City, until: datetime) -> tuple[UUID, list[dict[str, Any]]]:
    """Two rehabilitation visits for the only therapist left on shift."""
    operator = await city.staff("operator")
    keep = await city.one(
        """SELECT k.worker_id FROM worker_skills k JOIN shifts s ON s.worker_id = k.worker_id
           JOIN zones z ON z.id = s.zone_id WHERE z.code = 'Z1' AND k.skill = 'rehab' ORDER BY 1 LIMIT 1"""
    )
    await city.sql("DELETE FROM shifts WHERE worker_id <> $1", keep)
    orders = []
    for number in range(2):
        someone = await city.resident(number=number)
        orders.append(await city.booked(operator, someone["id"], REHAB, at(9, 30), until, channel="phone"))
    await city.dispatch()
    return keep, orders


async def test_who_comes_late_moves_what_follows_and_no_crew_is_changed(city: City):
    """Half an hour late at the first door: the second visit's times follow, its worker stays."""
    await city.sql("UPDATE providers SET auto_accept = true")
    await city.sql("UPDATE shifts SET break_from = NULL, break_to = NULL")
    keep, orders = await _two_visits_of_one(city, at(12))
    worker = await city.worker(keep)
    first = await city.one("SELECT lower(during) FROM stops WHERE order_id = $1", UUID(orders[0]["id"]))
    second = await city.one("SELECT lower(during) FROM stops WHERE order_id = $1", UUID(orders[1]["id"]))
    await city.clock(first + timedelta(minutes=30))
    await _step(worker, orders[0], "check-in", "in_service")
    await city.dispatch()
    moved = await city.one("SELECT lower(during) FROM stops WHERE order_id = $1", UUID(orders[1]["id"]))
    assert moved - second >= timedelta(minutes=15)
    assert (await city.crew(orders[1]["id"]))[0]["worker_id"] == keep


@pytest.mark.spoils("a window is not")
async def test_a_worker_who_is_in_time_to_the_second_moves_nobody(city: City):
    """Seconds added by rounding would break a gap that is kept exactly, and then the plan is free to break it by far."""
    await city.sql("UPDATE providers SET auto_accept = true")
    await city.sql("UPDATE shifts SET break_from = NULL, break_to = NULL")
    keep, orders = await _two_visits_of_one(city, at(12))
    await city.sql("UPDATE orders SET window_from = $1", at(9, 30))
    worker = await city.worker(keep)
    planned = "SELECT order_id, lower(during) AS from_at, upper(during) AS to_at FROM stops ORDER BY lower(during)"
    first, _ = await city.sql(planned)
    order = next(order for order in orders if order["id"] == str(first["order_id"]))
    await city.clock(first["from_at"] - timedelta(minutes=20))
    await _step(worker, order, "en-route", "en_route")
    await city.dispatch()
    first, second = await city.sql(planned)
    assert await _told(city, first["from_at"], second["order_id"]) == second["from_at"]
    await city.clock(first["from_at"])
    await _step(worker, order, "check-in", "in_service")
    assert await _told(city, first["to_at"], second["order_id"]) == second["from_at"]


async def _told(city: City, now: datetime, order_id: UUID) -> datetime:
    """When an order would begin, as far as can be told at an instant."""
    async with city.database.unit_of_work(SYSTEM) as connection:
        day = (await Planner("Asia/Shanghai").read(connection, (await city.resident())["zone_id"], DAY, now)).built()
    return day.instant(settled(day).stops_of(str(order_id))[0].start_s)


@pytest.mark.spoils("a window is not")
async def test_a_gap_lost_by_a_little_is_not_given_up(city: City):
    """The visit before began early, so the next one is minutes too late: better than never, but every minute more costs."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, someone = await city.staff("operator"), await city.resident()
    orders = [
        await city.booked(operator, someone["id"], REHAB, at(hour), at(hour + 2), channel="phone") for hour in (9, 13)
    ]
    await city.dispatch()
    before, after = (UUID(order["id"]) for order in orders)
    await city.sql(
        "UPDATE orders SET window_from = $2, window_to = $3, latest_at = $3 WHERE id = $1", after, at(11), at(17)
    )
    starts = [await city.one("SELECT lower(during) FROM stops WHERE order_id = $1", name) for name in (before, after)]
    longest = starts[1] - starts[0]
    await city.sql("DELETE FROM order_links")
    await city.sql(
        "INSERT INTO order_links (before_id, after_id, min_gap_s, max_gap_s, gap_from) VALUES ($1, $2, 0, $3, 'start')",
        before, after, int(longest.total_seconds()),
    )  # fmt: skip
    worker = await city.worker((await city.crew(str(before)))[0]["worker_id"])
    early = starts[0] - timedelta(minutes=10)
    await city.clock(early)
    await _step(worker, orders[0], "check-in", "in_service")
    await city.clock(starts[0])
    await _step(worker, orders[0], "check-out", "awaiting_acceptance")
    async with city.database.unit_of_work(SYSTEM) as connection:
        day = (await Planner("Asia/Shanghai").read(connection, someone["zone_id"], DAY, starts[0])).built()
    visit = next(visit for visit in day.problem.visits if visit.id == str(after))
    assert visit.due_s == day.seconds(early + longest)
    assert visit.latest_s > day.seconds(starts[1])


async def _meals(city: City, count: int) -> tuple[list[dict[str, Any]], Caller]:
    """Meals for several residents, all in one courier's box."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, someone = await city.staff("operator"), await city.resident()
    courier = await city.one(
        """SELECT w.id FROM workers w JOIN worker_skills k ON k.worker_id = w.id AND k.skill = 'meal'
           JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 ORDER BY w.code LIMIT 1""",
        someone["zone_id"],
    )
    await city.sql("DELETE FROM shifts WHERE worker_id <> $1", courier)
    point, orders = await city.meal_point(someone["zone_id"]), []
    for number in range(count):
        who = await city.resident(number=number)
        body = {
            "resident_id": str(who["id"]), "item_code": "meal-lunch",
            "wish": {"from_at": at(9).isoformat(), "to_at": at(11).isoformat(), "soft": True,
                     "latest_at": at(13).isoformat()},
            "pickup": {"facility_id": str(point), "ready_at": at(9, 30).isoformat()},
        }  # fmt: skip
        slot = (await operator.post("/v1/quotes", body)).json()["slots"][0]
        orders.append((await operator.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"})).json())
    await city.dispatch()
    return orders, await city.worker(courier)


async def test_a_meal_handed_over_without_a_pick_up_leaves_nothing_open(city: City):
    (first, second), courier = await _meals(city, 2)
    await city.clock(at(9, 40))
    await _step(courier, first, "en-route", "en_route")
    await _step(courier, first, "hand-over", "exception", **await city.door(first["id"]))
    assert (await city.order(first["id"]))["flags"] == ["NO_PICK_UP"]
    assert await city.one("SELECT count(*) FROM stops WHERE active AND order_id = $1", UUID(first["id"])) == 0
    await city.dispatch()
    assert (await city.order(second["id"]))["status"] == "accepted"


@pytest.mark.parametrize("reported", [True, False])
async def test_after_a_hand_over_the_courier_stands_at_that_door(city: City, *, reported: bool):
    """Planned from the meal point instead, the next stop would be told later and later, and nobody would set out for it."""
    (meal,), courier = await _meals(city, 1)
    await _step(courier, meal, "en-route", "en_route")
    await city.clock(at(9, 35))
    if reported:
        kitchen = await city.sql(
            "SELECT p.x, p.y FROM orders o JOIN places p ON p.id = o.pickup_place_id WHERE o.id = $1", UUID(meal["id"])
        )
        await _step(courier, meal, "pick-up", "en_route", **kitchen[0])
        await city.clock(at(9, 50))
    door = await city.door(meal["id"])
    await _step(courier, meal, "hand-over", "completed" if reported else "exception", **door)
    home, zone_id = await city.one("SELECT place_id FROM orders WHERE id = $1", UUID(meal["id"])), UUID(meal["zone_id"])
    async with city.database.unit_of_work(SYSTEM) as connection:
        day = (await Planner("Asia/Shanghai").read(connection, zone_id, DAY, at(9, 50))).built()
    standing = [stop for route in day.plan.routes.values() for stop in route]
    assert [day.place_ids[stop.place] for stop in standing] == [home]
    fetched = await city.one("SELECT upper(during) FROM stops WHERE kind = 'pickup'")
    assert fetched == at(9, 35)


async def test_a_meal_is_not_checked_in_and_a_bath_not_handed_over(city: City):
    (meal,), courier = await _meals(city, 1)
    await _step(courier, meal, "en-route", "en_route")
    await _kept(courier, meal, "check-in", "OUT_OF_ORDER")
    await _kept(courier, meal, "check-out", "OUT_OF_ORDER")


async def test_a_bath_is_not_handed_over(city: City):
    order, (worker,) = await _accepted(city, REHAB, 0)
    await _step(worker, order, "en-route", "en_route")
    await _kept(worker, order, "hand-over", "OUT_OF_ORDER")


async def test_a_forgotten_check_out_does_not_stop_the_zone(city: City):
    """The worker sets out for the next door without checking out of the last: others can still be booked and dispatched."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator = await city.staff("operator")
    keep, orders = await _two_visits_of_one(city, at(16))
    worker = await city.worker(keep)
    await city.clock(at(9, 45))
    await _step(worker, orders[0], "check-in", "in_service")
    await city.clock(at(10))
    await _step(worker, orders[1], "en-route", "en_route")
    await city.clock(at(10, 5))
    third = await city.resident(number=2)
    late = await city.booked(operator, third["id"], REHAB, at(13), at(17), channel="phone")
    await city.dispatch()
    assert (await city.order(late["id"]))["status"] == "accepted"


async def test_one_bather_alone_at_the_door_is_on_the_desk_after_the_grace(city: City):
    order, (first, _) = await _accepted(city, BATH, 3)
    await city.clock(at(10))
    await _step(first, order, "check-in", "arrived")
    await city.clock(datetime.fromisoformat(order["latest_at"]) + timedelta(minutes=61))
    await city.timers()
    manual = await city.order(order["id"])
    assert (manual["status"], manual["reason"]) == ("manual", "crew_incomplete")
    assert await city.one("SELECT count(*) FROM stops WHERE active") == 0
    seats = await city.sql("SELECT seat, status FROM assignments WHERE order_id = $1 ORDER BY seat", UUID(order["id"]))
    assert {row["status"] for row in seats} == {"withdrawn", "no_show"}
    await city.dispatch()


async def test_a_timer_that_cannot_fire_does_not_stop_the_others(city: City):
    order, _ = await _accepted(city, REHAB, 0)
    await city.sql("INSERT INTO timers (due_at, kind, subject_id) VALUES ($1, 'unheard_of', $2)", at(7), uuid4())
    await city.clock(datetime.fromisoformat(order["latest_at"]) + timedelta(minutes=61))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "missed"
    assert (await city.sql("SELECT tries, last_error FROM timers WHERE kind = 'unheard_of'"))[0][
        "last_error"
    ] == "KeyError"


async def test_a_timer_that_failed_rests_by_the_machine_s_clock(city: City):
    """Care time may run a hundred times as fast, and its five tries would be gone in a moment; or stand still, and it would never be tried again."""
    await city.sql("INSERT INTO timers (due_at, kind, subject_id) VALUES ($1, 'unheard_of', $2)", at(7), uuid4())

    async def tries() -> int:
        await city.timers()
        return await city.one("SELECT tries FROM timers WHERE kind = 'unheard_of'")

    assert await tries() == 1
    await city.clock(at(8, days=1))
    assert await tries() == 1
    await city.clock(at(8))
    await city.sql("UPDATE timers SET rests_until = now() - interval '1 second'")
    assert await tries() == 2
    rests = (
        "SELECT rests_until - now() BETWEEN interval '8 seconds' AND interval '10 seconds' FROM timers WHERE tries = 2"
    )
    assert await city.one(rests)
