"""The rules that keep one worker from an order, and what would have to give, in words: one line for each code of the planner."""

from typing import Final

from backend.pages.times import minutes

RULES: Final = {
    "provider_excluded": ("别家机构的，或者他们不接", "of a provider that is not asked"),
    "refused": ("老人不要这个人", "refused by the resident"),
    "not_for_this_order": ("这一单不派", "not for this order"),
    "no_skill": ("没有这项技能", "does not have the skill"),
    "gender": ("性别不合要求", "not of the gender asked for"),
    "capacity": ("餐箱装不下", "no room in the meal box"),
    "heavy": ("今天不能再做重活", "no more heavy work today"),
    "no_shift": ("那时不当班", "not on shift then"),
    "no_gap": ("那个时段没有空", "no free time then"),
    "window": ("约定的时间里到不了", "cannot be there within the window"),
    "shift": ("要超过下班时间", "it would last past the end of the shift"),
    "crew_together": ("和同去的人凑不到一起", "cannot be there together with the other one"),
    "apart": ("一天排不下这么多", "the day is too long for it"),
    "equipment": ("设备都在用", "all equipment is in use"),
    "resident_busy": ("老人那时有别的服务", "the resident has another service then"),
    "unreadable": ("这一单的数据有问题", "this order cannot be read"),
}
_REMEDIES: Final = {
    "later": ("晚{time}开始", "begin {time} later"),
    "earlier": ("早{time}开始", "begin {time} earlier"),
    "longer_shift": ("{name}多上{time}", "{name} works {time} more"),
    "more_workers": ("再有 {count} 个能做的人", "{count} more who can do it"),
    "any_gender": ("不论男女", "any gender will do"),
    "more_skills": ("{name}也有这项技能", "{name} has the skill as well"),
}


def rule(code: str, language: str) -> str:
    """Why somebody cannot, in a few words."""
    return RULES[code][0 if language == "zh" else 1]


def missing(seconds: int, language: str) -> str:
    """How much more time would do; nothing where time would not."""
    if not seconds:
        return ""
    time = minutes(seconds, language)
    return f"，差{time}" if language == "zh" else f", short of {time}"


def remedy(kind: str, by_s: int, name: str, count: int, language: str) -> str:
    """What would have to give."""
    words = _REMEDIES[kind][0 if language == "zh" else 1]
    return words.format(time=minutes(by_s, language), name=name, count=count)
