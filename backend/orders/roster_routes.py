"""A provider's roster over HTTP: a week as it is set, days of it as they shall be, and a week copied from another one."""

from datetime import date
from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromQuery, JSONBody

from backend.accounts.guards import requires
from backend.accounts.requests import write_once
from backend.core.principal import Principal, Role
from backend.orders import rostering
from backend.orders.rostering import CopyWeek, NewRoster, RosterView

Asked = Request[Principal, Any, State]
_PROVIDERS = requires(Role.PROVIDER)


@get("/v1/providers/me/roster", guards=[_PROVIDERS])
async def read_roster(request: Asked, on: FromQuery[date]) -> RosterView:
    """The seven days from one on: each worker's shifts as they were set, their absences, and how many visits they have."""
    async with request.app.state.database.unit_of_work(request.user) as connection:
        return await rostering.week(connection, request.user, on, request.app.state.planner.zone_info)


@post("/v1/providers/me/roster", guards=[_PROVIDERS], status_code=200)
async def set_roster(request: Asked, data: JSONBody[NewRoster]) -> Response[RosterView]:
    """Days of the roster as they shall be, all of them or none; a shift in which visits are promised is not cut."""
    zone_info = request.app.state.planner.zone_info
    return await write_once(request, 200, lambda c: rostering.set_days(c, request.user, data.days, zone_info))


@post("/v1/providers/me/roster/copy", guards=[_PROVIDERS], status_code=200)
async def copy_roster(request: Asked, data: JSONBody[CopyWeek]) -> Response[RosterView]:
    """A week as another one was, on days to come that nothing is set for yet."""
    zone_info = request.app.state.planner.zone_info
    return await write_once(request, 200, lambda c: rostering.copy_week(c, request.user, data, zone_info))


route_handlers = [read_roster, set_roster, copy_roster]
