"""Every process stops when it is told to: soon, cleanly, and whatever it is doing."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.processes.embedded import Embedded, Urls
from backend.simulation.launch import free_ports
from tests.support.feeds import reading
from tests.support.people import person
from tests.support.processes import Line, Started, environment, gone, said, script, started, until
from tests.support.replaying import children
from tests.support.scratch import GUARDED

PROCESSES = ("web", "gateway", "relay", "dispatcher", "jobs")
ASKS = {"web": "/health/live", "gateway": "/health/live"}


@pytest.fixture
async def urls(server: Embedded) -> AsyncIterator[Urls]:
    name = f"stopping_{uuid4().hex}"
    yield await server.copy_database(GUARDED, name)
    await server.drop_database(name)


@pytest.fixture
async def owner(urls: Urls) -> AsyncIterator[Database]:
    database = await open_as_owner(urls.owner, size=4)
    yield database
    await database.close()


@asynccontextmanager
async def _all(
    url: str, before: Sequence[str] = (sys.executable, "-m", "backend"), *, at_work: bool = True
) -> AsyncIterator[dict[str, Started]]:
    """Every process at once, come as far as its work."""
    async with AsyncExitStack() as stack:
        named = url + ("&" if "?" in url else "?") + "application_name="
        ones = {name: await stack.enter_async_context(started(name, named + name, before)) for name in PROCESSES}
        if at_work:
            await asyncio.gather(*(ones[name].answers(path) for name, path in ASKS.items()))
        yield ones


async def _working(owner: Database) -> None:
    """All of them have come as far as the database, and the dispatcher owns its zones."""

    async def are() -> bool:
        async with owner.unit_of_work(SYSTEM) as connection:
            return await connection.fetchval(
                """SELECT count(DISTINCT application_name) = $1 AND EXISTS (SELECT FROM zone_leases)
                   FROM pg_stat_activity WHERE datname = current_database() AND application_name = ANY($2)""",
                len(PROCESSES), PROCESSES,
            )  # fmt: skip

    await until(are)


async def _end(ones: dict[str, Started], number: int = signal.SIGTERM) -> dict[str, tuple[int, float]]:
    """Send all of them a signal: how each ended, and after how long."""
    return dict(zip(ones, await asyncio.gather(*(one.told_to_stop(number) for one in ones.values())), strict=True))


def _can_unshare() -> bool:
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run([tool, "--pid", "--fork", "true"], check=False).returncode == 0


async def test_told_to_stop_every_process_ends_within_five_seconds(urls: Urls, owner: Database):
    """It has a handler of its own: with the signal's default it would not end with code 0."""
    async with Line(urls) as line, _all(line.url) as ones:
        await _working(owner)
        ended = await _end(ones)
        assert {name: code for name, (code, _) in ended.items()} == dict.fromkeys(PROCESSES, 0)
        assert max(took for _, took in ended.values()) < 5


@pytest.mark.skipif(not _can_unshare(), reason="no process may have process ids of its own here")
async def test_the_first_process_of_a_container_hears_the_signal(urls: Urls, owner: Database):
    """Whoever is process 1 and has no handler does not hear the signal at all."""
    first = ("unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "backend")
    async with Line(urls) as line, _all(line.url, first) as ones:
        await _working(owner)
        for name, one in ones.items():
            os.kill(children(one.process.pid, name)[0], signal.SIGTERM)
        ended = await asyncio.gather(*(one.ended(within=30) for one in ones.values()))
        assert [code for code, _ in ended] == [0] * len(PROCESSES)
        assert max(took for _, took in ended) < 5


async def test_a_silent_database_keeps_nobody_from_stopping(urls: Urls, owner: Database):
    async with Line(urls) as line, _all(line.url) as ones:
        await _working(owner)
        line.fall_silent()
        await asyncio.sleep(0.5)  # long enough for a question that stays without an answer
        ended = await _end(ones)
        assert max(took for _, took in ended.values()) < 5
        assert -signal.SIGTERM not in [code for code, _ in ended.values()]


async def test_told_twice_a_process_ends_at_once(urls: Urls, owner: Database):
    async with Line(urls) as line, _all(line.url) as ones:
        await _working(owner)
        line.fall_silent()
        await asyncio.sleep(0.5)
        for one in ones.values():
            one.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        held = {name: one for name, one in ones.items() if one.process.returncode is None}
        assert held, "somebody waits for an answer"
        ended = await _end(held)
        assert {code for code, _ in ended.values()} <= {0, 128 + signal.SIGTERM}
        assert 128 + signal.SIGTERM in {code for code, _ in ended.values()}
        assert max(took for _, took in ended.values()) < 5


async def test_a_database_that_was_silent_from_the_start_neither(urls: Urls):
    async with Line(urls) as line:
        line.fall_silent()
        async with _all(line.url, at_work=False) as ones:
            await until(line.was_met, len(PROCESSES))
            ended = await _end(ones)
            assert max(took for _, took in ended.values()) < 5


async def test_a_request_in_hand_is_answered(urls: Urls, owner: Database):
    async with started("web", urls.app) as one:
        await one.answers("/health/live")
        async with (
            owner.unit_of_work(SYSTEM) as locking,
            httpx.AsyncClient(base_url=f"http://{one.address}", timeout=10) as http,
        ):
            await locking.execute("LOCK TABLE sign_in_codes IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.create_task(http.post("/v1/sign-in/codes", json={"phone": "+8613812345678"}))
            await _somebody_waits(owner)
            one.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            assert one.process.returncode is None
            await locking.execute("ROLLBACK; BEGIN")
            assert (await asking).status_code == 202
        assert (await one.ended(within=5))[0] == 0


async def test_a_timer_in_hand_is_finished_and_the_others_wait(urls: Urls, owner: Database):
    async with owner.unit_of_work(SYSTEM) as connection:
        for _ in range(2):
            await connection.execute(
                "INSERT INTO timers (kind, subject_id, due_at) VALUES ('offer_expiry', $1, yinling_now())", uuid4()
            )
    async with owner.unit_of_work(SYSTEM) as locking:
        await locking.execute("LOCK TABLE timers IN SHARE MODE")  # what is due can be read, but not taken in hand
        async with started("jobs", urls.app) as one:
            await _somebody_waits(owner)
            one.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            assert one.process.returncode is None
            await locking.execute("ROLLBACK; BEGIN")
            assert (await one.ended(within=5))[0] == 0
    async with owner.unit_of_work(SYSTEM) as connection:
        waiting = "SELECT count(*) FROM timers WHERE kind = 'offer_expiry' AND fired_at IS NULL AND tries = 0"
        assert await connection.fetchval(waiting) == 1


async def _somebody_waits(owner: Database) -> None:
    async def waits() -> bool:
        async with owner.unit_of_work(SYSTEM) as connection:
            return await connection.fetchval(
                """SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE NOT granted AND datname = current_database())"""
            )

    await until(waits)


async def _leases(owner: Database) -> int:
    async with owner.unit_of_work(SYSTEM) as connection:
        return await connection.fetchval("SELECT count(*) FROM zone_leases WHERE expires_at > clock_timestamp()")


async def test_a_dispatcher_gives_its_zones_back(urls: Urls, owner: Database):
    """Another one need not wait for ten seconds until the leases run out."""
    async with started("dispatcher", urls.app) as one:
        await until(_leases, owner)
        assert (await one.told_to_stop())[0] == 0
    assert await _leases(owner) == 0


async def test_sockets_hear_that_it_is_a_restart_and_when_to_come_back(urls: Urls, owner: Database):
    """1012, spread over a moment, with a pause that differs from socket to socket: a thousand must not return as one."""
    resident = await person(owner, "resident")
    async with started("gateway", urls.app) as one:
        await one.answers("/health/live")
        ends = [reading(owner, one.address, resident.token) for _ in range(12)]
        readers = [await end.__aenter__() for end in ends]
        for reader in readers:
            assert (await reader.next())["type"] == "hello"
        one.process.send_signal(signal.SIGTERM)
        assert {await reader.closed() for reader in readers} == {1012}
        reasons = [reader.socket.close_reason or "" for reader in readers]
        pauses = {int(reason.removeprefix("retry after ").removesuffix(" ms")) for reason in reasons}
        assert len(pauses) > 6
        assert (await one.ended(within=5))[0] == 0
        for end in ends:
            await end.__aexit__(None, None, None)


_COMPILING = """
import sys
from backend.processes import warming
from tests.support import helping
warming.load_kernels = lambda groups: False
warming._compile = helping.compile_slowly
from backend.cli import main
sys.exit(main(["web"]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_web_stops_while_it_compiles_and_so_does_the_compiling(number: int, urls: Urls, tmp_path: Path):
    mark = tmp_path / "helper"
    async with started("web", urls.app, (sys.executable, "-c", _COMPILING), helper_mark=mark) as one:
        await one.answers("/health/live")
        await until(asyncio.to_thread, mark.exists)
        code, took = await one.told_to_stop(number)
        assert code == (0 if number == signal.SIGTERM else -number)
        assert took < 5
        assert await gone(int(mark.read_text()), within=5)


_SEARCHING = """
import asyncio, multiprocessing, sys
from pathlib import Path
from backend.processes.solving import SolverPool
from backend.processes.warming import use_kernels
from dispatch import construct
from dispatch.formats import read_instance

async def main():
    use_kernels()
    problem = read_instance(Path(sys.argv[1]), "hhcrsp").problem
    plan = construct(problem)
    with SolverPool() as pool:
        await pool.improve(problem, plan, 0.1, 1)
        searching = asyncio.create_task(pool.improve(problem, plan, 600.0, 1))
        await asyncio.sleep(0.5)
        print(multiprocessing.active_children()[0].pid, flush=True)
        await searching

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_a_solver_ends_with_a_dispatcher_that_was_killed():
    day = Path(__file__).parents[1] / "support" / "instances" / "hhcrsp" / "InstanzCPLEX_HCSRP_10_1.json.gz"
    async with script(_SEARCHING, str(day)) as parent:
        solver = int(await said(parent))
        assert not await gone(solver, within=0.5)
        parent.kill()
        assert await gone(solver, within=5)


_CHILD = """
import sys, time
from backend.processes import children
children._ask_the_kernel = lambda number: False
children.end_with_parent(int(sys.argv[1]))
print("alive", flush=True)
time.sleep(600)
"""
_PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


async def test_where_the_kernel_does_not_look_after_children_they_look_themselves():
    async with script(_PARENT, _CHILD) as parent:
        child = int(await said(parent))
        assert not await gone(child, within=1.5)
        parent.kill()
        assert await gone(child, within=5)


async def test_a_child_whose_parent_died_before_it_could_ask_ends_too():
    async with script(_CHILD, "999999999") as orphan:
        assert await said(orphan) == ""
        assert await asyncio.wait_for(orphan.wait(), 5) == -signal.SIGKILL


_SUPERVISING = """
import os, subprocess, sys, time
for name in sys.argv[1:]:
    child = subprocess.Popen([sys.executable, "-m", "backend", name, "--child-of", str(os.getpid())])
    print(child.pid, flush=True)
time.sleep(600)
"""


async def test_processes_stop_when_their_supervisor_was_killed(urls: Urls, owner: Database):
    """A demo that is killed leaves nothing running."""
    ports = dict(zip(("web_port", "gateway_port", "relay_port", "jobs_port"), free_ports(4), strict=True))
    told = environment(urls.app, **ports)
    async with script(_SUPERVISING, *PROCESSES, env=told) as supervisor:
        pids = [int(await said(supervisor)) for _ in PROCESSES]
        await until(_leases, owner)
        supervisor.kill()
        assert all(await asyncio.gather(*(gone(pid, within=5) for pid in pids)))
