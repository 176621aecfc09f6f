"""An order code says by itself when it was misread."""

import random

import pytest

from backend.core.codes import CODES, code_of, grouped, is_right, sought
from backend.core.errors import DomainError

SOME = [code_of(number) for number in (0, 1, 572, 1_234_567_890, CODES - 1)]
SOME += [code_of(random.Random(7).randrange(CODES)) for _ in range(300)]


def test_a_code_is_ten_digits_and_the_one_damm_gives() -> None:
    assert code_of(572) == "00000005724"  # the example of every description of it
    assert all(is_right(code) and len(code) == 11 for code in SOME)


def test_every_single_wrong_digit_is_noticed() -> None:
    for code in SOME:
        for place in range(11):
            for digit in "0123456789":
                wrong = f"{code[:place]}{digit}{code[place + 1 :]}"
                assert is_right(wrong) == (wrong == code)


def test_every_swap_of_neighbours_is_noticed() -> None:
    """For all pairs of digits behind every state the walk can be in, not only in some codes."""
    for before in range(10):
        for first in range(10):
            for second in range(10):
                for rest in ("", "8", "31"):
                    number = int(f"{before}{first}{second}{rest}")
                    code = code_of(number)
                    at = len(code) - 1 - len(rest) - 2
                    assert code[at : at + 2] == f"{first}{second}"
                    swapped = f"{code[:at]}{second}{first}{code[at + 2 :]}"
                    assert is_right(swapped) == (first == second)
    for code in SOME:
        for at in range(10):
            swapped = f"{code[:at]}{code[at + 1]}{code[at]}{code[at + 2 :]}"
            assert is_right(swapped) == (swapped == code)


def test_it_is_shown_like_a_mobile_number() -> None:
    assert grouped("12345678907") == "123 4567 8907"
    assert grouped("7F3A9C01") == "7F3A9C01"


@pytest.mark.parametrize(
    "typed",
    ["{}", " {} ", "{0[0]}{0[1]}-{rest}", "１２３ ４５６７ ８９０{check}", "123　4567　890{check}", "123-4567-890{check}",
     "123–4567–890{check}", "12.34.56.78.90{check}", "(123) 4567 890{check}", "#1234567890{check}", "123\u00a04567\u202f890{check}"],
)  # fmt: skip
def test_any_grouping_is_forgiven(typed: str) -> None:
    code = code_of(1_234_567_890)
    assert sought(typed.format(code, rest=code[2:], check=code[-1])) == code


def test_old_codes_are_still_found() -> None:
    assert sought("7f3a 9c01") == "7F3A9C01"
    assert sought("12345678") == "12345678"


@pytest.mark.parametrize(
    ("typed", "code"),
    [("123 4567 8900", "mistyped_code"), ("1", "invalid_request"), ("", "invalid_request"), ("1" * 12, "invalid_request"),
     ("不知道", "invalid_request"), ("7F3A9C0G", "invalid_request"), ("²²²²²²²²²²²", "mistyped_code"), ("١٢٣٤٥٦٧٨٩٠١", "invalid_request")],
)  # fmt: skip
def test_what_is_no_code_is_told_apart_from_a_slip(typed: str, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        sought(typed)
    assert refused.value.code == code
