"""Looking for other workers for an order, for the interface and the pages alike: who thinks, how long, and with what held."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar
from uuid import UUID

from litestar import Request
from litestar.datastructures import State

from backend.core.principal import Principal
from backend.database.pool import Lane
from backend.orders import explaining
from backend.orders.explaining import Explanation

Asked = Request[Principal, Any, State]
T = TypeVar("T")
_THINKING_S: Final = 2.0  # a zone of thirty takes under one, one of a hundred is told what was found by then


async def explain(request: Asked, order_id: UUID) -> Explanation:
    """Explain an order: read, give the connection back, and think on a thread for two seconds at most."""
    state = request.app.state
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        considered = await explaining.consider(connection, request.user, state.planner, order_id)
    day = considered.read.built()
    return await thought(request, lambda go_on: explaining.explained(considered, day, go_on))


async def thought(request: Asked, think: Callable[[Callable[[], bool]], T]) -> T:
    """What thinking for so long comes to, on a thread: everybody else is answered meanwhile, and one thinks at a time."""
    async with request.app.state.one_at_a_time.turn("other workers"):
        until = time.monotonic() + _THINKING_S
        return await asyncio.to_thread(think, lambda: time.monotonic() < until)
