"""When a meal can be had: the lunches of the coming days, from the meal point nearest to the resident's home."""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from backend.bookings import queries
from backend.bookings.model import Pickup, Wish
from backend.core.clock import city_date
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.clock import care_now
from backend.database.pool import Connection, as_the_platform
from backend.residents.queries import area_of
from backend.rules.queries import figures

MEAL_DAYS: Final = 3


class MealTime(Struct, frozen=True):
    """One lunch that can be asked for: its plan day, the wish and pickup to ask with, and until when it is ordered."""

    on: date
    wish: Wish
    pickup: Pickup
    order_until: datetime


async def meal_times(
    connection: Connection, principal: Principal, zone_info: ZoneInfo, resident_id: UUID
) -> list[MealTime]:
    """List the lunches that can still be ordered, today's first. Raises unknown_resident, unknown_facility (404)."""
    if not principal.acts_for(resident_id):
        raise DomainError("unknown_resident")
    async with as_the_platform(connection):
        rules = await figures(connection, "lunch_", await area_of(connection, resident_id))
        facility_id = await queries.nearest_meal_point(connection, resident_id)
        now = await care_now(connection)
    today = city_date(now, zone_info)
    days = [today + timedelta(days=n) for n in range(MEAL_DAYS + 1)]
    offered = [_lunch(on, rules, facility_id, zone_info) for on in days]
    return [lunch for lunch in offered if now < lunch.order_until][:MEAL_DAYS]


def _lunch(on: date, rules: dict[str, float], facility_id: UUID, zone_info: ZoneInfo) -> MealTime:
    def at(name: str) -> datetime:
        minutes = int(rules[name] // 60)
        return datetime(on.year, on.month, on.day, minutes // 60, minutes % 60, tzinfo=zone_info)

    wish = Wish(at("from_s"), at("to_s"), soft=True, latest_at=at("latest_s"))
    return MealTime(on, wish, Pickup(facility_id, at("ready_s")), at("ordered_by_s"))
