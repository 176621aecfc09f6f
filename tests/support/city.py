"""The demo's invented city in a test database, with its care clock stopped where the test wants it."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any, Self
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
from litestar import Litestar

from backend.accounts import proofs
from backend.config import Settings
from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.database.pool import LIMITS, Database
from backend.processes.dispatcher import Dispatcher
from backend.processes.embedded import Urls
from backend.processes.jobs import fire_due
from backend.processes.web import assemble, equip
from backend.simulation.demo import city, queries
from dispatch import Plan, Problem, improve, warm_quotes
from tests.support.barred import add_barred
from tests.support.day_judge import must_be_sound
from tests.support.people import asking, settings

TIME_ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2030, 3, 12)


def at(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
    """An instant of the test's day, in city time."""
    return datetime.combine(DAY + timedelta(days=days), time(hour, minute), TIME_ZONE)


async def build(owner_url: str) -> None:
    """Seed the city, into a database every test gets a copy of."""
    owner = await open_as_owner(owner_url)
    async with owner.unit_of_work(SYSTEM) as connection:
        await queries.set_clock(connection, at(8), 0.0)
        await city.seed(connection, DAY, TIME_ZONE, random.Random(7))
        await add_barred(connection, DAY, TIME_ZONE)
    await owner.close()


_idle: list[Litestar] = []


@contextmanager
def _lent(config: Settings, database: Database) -> Iterator[Litestar]:
    """An application with what this test gives it: to read all routes takes longer than most tests."""
    app = _idle.pop() if _idle else assemble()
    equip(app, config, database)
    yield app
    _idle.append(app)


class NoSolver:
    """Improvement is somebody else's test: the plan stays as insertion left it."""

    async def improve(self, *_: Any) -> None:
        """Nothing better is found."""


class Solver(NoSolver):
    """The search itself, in this process."""

    async def improve(self, problem: Problem, plan: Plan, seconds: float, seed: int) -> Plan:
        return improve(problem, plan, 0.1, seed)


class Caller:
    """One signed-in person talking to the interface."""

    def __init__(self, http: httpx.AsyncClient, token: str | None) -> None:
        self.token = token
        self._http, self._headers = http, {"Authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self._http.get(path, params=query, headers=self._headers)

    async def send(self, method: str, path: str, query: dict[str, Any], body: Any) -> httpx.Response:
        """Any request; what changes something gets a key of its own."""
        headers = {**self._headers, **({} if method == "GET" else {"Idempotency-Key": str(uuid4())})}
        return await self._http.request(method, path, params=query, json=body, headers=headers)

    async def post(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        headers = {**self._headers, "Idempotency-Key": key or str(uuid4())}
        return await self._http.post(path, json={} if body is None else body, headers=headers)


class City:
    """The platform around the city: web in this process, the dispatcher and the timers called by hand."""

    def __init__(self, owner: Database, database: Database, http: httpx.AsyncClient, config: Settings) -> None:
        self.owner, self.database, self.http, self.settings = owner, database, http, config
        self.dispatcher = Dispatcher(config, database, NoSolver())

    @classmethod
    @asynccontextmanager
    async def open(
        cls, urls: Urls, *, limits: Mapping[str, str] = LIMITS, spoilt: Sequence[str] = (), **other: Any
    ) -> AsyncIterator[Self]:
        """The city in this database; in the end it must be as the rules have it, but for what a test says it has `spoilt`."""
        await asyncio.to_thread(warm_quotes)  # as a process does before it serves: never while transactions are open
        owner = await open_as_owner(urls.owner, size=4)
        database = await Database.open(urls.app, size=12, limits=limits, time_zone=TIME_ZONE.key)
        config = settings(database, **other)
        try:
            with _lent(config, database) as app:
                async with asking(app) as http:
                    yield (opened := cls(owner, database, http, config))
                await must_be_sound(opened.sql, spoilt)
        finally:
            await database.close()
            await owner.close()

    async def sql(self, statement: str, *args: Any) -> list[dict[str, Any]]:
        """As the owner: a test's preparations write what no statement of the platform writes."""
        async with self.owner.unit_of_work(SYSTEM) as connection:
            return [dict(row) for row in await connection.fetch(statement, *args)]

    async def one(self, statement: str, *args: Any) -> Any:
        return next(iter((await self.sql(statement, *args))[0].values()))

    async def clock(self, instant: datetime) -> None:
        """It is now this instant, and stays so."""
        async with self.owner.unit_of_work(SYSTEM) as connection:
            await queries.set_clock(connection, instant, 0.0)

    async def signed_in(self, account_id: UUID) -> Caller:
        token = proofs.new_token()
        await self.sql(
            "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
            proofs.token_hash(token), account_id,
        )  # fmt: skip
        return Caller(self.http, token)

    async def staff(self, role: str, provider_id: UUID | None = None) -> Caller:
        account_id = await self.one(
            """INSERT INTO accounts (role, name, login, password_hash, provider_id)
               VALUES ($1, '某人', $2, 'none', $3) RETURNING id""",
            role, str(uuid4()), provider_id,
        )  # fmt: skip
        return await self.signed_in(account_id)

    async def worker(self, worker_id: UUID | str) -> Caller:
        return await self.signed_in(
            await self.one("SELECT account_id FROM workers WHERE id = $1", UUID(str(worker_id)))
        )

    async def resident(self, *, ability: int = 0, zone: str = "Z1", number: int = 0) -> dict[str, Any]:
        """The nth resident of a zone with an ability level of at least so much (of bands 0..2 and 3..4)."""
        rows = await self.sql(
            """SELECT r.id, r.account_id, r.phone, r.gender, h.zone_id FROM residents r
               JOIN homes h ON h.resident_id = r.id JOIN zones z ON z.id = h.zone_id
               WHERE z.code = $1 AND (r.ability_level > 2) = ($2 > 2) ORDER BY r.phone""",
            zone, ability,
        )  # fmt: skip
        return rows[number]

    async def daughter(self, resident_id: UUID) -> UUID:
        return await self.one(
            "SELECT account_id FROM consents WHERE resident_id = $1 AND purpose = 'book'", resident_id
        )

    async def meal_point(self, zone_id: UUID) -> UUID:
        return await self.one("SELECT id FROM facilities WHERE zone_id = $1 ORDER BY name LIMIT 1", zone_id)

    async def manual_acceptance(self) -> None:
        """No provider accepts by rule."""
        await self.sql("UPDATE providers SET auto_accept = false")

    async def dispatch(self) -> None:
        """One look of the dispatcher at what waits."""
        await self.dispatcher.renew()
        await self.dispatcher.cycle()
        await asyncio.gather(*self.dispatcher._improving.values())

    async def timers(self) -> None:
        """Everything due has happened."""
        while await fire_due(self.database):
            pass

    async def until_it_waits(self, task: "asyncio.Task[Any]") -> None:
        """Go on when somebody waits for a lock, or the task is done without."""
        while not task.done():
            if await self.one("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                return

    async def quote(self, who: Caller, resident_id: UUID, item: str, *span: datetime) -> list[dict[str, Any]]:
        wish = {"from_at": span[0].isoformat(), "to_at": span[1].isoformat()} if span else None
        body = {"resident_id": str(resident_id), "item_code": item, "wish": wish, "days": 1}
        answer = await who.post("/v1/quotes", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["slots"]

    async def booked(
        self, who: Caller, resident_id: UUID, item: str, *span: datetime, channel: str = "app"
    ) -> dict[str, Any]:
        """Book the first slot offered in a span."""
        slots = await self.quote(who, resident_id, item, *span)
        answer = await who.post("/v1/bookings", {"slot": slots[0]["token"], "channel": channel})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def order(self, order_id: str) -> dict[str, Any]:
        return (await self.sql("SELECT * FROM orders WHERE id = $1", UUID(order_id)))[0]

    async def door(self, order_id: str) -> dict[str, float]:
        """What a phone at the order's door says of where it is."""
        row = (await self.sql("SELECT p.x, p.y FROM orders o JOIN places p ON p.id = o.place_id WHERE o.id = $1",
                              UUID(order_id)))[0]  # fmt: skip
        return {"x": row["x"], "y": row["y"]}

    async def crew(self, order_id: str) -> list[dict[str, Any]]:
        return await self.sql(
            """SELECT seat, worker_id, status FROM assignments WHERE order_id = $1
               AND status IN ('proposed', 'accepted', 'en_route', 'checked_in', 'checked_out') ORDER BY seat""",
            UUID(order_id),
        )  # fmt: skip
