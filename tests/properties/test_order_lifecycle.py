"""The table of moves as a machine: whatever anybody tries, an order is only ever where the table lets it be."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import DomainError
from backend.orders.lifecycle import (
    ASSIGNMENT_TRANSITIONS,
    COMMANDS,
    MEALS_ONLY,
    SEAT_STARTS,
    TERMINAL,
    TIMERS,
    TRANSITIONS,
    WAITING,
    allowed,
    begin,
    diagram,
    may_begin,
    require,
    require_seat,
    require_step,
    timers_left_behind,
)
from backend.orders.model import Actor, AssignmentStatus, Command, OrderStatus

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
    assert TRANSITIONS[OrderStatus.MISSED, OrderStatus.EXCEPTION] == {Actor.SYSTEM, Actor.OPERATOR}  # a sheet of paper
    assert (
        Actor.OPERATOR
        in TRANSITIONS[OrderStatus.EXCEPTION, OrderStatus.COMPLETED]
        & TRANSITIONS[OrderStatus.EXCEPTION, OrderStatus.REJECTED]
    )


@given(st.sampled_from(Command), st.sampled_from(OrderStatus), st.sampled_from(OrderStatus), st.sampled_from(Actor))
def test_a_move_is_within_reach_of_its_own_commands_only(
    command: Command, before: OrderStatus, after: OrderStatus, actor: Actor
) -> None:
    """Who may make a move by one command may not make it by another: a hold is placed by confirming it, nothing else is."""
    if (before, after) in COMMANDS[command].moves and allowed(before, after, actor, "bath"):
        require_step(command, before, after, actor, "bath")
    else:
        with pytest.raises(DomainError) as refused:
            require_step(command, before, after, actor, "bath")
        assert refused.value.code == "illegal_transition"


def test_confirming_is_for_holds_only() -> None:
    """An accepted order of the same resident is not put back among the placed ones by confirming it."""
    assert COMMANDS[Command.CONFIRM].moves == {(OrderStatus.HELD, OrderStatus.PLACED)}
    for status in OrderStatus:
        assert may_begin(Command.CONFIRM, Actor.RESIDENT, status, "bath") == (status is OrderStatus.HELD)


@pytest.mark.parametrize("command", Command)
def test_a_command_begins_where_it_can_go_on_and_makes_only_moves_of_the_table(command: Command) -> None:
    """Every start but one where the order stays has a move, every move a start before it and an actor."""
    rule = COMMANDS[command]
    reached = rule.starts | {after for _, after in rule.moves}
    for before, after in rule.moves:
        assert before in reached
        assert TRANSITIONS[before, after] & rule.actors
        kind = "meal" if rule.meal or (before, after) in MEALS_ONLY else "bath"
        assert any(allowed(before, after, actor, kind) for actor in rule.actors)
    for status in rule.starts:
        seat = next(iter(rule.seat), None)
        assert any(may_begin(command, actor, status, kind, seat) for actor in rule.actors for kind in ("meal", "bath"))


def test_a_command_given_by_somebody_else_or_from_another_seat_is_refused() -> None:
    """A bath is not handed over, a meal not checked in, and nobody checks in twice."""
    arrived, seat = OrderStatus.ARRIVED, AssignmentStatus.ACCEPTED
    begin(Command.CHECK_IN, Actor.WORKER, arrived, "bath", seat)
    for actor, kind, own in (
        (Actor.RESIDENT, "bath", seat),
        (Actor.WORKER, "meal", seat),
        (Actor.WORKER, "bath", AssignmentStatus.CHECKED_IN),
        (Actor.WORKER, "bath", None),
    ):
        with pytest.raises(DomainError):
            begin(Command.CHECK_IN, actor, arrived, kind, own)
    for status in OrderStatus:
        assert not may_begin(Command.CANCEL, Actor.PROVIDER, status, "bath") or status is OrderStatus.EN_ROUTE


@given(st.sampled_from(AssignmentStatus), st.sampled_from(AssignmentStatus))
def test_a_seat_never_leaves_its_table(before: AssignmentStatus, after: AssignmentStatus) -> None:
    """A worker's part begins as asked or accepted, and goes on only as the table says."""
    if after in ASSIGNMENT_TRANSITIONS.get(before, frozenset()):
        require_seat(before, after)
    else:
        with pytest.raises(DomainError):
            require_seat(before, after)
    if after in SEAT_STARTS:
        require_seat(None, after)
    else:
        with pytest.raises(DomainError):
            require_seat(None, after)


@given(st.sampled_from(OrderStatus), st.sampled_from(OrderStatus))
def test_no_timer_outlives_the_states_it_is_for(before: OrderStatus, after: OrderStatus) -> None:
    """What was to happen by itself is called off by the move that makes it pointless."""
    for kind in timers_left_behind(before, after):
        assert after not in TIMERS[kind]
    assert {kind for kind, states in TIMERS.items() if before in states} <= {
        *timers_left_behind(before, after),
        *(kind for kind, states in TIMERS.items() if after in states),
    }
