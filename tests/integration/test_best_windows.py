"""The windows that suit a resident best, over HTTP: each with its reason and the names of who would come."""

from datetime import datetime, timedelta

from backend.scheduling import slots
from tests.support.city import City, at
from tests.support.people import SECRET

REHAB = "rehab-home"


async def test_who_came_last_time_is_named_and_the_window_can_be_booked(city: City):
    """Names are told of nobody else, and are no part of what is signed: others may come."""
    someone, operator = await city.resident(), await city.staff("operator")
    resident = await city.signed_in(someone["account_id"])
    order = await city.booked(operator, someone["id"], REHAB, at(9), at(10), channel="phone")
    await city.dispatch()
    seat = (await city.crew(order["id"]))[0]
    worker, door = await city.worker(seat["worker_id"]), await city.door(order["id"])
    for hour, step in ((9, "check-in"), (10, "check-out")):
        await city.clock(at(hour, 5))
        await worker.post(f"/v1/orders/{order['id']}/{step}", {"device_at": None, **door})
    answer = await resident.post("/v1/quotes/best", {"resident_id": str(someone["id"]), "item_code": REHAB, "days": 5})
    assert answer.status_code == 200, answer.text
    choices = answer.json()["choices"]
    assert len(choices) == 3
    assert [c["starts_from"] for c in choices] == sorted(c["starts_from"] for c in choices)
    assert "earliest" in {c["why"] for c in choices}
    name = await city.one("SELECT name FROM workers WHERE id = $1", seat["worker_id"])
    known = [c for c in choices if any(p["last_time"] for p in c["crew"])]
    assert known
    assert {p["name"] for c in known for p in c["crew"] if p["last_time"]} == {name}
    assert all(c["crew"] and c["price_fen"] == 16000 for c in choices)
    assert all(slots.opened(c["token"], SECRET).crew == [] for c in choices)
    booked = await resident.post("/v1/bookings", {"slot": choices[-1]["token"], "channel": "app"})
    assert booked.status_code == 201, booked.text
    assert datetime.fromisoformat(booked.json()["window_from"]) == datetime.fromisoformat(choices[-1]["starts_from"])


async def test_days_without_a_window_say_why(city: City):
    someone = await city.resident()
    resident = await city.signed_in(someone["account_id"])
    on = (at(8) + timedelta(days=1)).date()
    await city.sql("DELETE FROM shifts WHERE plan_on = $1", on)
    body = {"resident_id": str(someone["id"]), "item_code": REHAB, "from_on": on.isoformat(), "days": 1}
    answer = (await resident.post("/v1/quotes/best", body)).json()
    assert answer == {"choices": [], "reasons": [{"on": on.isoformat(), "code": "no_shift"}]}
