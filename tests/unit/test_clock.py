"""Plan days where clocks change: every instant belongs to the one day whose three o'clock was the last."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from backend.core.clock import city_date, day_origin
from backend.orders.offering import expires_at
from backend.providers.queries import Provider

CHANGES = {
    "Asia/Shanghai": date(2026, 3, 1),
    "Europe/Berlin": date(2026, 10, 25),
    "Europe/Athens": date(2027, 3, 28),
    "Australia/Lord_Howe": date(2026, 10, 4),
    "America/Havana": date(2026, 3, 8),
    "Africa/Cairo": date(2026, 4, 24),
    "Asia/Beirut": date(2026, 3, 29),
    "America/St_Johns": date(2026, 11, 1),
    "Antarctica/Troll": date(2026, 3, 29),
    "Antarctica/Casey": date(2018, 3, 11),
    "Pacific/Apia": date(2011, 12, 30),
}


@pytest.mark.parametrize(("name", "on"), CHANGES.items())
def test_an_instant_belongs_to_the_plan_day_that_began_last(name: str, on: date) -> None:
    zone = ZoneInfo(name)
    for step in range(-2, 3):
        day = on + timedelta(days=step)
        begins, ends = day_origin(day, zone), day_origin(day + timedelta(days=1), zone)
        instant = begins
        while instant < ends:
            assert city_date(instant.astimezone(zone), zone) == city_date(instant, zone) == day
            instant += timedelta(minutes=10)


def test_seconds_of_a_plan_day_are_seconds_where_clocks_go_back() -> None:
    """25 hours lie between three and three: what counts on a wall clock is an hour off for the rest of the night."""
    zone = ZoneInfo("Europe/Berlin")
    begins = day_origin(date(2026, 10, 24), zone)
    assert begins + timedelta(hours=25) == day_origin(date(2026, 10, 25), zone)
    assert begins + timedelta(hours=24) == datetime(2026, 10, 25, 1, tzinfo=UTC)


def test_an_offer_s_seconds_are_seconds_on_the_day_of_a_change() -> None:
    zone = ZoneInfo("Europe/Berlin")
    asked = Provider(
        id=UUID(int=1),
        name="p",
        stars=3,
        opens_at=time(1),
        closes_at=time(6),
        auto_accept=False,
        offer_expiry_s=4 * 3600,
    )
    now = datetime(2026, 10, 24, 23, tzinfo=UTC)
    assert expires_at(asked, now, zone) == now + timedelta(hours=4)
