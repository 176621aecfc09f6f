"""Instants as people say them, in 中文 and English."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from backend.pages.times import Calendar, minutes, money, spoken_digits

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 25, 9, 16, tzinfo=ZONE)  # a Wednesday


def _at(days: int, hour: int, minute: int = 0) -> datetime:
    return (NOW.replace(hour=hour, minute=minute) + timedelta(days=days)).astimezone(UTC)


@pytest.mark.parametrize(
    ("days", "zh", "en"),
    [(-1, "昨天", "yesterday"), (0, "今天", "today"), (1, "明天", "tomorrow"), (2, "后天", "the day after tomorrow"), (3, "星期六", "Saturday"),
     (6, "星期二", "Tuesday"), (7, "12月2日", "2 December"), (-2, "11月23日", "23 November")],
)  # fmt: skip
def test_days_are_said_as_people_say_them(days: int, zh: str, en: str) -> None:
    assert Calendar("zh", ZONE, NOW).day(_at(days, 12)) == zh
    assert Calendar("en", ZONE, NOW).day(_at(days, 12)) == en


@pytest.mark.parametrize(
    ("hour", "minute", "zh", "en", "spoken"),
    [(9, 0, "上午9:00", "9:00 am", "上午九点"), (9, 5, "上午9:05", "9:05 am", "上午九点零五分"), (12, 30, "中午12:30", "12:30 pm", "中午十二点半"),
     (14, 15, "下午2:15", "2:15 pm", "下午两点十五分"), (20, 40, "晚上8:40", "8:40 pm", "晚上八点四十分"), (0, 10, "凌晨12:10", "12:10 am", "凌晨十二点十分")],
)  # fmt: skip
def test_a_time_of_day_names_its_half(hour: int, minute: int, zh: str, en: str, spoken: str) -> None:
    """Two o'clock alone is at night as well."""
    chinese, english, at = Calendar("zh", ZONE, NOW), Calendar("en", ZONE, NOW), _at(0, hour, minute)
    assert chinese.part(at) + chinese.clock(at) == zh
    assert english.part(at) + english.clock(at) == en
    assert chinese.spoken(at) == spoken
    assert chinese.clock24(at) == f"{hour}:{minute:02}"


def test_a_window_is_read_aloud_with_its_day_once() -> None:
    chinese, english = Calendar("zh", ZONE, NOW), Calendar("en", ZONE, NOW)
    assert chinese.spoken_window(_at(1, 9), _at(1, 9, 30)) == "明天上午九点到九点半"
    assert chinese.spoken_window(_at(1, 11, 45), _at(1, 12, 15)) == "明天上午十一点四十五分到中午十二点十五分"
    assert english.window(_at(1, 11, 45), _at(1, 12, 15)) == "11:45 am–12:15 pm"
    assert english.window(_at(1, 9), _at(1, 9, 30)) == "9:00–9:30 am"


@pytest.mark.parametrize(("fen", "zh", "en"), [(12800, "128元", "¥128"), (1250, "12.50元", "¥12.50"), (0, "0元", "¥0")])
def test_money_has_no_fen_where_there_are_none(fen: int, zh: str, en: str) -> None:
    assert (money(fen, "zh"), money(fen, "en")) == (zh, en)


def test_lengths_and_numbers_are_said_plainly() -> None:
    assert (minutes(3600, "zh"), minutes(3000, "zh"), minutes(5400, "en")) == (
        "约1小时",
        "约50分钟",
        "about 1 h 30 min",
    )
    assert (minutes(180, "zh"), spoken_digits("12349", "zh"), spoken_digits("12349", "en")) == (
        "约5分钟",
        "一二三四九",
        "1 2 3 4 9",
    )
