"""Made-up evidence: every report of the crew is stored, what is odd is flagged, and a flag is for a person to clear."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from asyncpg import InsufficientPrivilegeError

from backend.core.principal import SYSTEM
from tests.support.city import Caller, City, at
from tests.support.fit import found_fit

BATH, REHAB = "bath-home", "rehab-home"
RESOLVED = {"outcome": "completed", "code": "document_seen", "reason": "家属和机构都说做过了"}


async def accepted(city: City, item: str = REHAB, ability: int = 0) -> tuple[dict[str, Any], list[Caller]]:
    """An order for ten o'clock with its crew."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, someone = await city.staff("operator"), await city.resident(ability=ability)
    order = await city.booked(operator, someone["id"], item, at(10), at(11), channel="phone")
    await city.dispatch()
    await found_fit(city, order["id"])
    return order, [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]


async def report(worker: Caller, order: dict[str, Any], step: str, **said: Any) -> dict[str, Any]:
    answer = await worker.post(f"/v1/orders/{order['id']}/{step}", said)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def visited(
    city: City, order: dict[str, Any], workers: list[Caller], *, from_at: datetime, lasts: timedelta, **said: Any
) -> dict[str, Any]:
    """The whole crew comes in, stays, and goes; at the door unless told otherwise."""
    said = {**await city.door(order["id"]), **said}
    await city.clock(from_at)
    for worker in workers:
        await report(worker, order, "check-in", **said)
    await city.clock(from_at + lasts)
    return [await report(worker, order, "check-out", **said) for worker in workers][-1]


async def silence(city: City, order: dict[str, Any]) -> str:
    """A day and more passes without a word of the resident."""
    await city.clock(max(at(8, days=2), datetime.fromisoformat(order["window_to"]) + timedelta(days=2)))
    await city.timers()
    return (await city.order(order["id"]))["status"]


async def the_resident(city: City, order: dict[str, Any]) -> Caller:
    return await city.signed_in(
        await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    )


async def in_exception(city: City) -> tuple[dict[str, Any], list[Caller]]:
    """A bath of one second, which silence has brought to the desk."""
    order, crew = await accepted(city, BATH, 3)
    await visited(city, order, crew, from_at=at(10), lasts=timedelta(seconds=1))
    assert await silence(city, order) == "exception"
    return order, crew


async def test_a_check_in_days_ahead_and_nowhere_is_kept_and_moves_nothing(city: City):
    """Followed, it would take the visit off the day on which the resident waits for it."""
    await city.clock(at(8, days=-12))
    order, crew = await accepted(city)
    answer = await report(crew[0], order, "check-in", x=0, y=0)
    assert answer["report"] == {"counts": False, "flags": ["TOO_EARLY", "OUT_OF_RANGE"]}
    assert (answer["status"], answer["flags"]) == ("accepted", ["TOO_EARLY", "OUT_OF_RANGE"])
    assert await city.one("SELECT count(*) FROM visit_records WHERE NOT counts") == 1
    await city.clock(at(9))
    await city.dispatch()
    assert (await city.crew(order["id"]))[0]["status"] == "accepted"
    assert (await visited(city, order, crew, from_at=at(10), lasts=timedelta(minutes=45)))["status"] == (
        "awaiting_acceptance"
    )
    assert await silence(city, order) == "exception"


@pytest.mark.parametrize("word", ["silence", "resident", "family", "operator"])
async def test_a_two_person_bath_of_one_second_is_completed_by_nobodys_silence_or_word(city: City, word: str):
    """Whoever makes a visit up may hold the resident's telephone too: the word is kept, a person decides."""
    order, crew = await accepted(city, BATH, 3)
    done = await visited(city, order, crew, from_at=at(10), lasts=timedelta(seconds=1))
    assert (done["status"], done["flags"]) == ("awaiting_acceptance", ["TOO_SHORT"])
    if word == "silence":
        assert await silence(city, order) == "exception"
        return
    who = {
        "resident": lambda: the_resident(city, order),
        "family": lambda: _daughter(city, order),
        "operator": lambda: city.staff("operator"),
    }
    answer = await (await who[word]()).post(f"/v1/orders/{order['id']}/accept-service")
    assert answer.json()["status"] == "exception"
    said = await city.sql("SELECT side, kind FROM visit_statements")
    assert [(row["side"], row["kind"]) for row in said] == [("family" if word == "family" else "resident", "accepted")]


@pytest.mark.parametrize("shared", [False, True])
async def test_a_care_workers_own_telephone_does_not_make_up_for_missing_evidence(city: City, shared: bool):
    """She may be the resident's daughter: her word for the resident would clear her own visit without a position."""
    order, crew = await accepted(city)
    await visited(city, order, crew, from_at=at(10), lasts=timedelta(minutes=50), x=None, y=None)
    assert (await city.order(order["id"]))["flags"] == ["NO_POSITION"]
    daughter = await city.daughter(UUID(order["resident_id"]))
    if shared:
        await city.sql(
            """UPDATE account_numbers SET phone = (SELECT n.phone FROM account_numbers n JOIN workers w USING (account_id)
                                                  WHERE w.id = $2) WHERE account_id = $1""",
            daughter, (await city.crew(order["id"]))[0]["worker_id"],
        )  # fmt: skip
    answer = await (await city.signed_in(daughter)).post(f"/v1/orders/{order['id']}/accept-service")
    assert answer.json()["status"] == ("exception" if shared else "completed")


async def _daughter(city: City, order: dict[str, Any]) -> Caller:
    return await city.signed_in(await city.daughter(UUID(order["resident_id"])))


async def test_a_phones_own_clock_may_say_that_a_visit_was_short(city: City):
    """By receipt it lasted; the phone made both reports within a minute and kept the second back."""
    order, crew = await accepted(city)
    door = await city.door(order["id"])
    await city.clock(at(10))
    await report(crew[0], order, "check-in", **door, device_at=at(10).isoformat())
    await city.clock(at(10, 45))
    done = await report(crew[0], order, "check-out", **door, device_at=at(10, 1).isoformat())
    assert done["report"]["flags"] == ["TOO_SHORT", "DEVICE_CLOCK"]


async def two_visits(city: City) -> tuple[Caller, list[dict[str, Any]]]:
    """Two rehabilitation visits of the only therapist left."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, orders = await city.staff("operator"), []
    keep = await city.one(
        """SELECT k.worker_id FROM worker_skills k JOIN shifts s ON s.worker_id = k.worker_id
           JOIN zones z ON z.id = s.zone_id WHERE z.code = 'Z1' AND k.skill = 'rehab' ORDER BY 1 LIMIT 1"""
    )
    await city.sql("DELETE FROM shifts WHERE worker_id <> $1", keep)
    for number in range(2):
        someone = await city.resident(number=number)
        orders.append(await city.booked(operator, someone["id"], REHAB, at(9, 30), at(12), channel="phone"))
    await city.dispatch()
    return await city.worker(keep), orders


@pytest.mark.spoils("a meal comes")
@pytest.mark.parametrize("second", ["check-in", "hand-over"])
async def test_a_worker_in_two_visits_is_told_of_both(city: City, second: str):
    """We cannot know which of the two is true."""
    worker, orders = await two_visits(city)
    doors = [await city.door(order["id"]) for order in orders]
    await city.clock(at(10))
    await report(worker, orders[0], "check-in", **doors[0])
    await city.clock(at(10, 30))
    if second == "hand-over":
        await city.sql("UPDATE orders SET kind = 'meal' WHERE id = $1", UUID(orders[1]["id"]))
        await report(worker, orders[1], "en-route")
        assert (await report(worker, orders[1], "hand-over", **doors[1]))["status"] == "exception"
    else:
        await report(worker, orders[1], "check-in", **doors[1])
        await city.clock(at(11))
        assert "TWO_PLACES" in (await report(worker, orders[1], "check-out", **doors[1]))["flags"]
    await city.clock(at(11))
    assert "TWO_PLACES" in (await report(worker, orders[0], "check-out", **doors[0]))["flags"]
    for order in orders:
        assert await silence(city, order) == "exception"


async def test_nobody_goes_from_door_to_door_in_a_second(city: City):
    """One visit after the other, each at its own door, but faster than any vehicle: one of the doors is made up."""
    worker, orders = await two_visits(city)
    far = await city.one("SELECT place_id FROM orders WHERE id = $1", UUID(orders[1]["id"]))
    await city.sql("UPDATE places SET x = x + 0.05 WHERE id = $1", far)
    await visited(city, orders[0], [worker], from_at=at(10), lasts=timedelta(minutes=45))
    await city.clock(at(10, 45) + timedelta(seconds=1))
    assert (await report(worker, orders[1], "check-in", **await city.door(orders[1]["id"])))["report"]["flags"] == [
        "TWO_PLACES"
    ]
    assert (await city.order(orders[0]["id"]))["flags"] == ["TWO_PLACES"], "nobody can know which"


async def test_seven_check_outs_by_one_are_one_and_the_other_is_waited_for(city: City):
    order, (first, second) = await accepted(city, BATH, 3)
    door = await city.door(order["id"])
    await city.clock(at(10))
    for worker in (first, second):
        await report(worker, order, "check-in", **door)
    await city.clock(at(11))
    answers = [await report(first, order, "check-out", **door) for _ in range(7)]
    assert [answer["status"] for answer in answers] == ["in_service"] * 7
    assert [answer["report"]["counts"] for answer in answers] == [True] + [False] * 6
    assert [answer["report"]["flags"] for answer in answers] == [[]] + [["REPEATED"]] * 6
    assert (await report(second, order, "check-out", **door))["status"] == "awaiting_acceptance"
    assert await city.one("SELECT count(*) FROM visit_records WHERE kind = 'check_out'") == 8
    assert await silence(city, order) == "exception"


@pytest.mark.parametrize(
    "spoilt",
    ['"x": 120.6, "y": 91', '"x": 181, "y": 31', '"x": "NaN", "y": 31', '"x": NaN, "y": 31', '"x": 1e999, "y": 31',
     '"x": 120.6', '"accuracy_m": -5', '"device_at": "0001-01-01T00:00:00Z"', '"device_at": "2030-03-12T10:00:00"',
     '"device_at": "9999-12-31T23:59:59Z"', '"tasks": [null]', '"offline": true', '"mood": "good"'],
)  # fmt: skip
async def test_only_what_cannot_be_read_or_lies_off_every_scale_is_refused(city: City, spoilt: str):
    order, crew = await accepted(city)
    answer = await city.http.post(
        f"/v1/orders/{order['id']}/check-in", content="{" + spoilt + "}",
        headers={**crew[0]._headers, "Idempotency-Key": str(uuid4()), "Content-Type": "application/json"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) in {(400, "invalid_request"), (400, "invalid_json")}
    assert await city.one("SELECT count(*) FROM visit_records") == 0


async def test_on_a_plane_metres_are_no_degrees_and_without_geometry_no_place_is_missed(city: City):
    """Recorded days lie on planes, or state travel times only: there 500 is a number like any other."""
    order, crew = await accepted(city)
    await city.sql("UPDATE places SET geometry = 'plane', x = 500, y = 900")
    await city.clock(at(10))
    assert (await report(crew[0], order, "check-in", x=520, y=910))["report"] == {"counts": True, "flags": []}
    await city.sql("UPDATE places SET geometry = 'none'")
    await city.clock(at(10, 45))
    assert (await report(crew[0], order, "check-out"))["report"] == {"counts": True, "flags": []}
    assert await silence(city, order) == "completed"


async def test_reports_that_fit_no_state_are_stored_all_the_same(city: City):
    """Cancelled, completed, on the desk: what a phone says is evidence whatever became of the order."""
    order, crew = await accepted(city)
    operator, door = await city.staff("operator"), await city.door(order["id"])
    assert (await operator.post(f"/v1/orders/{order['id']}/cancel", {"reason": "x"})).status_code == 200
    for step in ("en-route", "check-in", "check-out", "pick-up", "hand-over"):
        answer = await report(crew[0], order, step, **door)
        assert answer["status"] is None
        assert answer["report"]["counts"] is False
        assert "NOT_IN_CREW" in answer["report"]["flags"]
    assert await city.one("SELECT count(*) FROM visit_records WHERE NOT counts") == 5
    assert await city.one("SELECT flags FROM orders WHERE id = $1", UUID(order["id"])) == []


async def test_without_a_position_the_residents_word_completes_and_silence_does_not(city: City):
    """Silence says nothing of the place; somebody who was there does."""
    order, crew = await accepted(city)
    nowhere = {"x": None, "y": None}
    await visited(city, order, crew, from_at=at(10), lasts=timedelta(minutes=45), **nowhere)
    assert (await city.order(order["id"]))["flags"] == ["NO_POSITION"]
    answer = await (await the_resident(city, order)).post(f"/v1/orders/{order['id']}/accept-service")
    assert answer.json()["status"] == "completed"
    other = await city.booked(
        await city.staff("operator"), (await city.resident(number=1))["id"], REHAB, at(14), at(16)
    )
    await city.dispatch()
    crew = [await city.worker(seat["worker_id"]) for seat in await city.crew(other["id"])]
    start = datetime.fromisoformat(other["window_from"])
    await visited(city, other, crew, from_at=start, lasts=timedelta(minutes=45), **nowhere)
    assert await silence(city, other) == "exception"


async def test_a_city_may_let_silence_do_without_a_position(city: City):
    """A figure of the rules says so, not the code."""
    await city.sql("UPDATE rule_parameters SET value = 0 WHERE code = 'visit_needs_position'")
    order, crew = await accepted(city)
    await visited(city, order, crew, from_at=at(10), lasts=timedelta(minutes=45), x=None, y=None)
    assert await silence(city, order) == "completed"


async def test_a_visit_sent_later_by_a_phone_without_signal_is_measured_by_its_own_clock(city: City):
    """Both reports arrive in one second; silence does not complete what only the phone says, the resident does."""
    order, crew = await accepted(city)
    door = await city.door(order["id"])
    await city.clock(at(11))
    await report(crew[0], order, "check-in", **door, device_at=at(10).isoformat(), offline=True)
    done = await report(crew[0], order, "check-out", **door, device_at=at(10, 45).isoformat(), offline=True)
    assert (done["status"], done["flags"]) == ("awaiting_acceptance", ["OFFLINE"])
    answer = await (await the_resident(city, order)).post(f"/v1/orders/{order['id']}/accept-service")
    assert answer.json()["status"] == "completed"


async def test_offline_hides_no_short_visit(city: City):
    order, crew = await accepted(city)
    door = await city.door(order["id"])
    await city.clock(at(11))
    await report(crew[0], order, "check-in", **door, device_at=at(10).isoformat(), offline=True)
    done = await report(crew[0], order, "check-out", **door, device_at=at(10, 2).isoformat(), offline=True)
    assert done["flags"] == ["OFFLINE", "TOO_SHORT"]


@pytest.mark.spoils("an order is not of the newest")
async def test_an_item_without_acceptance_does_not_complete_itself_with_a_flag(city: City):
    order, crew = await accepted(city)
    await city.sql("UPDATE orders SET acceptance = false")
    done = await visited(city, order, crew, from_at=at(10), lasts=timedelta(seconds=5))
    assert (done["status"], done["flags"]) == ("exception", ["TOO_SHORT"])


async def test_a_visit_as_planned_is_completed_by_silence(city: City):
    order, crew = await accepted(city, BATH, 3)
    done = await visited(city, order, crew, from_at=at(10), lasts=timedelta(minutes=55))
    assert (done["status"], done["flags"]) == ("awaiting_acceptance", [])
    assert await silence(city, order) == "completed"


async def test_whoever_keyed_evidence_does_not_decide_about_it_another_operator_does(city: City):
    """Two people, or nobody would notice."""
    order, crew = await in_exception(city)
    keyed, other = await city.staff("operator"), await city.staff("operator")
    path = f"/v1/orders/{order['id']}/resolve"
    account = await city.one("SELECT account_id FROM sessions ORDER BY created_at DESC OFFSET 1 LIMIT 1")
    await city.sql("UPDATE visit_records SET entered_by = $1 WHERE kind = 'check_out'", account)
    refused = await keyed.post(path, RESOLVED)
    assert (refused.status_code, refused.json()["code"]) == (403, "own_evidence")
    for nobody in (crew[0], await the_resident(city, order), await city.staff("supervisor")):
        assert (await nobody.post(path, RESOLVED)).status_code == 403
    key = str(uuid4())
    answers = [await other.post(path, RESOLVED, key) for _ in range(2)]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert (answers[0].status_code, answers[0].json()["status"]) == (200, "completed")
    audit = await city.sql("SELECT action, reason FROM audit WHERE subject_id = $1", UUID(order["id"]))
    assert [(row["action"], row["reason"]) for row in audit] == [
        ("resolve", "completed/document_seen: " + RESOLVED["reason"])
    ]
    told = (await city.sql("SELECT keys, data FROM events WHERE type = 'order.completed'"))[0]
    wanted = {f"resident:{order['resident_id']}", f"provider:{told['data']['provider_id']}", "console"}
    wanted |= {f"worker:{seat['worker_id']}" for seat in await city.crew(order["id"])}
    assert wanted <= set(told["keys"])
    again = await keyed.post(path, RESOLVED)
    assert (again.status_code, again.json()["code"], again.json()["current"]) == (
        409,
        "illegal_transition",
        "completed",
    )


async def test_who_agreed_in_the_residents_name_does_not_decide_either(city: City):
    order, crew = await accepted(city)
    await visited(city, order, crew, from_at=at(10), lasts=timedelta(seconds=1))
    operator, other = await city.staff("operator"), await city.staff("operator")
    await operator.post(f"/v1/orders/{order['id']}/accept-service")
    path = f"/v1/orders/{order['id']}/resolve"
    assert (await operator.post(path, RESOLVED)).json()["code"] == "own_evidence"
    rejected = await other.post(path, {**RESOLVED, "outcome": "rejected", "code": "made_up"})
    assert rejected.json()["status"] == "rejected"


@pytest.mark.parametrize("outcome", ["completed", "rejected", "exception"])
async def test_a_dispute_is_decided_when_both_sides_were_heard(city: City, outcome: str):
    order, crew = await accepted(city)
    await visited(city, order, crew, from_at=at(10), lasts=timedelta(minutes=45))
    path = f"/v1/orders/{order['id']}"
    resident, operator = await the_resident(city, order), await city.staff("operator")
    assert (await resident.post(f"{path}/dispute", {"reason": "只来了五分钟"})).json()["status"] == "disputed"
    resolved = {
        **RESOLVED,
        "outcome": outcome,
        "code": "looked_at_further" if outcome == "exception" else "document_seen",
    }
    unheard = await operator.post(f"{path}/resolve", resolved)
    assert (unheard.status_code, unheard.json()["code"]) == (409, "other_side_unheard")
    assert (await crew[0].post(f"{path}/statements", {"words": "做了四十五分钟"})).status_code == 201
    task = (await operator.get("/v1/reviews", status="disputed")).json()["reviews"][0]
    assert [(s["side"], s["words"]) for s in task["statements"]] == [
        ("resident", "只来了五分钟"), ("worker", "做了四十五分钟")]  # fmt: skip
    assert [r["kind"] for r in task["records"]] == ["check_in", "check_out"]
    assert (await operator.post(f"{path}/resolve", resolved)).json()["status"] == outcome


async def test_the_other_side_may_be_heard_on_the_telephone(city: City):
    order, crew = await accepted(city)
    await visited(city, order, crew, from_at=at(10), lasts=timedelta(minutes=45))
    path = f"/v1/orders/{order['id']}"
    await (await the_resident(city, order)).post(f"{path}/dispute", {"reason": "没有人来"})
    operator = await city.staff("operator")
    heard = [{"side": "provider", "words": "打了三次电话，没人接"}]
    answer = await operator.post(f"{path}/resolve", {**RESOLVED, "outcome": "rejected", "heard": heard})
    assert answer.json()["status"] == "rejected"
    assert await city.one("SELECT count(*) FROM visit_statements") == 2


async def test_only_the_parties_speak_each_for_themselves_and_while_it_is_open(city: City):
    order, crew = await in_exception(city)
    path = f"/v1/orders/{order['id']}/statements"
    provider_id = await city.one("SELECT provider_id FROM orders WHERE id = $1", UUID(order["id"]))
    stranger_id = await city.one("SELECT id FROM providers WHERE id <> $1 LIMIT 1", provider_id)
    mine, stranger = await city.staff("provider", provider_id), await city.staff("provider", stranger_id)
    assert (await mine.post(path, {"words": "签退按晚了"})).json()["side"] == "provider"
    assert (await crew[0].post(path, {"words": "做完了", "side": "resident"})).json()["code"] == "invalid_request"
    assert (await stranger.post(path, {"words": "不是"})).json()["code"] == "unknown_order"
    neighbour = await city.signed_in((await city.resident(number=2))["account_id"])
    assert (await neighbour.post(path, {"words": "不是"})).json()["code"] == "unknown_order"
    operator = await city.staff("operator")
    assert (await operator.post(path, {"words": "不是"})).json()["code"] == "invalid_request"
    assert (await operator.post(path, {"words": "做过了", "side": "family"})).status_code == 201
    assert (await operator.post(f"/v1/orders/{order['id']}/resolve", RESOLVED)).status_code == 200
    assert (await mine.post(path, {"words": "还有"})).json()["current"] == "completed"


@pytest.mark.spoils("an order has another crew")
async def test_the_desks_tasks_come_page_by_page_the_oldest_first_for_operators_only(city: City):
    order, crew = await in_exception(city)
    await city.clock(at(8))
    rows = await city.sql("SELECT * FROM orders WHERE id = $1", UUID(order["id"]))
    for _ in range(4):
        columns = {**rows[0], "id": uuid4(), "code": uuid4().hex[:8], "status": "exception"}
        names = ", ".join(columns)
        marks = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
        await city.sql(f"INSERT INTO orders ({names}) VALUES ({marks})", *columns.values())
    operator, seen, cursor = await city.staff("operator"), [], None
    while True:
        page = (await operator.get("/v1/reviews", limit=2, **({"cursor": cursor} if cursor else {}))).json()
        seen += [review["order"]["id"] for review in page["reviews"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 5
    for nobody in (crew[0], await the_resident(city, order), await city.staff("supervisor")):
        assert (await nobody.get("/v1/reviews")).status_code == 403


async def test_the_board_says_what_is_odd_in_words(city: City):
    await in_exception(city)
    page = (await (await city.staff("operator")).get("/board", lang="en")).text
    assert "to verify · too short" in page


async def test_no_statement_is_changed_or_taken_back(city: City):
    """Not even by the platform's own role."""
    await in_exception(city)
    for statement in ("UPDATE visit_statements SET words = ''", "DELETE FROM visit_statements"):
        with pytest.raises(InsufficientPrivilegeError):
            async with city.database.unit_of_work(SYSTEM) as connection:
                await connection.execute(statement)
