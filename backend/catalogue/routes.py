"""The catalogue, open to everybody: services and prices need no sign-in."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, get
from litestar.datastructures import State

from backend.catalogue import queries
from backend.catalogue.model import CatalogueItem
from backend.core.principal import SYSTEM


@get("/v1/catalogue/items", opt={"public": True})
async def items(request: Request[Any, Any, State]) -> Sequence[CatalogueItem]:
    """What can be booked, with prices."""
    async with request.app.state.database.unit_of_work(SYSTEM) as connection:
        return await queries.current_items(connection)


route_handlers = [items]
