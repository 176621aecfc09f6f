"""Proofs against every plan there is on tiny days, and the search against proofs on small ones."""

from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch import Plan, Problem, Stop, Visit, construct, plan_cost, prove, retime
from dispatch.exact import _Model
from dispatch.search import search
from tests.properties.test_dispatch import days
from tests.support.verdict import verdict


def _nobody(problem: Problem) -> Plan:
    return Plan({worker.id: () for worker in problem.workers}, tuple(visit.id for visit in problem.visits))


def _cheapest(problem: Problem) -> int:
    """What the best of all plans costs: every order of the visits, every crew for each of them or none."""
    names = [worker.id for worker in problem.workers]
    crews = {visit.id: [(), *permutations(names, len(visit.seats))] for visit in problem.visits}
    costs: list[int] = []
    for order in permutations(problem.visits):
        for chosen in product(*(crews[visit.id] for visit in order)):
            routes = {name: list[Stop]() for name in names}
            for visit, crew in zip(order, chosen, strict=True):
                for n, name in enumerate(crew):
                    routes[name].append(_stop(name, visit, n))
            unserved = tuple(visit.id for visit, crew in zip(order, chosen, strict=True) if not crew)
            plan = retime(problem, Plan({name: tuple(route) for name, route in routes.items()}, unserved))
            if plan is not None and not verdict(problem, plan):
                costs.append(plan_cost(problem, plan))
    return min(costs)


def _stop(worker: str, visit: Visit, seat: int) -> Stop:
    return Stop(worker, "visit", visit.id, seat, visit.place, 0, visit.seats[seat].duration_s)


@given(days(meals=False))
@settings(max_examples=15, deadline=None)
def test_a_proven_plan_is_the_best_of_all_plans(problem: Problem) -> None:
    """Crews, links, lateness and visits nobody takes, with all the plans of three visits and three workers to compare."""
    few = tuple(replace(worker, breaks=()) for worker in problem.workers[:3])
    tiny = replace(problem, workers=few, visits=problem.visits[:3])
    tiny = replace(tiny, links=tuple(link for link in problem.links if len(tiny.visits) > 1))
    proof = prove(tiny, _nobody(tiny), seconds=20)
    assert proof.optimal
    assert verdict(tiny, proof.plan) == []
    assert proof.cost == proof.bound == plan_cost(tiny, proof.plan) == _cheapest(tiny)


@pytest.mark.slow
@given(days(), st.integers(1, 5))
@settings(max_examples=12, deadline=None)
def test_no_search_beats_a_proof_and_without_breaks_it_comes_within_a_hundredth(problem: Problem, seed: int) -> None:
    """Breaks are taken as soon as they fit by the search, which is not always best. A hundredth is less than any visit."""
    plan = search(problem, construct(problem), seed=seed, clock=lambda: 0.0, iterations=400, keep_served=False)
    proof = prove(problem, plan, seconds=2)
    assert verdict(problem, proof.plan) == []
    assert proof.cost == plan_cost(problem, proof.plan) <= plan_cost(problem, plan)
    assert _Model(problem, plan).solved(2, 1)[1] <= plan_cost(problem, plan)  # `prove` cuts it at the cost
    if proof.optimal and not any(worker.breaks for worker in problem.workers):
        assert plan_cost(problem, plan) <= 1.01 * proof.cost


@given(days(), st.integers(0, 12_000))
@settings(max_examples=15, deadline=None)
def test_what_has_begun_stays_in_a_proven_plan(problem: Problem, now: int) -> None:
    plan = construct(problem)
    routes = {w: tuple(replace(s, locked=s.start_s <= now) for s in route) for w, route in plan.routes.items()}
    later, begun = replace(problem, now_s=now), Plan(routes, plan.unserved)
    proof = prove(later, begun, seconds=3)
    assert verdict(later, proof.plan) == []
    assert proof.cost <= plan_cost(later, begun)
    for worker, route in routes.items():
        locked = tuple(stop for stop in route if stop.locked)
        assert proof.plan.routes[worker][: len(locked)] == locked
