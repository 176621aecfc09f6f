"""How a visit goes, as its resident and family read it: who comes, when they are expected, what has happened."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.support.city import Caller, City, at
from tests.support.fit import all_done
from tests.support.people import consent

BATH, REHAB, MEAL = "bath-home", "rehab-home", "meal-regular"
HERE: dict[str, Any] = {"device_at": None, "x": None, "y": None}


async def _seen(reader: Caller, order_id: str) -> dict[str, Any]:
    answer = await reader.get(f"/v1/orders/{order_id}/visit")
    assert answer.status_code == 200, answer.text
    return answer.json()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_resident_reads_who_comes_and_when_from_the_booking_to_the_end(city: City):
    """They may read neither workers nor plans: what they are told of them comes with the visit itself."""
    someone = await city.resident(ability=3)
    resident, operator = await city.signed_in(someone["account_id"]), await city.staff("operator")
    await city.manual_acceptance()
    order = await city.booked(operator, someone["id"], BATH, at(10), at(11), channel="phone")
    seen = await _seen(resident, order["id"])
    assert (seen["sure"], len(seen["crew"]), seen["crew_size"]) == (False, 2, 2)
    assert {person["status"] for person in seen["crew"]} == {"planned"}
    assert seen["estimate"] is None, "nothing is expected before a provider has accepted"
    assert (seen["service_en"], seen["provider"], seen["order"]["reasons"]) == ("Bath at home", None, [])
    assert seen["address"] == await city.one("SELECT address FROM homes WHERE resident_id = $1", someone["id"])
    await city.dispatch()
    offer = (await city.sql("SELECT id, provider_id FROM offers WHERE order_id = $1", UUID(order["id"])))[0]
    provider = await city.staff("provider", offer["provider_id"])
    assert (await provider.post(f"/v1/offers/{offer['id']}/accept")).status_code == 200
    seen = await _seen(resident, order["id"])
    names = {row["name"] for row in await city.sql(
        "SELECT w.name FROM assignments a JOIN workers w ON w.id = a.worker_id WHERE a.order_id = $1", UUID(order["id"]))}  # fmt: skip
    assert seen["sure"]
    assert {person["name"] for person in seen["crew"]} == names
    assert {(person["gender"], person["visits_before"]) for person in seen["crew"]} == {(someone["gender"], 0)}
    planned = await city.one("SELECT max(lower(during)) FROM stops WHERE order_id = $1", UUID(order["id"]))
    estimate = {name: _instant(text) for name, text in seen["estimate"].items() if name != "redraw_s"}
    assert estimate["at"] == planned
    assert (estimate["from_at"], estimate["to_at"]) == (planned - timedelta(minutes=4), planned + timedelta(minutes=6))
    assert not seen["late"]
    assert [step["kind"] for step in seen["steps"]] == ["accepted"]
    crew = [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]
    door = await city.door(order["id"])
    await all_done(city, order["id"])
    for minutes, step in ((0, "en-route"), (15, "check-in"), (65, "check-out")):
        await city.clock(planned + timedelta(minutes=minutes))
        for worker in crew:
            assert (await worker.post(f"/v1/orders/{order['id']}/{step}", {**HERE, **door})).status_code == 200
    seen = await _seen(resident, order["id"])
    assert seen["order"]["status"] == "awaiting_acceptance"
    assert seen["estimate"] is None, "they have come"
    assert [(step["kind"], _instant(step["at"]) - planned) for step in seen["steps"][1:]] == [
        (kind, timedelta(minutes=minutes)) for kind, minutes in (("en_route", 0), ("check_in", 15), ("check_out", 65))
    ]
    assert {person["status"] for person in seen["crew"]} == {"checked_out"}


async def test_nobody_is_expected_in_the_past_and_late_is_said(city: City):
    """The plan moves a visit only when it is looked at: an arrival that was due by now is due now."""
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    await city.dispatch()
    await city.clock(at(11, 10))
    seen = await _seen(await city.signed_in(someone["account_id"]), order["id"])
    assert _instant(seen["estimate"]["from_at"]) == _instant(seen["now"]) == at(11, 10)
    assert _instant(seen["estimate"]["at"]) == at(11, 11)
    assert seen["late"]


async def test_an_estimate_is_told_anew_only_when_it_has_moved(city: City):
    """One that jumps about by a minute with each look helps nobody."""
    someone, operator = await city.resident(), await city.staff("operator")
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    await city.dispatch()
    reader = await city.signed_in(someone["account_id"])
    planned = _instant((await _seen(reader, order["id"]))["estimate"]["at"])
    for off_s, told in (
        (119, timedelta(seconds=119)),
        (-119, timedelta(seconds=-119)),
        (120, timedelta()),
        (-120, timedelta()),
    ):
        shown_at = planned + timedelta(seconds=off_s)
        answer = await reader.get(f"/v1/orders/{order['id']}/visit", shown_at=shown_at.isoformat())
        assert _instant(answer.json()["estimate"]["at"]) - planned == told
    await city.clock(planned + timedelta(minutes=5))
    answer = await reader.get(f"/v1/orders/{order['id']}/visit", shown_at=(planned + timedelta(minutes=4)).isoformat())
    assert _instant(answer.json()["estimate"]["at"]) == planned + timedelta(minutes=6), "what was shown is over"


async def test_somebody_who_has_been_here_before_is_counted_and_somebody_replaced_is_not_shown(city: City):
    someone, operator = await city.resident(), await city.staff("operator")
    resident = await city.signed_in(someone["account_id"])
    first = await city.booked(operator, someone["id"], REHAB, at(9), at(10), channel="phone")
    await city.dispatch()
    seat = (await city.crew(first["id"]))[0]
    worker, door = await city.worker(seat["worker_id"]), await city.door(first["id"])
    for hour, step in ((9, "check-in"), (10, "check-out")):
        await city.clock(at(hour, 5))
        await worker.post(f"/v1/orders/{first['id']}/{step}", {**HERE, **door})
    second = await city.booked(operator, someone["id"], REHAB, at(14), at(16), channel="phone")
    await city.dispatch()
    await city.sql(
        "UPDATE assignments SET worker_id = $2 WHERE order_id = $1", UUID(second["id"]), UUID(str(seat["worker_id"]))
    )
    assert [p["visits_before"] for p in (await _seen(resident, second["id"]))["crew"]] == [1]
    assert [p["visits_before"] for p in (await _seen(resident, first["id"]))["crew"]] == [0], "before, not since"
    await city.sql("UPDATE assignments SET status = 'replaced' WHERE order_id = $1", UUID(second["id"]))
    assert (await _seen(resident, second["id"]))["crew"] == []
    await city.sql("UPDATE assignments SET status = 'accepted' WHERE order_id = $1", UUID(second["id"]))


async def test_lists_tell_what_is_to_come_and_page_through_what_is_over(city: City):
    someone, operator = await city.resident(), await city.staff("operator")
    resident, other = await city.signed_in(someone["account_id"]), await city.resident(number=1)
    made = [
        await city.booked(operator, someone["id"], REHAB, at(h), at(h + 1), channel="phone") for h in (15, 9, 12, 17)
    ]
    for order in (made[0], made[2]):
        await resident.post(f"/v1/orders/{order['id']}/cancel", {"reason": ""})
    slots = await city.quote(resident, someone["id"], BATH, at(10), at(19))
    held = await resident.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "app", "hold_only": True})
    path = f"/v1/residents/{someone['id']}/visits"
    coming = (await resident.get(path)).json()
    assert [line["order"]["id"] for line in coming["visits"]] == [made[1]["id"], made[3]["id"]]
    assert coming["visits"][0]["service_en"] == "Rehabilitation at home"
    first = (await resident.get(path, when="past", limit=1)).json()
    rest = (await resident.get(path, when="past", limit=1, cursor=first["cursor"])).json()
    end = (await resident.get(path, when="past", limit=1, cursor=rest["cursor"])).json()
    pages = [[line["order"]["id"] for line in page["visits"]] for page in (first, rest, end)]
    assert pages == [[made[0]["id"]], [made[2]["id"]], []]
    assert held.json()["id"] not in str([coming, *pages])
    follower = await city.one("INSERT INTO accounts (role, name) VALUES ('family', '某人') RETURNING id")
    daughter = await city.signed_in(follower)
    assert (await daughter.get(path)).status_code == 404
    await consent(city.database, someone["id"], follower, "status")
    assert (await daughter.get(path)).status_code == 200
    assert (await daughter.get(f"/v1/residents/{other['id']}/visits")).status_code == 404
