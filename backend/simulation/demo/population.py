"""The people of the demo: residents and operators who book, providers who answer, workers who go. All through the API."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from pyotp.totp import TOTP

from backend.core.clock import city_date, machine_now
from backend.simulation.clients import Api, RefusedError, Traffic
from backend.simulation.demo.city import Desk
from backend.simulation.demo.queries import MealPoint, Person

_LOOK_S = 3.0  # a phone looks at its route this often, real seconds
_THINKS_S = (180.0, 720.0)  # a provider's desk answers offers this often, care seconds
_SHOWN = 0.1  # of the bookings are for the resident whose daughter the welcome names
_DONE = frozenset({"checked_out"})


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

    def __init__(self, url: str, pace: Pace, chooser: random.Random) -> None:
        limits = httpx.Limits(max_connections=24, max_keepalive_connections=24)
        self._http = httpx.AsyncClient(base_url=url, limits=limits, timeout=20, trust_env=False)
        self._pace = pace
        self._chooser = chooser
        self.traffic = Traffic()
        self._residents: dict[UUID, Api] = {}

    def api(self) -> Api:
        """A client of its own for one person."""
        return Api(self._http, self.traffic)

    async def live(
        self, residents: list[Person], workers: list[Person], points: list[MealPoint], desks: list[Desk], every_s: float
    ) -> None:
        """Live until cancelled."""
        async with self._http, asyncio.TaskGroup() as tasks:
            for desk in desks:
                if desk.role == "provider":
                    tasks.create_task(self._provider(desk))
            for worker in workers:
                tasks.create_task(self._worker(worker))
            operator = next(desk for desk in desks if desk.role == "operator")
            tasks.create_task(self._demand(residents, points, operator, every_s))

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
            except RefusedError:
                continue  # nobody free for this wish: the caller hangs up, the next one rings

    async def _signed_in(self, person: Person) -> Api:
        if person.id not in self._residents:
            self._residents[person.id] = client = self.api()
            await client.sign_in_by_phone(person.phone)
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
                except RefusedError:
                    continue  # it expired while they thought

    async def _worker(self, person: Person) -> None:
        """One phone: next stop, on the way, at the door, done."""
        client = self.api()
        await asyncio.sleep(self._chooser.uniform(0, _LOOK_S))
        await client.sign_in_by_phone(person.phone)
        while True:
            on = city_date(self._pace.now(), self._pace.zone_info)
            route = await client.get("/v1/workers/me/route", on=str(on))
            todo = [stop for stop in route["stops"] if not stop["done"] and stop["assignment_status"] not in _DONE]
            if todo and self._due(todo[0]):
                try:
                    await self._carry_out(client, todo[0])
                    continue
                except RefusedError:
                    pass  # the plan changed under way; look again
            await asyncio.sleep(_LOOK_S * (0.7 + 0.6 * self._chooser.random()))

    def _due(self, stop: dict[str, Any]) -> bool:
        return datetime.fromisoformat(stop["from_at"]) - timedelta(minutes=12) <= self._pace.now()

    async def _carry_out(self, client: Api, stop: dict[str, Any]) -> None:
        order = f"/v1/orders/{stop['order_id']}"
        if not stop["started"]:
            await client.post(f"{order}/en-route", self._report(stop))
        await self._pace.until(datetime.fromisoformat(stop["from_at"]))
        length = datetime.fromisoformat(stop["to_at"]) - datetime.fromisoformat(stop["from_at"])
        if stop["kind"] == "pickup":
            await self._pace.until(self._pace.now() + length)
            await client.post(f"{order}/pick-up", self._report(stop))
        elif stop["kind"] == "drop":
            await self._pace.until(self._pace.now() + length)
            await client.post(f"{order}/hand-over", self._report(stop))
        else:
            await self._visit(client, order, stop, length)

    async def _visit(self, client: Api, order: str, stop: dict[str, Any], length: timedelta) -> None:
        if stop["assignment_status"] == "checked_in":
            await self._pace.until(datetime.fromisoformat(stop["to_at"]))  # begun before the demo opened
        else:
            await client.post(f"{order}/check-in", self._report(stop))
            await self._pace.until(self._pace.now() + length)
        for _ in range(200):
            try:
                await client.post(f"{order}/check-out", self._report(stop))
            except RefusedError as error:
                if error.code != "illegal_transition":
                    raise
                await asyncio.sleep(0.5)  # the colleague has not arrived; two begin together
            else:
                return

    def _report(self, stop: dict[str, Any]) -> dict[str, Any]:
        near = self._chooser.gauss(0, 0.0003)
        return {"device_at": self._pace.now().isoformat(), "x": stop["x"] + near, "y": stop["y"], "accuracy_m": 12.0}
