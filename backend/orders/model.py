"""The order and what belongs to it, as frozen rows."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from backend.core.bounds import Instant, ShownX, ShownY


class OrderStatus(StrEnum):
    """The states of an order; what leads from one to the next stands in lifecycle.py."""

    HELD = "held"  # 占位: a slot kept for minutes
    LAPSED = "lapsed"  # the hold ran out or was given back
    PLACED = "placed"  # 待派单: promised to the resident, not yet offered
    OFFERED = "offered"  # 待接单: a provider is asked, with a clock running
    ACCEPTED = "accepted"  # 已接单: who comes is promised too
    MANUAL = "manual"  # 人工派单: an operator owns it
    UNSERVED = "unserved"  # 未能安排: nobody could come
    EN_ROUTE = "en_route"  # 已出发
    ARRIVED = "arrived"  # 已到达
    IN_SERVICE = "in_service"  # 服务中
    ABORTED = "aborted"  # 已中止
    NO_ACCESS = "no_access"  # 无人应答: nobody opens the door
    MISSED = "missed"  # 缺服: nobody came
    AWAITING_ACCEPTANCE = "awaiting_acceptance"  # 待确认
    COMPLETED = "completed"  # 已完成
    DISPUTED = "disputed"  # 有异议
    EXCEPTION = "exception"  # 待核实
    REJECTED = "rejected"  # 不予结算
    VERIFIED = "verified"  # 已核验
    SETTLED = "settled"  # 已结算
    CLAWED_BACK = "clawed_back"  # 追回
    CANCELLED = "cancelled"  # 已取消


class Actor(StrEnum):
    """Who moves an order."""

    SYSTEM = "system"
    DISPATCHER = "dispatcher"
    RESIDENT = "resident"
    FAMILY = "family"
    OPERATOR = "operator"
    PROVIDER = "provider"
    WORKER = "worker"
    MEAL_POINT = "meal_point"
    NURSE = "nurse"
    REVIEWER = "reviewer"
    FINANCE = "finance"
    SUPERVISOR = "supervisor"


class Command(StrEnum):
    """What can be asked of an order, by a person, by the dispatcher or by its clock."""

    CONFIRM = "confirm"
    EXTEND = "extend"
    RELEASE = "release"
    EXPIRE_HOLD = "expire_hold"
    OFFER = "offer"
    ASSIGN = "assign"
    ACCEPT_OFFER = "accept_offer"
    DECLINE_OFFER = "decline_offer"
    EXPIRE_OFFER = "expire_offer"
    STEP_BACK = "step_back"  # 改派: a provider gives back what it had accepted
    LOSE_CREW = "lose_crew"  # 请假: who was to come cannot, and nobody else of the provider's
    TO_THE_DESK = "to_the_desk"
    GIVE_UP = "give_up"
    CANCEL = "cancel"
    SWAP = "swap"  # 换人: other workers of the same provider
    RESCHEDULE = "reschedule"  # 改时间: another window in place of the one promised
    SET_OUT = "set_out"
    SET_OUT_AGAIN = "set_out_again"  # the second leg of a meal
    PICK_UP = "pick_up"
    HAND_OVER = "hand_over"
    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    KEY_SHEET = "key_sheet"  # 纸质补录: what the crew wrote on paper, keyed in by an operator
    MISS = "miss"
    END_UNREPORTED = "end_unreported"
    ACCEPT_SERVICE = "accept_service"
    DISPUTE = "dispute"
    RESOLVE = "resolve"  # an operator decides what a doubted or disputed visit was
    AGREE_BY_SILENCE = "agree_by_silence"
    LATE_RECORD = "late_record"  # 补传: a report sent later shows that the visit happened
    DOUBT = "doubt"  # what was completed is contradicted by what was reported elsewhere later
    NOBODY_OPENS = "nobody_opens"  # 没人开门: somebody of the crew stands at a door that stays shut
    OPENED = "opened"  # 她开门了: who stood there checks in again
    LEAVE = "leave"  # 我得走了: who stood there cannot wait any longer; the desk goes on looking
    DOOR_OPENED = "door_opened"  # the desk knows that somebody opens now
    ANOTHER_TIME = "another_time"  # the desk has agreed another time of the same day
    ABORT = "abort"  # 中止: the crew stops a visit
    ABORT_AT_DESK = "abort_at_desk"  # an operator ends it, or a search behind a door that stayed shut


class Side(StrEnum):
    """At whose wish an order is called off."""

    RESIDENT = "resident"
    FAMILY = "family"
    PROVIDER = "provider"
    PLATFORM = "platform"


class AbortReason(StrEnum):
    """Why a visit was not carried out, or how a search behind a door that stayed shut has ended."""

    PRECHECK_FAILED = "precheck_failed"  # 洗前检查不合格
    UNWELL = "unwell"  # 身体不适
    RESIDENT_REFUSES = "resident_refuses"  # 老人不愿意
    EQUIPMENT = "equipment"  # 设备问题
    UNSAFE = "unsafe"  # 现场不安全
    OUT = "out"  # 出门了
    HOSPITAL = "hospital"  # 住院了
    MOVED = "moved"  # 搬走了
    EMERGENCY = "emergency"  # 出事了，已急救
    DEATH = "death"  # 去世
    OTHER = "other"  # 别的


OF_A_VISIT: Final = frozenset(AbortReason) - {AbortReason.OUT, AbortReason.MOVED}
"""What an operator may say of a visit that had begun: whoever is out or has moved was not visited."""
OF_A_SHUT_DOOR: Final = frozenset(
    {
        AbortReason.OUT, AbortReason.RESIDENT_REFUSES, AbortReason.HOSPITAL, AbortReason.MOVED, AbortReason.EMERGENCY,
        AbortReason.DEATH, AbortReason.OTHER,
    }
)  # fmt: skip
"""What an operator may have found out behind a door that stayed shut: that nobody knows is no outcome."""
SUSPENDING: Final = frozenset({AbortReason.HOSPITAL, AbortReason.DEATH})
"""What means that nothing is to be served to a resident until somebody says so."""


class AssignmentStatus(StrEnum):
    """One worker's part in an order."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    EN_ROUTE = "en_route"
    CHECKED_IN = "checked_in"
    CHECKED_OUT = "checked_out"
    DECLINED = "declined"
    REPLACED = "replaced"
    NO_SHOW = "no_show"
    WITHDRAWN = "withdrawn"


class Order(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One dated occurrence of a booking, as stored."""

    id: UUID
    code: str
    booking_id: UUID
    resident_id: UUID
    zone_id: UUID
    plan_on: date
    community_code: str
    item_code: str
    kind: str
    status: OrderStatus
    version: int
    flags: list[str]
    place_id: UUID
    pickup_place_id: UUID | None
    ready_at: Instant | None
    window_from: Instant
    window_to: Instant
    window_soft: bool
    latest_at: Instant
    hold_expires_at: Instant | None
    hold_extended_s: int
    price_fen: int
    price_lines: list[dict[str, Any]]
    provider_id: UUID | None
    acceptance: bool
    declined_by: list[UUID]
    expired_by: list[UUID]
    reason: str | None
    reasons: list[dict[str, Any]]
    abort_reason: AbortReason | None
    created_at: Instant
    placed_at: Instant | None


class Terms(Struct, frozen=True, kw_only=True):
    """What an order promises, and all it copies for that, so that later changes of home or catalogue leave it alone."""

    zone_id: UUID
    plan_on: date
    catalogue_version_id: UUID
    home_id: UUID
    place_id: UUID
    district_code: str
    street_code: str
    community_code: str
    pickup_facility_id: UUID | None
    pickup_place_id: UUID | None
    ready_at: datetime | None
    pickup_s: int
    max_ride_s: int | None
    gender_wish: str
    wish_from: datetime
    wish_to: datetime
    window_from: datetime
    window_to: datetime
    window_soft: bool
    latest_at: datetime
    price_fen: int
    price_lines: list[dict[str, Any]]
    acceptance: bool


class NewOrder(Struct, frozen=True, kw_only=True):
    """An order as it is held: what was booked for whom, how long it is held, and its terms."""

    booking_id: UUID
    resident_id: UUID
    item_code: str
    kind: str
    hold_s: int
    terms: Terms


class OwnOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Another order of a resident: when it keeps the resident busy, as planned, else anywhere in its window.

    `over_at` and `starts_at` are the earliest it can be over and the latest it can begin, `length_s` how long it takes.
    """

    id: UUID
    plan_id: UUID
    kind: str
    from_at: Instant
    to_at: Instant
    over_at: Instant
    starts_at: Instant
    length_s: int
    rests_after_meals: bool


class NewSeat(Struct, frozen=True):
    """One place in the crew."""

    number: int
    skills: list[str]
    duration_s: int
    gender_rule: str


class NewLink(Struct, frozen=True):
    """One order must start between two gaps after another one of the same day, in seconds."""

    before_id: UUID
    after_id: UUID
    min_gap_s: int
    max_gap_s: int | None
    gap_from: str


class Assignment(Struct, frozen=True, forbid_unknown_fields=True):
    """One worker bound to one seat."""

    id: UUID
    order_id: UUID
    seat: int
    worker_id: UUID
    status: AssignmentStatus
    version: int


class Offer(Struct, frozen=True, forbid_unknown_fields=True):
    """An order put to a provider, with an expiry in care time."""

    id: UUID
    order_id: UUID
    provider_id: UUID
    kind: str
    status: str
    version: int
    made_at: datetime
    expires_at: datetime


class RouteStop(Struct, frozen=True, forbid_unknown_fields=True):
    """One stop as the worker's phone shows it; times are the planned handling time."""

    order_id: UUID | None
    order_code: str | None
    order_version: int | None
    order_status: str | None
    assignment_status: str | None
    seat: int
    kind: str
    place_id: UUID
    geometry: str
    x: ShownX
    y: ShownY
    from_at: Instant
    to_at: Instant
    started: bool
    done: bool
    wrong_code: bool
    asks_word: bool
    item_kind: str | None
    service: str | None
    service_en: str | None
    zone: str | None
    window_from: Instant | None
    window_to: Instant | None
    crew: list[str]
    resident: str | None
    address: str | None


class RouteView(Struct, frozen=True):
    """One worker's day; a position within `range_m` of a door, or `unsure_m` more by an unsure phone, is at it.

    A stop that has moved by `told_s` since the worker took note of it is told to them. Whoever checks out by more than
    `end_asked_s` before or after the planned end of a visit is asked why.
    """

    plan_on: date
    stops: list[RouteStop]
    range_m: float
    unsure_m: float
    told_s: float
    end_asked_s: float


class BookedAgain(Struct, frozen=True, forbid_unknown_fields=True):
    """An order that was made in place of another one."""

    id: UUID
    code: str
    zone_id: UUID
    plan_on: date


class Timer(Struct, frozen=True, forbid_unknown_fields=True):
    """Something to happen at a care time."""

    id: UUID
    kind: str
    subject_id: UUID
    zone_id: UUID | None  # whose plan is locked when it fires


class Waiting(Struct, frozen=True, forbid_unknown_fields=True):
    """A placed order to be looked at; all else is read when it is locked, each order by itself."""

    id: UUID
    zone_id: UUID
    plan_on: date

    @property
    def day(self) -> tuple[UUID, date]:
        """Which plan it belongs to."""
        return self.zone_id, self.plan_on


class Flagged(Struct, frozen=True, forbid_unknown_fields=True):
    """What even an order that cannot be read has: who must know of it."""

    id: UUID
    code: str
    kind: str
    status: str
    before: str
    version: int
    resident_id: UUID
    zone_id: UUID
    plan_on: date
    provider_id: UUID | None
