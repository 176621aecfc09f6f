"""What a provider reads of its people: their state today, why somebody does not come, and where each of their visits goes."""

from datetime import date, datetime
from typing import Any, Final

import msgspec

from backend.pages.times import Calendar
from backend.pages.words import WEEKDAYS
from backend.residents.names import name_in

REASONS: Final = {
    "sick": ("病假", "Sick"), "holiday": ("休假", "Holiday"), "training": ("培训", "Training"), "other": ("别的原因", "Another reason"),
}  # fmt: skip
SKILLS: Final = {
    "bath": ("助浴", "bathing"), "rehab": ("康复护理", "rehabilitation"), "meal": ("送餐", "meals"), "care": ("照护", "care"),
}  # fmt: skip
_GOES: Final = {
    "stays": ("已经出发，做完这一单", "on the way already, and finishes it"),
    "offered": ("没有别人能去，转给别家", "nobody else of yours can; other providers are asked"),
    "desk": ("没有人能去，转给坐席", "nobody can; the desk sees to it"),
    "not_looked": ("没来得及找人，转给坐席", "no time to look for anybody; the desk sees to it"),
}
_ORDER: Final = ("colleague", "stays", "offered", "desk", "not_looked")
_COUNTED: Final = {
    "colleague": ("%d 单有人", "%d taken over"), "stays": ("%d 单自己做完", "%d finished by them"),
    "offered": ("%d 单给别家", "%d to other providers"), "desk": ("%d 单给坐席", "%d to the desk"),
    "not_looked": ("%d 单没来得及看", "%d not looked at"),
}  # fmt: skip


def _said(words: tuple[str, str], language: str) -> str:
    return words[0 if language == "zh" else 1]


def reason(code: str, language: str) -> str:
    """Why somebody does not come."""
    return _said(REASONS[code], language)


def skill(code: str, language: str) -> str:
    """What a credential is for; a city may have some that nobody has words for yet."""
    return _said(SKILLS[code], language) if code in SKILLS else code


def away_until(when: Calendar, at: datetime) -> str:
    """Somebody does not come now."""
    return f"请假，到{when.day(at)} {when.clock24(at)}" if when.language == "zh" else f"away until {when.day(at)} {when.clock24(at)}"  # fmt: skip


def works_until(when: Calendar, at: datetime) -> str:
    """Somebody is at work."""
    return f"在班，到 {when.clock24(at)}" if when.language == "zh" else f"at work until {when.clock24(at)}"


def works_from(when: Calendar, at: datetime | None) -> str:
    """Somebody begins later, or has no more shift today."""
    if at is None:
        return "今天没有班" if when.language == "zh" else "no more shift today"
    return f"{when.clock24(at)} 上班" if when.language == "zh" else f"from {when.clock24(at)}"


def goes(visit: Any, when: Calendar) -> str:
    """Where one visit goes, with who comes and when where that is somebody of theirs."""
    if visit.outcome != "colleague":
        return _said(_GOES[visit.outcome], when.language)
    names = [name_in(one.name, when.language) for one in visit.crew]
    who = ("、" if when.language == "zh" else ", ").join(names)
    if abs((visit.at - visit.was_at).total_seconds()) < 60:
        return f"{who}去，时间不变" if when.language == "zh" else f"{who}, at the same time"
    return f"{who}去，{when.clock24(visit.at)} 开始" if when.language == "zh" else f"{who}, at {when.clock24(visit.at)}"


def summary(visits: list[Any], language: str) -> str:
    """How many visits go where; that all have somebody is said in one word."""
    count = {code: sum(1 for visit in visits if visit.outcome == code) for code in _ORDER}
    if not visits:
        return "这段时间没有单。" if language == "zh" else "Nothing is planned for them then."
    if count["colleague"] == len(visits):
        return f"{len(visits)} 单，都有人。" if language == "zh" else f"{len(visits)} visits, all taken over."
    parts = [_said(_COUNTED[code], language) % count[code] for code in _ORDER if count[code]]
    return (
        f"{len(visits)} 单：{'，'.join(parts)}。" if language == "zh" else f"{len(visits)} visits: {', '.join(parts)}."
    )


def date_of(on: date, language: str) -> str:
    """A day of a roster."""
    return f"{on.month}月{on.day}日" if language == "zh" else f"{on.day}/{on.month}"


def weekday_of(on: date, language: str) -> str:
    """Its day of the week."""
    return (
        WEEKDAYS[language][on.weekday()].replace("星期", "周")
        if language == "zh"
        else WEEKDAYS[language][on.weekday()][:3]
    )


def shown(rows: list[Any]) -> str:
    """What stands in the cells of a roster as the page is made, so that what is changed can be told from it."""
    return msgspec.json.encode({cell.name: cell.was for row in rows for cell in row.cells}).decode()
