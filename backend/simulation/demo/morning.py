"""The morning before a demo opens: booked, answered and carried out through the public interface until twenty to ten.

It is lived once on a machine, with a clock that waits for the platform, and kept as a database that every demo starts
from a copy of. So a demo opens at the same moment whatever the wall clock says: orders that are finished, under way
and late, others that wait for an answer, and one at the desk.
"""

import asyncio
import random
import time as machine
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from msgspec import Struct
from pyotp.totp import TOTP

from backend.core.principal import SYSTEM
from backend.database.clock import care_now
from backend.database.pool import Database
from backend.simulation.clients import Api, Traffic
from backend.simulation.demo import queries
from backend.simulation.demo.city import Desk
from backend.simulation.demo.queries import MealPoint, NextStop, Person

OPENS_AT: Final = time(9, 40)
_BOOKED_AT: Final = time(16)  # of the day before
_DESK_AT, _ASKED_AT, _HELD_AT = time(9, 20), time(9, 36), time(9, 38)
_SETS_OUT_BEFORE: Final = timedelta(minutes=12)
_LATE_BETWEEN: Final = (time(8, 55), time(9, 30))  # whose window ends here and is not kept
_VISITS, _EARLY_VISITS, _EARLY_MEALS, _LUNCHES = 52, 24, 5, 14
# of each of these residents the first who finds a slot has it
_DESK_CALLERS, _ASKED_CALLERS, _HELD_CALLERS = slice(1, 6), slice(6, 11), slice(11, 16)
_OWN_PART: Final = 16  # residents who book nothing else
_PATIENCE_S: Final = 30.0  # of machine time, for the platform to do what is due
_POLL_S: Final = 0.02


class SlowMorningError(RuntimeError):
    """The platform did not do in time what the morning waits for; the message names it."""


class Cast(Struct, frozen=True):
    """The people of the morning."""

    residents: Sequence[Person]
    workers: Sequence[Person]
    points: Sequence[MealPoint]
    desks: Sequence[Desk]


class Morning:
    """One morning, lived step by step; care time stands still but for the steps."""

    def __init__(
        self, url: str, owner: Database, cast: Cast, on: date, zone_info: ZoneInfo, chooser: random.Random
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)
        self._owner, self._cast, self._on, self._zone_info, self._chooser = owner, cast, on, zone_info, chooser
        self._traffic = Traffic()
        self._phones: dict[UUID, Api] = {}
        self._ends: dict[UUID, datetime] = {}  # of visits under way, by order
        self._late: UUID | None = None

    def _instant(self, at: time) -> datetime:
        return datetime.combine(self._on, at, self._zone_info)

    async def live(self, progress: Callable[[str], None]) -> None:
        """Live it. Raises SlowMorningError when the platform does not keep up, RefusedError when it says no to a step."""
        async with self._http:
            await self._clock(self._instant(_BOOKED_AT) - timedelta(days=1))
            operator, provider = await self._desk("operator"), await self._desk("provider")
            progress("the morning's bookings …")
            await self._bookings(operator, provider)
            progress("the first visits …")
            await self._work(self._instant(_DESK_AT))
            await self._one_for_the_desk(operator, provider)
            await self._work(self._instant(_ASKED_AT))
            await self._one_to_answer(operator)
            await self._work(self._instant(_HELD_AT))
            await self._one_held(operator)
            await self._work(self._instant(OPENS_AT))
            await self._clock(self._instant(OPENS_AT))

    async def _clock(self, instant: datetime) -> None:
        """It is this care instant, and everything due by then has happened."""
        async with self._owner.unit_of_work(SYSTEM) as connection:
            await queries.set_clock(connection, instant, 0.0)
        await self._wait("a timer", self._timers_fired)

    async def _timers_fired(self) -> bool:
        async with self._owner.unit_of_work(SYSTEM) as connection:
            return not await queries.timers_due(connection)

    async def _dispatched(self) -> bool:
        async with self._owner.unit_of_work(SYSTEM) as connection:
            return not await queries.orders_to_place(connection)

    async def _asked(self) -> bool:
        async with self._owner.unit_of_work(SYSTEM) as connection:
            return await queries.offers_open(connection)

    async def _wait(self, what: str, holds: Callable[[], Any]) -> None:
        give_up_at = machine.monotonic() + _PATIENCE_S
        while not await holds():
            if machine.monotonic() > give_up_at:
                raise SlowMorningError(f"the platform was too slow for the demo's morning: it waits for {what}")
            await asyncio.sleep(_POLL_S)

    async def _desk(self, role: str) -> Api:
        desk = next(desk for desk in self._cast.desks if desk.role == role)
        api = Api(self._http, self._traffic)
        await api.sign_in_by_password(desk.login, desk.password, TOTP(desk.totp_secret).now)
        return api

    async def _phone(self, worker_id: UUID) -> Api:
        if worker_id not in self._phones:
            person = next(worker for worker in self._cast.workers if worker.id == worker_id)
            self._phones[worker_id] = api = Api(self._http, self._traffic)
            await api.sign_in_by_phone(person.phone)
        return self._phones[worker_id]

    async def _bookings(self, operator: Api, provider: Api) -> None:
        """Everything that is booked the day before; the first resident is the one whose daughter follows."""
        shown, others = self._cast.residents[0], list(self._cast.residents[_OWN_PART:])
        self._chooser.shuffle(others)
        ten = self._instant(time(10))
        await self._book(operator, shown, "bath-home", (ten, ten + timedelta(minutes=30)))
        for number, resident in enumerate(others[:_VISITS]):
            early = number < _EARLY_VISITS
            begins = self._instant(time(7, 45) if early else time(10)) + timedelta(
                minutes=self._chooser.randrange(0, 75 if early else 300, 5)
            )
            item = ("bath-home", "rehab-home")[number % 2]
            await self._book(operator, resident, item, (begins, begins + timedelta(minutes=45 if early else 120)))
        meals = others[_VISITS : _VISITS + _EARLY_MEALS + _LUNCHES]
        for number, resident in enumerate(meals):
            ready = self._instant(time(8, 15) if number < _EARLY_MEALS else time(11)) + timedelta(minutes=7 * number)
            await self._book_meal(operator, resident, ready)
        await self._answer(provider, "accept", {})

    async def _quote(self, operator: Api, resident: Person, item: str, wish: dict[str, Any]) -> list[dict[str, Any]]:
        found = await operator.quote({"resident_id": str(resident.id), "item_code": item, **wish})
        return found["slots"]

    async def _book(
        self, operator: Api, resident: Person, item: str, window: tuple[datetime, datetime], *, hold: bool = False
    ) -> bool:
        """Book in a window where somebody is free then, and tell whether somebody was."""
        wish = {"wish": {"from_at": window[0].isoformat(), "to_at": window[1].isoformat()}}
        slots = await self._quote(operator, resident, item, wish)
        if not slots:
            return False
        slot = self._chooser.choice(slots)["token"]
        await operator.post("/v1/bookings", {"slot": slot, "channel": "phone", "hold_only": hold})
        return True

    async def _book_meal(self, operator: Api, resident: Person, ready: datetime) -> None:
        point = self._chooser.choice([point for point in self._cast.points if point.zone_id == resident.zone_id])
        wish = {
            "wish": {
                "from_at": ready.isoformat(), "to_at": (ready + timedelta(minutes=30)).isoformat(), "soft": True,
                "latest_at": (ready + timedelta(minutes=60)).isoformat(),
            },
            "pickup": {"facility_id": str(point.id), "ready_at": ready.isoformat(), "max_ride_s": 1800},
        }  # fmt: skip
        slots = await self._quote(operator, resident, "meal-lunch", wish)
        if slots:
            await operator.book(slots[0]["token"], "phone")

    async def _answer(self, provider: Api, answer: str, body: dict[str, Any]) -> None:
        """Every order has been offered, and the provider's desk has given this answer to each offer."""

        async def answered() -> bool:
            for offer in await provider.get("/v1/offers"):
                await provider.post(f"/v1/offers/{offer['id']}/{answer}", body)
            return await self._dispatched() and not await self._asked()

        await self._wait("the answers to the offers", answered)

    async def _only_of_the_desk_provider(self, resident: Person) -> None:
        """The resident wants nobody but the workers of the provider that answers by hand."""
        async with self._owner.unit_of_work(SYSTEM) as connection:
            await queries.refuse_all_but_manual_providers(connection, resident.id)

    async def _first(self, operator: Api, callers: slice, window: tuple[time, time], *, wants: str) -> None:
        """One of the callers books, the first for whom somebody is free."""
        begins, ends = (self._instant(at) for at in window)
        for resident in self._cast.residents[callers]:
            if wants == "by hand":
                await self._only_of_the_desk_provider(resident)
            for item in ("bath-home", "rehab-home"):
                if await self._book(operator, resident, item, (begins, ends), hold=wants == "a hold"):
                    return

    async def _one_for_the_desk(self, operator: Api, provider: Api) -> None:
        """An order its only provider declines: an operator has to find somebody."""
        await self._first(operator, _DESK_CALLERS, (time(13), time(16, 30)), wants="by hand")
        await self._answer(provider, "decline", {"reason": "no capacity"})

    async def _one_to_answer(self, operator: Api) -> None:
        """An offer whose clock is running when the demo opens."""
        await self._first(operator, _ASKED_CALLERS, (time(12, 30), time(16, 30)), wants="by hand")

        await self._wait("an open offer", self._asked)

    async def _one_held(self, operator: Api) -> None:
        """A slot kept during a call that is still going on."""
        await self._first(operator, _HELD_CALLERS, (time(13), time(17)), wants="a hold")

    async def _work(self, until: datetime) -> None:
        """Report for every worker what is due by then, in the order in which it happens."""
        await self._wait("the dispatcher", self._dispatched)
        while True:
            async with self._owner.unit_of_work(SYSTEM) as connection:
                now, stops = await care_now(connection), await queries.next_stops(connection, self._on)
            due = [(at, stop) for stop in stops if (at := self._due(stop, now)) is not None]
            if not due or (first := min(due, key=lambda entry: (entry[0], entry[1].worker_id)))[0] >= until:
                return
            at, stop = first
            if at > now:
                await self._clock(at)
            await self._report(stop, at)

    def _due(self, stop: NextStop, now: datetime) -> datetime | None:
        """When this worker's next report is due; None while a colleague, or the road, keeps them waiting."""
        if stop.order_id in self._ends:
            return max(now, self._ends[stop.order_id])
        if stop.kind == "visit" and stop.assignment_status == "checked_in":
            return None
        if stop.sets_out:
            return max(now, stop.from_at - _SETS_OUT_BEFORE)
        return self._arrival(stop, now)

    def _arrival(self, stop: NextStop, now: datetime) -> datetime | None:
        early, late = (self._instant(at) for at in _LATE_BETWEEN)
        if self._late is None and stop.kind == "visit" and early <= stop.window_to <= late:
            self._late = stop.order_id
        if stop.order_id == self._late:
            return None  # a flat tyre: when the demo opens they are still on their way
        return max(now, stop.from_at if stop.kind == "visit" else stop.to_at)

    async def _report(self, stop: NextStop, at: datetime) -> None:
        """One tap on one phone."""
        phone, order = await self._phone(stop.worker_id), f"/v1/orders/{stop.order_id}"
        here = {
            "device_at": at.isoformat(),
            "x": stop.x + self._chooser.gauss(0, 0.0002),
            "y": stop.y,
            "accuracy_m": 12.0,
        }
        if stop.order_id in self._ends:
            answer = await phone.post(f"{order}/check-out", here)
            if answer["status"] != "in_service":
                self._ends.pop(stop.order_id)
            if answer["status"] == "awaiting_acceptance" and self._chooser.random() < 0.7:
                await self._confirm(stop)
        elif stop.sets_out:
            await phone.post(f"{order}/en-route", here)
        elif stop.kind == "visit":
            answer = await phone.post(f"{order}/check-in", here)
            if answer["status"] == "in_service":
                await phone.check_before(str(stop.order_id), at.isoformat())
                await phone.tick_all(str(stop.order_id), at.isoformat())
                self._ends[stop.order_id] = at + (stop.to_at - stop.from_at)
        else:
            await phone.post(f"{order}/{'pick-up' if stop.kind == 'pickup' else 'hand-over'}", here)

    async def _confirm(self, stop: NextStop) -> None:
        resident = next(person for person in self._cast.residents if person.id == stop.resident_id)
        api = Api(self._http, self._traffic)
        await api.sign_in_by_phone(resident.phone)
        await api.post(f"/v1/orders/{stop.order_id}/accept-service", {})
