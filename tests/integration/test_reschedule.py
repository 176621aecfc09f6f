"""Other times for an order: the same order at another time, and until then the old promise as it was."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from msgspec import structs

from backend.scheduling import slots
from tests.support.city import DAY, Caller, City, at
from tests.support.orphans import orphans
from tests.support.other_times import (
    REHAB,
    accepted,
    ask,
    move_order,
    moved_to,
    other_times,
    placed,
    rows_of,
    stops_of,
    wish_of,
)
from tests.support.people import SECRET

BATH, MEAL = "bath-home", "meal-lunch"
TOMORROW: Final = DAY + timedelta(days=1)


async def _told(city: City, order: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return await city.sql(
        "SELECT keys, data FROM events WHERE type = $1 AND data ->> 'order_id' = $2 ORDER BY xid, id", kind, order["id"]
    )


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
        answer = await moved_to(who, order, at(hour), at(hour, 15))
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
        (stop,) = await stops_of(city, order)
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
    order = await accepted(city, operator)
    (seat,) = await city.crew(order["id"])
    provider = (await city.order(order["id"]))["provider_id"]
    worker, desk = await city.worker(seat["worker_id"]), await city.staff("provider", provider)
    assert len((await worker.get("/v1/workers/me/route", on=DAY.isoformat())).json()["stops"]) == 1
    moved = await moved_to(operator, order, at(15), at(16))
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
    order = await placed(city, operator)
    await city.dispatch()
    offer = (await city.sql("SELECT id, provider_id FROM offers WHERE status = 'open'"))[0]
    desk = await city.staff("provider", offer["provider_id"])
    await moved_to(operator, order, at(15), at(16))
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
    order = await placed(city, operator)
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
    await moved_to(operator, order, at(15), at(16))
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "offered"
    assert [one["order_id"] for one in (await desk.get("/v1/offers")).json()] == [order["id"]]


async def test_an_order_moves_to_another_day_and_both_days_know(city: City):
    """The old day's plan is free of it and has a new version: nobody goes on with what was read of it."""
    operator = await city.staff("operator")
    order = await accepted(city, operator)
    version = await city.one("SELECT version FROM plans WHERE plan_on = $1", DAY)
    moved = await moved_to(operator, order, at(10, days=1), at(11, days=1))
    assert moved["plan_on"] == str(TOMORROW)
    assert {stop["plan_on"] for stop in await stops_of(city, order)} == {TOMORROW}
    assert await city.one("SELECT version FROM plans WHERE plan_on = $1", DAY) > version
    assert not await orphans(city)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    back = await moved_to(operator, order, at(12), at(13))
    assert back["plan_on"] == str(DAY)
    assert {stop["plan_on"] for stop in await stops_of(city, order)} == {DAY}
    assert not await orphans(city)


async def test_its_own_visit_does_not_stand_in_the_way_of_its_new_time(city: City):
    """One carer is left, and the resident is to be served a quarter of an hour later by the same: overlapping both."""
    operator = await city.staff("operator")
    order = await placed(city, operator)
    (stop,) = await stops_of(city, order)
    await city.sql("DELETE FROM shifts WHERE worker_id <> $1", stop["worker_id"])
    assert await city.quote(operator, UUID(order["resident_id"]), REHAB, at(10, 15), at(10, 15)) == []
    await moved_to(operator, order, at(10, 15), at(10, 15))
    (moved,) = await stops_of(city, order)
    assert moved["worker_id"] == stop["worker_id"]
    assert at(10, 15) <= moved["from_at"] < stop["to_at"]
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
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "wish": wish_of(at(10), at(11), at(12))}
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
    await moved_to(operator, order, at(15), at(16))
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"


async def _meal(city: City, who: Caller, someone: dict[str, Any], ready: datetime) -> dict[str, Any]:
    pickup = {"facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": ready.isoformat()}
    wish = wish_of(ready, ready + timedelta(minutes=30), ready + timedelta(hours=1))
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
    offered = await other_times(operator, bath, at(9), at(17))
    starts = [datetime.fromisoformat(slot["starts_from"]) for slot in offered]
    assert any(start < eaten for start in starts)
    for slot, start in zip(offered, starts, strict=True):
        finished = datetime.fromisoformat(slot["starts_to"]) + timedelta(seconds=3000)
        assert start >= eaten + timedelta(hours=1) or finished <= eaten
    behind = next(slot for slot, start in zip(offered, starts, strict=True) if start > eaten)
    assert (await move_order(operator, bath, behind["token"])).status_code == 200
    assert await city.sql(links) == [{"a": meal["id"], "b": bath["id"], "s": 3600}]
    (stop,) = await stops_of(city, bath)
    assert stop["from_at"] >= eaten + timedelta(hours=1)


async def test_a_meal_gets_another_time_with_a_pickup_of_its_own(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    meal = await _meal(city, operator, someone, at(11, 30))
    pickup = {"facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": at(17).isoformat()}
    answer = await ask(operator, meal, wish_of(at(17), at(17, 30), at(18)), pickup=pickup)
    assert (await move_order(operator, meal, answer.json()["slots"][0]["token"])).status_code == 200
    assert (await city.order(meal["id"]))["ready_at"] == at(17)
    assert {stop["from_at"] >= at(17) for stop in await stops_of(city, meal)} == {True}
    assert len(await stops_of(city, meal)) == 2


async def test_an_order_that_another_has_to_follow_within_some_time_is_not_moved_away_from_it(city: City):
    """That one was promised by its gap; it is moved itself, or called off, and then this one may move."""
    operator, someone = await city.staff("operator"), await city.resident()
    first = await city.booked(operator, someone["id"], REHAB, at(9), at(9), channel="phone")
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "wish": wish_of(at(10), at(12)),
            "after": {"order_id": first["id"], "min_gap_s": 600, "max_gap_s": 7200}}  # fmt: skip
    slot = (await operator.post("/v1/quotes", body)).json()["slots"][0]
    early = (await other_times(operator, first, at(15), at(16)))[0]["token"]
    second = (await operator.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"})).json()
    for answer in (await ask(operator, first, wish_of(at(15), at(16))), await move_order(operator, first, early)):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_window")
    assert (await ask(operator, second, wish_of(at(15), at(16)))).json()["slots"], "what follows may move"
    assert (await operator.post(f"/v1/orders/{second['id']}/cancel", {})).status_code == 200
    await moved_to(operator, first, at(15), at(16))


async def test_a_slot_is_for_a_new_order_or_for_the_one_it_was_quoted_for_and_nothing_else(city: City):
    operator = await city.staff("operator")
    order, other = await placed(city, operator), await placed(city, operator, number=1)
    fresh = (await city.quote(operator, UUID(order["resident_id"]), REHAB, at(15), at(16)))[0]["token"]
    own = (await other_times(operator, order, at(15), at(16)))[0]["token"]
    theirs = (await other_times(operator, other, at(15), at(16)))[0]["token"]
    forged = slots.sign(structs.replace(slots.opened(fresh, SECRET), instead_of=UUID(order["id"])), f"{SECRET}!")
    before = await rows_of(city)
    for answer in (
        await operator.post("/v1/bookings", {"slot": own, "channel": "phone"}),
        await move_order(operator, order, fresh), await move_order(operator, order, theirs), await move_order(operator, order, forged),
        await move_order(operator, order, "no slot"),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (422, "slot_invalid")
    assert await rows_of(city) == before
    await city.clock(at(8, 11))
    assert (await move_order(operator, order, own)).json()["code"] == "slot_invalid", "older than ten minutes"
    await city.clock(at(8, 9))
    assert (await move_order(operator, order, own)).status_code == 200


async def test_other_times_are_quoted_for_an_order_of_the_resident_and_the_service_that_can_move(city: City):
    """Otherwise it is as if there were no such order, or the answer names the state it is in."""
    operator = await city.staff("operator")
    someone = await city.resident()
    mine = await city.signed_in(someone["account_id"])
    order, foreign = await placed(city, operator), await placed(city, operator, number=1)
    slot = (await city.quote(mine, someone["id"], BATH, at(13), at(14)))[0]["token"]
    bath = (await mine.post("/v1/bookings", {"slot": slot, "channel": "app", "hold_only": True})).json()
    span = wish_of(at(15), at(16))
    for about in (foreign["id"], bath["id"], str(uuid4())):
        answer = await ask(mine, order, span, instead_of=about)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_order")
    held = await ask(mine, bath, span)
    assert (held.status_code, held.json()["code"], held.json()["current"]) == (409, "illegal_transition", "held")
    both = await ask(mine, order, span, after={"order_id": order["id"], "min_gap_s": 0})
    assert (both.status_code, both.json()["code"]) == (400, "invalid_request"), "it does not follow itself"
    token = (await other_times(mine, order, at(15), at(16)))[0]["token"]
    assert (await mine.post(f"/v1/orders/{order['id']}/cancel", {})).status_code == 200
    for answer in (await ask(mine, order, span), await move_order(mine, order, token)):
        assert (answer.status_code, answer.json()["code"], answer.json()["current"]) == (
            409,
            "illegal_transition",
            "cancelled",
        )


async def _cap(city: City, rule: str, figure: int) -> None:
    await city.sql("UPDATE rule_parameters SET value = $2 WHERE code = $1", f"most_{rule}", figure)


async def test_an_order_that_moves_is_counted_once(city: City):
    """It is no booking and no further order; only a day that others fill has no room for it."""
    operator, someone = await city.staff("operator"), await city.resident()
    first = await placed(city, operator)
    await city.booked(operator, someone["id"], REHAB, at(12), at(12), channel="phone")
    later = await placed(city, operator, day=1)
    for rule, figure in (("orders_a_day", 2), ("open_orders", 3), ("bookings_a_day", 3), ("holds", 0)):
        await _cap(city, rule, figure)
    await moved_to(operator, first, at(15), at(16))
    full = await move_order(operator, later, (await other_times(operator, later, at(9), at(10)))[0]["token"])
    assert (full.status_code, full.json()["code"]) == (422, "too_many_orders")
    await moved_to(operator, first, at(15, days=1), at(16, days=1))
    await moved_to(operator, later, at(9), at(10))


async def test_an_order_leads_to_the_home_its_resident_has_by_now(city: City):
    """They have moved to another zone: the new time is at the new door, in that zone's plan, with its carers."""
    operator = await city.staff("operator")
    order = await accepted(city, operator)
    other = await city.resident(zone="Z2")
    home = (await city.sql(
        "SELECT h.zone_id, h.district_code, h.street_code, h.community_code, p.x, p.y FROM homes h JOIN places p ON p.id = h.place_id WHERE h.resident_id = $1 AND h.current",
        other["id"]))[0]  # fmt: skip
    body = {"zone_id": str(home["zone_id"]), "longitude": home["x"], "latitude": home["y"], "address": "新家 2 号",
            **{name: home[name] for name in ("district_code", "street_code", "community_code")}}  # fmt: skip
    answer = await operator.post(f"/v1/residents/{order['resident_id']}/home", body)
    assert [one["id"] for one in answer.json()["elsewhere"]] == [order["id"]], answer.text
    moved = await moved_to(operator, order, at(15), at(16))
    assert moved["zone_id"] == str(home["zone_id"])
    assert [stop["zone"] for stop in await stops_of(city, order)] == ["Z2"]
    assert not await orphans(city)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"


async def test_the_price_is_that_of_the_day_the_other_time_is_asked_for(city: City):
    """A new version of the item counts, and its crew with it; a slot of the old one is not taken up."""
    operator = await city.staff("operator")
    order = await placed(city, operator, day=1)
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
    old = (await other_times(operator, order, at(15, days=1), at(16, days=1)))[0]["token"]
    await city.clock(at(3, days=1))
    refused = await move_order(operator, order, old)
    assert (refused.status_code, refused.json()["code"]) == (422, "slot_invalid")
    offered = (await other_times(operator, order, at(15, days=1), at(16, days=1)))[0]
    assert offered["price_fen"] == 17000
    answer = await move_order(operator, order, offered["token"])
    assert (answer.json()["price_fen"], answer.json()["price_lines"]) == (17000, offered["price_lines"])
    (stop,) = await stops_of(city, order)
    assert stop["to_at"] - stop["from_at"] == timedelta(minutes=45)
