"""Other workers of the same provider for an order: the promise stays, who comes changes, and everybody concerned hears of it.

The desk may do it for a provider, with that provider's people: who shall go to another one is given back first.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.events.auditing import note
from backend.orders import crew_queries, offer_queries, queries, seat_queries
from backend.orders.actions import actor_of, follow_plan, order_to_crew, tell
from backend.orders.lifecycle import begin
from backend.orders.model import Assignment, Command, Order, OrderStatus
from backend.orders.offering import await_crew, still_asked
from backend.orders.views import rule_told
from backend.scheduling.actions import StalePlanError, lock_day, write_plan
from backend.scheduling.quotes import ByHand
from backend.scheduling.snapshots import Day, Planner, Reading
from backend.scheduling.swapping import Candidate, candidates, swap
from backend.workers import queries as workers
from backend.workers.queries import WorkerName


class Considered(Struct, frozen=True):
    """An order with its crew, and its day, read at one moment."""

    order: Order
    crew: list[Assignment]
    read: Reading
    reader: Principal


class Chosen(Struct, frozen=True):
    """The same with the crew that shall come; `placed` is None where it comes already."""

    order: Order
    day: Day
    placed: ByHand | None


async def consider(
    connection: Connection, principal: Principal, planner: Planner, order_id: UUID, version: int | None = None
) -> Considered:
    """Read an order whose crew somebody wants to change; `version` is the order as they saw it.

    Raises not_allowed, unknown_order, illegal_transition, and stale_version (409) where it has changed since.
    """
    order = await order_to_crew(connection, principal, order_id)
    begin(Command.SWAP, actor_of(principal, order.resident_id), order.status, order.kind)
    if version is not None and order.version != version:
        raise DomainError("stale_version", current=order.status.value)
    async with as_the_platform(connection):
        now = await queries.care_now(connection)
        crew = await seat_queries.assignments_of(connection, order_id)
        return Considered(order, crew, await planner.read(connection, order.zone_id, order.plan_on, now), principal)


def choose(considered: Considered, worker_ids: Sequence[UUID]) -> Chosen:
    """Put the order to the crew named, all of it. Raises no_shift (422) with the rule that refuses them, invalid_request."""
    order, named = considered.order, set(worker_ids)
    if len(named) != len(considered.crew) or len(named) != len(worker_ids):
        raise DomainError("invalid_request", f"This order takes {len(considered.crew)} different workers.")
    day = considered.read.built()
    if named == {seat.worker_id for seat in considered.crew}:
        return Chosen(order, day, None)
    placed = swap(day, order.id, worker_ids)
    if isinstance(placed, str):
        rule = rule_told(placed, considered.reader)
        raise DomainError("no_shift", f"The crew cannot do it within its window: {rule}.", rule=rule)
    return Chosen(order, day, placed)


async def exchange(connection: Connection, principal: Principal, chosen: Chosen, reason: str) -> Order:
    """Write who comes now: routes, seats, the offer, and what is told. Raises StalePlanError when it is not as it was read.

    Raises offer_closed (409) where the provider's time to answer is over.
    """
    async with as_the_platform(connection):
        await lock_day(connection, chosen.day)
        order = await queries.order_for_update(connection, chosen.order.id)
        if order.version != chosen.order.version or order.provider_id is None:
            raise StalePlanError
        if order.status is OrderStatus.OFFERED:
            offer = await offer_queries.open_offer_of(connection, order.id, order.provider_id)
            await still_asked(connection, offer, order)
        if chosen.placed is None:
            return order
        await follow_plan(connection, await write_plan(connection, chosen.day, chosen.placed.plan))
        await crew_queries.keep_choice(connection, order.id)
        swapped = await queries.advance(connection, order, order.status, provider_id=order.provider_id)
        crew = await seat_queries.assignments_of(connection, order.id)
        await tell(connection, swapped, order.status, [seat.worker_id for seat in crew])
        await note(connection, principal, "swap", "order", order.id, reason)
        if order.status is OrderStatus.ACCEPTED:
            await await_crew(connection, swapped)
        return swapped


class Option(Struct, frozen=True, kw_only=True):
    """Somebody who might take a seat over from whoever has it; `rule` says why they cannot, None where they can."""

    seat: int
    worker_id: UUID
    name: str
    gender: str
    visits_before: int
    rule: str | None


class Options(Struct, frozen=True, kw_only=True):
    """Who comes, and who could come in place of whom; where the time for looking was up it is not `complete`."""

    order_id: UUID
    status: OrderStatus
    version: int
    now: datetime
    window_from: datetime
    window_to: datetime
    crew: list[Option]
    options: list[Option]
    complete: bool


class Known(Struct, frozen=True):
    """What was considered, with the names of the provider's workers and how often they were at the resident's."""

    considered: Considered
    names: dict[UUID, WorkerName]
    been: dict[UUID, int]


async def consider_all(connection: Connection, principal: Principal, planner: Planner, order_id: UUID) -> Known:
    """Read what is needed to say who could come instead. Raises as `consider` does."""
    considered = await consider(connection, principal, planner, order_id)
    order = considered.order
    async with as_the_platform(connection):
        own = [s.worker_id for s in considered.read.rows.roster.shifts if s.provider_id == order.provider_id]
        own += [seat.worker_id for seat in considered.crew]
        names = {one.id: one for one in await workers.names(connection, dict.fromkeys(own))}
        return Known(considered, names, await crew_queries.been_here(connection, order, list(names)))


def options(known: Known, day: Day, go_on: Callable[[], bool]) -> Options:
    """Say who of the provider could take each seat over, those who can first."""
    order, found = known.considered.order, list[Candidate]()
    asked = iter(()) if order.provider_id is None else candidates(day, order.id, order.provider_id, go_on)
    found += (one for one in asked if one.worker_id in known.names)

    def option(seat: int, worker_id: UUID, rule: str | None) -> Option:
        who, told = known.names[worker_id], rule and rule_told(rule, known.considered.reader)
        return Option(
            seat=seat, worker_id=worker_id, name=who.name, gender=who.gender,
            visits_before=known.been.get(worker_id, 0), rule=told,
        )  # fmt: skip

    told = [option(one.seat, one.worker_id, one.rule) for one in found]
    told.sort(key=lambda one: (one.seat, one.rule is not None, -one.visits_before))
    crew = [option(seat.seat, seat.worker_id, None) for seat in known.considered.crew]
    return Options(
        order_id=order.id, status=order.status, version=order.version, now=known.considered.read.now,
        window_from=order.window_from, window_to=order.window_to, crew=crew, options=told, complete=go_on(),
    )  # fmt: skip
