"""What a consent is for, in the words of whoever reads it: on a switch, as a question, and what a yes means."""

from collections.abc import Iterable
from typing import Final

from backend.residents.model import Purpose

SWITCHES: Final = {
    Purpose.STATUS: ("进度", "How a visit goes"),
    Purpose.LOCATION: ("现在在哪里", "Where the crew is"),
    Purpose.REPORTS: ("服务记录", "Reports of visits"),
    Purpose.BOOK: ("替我订", "Book for me"),
}
WISHES: Final = {
    Purpose.STATUS: ("看上门进度", "see how visits go"),
    Purpose.LOCATION: ("看师傅走到哪里了", "see where the crew is"),
    Purpose.REPORTS: ("看服务记录", "read the reports of visits"),
    Purpose.BOOK: ("替老人订服务", "book for them"),
}
"""As family asks."""
QUESTIONS: Final = {
    Purpose.STATUS: ("想看您的上门进度", "would like to see how your visits go"),
    Purpose.LOCATION: ("想看师傅走到哪里了", "would like to see where the crew is"),
    Purpose.REPORTS: ("想看您的服务记录", "would like to read the reports of your visits"),
    Purpose.BOOK: ("想替您订服务", "would like to book for you"),
}
MEANS: Final = {
    Purpose.STATUS: ("同意了，能看到哪天来、谁来、到了没有、做完没有。别的看不到。", "They would see when somebody comes, who, and whether they are there or done. Nothing else."),
    Purpose.LOCATION: ("同意了，师傅来您家的路上，能看到走到哪里了。", "They would see where the crew is while it is on its way to you."),
    Purpose.REPORTS: ("同意了，能看到每次做了什么，还有量的血压这些。", "They would read what was done at each visit, and readings such as blood pressure."),
    Purpose.BOOK: ("同意了，能替您订、改时间、取消。费用还是您的。", "They could book, move and call off visits for you. The costs stay yours."),
}  # fmt: skip


def listed(purposes: Iterable[Purpose], language: str) -> str:
    """Say several things one after the other: 进度、服务记录."""
    return ("、" if language == "zh" else ", ").join(SWITCHES[one][0 if language == "zh" else 1] for one in purposes)
