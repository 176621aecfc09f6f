"""A visit whose crew is there at ten o'clock, and what they report from the door."""

from typing import Any

from tests.support.city import Caller, City, at


async def accepted(city: City, item: str = "rehab-home", ability: int = 0) -> tuple[dict[str, Any], list[Caller]]:
    """An order at ten o'clock with its crew."""
    await city.sql("UPDATE providers SET auto_accept = true")
    desk, someone = await city.staff("operator"), await city.resident(ability=ability)
    order = await city.booked(desk, someone["id"], item, at(10), at(11), channel="phone")
    await city.dispatch()
    await city.clock(at(10))
    return order, [await city.worker(seat["worker_id"]) for seat in await city.crew(order["id"])]


async def report(city: City, worker: Caller, order: dict[str, Any], step: str, **more: Any) -> dict[str, Any]:
    """A report from the door itself."""
    answer = await worker.post(f"/v1/orders/{order['id']}/{step}", {**await city.door(order["id"]), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()
