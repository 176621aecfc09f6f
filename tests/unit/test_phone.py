"""Numbers and codes as people type and paste them, each in one form."""

import pytest

from backend.accounts.proofs import typed_code
from backend.core.errors import DomainError
from backend.core.phone import as_dialled, dialled, e164

MOBILE, LANDLINE, EXTENSION = "+8613800138000", "+8651265550001", "+8651265550001;ext=801"


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("13800138000", MOBILE), ("138-0013-8000", MOBILE), ("138 0013 8000\n", MOBILE), ("１３８００１３８０００", MOBILE),
        ("+86 138 0013 8000", MOBILE), ("008613800138000", MOBILE), ("14912345678", "+8614912345678"),
        ("0512-65550001", LANDLINE), ("(0512) 6555 0001", LANDLINE), ("65550001", LANDLINE), ("6555-0001", LANDLINE),
        ("0512-65550001-801", EXTENSION), ("65550001-801", EXTENSION), ("0512 65550001转801", EXTENSION),
        ("65550001 转 801", EXTENSION), ("0512-65550001 ext 801", EXTENSION), ("05126555 0001 x801", EXTENSION),
        ("0512-65550001分机801", EXTENSION), (EXTENSION, EXTENSION), ("400-123-4567", "+864001234567"),
        ("+1 650 253 0000", "+16502530000"),
    ],
)  # fmt: skip
def test_a_number_has_one_form_however_it_is_typed(typed: str, number: str):
    """A number that was refused on the telephone is a person who cannot book; one stored twice is two people."""
    assert e164(typed, "0512") == number


@pytest.mark.parametrize(
    "typed", ["1380013800", "138001380001", "12345678901", "120", "call me", "", "+86 000", "转801"]
)
def test_what_is_nobodys_number_is_refused(typed: str):
    """A digit too few or too many rings somebody else."""
    with pytest.raises(DomainError, match="invalid_phone"):
        e164(typed, "0512")


def test_a_landline_without_area_code_is_refused_where_the_citys_is_unknown():
    with pytest.raises(DomainError, match="invalid_phone"):
        e164("65550001")


def test_a_contact_may_be_a_line_anybody_rings():
    assert [dialled(short) for short in ("120", "12349", "１２０")] == ["120", "12349", "120"]
    assert dialled("0512-65550001-801") == EXTENSION


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (MOBILE, "138 0013 8000"), ("+8614912345678", "149 1234 5678"), (LANDLINE, "0512 6555 0001"),
        (EXTENSION, "0512 65550001-801"), (f"{MOBILE};ext=801", "138 0013 8000 x801"), ("+864001234567", "400 123 4567"), ("+16502530000", "+1 650-253-0000"), ("12349", "12349"),
    ],
)  # fmt: skip
def test_a_page_shows_a_number_as_it_is_dialled(number: str, said: str):
    """An operator reads it aloud in groups, and what they read is found when it is typed again."""
    assert as_dialled(number) == said
    assert dialled(said) == number


@pytest.mark.parametrize("typed", ["552051", "552 051", "552-051", "５５２０５１", " 552051\n", "552\u00a0051"])
def test_a_code_is_its_six_digits(typed: str):
    """Apps show a gap in the middle, and a paste brings a newline."""
    assert typed_code(typed) == "552051"


@pytest.mark.parametrize("typed", ["", "55205", "5520511", "55205l", "abcdef", "５５２０５"])
def test_what_has_not_six_digits_is_no_code(typed: str):
    assert typed_code(typed) is None
