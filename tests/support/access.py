"""Who may ask what of the interface, as a table: one row for each operation, one sign for each kind of asker.

Written by hand from what the platform promises, not from its guards: the two are held against each other.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from msgspec import Struct
from msgspec.structs import replace

from backend.scheduling import slots
from tests.support.city import DAY, at
from tests.support.people import SECRET

ASKERS: Final = (
    "nobody",
    "resident", "booker", "follower", "neighbour", "neighbour's family",
    "operator", "supervisor",
    "own provider", "other provider",
    "own worker", "other worker",
)  # fmt: skip
"""Seen from one order or resident: a booker may book and follow, a follower follows only."""

ALLOWED, OWN_ROWS, HIDDEN, NOT_ALLOWED, NOT_SIGNED_IN, OPEN = "A", "L", "-", "x", "?", "o"
"""Done, or refused for a reason of care; a list without others' rows; as if it did not exist; refused by role, before
anything is looked up; refused without a session; open to the street."""

_CLIENTS = "? AA--- Ax xx xx"
_DESK = "? xxxxx Ax xx xx"
_ANSWERS_OFFER = "? xxxxx xx A- xx"
_REPORTS = "? xxxxx xx xx A-"
_GIVERS = "? Axx-x Ax xx xx"
_ABOUT_ME = "? LLLLL LL LL LL"
_PEOPLE = "? xxxxx Ax A- xx"
_PUBLIC = "o ooooo oo oo oo"

_ROWS = {
    "GET /v1/zones": _PUBLIC,
    "GET /v1/facilities": _PUBLIC,
    "GET /v1/catalogue/items": _PUBLIC,
    "POST /v1/sign-in/codes": _PUBLIC,
    "POST /v1/sign-in/phone": _PUBLIC,
    "POST /v1/sign-in/password": _PUBLIC,
    "POST /v1/sign-in/card": _PUBLIC,
    "POST /v1/live/board-tickets": _PUBLIC,
    "GET /v1/me": _ABOUT_ME,
    "GET /v1/me/sessions": _ABOUT_ME,
    "GET /v1/me/residents": "? LLLLL xx xx xx",
    "POST /v1/live/tickets": _ABOUT_ME,
    "DELETE /v1/sign-in": _ABOUT_ME,
    "DELETE /v1/me/sessions": _ABOUT_ME,
    "DELETE /v1/me/sessions/{session_id}": "? A---- -- -- --",
    "POST /v1/residents": _DESK,
    "POST /v1/residents/search": _DESK,
    "GET /v1/residents/{resident_id}": _CLIENTS,
    "POST /v1/residents/{resident_id}/numbers": _DESK,
    "POST /v1/residents/{resident_id}/home": _DESK,
    "POST /v1/residents/{resident_id}/resume": _DESK,
    "GET /v1/residents/{resident_id}/contacts": _DESK,
    "POST /v1/residents/{resident_id}/contacts": _DESK,
    "GET /v1/residents/{resident_id}/sign-in-cards": _DESK,
    "POST /v1/residents/{resident_id}/sign-in-cards": _DESK,
    "GET /v1/residents/{resident_id}/consents": _GIVERS,
    "POST /v1/residents/{resident_id}/consents": _GIVERS,
    "POST /v1/residents/{resident_id}/consents/{consent_id}/end": _GIVERS,
    "POST /v1/residents/{resident_id}/consents/{consent_id}/number": _GIVERS,
    "GET /v1/me/consents": "? LLLLL xx xx xx",
    "GET /v1/me/consent-requests": "? LLLLL xx xx xx",
    "POST /v1/consent-requests": "? -AA-- xx xx xx",
    "GET /v1/residents/{resident_id}/consent-requests": _GIVERS,
    "POST /v1/residents/{resident_id}/consent-requests/{request_id}/answer": _GIVERS,
    "GET /v1/residents/{resident_id}/looks": _GIVERS,
    "POST /v1/consent-requests/{request_id}/withdraw": "? -A--- xx xx xx",
    "POST /v1/quotes": _CLIENTS,
    "POST /v1/quotes/best": _CLIENTS,
    "GET /v1/residents/{resident_id}/meal-times": _CLIENTS,
    "POST /v1/bookings": _CLIENTS,
    "GET /v1/orders": "? LLLLL AA LL xx",
    "POST /v1/orders/search": _DESK,
    "GET /v1/orders/{order_id}": "? AAA-- AA A- xx",
    "GET /v1/orders/{order_id}/explanation": "? xxxxx Ax A- xx",
    "GET /v1/orders/{order_id}/visit": "? AAA-- AA xx xx",
    "GET /v1/orders/{order_id}/read-back": _DESK,
    "GET /v1/residents/{resident_id}/visits": "? AAA-- AA xx xx",
    "POST /v1/orders/{order_id}/call-back": _DESK,
    "POST /v1/residents/{resident_id}/call-back": _DESK,
    "POST /v1/orders/{order_id}/extend": _CLIENTS,
    "POST /v1/orders/{order_id}/release": _CLIENTS,
    "POST /v1/orders/{order_id}/confirm": _CLIENTS,
    "POST /v1/orders/{order_id}/cancel": "? AA--- Ax A- xx",
    "POST /v1/orders/{order_id}/reschedule": _CLIENTS,
    "POST /v1/orders/{order_id}/assign": _DESK,
    "GET /v1/orders/{order_id}/swaps": "? xxxxx Ax A- xx",
    "POST /v1/orders/{order_id}/swap": "? xxxxx Ax A- xx",
    "POST /v1/orders/{order_id}/unserved": _DESK,
    "GET /v1/offers": "? xxxxx xx LL xx",
    "GET /v1/offers/{offer_id}": _ANSWERS_OFFER,
    "GET /v1/providers/me/day": "? xxxxx xx LL xx",
    "POST /v1/offers/{offer_id}/accept": _ANSWERS_OFFER,
    "POST /v1/offers/{offer_id}/decline": _ANSWERS_OFFER,
    "GET /v1/providers/me/roster": "? xxxxx xx LL xx",
    "POST /v1/providers/me/roster": "? xxxxx xx A- xx",
    "POST /v1/providers/me/roster/copy": "? xxxxx xx LL xx",
    "GET /v1/providers/me/workers": "? xxxxx xx LL xx",
    "GET /v1/providers/me/credentials": "? xxxxx xx LL xx",
    "GET /v1/workers/{worker_id}/absences": _PEOPLE,
    "POST /v1/workers/{worker_id}/absences/preview": _PEOPLE,
    "POST /v1/workers/{worker_id}/absences": _PEOPLE,
    "POST /v1/absences/{absence_id}/end": _PEOPLE,
    "GET /v1/workers/me/route": "? xxxxx xx xx LL",
    "POST /v1/orders/{order_id}/en-route": _REPORTS,
    "POST /v1/orders/{order_id}/check-in": _REPORTS,
    "POST /v1/orders/{order_id}/check-out": _REPORTS,
    "POST /v1/orders/{order_id}/pick-up": _REPORTS,
    "POST /v1/orders/{order_id}/hand-over": _REPORTS,
    "POST /v1/orders/{order_id}/no-access": _REPORTS,
    "GET /v1/orders/{order_id}/pre-check": "? AAA-- Ax xx A-",
    "POST /v1/orders/{order_id}/pre-check": _REPORTS,
    "POST /v1/orders/{order_id}/handed-word": _REPORTS,
    "GET /v1/orders/{order_id}/checklist": "? xxxxx Ax A- A-",
    "POST /v1/orders/{order_id}/checklist": _REPORTS,
    "POST /v1/orders/{order_id}/door-opened": _DESK,
    "POST /v1/orders/{order_id}/another-time": _DESK,
    "POST /v1/orders/{order_id}/abort": "? xxxxx Ax xx A-",
    "POST /v1/orders/{order_id}/accept-service": _CLIENTS,
    "POST /v1/orders/{order_id}/dispute": _CLIENTS,
    "POST /v1/orders/{order_id}/statements": "? AA--- Ax A- A-",
    "POST /v1/orders/{order_id}/resolve": _DESK,
    "POST /v1/orders/{order_id}/sheet": _DESK,
    "GET /v1/reviews": _DESK,
    "POST /v1/emergencies": "? AAA-- Ax xx LL",
    "GET /v1/emergencies": _DESK,
    "POST /v1/emergencies/{emergency_id}/call-off": "? A---- -x xx --",
    "POST /v1/emergencies/{emergency_id}/take": _DESK,
    "POST /v1/emergencies/{emergency_id}/close": _DESK,
    "GET /v1/tasks": _DESK,
    "POST /v1/tasks/{task_id}/take": _DESK,
    "POST /v1/tasks/{task_id}/close": _DESK,
}
EXPECTED: Final = {
    route: dict(zip(ASKERS, signs.replace(" ", ""), strict=True)) for route, signs in _ROWS.items()
}  # fmt: skip
UNKNOWN: Final = {
    "offers": "unknown_offer", "me": "unknown_session", "orders": "unknown_order", "emergencies": "unknown_emergency",
    "workers": "unknown_worker", "absences": "unknown_absence",
    "POST /v1/emergencies": "unknown_resident", "POST /v1/providers/me/roster": "unknown_worker",
    "POST /v1/consent-requests/{request_id}/withdraw": "unknown_request",
}  # fmt: skip
"""What a thing that is hidden is called, by the route or the second word of the path; anywhere else it is the resident."""


_KINDS: Final = ("en-route", "check-in", "check-out", "pick-up", "hand-over", "no-access")
_NAMES: Final = (
    "order_id",
    "offer_id",
    "resident_id",
    "consent_id",
    "session_id",
    "task_id",
    "emergency_id",
    "worker_id",
    "absence_id",
    "request_id",
)


class Thing(Struct, frozen=True, kw_only=True):
    """What is asked about: ids for the address and the body; the rest only fills the body in."""

    order_id: str = ""
    offer_id: str = ""
    resident_id: str = ""
    consent_id: str = ""
    consent_phone: str = ""
    session_id: str = ""
    slot: str = ""
    code: str = "0"
    phone: str = ""
    zone_id: str = ""
    worker_id: str = ""
    task_id: str = ""
    emergency_id: str = ""
    absence_id: str = ""
    request_id: str = ""

    def unknown(self) -> "Thing":
        """The same request about things nobody has."""
        fresh = {name: str(uuid4()) for name in _NAMES}
        return replace(self, **fresh)


class Request(Struct, frozen=True):
    """One request as it is sent."""

    method: str
    path: str
    query: dict[str, Any]
    body: Any


def request(route: str, thing: Thing, *, by_operator: bool) -> Request:
    """A valid request of a route about a thing."""
    method, template = route.split()
    path = template
    for name in _NAMES:
        path = path.replace(f"{{{name}}}", getattr(thing, name))
    of_a_day = {"/v1/workers/me/route", "/v1/providers/me/day", "/v1/providers/me/roster"}
    query = {"on": DAY.isoformat()} if method == "GET" and template in of_a_day else {}
    body = None if method != "POST" else _body(template, thing, by_operator)
    return Request(method, path, query, body)


def _slot(what: str, thing: Thing, by_operator: bool) -> Any:
    """A slot that is taken up, for a new order or instead of one."""
    slot = replace(slots.opened(thing.slot, SECRET), resident_id=UUID(thing.resident_id))
    if what == "reschedule":
        return {"slot": slots.sign(replace(slot, instead_of=UUID(thing.order_id)), SECRET)}
    channel = "phone" if by_operator else "app"
    return {"slot": slots.sign(slot, SECRET), "channel": channel, "hold_only": True}


def _body(template: str, thing: Thing, by_operator: bool) -> Any:
    what = template.rsplit("/", 1)[1]
    if what == "search":
        return {"code": thing.code} if "orders" in template else {"phone": thing.phone}
    if what in {"bookings", "reschedule"}:
        return _slot(what, thing, by_operator)
    home = {"zone_id": thing.zone_id, "longitude": 120.6, "latitude": 31.3, "address": "某路 1 号",
            "district_code": "320508", "street_code": "320508001", "community_code": "320508001001"}  # fmt: skip
    heard = [{"side": side, "words": "问过了"} for side in ("resident", "worker")]
    times = {"came_at": at(13, 30).isoformat(), "left_at": at(14, 20).isoformat()}
    wish = {"from_at": at(16).isoformat(), "to_at": at(18).isoformat()}
    away = {"from_at": at(8, days=20).isoformat(), "to_at": at(18, days=20).isoformat()}
    if what == "emergencies":
        return {
            "resident_id": thing.resident_id,
            **({"order_id": thing.order_id} if thing.order_id else {}),
            "remark": "头晕",
        }
    if template.startswith("/v1/emergencies"):
        return {"outcome": "fine"} if what == "close" else {}
    if template.startswith("/v1/tasks"):
        return {"outcome": "问过了"} if what == "close" else {}
    return {
        "codes": {"phone": "13912340001"},
        "phone": {"challenge_id": str(uuid4()), "code": "123456"},
        "password": {"login": "nobody", "password": "an invented word", "totp": "123456"},
        "call-back": {} if "orders" in template else {"words": "问问洗澡", "due_at": at(18, days=3).isoformat()},
        "card": {"card": "12345678901"},
        "sign-in-cards": {},
        "residents": {"name": "某人", "phone": "13912340002", "gender": "female", "home": home},
        "consent-requests": {"resident_id": thing.resident_id, "purposes": ["location", "book"]},
        "answer": {"answers": [{"purpose": "location", "agreed": True}], "evidence": "电话"},
        "consents": {"phone": "13912340003", "name": "某人", "purpose": "status", "evidence": "电话"},
        "contacts": {"contacts": [{"name": "某人", "phone": "13912340004", "relation": "邻居"}]},
        "number": {
            "phone": thing.consent_phone or "13912340005",
            "evidence": "电话",
        },  # theirs already: those who follow go on doing so
        "numbers": {"phone": thing.phone},
        "home": home,
        "best": {"resident_id": thing.resident_id, "item_code": "rehab-home", "days": 1},
        "quotes": {"resident_id": thing.resident_id, "item_code": "rehab-home", "wish": wish},
        **{
            command: {"reason": "不方便"}
            for command in ("cancel", "decline", "dispute", "unserved", "door-opened", "another-time", "resume")
        },
        "pre-check": {"answers": [{"check": "pulse", "number": 72}]},
        "checklist": {"line": "trained"},
        "handed-word": {"word": "well", "digits": "0000"},
        "abort": {"reason": "resident_refuses", "remark": "下次再来"},
        **{kind: {"device_at": None, "x": None, "y": None} for kind in _KINDS},
        "assign": {"worker_ids": [thing.worker_id], "start_at": at(11).isoformat(), "reason": "电话约定"},
        "preview": away,
        "roster": {
            "days": [
                {
                    "worker_id": thing.worker_id,
                    "on": (DAY + timedelta(days=30)).isoformat(),
                    "spans": [{"from_at": at(9, days=30).isoformat(), "to_at": at(18, days=30).isoformat()}],
                }
            ]
        },
        "copy": {"from_on": DAY.isoformat(), "to_on": (DAY + timedelta(days=42)).isoformat()},
        "absences": {**away, "reason": "sick"},
        "swap": {"worker_ids": [thing.worker_id], "reason": "请假"},
        "sheet": {"crew": [{"worker_id": thing.worker_id, **times}], "reason": "手机没电"},
        "statements": {"words": "来过了", **({"side": "family"} if by_operator else {})},
        "resolve": {"outcome": "completed", "code": "resident_confirmed", "reason": "电话核实", "heard": heard},
    }.get(what, {})
