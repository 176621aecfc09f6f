"""A visit that cannot be carried out is stopped: by its crew, as evidence with its reason, or by the desk with what it found out."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from backend.core.principal import SYSTEM
from backend.orders.model import OF_A_SHUT_DOOR, OF_A_VISIT, AbortReason
from backend.scheduling.snapshots import Planner
from tests.support.at_the_door import accepted, report
from tests.support.city import DAY, Caller, City, at
from tests.support.orphans import orphans
from tests.support.people import consent, person

BATH, REHAB = "bath-home", "rehab-home"


async def ends(city: City, order: dict[str, Any], reason: str, remark: str = "") -> Any:
    """An operator ends it."""
    desk = await city.staff("operator")
    return await desk.post(f"/v1/orders/{order['id']}/abort", {"reason": reason, "remark": remark})


async def test_who_came_stops_the_visit_and_who_was_still_to_come_is_called_off(city: City):
    """Whoever came has done their part as after any visit; nobody goes to a door behind which nothing is to be done."""
    order, (first, _) = await accepted(city, BATH, 3)
    await report(city, first, order, "check-in")
    await city.clock(at(10, 12))
    told = await report(city, first, order, "abort", reason="precheck_failed", remark="血压 168")
    assert (told["status"], told["report"]["counts"]) == ("aborted", True)
    seats = await city.sql("SELECT seat, status FROM assignments ORDER BY seat")
    assert [seat["status"] for seat in seats] == ["checked_out", "withdrawn"]
    (stop,) = (await first.get("/v1/workers/me/route", on=DAY.isoformat())).json()["stops"]
    assert (stop["order_status"], stop["done"]) == ("aborted", True), "the phone shows the next door"
    stops = await city.sql("SELECT seat, active, lower(during) AS came, upper(during) AS left FROM stops")
    assert [(s["seat"], s["active"], s["came"], s["left"]) for s in stops] == [(1, False, at(10), at(10, 12))]
    assert await orphans(city) == []


async def test_the_residents_price_stays_what_was_promised_and_nothing_is_confirmed(city: City):
    """Nothing is settled but what was completed: a visit that was stopped costs the resident nothing."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    await report(city, worker, order, "abort", reason="equipment")
    await city.clock(at(12, days=2))
    await city.timers()
    left = await city.order(order["id"])
    assert (left["status"], left["price_fen"]) == ("aborted", order["price_fen"])
    assert await city.one("SELECT count(*) FROM timers WHERE fired_at IS NULL") == 0


async def test_after_an_end_the_crew_is_free_and_where_it_stands(city: City):
    """Whoever is planned next sets out from this door, and may do so at once."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    before = await city.one("SELECT max(version) FROM plans")
    await city.clock(at(10, 5))
    await report(city, worker, order, "abort", reason="unwell")
    assert await city.one("SELECT max(version) FROM plans") > before
    async with city.database.unit_of_work(SYSTEM) as connection:
        zone_id = (await city.resident())["zone_id"]
        day = (await Planner("Asia/Shanghai").read(connection, zone_id, DAY, at(10, 5))).built()
    worker_id = str((await city.crew(order["id"]))[0]["worker_id"])
    assert [(stop.locked, stop.end_s) for stop in day.plan.routes[worker_id]] == [(True, day.seconds(at(10, 5)))]
    assert order["id"] not in {visit.id for visit in day.problem.visits}


async def test_only_who_is_there_stops_it_and_every_report_is_kept(city: City):
    """The second of a crew is not at the door; what they send is evidence all the same, with its reason."""
    order, (first, second) = await accepted(city, BATH, 3)
    early = await report(city, first, order, "abort", reason="unwell")
    assert (early["status"], early["report"]["counts"]) == ("accepted", False)
    await report(city, first, order, "check-in")
    apart = await report(city, second, order, "abort", reason="unsafe")
    assert (apart["status"], apart["report"]["counts"]) == ("arrived", False)
    rows = await city.sql("SELECT kind, reason, counts FROM visit_records WHERE kind = 'abort' ORDER BY id")
    assert [(row["reason"], row["counts"]) for row in rows] == [("unwell", False), ("unsafe", False)]
    assert (await city.order(order["id"]))["abort_reason"] is None


async def test_a_stop_without_signal_follows_when_it_comes(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    await city.clock(at(11))
    made = {"offline": True, "device_at": at(10, 15).isoformat()}
    told = await report(city, worker, order, "abort", reason="resident_refuses", **made)
    assert (told["status"], told["flags"]) == ("aborted", ["OFFLINE"])
    record = (await city.sql("SELECT device_at, reason FROM visit_records WHERE kind = 'abort'"))[0]
    assert (record["device_at"], record["reason"]) == (at(10, 15), "resident_refuses")


@pytest.mark.parametrize("body", [{}, {"reason": "because"}, {"reason": None}, {"reason": "unwell", "x": 120.6}])
async def test_a_stop_says_why_in_a_word_there_is(city: City, body: dict[str, Any]):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    answer = await worker.post(f"/v1/orders/{order['id']}/abort", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert await city.one("SELECT count(*) FROM visit_records WHERE kind = 'abort'") == 0


async def test_the_reason_is_for_the_resident_those_let_in_and_the_desk(city: City):
    """That somebody's blood pressure is too high is nobody else's business: provider and supervisor see that it was stopped."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    await report(city, worker, order, "abort", reason="precheck_failed", remark="血压 168")
    resident_id, path = UUID(order["resident_id"]), f"/v1/orders/{order['id']}"
    son = await person(city.database, "family")
    await consent(city.database, resident_id, son.account_id, "status")
    account = await city.one("SELECT account_id FROM residents WHERE id = $1", resident_id)
    row = await city.order(order["id"])
    readers = {
        "resident": await city.signed_in(account), "daughter": await city.signed_in(await city.daughter(resident_id)),
        "son": Caller(city.http, son.token), "operator": await city.staff("operator"),
        "supervisor": await city.staff("supervisor"), "provider": await city.staff("provider", row["provider_id"]),
    }  # fmt: skip
    seen = {who: (await reader.get(path)).json() for who, reader in readers.items()}
    assert {who: view["abort_reason"] for who, view in seen.items()} == {
        **dict.fromkeys(("resident", "daughter", "son", "operator"), "precheck_failed"), "supervisor": None,
        "provider": None}  # fmt: skip
    assert {view["reason"] for view in seen.values()} == {"stopped_at_visit"}
    assert not [view for view in seen.values() if "血压" in str(view)], "the remark is the desk's"


async def test_what_everybody_hears_of_it_names_no_reason_of_health(city: City):
    """The event goes to whoever may follow the order, the crew and the provider: one word for all reasons."""
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    await report(city, worker, order, "abort", reason="unwell", remark="头晕")
    event = (await city.sql("SELECT keys, data FROM events WHERE type = 'order.aborted'"))[0]
    assert event["data"]["reason"] == "stopped_at_visit"
    row, seat = await city.order(order["id"]), (await city.crew(order["id"]))[0]
    assert set(event["keys"]) == {
        f"order:{order['id']}", f"resident:{order['resident_id']}", f"zone:{row['zone_id']}", "console",
        f"provider:{row['provider_id']}", f"worker:{seat['worker_id']}"}  # fmt: skip
    told = await city.sql("SELECT data::text AS data FROM events")
    assert not [event for event in told if "unwell" in event["data"] or "头晕" in event["data"]]


async def test_the_workers_remark_is_kept_as_the_workers_word(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    await report(city, worker, order, "abort", reason="unsafe", remark="狗没拴")
    rows = await city.sql("SELECT side, kind, words FROM visit_statements")
    assert [(row["side"], row["kind"], row["words"]) for row in rows] == [("worker", "explained", "狗没拴")]


@pytest.mark.parametrize("state", ["arrived", "in_service", "no_access"])
@pytest.mark.parametrize("reason", AbortReason)
async def test_the_desk_ends_each_state_with_what_fits_it(city: City, state: str, reason: AbortReason):
    """Nobody is "out" of a bath, and a door that stays shut says nothing of equipment."""
    order, (first, second) = await accepted(city, BATH, 3)
    if state == "no_access":
        await report(city, first, order, "no-access")
    else:
        await report(city, first, order, "check-in")
    if state == "in_service":
        await report(city, second, order, "check-in")
    answer = await ends(city, order, reason)
    if reason in (OF_A_SHUT_DOOR if state == "no_access" else OF_A_VISIT):
        assert (answer.status_code, answer.json()["status"], answer.json()["abort_reason"]) == (200, "aborted", reason)
        assert await orphans(city) == []
    else:
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert (await city.order(order["id"]))["status"] == state


async def test_the_desk_says_why_and_it_is_noted(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    ended = await ends(city, order, "out", "邻居说去了菜场")
    assert (ended.json()["reason"], ended.json()["abort_reason"]) == ("nobody_opened", "out")
    noted = (await city.sql("SELECT action, reason FROM audit WHERE subject_id = $1", UUID(order["id"])))[0]
    assert (noted["action"], noted["reason"]) == ("abort", "out: 邻居说去了菜场")
    again = await ends(city, order, "out")
    assert (again.status_code, again.json()["code"], again.json()["current"]) == (409, "illegal_transition", "aborted")


@pytest.mark.parametrize(
    ("reason", "suspended"), [("hospital", True), ("death", True), ("moved", False), ("out", False)]
)
async def test_who_is_in_hospital_or_has_died_is_booked_for_no_more(city: City, reason: str, suspended: bool):
    """And what is booked already is looked at by a person: nobody rings at a door behind which somebody has died."""
    order, (worker,) = await accepted(city)
    desk, resident_id = await city.staff("operator"), UUID(order["resident_id"])
    later = await city.booked(desk, resident_id, REHAB, at(14), at(16), channel="phone")
    await report(city, worker, order, "no-access")
    assert (await ends(city, order, reason)).status_code == 200
    row = (await city.sql("SELECT suspended, suspended_at FROM residents WHERE id = $1", resident_id))[0]
    assert (row["suspended"], row["suspended_at"]) == (suspended, at(10) if suspended else None)
    found = [(task["kind"], task["resident_id"]) for task in (await desk.get("/v1/tasks")).json()]
    assert found == ([("suspended", str(resident_id))] if suspended else [])
    wish = {"from_at": at(17).isoformat(), "to_at": at(18).isoformat()}
    asked = {"resident_id": str(resident_id), "item_code": REHAB, "wish": wish, "days": 1}
    assert (await desk.post("/v1/quotes", asked)).status_code == (422 if suspended else 200)
    assert (await city.order(later["id"]))["status"] not in {"cancelled", "lapsed"}
    noted = await city.sql("SELECT subject_id FROM audit WHERE action = 'suspend'")
    assert [row["subject_id"] for row in noted] == ([resident_id] if suspended else [])


async def test_who_is_home_again_is_booked_for_as_before(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    await ends(city, order, "hospital")
    desk, path = await city.staff("operator"), f"/v1/residents/{order['resident_id']}/resume"
    resumed = [await desk.post(path, {"reason": "女儿说出院了"}) for _ in range(2)]
    assert [(answer.status_code, answer.json()["suspended"]) for answer in resumed] == [(200, False)] * 2
    assert await city.one("SELECT count(*) FROM audit WHERE action = 'resume'") == 1
    await city.booked(desk, UUID(order["resident_id"]), REHAB, at(14), at(16), channel="phone")
    assert (await desk.post(path, {})).json()["code"] == "invalid_request"


async def test_nothing_booked_makes_no_task(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "no-access")
    await ends(city, order, "hospital")
    assert (await (await city.staff("operator")).get("/v1/tasks")).json() == []


async def test_only_crew_and_desk_stop_a_visit(city: City):
    order, (worker,) = await accepted(city)
    await report(city, worker, order, "check-in")
    row = await city.order(order["id"])
    account = await city.one("SELECT account_id FROM residents WHERE id = $1", UUID(order["resident_id"]))
    stranger = await city.one(
        "SELECT id FROM workers WHERE id <> $1 LIMIT 1", (await city.crew(order["id"]))[0]["worker_id"]
    )
    path = f"/v1/orders/{order['id']}/abort"
    refused = {
        "resident": await city.signed_in(account), "supervisor": await city.staff("supervisor"),
        "provider": await city.staff("provider", row["provider_id"]),
    }  # fmt: skip
    assert {(await who.post(path, {"reason": "other"})).status_code for who in refused.values()} == {403}
    answer = await (await city.worker(stranger)).post(path, {"reason": "other"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_order")
    assert (await city.order(order["id"]))["status"] == "in_service"


async def test_what_was_stopped_and_is_reported_as_done_later_is_looked_at_by_a_person(city: City):
    """The second of a crew was let in after the first had left, without signal: somebody decides what it was."""
    order, (first, second) = await accepted(city, BATH, 3)
    await report(city, first, order, "check-in")
    await report(city, first, order, "abort", reason="equipment")
    await city.clock(at(12))
    made = {"offline": True, "device_at": (at(10) + timedelta(minutes=5)).isoformat()}
    assert (await report(city, second, order, "check-in", **made))["status"] == "exception"
    assert datetime.fromisoformat(order["window_from"]) <= at(10, 5)
