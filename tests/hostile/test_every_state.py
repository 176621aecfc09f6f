"""In every state of an order everybody gives every command once, while everybody listens: tests/support/moves.py says what must come of it.

One city is enough: what a command has changed is put back before the next one.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Self, get_args
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import structs

from backend.core.principal import SYSTEM
from backend.events import catalogue
from backend.events.catalogue import RouteChanged
from backend.events.outbox import emit
from backend.live.channels import Hub
from backend.processes.embedded import APP
from backend.processes.gateway import create_gateway
from backend.processes.relay import Relay
from backend.scheduling import slots
from backend.tasks.actions import close_task, open_task
from backend.tasks.model import TaskKind
from tests.support.city import DAY, Caller, City, at
from tests.support.feeds import Reader, reading
from tests.support.fit import found_fit
from tests.support.life import COMMANDS, JUDGED, MAY_TRY, PROVIDERS, REPORTS
from tests.support.moves import CREW, HEARS, HIDDEN_FROM, LISTENERS, MEAL, VISIT, Move
from tests.support.orphans import orphans
from tests.support.people import SECRET, consent, person, served, settings

_KEPT = (
    "care_clock", "bookings", "orders", "order_seats", "order_links", "assignments", "offers", "offer_seats", "plans", "stops",
    "stop_orders", "timers", "visit_records", "visit_statements", "desk_tasks",
)  # fmt: skip
_ASKED_ELSEWHERE = {"neighbour", "other worker", "mate"}  # strangers by test_access.py, the mate as the worker is
_AT_ONCE = 6
_BOUND = {"accepted", "en_route", "checked_in", "checked_out"}
_STAFF = {"operator", "supervisor", *PROVIDERS}
_WORKERS = ("worker", "mate", "former worker", "other worker")
_PEOPLE = {name: name if name in _STAFF else "own worker" if name in _WORKERS else "resident" for name in LISTENERS}
_SAID = {
    "cancel": {"reason": "不方便"}, "decline": {"reason": "不方便"}, "dispute": {"reason": "没有来"},
    "unserved": {"reason": "没有人"}, "door-opened": {"reason": "女儿到了"}, "another-time": {"reason": "下午再来"},
    "statements": {"words": "来过了"},
    "resolve": {"outcome": "completed", "code": "agreed_by_both", "reason": "电话核实",
                "heard": [{"side": side, "words": "问过了"} for side in ("resident", "worker")]},
}  # fmt: skip


class Walk:
    """One order, everybody who has to do with it or would like to, and what each of them hears."""

    def __init__(self, city: City, table: Mapping[tuple[str, str, str], Move], server: asyncpg.Connection) -> None:
        self.city, self.table, self._server = city, table, server
        self.callers: dict[str, Caller] = {}
        self.readers: dict[str, Reader] = {}
        self.workers: dict[str, UUID] = {}
        self.order_id, self.slot, self.version = "", "", 0
        self.routed, self.steps = set[str](), list[tuple[str | None, str]]()
        self.walked, self.wrong = set[tuple[str, str, str]](), list[str]()

    @classmethod
    @asynccontextmanager
    async def open(cls, city: City, table: Mapping[tuple[str, str, str], Move]) -> AsyncGenerator[Self]:
        """Everybody signed in, listening, and the order held: two come for a bath, one brings a meal."""
        server = await asyncpg.connect(city.database.url.replace(f"//{APP}@", "//postgres@"))
        walk = cls(city, table, server)
        await walk._people()
        relay = asyncio.create_task(Relay(city.database).run(asyncio.Event()))
        try:
            gateway = create_gateway(settings(city.database), city.database, Hub())
            async with served(gateway) as address, AsyncExitStack() as until:
                for who in LISTENERS:
                    reader = reading(city.database, address, walk.callers[who].token)
                    walk.readers[who] = await until.enter_async_context(reader)
                await walk._hold()
                yield walk
        finally:
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
            await server.close()

    async def _people(self) -> None:
        city, sql = self.city, self.city.sql
        someone, other = await city.resident(ability=3), await city.resident()
        self.resident_id, zone_id = someone["id"], someone["zone_id"]
        self.point = str(await city.meal_point(zone_id))
        own, *others = [row["id"] for row in await sql("SELECT id FROM providers WHERE active ORDER BY name")]
        await city.manual_acceptance()
        team = await sql("SELECT id FROM workers WHERE provider_id = $1 AND code LIKE 'W1%' ORDER BY code", own)
        worker, mate, former, stranger = [row["id"] for row in team][:4]
        other_gender = "male" if someone["gender"] == "female" else "female"
        await sql(
            "UPDATE workers SET gender = CASE id WHEN $1 THEN $2 ELSE $3 END", worker, someone["gender"], other_gender
        )
        self.workers = {"worker": worker, "mate": mate, "former worker": former, "other worker": stranger}
        await sql("DELETE FROM shifts WHERE zone_id = $1 AND worker_id <> ALL ($2)", zone_id, [worker, mate])
        await sql("DELETE FROM worker_skills WHERE worker_id = ANY ($1)", [worker, mate])
        await sql(
            """INSERT INTO worker_skills (worker_id, skill) SELECT id, skill FROM unnest($1::uuid[]) id, unnest(ARRAY['bath', 'meal']) skill
               WHERE skill = 'bath' OR id = $2""",
            [worker, mate], worker,
        )  # fmt: skip
        son, former_family = await person(city.database, "family"), await person(city.database, "family")
        await consent(city.database, self.resident_id, son.account_id, "status")
        for purpose in ("status", "book"):
            given = await consent(city.database, self.resident_id, former_family.account_id, purpose)
            await sql("UPDATE consents SET valid_to = now() WHERE id = $1", given)
        self.declined_by, self.phone = others[0], former_family.phone
        self.callers = {
            "resident": await city.signed_in(someone["account_id"]),
            "daughter": await city.signed_in(await city.daughter(self.resident_id)),
            "son": Caller(city.http, son.token), "former family": Caller(city.http, former_family.token),
            "neighbour": await city.signed_in(other["account_id"]),
            "operator": await city.staff("operator"), "supervisor": await city.staff("supervisor"),
            "own provider": await city.staff("provider", own), "other provider": await city.staff("provider", others[0]),
            **{name: await city.worker(worker_id) for name, worker_id in self.workers.items()},
        }  # fmt: skip

    async def _hold(self) -> None:
        """The order as the daughter holds it, after a provider has declined it and somebody has left its crew."""
        meal = self.table is MEAL
        wish: dict[str, Any] = {"from_at": at(10).isoformat(), "to_at": at(11).isoformat()}
        body: dict[str, Any] = {
            "resident_id": str(self.resident_id),
            "item_code": "meal-lunch" if meal else "bath-home",
        }
        if meal:
            wish |= {"soft": True, "latest_at": at(11).isoformat()}
            body["pickup"] = {"facility_id": self.point, "ready_at": at(10).isoformat()}
        quote = await self.callers["daughter"].post("/v1/quotes", {**body, "wish": wish, "days": 1})
        self.slot = quote.json()["slots"][0]["token"]
        taken = {"slot": self.slot, "channel": "app", "hold_only": True}
        answer = await self.callers["daughter"].post("/v1/bookings", taken)
        assert answer.status_code == 201, answer.text
        self.order_id = answer.json()["id"]
        await found_fit(self.city, self.order_id)
        await self.city.sql(
            "INSERT INTO assignments (order_id, seat, worker_id, status, bound) VALUES ($1, 1, $2, 'withdrawn', true)",
            UUID(self.order_id), self.workers["former worker"],
        )  # fmt: skip
        await self.city.sql("UPDATE orders SET declined_by = $1::uuid[]", [self.declined_by])
        await self.heard()
        crew = {"worker"} if meal else {*CREW}
        assert self.routed == {*HEARS["route"], *crew}, f"{self.routed} heard of the new route"

    async def save(self) -> str:
        """The statements that bring everything of the order back as it stands."""
        rows = {
            name: await self._server.fetchval(f"SELECT coalesce(jsonb_agg(t), '[]')::text FROM {name} t")
            for name in _KEPT
        }
        emptied = "; ".join(f"DELETE FROM {name}" for name in _KEPT)
        filled = "; ".join(
            f"INSERT INTO {name} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::{name}, $kept${text}$kept$)"
            for name, text in rows.items() if text != "[]"
        )  # fmt: skip
        return f"BEGIN; SET LOCAL session_replication_role = replica; {emptied}; {filled}"

    async def restore(self, kept: str) -> None:
        """Put it back, under a new version of the plan: nobody goes on with what was read of the old one."""
        self.version += 1000
        await self._server.execute(f"{kept}; UPDATE plans SET version = version + {self.version}; COMMIT")

    async def state(self) -> str:
        """The order's state; with a star once the first of the crew has left."""
        left = any(seat["status"] == "checked_out" for seat in await self.city.crew(self.order_id))
        status = (await self.order())["status"]
        return f"{status}*" if status == "in_service" and left else status

    async def order(self) -> dict[str, Any]:
        return await self.city.order(self.order_id)

    async def heard(self) -> dict[str, dict[str, int]]:
        """What each has heard of the order since last asked; routes apart, which their own rule judges."""
        mark = str(uuid4())
        await self._server.execute(
            """INSERT INTO events (type, keys, data)
               SELECT 'mark', array_agg('account:' || account_id), jsonb_build_object('mark', $1::text) FROM sessions""", mark
        )  # fmt: skip
        return {who: found for who in LISTENERS if (found := await self._until(who, mark))}

    async def look_again(self, account_id: UUID) -> None:
        """Have the gateway look at the rights of an account now, as it does every few seconds by itself."""
        insert = "INSERT INTO events (type, keys, data) VALUES ('consent.changed', '{}', jsonb_build_object('account_id', $1::uuid))"
        await self._server.execute(insert, account_id)

    async def _until(self, who: str, mark: str) -> dict[str, int]:
        found: Counter[str] = Counter()
        while (message := await self.readers[who].next(20)).get("data") != {"mark": mark}:
            kind = message["type"]
            if kind == "route.changed":
                assert who in HEARS["route"] or message["data"]["worker_id"] == str(self.workers.get(who)), who
                self.routed.add(who)
            elif kind not in {"hello", "ping"}:
                found[kind] += 1
                if who == "operator" and kind.startswith("order."):
                    self.steps.append((message["data"]["before"], message["data"]["status"]))
        return dict(found)

    async def go(self, who: str, command: str) -> None:
        """Take a move of the table, and see who hears of it."""
        state = await self.state()
        move = self.table[state, command, who]
        if command == "@dispatch":
            await self.city.dispatch()
        elif command.startswith("@"):
            due = await self.city.sql("SELECT due_at FROM timers WHERE kind = $1 AND fired_at IS NULL", command[1:])
            assert len(due) == 1, f"{state}: no timer for {command}"
            await self.city.clock(due[0]["due_at"])
            await self.city.timers()
        else:
            answer = await self._ask(who, command)
            assert answer.status_code == 200, f"{state}: {who}: {command}: {answer.text}"
        self.walked.add((state, command, who))
        after = await self.state()
        assert after == move.after, f"{state}: {who} {command}: {after}"
        told_before = "version is not the number of events"  # what was put back was told all the same
        left = [row for row in await orphans(self.city) if not row["what"].startswith(told_before)]
        assert not left, f"{state}: {who} {command}: left behind: {left}"
        self.steps.clear()
        heard = await self.heard()
        came = [before for before, _ in self.steps]
        assert came == [state.removesuffix("*"), *(status for _, status in self.steps)][: len(came)], self.steps
        if after == "cancelled":
            side = "provider" if who == "own provider" else "resident"
            assert (await self.order())["reason"] == f"cancelled_by_{side}", f"{who}: whose wish it was"
        assert heard == move.heard, f"{state}: {who} {command}: {_differing(heard, move.heard)}"

    async def in_time_only(self, who: str, command: str, timer: str, code: int) -> None:
        """At the moment a clock runs out it is too late, whether or not it has struck; one second before, it is not."""
        due: datetime = await self.city.one("SELECT due_at FROM timers WHERE kind = $1 AND fired_at IS NULL", timer)
        state, now = await self.state(), await self.city.one("SELECT yinling_now()")
        await self.city.clock(due)
        answer = await self._ask(who, command)
        assert (answer.status_code, await self.state()) == (code, state), answer.text
        await self.city.clock(due - timedelta(seconds=1))
        await self.go(who, command)
        await self.city.clock(now)

    async def accepted(self) -> None:
        """As far as its provider's word."""
        for who, command in (("daughter", "confirm"), ("", "@dispatch"), ("own provider", "accept")):
            await self.go(who, command)

    def left_out(self, *states: str) -> None:
        """Fails where a move of these states was never made."""
        left = {move for move in self.table if move[0] in states} - self.walked
        assert not left, left

    async def here(self) -> None:
        """Everybody gives every command in the state the order is in; what it changes is put back."""
        state, kept = await self.state(), await self.save()
        for before, command, who in [move for move in self.table if move not in self.walked]:
            if before == state:
                try:
                    await self.go(who, command)
                except AssertionError as error:
                    self.wrong.append(str(error).splitlines()[0])
                    await self.heard()
                await self.restore(kept)
        await self._changes_nothing(state)
        assert not self.wrong, "\n".join(self.wrong)
        await self.restore(kept)

    async def _changes_nothing(self, state: str) -> None:
        """Whatever is not in the table is refused, or kept for a person to read: nothing moves, and nobody is told."""
        row = await self.order()
        seats = await self.city.sql("SELECT worker_id, status FROM assignments WHERE order_id = $1", row["id"])
        offers = await self.city.sql("SELECT id FROM offers WHERE order_id = $1 ORDER BY id DESC", row["id"])
        cells = [
            (who, command)
            for who, command in itertools.product([who for who in LISTENERS if who not in _ASKED_ELSEWHERE], COMMANDS)
            if _PEOPLE[who] in MAY_TRY[command] and (state, command, who) not in self.table
            and (offers or command not in {"accept", "decline"})
        ]  # fmt: skip
        answers: list[Any] = []
        for begin in range(0, len(cells), _AT_ONCE):
            some = cells[begin : begin + _AT_ONCE]
            answers += await asyncio.gather(*(self._ask(who, command) for who, command in some))
        for (who, command), answer in zip(cells, answers, strict=True):
            mine = {seat["status"] for seat in seats if seat["worker_id"] == self.workers.get(who)}
            party = who != "own provider" or row["provider_id"] is not None or command in {"accept", "decline"}
            if who in HIDDEN_FROM or not party or (who in self.workers and not mine - {"declined"}):
                want = 404
            elif command in REPORTS or (command == "abort" and who in self.workers):
                want = 200
            elif command == "statements":
                came = mine & _BOUND or (
                    state == "exception" and who == "worker"
                )  # by a report after they were given up
                want = 403 if who in self.workers and not came else 201 if state in JUDGED else 409
            else:
                want = 410 if state == "lapsed" and command in {"confirm", "extend"} else 409
            if answer.status_code != want:
                self.wrong.append(f"{state}: {who}: {command}: {answer.text} instead of {want}")
        after = await self.order()
        assert (after["status"], after["provider_id"]) == (row["status"], row["provider_id"]), (
            f"{state}: somebody moved it"
        )
        heard = await self.heard()
        assert not heard, f"{state}: told of what was refused: {heard}"
        for who, caller in self.callers.items():
            hidden = who in HIDDEN_FROM - {"son"} or (who == "own provider" and row["provider_id"] is None)
            want = 403 if who in self.workers else 404 if hidden else 200
            answer = await caller.get(f"/v1/orders/{self.order_id}")
            assert answer.status_code == want, f"{state}: {who} reads it: {answer.text}"

    async def _ask(self, who: str, command: str) -> Any:
        path = f"/v1/orders/{self.order_id}/{command}"
        if command in {"accept", "decline"}:
            offer = "SELECT id FROM offers WHERE order_id = $1 ORDER BY id DESC LIMIT 1"
            path = f"/v1/offers/{await self.city.one(offer, UUID(self.order_id))}/{command}"
        return await self.callers[who].post(path, await self._body(who, command))

    async def _body(self, who: str, command: str) -> dict[str, Any]:
        if command in REPORTS:
            return {"device_at": None, **await self.city.door(self.order_id)}
        if command == "abort":
            return {
                "reason": "resident_refuses",
                **(await self.city.door(self.order_id) if who in self.workers else {}),
            }
        if command == "statements" and who == "operator":
            return {**_SAID[command], "side": "family"}
        if command in {"assign", "swap"}:  # a swap names who comes already: nobody is told anything
            crew = [str(self.workers[name]) for name in CREW]
            here = [str(seat["worker_id"]) for seat in await self.city.crew(self.order_id)] or crew
            by_hand = {"worker_ids": crew, "start_at": at(10, 15).isoformat(), "reason": "电话约定"}
            return {"worker_ids": here} if command == "swap" else by_hand
        if command in {"sheet", "reschedule"}:
            return await self._timed(command)
        return _SAID.get(command, {})

    async def _timed(self, command: str) -> dict[str, Any]:
        """What depends on the time it is: a sheet of the last hour, and another time."""
        if command == "reschedule":
            return {"slot": await self._later(), "reason": "那天不在家"}
        now: datetime = await self.city.one("SELECT yinling_now()")
        times = {"came_at": (now - timedelta(minutes=55)).isoformat(), "left_at": now.isoformat()}
        return {"crew": [{"worker_id": str(self.workers[name]), **times} for name in CREW], "reason": "没有信号"}

    async def _later(self) -> str:
        """The slot it was booked by, asked for two hours from now in its place."""
        now: datetime = await self.city.one("SELECT yinling_now()")
        slot = slots.opened(self.slot, SECRET)
        by = now + timedelta(hours=2) - slot.starts_from
        moved = {
            name: getattr(slot, name) + by for name in ("starts_from", "starts_to", "wish_from", "wish_to", "latest_at")
        }
        pickup = slot.pickup and structs.replace(slot.pickup, ready_at=slot.pickup.ready_at + by)
        moved |= {"pickup": pickup, "quoted_at": now, "instead_of": UUID(self.order_id)}
        return slots.sign(structs.replace(slot, **moved), SECRET)


def _differing(heard: dict[str, dict[str, int]], wanted: dict[str, dict[str, int]]) -> str:
    every = dict.fromkeys([*heard, *wanted])
    return "; ".join(
        f"{who} heard {heard.get(who)} instead of {wanted.get(who)}"
        for who in every
        if heard.get(who) != wanted.get(who)
    )


def test_every_event_of_the_catalogue_says_who_hears_it():
    kinds = {
        getattr(event, "PREFIX", None) or event.type.fget(None).split(".")[0] for event in get_args(catalogue.Event)
    }
    assert kinds == set(HEARS)


async def test_until_somebody_accepts_everybody_may_and_hears_what_they_must(city: City):
    async with Walk.open(city, VISIT) as walk:
        await walk.here()
        held = await walk.save()
        await walk.go("resident", "release")
        await walk.here()
        await walk.restore(held)
        await walk.in_time_only("daughter", "confirm", "hold_expiry", 410)
        await walk.restore(held)
        await walk.go("daughter", "confirm")
        await walk.here()
        placed = await walk.save()
        for who, command in (("operator", "unserved"), ("daughter", "cancel"), ("", "@manual_due")):
            await walk.restore(placed)
            await walk.go(who, command)
            await walk.here()
        await walk.restore(placed)
        await walk.go("", "@dispatch")
        await walk.here()
        offered = await walk.save()
        await walk.in_time_only("own provider", "accept", "offer_expiry", 409)
        await walk.restore(offered)
        await walk.go("own provider", "decline")
        await walk.here()
        walk.left_out("held", "placed", "manual", "offered")


async def test_from_then_on_everybody_may_and_hears_what_they_must(city: City):
    async with Walk.open(city, VISIT) as walk:
        await walk.accepted()
        await city.clock(at(10, 55))
        await walk.here()
        accepted = await walk.save()
        await walk.go("worker", "no-access")
        await walk.here()
        await walk.go("operator", "abort")
        await walk.here()
        await walk.restore(accepted)
        await walk.go("", "@missed_due")
        await walk.here()
        await walk.go("worker", "check-in")
        await walk.here()
        await walk.restore(accepted)
        for who, command, minute in (
            ("worker", "en-route", 0), ("worker", "check-in", 5), ("mate", "check-in", 6), ("worker", "check-out", 70),
            ("mate", "check-out", 71),
        ):  # fmt: skip
            await city.clock(at(10) + timedelta(minutes=minute))
            await walk.go(who, command)
            await walk.here()
        awaiting = await walk.save()
        await walk.go("resident", "accept-service")
        await walk.here()
        await walk.restore(awaiting)
        await walk.go("daughter", "dispute")
        await walk.here()
        walk.left_out(*{state for state, _, _ in VISIT} - {"held", "placed", "manual", "offered"})


async def test_with_a_meal_everybody_may_and_hears_what_they_must(city: City):
    async with Walk.open(city, MEAL) as walk:
        await walk.accepted()
        await city.clock(at(10))
        await walk.here()
        accepted = await walk.save()
        await walk.go("", "@missed_due")
        await walk.here()
        await walk.restore(accepted)
        await walk.go("worker", "en-route")
        kitchen = "SELECT p.x, p.y FROM orders o JOIN places p ON p.id = o.pickup_place_id WHERE o.id = $1"
        where = (await city.sql(kitchen, UUID(walk.order_id)))[0]
        await city.clock(at(10, 4))
        fetched = await walk.callers["worker"].post(f"/v1/orders/{walk.order_id}/pick-up", {"device_at": None, **where})
        assert fetched.json()["report"] == {"counts": True, "flags": []}
        await city.clock(at(10, 12))
        await walk.here()
        on_the_way = await walk.save()
        await walk.go("worker", "no-access")
        await walk.here()
        await walk.go("operator", "door-opened")
        await walk.here()
        await walk.restore(on_the_way)
        walk.left_out(*{state for state, _, _ in MEAL})
        await walk.go("worker", "hand-over")


@pytest.mark.spoils("a worker comes who was dismissed, or whose provider does not work any more")
async def test_what_is_told_besides_orders_is_heard_by_whom_it_concerns_and_rights_count_from_then_on(city: City):
    """A consent given and withdrawn, a task of the desk, a worker dismissed and an account closed while they listen."""
    async with Walk.open(city, VISIT) as walk:
        household = {who: {"consent.changed": 1} for who in ("resident", "daughter", "son")}
        given = {"phone": walk.phone, "name": "某人", "purpose": "status", "evidence": "电话"}
        path = f"/v1/residents/{walk.resident_id}/consents"
        answer = await walk.callers["resident"].post(path, given)
        assert answer.status_code == 201, answer.text
        assert await walk.heard() == {**household, "former family": {"consent.changed": 2}}, (
            "theirs, and the resident's"
        )
        following = walk.table["held", "extend", "daughter"].heard
        await walk.callers["daughter"].post(f"/v1/orders/{walk.order_id}/extend")
        assert await walk.heard() == {**following, "former family": {"order.held": 1}}
        assert (await walk.callers["resident"].post(f"{path}/{answer.json()['id']}/end")).status_code == 200
        assert await walk.heard() == {**household, "former family": {"consent.changed": 1}}
        await walk.callers["daughter"].post(f"/v1/orders/{walk.order_id}/extend")
        assert await walk.heard() == following

        for change, told in (
            (lambda c: open_task(c, TaskKind.FEED_STALLED, {}), "opened"),
            (lambda c: close_task(c, TaskKind.FEED_STALLED), "closed"),
        ):
            async with city.database.unit_of_work(SYSTEM) as connection:
                assert await change(connection)
            assert await walk.heard() == {who: {f"task.{told}": 1} for who in HEARS["task"]}

        about = {"resident_id": str(walk.resident_id)}
        staff = {who: {"emergency.raised": 1, "task.opened": 1} for who in ("operator", "supervisor")}
        for who, hears in (("daughter", ("resident", "daughter", "son")), ("worker", ("worker",))):
            raised = await walk.callers[who].post("/v1/emergencies", about)
            assert raised.status_code == 201, raised.text
            assert await walk.heard() == {**staff, **{whom: {"emergency.raised": 1} for whom in hears}}, who

        dismissed = walk.workers["worker"]
        await city.sql("UPDATE workers SET active = false WHERE id = $1", dismissed)
        await walk.look_again(await city.one("SELECT account_id FROM workers WHERE id = $1", dismissed))
        await walk.go("daughter", "confirm")
        async with city.database.unit_of_work(SYSTEM) as connection:
            zone_id = (await walk.order())["zone_id"]
            await emit(connection, RouteChanged(worker_id=dismissed, zone_id=zone_id, plan_on=DAY, plan_version=1))
        walk.routed.clear()
        assert not await walk.heard()
        assert walk.routed == set(HEARS["route"]), "a worker who was dismissed hears of their route"

        closed = await city.one("UPDATE accounts SET active = false WHERE role = 'supervisor' RETURNING id")
        await walk.look_again(closed)
        assert await walk.readers["supervisor"].closed() == 4401
