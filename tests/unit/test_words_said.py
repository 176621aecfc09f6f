"""Texts for people: what nobody sees is nothing, whatever script it is in."""

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, field

from backend.core.bounds import Asked, Reasoned, Remark, Secret
from backend.core.typed import says_something, trimmed
from backend.residents.model import NewContact


class Asking(Asked, frozen=True):
    why: Reasoned
    also: Annotated[list[Reasoned], Meta(max_length=3)] = field(default_factory=list)
    note: Remark = ""
    password: Secret = "x"
    title: Reasoned | None = None


def _read(**fields: object) -> Asking:
    return msgspec.json.decode(msgspec.json.encode(fields), type=Asking)


@pytest.mark.parametrize("text", ["", " ", "　", "\u200b\u200c\u200d", "\u2060\ufeff", "\u00ad", "\u202a\u202e", "\x07\x1b",
                                  "\u3164\u115f", "\u2800", "。", "……", "--", "\ufe0f", "\u0301", "\ue000"])  # fmt: skip
def test_blank_says_nothing_wherever_words_are_asked_for(text: str) -> None:
    assert not says_something(text)
    for fields in ({"why": text}, {"why": "x", "also": ["y", text]}, {"why": "x", "title": text}):
        with pytest.raises(msgspec.ValidationError, match=r"says nothing|length >= 1"):
            _read(**fields)


@pytest.mark.parametrize("text", ["好", "张三", "x", "7", "①", "ب", "👍 ok", "-1", "Ω"])
def test_a_letter_or_a_digit_of_any_script_says_something(text: str) -> None:
    assert says_something(text)
    assert _read(why=f" \u200b{text}\u200d\n").why == text


def test_what_is_seen_inside_a_text_stays_and_what_is_matched_is_left_alone() -> None:
    found = _read(why="两 句\n话", note=" \u200b ", password=" \u200b ", also=[" 一 "])
    assert (found.why, found.note, found.password, found.also) == ("两 句\n话", "", " \u200b ", ["一"])
    assert trimmed("　") == ""


def test_a_blank_inside_a_nested_object_is_refused_with_its_place() -> None:
    body = b'[{"name": "\xe2\x80\x8b", "phone": "13900000000", "relation": "x"}]'
    with pytest.raises(msgspec.ValidationError, match=r"`name` says nothing.*\$\[0\]"):
        msgspec.json.decode(body, type=list[NewContact])
