"""The machine of an order against the same rules written by hand in tests/support/life.py: every cell of both, and nothing else."""

from collections import deque
from itertools import product

import pytest

from backend.core.errors import DomainError
from backend.core.principal import Role
from backend.orders.lifecycle import (
    ACTORS_OF,
    GONE,
    SIDES,
    TERMINAL,
    TRANSITIONS,
    WAITING,
    begin,
    diagram,
    require,
    require_seat,
    require_step,
    timers_left_behind,
)
from backend.orders.model import Actor, AssignmentStatus, Command, OrderStatus
from tests.support import life
from tests.support.life import BY_COMMAND, MOVES, SEATS, TIMERS

_KINDS = ("meal", "bath")
_NOBODY = (frozenset[str](), False)


def _refused(call, *asked) -> bool:
    """Tell whether it is refused, as what the table does not know must be; a refusal of another sort fails."""
    told = None
    try:
        call(*asked)
    except DomainError as error:
        told = (error.code, error.status)
    return {None: False, ("illegal_transition", 409): True}[told]


def test_an_order_moves_as_the_rules_say_and_not_otherwise() -> None:
    """From every state to every other, by everybody, with a meal and without."""
    wrong = [
        (before, after, actor, kind)
        for before, after, actor, kind in product((None, *OrderStatus), OrderStatus, Actor, _KINDS)
        for who, meals in (MOVES.get((before or "new", after), _NOBODY),)
        if _refused(require, before, after, actor, kind) == (actor in who and (kind == "meal" or not meals))
    ]
    assert wrong == []


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


def test_every_move_is_drawn() -> None:
    """The README's picture is the table."""
    drawn = {tuple(line.split(" --> ")) for line in map(str.strip, diagram().splitlines()) if "-->" in line}
    moves = {(before.replace("new", "[*]"), after) for before, after in MOVES if before != after}
    assert drawn == moves | {(state, "[*]") for state in TERMINAL}


@pytest.mark.parametrize("command", Command)
def test_a_command_is_for_its_own_states_and_makes_its_own_moves_only(command: Command) -> None:
    """Given by everybody, in every state, from every seat: a bath is not handed over, and nothing but a hold is confirmed."""
    rule, seats = BY_COMMAND[command], (None, *AssignmentStatus)
    for actor, status, kind, seat in product(Actor, OrderStatus, _KINDS, seats):
        can = rule.begins(actor, status, kind, seat)
        assert _refused(begin, command, actor, status, kind, seat) != can, (actor, status, kind, seat)
    for before, after in product(OrderStatus, OrderStatus):
        who, meals = MOVES.get((before, after), _NOBODY)
        mine = (before, after) in rule.moves
        for actor, kind in product(Actor if mine else who, _KINDS):
            can = mine and actor in who and (kind == "meal" or not meals)
            assert _refused(require_step, command, before, after, actor, kind) != can, (before, after, actor, kind)


def test_a_seat_changes_as_the_rules_say_and_not_otherwise() -> None:
    """A worker's part begins as asked or accepted; what was done at the door is not undone by a later assignment."""
    for before, after in product((None, *AssignmentStatus), AssignmentStatus):
        assert _refused(require_seat, before, after) != (after in SEATS.get(before or "empty", ())), (before, after)


def test_a_timer_goes_with_the_last_state_it_is_for() -> None:
    """Hold that what was to happen by itself is called off by the move that makes it pointless, and by no other."""
    for before, after in product(OrderStatus, OrderStatus):
        left = {kind for kind, states in TIMERS.items() if before in states and after not in states}
        assert {*timers_left_behind(before, after)} == left, (before, after)


def test_everybody_acts_as_who_they_are_and_calls_off_for_their_own_side() -> None:
    assert (GONE, WAITING) == (life.GONE, life.WAITING)
    assert {role: actor.value for role, actor in ACTORS_OF.items()} == {role: role.value for role in Role}
    assert SIDES == {"resident": "resident", "family": "resident", "provider": "provider", "operator": None}
