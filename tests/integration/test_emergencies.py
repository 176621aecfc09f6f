"""Somebody needs help now: one press is kept, told and seen to, whatever else is missing, and ends with an outcome."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.core.principal import SYSTEM
from backend.emergencies.model import Outcome
from tests.support.city import Caller, City, at
from tests.support.people import consent, person

REHAB = "rehab-home"


async def people(city: City) -> dict[str, Any]:
    """A resident, who may speak for them, a neighbour and the desk."""
    someone, other = await city.resident(), await city.resident(number=1)
    son = await person(city.database, "family")
    await consent(city.database, someone["id"], son.account_id, "status")
    return {
        "id": str(someone["id"]), "resident": await city.signed_in(someone["account_id"]),
        "daughter": await city.signed_in(await city.daughter(someone["id"])), "son": Caller(city.http, son.token),
        "neighbour": await city.signed_in(other["account_id"]), "neighbour_id": str(other["id"]),
        "operator": await city.staff("operator"),
    }  # fmt: skip


async def visit(city: City, number: int = 0) -> tuple[dict[str, Any], Caller]:
    """An order under way and its worker."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone = await city.resident(number=number)
    order = await city.booked(await city.staff("operator"), someone["id"], REHAB, at(10), at(12), channel="phone")
    await city.dispatch()
    return order, await city.worker((await city.crew(order["id"]))[0]["worker_id"])


async def raised(caller: Caller, **body: Any) -> dict[str, Any]:
    answer = await caller.post("/v1/emergencies", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def rows(city: City) -> list[dict[str, Any]]:
    return await city.sql("SELECT * FROM emergencies ORDER BY id")


async def test_one_press_with_nothing_said_is_an_alarm_about_who_pressed(city: City):
    """Whoever lies on the floor fills in no form."""
    who = await people(city)
    told = await raised(who["resident"])
    assert (told["standing"], datetime.fromisoformat(told["raised_at"])) == ("open", at(8))
    (row,) = await rows(city)
    assert (str(row["resident_id"]), row["role"], row["order_id"], row["x"]) == (who["id"], "resident", None, None)
    (task,) = (await who["operator"].get("/v1/tasks")).json()
    assert (task["kind"], task["emergency_id"], task["resident_id"]) == ("emergency", told["id"], who["id"])
    assert datetime.fromisoformat(task["due_at"]) == at(8, 1)


@pytest.mark.parametrize("which", ["daughter", "son"])
async def test_those_let_in_raise_one_also_when_they_may_only_look(city: City, which: str):
    """Who may not book may well see that something is wrong; with one resident they need not say which."""
    who = await people(city)
    await raised(who[which], remark="电话没人接")
    (row,) = await rows(city)
    assert (str(row["resident_id"]), row["role"], row["remark"]) == (who["id"], "family", "电话没人接")


async def test_nobody_raises_one_about_somebody_elses_resident_and_learns_whether_there_is_one(city: City):
    who = await people(city)
    answers = [
        await who["neighbour"].post("/v1/emergencies", {"resident_id": resident_id})
        for resident_id in (who["id"], str(uuid4()))
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "unknown_resident")] * 2
    assert await rows(city) == []


async def test_a_worker_raises_one_at_a_visit_and_what_is_not_theirs_is_left_out(city: City):
    """An alarm is never refused because a phone named the wrong visit; and it opens no door to another's."""
    order, worker = await visit(city)
    other, _ = await visit(city, 1)
    await city.sql("DELETE FROM assignments WHERE order_id = $1", UUID(other["id"]))
    await raised(worker, order_id=order["id"], x=120.6, y=31.3, accuracy_m=9.0)
    await raised(worker, order_id=other["id"], resident_id=other["resident_id"])
    first, second = await rows(city)
    assert (str(first["order_id"]), str(first["resident_id"])) == (order["id"], order["resident_id"])
    assert (first["x"], first["y"], first["accuracy_m"]) == (120.6, 31.3, 9.0)
    assert (second["order_id"], second["resident_id"]) == (None, None)


async def test_an_operator_raises_one_for_somebody_who_rang_known_or_not(city: City):
    """Two strangers who ring within minutes are two; the same resident is one."""
    who = await people(city)
    strangers = [await raised(who["operator"], remark=words) for words in ("桂花里，不肯说名字", "公交站有人摔倒")]
    assert strangers[0]["id"] != strangers[1]["id"]
    known = [await raised(who["operator"], resident_id=who["id"]) for _ in range(2)]
    assert known[0]["id"] == known[1]["id"]
    answer = await who["operator"].post("/v1/emergencies", {"resident_id": str(uuid4())})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_resident")
    order, _ = await visit(city, 1)
    await raised(who["operator"], order_id=order["id"])
    assert str((await rows(city))[-1]["resident_id"]) == order["resident_id"]


async def test_an_alarm_waits_for_nobody_who_changes_the_same_resident(city: City):
    """Somebody books for her at that moment, and holds her row while they wait for a plan."""
    who = await people(city)
    async with city.owner.unit_of_work(SYSTEM) as other:
        await other.execute("SELECT FROM residents WHERE id = $1 FOR NO KEY UPDATE", UUID(who["id"]))
        for caller in ("operator", "resident"):
            async with asyncio.timeout(3):
                await raised(who[caller], resident_id=who["id"])


@pytest.mark.parametrize(
    "body", [{"x": 120.6}, {"y": 31.3}, {"accuracy_m": 9.0}, {"device_at": "2001-01-01T00:00:00Z"}]
)
async def test_half_a_position_or_a_wrong_clock_refuses_no_alarm(city: City, body: dict[str, Any]):
    who = await people(city)
    await raised(who["resident"], **body)
    assert [(row["x"], row["y"]) for row in await rows(city)] == [(None, None)]


async def test_a_position_of_a_chinese_map_is_kept_as_satellites_give_it(city: City):
    """Several hundred metres lie between the two: an ambulance would stand in another street."""
    who = await people(city)
    await raised(who["resident"], x=120.6, y=31.3, datum="gcj02")
    (row,) = await rows(city)
    assert (row["x"], row["y"]) != (120.6, 31.3)
    assert (row["x"], row["y"]) == pytest.approx((120.6, 31.3), abs=0.01)


async def test_pressed_again_within_minutes_it_is_the_one_that_is_open(city: City):
    who = await people(city)
    first = await raised(who["resident"])
    await city.clock(at(8, 5))
    assert (await raised(who["resident"]))["id"] == first["id"]
    assert (await raised(who["daughter"]))["id"] != first["id"], "another person saw it, too"
    await city.clock(at(8, 6))
    assert (await raised(who["resident"]))["id"] != first["id"]
    assert await city.one("SELECT count(*) FROM events WHERE type = 'emergency.raised'") == 3


async def test_of_many_presses_at_once_one_is_kept(city: City):
    """Wet hands press again and again, and each press is a request of its own."""
    who = await people(city)
    ids = {told["id"] for told in await asyncio.gather(*(raised(who["resident"]) for _ in range(6)))}
    assert len(ids) == len(await rows(city)) == 1


async def test_called_off_it_stays_with_the_desk_and_the_next_press_is_a_new_one(city: City):
    """Whoever says "a slip" may have been made to say so, and may fall a minute later."""
    who = await people(city)
    first = await raised(who["resident"])
    off = await who["resident"].post(f"/v1/emergencies/{first['id']}/call-off")
    assert (off.status_code, off.json()["standing"]) == (200, "open")
    assert datetime.fromisoformat(off.json()["called_off_at"]) == at(8)
    assert len((await who["operator"].get("/v1/tasks")).json()) == 1
    again = await who["resident"].post(f"/v1/emergencies/{first['id']}/call-off")
    assert (again.status_code, again.json()) == (200, off.json())
    assert await city.one("SELECT count(*) FROM events WHERE type = 'emergency.called_off'") == 1
    assert (await raised(who["resident"]))["id"] != first["id"]


async def test_only_who_raised_it_calls_it_off(city: City):
    who = await people(city)
    first = await raised(who["resident"])
    for other in ("daughter", "neighbour", "operator"):
        answer = await who[other].post(f"/v1/emergencies/{first['id']}/call-off")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_emergency"), other
    assert (await rows(city))[0]["called_off_at"] is None


@pytest.mark.parametrize("outcome", Outcome)
async def test_an_operator_takes_and_closes_it_with_an_outcome_and_the_task_ends_with_it(city: City, outcome: Outcome):
    who, second = await people(city), await city.staff("operator")
    first = await raised(who["resident"])
    path = f"/v1/emergencies/{first['id']}"
    taken = await who["operator"].post(f"{path}/take")
    assert (taken.status_code, taken.json()["owner_id"] is not None) == (200, True)
    late = await second.post(f"{path}/take")
    assert (late.status_code, late.json()["code"]) == (409, "already_taken")
    assert (await raised(who["resident"]))["standing"] == "taken"
    closed = await second.post(f"{path}/close", {"outcome": outcome, "remark": "回过电话"})
    assert (closed.status_code, closed.json()["outcome"], closed.json()["closing_remark"]) == (200, outcome, "回过电话")
    assert (await who["operator"].get("/v1/tasks")).json() == []
    assert await city.one("SELECT outcome FROM desk_tasks") == outcome
    for answer in (await second.post(f"{path}/close", {"outcome": "fine"}), await second.post(f"{path}/take"),
                   await who["resident"].post(f"{path}/call-off")):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (409, "already_closed")


async def test_it_is_not_closed_without_an_outcome_nor_by_its_task(city: City):
    who = await people(city)
    first = await raised(who["resident"])
    answer = await who["operator"].post(f"/v1/emergencies/{first['id']}/close", {"remark": "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    (task,) = (await who["operator"].get("/v1/tasks")).json()
    put_away = await who["operator"].post(f"/v1/tasks/{task['id']}/close", {"outcome": "忙"})
    assert (put_away.status_code, put_away.json()["code"]) == (409, "closes_by_itself")


async def test_taken_by_its_task_whoever_raised_it_hears_so_too(city: City):
    who = await people(city)
    first = await raised(who["resident"])
    (task,) = (await who["operator"].get("/v1/tasks")).json()
    await who["operator"].post(f"/v1/tasks/{task['id']}/take")
    event = (await city.sql("SELECT keys, data FROM events WHERE type = 'emergency.taken'"))[0]
    account = await city.one("SELECT raised_by FROM emergencies WHERE id = $1", UUID(first["id"]))
    assert set(event["keys"]) == {"console", f"account:{account}", f"resident:{who['id']}"}


async def test_the_desk_sees_open_ones_first_and_nobody_else_a_list(city: City):
    who = await people(city)
    over = await raised(who["resident"])
    await who["operator"].post(f"/v1/emergencies/{over['id']}/close", {"outcome": "mistake"})
    await city.clock(at(8, 10))
    waits = [await raised(who["daughter"]), await raised(who["neighbour"])]
    listed = (await who["operator"].get("/v1/emergencies")).json()
    assert [row["id"] for row in listed] == [waits[0]["id"], waits[1]["id"], over["id"]]
    assert [row["id"] for row in (await who["operator"].get("/v1/emergencies", limit=1)).json()] == [waits[0]["id"]]
    for nobody in (who["resident"], who["daughter"], await city.staff("supervisor")):
        assert (await nobody.get("/v1/emergencies")).status_code == 403


async def test_alarms_come_before_everything_else_the_desk_has_to_do(city: City):
    order, worker = await visit(city)
    await city.clock(at(10))
    await worker.post(f"/v1/orders/{order['id']}/no-access", {})
    await city.clock(at(10, 30))
    await raised(worker, order_id=order["id"])
    desk = await city.staff("operator")
    assert [task["kind"] for task in (await desk.get("/v1/tasks")).json()] == ["emergency", "no_access"]


async def test_the_family_hears_of_an_alarm_and_of_a_workers_only_the_desk(city: City):
    """A worker may be afraid of somebody in that home."""
    order, worker = await visit(city)
    who = await people(city)
    await raised(who["daughter"])
    await raised(worker, order_id=order["id"])
    family, crew = await city.sql("SELECT keys, data FROM events WHERE type = 'emergency.raised' ORDER BY id")
    assert f"resident:{who['id']}" in family["keys"]
    assert not [key for key in crew["keys"] if key.startswith(("resident:", "order:", "zone:"))]
    assert "console" in crew["keys"]


async def test_no_event_says_what_it_was_or_where(city: City):
    who = await people(city)
    first = await raised(who["resident"], x=120.61, y=31.31, remark="胸口疼")
    await who["operator"].post(f"/v1/emergencies/{first['id']}/close", {"outcome": "hospital", "remark": "人民医院"})
    told = await city.sql("SELECT data::text AS data FROM events WHERE type LIKE 'emergency.%' OR type LIKE 'task.%'")
    assert not [row for row in told for word in ("hospital", "胸口", "人民医院", "120.61") if word in row["data"]]


async def test_the_same_press_sent_again_by_a_phone_is_answered_alike(city: City):
    who, key = await people(city), str(uuid4())
    answers = [await who["resident"].post("/v1/emergencies", {}, key) for _ in range(3)]
    assert {answer.text for answer in answers} == {answers[0].text}
