"""Other workers over HTTP: why these, who else could, and one in place of another."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.core.principal import Principal, Role
from backend.orders import crewing
from backend.orders.crewing import Swap
from backend.orders.explaining import Explanation
from backend.orders.swapping import Options
from backend.orders.views import OrderView

Asked = Request[Principal, Any, State]
_CREWS = requires(Role.OPERATOR, Role.PROVIDER)


@get("/v1/orders/{order_id:uuid}/explanation", guards=[_CREWS])
async def explain(request: Asked, order_id: FromPath[UUID]) -> Explanation:
    """Why an order is planned as it is: who serves it, who else could, who could not and by which rule, what would help.

    It takes two seconds at most; what was found by then is answered, and `complete` says whether that is all.
    """
    return await crewing.explain(request, order_id)


@get("/v1/orders/{order_id:uuid}/swaps", guards=[_CREWS])
async def list_swaps(request: Asked, order_id: FromPath[UUID]) -> Options:
    """Who of its provider could take over each seat of an order that is offered or accepted, and why the others cannot."""
    return await crewing.options(request, order_id)


@post("/v1/orders/{order_id:uuid}/swap", guards=[_CREWS], status_code=200)
async def swap(request: Asked, order_id: FromPath[UUID], data: JSONBody[Swap]) -> Response[OrderView]:
    """Other workers of the order's own provider come, within the promised window; named is the whole crew as it shall be."""
    return await crewing.swap(request, order_id, data)


route_handlers = [explain, list_swaps, swap]
