"""Four digits at the door: the resident says them, whoever checks in with them was there, and nobody gets in by guessing."""

from typing import Any
from uuid import UUID

import pytest

from backend.orders import actions
from tests.support.at_the_door import accepted
from tests.support.city import Caller, City, at

NOWHERE: dict[str, Any] = {"device_at": None, "x": None, "y": None}
FAR: dict[str, Any] = {"x": 121.0, "y": 31.0}


async def _digits(city: City, order: dict[str, Any]) -> str:
    return await city.one("SELECT digits FROM door_digits WHERE order_id = $1", UUID(order["id"]))


def _wrong(digits: str) -> str:
    return f"{(int(digits) + 1) % 10_000:04d}"


async def _checked_in(worker: Caller, order: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await worker.post(f"/v1/orders/{order['id']}/check-in", {**NOWHERE, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _shown(reader: Caller, order: dict[str, Any]) -> str | None:
    return (await reader.get(f"/v1/orders/{order['id']}/visit")).json()["door_code"]


async def test_right_digits_take_the_place_of_a_position(city: City):
    """A basement has no sky, and some give their position to nobody: their visit is as good as any other."""
    order, (worker,) = await accepted(city)
    answer = await _checked_in(worker, order, door_code=await _digits(city, order))
    assert (answer["status"], answer["flags"], answer["report"]) == ("in_service", [], {"counts": True, "flags": []})


async def test_digits_kept_on_the_phone_are_right_later_too(city: City):
    order, (worker,) = await accepted(city)
    said = {"door_code": await _digits(city, order), "offline": True, "device_at": at(10).isoformat()}
    await city.clock(at(10, 40))
    assert (await _checked_in(worker, order, **said))["report"]["flags"] == ["OFFLINE"]


async def test_right_digits_explain_a_vague_position_and_no_good_one_in_another_street(city: City):
    """They can be told by telephone: what contradicts a sure position is looked at by a person."""
    order, (worker,) = await accepted(city)
    digits = await _digits(city, order)
    sure = await _checked_in(worker, order, **FAR, accuracy_m=8.0, door_code=digits)
    assert sure["flags"] == ["OUT_OF_RANGE"]


async def test_wrong_digits_are_kept_and_contradict(city: City):
    """The report stands, the visit goes on, and silence completes nothing. Which digits were typed is not kept."""
    order, (worker,) = await accepted(city)
    wrong = _wrong(await _digits(city, order))
    answer = await _checked_in(worker, order, **await city.door(order["id"]), door_code=wrong)
    assert (answer["status"], answer["flags"]) == ("in_service", ["WRONG_CODE"])
    row = (await city.sql("SELECT * FROM visit_records"))[0]
    assert (row["digits_fit"], row["counts"]) == (False, True)
    assert wrong not in {value for value in row.values() if isinstance(value, str)}


async def test_a_slip_is_put_right_by_saying_them_again(city: City):
    """An old voice on a noisy landing: one mistyped digit must not cost a visit."""
    order, (worker,) = await accepted(city)
    digits = await _digits(city, order)
    assert (await _checked_in(worker, order, door_code=_wrong(digits)))["flags"] == ["NO_POSITION", "WRONG_CODE"]
    again = await _checked_in(worker, order, door_code=digits)
    assert (again["status"], again["flags"]) == ("in_service", [])
    assert again["report"] == {"counts": False, "flags": []}
    assert await city.one("SELECT array_agg(f) FROM visit_records, unnest(flags) f WHERE counts") is None


async def test_whoever_guesses_is_not_told_any_more(city: City):
    """Ten thousand codes, five tries: after them right ones are as good as none, for everybody of the crew."""
    order, crew = await accepted(city, "bath-home", 3)
    digits = await _digits(city, order)
    for _ in range(5):
        answer = await _checked_in(crew[0], order, door_code=_wrong(digits))
        assert "WRONG_CODE" in answer["report"]["flags"]
    for worker in crew:
        flags = (await _checked_in(worker, order, door_code=digits))["report"]["flags"]
        assert "NO_POSITION" in flags
        assert "WRONG_CODE" not in flags


async def test_digits_say_nothing_the_day_before_nor_with_a_check_out(city: City):
    order, (worker,) = await accepted(city)
    wrong = _wrong(await _digits(city, order))
    await city.clock(at(20, days=-1))
    assert "WRONG_CODE" not in (await _checked_in(worker, order, door_code=wrong))["report"]["flags"]
    await city.clock(at(10))
    await _checked_in(worker, order)
    answer = await worker.post(f"/v1/orders/{order['id']}/check-out", {**NOWHERE, "door_code": wrong})
    assert "WRONG_CODE" not in answer.json()["report"]["flags"]
    assert await city.one("SELECT count(*) FROM visit_records WHERE digits_fit IS NOT NULL") == 0


async def test_they_are_shown_from_the_way_to_the_door_to_who_opens_it_and_to_nobody_else(city: City):
    """Not before anybody comes, nor when they are in; to the household that may follow, and to the desk that reads them out."""
    order, (worker,) = await accepted(city)
    digits = await _digits(city, order)
    resident_id = UUID(order["resident_id"])
    resident = await city.signed_in(await city.one("SELECT account_id FROM residents WHERE id = $1", resident_id))
    follower = await city.daughter(resident_id)
    desk, supervisor, daughter = (
        await city.staff("operator"),
        await city.staff("supervisor"),
        await city.signed_in(follower),
    )
    assert await _shown(resident, order) is None
    await worker.post(f"/v1/orders/{order['id']}/en-route", NOWHERE)
    assert [await _shown(who, order) for who in (resident, daughter, desk, supervisor)] == [digits] * 3 + [None]
    await _checked_in(worker, order, door_code=digits)
    assert await _shown(resident, order) is None


async def test_whoever_comes_and_their_provider_find_them_nowhere(city: City):
    """In no answer, no event and no page of theirs; looked for with a word that no id holds."""
    order, (worker,) = await accepted(city)
    await city.sql("ALTER TABLE door_digits DROP CONSTRAINT door_digits_four")
    await city.sql("UPDATE door_digits SET digits = 'SECRET' WHERE order_id = $1", UUID(order["id"]))
    provider = await city.staff("provider", await city.one("SELECT provider_id FROM orders"))
    await worker.post(f"/v1/orders/{order['id']}/en-route", NOWHERE)
    seen = [
        (await provider.get(f"/v1/orders/{order['id']}")).text, (await provider.get("/v1/orders")).text,
        (await provider.get("/v1/providers/me/day", on="2030-03-12")).text,
        (await worker.get("/v1/workers/me/route", on="2030-03-12")).text,
        str(await _checked_in(worker, order)), str(await city.sql("SELECT data, keys FROM events")),
    ]  # fmt: skip
    assert not any("SECRET" in text for text in seen)
    for who in (worker, provider):
        assert (await who.get(f"/v1/orders/{order['id']}/visit")).status_code == 403


async def test_each_visit_has_drawn_digits_and_a_meal_has_none(city: City, monkeypatch: pytest.MonkeyPatch):
    """Drawn, not derived from anything; a number below a thousand is written with four digits all the same."""
    someone, desk = await city.resident(), await city.staff("operator")
    draws = iter([1234567890, 7, 1234567891, 9876])
    monkeypatch.setattr(actions.store, "__defaults__", (lambda _: next(draws),))
    for hour in (10, 14):
        order = await city.booked(desk, someone["id"], "rehab-home", at(hour), at(hour + 1), channel="phone")
    assert await city.one("SELECT array_agg(digits ORDER BY digits) FROM door_digits") == ["0007", "9876"]
    monkeypatch.undo()
    pickup = {"facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": at(12).isoformat(),
              "pickup_s": 60, "max_ride_s": 3600}  # fmt: skip
    wish = {"from_at": at(12).isoformat(), "to_at": at(13).isoformat()}
    asked = {"resident_id": order["resident_id"], "item_code": "meal-lunch", "wish": wish, "pickup": pickup}
    slots = (await desk.post("/v1/quotes", asked)).json()["slots"]
    meal = (await desk.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "phone"})).json()
    assert await city.one("SELECT count(*) FROM door_digits WHERE order_id = $1", UUID(meal["id"])) == 0


@pytest.mark.parametrize("reason", ["declined", "no_signal", "door_elsewhere", "other"])
async def test_why_there_is_no_position_is_kept_and_shown_to_who_decides(city: City, reason: str):
    """It blocks nothing and clears nothing: a person reads it beside the flag."""
    order, (worker,) = await accepted(city)
    answer = await _checked_in(worker, order, **FAR, accuracy_m=8.0, position_reason=reason)
    assert (answer["status"], answer["flags"]) == ("in_service", ["OUT_OF_RANGE"])
    await city.clock(at(10, 50))
    await worker.post(f"/v1/orders/{order['id']}/check-out", await city.door(order["id"]))
    resident = await city.signed_in(
        await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    )
    assert (await resident.post(f"/v1/orders/{order['id']}/dispute", {"reason": "没来"})).status_code == 200
    (review,) = (await (await city.staff("operator")).get("/v1/reviews")).json()["reviews"]
    assert [(r["kind"], r["position_reason"], r["digits_fit"]) for r in review["records"]] == [
        ("check_in", reason, None), ("check_out", None, None)]  # fmt: skip


@pytest.mark.parametrize("typed", ["123", "12345", "12a4", "１２３４", ""])
async def test_what_is_not_four_digits_is_refused_as_a_slip(city: City, typed: str):
    order, (worker,) = await accepted(city)
    answer = await worker.post(f"/v1/orders/{order['id']}/check-in", {**NOWHERE, "door_code": typed})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
