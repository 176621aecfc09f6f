"""When and by whom somebody wants to be visited, as an operator types it while they speak: 上午，王师傅；周五以后；女的.

A pure reading of one line in 中文 or English. What is understood narrows the times that are shown; what is not is said, so
that nobody believes a word was heard that was not.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final, Literal

from msgspec import Struct, structs

from backend.core.typed import plain
from backend.residents.names import latin

NOON: Final = 720
END: Final = 1440


class Understood(Struct, frozen=True):
    """What was heard: minutes of a day, weekdays from Monday 0, days, who comes; and the words nobody understood."""

    from_minute: int = 0
    to_minute: int = END
    weekdays: tuple[int, ...] = ()
    from_on: date | None = None
    to_on: date | None = None
    gender: Literal["female", "male"] | None = None
    people: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()

    @property
    def says_nothing(self) -> bool:
        """Whether there is nothing to go by."""
        return structs.replace(self, strange=()) == Understood()


_DAY_PARTS: Final = {
    "早上": (0, NOON), "早晨": (0, NOON), "一早": (0, 600), "上午": (0, NOON), "中午": (660, 840), "下午": (NOON, 1080),
    "傍晚": (1020, 1200), "晚上": (1080, END), "晚饭后": (1080, END), "午饭后": (750, 1080),
    "morning": (0, NOON), "mornings": (0, NOON), "noon": (660, 840), "midday": (660, 840), "lunchtime": (660, 840),
    "afternoon": (NOON, 1080), "afternoons": (NOON, 1080), "evening": (1080, END), "evenings": (1080, END),
}  # fmt: skip
_RELATIVE: Final = {"今天": 0, "明天": 1, "后天": 2, "大后天": 3, "today": 0, "tomorrow": 1, "day after tomorrow": 2}
_GENDERS: Final = {
    "女的": "female", "女师傅": "female", "女护理员": "female", "女同志": "female", "女": "female", "woman": "female", "women": "female",
    "female": "female", "lady": "female", "男的": "male", "男师傅": "male", "男护理员": "male", "男同志": "male", "男": "male", "man": "male",
    "men": "male", "male": "male",
}  # fmt: skip
_ENGLISH_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HAN_DIGITS: Final = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2}
_HAN_DAYS: Final = "一二三四五六日"
_SILENT: Final = re.compile(
    r"(?:[\s,，、;；。.!！?？和跟]+|最好是?|希望|想要?|可以|都行|都可以|麻烦|请|来的?|吧|呢|的话|时候|时间|要|是|在|就|的"
    r"|\b(?:please|prefers?|preferably|only|would like|wants?|the|a|an|in|on|at|or|and|with|by|of|is|best|any|some|time|comes?|to)\b)+"
)
_HOUR: Final = r"(\d{1,2}|[一二两三四五六七八九十]{1,3})"
_SINCE: Final = r"(以后|之后|过后|后面|开始|后|起|以前|之前|前)?"


def read_wish(text: str, today: date, people: Sequence[str]) -> Understood:
    """Read a line, as of a day; `people` are the names of those who may be meant, as they are written."""
    line, found, strange = plain(text).casefold(), Understood(), list[str]()
    readers = [*_READERS, *_people(people)]
    at, unheard = 0, ""
    while at < len(line):
        if silent := _SILENT.match(line, at):
            at, unheard = silent.end(), _noted(strange, unheard)
            continue
        end, heard = at + 1, None
        if not (unheard and _within_a_word(line, at)):
            for pattern, reader in readers:
                match = pattern.match(line, at)
                if match and match.end() > at and (match.end(), heard is None) > (end, False):
                    end, heard = match.end(), reader(match, found, today)
        if heard is None:  # nothing like it, or a time or date that there is not
            unheard, at = unheard + line[at:end], end
        else:
            unheard, at, found = _noted(strange, unheard), end, heard
    _noted(strange, unheard)
    return structs.replace(found, strange=tuple(strange))


def _within_a_word(line: str, at: int) -> bool:
    return line[at - 1].isascii() and line[at - 1].isalnum() and line[at].isascii() and line[at].isalnum()


def _noted(strange: list[str], unheard: str) -> str:
    """Keep what was not understood; returns what is left to hear of it."""
    if unheard:
        strange.append(unheard)
    return ""


def _number(text: str) -> int:
    if text.isdecimal():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return _HAN_DIGITS.get(text, 99)
    return 10 * (_HAN_DIGITS.get(tens, 99) if tens else 1) + (_HAN_DIGITS.get(ones, 99) if ones else 0)


def _between(found: Understood, from_minute: int, to_minute: int) -> Understood | None:
    """Both what was heard before and this; the later word counts where they contradict each other."""
    lower, upper = max(found.from_minute, from_minute), min(found.to_minute, to_minute)
    if lower >= upper:
        lower, upper = from_minute, to_minute
    return structs.replace(found, from_minute=lower, to_minute=upper) if 0 <= lower < upper <= END else None


def _part(match: re.Match[str], found: Understood, _today: date) -> Understood | None:
    return _between(found, *_DAY_PARTS[match[0]])


def _clock(text: str, half: str | None, minutes: str | None, found: Understood, part: str | None) -> int | None:
    """A time of day: in the half of the day that was named, else at which somebody would be visited."""
    hour, minute = _number(text), 30 if half == "半" else int(minutes or 0)
    if hour > 24 or minute > 59:
        return None
    span = _DAY_PARTS[part] if part else (found.from_minute, found.to_minute)
    late = span[0] >= 660 and hour < 9
    if hour < 12 and (late or (not part and span == (0, END) and hour < 7)):
        hour += 12
    return hour * 60 + minute


def _about(minute: int, word: str, found: Understood) -> Understood | None:
    """From a time on, until it, or near it."""
    if word in {"以后", "之后", "过后", "后", "后面", "开始", "起", "after", "from", "since"}:
        return _between(found, minute, END)
    if word in {"以前", "之前", "前", "before", "until", "till", "by"}:
        return _between(found, 0, minute)
    return _between(found, max(0, minute - 60), min(END, minute + 61))


def _han_clock(match: re.Match[str], found: Understood, _today: date) -> Understood | None:
    part, hour, half, minutes, word = match.groups()
    minute = _clock(hour, half, minutes, found, part)
    if minute is None:
        return None
    known = found if part is None else _between(found, *_DAY_PARTS[part])
    return known and _about(minute, word or "", known)


def _span(match: re.Match[str], found: Understood, _today: date) -> Understood | None:
    part, first, first_half, second, second_half = match.groups()
    begin, end = _clock(first, first_half, None, found, part), _clock(second, second_half, None, found, part)
    if begin is None or end is None:
        return None
    return _between(found, begin, end if end > begin else end + NOON) if max(end, begin) <= END else None


def _english_clock(match: re.Match[str], found: Understood, _today: date) -> Understood | None:
    word, hour, minutes, half = match.groups()
    if not (word or minutes or half) or int(hour) > (12 if half else 24):
        return None
    minute = _clock(hour, None, minutes, found, None)
    if minute is None:
        return None
    if half:
        minute = minute % NOON + (NOON if half.startswith("p") else 0)
    return _about(minute, word or "at", found)


def _days(found: Understood, on: date, word: str) -> Understood | None:
    """From a day on, until it, or that day alone."""
    if word in {"以后", "之后", "过后", "后面", "开始", "后", "起", "from", "after", "since"}:
        return structs.replace(found, from_on=on)
    if word in {"以前", "之前", "前", "before", "until", "till", "by"}:
        return structs.replace(found, to_on=on)
    return structs.replace(found, from_on=on, to_on=on)


def _relative(match: re.Match[str], found: Understood, today: date) -> Understood | None:
    word = match.group("word") or match.group("since") or ""
    return _days(found, today + timedelta(days=_RELATIVE[match.group("day")]), word)


def _weekday(found: Understood, today: date, weekday: int, word: str, *, following: bool) -> Understood | None:
    ahead = (weekday - today.weekday()) % 7
    if following:
        return _days(found, today + timedelta(days=7 - today.weekday() + weekday), word)
    if word:
        return _days(found, today + timedelta(days=ahead), word)
    return structs.replace(found, weekdays=tuple(sorted({*found.weekdays, weekday})))


def _han_weekday(match: re.Match[str], found: Understood, today: date) -> Understood | None:
    following, sign, word = match.groups()
    weekday = _HAN_DAYS.index("日" if sign in "天7" else sign) if not sign.isdecimal() or sign == "7" else int(sign) - 1
    return _weekday(found, today, weekday, word or "", following=following is not None)


def _english_weekday(match: re.Match[str], found: Understood, today: date) -> Understood | None:
    word, following, name = match.groups()
    return _weekday(found, today, _ENGLISH_DAYS.index(name[:3]), word or "", following=following is not None)


def _kinds_of_days(match: re.Match[str], found: Understood, _today: date) -> Understood | None:
    return structs.replace(found, weekdays=(5, 6) if match[0] in {"周末", "weekend", "weekends"} else (0, 1, 2, 3, 4))


def _date(found: Understood, today: date, month: int | None, day: int, word: str) -> Understood | None:
    """The next day of that date, in a month that is named or the first that fits."""
    for ahead in range(366):
        on = today + timedelta(days=ahead)
        if on.day == day and month in {None, on.month}:
            return _days(found, on, word)
    return None


def _han_date(match: re.Match[str], found: Understood, today: date) -> Understood | None:
    month, day, word = match.groups()
    return _date(found, today, int(month) if month else None, int(day), word or "")


def _english_date(match: re.Match[str], found: Understood, today: date) -> Understood | None:
    word, day, month, other_month, other_day = match.groups()
    name, number = (month, day) if day else (other_month, other_day)
    return _date(found, today, _MONTHS.index(name[:3]) + 1, int(number), word or "")


def _gender(match: re.Match[str], found: Understood, _today: date) -> Understood | None:
    return structs.replace(found, gender=_GENDERS[match[0]])


Reader = Callable[[re.Match[str], Understood, date], Understood | None]
_PARTS_TEXT: Final = "|".join(sorted((word for word in _DAY_PARTS if not word.isascii()), key=len, reverse=True))
_WORDS_TEXT: Final = "|".join(word for word in _DAY_PARTS if word.isascii())
_SINCE_EN: Final = r"(?:(after|from|since|before|until|till|by)\s+)?"
_MONTH_TEXT: Final = "(" + "|".join(_MONTHS) + r")[a-z]*\.?"
_READERS: Final[list[tuple[re.Pattern[str], Reader]]] = [
    (re.compile(f"(?:{_PARTS_TEXT})|(?:{_WORDS_TEXT})\\b"), _part),
    (re.compile(f"({_PARTS_TEXT})?{_HOUR}[点:：](半|钟|整)?(?:(\\d{{1,2}})分?)?{_SINCE}(?:左右)?"), _han_clock),
    (re.compile(f"({_PARTS_TEXT})?(?:从|from )?{_HOUR}点?(半)?(?:到|至|-|–| to ){_HOUR}点(半)?"), _span),
    (re.compile(r"(?:(after|from|since|before|until|till|by|around|about|at)\s+)?(\d{1,2})(?::(\d\d))?\s*(am|pm)?\b(?!点|月|号|日|-)"), _english_clock),
    (re.compile("(?:(?P<since>after|from|before|until|by)\\s+)?(?P<day>大后天|今天|明天|后天|(?:the )?day after tomorrow|today|tomorrow)(?P<word>以后|之后|开始|后|起|以前|之前|前)?"), _relative),
    (re.compile(f"(下)?(?:个?(?:星期|礼拜)|周)([一二三四五六日天1-7]){_SINCE}"), _han_weekday),
    (re.compile(_SINCE_EN + r"(next )?(mon|tue|wed|thu|fri|sat|sun)(?:day|s|sday|nesday|rsday|urday|r|rs)?s?\b"), _english_weekday),
    (re.compile(r"周末|工作日|weekends?\b|weekdays?\b"), _kinds_of_days),
    (re.compile(f"(?:(\\d{{1,2}})[月/-])?(\\d{{1,2}})[日号]{_SINCE}"), _han_date),
    (re.compile(f"(\\d{{1,2}})[月/-](\\d{{1,2}}){_SINCE}"), _han_date),
    (re.compile(_SINCE_EN + r"(?:(\d{1,2})(?:st|nd|rd|th)?\s+" + _MONTH_TEXT + "|" + _MONTH_TEXT + r"\s+(\d{1,2})(?:st|nd|rd|th)?)\b"), _english_date),
    (re.compile("(?:" + "|".join(sorted((re.escape(word) for word in _GENDERS if not word.isascii()), key=len, reverse=True)) + ")"
                + "|(?:" + "|".join(word for word in _GENDERS if word.isascii()) + r")\b"), _gender),
]  # fmt: skip
_CALLED: Final = "师傅|护士|医生|老师|大姐|阿姨|大哥|女士|先生|姐|哥|叔|姨"


def _people(names: Sequence[str]) -> list[tuple[re.Pattern[str], Reader]]:
    """How each of these people is spoken of: by the name, by the surname as one addresses them, or in pinyin."""
    readers: list[tuple[re.Pattern[str], Reader]] = []
    for surname in {name[:1] for name in names if name}:
        mine = tuple(name for name in names if name.startswith(surname))
        spelled = latin(mine[0]).split(" ")[0].casefold()
        called = f"{re.escape(surname)}(?:{_CALLED})|[小老]{re.escape(surname)}|(?:mr|mrs|ms|miss)\\.? {re.escape(spelled)}\\b"
        readers.append((re.compile(called), _meant(mine)))
    for name in set(names):
        spelled = re.escape(latin(name).casefold())
        readers.append((re.compile(f"{re.escape(name.casefold())}(?:{_CALLED})?|{spelled}\\b"), _meant((name,))))
    return readers


def _meant(people: tuple[str, ...]) -> Reader:
    def reader(_match: re.Match[str], found: Understood, _today: date) -> Understood | None:
        return structs.replace(found, people=tuple(dict.fromkeys((*found.people, *people))))

    return reader
