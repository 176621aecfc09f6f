"""Nobody thinks with a connection in hand, and what was thought about a day that has moved on is thought again."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from types import FunctionType
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from backend.core.errors import DomainError
from backend.database.deciding import OneAtATime
from backend.database.line import Line
from backend.processes import crews
from backend.processes.dispatcher import Dispatcher
from backend.scheduling import placing, quotes, snapshots
from dispatch import Prepared
from tests.support.city import City, Solver, at

REHAB, BATH, MEAL = "rehab-home", "bath-home", "meal-lunch"


class Watched:
    """What was thought, and what of it by a task that held a connection."""

    def __init__(self) -> None:
        self.held: Counter[asyncio.Task[Any] | None] = Counter()
        self.thought: Counter[str] = Counter()
        self.holding: Counter[str] = Counter()

    def note(self, name: str) -> None:
        self.thought[name] += 1
        if self.held[asyncio.current_task()] > 0:
            self.holding[name] += 1


def _thinkers() -> list[tuple[Any, str]]:
    """Where the platform names a function of the planning library, whichever it is; and the building of a day."""
    found = [
        (module, name)
        for path, module in list(sys.modules.items())
        if path.startswith("backend.") and not path.startswith("backend.simulation")
        for name, thing in vars(module).items()
        if (isinstance(thing, FunctionType) or thing is Prepared)
        and (thing.__module__ or "").partition(".")[0] == "dispatch"
        and not name.startswith("warm")
    ]
    return [*found, (snapshots, "_build")]


@pytest.fixture
def watched(city: City, monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched, connection = Watched(), Line.connection

    @asynccontextmanager
    async def noted(line: Line, key: Hashable = None) -> AsyncIterator[Any]:
        watched.note("waiting for a connection")  # so two who hold one never wait for each other
        async with connection(line, key) as ours:
            watched.held[asyncio.current_task()] += 1
            try:
                yield ours
            finally:
                watched.held[asyncio.current_task()] -= 1

    def watching(name: str, think: Callable[..., Any]) -> Callable[..., Any]:
        def thinks(*args: Any, **options: Any) -> Any:
            watched.note(name)
            return think(*args, **options)

        return thinks

    monkeypatch.setattr(Line, "connection", noted)
    for module, name in _thinkers():
        monkeypatch.setattr(module, name, watching(name, getattr(module, name)))
    return watched


async def test_no_command_no_quote_and_no_dispatcher_thinks_holding_a_connection(city: City, watched: Watched):
    """A search on a busy machine lasts: its connection is what others wait for, and under a lock a whole zone does."""
    city.dispatcher = Dispatcher(city.settings, city.database, Solver())
    await city.manual_acceptance()
    operator = await city.staff("operator")
    for number, item in enumerate((REHAB, BATH, REHAB)):
        someone = await city.resident(number=number, ability=3 if item == BATH else 0)
        slots = await city.quote(operator, someone["id"], item, at(9), at(12))
        held = {"slot": slots[0]["token"], "channel": "phone", "hold_only": number == 0}
        assert (await operator.post("/v1/bookings", held)).status_code == 201
    someone = await city.resident(number=5)
    soft = {
        "resident_id": str(someone["id"]), "item_code": MEAL,
        "wish": {"from_at": at(11).isoformat(), "to_at": at(12).isoformat(), "soft": True},
        "pickup": {"facility_id": str(await city.meal_point(someone["zone_id"])), "ready_at": at(11).isoformat()},
    }  # fmt: skip
    slots = (await operator.post("/v1/quotes", soft)).json()["slots"]
    meal = (await operator.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "phone"})).json()
    manual = await city.booked(operator, (await city.resident(number=6))["id"], REHAB, at(13), at(15), channel="phone")
    worker_id = await city.one("SELECT worker_id FROM stops WHERE order_id = $1", UUID(manual["id"]))
    await city.sql("DELETE FROM stops WHERE order_id = ANY ($1)", [UUID(manual["id"]), UUID(meal["id"])])
    await city.sql("UPDATE orders SET status = 'manual' WHERE id = $1", UUID(manual["id"]))
    await city.sql("UPDATE plans SET version = version + 1")
    body = {"worker_ids": [str(worker_id)], "start_at": at(14).isoformat(), "reason": "agreed by phone"}
    answer = await operator.post(f"/v1/orders/{manual['id']}/assign", body)
    assert answer.status_code == 200, answer.text
    for _ in range(2):
        await city.dispatch()
        await city.clock(at(9, 30))
    assert watched.thought.keys() >= {"insert", "quote", "plan_cost", "check_plan", "Prepared", "_build"}
    assert watched.holding == {}


def _beside(city: City, statement: str, *args: Any) -> None:
    """Somebody else changes something and has done so before we go on."""

    async def change() -> None:
        connection = await asyncpg.connect(city.owner.url)
        try:
            await connection.execute("SELECT set_config('app.role', 'system', false)")
            await connection.execute(statement, *args)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, change()).result()


class Moving:
    """A planner that somebody else is quicker than, some times."""

    def __init__(self, city: City, works: Callable[..., Any], times: int, statement: str) -> None:
        self._city, self._works, self._statement, self.left = city, works, statement, times
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            _beside(self._city, self._statement)
        return self._works(*args)


MOVED = "UPDATE plans SET version = version + 1"


async def test_a_booking_whose_day_moves_on_meanwhile_is_thought_of_again(city: City, monkeypatch: pytest.MonkeyPatch):
    operator, someone = await city.staff("operator"), await city.resident()
    slots = await city.quote(operator, someone["id"], REHAB, at(9), at(17))
    moving = Moving(city, quotes.place, 3, MOVED)
    monkeypatch.setattr(quotes, "place", moving)
    body = {"slot": slots[0]["token"], "channel": "phone"}
    # the first booking of the day makes its plan
    assert (await operator.post("/v1/bookings", body)).status_code == 201
    assert moving.calls == 4
    assert await city.one("SELECT count(*) FROM stops WHERE active") == 1


async def test_a_booking_whose_day_never_rests_is_asked_to_come_again_and_then_made_once(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    operator, someone = await city.staff("operator"), await city.resident()
    slots = await city.quote(operator, someone["id"], REHAB, at(9), at(17))
    moving = Moving(city, quotes.place, 1000, MOVED)
    monkeypatch.setattr(quotes, "place", moving)
    body, key = {"slot": slots[0]["token"], "channel": "phone"}, str(uuid4())
    answer = await operator.post("/v1/bookings", body, key)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert moving.calls < 20
    assert await city.one("SELECT count(*) FROM orders") == 0
    moving.left = 0
    answers = [await operator.post("/v1/bookings", body, key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert await city.one("SELECT count(*) FROM orders") == 1


@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [
        ("UPDATE residents SET suspended = true", "not_entitled"),
        ("DELETE FROM shifts", "slot_taken"),
    ],
)  # fmt: skip
async def test_what_was_read_before_thinking_is_looked_at_again_under_the_lock(
    city: City, monkeypatch: pytest.MonkeyPatch, meanwhile: str, code: str
):
    operator, someone = await city.staff("operator"), await city.resident()
    slots = await city.quote(operator, someone["id"], REHAB, at(9), at(17))
    monkeypatch.setattr(quotes, "place", Moving(city, quotes.place, 1, meanwhile))
    answer = await operator.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "phone"})
    assert answer.json()["code"] == code
    assert await city.one("SELECT count(*) FROM orders") == 0


async def test_a_resident_who_changes_a_wish_while_a_crew_is_looked_for_gets_the_crew_wished_for(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    """Such a change moves no plan on; only looking again under the lock shows it."""
    operator, someone = await city.staff("operator"), await city.resident()
    slots = await city.quote(operator, someone["id"], REHAB, at(9), at(17))
    genders = "SELECT w.gender FROM stops s JOIN workers w ON w.id = s.worker_id"
    first = await operator.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "phone", "hold_only": True})
    other = "male" if await city.one(genders) == "female" else "female"
    assert (await operator.post(f"/v1/orders/{first.json()['id']}/release")).status_code == 200
    slots = await city.quote(operator, someone["id"], REHAB, at(9), at(17))
    moving = Moving(city, quotes.place, 1, f"UPDATE residents SET gender_wish = '{other}'")
    monkeypatch.setattr(quotes, "place", moving)
    answer = await operator.post("/v1/bookings", {"slot": slots[0]["token"], "channel": "phone"})
    assert moving.calls == 2
    assert answer.status_code == 409 or await city.one(genders) == other


@pytest.mark.parametrize(
    ("meanwhile", "status", "code"),
    [
        (MOVED, 200, None),
        ("UPDATE orders SET version = version + 1", 200, None),
        ("UPDATE orders SET status = 'unserved', version = version + 1", 409, "illegal_transition"),
    ],
)  # fmt: skip
async def test_an_assignment_by_hand_is_made_for_the_day_and_the_order_as_they_are(
    city: City, monkeypatch: pytest.MonkeyPatch, meanwhile: str, status: int, code: str | None
):
    order = await city.booked(
        await city.staff("operator"), (await city.resident())["id"], REHAB, at(12), at(15), channel="phone"
    )
    worker_id = await city.one("SELECT worker_id FROM stops WHERE order_id = $1", UUID(order["id"]))
    await city.sql("DELETE FROM stops")
    await city.sql("UPDATE orders SET status = 'manual'")
    await city.sql(MOVED)
    moving = Moving(city, quotes.insert, 1, meanwhile)
    monkeypatch.setattr(quotes, "insert", moving)
    operator = await city.staff("operator")
    body = {"worker_ids": [str(worker_id)], "start_at": at(14).isoformat(), "reason": "agreed by phone"}
    answer = await operator.post(f"/v1/orders/{order['id']}/assign", body)
    assert (answer.status_code, answer.json().get("code") if status != 200 else None) == (status, code)
    assert moving.calls == (2 if status == 200 else 1)
    assert await city.one("SELECT count(*) FROM stops") == (1 if status == 200 else 0)


async def test_an_order_that_the_desk_took_while_its_crew_was_looked_for_is_left_to_the_desk(
    city: City, monkeypatch: pytest.MonkeyPatch
):
    """That is no failure of the dispatcher's, and none is held against the order."""
    order = await city.booked(
        await city.staff("operator"), (await city.resident())["id"], REHAB, at(12), at(15), channel="phone"
    )
    taken = "UPDATE orders SET status = 'manual', version = version + 1"
    monkeypatch.setattr(crews, "_crew", Moving(city, crews._crew, 1, taken))
    with capture_logs() as logs:
        await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "manual"
    assert await city.one("SELECT count(*) FROM offers") == 0
    assert not [line for line in logs if line["log_level"] in {"warning", "error"}]


async def test_a_crowd_for_one_day_takes_turns_and_thinks_once_each(city: City, monkeypatch: pytest.MonkeyPatch):
    """Without turns everybody but the quickest would have thought in vain, again and again."""
    operator = await city.staff("operator")
    tokens = []
    for number in range(8):
        someone = await city.resident(number=number)
        tokens.append((await city.quote(operator, someone["id"], REHAB, at(9), at(17)))[0]["token"])
    calls, place = list[int](), placing.place

    def counted(*args: Any) -> Any:
        calls.append(1)
        return place(*args)

    monkeypatch.setattr(quotes, "place", counted)
    answers = await asyncio.gather(
        *(operator.post("/v1/bookings", {"slot": token, "channel": "phone"}) for token in tokens)
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(calls) == 8


async def test_a_turn_that_does_not_come_in_time_says_come_again_and_who_leaves_takes_nothing_along() -> None:
    turns, go = OneAtATime(patience_s=0.05), asyncio.Event()

    async def take() -> None:
        async with turns.turn("day"):
            await go.wait()

    first = asyncio.create_task(take())
    await asyncio.sleep(0)
    with pytest.raises(DomainError, match="busy"):
        await take()
    waiting = asyncio.create_task(take())
    await asyncio.sleep(0)
    waiting.cancel()
    async with turns.turn("another day"):
        go.set()
    await asyncio.gather(first, waiting, return_exceptions=True)
    async with asyncio.timeout(1), turns.turn("day"):
        pass
