"""From a wish to a promise: quotes, holds, bookings, and every way one is refused."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from backend.core.principal import SYSTEM
from backend.scheduling import slots
from tests.support.city import City, at
from tests.support.people import SECRET

BATH, REHAB, MEAL = "bath-home", "rehab-home", "meal-lunch"


def _refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    return answer.json()


async def test_slots_lie_in_the_wish_and_carry_the_price(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    slots = await city.quote(operator, someone["id"], REHAB, at(13), at(15))
    assert slots
    for slot in slots:
        assert at(13) <= datetime.fromisoformat(slot["starts_from"]) <= at(15)
        assert slot["price_fen"] == sum(line["fen"] for line in slot["price_lines"]) == 16000
        assert slot["crew_size"] == 1


async def test_a_disabled_resident_is_bathed_by_two_at_the_same_time(city: City):
    operator, someone = await city.staff("operator"), await city.resident(ability=3)
    order = await city.booked(operator, someone["id"], BATH, at(10), at(14), channel="phone")
    stops = await city.sql("SELECT worker_id, during FROM stops WHERE order_id = $1", UUID(order["id"]))
    assert len({stop["worker_id"] for stop in stops}) == 2
    assert len({stop["during"].lower for stop in stops}) == 1
    providers = await city.sql(
        "SELECT DISTINCT w.provider_id FROM stops s JOIN workers w ON w.id = s.worker_id WHERE s.order_id = $1",
        UUID(order["id"]),
    )
    assert len(providers) == 1


async def test_the_order_keeps_who_asked_who_entered_and_the_channel(city: City):
    someone = await city.resident()
    operator, daughter_id = await city.staff("operator"), await city.daughter(someone["id"])
    slots = await city.quote(operator, someone["id"], REHAB, at(13), at(15))
    body = {"slot": slots[0]["token"], "channel": "phone", "asked_by": str(daughter_id), "note": "side door"}
    booking_id = (await operator.post("/v1/bookings", body)).json()["booking_id"]
    kept = (await city.sql("SELECT * FROM bookings WHERE id = $1", UUID(booking_id)))[0]
    assert (kept["channel"], kept["asked_by"], kept["note"]) == ("phone", daughter_id, "side door")
    assert kept["entered_by"] not in {None, daughter_id}


async def test_the_slot_says_nothing_about_the_resident_but_who_it_is(city: City):
    import base64

    operator, someone = await city.staff("operator"), await city.resident()
    token = (await city.quote(operator, someone["id"], BATH, at(10), at(14)))[0]["token"]
    inside = base64.urlsafe_b64decode(token)[32:].decode()
    assert str(someone["id"]) in inside
    for word in ("gender", "refused", "phone", "ability", someone["phone"]):
        assert word not in inside


async def test_a_hold_lapses_and_frees_its_crew(city: City):
    me = await city.resident()
    resident = await city.signed_in(me["account_id"])
    slots = await city.quote(resident, me["id"], REHAB, at(13), at(15))
    held = (
        await resident.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "app", "hold_only": True})
    ).json()
    assert held["status"] == "held"
    assert datetime.fromisoformat(held["hold_expires_at"]) == at(8) + timedelta(minutes=3)
    assert await city.one("SELECT count(*) FROM stops WHERE order_id = $1", UUID(held["id"])) == 1
    await city.clock(at(8, 4))
    _refused(await resident.post(f"/v1/orders/{held['id']}/confirm"), 410, "hold_expired")
    await city.timers()
    assert (await city.order(held["id"]))["status"] == "lapsed"
    assert await city.one("SELECT count(*) FROM stops WHERE order_id = $1", UUID(held["id"])) == 0
    _refused(await resident.post(f"/v1/orders/{held['id']}/confirm"), 410, "hold_expired")


async def test_a_call_keeps_a_hold_longer_up_to_a_limit(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    slots = await city.quote(operator, someone["id"], REHAB, at(13), at(15))
    held = (
        await operator.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "phone", "hold_only": True})
    ).json()
    assert datetime.fromisoformat(held["hold_expires_at"]) == at(8, 8)
    extended = (await operator.post(f"/v1/orders/{held['id']}/extend")).json()
    assert datetime.fromisoformat(extended["hold_expires_at"]) == at(8, 11)
    assert (await operator.post(f"/v1/orders/{held['id']}/extend")).status_code == 200
    _refused(await operator.post(f"/v1/orders/{held['id']}/extend"), 409, "hold_at_limit")
    assert (await city.order(held["id"]))["status"] == "held"
    confirmed = (await operator.post(f"/v1/orders/{held['id']}/confirm")).json()
    assert confirmed["status"] == "placed"
    assert confirmed["hold_expires_at"] is None


async def test_two_who_want_the_last_crew_do_not_both_get_it(city: City):
    """Only one pair of bathers is left on shift; the second caller is told to ask again, and nothing is half-written."""
    operator = await city.staff("operator")
    first, second = await city.resident(ability=3), await city.resident(ability=3, number=1)
    keep = await city.sql(
        """SELECT DISTINCT w.id FROM workers w JOIN worker_skills k ON k.worker_id = w.id AND k.skill = 'bath'
           JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1
           AND w.provider_id = (SELECT provider_id FROM workers ORDER BY code LIMIT 1) LIMIT 2""",
        first["zone_id"],
    )  # fmt: skip
    await city.sql("DELETE FROM shifts WHERE worker_id <> ALL ($1)", [row["id"] for row in keep])
    await city.sql("UPDATE residents SET gender = 'female'")
    await city.sql("UPDATE workers SET gender = 'female'")
    wanted = [(await city.quote(operator, who["id"], BATH, at(10), at(10, 30)))[0]["token"] for who in (first, second)]
    assert (await operator.post("/v1/bookings", {"slot": wanted[0], "channel": "phone"})).status_code == 201
    _refused(await operator.post("/v1/bookings", {"slot": wanted[1], "channel": "phone"}), 409, "slot_taken")
    assert await city.one("SELECT count(*) FROM orders") == 1
    assert await city.one("SELECT count(*) FROM bookings") == 1


async def test_nobody_is_bathed_within_an_hour_after_a_meal(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    meal = await _meal(city, operator, someone, at(11, 30))
    eaten = await city.one("SELECT upper(during) FROM stops WHERE order_id = $1 AND kind = 'drop'", UUID(meal["id"]))
    slots = await city.quote(operator, someone["id"], BATH, at(9), at(17))
    starts = [datetime.fromisoformat(slot["starts_from"]) for slot in slots]
    assert any(start < eaten for start in starts)
    assert any(start > eaten for start in starts)
    for slot, start in zip(slots, starts, strict=True):
        finished = datetime.fromisoformat(slot["starts_to"]) + timedelta(seconds=3000)
        assert start >= eaten + timedelta(hours=1) or finished <= eaten
    after = next(slot for slot, start in zip(slots, starts, strict=True) if start > eaten)
    bath = (await operator.post("/v1/bookings", {"slot": after["token"], "channel": "phone"})).json()
    link = (await city.sql("SELECT * FROM order_links WHERE after_id = $1", UUID(bath["id"])))[0]
    assert (str(link["before_id"]), link["min_gap_s"], link["gap_from"]) == (meal["id"], 3600, "end")


async def test_a_meal_is_not_brought_less_than_an_hour_before_a_bath(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    bath = await city.booked(operator, someone["id"], BATH, at(13), at(13, 30), channel="phone")
    starts = await city.one("SELECT lower(during) FROM stops WHERE order_id = $1", UUID(bath["id"]))
    meal = await _meal(city, operator, someone, at(12, 15))
    eaten = await city.one("SELECT upper(during) FROM stops WHERE order_id = $1 AND kind = 'drop'", UUID(meal["id"]))
    assert eaten + timedelta(hours=1) <= starts or eaten > starts


async def test_a_resident_is_not_in_two_services_at_once(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    first = await city.booked(operator, someone["id"], REHAB, at(13), at(13, 30), channel="phone")
    begins, ends = (
        await city.sql("SELECT lower(during) a, upper(during) b FROM stops WHERE order_id = $1", UUID(first["id"]))
    )[0].values()
    slots = await city.quote(operator, someone["id"], BATH, at(9), at(17))
    assert slots
    for slot in slots:
        last = datetime.fromisoformat(slot["starts_to"]) + timedelta(seconds=3000)
        assert last <= begins or datetime.fromisoformat(slot["starts_from"]) >= ends


async def test_a_hot_meal_rides_no_longer_than_the_rule_allows(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    order = await _meal(city, operator, someone, at(11, 30), max_ride_s=7200)
    assert (await city.order(order["id"]))["max_ride_s"] == 1800
    stops = {row["kind"]: row["during"] for row in await city.sql("SELECT kind, during FROM stops")}
    assert stops["pickup"].lower >= at(11, 30)
    assert stops["drop"].lower - stops["pickup"].upper <= timedelta(seconds=1800)


async def _meal(city: City, who: Any, someone: dict[str, Any], ready: datetime, **pickup: Any) -> dict[str, Any]:
    point = await city.meal_point(someone["zone_id"])
    body = {
        "resident_id": str(someone["id"]), "item_code": MEAL,
        "wish": {"from_at": ready.isoformat(), "to_at": (ready + timedelta(minutes=30)).isoformat(), "soft": True,
                 "latest_at": (ready + timedelta(hours=4)).isoformat()},
        "pickup": {"facility_id": str(point), "ready_at": ready.isoformat(), **pickup},
    }  # fmt: skip
    answer = await who.post("/v1/quotes", body)
    assert answer.status_code == 200, answer.text
    slot = answer.json()["slots"][0]
    assert slot["expected_at"]
    answer = await who.post("/v1/bookings", {"slot": slot["token"], "channel": "phone"})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_soft_wish_that_no_time_can_keep_is_refused_and_not_sold(city: City):
    """A lunch that is ready at midnight, a gap of a day before the evening: nobody could ever come, and waiting changes nothing."""
    operator, someone = await city.staff("operator"), await city.resident()
    other = await city.booked(operator, someone["id"], REHAB, at(14), at(14, 30), channel="phone")
    point = str(await city.meal_point(someone["zone_id"]))

    async def ask(item: str, begins: datetime, latest: datetime, **more: Any) -> Any:
        wish = {
            "from_at": begins.isoformat(),
            "to_at": begins.isoformat(),
            "soft": True,
            "latest_at": latest.isoformat(),
        }
        body = {"resident_id": str(someone["id"]), "item_code": item, "wish": wish, **more}
        return await operator.post("/v1/quotes", body)

    def fetched(ready: datetime, **more: Any) -> dict[str, Any]:
        return {"facility_id": point, "ready_at": ready.isoformat(), **more}

    def after(**gaps: int) -> dict[str, Any]:
        return {"order_id": other["id"], **gaps}

    for answer in (
        await ask(MEAL, at(11, 30), at(13), pickup=fetched(at(23, 59))),
        await ask(MEAL, at(11, 30), at(13), pickup=fetched(at(12, 59), pickup_s=3600)),
        await ask(MEAL, at(11, 30), at(13), pickup=fetched(at(13))),
        await ask(MEAL, at(11, 30), at(13), pickup=fetched(at(11, 30), max_ride_s=60)),
        await ask(REHAB, at(17), at(17, 30), after=after(min_gap_s=86400)),
        await ask(REHAB, at(17), at(17, 30), after=after(min_gap_s=86400, gap_from="start")),
        await ask(REHAB, at(17), at(17, 30), after=after(min_gap_s=0, max_gap_s=3600)),
        await ask(REHAB, at(13), at(14), after=after(min_gap_s=0)),
        await ask(MEAL, at(15), at(16), after=after(min_gap_s=0, max_gap_s=600), pickup=fetched(at(15, 30))),
    ):
        _refused(answer, 400, "invalid_window")
    assert (await ask(MEAL, at(11, 30), at(13), pickup=fetched(at(12)))).json()["slots"]
    assert (await ask(REHAB, at(16), at(17, 30), after=after(min_gap_s=7200))).json()["slots"]


async def test_a_wish_outside_every_shift_is_refused_with_the_reason(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    body = {"resident_id": str(someone["id"]), "item_code": BATH, "from_on": "2030-04-20", "days": 1}
    answer = (await operator.post("/v1/quotes", body)).json()
    assert answer == {"slots": [], "reasons": [{"on": "2030-04-20", "code": "no_shift"}]}


async def test_bad_wishes_are_refused_in_plain_words(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    me = str(someone["id"])

    async def ask(**body: Any) -> Any:
        return await operator.post("/v1/quotes", {"resident_id": me, "item_code": BATH, **body})

    _refused(await ask(resident_id=str(uuid4())), 404, "unknown_resident")
    _refused(await ask(item_code="haircut"), 404, "unknown_item")
    past = {"from_at": at(6).isoformat(), "to_at": at(7).isoformat()}
    _refused(await ask(wish=past), 422, "slot_in_past")
    _refused(await ask(from_on="2020-01-01"), 422, "slot_in_past")
    _refused(await ask(wish={"from_at": at(12).isoformat(), "to_at": at(11).isoformat()}), 400, "invalid_window")
    _refused(await ask(days=0), 400, "invalid_request")
    pickup = {"facility_id": str(uuid4()), "ready_at": at(12).isoformat()}
    _refused(await ask(item_code=MEAL, pickup=pickup), 404, "unknown_facility")
    _refused(await ask(item_code=MEAL), 400, "invalid_request")
    _refused(await ask(after={"order_id": str(uuid4()), "min_gap_s": 0}), 404, "unknown_order")
    assert await city.one("SELECT count(*) FROM bookings") == 0


async def test_a_slot_somebody_tampered_with_is_not_ours(city: City):
    """Any one field changed, the proof of another slot, of another secret or none: only a slot as it was signed is taken up."""
    operator, someone = await city.staff("operator"), await city.resident()
    offered = await city.quote(operator, someone["id"], REHAB, at(13), at(15))
    token, other = (slots.opened(slot["token"], SECRET) for slot in offered[:2])
    written = json.loads(msgspec.json.encode(token))
    assert written.pop("crew") == [], "whom the plan has in mind is no part of what is signed"
    raw = base64.urlsafe_b64decode(offered[0]["token"])
    spoilt: dict[str, str] = {
        "another secret": slots.sign(token, f"{SECRET}!"), "no proof": base64.urlsafe_b64encode(bytes(32) + raw[32:]).decode(),
        "the proof of another": base64.urlsafe_b64encode(base64.urlsafe_b64decode(offered[1]["token"])[:32] + raw[32:]).decode(),
        "empty": "", "no base64": "¡hola!", "cut": offered[0]["token"][40:], "short": offered[0]["token"][:-4] + "AAAA",
    }  # fmt: skip
    theirs = json.loads(msgspec.json.encode(other)) | {
        "resident_id": str((await city.resident(number=1))["id"]), "item_code": "bath-home", "soft": True, "late_s": 7,
        "price_fen": 1, "price_lines": [], "catalogue_version_id": str(uuid4()), "links": None, "beside": [str(uuid4())],
        "plan_on": "2030-03-13", "wish_from": at(12).isoformat(), "wish_to": at(16).isoformat(), "quoted_at": at(9).isoformat(),
        "pickup": {"facility_id": str(uuid4())}, "instead_of": str(uuid4()),
    }  # fmt: skip
    for name, value in written.items():
        assert theirs[name] != value, f"{name}: nothing was changed"
        body = json.dumps(written | {name: theirs[name]}).encode()
        spoilt[name] = base64.urlsafe_b64encode(raw[:32] + body).decode()
    for what, spoiled in spoilt.items():
        answer = await operator.post("/v1/bookings", {"slot": spoiled, "channel": "phone"})
        assert (answer.status_code, answer.json()["code"]) == (422, "slot_invalid"), what
    assert await city.one("SELECT count(*) FROM bookings") == 0
    assert (await operator.post("/v1/bookings", {"slot": offered[0]["token"], "channel": "phone"})).status_code == 201


@pytest.mark.spoils("a window is not as long as its item has it, or not within the wish")
async def test_a_slot_grows_old_and_its_time_passes(city: City):
    """Ten minutes, and until its last start: at that moment it is good, one second later it is not."""
    operator, someone = await city.staff("operator"), await city.resident()

    async def taken(token: str, now: datetime) -> httpx.Response:
        await city.clock(now)
        return await operator.post("/v1/bookings", {"slot": token, "channel": "phone", "hold_only": True})

    token = (await city.quote(operator, someone["id"], REHAB, at(13), at(15)))[0]["token"]
    _refused(await taken(token, at(8, 10) + timedelta(seconds=1)), 422, "slot_invalid")
    assert (await taken(token, at(8, 10))).status_code == 201
    await city.sql("UPDATE catalogue_versions SET slot_s = 10")
    for soft, number in ((False, 1), (True, 2)):
        await city.clock(at(14, 6))
        other = (await city.resident(number=number))["id"]
        wish: dict[str, Any] = {"from_at": at(14, 15).isoformat(), "to_at": at(14, 15).isoformat(), "soft": soft}
        wish |= {"latest_at": (at(14, 15) + timedelta(seconds=50)).isoformat()} if soft else {}
        body = {"resident_id": str(other), "item_code": REHAB, "wish": wish, "days": 1}
        slot = (await operator.post("/v1/quotes", body)).json()["slots"][0]
        opened = slots.opened(slot["token"], SECRET)
        last = opened.latest_at if soft else opened.starts_to
        assert last < at(14, 16), "it is not too old by then"
        assert not soft or opened.starts_to < last
        _refused(await taken(slot["token"], last + timedelta(seconds=1)), 422, "slot_in_past")
        assert (await taken(slot["token"], last)).json().get("code") != "slot_in_past"


async def test_what_is_not_yours_is_not_there(city: City):
    """A stranger, a provider not asked and a family member who may only look learn nothing and change nothing."""
    me, other = await city.resident(), await city.resident(number=1)
    mine, stranger = await city.signed_in(me["account_id"]), await city.signed_in(other["account_id"])
    order = await city.booked(mine, me["id"], REHAB, at(13), at(15))
    _refused(await stranger.get(f"/v1/orders/{order['id']}"), 404, "unknown_order")
    offered = await city.quote(stranger, other["id"], REHAB, at(9), at(10))
    own = slots.opened(offered[0]["token"], SECRET)
    moved = slots.sign(msgspec.structs.replace(own, instead_of=UUID(order["id"])), SECRET)
    for step in ("cancel", "confirm", "release", "accept-service", "dispute", "extend", "reschedule"):
        body = {"reason": "x"} if step in {"cancel", "dispute"} else {"slot": moved} if step == "reschedule" else {}
        _refused(await stranger.post(f"/v1/orders/{order['id']}/{step}", body), 404, "unknown_order")
    answer = await stranger.post("/v1/quotes", {"resident_id": str(me["id"]), "item_code": REHAB})
    _refused(answer, 404, "unknown_resident")
    daughter_id = await city.daughter(me["id"])
    await city.sql("UPDATE consents SET valid_to = now() WHERE account_id = $1 AND purpose = 'book'", daughter_id)
    daughter = await city.signed_in(daughter_id)
    assert (await daughter.get(f"/v1/orders/{order['id']}")).status_code == 200
    _refused(await daughter.post(f"/v1/orders/{order['id']}/cancel", {"reason": "x"}), 404, "unknown_order")
    assert (await city.order(order["id"]))["status"] == "placed"


async def test_steps_the_table_does_not_know_change_nothing(city: City):
    me = await city.resident()
    mine, operator = await city.signed_in(me["account_id"]), await city.staff("operator")
    order = await city.booked(mine, me["id"], REHAB, at(13), at(15))
    for step, body in (("accept-service", {}), ("dispute", {"reason": "no"}), ("release", {})):
        _refused(await mine.post(f"/v1/orders/{order['id']}/{step}", body), 409, "illegal_transition")
    body = {"worker_ids": [str(uuid4())], "start_at": at(13).isoformat(), "reason": "urgent"}
    _refused(await operator.post(f"/v1/orders/{order['id']}/assign", body), 409, "illegal_transition")
    assert (await city.order(order["id"]))["version"] == order["version"]


async def test_a_cancelled_order_frees_its_crew_and_closes_its_offer(city: City):
    await city.manual_acceptance()
    me = await city.resident()
    mine = await city.signed_in(me["account_id"])
    order = await city.booked(mine, me["id"], REHAB, at(13), at(15))
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "offered"
    answer = await mine.post(f"/v1/orders/{order['id']}/cancel", {"reason": "my son is here", "side": "resident"})
    assert answer.json()["status"] == "cancelled"
    assert await city.one("SELECT count(*) FROM stops") == 0
    assert await city.one("SELECT status FROM offers") == "withdrawn"
    assert await city.one("SELECT status FROM assignments") == "withdrawn"


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"from_at": "2030-03-12T10:00:00", "to_at": "2030-03-12T11:00:00"}, "invalid_request"),
        ({"from_at": "9999-12-31T23:00:00Z", "to_at": "9999-12-31T23:59:59Z"}, "invalid_request"),
        ({"from_at": "2199-12-31T23:00:00Z", "to_at": "2199-12-31T23:59:59Z"}, "too_far_ahead"),
        ({"from_at": "2030-03-12T10:00:00+08:00", "to_at": "2030-03-12T11:00:00+08:00", "soft": True,
          "latest_at": "2031-03-12T11:00:00+08:00"}, "invalid_window"),
    ],
)  # fmt: skip
async def test_times_that_mean_nothing_here_are_refused(city: City, wish: dict[str, Any], code: str):
    operator, someone = await city.staff("operator"), await city.resident()
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "wish": wish}
    assert (await operator.post("/v1/quotes", body)).json()["code"] == code


async def test_a_quote_of_a_day_nobody_booked_writes_nothing(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "from_on": "2030-03-14", "days": 3}
    assert (await operator.post("/v1/quotes", body)).json()["slots"]
    assert await city.one("SELECT count(*) FROM plans") == 0
    _refused(await operator.post("/v1/quotes", {**body, "from_on": "2035-01-01"}), 422, "too_far_ahead")
    _refused(await operator.post("/v1/quotes", {**body, "from_on": "2199-12-31"}), 422, "too_far_ahead")
    _refused(await operator.post("/v1/quotes", {**body, "from_on": "9999-12-31"}), 400, "invalid_request")


async def test_who_asked_must_exist_and_is_not_forged(city: City):
    me, other = await city.resident(), await city.resident(number=1)
    operator, mine = await city.staff("operator"), await city.signed_in(me["account_id"])
    slots = await city.quote(operator, me["id"], REHAB, at(13), at(15))
    body = {"slot": slots[0]["token"], "channel": "phone", "asked_by": str(uuid4())}
    _refused(await operator.post("/v1/bookings", body), 400, "invalid_request")
    nul = {"slot": slots[1]["token"], "channel": "phone", "note": "a\u0000b"}
    _refused(await operator.post("/v1/bookings", nul), 400, "invalid_request")
    body = {"slot": slots[0]["token"], "channel": "app", "asked_by": str(other["account_id"])}
    assert (await mine.post("/v1/bookings", body)).status_code == 201
    assert await city.one("SELECT asked_by FROM bookings") == me["account_id"]


async def _meal_in_vain(city: City, operator: Any, someone: dict[str, Any]) -> dict[str, Any]:
    """A meal placed while nobody can bring it, looked at once by the dispatcher."""
    await city.sql("DELETE FROM worker_skills WHERE skill = 'meal'")
    point = await city.meal_point(someone["zone_id"])
    body = {
        "resident_id": str(someone["id"]), "item_code": MEAL,
        "wish": {"from_at": at(11).isoformat(), "to_at": at(12).isoformat(), "soft": True,
                 "latest_at": at(13).isoformat()},
        "pickup": {"facility_id": str(point), "ready_at": at(11).isoformat()},
    }  # fmt: skip
    quote = (await operator.post("/v1/quotes", body)).json()
    assert quote["slots"][0]["expected_at"] is None
    assert quote["reasons"]
    placed = await operator.post("/v1/bookings", {"slot": quote["slots"][0]["token"], "channel": "phone"})
    assert placed.json()["status"] == "placed"
    await city.dispatch()
    return await city.order(placed.json()["id"])


async def test_a_meal_nobody_can_bring_yet_waits_even_beside_another_order(city: City):
    operator, someone = await city.staff("operator"), await city.resident()
    await city.booked(operator, someone["id"], BATH, at(15), at(16), channel="phone")
    waiting = await _meal_in_vain(city, operator, someone)
    assert (waiting["status"], waiting["tried_at"]) == ("placed", at(8))
    assert {reason["rule"] for reason in waiting["reasons"]} == {"no_skill"}


async def test_a_place_that_opens_is_taken_at_once_by_who_waits(city: City):
    """A hole in somebody's day may close again within the minute, so it is not left to the next look at the clock."""
    operator, someone = await city.staff("operator"), await city.resident()
    waiting = await _meal_in_vain(city, operator, someone)
    await city.sql(
        "INSERT INTO worker_skills (worker_id, skill) SELECT worker_id, 'meal' FROM shifts ON CONFLICT DO NOTHING"
    )
    await city.sql("UPDATE plans SET version = version + 1")
    await city.dispatch()
    assert (await city.order(str(waiting["id"])))["status"] == "accepted"


async def test_what_people_write_is_not_told_to_everybody(city: City):
    """Reasons in people's own words stay in the audit; events and orders carry a code."""
    me = await city.resident()
    mine = await city.signed_in(me["account_id"])
    order = await city.booked(mine, me["id"], REHAB, at(13), at(15))
    words = "I am in hospital"
    cancelled = await mine.post(f"/v1/orders/{order['id']}/cancel", {"reason": words})
    assert cancelled.json()["reason"] == "cancelled_by_resident"
    assert await city.one("SELECT count(*) FROM events WHERE data::text LIKE '%hospital%'") == 0
    assert await city.one("SELECT reason FROM audit WHERE action = 'cancel'") == words


async def test_the_audit_cannot_be_read_or_changed_around_its_table(city: City):
    import asyncpg

    for statement in ("SELECT * FROM events_default", "DELETE FROM audit_default", "DELETE FROM audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with city.database.unit_of_work(SYSTEM) as connection:
                await connection.execute(statement)
