"""What an operator types while somebody speaks: understood in many phrasings, and what is not is said."""

from datetime import date
from typing import Any

import pytest

from backend.pages.wish_words import tags
from backend.pages.wishes import Understood, read_wish

TODAY = date(2030, 3, 12)  # a Tuesday
PEOPLE = ("王海燕", "陈美玲", "徐志强", "王建国", "欧阳春")
BOTH = ("王海燕", "王建国")
FRIDAY = date(2030, 3, 15)

HEARD: dict[str, dict[str, Any]] = {
    "上午": {"to_minute": 720},
    "最好是上午吧": {"to_minute": 720},
    "下午": {"from_minute": 720, "to_minute": 1080},
    "晚上": {"from_minute": 1080},
    "中午": {"from_minute": 660, "to_minute": 840},
    "上午，王海燕；周五以后；女的": {"to_minute": 720, "people": ("王海燕",), "from_on": FRIDAY, "gender": "female"},
    "上午王师傅周五以后女的": {"to_minute": 720, "people": BOTH, "from_on": FRIDAY, "gender": "female"},
    "王师傅": {"people": BOTH},
    "小王": {"people": BOTH},
    "王海燕师傅": {"people": ("王海燕",)},
    "陈姐或者徐志强": {"people": ("陈美玲", "徐志强"), "strange": ("或者",)},
    "男的": {"gender": "male"},
    "要女护理员": {"gender": "female"},
    "今天": {"from_on": TODAY, "to_on": TODAY},
    "明天下午": {"from_on": date(2030, 3, 13), "to_on": date(2030, 3, 13), "from_minute": 720, "to_minute": 1080},
    "大后天": {"from_on": FRIDAY, "to_on": FRIDAY},
    "后天以后": {"from_on": date(2030, 3, 14)},
    "周五": {"weekdays": (4,)},
    "周二周四": {"weekdays": (1, 3)},
    "星期天": {"weekdays": (6,)},
    "礼拜六上午": {"weekdays": (5,), "to_minute": 720},
    "周五以前": {"to_on": FRIDAY},
    "周五起": {"from_on": FRIDAY},
    "下周三": {"from_on": date(2030, 3, 20), "to_on": date(2030, 3, 20)},
    "周末": {"weekdays": (5, 6)},
    "工作日": {"weekdays": (0, 1, 2, 3, 4)},
    "3月20日": {"from_on": date(2030, 3, 20), "to_on": date(2030, 3, 20)},
    "20号以后": {"from_on": date(2030, 3, 20)},
    "3-20起": {"from_on": date(2030, 3, 20)},
    "2号": {"from_on": date(2030, 4, 2), "to_on": date(2030, 4, 2)},
    "下午三点以后": {"from_minute": 900, "to_minute": 1080},
    "三点以后": {"from_minute": 900},
    "15点以后": {"from_minute": 900},
    "十点半以前": {"to_minute": 630},
    "十一点左右": {"from_minute": 600, "to_minute": 721},
    "9点到11点": {"from_minute": 540, "to_minute": 660},
    "下午两点到四点": {"from_minute": 840, "to_minute": 960},
    "９点以后": {"from_minute": 540},
    "morning": {"to_minute": 720},
    "in the afternoon, please": {"from_minute": 720, "to_minute": 1080},
    "tomorrow morning": {"from_on": date(2030, 3, 13), "to_on": date(2030, 3, 13), "to_minute": 720},
    "the day after tomorrow": {"from_on": date(2030, 3, 14), "to_on": date(2030, 3, 14)},
    "from Friday": {"from_on": FRIDAY},
    "before Friday": {"to_on": FRIDAY},
    "Thursday or Friday": {"weekdays": (3, 4)},
    "next Wednesday": {"from_on": date(2030, 3, 20), "to_on": date(2030, 3, 20)},
    "weekdays after 3 pm": {"weekdays": (0, 1, 2, 3, 4), "from_minute": 900},
    "before 10:30": {"to_minute": 630},
    "around 11": {"from_minute": 600, "to_minute": 721},
    "20 March": {"from_on": date(2030, 3, 20), "to_on": date(2030, 3, 20)},
    "from March 20th": {"from_on": date(2030, 3, 20)},
    "a woman": {"gender": "female"},
    "Ms Wang": {"people": BOTH},
    "Chen Meiling in the morning": {"people": ("陈美玲",), "to_minute": 720},
    "": {},
    "，，": {},
    "每周": {"strange": ("每周",)},
    "上午，带轮椅": {"to_minute": 720, "strange": ("带轮椅",)},
    "李师傅": {"strange": ("李师傅",)},
    "a german": {"strange": ("german",)},
    "99点": {"strange": ("99点",)},
    "2月31日": {"strange": ("2月31日",)},
}


@pytest.mark.parametrize("text", HEARD)
def test_a_line_is_understood_and_what_is_not_is_said(text: str):
    assert read_wish(text, TODAY, PEOPLE) == Understood(**HEARD[text])


def test_what_was_understood_stands_below_in_a_few_signs():
    found = read_wish("上午，王海燕；周五以后；女的", TODAY, PEOPLE)
    assert [zh for zh, _ in tags(found)] == ["上午", "03-15起", "女的", "王海燕"]
    assert [en for _, en in tags(found)] == ["morning", "from 03-15", "a woman", "Wang Haiyan"]
    assert [zh for zh, _ in tags(read_wish("三点以后周二", TODAY, ()))] == ["15:00以后", "星期二"]
    assert tags(Understood()) == []


def test_any_text_is_read_to_its_end():
    """Nothing that is typed makes it fail or go round for ever."""
    for text in ("点" * 200, "99:99", "周", "-" * 200, "13月99日", "from from from", "王" * 50, "\u0000上午"):
        read_wish(text, TODAY, PEOPLE)


def test_the_later_word_counts_where_two_contradict_each_other():
    """Somebody changes their mind while they speak."""
    assert read_wish("上午，不，下午", TODAY, ()).from_minute == 720
