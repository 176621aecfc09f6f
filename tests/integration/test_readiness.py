"""A process without its compiled kernels says so and refuses at once: nobody waits for a compiler holding a connection."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from backend.database.pool import Database
from backend.processes.dispatcher import Dispatcher
from backend.processes.embedded import Urls
from backend.processes.web import create_app
from backend.simulation import launch
from tests.support.city import Caller, City, NoSolver, at
from tests.support.people import SECRET, asking

ROOT = Path(__file__).resolve().parents[2]
REHAB = "rehab-home"
_SIZE = 16  # connections of one web process


@asynccontextmanager
async def _cold(city: City) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.Event]]:
    """A second web process of the same city, before it can plan."""
    database, warm = await Database.open(city.database.url, size=_SIZE), asyncio.Event()
    try:
        async with asking(create_app(city.settings, database, warm)) as http:
            yield http, warm
    finally:
        await database.close()


def _at(http: httpx.AsyncClient, caller: Caller) -> Caller:
    return Caller(http, caller._headers["Authorization"].removeprefix("Bearer "))


def _not_ready(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready"), answer.text
    assert int(answer.headers["Retry-After"]) >= 1


def _wish(resident: dict[str, Any]) -> dict[str, Any]:
    span = {"from_at": at(13).isoformat(), "to_at": at(15).isoformat()}
    return {"resident_id": str(resident["id"]), "item_code": REHAB, "wish": span, "days": 1}


async def test_readiness_and_quotes_are_503_until_the_process_can_plan(city: City):
    """A load balancer sends nobody there, and whoever came learns when to come back."""
    operator, someone = await city.staff("operator"), await city.resident()
    async with asyncio.timeout(30), _cold(city) as (http, warm):
        cold = _at(http, operator)
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/health/ready")).status_code == 503
        _not_ready(await cold.post("/v1/quotes", _wish(someone)))
        warm.set()
        assert (await http.get("/health/ready")).status_code == 200
        assert (await cold.post("/v1/quotes", _wish(someone))).json()["slots"]


async def test_bookings_and_the_desk_are_refused_too_and_change_nothing(city: City):
    """Everything that plans: each of them would have waited with the day's plan locked."""
    operator, someone = await city.staff("operator"), await city.resident()
    slots = await city.quote(operator, (await city.resident(number=1))["id"], REHAB, at(13), at(15))
    await city.manual_acceptance()
    order = await city.booked(operator, someone["id"], REHAB, at(10), at(12), channel="phone")
    await city.sql("UPDATE orders SET status = 'manual'")
    worker_id = await city.one("SELECT worker_id FROM stops WHERE order_id = $1", UUID(order["id"]))
    await city.sql("DELETE FROM stops")
    crew = {"worker_ids": [str(worker_id)], "start_at": at(11).isoformat(), "reason": "agreed by phone"}
    key = "11111111-1111-4111-8111-111111111111"
    async with asyncio.timeout(30), _cold(city) as (http, warm):
        cold = _at(http, operator)
        for hold in (False, True):
            body = {"slot": slots[0]["token"], "channel": "phone", "hold_only": hold}
            _not_ready(await cold.post("/v1/bookings", body))
        _not_ready(await cold.post(f"/v1/orders/{order['id']}/assign", crew, key))
        assert await city.one("SELECT count(*) FROM orders") == 1
        assert (await city.order(order["id"]))["status"] == "manual"
        warm.set()  # the same request, sent again with its key, is then carried out
        assert (await cold.post(f"/v1/orders/{order['id']}/assign", crew, key)).status_code == 200


async def test_thirty_impatient_callers_keep_nobody_from_signing_in(city: City):
    """A pool of sixteen, each connection waiting for a compiler, was a closed city."""
    operator, someone = await city.staff("operator"), await city.resident()
    async with asyncio.timeout(30), _cold(city) as (http, _):
        cold = _at(http, operator)
        asked = [asyncio.create_task(cold.post("/v1/quotes", _wish(someone))) for _ in range(30)]
        await asyncio.sleep(0)
        answer = await http.post(
            "/v1/sign-in/codes", json={"phone": someone["phone"]}, headers={"Idempotency-Key": "a" * 36}
        )
        assert answer.status_code == 202, answer.text
        for refused in await asyncio.gather(*asked):
            _not_ready(refused)


async def test_a_dispatcher_that_cannot_plan_owns_no_zone_and_locks_no_plan(city: City):
    """With its lease another dispatcher would wait for it; with the plan locked every booking would."""
    await city.manual_acceptance()
    operator, someone = await city.staff("operator"), await city.resident()
    order = await city.booked(operator, someone["id"], REHAB, at(13), at(15), channel="phone")
    warm = asyncio.Event()
    cold = Dispatcher(city.settings, city.database, NoSolver(), warm)
    async with asyncio.timeout(30):
        await cold.renew()
        await cold.cycle()
        assert await city.one("SELECT count(*) FROM zone_leases") == 0
        await city.dispatch()  # another one, on another machine
        assert (await city.order(order["id"]))["status"] == "offered"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _until(true: Any, within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110  other processes set no event
            await asyncio.sleep(0.05)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are found in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_process_that_compiles_answers_and_ends_with_its_compilers(
    number: signal.Signals, database_urls: Urls, tmp_path: Path
):
    """Started without kernels it lives, is not ready, and leaves no process behind, whichever way it ends."""
    (port,) = launch.free_ports(1)
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "YINLING_DATABASE_URL": database_urls.app, "YINLING_SECRET_KEY": SECRET,
        "YINLING_DEMO": "1", "YINLING_WEB_PORT": str(port), "YINLING_KERNELS": str(tmp_path / "empty"),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "backend", "web", cwd=ROOT, env=environment)
    try:
        await _until(lambda: any((tmp_path / "empty").rglob("*.unfinished")), 180)
        compilers = _children(process.pid)
        assert compilers
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            assert (await http.get("/health/live")).status_code == 200
            assert (await http.get("/health/ready")).status_code == 503
        process.send_signal(number)
        await asyncio.wait_for(process.wait(), 15)
        await _until(lambda: not any(Path(f"/proc/{child}").exists() for child in compilers))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
