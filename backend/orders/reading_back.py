"""What an operator reads to a caller before a booking counts, and what they may promise of it: no more than is true by now."""

from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import progress_queries, queries
from backend.orders.model import OrderStatus
from backend.orders.progress import VisitView, visit

_UNSETTLED: Final = frozenset({OrderStatus.HELD, OrderStatus.PLACED, OrderStatus.OFFERED, OrderStatus.MANUAL})


class Truth(StrEnum):
    """What may be said to the caller of who comes."""

    SETTLED = "settled"  # a provider has accepted: time and people are settled
    AT_ONCE = "at_once"  # the provider the plan has in mind accepts by itself as soon as the order is placed
    ASKED = "asked"  # a provider is or will be asked: the time is settled, who comes is told later
    NOBODY = "nobody"  # no crew is known: the time is promised, a person looks for one and rings back


class ReadBack(Struct, frozen=True):
    """One order as it is read to a caller; `provider` is whoever has accepted, or is or will be asked first."""

    visit: VisitView
    truth: Truth
    provider: str | None
    answers_within_s: int | None


async def read_back(connection: Connection, principal: Principal, order_id: UUID) -> ReadBack:
    """Read an order for the desk. Raises unknown_order (404)."""
    seen = await visit(connection, principal, order_id)
    if seen.order.status not in _UNSETTLED:
        return ReadBack(seen, Truth.SETTLED if seen.crew else Truth.NOBODY, seen.provider, None)
    async with as_the_platform(connection):
        order = await queries.order(connection, order_id)
        asked = await progress_queries.provider_planned(connection, order.id)
    if asked is None or order.status is OrderStatus.MANUAL:
        return ReadBack(seen, Truth.NOBODY, None, None)
    truth = Truth.AT_ONCE if asked.auto_accept else Truth.ASKED
    return ReadBack(seen, truth, asked.name, None if asked.auto_accept else asked.offer_expiry_s)
