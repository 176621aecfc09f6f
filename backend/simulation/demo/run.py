"""`yinling demo`: a whole city on one machine, in fast motion, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import random
import sys
from collections.abc import Callable, Generator, Sequence
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
from msgspec import Struct
from pyotp.totp import TOTP
from rich.console import Console
from rich.table import Column, Table

from backend.core.clock import city_date
from backend.core.principal import SYSTEM
from backend.database.clock import care_now
from backend.database.migrate import SchemaError, migrate
from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.processes.embedded import Embedded
from backend.processes.kernels import prepare_kernels
from backend.processes.places import ServerError, default_folder
from backend.processes.warming import KernelsError
from backend.simulation import launch
from backend.simulation.demo import city, opening, queries
from backend.simulation.demo.morning import SlowMorningError
from backend.simulation.demo.population import Pace, Population
from backend.simulation.stopping import until_told

_PORT: Final = 8000
_LAST_PORT: Final = 65535
_LOOK_S: Final = 0.5
_RATE: Final = 20.0  # twenty times as fast: a working day in half an hour
_GONE: Final = "PostgreSQL was ended by somebody else: start the demo again"
_DAY_BEGINS, _DAY_ENDS, _NIGHT_BEGINS = time(7, 40), time(19), time(19, 30)


def main(arguments: Sequence[str]) -> int:
    """The command; 0 after Ctrl-C, 2 when it cannot start or go on, after one line that says why."""
    parser = argparse.ArgumentParser(prog="yinling demo", description="A whole invented city, in fast motion.")
    parser.add_argument(
        "--port", type=_port, default=_PORT, help="of the web; the gateway takes the next (%(default)s)"
    )
    parser.add_argument("--speed", type=float, default=_RATE, help="care seconds per real second (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the city's chances (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on where the last demo stopped, instead of a new day")
    asked = parser.parse_args(arguments)
    ports = (asked.port, asked.port + 1)
    try:
        busy = [port for port in ports if not launch.is_free(port)]
        if busy:
            return _cannot(f"port {busy[0]} is in use; stop what listens there, or choose another with --port")
        asyncio.run(until_told(run(rate=asked.speed, seed=asked.seed, ports=ports, resume=asked.resume)))
    except (launch.PlatformError, SlowMorningError, ServerError, KernelsError) as error:
        return _cannot(str(error))
    except SchemaError as error:
        return _cannot(f"{error}, or start without --resume")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return _cannot(f"the demo cannot go on: {str(error) or type(error).__name__}")
    return 0


def _port(text: str) -> int:
    """A port whose next one exists too. Raises ValueError."""
    if not 1 <= int(text) < _LAST_PORT:
        raise ValueError(text)
    return int(text)


def _cannot(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 2


async def run(
    *, rate: float = _RATE, every_s: float = 1.2, seed: int = 7, ports: tuple[int, int], resume: bool
) -> None:
    """Start everything, print where to look, and live until interrupted."""
    console = Console()
    await prepare_kernels(console)  # the first page never shows before the city can answer
    logs = default_folder("logs")
    logs.mkdir(parents=True, exist_ok=True)
    with _telling(console) as tell:
        tell("starting PostgreSQL 18 …")
        with Embedded(default_folder("demo")) as server:
            resumes = resume and await server.has_database(opening.DATABASE)
            morning = None if resumes else await opening.prepared(server, seed, logs, tell)
            tell("starting web, gateway, relay, dispatcher and jobs …")
            try:
                async with contextlib.AsyncExitStack() as stack:
                    url, day = await _opened(stack, server, morning, seed, logs, ports)
                    tell(None)
                    await _live(console, day, server, url, rate, every_s, seed)
            except launch.PlatformError as error:
                if server.runs:
                    raise
                raise ServerError(_GONE) from error


class _Day(Struct, frozen=True):
    """The day a demo shows: its database, where care time stands in it, and who signs in at desks."""

    owner: Database
    begins: datetime
    desks: list[city.Desk]


async def _opened(
    stack: contextlib.AsyncExitStack, server: Embedded, morning: str | None, seed: int, logs: Path, ports: Sequence[int]
) -> tuple[str, _Day]:
    """A platform on a copy of the morning, or on the last demo's day; until the stack is left."""
    day: asyncio.Future[_Day] = asyncio.get_running_loop().create_future()

    async def fill() -> None:
        if morning is None:
            urls = await server.bootstrap(opening.DATABASE)
            await migrate(urls.owner)
        else:
            urls = await opening.open_at(server, morning)
        owner = await open_as_owner(urls.owner, size=2)
        stack.push_async_callback(owner.close)
        day.set_result(_Day(owner, *await _prepare(owner, seed)))

    extra = {"YINLING_BOARD_PUBLIC": "1", "YINLING_DISPATCHER_IMPROVE_SECONDS": "1"}
    urls = server.urls(opening.DATABASE)
    platform = await stack.enter_async_context(launch.supervised(urls, logs, ports, extra, fill))
    return platform.web_url, day.result()


async def _live(
    console: Console, day: _Day, server: Embedded, url: str, rate: float, every_s: float, seed: int
) -> None:
    """Let care time run from the opening moment, with everybody in the city going about their day."""
    owner, begins, desks = day.owner, day.begins, day.desks
    async with owner.unit_of_work(SYSTEM) as connection:
        residents, workers = await queries.residents(connection), await queries.workers(connection)
        points = await queries.meal_points(connection)
        await queries.set_clock(connection, begins, rate)
    pace = Pace(begins, rate, ZoneInfo(city.TIME_ZONE))
    _welcome(console, url, desks, residents[0].phone, workers[0].phone, pace)
    people = Population(url, pace, random.Random(seed), told=partial(console.print, markup=False))
    living = asyncio.create_task(people.live(residents, workers, points, desks, every_s))
    nights = asyncio.create_task(skip_nights(console, owner, pace, rate, seed))
    tasks = (living, nights, asyncio.create_task(_while_served(server)))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(OSError):  # the terminal may be gone
            console.print("\nstopping …")
        if server.runs:
            async with owner.unit_of_work(SYSTEM) as connection:
                await queries.set_clock(connection, pace.now(), 0.0)


async def _while_served(server: Embedded) -> None:
    """Return never, but raise ServerError when somebody has killed the database."""
    while True:
        await asyncio.sleep(_LOOK_S)
        if not server.runs:
            raise ServerError(_GONE)


@contextlib.contextmanager
def _telling(console: Console) -> Generator[Callable[[str | None], None]]:
    """A way to say what is being done: in place on a terminal, a line each elsewhere; None when it is over."""
    if not console.is_terminal:
        yield lambda text: console.print(text) if text else None
        return
    with console.status("") as status:
        yield lambda text: status.update(text) if text else status.stop()


async def _prepare(owner: Database, seed: int) -> tuple[datetime, list[city.Desk]]:
    """Give shifts and fresh passwords; returns where care time stands, or the next morning if that is a night."""
    zone_info = ZoneInfo(city.TIME_ZONE)
    async with owner.unit_of_work(SYSTEM) as connection:
        begins = _working_time((await care_now(connection)).astimezone(zone_info), zone_info)
        await queries.set_clock(connection, begins, 0.0)
        await city.seed(connection, city_date(begins, zone_info), zone_info, random.Random(seed))
        desks = await city.desks(connection)
    return begins, desks


async def skip_nights(console: Console, owner: Database, pace: Pace, rate: float, seed: int) -> None:
    """Nobody watches a city sleep: the evening is followed by the next morning, and everybody is told."""
    while True:
        now = pace.now().astimezone(pace.zone_info)
        await pace.until(datetime.combine(now.date(), _NIGHT_BEGINS, pace.zone_info))
        morning = _working_time(pace.now().astimezone(pace.zone_info), pace.zone_info)
        async with owner.unit_of_work(SYSTEM) as connection:
            await queries.set_clock(connection, morning, rate)
            pace.jump(morning)
            await city.seed(connection, morning.date(), pace.zone_info, random.Random(seed))
        console.print(f"The city sleeps; it goes on in the morning: {morning:%Y-%m-%d %H:%M}.")


def _working_time(stood: datetime, zone_info: ZoneInfo) -> datetime:
    if _DAY_BEGINS <= stood.time() < _DAY_ENDS:
        return stood
    on = stood.date() if stood.time() < _DAY_BEGINS else stood.date() + timedelta(days=1)
    return datetime.combine(on, _DAY_BEGINS, zone_info)


def _welcome(console: Console, url: str, desks: list[city.Desk], resident: str, worker: str, pace: Pace) -> None:
    table = Table("who", "sign in with", Column("one-time password", overflow="fold"),
                  title=f"银龄 Yinling is running: {url}")  # fmt: skip
    for desk in desks:
        table.add_row(
            desk.role,
            f"{desk.login} / {desk.password}",
            f"{TOTP(desk.totp_secret).now()} now, secret\n{desk.totp_secret}",
        )
    family = resident.replace("+86139", "+86137")
    for who, phone in (("resident 老人", resident), ("family 家属", family), ("worker 护理员", worker)):
        table.add_row(who, phone, "the code is shown when you ask for it")
    table.add_row("a couple 夫妻", city.LANDLINE, "the same; the sign-in asks which of the two")
    console.print(table)
    console.print(
        f"It is {pace.now().astimezone(pace.zone_info):%Y-%m-%d %H:%M} there, and a minute here is {pace.rate:g} minutes. Open:"
    )
    for path, what in (
        ("/", "the first page: one press, and you are a resident, the daughter, a worker …"),
        ("/board", "the dispatch board; in English with ?lang=en"),
        ("/v1/openapi.json", "the interface"),
    ):
        console.print(f"  {url}{path}  {what}", soft_wrap=True)
    console.print(f"Follow a day as the daughter:  .venv/bin/yinling watch --as {family} --url {url}", soft_wrap=True)
    console.print("Ctrl-C stops everything.")
