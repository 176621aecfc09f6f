"""The desk's reviews over HTTP: what is doubted or disputed, what each side says of it, and the decision."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct, field

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.bounds import Asked, Reasoned
from backend.core.principal import Principal, Role
from backend.database.pool import Connection
from backend.orders import reviewing, sheets
from backend.orders.model import OrderStatus
from backend.orders.reviewing import Code, Outcome
from backend.orders.views import OrderView, shown
from backend.visits.model import Attendance, Record, Side, Statement

Call = Request[Principal, Any, State]


class ReviewView(Struct, frozen=True):
    """One task at the desk: the order with its flags, everything reported on it, and what each side said."""

    order: OrderView
    records: list[Record]
    statements: list[Statement]


class ReviewPage(Struct, frozen=True):
    """Tasks, the oldest first; `cursor` asks for the next page and is empty on the last."""

    reviews: list[ReviewView]
    cursor: UUID | None


class Said(Asked, frozen=True):
    """What one side says about a visit; an operator adds whose words they write down."""

    words: Reasoned
    side: Side | None = None


class HeardSide(Asked, frozen=True):
    """What one side told the operator who decides."""

    side: Side
    words: Reasoned


class Resolution(Asked, frozen=True):
    """How a doubted or disputed visit is decided, the code it is counted under, and the reason in words."""

    outcome: Outcome
    code: Code
    reason: Reasoned
    heard: Annotated[list[HeardSide], Meta(max_length=8)] = field(default_factory=list)


class Sheet(Asked, frozen=True):
    """A visit as its crew wrote it on paper: everybody of the crew once, and why no phone reported it."""

    crew: Annotated[list[Attendance], Meta(min_length=1, max_length=4)]
    reason: Reasoned


@get("/v1/reviews", guards=[requires(Role.OPERATOR)])
async def list_reviews(
    request: Call,
    status: FromQuery[Literal["exception", "disputed"] | None] = None,
    cursor: FromQuery[UUID | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 50,
) -> ReviewPage:
    """What waits for an operator's decision."""
    wanted = OrderStatus(status) if status else None
    async with request.app.state.database.unit_of_work(request.user) as connection:
        found = await reviewing.reviews(connection, wanted, cursor, limit)
    views = [ReviewView(shown(r.order, request.user), r.records, r.statements) for r in found]
    return ReviewPage(views, found[-1].order.id if len(found) == limit else None)


@post(
    "/v1/orders/{order_id:uuid}/statements",
    guards=[requires(Role.RESIDENT, Role.FAMILY, Role.PROVIDER, Role.WORKER, Role.OPERATOR)],
    status_code=201,
)
async def explain(request: Call, order_id: FromPath[UUID], data: JSONBody[Said]) -> Response[Statement]:
    """Say something about a visit that waits for a decision."""

    async def action(connection: Connection) -> Statement:
        return await reviewing.explain(connection, request.user, order_id, data.words, data.side)

    return await write_once(request, 201, action)


@post("/v1/orders/{order_id:uuid}/resolve", guards=[requires(Role.OPERATOR)], status_code=200)
async def resolve(request: Call, order_id: FromPath[UUID], data: JSONBody[Resolution]) -> Response[OrderView]:
    """An operator who entered none of its evidence decides about a visit."""
    heard = [reviewing.Heard(said.side, said.words) for said in data.heard]

    async def action(connection: Connection) -> OrderView:
        order = await reviewing.resolve(connection, request.user, order_id, data.outcome, data.code, data.reason, heard)
        return shown(order, request.user)

    return await write_once(request, 200, action)


@post("/v1/orders/{order_id:uuid}/sheet", guards=[requires(Role.OPERATOR)], status_code=200)
async def key_sheet(request: Call, order_id: FromPath[UUID], data: JSONBody[Sheet]) -> Response[OrderView]:
    """An operator keys in the sheet of a visit that no phone reported; it is flagged, and somebody else decides."""
    zone_info = request.app.state.planner.zone_info

    async def action(connection: Connection) -> OrderView:
        order = await sheets.key_in(connection, request.user, order_id, data.crew, data.reason, zone_info)
        return shown(order, request.user)

    return await write_once(request, 200, action)


route_handlers = [list_reviews, explain, resolve, key_sheet]
