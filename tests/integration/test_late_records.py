"""A visit done without signal is not lost: whatever became of the order meanwhile, its reports bring it to a person."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.live.channels import Hub
from backend.processes.gateway import create_gateway
from tests.integration.test_evidence import BATH, RESOLVED, accepted, report, the_resident
from tests.integration.test_sheets import path
from tests.integration.test_visits import _meals
from tests.support.city import Caller, City, at
from tests.support.feeds import Reader, reading
from tests.support.fit import found_fit
from tests.support.orphans import orphans
from tests.support.people import served, settings

LATER = at(18, days=2)
SECOND_CREW = {
    "placed": [],
    "offered": ["proposed"] * 2,
    "accepted": ["accepted"] * 2,
    "en_route": ["accepted", "en_route"],
}
STATES = ("missed", "manual", "cancelled", "unserved", *SECOND_CREW)


async def gone_on(city: City, state: str) -> tuple[dict[str, Any], list[Caller]]:
    """A bath whose crew nobody hears of, and an order that goes on without it to a state; with that crew."""
    order, crew = await accepted(city, BATH, 3)
    operator = await city.staff("operator")
    if state == "missed":
        await city.clock(at(18))
        await city.timers()
    elif state == "cancelled":
        await operator.post(path(order, "cancel"), {"reason": "家属来电取消"})
    else:
        own = await city.one("SELECT provider_id FROM orders WHERE id = $1", UUID(order["id"]))
        await (await city.staff("provider", own)).post(path(order, "cancel"), {"reason": "联系不上护理员"})
    if state in {"offered", "accepted", "en_route"}:
        await city.sql("UPDATE providers SET auto_accept = $1", state != "offered")
        await city.dispatch()
    if state == "en_route":
        await report(await _second(city, order), order, "en-route")
    if state == "unserved":
        await operator.post(path(order, "unserved"), {"reason": "没有人手"})
    if state == "manual":
        await city.clock(at(9, 30))
        await city.timers()
    assert (await city.order(order["id"]))["status"] == state
    return order, crew


async def _second(city: City, order: dict[str, Any]) -> Caller:
    return await city.worker((await city.crew(order["id"]))[-1]["worker_id"])


def kept(door: dict[str, float], *, minute: int = 0, hour: int = 10, **more: Any) -> dict[str, Any]:
    """A report as a phone without signal keeps it."""
    return {**door, "offline": True, "device_at": at(hour, minute).isoformat(), **more}


async def counted(city: City, order: dict[str, Any]) -> list[tuple[str, bool]]:
    rows = await city.sql(
        "SELECT kind, assignment_id IS NOT NULL AS seat FROM visit_records WHERE order_id = $1 AND counts AND kind <> 'en_route' ORDER BY kind",
        UUID(order["id"]),
    )
    return [(row["kind"], row["seat"]) for row in rows]


async def events(city: City, order: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return await city.sql(
        "SELECT keys, data FROM events WHERE type = $1 AND data ->> 'order_id' = $2 ORDER BY id", kind, order["id"]
    )


@pytest.mark.parametrize("arrival", ["as it happened", "backwards", "one phone after the other, all twice"])
@pytest.mark.parametrize("state", STATES)
async def test_a_phone_that_comes_back_after_two_days_brings_its_visit_to_a_person(
    city: City, state: str, arrival: str
):
    """The other crew is called off, each of them told once; one order, one price; and the order of arrival changes nothing."""
    order, crew = await gone_on(city, state)
    before = await city.order(order["id"])
    assert sorted(seat["status"] for seat in await city.crew(order["id"])) == SECOND_CREW.get(state, [])
    others = {str(seat["worker_id"]) for seat in await city.crew(order["id"])}
    door = await city.door(order["id"])
    done = {"check-in": kept(door), "check-out": kept(door, minute=50, tasks=["洗浴", "测血压"])}
    told = [(worker, step) for step in done for worker in crew]
    if arrival == "backwards":
        told.reverse()
    elif arrival != "as it happened":
        told = [(worker, step) for worker in crew for step in done for _ in range(2)]
    await city.clock(LATER)
    for n, (worker, step) in enumerate(told):
        key = str(uuid4())
        answers = [await worker.post(path(order, step), done[step], key) for _ in range(2)]
        assert {(a.status_code, a.text) for a in answers} == {(200, answers[0].text)}, "sent twice by one phone"
        assert answers[0].json()["status"] == "exception", "whoever came reads their own visit"
        if n == 0 and state == "offered":
            offer = (await city.sql("SELECT id, provider_id FROM offers ORDER BY id DESC LIMIT 1"))[0]
            late = await (await city.staff("provider", offer["provider_id"])).post(f"/v1/offers/{offer['id']}/accept")
            assert (late.status_code, late.json()["code"]) == (409, "offer_closed")

    after = await city.order(order["id"])
    assert (after["status"], after["reason"]) == ("exception", "late_record")
    assert set(after["flags"]) == {"OFFLINE", "DEVICE_CLOCK"}
    assert await counted(city, order) == [("check_in", True)] * 2 + [("check_out", True)] * 2
    assert await city.crew(order["id"]) == []
    assert await city.one("SELECT count(*) FROM stops WHERE active") == 0
    assert await city.one("SELECT count(*) FROM offers WHERE status = 'open'") == 0
    first = await city.one(
        "SELECT provider_id FROM workers w JOIN assignments a ON a.worker_id = w.id ORDER BY a.id LIMIT 1"
    )
    assert after["provider_id"] == first, "whose crew has come"

    (changed,) = await events(city, order, "order.exception")
    assert {f"worker:{one}" for one in others} <= set(changed["keys"]) >= {"console", f"provider:{first}"}
    assert f"resident:{order['resident_id']}" in changed["keys"]
    assert changed["data"]["before"] == state
    off = [event["data"]["worker_id"] for event in await events(city, order, "assignment.withdrawn")]
    assert sorted(one for one in off if one in others) == sorted(others)
    withdrawn = await events(city, order, "offer.withdrawn")
    asked = before["provider_id"] if others else None
    assert [row["data"]["provider_id"] for row in withdrawn] == ([str(asked)] if others else [])

    await city.timers()
    await city.dispatch()
    assert await orphans(city) == []
    review = (await (await city.staff("operator")).get("/v1/reviews")).json()["reviews"][0]
    assert len([record for record in review["records"] if record["counts"] and record["kind"] != "en_route"]) == 4
    answer = await (await city.staff("operator")).post(path(order, "resolve"), RESOLVED)
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    prices = await city.sql("SELECT price_fen FROM orders")
    assert [row["price_fen"] for row in prices] == [before["price_fen"]]


async def test_who_is_called_off_is_told_once_over_real_sockets_and_so_is_everybody_else(city: City):
    """Before they set out, or on their way; and nobody who is no party of it hears a word."""
    order, crew = await gone_on(city, "en_route")
    second = (await city.crew(order["id"]))[0]["worker_id"]
    two = await city.one("SELECT provider_id FROM workers WHERE id = $1", second)
    listeners = {
        "first": crew[0], "second": await city.worker(second), "their provider": await city.staff("provider", two),
        "resident": await the_resident(city, order), "desk": await city.staff("operator"),
    }  # fmt: skip
    wanted = {
        "first": ["order.exception"], "second": ["assignment.withdrawn", "order.exception"],
        "their provider": ["offer.withdrawn"], "resident": ["assignment.withdrawn"] * 2 + ["order.exception"],
        "desk": ["offer.withdrawn", "assignment.withdrawn", "assignment.withdrawn", "order.exception"],
    }  # fmt: skip
    gateway = create_gateway(settings(city.database), city.database, Hub())
    door = await city.door(order["id"])
    async with served(gateway) as address:
        readers: dict[str, Reader] = {}
        opened = [reading(city.database, address, who.token) for who in listeners.values()]
        try:
            for name, one in zip(listeners, opened, strict=True):
                readers[name] = await one.__aenter__()
                assert (await readers[name].next())["type"] == "hello"
            await city.clock(at(12))
            for step, minute in (("check-in", 0), ("check-out", 50)):
                assert (await report(crew[0], order, step, **kept(door, minute=minute)))["report"]["counts"]
            for name, types in wanted.items():
                heard = [(await readers[name].next())["type"] for _ in types]
                assert sorted(heard) == sorted(types), name
            for name, reader in readers.items():
                assert [m["type"] for m in await reader.silence(0.3)] == [], name
        finally:
            for one in opened:
                await one.__aexit__(None, None, None)


@pytest.mark.parametrize("what", ["on the way", "by a phone with signal", "of another day", "only proposed"])
async def test_what_does_not_show_that_the_visit_happened_is_stored_and_calls_nobody_off(city: City, what: str):
    """Whoever is told that others come goes away again; who was never sent has not come."""
    if what == "only proposed":
        await city.manual_acceptance()
        operator, someone = await city.staff("operator"), await city.resident(ability=3)
        order = await city.booked(operator, someone["id"], BATH, at(10), at(11), channel="phone")
        await city.dispatch()
        await found_fit(city, order["id"])
        crew = [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]
        expires_at = await city.one("SELECT expires_at FROM offers")
        await city.clock(expires_at)
        await city.timers()
    else:
        order, crew = await gone_on(city, "accepted")
    before, door = await city.order(order["id"]), await city.door(order["id"])
    await city.clock(at(12))
    said: dict[str, tuple[str, dict[str, Any]]] = {
        "on the way": ("en-route", kept(door)),
        "by a phone with signal": ("check-in", door),
        "of another day": ("check-in", {**kept(door), "device_at": at(23, days=-1).isoformat()}),
        "only proposed": ("check-in", kept(door)),
    }
    await city.sql("UPDATE orders SET created_at = created_at - interval '3 days'")
    step, body = said[what]
    answer = await report(crew[0], order, step, **body)
    assert (answer["report"]["counts"], answer["status"]) == (False, None)
    after = await city.order(order["id"])
    assert (after["status"], after["version"], after["flags"]) == (before["status"], before["version"], before["flags"])
    assert (
        await city.one("SELECT count(*) FROM visit_records WHERE order_id = $1 AND NOT counts", UUID(order["id"])) == 1
    )


async def test_who_comes_when_the_visit_is_given_up_already_is_not_lost_to_it(city: City):
    """The platform had heard of nobody and expects nobody else: somebody is at the door, only late."""
    order, crew = await gone_on(city, "missed")
    door = await city.door(order["id"])
    assert (await report(crew[0], order, "check-in", **door))["status"] == "exception"
    assert set((await city.order(order["id"]))["flags"]) == {"MISSING_OUT"}
    await city.clock(at(18, 50))
    assert (await report(crew[0], order, "check-out", **door))["report"]["counts"]
    assert (await city.order(order["id"]))["flags"] == []
    assert await counted(city, order) == [("check_in", True), ("check_out", True)]
    said = await crew[0].post(path(order, "statements"), {"words": "路上堵车"})
    assert said.status_code == 201, "whoever came speaks for the crew"
    assert (await crew[1].post(path(order, "statements"), {"words": "没有去"})).status_code == 403


@pytest.mark.parametrize("how_far", ["arrived", "in_service", "awaiting_acceptance", "completed"])
async def test_a_door_that_is_open_to_others_already_is_not_closed_but_the_visit_is_doubted(city: City, how_far: str):
    """Two crews say that the same bath was theirs: one of the two is charged, and a person says which."""
    order, crew = await gone_on(city, "accepted")
    second = [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]
    door = await city.door(order["id"])
    await city.clock(at(10))
    for worker in second[: 1 if how_far == "arrived" else 2]:
        await report(worker, order, "check-in", **door)
    if how_far in {"awaiting_acceptance", "completed"}:
        await visited_out(city, order, second, door)
    if how_far == "completed":
        await (await the_resident(city, order)).post(path(order, "accept-service"))
    assert (await city.order(order["id"]))["status"] == how_far
    await city.clock(at(12))
    for _ in range(2):
        answer = await report(crew[0], order, "check-in", **kept(door))
        assert answer["report"] == {"counts": False, "flags": ["NOT_IN_CREW"]}
        assert answer["status"] is None, "how the others are getting on"
    after = await city.order(order["id"])
    assert after["status"] == ("exception" if how_far == "completed" else how_far)
    assert "SERVED_TWICE" in after["flags"]
    assert len(await city.crew(order["id"])) == 2
    assert await orphans(city) == []


async def visited_out(city: City, order: dict[str, Any], crew: list[Caller], door: dict[str, float]) -> None:
    await city.clock(at(10, 50))
    for worker in crew:
        await report(worker, order, "check-out", **door)


@pytest.mark.parametrize("arrival", [1, -1])
@pytest.mark.parametrize("state", ["accepted", "aborted"])
async def test_a_meal_handed_over_without_signal_is_not_lost(city: City, state: str, arrival: int):
    """Given up when it should have been eaten, or before anybody heard that the courier had set out."""
    (meal,), courier = await _meals(city, 1)
    if state == "aborted":
        await city.clock(at(15))
        await city.timers()
    assert (await city.order(meal["id"]))["status"] == state
    door, point = await city.door(meal["id"]), await city.sql(
        "SELECT p.x, p.y FROM places p JOIN orders o ON o.pickup_place_id = p.id WHERE o.id = $1", UUID(meal["id"]))  # fmt: skip
    said = [("pick-up", kept(point[0], hour=9, minute=35)), ("hand-over", kept(door, hour=9, minute=55))]
    await city.clock(max(at(11), at(15) if state == "aborted" else at(11)))
    for step, body in said[::arrival]:
        await report(courier, meal, step, **body)
    after = await city.order(meal["id"])
    assert (after["status"], after["reason"], after["flags"]) == ("exception", "late_record", ["OFFLINE"])
    assert await counted(city, meal) == [("hand_over", True), ("pick_up", True)]
    assert await orphans(city) == []


@pytest.mark.parametrize("lost", [False, True])
async def test_a_check_out_that_comes_before_its_check_in_waits_for_it(city: City, *, lost: bool):
    """Two phones get signal again one after the other, the reports of the one in the wrong order; or one never comes."""
    order, crew = await accepted(city, BATH, 3)
    door = await city.door(order["id"])
    await city.clock(at(11, 30))
    said = [(0, "check-out", 50), (0, "check-in", 0), (1, "check-out", 50), (1, "check-in", 0)]
    for who, step, minute in said[:1] if lost else said:
        answer = await report(crew[who], order, step, **kept(door, minute=minute))
    if lost:
        await city.clock(at(18))
        await city.timers()
        assert (await city.order(order["id"]))["status"] == "exception", "the check-out alone shows that somebody came"
        return
    assert (answer["status"], answer["flags"]) == ("awaiting_acceptance", ["OFFLINE"])
    assert len(await counted(city, order)) == 4
    word = await (await the_resident(city, order)).post(path(order, "accept-service"))
    assert word.json()["status"] == "completed"
    assert await orphans(city) == []


async def test_a_check_out_that_comes_after_a_visit_was_ended_without_it_counts_beside_its_check_in(city: City):
    order, crew = await accepted(city, BATH, 3)
    door = await city.door(order["id"])
    await city.clock(at(10))
    for worker in crew:
        await report(worker, order, "check-in", **door)
    await city.clock(at(15))
    await city.timers()
    assert "MISSING_OUT" in (await city.order(order["id"]))["flags"]
    for n, worker in enumerate(crew):
        assert (await report(worker, order, "check-out", **kept(door, minute=50)))["report"]["counts"]
        assert ("MISSING_OUT" in (await city.order(order["id"]))["flags"]) is (n == 0)
    assert await orphans(city) == []


async def test_what_the_desk_booked_in_its_place_is_not_charged_beside_it_unseen(city: City):
    """A person sees both, and silence completes neither."""
    order, crew = await gone_on(city, "missed")
    operator, resident_id = await city.staff("operator"), UUID(order["resident_id"])
    await city.clock(at(12))
    again = [
        await city.booked(operator, resident_id, BATH, begins, begins + timedelta(hours=2), channel="phone")
        for begins in (at(14), at(10, days=1))
    ]
    await city.clock(at(18))
    await report(crew[0], order, "check-in", **kept(await city.door(order["id"])))
    await city.timers()
    review = (await operator.get("/v1/reviews")).json()["reviews"][0]["order"]
    assert [reason["detail"] for reason in review["reasons"] if reason["rule"] == "booked_again"] == [
        other["code"] for other in again]  # fmt: skip
    assert "SERVED_TWICE" in review["flags"]
    for other in again:
        assert "SERVED_TWICE" in (await city.order(other["id"]))["flags"]


@pytest.mark.parametrize("state", ["lapsed", "rejected", "settled"])
async def test_what_is_over_for_good_stays_so_and_the_report_is_stored(city: City, state: str):
    order, crew = await gone_on(city, "cancelled")
    await city.sql("UPDATE orders SET status = $2 WHERE id = $1", UUID(order["id"]), state)
    await city.clock(at(12))
    answer = await report(crew[0], order, "check-in", **kept(await city.door(order["id"])))
    assert answer["report"]["counts"] is False
    assert (await city.order(order["id"]))["status"] == state
    assert await city.one("SELECT count(*) FROM visit_records") == 1


async def test_a_phone_whose_clock_began_anew_is_flagged_and_heard(city: City):
    """A flat battery sets it to 1970: the clock is wrong, the visit need not be."""
    order, crew = await gone_on(city, "missed")
    wrong = {
        **await city.door(order["id"]),
        "offline": True,
        "device_at": datetime.fromtimestamp(60, at(0).tzinfo).isoformat(),
    }
    assert (await report(crew[0], order, "check-in", **wrong))["status"] == "exception"
    assert "DEVICE_CLOCK" in (await city.order(order["id"]))["flags"]
