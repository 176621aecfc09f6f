"""Tasks of the desk over HTTP."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core import bounds
from backend.core.principal import Principal, Role
from backend.tasks import actions, queries
from backend.tasks.model import DeskTask

Call = Request[Principal, Any, State]
_DESK = requires(Role.OPERATOR)


class Done(bounds.Asked, frozen=True):
    """What came of a task, in the words of whoever saw to it."""

    outcome: bounds.Reasoned


@get("/v1/tasks", guards=[_DESK])
async def list_tasks(request: Call) -> list[DeskTask]:
    """What wants a person now, the most urgent first: emergencies, doors that stay shut, then by when it is due."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await queries.open_tasks(connection)


@post("/v1/tasks/{task_id:uuid}/take", guards=[_DESK], status_code=200)
async def take(request: Call, task_id: FromPath[UUID]) -> Response[DeskTask]:
    """An operator sees to a task; whoever comes second is told that somebody has it."""
    return await write_once(request, 200, lambda c: actions.take(c, request.user, task_id))


@post("/v1/tasks/{task_id:uuid}/close", guards=[_DESK], status_code=200)
async def close(request: Call, task_id: FromPath[UUID], data: JSONBody[Done]) -> Response[DeskTask]:
    """An operator says what came of a task; most end by themselves with what they are about."""
    return await write_once(request, 200, lambda c: actions.close_by_hand(c, task_id, data.outcome))


route_handlers = [list_tasks, take, close]
