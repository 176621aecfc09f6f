"""Connections are few and waited for in line: one locked row, one crowd or one frozen process keeps nobody else waiting."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest

from backend.core.errors import DomainError
from backend.core.principal import SYSTEM
from backend.database.pool import LIMITS, PATIENCE_S, Database, Lane
from backend.processes.embedded import Embedded, Urls
from backend.processes.problems import UNAVAILABLE
from backend.processes.web import create_app, lanes
from backend.scheduling import quotes
from tests.support.city import Caller, City, at
from tests.support.people import asking, client_of, settings

_AT_ONCE = 7  # the connections of one web process
_STUCK_S = 60
_STUCK = {**LIMITS, "statement_timeout": "90s", "lock_timeout": "90s", "transaction_timeout": "90s"}
_CUT = """SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
          WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()"""


@asynccontextmanager
async def _web(
    city: City, limits: Mapping[str, str] = LIMITS, patience_s: float = PATIENCE_S
) -> AsyncIterator[tuple[Database, httpx.AsyncClient]]:
    """A web process's application with the connections it has, beside the city's own."""
    database = await Database.open(city.database.url, lanes=lanes(_AT_ONCE), limits=limits, patience_s=patience_s)
    try:
        async with asking(create_app(settings(database), database)) as http:
            yield database, http
    finally:
        await database.close()


@asynccontextmanager
async def _held(city: City, statement: str, *args: Any) -> AsyncIterator[None]:
    """Somebody else holds a lock and does nothing."""
    async with city.owner.line(Lane.COUNTER).connection() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.role', 'system', true)")
        await connection.execute(statement, *args)
        yield


def _cut(url: str) -> int:
    """The server ends every session of the application; the loop that calls this stands still and has seen nothing of it."""

    async def cut() -> int:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(_CUT)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, cut()).result()


async def _idle(database: Database) -> None:
    """Every connection is back and nobody waits; requests given up by their callers end by themselves."""
    for _ in range(400):
        if not any(database.line(lane).in_use or database.line(lane).length for lane in Lane):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("connections are still with somebody")


async def test_a_locked_plan_keeps_no_other_zone_no_sign_in_and_no_readiness_waiting(city: City):
    """Thirty bookings wait for one zone's plan; they may fail, and nobody else may notice."""
    operator = await city.staff("operator")
    here, there = await city.resident(zone="Z1"), await city.resident(zone="Z2")
    await city.booked(operator, (await city.resident(zone="Z1", number=1))["id"], "rehab-home", at(9), at(17))
    slot = (await city.quote(operator, here["id"], "rehab-home", at(9), at(17)))[0]["token"]
    other = (await city.quote(operator, there["id"], "rehab-home", at(9), at(17)))[0]["token"]
    token = operator._headers["Authorization"].removeprefix("Bearer ")
    async with _web(city) as (database, http):
        here_too = Caller(http, token)
        async with _held(city, "SELECT FROM plans WHERE zone_id = $1 FOR UPDATE", here["zone_id"]):
            crowd = [
                asyncio.create_task(here_too.post("/v1/bookings", {"slot": slot, "channel": "phone"}))
                for _ in range(30)
            ]
            await asyncio.sleep(0.5)
            async with asyncio.timeout(6):
                assert (await http.get("/health/ready")).status_code == 200
                assert (await http.post("/v1/sign-in/codes", json={"phone": "13900001111"})).status_code == 202
                assert (await here_too.post("/v1/bookings", {"slot": other, "channel": "phone"})).status_code == 201
                assert (await here_too.get("/v1/orders")).status_code == 200
            assert not all(task.done() for task in crowd)
        answers = await asyncio.gather(*crowd)
        for answer in answers:
            assert answer.status_code in {201, 409, 503}, answer.text
            assert answer.status_code != 503 or int(answer.headers["Retry-After"]) > 0
        await _idle(database)


async def test_sixty_impatient_callers_keep_no_sign_in_waiting_and_leave_no_connection_behind(city: City):
    """Their quotes stand still for longer than a sign-in may take, and all of them have hung up before one is answered."""
    operator = await city.staff("operator")
    someone = await city.resident()
    token = operator._headers["Authorization"].removeprefix("Bearer ")
    body = {"resident_id": str(someone["id"]), "item_code": "rehab-home", "days": 1}
    async with _web(city, _STUCK, _STUCK_S) as (database, http):
        async with _held(city, "LOCK TABLE catalogue_items IN ACCESS EXCLUSIVE MODE"):

            async def impatient() -> int | None:
                async with client_of(http.base_url, timeout=0.5) as mine:
                    try:
                        headers = {"Authorization": f"Bearer {token}"}
                        return (await mine.post("/v1/quotes", json=body, headers=headers)).status_code
                    except httpx.TimeoutException:
                        return None

            crowd = [asyncio.create_task(impatient()) for _ in range(60)]
            await asyncio.sleep(0.3)
            for number in range(5):
                async with asyncio.timeout(_STUCK_S / 3):
                    answer = await http.post("/v1/sign-in/codes", json={"phone": f"1390000222{number}"})
                    assert answer.status_code == 202
                    assert (await http.get("/health/ready")).status_code == 200
            assert set(await asyncio.gather(*crowd)) <= {None, 503}
        await _idle(database)
        assert (await Caller(http, token).post("/v1/quotes", body)).status_code == 200


async def test_a_key_takes_no_more_than_its_share_and_turns_go_round(database_urls: Urls):
    """Whoever asks ten times waits behind whoever asks once."""
    database = await Database.open(database_urls.app, size=2)
    line, order = database.line(Lane.COUNTER), list[str]()
    go = asyncio.Event()

    async def ask(key: str) -> None:
        async with line.connection(key):
            order.append(key)
            await go.wait()

    try:
        first = [asyncio.create_task(ask("many")) for _ in range(5)]
        await asyncio.sleep(0.2)
        assert (order, line.in_use, line.length) == (["many"], 1, 4)
        others = [asyncio.create_task(ask(key)) for key in ("one", "two", "three")]
        await asyncio.sleep(0.2)
        assert order == ["many", "one"]
        go.set()
        await asyncio.gather(*first, *others)
        assert order.index("three") < 6
        assert (line.in_use, line.length) == (0, 0)
    finally:
        await database.close()


async def test_a_line_that_is_too_long_or_too_slow_says_come_again_and_who_leaves_takes_nothing_along(
    database_urls: Urls,
):
    database = await Database.open(database_urls.app, size=1, patience_s=0.2)
    line = database.line(Lane.COUNTER)
    try:
        async with line.connection("a"):
            waiting = [asyncio.create_task(line.connection("b").__aenter__()) for _ in range(32)]
            await asyncio.sleep(0)
            with pytest.raises(DomainError, match="busy"):
                await line.connection("b").__aenter__()
            waiting[0].cancel()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(results[0], asyncio.CancelledError)
            assert all(isinstance(result, DomainError) and result.status == 503 for result in results[1:])
            gone = asyncio.create_task(line.connection("b").__aenter__())
            await asyncio.sleep(0)
        gone.cancel()  # handed the connection in this very moment
        await asyncio.gather(gone, return_exceptions=True)
        assert (line.in_use, line.length) == (0, 0)
        async with line.connection("c") as connection:
            assert await connection.fetchval("SELECT 1") == 1
    finally:
        await database.close()


async def test_a_server_with_fewer_connections_than_we_would_take_is_waited_for(server: Embedded, database_urls: Urls):
    """Opening one more fails; whoever asks gets one of those that are open instead of an error."""
    superuser = await asyncpg.connect(server.url(urlsplit(database_urls.app).path.lstrip("/")))
    role = f"few_{uuid4().hex[:12]}"
    await superuser.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 2")
    database = await Database.open(database_urls.app.replace("//yinling_app@", f"//{role}@"), size=8)
    try:

        async def work(number: int) -> int:
            async with database.line(Lane.COUNTER).connection(number) as connection:
                return await connection.fetchval("SELECT $1::int FROM pg_sleep(0.02)", number)

        assert await asyncio.gather(*(work(number) for number in range(40))) == list(range(40))
    finally:
        await database.close()
        await superuser.execute(f"DROP ROLE {role}")
        await superuser.close()


async def test_every_connection_has_its_limits_whatever_the_role_was_given(server: Embedded, database_urls: Urls):
    """A server set up without ops/postgres-roles.sh must not wait for ever."""
    superuser = await asyncpg.connect(server.url(urlsplit(database_urls.app).path.lstrip("/")))
    role = f"plain_{uuid4().hex[:12]}"
    await superuser.execute(f"CREATE ROLE {role} LOGIN")
    database = await Database.open(database_urls.app.replace("//yinling_app@", f"//{role}@"), size=1)
    try:
        async with database.as_nobody() as connection:
            for name, value in LIMITS.items():
                if not name.startswith("tcp_"):  # a Unix socket has none
                    assert await connection.fetchval(f"SHOW {name}") == value, name
    finally:
        await database.close()
        await superuser.execute(f"DROP ROLE {role}")
        await superuser.close()


@pytest.mark.parametrize(("thinks", "soft"), [("quote", False), ("place", True)])
async def test_a_quote_thinks_when_its_connection_is_back(
    city: City, monkeypatch: pytest.MonkeyPatch, thinks: str, soft: bool
):
    """The first quotes of a busy process think longer than the server lets a transaction lie idle: it ended the session."""
    operator = await city.staff("operator")
    someone = await city.resident()
    token = operator._headers["Authorization"].removeprefix("Bearer ")
    body: dict[str, Any] = {"resident_id": str(someone["id"]), "item_code": "rehab-home", "days": 2}
    if soft:
        body["wish"] = {"from_at": at(9).isoformat(), "to_at": at(10).isoformat(), "soft": True}
    async with _web(city) as (database, http):
        think, held = getattr(quotes, thinks), list[int]()

        def cut_off(*args: Any) -> Any:
            held.append(sum(database.line(lane).in_use for lane in Lane))
            _cut(database.url)
            return think(*args)

        monkeypatch.setattr(quotes, thinks, cut_off)
        answer = await Caller(http, token).post("/v1/quotes", body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["slots"]
        assert held
        assert not any(held)
        asked = "SELECT sum(asked) FROM quotes_asked WHERE resident_id = $1"
        assert await city.one(asked, someone["id"]) == 1


async def test_a_connection_the_server_has_ended_is_replaced_before_anything_is_done(database_urls: Urls):
    """A restart, a failover or an administrator ends sessions that lie in the line; whoever comes next must not notice."""
    database = await Database.open(database_urls.app, size=2)
    try:
        async with database.unit_of_work(SYSTEM) as connection:
            first = await connection.fetchval("SELECT pg_backend_pid()")
        assert _cut(database.url) == 1
        async with database.unit_of_work(SYSTEM) as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") != first
            assert await connection.fetchval("SELECT current_setting('app.role')") == "system"
        assert _cut(database.url) == 1
        assert await database.ask_as_nobody(lambda connection: connection.fetchval("SELECT 1")) == 1
        assert (database.line(Lane.COUNTER).in_use, database.line(Lane.COUNTER).length) == (0, 0)
    finally:
        await database.close()


async def test_work_that_is_cut_off_in_the_middle_is_not_done_twice(database_urls: Urls):
    """Only what has not begun is begun again: nobody knows how much of the rest had happened."""
    database, begun = await Database.open(database_urls.app, size=2), list[int]()

    async def work() -> None:
        async with database.unit_of_work(SYSTEM) as connection:
            begun.append(_cut(database.url))
            await connection.execute("SELECT 1")

    try:
        with pytest.raises(UNAVAILABLE):
            await work()
        assert begun == [1]
        async with database.unit_of_work(SYSTEM) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        assert (database.line(Lane.COUNTER).in_use, database.line(Lane.COUNTER).length) == (0, 0)
    finally:
        await database.close()


async def test_a_transaction_that_outlives_its_time_is_no_fault_of_the_program(database_urls: Urls):
    """The server ends its session; people are asked to come again, and the next one gets a connection that is whole."""
    limits = {**LIMITS, "transaction_timeout": "200ms"}
    database = await Database.open(database_urls.app, size=1, limits=limits)

    async def work() -> None:
        async with database.unit_of_work(SYSTEM) as connection:
            await connection.execute("SELECT pg_sleep(9)")

    try:
        for _ in range(2):
            with pytest.raises(UNAVAILABLE):
                await work()
        assert await database.ask_as_nobody(lambda connection: connection.fetchval("SELECT 1")) == 1
    finally:
        await database.close()


async def test_who_hangs_up_while_a_connection_is_opened_or_begun_leaves_it_whole(database_urls: Urls):
    """Given up at each of its first steps in turn, a unit of work leaves nothing to whoever comes next."""
    database = await Database.open(database_urls.app, size=1)

    async def work() -> Any:
        async with database.unit_of_work(SYSTEM) as connection:
            return await connection.fetchval("SELECT count(*) FROM zones")

    try:
        for steps in range(40):
            if steps % 4 == 0:
                _cut(database.url)
            task = asyncio.create_task(work())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with asyncio.timeout(10):
                assert await work() == 0
            assert (database.line(Lane.COUNTER).in_use, database.line(Lane.COUNTER).length) == (0, 0)
    finally:
        await database.close()
