"""The live dispatcher: owns zones by lease, finds crews, makes offers, keeps plans true to the day and improves them."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from backend.config import Settings
from backend.core.clock import city_date
from backend.core.principal import SYSTEM
from backend.database.pool import NEVER_IDLE, Database, Lane
from backend.orders import queries as orders
from backend.processes.crews import Crews
from backend.processes.days import Days
from backend.processes.leases import Leases, LostZoneError
from backend.processes.logging import where
from backend.processes.solving import SolverPool
from backend.processes.stopping import pause
from backend.processes.warming import warm_kernels
from backend.scheduling import queries as scheduling
from backend.scheduling.actions import StalePlanError
from backend.scheduling.snapshots import Planner

_RENEW_S = 3.0
_POLL_S = 0.25
_RETRY_CARE_S = 60.0  # a meal nobody can bring now is tried again every minute of care time
_LOOK_AGAIN_S = 30  # a running day is looked at so often in care time, whether or not anything has changed it
_CONNECTIONS = 3  # and one to listen on
log = structlog.get_logger()


class Dispatcher:
    """One dispatcher process; any number may run, each zone obeys one of them at a time."""

    def __init__(
        self, settings: Settings, database: Database, solver: SolverPool, warm: asyncio.Event | None = None
    ) -> None:
        self._settings = settings
        self._database = database
        self._planner = Planner(settings.time_zone, settings.policy, warm)
        self._solver = solver
        self._leases = Leases(database)
        self._crews = Crews(self._leases, self._planner, self._offered)
        self._days = Days(self._leases, self._planner, solver, settings.dispatcher_improve_seconds, self._place)
        self._tried: dict[UUID, datetime] = {}
        self._sifted: dict[tuple[UUID, date], int] = {}
        self._set_aside: set[tuple[UUID, str]] = set()
        self._kept_true: dict[tuple[UUID, date], tuple[int, datetime]] = {}
        self._improving: dict[tuple[UUID, date], asyncio.Task[bool]] = {}
        self._working: dict[UUID, asyncio.Task[None]] = {}
        self._leaving = False
        self.wake = asyncio.Event()

    @property
    def zones(self) -> list[UUID]:
        """The zones this dispatcher leads."""
        return self._leases.zones

    async def renew(self) -> None:
        """Take or keep every zone that is free; a zone lost is dropped at once. Who cannot plan yet takes none."""
        if self._planner.ready:
            await self._leases.renew()

    def leave(self) -> None:
        """Begin nothing new from now on; searches are cut short, what is being committed is finished."""
        self._leaving = self._days.leaving = True
        self._solver.stop()
        self.wake.set()

    async def give_back(self) -> None:
        """Finish what is being committed, then end our leases so that another dispatcher takes over at once."""
        await asyncio.gather(*self._working.values(), *self._improving.values(), return_exceptions=True)
        await self._leases.give_back()

    async def cycle(self) -> None:
        """Look once and wait until everything found is done."""
        await self.look()
        await asyncio.gather(*self._working.values())

    async def look(self) -> None:
        """Begin what is due: place what waits, keep the running days true, and improve; each zone for itself.

        A zone that is still at work, or waits for a lock somebody holds, keeps no other zone waiting.
        """
        self._working = {zone_id: task for zone_id, task in self._working.items() if not task.done()}
        free = [zone_id for zone_id in self.zones if zone_id not in self._working]
        if not self.zones:
            return
        async with self._database.unit_of_work(SYSTEM) as connection:
            now = await orders.care_now(connection)
            self._tried = {o: at for o, at in self._tried.items() if (now - at).total_seconds() < _RETRY_CARE_S}
            waiting = await orders.waiting_orders(connection, free, list(self._tried))
            today = city_date(now, self._planner.zone_info)
            days = await scheduling.plan_days(connection, self.zones, today)
        for zone_id in free:
            placing = [order.id for order in waiting if order.zone_id == zone_id]
            keeping = [
                day for day in days if day.zone_id == zone_id and day.plan_on == today and self._drifts(day, now)
            ]
            sifting = [day for day in days if day.zone_id == zone_id and self._unsifted(day)]
            if placing or keeping or sifting:
                work = self._work(zone_id, sifting, placing, keeping, now)
                self._working[zone_id] = asyncio.create_task(work)
        for day in days:
            if self._leaving:
                return
            key = (day.zone_id, day.plan_on)
            running = self._improving.get(key)
            due = day.version != day.improved_version and self._settings.policy == "best"
            if due and (running is None or running.done()):
                self._improving[key] = asyncio.create_task(
                    self._guarded("improve", self._days.improve(day.zone_id, day.plan_on))
                )

    def _drifts(self, day: scheduling.PlanDay, now: datetime) -> bool:
        """Whether a running day has changed since it was last looked at, or that was long ago."""
        seen = self._kept_true.get((day.zone_id, day.plan_on))
        return seen is None or seen[0] != day.version or (now - seen[1]).total_seconds() >= _LOOK_AGAIN_S

    async def _work(
        self,
        zone_id: UUID,
        sifting: Sequence[scheduling.PlanDay],
        placing: Sequence[UUID],
        keeping: Sequence[scheduling.PlanDay],
        now: datetime,
    ) -> None:
        for day in sifting:
            await self._guarded("sift", self._sift(day))
        for order_id in placing:
            if self._leaving:
                return
            self._tried[order_id] = now
            if not await self._guarded("place", self._crews.place(order_id, zone_id)):
                self._tried.pop(order_id, None)  # nothing was found out about it
        for day in keeping:
            self._kept_true[day.zone_id, day.plan_on] = (day.version, now)
            await self._guarded("keep_true", self._keep_true(day, now))

    async def _guarded(self, what: str, work: Any) -> bool:
        """Run one piece of work and tell whether it was done; a stale plan or a lost zone is normal and is simply tried again."""
        try:
            await work
        except StalePlanError:
            self.wake.set()
        except LostZoneError:
            log.info("dispatcher.zone_lost", step=what)
        except (asyncpg.PostgresError, TimeoutError) as error:
            log.warning("dispatcher.step_failed", step=what, error=type(error).__name__)
        except Exception as error:
            # one order or plan we cannot handle must not stop the dispatching of all others; it is told loudly
            log.exception("dispatcher.step_broken", step=what, error=type(error).__name__, trace=where(error))
            return True
        else:
            return True
        return False

    def _unsifted(self, day: scheduling.PlanDay) -> bool:
        return self._sifted.get((day.zone_id, day.plan_on)) != day.version

    async def _sift(self, seen: scheduling.PlanDay) -> None:
        """Set aside what cannot be read of a day, once, before anything is planned around it."""
        self._sifted[seen.zone_id, seen.plan_on] = seen.version
        async with self._leases.transaction(seen.zone_id) as connection:
            rows = await self._planner.rows(connection, seen.zone_id, seen.plan_on, seen.plan)
        for order in rows.aside:
            if (order.order_id, order.why) not in self._set_aside:
                self._set_aside.add((order.order_id, order.why))
                await self._guarded("set_aside", self._crews.set_aside(order.order_id, seen.zone_id, order.why))

    async def _keep_true(self, day: scheduling.PlanDay, now: datetime) -> None:
        version = await self._days.keep_true(day, now)
        self._kept_true[day.zone_id, day.plan_on] = (version, now)  # its own change needs no second look

    async def _place(self, order_id: UUID, zone_id: UUID) -> None:
        await self._guarded("place", self._crews.place(order_id, zone_id))

    def _offered(self, order_id: UUID) -> None:
        self._tried.pop(order_id, None)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run until told to stop; a broken database connection ends the process and its supervisor starts it again."""
    connections = settings.database_connections or _CONNECTIONS
    lanes = {Lane.COUNTER: 1, Lane.COMMANDS: max(1, connections - 1)}
    database = await Database.open(settings.database_url, lanes=lanes, patience_s=None, limits=NEVER_IDLE)
    try:
        with SolverPool() as solver:
            warm = asyncio.Event()
            dispatcher = Dispatcher(settings, database, solver, warm)
            ears = await database.listen()
            await ears.add_listener("feed", lambda *_: dispatcher.wake.set())
            async with asyncio.TaskGroup() as tasks:
                warming = tasks.create_task(warm_kernels(warm, ("quotes", "search")))
                tasks.create_task(_renew_until(stop, dispatcher))
                tasks.create_task(_cycle_until(stop, dispatcher))
                await stop.wait()
                dispatcher.leave()
                warming.cancel()
            await dispatcher.give_back()
            ears.terminate()
    finally:
        await database.close()


async def _renew_until(stop: asyncio.Event, dispatcher: Dispatcher) -> None:
    while not stop.is_set():
        await dispatcher.renew()
        dispatcher.wake.set()
        await pause(stop, _RENEW_S)


async def _cycle_until(stop: asyncio.Event, dispatcher: Dispatcher) -> None:
    while not stop.is_set():
        dispatcher.wake.clear()
        await dispatcher.look()
        try:
            await asyncio.wait_for(dispatcher.wake.wait(), _POLL_S)
        except TimeoutError:
            continue
