import numpy as np

from dispatch import Plan, Problem, Seat, Shift, Stop, Visit, Worker, check_plan, improve, plan_cost


def test_a_route_behind_a_colleagues_ended_shift_is_improved():
    """Stops not yet timed once read the first worker's shift; a later worker's plan was then taken for impossible."""
    nurse = frozenset({"nursing"})
    early = Worker(id="early", provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 500),))
    late = Worker(id="late", provider="p", skills=nurse, start_place=0, shifts=(Shift(1000, 9000),))
    visits = tuple(Visit(name, place, (Seat(nurse, 60),), 600, 8000) for place, name in enumerate(("near", "far"), 1))
    places = np.asarray([0, 100, 200])
    ways = np.abs(places[:, None] - places[None, :]).astype(np.int32)
    problem = Problem(workers=(early, late), visits=visits, travel={"car": ways})
    there_and_back = (
        Stop("late", "visit", "far", 0, 2, 1200, 1260),
        Stop("late", "visit", "near", 0, 1, 1360, 1420),
    )
    plan = Plan({"early": (), "late": there_and_back})
    assert check_plan(problem, plan) == []
    better = improve(problem, plan, 0, 1, iterations=50)
    assert [stop.visit for stop in better.routes["late"]] == ["near", "far"]
    assert (plan_cost(problem, plan), plan_cost(problem, better)) == (300, 200)
