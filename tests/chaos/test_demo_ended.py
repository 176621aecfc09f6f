"""The demo as a desktop treats it: behind a proxy, its port taken, its terminal closed, or killed where it stands."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from backend.database.migrate import newest_revision
from backend.processes.embedded import Embedded
from backend.simulation.demo import opening
from backend.simulation.launch import free_ports
from tests.support.dumps import restore
from tests.support.prepared import prepare
from tests.support.scratch import STORY

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9",
           "PGPORT": "5433", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # fmt: skip
DEMO = """
import runpy, sys
from pathlib import Path
from backend.simulation.demo import run
folder = Path(sys.argv[1])
run.default_folder = lambda name: folder / name
sys.argv[1:] = ["demo", *sys.argv[2:]]
runpy.run_module("backend", run_name="__main__")
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the demos of this file keep their city, which is there already: they only go on with it."""
    made = Path(tempfile.mkdtemp(prefix="yinling-demo-"))
    made.chmod(0o755)  # PostgreSQL's own user must reach it when root runs the tests
    asyncio.run(_city(made / "demo"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def _city(data: Path) -> None:
    prepare(data)
    with Embedded(data) as server:
        await server.copy_database(STORY, opening.DATABASE)


class Demo:
    """One demo in a process of its own."""

    def __init__(
        self, folder: Path, port: int, *, arguments: tuple[str, ...] = ("--resume",), **environment: str
    ) -> None:
        self.folder, self.port = folder, port
        self.process = subprocess.Popen(
            [sys.executable, "-c", DEMO, str(folder), *arguments, "--port", str(port)], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip
        self.started: list[psutil.Process] = []

    def until_it_answers(self, within_s: float) -> None:
        give_up_at = time.monotonic() + within_s
        while True:
            assert self.process.poll() is None, self.said()
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < give_up_at
            time.sleep(0.1)
        self.started = psutil.Process(self.process.pid).children(recursive=True)

    def said(self) -> str:
        """What it has said, once it has ended."""
        return b"".join(self.process.communicate(timeout=30)).decode("utf-8", "replace")

    def left(self, within_s: float = 20) -> list[str]:
        """Processes it had started that are still there after a while."""
        _, alive = psutil.wait_procs(self.started, within_s)
        return [" ".join(process.cmdline()) for process in alive]


@pytest.fixture
def ports() -> tuple[int, int]:
    """A port whose next one is free too."""
    first, second = free_ports(2)
    return first, second


@pytest.fixture
def demo(folder: Path, ports: tuple[int, int]) -> Iterator[Demo]:
    """A demo that answers, though the desktop has a proxy and knows no Chinese."""
    started = Demo(folder, ports[0], **DESKTOP)
    try:
        started.until_it_answers(240)
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def test_a_demo_whose_terminal_is_closed_leaves_nobody(demo: Demo) -> None:
    """Nor does one where somebody presses Ctrl-C, as those of another version below are ended."""
    assert {"postgres"} < {process.name() for process in demo.started}
    demo.process.send_signal(signal.SIGHUP)
    assert "Traceback" not in demo.said()
    assert demo.process.returncode == 0
    assert demo.left() == []


def test_a_second_ctrl_c_ends_a_demo_that_is_stopping_at_once_and_leaves_nobody(demo: Demo) -> None:
    """One of its processes does not answer: whoever presses again does not want to wait for it."""
    web, jobs = (next(one for one in demo.started if name in one.cmdline()) for name in ("web", "jobs"))
    web.suspend()
    demo.process.send_signal(signal.SIGINT)
    while jobs.is_running() and jobs.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    assert demo.process.poll() is None, "it waits for its processes"
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(1) == 130
    assert "Traceback" not in demo.said()
    assert demo.left() == []


def test_a_second_demo_of_a_checkout_says_so_in_a_line_and_a_killed_one_leaves_nobody(demo: Demo, folder: Path) -> None:
    """On other ports, a second one would share a city with the first and take it away when it ends."""
    second = Demo(folder, free_ports(2)[0])
    assert f"process {demo.process.pid}" in second.said().splitlines()[-1]
    assert second.process.returncode == 2
    assert demo.process.poll() is None
    demo.process.kill()
    assert demo.left() == []


def test_a_demo_says_in_a_line_that_postgresql_was_killed(demo: Demo) -> None:
    """It cannot go on without; nobody should have to read a traceback to know."""
    next(one for one in demo.started if one.name() == "postgres" and "-D" in one.cmdline()).kill()
    assert demo.said().splitlines()[-1].startswith("PostgreSQL was ended by somebody else")
    assert demo.process.returncode == 2
    assert demo.left() == []


@pytest.fixture
def older() -> Iterator[Path]:
    """The data folder of a demo as the code at schema 0011 left it; a morning of today's is prepared beside it."""
    made = Path(tempfile.mkdtemp(prefix="yinling-older-"))
    made.chmod(0o755)
    asyncio.run(_older_city(made / "demo"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def _older_city(data: Path) -> None:
    prepare(data)
    with Embedded(data) as server:
        restore(await server.bootstrap(opening.DATABASE))
        await server.copy_database(STORY, opening._name(7))


async def _schema(data: Path, version: str | None = None) -> tuple[str, bool]:
    """The schema the demo's city has, or is said to have from now on, and whether it is the old city."""
    with Embedded(data) as server:
        connection = await asyncpg.connect(server.url(opening.DATABASE))
        try:
            before = await connection.fetchval("SELECT version_num FROM alembic_version")
            if version:
                await connection.execute("UPDATE alembic_version SET version_num = $1", version)
            return before, await connection.fetchval("SELECT count(*) >= 200 FROM orders")
        finally:
            await connection.close()


def test_a_demo_starts_on_the_data_of_another_version_or_says_in_a_line_what_to_do(
    older: Path, ports: tuple[int, int]
) -> None:
    """Whoever changes to another version has the old data folder: newer data is named, an older city is brought up to
    date where it is to go on, and a new one takes its place where not."""
    before, old_city = asyncio.run(_schema(older / "demo", "9999"))
    assert (before, old_city) == ("0011", True)
    refused = Demo(older, ports[0])
    said = refused.said()
    assert refused.process.returncode == 2
    assert "Traceback" not in said
    assert said.splitlines()[-1].endswith("or start without --resume")
    asyncio.run(_schema(older / "demo", before))
    for arguments in (("--resume",), ()):
        demo = Demo(older, ports[0], arguments=arguments)
        try:
            demo.until_it_answers(240)
            demo.process.send_signal(signal.SIGINT)
            assert "Traceback" not in demo.said()
            assert demo.process.returncode == 0
            assert demo.left() == []
        finally:
            demo.process.kill()
            demo.process.communicate()
        assert asyncio.run(_schema(older / "demo")) == (newest_revision(), bool(arguments))


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_that_somebody_has_is_named_in_a_line(folder: Path, family: socket.AddressFamily, host: str) -> None:
    """Also where a browser asked for `localhost` would meet somebody else first."""
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = Demo(folder, port)
        assert refused.said() == f"port {port} is in use; stop what listens there, or choose another with --port\n"
        assert refused.process.returncode == 2
