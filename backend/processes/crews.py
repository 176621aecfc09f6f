"""A crew for each placed order: found, offered to its provider, or refused with the reasons."""

from functools import partial
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from backend.catalogue.model import MEAL
from backend.database.deciding import decide
from backend.database.pool import Connection
from backend.database.rows import UnreadableRowError
from backend.orders import queries as orders
from backend.orders.actions import follow_plan
from backend.orders.aside import set_aside
from backend.orders.model import Actor, Command, Order, OrderStatus, Waiting
from backend.orders.offering import offer_order, to_the_desk
from backend.processes.leases import Leases
from backend.scheduling.actions import StalePlanError, lock_day, write_plan
from backend.scheduling.model import Stamp
from backend.scheduling.placing import place
from backend.scheduling.snapshots import Day, Planner, Reading
from dispatch import Insertion, Refusal

NOT_DISPATCHED: Final = "not_dispatched"
log = structlog.get_logger()


class MissingVisitError(RuntimeError):
    """An order is placed, and its day has nothing to plan for it."""


class Seen(Struct, frozen=True):
    """An order that waits, read after its day: what was placed by then is in it."""

    order: Order
    read: Reading


class Found(Struct, frozen=True):
    """The crew an order has already, by seat, or what looking for one came to."""

    order: Order
    day: Day
    crew: dict[int, UUID]
    outcome: Insertion | Refusal | None

    @property
    def waits_here(self) -> bool:
        """Whether it still waits, in the plan it was looked for in: it may have got other times since it was listed."""
        here = (self.order.zone_id, self.order.plan_on) == (self.day.rows.zone_id, self.day.rows.plan_on)
        return here and self.order.status is OrderStatus.PLACED


class Crews:
    """Finds crews in the zones a dispatcher leads."""

    def __init__(self, leases: Leases, planner: Planner) -> None:
        self._leases = leases
        self._planner = planner

    async def place(self, waiting: Waiting) -> Stamp | None:
        """Offer one placed order with its crew; one that cannot be read goes to the desk, and the next one is looked at.

        Tells the stamp of the plan at which nobody could do an order that waits on; None when there is nothing to wait for.
        """

        async def read(connection: Connection) -> Seen:
            now = await orders.care_now(connection)
            read = await self._planner.read(connection, *waiting.day, now)
            return Seen(await orders.order(connection, waiting.id), read)

        transaction = partial(self._leases.transaction, waiting.zone_id)
        try:
            return await decide(transaction, read, self._find, self._offer)
        except UnreadableRowError as error:
            await self.set_aside(waiting.id, waiting.zone_id, error.column)
            return None

    def _find(self, seen: Seen) -> Found:
        """Find the crew of a placed order, or the one it was held with."""
        order, day = seen.order, seen.read.built()
        nobody = Found(order, day, {}, None)
        if not nobody.waits_here:
            return nobody
        visit = next((visit for visit in day.problem.visits if visit.id == str(order.id)), None)
        if visit is None:
            if fault := _fault_of(day, order.id):
                raise UnreadableRowError("VisitRow", order.id, fault)
            raise MissingVisitError
        crew = _crew(day, order.id)
        return Found(order, day, crew, place(self._planner, day, visit) if len(crew) < len(visit.seats) else None)

    async def _offer(self, connection: Connection, found: Found) -> Stamp | None:
        """Write what was found for an order, if it and its day are still as they were read. Raises StalePlanError."""
        read, day, crew, outcome = found.order, found.day, found.crew, found.outcome
        if not found.waits_here:
            return None
        await self._leases.prove(connection, read.zone_id)
        await lock_day(connection, day)
        order = await orders.order_for_update(connection, read.id)
        if order.version != read.version:
            raise StalePlanError
        if isinstance(outcome, Refusal):
            return day.rows.plan.stamp if await self._waits(connection, order, outcome) else None
        if outcome is not None:
            await follow_plan(connection, await write_plan(connection, day, outcome.plan), order.id)
            crew = {s.seat + 1: UUID(s.worker) for s in outcome.stops if s.kind != "pickup"}
        providers = {worker.id: worker.provider for worker in day.problem.workers}
        asked = UUID(providers[str(crew[1])])
        await offer_order(connection, order, asked, crew, Command.OFFER, Actor.DISPATCHER, self._planner.zone_info)
        return None

    async def _waits(self, connection: Connection, order: Order, refusal: Refusal) -> bool:
        """Keep the reasons; whether the order waits for a crew or a person finds one."""
        reasons = [{"worker": r.worker, "rule": r.rule, "detail": r.detail} for r in refusal.reasons]
        if order.kind == MEAL or order.window_soft:
            await orders.note_reasons(connection, order.id, reasons)
            return True
        await to_the_desk(connection, order, Actor.DISPATCHER, refusal.summary, reasons)
        return False

    async def set_aside(self, order_id: UUID, zone_id: UUID, why: str) -> None:
        """Give an order that cannot be read to the desk."""
        async with self._leases.transaction(zone_id) as connection:
            await self._leases.prove(connection, zone_id)
            await set_aside(connection, order_id, why)

    async def give_up(self, waiting: Waiting) -> None:
        """Give an order to the desk that can be read, and that dispatching failed for again and again.

        Where its day cannot be read either, that is no fault of this order, and the day's orders keep waiting: what fails
        then is this.
        """
        async with self._leases.transaction(waiting.zone_id) as connection:
            read = await self._planner.read(connection, *waiting.day, await orders.care_now(connection))
        read.built()
        async with self._leases.transaction(waiting.zone_id) as connection:
            await self._leases.prove(connection, waiting.zone_id)
            order = await orders.order_for_update(connection, waiting.id)
            if order.status is OrderStatus.PLACED:
                log.error("dispatcher.gave_up", order=str(waiting.id), reason=NOT_DISPATCHED)
                reasons = [{"worker": "", "rule": NOT_DISPATCHED, "detail": ""}]
                await to_the_desk(connection, order, Actor.DISPATCHER, NOT_DISPATCHED, reasons)


def _fault_of(day: Day, order_id: UUID) -> str:
    return next((aside.why for aside in day.rows.aside if aside.order_id == order_id), "")


def _crew(day: Day, order_id: UUID) -> dict[int, UUID]:
    return {
        stop.seat + 1: UUID(stop.worker)
        for route in day.plan.routes.values()
        for stop in route
        if stop.visit == str(order_id) and stop.kind != "pickup"
    }
