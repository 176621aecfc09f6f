"""Building a day from nothing and making it better: take a few visits out, put them back where they cost least.

Crews come out and go in whole, so the search never sends one of two bathers.
"""

import random
from collections.abc import Callable, Sequence

from dispatch.cost import plan_cost
from dispatch.insertion import insert
from dispatch.outcome import Insertion
from dispatch.plan import Plan, remove
from dispatch.problem import Problem, Visit
from dispatch.timing import retime

_COOLING = 0.995


def construct(problem: Problem, plan: Plan | None = None) -> Plan:
    """Serve what is unserved, crews and linked visits first, then by due time; what nobody can serve stays unserved."""
    current = plan or Plan({worker.id: () for worker in problem.workers}, tuple(v.id for v in problem.visits))
    waiting = set(current.unserved)
    todo = sorted((v for v in problem.visits if v.id in waiting), key=_urgency(problem))
    return _put_back(problem, current, todo)


def _urgency(problem: Problem) -> Callable[[Visit], tuple[int, int]]:
    followers = {link.after for link in problem.links}

    def key(visit: Visit) -> tuple[int, int]:
        due = visit.latest_s if visit.due_s is None else visit.due_s
        return (due + (1 if visit.id in followers else 0), -len(visit.seats))

    return key


def _put_back(problem: Problem, plan: Plan, visits: Sequence[Visit]) -> Plan:
    for visit in visits:
        outcome = insert(problem, plan, visit)
        if isinstance(outcome, Insertion):
            plan = outcome.plan
    return plan


def ruin_and_recreate(
    problem: Problem,
    plan: Plan,
    *,
    seed: int,
    iterations: int | None = None,
    expired: Callable[[], bool] = lambda: False,
) -> Plan:
    """Improve until the iterations are used or time has expired; never worse than the plan given.

    What the plan serves stays served: nobody's promise is traded for somebody who is still waiting.

    Deterministic for a seed and a number of iterations. A slightly worse plan is sometimes carried on from, after
    Kirkpatrick et al. 1983 (annealing); which visits leave follows nearness, after Shaw 1998.
    """
    chooser = random.Random(seed)
    movable = _movable(problem, plan)
    if not movable:
        return plan
    best = current = plan
    best_cost = current_cost = plan_cost(problem, plan)
    waiting = set(plan.unserved)
    heat = max(1.0, 0.01 * best_cost)
    step = 0
    while (iterations is None or step < iterations) and not expired():
        step += 1
        heat *= _COOLING
        group = _related(problem, movable, chooser)
        trial = current
        for visit in group:
            trial = remove(trial, visit.id)
        trial = retime(problem, trial) or trial
        chooser.shuffle(group)
        trial = _put_back(problem, trial, group)
        timed = retime(problem, trial) if waiting.issuperset(trial.unserved) else None
        if timed is None:
            continue
        price = plan_cost(problem, timed)
        if price < current_cost + heat * chooser.random():
            current, current_cost = timed, price
            if price < best_cost:
                best, best_cost = timed, price
    return best


def _movable(problem: Problem, plan: Plan) -> list[Visit]:
    locked = {stop.visit for route in plan.routes.values() for stop in route if stop.locked}
    return [visit for visit in problem.visits if visit.id not in locked]


def _related(problem: Problem, movable: Sequence[Visit], chooser: random.Random) -> list[Visit]:
    """One visit by chance and its neighbours in place and time, with whatever is linked to them."""
    centre = chooser.choice(movable)
    matrix = next(iter(problem.travel.values()))
    size = chooser.randint(1, min(6, len(movable)))

    def distance(visit: Visit) -> float:
        apart = abs((visit.due_s or visit.latest_s) - (centre.due_s or centre.latest_s))
        return (int(matrix[centre.place, visit.place]) + 0.1 * apart) * (0.5 + chooser.random())

    chosen = {visit.id: visit for visit in sorted(movable, key=distance)[:size]}
    by_id = {visit.id: visit for visit in movable}
    for link in problem.links:
        for one, other in ((link.before, link.after), (link.after, link.before)):
            if one in chosen and other in by_id:
                chosen[other] = by_id[other]
    return list(chosen.values())
