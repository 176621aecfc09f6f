"""A day decided on while nobody else could see it is written only as it was read, and what an order has follows its plan."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import pytest
from msgspec import structs

from backend.bookings import actions as booking
from backend.core.principal import SYSTEM
from backend.database.pool import Connection
from backend.orders import desk
from backend.orders.model import Waiting
from backend.processes import crews, days
from backend.processes.leases import LostZoneError
from backend.scheduling import queries as scheduling
from backend.scheduling.actions import StalePlanError
from tests.support.city import DAY, City, at

REHAB: Final = "rehab-home"
CHANGES: Final = ("UPDATE plans SET version = version + 1", "UPDATE roster_stamp SET version = version + 1")
"""What may have happened to a day between reading and writing: another wrote its plan, or who works has changed."""


@pytest.mark.parametrize("change", CHANGES)
async def test_whoever_decided_on_a_day_that_has_changed_decides_anew(
    city: City, change: str, monkeypatch: pytest.MonkeyPatch
):
    """Changed in the very moment its lock is asked for: what was found for the day as it was is never written."""
    calls: list[str] = []

    def changing(module: Any, name: str) -> None:
        really = module.lock_day

        async def lock_day(connection: Connection, *about: Any) -> None:
            calls.append(name)
            if calls.count(name) > 1:
                return await really(connection, *about)
            async with city.owner.unit_of_work(SYSTEM) as other:
                await other.execute(change)
                if "plans" in change:  # who works is not locked: what is committed later is seen by the next look
                    mine = asyncio.create_task(really(connection, *about))
                    await city.until_it_waits(mine)
            return await (mine if "plans" in change else really(connection, *about))

        monkeypatch.setattr(module, "lock_day", lock_day)

    for module, name in ((booking, "book"), (crews, "offer"), (desk, "assign"), (days, "write")):
        changing(module, name)
    await city.manual_acceptance()
    operator, someone = await city.staff("operator"), await city.resident()
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    crew = await city.one("SELECT worker_id FROM stops LIMIT 1")
    await city.sql("UPDATE orders SET status = 'manual', version = version + 1")
    body = {"worker_ids": [str(crew)], "start_at": at(13).isoformat(), "reason": "电话约定"}
    assert (await operator.post(f"/v1/orders/{order['id']}/assign", body)).json()["status"] == "offered"
    await city.booked(operator, (await city.resident(number=1))["id"], REHAB, at(15), at(16), channel="phone")
    await city.dispatch()
    assert [calls.count(name) for name in ("book", "offer", "assign")] == [3, 2, 2], (
        "the first is refused, the second writes"
    )

    work, planner = city.dispatcher._days, city.dispatcher._planner
    zone_id, now = UUID(order["zone_id"]), at(8)
    async with city.database.unit_of_work(SYSTEM) as connection:
        day = (await planner.read(connection, zone_id, DAY, now)).built()
        seen = next(one for one in await scheduling.plan_days(connection, [zone_id], DAY))
    with pytest.raises(StalePlanError):
        async with city.database.unit_of_work(SYSTEM) as connection:
            await work._commit(connection, days.Carried(day, day.plan, fresh=True))
    calls.clear()
    monkeypatch.setattr(days, "settled", lambda day: structs.replace(day.plan))
    monkeypatch.setattr(days, "_drifted", lambda *_: True)
    async with city.database.unit_of_work(SYSTEM) as connection:
        seen = next(one for one in await scheduling.plan_days(connection, [zone_id], DAY))
    with pytest.raises(StalePlanError):
        await work.keep_true(seen, now, _nobody)
    assert calls == ["write"]


async def _nobody(_: UUID) -> None:
    """Look for no crew."""


async def test_a_dispatcher_whose_zone_another_leads_by_now_writes_nothing(city: City, monkeypatch: pytest.MonkeyPatch):
    """Neither a crew, nor a better or a truer day, nor what it cannot read or gives up: each proves the lease first."""
    operator, someone = await city.staff("operator"), await city.resident()
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    await city.dispatcher.renew()
    zone_id, order_id = UUID(order["zone_id"]), UUID(order["id"])
    waiting, work, hands = Waiting(order_id, zone_id, DAY), city.dispatcher._days, city.dispatcher._crews
    async with city.database.unit_of_work(SYSTEM) as connection:
        day = (await city.dispatcher._planner.read(connection, zone_id, DAY, at(8))).built()
        seen = next(one for one in await scheduling.plan_days(connection, [zone_id], DAY))
    monkeypatch.setattr(days, "settled", lambda day: structs.replace(day.plan))
    monkeypatch.setattr(days, "_drifted", lambda *_: True)

    async def commit() -> None:
        async with city.database.unit_of_work(SYSTEM) as connection:
            await work._commit(connection, days.Carried(day, day.plan, fresh=True))

    works: dict[str, Callable[[], Awaitable[Any]]] = {
        "offer": lambda: hands.place(waiting), "set aside": lambda: hands.set_aside(order_id, zone_id, "x"),
        "give up": lambda: hands.give_up(waiting), "commit": commit, "keep true": lambda: work.keep_true(seen, at(8), _nobody),
    }  # fmt: skip
    before = await city.order(order["id"]), await city.sql("SELECT * FROM plans"), await city.sql("SELECT * FROM stops")
    for name, step in works.items():
        await city.sql("UPDATE zone_leases SET owner = '', expires_at = now() - interval '1 second'")
        await city.dispatcher.renew()
        await city.sql("UPDATE zone_leases SET owner = 'another', epoch = epoch + 1")
        with pytest.raises(LostZoneError):
            await step()
        assert zone_id not in city.dispatcher.zones, name
    assert (
        await city.order(order["id"]),
        await city.sql("SELECT * FROM plans"),
        await city.sql("SELECT * FROM stops"),
    ) == before


async def test_of_two_open_quotes_of_one_resident_for_one_hour_one_is_taken_up(city: City):
    """Two browsers of one family: a second crew would stand at the door while the first one bathes."""
    someone = await city.resident()
    mother, daughter = (
        await city.signed_in(someone["account_id"]),
        await city.signed_in(await city.daughter(someone["id"])),
    )
    slots = [(await city.quote(who, someone["id"], REHAB, at(10), at(11)))[0]["token"] for who in (mother, daughter)]
    answers = [await who.post("/v1/bookings", {"slot": slot, "channel": "app"})
               for who, slot in zip((mother, daughter), slots, strict=True)]  # fmt: skip
    assert [(answer.status_code, answer.json().get("code")) for answer in answers][1] == (409, "slot_taken")
    assert answers[0].status_code == 201
    assert await city.one("SELECT count(*) FROM orders") == 1


@pytest.mark.parametrize("accepted", [True, False])
async def test_the_seats_of_an_order_follow_the_plan_to_another_worker(city: City, *, accepted: bool):
    """Accepted as well as offered: else one worker has the visit on their phone and another one in the plan."""
    await city.sql("UPDATE providers SET auto_accept = $1", accepted)
    operator, someone = await city.staff("operator"), await city.resident()
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(11), channel="phone")
    await city.dispatch()
    (seat,) = await city.crew(order["id"])
    other = await city.one("SELECT id FROM workers w WHERE id <> $1 AND provider_id = (SELECT provider_id FROM workers WHERE id = $1)"
                           " AND EXISTS (SELECT FROM shifts s WHERE s.worker_id = w.id AND s.zone_id = $2) LIMIT 1",
                           seat["worker_id"], UUID(order["zone_id"]))  # fmt: skip
    async with city.database.unit_of_work(SYSTEM) as connection:
        day = (await city.dispatcher._planner.read(connection, UUID(order["zone_id"]), DAY, at(8))).built()
        (stop,) = day.plan.stops_of(order["id"])
        moved = {**day.plan.routes, stop.worker: (), str(other): (structs.replace(stop, worker=str(other)),)}
        better = structs.replace(day.plan, routes=moved)
        await city.dispatcher._days._commit(connection, days.Carried(day, better, fresh=True))
    assert await city.crew(order["id"]) == [{**seat, "worker_id": other}]
    told = await city.sql("SELECT data ->> 'worker_id' AS worker, data ->> 'status' AS status FROM events"
                          " WHERE type LIKE 'assignment.%' ORDER BY id DESC LIMIT 2")  # fmt: skip
    assert {(row["worker"], row["status"]) for row in told} == {
        (str(seat["worker_id"]), "replaced"), (str(other), seat["status"]),
    }  # fmt: skip
