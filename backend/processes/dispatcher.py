"""The live dispatcher: owns zones by lease, finds crews, makes offers, keeps plans true to the day and improves them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

import structlog
from msgspec import Struct

from backend.config import Settings
from backend.core.clock import city_date
from backend.core.principal import SYSTEM
from backend.database.deciding import MovedOnError
from backend.database.line import ENDED
from backend.database.pool import NEVER_IDLE, Database, Lane
from backend.orders import queries as orders
from backend.orders.model import Waiting
from backend.processes.crews import Crews
from backend.processes.days import Days
from backend.processes.leases import Leases, LostZoneError
from backend.processes.logging import where
from backend.processes.retries import Retries, Work, is_passing
from backend.processes.solving import SolverPool
from backend.processes.stopping import pause
from backend.processes.warming import warm_kernels
from backend.scheduling import queries as scheduling
from backend.scheduling.model import Stamp
from backend.scheduling.snapshots import Planner

_RENEW_S = 3.0
_POLL_S = 0.25
_RETRY_CARE_S = 60.0  # a meal nobody can bring now is tried again every minute of care time
_LOOK_AGAIN_S = 30  # a running day is looked at so often in care time, whether or not anything has changed it
_TRIES: Final = 5  # in a row, seconds apart, before an order that nothing can be done with goes to the desk
_CONNECTIONS = 3  # and one to listen on
T = TypeVar("T")
log = structlog.get_logger()


class Done(Struct, Generic[T], frozen=True):
    """What a piece of work came to."""

    result: T


class Refused(Struct, frozen=True):
    """An order nobody could do as its day's plan was, when that was found; it waits on."""

    order: Waiting
    stamp: Stamp
    at: datetime


class Dispatcher:
    """One dispatcher process; any number may run, each zone obeys one of them at a time."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        solver: SolverPool,
        warm: asyncio.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives the machine's seconds, by which what failed is tried again; all else goes by care time."""
        self._settings = settings
        self._database = database
        self._planner = Planner(settings.time_zone, settings.policy, warm)
        self._solver = solver
        self._leases = Leases(database)
        self._crews = Crews(self._leases, self._planner)
        self._days = Days(self._leases, self._planner, solver, settings.dispatcher_improve_seconds)
        self._retries = Retries(clock)
        self._refused: dict[UUID, Refused] = {}
        self._sifted: dict[tuple[UUID, date], tuple[int, int]] = {}
        self._set_aside: set[tuple[UUID, str]] = set()
        self._kept_true: dict[tuple[UUID, date], tuple[Stamp, int, datetime]] = {}
        self._improving: dict[tuple[UUID, date], asyncio.Task[object]] = {}
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
            today = city_date(now, self._planner.zone_info)
            days = await scheduling.plan_days(connection, self.zones, today)
            resting = [about for about in self._retries.resting("place") if isinstance(about, UUID)]
            waiting = await orders.waiting_orders(connection, free, resting, self._not_due(days, now, today))
        for zone_id in free:
            placing = [order for order in waiting if order.zone_id == zone_id]
            mine = [day for day in days if day.zone_id == zone_id]
            keeping = [day for day in mine if day.plan_on <= today and self._drifts(day, now)]
            sifting = [day for day in mine if self._unsifted(day)]
            if placing or keeping or sifting:
                self._working[zone_id] = asyncio.create_task(self._work(sifting, placing, keeping, now))
        for day in days:
            if self._leaving:
                return
            key = (day.zone_id, day.plan_on)
            running = self._improving.get(key)
            due = day.version != day.improved_version and self._settings.policy == "best"
            if due and (running is None or running.done()) and self._retries.due(("improve", key)):
                self._improving[key] = asyncio.create_task(
                    self._guarded(("improve", key), self._days.improve(day.zone_id, day.plan_on))
                )

    def _not_due(self, days: Sequence[scheduling.PlanDay], now: datetime, today: date) -> list[UUID]:
        """Orders nobody could do as their day is.

        A refusal holds for a minute of care time, and on a day to come until its plan changes: a running day whose plan
        changes is looked at as a whole.
        """
        stamps = {(day.zone_id, day.plan_on): day.plan.stamp for day in days}
        self._refused = {
            order_id: refused
            for order_id, refused in self._refused.items()
            if (now - refused.at).total_seconds() < _RETRY_CARE_S
            and (refused.order.plan_on <= today or stamps.get(refused.order.day) == refused.stamp)
        }
        return list(self._refused)

    def _drifts(self, day: scheduling.PlanDay, now: datetime) -> bool:
        """Tell whether a running day, or who works, has changed since it was last looked at, or that was long ago."""
        key = (day.zone_id, day.plan_on)
        stamp, roster, at = self._kept_true.get(key, (None, 0, now))
        changed = (stamp, roster) != (day.plan.stamp, day.roster) or (now - at).total_seconds() >= _LOOK_AGAIN_S
        return changed and self._retries.due(("keep_true", key))

    def _unsifted(self, day: scheduling.PlanDay) -> bool:
        key = (day.zone_id, day.plan_on)
        return self._sifted.get(key) != (day.version, day.roster) and self._retries.due(("sift", key))

    async def _work(
        self,
        sifting: Sequence[scheduling.PlanDay],
        placing: Sequence[Waiting],
        keeping: Sequence[scheduling.PlanDay],
        now: datetime,
    ) -> None:
        for day in sifting:
            await self._guarded(("sift", (day.zone_id, day.plan_on)), self._sift(day))
        for order in placing:
            if self._leaving:
                return
            await self._place(order, now)
        for day in keeping:
            await self._guarded(("keep_true", (day.zone_id, day.plan_on)), self._keep_true(day, now))

    async def _guarded(self, what: Work, work: Awaitable[T]) -> Done[T] | None:
        """Run one piece of work; None when it was not done, and then it is due again, after a pause where it failed.

        A plan that moved on or a lost zone is normal: the next look decides anew.
        """
        step, about = what
        try:
            done = Done(await work)
        except MovedOnError:
            self.wake.set()
        except LostZoneError:
            log.info("dispatcher.zone_lost", step=step)
        except Exception as error:
            # one order or plan we cannot handle must not stop the dispatching of all others; it is told loudly
            passing, kind = is_passing(error), type(error).__name__
            named = {"order": str(about)} if isinstance(about, UUID) else {}
            if passing:
                log.warning("dispatcher.step_failed", step=step, error=kind, **named)
            else:
                log.exception("dispatcher.step_broken", step=step, error=kind, trace=where(error), **named)
            self._retries.failed(what, passing=passing)
        else:
            self._retries.done(what)
            return done
        return None

    async def _place(self, order: Waiting, now: datetime) -> None:
        """Find the crew of one order; one that fails again and again through itself goes to the desk."""
        work = ("place", order.id)
        self._refused.pop(order.id, None)
        done = await self._guarded(work, self._crews.place(order))
        if done is not None and done.result is not None:
            self._refused[order.id] = Refused(order, done.result, now)
        if self._retries.faults(work) >= _TRIES and await self._guarded(
            ("give_up", order.id), self._crews.give_up(order)
        ):
            self._retries.done(work)

    async def _sift(self, seen: scheduling.PlanDay) -> None:
        """Set aside what cannot be read of a day, once, before anything is planned around it.

        Where a leave takes a worker from a visit, a search for somebody else is due at once.
        """
        async with self._leases.transaction(seen.zone_id) as connection:
            rows = await self._planner.rows(connection, seen.zone_id, seen.plan_on, seen.plan)
            if rows.missed and seen.version == seen.improved_version:
                await scheduling.mark_improved(connection, seen.id, 0)
                self.wake.set()
        fresh = [order for order in rows.aside if (order.order_id, order.why) not in self._set_aside]
        for order in fresh:
            setting = self._crews.set_aside(order.order_id, seen.zone_id, order.why)
            if await self._guarded(("set_aside", order.order_id), setting):
                self._set_aside.add((order.order_id, order.why))
        if all((order.order_id, order.why) in self._set_aside for order in rows.aside):
            self._sifted[seen.zone_id, seen.plan_on] = (seen.version, seen.roster)

    async def _keep_true(self, day: scheduling.PlanDay, now: datetime) -> None:
        async def place(order_id: UUID) -> None:
            await self._place(Waiting(order_id, day.zone_id, day.plan_on), now)

        version = await self._days.keep_true(day, now, place)
        # its own change needs no second look
        self._kept_true[day.zone_id, day.plan_on] = ((version, day.beside), day.roster, now)


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run until told to stop; a broken database connection ends the process and its supervisor starts it again."""
    connections = settings.database_connections or _CONNECTIONS
    lanes = {Lane.COUNTER: 1, Lane.COMMANDS: max(1, connections - 1)}
    database = await Database.open(
        settings.database_url, time_zone=settings.time_zone, lanes=lanes, patience_s=None, limits=NEVER_IDLE
    )
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
        await _patiently("renew", dispatcher.renew())
        dispatcher.wake.set()
        await pause(stop, _RENEW_S)


async def _cycle_until(stop: asyncio.Event, dispatcher: Dispatcher) -> None:
    while not stop.is_set():
        dispatcher.wake.clear()
        await _patiently("look", dispatcher.look())
        try:
            await asyncio.wait_for(dispatcher.wake.wait(), _POLL_S)
        except TimeoutError:
            continue


async def _patiently(step: str, work: Awaitable[None]) -> None:
    """A database that was too busy is asked again soon: a process that ended for it would keep its zones waiting for a new one."""
    try:
        await work
    except ENDED:
        raise
    except Exception as error:
        if not is_passing(error):
            raise
        log.warning("dispatcher.step_failed", step=step, error=type(error).__name__)
