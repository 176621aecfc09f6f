"""A resident as registered, the home, and who may know and book."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Code = Annotated[str, Meta(pattern="^[0-9]{6,12}$")]
Gender = Literal["female", "male"]


class Purpose(StrEnum):
    """What a consent is for."""

    STATUS = "status"
    LOCATION = "location"
    REPORTS = "reports"
    BOOK = "book"


class NewHome(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the resident lives: WGS-84 degrees, and the codes of the administrative areas (GB/T 2260, GB/T 10114)."""

    zone_id: UUID
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    address: Text
    district_code: Code
    street_code: Code
    community_code: Code


class NewContact(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to ring."""

    name: Text
    phone: str
    relation: Text
    emergency: bool = False


class NewResident(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A resident to be registered; the ability level is 0 (able) to 4, by the scheme named."""

    name: Text
    phone: str
    gender: Gender
    born_on: date | None = None
    ability_level: Annotated[int, Meta(ge=0, le=4)] = 0
    ability_scheme: Text = "GB/T 42195-2022"
    ability_assessed_on: date | None = None
    gender_wish: Literal["any", "female", "male"] = "any"
    diet: list[Text] = []
    home: NewHome
    contacts: list[NewContact] = []


class ResidentCard(Struct, frozen=True, forbid_unknown_fields=True):
    """What the operator sees when the phone rings, and the resident of themselves."""

    id: UUID
    name: str
    phone: str
    gender: str
    ability_level: int
    gender_wish: str
    diet: list[str]
    address: str
    zone_id: UUID
    suspended: bool


class ConsentGiven(Struct, frozen=True, forbid_unknown_fields=True):
    """A consent to be recorded: for whom, by telephone number, what for, and how it was given."""

    phone: str
    name: Text
    purpose: Purpose
    evidence: Text
    text_version: Text = "1"


class Consent(Struct, frozen=True, forbid_unknown_fields=True):
    """A consent as it stands; an open one has no `valid_to`."""

    id: UUID
    resident_id: UUID
    account_id: UUID
    person: str
    purpose: Purpose
    valid_from: datetime
    valid_to: datetime | None
    given_by: str
    channel: str
