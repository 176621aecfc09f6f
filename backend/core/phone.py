"""Telephone numbers in one form, E.164, however people write them."""

import re
from typing import Final

import phonenumbers

from backend.core.errors import DomainError
from backend.core.typed import plain

HOME_REGION: Final = "CN"  # what a number without a country code means
# sections are opened to sale faster than lists of them are published: 149 came years before the list had it
_COUNTRY: Final = 86
_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
_LOCAL: Final = re.compile(r"[2-8][0-9]{6,7}")  # as one is dialled inside its city
_SHORT: Final = re.compile(r"1[0-9]{2}|1[0-9]{4}|9[0-9]{4,5}")  # 120, 12349, 95598: lines anybody may be told to ring
_EXTENSION: Final = re.compile(
    r"(.*[0-9]{4})[\s)]*(?:转|轉|分机|分機|内线|;?ext[.=]?|x|#|,)\s*([0-9]{1,6})", re.IGNORECASE
)
_HYPHENED: Final = re.compile(  # 0512-65550001-801, +86 512 65550001-801
    r"((?:\+86[-\s]?\(?[0-9]{2,3}\)?[-\s]?|\(?0[0-9]{2,3}\)?[-\s]?)?[2-8][0-9]{6,7})-([0-9]{1,6})"
)


def e164(text: str, area_code: str = "") -> str:
    """The number as `+8613800138000`, with an extension as `+8651265550001;ext=801` (RFC 3966, 3).

    A landline without its area code is the city's, where that is known. Raises DomainError invalid_phone.
    """
    typed, extension = _split(plain(text))
    digits = "".join(sign for sign in typed if sign not in " -.·()")
    if area_code and _LOCAL.fullmatch(digits):
        typed = area_code + digits
    try:
        number = phonenumbers.parse(typed, HOME_REGION)
    except phonenumbers.NumberParseException as error:
        raise DomainError("invalid_phone") from error
    new_mobile = number.country_code == _COUNTRY and _MOBILE.fullmatch(str(number.national_number)) is not None
    if not (new_mobile or phonenumbers.is_valid_number(number)):
        raise DomainError("invalid_phone")
    found = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{found};ext={extension}" if extension else found


def dialled(text: str, area_code: str = "") -> str:
    """A number somebody is to ring: also a short one, which belongs to nobody, as it is. Raises DomainError invalid_phone."""
    digits = plain(text)
    return digits if _SHORT.fullmatch(digits) else e164(text, area_code)


def as_dialled(number: str) -> str:
    """A stored number as people here dial and say it: `138 0013 8000`, `0512 65550001-801`, `+1 650-253-0000`, `120`."""
    if _SHORT.fullmatch(number):
        return number
    bare, extension = _split(number)
    found = phonenumbers.parse(bare, HOME_REGION)
    at_home = found.country_code == _COUNTRY
    shape = phonenumbers.PhoneNumberFormat.NATIONAL if at_home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    said = phonenumbers.format_number(found, shape)
    if not extension:
        return said
    area, _, line = said.partition(" ")
    landline = at_home and area.startswith("0")
    return f"{area} {line.replace(' ', '')}-{extension}" if landline else f"{said} x{extension}"


def _split(text: str) -> tuple[str, str]:
    """A number and its extension."""
    found = _EXTENSION.fullmatch(text) or _HYPHENED.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")
