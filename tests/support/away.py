"""Workers who cannot come: how an absence is asked about, recorded and ended."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tests.support.city import Caller, City, at


def hours(*span: datetime) -> dict[str, str]:
    begins, ends = span or (at(7), at(20))
    return {"from_at": begins.isoformat(), "to_at": ends.isoformat()}


async def preview(who: Caller, worker: Any, *span: datetime) -> dict[str, Any]:
    answer = await who.post(f"/v1/workers/{worker}/absences/preview", hours(*span))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def record(who: Caller, worker: Any, *span: datetime, reason: str = "sick", key: str | None = None) -> Any:
    return await who.post(f"/v1/workers/{worker}/absences", {**hours(*span), "reason": reason}, key)


def outcomes(answer: dict[str, Any]) -> dict[str, str]:
    """Where each visit goes, by its order."""
    return {visit["order_id"]: visit["outcome"] for visit in answer["visits"]}


async def worker_of(city: City, order: dict[str, Any]) -> UUID:
    return (await city.crew(order["id"]))[0]["worker_id"]
