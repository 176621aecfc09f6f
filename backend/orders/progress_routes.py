"""How visits go, over HTTP: one visit as its resident and family follow it, and the lists of what is to come and is over."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import Struct

from backend.accounts.guards import requires
from backend.core.bounds import Instant
from backend.core.principal import Principal, Role
from backend.orders import progress, reading_back
from backend.orders.progress import VisitLine, VisitView
from backend.orders.reading_back import ReadBack

Asked = Request[Principal, Any, State]
_FOLLOW = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR, Role.SUPERVISOR)


class VisitPage(Struct, frozen=True):
    """A resident's visits; `cursor` asks for the next page of those that are over and is empty on the last."""

    visits: list[VisitLine]
    cursor: UUID | None


@get("/v1/orders/{order_id:uuid}/visit", guards=[_FOLLOW])
async def read_visit(request: Asked, order_id: FromPath[UUID], shown_at: FromQuery[Instant | None] = None) -> VisitView:
    """How one visit goes: who comes, when they are expected, and what has happened so far.

    `shown_at` is the expected arrival that is on the reader's screen; it stays the answer until it has moved enough to tell.
    """
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await progress.visit(connection, request.user, order_id, shown_at)


@get("/v1/orders/{order_id:uuid}/read-back", guards=[requires(Role.OPERATOR)])
async def read_back(request: Asked, order_id: FromPath[UUID]) -> ReadBack:
    """What is read to a caller before a booking counts, and what may be promised of it by now."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await reading_back.read_back(connection, request.user, order_id)


@get("/v1/residents/{resident_id:uuid}/visits", guards=[_FOLLOW])
async def list_visits(
    request: Asked,
    resident_id: FromPath[UUID],
    when: FromQuery[Literal["next", "past"]] = "next",
    cursor: FromQuery[UUID | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 20,
) -> VisitPage:
    """A resident's visits: those to come or to be confirmed, the next one first; or those that are over, the last one first."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        if when == "next":
            return VisitPage(await progress.next_visits(connection, request.user, resident_id), None)
        lines = await progress.past_visits(connection, request.user, resident_id, cursor, limit)
    return VisitPage(lines, lines[-1].order.id if len(lines) == limit else None)


route_handlers = [read_visit, read_back, list_visits]
