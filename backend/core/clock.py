"""The only place that reads a clock. Care time is asked of the database (`yinling_now()`); this is machine time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY_STARTS_AT = time(3)  # a plan's day runs from 03:00 to 03:00 city time


def machine_now() -> datetime:
    """The present instant of this machine, in UTC: for leases, sessions and codes, never for care."""
    return datetime.now(UTC)


def city_date(instant: datetime, zone: ZoneInfo) -> date:
    """The plan day an instant belongs to: the one whose `day_origin` was the last, also where clocks go back over 03:00."""
    on = (instant.astimezone(zone) - timedelta(hours=DAY_STARTS_AT.hour)).date()
    if instant < day_origin(on, zone):
        return on - timedelta(days=1)
    if instant >= day_origin(on + timedelta(days=1), zone):
        return on + timedelta(days=1)
    return on


def day_origin(on: date, zone: ZoneInfo) -> datetime:
    """The instant a plan day starts, 03:00 city time, in UTC: adding seconds to it counts seconds, not a wall clock.

    Where clocks show three twice it is the first one, where they leave it out, the instant they would have shown it.
    """
    return wall(on, DAY_STARTS_AT, zone)


def wall(on: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant at which the clocks of a city show a time, in UTC; of two the first."""
    return datetime.combine(on, clock, zone).astimezone(UTC)
