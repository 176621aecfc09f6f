"""Sessions: as long as each role needs, extended by use, listed and ended by their owner."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pyotp
import pytest
from argon2 import PasswordHasher

from backend.accounts import old_queries
from backend.accounts.proofs import token_hash
from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.gateway import create_gateway
from backend.processes.web import create_app
from tests.support.feeds import reading
from tests.support.people import Person, asking, one_database, person, prepared_by_the_owner, served, settings

_HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("correct horse")


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture(scope="module")
async def web(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(create_app(settings(database), database)) as client:
        yield client


async def _signed_in(web: httpx.AsyncClient, someone: Person, **more: str) -> dict:
    sent = (await web.post("/v1/sign-in/codes", json={"phone": someone.phone})).json()
    proof = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"], **more}
    answer = await web.post("/v1/sign-in/phone", json=proof)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _sql(database: Database, statement: str, *args: object) -> list[dict]:
    async with prepared_by_the_owner(database) as connection:
        return [dict(row) for row in await connection.fetch(statement, *args)]


async def _older(database: Database, token: str, by: timedelta) -> None:
    """So much time has gone by since the session was opened, without a request."""
    found = await _session_id(database, token)
    await _sql(
        database,
        """UPDATE sessions SET created_at = created_at - $2::interval, last_seen_at = last_seen_at - $2::interval,
                  expires_at = expires_at - $2::interval WHERE id = $1""",
        found, by,
    )  # fmt: skip


async def _session_id(database: Database, token: str) -> UUID:
    return (await _sql(database, "SELECT id FROM sessions WHERE token_hash = $1", token_hash(token)))[0]["id"]


def _days_left(answer: httpx.Response) -> float:
    assert answer.status_code == 200, answer.text
    return (datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)) / timedelta(days=1)


@pytest.mark.parametrize(("role", "days"), [("resident", 90), ("family", 90), ("worker", 30)])
async def test_a_session_in_use_goes_on_and_one_that_is_not_ends(web, database, role, days):
    """An old person is not asked for a code again and again; a phone in a drawer does not stay signed in."""
    token = (await _signed_in(web, await person(database, role)))["token"]
    assert _days_left(await web.get("/v1/me", headers=_as(token))) == pytest.approx(days, abs=0.1)
    for _ in range(3):
        await _older(database, token, timedelta(days=days - 1))
        await web.get("/v1/me", headers=_as(token))
        assert _days_left(await web.get("/v1/me", headers=_as(token))) == pytest.approx(days, abs=0.1)
    await _older(database, token, timedelta(days=days, minutes=1))
    assert (await web.get("/v1/me", headers=_as(token))).status_code == 401


async def test_a_desk_signs_in_every_day_however_busy_it_is(web, database):
    """Twelve hours from signing in, used or not; four without a request are a desk that was left."""
    secret = pyotp.random_base32()
    for idle, hours, status, role in (
        (1, 11, 200, "operator"), (1, 13, 401, "operator"), (5, 5, 401, "operator"), (5, 5, 401, "provider"),
        (5, 5, 401, "supervisor"),
    ):  # fmt: skip
        login = f"desk-{uuid4()}"
        await person(database, role, login=login, password_hash=_HASH, totp_secret=secret)
        proof = {"login": login, "password": "correct horse", "totp": pyotp.TOTP(secret).now()}
        answer = await web.post("/v1/sign-in/password", json=proof)
        token = answer.json()["token"]
        assert _days_left(await web.get("/v1/me", headers=_as(token))) == pytest.approx(0.5, abs=0.01)
        for _ in range(hours // idle):
            await _older(database, token, timedelta(hours=idle))
            answer = await web.get("/v1/me", headers=_as(token))
        assert answer.status_code == status, (idle, hours)


async def test_a_request_writes_nothing_within_the_hour_and_once_after_it(web, database):
    """Extending a session with each request would make every read a write."""
    token = (await _signed_in(web, await person(database, "resident")))["token"]
    session_id = await _session_id(database, token)

    async def version() -> int:
        return (await _sql(database, "SELECT xmin::text::bigint AS v FROM sessions WHERE id = $1", session_id))[0]["v"]

    before = await version()
    await asyncio.gather(*(web.get("/v1/me", headers=_as(token)) for _ in range(5)))
    assert await version() == before
    await _older(database, token, timedelta(hours=2))
    await asyncio.gather(*(web.get("/v1/me", headers=_as(token)) for _ in range(5)))
    after = await version()
    await asyncio.gather(*(web.get("/v1/me", headers=_as(token)) for _ in range(5)))
    assert await version() == after != before


async def test_their_owner_lists_and_ends_them(web, database):
    """A lost phone is signed out from another; nobody sees or ends a session of somebody else."""
    someone, other = await person(database, "resident"), await person(database, "resident")
    phone = (await _signed_in(web, someone, device="女儿的旧手机"))["token"]
    tablet = (await _signed_in(web, someone))["token"]
    listed = (await web.get("/v1/me/sessions", headers=_as(tablet))).json()
    assert len(listed) == 3, "the one the fixture opened, the phone and the tablet"
    assert set(listed[0]) == {"id", "current", "device", "created_at", "last_seen_at", "expires_at"}
    assert [one["current"] for one in listed].count(True) == 1
    lost = next(one for one in listed if one["device"] == "女儿的旧手机")
    assert not lost["current"]
    assert datetime.fromisoformat(lost["last_seen_at"]).minute == 0, "when it was used, to the hour only"

    path = f"/v1/me/sessions/{lost['id']}"
    assert (await web.delete(path, headers=other.headers)).json()["code"] == "unknown_session"
    assert (await web.get("/v1/me", headers=_as(phone))).status_code == 200
    assert (await web.delete(path, headers=_as(tablet))).status_code == 204
    assert (await web.get("/v1/me", headers=_as(phone))).status_code == 401
    assert (await web.delete(path, headers=_as(tablet))).json()["code"] == "unknown_session"

    assert (await web.delete("/v1/me/sessions", headers=_as(tablet))).status_code == 204
    assert (await web.get("/v1/me", headers=someone.headers)).status_code == 401
    assert [one["current"] for one in (await web.get("/v1/me/sessions", headers=_as(tablet))).json()] == [True]
    assert (await web.get("/v1/me", headers=other.headers)).status_code == 200


async def test_sockets_of_a_session_that_was_ended_close(web, database):
    """A stolen phone stops hearing where its owner's nurse is."""
    someone = await person(database, "resident")
    tablet = (await _signed_in(web, someone))["token"]
    async with (
        served(create_gateway(settings(database), database)) as gateway,
        reading(database, gateway, someone.token) as phone,
    ):
        assert (await phone.next())["type"] in {"hello", "reset"}
        await web.delete("/v1/me/sessions", headers=_as(tablet))
        assert await phone.closed(within=20) == 4401


async def test_one_account_cannot_fill_the_table(web, database):
    """The twenty-first session ends the one used longest ago, and the housekeeping throws old ends away."""
    someone = await person(database, "family")
    tokens = [(await _signed_in(web, someone))["token"] for _ in range(21)]
    assert len((await web.get("/v1/me/sessions", headers=_as(tokens[-1]))).json()) == 20
    assert (await web.get("/v1/me", headers=someone.headers)).status_code == 401
    await _sql(
        database,
        "UPDATE sessions SET revoked_at = now() - interval '31 days' WHERE account_id = $1 AND revoked_at IS NOT NULL",
        someone.account_id,
    )
    async with database.unit_of_work(SYSTEM) as connection:
        assert await old_queries.forget_sessions(connection, 30, 100) == 2
    rows = await _sql(database, "SELECT count(*) AS n FROM sessions WHERE account_id = $1", someone.account_id)
    assert rows[0]["n"] == 20


@pytest.mark.parametrize("name", ["token", "access_token", "ticket", "session", "Token"])
async def test_a_token_in_an_address_is_refused(web, database, name):
    """Addresses end up in logs, histories and screenshots; who sends a token there is told so, not served."""
    someone = await person(database, "resident")
    answer = await web.get("/v1/me", params={name: someone.token}, headers=someone.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert someone.token not in answer.text
