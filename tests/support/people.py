"""Invented people with accounts and sessions, and a server around an application, for tests that go through HTTP."""

import asyncio
import itertools
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar
from msgspec import Struct

from backend.accounts import proofs
from backend.config import Settings
from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.database.pool import Connection, Database
from backend.processes.embedded import APP, OWNER, Embedded
from backend.processes.serving import Server, listening, server
from backend.processes.turns import Pace
from tests.support.scratch import EMPTY

SECRET = "an invented secret for tests, long enough"
_ANY_PACE = Pace(at_once=1000, per_s=1e6, burst=1_000_000)  # tests ask as fast as they can, from one address
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_KEPT_S = 2.0  # the server keeps them for 5
_GRACE_S = 2.0  # for requests in hand
_numbers = itertools.count(10_000_000)


class Person(Struct, frozen=True):
    account_id: UUID
    token: str
    phone: str
    own_id: UUID | None = None  # the resident or worker they are

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def settings(database: Database, **other: object) -> Settings:
    return Settings(**{"database_url": database.url, "demo": True, "secret_key": SECRET, "area_code": "0512", **other})


@asynccontextmanager
async def one_database(server: Embedded) -> AsyncIterator[Database]:
    """A database for a whole file of tests that do not disturb each other."""
    name = f"shared_{os.getpid()}_{next(_numbers)}"
    database = await Database.open((await server.copy_database(EMPTY, name)).app, size=12)
    try:
        yield database
    finally:
        await database.close()
        await server.drop_database(name)


@asynccontextmanager
async def prepared_by_the_owner(database: Database) -> AsyncIterator[Connection]:
    """A transaction for what a test needs and no statement of the platform writes, as the owner of the same database."""
    owner = await open_as_owner(database.url.replace(f"//{APP}@", f"//{OWNER}@"))
    try:
        async with owner.unit_of_work(SYSTEM) as connection:
            yield connection
    finally:
        await owner.close()


async def person(database: Database, role: str, **columns: object) -> Person:
    """An account of that role with an open session; residents get their resident row."""
    phone = f"+86138{next(_numbers)}"
    token = proofs.new_token()
    async with database.unit_of_work(SYSTEM) as connection:
        account_id = await connection.fetchval(
            """INSERT INTO accounts (role, name, login, password_hash, totp_secret)
               VALUES ($1, '某人', $2, $3, $4) RETURNING id""",
            role,
            columns.get("login"),
            columns.get("password_hash"),
            columns.get("totp_secret"),
        )
        await connection.execute("INSERT INTO account_numbers (account_id, phone) VALUES ($1, $2)", account_id, phone)
        await connection.execute(
            "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
            proofs.token_hash(token),
            account_id,
        )
        own_id = None
        if role == "resident":
            own_id = await connection.fetchval(
                "INSERT INTO residents (account_id, name, phone, gender) VALUES ($1, '某人', $2, 'female') RETURNING id",
                account_id,
                phone,
            )
    return Person(account_id, token, phone, own_id)


async def consent(database: Database, resident_id: UUID, account_id: UUID, purpose: str) -> UUID:
    async with database.unit_of_work(SYSTEM) as connection:
        return await connection.fetchval(
            """INSERT INTO consents (resident_id, account_id, purpose, given_by, channel, evidence, text_version)
               VALUES ($1, $2, $3, 'resident', 'phone', 'call 1', '1') RETURNING id""",
            resident_id,
            account_id,
            purpose,
        )


@asynccontextmanager
async def served(app: Litestar, *, send_buffer: int | None = None) -> AsyncIterator[str]:
    """The application behind a real socket; yields host and port."""
    running = server(app, pace=_ANY_PACE)
    with listening("127.0.0.1", 0, send_buffer) as listener:
        task = asyncio.create_task(running.serve(sockets=[listener]))
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await _stop(running, task)


async def _stop(running: Server, serving: "asyncio.Task[None]") -> None:
    """Stop as the server itself does when it is told to, without the two tenths of a second that it takes for it."""
    serving.cancel()
    await asyncio.wait([serving])
    for listener in running.servers:
        listener.close()
    for connection in list(running.server_state.connections):
        connection.shutdown()
    if in_hand := list(running.server_state.tasks):
        _, unfinished = await asyncio.wait(in_hand, timeout=_GRACE_S)
        for task in unfinished:
            task.cancel()
    await running.lifespan.shutdown()


@asynccontextmanager
async def asking(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with served(app) as address, client_of(f"http://{address}", timeout=10) as asked:
        yield asked


def client_of(base_url: httpx.URL | str, **options: Any) -> httpx.AsyncClient:
    """A client of a server in this process; to read the machine's certificates takes longer than most tests ask for.

    It lets idle connections go before the server does: one that is closed while a request is on its way cannot be used again.
    """
    options.setdefault("limits", httpx.Limits(keepalive_expiry=_KEPT_S))
    return httpx.AsyncClient(base_url=base_url, verify=_NO_CERTIFICATES, trust_env=False, **options)
