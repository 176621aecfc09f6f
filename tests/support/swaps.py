"""An order whose crew is exchanged: offered or accepted, in a zone in which its provider has others who could come."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tests.support.city import DAY, Caller, City, at

REHAB, BATH = "rehab-home", "bath-home"
_SKILLS: Final = {REHAB: "rehab", BATH: "bath"}


async def team(city: City, zone_id: UUID, item: str, size: int = 5) -> list[UUID]:
    """Workers of one provider, alike and at work in the zone all day, the only ones with the skill; one more lacks it."""
    workers = [row["id"] for row in await city.sql(
        """SELECT DISTINCT w.id FROM workers w JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 AND w.active AND w.provider_id =
               (SELECT w.provider_id FROM workers w JOIN shifts s ON s.worker_id = w.id WHERE s.zone_id = $1 AND w.active
                GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) ORDER BY w.id LIMIT $2""",
        zone_id, size + 1,
    )]  # fmt: skip
    await city.sql("DELETE FROM worker_skills WHERE skill = $1", _SKILLS[item])
    await city.sql(
        "INSERT INTO worker_skills (worker_id, skill) SELECT unnest($1::uuid[]), $2", workers[:size], _SKILLS[item]
    )
    await city.sql("DELETE FROM worker_skills WHERE worker_id = $1", workers[-1])
    await city.sql("DELETE FROM shifts WHERE worker_id = ANY ($1)", workers)
    await city.sql(
        """INSERT INTO shifts (worker_id, zone_id, plan_on, during) SELECT w, $2, $3, tstzrange($4, $5) FROM unnest($1::uuid[]) w""",
        workers, zone_id, DAY, at(8), at(18),
    )  # fmt: skip
    return workers


async def offered(
    city: City, state: str = "offered", item: str = REHAB, span: tuple[datetime, datetime] = (at(10), at(11))
) -> tuple[dict[str, Any], Caller]:
    """An order offered to a provider that has others, or accepted by it; and the provider's desk."""
    await city.manual_acceptance()
    someone, operator = await city.resident(ability=3 if item == BATH else 0), await city.staff("operator")
    workers = await team(city, someone["zone_id"], item)
    await city.sql("UPDATE workers SET gender = $2 WHERE id = ANY ($1)", workers, someone["gender"])
    order = await city.booked(operator, someone["id"], item, *span, channel="phone")
    await city.dispatch()
    row = await city.order(order["id"])
    assert row["status"] == "offered"
    provider = await city.staff("provider", row["provider_id"])
    if state == "accepted":
        offer = await city.one("SELECT id FROM offers WHERE order_id = $1 AND status = 'open'", row["id"])
        assert (await provider.post(f"/v1/offers/{offer}/accept")).status_code == 200
    return order, provider


async def others_of(city: City, order: dict[str, Any]) -> list[UUID]:
    """Workers of the order's provider with its skill who do not come to it."""
    return [row["id"] for row in await city.sql(
        """SELECT w.id FROM workers w JOIN worker_skills k ON k.worker_id = w.id AND k.skill = $2
           JOIN orders o ON o.id = $1 AND o.provider_id = w.provider_id
           WHERE NOT EXISTS (SELECT FROM stops s WHERE s.order_id = o.id AND s.worker_id = w.id) ORDER BY w.id""",
        UUID(order["id"]), _SKILLS[order["item_code"]],
    )]  # fmt: skip


async def swap(who: Caller, order: dict[str, Any], workers: list[Any], key: str | None = None, **more: Any) -> Any:
    body = {"worker_ids": [str(worker) for worker in workers], "reason": "请假", **more}
    return await who.post(f"/v1/orders/{order['id']}/swap", body, key)
