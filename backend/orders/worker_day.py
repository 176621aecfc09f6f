"""A worker's day as their phone shows it: the stops in order, and whose door it is only while that is their business."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import structs

from backend.core.clock import day_origin
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.pool import Connection, as_the_platform
from backend.orders import seat_queries
from backend.orders.model import RouteStop, RouteView
from backend.orders.queries import care_now
from backend.rules.queries import EVERYWHERE, limit
from backend.visits import queries as visits


async def route(connection: Connection, principal: Principal, on: date, zone_info: ZoneInfo) -> RouteView:
    """Read the stops of accepted orders of one plan day. Raises not_allowed for whoever is no worker."""
    if principal.worker_id is None:
        raise DomainError("not_allowed")
    async with as_the_platform(connection):
        stops = await seat_queries.route(connection, principal.worker_id, on, day_origin(on, zone_info))
        before = timedelta(seconds=await limit(connection, "door_told_before_s", EVERYWHERE))
        figures = await visits.limits(connection, EVERYWHERE)
        told_s = await limit(connection, "route_told_s", EVERYWHERE)
        end_asked_s = await limit(connection, "end_asked_s", EVERYWHERE)
        now = await care_now(connection)
    told = [_told(stop, now, before) for stop in stops]
    return RouteView(on, told, figures.radius_m, figures.accuracy_m, told_s, end_asked_s)


def _told(stop: RouteStop, now: datetime, before: timedelta) -> RouteStop:
    """Leave out the door of a visit that is too far off; when it is over the name alone stays."""
    if stop.done:
        return structs.replace(stop, address=None)
    if stop.started or stop.from_at - now <= before:
        return stop
    return structs.replace(stop, address=None, resident=None)
