"""A bath promised on the telephone: two bathers come together, the daughter sees every step, even through a cut line."""

import os
import signal
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.city import at
from tests.support.platform import Running

HERE: dict[str, Any] = {"device_at": None, "x": None, "y": None}


@pytest.fixture(scope="module")
def city(running_city: Running) -> Running:
    return running_city


async def _disabled(city: Running, number: int) -> dict[str, Any]:
    return (
        await city.sql(
            """SELECT r.id, r.phone, a.phone AS daughter FROM residents r
               JOIN consents c ON c.resident_id = r.id AND c.purpose = 'status'
               JOIN account_numbers a ON a.account_id = c.account_id
               JOIN homes h ON h.resident_id = r.id JOIN zones z ON z.id = h.zone_id AND z.code = 'Z1'
               WHERE r.ability_level > 2 ORDER BY r.phone OFFSET $1 LIMIT 1""",
            number,
        )
    )[0]


async def _promised(city: Running, someone: dict[str, Any]) -> dict[str, Any]:
    """The call: who rings, which windows there are, what it costs, done."""
    operator = await city.desk("operator")
    [caller] = await operator.post("/v1/residents/search", {"phone": someone["phone"]})
    assert caller["id"] == str(someone["id"])
    wish = {"from_at": at(10).isoformat(), "to_at": at(16).isoformat()}
    quote = await operator.quote({"resident_id": caller["id"], "item_code": "bath-home", "wish": wish})
    assert quote["slots"][0]["crew_size"] == 2
    assert quote["slots"][0]["price_fen"] == 12800
    return await operator.post("/v1/bookings", {"slot": quote["slots"][0]["token"], "channel": "phone"})


async def _crew(city: Running, order_id: str) -> list[Any]:
    rows = await city.sql(
        """SELECT c.phone FROM assignments a JOIN workers w ON w.id = a.worker_id
           JOIN account_numbers c ON c.account_id = w.account_id
           WHERE a.order_id = $1 AND a.status = 'accepted' ORDER BY a.seat""",
        UUID(order_id),
    )
    return [await city.phone(row["phone"]) for row in rows]


async def test_a_bath_promised_on_the_telephone_happens_before_the_daughters_eyes(city: Running):
    await city.sql("UPDATE providers SET auto_accept = false")
    someone, stranger = await _disabled(city, 0), await _disabled(city, 1)
    async with city.watching(someone["daughter"]) as daughter, city.watching(stranger["daughter"]) as other:
        order = await _promised(city, someone)
        placed = await daughter.until("order.placed")
        assert placed["data"]["order_id"] == order["id"]
        await daughter.until("order.offered")
        await _provider_accepts(city)
        await daughter.until("order.accepted")
        first, second = await _crew(city, order["id"])
        path = f"/v1/orders/{order['id']}"
        await first.post(f"{path}/en-route", HERE)
        await second.post(f"{path}/en-route", HERE)
        door = await _door(city, order["id"])
        start = datetime.fromisoformat(order["window_from"])
        await city.clock(start)
        await first.post(f"{path}/check-in", door)
        assert (await second.post(f"{path}/check-in", door))["status"] == "in_service"
        await first.check_before(order["id"], start.isoformat())
        await first.tick_all(order["id"], start.isoformat())
        await city.clock(start + timedelta(minutes=50))
        await first.post(f"{path}/check-out", door)
        await second.post(f"{path}/check-out", door)
        resident = await city.phone(someone["phone"])
        assert (await resident.post(f"{path}/accept-service", {}))["status"] == "completed"
        await daughter.until("order.completed")
        assert daughter.types("order.") == [
            "order.held", "order.placed", "order.offered", "order.accepted", "order.en_route", "order.arrived",
            "order.in_service", "order.awaiting_acceptance", "order.completed",
        ]  # fmt: skip
        cursors = [event["cursor"] for event in daughter.events]
        assert len(cursors) == len(set(cursors))
        assert not other.events


async def _door(city: Running, order_id: str) -> dict[str, Any]:
    """What a phone at the door says of where it is."""
    rows = await city.sql(
        "SELECT p.x, p.y FROM orders o JOIN places p ON p.id = o.place_id WHERE o.id = $1", UUID(order_id)
    )
    return {**HERE, **rows[0]}


async def _provider_accepts(city: Running) -> None:
    for login in (desk.login for desk in city.desks if desk.role == "provider"):
        provider = await city.desk(login)
        for offer in await provider.get("/v1/offers"):
            await provider.post(f"/v1/offers/{offer['id']}/accept", {})


async def test_a_line_cut_at_the_door_loses_and_doubles_nothing(city: Running):
    """The gateway dies while the crew is at the door; the daughter's client comes back and has every step once."""
    await city.sql("UPDATE providers SET auto_accept = true")
    someone = await _disabled(city, 2)
    async with city.watching(someone["daughter"]) as daughter:
        order = await _promised(city, someone)
        await daughter.until("order.accepted")
        first, second = await _crew(city, order["id"])
        path = f"/v1/orders/{order['id']}"
        os.kill(city.platform.pids["gateway"], signal.SIGKILL)
        await first.post(f"{path}/en-route", HERE)
        await first.post(f"{path}/check-in", HERE)
        await second.post(f"{path}/check-in", HERE)
        await daughter.until("order.in_service", within=30)
        assert daughter.types("order.")[-3:] == ["order.en_route", "order.arrived", "order.in_service"]
        cursors = [event["cursor"] for event in daughter.events]
        assert len(cursors) == len(set(cursors))
