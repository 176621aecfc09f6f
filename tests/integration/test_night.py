"""The border of plan days, at three in the morning: whoever is cared for or works across it is in one place at a time."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from backend.core.principal import SYSTEM
from backend.scheduling.actions import StalePlanError, lock_day
from backend.scheduling.snapshots import Planner
from tests.support.city import DAY, TIME_ZONE, Caller, City, at
from tests.support.orphans import orphans

REHAB, BATH, MEAL = "rehab-home", "bath-home", "meal-lunch"


async def _night(city: City, skill: str = "rehab") -> dict[str, Any]:
    """A resident of a zone whose carers work at night: half of each provider's until five, the others from three on."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone = await city.resident()
    carers = await city.sql(
        """SELECT DISTINCT w.id, w.provider_id FROM workers w JOIN shifts s ON s.worker_id = w.id AND s.zone_id = $1
           WHERE EXISTS (SELECT FROM worker_skills k WHERE k.worker_id = w.id AND k.skill = $2)
           ORDER BY w.provider_id, w.id""",
        someone["zone_id"], skill,
    )  # fmt: skip
    await city.sql("DELETE FROM shifts WHERE zone_id = $1", someone["zone_id"])
    for number, carer in enumerate(carers):
        first = number // 2 % 2 == 0
        await _shift(
            city, someone, carer["id"], *((0, at(22), at(5, days=1)) if first else (1, at(3, days=1), at(7, days=1)))
        )
    return someone


async def _shift(city: City, someone: dict[str, Any], worker: UUID, day: int, begins: datetime, ends: datetime) -> None:
    await city.sql(
        "INSERT INTO shifts (worker_id, zone_id, plan_on, during) VALUES ($1, $2, $3, tstzrange($4, $5))",
        worker, someone["zone_id"], DAY + timedelta(days=day), begins, ends,
    )  # fmt: skip


def _wish(begins: datetime, ends: datetime, latest: datetime | None = None) -> dict[str, Any]:
    wish: dict[str, Any] = {"from_at": begins.isoformat(), "to_at": ends.isoformat()}
    return wish if latest is None else {**wish, "soft": True, "latest_at": latest.isoformat()}


async def _slots(who: Caller, someone: dict[str, Any], wish: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "wish": wish, **more}
    answer = await who.post("/v1/quotes", body)
    assert answer.status_code == 200, answer.text
    return answer.json()["slots"]


async def _book(who: Caller, slot: dict[str, Any]) -> dict[str, Any]:
    answer = await who.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _times(city: City, order_id: str) -> tuple[datetime, datetime]:
    row = (await city.sql("SELECT min(lower(during)) a, max(upper(during)) b FROM stops WHERE order_id = $1 AND kind <> 'pickup'",
                          UUID(order_id)))[0]  # fmt: skip
    return row["a"], row["b"]


async def test_a_visit_before_the_border_keeps_the_one_behind_it_apart(city: City):
    """Booked for 02:45, it lasts into the next plan day: no start behind the border lies in it."""
    someone, operator = await _night(city), await city.staff("operator")
    first = await _book(operator, (await _slots(operator, someone, _wish(at(2, 45, days=1), at(2, 45, days=1))))[-1])
    await city.dispatch()
    begins, ends = await _times(city, first["id"])
    assert begins < at(3, days=1) < ends
    slots = await _slots(operator, someone, _wish(at(3, days=1), at(4, 30, days=1)))
    assert slots
    assert all(datetime.fromisoformat(slot["starts_from"]) >= ends for slot in slots)
    second = await _book(operator, slots[0])
    await city.dispatch()
    assert first["plan_on"] != second["plan_on"]
    assert {(await city.order(order["id"]))["status"] for order in (first, second)} == {"accepted"}
    assert await orphans(city) == []


async def test_a_visit_behind_the_border_keeps_the_one_before_it_apart(city: City):
    someone, operator = await _night(city), await city.staff("operator")
    later = await _book(operator, (await _slots(operator, someone, _wish(at(3, 15, days=1), at(3, 15, days=1))))[0])
    begins, _ = await _times(city, later["id"])
    for slot in await _slots(operator, someone, _wish(at(1, days=1), at(2, 59, days=1))):
        assert datetime.fromisoformat(slot["starts_to"]) + timedelta(minutes=45) <= begins


async def test_a_soft_wish_is_planned_beside_what_lies_before_the_border(city: City):
    someone, operator = await _night(city), await city.staff("operator")
    first = await _book(operator, (await _slots(operator, someone, _wish(at(2, 45, days=1), at(2, 45, days=1))))[-1])
    soft = _wish(at(3, days=1), at(3, 15, days=1), at(5, days=1))
    second = await _book(operator, (await _slots(operator, someone, soft))[0])
    await city.dispatch()
    assert (await _times(city, first["id"]))[1] <= (await _times(city, second["id"]))[0]
    assert await orphans(city) == []


async def test_a_soft_wish_for_when_the_visit_behind_the_border_has_begun_is_refused(city: City):
    someone, operator = await _night(city), await city.staff("operator")
    await _book(operator, (await _slots(operator, someone, _wish(at(3, 15, days=1), at(3, 15, days=1))))[0])
    body = {
        "resident_id": str(someone["id"]),
        "item_code": REHAB,
        "wish": _wish(at(2, 50, days=1), at(2, 55, days=1), at(3, days=1)),
    }
    answer = (await operator.post("/v1/quotes", body)).json()
    assert (answer["slots"], [reason["code"] for reason in answer["reasons"]]) == ([], ["resident_busy"])


async def test_two_bookings_on_both_sides_of_the_border_at_once_do_not_meet(city: City):
    """Either looks at its own plan: one of them wins, and the other is told to ask again."""
    someone, operator = await _night(city), await city.staff("operator")
    before = (await _slots(operator, someone, _wish(at(2, 45, days=1), at(2, 45, days=1))))[-1]
    behind = (await _slots(operator, someone, _wish(at(3, 15, days=1), at(3, 15, days=1))))[0]
    answers = await asyncio.gather(
        *(operator.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"}) for slot in (before, behind))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"slot_taken"}
    assert await city.one("SELECT count(*) FROM orders") == 1


async def test_a_rest_after_a_meal_lasts_across_the_border(city: City):
    """A rule of care knows no plan days: nobody is bathed within an hour after a meal brought at half past two."""
    someone, operator = await _night(city, "bath"), await city.staff("operator")
    worker = await city.one(
        "SELECT worker_id FROM shifts WHERE zone_id = $1 AND plan_on = $2 LIMIT 1", someone["zone_id"], DAY
    )
    await city.sql("INSERT INTO worker_skills (worker_id, skill) VALUES ($1, 'meal') ON CONFLICT DO NOTHING", worker)
    await city.sql("UPDATE workers SET box_capacity = 8")
    body = {
        "item_code": MEAL, "pickup": {"facility_id": str(await city.meal_point(someone["zone_id"])),
                                      "ready_at": at(2, 15, days=1).isoformat()},
    }  # fmt: skip
    meal = await _book(
        operator,
        (await _slots(operator, someone, _wish(at(2, 15, days=1), at(2, 45, days=1), at(3, days=1)), **body))[0],
    )
    eaten = (await _times(city, meal["id"]))[1]
    slots = await _slots(operator, someone, _wish(at(3, days=1), at(5, days=1)), item_code=BATH)
    assert slots
    assert all(datetime.fromisoformat(slot["starts_from"]) >= eaten + timedelta(hours=1) for slot in slots)


async def test_an_order_follows_one_of_the_plan_day_before(city: City):
    """Half an hour after the visit of 02:15 is half an hour after it, though another plan day has begun."""
    someone, operator = await _night(city), await city.staff("operator")
    first = await _book(operator, (await _slots(operator, someone, _wish(at(2, days=1), at(2, 15, days=1))))[-1])
    ends = (await _times(city, first["id"]))[1]
    after = {"order_id": first["id"], "min_gap_s": 1800, "max_gap_s": 5400}
    for wish in (_wish(at(3, days=1), at(6, days=1)), _wish(at(3, days=1), at(3, 15, days=1), at(6, days=1))):
        slots = await _slots(operator, someone, wish, after=after)
        assert slots
        for slot in slots:
            gap = datetime.fromisoformat(slot["expected_at"]) - ends
            assert timedelta(minutes=30) <= gap <= timedelta(minutes=90)
    second = await _book(operator, slots[0])
    assert timedelta(minutes=30) <= (await _times(city, second["id"]))[0] - ends <= timedelta(minutes=90)


async def _tied(city: City, someone: dict[str, Any], operator: Caller) -> tuple[dict[str, Any], dict[str, Any]]:
    """One visit before the border, one behind it, accepted both."""
    first = await _book(operator, (await _slots(operator, someone, _wish(at(2, 45, days=1), at(2, 45, days=1))))[-1])
    slots = await _slots(operator, someone, _wish(at(3, days=1), at(4, 30, days=1)))
    second = await _book(operator, slots[0])
    await city.dispatch()
    return first, second


async def _visit(city: City, order: dict[str, Any], days: int, planner: Planner | None = None) -> Any:
    async with city.database.unit_of_work(SYSTEM) as connection:
        read = await (planner or Planner("Asia/Shanghai")).read(
            connection, UUID(order["zone_id"]), DAY + timedelta(days=days), at(20)
        )
    day = read.built()
    visit = next(visit for visit in day.problem.visits if visit.id == order["id"])
    return day.instant(visit.earliest_s), day.instant(visit.latest_s)


@pytest.mark.spoils("a stop is at", "a gap between", "a resident has two", "two visits", "a worker")
async def test_whoever_plans_one_day_anew_knows_what_the_other_one_holds(city: City):
    """A search, the desk and the dispatcher read one plan: the visits tied to it in the other one bound its starts, as they are now."""
    someone, operator = await _night(city), await city.staff("operator")
    first, second = await _tied(city, someone, operator)
    planner = Planner("Asia/Shanghai")
    ends, begins = (await _times(city, first["id"]))[1], (await _times(city, second["id"]))[0]
    assert (await _visit(city, first, 0, planner))[1] <= begins - timedelta(minutes=45)
    assert (await _visit(city, second, 1, planner))[0] >= ends
    late = timedelta(minutes=40)
    await city.sql(
        "UPDATE stops SET during = tstzrange(lower(during), upper(during) + $2) WHERE order_id = $1",
        UUID(first["id"]),
        late,
    )
    await city.sql("UPDATE plans SET version = version + 1 WHERE plan_on = $1", DAY)
    assert (await _visit(city, second, 1, planner))[0] >= ends + late


async def test_a_crew_chosen_by_hand_comes_when_the_other_day_s_visit_is_over(city: City):
    someone, operator = await _night(city), await city.staff("operator")
    first, second = await _tied(city, someone, operator)
    ends = (await _times(city, first["id"]))[1]
    crew = [str(seat["worker_id"]) for seat in await city.crew(second["id"])]
    await city.sql("DELETE FROM stops WHERE order_id = $1", UUID(second["id"]))
    await city.sql("UPDATE assignments SET status = 'withdrawn' WHERE order_id = $1", UUID(second["id"]))
    await city.sql("UPDATE orders SET status = 'manual', provider_id = NULL WHERE id = $1", UUID(second["id"]))
    await city.sql("UPDATE plans SET version = version + 1")
    body = {"worker_ids": crew, "start_at": (ends - timedelta(minutes=5)).isoformat(), "reason": "agreed"}
    refused = await operator.post(f"/v1/orders/{second['id']}/assign", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "no_shift")
    assert "resident_busy" in refused.json()["detail"]
    body["start_at"] = (ends + timedelta(minutes=30)).astimezone(TIME_ZONE).isoformat()
    assert (await operator.post(f"/v1/orders/{second['id']}/assign", body)).status_code == 200


async def test_a_day_that_was_read_beside_another_is_not_written_once_that_one_has_changed(city: City):
    """What was thought about a visit behind the border is thought again when the one before it has moved."""
    someone, operator = await _night(city), await city.staff("operator")
    _, second = await _tied(city, someone, operator)
    async with city.database.unit_of_work(SYSTEM) as connection:
        read = await Planner("Asia/Shanghai").read(connection, UUID(second["zone_id"]), DAY + timedelta(days=1), at(20))
    day = read.built()
    async with city.database.unit_of_work(SYSTEM) as connection:
        await lock_day(connection, day)
    await city.sql(
        "UPDATE plans SET version = version + 1 WHERE plan_on = $1 AND zone_id = $2", DAY, someone["zone_id"]
    )
    with pytest.raises(StalePlanError):
        async with city.database.unit_of_work(SYSTEM) as connection:
            await lock_day(connection, day)


async def test_a_worker_whose_next_shift_begins_at_the_border_is_not_in_two_places(city: City):
    """One shift ends at three where the last visit is, the next begins at three at the base: the way between takes its time."""
    someone, operator = await _night(city), await city.staff("operator")
    other = await city.resident(number=1)
    worker = await city.one("SELECT worker_id FROM shifts WHERE zone_id = $1 LIMIT 1", someone["zone_id"])
    await city.sql("DELETE FROM shifts WHERE zone_id = $1", someone["zone_id"])
    await _shift(city, someone, worker, 0, at(22), at(3, days=1))
    await _shift(city, someone, worker, 1, at(3, days=1), at(7, days=1))
    await city.sql("UPDATE workers SET end_place_id = NULL")
    slot: dict[str, Any] = {}
    for late in range(0, 60, 5):  # as late as anybody comes
        found = await _slots(operator, someone, _wish(*[at(2, late, days=1)] * 3))
        if not found or found[0]["expected_at"] is None:
            break
        slot = found[0]
    first = await _book(operator, slot)
    second = await _book(
        operator, (await _slots(operator, other, _wish(at(3, days=1), at(3, days=1), at(5, days=1))))[0]
    )
    ends, begins = (await _times(city, first["id"]))[1], (await _times(city, second["id"]))[0]
    home = await city.one("SELECT place_id FROM orders WHERE id = $1", UUID(first["id"]))
    async with city.database.unit_of_work(SYSTEM) as connection:
        read = await Planner("Asia/Shanghai").read(
            connection, UUID(first["zone_id"]), DAY + timedelta(days=1), at(20), places=[home]
        )
    day = read.built()
    mine = next(worker for worker in day.problem.workers)
    visit = next(visit for visit in day.problem.visits if visit.id == second["id"])
    way = int(day.problem.travel[mine.mode][day.place(home), visit.place])
    assert timedelta(seconds=way) <= begins - ends


async def test_a_visit_that_begins_with_its_plan_day_is_reported_from_the_day_before(city: City):
    """Who is at the door at five to three for a visit at a quarter past is neither a day early nor out of order."""
    someone, operator = await _night(city), await city.staff("operator")
    order = await _book(operator, (await _slots(operator, someone, _wish(at(3, 15, days=1), at(3, 15, days=1))))[0])
    await city.dispatch()
    crew = await city.crew(order["id"])
    worker = await city.worker(crew[0]["worker_id"])
    await city.clock(at(2, 55, days=1))
    door = await city.door(order["id"])
    answer = await worker.post(f"/v1/orders/{order['id']}/check-in", door)
    assert answer.status_code == 200, answer.text
    seen = await city.order(order["id"])
    assert (seen["status"], seen["flags"]) == ("in_service", [])
    route = (await worker.get("/v1/workers/me/route", on=str(DAY + timedelta(days=1)))).json()
    assert [stop["order_id"] for stop in route["stops"]] == [order["id"]]


async def test_a_night_s_visits_that_go_on_behind_the_border_are_seen_and_kept_true(city: City):
    """At five past three the plan day is another, and the night's crew is still at work: on its phones and in its plan."""
    someone, operator = await _night(city), await city.staff("operator")
    other = await city.resident(number=1)
    await city.sql("DELETE FROM shifts WHERE worker_id <> (SELECT worker_id FROM shifts WHERE zone_id = $1 AND plan_on = $2 LIMIT 1)",
                   someone["zone_id"], DAY)  # fmt: skip
    first = await _book(operator, (await _slots(operator, someone, _wish(at(1, 45, days=1), at(1, 45, days=1))))[0])
    second = await _book(
        operator, (await _slots(operator, other, _wish(at(2, 45, days=1), at(2, 50, days=1), at(3, days=1))))[0]
    )
    await city.dispatch()
    worker = await city.worker((await city.crew(first["id"]))[0]["worker_id"])
    await city.clock(at(2, 15, days=1))
    assert (await worker.post(f"/v1/orders/{first['id']}/check-in", await city.door(first["id"]))).status_code == 200
    planned = await _times(city, second["id"])
    await city.clock(at(3, 15, days=1))
    await city.dispatch()
    assert (await _times(city, second["id"]))[0] > max(at(3, 15, days=1), planned[0])
    route = (await worker.get("/v1/workers/me/route", on=str(DAY + timedelta(days=1)))).json()
    assert second["id"] in [stop["order_id"] for stop in route["stops"]]


async def test_a_sheet_of_a_night_s_visit_is_keyed_in(city: City):
    """It began on one plan day and ended on the next one: that is no sheet of another day."""
    someone, operator = await _night(city), await city.staff("operator")
    order = await _book(operator, (await _slots(operator, someone, _wish(at(2, 45, days=1), at(2, 45, days=1))))[-1])
    await city.dispatch()
    await city.clock(at(4, days=1))
    crew = [
        {
            "worker_id": str(seat["worker_id"]),
            "came_at": at(2, 45, days=1).isoformat(),
            "left_at": at(3, 30, days=1).isoformat(),
        }
        for seat in await city.crew(order["id"])
    ]
    answer = await operator.post(f"/v1/orders/{order['id']}/sheet", {"crew": crew, "reason": "no phone"})
    assert answer.status_code == 200, answer.text
