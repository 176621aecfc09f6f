"""Looking for other workers for an order, for the interface and the pages alike: who thinks, how long, and with what held."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from litestar import Request, Response
from litestar.datastructures import State
from msgspec import Meta

from backend.accounts.requests import decide_once
from backend.core import bounds
from backend.core.principal import Principal
from backend.database.pool import Connection, Lane
from backend.orders import desk, explaining, swapping
from backend.orders.explaining import Explanation
from backend.orders.swapping import Options
from backend.orders.views import OrderView, shown

Asked = Request[Principal, Any, State]
T = TypeVar("T")
_THINKING_S: Final = 2.0  # a zone of thirty takes under one, one of a hundred is told what was found by then


class Swap(bounds.Asked, frozen=True):
    """The whole crew that shall come, and the order's version as whoever asks has seen it."""

    worker_ids: Annotated[list[UUID], Meta(min_length=1, max_length=4)]
    reason: bounds.Remark = ""
    version: Annotated[int, Meta(ge=1, le=10**9)] | None = None


class ManualAssignment(bounds.Asked, frozen=True):
    """An operator's own choice of crew, by seat, and the start; the override needs a reason."""

    worker_ids: Annotated[list[UUID], Meta(min_length=1, max_length=4)]
    start_at: bounds.Instant
    reason: bounds.Reasoned


async def explain(request: Asked, order_id: UUID) -> Explanation:
    """Explain an order: read, give the connection back, and think on a thread for two seconds at most."""
    state = request.app.state
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        considered = await explaining.consider(connection, request.user, state.planner, order_id)
    day = considered.read.built()
    return await _thought(request, lambda go_on: explaining.explained(considered, day, go_on))


async def options(request: Asked, order_id: UUID) -> Options:
    """Say who could come in place of whom, in the same way."""
    state = request.app.state
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        known = await swapping.consider_all(connection, request.user, state.planner, order_id)
    day = known.considered.read.built()
    return await _thought(request, lambda go_on: swapping.options(known, day, go_on))


async def _thought(request: Asked, think: Callable[[Callable[[], bool]], T]) -> T:
    """What thinking for so long comes to, on a thread: everybody else is answered meanwhile, and one thinks at a time."""
    async with request.app.state.one_at_a_time.turn("other workers"):
        until = time.monotonic() + _THINKING_S
        return await asyncio.to_thread(think, lambda: time.monotonic() < until)


async def swap(request: Asked, order_id: UUID, wanted: Swap, *, key: str | None = None) -> Response[OrderView]:
    """Have other workers come; the order stays as whoever asks saw it, else they are told that it has changed."""
    planner, version = request.app.state.planner, wanted.version

    async def consider(connection: Connection) -> swapping.Considered:
        nonlocal version
        considered = await swapping.consider(connection, request.user, planner, order_id, version)
        version = considered.order.version  # the day may be read again, the order is the one that was asked about
        return considered

    def choose(considered: swapping.Considered) -> swapping.Chosen:
        return swapping.choose(considered, wanted.worker_ids)

    async def write(connection: Connection, chosen: swapping.Chosen) -> OrderView:
        return shown(await swapping.exchange(connection, request.user, chosen, wanted.reason), request.user)

    return await decide_once(request, 200, consider, choose, write, key=key)


async def assign(
    request: Asked, order_id: UUID, wanted: ManualAssignment, *, key: str | None = None
) -> Response[OrderView]:
    """Give an order of the desk's queue the crew an operator chose. Raises no_shift (422) with the rule that refuses them."""
    planner = request.app.state.planner

    async def consider(connection: Connection) -> desk.Considered:
        return await desk.consider(connection, planner, order_id)

    def choose(considered: desk.Considered) -> desk.Chosen:
        return desk.choose(considered, wanted.worker_ids, wanted.start_at)

    async def write(connection: Connection, chosen: desk.Chosen) -> OrderView:
        order = await desk.assign(connection, request.user, planner, chosen, wanted.start_at, wanted.reason)
        return shown(order, request.user)

    return await decide_once(request, 200, consider, choose, write, key=key)
