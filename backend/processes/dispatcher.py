"""The live dispatcher: owns zones by lease, finds crews, makes offers, keeps plans true to the day and improves them."""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from backend.catalogue.model import MEAL
from backend.config import Settings
from backend.core.clock import city_date
from backend.core.principal import SYSTEM
from backend.database.pool import NEVER_IDLE, Connection, Database, Lane
from backend.database.rows import UnreadableRowError
from backend.orders import queries as orders
from backend.orders.actions import follow_plan
from backend.orders.aside import set_aside
from backend.orders.model import Actor, Command, Order, OrderStatus
from backend.orders.offering import offer_order, to_the_desk
from backend.processes.logging import where
from backend.processes.solving import SolverPool
from backend.processes.stopping import pause
from backend.processes.warming import warm_kernels
from backend.scheduling import queries as scheduling
from backend.scheduling.actions import StalePlanError, lock_day, write_plan
from backend.scheduling.placing import place
from backend.scheduling.rebase import carry_over
from backend.scheduling.settling import settled, standing
from backend.scheduling.snapshots import Day, Planner
from dispatch import Insertion, Plan, Problem, Refusal, plan_cost

LEASE_S = 10.0
_RENEW_S = 3.0
_POLL_S = 0.25
_RETRY_CARE_S = 60.0  # a meal nobody can bring now is tried again every minute of care time
_CONNECTIONS = 3  # and one to listen on
_THINKS = 3  # how often a crew is looked for while its day keeps moving
_CARRIES = 3  # how often an improvement is fitted to a plan that keeps moving
_DRIFT_S = 30  # a plan is written anew when reality has moved a stop by more than this
log = structlog.get_logger()


class LostZoneError(Exception):
    """Another dispatcher owns the zone by now; nothing was written."""


class Dispatcher:
    """One dispatcher process; any number may run, each zone obeys one of them at a time."""

    def __init__(
        self, settings: Settings, database: Database, solver: SolverPool, warm: asyncio.Event | None = None
    ) -> None:
        self._settings = settings
        self._database = database
        self._planner = Planner(settings.time_zone, settings.policy, warm)
        self._solver = solver
        self._owner = uuid.uuid4().hex
        self._epochs: dict[UUID, int] = {}
        self._tried: dict[UUID, datetime] = {}
        self._sifted: dict[tuple[UUID, date], int] = {}
        self._set_aside: set[tuple[UUID, str]] = set()
        self._kept_true: dict[tuple[UUID, date], tuple[int, datetime]] = {}
        self._improving: dict[tuple[UUID, date], asyncio.Task[bool]] = {}
        self._working: dict[UUID, asyncio.Task[None]] = {}
        self._leaving = False
        self.wake = asyncio.Event()

    async def renew(self) -> None:
        """Take or keep every zone that is free; a zone lost is dropped at once. Who cannot plan yet takes none."""
        if not self._planner.ready:
            return
        leases = await self._database.ask_as_nobody(lambda nobody: scheduling.lead_zones(nobody, self._owner, LEASE_S))
        self._epochs = {lease.zone_id: lease.epoch for lease in leases}

    def leave(self) -> None:
        """Begin nothing new from now on; searches are cut short, what is being committed is finished."""
        self._leaving = True
        self._solver.stop()
        self.wake.set()

    async def give_back(self) -> None:
        """Finish what is being committed, then end our leases so that another dispatcher takes over at once."""
        await asyncio.gather(*self._working.values(), *self._improving.values(), return_exceptions=True)
        async with self._database.unit_of_work(SYSTEM) as connection:
            await scheduling.give_leases_back(connection, self._owner)
        self._epochs.clear()

    async def cycle(self) -> None:
        """Look once and wait until everything found is done."""
        await self.look()
        await asyncio.gather(*self._working.values())

    async def look(self) -> None:
        """Begin what is due: place what waits, keep the running days true, and improve; each zone for itself.

        A zone that is still at work, or waits for a lock somebody holds, keeps no other zone waiting.
        """
        self._working = {zone_id: task for zone_id, task in self._working.items() if not task.done()}
        free = [zone_id for zone_id in self._epochs if zone_id not in self._working]
        if not self._epochs:
            return
        async with self._database.unit_of_work(SYSTEM) as connection:
            now = await orders.care_now(connection)
            self._tried = {o: at for o, at in self._tried.items() if (now - at).total_seconds() < _RETRY_CARE_S}
            waiting = await orders.waiting_orders(connection, free, list(self._tried))
            today = city_date(now, self._planner.zone_info)
            days = await scheduling.plan_days(connection, list(self._epochs), today)
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
                    self._guarded("improve", self._improve(day.zone_id, day.plan_on))
                )

    def _drifts(self, day: scheduling.PlanDay, now: datetime) -> bool:
        """Whether a running day has changed since it was last looked at, or that was long ago."""
        seen = self._kept_true.get((day.zone_id, day.plan_on))
        return seen is None or seen[0] != day.version or (now - seen[1]).total_seconds() >= _DRIFT_S

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
            if not await self._guarded("place", self._place(order_id, zone_id)):
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

    async def _own(self, connection: Connection, zone_id: UUID) -> None:
        epoch = await scheduling.lease_epoch(connection, zone_id)
        if epoch is None or epoch != self._epochs.get(zone_id):
            self._epochs.pop(zone_id, None)
            raise LostZoneError

    def _unsifted(self, day: scheduling.PlanDay) -> bool:
        return self._sifted.get((day.zone_id, day.plan_on)) != day.version

    async def _sift(self, seen: scheduling.PlanDay) -> None:
        """Set aside what cannot be read of a day, once, before anything is planned around it."""
        self._sifted[seen.zone_id, seen.plan_on] = seen.version
        async with self._zone(seen.zone_id) as connection:
            rows = await self._planner.rows(connection, seen.zone_id, seen.plan_on, seen.plan)
        for order in rows.aside:
            if (order.order_id, order.why) not in self._set_aside:
                self._set_aside.add((order.order_id, order.why))
                await self._guarded("set_aside", self._aside(order.order_id, seen.zone_id, order.why))

    async def _aside(self, order_id: UUID, zone_id: UUID, why: str) -> None:
        async with self._zone(zone_id) as connection:
            await self._own(connection, zone_id)
            await set_aside(connection, order_id, why)

    def _zone(self, zone_id: UUID) -> AbstractAsyncContextManager[Connection]:
        """A transaction about one zone: all of them together take the connections of no other zone."""
        return self._database.unit_of_work(SYSTEM, Lane.COMMANDS, zone_id)

    async def _place(self, order_id: UUID, zone_id: UUID) -> None:
        """Offer one placed order with its crew; one that cannot be read goes to the desk, and the next one is looked at."""
        try:
            await self._find(order_id, zone_id)
        except UnreadableRowError as error:
            await self._aside(order_id, zone_id, error.column)

    async def _find(self, order_id: UUID, zone_id: UUID) -> None:
        """Find the crew of a placed order, or the one it was held with, and offer it.

        Here as everywhere all thinking comes before the first lock; when the day has moved on meanwhile it is done again.
        """
        for _ in range(_THINKS):
            async with self._zone(zone_id) as connection:
                order = await orders.order(connection, order_id)
                if order.status is not OrderStatus.PLACED:
                    return
                now = await orders.care_now(connection)
                day = await self._planner.day(connection, order.zone_id, order.plan_on, now)
            crew = _crew(day, order.id)
            visit = next((visit for visit in day.problem.visits if visit.id == str(order.id)), None)
            if visit is None and (fault := _fault_of(day, order.id)):
                raise UnreadableRowError("VisitRow", order.id, fault)
            if visit is None:
                continue  # it is no longer placed
            outcome = place(self._planner, day, visit) if len(crew) < len(visit.seats) else None
            with contextlib.suppress(StalePlanError):
                async with self._zone(zone_id) as connection:
                    await self._offer(connection, day, order, crew, outcome)
                return
        raise StalePlanError

    async def _offer(
        self, connection: Connection, day: Day, read: Order, crew: dict[int, UUID], outcome: Insertion | Refusal | None
    ) -> None:
        """Write what was found for an order, if it and its day are still as they were read. Raises StalePlanError."""
        await self._own(connection, read.zone_id)
        order = await orders.order_for_update(connection, read.id)
        if order.status is not OrderStatus.PLACED:
            return
        if order.version != read.version:
            raise StalePlanError
        await lock_day(connection, day)
        if isinstance(outcome, Refusal):
            await self._refused(connection, order, outcome)
            return
        if outcome is not None:
            await follow_plan(connection, await write_plan(connection, day, outcome.plan), order.id)
            crew = {s.seat + 1: UUID(s.worker) for s in outcome.stops if s.kind != "pickup"}
        providers = {worker.id: worker.provider for worker in day.problem.workers}
        asked = UUID(providers[str(crew[1])])
        await offer_order(connection, order, asked, crew, Command.OFFER, Actor.DISPATCHER, self._planner.zone_info)
        self._tried.pop(order.id, None)

    async def _refused(self, connection: Connection, order: Order, refusal: Refusal) -> None:
        reasons = [{"worker": r.worker, "rule": r.rule, "detail": r.detail} for r in refusal.reasons]
        if order.kind == MEAL or order.window_soft:
            await orders.note_reasons(connection, order.id, reasons)
        else:
            await to_the_desk(connection, order, Actor.DISPATCHER, refusal.summary, reasons)

    async def _keep_true(self, seen: scheduling.PlanDay, now: datetime) -> None:
        """Move what follows when somebody is late or early; times change, crews do not.

        Every change may have opened a place for an order that waits, and closes it soon: it is looked for at once.
        """
        zone_id, plan_on = seen.zone_id, seen.plan_on
        async with self._zone(zone_id) as connection:
            day = await self._planner.day(connection, zone_id, plan_on, now, plan=seen.plan)
        plan = settled(day)
        drifted = plan is not day.plan and _drifted(day.plan, plan)
        fitting = [visit for visit in day.waiting if isinstance(place(self._planner, day, visit), Insertion)]
        version = day.rows.plan.version
        if drifted or not fitting:
            async with self._zone(zone_id) as connection:
                if drifted:
                    await self._own(connection, zone_id)
                    await lock_day(connection, day)
                    version = (await write_plan(connection, day, plan)).version
                if not fitting:
                    await scheduling.mark_settled(connection, day.rows.plan.id, version)
        for visit in fitting:
            await self._guarded("place", self._place(UUID(visit.id), zone_id))
        if fitting:
            async with self._zone(zone_id) as connection:
                await scheduling.mark_settled(connection, day.rows.plan.id, version)
        self._kept_true[zone_id, plan_on] = (version, now)  # its own change needs no second look

    async def _improve(self, zone_id: UUID, plan_on: date) -> None:
        """Ask the solver for a better day, and commit what still fits when it answers."""
        async with self._zone(zone_id) as connection:
            now = await orders.care_now(connection)
            then = await self._planner.day(connection, zone_id, plan_on, now)
        stand = standing(then)
        problem, start = stand.problem, stand.plan
        movable = sum(1 for route in start.routes.values() for stop in route if not stop.locked)
        better: Plan | None = None
        if movable > 1:
            seconds = self._settings.dispatcher_improve_seconds
            better = await self._solver.improve(problem, start, seconds, then.rows.plan.version)
            if self._leaving:
                return  # the search was cut short: whoever takes the zone over begins it again
        for _ in range(_CARRIES):
            if await self._carry(then, problem, start, better):
                return

    async def _carry(self, then: Day, problem: Problem, start: Plan, better: Plan | None) -> bool:
        """Commit what still fits of an improvement; false when the plan moved on meanwhile.

        All thinking comes before the first lock: while it is held no report gets in and no event gets out.
        """
        zone_id, plan_on = then.rows.zone_id, then.rows.plan_on
        async with self._zone(zone_id) as connection:
            day = await self._planner.day(connection, zone_id, plan_on, await orders.care_now(connection))
        taken: Plan | None = None
        if better is not None and plan_cost(problem, better) < plan_cost(problem, start):
            taken = carry_over(then, better, day, standing(day))
        plan = day.rows.plan
        async with self._zone(zone_id) as connection:
            if taken is None:
                fresh = plan.version == then.rows.plan.version
                await scheduling.mark_improved(connection, plan.id, plan.version if fresh else 0)
                return True
            await self._own(connection, zone_id)
            try:
                await lock_day(connection, day)
            except StalePlanError:
                return False
            await follow_plan(connection, await write_plan(connection, day, taken, improved=True))
            await scheduling.mark_improved(connection, plan.id, 0)
            return True


def _fault_of(day: Day, order_id: UUID) -> str:
    return next((aside.why for aside in day.rows.aside if aside.order_id == order_id), "")


def _crew(day: Day, order_id: UUID) -> dict[int, UUID]:
    return {
        stop.seat + 1: UUID(stop.worker)
        for route in day.plan.routes.values()
        for stop in route
        if stop.visit == str(order_id) and stop.kind != "pickup"
    }


def _drifted(before: Plan, after: Plan) -> bool:
    old = {(s.worker, s.visit, s.seat, s.kind): s.start_s for route in before.routes.values() for s in route}
    return any(
        abs(old.get((s.worker, s.visit, s.seat, s.kind), s.start_s) - s.start_s) >= _DRIFT_S
        for route in after.routes.values()
        for s in route
        if not s.locked
    )


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
