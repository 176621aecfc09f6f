"""Two households in two zones, served by two providers, whose every name, number and id can be told apart in an answer."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.support.access import Thing
from tests.support.city import Caller, City, at
from tests.support.people import consent, person

MEAL, REHAB = "meal-lunch", "rehab-home"
_WAITING = """
    WITH made AS (INSERT INTO consent_requests (account_id, person, phone, sought, named_id, resident_id, purposes, by_desk, expires_at)
                  SELECT $2, '某女儿', n.phone, '某人', $1, $1, '{location,reports}', true, yinling_now() + interval '7 days'
                  FROM account_numbers n WHERE n.account_id = $2
                      AND NOT EXISTS (SELECT FROM consent_requests WHERE resident_id = $1 AND account_id = $2 AND status = 'asked')
                  LIMIT 1 RETURNING id)
    SELECT id FROM made UNION ALL SELECT id FROM consent_requests WHERE resident_id = $1 AND account_id = $2 AND status = 'asked'
"""
"""What somebody who may book waits for of a resident; asked for anew where nothing is."""


class House:
    """A resident, who may book or follow for them, and the provider that serves their zone."""

    def __init__(self, city: City, zone: str) -> None:
        self.city, self.zone = city, zone
        self.accounts: dict[str, UUID] = {}  # by the name the house itself has for them
        self.orders: list[str] = []
        self.slot = ""

    @classmethod
    async def open(cls, city: City, zone: str, providers: list[UUID], number: int) -> "House":
        """The house, with marks put on all that is its own; only its provider's workers have shifts in its zone."""
        house, sql = cls(city, zone), city.sql
        someone = await city.resident(ability=0, zone=zone)
        house.resident_id, house.zone_id = someone["id"], someone["zone_id"]
        house.provider_id = providers[number]
        follower = await person(city.database, "family")
        await consent(city.database, house.resident_id, follower.account_id, "status")
        for purpose in ("location", "reports"):  # to be withdrawn
            await consent(city.database, house.resident_id, follower.account_id, purpose)
        await sql(
            """DELETE FROM shifts s USING workers w
               WHERE w.id = s.worker_id AND s.zone_id = $1 AND w.provider_id <> $2""",
            house.zone_id, house.provider_id,
        )  # fmt: skip
        for table, own in (("accounts", "account_id"), ("residents", "id")):
            await sql(
                f"UPDATE {table} SET name = $2 WHERE id = (SELECT {own} FROM residents WHERE id = $1)",
                house.resident_id, f"独名老人{zone}",
            )  # fmt: skip
        await sql("UPDATE homes SET address = $2 WHERE resident_id = $1", house.resident_id, f"独址{zone}一号")
        await sql("UPDATE workers SET name = '独名护工' || code WHERE provider_id = $1", house.provider_id)
        house.worker_id = await city.one(
            """SELECT w.id FROM workers w JOIN shifts s ON s.worker_id = w.id JOIN worker_skills k ON k.worker_id = w.id
               WHERE s.zone_id = $1 AND k.skill = 'rehab' AND w.active ORDER BY w.code LIMIT 1""",
            house.zone_id,
        )
        staff = "INSERT INTO accounts (role, name, login, password_hash, provider_id) VALUES ('provider', '某人', $1, 'none', $2) RETURNING id"
        house.accounts = {
            "resident": someone["account_id"],
            "booker": await city.daughter(house.resident_id),
            "follower": follower.account_id,
            "provider": await city.one(staff, f"desk-{zone}", house.provider_id),
        }
        return house

    async def marks(self) -> set[str]:
        """Every value that tells of this house: whoever it is hidden from never reads one."""
        rows = await self.city.sql(
            """SELECT unnest(ARRAY[r.id::text, r.name, r.phone, right(r.phone, 11), r.account_id::text, h.address]) AS mark
               FROM residents r JOIN homes h ON h.resident_id = r.id WHERE r.id = $1
               UNION SELECT unnest(ARRAY[id::text, code, booking_id::text]) FROM orders WHERE resident_id = $1
               UNION SELECT unnest(ARRAY[f.id::text]) FROM offers f JOIN orders o ON o.id = f.order_id WHERE o.resident_id = $1
               UNION SELECT unnest(ARRAY[w.id::text, w.name, n.phone])
                     FROM assignments s JOIN orders o ON o.id = s.order_id JOIN workers w ON w.id = s.worker_id
                     JOIN account_numbers n ON n.account_id = w.account_id WHERE o.resident_id = $1
               UNION SELECT unnest(ARRAY[c.id::text, c.account_id::text, n.phone]) FROM consents c
                     LEFT JOIN account_numbers n ON n.account_id = c.account_id WHERE c.resident_id = $1
               UNION SELECT l.id::text FROM leaves l JOIN workers w ON w.id = l.worker_id WHERE w.provider_id = $3
               UNION SELECT q.id::text FROM consent_requests q WHERE q.resident_id = $1
               UNION SELECT e.id::text FROM emergencies e WHERE e.raised_by = ANY ($2)
               UNION SELECT s.id::text FROM sessions s WHERE s.account_id = ANY ($2)
               UNION SELECT v.id::text FROM visit_statements v JOIN orders o ON o.id = v.order_id WHERE o.resident_id = $1""",
            self.resident_id, list(self.accounts.values()), self.provider_id,
        )  # fmt: skip
        return {row["mark"] for row in rows if row["mark"]}

    async def worker_of(self, order_id: str) -> UUID:
        """Whose account reports on an order; before there is a crew, somebody of the zone's."""
        crew = await self.city.crew(order_id) if order_id else []
        worker_id = crew[0]["worker_id"] if crew else self.worker_id
        return await self.city.one("SELECT account_id FROM workers WHERE id = $1", worker_id)

    async def thing(self, order_id: str = "") -> Thing:
        """What can be named in a request about this house, and one of its orders."""
        row = await self.city.order(order_id) if order_id else {"code": "0"}
        offer = await self.city.sql(
            "SELECT id FROM offers WHERE order_id = $1 ORDER BY id DESC", UUID(order_id or str(self.resident_id))
        )
        own = await self.city.sql(
            """SELECT r.phone, c.id, c.phone AS consent_phone, (SELECT id FROM sessions WHERE account_id = r.account_id ORDER BY id DESC LIMIT 1) AS session
               FROM residents r JOIN consents c ON c.resident_id = r.id WHERE r.id = $1
               ORDER BY c.valid_to IS NULL DESC, c.purpose IN ('location', 'reports') DESC, c.id LIMIT 1""",
            self.resident_id,
        )
        crew = await self.city.crew(order_id) if order_id else []
        tasks = await self.city.sql(
            "SELECT id FROM desk_tasks WHERE order_id = $1 OR resident_id = $2 ORDER BY closed_at IS NULL DESC, id DESC LIMIT 1",
            UUID(order_id) if order_id else None,
            self.resident_id,
        )
        alarms = await self.city.sql(
            "SELECT id FROM emergencies WHERE raised_by = $1 ORDER BY closed_at IS NULL DESC, id DESC LIMIT 1",
            self.accounts["resident"],
        )
        absence_id = await self.city.one(
            """SELECT coalesce((SELECT l.id FROM leaves l JOIN workers w ON w.id = l.worker_id WHERE w.provider_id = $1
                                ORDER BY l.id DESC LIMIT 1), $1)""",
            self.provider_id,
        )
        request = await self.city.sql(_WAITING, self.resident_id, self.accounts["booker"])
        return Thing(
            absence_id=str(absence_id),
            request_id=str(request[0]["id"]),
            emergency_id=str(alarms[0]["id"]) if alarms else str(self.resident_id),
            order_id=order_id, offer_id=str(offer[0]["id"]) if offer else "", resident_id=str(self.resident_id),
            consent_id=str(own[0]["id"]), consent_phone=own[0]["consent_phone"] or "", session_id=str(own[0]["session"]), slot=self.slot, code=row["code"],
            phone=own[0]["phone"], task_id=str(tasks[0]["id"]) if tasks else str(self.resident_id), zone_id=str(self.zone_id),
            worker_id=str(crew[0]["worker_id"] if crew else self.worker_id),
        )  # fmt: skip

    async def quoted(self, who: Caller, item: str, begin: datetime, end: datetime) -> str:
        """The first slot in a span."""
        wish: dict[str, Any] = {"from_at": begin.isoformat(), "to_at": end.isoformat()}
        body: dict[str, Any] = {"resident_id": str(self.resident_id), "item_code": item, "wish": wish, "days": 1}
        if item == MEAL:
            wish |= {"soft": True, "latest_at": end.isoformat()}
            point = await self.city.meal_point(self.zone_id)
            body["pickup"] = {"facility_id": str(point), "ready_at": begin.isoformat()}
        answer = await who.post("/v1/quotes", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["slots"][0]["token"]

    async def book(self, who: Caller, item: str, begin: datetime, end: datetime, *, hold: bool = False) -> str:
        """Book the first slot in a span; returns the order."""
        body = {"slot": await self.quoted(who, item, begin, end), "channel": "phone", "hold_only": hold}
        answer = await who.post("/v1/bookings", body)
        assert answer.status_code == 201, answer.text
        self.orders.append(answer.json()["id"])
        return self.orders[-1]

    async def accept(self, order_id: str) -> None:
        """Its provider takes the order."""
        provider = await self.city.signed_in(self.accounts["provider"])
        answer = await provider.post(f"/v1/offers/{(await self.thing(order_id)).offer_id}/accept")
        assert answer.status_code == 200, answer.text

    async def report(self, order_id: str, *steps: str) -> None:
        """Its worker goes so far."""
        worker = await self.city.signed_in(await self.worker_of(order_id))
        for step in steps:
            answer = await worker.post(f"/v1/orders/{order_id}/{step}", {**await self.city.door(order_id)})
            assert answer.status_code == 200, answer.text


async def two_houses(city: City) -> tuple[House, House]:
    """In the first two zones, each served by one provider alone; nobody accepts by rule."""
    await city.manual_acceptance()
    providers = [row["id"] for row in await city.sql("SELECT id FROM providers WHERE active ORDER BY name LIMIT 2")]
    return await House.open(city, "Z1", providers, 0), await House.open(city, "Z2", providers, 1)


def told(text: str, marks: Iterable[str]) -> list[str]:
    """Which of these values an answer holds."""
    return [mark for mark in marks if mark in text]


LATE_MORNING, NOON = (at(10), at(12)), (at(12), at(13))
