"""Ringing back over HTTP: promised by an operator, or because a call ended while a time was held."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.principal import Principal, Role
from backend.orders import calling
from backend.orders.calling import CallBack
from backend.tasks.model import DeskTask

Call = Request[Principal, Any, State]
_DESK = requires(Role.OPERATOR)


@post("/v1/residents/{resident_id:uuid}/call-back", guards=[_DESK], status_code=201)
async def promise(request: Call, resident_id: FromPath[UUID], data: JSONBody[CallBack]) -> Response[DeskTask]:
    """Somebody is to be rung back about a resident, by a time and with what about."""
    return await write_once(request, 201, lambda c: calling.promise(c, request.user, resident_id, data))


@post("/v1/orders/{order_id:uuid}/call-back", guards=[_DESK], status_code=201)
async def hung_up(request: Call, order_id: FromPath[UUID]) -> Response[DeskTask]:
    """Whoever a time is held for has hung up: the desk rings them back about it."""
    return await write_once(request, 201, lambda c: calling.hung_up(c, order_id))


route_handlers = [promise, hung_up]
