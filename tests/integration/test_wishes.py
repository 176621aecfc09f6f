"""Wishes over days, nights and minutes: every plan day they touch is asked, and an empty answer says why."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.city import DAY, Caller, City, at

REHAB, MEAL = "rehab-home", "meal-lunch"


async def _ask(who: Caller, someone: dict[str, Any], begins: datetime, ends: datetime, **more: Any) -> Any:
    latest = more.pop("latest", None)
    wish: dict[str, Any] = {"from_at": begins.isoformat(), "to_at": ends.isoformat()}
    wish |= {} if latest is None else {"soft": True, "latest_at": latest.isoformat()}
    return await who.post("/v1/quotes", {"resident_id": str(someone["id"]), "item_code": REHAB, "wish": wish, **more})


def _starts(answer: Any) -> list[datetime]:
    assert answer.status_code == 200, answer.text
    return [datetime.fromisoformat(slot["starts_from"]) for slot in answer.json()["slots"]]


def _reasons(answer: Any) -> list[tuple[str, str]]:
    return [(reason["on"], reason["code"]) for reason in answer.json()["reasons"]]


def _on(days: int) -> str:
    return str(DAY + timedelta(days=days))


async def test_a_firm_wish_asks_every_day_it_touches_and_says_why_one_has_none(city: City):
    """Table of spans: which days have starts, and which reason the others have."""
    operator, someone = await city.staff("operator"), await city.resident()
    await city.sql("DELETE FROM shifts WHERE plan_on > $1", DAY + timedelta(days=1))
    for begins, ends, days, reasons in (
        (at(16, days=-1), at(12, days=1), {0, 1}, []),  # it began yesterday: asked from now on
        (at(21), at(18, days=1), {1}, [(_on(0), "no_shift")]),
        (at(9), at(20, days=2), {0, 1}, [(_on(2), "no_shift")]),
        (at(22), at(23), set[int](), [(_on(0), "no_shift")]),
        (at(4, days=2), at(20, days=3), set[int](), [(_on(2), "no_shift"), (_on(3), "no_shift")]),
    ):
        answer = await _ask(operator, someone, begins, ends)
        starts = _starts(answer)
        assert starts == sorted(set(starts))
        assert all(max(begins, at(8)) <= start <= ends for start in starts)
        assert ({(start.date() - DAY).days for start in starts}, _reasons(answer)) == (days, reasons), (begins, ends)
    too_long = await _ask(operator, someone, at(9), at(9, days=14))
    assert (too_long.status_code, too_long.json()["code"]) == (400, "invalid_window")


async def test_a_wish_between_two_quarter_hours_is_answered_inside_it(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    for begins, ends in ((at(10, 5), at(10, 14)), (at(10, 7), at(10, 7))):
        starts = _starts(await _ask(operator, someone, begins, ends))
        assert starts
        assert all(begins <= start <= ends for start in starts)


async def test_an_empty_answer_names_the_rule_that_leaves_nothing(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    await city.booked(operator, someone["id"], REHAB, at(10), at(10), channel="phone")
    assert _reasons(await _ask(operator, someone, at(10, 5), at(10, 14))) == [(_on(0), "resident_busy")]
    await city.sql("DELETE FROM worker_skills WHERE skill = 'rehab'")
    assert _reasons(await _ask(operator, someone, at(14), at(15))) == [(_on(0), "no_skill")]


async def test_a_night_belongs_to_the_shift_it_began_in(city: City):
    """From ten in the evening to six: half past three is offered to whoever wishes it, firmly or not, and is booked."""
    operator, someone = await city.staff("operator"), await city.resident()
    await city.sql(
        "DELETE FROM shifts s WHERE plan_on > $1 OR EXISTS (SELECT FROM shifts o WHERE o.worker_id = s.worker_id AND o.plan_on = s.plan_on AND o.id < s.id)",
        DAY,
    )
    await city.sql("UPDATE shifts SET during = tstzrange($1, $2), break_from = NULL, break_to = NULL, break_s = 0",
                   at(22), at(6, days=1))  # fmt: skip
    for begins, ends in ((at(3, 30, days=1), at(5, days=1)), (at(2, days=1), at(4, 30, days=1))):
        starts = _starts(await _ask(operator, someone, begins, ends))
        assert at(3, 30, days=1) in starts
        assert all(begins <= start <= ends for start in starts)
    soft = await _ask(operator, someone, at(3, 30, days=1), at(4, days=1), latest=at(5, days=1))
    assert [slot["expected_at"] is not None for slot in soft.json()["slots"]] == [True]
    booked = await operator.post("/v1/bookings", {"slot": soft.json()["slots"][0]["token"], "channel": "phone"})
    assert booked.status_code == 201, booked.text
    assert booked.json()["plan_on"] == _on(0)
    refused = await _ask(operator, someone, at(22), at(23), latest=at(5, days=3))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_window")


@pytest.mark.spoils("a stop is not kept")
async def test_a_gap_that_no_time_asked_for_keeps_is_refused(city: City):
    """Behind an order of another day, one that is over, one that does not take place any more, or a hold that ran out."""
    operator, someone = await city.staff("operator"), await city.resident()
    other = await city.booked(operator, someone["id"], REHAB, at(10), at(10), channel="phone")
    near = {"order_id": other["id"], "min_gap_s": 0, "max_gap_s": 7200}
    assert _starts(await _ask(operator, someone, at(11), at(13), after=near))
    far = await _ask(operator, someone, at(9, days=1), at(12, days=1), after=near)
    early = await _ask(operator, someone, at(8), at(9), after=near)
    assert [(one.status_code, one.json()["code"]) for one in (far, early)] == [(400, "invalid_window")] * 2
    for status in ("lapsed", "cancelled", "unserved", "missed", "rejected"):
        await city.sql("UPDATE orders SET status = $2 WHERE id = $1", UUID(other["id"]), status)
        gone = await _ask(operator, someone, at(11), at(13), after=near)
        assert (gone.status_code, gone.json()["code"]) == (400, "invalid_request"), status
    held = "UPDATE orders SET status = 'held', hold_expires_at = $2 WHERE id = $1"
    await city.sql(held, UUID(other["id"]), at(8, 1))  # the clock stands at eight
    assert _starts(await _ask(operator, someone, at(11), at(13), after=near)), "kept still"
    await city.sql(held, UUID(other["id"]), at(8))
    gone = await _ask(operator, someone, at(11), at(13), after=near)
    assert (gone.status_code, gone.json()["code"]) == (400, "invalid_request"), (
        "ran out, though no timer has said so yet"
    )


async def test_a_meal_ready_long_ago_is_refused(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    point = str(await city.meal_point(someone["zone_id"]))
    for ready in (at(12, days=-1), at(6), at(12, days=1)):
        for latest in (None, at(13)):
            pickup = {"facility_id": point, "ready_at": ready.isoformat()}
            answer = await _ask(operator, someone, at(11, 30), at(12, 30), latest=latest, item_code=MEAL, pickup=pickup)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_window"), (ready, latest)
