"""What one hostile address at full speed costs everybody else: how long others wait when it is quiet, and under attack.

    python -m tests.benchmarks.hostile [--seconds 15] [--attack headers --attack hashes ...]

The whole platform runs on a database of its own with the invented city. The others are people at 127.0.0.1 who look at the
board and at their own orders, ask for slots and come in live; the attacker is a process of its own at 127.0.0.2 with lower
priority, since elsewhere it would have a machine of its own. Each attack is measured for `--seconds`, then the next.
The aim is that others' p99 stays within three times what it is when it is quiet.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import msgspec
from websockets.asyncio.client import connect

from backend.config import Settings
from backend.core.clock import city_date, machine_now
from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.processes.embedded import Urls
from backend.simulation import launch
from backend.simulation.clients import Api, Traffic
from backend.simulation.demo import city
from backend.simulation.demo import queries as people
from backend.simulation.report import share

_ATTACKER = "127.0.0.2"
_SEED, _HOUR, _OTHERS, _PAUSE_S = 7, 9, 6, 0.1
_COMES_IN_EVERY_S = (
    1.1  # a session gets one ticket a second for long; who asks more often is told to wait, attacked or not
)
_AT_ONCE, _MOST_SOCKETS = 50, 900
_PHONE = "+86139{:08d}"

Waited = dict[str, list[float]]


# ---- the attacker, in a process of its own


async def _headers(host: str, port: int) -> None:
    """One header without an end, again as soon as it is cut off."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port, local_addr=(_ATTACKER, 0))
            writer.write(b"GET / HTTP/1.1\r\nx: ")
            while not writer.is_closing():
                writer.write(b"a" * 32_768)
                await writer.drain()
                await asyncio.sleep(0)


async def _half_open(host: str, port: int) -> None:
    """Requests that are begun and never finished, as many as the system lets us hold."""
    held: list[asyncio.StreamWriter] = []
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port, local_addr=(_ATTACKER, 0))
            writer.write(b"POST /v1/sign-in/codes HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n{")
            held.append(writer)
        if len(held) > _MOST_SOCKETS // _AT_ONCE:
            held.pop(0).transport.abort()


def _asking(path: str, body: Callable[[int], dict[str, object]]) -> Callable[[str, int], Awaitable[None]]:
    numbers = itertools.count(random.SystemRandom().randrange(10**7))

    async def ask(host: str, port: int) -> None:
        transport = httpx.AsyncHTTPTransport(local_address=_ATTACKER)
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=60, transport=transport) as http:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    await http.post(path, json=body(next(numbers)))

    return ask


_ATTACKS: dict[str, Callable[[str, int], Awaitable[None]]] = {
    "headers": _headers,
    "half-open": _half_open,
    "codes": _asking("/v1/sign-in/codes", lambda n: {"phone": _PHONE.format(n % 10**8)}),
    "hashes": _asking(
        "/v1/sign-in/password", lambda n: {"login": f"desk{n % 50}", "password": str(n), "totp": "000000"}
    ),
    "others' codes": _asking("/v1/sign-in/phone", lambda n: {"challenge_id": str(uuid4()), "code": f"{n % 10**6:06d}"}),
}


async def _attack(kind: str, host: str, port: int, seconds: float) -> None:
    os.nice(10)
    chosen = list(_ATTACKS.values()) if kind == "all of them" else [_ATTACKS[kind]]
    doing = [asyncio.ensure_future(one(host, port)) for one in chosen for _ in range(_AT_ONCE // len(chosen))]
    await asyncio.wait(doing, timeout=seconds)
    for one in doing:
        one.cancel()


# ---- the others


async def _timed(waited: Waited, what: str, work: Awaitable[object]) -> None:
    began = time.monotonic()
    await work
    waited.setdefault(what, []).append((time.monotonic() - began) * 1000)


async def _come_in(api: Api) -> None:
    ticket = await api.post("/v1/live/tickets", {})
    async with connect(ticket["url"], compression=None) as socket:
        await socket.send(msgspec.json.encode({"ticket": ticket["ticket"]}).decode())
        await socket.recv()


async def _look(api: Api, resident_id: str, waited: Waited, until: float) -> None:
    while time.monotonic() < until:
        await _timed(waited, "the board", api.get("/board/live"))
        await _timed(waited, "own orders", api.get("/v1/orders"))
        await _timed(
            waited,
            "a quote",
            api.post("/v1/quotes", {"resident_id": resident_id, "item_code": "rehab-home", "days": 1}),
        )
        await asyncio.sleep(_PAUSE_S)


async def _keep_coming_in(api: Api, waited: Waited, until: float) -> None:
    while time.monotonic() < until:
        await _timed(waited, "coming in live", _come_in(api))
        await asyncio.sleep(_COMES_IN_EVERY_S)


class _Bare(Api):
    """The board is a page: what it says is not read."""

    async def get(self, path: str, **query: str) -> object:
        if path.startswith("/board"):
            return (await self._http.get(path)).raise_for_status()
        return await super().get(path, **query)


async def _measured(others: Sequence[tuple[Api, str]], seconds: float) -> Waited:
    waited: Waited = {}
    until = time.monotonic() + seconds
    looking = (_look(api, resident_id, waited, until) for api, resident_id in others)
    coming_in = (_keep_coming_in(api, waited, until) for api, _ in others)
    before = sum(api.traffic.retries for api, _ in others)
    await asyncio.gather(*looking, *coming_in)
    if again := sum(api.traffic.retries for api, _ in others) - before:
        sys.stdout.write(f"{again} of the requests below were refused or lost at first; their pauses count\n")
    return waited


def _told(name: str, waited: Waited, quiet: Waited) -> None:
    for what, took in waited.items():
        ratio = share(took, 0.99) / share(quiet[what], 0.99)
        sys.stdout.write(
            f"{name:<16}{what:<18}{len(took):>7}{share(took, 0.5):>10.1f}{share(took, 0.99):>10.1f}{ratio:>9.1f}\n"
        )
    sys.stdout.flush()


async def measure(asked: argparse.Namespace) -> None:
    """Measure the quiet city, then each attack."""
    zone_info = ZoneInfo(city.TIME_ZONE)
    begins = machine_now().astimezone(zone_info).replace(hour=_HOUR, minute=0, second=0, microsecond=0)

    async def prepare(urls: Urls) -> None:
        owner = await open_as_owner(urls.owner)
        async with owner.unit_of_work(SYSTEM) as connection:
            await people.set_clock(connection, begins, 1.0)
            await city.seed(connection, city_date(begins, zone_info), zone_info, random.Random(_SEED))
        await owner.close()

    pace = Settings(database_url="").requests_per_address_s
    extra = {"YINLING_REQUESTS_PER_ADDRESS_S": str(pace), "YINLING_BOARD_PUBLIC": "1"}
    async with (
        launch.running(extra, prepare) as platform,
        httpx.AsyncClient(base_url=platform.web_url, timeout=60, trust_env=False) as http,
    ):
        owner = await open_as_owner(platform.urls.owner)
        async with owner.unit_of_work(SYSTEM) as connection:
            residents = await people.residents(connection)
        await owner.close()
        others: list[tuple[Api, str]] = []
        for resident in residents[:_OTHERS]:
            api = _Bare(http, Traffic())
            session = await api.sign_in_by_phone(resident.phone)
            others.append((api, str(session.resident_id)))
        await _measured(others, 3)
        sys.stdout.write(f"{'':<16}{'waiting for':<18}{'times':>7}{'p50, ms':>10}{'p99, ms':>10}{'of quiet':>9}\n")
        quiet = await _measured(others, asked.seconds)
        _told("quiet", quiet, quiet)
        for kind in asked.attack or [*_ATTACKS, "all of them"]:
            attacker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.benchmarks.hostile", "--do", kind, "--at", platform.web_url,
                "--seconds", str(asked.seconds + 4),
            )  # fmt: skip
            await asyncio.sleep(3)
            _told(kind, await _measured(others, asked.seconds), quiet)
            await attacker.wait()
        again = await _measured(others, asked.seconds)
        _told("quiet again", again, quiet)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once, or be the attacker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--attack", action="append", choices=[*_ATTACKS, "all of them"], help="only these")
    parser.add_argument("--do", help=argparse.SUPPRESS)
    parser.add_argument("--at", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.do:
        host, port = asked.at.removeprefix("http://").split(":")
        asyncio.run(_attack(asked.do, host, int(port), asked.seconds))
    else:
        asyncio.run(measure(asked))
    return 0


if __name__ == "__main__":
    sys.exit(main())
