"""What pages of residents and families show of a visit, in the words of whoever reads it."""

from typing import Final
from uuid import UUID

from backend.core.codes import grouped
from backend.core.errors import DomainError
from backend.database.clock import care_now
from backend.database.pool import Connection
from backend.orders.progress import VisitLine, VisitView
from backend.orders.views import OrderView
from backend.pages.rendering import Asked, Reader
from backend.pages.states import FAMILY, PERSON
from backend.pages.times import Calendar
from backend.pages.words import ABORTED, REASONS, STATES
from backend.residents.names import name_in

ROLES: Final = {
    "meal": ("送餐员", "meal courier"), "bath": ("助浴员", "bather"), "rehab": ("康复师", "therapist"), "care": ("护理员", "care worker"),
}  # fmt: skip
KINDS: Final = {
    "meal": ("助餐", "meal"), "bath": ("助浴", "bath"), "rehab": ("康复", "rehab"), "care": ("照护", "care"), "break": ("休息", "break"),
}  # fmt: skip
_TOGETHER: Final = {"zh": "、", "en": ", "}


def whom(request: Asked, of: UUID | None) -> UUID:
    """Whose pages these are: one's own, or those of somebody who has let one in. Raises not_allowed for staff."""
    if of is not None:
        return of
    if request.user.own_id is None:
        raise DomainError("not_allowed")
    return request.user.own_id


async def calendar(connection: Connection, request: Asked) -> Calendar:
    """Say times to whoever asks, as of now."""
    zone = request.app.state.planner.zone_info
    return Calendar(Reader.of(request).language, zone, await care_now(connection))


def names(visit: VisitView, language: str) -> str:
    """Who comes, one after the other."""
    return _TOGETHER[language].join(name_in(person.name, language) for person in visit.crew)


def state_of(visit: VisitView, when: Calendar, *, own: bool = True) -> str:
    """The state of a visit, with who comes and when they are expected where that is known; `own` to its resident."""
    facts = {"crew": names(visit, when.language)}
    if visit.estimate is not None:
        facts["eta"] = when.clock(visit.estimate.at)
    if visit.order.abort_reason is not None:
        facts["why"] = ABORTED[visit.order.abort_reason][0 if when.language == "zh" else 1]
    if visit.order.hold_expires_at is not None:
        facts["until"] = when.clock(visit.order.hold_expires_at)
    return (PERSON if own else FAMILY)[visit.order.status].told(when.language, facts)


def state_of_line(order: OrderView, when: Calendar, *, own: bool = True) -> str:
    """The state of an order in a list, where no more than the order is known."""
    return (PERSON if own else FAMILY)[order.status].told(when.language, {})


def staff_state(status: str, language: str) -> str:
    """The state of an order in the short words of staff."""
    return STATES[status].label(language)


def service_in(language: str, visit: VisitView | VisitLine) -> str:
    """What the service is called."""
    return visit.service_en if language == "en" else visit.service


def spoken_code(code: str) -> str:
    """An order's number in groups, as it is read to somebody."""
    return grouped(code)


def back(home: str, of: UUID | None) -> str:
    """Where whoever looks after somebody else's visits comes from."""
    if of is None:
        return home
    return f"/desk/residents/{of}" if home == "/desk" else "/family"


def why_aborted(reason: str, language: str) -> str:
    """Why a visit was not carried out."""
    return ABORTED[reason][0 if language == "zh" else 1]


def why_none(code: str, language: str) -> str:
    """Why there is no window, in the short words of staff."""
    return REASONS[code][language] if code in REASONS else ""


def why_at_desk(status: str, reason: str | None, language: str) -> str:
    """What brings an order to the desk, in the short words of staff."""
    if status == "manual" and reason in REASONS:
        return REASONS[reason][language]
    return staff_state(status, language)
