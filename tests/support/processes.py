"""The platform's processes one by one, as an operator starts and stops them, and a database that falls silent."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import httpx

from backend.processes.embedded import Urls
from backend.simulation.launch import free_ports
from dispatch import KERNELS_SETTING
from tests.support.people import SECRET

ROOT = Path(__file__).resolve().parents[2]
_PORTS = ("web_port", "gateway_port", "relay_port", "jobs_port")


def environment(url: str, **settings: object) -> dict[str, str]:
    """What a process is told; without a database it would not start."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith("YINLING_") or name == KERNELS_SETTING
    }
    told = {"database_url": url, "demo": 1, "secret_key": SECRET, "log_level": "warning", **settings}
    return own | {"PYTHONPATH": str(ROOT)} | {f"YINLING_{name.upper()}": str(value) for name, value in told.items()}


async def until(check: Callable[..., Awaitable[Any]], *arguments: object, within: float = 60) -> None:
    """Ask again and again until it is so."""
    async with asyncio.timeout(within):
        while not await check(*arguments):  # noqa: ASYNC110  what happens in another process sets no event here
            await asyncio.sleep(0.05)


class Started:
    """One process of the platform, and where it listens if it does."""

    def __init__(self, process: Process, port: int) -> None:
        self.process, self.port = process, port
        self.address = f"127.0.0.1:{port}"

    async def answers(self, path: str) -> None:
        """Wait until it answers there."""
        async with httpx.AsyncClient(base_url=f"http://{self.address}", timeout=2, trust_env=False) as http:

            async def does() -> bool:
                assert self.process.returncode is None, "it ended"
                try:
                    return (await http.get(path)).status_code == 200
                except httpx.TransportError:
                    return False

            await until(does)

    async def ended(self, within: float) -> tuple[int, float]:
        """The exit code, and how long it took."""
        began = time.monotonic()
        async with asyncio.timeout(within):
            code = await self.process.wait()
        return code, time.monotonic() - began

    async def told_to_stop(self, number: int = signal.SIGTERM, within: float = 30) -> tuple[int, float]:
        self.process.send_signal(number)
        return await self.ended(within)


@asynccontextmanager
async def started(
    name: str,
    url: str,
    before: Sequence[str] = (sys.executable, "-m", "backend"),
    *,
    log: IO[bytes] | None = None,
    **settings: object,
) -> AsyncIterator[Started]:
    """Start `yinling NAME`, its log going to a file if one is given; it is killed at the end if it still runs."""
    port = free_ports(1)[0]
    process = await asyncio.create_subprocess_exec(
        *before, name, cwd=ROOT, stdin=DEVNULL, stdout=DEVNULL, stderr=log, start_new_session=True,
        env=environment(url, **dict.fromkeys(_PORTS, port), **settings),
    )  # fmt: skip
    try:
        yield Started(process, port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def script(text: str, *arguments: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """A short program in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, *arguments, cwd=ROOT, stdin=DEVNULL, stdout=PIPE, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def said(process: Process) -> str:
    """The next line it prints."""
    assert process.stdout
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()


async def gone(pid: int, within: float) -> bool:
    """Whether a process that need not be a child of ours ends in time."""
    try:
        await until(asyncio.to_thread, _has_ended, pid, within=within)
    except TimeoutError:
        return False
    return True


def _has_ended(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip() or state.startswith("Z")  # ended, even if nobody has asked how yet


class Line:
    """A way to a database that can fall silent: nothing is refused, nothing arrives any more."""

    def __init__(self, urls: Urls) -> None:
        parts = urlsplit(urls.app)
        self._folder = parse_qs(parts.query)["host"][0]
        self._user, self._database = parts.username, parts.path.lstrip("/")
        self._open = asyncio.Event()
        self._open.set()
        self.met = 0
        self.url = ""

    def fall_silent(self) -> None:
        self._open.clear()

    async def was_met(self, times: int) -> bool:
        return self.met >= times

    async def __aenter__(self) -> "Line":
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"postgresql://{self._user}@127.0.0.1:{port}/{self._database}?sslmode=disable"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._open.set()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.met += 1
        far_reader, far_writer = await asyncio.open_unix_connection(f"{self._folder}/.s.PGSQL.5432")
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._open.wait()
                target.write(data)
        target.close()
