"""Orders over HTTP: reading them, and every step of their life."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core import bounds
from backend.core.codes import sought
from backend.core.principal import Principal, Role
from backend.database.pool import Connection
from backend.orders import actions, crewing, moving, offer_queries, offering, queries, reviewing, visiting, worker_day
from backend.orders.model import Offer, Order, OrderStatus, RouteView, Side
from backend.orders.views import GivenBack, OrderView, ReportedOrder, given_back, left, reported, shown
from backend.residents import looks
from backend.residents.model import NewHome, Purpose, ResidentCard
from backend.visits.model import Kind, Report

Asked = Request[Principal, Any, State]
_CLIENTS = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR)
_WORKERS = requires(Role.WORKER)
_PROVIDERS = requires(Role.PROVIDER)
_DESK = requires(Role.OPERATOR)
_ANYBODY = requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR, Role.PROVIDER, Role.SUPERVISOR)


class OrderPage(Struct, frozen=True):
    """Orders, the newest first; `cursor` asks for the next page and is empty on the last."""

    orders: list[OrderView]
    cursor: UUID | None


class Reason(bounds.Asked, frozen=True):
    """Why, in the words of whoever decided; nobody has to say."""

    reason: bounds.Remark = ""


class Argued(bounds.Asked, frozen=True):
    """Why, where somebody else has to answer it: without a reason there is nothing to decide or to tell."""

    reason: bounds.Reasoned


class CodeSearch(bounds.Asked, frozen=True):
    """An order code as it was typed; codes from before check digits are found too."""

    code: bounds.Word


class Cancellation(bounds.Asked, frozen=True):
    """Why an order is called off, and from whose side."""

    reason: bounds.Remark = ""
    side: Side | None = None
    """Whose wish it was, said by an operator (the resident's, unless said); for everybody else their role says it."""


class MovedView(Struct, frozen=True):
    """A resident with the new home, and the open orders that still lead to an old one: somebody decides about each."""

    resident: ResidentCard
    elsewhere: list[OrderView]


async def _write(
    request: Asked, act: Callable[[Connection], Awaitable[Order]], status: int = 200
) -> Response[OrderView]:
    async def action(connection: Connection) -> OrderView:
        return shown(await act(connection), request.user)

    return await write_once(request, status, action)


async def take(request: Asked, order_id: UUID, kind: Kind, report: Report) -> Response[ReportedOrder]:
    """Store what a worker reports, whatever it is, and answer with what became of it."""

    async def action(connection: Connection) -> ReportedOrder:
        zone_info = request.app.state.planner.zone_info
        taken = await visiting.take(connection, request.user, order_id, kind, report, zone_info)
        return reported(
            taken.order, came=taken.came, counts=taken.counts, flags=taken.flags, wait_until=taken.wait_until
        )

    return await write_once(request, 200, action)


@get("/v1/orders", guards=[_ANYBODY])
async def list_orders(
    request: Asked,
    status: FromQuery[OrderStatus | None] = None,
    cursor: FromQuery[UUID | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 50,
) -> OrderPage:
    """The orders the reader may see."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        page = await queries.orders_page(connection, request.user, status, cursor, limit)
        await looks.seen(connection, request.user, [order.resident_id for order in page.rows], Purpose.STATUS)
    ids = [order.id for order in page.rows] + [error.key for error in page.spoilt if error.key]
    return OrderPage([shown(order, request.user) for order in page.rows], min(ids) if len(ids) == limit else None)


@post("/v1/orders/search", guards=[_DESK], status_code=200)
async def search(request: Asked, data: JSONBody[CodeSearch]) -> OrderView:
    """The order whose code somebody reads from a phone or a paper, however they group its digits."""
    code = sought(data.code)
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return shown(await queries.order_by_code(connection, code), request.user)


@get("/v1/orders/{order_id:uuid}", guards=[_ANYBODY])
async def read_order(request: Asked, order_id: FromPath[UUID]) -> OrderView:
    """One order."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        order = await queries.own_order(connection, request.user, order_id)
        await looks.seen(connection, request.user, [order.resident_id], Purpose.STATUS)
        return shown(order, request.user)


@post("/v1/orders/{order_id:uuid}/confirm", guards=[_CLIENTS], status_code=200)
async def confirm(request: Asked, order_id: FromPath[UUID]) -> Response[OrderView]:
    """Place a held order."""
    return await _write(
        request, lambda c: actions.confirm(c, request.user, order_id, request.app.state.planner.zone_info)
    )


@post("/v1/orders/{order_id:uuid}/release", guards=[_CLIENTS], status_code=200)
async def release(request: Asked, order_id: FromPath[UUID]) -> Response[OrderView]:
    """Give a hold back."""
    return await _write(request, lambda c: actions.release(c, request.user, order_id))


@post(
    "/v1/orders/{order_id:uuid}/cancel",
    guards=[requires(Role.RESIDENT, Role.FAMILY, Role.OPERATOR, Role.PROVIDER)],
    status_code=200,
)
async def cancel(
    request: Asked, order_id: FromPath[UUID], data: JSONBody[Cancellation]
) -> Response[OrderView | GivenBack]:
    """Call an order off; a provider declines what it was offered, or steps back from what it accepted."""

    async def action(connection: Connection) -> OrderView | GivenBack:
        if request.user.role is not Role.PROVIDER:
            return shown(await actions.cancel(connection, request.user, order_id, data.reason, data.side), request.user)
        zone_info = request.app.state.planner.zone_info
        order = await offering.step_back(connection, request.user, order_id, data.reason, zone_info)
        return left(order, request.user)

    return await write_once(request, 200, action)


@post("/v1/orders/{order_id:uuid}/en-route", guards=[_WORKERS], status_code=200)
async def en_route(request: Asked, order_id: FromPath[UUID], data: JSONBody[Report]) -> Response[ReportedOrder]:
    """The worker sets out."""
    return await take(request, order_id, Kind.EN_ROUTE, data)


@post("/v1/orders/{order_id:uuid}/check-in", guards=[_WORKERS], status_code=200)
async def check_in(request: Asked, order_id: FromPath[UUID], data: JSONBody[Report]) -> Response[ReportedOrder]:
    """The worker is at the door."""
    return await take(request, order_id, Kind.CHECK_IN, data)


@post("/v1/orders/{order_id:uuid}/check-out", guards=[_WORKERS], status_code=200)
async def check_out(request: Asked, order_id: FromPath[UUID], data: JSONBody[Report]) -> Response[ReportedOrder]:
    """The worker is done."""
    return await take(request, order_id, Kind.CHECK_OUT, data)


@post("/v1/orders/{order_id:uuid}/pick-up", guards=[_WORKERS], status_code=200)
async def pick_up(request: Asked, order_id: FromPath[UUID], data: JSONBody[Report]) -> Response[ReportedOrder]:
    """The meal is in the box."""
    return await take(request, order_id, Kind.PICK_UP, data)


@post("/v1/orders/{order_id:uuid}/hand-over", guards=[_WORKERS], status_code=200)
async def hand_over(request: Asked, order_id: FromPath[UUID], data: JSONBody[Report]) -> Response[ReportedOrder]:
    """The meal is at the door."""
    return await take(request, order_id, Kind.HAND_OVER, data)


@post("/v1/orders/{order_id:uuid}/accept-service", guards=[_CLIENTS], status_code=200)
async def accept_service(request: Asked, order_id: FromPath[UUID]) -> Response[OrderView]:
    """The resident confirms what was done."""
    return await _write(request, lambda c: reviewing.accept_service(c, request.user, order_id))


@post("/v1/orders/{order_id:uuid}/dispute", guards=[_CLIENTS], status_code=200)
async def dispute(request: Asked, order_id: FromPath[UUID], data: JSONBody[Argued]) -> Response[OrderView]:
    """The resident does not agree."""
    return await _write(request, lambda c: reviewing.dispute(c, request.user, order_id, data.reason))


@post("/v1/orders/{order_id:uuid}/assign", guards=[_DESK], status_code=200)
async def assign(
    request: Asked, order_id: FromPath[UUID], data: JSONBody[crewing.ManualAssignment]
) -> Response[OrderView]:
    """An operator names the crew."""
    return await crewing.assign(request, order_id, data)


@post("/v1/orders/{order_id:uuid}/unserved", guards=[_DESK], status_code=200)
async def unserved(request: Asked, order_id: FromPath[UUID], data: JSONBody[Argued]) -> Response[OrderView]:
    """An operator ends the search."""
    return await _write(request, lambda c: actions.unserved_by_operator(c, request.user, order_id, data.reason))


@post("/v1/residents/{resident_id:uuid}/home", guards=[_DESK], status_code=200)
async def move_home(request: Asked, resident_id: FromPath[UUID], data: JSONBody[NewHome]) -> Response[MovedView]:
    """A resident lives elsewhere from now on; the answer names the open orders that still lead to an old home."""

    async def action(connection: Connection) -> MovedView:
        moved = await moving.move_home(connection, request.user, resident_id, data)
        return MovedView(moved.resident, [shown(order, request.user) for order in moved.elsewhere])

    return await write_once(request, 200, action)


@get("/v1/offers", guards=[_PROVIDERS])
async def list_offers(request: Asked) -> list[Offer]:
    """The offers that wait for this provider."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await offer_queries.open_offers(connection, request.user.provider_id)


@post("/v1/offers/{offer_id:uuid}/accept", guards=[_PROVIDERS], status_code=200)
async def accept(request: Asked, offer_id: FromPath[UUID]) -> Response[OrderView]:
    """The provider takes the order."""
    return await _write(request, lambda c: offering.accept(c, request.user, offer_id))


@post("/v1/offers/{offer_id:uuid}/decline", guards=[_PROVIDERS], status_code=200)
async def decline(request: Asked, offer_id: FromPath[UUID], data: JSONBody[Reason]) -> Response[GivenBack]:
    """The provider cannot."""

    async def action(connection: Connection) -> GivenBack:
        return given_back(await offering.decline(connection, request.user, offer_id, data.reason))

    return await write_once(request, 200, action)


@get("/v1/workers/me/route", guards=[_WORKERS])
async def my_route(request: Asked, on: FromQuery[date]) -> RouteView:
    """The worker's day: stops in order with their planned times; whose door it is, as long as it is the worker's business."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await worker_day.route(connection, request.user, on, request.app.state.planner.zone_info)


route_handlers = [
    list_orders, search, read_order, confirm, release, cancel, en_route, check_in, check_out, pick_up, hand_over,
    accept_service, dispute, assign, unserved, move_home, list_offers, accept, decline, my_route,
]  # fmt: skip
