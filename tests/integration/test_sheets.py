"""Visits that no phone reported, keyed in from paper; and what a crew that was replaced has said of a visit."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.core.principal import SYSTEM
from backend.orders import actions, queries, seat_queries
from tests.integration.test_evidence import BATH, RESOLVED, accepted, report, silence, the_resident, two_visits, visited
from tests.support.city import City, at

TEN, LASTS = at(10), timedelta(minutes=55)


async def sheet(city: City, order: dict[str, Any], came_at: datetime = TEN, lasts: timedelta = LASTS) -> dict[str, Any]:
    """What the crew would write down."""
    times = {"came_at": came_at.isoformat(), "left_at": (came_at + lasts).isoformat()}
    crew = await city.crew(order["id"]) or await city.sql(
        "SELECT worker_id FROM assignments WHERE order_id = $1 AND status = 'no_show' ORDER BY seat", UUID(order["id"])
    )
    return {"crew": [{"worker_id": str(seat["worker_id"]), **times} for seat in crew], "reason": "手机没电"}


def path(order: dict[str, Any], what: str) -> str:
    return f"/v1/orders/{order['id']}/{what}"


async def test_a_sheet_keyed_in_is_kept_as_evidence_and_completed_by_nobodys_silence(city: City):
    """Two people's bath without a phone: both come and go as written, and a day without a word ends at the desk."""
    order, _ = await accepted(city, BATH, 3)
    keying, other = await city.staff("operator"), await city.staff("operator")
    account = await city.one("SELECT account_id FROM sessions ORDER BY created_at DESC OFFSET 1 LIMIT 1")
    await city.clock(at(11))
    key = str(uuid4())
    body = await sheet(city, order)
    answers = [await keying.post(path(order, "sheet"), body, key) for _ in range(2)]
    assert (answers[0].status_code, answers[0].json()["status"], answers[0].json()["flags"]) == (
        200, "awaiting_acceptance", ["PAPER"])  # fmt: skip
    assert answers[1].text == answers[0].text
    rows = await city.sql("SELECT * FROM visit_records ORDER BY id")
    assert [(r["kind"], r["device_at"], r["flags"], r["counts"], r["entered_by"]) for r in rows] == [
        (kind, when, ["PAPER"], True, account)
        for _ in range(2)
        for kind, when in (("check_in", at(10)), ("check_out", at(10) + LASTS))
    ]
    assert {seat["status"] for seat in await city.crew(order["id"])} == {"checked_out"}
    stops = await city.sql("SELECT lower(during) AS a, upper(during) AS z, active FROM stops")
    assert [(s["a"], s["z"], s["active"]) for s in stops] == [(at(10), at(10) + LASTS, False)] * 2
    assert await city.sql("SELECT 1 FROM timers WHERE fired_at IS NULL AND kind = 'missed_due'") == []
    assert await silence(city, order) == "exception"
    task = (await other.get("/v1/reviews")).json()["reviews"][0]
    assert {record["entered_by"] for record in task["records"]} == {str(account)}
    refused = await keying.post(path(order, "resolve"), RESOLVED)
    assert (refused.status_code, refused.json()["code"]) == (403, "own_evidence")
    assert (await other.post(path(order, "resolve"), RESOLVED)).json()["status"] == "completed"
    audit = await city.sql("SELECT action, reason, actor_id FROM audit WHERE action = 'key_sheet'")
    assert [tuple(row.values()) for row in audit] == [("key_sheet", "手机没电", account)]


async def test_the_residents_own_word_completes_a_sheet_and_that_of_whoever_keyed_it_in_does_not(city: City):
    """Who keys a visit in and agrees to it in the resident's name would need nobody else for an invented one."""
    order, _ = await accepted(city)
    keying = await city.staff("operator")
    await city.clock(at(11))
    assert (await keying.post(path(order, "sheet"), await sheet(city, order))).status_code == 200
    refused = await keying.post(path(order, "accept-service"))
    assert (refused.status_code, refused.json()["code"]) == (403, "own_evidence")
    assert (await city.order(order["id"]))["status"] == "awaiting_acceptance"
    answer = await (await the_resident(city, order)).post(path(order, "accept-service"))
    assert answer.json()["status"] == "completed"


async def test_a_sheet_that_comes_after_the_visit_was_given_up_goes_to_another_operator(city: City):
    """Paper comes in the evening, when the platform has long called the visit missed."""
    order, _ = await accepted(city)
    await city.clock(at(18))
    await city.timers()
    assert (await city.order(order["id"]))["status"] == "missed"
    keying, other = await city.staff("operator"), await city.staff("operator")
    answer = await keying.post(path(order, "sheet"), await sheet(city, order))
    assert (answer.status_code, answer.json()["status"], answer.json()["flags"]) == (200, "exception", ["PAPER"])
    assert (await keying.post(path(order, "resolve"), RESOLVED)).json()["code"] == "own_evidence"
    assert (await other.post(path(order, "resolve"), RESOLVED)).json()["status"] == "completed"


async def test_what_a_sheet_says_is_doubted_like_what_a_phone_says(city: City):
    order, _ = await accepted(city, BATH, 3)
    operator = await city.staff("operator")
    await city.clock(at(11))
    answer = await operator.post(path(order, "sheet"), await sheet(city, order, at(8), timedelta(minutes=3)))
    assert set(answer.json()["flags"]) == {"PAPER", "TOO_EARLY", "TOO_SHORT"}
    word = await (await the_resident(city, order)).post(path(order, "accept-service"))
    assert word.json()["status"] == "exception", "evidence against the visit is a person's to decide"


@pytest.mark.parametrize("first", ["phone", "paper"])
async def test_a_sheet_for_the_hours_of_another_visit_is_in_two_places(city: City, first: str):
    worker, (one, two) = await two_visits(city)
    operator = await city.staff("operator")
    if first == "phone":
        await visited(city, one, [worker], from_at=at(10), lasts=timedelta(minutes=45))
    else:
        await city.clock(at(11))
        assert (await operator.post(path(one, "sheet"), await sheet(city, one))).json()["flags"] == ["PAPER"]
    await city.clock(at(12))
    answer = await operator.post(path(two, "sheet"), await sheet(city, two, at(10, 30)))
    assert "TWO_PLACES" in answer.json()["flags"]


async def test_paper_of_the_morning_does_not_spoil_a_visit_of_the_afternoon(city: City):
    """It is keyed in while the worker is at another door."""
    worker, (one, two) = await two_visits(city)
    operator, door = await city.staff("operator"), await city.door(two["id"])
    await city.clock(at(11))
    await report(worker, two, "check-in", **door)
    await city.clock(at(11, 20))
    paper = await operator.post(path(one, "sheet"), await sheet(city, one, at(10), timedelta(minutes=40)))
    assert paper.json()["flags"] == ["PAPER"]
    await city.clock(at(11, 45))
    assert (await report(worker, two, "check-out", **door))["report"]["flags"] == []


async def test_a_sheet_of_others_of_another_day_or_of_hours_to_come_is_refused(city: City):
    order, (worker, _) = await accepted(city, BATH, 3)
    operator = await city.staff("operator")
    await city.clock(at(11))
    right = await sheet(city, order)
    one, two = right["crew"]
    for crew in (
        [one], [one, one], [one, {**two, "worker_id": str(uuid4())}], [one, two, {**two, "worker_id": str(uuid4())}],
        [one, {**two, "left_at": at(11, 1).isoformat()}], [one, {**two, "came_at": two["left_at"]}],
        [one, {**two, "came_at": at(2, 59).isoformat()}], [],
        [{**e, "came_at": at(10, days=-1).isoformat(), "left_at": at(11, days=-1).isoformat()} for e in (one, two)],
    ):  # fmt: skip
        answer = await operator.post(path(order, "sheet"), {**right, "crew": crew})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), crew
    for nobody in (worker, await the_resident(city, order), await city.staff("supervisor")):
        assert (await nobody.post(path(order, "sheet"), right)).status_code == 403
    assert await city.one("SELECT count(*) FROM visit_records") == 0
    await report(worker, order, "check-in")
    late = await operator.post(path(order, "sheet"), right)
    assert (late.status_code, late.json()["code"], late.json()["current"]) == (409, "illegal_transition", "arrived")


async def test_flags_of_a_crew_that_was_replaced_stay_with_its_records_and_hold_nobody_up(city: City):
    """A check-in made days ahead by somebody who then did not come says nothing of the visit somebody else made."""
    await city.clock(at(8, days=-1))
    order, (first,) = await accepted(city)
    assert (await report(first, order, "check-in", x=0, y=0))["flags"] == ["TOO_EARLY", "OUT_OF_RANGE"]
    provider_id = await city.one("SELECT provider_id FROM orders WHERE id = $1", UUID(order["id"]))
    provider = await city.staff("provider", provider_id)
    assert (await provider.post(path(order, "cancel"), {"reason": "人手不够"})).json()["status"] == "placed"
    assert (await city.order(order["id"]))["flags"] == []
    await city.dispatch()
    crew = [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]
    assert (await visited(city, order, crew, from_at=at(10), lasts=timedelta(minutes=45)))["flags"] == []
    assert await silence(city, order) == "completed"
    kept = await city.sql("SELECT flags FROM visit_records WHERE NOT counts")
    assert [row["flags"] for row in kept] == [["TOO_EARLY", "OUT_OF_RANGE"]]


@pytest.mark.spoils("a crew was sent")
async def test_flags_of_whoever_stays_in_a_crew_stand_on_when_the_other_is_replaced(city: City):
    """Also where both were odd in the same way; and what is odd about the order itself stays with it."""
    order, (first, second) = await accepted(city, BATH, 3)
    await report(first, order, "check-in", x=0, y=0)
    await report(second, order, "check-in", x=0, y=0)
    await report(second, order, "en-route", device_at=at(3).isoformat())
    await city.sql("UPDATE orders SET flags = flags || '{UNREADABLE}'")
    assert set((await city.order(order["id"]))["flags"]) == {"TOO_EARLY", "OUT_OF_RANGE", "DEVICE_CLOCK", "UNREADABLE"}
    await city.sql("UPDATE assignments SET status = 'accepted'")
    async with city.database.unit_of_work(SYSTEM) as connection:
        one, two = await seat_queries.assignments_of(connection, UUID(order["id"]))
        spare = await connection.fetchval(
            "SELECT id FROM workers WHERE id <> ALL ($1) LIMIT 1", [one.worker_id, two.worker_id]
        )
        locked = await queries.order_for_update(connection, UUID(order["id"]))
        await actions.change_crew(connection, locked, {one.seat: one.worker_id, two.seat: spare})
    assert set((await city.order(order["id"]))["flags"]) == {"TOO_EARLY", "OUT_OF_RANGE", "UNREADABLE"}
