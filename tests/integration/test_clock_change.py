"""A night in which clocks change, from the question to the door: hours are hours, and what is shown is the city's own time."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from backend.processes.embedded import Embedded
from tests.support.city import City
from tests.support.scratch import GUARDED

BERLIN = ZoneInfo("Europe/Berlin")
REHAB, LASTS = "rehab-home", timedelta(minutes=45)


@pytest.fixture
async def abroad(server: Embedded) -> AsyncIterator[City]:
    name = f"berlin_{uuid4().hex[:12]}"
    async with City.open(await server.copy_database(GUARDED, name), time_zone="Europe/Berlin") as opened:
        yield opened
    await server.drop_database(name)


def _berlin(text: str) -> datetime:
    """An instant written with its offset, as the city's clocks show it."""
    return datetime.fromisoformat(text).astimezone(BERLIN)


async def _one_carer(
    city: City, begins: datetime, ends: datetime, *leaves: tuple[datetime, datetime]
) -> dict[str, Any]:
    someone = await city.resident()
    worker = await city.one("SELECT w.id FROM workers w JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 LIMIT 1",
                            someone["zone_id"])  # fmt: skip
    await city.sql("UPDATE providers SET auto_accept = true")
    await city.sql("DELETE FROM worker_skills")
    await city.sql("INSERT INTO worker_skills (worker_id, skill) VALUES ($1, 'rehab')", worker)
    await city.sql("DELETE FROM shifts")
    await city.sql("INSERT INTO shifts (worker_id, zone_id, plan_on, during) VALUES ($1, $2, $3, tstzrange($4, $5))",
                   worker, someone["zone_id"], begins.date(), begins, ends)  # fmt: skip
    for leave in leaves:
        await city.sql("INSERT INTO leaves (worker_id, during, reason) VALUES ($1, tstzrange($2, $3), 'other')",
                       worker, *leave)  # fmt: skip
    return someone


@pytest.mark.parametrize(
    ("begins", "leave", "ends"),
    [
        ("2030-03-30T22:00+01:00", ("2030-03-31T01:00+01:00", "2030-03-31T03:30+02:00"), "2030-03-31T06:00+02:00"),
        ("2030-10-26T22:00+02:00", ("2030-10-27T02:30+02:00", "2030-10-27T02:30+01:00"), "2030-10-27T06:00+01:00"),
    ],
    ids=["spring", "autumn"],
)
async def test_a_shift_and_a_leave_through_the_night_in_which_clocks_change(
    abroad: City, begins: str, leave: tuple[str, str], ends: str
):
    """What is offered lies in the hours worked; what is booked is planned, shown and begun at that instant."""
    city, (from_at, to_at) = abroad, (_berlin(leave[0]), _berlin(leave[1]))
    shift = (_berlin(begins), _berlin(ends))
    await city.clock(shift[0] - timedelta(hours=6))
    someone, operator = await _one_carer(city, *shift, (from_at, to_at)), await city.staff("operator")
    body = {"resident_id": str(someone["id"]), "item_code": REHAB,
            "wish": {"from_at": shift[0].isoformat(), "to_at": shift[1].isoformat()}}  # fmt: skip
    answer = await operator.post("/v1/quotes", body)
    assert answer.status_code == 200, answer.text
    slots = answer.json()["slots"]
    starts = [datetime.fromisoformat(slot["starts_from"]) for slot in slots]
    worked = ((shift[0], from_at), (to_at, shift[1]))
    assert all(any(a <= start and start + LASTS <= b for a, b in worked) for start in starts)
    assert any(start < from_at for start in starts)
    assert max(starts) >= shift[1] - LASTS - timedelta(minutes=30), "the last hour is worked as well"
    assert all(start.utcoffset() == start.astimezone(BERLIN).utcoffset() for start in starts), "the city's own time"
    later = next(slot for slot, start in zip(slots, starts, strict=True) if start >= to_at)
    order = (await operator.post("/v1/bookings", {"slot": later["token"], "channel": "phone"})).json()
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    start = datetime.fromisoformat(later["starts_from"])
    assert datetime.fromisoformat(order["window_from"]) == start
    [seat] = await city.crew(order["id"])
    stop = (await city.sql("SELECT lower(during) AS a, upper(during) AS b FROM stops WHERE order_id = $1",
                           UUID(order["id"])))[0]  # fmt: skip
    assert (start <= stop["a"] <= datetime.fromisoformat(order["window_to"]), stop["b"] - stop["a"]) == (True, LASTS)
    await city.clock(stop["a"])
    carer = await city.worker(seat["worker_id"])
    route = await carer.get("/v1/workers/me/route", on=str(shift[0].date()))
    [shown] = [one for one in route.json()["stops"] if one["order_id"] == order["id"]]
    assert datetime.fromisoformat(shown["from_at"]) == stop["a"]
    report = {"device_at": stop["a"].astimezone(BERLIN).isoformat(), "accuracy_m": 8.0, **await city.door(order["id"])}
    came = (await carer.post(f"/v1/orders/{order['id']}/check-in", report)).json()
    assert (came["status"], came["report"]["flags"]) == ("in_service", [])
    await city.clock(stop["b"])
    left = (
        await carer.post(f"/v1/orders/{order['id']}/check-out", report | {"device_at": stop["b"].isoformat()})
    ).json()
    assert (left["status"], left["report"]["flags"]) == ("awaiting_acceptance", [])
