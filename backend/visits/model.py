"""What a worker's phone reports, and the flags that say why a visit is looked at by a person."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from backend.core.bounds import Asked, GivenX, GivenY, Instant, Metres, Text, Wording, wording
from backend.core.geo import Datum, to_wgs84


class Kind(StrEnum):
    """What a report says has happened."""

    EN_ROUTE = "en_route"
    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    PICK_UP = "pick_up"
    HAND_OVER = "hand_over"
    NO_ACCESS = "no_access"  # at the door, and nobody opens
    ABORT = "abort"  # the visit is stopped


class Flag(StrEnum):
    """What is odd about a report; it is stored all the same."""

    TOO_EARLY = "TOO_EARLY"  # long before the window, or on an earlier day
    TOO_SHORT = "TOO_SHORT"  # a small part of the planned duration
    TWO_PLACES = "TWO_PLACES"  # the worker is in another visit, or came faster than anybody can
    OUT_OF_RANGE = "OUT_OF_RANGE"  # not at the place
    REPEATED = "REPEATED"  # the worker has reported this already
    NO_PICK_UP = "NO_PICK_UP"  # a meal handed over that nobody fetched
    MISSING_OUT = "MISSING_OUT"  # nobody checked out
    NO_POSITION = "NO_POSITION"  # the phone did not say where it was
    OFFLINE = "OFFLINE"  # sent later: only the phone says when it happened
    DEVICE_CLOCK = "DEVICE_CLOCK"  # the phone's clock and ours disagree
    PAPER = "PAPER"  # keyed in afterwards from a sheet: no phone was there
    SERVED_TWICE = "SERVED_TWICE"  # somebody else carried the same service out too, or was booked to
    OUT_OF_ORDER = "OUT_OF_ORDER"  # the order was not in a state for it
    NOT_IN_CREW = "NOT_IN_CREW"  # the worker had the seat before, and has it no longer
    WRONG_CODE = "WRONG_CODE"  # not the digits that the resident would have said
    NO_PRE_CHECK = "NO_PRE_CHECK"  # a service that asks for checks before it was ended without having passed them
    LINES_MISSING = "LINES_MISSING"  # something that is done at such a visit was not, or nobody said so


NOTES: Final = frozenset({Flag.OUT_OF_ORDER, Flag.NOT_IN_CREW, Flag.LINES_MISSING})
"""Said of a report that moved nothing, or did less than all; they cast no doubt on the visit itself."""

DOUBTS: Final = frozenset(flag.value for flag in Flag if flag not in NOTES)
"""While one of these stands on an order, silence completes nothing."""

OF_REPORTS: Final = DOUBTS - {Flag.MISSING_OUT.value, Flag.SERVED_TWICE.value}
"""Those that stand on an order because of what somebody of its crew has reported."""

WEAK: Final = frozenset({Flag.NO_POSITION.value, Flag.OFFLINE.value, Flag.DEVICE_CLOCK.value, Flag.PAPER.value})
"""Evidence that is missing, not evidence against: the resident's own word takes its place. The other doubts contradict
what was reported, and whoever made it up may hold the resident's telephone too: those a second person decides."""


class PositionReason(StrEnum):
    """Why a report from a door has no position, or one that is elsewhere, as the worker says by a button."""

    DECLINED = "declined"  # 我不想给定位
    NO_SIGNAL = "no_signal"  # 没有信号
    DOOR_ELSEWHERE = "door_elsewhere"  # 门牌不在图上的位置
    OTHER = "other"  # 别的原因


class LinesReason(StrEnum):
    """Why something that is done at such a visit was left out, as the worker says by a button."""

    RESIDENT_DECLINED = "resident_declined"  # 老人不要
    UNWELL = "unwell"  # 身体原因
    NO_TIME = "no_time"  # 来不及
    OTHER = "other"  # 别的


class EndReason(StrEnum):
    """Why a visit ended long before its planned end, or long after it, as the worker says by a button."""

    RESIDENT_ASKED = "resident_asked"  # 老人要求
    UNWELL = "unwell"  # 身体原因
    WAITED = "waited"  # 等人
    EQUIPMENT = "equipment"  # 设备
    OTHER = "other"  # 别的


Digits = Annotated[str, Meta(min_length=4, max_length=4, pattern="^[0-9]{4}$", extra=wording(Wording.MATCHED))]
"""The four digits of a visit, which its resident says at the door and nobody else knows."""


class Report(Asked, frozen=True):
    """What the worker's phone says at one moment; its clock is evidence, never order.

    `x` is the longitude and `y` the latitude, in degrees of the `datum`: WGS-84 as satellites give them, or GCJ-02 as maps and
    map services in mainland China do; stored is WGS-84. Where the city's places lie on a plane they are metres east and
    north. `offline` says that the report was kept on the phone and is sent later; only then does `device_at` tell when it
    happened. `door_code` are the four digits that the resident said to whoever checks in: right ones are as good as a position;
    with any other report they are passed over. `position_reason` is why there is no position, or one elsewhere,
    `lines_reason` why a check-out comes without a required line of the visit's checklist, `end_reason` why long before or after
    the planned end: it is asked for, and no report is refused for want of it. `left_at_door` says of a meal that it hangs at the door
    as agreed, and that nobody was seen; with any other report it is passed over.
    """

    device_at: Instant | None = None
    x: GivenX | None = None
    y: GivenY | None = None
    datum: Datum = "wgs84"
    accuracy_m: Metres | None = None
    tasks: Annotated[list[Text], Meta(max_length=100)] = field(default_factory=list)
    offline: bool = False
    door_code: Digits | None = None
    position_reason: PositionReason | None = None
    lines_reason: LinesReason | None = None
    end_reason: EndReason | None = None
    left_at_door: bool = False

    def in_wgs84(self) -> "Report":
        """The same report with its position in WGS-84."""
        if self.datum == "wgs84" or self.x is None or self.y is None:
            return self
        x, y = to_wgs84(self.x, self.y, self.datum)
        return replace(self, x=x, y=y, datum="wgs84")


class Word(StrEnum):
    """How it was, as the resident says by a button."""

    WELL = "well"  # 很好
    FAIR = "fair"  # 还可以
    OBJECTS = "objects"  # 有意见


class HandedWord(Asked, frozen=True):
    """What the resident presses on the worker's phone, with their four digits; without a word they would rather be rung."""

    word: Word | None = None
    digits: Digits | None = None
    device_at: Instant | None = None
    offline: bool = False


class Attendance(Asked, frozen=True):
    """What a sheet of paper says of one worker of the crew: when they came and went, and what was done."""

    worker_id: UUID
    came_at: Instant
    left_at: Instant
    tasks: Annotated[list[Text], Meta(max_length=100)] = field(default_factory=list)


class Place(Struct, frozen=True, forbid_unknown_fields=True):
    """A point in the geometry its city uses: degrees, metres on a plane, or none where only travel times are known."""

    geometry: str
    x: float
    y: float


class Moment(Struct, frozen=True, forbid_unknown_fields=True):
    """When something was reported: by our clock, by the phone's, and which of the two is to be believed."""

    received_at: datetime
    device_at: datetime | None
    offline: bool

    @property
    def happened_at(self) -> datetime:
        """When it happened: at receipt, or earlier where the report had to wait on the phone; never after its receipt."""
        if self.offline and self.device_at is not None:
            return min(self.device_at, self.received_at)
        return self.received_at


class Earlier(Struct, frozen=True, forbid_unknown_fields=True):
    """A report on the same order that counted, and the seat it was made from."""

    assignment_id: UUID
    kind: Kind
    moment: Moment


class Told(Struct, frozen=True, forbid_unknown_fields=True):
    """A report of one worker at any order that counted there; `under_way` where that visit still goes on."""

    record_id: UUID
    order_id: UUID
    assignment_id: UUID
    kind: Kind
    moment: Moment
    under_way: bool


class Sighting(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a worker was, at any order, by a report that counted there or not."""

    record_id: UUID
    order_id: UUID
    counts: bool
    at: Place
    accuracy_m: float | None
    moment: Moment


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """The care rules that say what is odd, as a city has set them."""

    radius_m: float
    early_s: float
    min_share: float
    max_travel_mps: float
    accuracy_m: float
    device_clock_s: float
    offline_back_s: float
    needs_position: float


class Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One report as stored, for whoever decides about the visit."""

    id: UUID
    worker_id: UUID
    kind: Kind
    received_at: datetime
    device_at: datetime | None
    offline: bool
    distance_m: float | None
    accuracy_m: float | None
    counts: bool
    flags: list[str]
    entered_by: UUID | None
    reason: str | None
    digits_fit: bool | None
    position_reason: PositionReason | None
    lines_reason: LinesReason | None
    end_reason: EndReason | None
    left_at_door: bool


class Side(StrEnum):
    """Whose words a statement holds."""

    RESIDENT = "resident"
    FAMILY = "family"
    PROVIDER = "provider"
    WORKER = "worker"


class Channel(StrEnum):
    """On whose phone something was said."""

    OWN = "own"
    WORKERS_PHONE = "workers_phone"


class Statement(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one side said about a visit, by whom it was written down, and when; kept as said."""

    id: UUID
    side: Side
    kind: str
    words: str
    said_by: UUID
    said_at: datetime
    channel: Channel
