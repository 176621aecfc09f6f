"""Nobody reads, changes or learns of what is not theirs: every kind of asker at every operation of the interface.

The table stands in tests/support/access.py; an operation without a row fails, and so does a row without an operation.
"""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from msgspec.structs import replace
from websockets.asyncio.client import connect

from backend.database.pool import Database
from backend.live.channels import Hub
from backend.processes.gateway import create_gateway
from backend.processes.relay import Relay
from tests.support import access
from tests.support.access import (
    ALLOWED,
    ASKERS,
    EXPECTED,
    HIDDEN,
    NOT_ALLOWED,
    NOT_SIGNED_IN,
    OPEN,
    OWN_ROWS,
    UNKNOWN,
    Thing,
)
from tests.support.city import Caller, City, at
from tests.support.effort import FULL, tell
from tests.support.feeds import Reader, reading, ticket
from tests.support.households import LATE_MORNING, MEAL, NOON, REHAB, House, told, two_houses
from tests.support.people import served, settings

INTERFACE = json.loads((Path(__file__).parents[1] / "unit" / "openapi.json").read_text())["paths"]
_STAFF = ("operator", "supervisor")
_REFUSED_FOR_CARE = frozenset({409, 410, 422})
_OUR_SIDE = ("resident", "booker", "follower", "own provider", "own worker")
_ENDS_SESSIONS = frozenset({"DELETE /v1/sign-in", "DELETE /v1/me/sessions", "DELETE /v1/me/sessions/{session_id}"})
_WORK_FIRST = (*ASKERS[8:], *ASKERS[:8])  # a provider steps back before the resident calls off
_OF_ORDERS = tuple(route for route in EXPECTED if "{order_id}" in route or "{offer_id}" in route)
_NO_ORDER = tuple(route for route in EXPECTED if route not in _OF_ORDERS)


class Askers:
    """Everybody who asks about one house, each with a session, and what their answers must be."""

    def __init__(
        self, city: City, own: House, other: House, staff: dict[str, UUID], callers: dict[UUID, Caller]
    ) -> None:
        self.city, self.own, self.other, self._staff = city, own, other, staff
        self.asked: set[tuple[str, str]] = set()
        self._callers = callers
        self._marks: tuple[set[str], set[str]] = set(), set()

    async def _account(self, asker: str, order_id: str) -> UUID | None:
        own, other = self.own.accounts, self.other.accounts
        match asker:
            case "nobody":
                return None
            case "own worker":
                return await self.own.worker_of(order_id)
            case "other worker":
                return await self.other.worker_of(self.other.orders[0] if self.other.orders else "")
            case _:
                return {
                    **own, **self._staff, "neighbour": other["resident"], "neighbour's family": other["booker"],
                    "own provider": own["provider"], "other provider": other["provider"],
                }[asker]  # fmt: skip

    async def caller(self, asker: str, route: str, order_id: str) -> Caller:
        account_id = await self._account(asker, order_id)
        if account_id is None:
            return Caller(self.city.http, None)
        if route in _ENDS_SESSIONS:
            self._callers.pop(account_id, None)
            return await self.city.signed_in(account_id)
        if account_id not in self._callers:
            self._callers[account_id] = await self.city.signed_in(account_id)
        return self._callers[account_id]

    async def all_ask(self, route: str, order_id: str = "", *, foreign_only: bool = False) -> None:
        """Every asker at one operation: first whom it is closed to, then whom it is open to; one of these gets through."""
        row, codes = EXPECTED[route], set[int]()
        if route in _ENDS_SESSIONS:
            await self.city.signed_in(self.own.accounts["resident"])  # the one that is asked about
        closed = [asker for asker in ASKERS if row[asker] in {HIDDEN, NOT_ALLOWED, NOT_SIGNED_IN}]
        thing, before = await self.own.thing(order_id), await self._state(order_id)
        self._marks = await self.own.marks(), await self.other.marks()
        await asyncio.gather(*(self._shut_out(route, asker, row[asker], thing) for asker in closed))
        assert await self._state(order_id) == before, f"{route}: somebody changed what is closed to them"
        for asker in _WORK_FIRST:
            if row[asker] in {ALLOWED, OWN_ROWS, OPEN} and not foreign_only:
                codes.add(await self._let_in(route, asker, row[asker], thing))
        assert foreign_only or not codes or min(codes) < 300 or row["nobody"] == OPEN, f"{route}: it opens to nobody"

    async def named_inside(self, order_id: str) -> None:
        """The neighbour asks about themself, and names a thing of ours in the body or beside it."""
        thing, theirs = await self.own.thing(order_id), await self.other.thing()
        neighbour = await self.city.signed_in(self.other.accounts["resident"])
        wish = {"from_at": at(16).isoformat(), "to_at": at(18).isoformat()}
        own = f"/v1/residents/{theirs.resident_id}/consents"
        for code, ask in (
            ("unknown_order", lambda it: neighbour.post("/v1/quotes", {
                "resident_id": theirs.resident_id, "item_code": REHAB, "wish": wish,
                "after": {"order_id": it.order_id, "min_gap_s": 60, "max_gap_s": 7200}})),
            ("unknown_order", lambda it: neighbour.post("/v1/quotes", {
                "resident_id": theirs.resident_id, "item_code": REHAB, "wish": wish, "instead_of": it.order_id})),
            ("unknown_consent", lambda it: neighbour.post(f"{own}/{it.consent_id}/end")),
        ):  # fmt: skip
            foreign, unknown = await ask(thing), await ask(thing.unknown())
            assert foreign.json().get("code") == code, foreign.text
            assert _seen(foreign) == _seen(unknown), f"{code}: it can be told from what nobody has"
        page = await neighbour.get("/v1/orders", cursor=order_id)
        self._silent("orders after ours", page, await self.own.marks())

    async def _state(self, order_id: str) -> Any:
        """What must be untouched: the order, what was reported and said, and whose sessions have ended."""
        return await self.city.sql(
            """SELECT (SELECT jsonb_agg(o ORDER BY id) FROM orders o WHERE resident_id = ANY ($2) OR id = $1) AS orders,
                      (SELECT count(*) FROM visit_records) AS reports, (SELECT count(*) FROM visit_statements) AS words,
                      (SELECT count(*) FROM residents) AS residents, (SELECT jsonb_agg(l ORDER BY id) FROM leaves l) AS leaves,
                      (SELECT count(*) FROM shifts) AS shifts,
                      (SELECT jsonb_agg(c ORDER BY id) FROM consents c WHERE resident_id = ANY ($2)) AS consents,
                      (SELECT jsonb_agg(c ORDER BY id) FROM resident_contacts c WHERE resident_id = ANY ($2)) AS contacts,
                      (SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL) AS ended""",
            UUID(order_id) if order_id else None, [self.own.resident_id, self.other.resident_id],
        )  # fmt: skip

    async def _answer(self, route: str, asker: str, thing: Thing, order_id: str) -> httpx.Response:
        wanted = access.request(route, thing, by_operator=asker == "operator")
        caller = await self.caller(asker, route, order_id)
        answer = await caller.send(wanted.method, wanted.path, wanted.query, wanted.body)
        self.asked.add((route, asker))
        assert answer.status_code < 500, f"{asker}: {route}: {answer.text}"
        return answer

    async def _shut_out(self, route: str, asker: str, sign: str, thing: Thing) -> None:
        """A thing of others and a thing nobody has are answered alike, and the answer tells nothing of it."""
        foreign = await self._answer(route, asker, thing, thing.order_id)
        unknown = await self._answer(route, asker, thing.unknown(), thing.order_id)
        what = f"{asker}: {route}"
        status, code = {
            HIDDEN: (404, UNKNOWN.get(route) or UNKNOWN.get(route.split("/")[2], "unknown_resident")),
            NOT_ALLOWED: (403, "not_allowed"), NOT_SIGNED_IN: (401, "not_signed_in"),
        }[sign]  # fmt: skip
        assert (foreign.status_code, foreign.json().get("code")) == (status, code), f"{what}: {foreign.text}"
        assert _seen(foreign) == _seen(unknown), f"{what}: it can be told from what nobody has"
        self._silent(what, foreign, self._marks[0])

    async def _let_in(self, route: str, asker: str, sign: str, thing: Thing) -> int:
        """Open, and nothing of the other house in the answer but to the city's own staff."""
        if route.endswith(("/end", "/number", "/answer", "/withdraw")):
            thing = await self.own.thing(thing.order_id)  # one that has not ended yet
        answer = await self._answer(route, asker, thing, thing.order_id)
        what = f"{asker}: {route}: {answer.status_code} {answer.text[:400]}"
        allowed = answer.status_code < 300 or (sign == ALLOWED and answer.status_code in _REFUSED_FOR_CARE)
        assert allowed or sign == OPEN, what
        own, other = self._marks
        if sign == OPEN:
            self._silent(what, answer, own | other)
        elif asker in {"neighbour", "neighbour's family", "other provider", "other worker"}:
            self._silent(what, answer, own)
        elif asker not in _STAFF:
            self._silent(what, answer, other)
        if route == "GET /v1/orders" and asker not in _STAFF:
            theirs = self.own if asker in _OUR_SIDE else self.other
            last = await self.city.order(theirs.orders[-1])
            if last["provider_id"] or "provider" not in asker:  # nobody has asked a provider yet
                assert str(last["id"]) in answer.text, f"{what}: their own are missing"
        return answer.status_code

    @staticmethod
    def _silent(what: str, answer: httpx.Response, marks: set[str]) -> None:
        leaked = told(answer.text + str(answer.headers), marks)
        assert not leaked, f"{what}: LEAK of {leaked}"


def _seen(answer: httpx.Response) -> Any:
    """All of an answer but the number of the request and the time."""
    body = answer.json()
    assert body.pop("request_id")
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, body, headers


async def _asked(city: City) -> tuple[Askers, Askers]:
    one, two = await two_houses(city)
    staff = {role: await _staff(city, role) for role in _STAFF}
    callers: dict[UUID, Caller] = {}
    return Askers(city, one, two, staff, callers), Askers(city, two, one, staff, callers)


async def _staff(city: City, login: str, role: str = "") -> UUID:
    return await city.one(
        "INSERT INTO accounts (role, name, login, password_hash) VALUES ($1, '某人', $2, 'none') RETURNING id",
        role or login, login,
    )  # fmt: skip


def test_every_operation_of_the_interface_says_who_may_ask_it_and_no_other_row_stands():
    operations = {f"{method.upper()} {path}" for path, methods in INTERFACE.items() for method in methods}
    assert operations - set(EXPECTED) == set(), "operations nobody has decided about"
    assert set(EXPECTED) - operations == set(), "rows for what is not there"


async def test_who_asks_for_what_is_not_theirs_learns_nothing_and_changes_nothing(city: City):
    """Two houses live through a day; at each step everybody tries what the step is made of, in full effort everything."""
    ours, theirs = await _asked(city)
    await _day(city, ours, theirs)
    asked = ours.asked | theirs.asked
    left = [(route, asker) for route in EXPECTED for asker in ASKERS if (route, asker) not in asked]
    assert not left, f"cells nobody tried: {left}"


async def test_who_may_not_see_an_order_hears_nothing_of_it(city: City):
    """Everybody listens while orders of both houses are called off, and hears to the end of their own."""
    ours, theirs = await _asked(city)
    await city.sql("UPDATE providers SET auto_accept = true")
    desk = await city.staff("operator")
    orders = [(house, await house.book(desk, REHAB, *LATE_MORNING)) for house in (ours.own, theirs.own) * 2]
    await city.dispatch()
    database = await Database.open(city.database.url, size=8)
    gateway = create_gateway(settings(database), database, Hub())
    relay = asyncio.create_task(Relay(database).run(asyncio.Event()))
    async with served(gateway) as address, AsyncExitStack() as open_until:
        readers: dict[str, Reader] = {}
        for asker in ASKERS[1:]:
            token = (await ours.caller(asker, "GET /v1/orders", ours.own.orders[-1])).token
            readers[asker] = await open_until.enter_async_context(reading(database, address, token))
            assert (await readers[asker].next())["type"] == "hello"
        for _, order_id in orders:
            answer = await desk.post(f"/v1/orders/{order_id}/cancel", {"reason": "不方便"})
            assert answer.status_code == 200, answer.text
        for asker, reader in readers.items():
            own = ours.own if asker in _OUR_SIDE else theirs.own
            while (heard := await reader.next(20))["type"] != "order.cancelled" or own.orders[-1] not in str(heard):
                pass
            if asker not in _STAFF:
                leaked = told(str(reader.messages), await (theirs.own if own is ours.own else ours.own).marks())
                assert not leaked, f"{asker} heard {leaked}"
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    await database.close()


_NOBODY_ANY_MORE = {
    "signed out": "UPDATE sessions SET revoked_at = now() WHERE account_id = $1",
    "run out": "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE account_id = $1",
    "left": "UPDATE sessions SET idle_s = 14400, last_seen_at = now() - interval '4 hours 1 second' WHERE account_id = $1",
    "closed": "UPDATE accounts SET active = false WHERE id = $1",
}
_STILL_THEMSELVES = """UPDATE sessions SET idle_s = 14400, last_seen_at = now() - interval '3 hours 59 minutes',
                       expires_at = now() + interval '1 minute' WHERE account_id = $1"""


async def test_whoever_is_nobody_any_more_is_let_in_nowhere(city: City):
    """Sessions that were ended, ran out or lay unused, accounts that were closed; and a moment before that, everywhere."""
    ours, _ = await _asked(city)
    order_id = await ours.own.book(await city.staff("operator"), REHAB, *LATE_MORNING)
    await city.signed_in(ours.own.accounts["resident"])
    ours.own.slot = await ours.own.quoted(await city.staff("operator"), REHAB, at(16), at(18))
    thing = replace(await ours.own.thing(order_id), offer_id=str(uuid4()))
    closed = [route for route, row in EXPECTED.items() if row["nobody"] == NOT_SIGNED_IN]
    async with served(create_gateway(settings(city.database), city.database, Hub())) as address:
        for change in _NOBODY_ANY_MORE.values():
            account_id = await _staff(city, f"operator-{uuid4()}", "operator")
            once = await city.signed_in(account_id)
            await city.sql(_STILL_THEMSELVES, account_id)
            assert (await once.get(f"/v1/orders/{order_id}")).status_code == 200
            admitted = await ticket(city.database, once.token)
            await city.sql(change, account_id)
            for route in closed:
                wanted = access.request(route, thing, by_operator=True)
                answer = await once.send(wanted.method, wanted.path, wanted.query, wanted.body)
                assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in"), f"{change}: {route}"
            assert await _turned_away(address, admitted) == 4401, f"{change}: the ticket outlives the session"
        board = await Caller(city.http, None).post("/v1/live/board-tickets")
        assert board.status_code == 404, "the city has not opened a public board"
        late = await ticket(city.database, (await city.signed_in(await _staff(city, "late", "operator"))).token)
        await city.sql("UPDATE live_tickets SET expires_at = now() - interval '1 second'")
        assert await _turned_away(address, late) == 4401, "a ticket is good for half a minute"


async def _turned_away(address: str, ticket: str) -> int:
    async with connect(f"ws://{address}/v1/live") as socket:
        await socket.send(json.dumps({"ticket": ticket}))
        await asyncio.wait_for(socket.wait_closed(), 8)
        return socket.close_code or 0


@pytest.mark.spoils(
    "a worker comes who was dismissed, or whose provider does not work any more", "a suspended resident was booked for"
)
async def test_a_dismissed_worker_is_no_worker_and_the_suspended_are_served_nothing_new(city: City):
    ours, _ = await _asked(city)
    desk, own = await city.staff("operator"), ours.own
    await city.sql("UPDATE providers SET auto_accept = true")
    order_id = await own.book(desk, REHAB, *LATE_MORNING)
    await city.dispatch()
    worker = await city.signed_in(await own.worker_of(order_id))
    thing = await own.thing(order_id)
    own.slot = await own.quoted(desk, REHAB, at(16), at(18))
    await city.sql("UPDATE workers SET active = false WHERE id = $1", UUID(thing.worker_id))
    assert (await worker.get("/v1/me")).json()["worker_id"] is None
    for route, row in EXPECTED.items():
        if (
            row["own worker"] in {ALLOWED, OWN_ROWS}
            and not route.startswith("DELETE")
            and "/me" not in route.replace("workers/me", "")
        ):
            wanted = access.request(route, thing, by_operator=False)
            answer = await worker.send(wanted.method, wanted.path, wanted.query, wanted.body)
            hidden = route.startswith("POST /v1/orders/{order_id}/statements")
            still = route in {
                "POST /v1/live/tickets",
                "POST /v1/emergencies",
            }  # an alarm of anybody's is kept, about nobody else
            assert answer.status_code == (201 if still else 404 if hidden else 403), f"{route}: {answer.text}"

    await city.sql("UPDATE residents SET suspended = true WHERE id = $1", own.resident_id)
    wish = {"from_at": at(16).isoformat(), "to_at": at(18).isoformat()}
    for who in ("resident", "booker", "operator"):
        asker = await city.signed_in(own.accounts[who]) if who in own.accounts else desk
        quote = {"resident_id": str(own.resident_id), "item_code": REHAB, "wish": wish}
        book = {"slot": own.slot, "channel": "phone" if who == "operator" else "app"}
        for path, body in (("/v1/quotes", quote), ("/v1/bookings", book)):
            answer = await asker.post(path, body)
            assert answer.json().get("code") == "not_entitled", f"{who}: {path}: {answer.text}"
        assert (await asker.get(f"/v1/orders/{order_id}")).status_code == 200
    booker = await city.signed_in(own.accounts["booker"])
    assert (await booker.post(f"/v1/orders/{order_id}/cancel", {})).status_code == 200, "what was promised stays theirs"


async def test_what_is_closed_stays_closed_without_row_level_security(city: City):
    """Row-level security is the second lock. The first, what the statements and actions themselves ask, holds alone."""
    ours, theirs = await _asked(city)
    await city.sql("UPDATE providers SET auto_accept = true")
    desk = await city.staff("operator")
    kept, _ = [await house.book(desk, REHAB, *LATE_MORNING) for house in (ours.own, theirs.own)]
    await city.dispatch()
    ours.own.slot = await ours.own.quoted(desk, REHAB, at(16), at(18))
    tables = await city.sql("SELECT oid::regclass::text AS name FROM pg_class WHERE relrowsecurity")
    assert len(tables) > 30
    for table in tables:
        await city.sql(f"ALTER TABLE {table['name']} DISABLE ROW LEVEL SECURITY")
    async with city.database.as_nobody() as connection:
        assert await connection.fetchval("SELECT count(*) FROM orders") == 2, "the second lock is open"
    for route in EXPECTED:
        reads = route.startswith("GET ") and EXPECTED[route]["nobody"] != OPEN and "{offer_id}" not in route
        await ours.all_ask(route, kept, foreign_only=not reads)
    await ours.named_inside(kept)


async def _step(askers: Askers, order_id: str, *due: str) -> None:
    """One state of an order: what it is waiting for, and in full effort every other operation by whom it is closed to."""
    if FULL:
        state = (await askers.city.order(order_id))["status"]
        for route in _OF_ORDERS:
            if "{offer_id}" not in route or (await askers.own.thing(order_id)).offer_id:
                await askers.all_ask(route, order_id, foreign_only=True)
        await askers.all_ask("GET /v1/orders", order_id)
        tell(f"{state}: asked")
    for command in due:
        what = "offers/{offer_id}" if command in {"accept", "decline"} else "orders/{order_id}"
        await askers.all_ask(f"POST /v1/{what}/{command}", order_id)


async def _day(city: City, ours: Askers, theirs: Askers) -> None:
    desk = await city.staff("operator")
    one, two = ours.own, theirs.own
    for house in (one, two):
        house.slot = await house.quoted(desk, REHAB, at(16), at(18))
    visit = await two.book(desk, REHAB, *LATE_MORNING)
    held = await one.book(desk, REHAB, *LATE_MORNING, hold=True)
    await _step(ours, held, "extend", "call-back", "release")
    sought = await one.book(desk, REHAB, *LATE_MORNING, hold=True)
    await _step(ours, sought, "confirm")
    await _step(ours, sought)
    await city.dispatch()
    await ours.all_ask("GET /v1/offers")
    await ours.all_ask("GET /v1/offers/{offer_id}", sought)
    await _step(ours, sought, "decline")
    await city.dispatch()
    assert (await city.order(sought))["status"] == "manual", "nobody else serves the zone"
    await _step(ours, sought, "assign", "unserved")
    called_off = await one.book(desk, REHAB, *LATE_MORNING)
    await city.dispatch()
    await _step(ours, called_off, "accept")
    await _step(ours, called_off, "cancel")
    moved = await one.book(desk, REHAB, *LATE_MORNING)
    await _step(ours, moved, "reschedule")
    assert (await desk.post(f"/v1/orders/{moved}/cancel", {})).status_code == 200
    kept = await one.book(desk, REHAB, *LATE_MORNING)
    meal = await two.book(desk, MEAL, *NOON)
    await city.dispatch()
    for house, order_id in ((two, visit), (one, kept), (two, meal)):
        await house.accept(order_id)
    one.slot = await one.quoted(desk, REHAB, at(16), at(18))
    await ours.all_ask("GET /v1/orders/{order_id}", kept)
    await ours.all_ask("GET /v1/orders/{order_id}/visit", kept)
    await ours.all_ask("GET /v1/orders/{order_id}/read-back", kept)
    await ours.all_ask("GET /v1/orders/{order_id}/explanation", kept)
    await ours.all_ask("GET /v1/orders/{order_id}/swaps", kept)
    await _step(ours, kept, "swap")
    await theirs.all_ask("GET /v1/orders/{order_id}", visit)
    await theirs.all_ask("GET /v1/orders/{order_id}/visit", visit)
    await ours.named_inside(kept)
    await city.sql("INSERT INTO desk_tasks (kind, resident_id) VALUES ('suspended', $1)", one.resident_id)
    for route in _NO_ORDER:
        await ours.all_ask(route, kept)
    await city.clock(at(10))
    await _step(ours, kept, "en-route")
    await _step(ours, kept, "no-access")
    await _step(ours, kept, "door-opened")
    await _step(ours, kept, "check-in")
    await city.sql("UPDATE item_checks SET item = 'rehab' WHERE code = 'pulse'")
    await ours.all_ask("GET /v1/orders/{order_id}/pre-check", kept)
    await _step(ours, kept, "pre-check")
    await ours.all_ask("GET /v1/orders/{order_id}/checklist", kept)
    await _step(ours, kept, "checklist")
    await _step(ours, kept, "check-out")
    await _step(ours, kept, "handed-word")
    await _step(ours, kept, "accept-service")
    await two.report(visit, "en-route", "check-in", "check-out")
    await _step(theirs, visit, "dispute")
    await _step(theirs, visit, "statements")
    await ours.all_ask("GET /v1/reviews", kept)
    await _step(theirs, visit, "resolve")
    await city.clock(at(12))
    await two.report(meal, "en-route")
    await _step(theirs, meal, "pick-up")
    await two.report(meal, "en-route")
    await _step(theirs, meal, "hand-over")
    await _step(theirs, meal)
    written = await one.book(desk, REHAB, at(13), at(15))
    await city.dispatch()
    await one.accept(written)
    await city.clock(at(15))
    await _step(ours, written, "sheet")
    shut, stopped = await one.book(desk, REHAB, at(16), at(18)), await two.book(desk, REHAB, at(16), at(18))
    await city.dispatch()
    await one.accept(shut)
    await two.accept(stopped)
    await city.clock(at(16))
    await one.report(shut, "no-access")
    await _step(ours, shut, "another-time")
    await two.report(stopped, "check-in")
    await _step(theirs, stopped, "abort")
