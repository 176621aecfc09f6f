"""The table of moves as a machine: whatever anybody tries, an order is only ever where the table lets it be."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import DomainError
from backend.orders.lifecycle import (
    ASSIGNMENT_TRANSITIONS,
    MEALS_ONLY,
    TERMINAL,
    TRANSITIONS,
    WAITING,
    allowed,
    diagram,
    require,
)
from backend.orders.model import Actor, AssignmentStatus, OrderStatus

KINDS = st.sampled_from(["meal", "bath", "rehab", "care"])


@given(st.lists(st.tuples(st.sampled_from(OrderStatus), st.sampled_from(Actor)), max_size=40), KINDS)
def test_an_order_never_leaves_the_table(tries: list[tuple[OrderStatus, Actor]], kind: str) -> None:
    """Random commands by random people: each is refused with 409 or is a row of the table."""
    status: OrderStatus | None = None
    for after, actor in tries:
        if actor in TRANSITIONS.get((status, after), frozenset()) and (
            kind == "meal" or (status, after) not in MEALS_ONLY
        ):
            require(status, after, actor, kind)
            status = after
        else:
            with pytest.raises(DomainError) as refused:
                require(status, after, actor, kind)
            assert (refused.value.code, refused.value.status) == ("illegal_transition", 409)


def test_every_state_can_be_reached_and_left_or_is_terminal() -> None:
    """A state nobody can reach is a mistake in the table; one nobody can leave must be meant."""
    reached: set[OrderStatus | None] = {None}
    queue: deque[OrderStatus | None] = deque([None])
    while queue:
        here = queue.popleft()
        for before, after in TRANSITIONS:
            if before == here and after not in reached:
                reached.add(after)
                queue.append(after)
    assert reached == {None, *OrderStatus}
    stuck = {state for state in OrderStatus if not any(before == state for before, _ in TRANSITIONS)}
    assert stuck == TERMINAL


@given(st.sampled_from(OrderStatus), KINDS)
def test_a_worker_never_cancels_and_a_resident_never_checks_in(after: OrderStatus, kind: str) -> None:
    """Each door has its own verbs."""
    for before in OrderStatus:
        if after is OrderStatus.CANCELLED:
            assert not allowed(before, after, Actor.WORKER, kind)
        if after in {OrderStatus.EN_ROUTE, OrderStatus.IN_SERVICE}:
            assert not allowed(before, after, Actor.RESIDENT, kind)


def test_only_waiting_orders_can_end_unserved() -> None:
    """Nobody is told 'nobody could come' after somebody has accepted."""
    assert {before for before, after in TRANSITIONS if after is OrderStatus.UNSERVED} == WAITING


def test_no_move_appears_without_an_actor_and_every_move_is_drawn() -> None:
    """The README's picture is the table."""
    assert all(actors for actors in TRANSITIONS.values())
    drawing = diagram()
    for before, after in TRANSITIONS:
        if before != after:
            assert f"{before or '[*]'} --> {after}" in drawing


def test_a_finished_seat_stays_finished() -> None:
    """What was done at the door is not undone by a later assignment."""
    for status in (AssignmentStatus.CHECKED_OUT, AssignmentStatus.DECLINED, AssignmentStatus.NO_SHOW):
        assert status not in ASSIGNMENT_TRANSITIONS


def test_what_happened_after_all_and_what_a_flag_doubts_become_exceptions_which_the_desk_ends() -> None:
    """A late record may meet an order in any state short of the door; silence completes nothing that is doubted."""
    doubted = {before for before, after in TRANSITIONS if after is OrderStatus.EXCEPTION}
    names = ("missed", "manual", "placed", "offered", "accepted", "en_route", "cancelled", "unserved")
    assert doubted >= {OrderStatus(name) for name in names}
    assert TRANSITIONS[OrderStatus.AWAITING_ACCEPTANCE, OrderStatus.EXCEPTION] == {Actor.SYSTEM}
    assert (
        Actor.OPERATOR
        in TRANSITIONS[OrderStatus.EXCEPTION, OrderStatus.COMPLETED]
        & TRANSITIONS[OrderStatus.EXCEPTION, OrderStatus.REJECTED]
    )
