"""Other times for an order: the same order at another time, and until then the old promise as it was."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import structs

from backend.bookings import rescheduling
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM
from backend.orders import queries, timer_queries
from backend.orders.model import Timer, Waiting
from backend.scheduling import slots
from tests.support.city import DAY, Caller, City, at
from tests.support.orphans import orphans
from tests.support.people import SECRET

BATH, REHAB, MEAL = "bath-home", "rehab-home", "meal-lunch"
TOMORROW: Final = DAY + timedelta(days=1)
_KEPT: Final = (
    "bookings", "orders", "order_seats", "order_links", "assignments", "offers", "offer_seats", "stops", "timers", "events", "audit",
)  # fmt: skip


def _wish(begins: datetime, ends: datetime, latest: datetime | None = None) -> dict[str, Any]:
    wish: dict[str, Any] = {"from_at": begins.isoformat(), "to_at": ends.isoformat()}
    return wish if latest is None else {**wish, "soft": True, "latest_at": latest.isoformat()}


async def _ask(who: Caller, order: dict[str, Any], wish: dict[str, Any], **more: Any) -> Any:
    body = {"resident_id": order["resident_id"], "item_code": order["item_code"], "wish": wish}
    return await who.post("/v1/quotes", {**body, "instead_of": order["id"], **more})


async def _other_times(who: Caller, order: dict[str, Any], *span: datetime, **more: Any) -> list[dict[str, Any]]:
    answer = await _ask(who, order, _wish(*span), **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["slots"]


async def _move(who: Caller, order: dict[str, Any], token: str, key: str | None = None) -> Any:
    return await who.post(f"/v1/orders/{order['id']}/reschedule", {"slot": token, "reason": "那天住院"}, key)


def _refusal(answer: Any) -> str | None:
    return answer.json()["code"] if answer.status_code >= 400 else None


async def _moved(who: Caller, order: dict[str, Any], *span: datetime) -> dict[str, Any]:
    answer = await _move(who, order, (await _other_times(who, order, *span))[0]["token"])
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _placed(city: City, who: Caller, number: int = 0, day: int = 0) -> dict[str, Any]:
    someone = await city.resident(number=number)
    return await city.booked(who, someone["id"], REHAB, at(10, days=day), at(10, days=day), channel="phone")


async def _accepted(city: City, who: Caller) -> dict[str, Any]:
    await city.sql("UPDATE providers SET auto_accept = true")
    order = await _placed(city, who)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    return order


async def _rows(city: City) -> dict[str, list[dict[str, Any]]]:
    return {name: await city.sql(f"SELECT to_jsonb(t)::text AS row FROM {name} t ORDER BY 1") for name in _KEPT}


async def _told(city: City, order: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return await city.sql(
        "SELECT keys, data FROM events WHERE type = $1 AND data ->> 'order_id' = $2 ORDER BY xid, id", kind, order["id"]
    )


async def _stops(city: City, order: dict[str, Any]) -> list[dict[str, Any]]:
    return await city.sql(
        """SELECT s.worker_id, lower(s.during) AS from_at, upper(s.during) AS to_at, p.plan_on, s.hold_expires_at, z.code AS zone
           FROM stops s JOIN plans p ON p.id = s.plan_id JOIN zones z ON z.id = p.zone_id WHERE order_id = $1""",
        UUID(order["id"]),
    )  # fmt: skip


async def test_an_order_gets_another_time_and_stays_the_same_order(city: City):
    """By the resident, who may book for them, or the desk; it is dispatched anew, and what they said stays in the audit."""
    someone = await city.resident()
    mine = await city.signed_in(someone["account_id"])
    daughter = await city.signed_in(await city.daughter(someone["id"]))
    operator = await city.staff("operator")
    order = await city.booked(mine, someone["id"], REHAB, at(10), at(10))
    await city.sql('UPDATE orders SET reasons = \'[{"rule": "no_skill"}]\', tried_at = yinling_now()')
    for who, hour in ((mine, 12), (daughter, 14), (operator, 16)):
        before, plan = await city.order(order["id"]), await city.one("SELECT version FROM plans")
        await city.clock(at(8, hour))
        answer = await _moved(who, order, at(hour), at(hour, 15))
        assert {name: answer[name] for name in ("id", "code", "status")} == {
            "id": order["id"],
            "code": order["code"],
            "status": "placed",
        }
        after = await city.order(order["id"])
        assert (after["window_from"], after["window_to"]) == (at(hour), at(hour, 30)), "its window"
        assert (after["wish_from"], after["latest_at"]) == (at(hour), at(hour, 30))
        assert (after["version"], after["reason"]) == (before["version"] + 1, "rescheduled")
        assert (after["placed_at"], after["reasons"], after["tried_at"]) == (at(8, hour), [], None), (
            "it waits since now"
        )
        assert await city.one("SELECT version FROM plans") > plan
        (stop,) = await _stops(city, order)
        assert at(hour) <= stop["from_at"] <= at(hour, 30)
        assert stop["hold_expires_at"] is None
        due = {
            row["kind"]: row["due_at"]
            for row in await city.sql("SELECT kind, due_at FROM timers WHERE fired_at IS NULL")
        }
        assert due["unserved_due"] == at(hour, 30)
        assert due["manual_due"] <= at(hour)
        told = (await _told(city, order, "order.placed"))[-1]["data"]
        assert (told["before"], told["reason"], told["version"]) == ("placed", "rescheduled", after["version"])
    assert await city.one("SELECT count(*) FROM bookings") == 1
    assert await city.one("SELECT count(*) FROM audit WHERE action = 'reschedule' AND reason = '那天住院'") == 3
    promised = await city.sql("SELECT reason FROM audit WHERE action = 'promised_before' ORDER BY id")
    assert promised[0] == {"reason": "2030-03-12 10:00:00+08:00 / 2030-03-12 10:30:00+08:00"}, (
        "what was promised is not forgotten"
    )
    assert len(promised) == 3
    assert await city.one("SELECT count(*) FROM events WHERE data::text LIKE '%住院%'") == 0
    assert not await orphans(city)
    await city.sql("UPDATE providers SET auto_accept = true")
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"


async def test_a_crew_that_was_to_come_is_withdrawn_and_told_and_so_is_its_provider(city: City):
    """Nobody stands at a door at the old time: neither the worker's route nor the clock of a missed visit knows of it."""
    operator = await city.staff("operator")
    order = await _accepted(city, operator)
    (seat,) = await city.crew(order["id"])
    provider = (await city.order(order["id"]))["provider_id"]
    worker, desk = await city.worker(seat["worker_id"]), await city.staff("provider", provider)
    assert len((await worker.get("/v1/workers/me/route", on=DAY.isoformat())).json()["stops"]) == 1
    moved = await _moved(operator, order, at(15), at(16))
    assert (moved["status"], moved["provider_id"]) == ("placed", None)
    assert (await worker.get("/v1/workers/me/route", on=DAY.isoformat())).json()["stops"] == []
    assert await city.crew(order["id"]) == []
    (withdrawn,) = await _told(city, order, "assignment.withdrawn")
    assert withdrawn["data"]["worker_id"] == str(seat["worker_id"])
    assert f"worker:{seat['worker_id']}" in withdrawn["keys"]
    (offer,) = await _told(city, order, "offer.withdrawn")
    assert f"provider:{provider}" in offer["keys"]
    assert await city.one("SELECT count(*) FROM timers WHERE kind = 'missed_due'") == 0
    assert (await desk.get(f"/v1/orders/{order['id']}")).json()["code"] == "unknown_order"
    assert not await orphans(city)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    assert await city.one("SELECT count(*) FROM timers WHERE kind = 'missed_due' AND due_at > $1", at(15)) == 1


async def test_a_provider_that_was_asked_is_told_and_cannot_accept_any_more(city: City):
    await city.manual_acceptance()
    operator = await city.staff("operator")
    order = await _placed(city, operator)
    await city.dispatch()
    offer = (await city.sql("SELECT id, provider_id FROM offers WHERE status = 'open'"))[0]
    desk = await city.staff("provider", offer["provider_id"])
    await _moved(operator, order, at(15), at(16))
    late = await desk.post(f"/v1/offers/{offer['id']}/accept")
    assert (late.status_code, late.json()["code"]) == (409, "offer_closed")
    assert (await desk.get("/v1/offers")).json() == []
    (told,) = await _told(city, order, "offer.withdrawn")
    assert f"provider:{offer['provider_id']}" in told["keys"]
    assert await city.one("SELECT count(*) FROM timers WHERE subject_id = $1", offer["id"]) == 0
    assert not await orphans(city)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "offered"
    assert await city.one("SELECT count(*) FROM offers WHERE status = 'open'") == 1


async def test_who_declined_the_old_time_is_asked_about_the_new_one(city: City):
    """No is an answer to a time: only one provider serves the zone, and at three it can."""
    await city.manual_acceptance()
    operator = await city.staff("operator")
    order = await _placed(city, operator)
    await city.sql(
        "DELETE FROM shifts WHERE worker_id IN (SELECT id FROM workers WHERE provider_id <> (SELECT w.provider_id FROM stops s JOIN workers w ON w.id = s.worker_id))"
    )
    await city.dispatch()
    offer = (await city.sql("SELECT id, provider_id FROM offers WHERE status = 'open'"))[0]
    desk = await city.staff("provider", offer["provider_id"])
    assert (await desk.post(f"/v1/offers/{offer['id']}/decline", {"reason": "x"})).status_code == 200
    await city.sql("UPDATE orders SET expired_by = ARRAY[$1::uuid, $1::uuid]", offer["provider_id"])
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "manual"
    await _moved(operator, order, at(15), at(16))
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "offered"
    assert [one["order_id"] for one in (await desk.get("/v1/offers")).json()] == [order["id"]]


async def test_an_order_moves_to_another_day_and_both_days_know(city: City):
    """The old day's plan is free of it and has a new version: nobody goes on with what was read of it."""
    operator = await city.staff("operator")
    order = await _accepted(city, operator)
    version = await city.one("SELECT version FROM plans WHERE plan_on = $1", DAY)
    moved = await _moved(operator, order, at(10, days=1), at(11, days=1))
    assert moved["plan_on"] == str(TOMORROW)
    assert {stop["plan_on"] for stop in await _stops(city, order)} == {TOMORROW}
    assert await city.one("SELECT version FROM plans WHERE plan_on = $1", DAY) > version
    assert not await orphans(city)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    back = await _moved(operator, order, at(12), at(13))
    assert back["plan_on"] == str(DAY)
    assert {stop["plan_on"] for stop in await _stops(city, order)} == {DAY}
    assert not await orphans(city)


async def test_its_own_visit_does_not_stand_in_the_way_of_its_new_time(city: City):
    """One carer is left, and the resident is to be served a quarter of an hour later by the same: overlapping both."""
    operator = await city.staff("operator")
    order = await _placed(city, operator)
    (stop,) = await _stops(city, order)
    await city.sql("DELETE FROM shifts WHERE worker_id <> $1", stop["worker_id"])
    assert await city.quote(operator, UUID(order["resident_id"]), REHAB, at(10, 15), at(10, 15)) == []
    await _moved(operator, order, at(10, 15), at(10, 15))
    (moved,) = await _stops(city, order)
    assert moved["worker_id"] == stop["worker_id"]
    assert at(10, 15) <= moved["from_at"] < stop["to_at"]
    assert not await orphans(city)


@pytest.mark.parametrize("state", ["placed", "offered", "accepted"])
async def test_where_nobody_is_left_the_old_promise_stands_as_it_was(city: City, state: str):
    """Every row of it: window, stops, crew, offer and timers, and nobody is told of anything."""
    await city.sql("UPDATE providers SET auto_accept = $1", state == "accepted")
    operator = await city.staff("operator")
    order = await _placed(city, operator)
    if state != "placed":
        await city.dispatch()
    assert (await city.order(order["id"]))["status"] == state
    (stop,) = await _stops(city, order)
    token = (await _other_times(operator, order, at(15), at(16)))[0]["token"]
    await city.sql("DELETE FROM shifts WHERE worker_id <> $1", stop["worker_id"])
    await city.sql("DELETE FROM shifts WHERE lower(during) >= $1", at(13))
    await city.sql("UPDATE shifts SET during = tstzrange(lower(during), $1)", at(13))
    before, plans = await _rows(city), await city.sql("SELECT id, version FROM plans ORDER BY id")
    answer = await _move(operator, order, token)
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    assert await _rows(city) == before
    assert await city.sql("SELECT id, version FROM plans ORDER BY id") == plans


async def test_a_move_that_fails_half_way_has_never_begun(city: City, monkeypatch: pytest.MonkeyPatch):
    """Broken off behind each step of the one transaction: what was given back before it is there again."""
    operator = await city.staff("operator")
    order = await _accepted(city, operator)
    token = (await _other_times(operator, order, at(15, days=1), at(16, days=1)))[0]["token"]
    await city.sql("INSERT INTO plans (zone_id, plan_on) VALUES ($1, $2)", UUID(order["zone_id"]), TOMORROW)
    before, plans = await _rows(city), await city.sql("SELECT id, version FROM plans ORDER BY id")

    def breaking(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def broken(*about: Any, **more: Any) -> Any:
            await step(*about, **more)
            raise DomainError("slot_taken")

        return broken

    for module, name in (
        (rescheduling.orders, "let_go"),
        (rescheduling.actions, "promise"),
        (rescheduling.orders, "place_again"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, breaking(getattr(module, name)))
            assert (await _move(operator, order, token)).json()["code"] == "slot_taken", name
        assert await _rows(city) == before, name
        assert await city.sql("SELECT id, version FROM plans ORDER BY id") == plans, name
    assert (await _move(operator, order, token)).status_code == 200


async def test_a_promise_is_given_up_for_one_that_waits_only_where_the_slot_said_so(city: City):
    """A soft window waits for a crew; whoever was shown one, and finds it gone, keeps what they had."""
    operator = await city.staff("operator")
    order = await _placed(city, operator)
    soft = _wish(at(15), at(16), at(17))
    (sure,) = (await _ask(operator, order, soft)).json()["slots"]
    assert sure["expected_at"]
    await city.sql("UPDATE worker_skills SET expires_on = $1, valid_from = NULL WHERE skill = 'rehab'", DAY)
    before = await _rows(city)
    answer = await _move(operator, order, sure["token"])
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    assert await _rows(city) == before
    (waiting,) = (await _ask(operator, order, soft)).json()["slots"]
    assert waiting["expected_at"] is None
    answer = await _move(operator, order, waiting["token"])
    assert (answer.status_code, answer.json()["window_soft"]) == (200, True)
    assert await _stops(city, order) == []
    kinds = await city.sql("SELECT kind, due_at FROM timers WHERE fired_at IS NULL")
    assert kinds == [{"kind": "unserved_due", "due_at": at(17)}], "a soft search goes to no desk"
    assert not await orphans(city)


async def test_an_order_nobody_could_do_is_looked_at_at_once_when_it_has_another_time(city: City):
    """What was refused rests for a minute, but as it was: at the new time its crew is found, and waits to be asked."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator = await city.staff("operator")
    someone, none = (
        await city.resident(),
        "UPDATE worker_skills SET expires_on = $1, valid_from = NULL WHERE skill = 'rehab'",
    )
    skills = await city.sql("SELECT worker_id, valid_from, expires_on FROM worker_skills WHERE skill = 'rehab'")
    await city.sql(none, DAY)
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "wish": _wish(at(10), at(11), at(12))}
    slot = (await operator.post("/v1/quotes", body)).json()["slots"][0]
    order = (await operator.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"})).json()
    await city.dispatch()
    for row in skills:
        await city.sql(
            "UPDATE worker_skills SET valid_from = $2, expires_on = $3 WHERE worker_id = $1 AND skill = 'rehab'",
            *row.values(),
        )
    waiting = await city.order(order["id"])
    assert (waiting["status"], waiting["tried_at"]) == ("placed", at(8))
    await _moved(operator, order, at(15), at(16))
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"


async def _meal(city: City, who: Caller, someone: dict[str, Any], ready: datetime) -> dict[str, Any]:
    pickup = {"facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": ready.isoformat()}
    wish = _wish(ready, ready + timedelta(minutes=30), ready + timedelta(hours=1))
    body = {"resident_id": str(someone["id"]), "item_code": MEAL, "wish": wish, "pickup": pickup}
    slot = (await who.post("/v1/quotes", body)).json()["slots"][0]
    answer = await who.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_the_gaps_to_other_orders_hold_at_the_new_time(city: City):
    """A bath moved from before the meal to behind it: an hour after eating, and the gap that held before is gone."""
    operator, someone = await city.staff("operator"), await city.resident()
    bath = await city.booked(operator, someone["id"], BATH, at(9), at(9), channel="phone")
    meal = await _meal(city, operator, someone, at(11, 30))
    eaten = await city.one("SELECT upper(during) FROM stops WHERE order_id = $1 AND kind = 'drop'", UUID(meal["id"]))
    links = "SELECT before_id::text AS a, after_id::text AS b, min_gap_s AS s FROM order_links"
    assert [(row["a"], row["b"]) for row in await city.sql(links)] == [(bath["id"], meal["id"])]
    offered = await _other_times(operator, bath, at(9), at(17))
    starts = [datetime.fromisoformat(slot["starts_from"]) for slot in offered]
    assert any(start < eaten for start in starts)
    for slot, start in zip(offered, starts, strict=True):
        finished = datetime.fromisoformat(slot["starts_to"]) + timedelta(seconds=3000)
        assert start >= eaten + timedelta(hours=1) or finished <= eaten
    behind = next(slot for slot, start in zip(offered, starts, strict=True) if start > eaten)
    assert (await _move(operator, bath, behind["token"])).status_code == 200
    assert await city.sql(links) == [{"a": meal["id"], "b": bath["id"], "s": 3600}]
    (stop,) = await _stops(city, bath)
    assert stop["from_at"] >= eaten + timedelta(hours=1)


async def test_a_meal_gets_another_time_with_a_pickup_of_its_own(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    meal = await _meal(city, operator, someone, at(11, 30))
    pickup = {"facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": at(17).isoformat()}
    answer = await _ask(operator, meal, _wish(at(17), at(17, 30), at(18)), pickup=pickup)
    assert (await _move(operator, meal, answer.json()["slots"][0]["token"])).status_code == 200
    assert (await city.order(meal["id"]))["ready_at"] == at(17)
    assert {stop["from_at"] >= at(17) for stop in await _stops(city, meal)} == {True}
    assert len(await _stops(city, meal)) == 2


async def test_an_order_that_another_has_to_follow_within_some_time_is_not_moved_away_from_it(city: City):
    """That one was promised by its gap; it is moved itself, or called off, and then this one may move."""
    operator, someone = await city.staff("operator"), await city.resident()
    first = await city.booked(operator, someone["id"], REHAB, at(9), at(9), channel="phone")
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "wish": _wish(at(10), at(12)),
            "after": {"order_id": first["id"], "min_gap_s": 600, "max_gap_s": 7200}}  # fmt: skip
    slot = (await operator.post("/v1/quotes", body)).json()["slots"][0]
    early = (await _other_times(operator, first, at(15), at(16)))[0]["token"]
    second = (await operator.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"})).json()
    for answer in (await _ask(operator, first, _wish(at(15), at(16))), await _move(operator, first, early)):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_window")
    assert (await _ask(operator, second, _wish(at(15), at(16)))).json()["slots"], "what follows may move"
    assert (await operator.post(f"/v1/orders/{second['id']}/cancel", {})).status_code == 200
    await _moved(operator, first, at(15), at(16))


async def test_a_slot_is_for_a_new_order_or_for_the_one_it_was_quoted_for_and_nothing_else(city: City):
    operator = await city.staff("operator")
    order, other = await _placed(city, operator), await _placed(city, operator, number=1)
    fresh = (await city.quote(operator, UUID(order["resident_id"]), REHAB, at(15), at(16)))[0]["token"]
    own = (await _other_times(operator, order, at(15), at(16)))[0]["token"]
    theirs = (await _other_times(operator, other, at(15), at(16)))[0]["token"]
    forged = slots.sign(structs.replace(slots.opened(fresh, SECRET), instead_of=UUID(order["id"])), f"{SECRET}!")
    before = await _rows(city)
    for answer in (
        await operator.post("/v1/bookings", {"slot": own, "channel": "phone"}),
        await _move(operator, order, fresh), await _move(operator, order, theirs), await _move(operator, order, forged),
        await _move(operator, order, "no slot"),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (422, "slot_invalid")
    assert await _rows(city) == before
    await city.clock(at(8, 11))
    assert (await _move(operator, order, own)).json()["code"] == "slot_invalid", "older than ten minutes"
    await city.clock(at(8, 9))
    assert (await _move(operator, order, own)).status_code == 200


async def test_other_times_are_quoted_for_an_order_of_the_resident_and_the_service_that_can_move(city: City):
    """Otherwise it is as if there were no such order, or the answer names the state it is in."""
    operator = await city.staff("operator")
    someone = await city.resident()
    mine = await city.signed_in(someone["account_id"])
    order, foreign = await _placed(city, operator), await _placed(city, operator, number=1)
    slot = (await city.quote(mine, someone["id"], BATH, at(13), at(14)))[0]["token"]
    bath = (await mine.post("/v1/bookings", {"slot": slot, "channel": "app", "hold_only": True})).json()
    span = _wish(at(15), at(16))
    for about in (foreign["id"], bath["id"], str(uuid4())):
        answer = await _ask(mine, order, span, instead_of=about)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_order")
    held = await _ask(mine, bath, span)
    assert (held.status_code, held.json()["code"], held.json()["current"]) == (409, "illegal_transition", "held")
    both = await _ask(mine, order, span, after={"order_id": order["id"], "min_gap_s": 0})
    assert (both.status_code, both.json()["code"]) == (400, "invalid_request"), "it does not follow itself"
    token = (await _other_times(mine, order, at(15), at(16)))[0]["token"]
    assert (await mine.post(f"/v1/orders/{order['id']}/cancel", {})).status_code == 200
    for answer in (await _ask(mine, order, span), await _move(mine, order, token)):
        assert (answer.status_code, answer.json()["code"], answer.json()["current"]) == (
            409,
            "illegal_transition",
            "cancelled",
        )


async def test_of_two_who_move_an_order_at_once_one_does(city: City):
    """To different days, whose plans tell them nothing of each other: the second is told that it has moved since they asked."""
    operator = await city.staff("operator")
    order = await _accepted(city, operator)
    times = (at(12), at(14, days=1), at(16))
    tokens = [(await _other_times(operator, order, time, time))[0]["token"] for time in times]
    await city.clock(at(8, 1))
    answers = await asyncio.gather(*(_move(operator, order, token) for token in tokens[:2]))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert {_refusal(answer) for answer in answers} == {None, "stale_version"}
    late = await _move(operator, order, tokens[2])
    assert (late.status_code, late.json()["code"]) == (409, "stale_version")
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    (stop,) = await _stops(city, order)
    assert datetime.fromisoformat(won["window_from"]) <= stop["from_at"] <= datetime.fromisoformat(won["window_to"])
    assert await city.one("SELECT count(*) FROM audit WHERE action = 'reschedule'") == 1
    assert not await orphans(city)


async def test_a_move_sent_again_is_done_once_and_answered_the_same(city: City):
    operator, key = await city.staff("operator"), str(uuid4())
    order = await _placed(city, operator)
    token = (await _other_times(operator, order, at(15), at(16)))[0]["token"]
    first = await _move(operator, order, token, key)
    before = await _rows(city)
    again = await _move(operator, order, token, key)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await _rows(city) == before


@pytest.mark.parametrize("day", [0, 1])
@pytest.mark.parametrize("first", ["worker", "resident"])
async def test_of_a_worker_who_sets_out_and_a_resident_who_moves_the_order_one_is_first(
    city: City, first: str, day: int
):
    """Both wait for the same plan. Who sets out first comes; a report after the move is kept, and nothing follows it."""
    operator = await city.staff("operator")
    order = await _accepted(city, operator)
    await city.clock(at(9, 50))
    worker = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
    token = (await _other_times(operator, order, at(15, days=day), at(16, days=day)))[0]["token"]

    async def set_out() -> Any:
        return await worker.post(f"/v1/orders/{order['id']}/en-route", {"device_at": None})

    async def move() -> Any:
        return await _move(operator, order, token)

    async with city.owner.unit_of_work(SYSTEM) as other:
        await other.execute("SELECT FROM plans WHERE plan_on = $1 FOR NO KEY UPDATE", DAY)
        ahead = asyncio.create_task(set_out() if first == "worker" else move())
        await city.until_it_waits(ahead)
        behind = asyncio.create_task(move() if first == "worker" else set_out())
        while await city.one("SELECT count(*) FROM pg_locks WHERE NOT granted") < 2 and not behind.done():
            pass
    report, moved = (await ahead, await behind) if first == "worker" else reversed((await ahead, await behind))
    row = await city.order(order["id"])
    if first == "worker":
        assert report.json()["report"]["counts"]
        assert (moved.status_code, moved.json()["code"]) == (409, "illegal_transition")
        assert (row["status"], row["window_from"]) == ("en_route", at(10))
    else:
        assert moved.status_code == 200
        assert report.json()["report"]["counts"] is False
        assert (row["status"], row["window_from"]) == ("placed", at(15, days=day))
    assert not await orphans(city)


async def test_who_waited_for_the_plan_of_an_order_that_moved_holds_the_new_plan_and_not_the_old(city: City):
    """To hold one and wait for the other, both would wait for ever with somebody who takes both in the order of their ids."""
    operator = await city.staff("operator")
    order = await _placed(city, operator)
    order_id, zone_id = UUID(order["id"]), UUID(order["zone_id"])
    await city.sql("INSERT INTO plans (zone_id, plan_on) VALUES ($1, $2)", zone_id, TOMORROW)
    plan = "SELECT FROM plans WHERE zone_id = $1 AND plan_on = $2 FOR NO KEY UPDATE NOWAIT"
    for begins, ends, lock in (
        (DAY, TOMORROW, lambda c: queries.order_for_update(c, order_id)),
        (TOMORROW, DAY, lambda c: timer_queries.lock_for(c, Timer(uuid4(), "x", order_id, None))),
    ):
        held, done = asyncio.Event(), asyncio.Event()

        async def waits(lock: Any = lock, held: asyncio.Event = held, done: asyncio.Event = done) -> None:
            async with city.database.unit_of_work(SYSTEM) as connection:
                await lock(connection)
                held.set()
                await done.wait()

        async with city.owner.unit_of_work(SYSTEM) as mover:
            await mover.execute(plan, zone_id, begins)
            await mover.execute("UPDATE plans SET version = version + 1 WHERE zone_id = $1", zone_id)
            await mover.execute("UPDATE orders SET plan_on = $2 WHERE id = $1", order_id, ends)
            await mover.execute(
                "UPDATE stops SET plan_id = (SELECT id FROM plans WHERE zone_id = $1 AND plan_on = $2)", zone_id, ends
            )
            waiting = asyncio.create_task(waits())
            await city.until_it_waits(waiting)
        async with asyncio.timeout(10):
            await held.wait()
        await city.sql(plan, zone_id, begins)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await city.sql(plan, zone_id, ends)
        done.set()
        await waiting


@pytest.mark.parametrize("day", [0, 1])
async def test_a_move_waits_for_the_first_of_its_two_plans_and_holds_none_meanwhile(city: City, day: int):
    """To and fro, whichever was there first: whoever else takes both in the order of their ids is never waited for in a ring."""
    operator = await city.staff("operator")
    await city.sql("INSERT INTO plans (zone_id, plan_on) SELECT id, $1 FROM zones WHERE code = 'Z1'", DAY)
    await city.sql("INSERT INTO plans (zone_id, plan_on) SELECT id, $1 FROM zones WHERE code = 'Z1'", TOMORROW)
    order = await _placed(city, operator, day=day)
    token = (await _other_times(operator, order, at(12, days=1 - day), at(13, days=1 - day)))[0]["token"]
    plan_ids = [row["id"] for row in await city.sql("SELECT id FROM plans ORDER BY id")]
    async with city.owner.unit_of_work(SYSTEM) as other:
        await other.execute("SELECT FROM plans WHERE id = $1 FOR NO KEY UPDATE", plan_ids[0])
        moving = asyncio.create_task(_move(operator, order, token))
        await city.until_it_waits(moving)
        assert not moving.done()
        await other.execute("SELECT FROM plans WHERE id = $1 FOR NO KEY UPDATE NOWAIT", plan_ids[1])
    assert (await moving).status_code == 200


async def test_two_orders_that_change_days_with_each_other_never_wait_in_a_ring(city: City):
    """Each takes both plans, in one order of all; the one that finds its day changed decides anew."""
    operator = await city.staff("operator")
    orders = [await _placed(city, operator, number, number % 2) for number in range(4)]
    for turn in range(2):
        await city.clock(at(8, 1 + turn))
        tokens = [
            (await _other_times(operator, order, *((at(12, days=day), at(17, days=day)))))[0]["token"]
            for number, order in enumerate(orders)
            for day in [(number + turn + 1) % 2]
        ]
        answers = await asyncio.gather(*(_move(operator, *pair) for pair in zip(orders, tokens, strict=True)))
        assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]
        assert {_refusal(answer) for answer in answers} <= {None, "slot_taken"}
        assert any(answer.status_code == 200 for answer in answers)
    assert not await orphans(city)


async def test_a_dispatcher_that_listed_an_order_before_it_moved_leaves_it_to_its_new_day(city: City):
    operator = await city.staff("operator")
    order = await _placed(city, operator)
    await city.dispatcher.renew()
    listed = Waiting(UUID(order["id"]), UUID(order["zone_id"]), DAY)
    await _moved(operator, order, at(10, days=1), at(11, days=1))
    before = await _rows(city)
    assert await city.dispatcher._crews.place(listed) is None
    assert await _rows(city) == before
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] in {"offered", "accepted"}


async def test_a_slot_quoted_beside_an_order_is_not_taken_up_where_that_one_has_moved_to(city: City):
    """It was a day away when the slot was quoted, and nothing tied the two: now two crews would meet at one door."""
    operator, someone = await city.staff("operator"), await city.resident()
    order = await _placed(city, operator, day=1)
    slot = (await city.quote(operator, someone["id"], BATH, at(13), at(13)))[0]["token"]
    far = (await city.quote(operator, someone["id"], BATH, at(16), at(17)))[0]["token"]
    await _moved(operator, order, at(13), at(13))
    answer = await operator.post("/v1/bookings", {"slot": slot, "channel": "phone"})
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    assert (await operator.post("/v1/bookings", {"slot": far, "channel": "phone"})).status_code == 201


async def _cap(city: City, rule: str, figure: int) -> None:
    await city.sql("UPDATE rule_parameters SET value = $2 WHERE code = $1", f"most_{rule}", figure)


async def test_an_order_that_moves_is_counted_once(city: City):
    """It is no booking and no further order; only a day that others fill has no room for it."""
    operator, someone = await city.staff("operator"), await city.resident()
    first = await _placed(city, operator)
    await city.booked(operator, someone["id"], REHAB, at(12), at(12), channel="phone")
    later = await _placed(city, operator, day=1)
    for rule, figure in (("orders_a_day", 2), ("open_orders", 3), ("bookings_a_day", 3), ("holds", 0)):
        await _cap(city, rule, figure)
    await _moved(operator, first, at(15), at(16))
    full = await _move(operator, later, (await _other_times(operator, later, at(9), at(10)))[0]["token"])
    assert (full.status_code, full.json()["code"]) == (422, "too_many_orders")
    await _moved(operator, first, at(15, days=1), at(16, days=1))
    await _moved(operator, later, at(9), at(10))


async def test_an_order_leads_to_the_home_its_resident_has_by_now(city: City):
    """They have moved to another zone: the new time is at the new door, in that zone's plan, with its carers."""
    operator = await city.staff("operator")
    order = await _accepted(city, operator)
    other = await city.resident(zone="Z2")
    home = (await city.sql(
        "SELECT h.zone_id, h.district_code, h.street_code, h.community_code, p.x, p.y FROM homes h JOIN places p ON p.id = h.place_id WHERE h.resident_id = $1 AND h.current",
        other["id"]))[0]  # fmt: skip
    body = {"zone_id": str(home["zone_id"]), "longitude": home["x"], "latitude": home["y"], "address": "新家 2 号",
            **{name: home[name] for name in ("district_code", "street_code", "community_code")}}  # fmt: skip
    answer = await operator.post(f"/v1/residents/{order['resident_id']}/home", body)
    assert [one["id"] for one in answer.json()["elsewhere"]] == [order["id"]], answer.text
    moved = await _moved(operator, order, at(15), at(16))
    assert moved["zone_id"] == str(home["zone_id"])
    assert [stop["zone"] for stop in await _stops(city, order)] == ["Z2"]
    assert not await orphans(city)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"


async def test_the_price_is_that_of_the_day_the_other_time_is_asked_for(city: City):
    """A new version of the item counts, and its crew with it; a slot of the old one is not taken up."""
    operator = await city.staff("operator")
    order = await _placed(city, operator, day=1)
    await city.sql(
        """INSERT INTO catalogue_versions SELECT (jsonb_populate_record(v, jsonb_build_object('id', uuidv7(),
               'version', (SELECT max(version) + 1 FROM catalogue_versions), 'price_fen', 17000,
               'valid_from', $2::date))).*
           FROM orders o JOIN catalogue_versions v ON v.id = o.catalogue_version_id WHERE o.id = $1""",
        UUID(order["id"]), TOMORROW,
    )  # fmt: skip
    await city.sql(
        """INSERT INTO catalogue_seats SELECT (jsonb_populate_record(s, jsonb_build_object('version_id', n.id,
               'duration_s', 2700))).*
           FROM orders o JOIN catalogue_seats s ON s.version_id = o.catalogue_version_id
           JOIN catalogue_versions n ON n.price_fen = 17000 AND n.valid_from = $1""",
        TOMORROW,
    )
    await city.clock(at(2, 59, days=1))
    old = (await _other_times(operator, order, at(15, days=1), at(16, days=1)))[0]["token"]
    await city.clock(at(3, days=1))
    refused = await _move(operator, order, old)
    assert (refused.status_code, refused.json()["code"]) == (422, "slot_invalid")
    offered = (await _other_times(operator, order, at(15, days=1), at(16, days=1)))[0]
    assert offered["price_fen"] == 17000
    answer = await _move(operator, order, offered["token"])
    assert (answer.json()["price_fen"], answer.json()["price_lines"]) == (17000, offered["price_lines"])
    (stop,) = await _stops(city, order)
    assert stop["to_at"] - stop["from_at"] == timedelta(minutes=45)
