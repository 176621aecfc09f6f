"""Limits of sign-in: shared by all processes, slowing whoever guesses, locking out nobody who is honest."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pyotp
import pytest
from argon2 import PasswordHasher

from backend.accounts import old_queries, proofs
from backend.accounts.hashing import Hashing
from backend.core.clock import machine_now
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.web import create_app
from tests.support.people import Person, asking, client_of, one_database, person, settings

PROXIED = {"trusted_proxies": "127.0.0.0/8"}  # the tests stand where a proxy would
RIGHT, WRONG = "correct horse", "battery staple"
_hosts = itertools.count(1)


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture(scope="module")
async def web(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(create_app(settings(database, **PROXIED), database)) as client:
        yield client


@pytest.fixture(scope="module")
async def real(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """Outside the demo, where a code costs a message."""
    async with asking(create_app(settings(database, demo=False, **PROXIED), database)) as client:
        yield client


@pytest.fixture(autouse=True)
async def _long_ago(database: Database) -> None:
    """Whatever was counted before has leaked away."""
    async with database.unit_of_work(SYSTEM) as connection:
        await connection.execute("DELETE FROM limits")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Passwords compared at once instead of slowly; the list of those that were tried."""
    tried: list[str] = []

    def fits(stored: str | None, password: str) -> bool:
        tried.append(password)
        return stored is not None and password == RIGHT

    monkeypatch.setattr(proofs, "password_fits", fits)
    return tried


def _elsewhere() -> str:
    return f"198.18.{next(_hosts) // 200}.{next(_hosts) % 200}"


class Desk:
    """A member of staff, with the device that makes the one-time passwords."""

    def __init__(self, login: str, totp: pyotp.TOTP) -> None:
        self.login, self._totp = login, totp
        self._behind = itertools.count(-1)

    def code(self) -> str:
        """A one-time password that was not used yet; three in a row can be had."""
        return self._totp.generate_otp(self._totp.timecode(machine_now()) + next(self._behind))


async def _desk(database: Database, role: str = "operator") -> Desk:
    login, secret = f"desk-{uuid4()}", pyotp.random_base32()
    await person(database, role, login=login, password_hash=_HASH, totp_secret=secret)
    return Desk(login, pyotp.TOTP(secret))


_HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(RIGHT)


async def _try(
    client: httpx.AsyncClient, login: str, password: str, totp: str = "000000", address: str = "203.0.113.1"
) -> httpx.Response:
    return await client.post(
        "/v1/sign-in/password",
        json={"login": login, "password": password, "totp": totp},
        headers={"X-Forwarded-For": address},
    )


async def _ask(client: httpx.AsyncClient, phone: str, address: str = "203.0.113.1") -> httpx.Response:
    return await client.post("/v1/sign-in/codes", json={"phone": phone}, headers={"X-Forwarded-For": address})


async def _prove(
    client: httpx.AsyncClient, challenge: str, code: str, address: str = "203.0.113.1", **more: str
) -> httpx.Response:
    headers = {"X-Forwarded-For": address} | more
    return await client.post("/v1/sign-in/phone", json={"challenge_id": challenge, "code": code}, headers=headers)


def _refused(answer: httpx.Response) -> bool:
    if answer.status_code == 401:
        return False
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests"), answer.text
    assert 1 <= int(answer.headers["retry-after"]) <= 300, "the wait is told, and has an end"
    return True


def _sent_away(answer: httpx.Response) -> bool:
    """Told to come again: by the hasher, or on a busy machine already by the line for a connection."""
    busy = answer.status_code == 503 and answer.json()["code"] == "busy" and int(answer.headers["retry-after"]) >= 1
    return busy or _refused(answer)


@asynccontextmanager
async def _two_processes(database: Database, **other: object) -> AsyncIterator[tuple[httpx.AsyncClient, ...]]:
    """Two web processes as far as the database can tell: each with its own pool."""
    second = await Database.open(database.url, size=3)
    try:
        async with (
            asking(create_app(settings(database, **PROXIED, **other), database)) as one,
            asking(create_app(settings(second, **PROXIED, **other), second)) as two,
        ):
            yield one, two
    finally:
        await second.close()


async def test_two_processes_count_together(database, quick):
    """What one process has counted the other knows, or every new process would give a guesser a fresh budget."""
    desk = await _desk(database)
    async with _two_processes(database) as clients:
        answers = [await _try(clients[n % 2], desk.login, WRONG) for n in range(12)]
        assert [_refused(answer) for answer in answers] == [False] * 10 + [True] * 2
        answers = [await _prove(clients[n % 2], str(uuid4()), "123456", "203.0.113.2") for n in range(32)]
        assert [_refused(answer) for answer in answers].count(True) == 2


async def test_a_header_of_a_stranger_makes_nobody_new(database, quick, capfd):
    """Whoever rotates X-Forwarded-For without being a listed proxy goes on being counted as one."""
    async with asking(create_app(settings(database), database)) as client:
        refused = 0
        for n in range(40):
            headers = {"X-Forwarded-For": f"198.51.100.{n}", "Forwarded": f"for=198.51.100.{n}"}
            proof = {"challenge_id": str(uuid4()), "code": "123456"}
            refused += _refused(await client.post("/v1/sign-in/phone", json=proof, headers=headers))
        assert refused >= 8
    assert "".join(capfd.readouterr()).count("proxy_not_listed") == 1, "an operator who forgot their proxy is told once"


async def test_behind_a_proxy_each_client_counts_for_itself(web):
    """The hop the proxy saw counts; what its client wrote in front of it does not."""
    answers = [await _prove(web, str(uuid4()), "000001", f"192.0.2.{n}, 203.0.113.3") for n in range(32)]
    assert _refused(answers[-1])
    assert not _refused(await _prove(web, str(uuid4()), "000001", "203.0.113.4")), "another client of the same proxy"
    answers = [await _prove(web, str(uuid4()), "000001", f"2001:db8::{n:x}") for n in range(32)]
    assert _refused(answers[-1]), "an IPv6 subscriber cannot rotate within the /64"


async def test_who_guesses_at_codes_of_others_keeps_nobody_from_their_own(web, database):
    """An address limit slows guesses down; a neighbour behind the same address comes in at once."""
    town = "203.0.113.5"
    elsewhere = await person(database, "resident")
    others = (await _ask(web, elsewhere.phone, "203.0.113.6")).json()
    waits = [await _prove(web, str(uuid4()), "123456", town) for _ in range(40)]
    assert int(waits[-1].headers["retry-after"]) > int(waits[31].headers["retry-after"]), "the wait grows"
    assert _refused(await _prove(web, others["challenge_id"], others["demo_code"], town)), "a code of others"

    neighbour = await person(database, "resident")
    sent = (await _ask(web, neighbour.phone, town)).json()
    wrong = f"{(int(sent['demo_code']) + 1) % 1_000_000:06}"
    assert _refused(await _prove(web, sent["challenge_id"], wrong, town))
    assert (await _prove(web, sent["challenge_id"], sent["demo_code"], town)).status_code == 201
    proven = await _prove(web, others["challenge_id"], others["demo_code"], "203.0.113.6")
    assert proven.status_code == 201, "guesses from elsewhere have not spoilt the code"


async def test_racing_wrong_passwords_get_no_more_tries_than_a_row_of_them(web, database, quick):
    """Each try is counted before it is hashed: forty at once that read the same count would be forty guesses."""
    desk = await _desk(database)
    answers = await asyncio.gather(*(_try(web, desk.login, WRONG) for _ in range(40)))
    assert len(quick) <= 10
    assert [_refused(answer) for answer in answers].count(True) >= 30


async def test_a_stranger_locks_no_desk_out(web, database, quick):
    """Locks hold for a login and an address: failures from elsewhere are the stranger's own."""
    desk = await _desk(database)
    for _ in range(12):
        answer = await _try(web, desk.login, WRONG, address="203.0.113.7")
    assert _refused(answer)
    assert (await _try(web, desk.login, RIGHT, desk.code(), "203.0.113.8")).status_code == 201


async def test_a_crowd_of_strangers_locks_no_desk_out_either(web, database, quick):
    """A hundred failures from everywhere slow new places down, never one the desk has signed in from, or a new one
    with a valid one-time password."""
    desk = await _desk(database)
    assert (await _try(web, desk.login, RIGHT, desk.code(), "203.0.113.9")).status_code == 201
    addresses = [_elsewhere() for _ in range(104)]
    answers = [await _try(web, desk.login, str(n), address=address) for n, address in enumerate(addresses)]
    assert _refused(answers[-1])
    assert not _refused(await _try(web, desk.login, WRONG, address="203.0.113.9")), "the known place is not held up"
    assert (await _try(web, desk.login, RIGHT, desk.code(), _elsewhere())).status_code == 201
    assert (await _try(web, desk.login, RIGHT, desk.code(), "203.0.113.9")).status_code == 201


async def test_a_second_factor_is_the_way_back_and_is_used_up_by_it(web, database, quick):
    """From a locked place the right password alone says nothing, and one one-time password buys one guess."""
    desk = await _desk(database)
    for _ in range(15):  # as long as anybody is kept waiting
        await _try(web, desk.login, WRONG)
    quick.clear()
    before = await _try(web, desk.login, RIGHT)
    assert _refused(before)
    assert quick == [], "nothing is hashed for whoever is locked"
    code = desk.code()
    assert (await _try(web, desk.login, RIGHT, code)).status_code == 201
    after = await _try(web, desk.login, RIGHT)
    assert _refused(after)
    earlier_s = int(before.headers["retry-after"]) - int(after.headers["retry-after"])
    assert earlier_s < 60, "a guess is 90 s: who has come in leaves no room for one"
    assert (await _try(web, desk.login, RIGHT, code)).status_code != 201, "no replay"
    quick.clear()
    code = desk.code()
    assert not _refused(await _try(web, desk.login, WRONG, code))
    await _try(web, desk.login, RIGHT, code)
    assert quick == [WRONG], "it was used up by the wrong guess"


async def test_ten_failures_lock_a_place_and_whoever_comes_in_has_not_failed(web, database, quick):
    desk = await _desk(database)
    tries = [await _try(web, desk.login, WRONG) for _ in range(9)]
    assert (await _try(web, desk.login, RIGHT, desk.code())).status_code == 201
    tries += [await _try(web, desk.login, WRONG) for _ in range(2)]
    assert [_refused(answer) for answer in tries] == [False] * 10 + [True]


@pytest.mark.parametrize("role", ["operator", "supervisor", "provider"])
async def test_a_desk_without_a_second_factor_stays_out(web, database, quick, role):
    """The same answer as to a wrong password; a code by telephone is no way round either."""
    login = f"bare-{uuid4()}"
    await person(database, role, login=login, password_hash=_HASH)
    bare = await _try(web, login, RIGHT, "")
    wrong = await _try(web, login, WRONG, "")
    assert (bare.status_code, wrong.status_code) == (401, 401)
    assert {**bare.json(), "request_id": ""} == {**wrong.json(), "request_id": ""}
    assert len(quick) == 2, "and as late"
    by_phone: Person = await person(database, role)
    sent = (await _ask(web, by_phone.phone)).json()
    assert (await _prove(web, sent["challenge_id"], sent["demo_code"])).status_code == 401


async def test_a_crowd_at_the_hasher_keeps_nobody_else_waiting(web, database, monkeypatch):
    """Two hundred strangers at once: a few wait, the others are told to come back, and everything else goes on."""
    gate = threading.Event()

    def stuck(stored: str | None, password: str) -> bool:
        if password != RIGHT:
            gate.wait(120)
        return stored is not None and password == RIGHT

    monkeypatch.setattr(proofs, "password_fits", stuck)
    resident, desk = await person(database, "resident"), await _desk(database)
    async with client_of(web.base_url, timeout=60, limits=httpx.Limits(max_connections=None)) as crowd:
        tries = [
            asyncio.create_task(_try(crowd, f"nobody-{n}", f"guess-{n}", address=_elsewhere())) for n in range(200)
        ]
        try:
            answered = 0
            async with asyncio.timeout(60):
                for one in asyncio.as_completed(tries):
                    answered += _sent_away(await one)
                    if answered >= 150:
                        break
            assert sum(not task.done() for task in tries) >= 1, "somebody is still being hashed"
            # on a connection of its own: one kept since before may be closed while the crowd is answered
            async with client_of(web.base_url, timeout=60) as other, asyncio.timeout(20):
                assert (await other.get("/health/ready")).status_code == 200
                assert (await other.get("/v1/me", headers=resident.headers)).status_code == 200
                signed_in = await _try(other, desk.login, RIGHT, desk.code(), _elsewhere())
                assert signed_in.status_code == 201, "whoever brings a one-time password has a lane of their own"
        finally:
            gate.set()
            rest = await asyncio.gather(*tries)
    assert [_sent_away(answer) for answer in rest].count(False) <= 8


async def test_a_try_that_cannot_be_begun_soon_is_sent_away(monkeypatch):
    """On a machine that is busy with something else a line of eight is minutes long."""
    gate, hashing = threading.Event(), Hashing()
    monkeypatch.setattr(proofs, "password_fits", lambda *_: gate.wait(30))
    monkeypatch.setattr("backend.accounts.hashing._LONGEST_S", 0.1)
    begun = asyncio.create_task(hashing.password_fits(None, "x", proven=False))
    try:
        with pytest.raises(DomainError) as refused:
            await asyncio.wait_for(hashing.password_fits(None, "x", proven=False), 20)
        assert (refused.value.code, refused.value.extra["retry_after_s"]) == ("too_many_requests", 2)
        assert not begun.done()
    finally:
        gate.set()
    assert await begun is True, "what has begun is finished"
    hashing.close()


async def test_spraying_is_noticed_and_slowed(web, database, quick, capfd):
    """One password over many logins from many places, and many logins from one place; the log names nobody."""
    logins = [f"sprayed-{uuid4()}" for _ in range(13)]
    answers = [await _try(web, login, "Sommer2026!", address=_elsewhere()) for login in logins]
    assert [_refused(answer) for answer in answers] == [False] * 10 + [True] * 3
    desk = await _desk(database)
    assert (await _try(web, desk.login, RIGHT, desk.code(), _elsewhere())).status_code == 201

    place = _elsewhere()
    answers = [await _try(web, login, f"guess {n}", address=place) for n, login in enumerate(logins)]
    assert [_refused(answer) for answer in answers] == [False] * 10 + [True] * 3
    assert (await _try(web, desk.login, RIGHT, desk.code(), place)).status_code == 201, "the honest desk next door"

    said = "".join(capfd.readouterr())
    assert "logins of a password" in said
    assert "logins of an address" in said
    assert said.count("sign_in.many_tries") == 2, "told once each, not for every try"
    for secret in ("sprayed-", "Sommer", place):
        assert secret not in said


async def test_a_number_gets_a_code_a_minute_and_ten_a_day(real, database):
    """Messages cost money and bother people; whoever asks from many places gets no more of them."""
    phone = "+8613900000002"
    sent = [await _ask(real, phone, _elsewhere()) for _ in range(12)]
    assert [answer.status_code for answer in sent] == [202] * 10 + [429] * 2
    once = [await _ask(real, "+8613900000003") for _ in range(2)]
    assert [answer.status_code for answer in once] == [202, 429]
    assert int(once[1].headers["retry-after"]) <= 60


async def test_where_somebody_has_signed_in_strangers_cannot_use_up_their_codes(real, web, database):
    """Ten codes a day for strangers everywhere; the phone on its own wireless network still gets its own."""
    resident, home = await person(database, "resident"), "203.0.113.40"
    sent = (await _ask(web, resident.phone, home)).json()
    assert (await _prove(web, sent["challenge_id"], sent["demo_code"], home)).status_code == 201
    for _ in range(11):
        stranger = await _ask(real, resident.phone, _elsewhere())
    assert stranger.status_code == 429
    assert (await _ask(real, resident.phone, home)).status_code == 202


async def test_known_and_unknown_numbers_are_refused_alike(real, database):
    """A limit that counted only numbers somebody has would tell which those are."""
    resident = await person(database, "resident")
    for phone in (resident.phone, "+8613900000004"):
        answers = [await _ask(real, phone, "203.0.113.41") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 429]
        assert set(answers[0].json()) == {"challenge_id", "expires_in_s"}
        body = answers[1].json()
        assert body.pop("request_id")
        assert {key: value for key, value in body.items() if key != "retry_after_s"} == {
            "type": "urn:yinling:problem:too_many_requests", "code": "too_many_requests", "status": 429,
            "title": "Too many attempts; please wait.", "detail": "Too many codes were asked for; please wait.",
        }  # fmt: skip


async def test_an_address_that_asks_for_many_codes_is_slowed_and_used_ones_do_not_count(web, database):
    """A whole town may share an address: only codes that nobody uses count against it."""
    town = "203.0.113.42"
    for _ in range(70):
        resident = await person(database, "resident")
        sent = (await _ask(web, resident.phone, town)).json()
        assert (await _prove(web, sent["challenge_id"], sent["demo_code"], town)).status_code == 201
    for _ in range(70):
        answer = await _ask(web, f"+86138{next(_hosts):08}", town)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= 10
    assert (await _ask(web, resident.phone, town)).status_code == 202, "it has signed in from here before"


async def test_the_city_sends_no_more_codes_than_it_pays_for(database):
    """A sixth of an hour's budget may go at once, however many addresses and numbers are used."""
    async with _two_processes(database, demo=False, codes_an_hour=60) as clients:
        answers = [await _ask(clients[n % 2], f"+86137{next(_hosts):08}", _elsewhere()) for n in range(12)]
    assert [answer.status_code for answer in answers] == [202] * 10 + [429] * 2


async def test_board_tickets_are_counted_by_address(database, monkeypatch):
    """Each is a row in the database that a stranger makes."""
    from backend.accounts import actions
    from backend.accounts.limits import Rule

    monkeypatch.setattr(actions, "_BOARD_TICKETS", Rule("few", room=3, every_s=1000, longest_s=0))
    monkeypatch.setattr(actions, "_TICKETS", Rule("few each", room=3, every_s=1000, longest_s=0))
    resident = await person(database, "resident")
    async with asking(create_app(settings(database, board_public=True, **PROXIED), database)) as client:
        for address in ("203.0.113.50", "203.0.113.51"):
            headers = {"X-Forwarded-For": address}
            answers = [await client.post("/v1/live/board-tickets", headers=headers) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        answers = [await client.post("/v1/live/tickets", headers=resident.headers) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]


async def test_what_is_counted_names_nobody_and_is_tidied_away(web, database):
    """Keys are HMACs; a bucket that has emptied is thrown away by the housekeeping."""
    resident = await person(database, "resident")
    await _ask(web, resident.phone, "203.0.113.60")
    async with database.unit_of_work(SYSTEM) as connection:
        rows = [bytes(row["key"]) for row in await connection.fetch("SELECT key FROM limits")]
        assert rows
        for secret in (resident.phone, "203.0.113.60"):
            assert not any(secret.encode() in row for row in rows)
        kept = await connection.fetchval("SELECT count(*) FROM limits WHERE full_until >= now()")
        await old_queries.forget_buckets(connection, 0, 1000)
        assert await connection.fetchval("SELECT count(*) FROM limits") == kept
    with pytest.raises(Exception, match="permission denied"):
        async with database.unit_of_work(SYSTEM) as connection:
            await connection.execute("UPDATE limits SET full_until = now()")


async def test_a_refusal_holds_no_connection(web, database, quick):
    """Whoever waits at a limit waits at home: a crowd at one limit leaves the pool free."""
    desk = await _desk(database)
    for _ in range(12):
        await _try(web, desk.login, WRONG)
    answers = await asyncio.gather(*(_try(web, desk.login, WRONG) for _ in range(60)), web.get("/health/ready"))
    assert answers.pop().status_code == 200
    assert all(_refused(answer) for answer in answers)
