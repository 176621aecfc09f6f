"""Other workers over HTTP: why these, who else could, and one in place of another."""

from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromPath

from backend.accounts.guards import requires
from backend.core.principal import Principal, Role
from backend.orders import crewing
from backend.orders.explaining import Explanation

Asked = Request[Principal, Any, State]
_CREWS = requires(Role.OPERATOR, Role.PROVIDER)


@get("/v1/orders/{order_id:uuid}/explanation", guards=[_CREWS])
async def explain(request: Asked, order_id: FromPath[UUID]) -> Explanation:
    """Why an order is planned as it is: who serves it, who else could, who could not and by which rule, what would help.

    It takes two seconds at most; what was found by then is answered, and `complete` says whether that is all.
    """
    return await crewing.explain(request, order_id)


route_handlers = [explain]
