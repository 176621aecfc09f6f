"""A proof on any day: meals, limits, equipment, promises, links, breaks and visits that have begun, all together."""

import random
from collections import Counter

import pytest
from msgspec.structs import replace

from dispatch import Plan, Problem, improve, plan_cost, prove
from dispatch.exact import _Model
from tests.support.effort import SEED, announce, effort, tell
from tests.support.judge import judge
from tests.support.random_days import random_day, random_plans

_DAYS, _SECONDS = effort(20, 300), effort(1, 5) / 5


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
    """Name what is untrue of a proof, and what the model finds against a rule: `prove` would throw it away."""
    sound = not judge(problem, plan)
    found, _ = _Model(problem, plan).solved(_SECONDS, 1)
    wrong = judge(problem, found) if sound and found else []
    proof = prove(problem, plan, seconds=_SECONDS)
    counted["proven best" if proof.optimal else "bounded"] += 1
    wrong += judge(problem, proof.plan) if sound else []
    searched = improve(problem, plan, 60, 1, iterations=300)
    told = (proof.bound, proof.cost, plan_cost(problem, plan), plan_cost(problem, searched))
    if proof.cost != plan_cost(problem, proof.plan) or (sound and not told[0] <= told[1] <= told[2]):
        wrong.append(f"bound, cost and the given plan's cost: {told}")
    if sound and not judge(problem, searched) and told[0] > told[3]:
        wrong.append(f"a search found better than the best there may be: {told}")
    return wrong


def test_a_proof_keeps_every_rule_and_its_bound_lies_below_its_cost():
    """Judged by the tests' own reading of the rules, which has never seen the model that proves."""
    announce("proofs")
    counted, wrong = Counter[str](), []
    for number in range(_DAYS):
        chance = random.Random(f"{SEED}/{number}")
        for problem, plan in random_plans(chance, _tight(chance, _one_shift(random_day(chance)))):
            wrong += [(number, complaint) for complaint in _wrong_about(problem, plan, counted)]
    tell(f"{_DAYS} days: {dict(counted)}")
    assert wrong == []
    assert counted["proven best"] > counted["bounded"]


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
