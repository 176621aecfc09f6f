"""What each state of an order is called to its resident and those they have let in, in both languages.

Facts that only some pages know stand in braces: `until` and `eta` are times of day, `crew` are names, `why` is a reason. A page that does
not know one gets the words without it.
"""

from collections.abc import Mapping
from string import Formatter
from typing import Final

from msgspec import Struct


class Words(Struct, frozen=True):
    """One state in the words of one reader; `plain` leaves out what a page may not know."""

    zh: str
    en: str
    plain_zh: str = ""
    plain_en: str = ""

    def told(self, language: str, facts: Mapping[str, str]) -> str:
        """Say the state in a language, with the facts where all that it needs are known."""
        full, plain = (self.en, self.plain_en) if language == "en" else (self.zh, self.plain_zh)
        known = all(facts.get(name) for _, name, _, _ in Formatter().parse(full) if name)
        return full.format(**facts) if known else plain


PERSON: Final = {
    "held": Words("给您留着，到 {until}", "held for you until {until}", "给您留着", "held for you"),
    "lapsed": Words("没订成，随时可以再订", "not booked; you can book again at any time"),
    "placed": Words("时间定了，正在找人", "booked, finding people"),
    "offered": Words("时间定了，等机构答复", "booked, waiting for the provider"),
    "accepted": Words("都定了：{crew}来", "all set: {crew} comes", "都定了", "all set"),
    "manual": Words("时间定了，我们的人正在安排", "booked, our people are arranging it"),
    "en_route": Words("在路上，{eta}左右到", "on the way, about {eta}", "在路上", "on the way"),
    "arrived": Words("到门口了", "at the door"),
    "in_service": Words("正在服务", "in service"),
    "awaiting_acceptance": Words("做完了，请您确认", "finished, please confirm"),
    "completed": Words("做完了", "finished"),
    "verified": Words("做完了", "finished"),
    "settled": Words("做完了", "finished"),
    "exception": Words("做完了", "finished"),
    "disputed": Words("您提的意见，我们在查", "we are looking into what you told us"),
    "no_access": Words("敲门没人应，我们在找您", "nobody answered, we are looking for you"),
    "missed": Words("没有人来，对不起。我们正打给您", "nobody came, we are sorry and ringing you now"),
    "aborted": Words("今天没做成：{why}。没有扣钱", "could not be done today: {why}. You pay nothing", "今天没做成，没有扣钱", "could not be done today; you pay nothing"),
    "unserved": Words("这次没能安排。我们打电话给您", "we could not arrange this and will ring you"),
    "cancelled": Words("取消了", "cancelled"),
    "rejected": Words("做完了", "finished"),
    "clawed_back": Words("做完了", "finished"),
}  # fmt: skip
"""Residents and families: 您, short sentences, no word that is not sure."""
FAMILY: Final = {
    **PERSON,
    "no_access": Words("敲门没人应，我们在找老人", "nobody answered, we are looking for them"),
    "awaiting_acceptance": Words("做完了，等老人确认", "finished, to be confirmed by them"),
    "disputed": Words("对这次有意见，我们在查", "something was not right, we are looking into it"),
}
"""The same to family: whoever reads it is not the one who is looked for."""
