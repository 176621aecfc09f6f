"""The catalogue, open to everybody: services and prices need no sign-in."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.datastructures import State

from backend.catalogue import queries
from backend.catalogue.model import CatalogueItem
from backend.core.clock import city_date
from backend.core.principal import SYSTEM
from backend.database.clock import care_now


@get("/v1/catalogue/items", opt={"public": True})
async def items(request: Request[Any, Any, State]) -> Sequence[CatalogueItem]:
    """What can be booked, with the prices at which it is booked now."""
    async with request.app.state.database.unit_of_work(SYSTEM) as connection:
        today = city_date(await care_now(connection), request.app.state.planner.zone_info)
        return await queries.current_items(connection, today)


route_handlers = [items]
