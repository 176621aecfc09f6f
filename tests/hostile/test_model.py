"""Everybody does whatever they like to orders in every state; the rules as written down say what each may change."""

import itertools
import os
import random
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
import structlog

from backend.core.clock import city_date
from backend.processes.embedded import Embedded
from backend.scheduling import slots
from tests.support import life
from tests.support.city import TIME_ZONE, Caller, City, at
from tests.support.effort import SEED, announce, effort, tell
from tests.support.life import Seen, expected
from tests.support.orphans import orphans, overdue
from tests.support.people import SECRET, consent, person
from tests.support.scratch import GUARDED

_WALKS, _STEPS = effort(14, 200), 50
_ITEMS = {"bath": "bath-home", "rehab": "rehab-home", "meal": "meal-lunch"}
_BUSY = ("proposed", "accepted", "en_route", "checked_in", "checked_out")
_numbers = itertools.count()
_visited: set[tuple[str, str, str]] = set()
_states: set[str] = set()


class Walk:
    """One city, one resident with family and helpers, and what happens to the resident's orders step by step."""

    def __init__(self, city: City, number: int) -> None:
        self.city, self.rng = city, random.Random(f"{SEED}/{number}")
        self.trace = [f"walk {number} of YINLING_SEED={SEED}"]
        self.rows: dict[str, dict[str, Any]] = {}
        self.plans: dict[Any, int] = {}
        self.token = ""
        self._callers: dict[Any, Caller] = {}

    async def begin(self) -> None:
        """Who is there, and who may speak for the resident."""
        city = self.city
        self.someone = await city.resident(ability=3)
        other = await city.resident(ability=0, number=1)
        son = await person(city.database, "family")
        await consent(city.database, self.someone["id"], son.account_id, "status")
        self._callers = {
            "resident": await city.signed_in(self.someone["account_id"]),
            "daughter": await city.signed_in(await city.daughter(self.someone["id"])),
            "son": Caller(city.http, son.token),
            "neighbour": await city.signed_in(other["account_id"]),
            "operator": await city.staff("operator"),
            "supervisor": await city.staff("supervisor"),
            "nobody": Caller(city.http, "nobody's token, which is none"),
        }
        self.point = str(await city.meal_point(self.someone["zone_id"]))
        await city.sql(
            "UPDATE providers SET auto_accept = $1, offer_expiry_s = $2",
            self.rng.random() < 0.4, self.rng.choice([600, 1800, 7200]),
        )  # fmt: skip
        await self._read()

    async def _read(self) -> None:
        rows = await self.city.sql("SELECT * FROM orders ORDER BY id")
        self.rows = {str(row["id"]): row for row in rows}
        self.plans = {(row["zone_id"], row["plan_on"]): row["version"] for row in await self.city.sql("TABLE plans")}
        self.now = await self.city.one("SELECT yinling_now()")
        _states.update(row["status"] for row in rows)

    def _name(self, order_id: str) -> str:
        row = self.rows[order_id]
        return f"{row['kind']} {list(self.rows).index(order_id) + 1}"

    async def step(self) -> None:
        """One of: a booking, a moment later, a look of the dispatcher, what comes next, whatever somebody likes."""
        dice = self.rng.random()
        open_now = [o for o, row in self.rows.items() if row["status"] in {*life.WAITING, *life.ON_THE_WAY, "held"}]
        if not self.rows or (dice < 0.12 and len(open_now) < 4):
            await self._book()
        elif dice < 0.25:
            await self._later()
        elif dice < 0.36:
            await self._dispatch()
        else:
            order_id = self.rng.choice(open_now or list(self.rows)) if dice < 0.8 else self.rng.choice(list(self.rows))
            likely = dice < 0.66 and self._next(self.rows[order_id])
            if likely in {"later", "dispatch"}:
                await (self._later(order_id) if likely == "later" else self._dispatch())
            elif likely:
                await self._command(order_id, *likely)
            else:
                await self._command(order_id, self.rng.choice(life.PEOPLE), self.rng.choice((*life.COMMANDS, "read")))
        await self._sound()

    def _next(self, row: dict[str, Any]) -> Any:
        """What usually comes next in a state, so that walks get far."""
        speaks, meal = self.rng.choice(sorted(life.SPEAKS_FOR)), row["kind"] == "meal"
        mine = "own worker"
        return self.rng.choice({
            "held": [(speaks, "confirm")],
            "placed": ["dispatch", "dispatch", (speaks, "reschedule")],
            "offered": [("own provider", "accept")] * 3 + [("own provider", "decline"), ("own provider", "swap"), "later"],
            "manual": [("operator", "assign")] * 3 + ["later"],
            "accepted": ["later", ("own provider", "swap"), (mine, "en-route"), (mine, "en-route"), (mine, "check-in"), ("operator", "sheet"), (speaks, "reschedule")],
            "en_route": [(mine, "hand-over"), (mine, "pick-up"), (mine, "en-route"), (mine, "no-access")] if meal
                        else [(mine, "check-in"), (mine, "no-access")],
            "arrived": [(mine, "check-in")] * 4 + ["later", (mine, "no-access"), (mine, "abort"), (mine, "hand-over")],
            "in_service": [(mine, "check-out")] * 4 + ["later", (mine, "no-access"), (mine, "abort"), ("operator", "abort")],
            "no_access": [("operator", "door-opened"), ("operator", "another-time"), ("operator", "abort"), (mine, "check-in"),
                          (mine, "check-out"), (mine, "hand-over"), "later"],
            "awaiting_acceptance": [(speaks, "accept-service"), (speaks, "dispute"), "later"],
            "missed": [("operator", "sheet"), (mine, "check-in"), (mine, "check-out"), None],
            **{
                over: [(mine, "check-in"), (mine, "hand-over"), None, None]
                for over in ("cancelled", "unserved", "aborted")
            },
            "disputed": [("operator", "resolve"), (mine, "statements")],
            "exception": [("operator", "resolve")],
        }.get(row["status"], [None]))  # fmt: skip

    async def _book(self) -> None:
        who = self.rng.choice([*sorted(life.SPEAKS_FOR)] * 4 + [*life.PEOPLE[:6], "nobody"])
        kind, soft = self.rng.choice(sorted(_ITEMS)), self.rng.random() < 0.4
        begin = self.now + timedelta(minutes=self.rng.choice([5, 30, 60, 180, 900]))
        end = begin + timedelta(minutes=self.rng.choice([30, 120, 240]))
        wish: dict[str, Any] = {"from_at": begin.isoformat(), "to_at": end.isoformat()}
        body: dict[str, Any] = {"resident_id": str(self.someone["id"]), "item_code": _ITEMS[kind], "wish": wish}
        if kind == "meal":
            body["pickup"] = {"facility_id": self.point, "ready_at": begin.isoformat()}
        if soft or kind == "meal":
            wish |= {"soft": True, "latest_at": (end + timedelta(minutes=self.rng.choice([0, 60]))).isoformat()}
        codes = {"nobody": {401}, "son": {404}, "neighbour": {404}, "supervisor": {403}}.get(who, {200, 400, 422, 429})
        quote = await self._send(who, "/v1/quotes", body)
        self._note(f"{who} asks for a {kind}", quote)
        assert quote.status_code in codes, "a quote"
        offered = quote.json().get("slots") or []
        if not offered:
            return
        before = set(self.rows)
        self.token = self.rng.choice(offered)["token"]
        taken = {"slot": self.token, "channel": "phone" if who == "operator" else "app",
                 "hold_only": self.rng.random() < 0.5}  # fmt: skip
        answer = await self._send(who, "/v1/bookings", taken)
        await self._read()
        self._note(f"{who} books a {kind}{' softly' if wish.get('soft') else ''}", answer)
        fresh = [self.rows[order_id] for order_id in self.rows if order_id not in before]
        if answer.status_code == 201:
            assert [row["status"] for row in fresh] == ["held" if taken["hold_only"] else "placed"], "a booking"
        else:
            assert answer.status_code in {409, 422}, "a booking"
            assert not fresh, "a booking"

    async def _later(self, order_id: str | None = None) -> None:
        """Care time goes on: a little, or to the next thing that is due, or to when somebody is expected."""
        due = await self.city.sql("SELECT due_at FROM timers WHERE fired_at IS NULL ORDER BY due_at LIMIT 3")
        planned = await self.city.sql(
            "SELECT lower(during) AS at FROM stops WHERE active AND ($1::uuid IS NULL OR order_id = $1)",
            UUID(order_id) if order_id else None,
        )
        instants = [self.now + timedelta(minutes=minutes) for minutes in (1, 5, 20)]
        instants += [row["at"] for row in planned] * 2 if order_id else []
        instants += [row["due_at"] for row in due if row["due_at"] < at(0, days=6)]
        instant = max(self.now, self.rng.choice(instants))
        await self.city.clock(instant)
        await self._by_itself(f"it is {instant.astimezone(TIME_ZONE):%d %H:%M:%S}", life.BY_CLOCK, self.city.timers)
        left = await overdue(self.city)
        assert not left, left

    async def _dispatch(self) -> None:
        await self._by_itself("the dispatcher looks", life.BY_DISPATCH, self.city.dispatch)

    async def _by_itself(self, what: str, moves: Iterable[tuple[str, str]], happens: Any) -> None:
        before = dict(self.rows)
        await happens()
        old_plans = self.plans
        await self._read()
        changed = [o for o, row in before.items() if row["status"] != self.rows[o]["status"]]
        told = ", ".join(f"{self._name(o)} {before[o]['status']} -> {self.rows[o]['status']}" for o in changed)
        self.trace.append(f"{what}: {told or 'nothing'}")
        for order_id in changed:
            status, after = before[order_id]["status"], self.rows[order_id]["status"]
            assert after in _reached(status, moves), f"{status} -> {after}"
        self._plans_moved(before, old_plans)

    async def _command(self, order_id: str, who: str, command: str) -> None:
        seen, caller, offer_id = await self._seen(order_id, who, command)
        if caller is None:
            return
        row, before, old_plans = self.rows[order_id], dict(self.rows), self.plans
        _visited.add((who, command, row["status"]))
        if command == "read":
            await self._look(caller, who, order_id)
            return
        path = (
            f"/v1/offers/{offer_id}/{command}"
            if command in {"accept", "decline"}
            else f"/v1/orders/{order_id}/{command}"
        )
        body = await self._body(order_id, who, command)
        answer = await caller.post(path, body)
        await self._read()
        seen = msgspec.structs.replace(seen, offline=body.get("offline", False))
        want, after = expected(who, command, seen), self.rows[order_id]
        self._note(f"{who}: {command} of {self._name(order_id)}, {row['status']} -> {after['status']}", answer)
        assert answer.status_code in want.codes, f"{answer.status_code} is none of {set(want.codes)}"
        assert after["status"] in want.after, f"{after['status']} is none of {set(want.after)}"
        if answer.status_code >= 400:
            assert after["version"] == row["version"], "a refusal changed the order"
        elif command not in {*life.REPORTS, "statements"} and not (command == "abort" and who != "operator"):
            assert answer.json()["status"] == after["status"]
        if command == "cancel" and after["status"] == "cancelled" != row["status"]:
            whose = {"own provider": {"provider"}, "operator": {"resident", "family", "provider", "platform"}}
            assert after["reason"].removeprefix("cancelled_by_") in whose.get(who, {"resident"}), "whose wish it was"
        for other_id, other in self.rows.items():
            step = (before[other_id]["status"], other["status"])
            doubted = command in {*life.REPORTS, "sheet", "abort"} and step in life.BY_A_REPORT_ELSEWHERE
            same = other["version"] == before[other_id]["version"]
            assert other_id == order_id or same or doubted, "another order changed"
        self._plans_moved(before, old_plans)

    async def _look(self, caller: Caller, who: str, order_id: str) -> None:
        answer = await caller.get(f"/v1/orders/{order_id}")
        want = {"nobody": 401, "neighbour": 404, "other provider": 404, "own worker": 403, "other worker": 403}
        self._note(f"{who}: read of {self._name(order_id)}, {self.rows[order_id]['status']}", answer)
        own = who == "own provider" and self.rows[order_id]["provider_id"] is None
        assert answer.status_code == (404 if own else want.get(who, 200))

    async def _seen(self, order_id: str, who: str, command: str) -> tuple[Seen, Caller | None, str]:
        """The order as the command meets it, and who sends it; nobody where there is no such person."""
        row = self.rows[order_id]
        crew = await self.city.sql("SELECT * FROM assignments WHERE order_id = $1 ORDER BY id", row["id"])
        offers = await self.city.sql("SELECT * FROM offers WHERE order_id = $1 ORDER BY id DESC", row["id"])
        offer = offers[0] if offers else None
        at_work = [seat for seat in crew if seat["status"] in _BUSY]
        once = [seat for seat in crew if seat["status"] != "declined"]
        once = at_work if at_work and self.rng.random() < 0.8 else once
        mine, had_seat, caller, own = None, False, self._callers.get(who), list[dict[str, Any]]()
        if who == "own worker" and once:
            seat = self.rng.choice(once)
            mine, had_seat = next((s for s in at_work if s["worker_id"] == seat["worker_id"]), None), True
            caller, own = (
                await self._worker(seat["worker_id"]),
                [s for s in crew if s["worker_id"] == seat["worker_id"]],
            )
        elif who == "other worker":
            known = [seat["worker_id"] for seat in crew]
            caller = await self._worker(
                await self.city.one("SELECT id FROM workers WHERE id <> ALL ($1) LIMIT 1", known)
            )
        elif who in life.PROVIDERS:
            by_offer = command in {"accept", "decline"} or row["provider_id"] is None
            own_id = offer and offer["provider_id"] if by_offer else row["provider_id"]
            caller = None
            if own_id is not None:
                same = who == "own provider"
                caller = await self._provider(own_id if same else await self._another(own_id))
        if command in {"accept", "decline"} and offer is None:
            caller = None  # there is nothing to answer
        others = [seat for seat in at_work if mine is not None and seat["id"] != mine["id"]]
        hold_at: datetime | None = row["hold_expires_at"]
        seen = Seen(
            status=row["status"], kind=row["kind"], now=self.now,
            plan_begun=city_date(self.now, TIME_ZONE) >= row["plan_on"], acceptance=row["acceptance"],
            hold_expires_at=hold_at, may_extend=row["hold_extended_s"] + 180 <= 420,
            offer_open=offer is not None and offer["status"] == "open" and offer["expires_at"] > self.now,
            seat=mine and mine["status"], had_seat=had_seat, sent=any(s["bound"] for s in own),
            given_up=any(s["status"] == "no_show" for s in own), offline=False,
            left_before=await self.city.one(
                """SELECT EXISTS (SELECT FROM visit_records WHERE order_id = $1 AND kind = 'check_out' AND offline
                                  AND NOT counts)""", row["id"]),
            doubted=bool(row["flags"]),
            others_at_door=all(seat["status"] == "checked_in" for seat in others),
            others_left=all(seat["status"] == "checked_out" for seat in others),
            somebody_there=await self.city.one(
                """SELECT EXISTS (SELECT FROM assignments a WHERE a.order_id = $1
                       AND a.status IN ('accepted', 'en_route', 'checked_in') AND NOT EXISTS (
                           SELECT FROM visit_records r WHERE r.assignment_id = a.id AND r.counts AND r.kind = 'check_out'))""",
                row["id"]),
        )  # fmt: skip
        if who == "own provider" and command == "cancel" and row["provider_id"] is None:
            return seen, None, ""  # it is not theirs any more, as it never was another's
        return seen, caller, str(offer["id"]) if offer else str(uuid4())

    async def _worker(self, worker_id: UUID) -> Caller:
        if worker_id not in self._callers:
            self._callers[worker_id] = await self.city.worker(worker_id)
        return self._callers[worker_id]

    async def _provider(self, provider_id: UUID) -> Caller:
        if provider_id not in self._callers:
            self._callers[provider_id] = await self.city.staff("provider", provider_id)
        return self._callers[provider_id]

    async def _another(self, provider_id: UUID) -> UUID:
        return await self.city.one("SELECT id FROM providers WHERE id <> $1 ORDER BY id LIMIT 1", provider_id)

    async def _body(self, order_id: str, who: str, command: str) -> dict[str, Any]:
        if command in {"cancel", "dispute", "unserved", "decline", "door-opened", "another-time"}:
            body: dict[str, Any] = {"reason": "an invented reason"}
            if command == "cancel" and (side := self.rng.choice([None, "resident", "family", "provider", "platform"])):
                body["side"] = side
            return body
        if command == "statements":
            return {"words": "what an invented person says", **({"side": "family"} if who == "operator" else {})}
        if command in {"sheet", "assign", "reschedule", "swap"}:
            made = {
                "sheet": self._sheet,
                "swap": self._others,
                "assign": self._crew_by_hand,
                "reschedule": self._other_time,
            }
            return await made[command](order_id)
        if command == "resolve":
            words = {"words": "what was said on the telephone"}
            outcome, code = self.rng.choice(
                [("completed", "resident_confirmed"), ("rejected", "made_up"), ("exception", "looked_at_further")]
            )
            return {
                "outcome": outcome, "code": code,
                "reason": "an invented reason", "heard": [{"side": s, **words} for s in ("resident", "worker")],
            }  # fmt: skip
        if command in {*life.REPORTS, "abort"}:
            why = {"reason": "resident_refuses", "remark": ""} if command == "abort" else {}
            place = {"x": None, "y": None} if self.rng.random() < 0.5 else {"x": 121.0, "y": 31.0}
            ago = self.rng.choice([1, 20, 100])
            later = {"offline": True, "device_at": (self.now - timedelta(minutes=ago)).isoformat()}
            return {"device_at": None, **place, **why, **(later if self.rng.random() < 0.4 else {})}
        return {}

    async def _others(self, order_id: str) -> dict[str, Any]:
        """As many of somebody's workers as the order takes; now and then those who come already."""
        crew = [seat["worker_id"] for seat in await self.city.crew(order_id)]
        some = [row["id"] for row in await self.city.sql(
            "SELECT w.id FROM workers w JOIN orders o ON o.provider_id = w.provider_id WHERE o.id = $1 ORDER BY w.id", UUID(order_id)
        )]  # fmt: skip
        if len(some) >= len(crew) > 0 and self.rng.random() < 0.8:
            stay = crew[1:] if len(crew) > 1 and self.rng.random() < 0.6 else []
            others = [worker for worker in some if worker not in stay]
            crew = stay + self.rng.sample(others, len(crew) - len(stay))
        return {"worker_ids": [str(worker) for worker in crew or [uuid4()]], "reason": "an invented reason"}

    async def _other_time(self, order_id: str) -> dict[str, Any]:
        """A slot quoted instead of an order, or where there is none, one of another order made to look like it."""
        row, begin = self.rows[order_id], self.now + timedelta(minutes=self.rng.choice([10, 60, 900]))
        end = begin + timedelta(minutes=self.rng.choice([30, 240]))
        wish: dict[str, Any] = {"from_at": begin.isoformat(), "to_at": end.isoformat()}
        body: dict[str, Any] = {"resident_id": str(self.someone["id"]), "item_code": row["item_code"], "wish": wish}
        if row["kind"] == "meal":
            body["pickup"] = {"facility_id": self.point, "ready_at": begin.isoformat()}
            wish |= {"soft": True, "latest_at": end.isoformat()}
        quote = await self._send("operator", "/v1/quotes", {**body, "instead_of": order_id})
        self._note(f"other times for {self._name(order_id)}", quote)
        if offered := quote.json().get("slots"):
            return {"slot": self.rng.choice(offered)["token"], "reason": "an invented reason"}
        like_it = msgspec.structs.replace(slots.opened(self.token, SECRET), instead_of=row["id"])
        return {"slot": slots.sign(like_it, SECRET)}

    async def _sheet(self, order_id: str) -> dict[str, Any]:
        crew = await self.city.sql(
            """SELECT DISTINCT ON (seat) worker_id FROM assignments WHERE order_id = $1
               AND status IN ('accepted', 'en_route', 'no_show') ORDER BY seat, id DESC""",
            self.rows[order_id]["id"],
        )
        came = self.now - timedelta(minutes=self.rng.choice([5, 50, 300]))
        times = {"came_at": came.isoformat(), "left_at": (self.now - timedelta(minutes=1)).isoformat()}
        named = [str(seat["worker_id"]) for seat in crew] or [str(uuid4())]
        return {"crew": [{"worker_id": worker_id, **times} for worker_id in named], "reason": "no phone"}

    async def _crew_by_hand(self, order_id: str) -> dict[str, Any]:
        row = self.rows[order_id]
        able = await self.city.sql(
            """SELECT DISTINCT w.id, w.code, w.provider_id FROM workers w JOIN shifts s ON s.worker_id = w.id
               JOIN worker_skills k ON k.worker_id = w.id
               JOIN order_seats q ON q.order_id = $1 AND k.skill = ANY (q.skills)
               WHERE s.zone_id = $2 AND s.plan_on = $3 ORDER BY w.code""",
            row["id"], row["zone_id"], row["plan_on"],
        )  # fmt: skip
        one = self.rng.choice(able)["provider_id"] if able else None
        same = [str(w["id"]) for w in able if w["provider_id"] == one]
        start = max(self.now + timedelta(minutes=self.rng.choice([2, 30, 90])), row["window_from"])
        chosen = self.rng.sample(same, min(len(same), self.rng.choice([1, 2, 3]))) or [str(uuid4())]
        return {"worker_ids": chosen, "start_at": start.isoformat(), "reason": "agreed by phone"}

    async def _send(self, who: str, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self._callers[who].post(path, body)

    def _note(self, what: str, answer: httpx.Response) -> None:
        code = answer.json().get("code", "") if answer.status_code >= 400 else ""
        self.trace.append(f"{what}: {answer.status_code} {code}")
        assert answer.status_code < 500, "something failed on our side"

    def _plans_moved(self, before: dict[str, dict[str, Any]], old: dict[Any, int]) -> None:
        """Whoever planned with an order's old state must notice."""
        for order_id, row in before.items():
            now, day = self.rows[order_id], (row["zone_id"], row["plan_on"])
            assert now["status"] == row["status"] or self.plans[day] > old[day], "the plan does not know"

    async def _sound(self) -> None:
        found = await orphans(self.city)
        assert not found, [
            (row["what"], self._name(str(row["id"])) if str(row["id"]) in self.rows else "") for row in found
        ]


def _reached(status: str, moves: Iterable[tuple[str, str]]) -> set[str]:
    reached = {status}
    while more := {after for before, after in moves if before in reached} - reached:
        reached |= more
    return reached


@pytest.mark.parametrize("number", range(_WALKS))
async def test_whatever_anybody_does_an_order_is_where_its_rules_let_it_be(
    server: Embedded, tmp_path_factory: pytest.TempPathFactory, number: int
):
    """And nothing is left behind: no stop, seat, offer, timer, hold or link of an order that has gone on without it.

    The last walk also looks at how much of the table all of them have walked.
    """
    if number == 0:
        announce("order model")
    name = f"model_{next(_numbers)}"
    async with City.open(await server.copy_database(GUARDED, name)) as city:
        walk = Walk(city, number)
        with structlog.testing.capture_logs() as logs:
            try:
                await walk.begin()
                for _ in range(_STEPS):
                    await walk.step()
                broken = [line for line in logs if line["log_level"] in {"error", "critical"}]
                assert not broken, broken
            except AssertionError as error:
                story = "\n".join([*walk.trace, f"=> {error}", *map(str, logs[-3:])])
                sys.stdout.write(story + "\n")  # at once: a long run goes on
                raise AssertionError(story) from error
    await server.drop_database(name)
    mine = tmp_path_factory.getbasetemp()
    _get_about(mine.parent if os.environ.get("PYTEST_XDIST_WORKER") else mine)


def _get_about(folder: Path) -> None:
    """Leave what the walks of this process have met; not a claim about the platform, but about all walks together."""
    mine = {"states": sorted(_states), "visited": sorted(_visited)}
    (folder / f"walk-{uuid4()}.json").write_bytes(msgspec.json.encode(mine))
    walked = [msgspec.json.decode(path.read_bytes()) for path in folder.glob("walk-*.json")]
    if len(walked) < _WALKS:
        return
    states = {state for met in walked for state in met["states"]}
    visited = {tuple(cell) for met in walked for cell in met["visited"]}
    cells = len(life.PEOPLE) * (len(life.COMMANDS) + 1) * len(states)
    tell(f"visited {len(visited)} of {cells} cells (person, command, state) in states {sorted(states)}")
    assert states >= {"held", "placed", "offered", "accepted", "cancelled"}
