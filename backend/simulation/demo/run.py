"""`yinling demo`: a whole city on one machine, in fast motion, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pyotp.totp import TOTP
from rich.console import Console
from rich.table import Column, Table

from backend.core.clock import city_date, machine_now
from backend.core.principal import SYSTEM
from backend.database.migrate import migrate
from backend.database.pool import Database
from backend.processes.embedded import Embedded, default_folder
from backend.simulation import launch
from backend.simulation.demo import city, queries
from backend.simulation.demo.population import Pace, Population

_PORT: Final = 8000
_RATE: Final = 20.0  # twenty times as fast: a working day in half an hour
_DAY_BEGINS, _DAY_ENDS, _NIGHT_BEGINS = time(7, 40), time(19), time(19, 30)


def main(arguments: Sequence[str]) -> int:
    """The command; 0 after Ctrl-C, 2 when it cannot start."""
    parser = argparse.ArgumentParser(prog="yinling demo", description="A whole invented city, in fast motion.")
    parser.add_argument("--port", type=int, default=_PORT, help="of the web; the gateway takes the next (%(default)s)")
    parser.add_argument("--speed", type=float, default=_RATE, help="care seconds per real second (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the city's chances (%(default)s)")
    asked = parser.parse_args(arguments)
    ports = (asked.port, asked.port + 1)
    busy = [port for port in ports if not launch.is_free(port)]
    if busy:
        sys.stderr.write(f"port {busy[0]} is in use; stop what listens there, or choose another with --port\n")
        return 2
    try:
        asyncio.run(run(rate=asked.speed, seed=asked.seed, ports=ports))
    except launch.PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def run(*, rate: float = _RATE, every_s: float = 1.2, seed: int = 7, ports: tuple[int, int]) -> None:
    """Start everything, print where to look, and live until interrupted."""
    console = Console()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with console.status("starting PostgreSQL 18 …") as status, Embedded(default_folder("demo")) as server:
        urls = await server.bootstrap("yinling")
        status.update("bringing the schema up to date …")
        await migrate(urls.owner)
        status.update("building the city …")
        owner = await Database.open(urls.owner, size=2)
        pace, desks = await _prepare(owner, rate, seed)
        status.update("starting web, gateway, relay, dispatcher and jobs …")
        folder = default_folder("logs")
        folder.mkdir(parents=True, exist_ok=True)
        extra = {"YINLING_BOARD_PUBLIC": "1", "YINLING_DISPATCHER_IMPROVE_SECONDS": "1"}
        async with launch.supervised(urls, folder, ports, extra) as platform:
            status.stop()
            async with owner.unit_of_work(SYSTEM) as connection:
                residents, workers = await queries.residents(connection), await queries.workers(connection)
                points = await queries.meal_points(connection)
            _welcome(console, platform.web_url, desks, residents[0].phone, workers[0].phone)
            people = Population(platform.web_url, pace, random.Random(seed))
            living = asyncio.create_task(people.live(residents, workers, points, desks, every_s))
            nights = asyncio.create_task(_skip_nights(owner, pace, rate, seed))
            waiting = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait({living, nights, waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in (living, nights):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    if task in done:
                        await task
            console.print("\nstopping …")
            async with owner.unit_of_work(SYSTEM) as connection:
                await queries.set_clock(connection, pace.now(), 0.0)
        await owner.close()


async def _prepare(owner: Database, rate: float, seed: int) -> tuple[Pace, list[city.Desk]]:
    """Seed the city, and set its clock into working hours: where it stood, or the next morning."""
    zone_info = ZoneInfo(city.TIME_ZONE)
    async with owner.unit_of_work(SYSTEM) as connection:
        stood = await queries.care_now(connection) if await queries.is_seeded(connection) else machine_now()
        begins = _working_time(stood.astimezone(zone_info), zone_info)
        await queries.set_clock(connection, begins, rate)
        pace = Pace(begins, rate, zone_info)
        await city.seed(connection, city_date(begins, zone_info), zone_info, random.Random(seed))
        desks = await city.desks(connection)
    return pace, desks


async def _skip_nights(owner: Database, pace: Pace, rate: float, seed: int) -> None:
    """Nobody watches a city sleep: the evening is followed by the next morning."""
    while True:
        now = pace.now().astimezone(pace.zone_info)
        await pace.until(datetime.combine(now.date(), _NIGHT_BEGINS, pace.zone_info))
        morning = _working_time(pace.now().astimezone(pace.zone_info), pace.zone_info)
        async with owner.unit_of_work(SYSTEM) as connection:
            await queries.set_clock(connection, morning, rate)
            pace.jump(morning)
            await city.seed(connection, morning.date(), pace.zone_info, random.Random(seed))


def _working_time(stood: datetime, zone_info: ZoneInfo) -> datetime:
    if _DAY_BEGINS <= stood.time() < _DAY_ENDS:
        return stood
    on = stood.date() if stood.time() < _DAY_BEGINS else stood.date() + timedelta(days=1)
    return datetime.combine(on, _DAY_BEGINS, zone_info)


def _welcome(console: Console, url: str, desks: list[city.Desk], resident: str, worker: str) -> None:
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
    console.print(table)
    console.print(f"Follow a day as the daughter:  .venv/bin/yinling watch --as {family} --url {url}", soft_wrap=True)
    console.print("A demo's database is open to other users of this machine. Ctrl-C stops everything.")
