"""Tasks of the desk over HTTP."""

from typing import Any

from litestar import Request, get
from litestar.datastructures import State

from backend.accounts.guards import requires
from backend.core.principal import Principal, Role
from backend.tasks import queries
from backend.tasks.model import DeskTask


@get("/v1/tasks", guards=[requires(Role.OPERATOR)])
async def list_tasks(request: Request[Principal, Any, State]) -> list[DeskTask]:
    """What of the platform itself wants a person now, the oldest first; a task closes itself when it is over."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await queries.open_tasks(connection)


route_handlers = [list_tasks]
