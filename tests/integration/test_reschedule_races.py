"""Other times for an order while others want it, its plan or its crew: one is first, and the old promise stands until then."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.bookings import rescheduling
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM
from backend.orders import queries, timer_queries
from backend.orders.model import Timer, Waiting
from tests.support.city import DAY, City, at
from tests.support.orphans import orphans
from tests.support.other_times import (
    accepted,
    ask,
    move_order,
    moved_to,
    other_times,
    placed,
    refusal,
    rows_of,
    stops_of,
    wish_of,
)

BATH = "bath-home"
TOMORROW: Final = DAY + timedelta(days=1)


@pytest.mark.parametrize("state", ["placed", "offered", "accepted"])
async def test_where_nobody_is_left_the_old_promise_stands_as_it_was(city: City, state: str):
    """Every row of it: window, stops, crew, offer and timers, and nobody is told of anything."""
    await city.sql("UPDATE providers SET auto_accept = $1", state == "accepted")
    operator = await city.staff("operator")
    order = await placed(city, operator)
    if state != "placed":
        await city.dispatch()
    assert (await city.order(order["id"]))["status"] == state
    (stop,) = await stops_of(city, order)
    token = (await other_times(operator, order, at(15), at(16)))[0]["token"]
    await city.sql("DELETE FROM shifts WHERE worker_id <> $1", stop["worker_id"])
    await city.sql("DELETE FROM shifts WHERE lower(during) >= $1", at(13))
    await city.sql("UPDATE shifts SET during = tstzrange(lower(during), $1)", at(13))
    before, plans = await rows_of(city), await city.sql("SELECT id, version FROM plans ORDER BY id")
    answer = await move_order(operator, order, token)
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    assert await rows_of(city) == before
    assert await city.sql("SELECT id, version FROM plans ORDER BY id") == plans


async def test_a_move_that_fails_half_way_has_never_begun(city: City, monkeypatch: pytest.MonkeyPatch):
    """Broken off behind each step of the one transaction: what was given back before it is there again."""
    operator = await city.staff("operator")
    order = await accepted(city, operator)
    token = (await other_times(operator, order, at(15, days=1), at(16, days=1)))[0]["token"]
    await city.sql("INSERT INTO plans (zone_id, plan_on) VALUES ($1, $2)", UUID(order["zone_id"]), TOMORROW)
    before, plans = await rows_of(city), await city.sql("SELECT id, version FROM plans ORDER BY id")

    def breaking(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def broken(*about: Any, **more: Any) -> Any:
            await step(*about, **more)
            raise DomainError("slot_taken")

        return broken

    for module, name in (
        (rescheduling.orders, "let_go"),
        (rescheduling.actions, "promise"),
        (rescheduling.orders, "place_again"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, breaking(getattr(module, name)))
            assert (await move_order(operator, order, token)).json()["code"] == "slot_taken", name
        assert await rows_of(city) == before, name
        assert await city.sql("SELECT id, version FROM plans ORDER BY id") == plans, name
    assert (await move_order(operator, order, token)).status_code == 200


async def test_a_promise_is_given_up_for_one_that_waits_only_where_the_slot_said_so(city: City):
    """A soft window waits for a crew; whoever was shown one, and finds it gone, keeps what they had."""
    operator = await city.staff("operator")
    order = await placed(city, operator)
    soft = wish_of(at(15), at(16), at(17))
    (sure,) = (await ask(operator, order, soft)).json()["slots"]
    assert sure["expected_at"]
    await city.sql("UPDATE worker_skills SET expires_on = $1, valid_from = NULL WHERE skill = 'rehab'", DAY)
    before = await rows_of(city)
    answer = await move_order(operator, order, sure["token"])
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    assert await rows_of(city) == before
    (waiting,) = (await ask(operator, order, soft)).json()["slots"]
    assert waiting["expected_at"] is None
    answer = await move_order(operator, order, waiting["token"])
    assert (answer.status_code, answer.json()["window_soft"]) == (200, True)
    assert await stops_of(city, order) == []
    kinds = await city.sql("SELECT kind, due_at FROM timers WHERE fired_at IS NULL")
    assert kinds == [{"kind": "unserved_due", "due_at": at(17)}], "a soft search goes to no desk"
    assert not await orphans(city)


async def test_of_two_who_move_an_order_at_once_one_does(city: City):
    """To different days, whose plans tell them nothing of each other: the second is told that it has moved since they asked."""
    operator = await city.staff("operator")
    order = await accepted(city, operator)
    times = (at(12), at(14, days=1), at(16))
    tokens = [(await other_times(operator, order, time, time))[0]["token"] for time in times]
    await city.clock(at(8, 1))
    answers = await asyncio.gather(*(move_order(operator, order, token) for token in tokens[:2]))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert {refusal(answer) for answer in answers} == {None, "stale_version"}
    late = await move_order(operator, order, tokens[2])
    assert (late.status_code, late.json()["code"]) == (409, "stale_version")
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    (stop,) = await stops_of(city, order)
    assert datetime.fromisoformat(won["window_from"]) <= stop["from_at"] <= datetime.fromisoformat(won["window_to"])
    assert await city.one("SELECT count(*) FROM audit WHERE action = 'reschedule'") == 1
    assert not await orphans(city)


async def test_a_move_sent_again_is_done_once_and_answered_the_same(city: City):
    operator, key = await city.staff("operator"), str(uuid4())
    order = await placed(city, operator)
    token = (await other_times(operator, order, at(15), at(16)))[0]["token"]
    first = await move_order(operator, order, token, key)
    before = await rows_of(city)
    again = await move_order(operator, order, token, key)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await rows_of(city) == before


@pytest.mark.parametrize("day", [0, 1])
@pytest.mark.parametrize("first", ["worker", "resident"])
async def test_of_a_worker_who_sets_out_and_a_resident_who_moves_the_order_one_is_first(
    city: City, first: str, day: int
):
    """Both wait for the same plan. Who sets out first comes; a report after the move is kept, and nothing follows it."""
    operator = await city.staff("operator")
    order = await accepted(city, operator)
    await city.clock(at(9, 50))
    worker = await city.worker((await city.crew(order["id"]))[0]["worker_id"])
    token = (await other_times(operator, order, at(15, days=day), at(16, days=day)))[0]["token"]

    async def set_out() -> Any:
        return await worker.post(f"/v1/orders/{order['id']}/en-route", {"device_at": None})

    async def move() -> Any:
        return await move_order(operator, order, token)

    async with city.owner.unit_of_work(SYSTEM) as other:
        await other.execute("SELECT FROM plans WHERE plan_on = $1 FOR NO KEY UPDATE", DAY)
        ahead = asyncio.create_task(set_out() if first == "worker" else move())
        await city.until_it_waits(ahead)
        behind = asyncio.create_task(move() if first == "worker" else set_out())
        while await city.one("SELECT count(*) FROM pg_locks WHERE NOT granted") < 2 and not behind.done():
            pass
    report, moved = (await ahead, await behind) if first == "worker" else reversed((await ahead, await behind))
    row = await city.order(order["id"])
    if first == "worker":
        assert report.json()["report"]["counts"]
        assert (moved.status_code, moved.json()["code"]) == (409, "illegal_transition")
        assert (row["status"], row["window_from"]) == ("en_route", at(10))
    else:
        assert moved.status_code == 200
        assert report.json()["report"]["counts"] is False
        assert (row["status"], row["window_from"]) == ("placed", at(15, days=day))
    assert not await orphans(city)


async def test_who_waited_for_the_plan_of_an_order_that_moved_holds_the_new_plan_and_not_the_old(city: City):
    """To hold one and wait for the other, both would wait for ever with somebody who takes both in the order of their ids."""
    operator = await city.staff("operator")
    order = await placed(city, operator)
    order_id, zone_id = UUID(order["id"]), UUID(order["zone_id"])
    await city.sql("INSERT INTO plans (zone_id, plan_on) VALUES ($1, $2)", zone_id, TOMORROW)
    plan = "SELECT FROM plans WHERE zone_id = $1 AND plan_on = $2 FOR NO KEY UPDATE NOWAIT"
    for begins, ends, lock in (
        (DAY, TOMORROW, lambda c: queries.order_for_update(c, order_id)),
        (TOMORROW, DAY, lambda c: timer_queries.lock_for(c, Timer(uuid4(), "x", order_id, None))),
    ):
        held, done = asyncio.Event(), asyncio.Event()

        async def waits(lock: Any = lock, held: asyncio.Event = held, done: asyncio.Event = done) -> None:
            async with city.database.unit_of_work(SYSTEM) as connection:
                await lock(connection)
                held.set()
                await done.wait()

        async with city.owner.unit_of_work(SYSTEM) as mover:
            await mover.execute(plan, zone_id, begins)
            await mover.execute("UPDATE plans SET version = version + 1 WHERE zone_id = $1", zone_id)
            await mover.execute("UPDATE orders SET plan_on = $2 WHERE id = $1", order_id, ends)
            await mover.execute(
                "UPDATE stops SET plan_id = (SELECT id FROM plans WHERE zone_id = $1 AND plan_on = $2)", zone_id, ends
            )
            waiting = asyncio.create_task(waits())
            await city.until_it_waits(waiting)
        async with asyncio.timeout(10):
            await held.wait()
        await city.sql(plan, zone_id, begins)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await city.sql(plan, zone_id, ends)
        done.set()
        await waiting


@pytest.mark.parametrize("day", [0, 1])
async def test_a_move_waits_for_the_first_of_its_two_plans_and_holds_none_meanwhile(city: City, day: int):
    """To and fro, whichever was there first: whoever else takes both in the order of their ids is never waited for in a ring."""
    operator = await city.staff("operator")
    await city.sql("INSERT INTO plans (zone_id, plan_on) SELECT id, $1 FROM zones WHERE code = 'Z1'", DAY)
    await city.sql("INSERT INTO plans (zone_id, plan_on) SELECT id, $1 FROM zones WHERE code = 'Z1'", TOMORROW)
    order = await placed(city, operator, day=day)
    token = (await other_times(operator, order, at(12, days=1 - day), at(13, days=1 - day)))[0]["token"]
    plan_ids = [row["id"] for row in await city.sql("SELECT id FROM plans ORDER BY id")]
    async with city.owner.unit_of_work(SYSTEM) as other:
        await other.execute("SELECT FROM plans WHERE id = $1 FOR NO KEY UPDATE", plan_ids[0])
        moving = asyncio.create_task(move_order(operator, order, token))
        await city.until_it_waits(moving)
        assert not moving.done()
        await other.execute("SELECT FROM plans WHERE id = $1 FOR NO KEY UPDATE NOWAIT", plan_ids[1])
    assert (await moving).status_code == 200


async def test_two_orders_that_change_days_with_each_other_never_wait_in_a_ring(city: City):
    """Each takes both plans, in one order of all; the one that finds its day changed decides anew."""
    operator = await city.staff("operator")
    orders = [await placed(city, operator, number, number % 2) for number in range(4)]
    for turn in range(2):
        await city.clock(at(8, 1 + turn))
        tokens = [
            (await other_times(operator, order, *((at(12, days=day), at(17, days=day)))))[0]["token"]
            for number, order in enumerate(orders)
            for day in [(number + turn + 1) % 2]
        ]
        answers = await asyncio.gather(*(move_order(operator, *pair) for pair in zip(orders, tokens, strict=True)))
        assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]
        assert {refusal(answer) for answer in answers} <= {None, "slot_taken"}
        assert any(answer.status_code == 200 for answer in answers)
    assert not await orphans(city)


async def test_a_dispatcher_that_listed_an_order_before_it_moved_leaves_it_to_its_new_day(city: City):
    operator = await city.staff("operator")
    order = await placed(city, operator)
    await city.dispatcher.renew()
    listed = Waiting(UUID(order["id"]), UUID(order["zone_id"]), DAY)
    await moved_to(operator, order, at(10, days=1), at(11, days=1))
    before = await rows_of(city)
    assert await city.dispatcher._crews.place(listed) is None
    assert await rows_of(city) == before
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] in {"offered", "accepted"}


async def test_a_slot_quoted_beside_an_order_is_not_taken_up_where_that_one_has_moved_to(city: City):
    """It was a day away when the slot was quoted, and nothing tied the two: now two crews would meet at one door."""
    operator, someone = await city.staff("operator"), await city.resident()
    order = await placed(city, operator, day=1)
    slot = (await city.quote(operator, someone["id"], BATH, at(13), at(13)))[0]["token"]
    far = (await city.quote(operator, someone["id"], BATH, at(16), at(17)))[0]["token"]
    await moved_to(operator, order, at(13), at(13))
    answer = await operator.post("/v1/bookings", {"slot": slot, "channel": "phone"})
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    assert (await operator.post("/v1/bookings", {"slot": far, "channel": "phone"})).status_code == 201
