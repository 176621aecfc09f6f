"""What is typed into a cell of a roster: every way people write times, and nothing else."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.core.clock import city_date
from backend.pages.roster import read_times

ZONE, ON = ZoneInfo("Asia/Shanghai"), date(2030, 3, 12)


def _at(hour: int, minute: int = 0, days: int = 0) -> datetime:
    return datetime(2030, 3, 12, hour, minute, tzinfo=ZONE) + timedelta(days=days)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("   ", []),
        ("9-19", [(_at(9), _at(19))]),
        ("9:30-17:30", [(_at(9, 30), _at(17, 30))]),
        ("９：30～17：30", [(_at(9, 30), _at(17, 30))]),  # as an input method has it
        ("9：30—17：30", [(_at(9, 30), _at(17, 30))]),
        ("9.30 - 17.30", [(_at(9, 30), _at(17, 30))]),
        ("9到19", [(_at(9), _at(19))]),
        ("8-12 14-18", [(_at(8), _at(12)), (_at(14), _at(18))]),
        ("8-12，14-18", [(_at(8), _at(12)), (_at(14), _at(18))]),
        ("21-6", [(_at(21), _at(6, days=1))]),
        ("9-24", [(_at(9), _at(0, days=1))]),
        ("0-6", [(_at(0, days=1), _at(6, days=1))]),  # the small hours of the day are the end of the one before
        ("9", None),
        ("9-", None),
        ("9-25", None),
        ("9:60-12", None),
        ("24-6", None),
        ("休息", None),
        ("9-19 休", None),
        ("-9-19", None),
    ],
)
def test_times_are_read_as_people_write_them(text: str, spans: list[tuple[datetime, datetime]] | None):
    read = read_times(text, ON, ZONE)
    assert (None if read is None else [(one.from_at, one.to_at) for one in read]) == spans
    assert all(city_date(one.from_at, ZONE) == ON for one in read or [])
