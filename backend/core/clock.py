"""The only place that reads a clock. Care time is asked of the database (`yinling_now()`); this is machine time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY_STARTS_AT = time(3)  # a plan's day runs from 03:00 to 03:00 city time


def machine_now() -> datetime:
    """The present instant of this machine, in UTC: for leases, sessions and codes, never for care."""
    return datetime.now(UTC)


def city_date(instant: datetime, zone: ZoneInfo) -> date:
    """The plan day an instant belongs to."""
    return (instant.astimezone(zone) - timedelta(hours=DAY_STARTS_AT.hour)).date()


def day_origin(on: date, zone: ZoneInfo) -> datetime:
    """The instant a plan day starts: 03:00 city time."""
    return datetime.combine(on, DAY_STARTS_AT, zone)
