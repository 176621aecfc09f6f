"""Whatever anybody makes of a valid request, the platform refuses in its one shape, and the city goes on.

Every route of the committed interface has a valid request here, made from a real day; a new one without fails.
"""

import asyncio
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from backend.accounts import proofs
from tests.support.city import DAY, at
from tests.support.effort import SEED, announce, effort
from tests.support.mutations import Answered, Wanted, address_of, ask, mutated
from tests.support.platform import Running

INTERFACE = json.loads((Path(__file__).parents[1] / "unit" / "openapi.json").read_text())["paths"]
ROLES = ("nobody", "resident", "family", "operator", "provider", "worker", "supervisor")
REHAB = "rehab-home"
AT_ONCE = 8
_ENDS_SESSIONS = ("/v1/sign-in", "/v1/me/sessions")


@pytest.fixture(scope="module")
async def day(running_city: Running) -> "Day":
    return await Day.begun(running_city)


class Day:
    """A day with something of everything in it, and who is asking."""

    def __init__(self, city: Running) -> None:
        self.city = city
        parts = urlsplit(city.platform.web_url)
        self.address = (parts.hostname or "", parts.port or 0)
        self.accounts: dict[str, UUID] = {}
        self.tokens: dict[str, str] = {"nobody": ""}
        self.ids: dict[str, str] = {}
        self.bodies: dict[str, Any] = {}

    @classmethod
    async def begun(cls, city: Running) -> "Day":
        day = cls(city)
        await city.sql("UPDATE providers SET auto_accept = true")
        for role in ROLES[1:]:
            day.accounts[role] = (
                await city.sql("SELECT id FROM accounts WHERE role = $1 AND active ORDER BY login, id LIMIT 1", role)
            )[0]["id"]
            await day.sign_in(role)
        resident = (await city.sql("SELECT id, phone FROM residents WHERE account_id = $1", day.accounts["resident"]))[
            0
        ]
        zone = (await city.sql("SELECT zone_id FROM homes WHERE resident_id = $1", resident["id"]))[0]["zone_id"]
        meal_point = (await city.sql("SELECT id FROM facilities WHERE zone_id = $1 LIMIT 1", zone))[0]["id"]
        day.ids = {
            "resident_id": str(resident["id"]),
            "consent_id": str(uuid4()),
            "offer_id": str(uuid4()),
            "task_id": str(uuid4()),
            "emergency_id": str(uuid4()),
            "session_id": str(uuid4()),
            "absence_id": str(uuid4()),
            "request_id": str(uuid4()),
        }
        order = await day.book(day.ids["resident_id"])
        day.ids["order_id"] = order["id"]
        await day.until_accepted(order["id"])
        worker = (await city.sql("SELECT a.worker_id FROM assignments a WHERE a.order_id = $1", UUID(order["id"])))[0][
            "worker_id"
        ]
        day.ids["worker_id"] = str(worker)
        day.accounts["worker"] = (await city.sql("SELECT account_id FROM workers WHERE id = $1", worker))[0][
            "account_id"
        ]
        await day.sign_in("worker")
        offer = await city.sql("SELECT id FROM offers WHERE order_id = $1", UUID(order["id"]))
        day.ids["offer_id"] = str(offer[0]["id"])
        day.write_bodies(str(zone), str(meal_point), order, str(worker))
        return day

    def write_bodies(self, zone: str, meal_point: str, order: dict[str, Any], worker: str) -> None:
        span = {
            "from_at": at(12).isoformat(),
            "to_at": at(13).isoformat(),
            "soft": True,
            "latest_at": at(15).isoformat(),
        }
        report = {"device_at": at(9).isoformat(), "x": 120.6, "y": 31.3, "accuracy_m": 12.0, "tasks": ["洗头"]}
        home = {"zone_id": zone, "longitude": 120.6, "latitude": 31.3, "address": "某路 1 号",
                "district_code": "320508", "street_code": "320508001", "community_code": "320508001001"}  # fmt: skip
        self.bodies = {
            "QuoteRequest": {
                "resident_id": self.ids["resident_id"], "item_code": "meal-lunch", "wish": span, "days": 1,
                "pickup": {"facility_id": meal_point, "ready_at": at(12).isoformat(), "pickup_s": 60, "max_ride_s": 1500},
                "after": {"order_id": order["id"], "min_gap_s": 60, "max_gap_s": 7200, "gap_from": "end"}, "instead_of": None,
            },
            "BestRequest": {
                "resident_id": self.ids["resident_id"], "item_code": "rehab-home", "days": 1, "from_on": None, "wish": span,
                "pickup": None, "instead_of": None,
                "narrow": {"from_minute": 540, "to_minute": 720, "weekdays": [1], "to_on": None, "gender": "female", "worker_ids": [worker]},
            },
            "BookingRequest": {"slot": self.slot, "channel": "app", "note": "按门铃", "hold_only": True, "asked_by": None},
            "Away": {"from_at": at(8, days=20).isoformat(), "to_at": at(18, days=20).isoformat()},
            "NewAbsence": {"from_at": at(8, days=21).isoformat(), "to_at": at(18, days=21).isoformat(), "reason": "holiday"},
            "NewRoster": {"days": [{"worker_id": worker, "on": (DAY + timedelta(days=30)).isoformat(), "was": [], "spans": [
                {"from_at": at(9, days=30).isoformat(), "to_at": at(18, days=30).isoformat()}]}]},
            "CopyWeek": {"from_on": DAY.isoformat(), "to_on": (DAY + timedelta(days=42)).isoformat()},
            "Swap": {"worker_ids": [worker], "reason": "请假", "version": None},
            "Rescheduling": {"slot": self.slot, "reason": "那天不在家"},
            "CodeSearch": {"code": order["code"]},
            "Reason": {"reason": "不方便"},
            "Argued": {"reason": "不方便"},
            "Cancellation": {"reason": "不方便"},
            "ManualAssignment": {"worker_ids": [worker], "start_at": at(14).isoformat(), "reason": "电话约定"},
            "Report": report,
            "Measured": {"answers": [{"check": "pulse", "number": 72.0}, {"check": "skin", "choice": "none"}],
                         "device_at": at(9).isoformat()},
            "HandedWord": {"word": "well", "digits": "0417", "device_at": at(9).isoformat()},
            "Ticked": {"line": "trained", "done": True, "device_at": at(9).isoformat()},
            "Abort": {**report, "reason": "unwell", "remark": "头晕"},
            "Alarm": {**{key: report[key] for key in ("device_at", "x", "y", "accuracy_m")}, "datum": "gcj02",
                      "resident_id": self.ids["resident_id"], "order_id": order["id"], "remark": "头晕"},
            "Closing": {"outcome": "fine", "remark": "误会"},
            "Resumed": {"reason": "出院了"},
            "Done": {"outcome": "问过了"},
            "Resolution": {"outcome": "completed", "reason": "电话核实"},
            "Sheet": {
                "crew": [{"worker_id": worker, "came_at": at(9).isoformat(), "left_at": at(10).isoformat()}],
                "reason": "手机没电",
            },
            "Said": {"side": "resident", "statement": "来过了"},
            "NewResident": {
                "name": "李奶奶", "phone": "13912345678", "gender": "female", "born_on": "1941-05-06", "ability_level": 1,
                "diet": ["软食"], "contacts": [{"name": "李敏", "phone": "13912345679", "relation": "女儿", "emergency": True}],
                "home": home,
            },
            "Search": {"phone": "13912345678"},
            "NewHome": home,
            "Numbers": {"phone": "13912345678", "others": ["0512-65550001-801"]},
            "Contacts": {"contacts": [{"name": "王敏", "phone": "13912345673", "relation": "女儿", "emergency": True}]},
            "NewNumber": {"phone": "13912345672", "evidence": "电话"},
            "ConsentGiven": {"phone": "13912345670", "name": "王敏", "purpose": "status", "evidence": "电话", "text_version": "1"},
            "ConsentAsked": {"phone": "13912345670", "name": "王奶奶", "purposes": ["status", "book"], "by_desk": True, "resident_id": None},
            "ConsentAnswers": {"answers": [{"purpose": "status", "agreed": True}], "evidence": "电话"},
            "CodeWanted": {"phone": "13912345671"},
            "CodeProof": {"challenge_id": str(uuid4()), "code": "123456", "who": str(uuid4())},
            "CallBack": {"words": "问问洗澡", "due_at": at(18).isoformat()},
            "CardProof": {"card": "12345678901"},
            "CardWanted": {"consent_id": None},
            "PasswordProof": {"login": "nobody", "password": "an invented word", "totp": "123456"},
        }  # fmt: skip

    async def sign_in(self, role: str) -> None:
        self.tokens[role] = proofs.new_token()
        await self.city.sql(
            "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')",
            proofs.token_hash(self.tokens[role]), self.accounts[role],
        )  # fmt: skip

    async def say(self, role: str, method: str, path: str, body: Any = None) -> Answered:
        return await ask(self.address, self.request(role, method, path, body))

    def request(self, role: str, method: str, path: str, body: Any = None) -> Wanted:
        headers = [("Host", f"{self.address[0]}:{self.address[1]}")]
        if self.tokens[role]:
            headers.append(("Authorization", f"Bearer {self.tokens[role]}"))
        if method != "GET":
            headers += [("Idempotency-Key", str(uuid4())), ("Content-Type", "application/json")]
        return Wanted(method, path, headers, json.dumps(body or {}).encode() if method != "GET" else b"")

    async def book(self, resident_id: str) -> dict[str, Any]:
        wish = {"from_at": at(10).isoformat(), "to_at": at(17).isoformat()}
        quote = await self.say(
            "operator", "POST", "/v1/quotes", {"resident_id": resident_id, "item_code": REHAB, "wish": wish}
        )
        slots = json.loads(quote.body)["slots"]
        self.slot = slots[0]["token"]
        booked = await self.say("operator", "POST", "/v1/bookings", {"slot": self.slot, "channel": "phone"})
        assert booked.status == 201, booked.body
        return json.loads(booked.body)

    async def until_accepted(self, order_id: str) -> None:
        async with asyncio.timeout(60):
            while True:
                seen = await self.say("operator", "GET", f"/v1/orders/{order_id}")
                if json.loads(seen.body)["status"] == "accepted":
                    return
                await asyncio.sleep(0.1)

    def valid(self, role: str) -> list[Wanted]:
        """One valid request for every operation of the interface, and for what is beside it."""
        found: list[Wanted] = []
        for template, operations in INTERFACE.items():
            for method, operation in operations.items():
                path = address_of(template, self.ids)
                content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                assert not name or name in self.bodies, f"{template} takes a {name}: give it a valid request here"
                request = self.request(role, method.upper(), path, self.bodies.get(name))
                of_a_day = {"/v1/workers/me/route", "/v1/providers/me/day", "/v1/providers/me/roster"}
                if method == "get" and path in of_a_day:
                    request.query = f"on={DAY.isoformat()}"
                found.append(request)
        found += [
            self.request(role, "GET", path)
            for path in ("/", "/board", "/board/live", "/static/board.css", "/v1/openapi.json", "/health/ready")
        ]
        return found


def _fault(request: Wanted, answer: Answered) -> str | None:
    """What is wrong with an answer, whatever was asked."""
    if answer.status >= 500:
        return "a failure of ours"
    if answer.status == 0:
        return None if not request.http else "no answer"
    if answer.status < 400 or request.method == "HEAD":
        return None
    if answer.headers.get("content-type") != "application/problem+json":
        return None if not request.http else "a refusal in another shape"
    return None if json.loads(answer.body)["status"] == answer.status else "a problem that contradicts its status"


@pytest.mark.parametrize("role", ROLES)
async def test_nothing_made_of_a_valid_request_breaks_the_city(day: Day, role: str):
    announce(f"mutated requests of the {role}")
    rng = random.Random(f"{SEED} {role}")
    valid = day.valid(role)
    ids = [*day.ids.values(), *(str(row["id"]) for row in await day.city.sql("SELECT id FROM orders LIMIT 20"))]
    requests = [mutated(rng.choice(valid), ids, rng) for _ in range(effort(500, 10_000))]
    faults: list[str] = []
    counts: dict[int, int] = {}
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(request: Wanted) -> None:
        if request.method == "DELETE" and any(request.path.startswith(path) for path in _ENDS_SESSIONS):
            request.headers = [header for header in request.headers if header[0] != "Authorization"]
        async with turns:
            answer = await ask(day.address, request)
        counts[answer.status] = counts.get(answer.status, 0) + 1
        if fault := _fault(request, answer):
            faults.append(f"{fault}: {answer.status} {answer.body[:200]!r} to {request.written()[:600]!r}")

    await asyncio.gather(*(one(request) for request in requests))
    assert faults == [], f"{len(faults)} of {len(requests)}; " + "\n".join(faults[:5])
    assert counts.get(400, 0) > len(requests) // 20, counts  # most are refused for what they hold, not for who asks


async def test_afterwards_an_order_is_dispatched_and_none_is_unreadable(day: Day):
    fresh = (
        await day.city.sql(
            "SELECT id FROM residents r WHERE NOT EXISTS (SELECT FROM orders o WHERE o.resident_id = r.id) LIMIT 1"
        )
    )[0]["id"]
    await day.sign_in("operator")
    order = await day.book(str(fresh))
    await day.until_accepted(order["id"])
    spoilt = await day.city.sql(
        "SELECT id, reason, flags FROM orders WHERE reason = 'unreadable' OR 'UNREADABLE' = ANY (flags)"
    )
    assert spoilt == []
    cursor = ""
    while True:
        page = await day.say("operator", "GET", f"/v1/orders?limit=100{cursor}")
        found = json.loads(page.body)
        if found["cursor"] is None:
            break
        cursor = f"&cursor={found['cursor']}"
    assert {
        row["status"] for row in await day.city.sql("SELECT status FROM orders WHERE id = $1", UUID(order["id"]))
    } == {"accepted"}
    assert await day.city.sql("SELECT kind FROM timers WHERE tries >= 5") == []
