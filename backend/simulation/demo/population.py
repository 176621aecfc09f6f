"""The people of the demo: residents and operators who book, providers who answer, workers who go. All through the API."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from pyotp.totp import TOTP

from backend.core.clock import city_date, machine_now
from backend.simulation.clients import Api, RefusedError, Traffic
from backend.simulation.demo.city import TRAVEL, Desk
from backend.simulation.demo.queries import MealPoint, Person

_LOOK_S = 3.0  # a phone looks at its route this often, real seconds
_THINKS_S = (180.0, 720.0)  # a provider's desk answers offers this often, care seconds
_SHOWN = 0.1  # of the bookings are for the resident whose daughter the welcome names
_DONE = frozenset({"checked_out"})
_LOOK_FOR_COLLEAGUE_S, _LOOKS_FOR_COLLEAGUE = 0.5, 200
_CLOCKED_RATE = 100.0  # care seconds per real second
_DEGREE_M = 111_195.0  # of latitude
_ANSWER_S = 20.0  # an answer that takes longer is asked for again
_REST_S = 5.0  # after a request that failed, real seconds
_SAY_EVERY_S = 10.0  # the same failure is told this often, real seconds: one outage meets everybody at once


class Pace:
    """The demo's care clock, computed the way every phone would: a start, a rate, and the machine's own clock."""

    def __init__(self, care_at: datetime, rate: float, zone_info: ZoneInfo) -> None:
        self._care_at, self.rate, self._since, self.zone_info = care_at, rate, machine_now(), zone_info

    def jump(self, care_at: datetime) -> None:
        """It is now this care instant."""
        self._care_at, self._since = care_at, machine_now()

    def now(self) -> datetime:
        """Care time."""
        return self._care_at + (machine_now() - self._since) * self.rate

    async def until(self, instant: datetime) -> None:
        """Sleep until a care instant."""
        await asyncio.sleep(max(0.0, (instant - self.now()).total_seconds() / self.rate))


class Population:
    """Everybody who is not a screen."""

    def __init__(
        self,
        url: str,
        pace: Pace,
        chooser: random.Random,
        *,
        told: Callable[[str], None] = print,
        patience_s: float | None = None,
        rest_s: float = _REST_S,
        answer_s: float = _ANSWER_S,
    ) -> None:
        """`told` hears a line about what failed; `patience_s` is how long a failing request is tried again."""
        limits = httpx.Limits(max_connections=24, max_keepalive_connections=24)
        self._http = httpx.AsyncClient(base_url=url, limits=limits, timeout=answer_s, trust_env=False)
        self._pace = pace
        self._chooser = chooser
        self.traffic = Traffic()
        self._residents: dict[UUID, Api] = {}
        self._told = told
        self._said_at: dict[str, float] = {}
        self._patience_s = patience_s
        self._rest_s = rest_s

    def api(self) -> Api:
        """A client of its own for one person."""
        if self._patience_s is None:
            return Api(self._http, self.traffic)
        return Api(self._http, self.traffic, self._patience_s)

    async def live(
        self, residents: list[Person], workers: list[Person], points: list[MealPoint], desks: list[Desk], every_s: float
    ) -> None:
        """Live until cancelled."""
        async with self._http, asyncio.TaskGroup() as tasks:
            for desk in desks:
                if desk.role == "provider":
                    tasks.create_task(self._live_on("a provider", partial(self._provider, desk)))
            for worker in workers:
                tasks.create_task(self._live_on("a worker", partial(self._worker, worker)))
            operator = next(desk for desk in desks if desk.role == "operator")
            booking = partial(self._demand, residents, points, operator, every_s)
            tasks.create_task(self._live_on("who books", booking))

    async def _live_on(self, who: str, life: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """One person's life: a request that fails for good is told in a line, and they begin again with signing in."""
        while True:
            try:
                await life()
            except RefusedError as error:
                self._say(f"{who}: {error}")
            except (LookupError, TypeError, ValueError) as error:
                self._say(f"{who}: an answer nobody understands ({type(error).__name__})")
            await asyncio.sleep(self._rest_s * (0.5 + self._chooser.random()))

    def _say(self, line: str) -> None:
        now = time.monotonic()
        if now - self._said_at.get(line, float("-inf")) >= _SAY_EVERY_S:
            self._said_at[line] = now
            self._told(line)

    async def _demand(self, residents: list[Person], points: list[MealPoint], desk: Desk, every_s: float) -> None:
        """Bookings at random, a third of them by telephone."""
        operator = self.api()
        await operator.sign_in_by_password(desk.login, desk.password, TOTP(desk.totp_secret).now)
        while True:
            await asyncio.sleep(self._chooser.expovariate(1 / every_s))
            resident = residents[0] if self._chooser.random() < _SHOWN else self._chooser.choice(residents)
            by_phone = self._chooser.random() < 0.33
            client = operator if by_phone else await self._signed_in(resident)
            try:
                await self._book(client, resident, points, "phone" if by_phone else "app")
            except RefusedError as error:
                if error.failed:
                    raise
                continue  # nobody free for this wish: the caller hangs up, the next one rings

    async def _signed_in(self, person: Person) -> Api:
        if person.id not in self._residents:
            client = self.api()
            await client.sign_in_by_phone(person.phone)
            self._residents[person.id] = client
        return self._residents[person.id]

    async def _book(self, client: Api, resident: Person, points: list[MealPoint], channel: str) -> None:
        now = self._pace.now()
        item = self._chooser.choices(("meal-lunch", "bath-home", "rehab-home"), (5, 3, 3))[0]
        wish: dict[str, Any] = {"resident_id": str(resident.id), "item_code": item}
        if item == "meal-lunch":
            point = self._chooser.choice([p for p in points if p.zone_id == resident.zone_id])
            ready = now + timedelta(minutes=self._chooser.randint(15, 60))
            wish["wish"] = {
                "from_at": now.isoformat(), "to_at": (ready + timedelta(minutes=30)).isoformat(), "soft": True,
                "latest_at": (ready + timedelta(minutes=60)).isoformat(),
            }  # fmt: skip
            wish["pickup"] = {"facility_id": str(point.id), "ready_at": ready.isoformat(), "max_ride_s": 1800}
        else:
            first = now + timedelta(minutes=self._chooser.randint(30, 300))
            wish["wish"] = {"from_at": first.isoformat(), "to_at": (first + timedelta(hours=3)).isoformat()}
        quote = await client.quote(wish)
        if quote["slots"]:
            slot = self._chooser.choice(quote["slots"])
            await client.book(slot["token"], channel)

    async def _provider(self, desk: Desk) -> None:
        """A person at the provider's desk: looks, thinks, mostly accepts."""
        client = self.api()
        await client.sign_in_by_password(desk.login, desk.password, TOTP(desk.totp_secret).now)
        while True:
            await asyncio.sleep(self._chooser.uniform(*_THINKS_S) / self._pace.rate)
            for offer in await client.get("/v1/offers"):
                decline = self._chooser.random() < 0.08
                try:
                    if decline:
                        await client.post(f"/v1/offers/{offer['id']}/decline", {"reason": "no capacity"})
                    else:
                        await client.post(f"/v1/offers/{offer['id']}/accept", {})
                except RefusedError as error:
                    if error.failed:
                        raise
                    continue  # it expired while they thought

    async def _worker(self, person: Person) -> None:
        """One phone: next stop, on the way, at the door, done."""
        client = self.api()
        await asyncio.sleep(self._chooser.uniform(0, _LOOK_S))
        await client.sign_in_by_phone(person.phone)
        spot = Spot()
        while True:
            on = city_date(self._pace.now(), self._pace.zone_info)
            route = await client.get("/v1/workers/me/route", on=str(on))
            todo = [stop for stop in route["stops"] if not stop["done"] and stop["assignment_status"] not in _DONE]
            if todo and self._due(todo[0]):
                try:
                    await self._carry_out(client, todo[0], spot)
                    continue
                except RefusedError as error:
                    if error.failed:
                        raise  # else the plan changed under way: look again
            await asyncio.sleep(_LOOK_S * (0.7 + 0.6 * self._chooser.random()))

    def _due(self, stop: dict[str, Any]) -> bool:
        return datetime.fromisoformat(stop["from_at"]) - timedelta(minutes=12) <= self._pace.now()

    async def _carry_out(self, client: Api, stop: dict[str, Any], spot: "Spot") -> None:
        """Go there, no faster than an e-bike goes, and say so at every step."""
        order_id = stop["order_id"]
        if not stop["started"]:
            await client.report(order_id, "en-route", self._report(spot.x or stop["x"], spot.y or stop["y"]))
        there = spot.left_at + spot.way_to(stop) if spot.left_at else self._pace.now()
        await self._pace.until(max(datetime.fromisoformat(stop["from_at"]), there))
        length = datetime.fromisoformat(stop["to_at"]) - datetime.fromisoformat(stop["from_at"])
        if stop["kind"] == "visit":
            await self._visit(client, stop, length)
        else:
            await self._pace.until(self._pace.now() + length)
            step = "pick-up" if stop["kind"] == "pickup" else "hand-over"
            await client.report(order_id, step, self._report(stop["x"], stop["y"]))
        spot.x, spot.y, spot.left_at = stop["x"], stop["y"], self._pace.now()

    async def _visit(self, client: Api, stop: dict[str, Any], length: timedelta) -> None:
        """Two begin together: the service lasts from the moment the last of the crew has come in."""
        order_id, status = stop["order_id"], stop["order_status"]
        if stop["assignment_status"] != "checked_in":
            status = (await client.report(order_id, "check-in", self._report(stop["x"], stop["y"])))["status"]
            ends_at = self._pace.now() + length
        else:
            ends_at = datetime.fromisoformat(stop["to_at"])  # begun before the demo opened
        for _ in range(_LOOKS_FOR_COLLEAGUE):
            if status == "in_service":
                await client.check_before(order_id, self._pace.now().isoformat())
                await client.tick_all(order_id, self._pace.now().isoformat())
                await self._pace.until(ends_at)
                await client.report(order_id, "check-out", self._report(stop["x"], stop["y"]))
                return
            await asyncio.sleep(_LOOK_FOR_COLLEAGUE_S)
            status, ends_at = await self._status(client, order_id), self._pace.now() + length

    async def _status(self, client: Api, order_id: str) -> str | None:
        """How an order of this phone's route stands; None when it is not on the route any more."""
        route = await client.get("/v1/workers/me/route", on=str(city_date(self._pace.now(), self._pace.zone_info)))
        return next((stop["order_status"] for stop in route["stops"] if stop["order_id"] == order_id), None)

    def _report(self, x: float, y: float) -> dict[str, Any]:
        """What the phone says. In very fast motion a request is under way for many minutes of care time: no clock then."""
        near = self._chooser.gauss(0, 0.0003)
        device_at = self._pace.now().isoformat() if self._pace.rate <= _CLOCKED_RATE else None
        return {"device_at": device_at, "x": x + near, "y": y, "accuracy_m": 12.0}


class Spot:
    """Where a worker is, and since when; before the first stop of a day nobody asks."""

    def __init__(self) -> None:
        self.x = self.y = 0.0
        self.left_at: datetime | None = None

    def way_to(self, stop: dict[str, Any]) -> timedelta:
        """How long an e-bike takes from here."""
        east = (stop["x"] - self.x) * math.cos(math.radians(self.y))
        metres = math.hypot(east, stop["y"] - self.y) * _DEGREE_M * TRAVEL["factor"]
        return timedelta(seconds=metres / TRAVEL["speed_mps"]["ebike"])
