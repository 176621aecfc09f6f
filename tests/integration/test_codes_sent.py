"""Sign-in codes leave signed, once more where they were not taken, and the desk knows while they do not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar, Request, Response, post

from backend.accounts.sending import signature
from backend.config import SettingsError, load
from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.web import create_app
from backend.tasks import queries as tasks
from tests.support.people import asking, client_of, one_database, person, served, settings

KEY = "the key that signs what is sent, of tests"


class Receiver:
    """Whoever turns codes into messages: it keeps what comes, and answers as it is told to, at last with success."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.reached, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

        @post("/messages", status_code=202)
        async def take(request: Request[Any, Any, Any]) -> Response[None]:
            self.came.append((dict(request.headers), await request.body()))
            self.reached.set()
            await self.gate.wait()
            return Response(None, status_code=self.answers.pop(0) if self.answers else 202)

        self.app = Litestar([take], openapi_config=None, logging_config=None)


@pytest.fixture(scope="module")
async def database(server: Embedded) -> AsyncIterator[Database]:
    async with one_database(server) as database:
        yield database


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def platform(database: Database, receiver: Receiver) -> AsyncIterator[tuple[Litestar, httpx.AsyncClient]]:
    async with served(receiver.app) as address:
        config = settings(database, demo=False, sender_url=f"http://{address}/messages", sender_key=KEY)
        app = create_app(config, database)
        app.state.signing_in.sender._pauses_s = (0.01, 0.01, 0.01)
        async with asking(app) as client:
            yield app, client


async def _asked(platform: tuple[Litestar, httpx.AsyncClient], phone: str) -> dict[str, Any]:
    app, client = platform
    answer = await client.post("/v1/sign-in/codes", json={"phone": phone})
    assert answer.status_code == 202
    await app.state.signing_in.sender.settle()
    return answer.json()


async def _at_the_desk(database: Database) -> list[dict[str, Any]]:
    async with database.unit_of_work(SYSTEM) as connection:
        return [task.details for task in await tasks.open_tasks(connection) if task.kind == "codes_not_sent"]


async def test_a_code_leaves_signed_and_signs_in(platform, receiver, database):
    resident = await person(database, "resident")
    sent = await _asked(platform, resident.phone)
    assert "demo_code" not in sent
    ((headers, body),) = receiver.came
    assert headers["x-yinling-signature"] == signature(KEY, headers["x-yinling-timestamp"], body)
    assert headers["x-yinling-signature"] != signature(KEY, headers["x-yinling-timestamp"] + "0", body)
    message = httpx.Response(200, content=body).json()
    assert (message["to"], message["id"]) == (resident.phone, sent["challenge_id"])
    assert len(message["text"]) <= 70, "one part of a message"
    code = "".join(filter(str.isdigit, message["text"]))[:6]
    proof = {"challenge_id": sent["challenge_id"], "code": code}
    assert (await platform[1].post("/v1/sign-in/phone", json=proof)).status_code == 201


async def test_whoever_asks_does_not_wait_for_the_message(platform, receiver, database):
    """How long it takes would tell who is registered, and a slow sender would keep everybody at the door."""
    receiver.gate.clear()
    resident = await person(database, "resident")
    answer = await platform[1].post("/v1/sign-in/codes", json={"phone": resident.phone})
    assert answer.status_code == 202
    assert platform[0].state.signing_in.sender._under_way
    receiver.gate.set()
    await platform[0].state.signing_in.sender.settle()


@pytest.mark.parametrize("answers", [[503], [500, 429], [502, 503, 504]])
async def test_what_was_not_taken_is_sent_again_as_the_same_message(platform, receiver, database, answers):
    resident = await person(database, "resident")
    receiver.answers += answers
    sent = await _asked(platform, resident.phone)
    assert len(receiver.came) == len(answers) + 1
    assert {headers["idempotency-key"] for headers, _ in receiver.came} == {sent["challenge_id"]}
    assert await _at_the_desk(database) == []


async def test_the_desk_has_one_task_while_codes_do_not_leave(platform, receiver, database):
    resident, other = await person(database, "resident"), await person(database, "resident")
    receiver.answers += [503] * 4 + [400]
    await _asked(platform, resident.phone)
    assert await _at_the_desk(database) == [{"reason": "not taken: status 503"}]
    await _asked(platform, other.phone)
    assert len(receiver.came) == 5, "what is refused is not sent again"
    assert len(await _at_the_desk(database)) == 1
    await _asked(platform, (await person(database, "resident")).phone)
    assert await _at_the_desk(database) == []


async def test_nobody_there_and_nobody_set_are_told_to_the_desk(database):
    for url, reason in (("http://127.0.0.1:9/messages", "not reached: ConnectError"), ("", "no sender is set")):
        app = create_app(settings(database, demo=False, sender_url=url, sender_key=KEY), database)
        app.state.signing_in.sender._pauses_s = (0.01,)
        async with asking(app) as client:
            await _asked((app, client), (await person(database, "resident")).phone)
        assert await _at_the_desk(database) == [{"reason": reason}]
        async with database.unit_of_work(SYSTEM) as connection:
            await tasks.close_tasks(connection, tasks.TaskKind.CODES_NOT_SENT)


async def test_a_process_that_stops_waits_for_no_message(database, receiver):
    receiver.gate.clear()
    async with served(receiver.app) as address, client_of(f"http://{address}") as _:
        app = create_app(
            settings(database, demo=False, sender_url=f"http://{address}/messages", sender_key=KEY), database
        )
        app.state.signing_in.sender.send_code(uuid4(), "+8613800000000", "123456", 300)
        await receiver.reached.wait()
        await app.state.signing_in.sender.close()
        receiver.gate.set()
    assert not app.state.signing_in.sender._under_way


@pytest.mark.parametrize("spoilt", [{"SENDER_URL": "ftp://x/"}, {"SENDER_URL": "https://x/", "SENDER_KEY": "short"}])
def test_a_sender_that_cannot_work_stops_the_start(spoilt):
    usual = {"YINLING_DATABASE_URL": "postgres://x", "YINLING_SECRET_KEY": "k" * 32}
    with pytest.raises(SettingsError, match=r"SENDER|sender_url"):
        load(usual | {f"YINLING_{name}": value for name, value in spoilt.items()})
