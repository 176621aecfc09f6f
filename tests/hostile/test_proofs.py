"""A proof on any day: meals, limits, equipment, promises, links, breaks and visits that have begun, all together."""

import random
from collections import Counter

import pytest
from msgspec.structs import replace

from dispatch import Plan, Problem, plan_cost, prove
from tests.support.effort import SEED, announce, effort, tell
from tests.support.judge import judge
from tests.support.random_days import random_day, random_plans

_DAYS, _SECONDS = effort(10, 300), effort(1, 5) / 5


def _one_shift(problem: Problem) -> Problem:
    return replace(problem, workers=tuple(replace(worker, shifts=worker.shifts[:1]) for worker in problem.workers))


def _wrong_about(problem: Problem, plan: Plan, counted: Counter[str]) -> list[str]:
    proof = prove(problem, plan, seconds=_SECONDS)
    counted["proven best" if proof.optimal else "bounded"] += 1
    sound, told = not judge(problem, plan), (proof.bound, proof.cost, plan_cost(problem, plan))
    wrong = judge(problem, proof.plan) if sound else []
    if proof.cost != plan_cost(problem, proof.plan) or proof.bound > proof.cost or (sound and told[1] > told[2]):
        wrong.append(f"bound, cost and the given plan's cost: {told}")
    return wrong


def test_a_proof_keeps_every_rule_and_its_bound_lies_below_its_cost():
    """Judged by the tests' own reading of the rules, which has never seen the model that proves."""
    announce("proofs")
    counted, wrong = Counter[str](), []
    for number in range(_DAYS):
        chance = random.Random(f"{SEED}/{number}")
        for problem, plan in random_plans(chance, _one_shift(random_day(chance))):
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
