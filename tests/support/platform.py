"""The whole platform as its users meet it: every process, real sockets, the invented city, a running care clock."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from pyotp.totp import TOTP

from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.processes.embedded import Embedded, Urls
from backend.simulation import launch
from backend.simulation.clients import Api, Traffic
from backend.simulation.demo import city, queries
from backend.simulation.launch import Platform
from tests.support.city import at
from tests.support.day_judge import must_be_sound
from tests.support.prepared import prepare
from tests.support.scratch import STORY

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """A running city and ways to be somebody in it."""

    def __init__(self, platform: Platform, owner: Database, http: httpx.AsyncClient, desks: list[city.Desk]) -> None:
        self.platform, self.owner, self.http, self.desks = platform, owner, http, desks
        self._signed_in: dict[str, Api] = {}

    async def sql(self, statement: str, *args: Any) -> list[dict[str, Any]]:
        async with self.owner.unit_of_work(SYSTEM) as connection:
            return [dict(row) for row in await connection.fetch(statement, *args)]

    async def clock(self, instant: datetime) -> None:
        """It is now this instant, and care time goes on from there."""
        async with self.owner.unit_of_work(SYSTEM) as connection:
            await queries.set_clock(connection, instant, 1.0)

    async def desk(self, login: str) -> Api:
        """Signed in once: a one-time password does not work a second time."""
        if login not in self._signed_in:
            desk = next(desk for desk in self.desks if desk.login == login)
            api = self._signed_in[login] = Api(self.http, Traffic())
            await api.sign_in_by_password(desk.login, desk.password, TOTP(desk.totp_secret).now)
        return self._signed_in[login]

    async def phone(self, number: str) -> Api:
        api = Api(self.http, Traffic())
        await api.sign_in_by_phone(number)
        return api

    @asynccontextmanager
    async def watching(self, phone: str) -> AsyncIterator["Watching"]:
        """`yinling watch --as PHONE` in a process of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "backend", "watch", "--as", phone, "--json", "--url", self.platform.web_url,
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        watching = Watching(process)
        try:
            await watching.connected()
            yield watching
        finally:
            process.terminate()
            await process.wait()


class Watching:
    """What the reference client prints."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.events: list[dict[str, Any]] = []

    async def connected(self) -> None:
        assert self._process.stderr
        async with asyncio.timeout(60):
            while b"connected" not in (line := await self._process.stderr.readline()):
                assert line, "the client ended"

    async def until(self, kind: str, within: float = 60) -> dict[str, Any]:
        """Read on until an event of this type."""
        assert self._process.stdout
        async with asyncio.timeout(within):
            while True:
                event = json.loads(await self._process.stdout.readline())
                self.events.append(event)
                if event["type"] == kind:
                    return event

    def types(self, prefix: str) -> list[str]:
        return [event["type"] for event in self.events if event["type"].startswith(prefix)]


@asynccontextmanager
async def running(folder: Path, *, rate: float = 1.0, connections: int = -1) -> AsyncIterator[Running]:
    """Start everything at eight in the morning of the test's day; the server gives the processes so many `connections`."""
    await asyncio.to_thread(prepare, folder / "data")
    with Embedded(folder / "data", durable=False) as server:
        urls = server.urls(STORY)
        superuser = await asyncpg.connect(server.url())
        await superuser.execute(f"ALTER ROLE yinling_app CONNECTION LIMIT {connections}")
        await superuser.close()
        extra = {
            "YINLING_BOARD_PUBLIC": "1",
            "YINLING_DISPATCHER_IMPROVE_SECONDS": "0.3",
            "YINLING_REQUESTS_PER_ADDRESS_S": "10000",
        }
        async with (
            launch.supervised(urls, folder, launch.free_ports(2), extra, partial(_begin, urls, rate)) as platform,
            httpx.AsyncClient(base_url=platform.web_url, timeout=10) as http,
        ):
            owner = await open_as_owner(urls.owner, size=2)
            async with owner.unit_of_work(SYSTEM) as connection:
                desks = await city.desks(connection)
            yield (opened := Running(platform, owner, http, desks))
            await must_be_sound(opened.sql)
            await owner.close()


async def _begin(urls: Urls, rate: float) -> None:
    owner = await open_as_owner(urls.owner, size=2)
    async with owner.unit_of_work(SYSTEM) as connection:
        await queries.set_clock(connection, at(8), rate)
    await owner.close()
