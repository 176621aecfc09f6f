"""Coming in: codes, passwords, sessions that end at once, and doors that stay closed."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pyotp
import pytest
from argon2 import PasswordHasher

from backend.accounts import old_queries
from backend.core.principal import SYSTEM, Role
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.web import create_app
from tests.support.people import asking, consent, one_database, person, prepared_by_the_owner, settings


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture(scope="module")
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(create_app(settings(database), database)) as client:
        yield client


async def _code(client: httpx.AsyncClient, phone: str) -> dict:
    answer = await client.post("/v1/sign-in/codes", json={"phone": phone})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_a_code_signs_its_holder_in_once(client, database):
    resident = await person(database, "resident")
    sent = await _code(client, resident.phone.removeprefix("+86"))
    proof = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}

    answers = await asyncio.gather(*(client.post("/v1/sign-in/phone", json=proof) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201] + [401] * 7
    session = next(answer.json() for answer in answers if answer.status_code == 201)
    assert session["role"] == "resident"
    assert session["resident_id"] == str(resident.own_id)
    me = await client.get("/v1/me", headers={"Authorization": f"Bearer {session['token']}"})
    assert me.status_code == 200
    assert "token" not in me.json()
    assert me.json()["account_id"] == str(resident.account_id)


@pytest.mark.parametrize(("wrong", "status"), [(4, 201), (5, 401)])
async def test_five_wrong_tries_spoil_a_code(client, database, wrong, status):
    resident = await person(database, "resident")
    sent = await _code(client, resident.phone)
    other = f"{(int(sent['demo_code']) + 1) % 1_000_000:06}"
    for _ in range(wrong):
        answer = await client.post("/v1/sign-in/phone", json={"challenge_id": sent["challenge_id"], "code": other})
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_failed")

    answer = await client.post(
        "/v1/sign-in/phone", json={"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}
    )

    assert answer.status_code == status


async def test_a_code_typed_with_a_gap_comes_in_and_a_slip_of_the_hand_counts_for_nothing(client, database):
    """Ten of them locked a desk for a quarter of an hour."""
    resident = await person(database, "resident")
    sent = await _code(client, resident.phone)
    for slip in ("1", "12345", "abcdef", "1234567", "12345o") * 3:
        proof = {"challenge_id": sent["challenge_id"], "code": slip}
        assert (await client.post("/v1/sign-in/phone", json=proof)).status_code == 401
    code = sent["demo_code"]
    gap = {"challenge_id": sent["challenge_id"], "code": f"{code[:3]} {code[3:]}\n"}
    assert (await client.post("/v1/sign-in/phone", json=gap)).status_code == 201


async def test_a_code_fits_its_own_challenge_only_and_expires(client, database):
    resident = await person(database, "resident")
    first, second = await _code(client, resident.phone), await _code(client, resident.phone)
    if first["demo_code"] != second["demo_code"]:
        crossed = {"challenge_id": first["challenge_id"], "code": second["demo_code"]}
        assert (await client.post("/v1/sign-in/phone", json=crossed)).status_code == 401
    assert first["expires_in_s"] == 300
    for older, status in ((298, 201), (301, 401)):
        sent = await _code(client, resident.phone)
        async with prepared_by_the_owner(database) as connection:
            await connection.execute(
                "UPDATE sign_in_codes SET expires_at = expires_at - make_interval(secs => $1) WHERE id = $2",
                older, UUID(sent["challenge_id"]),
            )  # fmt: skip
        late = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}
        assert (await client.post("/v1/sign-in/phone", json=late)).status_code == status


async def test_an_unknown_number_gets_the_same_answer_and_no_session(client):
    sent = await _code(client, "+8613900000000")
    assert set(sent) == {"challenge_id", "expires_in_s", "demo_code"}
    answer = await client.post(
        "/v1/sign-in/phone", json={"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}
    )
    assert answer.status_code == 401


async def test_what_is_no_number_is_refused(client):
    for phone in ("12", "call me", "+86 000", "1" * 39):
        answer = await client.post("/v1/sign-in/codes", json={"phone": phone})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_phone")


async def test_outside_the_demo_a_number_gets_one_code_a_minute_and_never_sees_it(database):
    real = settings(database, demo=False)
    async with asking(create_app(real, database)) as client:
        answers = await asyncio.gather(
            *(client.post("/v1/sign-in/codes", json={"phone": "13900000001"}) for _ in range(6))
        )
        assert sorted(answer.status_code for answer in answers) == [202] + [429] * 5
        assert all("demo_code" not in answer.json() for answer in answers)
        assert next(a for a in answers if a.status_code == 429).headers["retry-after"] == "60"


@pytest.fixture(scope="module")
def password_hash() -> str:
    return PasswordHasher().hash("correct horse")


async def test_staff_need_password_and_a_fresh_one_time_password(client, database, password_hash):
    secret = pyotp.random_base32()
    staff = await person(database, "operator", login="desk", password_hash=password_hash, totp_secret=secret)
    totp = pyotp.TOTP(secret)
    for steps, bad in (
        (0, {"password": "wrong"}), (0, {"totp": "000000"}), (0, {"totp": ""}), (0, {"login": "nobody"}), (-3, {}), (3, {}),
    ):  # fmt: skip
        shown = totp.at(time.time() + 30 * steps)  # half a minute either way is a slow clock
        good = {"login": "desk", "password": "correct horse", "totp": shown}
        assert (await client.post("/v1/sign-in/password", json=good | bad)).status_code == 401
    good = {"login": "desk", "password": "correct horse", "totp": totp.now()}
    answers = await asyncio.gather(*(client.post("/v1/sign-in/password", json=good) for _ in range(4)))

    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 201, "each step works once"
    assert set(codes[1:]) <= {401, 429}, "or a busy hasher has sent them away"
    (signed_in,) = [answer.json() for answer in answers if answer.status_code == 201]
    async with database.unit_of_work(SYSTEM) as connection:
        began = await connection.fetchval(
            "SELECT max(created_at) FROM sessions WHERE account_id = $1", staff.account_id
        )
    assert datetime.fromisoformat(signed_in["expires_at"]) == began + timedelta(hours=12), "a shift at the desk"
    earlier = good | {"totp": totp.at(time.time() - 30)}
    assert (await client.post("/v1/sign-in/password", json=earlier)).status_code == 401, "an older step is spent too"
    sent = await _code(client, staff.phone)
    proof = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}
    assert (await client.post("/v1/sign-in/phone", json=proof)).status_code == 401, "no way round the password"
    for role, stored in (("worker", password_hash), ("supervisor", None), ("operator", None)):
        someone = await person(database, role, login=f"{role} too", password_hash=stored)
        sent = await _code(client, someone.phone)
        proof = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}
        assert (await client.post("/v1/sign-in/phone", json=proof)).status_code == 401, role


async def test_signing_out_and_closing_an_account_end_the_session_at_once(client, database):
    one, other = await person(database, "resident"), await person(database, "resident")
    assert (await client.delete("/v1/sign-in", headers=one.headers)).status_code == 204
    assert (await client.get("/v1/me", headers=one.headers)).status_code == 401
    async with prepared_by_the_owner(database) as connection:
        await connection.execute("UPDATE accounts SET active = false WHERE id = $1", other.account_id)
        await connection.execute("INSERT INTO account_numbers VALUES ($1, $2)", other.account_id, one.phone)
    assert (await client.get("/v1/me", headers=other.headers)).status_code == 401
    for number, status in ((other.phone, 401), (one.phone, 201)):
        sent = await _code(client, number)
        proof = {"challenge_id": sent["challenge_id"], "code": sent["demo_code"]}
        assert (await client.post("/v1/sign-in/phone", json=proof)).status_code == status, "nor do they come in again"


async def test_a_cookie_from_another_site_changes_nothing(client, database):
    resident = await person(database, "resident")
    cookie = {"Cookie": f"yinling_session={resident.token}"}
    assert (await client.get("/v1/me", headers=cookie)).status_code == 200
    for evil in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        assert (await client.delete("/v1/sign-in", headers=cookie | evil)).status_code == 403
    ours = {"Origin": str(client.base_url).rstrip("/")}
    assert (await client.delete("/v1/sign-in", headers=cookie | ours)).status_code == 204


async def test_consent_decides_whom_family_acts_for_and_whom_they_only_follow(database):
    family = await person(database, "family")
    booked, followed, ended = [await person(database, "resident") for _ in range(3)]
    await consent(database, booked.own_id, family.account_id, "book")
    await consent(database, booked.own_id, family.account_id, "status")
    await consent(database, followed.own_id, family.account_id, "status")
    over = await consent(database, ended.own_id, family.account_id, "book")
    async with database.unit_of_work(SYSTEM) as connection:
        await connection.execute("UPDATE consents SET valid_to = now() WHERE id = $1", over)

    from backend.accounts.actions import who_is

    principal = (await who_is(database, family.token)).principal

    assert principal.role is Role.FAMILY
    assert set(principal.resident_ids) == {booked.own_id, followed.own_id}
    assert principal.acts_for(booked.own_id)
    assert not principal.acts_for(followed.own_id)
    assert not principal.acts_for(ended.own_id)


async def test_nobody_reads_sessions_without_their_token(database):
    await person(database, "resident")
    async with database.as_nobody() as connection:
        assert await connection.fetchval("SELECT count(*) FROM sessions") == 0
        assert await connection.fetchval("SELECT count(*) FROM signed_in") == 0
        assert await connection.fetchval("SELECT count(*) FROM session_by_token($1)", uuid4().bytes) == 0


async def test_what_nobody_can_use_any_more_is_thrown_away(database):
    async with database.unit_of_work(SYSTEM) as connection:
        await connection.execute(
            "INSERT INTO live_tickets (token_hash, expires_at) VALUES ('old', now() - interval '1 s'), ('new', now() + interval '9 s')"
        )
        assert await old_queries.forget_tickets(connection, 0, 100) == 1
        kept = await connection.fetch("SELECT token_hash FROM live_tickets WHERE session_id IS NULL")
    assert [row["token_hash"] for row in kept] == [b"new"]
