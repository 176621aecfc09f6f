"""The day's people, each with a phone: residents who book and confirm, workers who go where their route says."""

import asyncio
import random
from collections import Counter
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from backend.simulation.clients import Api, RefusedError
from backend.simulation.clock import Sleeper, StepClock
from backend.simulation.instances import CareWorker, Demand
from backend.simulation.world import Door, World

_GATHER_S: Final = 0.004  # several changes in a burst are one look at the route
_TRIES: Final = 3
_WAIT_AT_DOOR_S: Final = 2 * 3600
_LOOK_AGAIN_S: Final = 900.0


class Stop(Struct, frozen=True):
    """One stop of a worker's route as the phone gets it."""

    order_id: str
    assignment_status: str
    seat: int
    kind: str
    place_id: str
    from_at: datetime
    to_at: datetime
    done: bool

    @property
    def key(self) -> tuple[str, str]:
        """What tells this stop from others of the route."""
        return self.order_id, self.kind


class Resident:
    """Somebody who books what the file recorded, at the time it was booked, and confirms afterwards."""

    def __init__(
        self, world: World, clock: StepClock, api: Api, bookings: list[tuple[float, Demand]], chance: random.Random
    ) -> None:
        self._world = world
        self._clock = clock
        self._api = api
        self._bookings = bookings
        self._chance = chance
        self._to_confirm: list[tuple[float, str]] = []
        self.sleeper: Sleeper | None = None

    async def live(self, sleeper: Sleeper) -> None:
        """Book everything in order, then confirm services as they end."""
        self.sleeper = sleeper
        for at_s, demand in self._bookings:
            while self._clock.now_s < at_s:
                await sleeper.nap(at_s)
            await self._book(demand)
        while not self._world.over:
            due = [order_id for at_s, order_id in self._to_confirm if at_s <= self._clock.now_s]
            self._to_confirm = [entry for entry in self._to_confirm if entry[0] > self._clock.now_s]
            for order_id in due:
                await self._confirm(order_id)
            await sleeper.nap(min((at_s for at_s, _ in self._to_confirm), default=None))

    def served(self, order_id: str) -> None:
        """The crew has left; some minutes later the resident confirms."""
        self._to_confirm.append((self._clock.now_s + self._chance.randrange(60, 900), order_id))
        if self.sleeper is not None:
            self.sleeper.wake()

    async def _book(self, demand: Demand) -> None:
        try:
            quote = await self._api.quote(self._wish(demand))
            if not quote["slots"]:
                self._world.unbooked[demand.id] = quote["reasons"][0]["code"] if quote["reasons"] else "no_slot"
                return
            order = await self._api.book(quote["slots"][0]["token"])
        except RefusedError as refused:
            self._world.unbooked[demand.id] = refused.code
            self._world.trouble.append(f"booking {demand.id}: {refused}")
            return
        self._world.booked(demand, order["id"])

    def _wish(self, demand: Demand) -> dict[str, Any]:
        day = self._world.day
        wish: dict[str, Any] = {
            "resident_id": day.resident_ids[demand.resident],
            "item_code": demand.item,
            "wish": {
                "from_at": day.instant(demand.from_s),
                "to_at": day.instant(demand.to_s),
                "soft": True,
                "latest_at": day.instant(demand.latest_s),
            },
        }
        if demand.pickup is not None:
            wish["pickup"] = {
                "facility_id": day.facility_ids[demand.pickup.restaurant],
                "ready_at": day.instant(demand.pickup.ready_s),
                "pickup_s": demand.pickup.pickup_s,
                "max_ride_s": None,
            }
        if demand.gap is not None and demand.gap.after in self._world.order_of:
            wish["after"] = {
                "order_id": self._world.order_of[demand.gap.after],
                "min_gap_s": demand.gap.min_s,
                "max_gap_s": demand.gap.max_s,
                "gap_from": "start",
            }
        return wish

    async def _confirm(self, order_id: str) -> None:
        try:
            await self._api.post(f"/v1/orders/{order_id}/accept-service", {})
        except RefusedError as refused:
            self._world.trouble.append(f"confirming {order_id}: {refused}")


class Worker:
    """A care worker or courier: looks at the route, sets out in time, and reports every step from the phone."""

    def __init__(
        self, world: World, clock: StepClock, api: Api, me: CareWorker, residents: dict[str, Resident]
    ) -> None:
        self._world = world
        self._clock = clock
        self._api = api
        self._me = me
        self._residents = residents
        self._place = me.start
        self._refused: Counter[tuple[str, str]] = Counter()
        self.sleeper: Sleeper | None = None

    async def live(self, sleeper: Sleeper) -> None:
        """Work until the day is over."""
        self.sleeper = sleeper
        while not self._world.over:
            stop = await self._next_stop()
            if stop is None:
                await sleeper.nap()
                await asyncio.sleep(_GATHER_S)
                continue
            leave_s = self._from_s(stop) - self._way_s(stop)
            if leave_s > self._clock.now_s and stop.kind != "drop":  # nobody waits about with a hot meal in the box
                await sleeper.nap(leave_s)
                await asyncio.sleep(_GATHER_S)
                continue
            try:
                await self._carry_out(stop, sleeper)
            except RefusedError as refused:
                self._refused[stop.key] += 1
                self._world.trouble.append(f"{self._me.id} {stop.kind} {stop.order_id}: {refused}")

    async def _next_stop(self) -> Stop | None:
        for stop in await self._route():
            if not stop.done and self._refused[stop.key] < _TRIES:
                return stop
        return None

    async def _route(self) -> list[Stop]:
        answer = await self._api.get("/v1/workers/me/route", on=self._world.day.plan_on.isoformat())
        return [msgspec.convert(stop, Stop) for stop in answer["stops"] if stop["order_id"]]

    def _from_s(self, stop: Stop) -> float:
        return self._world.day.seconds(stop.from_at)

    def _way_s(self, stop: Stop) -> int:
        return self._world.day.instance.travel_s(self._place, self._world.place(stop.place_id))

    async def _until(self, at_s: float, sleeper: Sleeper) -> None:
        while self._clock.now_s < at_s:
            await sleeper.nap(at_s)

    async def _report(self, stop: Stop, step: str) -> dict[str, Any]:
        point = self._world.day.instance.places[self._place]
        body = {
            "device_at": self._world.day.instant(self._clock.now_s),
            "x": point.x,
            "y": point.y,
            "accuracy_m": 10.0,
        }
        return await self._api.report(stop.order_id, step, body)

    async def _carry_out(self, stop: Stop, sleeper: Sleeper) -> None:
        if (stop.kind == "drop" or stop.assignment_status == "accepted") and not await self._set_out(stop):
            return
        await self._until(self._clock.now_s + self._way_s(stop), sleeper)
        self._place = self._world.place(stop.place_id)
        door = self._world.doors[stop.order_id]
        if stop.kind == "visit":
            await self._visit(stop, door, sleeper)
            return
        begin_s, handling_s = self._clock.now_s, door.demand.seats[0].duration_s
        if stop.kind == "pickup" and door.demand.pickup is not None:
            begin_s, handling_s = max(begin_s, door.demand.pickup.ready_s), door.demand.pickup.pickup_s
        await self._until(begin_s + handling_s, sleeper)
        await self._report(stop, "pick-up" if stop.kind == "pickup" else "hand-over")

    async def _set_out(self, stop: Stop) -> bool:
        """Say that we are on our way; False when the stop went to somebody else in the same instant."""
        try:
            await self._report(stop, "en-route")
        except RefusedError:
            if await self._still_mine(stop):
                raise
            return False
        return True

    async def _visit(self, stop: Stop, door: Door, sleeper: Sleeper) -> None:
        if stop.assignment_status != "checked_in":
            if not await self._may_begin(stop, door, sleeper):
                return
            door.waiting.append(sleeper)
            order = await self._report(stop, "check-in")
            if order["status"] == "in_service":
                await self._api.check_before(stop.order_id, self._world.day.instant(self._clock.now_s).isoformat())
                await self._api.tick_all(stop.order_id, self._world.day.instant(self._clock.now_s).isoformat())
                self._world.begin(stop.order_id, self._clock.now_s)
        while door.started_s is None:
            await sleeper.nap(self._clock.now_s + _LOOK_AGAIN_S)
            if door.started_s is None and not await self._still_mine(stop):
                return
        duration_s = door.demand.seats[stop.seat - 1].duration_s
        await self._until(door.started_s + duration_s, sleeper)
        order = await self._report(stop, "check-out")
        if order["status"] == "awaiting_acceptance":
            self._residents[door.demand.resident].served(stop.order_id)

    async def _may_begin(self, stop: Stop, door: Door, sleeper: Sleeper) -> bool:
        """Wait at the door for the window, the plan and the visit before; False when the order is not ours any more."""
        patience_s = self._clock.now_s + _WAIT_AT_DOOR_S
        begin_s = max(self._from_s(stop), door.demand.from_s)
        while self._clock.now_s < patience_s:
            gap_s = self._world.not_before(door.demand, sleeper)
            if gap_s is not None and max(begin_s, gap_s) <= self._clock.now_s:
                return True
            due_s = self._clock.now_s + _LOOK_AGAIN_S if gap_s is None else max(begin_s, gap_s)
            if not await sleeper.nap(min(due_s, patience_s)) and not await self._still_mine(stop):
                return False
        return True

    async def _still_mine(self, stop: Stop) -> bool:
        return any(mine.key == stop.key for mine in await self._route())


class Provider:
    """An institution's desk that answers offers; where a rule accepts by itself there is nothing to do."""

    def __init__(self, world: World, api: Api) -> None:
        self._world = world
        self._api = api
        self.sleeper: Sleeper | None = None

    async def live(self, sleeper: Sleeper) -> None:
        """Accept whatever is offered."""
        self.sleeper = sleeper
        while not self._world.over:
            for offer in await self._api.get("/v1/offers"):
                try:
                    await self._api.post(f"/v1/offers/{offer['id']}/accept", {})
                except RefusedError as refused:
                    self._world.trouble.append(f"offer {offer['id']}: {refused}")
            await sleeper.nap()
