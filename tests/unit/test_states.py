"""Each state of an order in the words of whoever reads it."""

import re

import pytest

from backend.orders.model import OrderStatus
from backend.pages.states import FAMILY, PERSON, Words

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("table", [PERSON, FAMILY], ids=["resident", "family"])
def test_every_state_has_words_in_both_languages(table: dict[str, Words]) -> None:
    assert set(table) == set(OrderStatus)
    for status, words in table.items():
        for facts in ({}, {"until": "9:18", "eta": "9:06", "crew": "王海燕", "why": "身体不适"}):
            told = words.told("zh", facts), words.told("en", facts)
            assert HAN.search(told[0]), status
            assert told[1], status
            assert "{" not in "".join(told), status
        assert not HAN.search(words.en + words.plain_en), status


def test_nothing_is_said_that_is_not_known() -> None:
    """Without the names it is all set, and without an arrival they are on the way."""
    assert PERSON["accepted"].told("zh", {"crew": ""}) == "都定了"
    assert PERSON["en_route"].told("en", {}) == "on the way"
    assert PERSON["held"].told("zh", {"until": "9:18"}) == "给您留着，到 9:18"


def test_family_is_not_told_that_they_are_looked_for() -> None:
    assert not [status for status in ("no_access", "awaiting_acceptance", "disputed") if "您" in FAMILY[status].zh]
