"""The life of an order as its rules are written down, apart from the code that keeps them.

Written from the table of moves in words, and on purpose without `orders/lifecycle.py`: the two are held against each
other by people who do whatever they like. `expected` says what one command of one person must answer and leave behind.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

WAITING: Final = frozenset({"placed", "offered", "manual"})
ON_THE_WAY: Final = frozenset({"accepted", "en_route"})
GONE: Final = frozenset({"lapsed", "cancelled", "unserved", "rejected"})
SPEAKS_FOR: Final = frozenset({"resident", "daughter", "operator"})
"""Who decides for the resident: not a son who may only look, not a neighbour."""

PEOPLE: Final = (
    "resident", "daughter", "son", "neighbour", "operator", "supervisor", "own provider", "other provider",
    "own worker", "other worker", "nobody",
)  # fmt: skip
CLIENTS: Final = frozenset({"resident", "daughter", "son", "neighbour", "operator"})
PROVIDERS: Final = frozenset({"own provider", "other provider"})
WORKERS: Final = frozenset({"own worker", "other worker"})
REPORTS: Final = ("en-route", "check-in", "check-out", "pick-up", "hand-over", "no-access")
MAY_TRY: Final = {
    "confirm": CLIENTS, "extend": CLIENTS, "release": CLIENTS, "accept-service": CLIENTS, "dispute": CLIENTS,
    "reschedule": CLIENTS, "swap": {"operator"} | PROVIDERS, "cancel": CLIENTS | PROVIDERS, "assign": {"operator"}, "unserved": {"operator"}, "resolve": {"operator"}, "sheet": {"operator"},
    "statements": CLIENTS | PROVIDERS | WORKERS,
    "accept": PROVIDERS, "decline": PROVIDERS, **dict.fromkeys(REPORTS, WORKERS), "abort": {"operator"} | WORKERS,
    "door-opened": {"operator"}, "another-time": {"operator"},
}  # fmt: skip
"""Whose door has the command at all; everybody else is not allowed, whatever the order."""

COMMANDS: Final = tuple(MAY_TRY)
JUDGED: Final = frozenset({"awaiting_acceptance", "disputed", "exception"})
"""The states in which each side may say something about a visit."""

# What the platform does by itself: by a clock, or by looking for a crew.
BY_CLOCK: Final = frozenset({
    ("held", "lapsed"), ("offered", "placed"), ("placed", "manual"), ("offered", "manual"), ("placed", "unserved"),
    ("offered", "unserved"), ("manual", "unserved"), ("accepted", "missed"), ("en_route", "missed"),
    ("accepted", "aborted"), ("en_route", "aborted"), ("arrived", "manual"), ("arrived", "no_access"),
    ("in_service", "awaiting_acceptance"),
    ("in_service", "completed"), ("in_service", "exception"), ("awaiting_acceptance", "completed"),
    ("awaiting_acceptance", "exception"), ("completed", "exception"),
    # given up, where a report was waiting for another one that never came
    ("missed", "exception"), ("aborted", "exception"), ("manual", "exception"),
})  # fmt: skip
BY_A_REPORT_ELSEWHERE: Final = frozenset({("completed", "exception")})
"""What a report on another order may do to an order: its worker cannot have been at both."""
BY_DISPATCH: Final = frozenset({("placed", "offered"), ("placed", "accepted"), ("placed", "manual")})
BY_A_LATE_REPORT: Final = frozenset(
    (before, "exception")
    for before in (*WAITING, *ON_THE_WAY, "missed", "aborted", "cancelled", "unserved", "completed")
)
"""What somebody may show by a report who is not in the crew any more: they came all the same, or came too."""
NOBODY_EXPECTED: Final = frozenset({"missed", "aborted", "manual", "cancelled", "unserved"})

_CLIENTS: Final = "resident family operator"
_MOVES: Final = f"""
new: placed system; held {_CLIENTS}
held: placed {_CLIENTS}; lapsed system {_CLIENTS}
placed: placed {_CLIENTS}; offered dispatcher operator; manual system dispatcher; unserved system operator; exception system; cancelled {_CLIENTS}
offered: accepted provider; placed provider system dispatcher {_CLIENTS}; manual system dispatcher; unserved system operator; exception system; cancelled {_CLIENTS}
manual: offered operator; accepted operator; placed {_CLIENTS}; unserved system operator; exception system; cancelled {_CLIENTS}
accepted: placed system provider worker dispatcher {_CLIENTS}; en_route worker; arrived worker; missed system; awaiting_acceptance operator
accepted: completed* meal_point; aborted* system meal_point; exception system; cancelled {_CLIENTS}
en_route: arrived worker operator; placed system worker operator; manual system worker operator; missed system; awaiting_acceptance operator
en_route: completed* worker; aborted* system meal_point; exception system; cancelled provider {_CLIENTS}
arrived: in_service worker; placed system worker operator; manual system worker operator; aborted worker nurse operator; no_access worker system
arrived: completed* worker
in_service: awaiting_acceptance worker system; aborted worker nurse operator; no_access worker
no_access: arrived worker operator; manual worker operator; aborted operator
missed: manual operator; cancelled operator; exception system operator
awaiting_acceptance: completed system {_CLIENTS}; disputed system {_CLIENTS}; exception system
disputed: completed operator reviewer; exception operator reviewer; rejected operator reviewer
completed: verified system reviewer; exception system reviewer
aborted: verified system reviewer; exception system reviewer
exception: verified reviewer; completed operator; rejected operator reviewer
verified: exception reviewer; settled finance supervisor
settled: clawed_back finance supervisor
cancelled: exception system
unserved: exception system
"""
MOVES: Final = {
    (before, after.rstrip("*")): (frozenset(who), "*" in after)
    for before, _, moves in (line.partition(": ") for line in _MOVES.strip().splitlines())
    for after, *who in map(str.split, moves.split(";"))
}
"""By state before and after: who may move an order so at all, and whether only an order for a meal."""

_DONE: Final = "awaiting_acceptance>completed awaiting_acceptance>exception"
_BY_COMMAND: Final = f"""
confirm | {_CLIENTS} | held | >placed
extend | {_CLIENTS} | held
release | {_CLIENTS} | held | >lapsed
expire_hold | system | held | >lapsed
offer | dispatcher provider | placed | >offered offered>accepted
assign | operator provider | manual | >offered offered>accepted
accept_offer | provider | offered | >accepted
decline_offer | provider | offered | >placed
expire_offer | system | offered | >placed
step_back | provider | accepted | >placed
lose_crew | provider operator | offered accepted | >placed
to_the_desk | system dispatcher | placed offered | >manual
give_up | system operator | placed offered manual | >unserved
cancel | provider {_CLIENTS} | placed offered manual accepted en_route missed | >cancelled
swap | provider operator | offered accepted
reschedule | {_CLIENTS} | placed offered manual accepted | >placed
set_out | worker | accepted en_route arrived no_access | accepted>en_route | accepted
set_out_again | worker | en_route | | en_route | meal
pick_up | worker | en_route | | en_route | meal
hand_over | worker system | en_route arrived no_access | en_route>completed arrived>completed no_access>arrived completed>exception | accepted en_route checked_in | meal
nobody_opens | worker | accepted en_route arrived in_service no_access | accepted>arrived en_route>arrived arrived>no_access in_service>no_access | accepted en_route checked_in
check_in | worker | accepted en_route arrived no_access | accepted>arrived en_route>arrived arrived>in_service | accepted en_route | bath
check_out | worker system | in_service | >awaiting_acceptance {_DONE} | checked_in | bath
key_sheet | operator system | accepted en_route missed | accepted>awaiting_acceptance en_route>awaiting_acceptance awaiting_acceptance>exception missed>exception | | bath
miss | system | accepted en_route arrived | accepted>missed en_route>missed accepted>aborted en_route>aborted arrived>manual arrived>no_access
opened | worker | arrived no_access | no_access>arrived arrived>in_service | checked_in | bath
leave | worker | no_access | | checked_in
door_opened | operator | no_access | >arrived
another_time | operator | no_access | >manual | | bath
abort | worker | arrived in_service | >aborted | checked_in
abort_at_desk | operator | arrived in_service no_access | >aborted
end_unreported | system | in_service | >awaiting_acceptance {_DONE}
accept_service | system {_CLIENTS} | awaiting_acceptance | {_DONE}
dispute | {_CLIENTS} | awaiting_acceptance | >disputed
resolve | operator | disputed exception | >completed >rejected disputed>exception
agree_by_silence | system | awaiting_acceptance | {_DONE}
late_record | system | placed offered manual accepted en_route missed cancelled unserved aborted | >exception | accepted en_route no_show replaced withdrawn
doubt | system | completed | >exception
"""
SEATS: Final = {
    "empty": {"proposed", "accepted"},
    "proposed": {"accepted", "declined", "replaced", "withdrawn"},
    "accepted": {"en_route", "checked_in", "replaced", "no_show", "withdrawn"},
    "en_route": {"checked_in", "replaced", "no_show", "withdrawn"},
    "checked_in": {"checked_out", "withdrawn"},
}
"""Name what may become of a worker's part in an order."""

TIMERS: Final = {
    "hold_expiry": {"held"}, "manual_due": {"placed", "offered"}, "unserved_due": {"placed", "offered", "manual"},
    "missed_due": {"accepted", "en_route", "arrived"}, "missing_out": {"in_service"}, "no_access_due": {"no_access"},
    "acceptance_due": {"awaiting_acceptance"},
}  # fmt: skip
"""The states for which something is to happen by itself."""


class Asked(Struct, frozen=True):
    """One command: who gives it, in which states, the moves it may make, from which seats, and for which kind alone."""

    who: frozenset[str]
    starts: frozenset[str]
    moves: frozenset[tuple[str, str]]
    seats: frozenset[str]
    kind: str

    def begins(self, actor: str, status: str, kind: str, seat: str | None) -> bool:
        """Tell whether it may be given so; where it moves the order at once, one of these moves must be the actor's."""
        ways = [MOVES[move] for move in self.moves if move[0] == status]
        mine = not ways or any(actor in who and (kind == "meal" or not meals) for who, meals in ways)
        fits = self.kind in {"", kind} and (not self.seats or seat in self.seats)
        return actor in self.who and status in self.starts and fits and mine


def _asked(who: str, starts: str, moves: str = "", seats: str = "", kind: str = "") -> Asked:
    ways = [move.partition(">")[::2] for move in moves.split()]
    all_ways = frozenset((start, after) for before, after in ways for start in ([before] if before else starts.split()))
    return Asked(frozenset(who.split()), frozenset(starts.split()), all_ways, frozenset(seats.split()), kind.strip())


BY_COMMAND: Final = {
    name.strip(): _asked(*rest) for name, *rest in (line.split("|") for line in _BY_COMMAND.strip().splitlines())
}


class Seen(Struct, frozen=True):
    """An order as it stands before a command, and what the command meets."""

    status: str
    kind: str
    now: datetime
    plan_begun: bool
    acceptance: bool
    hold_expires_at: datetime | None
    may_extend: bool
    offer_open: bool  # there is an offer, it is open and has not run out
    seat: str | None  # the seat of the worker who reports, None where they have none now
    had_seat: bool
    sent: bool  # a seat of theirs was once more than proposed
    given_up: bool  # nobody had heard of them when they were due
    offline: bool  # the report was kept on the phone
    left_before: bool  # a check-out of somebody of the crew, kept on a phone, waits for a check-in
    doubted: bool  # a flag stands
    others_at_door: bool  # everybody else of the crew has checked in
    others_left: bool
    somebody_there: bool  # of the crew, not all have had to leave a door that stays shut


class Answer(Struct, frozen=True):
    """What must come back: one of these codes, and one of these states of the order afterwards."""

    codes: frozenset[int]
    after: frozenset[str]


def _is(codes: int | set[int], *after: str) -> Answer:
    return Answer(frozenset(codes if isinstance(codes, set) else {codes}), frozenset(after))


def expected(who: str, command: str, seen: Seen) -> Answer:
    """The answer a command must get, and where it must leave the order."""
    here = seen.status
    if who == "nobody" or who not in MAY_TRY[command]:
        return _is(401 if who == "nobody" else 403, here)
    if who in {"son", "neighbour", "other provider"} or (who == "other worker" and not seen.had_seat):
        return _is(404, here)
    if command == "statements":
        if who == "own worker" and seen.seat in {None, "proposed"}:  # unless a sheet says that they came
            return _is({201, 403} if here in JUDGED else {403, 409}, here)
        return _is(201 if here in JUDGED else {404, 409}, here)
    if command in REPORTS or (command == "abort" and who in WORKERS):
        return _report(command, seen)
    return _provider(command, seen) if who == "own provider" else _client(who, command, seen)


def _client(who: str, command: str, seen: Seen) -> Answer:
    here, over = seen.status, seen.hold_expires_at is not None and seen.hold_expires_at <= seen.now
    starts: dict[str, set[str]] = {
        "cancel": {*WAITING, *ON_THE_WAY, *({"missed"} if who == "operator" else ())},
        "swap": {"accepted", *({"offered"} if seen.offer_open else ())},
        "reschedule": {*WAITING, "accepted"}, "unserved": {*WAITING}, "accept-service": {"awaiting_acceptance"}, "dispute": {"awaiting_acceptance"},
        "release": {"held"}, "confirm": {"held"}, "extend": {"held"}, "assign": {"manual"},
        "resolve": {"disputed", "exception"},
        "sheet": set() if seen.kind == "meal" else {*ON_THE_WAY, "missed"},
        "door-opened": {"no_access"} if seen.somebody_there else set(), "abort": {"arrived", "in_service", "no_access"},
        "another-time": set() if seen.kind == "meal" else {"no_access"},
    }  # fmt: skip
    answers = {
        # 409 and 422: nobody is left then, or the slot is too old or past; 400: another is to follow within some time
        "reschedule": _is({200, 400, 409, 422}, "placed", here),
        "cancel": _is(200, "cancelled"), "unserved": _is(200, "unserved"), "dispute": _is(200, "disputed"),
        "release": _is(200, "lapsed"), "confirm": _is(200, "placed"),
        "extend": _is(200 if seen.may_extend else 409, "held"),
        "door-opened": _is(200, "arrived"), "another-time": _is(200, "manual"), "abort": _is(200, "aborted"),
        # some flags the resident's word clears, others it does not
        # and an operator who keyed the visit in does not agree to it in the resident's name
        "accept-service": _is(
            {200, *([403] if who == "operator" and seen.doubted else [])},
            "completed", *(["exception", here] if seen.doubted else []),
        ),
        # 400: a sheet of another day, or of hours to come
        "sheet": _is({200, 400}, here, "exception", *(["awaiting_acceptance"] if seen.acceptance else [])),
        "assign": _is({200, 422}, "offered", "accepted", "manual"),
        "swap": _is({200, 422}, here),
        # 403: not by whoever keyed in what it rests on; 409: a doubted visit is not put aside as doubted
        "resolve": _is({200, 403, 409}, "completed", "rejected", "exception", here),
    }  # fmt: skip
    if command in {"confirm", "extend"} and (here == "lapsed" or (here == "held" and over)):
        return _is(410, here)
    return answers[command] if here in starts[command] else _is(409, here)


def _provider(command: str, seen: Seen) -> Answer:
    here = seen.status
    if command == "cancel":
        # declined, stepped back from, or called off from the provider's side; it ends no other order
        after = {"offered": "placed", "accepted": "placed", "en_route": "cancelled"}.get(here)
        return _is(200, after) if after else _is(409, here)
    if command == "swap":
        return _is({200, 422} if here == "accepted" or (here == "offered" and seen.offer_open) else 409, here)
    if here != "offered" or not (seen.offer_open or command == "decline"):
        return _is(409, here)
    return _is(200, "accepted" if command == "accept" else "placed")


def _report(command: str, seen: Seen) -> Answer:
    """Who is or was in the crew reports what they like: it is kept, and the order follows where that makes sense."""
    here, seat = seen.status, seen.seat
    if not seen.had_seat and seat is None:
        return _is(404, here)
    follows = _followed(command, seen) if seen.plan_begun and seat is not None else None
    if follows is not None:
        return _is(200, *follows)
    return _is(200, here, *({"exception"} if _may_show(command, seen) else ()))


def _may_show(command: str, seen: Seen) -> bool:
    """Whether a report can show that the visit happened without the order: who is on the way has not come."""
    if command not in ({"hand-over"} if seen.kind == "meal" else {"check-in", "check-out"}):
        return False
    if (seen.status, "exception") not in BY_A_LATE_REPORT or not seen.sent:
        return False
    if seen.seat not in {None, "proposed"}:
        return command == "hand-over" and seen.offline
    return seen.offline or (seen.given_up and seen.status in NOBODY_EXPECTED)


def _followed(command: str, seen: Seen) -> tuple[str, ...] | None:
    here, seat, meal = seen.status, seen.seat, seen.kind == "meal"
    done = ("awaiting_acceptance",) if seen.acceptance else ("completed", "exception")
    if command == "en-route" and seat == "accepted" and here in {*ON_THE_WAY, "arrived", "no_access"}:
        return ("en_route" if here == "accepted" else here,)
    if command == "check-in" and not meal and seat in ON_THE_WAY and here in {*ON_THE_WAY, "arrived"}:
        return ("in_service" if seen.others_at_door else "arrived", *(done if seen.left_before else ()))
    if command == "check-out" and not meal and seat == "checked_in" and here == "in_service":
        return done if seen.others_left else ("in_service",)
    if command == "hand-over" and meal and seat == "en_route" and here == "en_route":
        return ("completed", "exception")
    return _at_a_door(command, seen, done)


def _at_a_door(command: str, seen: Seen, done: tuple[str, ...]) -> tuple[str, ...] | None:
    """What follows where nobody opens, somebody does after all, or the visit is stopped."""
    here, seat, meal = seen.status, seen.seat, seen.kind == "meal"
    there, shut = seat == "checked_in", here in {"no_access", "arrived"}
    if command == "no-access" and (there or seat in ON_THE_WAY) and here in {*ON_THE_WAY, "arrived", "in_service"}:
        return ("no_access", here)  # not where somebody was let in, or left, later than the phone says
    if command == "abort" and there and here in {"arrived", "in_service"}:
        return ("aborted",)
    if command == "hand-over" and meal and there and shut:
        return ("completed", "exception")
    if command == "check-in" and not meal and there and shut:
        return (here, "arrived", "in_service", *(done if seen.left_before else ()))
    if command == "check-in" and not meal and seat in ON_THE_WAY and here == "no_access":
        return ("no_access",)
    return None
