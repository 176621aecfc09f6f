"""Other workers for an order while others move it, carry it out or plan its day: one is first, the other is told, and never half."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from backend.core.principal import SYSTEM
from backend.orders import swapping
from backend.scheduling.actions import StalePlanError
from tests.support.city import DAY, City, at
from tests.support.orphans import orphans
from tests.support.other_times import move_order, other_times, refusal, rows_of, stops_of
from tests.support.swaps import BATH, offered, others_of, swap

Act = Callable[[], Awaitable[Any]]


async def _one_after_the_other(city: City, first: Act, second: Act) -> tuple[Any, Any]:
    """Both wait for the plan, in this order."""
    async with city.owner.unit_of_work(SYSTEM) as other:
        await other.execute("SELECT FROM plans WHERE plan_on = $1 FOR NO KEY UPDATE", DAY)
        ahead = asyncio.create_task(_called(first))
        await city.until_it_waits(ahead)
        behind = asyncio.create_task(_called(second))
        while await city.one("SELECT count(*) FROM pg_locks WHERE NOT granted") < 2 and not behind.done():
            pass
    return await ahead, await behind


async def _called(act: Act) -> Any:
    return await act()


async def _whole(city: City, order: dict[str, Any]) -> None:
    """Seats and stops name the same people, and nothing else is left of the other crew."""
    assert not await orphans(city)
    seats = {(seat["seat"], seat["worker_id"]) for seat in await city.crew(order["id"])}
    stops = await city.sql(
        "SELECT seat, worker_id FROM stops WHERE order_id = $1 AND kind <> 'pickup'", UUID(order["id"])
    )
    assert seats == {(stop["seat"], stop["worker_id"]) for stop in stops}


@pytest.mark.parametrize("first", ["worker", "provider"])
async def test_of_a_worker_who_sets_out_and_a_provider_who_sends_another_one_is_first(city: City, first: str):
    """Who has set out comes; a report of somebody who comes no more is kept, and nothing follows it."""
    order, provider = await offered(city, "accepted")
    old, new = (await city.crew(order["id"]))[0]["worker_id"], (await others_of(city, order))[0]
    worker = await city.worker(old)
    await city.clock(at(9, 30))

    async def set_out() -> Any:
        return await worker.post(f"/v1/orders/{order['id']}/en-route", {"device_at": None})

    async def exchange() -> Any:
        return await swap(provider, order, [new])

    if first == "worker":
        report, swapped = await _one_after_the_other(city, set_out, exchange)
        assert report.json()["report"]["counts"]
        assert (swapped.status_code, swapped.json()["code"]) == (409, "illegal_transition")
        assert [seat["worker_id"] for seat in await city.crew(order["id"])] == [old]
    else:
        swapped, report = await _one_after_the_other(city, exchange, set_out)
        assert swapped.status_code == 200
        assert not report.json()["report"]["counts"]
        assert (await city.order(order["id"]))["status"] == "accepted"
        assert [seat["worker_id"] for seat in await city.crew(order["id"])] == [new]
    await _whole(city, order)


@pytest.mark.parametrize("first", ["resident", "provider"])
@pytest.mark.parametrize("what", ["cancel", "reschedule"])
async def test_of_a_resident_and_a_provider_who_meet_at_an_order_one_is_first(city: City, first: str, what: str):
    """Called off or moved it is nobody's to fill; moved after a swap it is dispatched anew, and the choice is over."""
    order, provider = await offered(city, "accepted")
    operator, new = await city.staff("operator"), (await others_of(city, order))[0]
    token = (await other_times(operator, order, at(15), at(16)))[0]["token"]

    async def theirs() -> Any:
        if what == "cancel":
            return await operator.post(f"/v1/orders/{order['id']}/cancel", {"reason": "住院"})
        return await move_order(operator, order, token)

    async def exchange() -> Any:
        return await swap(provider, order, [new])

    if first == "resident":
        done, swapped = await _one_after_the_other(city, theirs, exchange)
        assert done.status_code == 200
        gone = {"cancel": "illegal_transition", "reschedule": "unknown_order"}[what]  # moved, it is nobody's yet
        assert refusal(swapped) == gone
    else:
        swapped, done = await _one_after_the_other(city, exchange, theirs)
        assert (swapped.status_code, done.status_code) == (200, 200)
    row = await city.order(order["id"])
    assert row["status"] == {"cancel": "cancelled", "reschedule": "placed"}[what]
    assert await city.crew(order["id"]) == []
    assert not await orphans(city)
    if what == "reschedule":
        await city.dispatch()
        kept = "SELECT count(*) FROM assignments WHERE order_id = $1 AND chosen AND status = 'proposed'"
        assert await city.one(kept, row["id"]) == 0, "who was chosen for another time is not chosen for this one"


async def test_of_two_desks_that_send_others_one_does_and_the_second_is_told(city: City):
    order, provider = await offered(city, "accepted")
    seen, some = (await city.order(order["id"]))["version"], await others_of(city, order)
    answers = await asyncio.gather(*(swap(provider, order, [worker], version=seen) for worker in some[:3]))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert {refusal(answer) for answer in answers} == {None, "stale_version"}
    assert await city.one("SELECT count(*) FROM audit WHERE action = 'swap'") == 1
    late = await swap(provider, order, [some[3]], version=seen)
    assert refusal(late) == "stale_version", "it is not as they saw it"
    await _whole(city, order)


async def test_a_swap_goes_on_from_the_day_as_it_is_when_others_plan_meanwhile(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    """Somebody books beside it between reading and writing: it is thought about anew, and both stand."""
    order, provider = await offered(city, "accepted")
    new, operator, tries = (await others_of(city, order))[0], await city.staff("operator"), list[int]()
    someone, lock = await city.resident(number=1), swapping.lock_day

    async def locked(*about: Any) -> None:
        tries.append(len(tries))
        await lock(*about)

    monkeypatch.setattr(swapping, "lock_day", locked)
    async with city.owner.unit_of_work(SYSTEM) as other:
        await other.execute("SELECT FROM plans WHERE plan_on = $1 FOR NO KEY UPDATE", DAY)
        going = asyncio.create_task(swap(provider, order, [new]))
        await city.until_it_waits(going)
        await other.execute("UPDATE plans SET version = version + 1 WHERE plan_on = $1", DAY)
    answer = await going
    assert answer.status_code == 200, answer.text
    assert len(tries) == 2
    await city.booked(operator, someone["id"], "rehab-home", at(10), at(11), channel="phone")
    await _whole(city, order)


async def test_a_day_that_never_stands_still_is_told_as_busy_and_nothing_has_changed(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    order, provider = await offered(city, "accepted", BATH)
    new, crew = (await others_of(city, order))[0], await city.crew(order["id"])

    async def moved_on(*_: Any) -> None:
        raise StalePlanError

    monkeypatch.setattr(swapping, "lock_day", moved_on)
    before = await rows_of(city)
    answer = await swap(provider, order, [new, crew[0]["worker_id"]])
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert await rows_of(city) == before


async def test_two_orders_that_want_the_same_worker_at_once_do_not_both_get_them(city: City):
    """The second thinks again about the day with the first in it, and is told that nobody is free."""
    order, provider = await offered(city, "accepted")
    await city.sql("UPDATE providers SET auto_accept = true")
    someone, operator = await city.resident(number=1), await city.staff("operator")
    second = await city.booked(operator, someone["id"], "rehab-home", at(10), at(10), channel="phone")
    await city.dispatch()
    assert (await city.order(second["id"]))["provider_id"] == (await city.order(order["id"]))["provider_id"]
    theirs = await others_of(city, second)
    new = next(one for one in await others_of(city, order) if one in theirs)
    await city.sql(
        "UPDATE orders SET window_to = window_from + interval '5 minutes', latest_at = window_from + interval '5 minutes'"
    )
    await city.sql("UPDATE plans SET version = version + 1")
    answers = await asyncio.gather(swap(provider, order, [new]), swap(provider, second, [new]))
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    stops = await stops_of(city, order) + await stops_of(city, second)
    assert [stop["worker_id"] for stop in stops].count(new) == 1
    await city.sql(
        "UPDATE orders SET window_to = window_from + interval '30 minutes', latest_at = window_from + interval '30 minutes'"
    )
    await _whole(city, order)
