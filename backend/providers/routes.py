"""Where meals are fetched and days are spent: open to everybody, as menus and prices are."""

from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.datastructures import State
from litestar.params import FromQuery

from backend.core.principal import SYSTEM
from backend.providers import queries
from backend.providers.queries import Facility, ZoneName


@get("/v1/zones", opt={"public": True})
async def zones(request: Request[Any, Any, State]) -> list[ZoneName]:
    """The zones of the city."""
    async with request.app.state.database.unit_of_work(SYSTEM) as connection:
        return await queries.zones(connection)


@get("/v1/facilities", opt={"public": True})
async def facilities(request: Request[Any, Any, State], zone_id: FromQuery[UUID | None] = None) -> list[Facility]:
    """Meal points and day-care centres, of one zone or all."""
    async with request.app.state.database.unit_of_work(SYSTEM) as connection:
        return await queries.facilities(connection, zone_id)


route_handlers = [zones, facilities]
