"""The order's state machine: one table, read by the actions, the property tests and the README's picture."""

from collections.abc import Mapping
from typing import Final

from backend.catalogue.model import MEAL
from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.orders.model import Actor, AssignmentStatus, OrderStatus

S = OrderStatus
A = Actor
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
    (S.MISSED, S.EXCEPTION): _SYSTEM,
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
    (S.PLACED, S.CANCELLED): _CLIENT | frozenset({A.PROVIDER}),
    (S.OFFERED, S.CANCELLED): _CLIENT | frozenset({A.PROVIDER}),
    (S.MANUAL, S.CANCELLED): _CLIENT | frozenset({A.PROVIDER}),
    (S.ACCEPTED, S.CANCELLED): _CLIENT | frozenset({A.PROVIDER}),
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

_WITHDRAWN = AssignmentStatus.WITHDRAWN
ASSIGNMENT_TRANSITIONS: Final[Mapping[AssignmentStatus, frozenset[AssignmentStatus]]] = {
    AssignmentStatus.PROPOSED: frozenset(
        {AssignmentStatus.ACCEPTED, AssignmentStatus.DECLINED, AssignmentStatus.REPLACED, _WITHDRAWN}
    ),
    AssignmentStatus.ACCEPTED: frozenset(
        {
            AssignmentStatus.EN_ROUTE,
            AssignmentStatus.CHECKED_IN,
            AssignmentStatus.REPLACED,
            AssignmentStatus.NO_SHOW,
            _WITHDRAWN,
        }
    ),
    AssignmentStatus.EN_ROUTE: frozenset(
        {
            AssignmentStatus.CHECKED_IN,
            AssignmentStatus.REPLACED,
            AssignmentStatus.NO_SHOW,
            _WITHDRAWN,
        }
    ),
    AssignmentStatus.CHECKED_IN: frozenset({AssignmentStatus.CHECKED_OUT, _WITHDRAWN}),
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


def diagram() -> str:
    """The table as a Mermaid state diagram, for the README."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {before or '[*]'} --> {after}" for before, after in TRANSITIONS if before != after]
    lines += [f"    {state} --> [*]" for state in sorted(TERMINAL)]
    return "\n".join(lines)
