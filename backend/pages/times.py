"""Instants, windows and money as people say them, in 中文 and English, in the city's own time."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from backend.pages.words import WEEKDAYS

_DAYS: Final = {"zh": ("今天", "明天", "后天"), "en": ("today", "tomorrow", "the day after tomorrow")}
_MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                  "November", "December")  # fmt: skip
_PARTS: Final = ((6, "凌晨"), (12, "上午"), (13, "中午"), (18, "下午"), (24, "晚上"))
_DIGITS: Final = "零一二三四五六七八九"


class Calendar(Struct, frozen=True):
    """Say instants to one reader, as of `now`. Residents and families read twelve hours, staff twenty-four."""

    language: str
    zone: ZoneInfo
    now: datetime

    def _here(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def day(self, at: datetime) -> str:
        """今天, 明天, 后天, else the day of the week, and from a week on the date."""
        days = (self._here(at).date() - self._here(self.now).date()).days
        if 0 <= days < len(_DAYS[self.language]):
            return _DAYS[self.language][days]
        if days == -1:
            return "昨天" if self.language == "zh" else "yesterday"
        return WEEKDAYS[self.language][self._here(at).weekday()] if 0 < days < 7 else self.date(at, weekday=False)

    def date(self, at: datetime, *, weekday: bool = True) -> str:
        """The date, with its day of the week."""
        here = self._here(at)
        name = WEEKDAYS[self.language][here.weekday()]
        if self.language == "zh":
            return f"{here.month}月{here.day}日" + (f" {name}" if weekday else "")
        return (f"{name[:3]} " if weekday else "") + f"{here.day} {_MONTHS[here.month - 1]}"

    def weekday(self, at: datetime) -> str:
        """The day of the week."""
        return WEEKDAYS[self.language][self._here(at).weekday()]

    def part(self, at: datetime) -> str:
        """上午, 中午, 下午: which twelve hours are meant. English says it behind the time."""
        hour = self._here(at).hour
        return next(part for end, part in _PARTS if hour < end) if self.language == "zh" else ""

    def clock(self, at: datetime) -> str:
        """A time of day of twelve hours, which `part` goes before: 9:05. English ends it with am or pm."""
        here = self._here(at)
        text = f"{(here.hour - 1) % 12 + 1}:{here:%M}"
        return text if self.language == "zh" else f"{text} {'am' if here.hour < 12 else 'pm'}"

    def clock_s(self, at: datetime) -> str:
        """A time of day to the second, of twenty-four hours: when what is shown was true."""
        here = self._here(at)
        return f"{here.hour}:{here:%M:%S}"

    def clock24(self, at: datetime) -> str:
        """A time of day of twenty-four hours, as staff read it: 9:05, 14:30."""
        here = self._here(at)
        return f"{here.hour}:{here:%M}"

    def moment24(self, at: datetime) -> str:
        """A time of day as staff read it, after its day where that is not today."""
        clock = self.clock24(at)
        return clock if self._here(at).date() == self._here(self.now).date() else f"{self.day(at)} {clock}"

    def window24(self, from_at: datetime, to_at: datetime) -> str:
        """From when to when, as staff read it."""
        return f"{self.clock24(from_at)}–{self.clock24(to_at)}"

    def window(self, from_at: datetime, to_at: datetime) -> str:
        """From when to when, of one day: 9:00–9:30."""
        start, end = self.clock(from_at), self.clock(to_at)
        return f"{start.removesuffix(end[-3:])}–{end}" if self.language == "en" else f"{start}–{end}"

    def moment(self, at: datetime) -> str:
        """When something was: the time alone today, with its day before it else."""
        time = f"{self.part(at)}{self.clock(at)}"
        today = self._here(at).date() == self._here(self.now).date()
        return time if today else f"{self.day(at)}{'' if self.language == 'zh' else ' '}{time}"

    def spoken_window(self, from_at: datetime, to_at: datetime) -> str:
        """From when to when, and on which day, as it is read aloud: 明天上午九点到九点半."""
        if self.language == "en":
            return f"{self.day(from_at)}, {self.clock(from_at)} to {self.clock(to_at)}"
        end = self.spoken(to_at)
        return f"{self.day(from_at)}{self.spoken(from_at)}到{end.removeprefix(self.part(from_at))}"

    def spoken(self, at: datetime) -> str:
        """The time of day as it is read aloud in 中文: 上午九点半."""
        here = self._here(at)
        hour = _numeral((here.hour - 1) % 12 + 1)
        minutes = "半" if here.minute == 30 else _numeral(here.minute) + "分" if here.minute else ""
        return f"{self.part(at)}{'两' if hour == '二' else hour}点{'零' if 0 < here.minute < 10 else ''}{minutes}"

    def greeting(self) -> str:
        """上午好, 下午好, 晚上好."""
        hour = self._here(self.now).hour
        zh, en = ("上午好", "Good morning") if hour < 12 else ("下午好", "Good afternoon") if hour < 18 else ("晚上好", "Good evening")  # fmt: skip
        return zh if self.language == "zh" else en


def _numeral(number: int) -> str:
    """Write a number below a hundred in 中文."""
    tens, ones = divmod(number, 10)
    if not tens:
        return _DIGITS[ones]
    return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")


def spoken_digits(number: str, language: str) -> str:
    """A telephone number digit by digit, as it is read aloud: 一二三四九."""
    digits = [sign for sign in number if sign.isdecimal()]
    return "".join(_DIGITS[int(sign)] for sign in digits) if language == "zh" else " ".join(digits)


def money(fen: int, language: str) -> str:
    """An amount in yuan, without the fen where there are none: 128元, 12.50元."""
    text = f"{fen // 100}" if fen % 100 == 0 else f"{fen / 100:.2f}"
    return f"{text}元" if language == "zh" else f"¥{text}"


def minutes(seconds: int, language: str) -> str:
    """How long something takes, to the five minutes: 约1小时, 约50分钟."""
    rounded = timedelta(seconds=seconds) // timedelta(minutes=5) * 5 or 5
    hours, rest = divmod(rounded, 60)
    if language == "zh":
        return "约" + (f"{hours}小时" if hours else "") + (f"{rest}分钟" if rest else "")
    return "about " + " ".join([f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest))
