"""What a page says about a telephone number that cannot be rung."""

import pytest

from backend.pages.problems import PROBLEMS, wrong_phone


@pytest.mark.parametrize(
    ("typed", "zh", "en"),
    [
        ("138001380", "少了2位", "2 of the 11 digits"),
        ("+86 138 0013 80001", "多了1位", "this one has 1 more"),
        ("138-0013-8", "少了3位", "3 of the 11 digits"),
    ],
)
def test_of_a_mobile_number_the_missing_digits_are_counted(typed: str, zh: str, en: str) -> None:
    """Whoever typed eleven keys does not see which of them the phone left out."""
    assert zh in wrong_phone(typed).zh
    assert en in wrong_phone(typed).en


@pytest.mark.parametrize("typed", ["", "110", "12345678901", "0512 123", "hello", "1" * 30])
def test_of_anything_else_it_is_said_what_a_number_looks_like(typed: str) -> None:
    assert wrong_phone(typed) is PROBLEMS["invalid_phone"]
