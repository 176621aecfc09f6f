"""Orders that get other times: how they are asked for and moved, and what stands of them in the tables."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tests.support.city import Caller, City, at

REHAB: Final = "rehab-home"
_KEPT: Final = (
    "bookings", "orders", "order_seats", "order_links", "assignments", "offers", "offer_seats", "stops", "timers", "events", "audit",
)  # fmt: skip


def wish_of(begins: datetime, ends: datetime, latest: datetime | None = None) -> dict[str, Any]:
    wish: dict[str, Any] = {"from_at": begins.isoformat(), "to_at": ends.isoformat()}
    return wish if latest is None else {**wish, "soft": True, "latest_at": latest.isoformat()}


async def ask(who: Caller, order: dict[str, Any], wish: dict[str, Any], **more: Any) -> Any:
    body = {"resident_id": order["resident_id"], "item_code": order["item_code"], "wish": wish}
    return await who.post("/v1/quotes", {**body, "instead_of": order["id"], **more})


async def other_times(who: Caller, order: dict[str, Any], *span: datetime, **more: Any) -> list[dict[str, Any]]:
    answer = await ask(who, order, wish_of(*span), **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["slots"]


async def move_order(who: Caller, order: dict[str, Any], token: str, key: str | None = None) -> Any:
    return await who.post(f"/v1/orders/{order['id']}/reschedule", {"slot": token, "reason": "那天住院"}, key)


def refusal(answer: Any) -> str | None:
    return answer.json()["code"] if answer.status_code >= 400 else None


async def moved_to(who: Caller, order: dict[str, Any], *span: datetime) -> dict[str, Any]:
    answer = await move_order(who, order, (await other_times(who, order, *span))[0]["token"])
    assert answer.status_code == 200, answer.text
    return answer.json()


async def placed(city: City, who: Caller, number: int = 0, day: int = 0) -> dict[str, Any]:
    someone = await city.resident(number=number)
    return await city.booked(who, someone["id"], REHAB, at(10, days=day), at(10, days=day), channel="phone")


async def accepted(city: City, who: Caller) -> dict[str, Any]:
    await city.sql("UPDATE providers SET auto_accept = true")
    order = await placed(city, who)
    await city.dispatch()
    assert (await city.order(order["id"]))["status"] == "accepted"
    return order


async def rows_of(city: City) -> dict[str, list[dict[str, Any]]]:
    return {name: await city.sql(f"SELECT to_jsonb(t)::text AS row FROM {name} t ORDER BY 1") for name in _KEPT}


async def stops_of(city: City, order: dict[str, Any]) -> list[dict[str, Any]]:
    return await city.sql(
        """SELECT s.worker_id, lower(s.during) AS from_at, upper(s.during) AS to_at, p.plan_on, s.hold_expires_at, z.code AS zone
           FROM stops s JOIN plans p ON p.id = s.plan_id JOIN zones z ON z.id = p.zone_id WHERE order_id = $1""",
        UUID(order["id"]),
    )  # fmt: skip
