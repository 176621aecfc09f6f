"""Telephone numbers in one form, E.164, however people write them."""

from typing import Final

import phonenumbers

from backend.core.errors import DomainError

HOME_REGION: Final = "CN"  # what a number without a country code means


def e164(text: str) -> str:
    """The number as `+8613800138000`. Raises DomainError invalid_phone."""
    try:
        number = phonenumbers.parse(text, HOME_REGION)
    except phonenumbers.NumberParseException as error:
        raise DomainError("invalid_phone") from error
    if not phonenumbers.is_valid_number(number):
        raise DomainError("invalid_phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
