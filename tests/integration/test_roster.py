"""A provider's roster: set a day at a time, all or nothing, within the rules; no promise is cut off with a shift."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.away import record, worker_of
from tests.support.city import DAY, TIME_ZONE, Caller, City, at
from tests.support.other_times import refusal
from tests.support.swaps import REHAB, offered, others_of, swap


def _day(worker: Any, ahead: int, *spans: tuple[datetime, datetime], was: Any = None) -> dict[str, Any]:
    told = [{"from_at": a.isoformat(), "to_at": b.isoformat()} for a, b in spans]
    return {"worker_id": str(worker), "on": (DAY + timedelta(days=ahead)).isoformat(), "spans": told, "was": was}


async def _set(who: Caller, *days: dict[str, Any]) -> Any:
    return await who.post("/v1/providers/me/roster", {"days": list(days)})


async def _shifts(city: City, worker: UUID, ahead: int) -> list[tuple[datetime, datetime]]:
    rows = await city.sql(
        "SELECT lower(during) AS a, upper(during) AS b FROM shifts WHERE worker_id = $1 AND plan_on = $2 ORDER BY 1",
        worker, DAY + timedelta(days=ahead),
    )  # fmt: skip
    return [(row["a"], row["b"]) for row in rows]


async def _provider(city: City) -> tuple[Caller, list[UUID]]:
    """A provider's desk and its workers, who have shifts today and none yet on the days to come."""
    await city.sql("DELETE FROM shifts WHERE plan_on > $1", DAY)
    provider_id = await city.one(
        "SELECT provider_id FROM workers WHERE active GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    )
    own = await city.sql("SELECT id FROM workers WHERE provider_id = $1 AND active ORDER BY code", provider_id)
    return await city.staff("provider", provider_id), [row["id"] for row in own]


def _cells(view: dict[str, Any], worker: UUID) -> list[list[str]]:
    """A worker's week as hours of the day."""
    row = next(one for one in view["workers"] if one["worker_id"] == str(worker))

    def hour(text: str) -> int:
        return datetime.fromisoformat(text).astimezone(TIME_ZONE).hour

    return [[f"{hour(s['from_at'])}-{hour(s['to_at'])}" for s in day["shifts"]] for day in row["days"]]


async def test_a_week_is_read_and_days_of_it_are_set_all_at_once(city: City):
    """Split shifts and nights too; every other day stays; the break is the one they had where it lies inside."""
    provider, (one, two, *_) = await _provider(city)
    rest = (await city.sql("SELECT break_from, break_to, break_s FROM shifts WHERE worker_id = $1", one))[0]
    night = (at(21, days=2), at(6, days=3))
    answer = await _set(
        provider, _day(one, 1, (at(8, days=1), at(18, days=1))), _day(one, 3, (at(9, days=3), at(12, days=3))),
        _day(two, 2, night),
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.json()["from_on"] == (DAY + timedelta(days=1)).isoformat()
    view = (await provider.get("/v1/providers/me/roster", on=DAY.isoformat())).json()
    assert _cells(view, one)[1:4] == [["8-18"], [], ["9-12"]]
    assert _cells(view, two)[2] == ["21-6"]
    set_now = await city.sql(
        "SELECT break_from, break_to, break_s, zone_id FROM shifts WHERE worker_id = $1 AND plan_on > $2 ORDER BY plan_on",
        one,
        DAY,
    )
    later = timedelta(days=1)
    assert (set_now[0]["break_from"], set_now[0]["break_s"]) == (rest["break_from"] + later, rest["break_s"])
    assert (set_now[1]["break_from"], set_now[1]["break_s"]) == (None, 0), "it would lie outside"
    assert {row["zone_id"] for row in set_now} == {
        await city.one("SELECT zone_id FROM shifts WHERE worker_id = $1 AND plan_on = $2", one, DAY)
    }
    assert (await _set(provider, _day(one, 1), _day(two, 2))).status_code == 200
    assert [await _shifts(city, one, 1), await _shifts(city, two, 2)] == [[], []]


async def test_who_is_set_can_be_booked_and_who_is_not_cannot(city: City):
    """The planner reads the roster anew at once."""
    order, provider = await offered(city, "accepted")
    worker, someone = await worker_of(city, order), await city.resident(number=4)
    await city.sql("DELETE FROM worker_skills WHERE skill = 'rehab' AND worker_id <> $1", worker)
    operator, span = await city.staff("operator"), (at(9, days=1), at(16, days=1))
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "days": 2,
            "wish": {"from_at": span[0].isoformat(), "to_at": span[1].isoformat()}}  # fmt: skip
    assert not (await operator.post("/v1/quotes", body)).json()["slots"]
    assert (await _set(provider, _day(worker, 1, (at(8, days=1), at(17, days=1))))).status_code == 200
    assert (await operator.post("/v1/quotes", body)).json()["slots"]
    assert (await _set(provider, _day(worker, 1))).status_code == 200
    assert not (await operator.post("/v1/quotes", body)).json()["slots"]


async def test_a_shift_that_holds_promised_visits_is_not_cut_and_says_how_many(city: City):
    """Around them it may change; once they are given to somebody else it may go."""
    order, provider = await offered(city, "accepted")
    worker = await worker_of(city, order)
    before = await _shifts(city, worker, 0)
    for spans in ((), ((at(12), at(18)),), ((at(8), at(10, 15)),), ((at(8), at(9)), (at(12), at(18)))):
        refused = (await _set(provider, _day(worker, 0, *spans))).json()
        told = (refused["code"], refused.get("visits"), refused.get("worker_id"), refused.get("on"))
        assert told == ("shift_holds_visits", 1, str(worker), DAY.isoformat()), spans
        assert await _shifts(city, worker, 0) == before
    assert (await _set(provider, _day(worker, 0, (at(8), at(14))))).status_code == 200
    other = (await others_of(city, order))[0]
    assert (await swap(provider, order, [other])).status_code == 200
    await city.clock(at(8, 1))
    assert (await _set(provider, _day(worker, 0, (at(8), at(9))))).status_code == 200


async def test_all_are_set_or_none(city: City):
    order, provider = await offered(city, "accepted")
    worker = await worker_of(city, order)
    free = (await others_of(city, order))[0]
    refused = await _set(provider, _day(free, 1, (at(8, days=1), at(12, days=1))), _day(worker, 0))
    assert refusal(refused) == "shift_holds_visits"
    assert await _shifts(city, free, 1) == []


@pytest.mark.parametrize(
    ("ahead", "spans", "code"),
    [
        (1, [(at(9, days=1), at(9, days=1))], "invalid_window"),
        (1, [(at(12, days=1), at(9, days=1))], "invalid_window"),
        (1, [(at(9, days=2), at(12, days=2))], "invalid_window"),  # of another day
        (1, [(at(8, days=1), at(12, days=1)), (at(11, days=1), at(14, days=1))], "shifts_overlap"),
        (1, [(at(8, days=1), at(19, 1, days=1))], "shift_too_long"),
        (1, [(at(8, days=1), at(14, days=1)), (at(15, days=1), at(20, 1, days=1))], "shift_too_long"),
        (93, [(at(8, days=93), at(12, days=93))], "too_far_ahead"),
        (-1, [(at(8, days=-1), at(12, days=-1))], "in_the_past"),
        (0, [(at(7), at(12))], "in_the_past"),  # it is eight o'clock, and nobody had begun
    ],
)
async def test_what_the_rules_do_not_allow_is_refused(city: City, ahead: int, spans: Any, code: str):
    provider, (worker, *_) = await _provider(city)
    await city.sql("DELETE FROM shifts WHERE worker_id = $1", worker)
    answer = await _set(provider, _day(worker, ahead, *spans))
    assert refusal(answer) == code
    assert (answer.json()["worker_id"], answer.json()["on"]) == (
        str(worker), (DAY + timedelta(days=ahead)).isoformat()
    )  # fmt: skip
    assert await _shifts(city, worker, ahead) == []


async def test_a_night_and_the_next_morning_are_not_worked_at_once(city: City):
    """Also when both are set together; a night that ends earlier makes room."""
    provider, (worker, *_) = await _provider(city)
    night, short = (at(21, days=1), at(7, days=2)), (at(21, days=1), at(5, days=2))
    morning = _day(worker, 2, (at(6, days=2), at(12, days=2)))
    assert refusal(await _set(provider, _day(worker, 1, night), morning)) == "shifts_overlap"
    assert (await _set(provider, _day(worker, 1, night))).status_code == 200
    assert refusal(await _set(provider, morning)) == "shifts_overlap"
    assert (await _set(provider, morning, _day(worker, 1, short))).status_code == 200


async def test_whoever_has_seen_an_older_day_is_told_so(city: City):
    """Two desks type at once: the second one's cell is not written over the first one's."""
    provider, (worker, *_) = await _provider(city)
    mine, theirs = (at(8, days=1), at(12, days=1)), (at(9, days=1), at(13, days=1))
    assert (await _set(provider, _day(worker, 1, mine, was=[]))).status_code == 200
    assert refusal(await _set(provider, _day(worker, 1, theirs, was=[]))) == "stale_version"
    seen = [{"from_at": mine[0].isoformat(), "to_at": mine[1].isoformat()}]
    assert (await _set(provider, _day(worker, 1, theirs, was=seen))).status_code == 200


async def test_a_week_is_copied_where_nothing_is_set_yet(city: City):
    """At the same times of the clock, with its breaks; what is set already stays, and a second copy changes nothing."""
    provider, (one, two, *_) = await _provider(city)
    ahead = (DAY + timedelta(days=7)).isoformat()
    assert (await _set(provider, _day(one, 7, (at(10, days=7), at(12, days=7))))).status_code == 200
    body = {"from_on": DAY.isoformat(), "to_on": ahead}
    copied = await provider.post("/v1/providers/me/roster/copy", body)
    assert copied.status_code == 200, copied.text
    assert _cells(copied.json(), one)[0] == ["10-12"]
    week = timedelta(days=7)
    for worker in (two,):
        assert await _shifts(city, worker, 7) == [(a + week, b + week) for a, b in await _shifts(city, worker, 0)]
    rests = await city.sql("SELECT break_from, plan_on FROM shifts WHERE worker_id = $1 ORDER BY plan_on", two)
    assert rests[1]["break_from"] == rests[0]["break_from"] + week
    before = await city.sql("SELECT * FROM shifts ORDER BY id")
    assert (await provider.post("/v1/providers/me/roster/copy", body)).status_code == 200
    assert await city.sql("SELECT * FROM shifts ORDER BY id") == before
    past = await provider.post("/v1/providers/me/roster/copy", {"from_on": ahead, "to_on": DAY.isoformat()})
    assert past.status_code == 200, past.text
    assert await city.sql("SELECT * FROM shifts ORDER BY id") == before, "days that have begun are left alone"


async def test_leave_stands_in_the_week(city: City):
    order, provider = await offered(city, "accepted")
    worker = await worker_of(city, order)
    assert (await record(provider, worker, at(8, days=2), at(12, days=3), reason="holiday")).status_code == 201
    view = (await provider.get("/v1/providers/me/roster", on=DAY.isoformat())).json()
    row = next(one for one in view["workers"] if one["worker_id"] == str(worker))
    assert [len(day["away"]) for day in row["days"]] == [0, 0, 1, 1, 0, 0, 0]
    assert [day["visits"] for day in row["days"]] == [1, 0, 0, 0, 0, 0, 0]


async def test_nobody_sets_when_anothers_workers_work(city: City):
    provider, (worker, *_) = await _provider(city)
    theirs = await city.one("SELECT id FROM workers WHERE provider_id <> (SELECT provider_id FROM workers WHERE id = $1) AND active LIMIT 1",
                            worker)  # fmt: skip
    own = _day(worker, 1, (at(8, days=1), at(12, days=1)))
    assert refusal(await _set(provider, own, _day(theirs, 1, (at(8, days=1), at(12, days=1))))) == "unknown_worker"
    assert await _shifts(city, worker, 1) == []
    view = (await provider.get("/v1/providers/me/roster", on=DAY.isoformat())).json()
    assert str(theirs) not in str(view)
    assert refusal(await _set(provider, own, own)) == "invalid_request"
    assert date.fromisoformat(view["from_on"]) == DAY
