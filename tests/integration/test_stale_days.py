"""A day decided on while nobody else could see it is written only as it was read, and what an order has follows its plan."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
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
from backend.scheduling.actions import LostOrderError, StalePlanError
from dispatch import Stop
from tests.support.city import DAY, City, at

BATH, REHAB = "bath-home", "rehab-home"
_LATER_LONGER: Final = ((59, 0), (60, 0), (0, 0), (-60, 0), (0, 120), (0, 0))
"""By how many seconds a plan begins a visit later, and has it last longer; the two of noughts change their workers."""
_ANYBODY_MAY: Final = (
    "UPDATE providers SET auto_accept = true",
    "UPDATE residents SET gender = 'female', refused_workers = '{}'",
    "UPDATE workers SET gender = 'female', active = true, provider_id = (SELECT provider_id FROM workers WHERE code = 'W101')",
    """INSERT INTO worker_skills (worker_id, skill) SELECT DISTINCT worker_id, unnest(ARRAY['bath', 'rehab']) FROM shifts
       ON CONFLICT (worker_id, skill) DO UPDATE SET valid_from = NULL, expires_on = NULL""",
)
_STOPS: Final = """SELECT order_id, seat, worker_id, kind, place_id, lower(during) AS from_at, upper(during) AS to_at, started,
                          hold_expires_at FROM stops WHERE active ORDER BY order_id, seat"""
_SEATS: Final = "SELECT order_id, seat, worker_id, status FROM assignments WHERE status <> 'replaced' ORDER BY 1, 2"
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


@pytest.mark.spoils("a worker", "a crew", "a visit is planned", "a stop is at")
async def test_a_plan_that_is_written_is_stored_followed_and_told_as_it_is(city: City):
    """Whoever loses or gets a visit, or begins one a minute off, hears of it, and nobody else; the seats go along.

    Accepted as well as offered: else one worker has the visit on their phone and another one in the plan.
    """
    operator, ids = await city.staff("operator"), list[UUID]()
    for statement in _ANYBODY_MAY:
        await city.sql(statement)
    for number in range(1 + len(_LATER_LONGER)):
        someone = await city.resident(number=number, ability=0 if number else 3)
        order = await city.booked(operator, someone["id"], REHAB if number else BATH, at(10), at(10), channel="phone")
        ids.append(UUID(order["id"]))
        if number in {3, len(_LATER_LONGER)}:
            await city.dispatch()
            await city.manual_acceptance()
    before, crews = await city.sql(_STOPS), await city.sql(_SEATS)
    assert {seat["status"] for seat in crews} == {"accepted", "proposed"}
    async with city.database.unit_of_work(SYSTEM) as connection:
        day = (await city.dispatcher._planner.read(connection, UUID(order["zone_id"]), DAY, at(8))).built()
    busy = {row["worker_id"] for row in before}
    assert len(busy) == len(before) == 2 + len(_LATER_LONGER)
    free = next(worker for worker in map(UUID, day.plan.routes) if worker not in busy)

    wanted = {(row["order_id"], row["seat"]): dict(row) for row in before}
    for order_id, (later, longer) in zip(ids[1:], _LATER_LONGER, strict=True):
        wanted[order_id, 1]["from_at"] += timedelta(seconds=later)
        wanted[order_id, 1]["to_at"] += timedelta(seconds=later + longer)
    one, other = wanted[ids[3], 1], wanted[ids[-1], 1]
    one["worker_id"], other["worker_id"] = other["worker_id"], one["worker_id"]
    wanted[ids[0], 2]["worker_id"] = free
    routes: dict[str, tuple[Stop, ...]] = dict.fromkeys(day.plan.routes, ())
    for (order_id, seat), row in wanted.items():
        stop = next(stop for stop in day.plan.stops_of(str(order_id)) if stop.seat == seat - 1)
        begins, ends, who = day.seconds(row["from_at"]), day.seconds(row["to_at"]), str(row["worker_id"])
        routes[who] += (structs.replace(stop, worker=who, start_s=begins, end_s=ends),)

    async def commit(routes: dict[str, tuple[Stop, ...]]) -> None:
        async with city.database.unit_of_work(SYSTEM) as connection:
            plan = structs.replace(day.plan, routes=routes)
            await city.dispatcher._days._commit(connection, days.Carried(day, plan, fresh=True))

    with pytest.raises(LostOrderError):
        await commit({**routes, str(free): ()})
    assert await city.sql(_STOPS) == before
    last = await city.one("SELECT max(id) FROM events")
    await city.clock(at(8, 30))
    await commit(routes)
    assert await city.sql(_STOPS) == list(wanted.values())
    version = day.rows.plan.version + 1
    assert await city.sql("SELECT version, improved_version, improved_at FROM plans WHERE zone_id = $1", day.rows.zone_id) == [
        {"version": version, "improved_version": 0, "improved_at": at(8, 30)}
    ]  # fmt: skip
    went = {
        who: {(row["order_id"], row["seat"]): row["from_at"] for row in before if row["worker_id"] == who}
        for who in (*busy, free)
    }
    goes = {who: {name: row["from_at"] for name, row in wanted.items() if row["worker_id"] == who} for who in went}
    hears = {who for who in went if went[who].keys() != goes[who].keys()
             or any(abs(goes[who][name] - went[who][name]) >= timedelta(minutes=1) for name in went[who])}  # fmt: skip
    told = await city.sql("SELECT type, data FROM events WHERE id > $1", last)
    assert sorted((row["data"] for row in told if row["type"] == "route.changed"), key=lambda data: data["worker_id"]) == [
        {"worker_id": str(who), "zone_id": str(day.rows.zone_id), "plan_on": str(DAY), "plan_version": version}
        for who in sorted(hears)
    ]  # fmt: skip
    follow = [{**seat, "worker_id": wanted[seat["order_id"], seat["seat"]]["worker_id"]} for seat in crews]
    assert await city.sql(_SEATS) == follow
    changed = [(was, now) for was, now in zip(crews, follow, strict=True) if was != now]
    assert len(changed) == 3
    assert sorted((row["data"]["order_id"], row["data"]["seat"], row["data"]["worker_id"], row["data"]["status"])
                  for row in told if row["type"].startswith("assignment.")) == sorted(
        (str(seat["order_id"]), seat["seat"], str(seat["worker_id"]), status)
        for was, now in changed for seat, status in ((was, "replaced"), (now, now["status"])))  # fmt: skip
