"""The days of a zone that are planned: kept true to what happens, and improved between orders."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from functools import partial
from typing import Final
from uuid import UUID

from msgspec import Struct

from backend.database.deciding import decide
from backend.database.pool import Connection
from backend.orders import queries as orders
from backend.orders.actions import follow_plan
from backend.processes.leases import Leases
from backend.processes.solving import SolverPool
from backend.scheduling import queries as scheduling
from backend.scheduling.actions import lock_day, write_plan
from backend.scheduling.placing import place
from backend.scheduling.rebase import carry_over
from backend.scheduling.settling import settled, standing
from backend.scheduling.snapshots import Day, Planner, Reading
from dispatch import Insertion, Plan, plan_cost

_DRIFT_S: Final = 30  # a plan is written anew when reality has moved a stop by more than this


class Carried(Struct, frozen=True):
    """What of an improvement fits the day as it is now, and whether the day is still the one it was found for."""

    day: Day
    plan: Plan | None
    fresh: bool


class Days:
    """Writes better plans for the days of zones a dispatcher leads."""

    def __init__(
        self,
        leases: Leases,
        planner: Planner,
        solver: SolverPool,
        improve_s: float,
    ) -> None:
        """`improve_s` is what one search may take."""
        self._leases = leases
        self._planner = planner
        self._solver = solver
        self._improve_s = improve_s
        self.leaving = False

    async def keep_true(self, seen: scheduling.PlanDay, now: datetime, find: Callable[[UUID], Awaitable[None]]) -> int:
        """Move what follows when somebody is late or early; times change, crews do not.

        Every change may have opened a place for an order that waits, and closes it soon: `find` looks for
        its crew at once. Tells the version that needs no second look.
        """
        zone_id, plan_on = seen.zone_id, seen.plan_on
        async with self._leases.transaction(zone_id) as connection:
            read = await self._planner.read(connection, zone_id, plan_on, now, plan=seen.plan)
        day = read.built()
        plan = settled(day)
        drifted = plan is not day.plan and _drifted(day.plan, plan)
        fitting = [visit for visit in day.waiting if isinstance(place(self._planner, day, visit), Insertion)]
        version = day.rows.plan.version
        if drifted or not fitting:
            async with self._leases.transaction(zone_id) as connection:
                if drifted:
                    await self._leases.prove(connection, zone_id)
                    await lock_day(connection, day)
                    version = (await write_plan(connection, day, plan)).version
                if not fitting:
                    await scheduling.mark_settled(connection, day.rows.plan.id, version)
        for visit in fitting:
            await find(UUID(visit.id))
        if fitting:
            async with self._leases.transaction(zone_id) as connection:
                await scheduling.mark_settled(connection, day.rows.plan.id, version)
        return version

    async def improve(self, zone_id: UUID, plan_on: date) -> None:
        """Ask the solver for a better day, and commit what still fits when it answers."""
        async with self._leases.transaction(zone_id) as connection:
            now = await orders.care_now(connection)
            before = await self._planner.read(connection, zone_id, plan_on, now)
        then = before.built()
        stand = standing(then)
        problem, start = stand.problem, stand.plan
        movable = sum(1 for route in start.routes.values() for stop in route if not stop.locked)
        better: Plan | None = None
        if movable > 1 or then.rows.missed:
            better = await self._solver.improve(problem, start, self._improve_s, then.rows.plan.version)
            if self.leaving:
                return  # the search was cut short: whoever takes the zone over begins it again

        async def read(connection: Connection) -> Reading:
            return await self._planner.read(connection, zone_id, plan_on, await orders.care_now(connection))

        def carried(read: Reading) -> Carried:
            day = read.built()
            fresh = day.rows.plan.version == then.rows.plan.version
            worth = better is not None and plan_cost(problem, better) < plan_cost(problem, start)
            return Carried(day, carry_over(then, better, day, standing(day)) if better and worth else None, fresh)

        await decide(partial(self._leases.transaction, zone_id), read, carried, self._commit)

    async def _commit(self, connection: Connection, carried: Carried) -> None:
        """Write an improvement that fits the day as it is now, or that this version was looked at."""
        plan = carried.day.rows.plan
        if carried.plan is None:
            await scheduling.mark_improved(connection, plan.id, plan.version if carried.fresh else 0)
            return
        await self._leases.prove(connection, carried.day.rows.zone_id)
        await lock_day(connection, carried.day)
        await follow_plan(connection, await write_plan(connection, carried.day, carried.plan, improved=True))
        await scheduling.mark_improved(connection, plan.id, 0)


def _drifted(before: Plan, after: Plan) -> bool:
    old = {(s.worker, s.visit, s.seat, s.kind): s.start_s for route in before.routes.values() for s in route}
    return any(
        abs(old.get((s.worker, s.visit, s.seat, s.kind), s.start_s) - s.start_s) >= _DRIFT_S
        for route in after.routes.values()
        for s in route
        if not s.locked
    )
