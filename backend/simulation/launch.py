"""A platform of its own for one replay: database, web, gateway, relay, dispatcher and jobs, restarted when they die."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from msgspec import Struct

from backend.database.migrate import migrate
from backend.processes.embedded import Embedded, Urls, fresh_secret, temporary_folder
from backend.processes.guard import GROUP, guard
from dispatch import KERNELS_SETTING, kernels_folder

PROCESSES: Final = ("web", "gateway", "relay", "dispatcher", "jobs")
_READY_S: Final = 60.0
_STOP_S: Final = 8.0
_RESTART_PAUSE_S: Final = 0.2
_ANSWER_S: Final = 1.0
_PORTS: Final = range(10_000, 32_768)
_TRIES: Final = 1000
_ROOT: Final = Path(__file__).resolve().parents[2]


class PlatformError(RuntimeError):
    """A process of the platform would not start or stay up; the message names it and its log."""


class Platform(Struct):
    """A running platform and where to reach it."""

    urls: Urls
    web_url: str
    gateway_url: str
    folder: Path
    restarts: dict[str, int]
    pids: dict[str, int]


def free_ports(number: int) -> list[int]:
    """Find ports in a row on which nobody listens at the moment. Raises PlatformError.

    None is of those a system gives to outgoing connections (32768 and above on Linux): one of these would now and then
    take a port before its server has it.
    """
    for _ in range(_TRIES):
        first = _PORTS.start + secrets.randbelow(len(_PORTS) - number)
        ports = list(range(first, first + number))
        if all(is_free(port) for port in ports):
            return ports
    raise PlatformError(f"no {number} free ports in a row between {_PORTS.start} and {_PORTS.stop}")


def is_free(port: int) -> bool:
    """Whether a server could listen there on loopback now, and a browser that asks for `localhost` would meet it.

    Somebody who listens on another family of addresses counts too: a browser may ask there first. Raises
    PermissionError for ports that only root may take.
    """
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError), socket.socket(family) as one:  # nobody there, or no such family here
            one.settimeout(_ANSWER_S)
            one.connect((host, port))
            return False
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except PermissionError:
            raise
        except OSError:
            return False
    return True


@asynccontextmanager
async def running(
    extra: Mapping[str, str], prepare: Callable[[Urls], Awaitable[None]], *, keep: bool = False
) -> AsyncGenerator[Platform]:
    """Start everything with a database of its own, filled before, and stop everything it started at the end."""
    with temporary_folder("yinling-replay-", keep=keep) as folder, Embedded(folder / "data", durable=False) as server:
        urls = await server.bootstrap("replay")

        async def fill() -> None:
            await migrate(urls.owner)
            await prepare(urls)

        crowd = {"YINLING_REQUESTS_PER_ADDRESS_S": "10000"}  # a day in a minute, and everybody comes from one address
        async with supervised(urls, folder, free_ports(2), {**crowd, **extra}, fill) as platform:
            yield platform


@asynccontextmanager
async def supervised(
    urls: Urls,
    folder: Path,
    ports: Sequence[int],
    extra: Mapping[str, str],
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> AsyncGenerator[Platform]:
    """Every process of the platform on a database; logs go to the folder.

    The database is filled by `prepare` while the processes load: they begin when it has returned.
    """
    web_port, gateway_port = ports
    relay_port, jobs_port = [port for port in free_ports(4) if port not in ports][:2]
    platform = Platform(urls, f"http://127.0.0.1:{web_port}", f"ws://127.0.0.1:{gateway_port}/v1/live", folder, {}, {})
    environment = {name: value for name, value in os.environ.items() if not name.startswith("YINLING_")}
    environment |= {
        "PYTHONPATH": str(_ROOT),
        "PYTHONUTF8": "1",  # logs are read as UTF-8 whatever the desktop speaks
        "YINLING_DATABASE_URL": urls.app,
        "YINLING_HOST": "127.0.0.1",
        "YINLING_WEB_PORT": str(web_port),
        "YINLING_GATEWAY_PORT": str(gateway_port),
        "YINLING_RELAY_PORT": str(relay_port),
        "YINLING_JOBS_PORT": str(jobs_port),
        "YINLING_GATEWAY_URL": platform.gateway_url,
        "YINLING_ALLOWED_ORIGINS": f"{platform.web_url},http://localhost:{web_port}",
        "YINLING_DEMO": "1",
        "YINLING_AREA_CODE": "0512",  # of the invented city
        "YINLING_REQUESTS_PER_ADDRESS_S": "300",  # all people of a demo come from one address
        "YINLING_SECRET_KEY": fresh_secret(),
        KERNELS_SETTING: str(kernels_folder(os.environ)),
        "YINLING_LOG_LEVEL": "warning",
        **extra,
    }
    filled = asyncio.Event()
    keepers = [asyncio.create_task(_keep(name, platform, environment, filled)) for name in PROCESSES]
    try:
        if prepare is not None:
            await prepare()
        filled.set()
        await _ready(platform, keepers)
        yield platform
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


async def _keep(name: str, platform: Platform, environment: Mapping[str, str], filled: asyncio.Event) -> None:
    """Run one process and start it again whenever it dies, until cancelled."""
    log = platform.folder / f"{name}.log"
    while True:
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "backend", name, "--child-of", str(os.getpid()), cwd=_ROOT, env=dict(environment),
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        guard.hold(GROUP, process.pid)
        platform.pids[name] = process.pid
        try:
            await filled.wait()
            if process.stdin is not None:
                process.stdin.close()  # now it begins
            await process.wait()
        finally:
            await _end(process)
        platform.restarts[name] = platform.restarts.get(name, 0) + 1
        await asyncio.sleep(_RESTART_PAUSE_S)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the process to stop, then insist; children it left behind go with its group."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    guard.release(GROUP, process.pid)
    if process.returncode is None:
        await process.wait()


async def _ready(platform: Platform, keepers: list[asyncio.Task[None]]) -> None:
    give_up_at = time.monotonic() + _READY_S
    gateway = platform.gateway_url.replace("ws://", "http://").removesuffix("/v1/live")
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        for address in (f"{platform.web_url}/health/ready", f"{gateway}/health/live"):
            while not await _answers(http, address):
                broken = [name for name, times in platform.restarts.items() if times > 3]
                if time.monotonic() > give_up_at or broken or any(keeper.done() for keeper in keepers):
                    raise PlatformError(f"the platform did not start: {address}; {_last_words(platform)}")
                await asyncio.sleep(0.05)


async def _answers(http: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await http.get(address)).status_code < 500
    except httpx.TransportError:
        return False


def _last_words(platform: Platform) -> str:
    """The last lines of every log, for whoever has to find out why."""
    words: list[str] = []
    for name in PROCESSES:
        log = platform.folder / f"{name}.log"
        if log.exists() and log.stat().st_size:
            words.append(
                f"{name}: " + " / ".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:])
            )
    return "; ".join(words) or "no process has said anything"
