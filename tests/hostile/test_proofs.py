"""A proof on any day: meals, limits, equipment, promises, links, breaks and visits that have begun, all together."""

import random
from collections import Counter

import pytest
from msgspec.structs import replace

from dispatch import Plan, Problem, construct, improve, plan_cost, prove
from dispatch.exact import _Model
from tests.support.brute import best_of_all, random_problem
from tests.support.effort import SEED, announce, effort, tell
from tests.support.judge import judge
from tests.support.random_days import random_day, random_plans
from tests.support.verdict import verdict

_DAYS, _SECONDS, _TINY = effort(20, 300), effort(1, 5) / 5, effort(60, 600)


def _one_shift(problem: Problem) -> Problem:
    return replace(problem, workers=tuple(replace(worker, shifts=worker.shifts[:1]) for worker in problem.workers))


def _tight(chance: random.Random, problem: Problem) -> Problem:
    """A limit for everybody that keeps them from something; those that are drawn for whole days seldom do."""
    limit: dict[str, int] = chance.choice([{}, {"max_heavy": 1}, {"max_work_s": 2400}, {"max_span_s": 9000}])
    workers = tuple(replace(worker, **limit) for worker in problem.workers)
    visits = tuple(
        replace(visit, seats=tuple(replace(seat, heavy="max_heavy" in limit or seat.heavy) for seat in visit.seats))
        for visit in problem.visits
    )
    return replace(problem, workers=workers, visits=visits)


def _wrong_about(problem: Problem, plan: Plan, counted: Counter[str]) -> list[str]:
    """Name what is untrue of the model: `prove` throws away what breaks a rule, and cuts the bound at the cost."""
    if judge(problem, plan):
        return []
    found, bound = _Model(problem, plan).solved(_SECONDS, 1)
    wrong = [] if found is None else judge(problem, found)
    proof = prove(problem, plan, seconds=_SECONDS)
    counted["proven best" if proof.optimal else "bounded"] += 1
    wrong += judge(problem, proof.plan)
    searched = improve(problem, plan, 60, 1, iterations=300)
    costs = {
        "given": plan_cost(problem, plan),
        "proven": plan_cost(problem, proof.plan),
        "searched": plan_cost(problem, searched),
    }
    wrong += [f"the bound is {bound}, and the plan {name} costs {cost}" for name, cost in costs.items() if cost < bound]
    if proof.cost != costs["proven"] or proof.optimal != (proof.bound == proof.cost):
        wrong.append(f"{proof.bound}, {proof.cost}, {proof.optimal}: {costs}")
    return wrong


def test_a_proof_keeps_every_rule_and_no_plan_costs_less_than_its_bound():
    """Judged by the tests' own reading of the rules, which has never seen the model that proves."""
    announce("proofs")
    counted, wrong = Counter[str](), []
    for number in range(_DAYS):
        chance = random.Random(f"{SEED}/{number}")
        for problem, plan in random_plans(chance, _tight(chance, _one_shift(random_day(chance)))):
            wrong += [(number, complaint) for complaint in _wrong_about(problem, plan, counted)]
    tell(f"{_DAYS} days: {dict(counted)}")
    assert wrong == []


def test_the_bound_of_a_tiny_day_is_the_cost_of_its_best_plan():
    """With all rules together, against every plan there is, what has begun included; the bound as it is, not as it is told."""
    announce("tiny days proven")
    counted, wrong = Counter[str](), []
    for number in range(_TINY):
        chance = random.Random(f"{SEED}/{number}/tiny")
        problem, plan = _tiny(chance)
        best = best_of_all(problem, plan)
        if best is None:
            continue  # a break that has no room any more
        found, bound = _Model(problem, plan).solved(60, 1)
        told = 0 if found is None else plan_cost(problem, found)
        spare = 1 + sum(visit.delivery is not None for visit in problem.visits)  # costs of waiting are cut to seconds
        if found is None or verdict(problem, found) or bound > best or not bound <= told <= bound + spare:
            wrong.append((number, bound, told, best))
        counted.update(
            ["begun" if problem.now_s else "not begun", "as found by timing" if told >= best - spare else "cheaper"]
        )
        counted.update(["somebody left out"] if found is not None and found.unserved else ["everybody served"])
    tell(f"{_TINY} tiny days: {dict(counted)}")
    assert wrong == []
    assert min(counted[kind] for kind in ("begun", "not begun", "somebody left out", "everybody served")) > _TINY / 100
    assert counted["as found by timing"] > 2 * counted["cheaper"]  # it is later starts that time alone does not find


def _tiny(chance: random.Random) -> tuple[Problem, Plan]:
    """A day of two or three workers and visits of all kinds, from nothing or at some moment of a plan, with penalties that
    may be worth paying."""
    day = _tight(chance, _one_shift(random_problem(chance)))
    visits = tuple(
        replace(visit, drop_penalty=chance.choice([600, 10**6, 10**6, 10**6]))
        for visit in day.visits[: chance.choice([2, 2, 3])]
    )
    names = {visit.id for visit in visits}
    links = tuple(link for link in day.links if {link.before, link.after} <= names)
    weights = replace(day.weights, uneven=0, moved_s=1)  # the model leaves even shares out, and counts thousandths
    problem = replace(day, workers=day.workers[:2], visits=visits, links=links, weights=weights)
    nobody = Plan({worker.id: () for worker in problem.workers}, tuple(sorted(names)))
    starts = [stop.start_s for route in construct(problem).routes.values() for stop in route]
    if not starts or chance.random() < 0.5:
        return problem, nobody
    problem = replace(problem, now_s=max(1, chance.choice(starts) + chance.randrange(-500, 500)))
    made = construct(replace(problem, now_s=0))
    begun = {stop.visit for route in made.routes.values() for stop in route if stop.start_s < problem.now_s}
    routes = {
        worker: tuple(replace(stop, locked=True) for stop in route if stop.start_s < problem.now_s)
        for worker, route in made.routes.items()
    }
    return problem, Plan(routes, tuple(sorted(names - begun)))


def test_a_day_with_a_second_shift_is_refused_by_name():
    """Nothing is proven about an afternoon that the model does not know."""
    chance = random.Random(3)
    days = (random_day(chance) for _ in range(200))
    split = next(day for day in days if any(len(worker.shifts) > 1 for worker in day.workers))
    with pytest.raises(ValueError, match="a worker has several shifts"):
        prove(
            split,
            Plan({worker.id: () for worker in split.workers}, tuple(visit.id for visit in split.visits)),
            seconds=1,
        )
