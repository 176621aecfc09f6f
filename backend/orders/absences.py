"""Workers who cannot come: seen beforehand, recorded with all that follows from it in one transaction, and ended early.

No visit that was promised is left with nobody without somebody being told: a colleague comes, or another provider is asked,
or the desk gets a task. Whoever has set out finishes.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.orders import people_queries, queries, seat_queries
from backend.orders.actions import follow_plan, tell
from backend.orders.lifecycle import ACTORS_OF
from backend.orders.model import Order, OrderStatus
from backend.orders.offering import await_crew, lose_crew
from backend.orders.people import own_worker, theirs
from backend.orders.people_queries import PlanKey, VisitFacts
from backend.rules.queries import EVERYWHERE, limit
from backend.scheduling import queries as scheduling
from backend.scheduling.absence import Fallen, Outcome, Relieved, relieve
from backend.scheduling.actions import StalePlanError, lock_day, write_plan
from backend.scheduling.snapshots import Day, Planner, Reading
from backend.tasks import actions as tasks
from backend.tasks.model import Subject, TaskKind
from backend.workers import queries as workers
from backend.workers.model import AbsenceReason, AbsenceView
from backend.workers.queries import OwnWorker

_PROMISED: Final = frozenset({OrderStatus.OFFERED, OrderStatus.ACCEPTED})


class StandIn(Struct, frozen=True, kw_only=True):
    """Who would come, by seat: the whole crew as it would be."""

    seat: int
    worker_id: UUID
    name: str


class FallenVisit(Struct, frozen=True, kw_only=True):
    """A visit of somebody who cannot come, and where it goes; `at` is when it would begin, in place of `was_at`."""

    order_id: UUID
    code: str
    kind: str
    service: str
    service_en: str
    zone: str
    window_from: datetime
    window_to: datetime
    outcome: Outcome
    was_at: datetime
    at: datetime | None
    crew: list[StandIn]


class AbsencePlan(Struct, frozen=True, kw_only=True):
    """What an absence would mean as of `now`: nothing is recorded and nobody is reserved. Not `complete`: time was up."""

    worker_id: UUID
    name: str
    from_at: datetime
    to_at: datetime
    now: datetime
    visits: list[FallenVisit]
    complete: bool


class Recorded(Struct, frozen=True, kw_only=True):
    """An absence with what became of each visit that falls in it."""

    absence: AbsenceView
    visits: list[FallenVisit]


class Considered(Struct, frozen=True):
    """A worker, a time, and the days in which they are expected in it, read at one moment."""

    worker: OwnWorker
    from_at: datetime
    to_at: datetime
    now: datetime
    reads: list[Reading]


class Thought(Struct, frozen=True):
    """The same with each day as it would be without them."""

    considered: Considered
    days: list[Relieved]

    @property
    def fallen(self) -> list[Fallen]:
        """Every visit that was theirs in that time, by when it was to begin."""
        return sorted((one for day in self.days for one in day.fallen), key=lambda one: one.was_at)


async def consider(
    connection: Connection, principal: Principal, planner: Planner, worker_id: UUID, from_at: datetime, to_at: datetime
) -> Considered:
    """Read what an absence would touch. Raises not_allowed, unknown_worker, invalid_window, in_the_past, absence_too_long."""
    worker = await own_worker(connection, principal, worker_id)
    async with as_the_platform(connection):
        now = await queries.care_now(connection)
        await _may_be_absent(connection, now, from_at, to_at)
        plans = await people_queries.plans_with(connection, worker_id, from_at, to_at)
        reads = [await planner.read(connection, plan.zone_id, plan.plan_on, now) for plan in plans]
        return Considered(worker, from_at, to_at, now, reads)


async def _may_be_absent(connection: Connection, now: datetime, from_at: datetime, to_at: datetime) -> None:
    if to_at <= from_at:
        raise DomainError("invalid_window")
    if to_at <= now or from_at < now - timedelta(seconds=await limit(connection, "absence_back_s", EVERYWHERE)):
        raise DomainError("in_the_past")
    if to_at - from_at > timedelta(days=await limit(connection, "absence_most_days", EVERYWHERE)):
        raise DomainError("absence_too_long")


def think(considered: Considered, go_on: Callable[[], bool]) -> Thought:
    """Find for each visit where it goes, the next ones first, as long as `go_on` says."""
    one = considered
    return Thought(one, [relieve(read, one.worker.id, one.from_at, one.to_at, go_on) for read in one.reads])


async def told(connection: Connection, thought: Thought) -> AbsencePlan:
    """Put what was found into words a page can print."""
    one = thought.considered
    async with as_the_platform(connection):
        return AbsencePlan(
            worker_id=one.worker.id, name=one.worker.name, from_at=one.from_at, to_at=one.to_at, now=one.now,
            visits=await _visits(connection, thought.fallen),
            complete=all(visit.outcome is not Outcome.NOT_LOOKED for visit in thought.fallen),
        )  # fmt: skip


async def _visits(connection: Connection, fallen: list[Fallen]) -> list[FallenVisit]:
    facts = {
        one.order_id: one for one in await people_queries.visit_facts(connection, [one.order_id for one in fallen])
    }
    come = {worker_id for one in fallen for worker_id in one.crew.values()}
    names = {one.id: one.name for one in await workers.names(connection, come)}

    def visit(one: Fallen, about: VisitFacts) -> FallenVisit:
        crew = [StandIn(seat=n, worker_id=who, name=names[who]) for n, who in sorted(one.crew.items())]
        return FallenVisit(
            **{name: getattr(about, name) for name in VisitFacts.__struct_fields__},
            outcome=one.outcome, was_at=one.was_at, at=one.at, crew=crew,
        )  # fmt: skip

    return [visit(one, facts[one.order_id]) for one in fallen if one.order_id in facts]


async def record(
    connection: Connection, principal: Principal, thought: Thought, reason: AbsenceReason, zone_info: ZoneInfo
) -> Recorded:
    """Write an absence and all that follows for each visit. Raises StalePlanError when a day is not as it was read.

    Raises already_absent (409).
    """
    one, worker_id = thought.considered, thought.considered.worker.id
    async with as_the_platform(connection):
        await _lock(connection, worker_id, [relieved.day for relieved in thought.days])
        plans = await people_queries.plans_with(connection, worker_id, one.from_at, one.to_at)
        if set(plans) != {PlanKey(read.rows.zone_id, read.rows.plan_on) for read in one.reads}:
            raise StalePlanError
        if await workers.is_absent(connection, worker_id, one.from_at, one.to_at):
            raise DomainError("already_absent")
        for relieved in thought.days:
            if any(fallen.outcome is Outcome.COLLEAGUE for fallen in relieved.fallen):
                await follow_plan(connection, await write_plan(connection, relieved.day, relieved.plan))
            for fallen in relieved.fallen:
                await _settle(connection, principal, fallen, zone_info)
        absence = await workers.insert_absence(connection, worker_id, one.from_at, one.to_at, reason)
        await note(connection, principal, "absence", "worker", worker_id)
        return Recorded(absence=absence, visits=await _visits(connection, thought.fallen))


async def _lock(connection: Connection, worker_id: UUID, days: list[Day]) -> None:
    """Lock every plan, then everybody in them, each in id order: nobody is expected anywhere else from here on."""
    plans = [day.rows.plan.id for day in days]
    for day in days:
        await lock_day(connection, day, plans)
    people = {UUID(worker.id) for day in days for worker in day.problem.workers}
    await scheduling.lock_workers(connection, [*people | {worker_id}])


async def _settle(connection: Connection, principal: Principal, fallen: Fallen, zone_info: ZoneInfo) -> None:
    """What must happen to one visit at once."""
    if fallen.outcome is Outcome.STAYS:
        return
    if fallen.status not in _PROMISED or fallen.outcome is Outcome.NOT_LOOKED:
        await tasks.open_task(connection, TaskKind.CREW_SHORT, about=Subject(order_id=fallen.order_id))
        return
    order = await queries.order_for_update(connection, fallen.order_id)
    if order.status != fallen.status:
        raise StalePlanError
    if fallen.outcome is Outcome.COLLEAGUE:
        await _with_others(connection, order)
    else:
        await lose_crew(connection, order, ACTORS_OF[principal.role], zone_info)


async def _with_others(connection: Connection, order: Order) -> None:
    """The same promise with other people: whoever follows the order hears of it."""
    now = await queries.advance(connection, order, order.status, provider_id=order.provider_id)
    crew = await seat_queries.assignments_of(connection, order.id)
    await tell(connection, now, order.status, [seat.worker_id for seat in crew])
    if now.status is OrderStatus.ACCEPTED:
        await await_crew(connection, now)


async def absences(connection: Connection, principal: Principal, worker_id: UUID) -> list[AbsenceView]:
    """List a worker's absences that are not over. Raises not_allowed, unknown_worker."""
    await own_worker(connection, principal, worker_id)
    async with as_the_platform(connection):
        return await workers.absences(connection, worker_id)


async def end(connection: Connection, principal: Principal, absence_id: UUID) -> AbsenceView:
    """Somebody comes back earlier: they are planned with again. What others have taken over stays theirs.

    Raises not_allowed, unknown_absence (404), already_closed (409) where it is over.
    """
    async with as_the_platform(connection):
        worker_id = await workers.absence(connection, absence_id)
    found = await theirs(connection, principal, worker_id)
    if found is None:
        raise DomainError("unknown_absence")
    async with as_the_platform(connection):
        ended = await workers.end_absence(connection, absence_id)
        if ended is None:
            raise DomainError("already_closed")
        await note(connection, principal, "absence_ended", "worker", found.id)
        return ended
