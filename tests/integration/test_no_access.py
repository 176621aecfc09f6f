"""Nobody opens: whoever stands at the door says so, the desk looks for the resident, and the order waits for a person's word."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.core.principal import SYSTEM
from backend.scheduling.snapshots import Day, Planner
from backend.tasks import queries as task_queries
from tests.support.at_the_door import accepted, report
from tests.support.city import DAY, Caller, City, at
from tests.support.orphans import orphans

BATH, REHAB, MEAL = "bath-home", "rehab-home", "meal-lunch"


async def desk_says(city: City, order: dict[str, Any], command: str, **more: Any) -> Any:
    """An operator's command about an order."""
    return await (await city.staff("operator")).post(
        f"/v1/orders/{order['id']}/{command}", {"reason": "电话问过", **more}
    )


async def tasks(city: City) -> list[dict[str, Any]]:
    """What an operator sees to do."""
    return (await (await city.staff("operator")).get("/v1/tasks")).json()


async def day_of(city: City) -> Day:
    """The day as the planner reads it now."""
    async with city.database.unit_of_work(SYSTEM) as connection:
        now = await city.one("SELECT yinling_now()")
        return (await Planner("Asia/Shanghai").read(connection, (await city.resident())["zone_id"], DAY, now)).built()


def kept(instant: datetime) -> dict[str, Any]:
    """What marks a report that the phone sends later."""
    return {"offline": True, "device_at": instant.isoformat()}


@pytest.mark.parametrize("before", [(), ("en-route",), ("check-in",), ("en-route", "check-in")])
async def test_whoever_stands_at_a_shut_door_says_so_whatever_they_pressed_before(city: City, before: tuple[str, ...]):
    """Who comes alone has begun the visit by checking in; a button that only works before helps nobody who lies behind the door."""
    order, (worker,) = await accepted(city)
    for step in before:
        await report(city, worker, order, step)
    told = await report(city, worker, order, "no-access")
    assert (told["status"], told["report"]) == ("no_access", {"counts": True, "flags": []})
    (task,) = await tasks(city)
    assert (task["kind"], task["order_id"], task["order_code"], task["level"], task["owner_id"]) == (
        "no_access", order["id"], order["code"], 1, None)  # fmt: skip
    assert task["resident_id"] == order["resident_id"]
    assert datetime.fromisoformat(task["due_at"]) == at(10, 3)
    assert datetime.fromisoformat(told["wait_until"]) == at(10, 15)
    assert [seat["status"] for seat in await city.crew(order["id"])] == ["checked_in"]
    assert await orphans(city) == []


async def test_the_report_is_evidence_with_its_place_and_time(city: City):
    """Pay for a way in vain rests on it: where the phone was, and what is odd about it."""
    order, (worker,) = await accepted(city)
    far = {"x": 121.0, "y": 31.0, "accuracy_m": 8.0}
    told = await report(city, worker, order, "no-access", **far)
    assert (told["status"], told["report"]["flags"]) == ("no_access", ["OUT_OF_RANGE"])
    row = (await city.sql("SELECT kind, counts, flags, distance_m FROM visit_records"))[0]
    assert (row["kind"], row["counts"], row["flags"]) == ("no_access", True, ["OUT_OF_RANGE"])
    assert row["distance_m"] > 1000
    again = await report(city, worker, order, "no-access")
    assert again["report"] == {"counts": False, "flags": ["REPEATED", "TWO_PLACES"]}
    assert len(await tasks(city)) == 1


async def test_a_report_without_signal_follows_when_it_comes(city: City):
    order, (worker,) = await accepted(city)
    await city.clock(at(10, 20))
    told = await report(city, worker, order, "no-access", **kept(at(10)))
    assert (told["status"], told["flags"]) == ("no_access", ["OFFLINE"])


async def test_a_report_from_before_the_door_opened_shuts_no_door(city: City):
    """A phone sends what it kept in any order: what is older than the check-in says nothing about somebody in the bath."""
    order, (worker,) = await accepted(city)
    await city.clock(at(10, 10))
    assert (await report(city, worker, order, "check-in", **kept(at(10, 8))))["status"] == "in_service"
    told = await report(city, worker, order, "no-access", **kept(at(10)))
    assert (told["status"], told["report"]["counts"]) == ("in_service", False)
    assert await tasks(city) == []


async def test_whoever_checks_in_again_says_that_somebody_opens(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    await report(city, worker, order, "no-access")
    await city.clock(at(10, 6))
    assert (await report(city, worker, order, "check-in"))["status"] == "in_service"
    assert await tasks(city) == []
    closed = (await city.sql("SELECT outcome, closed_at FROM desk_tasks"))[0]
    assert (closed["outcome"], closed["closed_at"]) == ("arrived", at(10, 6))
    await city.clock(at(10, 51))
    done = await report(city, worker, order, "check-out")
    assert (done["status"], done["flags"]) == ("awaiting_acceptance", [])


async def test_service_is_counted_from_when_they_were_let_in(city: City):
    """Forty minutes before a shut door are no bath."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    await report(city, worker, order, "no-access")
    await city.clock(at(10, 44))
    await report(city, worker, order, "check-in")
    await city.clock(at(10, 46))
    assert (await report(city, worker, order, "check-out"))["flags"] == ["TOO_SHORT"]


async def test_a_check_in_from_before_nobody_opened_opens_no_door(city: City):
    """It was kept on the phone; read as "she opened", it would end the search while she lies behind the door."""
    order, (worker,) = await accepted(city)
    await city.clock(at(10, 5))
    await report(city, worker, order, "no-access")
    await city.clock(at(10, 9))
    told = await report(city, worker, order, "check-in", **kept(at(10, 1)))
    assert (told["status"], told["report"]["counts"]) == ("no_access", False)
    assert len(await tasks(city)) == 1


async def test_the_second_of_a_crew_coming_to_a_shut_door_has_not_opened_it(city: City):
    order, (first, second) = await accepted(city, BATH, 3)
    await report(city, first, order, "no-access")
    assert (await report(city, second, order, "check-in"))["status"] == "no_access"
    assert len(await tasks(city)) == 1
    assert (await report(city, second, order, "check-in"))["status"] == "in_service", "now both are in"


async def test_let_in_alone_the_first_waits_for_the_second_and_not_for_ever(city: City):
    """The clock for whoever never comes was stopped while the door was shut."""
    order, (first, _) = await accepted(city, BATH, 3)
    await report(city, first, order, "no-access")
    assert (await report(city, first, order, "check-in"))["status"] == "arrived"
    await city.clock(at(11, 1))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "manual"
    assert await orphans(city) == []


async def test_the_desks_task_becomes_more_urgent_until_somebody_ends_it(city: City):
    """No order is forgotten at a shut door: the desk is reminded as long as it stays shut."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    seen = []
    for minute in (3, 6, 9, 12, 15):
        await city.clock(at(10, minute) - timedelta(seconds=1))
        await city.timers()
        before = (await tasks(city))[0]["level"]
        await city.clock(at(10, minute))
        await city.timers()
        seen.append((before, (await tasks(city))[0]["level"]))
    assert seen == [(1, 2), (2, 3), (3, 4), (4, 4), (4, 4)]
    assert await city.one("SELECT count(*) FROM events WHERE type = 'task.raised'") == 5
    assert await orphans(city) == []
    assert (await desk_says(city, order, "abort", reason="out")).status_code == 200
    assert await city.one("SELECT count(*) FROM timers WHERE kind = 'no_access_due' AND fired_at IS NULL") == 0


async def test_figures_of_a_region_say_how_soon(city: City):
    order, (worker,) = await accepted(city)
    await city.sql("UPDATE rule_parameters SET value = 60 WHERE code = 'no_access_step_s'")
    await report(city, worker, order, "no-access")
    assert datetime.fromisoformat((await tasks(city))[0]["due_at"]) == at(10, 1)


async def test_the_desk_opens_the_door_by_a_word_and_the_crew_goes_in(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    opened = await desk_says(city, order, "door-opened")
    assert (opened.status_code, opened.json()["status"]) == (200, "arrived")
    assert await tasks(city) == []
    assert await city.one("SELECT reason FROM audit WHERE action = 'door_opened'") == "电话问过"
    assert (await report(city, worker, order, "check-in"))["status"] == "in_service"
    assert (await desk_says(city, order, "door-opened")).json()["code"] == "illegal_transition"


async def test_a_door_opened_by_the_desk_behind_which_nothing_begins_is_shut_again(city: City):
    """The desk was wrong, or the crew forgot: somebody asks once more."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    await desk_says(city, order, "door-opened")
    await city.clock(at(11))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "no_access"
    assert [task["kind"] for task in await tasks(city)] == ["no_access"]
    assert [seat["status"] for seat in await city.crew(order["id"])] == ["checked_in"]


async def test_who_cannot_wait_leaves_and_the_search_goes_on(city: City):
    """A way in vain is no short visit, its worker is free for the next door, and no other is sent to this one by the machine."""
    order, (worker,) = await accepted(city)
    await city.clock(at(10, 2))
    await report(city, worker, order, "no-access")
    await city.clock(at(10, 20))
    told = await report(city, worker, order, "check-out")
    assert (told["status"], told["report"], told["flags"]) == ("no_access", {"counts": True, "flags": []}, [])
    assert len(await tasks(city)) == 1
    stop = (await city.sql("SELECT active, lower(during) AS came, upper(during) AS left FROM stops"))[0]
    assert (stop["active"], stop["came"], stop["left"]) == (False, at(10, 2), at(10, 20))
    day = await day_of(city)
    assert order["id"] not in {visit.id for visit in day.searchable.visits}
    await city.dispatch()
    assert await city.one("SELECT count(*) FROM stops WHERE active") == 0
    assert await orphans(city) == []
    assert (await report(city, worker, order, "check-in"))["report"]["counts"] is False, "who has left lets nobody in"
    assert (await desk_says(city, order, "door-opened")).status_code == 409, "nobody is there to go in"
    assert (await desk_says(city, order, "abort", reason="out")).json()["status"] == "aborted"
    assert await orphans(city) == []


async def test_while_they_wait_they_are_busy_and_what_follows_is_told_later(city: City):
    """A plan that takes them for free sends them to the next door while they stand at this one."""
    order, (worker,) = await accepted(city)
    before = await city.one("SELECT version FROM plans WHERE plan_on = $1 LIMIT 1", DAY)
    await report(city, worker, order, "no-access")
    assert await city.one("SELECT max(version) FROM plans") > before
    await city.clock(at(11, 30))
    stops = (await day_of(city)).plan.stops_of(order["id"])
    day = await day_of(city)
    assert [(stop.locked, stop.start_s, stop.end_s) for stop in stops] == [(True, day.seconds(at(10)), day.now_s)]


async def test_another_time_the_same_day_is_looked_for_by_hand(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    answer = await desk_says(city, order, "another-time")
    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (200, "manual", "nobody_opened")
    assert await tasks(city) == []
    assert await city.crew(order["id"]) == []
    assert await orphans(city) == []
    worker_id = await city.one("SELECT worker_id FROM assignments LIMIT 1")
    assigned = await desk_says(city, order, "assign", worker_ids=[str(worker_id)], start_at=at(15).isoformat())
    assert (assigned.status_code, assigned.json()["status"]) == (200, "accepted"), assigned.text


async def test_a_door_shut_while_the_phone_had_no_signal_is_looked_at_when_the_order_has_gone_on(city: City):
    """Nobody reported, the platform gave the visit up; that nobody opened at ten is still news about somebody at home."""
    order, (worker,) = await accepted(city)
    await city.clock(at(12, 30))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "missed"
    told = await report(city, worker, order, "no-access", **kept(at(10)))
    assert told["report"]["counts"] is False
    (task,) = await tasks(city)
    assert (task["kind"], task["order_id"]) == ("no_access_late", order["id"])
    await report(city, worker, order, "no-access", **kept(at(10)))
    assert len(await tasks(city)) == 1
    desk = await city.staff("operator")
    closed = await desk.post(f"/v1/tasks/{task['id']}/close", {"outcome": "女儿说她在医院陪老伴"})
    assert (closed.status_code, closed.json()["outcome"]) == (200, "女儿说她在医院陪老伴")
    again = await desk.post(f"/v1/tasks/{task['id']}/close", {"outcome": "x1"})
    assert (again.status_code, again.json()["code"]) == (409, "already_closed")


async def test_a_report_about_a_cancelled_visit_makes_no_task(city: City):
    """Whoever called it off need not be at home."""
    order, (worker,) = await accepted(city)
    await desk_says(city, order, "cancel")
    await report(city, worker, order, "no-access", **kept(at(10)))
    assert await tasks(city) == []


async def test_of_two_operators_one_takes_a_task_and_the_other_is_told(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    (task,) = await tasks(city)
    first, second = await city.staff("operator"), await city.staff("operator")
    taken = await first.post(f"/v1/tasks/{task['id']}/take")
    assert (taken.status_code, taken.json()["owner_id"] is not None) == (200, True)
    refused = await second.post(f"/v1/tasks/{task['id']}/take")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_taken")
    again = await first.post(f"/v1/tasks/{task['id']}/take")
    assert (again.status_code, again.json()["taken_at"]) == (200, taken.json()["taken_at"])
    assert await city.one("SELECT count(*) FROM events WHERE type = 'task.taken'") == 1
    assert (await first.post(f"/v1/tasks/{uuid4()}/take")).json()["code"] == "unknown_task"
    await desk_says(city, order, "door-opened")
    assert (await second.post(f"/v1/tasks/{task['id']}/take")).json()["code"] == "already_closed"


async def test_a_task_that_ends_with_its_order_is_not_put_away(city: City):
    """Somebody may lie behind the door: only what became of them ends the search."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    (task,) = await tasks(city)
    answer = await (await city.staff("operator")).post(f"/v1/tasks/{task['id']}/close", {"outcome": "忙"})
    assert (answer.status_code, answer.json()["code"]) == (409, "closes_by_itself")


async def test_shut_doors_come_before_whatever_else_waits(city: City):
    order, (worker,) = await accepted(city)
    await city.sql("INSERT INTO desk_tasks (kind) VALUES ('feed_stalled')")
    resident_id = UUID(order["resident_id"])
    await city.sql(
        "INSERT INTO desk_tasks (kind, resident_id, due_at) VALUES ('suspended', $1, $2)", resident_id, at(9)
    )
    await report(city, worker, order, "no-access")
    assert [task["kind"] for task in await tasks(city)] == ["no_access", "feed_stalled", "suspended"]


async def _meal(city: City) -> tuple[dict[str, Any], Caller]:
    """A meal on its way to the door."""
    await city.sql("UPDATE providers SET auto_accept = true")
    desk, someone = await city.staff("operator"), await city.resident()
    wish = {"from_at": at(10).isoformat(), "to_at": at(11).isoformat(), "soft": True, "latest_at": at(11).isoformat()}
    pickup = {"facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": at(10).isoformat()}
    asked = {"resident_id": str(someone["id"]), "item_code": MEAL, "wish": wish, "pickup": pickup}
    slot = (await desk.post("/v1/quotes", asked)).json()["slots"][0]["token"]
    order = (await desk.post("/v1/bookings", {"slot": slot, "channel": "phone"})).json()
    await city.dispatch()
    await city.clock(at(10))
    courier = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
    for step in ("en-route", "pick-up", "en-route"):
        await courier.post(f"/v1/orders/{order['id']}/{step}", {})
    await city.clock(at(10, 20))
    return order, courier


async def test_a_carrier_at_a_shut_door_starts_the_search_goes_on_and_may_still_hand_the_meal_over(city: City):
    """A meal is a look at whether somebody is well; ten others are in the box meanwhile."""
    order, courier = await _meal(city)
    assert (await report(city, courier, order, "no-access"))["status"] == "no_access"
    await day_of(city)
    await report(city, courier, order, "check-out")
    assert await city.one("SELECT count(*) FROM stops WHERE active") == 0
    assert (await desk_says(city, order, "another-time")).status_code == 409, "nobody eats it cold in the afternoon"
    done = await report(city, courier, order, "hand-over")
    assert done["status"] in {"completed", "exception"}
    assert await tasks(city) == []
    assert await orphans(city) == []


async def test_who_hears_that_nobody_opens(city: City):
    """The household, the provider, the crew and the city's staff; what it says holds no word of anybody's health."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    event = (await city.sql("SELECT keys, data FROM events WHERE type = 'order.no_access'"))[0]
    row = await city.order(order["id"])
    seat = (await city.crew(order["id"]))[0]
    assert set(event["keys"]) == {
        f"order:{order['id']}", f"resident:{order['resident_id']}", f"zone:{row['zone_id']}", "console",
        f"provider:{row['provider_id']}", f"worker:{seat['worker_id']}"}  # fmt: skip
    assert event["data"]["reason"] == "nobody_opened"
    task = (await city.sql("SELECT keys, data FROM events WHERE type = 'task.opened'"))[0]
    assert (task["keys"], set(task["data"])) == (["console"], {"kind", "status", "task_id"})


async def test_what_the_desk_did_behind_a_shut_door_is_not_forgotten_as_its_own_troubles_are(city: City):
    """Somebody may ask years later who was rung, and when."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    await desk_says(city, order, "abort", reason="out")
    await city.sql("INSERT INTO desk_tasks (kind, closed_at) VALUES ('feed_stalled', now())")
    await city.sql(
        "UPDATE desk_tasks SET opened_at = now() - interval '2 years', closed_at = now() - interval '1 year'"
    )
    async with city.database.unit_of_work(SYSTEM) as connection:
        assert await task_queries.forget_closed(connection, 183, 100) == 1
    assert await city.one("SELECT kind FROM desk_tasks") == "no_access"
