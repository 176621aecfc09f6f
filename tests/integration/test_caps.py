"""What one resident's name may ask of the city, and that nobody is in two services at once, however softly they wished."""

import asyncio
import itertools
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.city import Caller, City, at

BATH, REHAB = "bath-home", "rehab-home"


async def _cap(city: City, rule: str, figure: int) -> None:
    await city.sql("UPDATE rule_parameters SET value = $2 WHERE code = $1", f"most_{rule}", figure)


async def _soft(city: City, who: Caller, resident_id: UUID, item: str, latest_at: datetime) -> Any:
    """Wish for the half hour after ten, and take what is offered."""
    wish = {"from_at": at(10).isoformat(), "to_at": at(10, 30).isoformat(), "soft": True,
            "latest_at": latest_at.isoformat()}  # fmt: skip
    answer = await who.post("/v1/quotes", {"resident_id": str(resident_id), "item_code": item, "wish": wish})
    assert answer.status_code == 200, answer.text
    if not answer.json()["slots"]:
        return answer.json()["reasons"][0]["code"]
    booked = await who.post("/v1/bookings", {"slot": answer.json()["slots"][0]["token"], "channel": "phone"})
    return booked.json() if booked.status_code == 201 else booked.json()["code"]


async def _never_two_at_once(city: City, resident_id: UUID) -> int:
    """How many of the resident's orders have a time, having checked that no two of them overlap."""
    times = await city.sql(
        """SELECT min(lower(s.during)) AS a, max(upper(s.during)) AS b FROM stops s JOIN orders o ON o.id = s.order_id
           WHERE o.resident_id = $1 AND s.kind <> 'pickup' GROUP BY o.id ORDER BY 1""",
        resident_id,
    )
    assert all(one["b"] <= two["a"] for one, two in itertools.pairwise(times)), times
    return len(times)


@pytest.mark.parametrize("anybody", [True, False])
@pytest.mark.parametrize("latest_at", [at(10, 30), at(15)])
async def test_thirty_soft_wishes_for_one_half_hour_never_bring_two_crews_into_one_home(
    city: City, latest_at: datetime, *, anybody: bool
):
    """Also not when nobody was free at first: what waits is tied to what else the resident has that day."""
    someone, operator = await city.resident(), await city.staff("operator")
    if not anybody:
        await city.sql("UPDATE worker_skills SET expires_on = '2030-03-01', valid_from = NULL")
    answers = [await _soft(city, operator, someone["id"], (BATH, REHAB)[n % 2], latest_at) for n in range(30)]
    booked = [answer for answer in answers if isinstance(answer, dict)]
    assert {answer for answer in answers if isinstance(answer, str)} <= {"resident_busy", "too_many_orders"}
    assert 1 <= len(booked) <= (1 if latest_at == at(10, 30) else 8)
    await city.sql("UPDATE worker_skills SET expires_on = NULL")
    for minute in (1, 3, 5):
        await city.clock(at(8, minute))
        await city.dispatch()
        assert await _never_two_at_once(city, someone["id"]) >= (minute > 1 or anybody)


async def test_a_resident_has_no_more_open_orders_on_a_day_than_one_may(city: City):
    await _cap(city, "orders_a_day", 2)
    someone, operator = await city.resident(), await city.staff("operator")
    first = await city.booked(operator, someone["id"], REHAB, at(9), at(10))
    await city.booked(operator, someone["id"], REHAB, at(12), at(13))
    slot = (await city.quote(operator, someone["id"], REHAB, at(15), at(16)))[0]
    body = {"slot": slot["token"], "channel": "phone"}
    refused = await operator.post("/v1/bookings", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_orders")
    assert (await operator.post(f"/v1/orders/{first['id']}/cancel", {"reason": "x"})).status_code == 200
    slot = (await city.quote(operator, someone["id"], REHAB, at(15), at(16)))[0]
    assert (await operator.post("/v1/bookings", {**body, "slot": slot["token"]})).status_code == 201
    other = await city.resident(number=1)
    await city.booked(operator, other["id"], REHAB, at(9), at(17))


@pytest.mark.parametrize(("rule", "figure"), [("holds", 2), ("open_orders", 2), ("bookings_a_day", 2)])
async def test_a_resident_keeps_no_more_slots_from_others_than_one_may(city: City, rule: str, figure: int):
    """Counted under a lock: who asks for all at once gets no more."""
    await _cap(city, rule, figure)
    someone = await city.resident()
    mine = await city.signed_in(someone["account_id"])

    async def hold(day: int) -> str:
        slot = (await city.quote(mine, someone["id"], REHAB, at(9, days=day), at(17, days=day)))[0]
        answer = await mine.post("/v1/bookings", {"slot": slot["token"], "channel": "app", "hold_only": True})
        return answer.json().get("code") if answer.status_code != 201 else "held"

    answers = await asyncio.gather(*(hold(day) for day in range(4)))
    assert sorted(answers) == ["held", "held", "too_many_orders", "too_many_orders"]
    if rule == "holds":
        await city.clock(at(8, 4))  # they have run out, and count no more, whether or not their timers have fired
        assert await hold(0) == "held"


async def test_slots_are_not_looked_for_without_end_and_the_desk_still_helps(city: City):
    await _cap(city, "quotes_a_day", 3)
    someone = await city.resident()
    mine, operator = await city.signed_in(someone["account_id"]), await city.staff("operator")
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "days": 1}
    answers = [await mine.post("/v1/quotes", body) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["code"] == "too_many_requests"
    assert (await operator.post("/v1/quotes", body)).status_code == 200
    await city.clock(at(8, days=1))
    assert (await mine.post("/v1/quotes", body)).status_code == 200


async def test_an_order_called_off_since_the_quote_ties_nothing(city: City):
    someone, operator = await city.resident(), await city.staff("operator")
    first = await city.booked(operator, someone["id"], REHAB, at(9), at(10))
    slot = (await city.quote(operator, someone["id"], BATH, at(13), at(15)))[0]
    assert (await operator.post(f"/v1/orders/{first['id']}/cancel", {"reason": "x"})).status_code == 200
    answer = await operator.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"})
    assert answer.status_code == 201, answer.text
    assert await city.one("SELECT count(*) FROM order_links") == 0


async def test_what_is_to_follow_another_order_follows_one_that_takes_place_that_day(city: City):
    someone, operator = await city.resident(), await city.staff("operator")
    first = await city.booked(operator, someone["id"], REHAB, at(9), at(10))
    after = {"order_id": first["id"], "min_gap_s": 600, "max_gap_s": 7200}
    body = {"resident_id": str(someone["id"]), "item_code": BATH, "days": 2, "after": after}
    quote = (await operator.post("/v1/quotes", body)).json()
    assert {datetime.fromisoformat(slot["starts_from"]).date() for slot in quote["slots"]} == {at(9).date()}
    tomorrow = {"from_at": at(10, days=1).isoformat(), "to_at": at(11, days=1).isoformat(), "soft": True}
    refused = await operator.post("/v1/quotes", {**body, "wish": tomorrow})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_window")
    assert (await operator.post(f"/v1/orders/{first['id']}/cancel", {"reason": "x"})).status_code == 200
    taken = await operator.post("/v1/bookings", {"slot": quote["slots"][0]["token"], "channel": "phone"})
    assert taken.json()["code"] == "slot_taken"
    assert (await operator.post("/v1/quotes", body)).json()["code"] == "invalid_request"


async def test_a_hold_that_ran_out_keeps_its_resident_from_nothing(city: City):
    """Whether or not its timer has fired."""
    someone, operator = await city.resident(), await city.staff("operator")
    slot = (await city.quote(operator, someone["id"], REHAB, at(12), at(12, 30)))[0]
    body = {"slot": slot["token"], "channel": "app", "hold_only": True}
    assert (await operator.post("/v1/bookings", body)).status_code == 201
    assert await city.quote(operator, someone["id"], BATH, at(12), at(12, 15)) == []
    await city.clock(at(8) + timedelta(seconds=181))
    assert await city.quote(operator, someone["id"], BATH, at(12), at(12, 15))
