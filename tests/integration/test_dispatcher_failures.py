"""What fails in the dispatcher is tried again, by the machine's clock: a care clock that stands still stops nothing for ever."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from backend.database.pool import Database
from backend.orders import aside, offering
from backend.orders import queries as orders
from backend.processes import dispatcher as process
from backend.processes.dispatcher import Dispatcher
from backend.processes.retries import Retries, is_passing
from backend.scheduling import snapshots
from backend.scheduling.snapshots import Planner
from tests.support.city import City, NoSolver, at

REHAB, BATH, MEAL = "rehab-home", "bath-home", "meal-lunch"


class Machine:
    """The machine's seconds, which pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Failing:
    """A function of the platform that fails some times, for everything or for one order, before it works."""

    def __init__(self, works: Callable[..., Any], times: int, error: Exception, only: UUID | None = None) -> None:
        self._works, self._error, self._only = works, error, only
        self.left, self.calls = times, 0

    async def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        named = {getattr(arg, "id", arg) for arg in args if isinstance(getattr(arg, "id", arg), UUID)}
        if self.left > 0 and (self._only is None or self._only in named):
            self.left -= 1
            raise self._error
        return await self._works(*args, **options)


@pytest.fixture
def machine(city: City) -> Machine:
    """The city's dispatcher goes by a clock of this test."""
    machine = Machine()
    city.dispatcher = Dispatcher(city.settings, city.database, NoSolver(), clock=machine)
    return machine


async def _placed(city: City, *, number: int = 0, item: str = REHAB) -> dict[str, Any]:
    operator, someone = await city.staff("operator"), await city.resident(number=number)
    return await city.booked(operator, someone["id"], item, at(12), at(15), channel="phone")


@pytest.mark.parametrize(
    "error", [KeyError("x"), asyncpg.InterfaceError("connection is closed"), OSError("reset"), TimeoutError()],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
async def test_an_order_whose_offer_failed_is_looked_at_again_after_a_pause(
    city: City, machine: Machine, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    """With the care clock standing still it waited for ever, and the demo's morning with it."""
    order = await _placed(city)
    failing = Failing(offering.provider, 2, error)
    monkeypatch.setattr(offering, "provider", failing)
    for _ in range(4):
        await city.dispatch()
    assert (failing.calls, (await city.order(order["id"]))["status"]) == (1, "placed")
    for _ in range(2):
        machine.now += 60
        await city.dispatch()
    assert (await city.order(order["id"]))["status"] in {"offered", "accepted"}


async def test_an_order_that_fails_again_and_again_goes_to_the_desk_and_the_others_are_offered(
    city: City, machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    """Nobody hears of an order that is tried for ever; who reads the log finds it by its id."""
    broken, other = await _placed(city), await _placed(city, number=1)
    failing = Failing(process.orders.order_for_update, 5, KeyError("x"), only=UUID(broken["id"]))
    monkeypatch.setattr(orders, "order_for_update", failing)
    with capture_logs() as logs:
        for _ in range(6):
            await city.dispatch()
            assert (await city.order(other["id"]))["status"] in {"offered", "accepted"}
            machine.now += 60
    left = await city.order(broken["id"])
    assert (left["status"], left["reason"]) == ("manual", "not_dispatched")
    assert [reason["rule"] for reason in left["reasons"]] == ["not_dispatched"]
    assert await city.one("SELECT count(*) FROM stops WHERE order_id = $1", UUID(broken["id"])) == 0
    assert {line.get("order") for line in logs if line["log_level"] == "error"} == {broken["id"]}


@pytest.mark.parametrize("step", ["read", "built"])
async def test_where_a_day_cannot_be_read_none_of_its_orders_is_blamed(
    city: City, machine: Machine, monkeypatch: pytest.MonkeyPatch, step: str
):
    """They wait until it can: an operator could do nothing with them either."""
    order = await _placed(city)
    reading, broken = Planner.read, [True]

    async def read(planner: Planner, *args: Any, **options: Any) -> Any:
        if broken and step == "read":
            raise KeyError("x")
        return await reading(planner, *args, **options)

    build = snapshots._build

    def built(read: snapshots.Reading) -> Any:
        if broken and step == "built":
            raise KeyError("x")
        return build(read)

    monkeypatch.setattr(Planner, "read", read)
    monkeypatch.setattr(snapshots, "_build", built)
    for _ in range(8):
        await city.dispatch()
        machine.now += 60
    assert (await city.order(order["id"]))["status"] == "placed"
    broken.clear()
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] in {"offered", "accepted"}


async def test_a_day_that_was_not_brought_up_to_date_is_tried_again(
    city: City, machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    """Replays wait for it with the clock standing still."""
    await _placed(city)
    failing, original = [1], Planner.read

    async def read(planner: Planner, *args: Any, **options: Any) -> Any:
        if options.get("plan") is not None and failing:  # so the day is read to be kept true
            failing.clear()
            raise KeyError("x")
        return await original(planner, *args, **options)

    await city.dispatch()
    await city.sql("UPDATE plans SET version = version + 1")
    monkeypatch.setattr(Planner, "read", read)
    behind = "SELECT count(*) FROM plans p JOIN orders o USING (zone_id, plan_on) WHERE p.version <> settled_version"
    await city.dispatch()
    assert await city.one(behind) == 1
    machine.now += 60
    await city.dispatch()
    assert await city.one(behind) == 0


@pytest.mark.spoils("a crew is not", "an order has another crew")
async def test_an_unreadable_order_that_was_not_set_aside_is_set_aside_later(
    city: City, machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    await city.sql("UPDATE providers SET auto_accept = true")
    order = await _placed(city)
    await city.dispatch()
    await city.sql("DELETE FROM order_seats WHERE order_id = $1", UUID(order["id"]))
    await city.sql("UPDATE plans SET version = version + 1")
    monkeypatch.setattr(aside.queries, "flag_unreadable", Failing(aside.queries.flag_unreadable, 1, KeyError("x")))
    await city.dispatch()
    assert (await city.order(order["id"]))["flags"] == []
    for _ in range(2):
        machine.now += 60
        await city.dispatch()
    assert (await city.order(order["id"]))["flags"] == ["UNREADABLE"]


async def _meal_tomorrow(city: City) -> str:
    """A meal of the next day, placed while nobody can bring it."""
    await city.sql("DELETE FROM worker_skills WHERE skill = 'meal'")
    operator, someone = await city.staff("operator"), await city.resident()
    body = {
        "resident_id": str(someone["id"]), "item_code": MEAL,
        "wish": {"from_at": at(11, days=1).isoformat(), "to_at": at(12, days=1).isoformat(), "soft": True},
        "pickup": {
            "facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": at(11, days=1).isoformat()
        },
    }  # fmt: skip
    slots = (await operator.post("/v1/quotes", body)).json()["slots"]
    placed = await operator.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "phone"})
    return placed.json()["id"]


async def test_what_nobody_could_bring_is_looked_at_again_when_its_day_changes_and_not_before(
    city: City, machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    """A refusal is an answer, which a pause of the machine does not change.

    A minute of care time does, too: who works may have changed.
    """
    order_id, minute = await _meal_tomorrow(city), timedelta(minutes=1)
    noting = Failing(orders.note_reasons, 0, KeyError())
    monkeypatch.setattr(orders, "note_reasons", noting)
    for since, tries in ((0 * minute, 1), (0.99 * minute, 1), (minute, 2)):
        await city.clock(at(8) + since)
        for _ in range(2):
            await city.dispatch()
            machine.now += 600
        assert noting.calls == tries
    await city.sql("UPDATE plans SET version = version + 1")
    await city.dispatch()
    assert noting.calls == 3
    await city.sql(
        "INSERT INTO worker_skills (worker_id, skill) SELECT worker_id, 'meal' FROM shifts ON CONFLICT DO NOTHING"
    )
    await city.clock(at(8, 2))
    await city.dispatch()
    assert (await city.order(order_id))["status"] in {"offered", "accepted"}


async def test_a_search_that_fails_is_not_begun_at_every_look(city: City, machine: Machine):
    class BrokenSolver(NoSolver):
        calls = 0

        async def improve(self, *_: Any) -> None:
            self.calls += 1
            raise RuntimeError

    solver = BrokenSolver()
    city.dispatcher = Dispatcher(city.settings, city.database, solver, clock=machine)
    for number in range(2):
        await _placed(city, number=number)
    for _ in range(3):
        await city.dispatch()
    assert solver.calls == 1
    machine.now += 60
    await city.dispatch()
    assert solver.calls == 2


async def test_one_of_two_who_falls_ill_before_the_offer_leaves_an_order_to_be_dispatched(city: City, machine: Machine):
    order = await _placed(city, item=BATH)
    crew = await city.sql("SELECT worker_id FROM stops WHERE order_id = $1 ORDER BY seat", UUID(order["id"]))
    assert len(crew) >= 1
    await city.sql("INSERT INTO leaves (worker_id, during, reason) VALUES ($1, tstzrange($2, $3), 'sick')",
                   crew[0]["worker_id"], at(0), at(23))  # fmt: skip
    with capture_logs() as logs:
        await city.dispatch()
    assert not [line for line in logs if line["log_level"] in {"warning", "error"}]
    assert (await city.order(order["id"]))["status"] in {"offered", "accepted", "manual"}
    assert crew[0]["worker_id"] not in {seat["worker_id"] for seat in await city.crew(order["id"])}


async def test_a_day_without_workers_has_an_answer_for_everybody_who_asks(city: City, machine: Machine):
    """A roster that is not there yet, or all of it ill: nobody on shift, which no search had an array for."""
    order = await _placed(city)
    await city.sql("DELETE FROM shifts")
    with capture_logs() as logs:
        await city.dispatch()
    assert not [line for line in logs if line["log_level"] in {"warning", "error"}]
    left = await city.order(order["id"])
    assert (left["status"], left["reason"]) == ("manual", "no_shift")
    operator = await city.staff("operator")
    worker_id = await city.one("SELECT id FROM workers LIMIT 1")
    body = {"worker_ids": [str(worker_id)], "start_at": at(14).isoformat(), "reason": "agreed by phone"}
    assert (await operator.post(f"/v1/orders/{order['id']}/assign", body)).json()["code"] == "no_shift"
    someone = await city.resident(number=1)
    wish = {"from_at": at(11).isoformat(), "to_at": at(12).isoformat(), "soft": True}
    asked = {"resident_id": str(someone["id"]), "item_code": REHAB, "wish": wish}
    quote = await operator.post("/v1/quotes", asked)
    assert quote.status_code == 200, quote.text
    assert [reason["code"] for reason in quote.json()["reasons"]] == ["no_shift"]


async def test_a_dispatcher_lives_on_when_the_database_is_too_busy_for_a_look(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    """One that ended would keep its zones until its leases run out, and a new one has to start first."""
    looks, stop = list[int](), asyncio.Event()

    async def look() -> None:
        looks.append(1)
        if len(looks) < 3:
            raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")
        stop.set()

    monkeypatch.setattr(city.dispatcher, "look", look)
    async with asyncio.timeout(20):
        await process._cycle_until(stop, city.dispatcher)
    assert len(looks) == 3


def test_pauses_grow_to_a_bound_and_are_forgotten_when_it_goes_well() -> None:
    machine = Machine()
    retries, work, waits = Retries(machine), ("place", 1), list[float]()
    for _ in range(12):
        retries.failed(work, passing=len(waits) % 2 == 0)
        began = machine.now
        assert retries.resting("place") == [1]
        assert retries.resting("sift") == []
        while not retries.due(work):
            machine.now += 0.25
        waits.append(machine.now - began)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.5, 30.0)
    assert retries.faults(work) == 6
    retries.done(work)
    assert retries.due(work)
    assert retries.faults(work) == 0


async def test_what_lies_in_the_database_is_told_from_what_lies_in_an_order(database: Database):
    """A server that restarts must not send the whole city to the desk."""
    for passing in ("40P01", "57014", "57P01", "53300", "55P03", "40001"):
        with pytest.raises(asyncpg.PostgresError) as raised:
            async with database.as_nobody() as connection:
                await connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{passing}'; END $$")
        assert is_passing(raised.value), passing
    for fault in ("23P01", "22P02", "42883", "P0001"):
        with pytest.raises(asyncpg.PostgresError) as raised:
            async with database.as_nobody() as connection:
                await connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{fault}'; END $$")
        assert not is_passing(raised.value), fault
