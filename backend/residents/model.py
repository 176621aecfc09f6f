"""A resident as registered, the home, and who may know and book."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from backend.core.bounds import Asked, Latitude, Longitude, PhoneText, Text, Wording, wording
from backend.core.geo import Datum, to_wgs84

Code = Annotated[str, Meta(pattern="^[0-9]{6,12}(?!\n)$", max_length=12, extra=wording(Wording.MATCHED))]
Gender = Literal["female", "male"]


class Purpose(StrEnum):
    """What a consent is for."""

    STATUS = "status"
    LOCATION = "location"
    REPORTS = "reports"
    BOOK = "book"


class NewHome(Asked, frozen=True, kw_only=True):
    """Where the resident lives: degrees of the `datum`, and the codes of the administrative areas (GB/T 2260, GB/T 10114).

    Maps and map services in mainland China show GCJ-02, some hundred metres off WGS-84; whoever copies from one says so.
    """

    zone_id: UUID
    longitude: Longitude
    latitude: Latitude
    datum: Datum = "wgs84"
    address: Text
    district_code: Code
    street_code: Code
    community_code: Code

    def in_wgs84(self) -> "NewHome":
        """The same home with its position in WGS-84."""
        longitude, latitude = to_wgs84(self.longitude, self.latitude, self.datum)
        return replace(self, longitude=longitude, latitude=latitude, datum="wgs84")


class NewContact(Asked, frozen=True):
    """Somebody to ring."""

    name: Text
    phone: PhoneText
    relation: Text
    emergency: bool = False


class NewResident(Asked, frozen=True, kw_only=True):
    """A resident to be registered; the ability level is 0 (able) to 4, by the scheme named."""

    name: Text
    phone: PhoneText
    gender: Gender
    born_on: date | None = None
    ability_level: Annotated[int, Meta(ge=0, le=4)] = 0
    ability_scheme: Text = "GB/T 42195-2022"
    ability_assessed_on: date | None = None
    gender_wish: Literal["any", "female", "male"] = "any"
    diet: Annotated[list[Text], Meta(max_length=20)] = field(default_factory=list)
    home: NewHome
    contacts: Annotated[list[NewContact], Meta(max_length=20)] = field(default_factory=list)


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


class Followed(Struct, frozen=True):
    """A resident whose visits somebody may follow, and whether they may also book for them."""

    id: UUID
    name: str
    may_book: bool


class Caller(Struct, frozen=True, forbid_unknown_fields=True):
    """As whom somebody with a number speaks for a resident: as themselves, somebody to ring, or somebody they have let in.

    A contact without purposes may be told nothing and book nothing; whoever is somebody to ring and let in is one caller.
    """

    name: str
    by_right: Literal["resident", "contact", "consent"]
    relation: str | None
    purposes: list[Purpose]


class Found(ResidentCard, frozen=True, forbid_unknown_fields=True):
    """A resident the desk has found, and who of those with the number it was asked for may be speaking."""

    callers: list[Caller]


class CardHolder(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody a sign-in card can be printed for: the resident, or family by a consent of theirs."""

    consent_id: UUID | None
    name: str


class CardWanted(Asked, frozen=True):
    """For whom a card is printed: the resident, or whoever an open consent of theirs is for."""

    consent_id: UUID | None = None


class Numbers(Asked, frozen=True):
    """A resident's telephone numbers as they are from now on: the one to ring, and others they sign in with."""

    phone: PhoneText
    others: Annotated[list[PhoneText], Meta(max_length=10)] = field(default_factory=list)


class NumbersKept(Struct, frozen=True):
    """The same as it is kept, in E.164."""

    phone: str
    others: list[str]


class Contacts(Asked, frozen=True):
    """Whom to ring about a resident from now on."""

    contacts: Annotated[list[NewContact], Meta(max_length=20)]


class Contact(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to ring, with the number as it is kept: E.164, or a short one such as 120."""

    name: str
    phone: str
    relation: str
    emergency: bool


class NewNumber(Asked, frozen=True):
    """The number somebody who was let in has from now on, and how the resident said so."""

    phone: PhoneText
    evidence: Text


class ConsentGiven(Asked, frozen=True):
    """A consent to be recorded: for whom, by telephone number, what for, and how it was given."""

    phone: PhoneText
    name: Text
    purpose: Purpose
    evidence: Text
    text_version: Text = "1"


class Consent(Struct, frozen=True, forbid_unknown_fields=True):
    """A consent as it stands, with the name and number it was given for; an open one has no `valid_to`."""

    id: UUID
    resident_id: UUID
    person: str
    phone: str
    purpose: Purpose
    valid_from: datetime
    valid_to: datetime | None
    given_by: str
    channel: str


Purposes = Annotated[list[Purpose], Meta(min_length=1, max_length=4)]


class Held(Struct, frozen=True, forbid_unknown_fields=True):
    """A resident who has let somebody in, and for what."""

    resident_id: UUID
    name: str
    purposes: list[Purpose]


class ConsentAsked(Asked, frozen=True):
    """A consent somebody would like to be given: of whom, and what for.

    Of a resident who has let them in before, by `resident_id`; of anybody else by the name and a number of theirs, and the
    answer is the same whoever has these or nobody. With `by_desk` an operator rings and asks.
    """

    purposes: Purposes
    resident_id: UUID | None = None
    phone: PhoneText | None = None
    name: Text | None = None
    by_desk: bool = False


class Look(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody a resident has let in was shown something; `looked_at` is the first time within that hour."""

    person: str
    phone: str
    purpose: Purpose
    looked_at: datetime


class RequestStatus(StrEnum):
    """What has become of what was asked for; given where anything was."""

    ASKED = "asked"
    GIVEN = "given"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class ConsentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody has asked for, as they are told of it: nothing of whom it has reached, or whether anybody."""

    id: UUID
    name: str
    phone: str | None
    resident_id: UUID | None
    purposes: list[Purpose]
    given: list[Purpose]
    refused: list[Purpose]
    status: RequestStatus
    asked_at: datetime
    expires_at: datetime


class ConsentQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """The same as it is put to the resident: who asks, and what for."""

    id: UUID
    resident_id: UUID
    person: str
    phone: str
    purposes: list[Purpose]
    given: list[Purpose]
    refused: list[Purpose]
    status: RequestStatus
    by_desk: bool
    asked_at: datetime
    expires_at: datetime

    @property
    def unanswered(self) -> list[Purpose]:
        """What is still to be answered, in the order it was asked."""
        return [one for one in self.purposes if one not in self.given and one not in self.refused]


class ConsentAnswer(Asked, frozen=True):
    """Yes or no to one thing."""

    purpose: Purpose
    agreed: bool


class ConsentAnswers(Asked, frozen=True):
    """What the resident says to each thing that was asked for, and how they said so: a recording, or in the app."""

    answers: Annotated[list[ConsentAnswer], Meta(min_length=1, max_length=4)]
    evidence: Text
