"""A write sent again is done once: same key, same request, same answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar, Request, Response, post
from litestar.datastructures import State
from litestar.params import FromPath
from msgspec import Struct
from msgspec.structs import replace

from backend.accounts.authentication import Authentication
from backend.accounts.guards import anybody_signed_in
from backend.accounts.requests import write_once
from backend.core.errors import DomainError
from backend.core.principal import SYSTEM, Principal
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.problems import HANDLERS
from backend.scheduling.zones import Zones
from tests.support.access import ALLOWED, EXPECTED, OWN_ROWS, Thing, request
from tests.support.city import City, at
from tests.support.people import Person, asking, one_database, person, settings


class Written(Struct):
    number: int


@post(["/v1/marks/{mark_id:uuid}", "/v1/signs/{mark_id:uuid}"], guards=[anybody_signed_in], status_code=201)
async def mark(request: Request[Principal, Any, State], mark_id: FromPath[UUID]) -> Response[bytes]:
    """Writes one audit row and answers how many there are."""
    body = await request.body()

    async def action(connection: Any) -> Written:
        await connection.execute(
            "INSERT INTO audit (role, actor_id, action, subject) VALUES ('resident', $1, 'mark', 'test')",
            request.user.account_id,
        )
        await asyncio.sleep(0.03)
        if b"refuse" in body:
            raise DomainError("stale_version")
        return Written(request.app.state.counter.pop())

    return await write_once(request, 201, action)


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture(scope="module")
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    state = State({
        "database": database, "settings": settings(database), "zones": Zones(database), "counter": list(range(100, 0, -1)),
    })  # fmt: skip
    app = Litestar(
        [mark], middleware=[Authentication], exception_handlers=HANDLERS, state=state, openapi_config=None,
        logging_config=None,
    )  # fmt: skip
    async with asking(app) as client:
        yield client


@pytest.fixture
async def somebody(database: Database) -> Person:
    return await person(database, "resident")


ONE, OTHER = "/v1/marks/00000000-0000-0000-0000-000000000001", "/v1/marks/00000000-0000-0000-0000-000000000002"


async def _marks(database: Database, by: Person) -> int:
    async with database.unit_of_work(SYSTEM) as connection:
        return await connection.fetchval("SELECT count(*) FROM audit WHERE actor_id = $1", by.account_id)


async def test_forty_duplicates_at_once_do_one_write_and_hear_one_answer(client, database, somebody):
    headers = somebody.headers | {"Idempotency-Key": "the same key"}

    async def send() -> httpx.Response:
        while True:
            answer = await client.post(ONE, json={"a": 1}, headers=headers)
            if answer.status_code != 409:
                return answer
            assert answer.json()["code"] == "request_in_progress"
            await asyncio.sleep(0.01)

    answers = await asyncio.gather(*(send() for _ in range(40)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 39
    assert await _marks(database, somebody) == 1


async def test_a_key_belongs_to_one_request(client, somebody):
    headers = somebody.headers | {"Idempotency-Key": "my own key"}
    assert (await client.post(ONE, json={"a": 1}, headers=headers)).status_code == 201
    for path, body in ((ONE, {"a": 2}), (OTHER, {"a": 1})):
        answer = await client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_two_people_may_use_the_same_key(client, database, somebody):
    """At the same moment, too: neither waits for the other, nor hears what the other was answered."""
    both = [somebody, await person(database, "resident")]
    answers = await asyncio.gather(
        *(client.post(ONE, json={}, headers=one.headers | {"Idempotency-Key": "same words"}) for one in both)
    )
    assert [(answer.status_code, "idempotency-replayed" in answer.headers) for answer in answers] == [(201, False)] * 2
    assert [await _marks(database, one) for one in both] == [1, 1]


async def test_a_key_belongs_to_one_route(client, database, somebody):
    """A client that counts its requests may use one number for two commands."""
    headers = somebody.headers | {"Idempotency-Key": "number one"}
    for again in (False, True):
        answers = await asyncio.gather(
            *(client.post(ONE.replace("marks", word), headers=headers) for word in ("marks", "signs"))
        )
        assert [(a.status_code, "idempotency-replayed" in a.headers) for a in answers] == [(201, again)] * 2
    assert await _marks(database, somebody) == 2


async def test_a_refusal_changes_nothing_and_may_be_tried_again(client, database, somebody):
    headers = somebody.headers | {"Idempotency-Key": "refused first"}
    refused = await client.post(ONE, json={"please": "refuse"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "stale_version")
    assert await _marks(database, somebody) == 0
    assert (await client.post(ONE, json={"please": "do"}, headers=headers)).status_code == 201


async def test_a_write_needs_a_key(client, somebody):
    for key in (
        {},
        *({"Idempotency-Key": key} for key in ("seven77", "x" * 256, "tab\tbetween", ("é" * 8).encode("latin-1"))),
    ):
        answer = await client.post(ONE, json={}, headers=somebody.headers | key)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")
    for length in (8, 255):
        answer = await client.post(ONE, json={}, headers=somebody.headers | {"Idempotency-Key": "x" * length})
        assert answer.status_code == 201


KEYLESS: Final = {
    "sign-in/codes", "sign-in/phone", "sign-in/password", "sign-in/card", "residents/{resident_id}/sign-in-cards", "live/board-tickets", "live/tickets", "residents/search",
    "orders/search", "quotes", "quotes/best", "workers/{worker_id}/absences/preview",
}  # fmt: skip
"""What may be done twice: it changes nothing about care, or is a proof that works once."""


async def test_every_command_needs_a_key(city: City):
    """Sent again by a phone that heard no answer, a command without one would be done twice."""
    resident, provider = await city.resident(), await city.one("SELECT id FROM providers WHERE active LIMIT 1")
    askers = {
        "resident": await city.signed_in(resident["account_id"]), "operator": await city.staff("operator"),
        "booker": await city.signed_in(await city.daughter(resident["id"])),
        "own provider": await city.staff("provider", provider),
        "own worker": await city.worker(await city.one("SELECT id FROM workers WHERE active ORDER BY id LIMIT 1")),
    }  # fmt: skip
    slot = (await city.quote(askers["operator"], resident["id"], "rehab-home", at(10), at(11)))[0]["token"]
    thing = replace(Thing(slot=slot, phone="13912340001", zone_id=str(uuid4()), worker_id=str(uuid4())).unknown(),
                    resident_id=str(resident["id"]))  # fmt: skip
    commands = [
        route for route in EXPECTED if route.startswith("POST") and route.removeprefix("POST /v1/") not in KEYLESS
    ]
    assert len(commands) > len(KEYLESS)
    for route in commands:
        who = next(asker for asker in askers if EXPECTED[route][asker] in {ALLOWED, OWN_ROWS})
        asked = request(route, thing, by_operator=who == "operator")
        headers = {"Authorization": f"Bearer {askers[who].token}"}
        answer = await city.http.request(asked.method, asked.path, json=asked.body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required"), (route, answer.text)
