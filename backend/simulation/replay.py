"""Live a recorded day through the public interface: `yinling replay PATH --format hhcrsp|mdrp`."""

import argparse
import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct
from pyotp.totp import TOTP
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from backend.core.principal import SYSTEM
from backend.database.owner import open_as_owner
from backend.database.pool import Database
from backend.processes.embedded import Urls
from backend.processes.kernels import prepare_kernels
from backend.processes.places import ServerError
from backend.processes.warming import KernelsError
from backend.simulation import hhcrsp, importer, launch, mdrp, queries, report
from backend.simulation.clients import Api, Traffic, Watcher
from backend.simulation.clock import Sleeper, StepClock
from backend.simulation.importer import Desk, Imported
from backend.simulation.instances import HOUR_S, Demand, Instance, InstanceError
from backend.simulation.pace import Pace
from backend.simulation.people import Resident, Worker
from backend.simulation.stopping import until_told
from backend.simulation.world import World
from dispatch import warm

TIME_ZONE: Final = "Asia/Shanghai"
_FORMS: Final = {"hhcrsp": hhcrsp, "mdrp": mdrp}
_WATCHING_RESIDENTS: Final = 100
_SIGNING_IN_AT_ONCE: Final = 8
_BETWEEN_BOOKINGS_S: Final = 10  # the evening before, in file order
_EVENING_ENDS_S: Final = 2700.0  # long enough after the last booking for every timer of the evening
_QUIET_S: Final = 15.0
_CONNECT_S: Final = 60.0
_POLL_S: Final = 0.05


class Options(Struct, frozen=True, kw_only=True):
    """How to live the day."""

    form: str
    speed: float = 600.0
    seed: int = 1
    policy: str = "best"
    limit: int | None = None
    think_s: float = 0.3
    settle_s: float = 30.0
    improve_s: float = 0.1
    keep: bool = False


def instances(path: Path, options: Options) -> list[Instance]:
    """Every recorded day a path stands for, all read and checked before anything is started. Raises InstanceError."""
    form = _FORMS[options.form]
    found: list[Instance] = []
    for file in form.files(path):
        instance = form.parse(file)
        if options.limit is not None:
            kept = instance.demands[: options.limit]
            known = {demand.id for demand in kept}
            alone = tuple(d if d.gap is None or d.gap.after in known else _without_gap(d) for d in kept)
            instance = msgspec.structs.replace(instance, demands=alone)
        importer.layout(instance, TIME_ZONE)
        found.append(instance)
    return found


def _without_gap(demand: Demand) -> Demand:
    return msgspec.structs.replace(demand, gap=None)


class Day:
    """One recorded day being lived on a running platform."""

    def __init__(
        self, platform: launch.Platform, database: Database, day: Imported, options: Options, progress: Progress
    ) -> None:
        self._platform = platform
        self._database = database
        self._day = day
        self._options = options
        self._progress = progress
        self._traffic = Traffic()
        self._world = World(day)
        self._pace = Pace(database, day, options.think_s if options.policy == "best" else 0.0)
        self._watchers: list[Watcher] = []
        self._bar = progress.add_task(day.instance.name, total=len(day.instance.demands), state="signing in")

    async def live(self) -> report.Report:
        """Sign everybody in, let the day pass, and add it up."""
        began = time.monotonic()
        start_s = self._start_s()
        async with self._database.unit_of_work(SYSTEM) as connection:
            await queries.start_clock(connection, self._day.instant(start_s))
        limits = httpx.Limits(max_connections=48, max_keepalive_connections=48)
        async with httpx.AsyncClient(
            base_url=self._platform.web_url, limits=limits, timeout=30, trust_env=False
        ) as http:
            clock = StepClock(start_s, self._options.speed, self._move, self._pace.stand)
            self._pace.clock = clock
            async with asyncio.TaskGroup() as tasks:
                lives = await self._people(http, clock, tasks)
                running = [tasks.create_task(life) for life in lives]
                try:
                    care_s = await self._pass(clock)
                finally:
                    await self._pace.hang_up()
                self._world.over = True
                for task in running:
                    task.cancel()
        run = report.Run(
            policy=self._options.policy, speed=self._options.speed, seed=self._options.seed,
            wall_s=time.monotonic() - began, care_s=care_s, restarts=self._platform.restarts, gave_up=clock.gave_up,
            stood_still_s={reason: round(seconds, 1) for reason, seconds in clock.spent_s.items()},
        )  # fmt: skip
        return await report.make(self._database, self._world, self._watchers, self._traffic, run)

    def _start_s(self) -> float:
        instance = self._day.instance
        if any(demand.booked_s is None for demand in instance.demands):
            return self._day.evening_s - 60.0
        first = min(*(w.on_s for w in instance.workers), *(d.from_s for d in instance.demands))
        return first - 300.0

    async def _move(self, from_s: float, to_s: float, rate: float) -> None:
        async with self._database.unit_of_work(SYSTEM) as connection:
            await queries.move_clock(connection, self._day.instant(from_s), rate, self._day.instant(to_s))
        self._progress.update(self._bar, completed=self._pace.over, state=f"{self._day.instant(to_s):%a %H:%M}")

    async def _people(
        self, http: httpx.AsyncClient, clock: StepClock, tasks: asyncio.TaskGroup
    ) -> list[Coroutine[Any, Any, None]]:
        """Sign everybody in and open their sockets; returns their lives, ready to begin."""
        day, chance = self._day, random.Random(self._options.seed)
        operator, provider = Api(http, self._traffic), Api(http, self._traffic)
        await self._sign_in_desk(operator, day.operator)
        await self._sign_in_desk(provider, day.provider)
        residents = {name: Api(http, self._traffic) for name in day.instance.residents}
        workers = {worker.id: Api(http, self._traffic) for worker in day.instance.workers}
        gate = asyncio.Semaphore(_SIGNING_IN_AT_ONCE)
        async with asyncio.TaskGroup() as signing:
            for name, api in residents.items():
                signing.create_task(_sign_in(gate, api, day.resident_phones[name]))
            for name, api in workers.items():
                signing.create_task(_sign_in(gate, api, day.worker_phones[name]))
        bookings = self._bookings()
        homes = {
            name: Resident(self._world, clock, api, bookings[name], random.Random(chance.random()))
            for name, api in residents.items()
        }
        crew = {
            worker.id: Worker(self._world, clock, workers[worker.id], worker, homes) for worker in day.instance.workers
        }
        await self._open_sockets(operator, provider, residents, workers, crew, tasks)
        lives: list[Callable[[Sleeper], Awaitable[None]]] = [
            *(resident.live for resident in homes.values()), *(worker.live for worker in crew.values()),
        ]  # fmt: skip
        return [clock.person(life) for life in lives]

    def _bookings(self) -> dict[str, list[tuple[float, Demand]]]:
        bookings: dict[str, list[tuple[float, Demand]]] = {name: [] for name in self._day.instance.residents}
        for number, demand in enumerate(self._day.instance.demands):
            evening_s = self._day.evening_s + number * _BETWEEN_BOOKINGS_S
            at_s = float(evening_s if demand.booked_s is None else demand.booked_s)
            bookings[demand.resident].append((at_s, demand))
        return bookings

    async def _sign_in_desk(self, api: Api, desk: Desk) -> None:
        await api.sign_in_by_password(desk.login, desk.password, TOTP(desk.totp_secret).now)

    async def _open_sockets(
        self,
        operator: Api,
        provider: Api,
        residents: dict[str, Api],
        workers: dict[str, Api],
        crew: dict[str, Worker],
        tasks: asyncio.TaskGroup,
    ) -> None:
        day, url = self._day, self._platform.gateway_url
        console = Watcher(operator, url, ("console", f"zone:{day.zone_id}"), self._pace.heard)
        others = {f"provider:{day.provider_id}": Watcher(provider, url, (f"provider:{day.provider_id}",), _ignore)}
        for name in list(residents)[:_WATCHING_RESIDENTS]:
            key = f"resident:{day.resident_ids[name]}"
            others[key] = Watcher(residents[name], url, (key,), _ignore)
        for name, worker in crew.items():
            key = f"worker:{day.worker_ids[name]}"
            others[key] = Watcher(workers[name], url, (key,), _waker(worker))
        self._pace.listen(console, others)
        self._watchers = [console, *others.values()]
        self._watching = [tasks.create_task(watcher.watch()) for watcher in self._watchers]
        await _poll(self._connected, _CONNECT_S)
        await _poll(self._led, _CONNECT_S)

    async def _led(self) -> bool:
        async with self._database.unit_of_work(SYSTEM) as connection:
            return await queries.every_zone_is_led(connection)

    async def _connected(self) -> bool:
        return all(watcher.connected for watcher in self._watchers)

    async def _pass(self, clock: StepClock) -> float:
        """Let the evening before and the day go by; returns the care time lived, in seconds."""
        instance, began_s = self._day.instance, clock.now_s
        skipped_s = 0.0
        if any(demand.booked_s is None for demand in instance.demands):
            evening_ends = self._day.evening_s + len(instance.demands) * _BETWEEN_BOOKINGS_S + _EVENING_ENDS_S
            await clock.run(_never, evening_ends)
            await self._let_think()
            morning = min(worker.on_s for worker in instance.workers) - 60.0
            skipped_s = max(0.0, morning - clock.now_s)
            await clock.skip_to(max(morning, clock.now_s))
        until = max(*(d.latest_s for d in instance.demands), *(w.off_s for w in instance.workers)) + 2.0 * HOUR_S
        await clock.run(self._finished, until)
        self._progress.update(self._bar, completed=self._pace.over, state="adding up")
        await _poll(self._quiet, _QUIET_S)
        for task in self._watching:
            task.cancel()
        return clock.now_s - began_s - skipped_s

    async def _finished(self) -> bool:
        known = len(self._world.order_of) + len(self._world.unbooked)
        return known == len(self._day.instance.demands) and self._pace.over >= len(self._world.order_of)

    async def _let_think(self) -> None:
        """The night is long: the dispatcher improves tomorrow's plan before care time goes on."""
        if self._options.policy != "best":
            return
        self._progress.update(self._bar, state="planning the night before")
        await _poll(self._pace.settled, self._options.settle_s)

    async def _quiet(self) -> bool:
        """Whether every socket has got what it is owed."""
        return (await self._pace.stand()).wait_for not in {"events", "sockets"}


async def _poll(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Ask again and again until it holds or the real time is over."""
    for _ in range(max(1, int(seconds / _POLL_S))):
        if await condition():
            return
        await asyncio.sleep(_POLL_S)


async def _sign_in(gate: asyncio.Semaphore, api: Api, phone: str) -> None:
    async with gate:
        await api.sign_in_by_phone(phone)


async def _never() -> bool:
    return False


def _ignore(_: object) -> None:
    """Some people only look."""


def _waker(worker: Worker) -> Callable[[object], None]:
    def heard(_: object) -> None:
        if worker.sleeper is not None:
            worker.sleeper.wake()

    return heard


async def replay(
    instance: Instance, options: Options, progress: Progress, look: Callable[[Database], Awaitable[None]] | None = None
) -> report.Report:
    """Start a platform of its own, live one day on it, and stop everything again; `look` sees the database before that."""
    extra = {"YINLING_POLICY": options.policy, "YINLING_DISPATCHER_IMPROVE_SECONDS": str(options.improve_s)}
    imported: list[Imported] = []

    async def prepare(urls: Urls) -> None:
        async with _opened(urls) as database:
            imported.append(await importer.load(database, instance, TIME_ZONE))

    async with launch.running(extra, prepare, keep=options.keep) as platform, _opened(platform.urls) as database:
        lived = await Day(platform, database, imported[0], options, progress).live()
        if look is not None:
            await look(database)
        return lived


@asynccontextmanager
async def _opened(urls: Urls) -> AsyncGenerator[Database]:
    database = await open_as_owner(urls.owner, size=4)
    try:
        yield database
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(database.close(), 5)


async def replay_all(found: Sequence[Instance], options: Options, console: Console) -> list[report.Report]:
    """One day after another, each on a platform of its own."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )  # fmt: skip
    reports: list[report.Report] = []
    await prepare_kernels(console)
    with console.status("Loading the planner ..."):
        await asyncio.to_thread(warm)
    for instance in found:
        with Progress(*columns, console=console, transient=True) as progress:
            reports.append(await replay(instance, options, progress))
        report.show(console, reports[-1])
    if len(reports) > 1:
        report.show_all(console, reports)
    return reports


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every day came out clean, 1 when not, 2 for a file that cannot be read."""
    parser = argparse.ArgumentParser(prog="yinling replay", description="Live a recorded day through the public API.")
    parser.add_argument("path", type=Path, help="a file or folder of recorded days")
    parser.add_argument("--format", required=True, choices=sorted(_FORMS), dest="form")
    parser.add_argument("--speed", type=float, default=600.0, help="care seconds per real second at most; 0: unlimited")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--policy", choices=("best", "nearest"), default="best")
    parser.add_argument("--limit", type=int, help="only the first so many orders of each day")
    parser.add_argument("--think", type=float, default=0.3, help="real seconds to improve the plan after each order")
    parser.add_argument("--settle", type=float, default=30.0, help="real seconds to improve the plan the night before")
    parser.add_argument("--improve", type=float, default=0.1, help="seconds of one improvement by the dispatcher")
    parser.add_argument("--keep", action="store_true", help="keep the database folder and the logs")
    asked = parser.parse_args(arguments)
    options = Options(
        form=asked.form, speed=asked.speed, seed=asked.seed, policy=asked.policy, limit=asked.limit,
        think_s=asked.think, settle_s=asked.settle, improve_s=asked.improve, keep=asked.keep,
    )  # fmt: skip
    console = Console()
    try:
        reports = asyncio.run(until_told(replay_all(instances(asked.path, options), options, console)))
    except (InstanceError, launch.PlatformError, ServerError, KernelsError) as error:
        Console(stderr=True).print(str(error), highlight=False, markup=False)
        return 2
    if reports is None:
        return 130
    if asked.json:
        figures = [msgspec.to_builtins(one) for one in reports]
        content = figures[0] if len(figures) == 1 else {"replays": figures}
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
    return 0 if all(not one.faults for one in reports) else 1
