"""The simulated meal day keeps every rule, repeats itself for a seed, and nobody in it knows what is to come."""

import pytest
from msgspec.structs import replace

from backend.scheduling.nearest import insert_nearest
from dispatch import Weights, check_plan
from tests.benchmarks.mealday import Policy, live, problem_of
from tests.benchmarks.mealdays import meal_day
from tests.benchmarks.meals import figures, floor, hindsight, main, ratio

BEST = Policy(iterations=40)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(place=insert_nearest),
        Policy(),
        BEST,
        Policy(iterations=20, every_s=60, commit_s=600, box=1, weights=Weights(meal_late_flat=5000, meal_late_s=1)),
    ],
)
def test_no_policy_makes_a_lived_day_break_a_rule(policy: Policy):
    """The oracle judges the day as it was lived, every order known, nothing locked."""
    lived = live(meal_day(40, 3), policy)
    assert check_plan(lived.problem, lived.plan) == []
    assert len(lived.starts()) + len(lived.plan.unserved) == 40
    assert len(lived.starts()) > 30
    assert not any(stop.locked for route in lived.plan.routes.values() for stop in route)


def test_the_same_seed_and_iterations_live_the_same_day():
    day = meal_day(50, 3)
    plan = live(day, BEST, 1).plan
    assert live(day, BEST, 1).plan == plan
    assert live(day, BEST, 2).plan != plan


def test_nobody_moves_for_an_order_before_it_is_placed():
    lived = live(meal_day(24, 5), BEST)
    ways = next(iter(lived.problem.travel.values()))
    placed = {visit.id: visit.earliest_s for visit in lived.problem.visits}
    for worker in lived.problem.workers:
        here = worker.start_place
        for stop in lived.plan.routes[worker.id]:
            assert stop.start_s - int(ways[here, stop.place]) >= placed[stop.visit]
            here = stop.place


def test_the_engine_is_asked_after_each_order_and_only_a_cheaper_plan_is_taken():
    """Also that begun stops are locked for it: the engine of the future must leave them where they are."""
    asked: list[tuple[int, int]] = []

    def spy(problem, plan, seconds, seed, *, iterations):
        locked = [stop for route in plan.routes.values() for stop in route if stop.locked]
        assert all(stop.start_s >= problem.now_s - 3600 for stop in locked if stop.kind == "pickup")
        asked.append((problem.now_s, len(locked)))
        return plan

    day = meal_day(40, 3)
    assert live(day, Policy(iterations=7, engine=spy)).plan == live(day, Policy()).plan
    assert len(asked) > 30
    assert any(locked for _, locked in asked)


def test_an_order_nobody_can_take_is_tried_again_and_given_up_when_its_time_is_over():
    """One courier who comes an hour later: the order waits for the shift; where the shift is too late it is unserved."""
    day = meal_day(1, 1)
    order = day.demands[0]
    for later_s, unserved in ((3000, ()), (5400, (order.id,))):
        on_s = order.from_s + later_s
        day = replace(day, workers=(replace(day.workers[0], on_s=on_s, off_s=on_s + 7200),))
        assert live(day, Policy()).plan.unserved == unserved


def test_the_floor_counts_what_no_courier_could_bring_in_time():
    day = meal_day(60, 2)
    tight = replace(day, demands=tuple(replace(d, to_s=d.from_s) for d in day.demands))
    loose = replace(day, demands=tuple(replace(d, to_s=d.latest_s) for d in day.demands))
    shares = [floor(problem_of(each, Weights())) for each in (loose, day, tight)]
    assert shares == sorted(shares)
    assert shares[2] == 1
    for policy in (Policy(place=insert_nearest), BEST):
        assert figures("day", "any", live(day, policy), 0.0).late >= shares[1]


def test_who_knows_every_order_is_late_less_often():
    day = meal_day(60, 2)
    known = figures("day", "hindsight", hindsight(day, Weights(), 3000, 1), 0.0)
    assert known.faults == 0
    assert known.late <= figures("day", "best", live(day, BEST), 0.0).late


def test_the_command_prints_a_row_for_each_policy_and_their_means(capsys):
    assert main(["--made", "1,2", "--orders", "20", "--iterations", "10", "--policies", "nearest,best"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows[1:3]] == [["made-20-1", "nearest"], ["made-20-1", "best"]]
    assert len(rows) == 1 + 2 * 2 + 2
    assert [ratio(0.2, 0.4), ratio(0, 0), ratio(1, 0)] == [0.5, 1.0, float("inf")]
