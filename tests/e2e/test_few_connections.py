"""All processes together live on the eighteen connections that operators are told to allow."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.support.city import at
from tests.support.platform import Running, running
from tests.support.scratch import scratch_folder

ALLOWED = 18
WISH = {"from_at": at(10).isoformat(), "to_at": at(16).isoformat()}


async def _residents(city: Running, number: int) -> list[dict[str, Any]]:
    return await city.sql(
        "SELECT id, phone FROM residents WHERE ability_level <= 2 ORDER BY phone LIMIT $1::int", number
    )


async def _status(city: Running, order_id: str, wanted: str) -> None:
    """Wait until an order has come so far."""
    for _ in range(1200):
        if (await city.sql("SELECT status FROM orders WHERE id = $1", UUID(order_id)))[0]["status"] == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the order is not {wanted}")


async def test_all_processes_work_on_the_connections_operators_are_told_to_allow():
    """A crowd asks while an order goes from the call to its acceptance and a hold runs out; the server refuses nothing."""
    with scratch_folder("yinling-few-") as folder:
        async with running(folder, connections=ALLOWED) as city:
            await city.sql("UPDATE providers SET auto_accept = true")
            people = await _residents(city, 6)
            callers = [await city.phone(person["phone"]) for person in people]
            operator = await city.desk("operator")

            async def ask(number: int) -> dict[str, Any]:
                question = {"resident_id": str(people[number]["id"]), "item_code": "rehab-home", "wish": WISH}
                return await callers[number].post("/v1/quotes", question)

            async def hold(number: int) -> dict[str, Any]:
                slot = (await ask(number))["slots"][0]["token"]
                body = {"slot": slot, "channel": "app", "hold_only": True}
                return await callers[number].post("/v1/bookings", body)

            async def crowd(number: int) -> None:
                await asyncio.gather(
                    *(ask(number) for _ in range(4)), *(callers[number].get("/v1/orders") for _ in range(8))
                )

            async with city.watching(people[0]["phone"]) as watched:
                asking = [asyncio.create_task(crowd(number)) for number in range(1, len(people))]
                held = await hold(1)
                slot = (await ask(0))["slots"][0]["token"]
                order = await operator.post("/v1/bookings", {"slot": slot, "channel": "phone"})
                await watched.until("order.accepted", within=60)
                await asyncio.gather(*asking)
                await city.clock(at(9))  # long after the hold has run out
                await _status(city, held["id"], "lapsed")
                await _status(city, order["id"], "accepted")
            assert city.platform.restarts == {}
            assert not _refused(folder)


def _refused(folder: Path) -> list[str]:
    """What the server says when a role asks for one connection more than it may have."""
    log = (folder / "data.log").read_text(encoding="utf-8", errors="replace")
    return [line for line in log.splitlines() if "too many connections" in line]
