"""The order's state machine: which moves there are, and which of them each command may make.

Read by the actions, the property tests and the README's picture. A move that one command may make is out of reach of
all others: a hold is placed by confirming it, and an accepted order is not.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from backend.catalogue.model import MEAL
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.orders.model import Actor, AssignmentStatus, Command, OrderStatus, Side

S = OrderStatus
A = Actor
C = Command
W = AssignmentStatus
Move = tuple[OrderStatus | None, OrderStatus]

_CLIENT: Final = frozenset({A.RESIDENT, A.FAMILY, A.OPERATOR})
_DESK: Final = frozenset({A.OPERATOR})
_SYSTEM: Final = frozenset({A.SYSTEM})
_REVIEW: Final = frozenset({A.OPERATOR, A.REVIEWER})

TRANSITIONS: Final[Mapping[Move, frozenset[Actor]]] = {
    (None, S.PLACED): _SYSTEM,
    (None, S.HELD): _CLIENT,
    (S.HELD, S.PLACED): _CLIENT,
    (S.HELD, S.LAPSED): _CLIENT | _SYSTEM,
    (S.PLACED, S.OFFERED): frozenset({A.DISPATCHER, A.OPERATOR}),
    (S.OFFERED, S.ACCEPTED): frozenset({A.PROVIDER}),
    (S.OFFERED, S.PLACED): _CLIENT | frozenset({A.PROVIDER, A.SYSTEM, A.DISPATCHER}),
    (S.PLACED, S.MANUAL): frozenset({A.SYSTEM, A.DISPATCHER}),
    (S.OFFERED, S.MANUAL): frozenset({A.SYSTEM, A.DISPATCHER}),
    (S.MANUAL, S.OFFERED): _DESK,
    (S.MANUAL, S.ACCEPTED): _DESK,
    (S.MANUAL, S.PLACED): _CLIENT,
    (S.PLACED, S.UNSERVED): _SYSTEM | _DESK,
    (S.OFFERED, S.UNSERVED): _SYSTEM | _DESK,
    (S.MANUAL, S.UNSERVED): _SYSTEM | _DESK,
    (S.PLACED, S.PLACED): _CLIENT,  # rescheduled
    (S.ACCEPTED, S.PLACED): _CLIENT | frozenset({A.SYSTEM, A.PROVIDER, A.WORKER, A.DISPATCHER}),
    (S.ACCEPTED, S.EN_ROUTE): frozenset({A.WORKER}),
    (S.EN_ROUTE, S.ARRIVED): frozenset({A.WORKER, A.OPERATOR}),
    (S.ACCEPTED, S.ARRIVED): frozenset({A.WORKER}),
    (S.EN_ROUTE, S.PLACED): frozenset({A.SYSTEM, A.WORKER, A.OPERATOR}),
    (S.EN_ROUTE, S.MANUAL): frozenset({A.SYSTEM, A.WORKER, A.OPERATOR}),
    (S.ARRIVED, S.PLACED): frozenset({A.SYSTEM, A.WORKER, A.OPERATOR}),
    (S.ARRIVED, S.MANUAL): frozenset({A.SYSTEM, A.WORKER, A.OPERATOR}),
    (S.ARRIVED, S.IN_SERVICE): frozenset({A.WORKER}),
    (S.ARRIVED, S.ABORTED): frozenset({A.WORKER, A.NURSE, A.OPERATOR}),
    (S.IN_SERVICE, S.ABORTED): frozenset({A.WORKER, A.NURSE, A.OPERATOR}),
    (S.ARRIVED, S.NO_ACCESS): frozenset({A.WORKER, A.SYSTEM}),
    (S.IN_SERVICE, S.NO_ACCESS): frozenset({A.WORKER}),  # who comes alone has begun by checking in at the door
    (S.NO_ACCESS, S.ARRIVED): frozenset({A.WORKER, A.OPERATOR}),
    (S.NO_ACCESS, S.MANUAL): frozenset({A.WORKER, A.OPERATOR}),
    (S.NO_ACCESS, S.ABORTED): _DESK,
    (S.ACCEPTED, S.MISSED): _SYSTEM,
    (S.EN_ROUTE, S.MISSED): _SYSTEM,
    (S.MISSED, S.MANUAL): _DESK,
    (S.MISSED, S.CANCELLED): _DESK,
    (S.ACCEPTED, S.AWAITING_ACCEPTANCE): _DESK,  # the paper sheet, keyed in afterwards
    (S.EN_ROUTE, S.AWAITING_ACCEPTANCE): _DESK,
    (S.IN_SERVICE, S.AWAITING_ACCEPTANCE): frozenset({A.WORKER, A.SYSTEM}),
    (S.AWAITING_ACCEPTANCE, S.COMPLETED): _CLIENT | _SYSTEM,
    (S.AWAITING_ACCEPTANCE, S.DISPUTED): _CLIENT | _SYSTEM,
    (S.DISPUTED, S.COMPLETED): _REVIEW,
    (S.DISPUTED, S.EXCEPTION): _REVIEW,
    (S.DISPUTED, S.REJECTED): _REVIEW,
    (S.EN_ROUTE, S.COMPLETED): frozenset({A.WORKER}),  # meals: handed over
    (S.ARRIVED, S.COMPLETED): frozenset({A.WORKER}),
    (S.ACCEPTED, S.COMPLETED): frozenset({A.MEAL_POINT}),
    (S.ACCEPTED, S.ABORTED): frozenset({A.SYSTEM, A.MEAL_POINT}),
    (S.EN_ROUTE, S.ABORTED): frozenset({A.SYSTEM, A.MEAL_POINT}),
    (S.MISSED, S.EXCEPTION): _SYSTEM | _DESK,  # the paper sheet comes after the platform gave the visit up
    (S.MANUAL, S.EXCEPTION): _SYSTEM,
    (S.PLACED, S.EXCEPTION): _SYSTEM,
    (S.OFFERED, S.EXCEPTION): _SYSTEM,
    (S.ACCEPTED, S.EXCEPTION): _SYSTEM,
    (S.EN_ROUTE, S.EXCEPTION): _SYSTEM,
    (S.CANCELLED, S.EXCEPTION): _SYSTEM,
    (S.UNSERVED, S.EXCEPTION): _SYSTEM,
    (S.AWAITING_ACCEPTANCE, S.EXCEPTION): _SYSTEM,  # a flag stands: silence completes nothing
    (S.COMPLETED, S.VERIFIED): frozenset({A.SYSTEM, A.REVIEWER}),
    (S.COMPLETED, S.EXCEPTION): frozenset({A.SYSTEM, A.REVIEWER}),
    (S.ABORTED, S.VERIFIED): frozenset({A.SYSTEM, A.REVIEWER}),
    (S.ABORTED, S.EXCEPTION): frozenset({A.SYSTEM, A.REVIEWER}),
    (S.EXCEPTION, S.VERIFIED): frozenset({A.REVIEWER}),
    (S.EXCEPTION, S.COMPLETED): _DESK,  # by another operator than the one who keyed it in
    (S.EXCEPTION, S.REJECTED): _REVIEW,
    (S.VERIFIED, S.EXCEPTION): frozenset({A.REVIEWER}),
    (S.VERIFIED, S.SETTLED): frozenset({A.FINANCE, A.SUPERVISOR}),
    (S.SETTLED, S.CLAWED_BACK): frozenset({A.FINANCE, A.SUPERVISOR}),
    (S.PLACED, S.CANCELLED): _CLIENT,
    (S.OFFERED, S.CANCELLED): _CLIENT,  # a provider declines
    (S.MANUAL, S.CANCELLED): _CLIENT,
    (S.ACCEPTED, S.CANCELLED): _CLIENT,  # a provider steps back, and another is asked
    (S.EN_ROUTE, S.CANCELLED): _CLIENT | frozenset({A.PROVIDER}),
}

MEALS_ONLY: Final = frozenset(
    {
        (S.EN_ROUTE, S.COMPLETED),
        (S.ARRIVED, S.COMPLETED),
        (S.ACCEPTED, S.COMPLETED),
        (S.ACCEPTED, S.ABORTED),
        (S.EN_ROUTE, S.ABORTED),
    }
)
TERMINAL: Final = frozenset({S.LAPSED, S.REJECTED, S.CLAWED_BACK})
"""States with no way on; cancelled, unserved and settled have only the exceptions their rows name."""

GONE: Final = frozenset({S.LAPSED, S.CANCELLED, S.UNSERVED, S.REJECTED})
"""States of an order that will not take place."""

WAITING: Final = frozenset({S.PLACED, S.OFFERED, S.MANUAL})

ACTORS_OF: Final[Mapping[Role, Actor]] = {
    Role.RESIDENT: A.RESIDENT,
    Role.FAMILY: A.FAMILY,
    Role.OPERATOR: A.OPERATOR,
    Role.PROVIDER: A.PROVIDER,
    Role.WORKER: A.WORKER,
    Role.SUPERVISOR: A.SUPERVISOR,
    Role.SYSTEM: A.SYSTEM,
}


SIDES: Final[Mapping[Actor, Side | None]] = {
    A.RESIDENT: Side.RESIDENT,
    A.FAMILY: Side.RESIDENT,
    A.PROVIDER: Side.PROVIDER,
    A.OPERATOR: None,
}
"""Whose wish it is when one of these calls an order off; an operator says whose it was."""


class Rule(Struct, frozen=True):
    """What one command is for: who gives it, the states it begins in, and the moves it may make on its way."""

    actors: frozenset[Actor]
    starts: frozenset[OrderStatus]
    moves: frozenset[tuple[OrderStatus, OrderStatus]] = frozenset()
    seat: frozenset[AssignmentStatus] = frozenset()
    """What the seat of whoever reports must be; empty where nobody reports."""
    meal: bool | None = None
    """Whether it is for meals only, for all but meals, or (None) for everything."""


def _from(starts: frozenset[OrderStatus], after: OrderStatus) -> frozenset[tuple[OrderStatus, OrderStatus]]:
    return frozenset((before, after) for before in starts)


_HELD: Final = frozenset({S.HELD})
_ASKED: Final = frozenset({S.OFFERED})
_ON_THE_WAY: Final = frozenset({S.ACCEPTED, S.EN_ROUTE})
_MOVABLE: Final = WAITING | {S.ACCEPTED}
"""A hold is given back and another slot held; whoever is on the way comes."""
_SHUT: Final = frozenset({S.NO_ACCESS})
_AT_THE_DOOR: Final = _SHUT | {S.ARRIVED}
_UNDER_WAY: Final = frozenset({S.ARRIVED, S.IN_SERVICE})
_DONE: Final = frozenset({S.AWAITING_ACCEPTANCE})
_WORD: Final = frozenset({(S.AWAITING_ACCEPTANCE, S.COMPLETED), (S.AWAITING_ACCEPTANCE, S.EXCEPTION)})
"""A visit nobody objects to is completed, or is an exception where a flag stands."""
_DECIDED: Final = frozenset({S.DISPUTED, S.EXCEPTION})
_AUTO_ACCEPT: Final = (S.OFFERED, S.ACCEPTED)
_EXPECTED: Final = frozenset({W.ACCEPTED, W.EN_ROUTE})
_THERE: Final = _EXPECTED | {W.CHECKED_IN}
_WITHOUT_THEM: Final = WAITING | _ON_THE_WAY | {S.MISSED, S.CANCELLED, S.UNSERVED, S.ABORTED}
"""Names where an order may be that has gone on without whoever carried it out and could not say so."""

COMMANDS: Final[Mapping[Command, Rule]] = {
    C.CONFIRM: Rule(_CLIENT, _HELD, frozenset({(S.HELD, S.PLACED)})),
    C.EXTEND: Rule(_CLIENT, _HELD),
    C.RELEASE: Rule(_CLIENT, _HELD, frozenset({(S.HELD, S.LAPSED)})),
    C.EXPIRE_HOLD: Rule(_SYSTEM, _HELD, frozenset({(S.HELD, S.LAPSED)})),
    C.OFFER: Rule(
        frozenset({A.DISPATCHER, A.PROVIDER}), frozenset({S.PLACED}), frozenset({(S.PLACED, S.OFFERED), _AUTO_ACCEPT})
    ),
    C.ASSIGN: Rule(
        frozenset({A.OPERATOR, A.PROVIDER}), frozenset({S.MANUAL}), frozenset({(S.MANUAL, S.OFFERED), _AUTO_ACCEPT})
    ),
    C.ACCEPT_OFFER: Rule(frozenset({A.PROVIDER}), _ASKED, frozenset({_AUTO_ACCEPT})),
    C.DECLINE_OFFER: Rule(frozenset({A.PROVIDER}), _ASKED, frozenset({(S.OFFERED, S.PLACED)})),
    C.EXPIRE_OFFER: Rule(_SYSTEM, _ASKED, frozenset({(S.OFFERED, S.PLACED)})),
    C.STEP_BACK: Rule(frozenset({A.PROVIDER}), frozenset({S.ACCEPTED}), frozenset({(S.ACCEPTED, S.PLACED)})),
    C.LOSE_CREW: Rule(
        frozenset({A.PROVIDER, A.OPERATOR}), frozenset({S.OFFERED, S.ACCEPTED}),
        _from(frozenset({S.OFFERED, S.ACCEPTED}), S.PLACED),
    ),
    C.TO_THE_DESK: Rule(
        frozenset({A.SYSTEM, A.DISPATCHER}), frozenset({S.PLACED, S.OFFERED}),
        _from(frozenset({S.PLACED, S.OFFERED}), S.MANUAL),
    ),
    C.GIVE_UP: Rule(_SYSTEM | _DESK, WAITING, _from(WAITING, S.UNSERVED)),
    C.CANCEL: Rule(
        _CLIENT | frozenset({A.PROVIDER}), WAITING | _ON_THE_WAY | {S.MISSED},
        _from(WAITING | _ON_THE_WAY | {S.MISSED}, S.CANCELLED),
    ),
    C.SWAP: Rule(frozenset({A.PROVIDER, A.OPERATOR}), frozenset({S.OFFERED, S.ACCEPTED})),
    C.RESCHEDULE: Rule(_CLIENT, _MOVABLE, _from(_MOVABLE, S.PLACED)),
    C.SET_OUT: Rule(
        frozenset({A.WORKER}), _ON_THE_WAY | _AT_THE_DOOR, frozenset({(S.ACCEPTED, S.EN_ROUTE)}), frozenset({W.ACCEPTED})
    ),
    C.SET_OUT_AGAIN: Rule(
        frozenset({A.WORKER}), frozenset({S.EN_ROUTE}), seat=frozenset({W.EN_ROUTE}), meal=True
    ),
    C.PICK_UP: Rule(frozenset({A.WORKER}), frozenset({S.EN_ROUTE}), seat=frozenset({W.EN_ROUTE}), meal=True),
    C.HAND_OVER: Rule(
        frozenset({A.WORKER, A.SYSTEM}), _AT_THE_DOOR | {S.EN_ROUTE},
        _from(frozenset({S.EN_ROUTE, S.ARRIVED}), S.COMPLETED) | {(S.NO_ACCESS, S.ARRIVED), (S.COMPLETED, S.EXCEPTION)},
        _THERE, meal=True,
    ),
    C.CHECK_IN: Rule(
        frozenset({A.WORKER}), _ON_THE_WAY | _AT_THE_DOOR,
        _from(_ON_THE_WAY, S.ARRIVED) | {(S.ARRIVED, S.IN_SERVICE)}, _EXPECTED, meal=False,
    ),
    C.NOBODY_OPENS: Rule(
        frozenset({A.WORKER}), _ON_THE_WAY | _AT_THE_DOOR | {S.IN_SERVICE},
        _from(_ON_THE_WAY, S.ARRIVED) | _from(_UNDER_WAY, S.NO_ACCESS), _THERE,
    ),
    C.OPENED: Rule(
        frozenset({A.WORKER}), _AT_THE_DOOR, frozenset({(S.NO_ACCESS, S.ARRIVED), (S.ARRIVED, S.IN_SERVICE)}),
        frozenset({W.CHECKED_IN}), meal=False,
    ),
    C.LEAVE: Rule(frozenset({A.WORKER}), _SHUT, seat=frozenset({W.CHECKED_IN})),
    C.DOOR_OPENED: Rule(_DESK, _SHUT, _from(_SHUT, S.ARRIVED)),
    C.ANOTHER_TIME: Rule(_DESK, _SHUT, _from(_SHUT, S.MANUAL), meal=False),
    C.ABORT: Rule(frozenset({A.WORKER}), _UNDER_WAY, _from(_UNDER_WAY, S.ABORTED), frozenset({W.CHECKED_IN})),
    C.ABORT_AT_DESK: Rule(_DESK, _UNDER_WAY | _SHUT, _from(_UNDER_WAY | _SHUT, S.ABORTED)),
    C.CHECK_OUT: Rule(
        frozenset({A.WORKER, A.SYSTEM}), frozenset({S.IN_SERVICE}),
        _WORD | {(S.IN_SERVICE, S.AWAITING_ACCEPTANCE)}, frozenset({W.CHECKED_IN}), meal=False,
    ),
    C.KEY_SHEET: Rule(
        _DESK | _SYSTEM, _ON_THE_WAY | {S.MISSED},
        _from(_ON_THE_WAY, S.AWAITING_ACCEPTANCE) | {(S.AWAITING_ACCEPTANCE, S.EXCEPTION), (S.MISSED, S.EXCEPTION)},
        meal=False,
    ),
    C.MISS: Rule(
        _SYSTEM, _ON_THE_WAY | {S.ARRIVED},
        _from(_ON_THE_WAY, S.MISSED) | _from(_ON_THE_WAY, S.ABORTED)
        | {(S.ARRIVED, S.MANUAL), (S.ARRIVED, S.NO_ACCESS)},
    ),
    C.END_UNREPORTED: Rule(
        _SYSTEM, frozenset({S.IN_SERVICE}), _WORD | {(S.IN_SERVICE, S.AWAITING_ACCEPTANCE)}
    ),
    C.ACCEPT_SERVICE: Rule(_CLIENT | _SYSTEM, _DONE, _WORD),
    C.DISPUTE: Rule(_CLIENT, _DONE, frozenset({(S.AWAITING_ACCEPTANCE, S.DISPUTED)})),
    C.RESOLVE: Rule(
        _DESK, _DECIDED,
        _from(_DECIDED, S.COMPLETED) | _from(_DECIDED, S.REJECTED) | {(S.DISPUTED, S.EXCEPTION)},
    ),
    C.AGREE_BY_SILENCE: Rule(_SYSTEM, _DONE, _WORD),
    C.LATE_RECORD: Rule(
        _SYSTEM, _WITHOUT_THEM, _from(_WITHOUT_THEM, S.EXCEPTION), _EXPECTED | {W.NO_SHOW, W.REPLACED, W.WITHDRAWN}
    ),
    C.DOUBT: Rule(_SYSTEM, frozenset({S.COMPLETED}), frozenset({(S.COMPLETED, S.EXCEPTION)})),
}  # fmt: skip

TIMERS: Final[Mapping[str, frozenset[OrderStatus]]] = {
    "hold_expiry": _HELD,
    "manual_due": frozenset({S.PLACED, S.OFFERED}),
    "unserved_due": WAITING,
    "missed_due": _ON_THE_WAY | {S.ARRIVED},
    "missing_out": frozenset({S.IN_SERVICE}),
    "no_access_due": _SHUT,
    "acceptance_due": _DONE,
}
"""The states each of an order's timers is for; leaving them all clears it."""

SEAT_STARTS: Final = frozenset({W.PROPOSED, W.ACCEPTED})
"""What a worker's part in an order begins as: asked with the provider, or put in for somebody who had accepted."""

ASSIGNMENT_TRANSITIONS: Final[Mapping[AssignmentStatus, frozenset[AssignmentStatus]]] = {
    W.PROPOSED: frozenset({W.ACCEPTED, W.DECLINED, W.REPLACED, W.WITHDRAWN}),
    W.ACCEPTED: frozenset({W.EN_ROUTE, W.CHECKED_IN, W.REPLACED, W.NO_SHOW, W.WITHDRAWN}),
    W.EN_ROUTE: frozenset({W.CHECKED_IN, W.REPLACED, W.NO_SHOW, W.WITHDRAWN}),
    W.CHECKED_IN: frozenset({W.CHECKED_OUT, W.WITHDRAWN}),
}


def allowed(before: OrderStatus | None, after: OrderStatus, actor: Actor, kind: str) -> bool:
    """Whether the table lets this actor move an order of this kind so."""
    if (before, after) in MEALS_ONLY and kind != MEAL:
        return False
    return actor in TRANSITIONS.get((before, after), frozenset())


def require(before: OrderStatus | None, after: OrderStatus, actor: Actor, kind: str) -> None:
    """Refuse a move the table does not know. Raises DomainError illegal_transition (409)."""
    if not allowed(before, after, actor, kind):
        detail = f"An order that is {before or 'new'} cannot become {after} by the {actor}."
        raise DomainError("illegal_transition", detail, current=before.value if before else None)


def may_begin(
    command: Command, actor: Actor, status: OrderStatus, kind: str, seat: AssignmentStatus | None = None
) -> bool:
    """Whether a command is for an order in this state, given by this actor from this seat."""
    rule = COMMANDS[command]
    first = [after for before, after in rule.moves if before is status]
    return (
        actor in rule.actors
        and status in rule.starts
        and rule.meal in {None, kind == MEAL}
        and (not rule.seat or seat in rule.seat)
        and (not first or any(allowed(status, after, actor, kind) for after in first))
    )


def begin(command: Command, actor: Actor, status: OrderStatus, kind: str, seat: AssignmentStatus | None = None) -> None:
    """Refuse a command that is not for this state. Raises DomainError illegal_transition (409)."""
    if not may_begin(command, actor, status, kind, seat):
        detail = f"The command {command} is not for an order that is {status}, by the {actor}."
        raise DomainError("illegal_transition", detail, current=status.value)


def require_step(command: Command, before: OrderStatus, after: OrderStatus, actor: Actor, kind: str) -> None:
    """Refuse a move that is not this command's, or not this actor's. Raises DomainError illegal_transition (409)."""
    if (before, after) not in COMMANDS[command].moves:
        detail = f"The command {command} does not make an order that is {before} {after}."
        raise DomainError("illegal_transition", detail, current=before.value)
    require(before, after, actor, kind)


def require_seat(before: AssignmentStatus | None, after: AssignmentStatus) -> None:
    """Refuse a change of one worker's part that the table does not know. Raises DomainError illegal_transition (409)."""
    if after not in (SEAT_STARTS if before is None else ASSIGNMENT_TRANSITIONS.get(before, frozenset())):
        raise DomainError("illegal_transition", f"A seat that is {before or 'empty'} cannot become {after}.")


def timers_left_behind(before: OrderStatus, after: OrderStatus) -> list[str]:
    """The kinds of timers that were for the state before and are not for the one after."""
    return [kind for kind, states in TIMERS.items() if before in states and after not in states]


def diagram() -> str:
    """The table as a Mermaid state diagram, for the README."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {before or '[*]'} --> {after}" for before, after in TRANSITIONS if before != after]
    lines += [f"    {state} --> [*]" for state in sorted(TERMINAL)]
    return "\n".join(lines)
