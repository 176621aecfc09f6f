"""Whatever a crew reports, in whatever order, from wherever: all of it is kept, and silence completes nothing doubtful."""

import itertools
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from backend.processes.embedded import Embedded
from tests.support.city import Caller, City, at
from tests.support.effort import SEED, announce, effort
from tests.support.fit import found_fit
from tests.support.scratch import GUARDED

_numbers = itertools.count()
_STEPS = ("en-route", "check-in", "check-out", "pick-up", "hand-over")
_UNREADABLE = ({"x": 500.0, "y": 31.0}, {"x": 120.0}, {"accuracy_m": -1}, {"device_at": "0001-01-01T00:00:00Z"})
_DOUBTS = {
    "TOO_EARLY", "TOO_SHORT", "WRONG_CODE", "NO_PRE_CHECK", "TWO_PLACES", "OUT_OF_RANGE", "REPEATED", "NO_PICK_UP", "MISSING_OUT", "NO_POSITION",
    "OFFLINE", "DEVICE_CLOCK",
}  # fmt: skip


class Tap(Struct, frozen=True, order=True):
    """One report somebody means to make."""

    at: datetime
    worker_id: str
    order_id: str
    step: str


@asynccontextmanager
async def _fresh(server: Embedded) -> AsyncIterator[City]:
    name = f"made_up_{os.getpid()}_{next(_numbers)}"
    async with City.open(await server.copy_database(GUARDED, name)) as city:
        yield city
    await server.drop_database(name)


async def _day(city: City) -> list[dict[str, Any]]:
    """A bath for two, three visits and a meal, all accepted."""
    await city.sql("UPDATE providers SET auto_accept = true")
    operator, orders = await city.staff("operator"), []
    weak = await city.resident(ability=3)
    orders.append(await city.booked(operator, weak["id"], "bath-home", at(9), at(12), channel="phone"))
    await found_fit(city, orders[0]["id"])
    for number in range(3):
        someone = await city.resident(number=number)
        orders.append(await city.booked(operator, someone["id"], "rehab-home", at(9), at(13), channel="phone"))
    hungry = await city.resident(number=4)
    wish = {"from_at": at(10).isoformat(), "to_at": at(12).isoformat(), "soft": True, "latest_at": at(13).isoformat()}
    point = str(await city.meal_point(hungry["zone_id"]))
    asked = {"resident_id": str(hungry["id"]), "item_code": "meal-lunch", "wish": wish,
             "pickup": {"facility_id": point, "ready_at": at(10).isoformat()}}  # fmt: skip
    slot = (await operator.post("/v1/quotes", asked)).json()["slots"][0]["token"]
    orders.append((await operator.post("/v1/bookings", {"slot": slot, "channel": "phone"})).json())
    await city.dispatch()
    return orders


async def _honest(city: City) -> list[Tap]:
    """What the crews would report if all went as planned."""
    taps = []
    for stop in await city.sql(
        """SELECT worker_id, order_id, kind, lower(during) AS from_at, upper(during) AS to_at FROM stops
           WHERE order_id IS NOT NULL ORDER BY lower(during)"""
    ):
        who, order = str(stop["worker_id"]), str(stop["order_id"])
        if stop["kind"] == "visit":
            taps += [Tap(stop["from_at"], who, order, "check-in"), Tap(stop["to_at"], who, order, "check-out")]
        else:
            taps.append(Tap(stop["from_at"], who, order, "en-route"))
            taps.append(Tap(stop["to_at"], who, order, "pick-up" if stop["kind"] == "pickup" else "hand-over"))
    return sorted(taps)


def _spoilt(taps: list[Tap], chance: random.Random, honesty: float) -> list[Tap]:
    """The same day as somebody might make it up: taps left out, doubled, too early, in other orders, by others."""
    found: list[Tap] = []
    workers, orders = sorted({tap.worker_id for tap in taps}), sorted({tap.order_id for tap in taps})
    for tap in taps:
        if chance.random() < honesty:
            found.append(tap)
            continue
        earlier = chance.choice((timedelta(), timedelta(seconds=59), timedelta(minutes=40), timedelta(hours=3)))
        changed = Tap(
            max(at(8), tap.at - earlier), chance.choice([tap.worker_id, *workers]),
            chance.choice([tap.order_id, *orders]), chance.choice([tap.step, tap.step, *_STEPS]),
        )  # fmt: skip
        found += chance.choice(([], [changed], [tap, tap], [tap, changed], [changed, tap], [tap] * 5))
    return sorted(found)


def _said(door: dict[str, float], now: datetime, chance: random.Random, honesty: float) -> dict[str, Any]:
    if chance.random() < honesty:
        return dict(door)
    return chance.choice((
        {}, {"x": 0.0, "y": 0.0}, {**door, "device_at": (now - timedelta(minutes=50)).isoformat(), "offline": True},
        {**door, "device_at": (now - timedelta(hours=5)).isoformat()}, {**door, "accuracy_m": 900.0}, *_UNREADABLE,
    ))  # fmt: skip


async def test_every_report_is_kept_and_silence_completes_nothing_doubted(server: Embedded):
    """Nobody says a word: whatever is completed in the end was whole, alone, in time, long enough and at the door."""
    announce("made-up evidence")
    completed = doubted = 0
    for number in range(effort(5, 120)):
        chance = random.Random(f"{SEED} {number}")
        honesty = (1.0, 0.85, 0.6, 0.95, 0.2)[number % 5]
        async with _fresh(server) as city:
            await _live(city, chance, honesty)
            counts = await _judge(city, honesty)
            completed, doubted = completed + counts[0], doubted + counts[1]
    assert completed
    assert doubted


async def _live(city: City, chance: random.Random, honesty: float) -> None:
    orders = await _day(city)
    doors = {order["id"]: await city.door(order["id"]) for order in orders}
    for row in await city.sql("SELECT o.id, p.x, p.y FROM orders o JOIN places p ON p.id = o.pickup_place_id"):
        doors[f"{row['id']} pick-up"] = {"x": row["x"], "y": row["y"]}
    crews = {order["id"]: {str(seat["worker_id"]) for seat in await city.crew(order["id"])} for order in orders}
    phones: dict[str, Caller] = {}
    kept = 0
    for tap in _spoilt(await _honest(city), chance, honesty):
        if tap.worker_id not in phones:
            phones[tap.worker_id] = await city.worker(tap.worker_id)
        await city.clock(tap.at)
        door = doors.get(f"{tap.order_id} {tap.step}", doors[tap.order_id])
        said = _said(door, tap.at, chance, honesty)
        answer = await phones[tap.worker_id].post(f"/v1/orders/{tap.order_id}/{tap.step}", said)
        mine, readable = tap.worker_id in crews[tap.order_id], said not in _UNREADABLE
        assert answer.status_code == (200 if mine and readable else 404 if readable else answer.status_code), (
            answer.text
        )
        assert (answer.status_code == 200) is (mine and readable), answer.text
        kept += mine and readable
        assert await city.one("SELECT count(*) FROM visit_records") == kept
    await city.clock(at(23))
    await city.timers()
    await city.clock(at(23, days=2))
    await city.timers()


async def _judge(city: City, honesty: float) -> tuple[int, int]:
    """The orders as they ended, held against what the records say, by rules written down here a second time."""
    orders = await city.sql("SELECT id, kind, status, flags, window_from FROM orders")
    records = await city.sql("SELECT * FROM visit_records ORDER BY received_at, id")
    assert await city.one("SELECT count(*) FROM timers WHERE tries > 0") == 0
    spans: dict[UUID, list[tuple[datetime, datetime, UUID]]] = {}
    for order in orders:
        mine = [r for r in records if r["order_id"] == order["id"]]
        if honesty == 1.0:
            assert (order["status"], order["flags"]) == ("completed", [])
        assert order["status"] in {"completed", "exception", "missed", "aborted", "manual", "unserved"}, order["status"]
        for row in (r for r in mine if r["counts"] and r["kind"] == "check_in"):
            out = [r["received_at"] for r in mine
                   if r["counts"] and r["kind"] == "check_out" and r["worker_id"] == row["worker_id"]]  # fmt: skip
            assert len(out) <= 1
            spans.setdefault(row["worker_id"], []).extend((row["received_at"], left, order["id"]) for left in out)
        if order["status"] != "completed":
            continue
        assert not _DOUBTS & set(order["flags"])
        assert not any(_DOUBTS & set(r["flags"]) for r in mine if r["counts"])
        if order["kind"] != "meal":
            came = [r["received_at"] for r in mine if r["counts"] and r["kind"] == "check_in"]
            left = [r["received_at"] for r in mine if r["counts"] and r["kind"] == "check_out"]
            assert len(came) == len(left) == (2 if order["kind"] == "bath" else 1)
            assert min(left) - max(came) >= timedelta(minutes=22)
            assert min(came) >= order["window_from"] - timedelta(minutes=30)
        at_the_door = [r["distance_m"] for r in mine if r["counts"] and r["kind"] != "en_route"]
        assert all(metres is not None and metres <= 300 for metres in at_the_door)
    completed = {order["id"] for order in orders if order["status"] == "completed"}
    for visits in spans.values():
        for one, other in itertools.combinations(sorted(visits), 2):
            assert one[1] <= other[0] or not {one[2], other[2]} & completed
    return len(completed), sum(order["status"] == "exception" for order in orders)
