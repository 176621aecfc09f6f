"""Building a day from nothing and making it better: take a few visits out, put them back where they cost least.

Crews come out and go in whole, so the search never sends one of two bathers.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from dispatch.arrays import Arrays, from_plan, to_plan
from dispatch.engine.anneal import anneal, follow, keep_best, put_back
from dispatch.engine.day import TRAVEL, fresh_state
from dispatch.engine.pricing import total
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit

_CHUNK_S = 0.02  # how often the clock is looked at


class Heat(Struct, frozen=True):
    """How the annealing cools, in shares of the mean way to a visit; judgement from measurements on many days."""

    hot: float = 2.0
    cold: float = 0.004
    strength: float = 10.0

    def at(self, share: float) -> float:
        """The heat after a share of the time: it falls by the same factor in every second."""
        return self.hot * (self.cold / self.hot) ** share


_TOLD_HEAT = Heat(strength=30.0)  # where most visits go back to where they were, few would change in smaller ruins
_NEXT_SEED = 1_000_003  # from one round to the next; threads have neighbouring seeds
_ROUND_S = 13e-6  # that a round needs, by the third power of the visits; measured at 50 patients
_ROUND_ITERATIONS = 0.05  # the same in iterations
_MOST_ROUNDS = 8


def construct(problem: Problem, plan: Plan | None = None) -> Plan:
    """Serve what is unserved, crews and linked visits first, then by due time; what nobody can serve stays unserved."""
    current = plan or Plan({worker.id: () for worker in problem.workers}, tuple(v.id for v in problem.visits))
    arrays = from_plan(problem, current, 1)
    if not arrays.possible or arrays.day.workers == 0:
        return current
    _serve(arrays)
    return to_plan(arrays, arrays.state)


def _serve(arrays: Arrays) -> None:
    """Put every unserved visit where it costs least, the most urgent first."""
    state, day = arrays.state, arrays.day
    waiting = [v for v in range(day.visits) if state.node[int(day.visit[v]["first"])]["route"] < 0]
    waiting.sort(key=lambda v: _urgency(arrays.visits[v]))
    state.waiting[: len(waiting)] = waiting
    for v in range(len(waiting)):
        state.top[0] = 0
        state.waiting[0] = waiting[v]
        put_back(day, state, 1, 0.0)


def _urgency(visit: Visit) -> tuple[int, int, int]:
    return (-visit.priority, visit.latest_s if visit.due_s is None else visit.due_s, -len(visit.seats))


def heat_for(problem: Problem) -> Heat:
    """Hot enough to leave the valley a search begins in; in larger ruins where most visits were told."""
    told = sum(visit.promised is not None for visit in problem.visits)
    return _TOLD_HEAT if 2 * told > len(problem.visits) else Heat()


def search(
    problem: Problem,
    plan: Plan,
    *,
    seed: int,
    clock: Callable[[], float],
    seconds: float = 0.0,
    iterations: int | None = None,
    keep_served: bool = True,
    heat: Heat | None = None,
    told: Callable[[float, float], None] | None = None,
) -> Plan:
    """The best plan found within the seconds or iterations; the plan given when nothing better was found.

    With `iterations` the clock is not looked at: the answer depends on the seed alone. `keep_served` keeps whoever the
    plan serves served: nobody's promise is traded for somebody who is still waiting. `told` hears the share of the
    budget used and the cost of the best plan so far.
    """
    served = frozenset(stop.visit for route in plan.routes.values() for stop in route) if keep_served else frozenset()
    budget = _Budget(clock, seconds, iterations, told)
    found: list[tuple[float, Arrays]] = []
    rounds = 1 if heat else budget.rounds(len(problem.visits))
    heat = heat or heat_for(problem)
    for number in range(rounds):
        arrays = from_plan(problem, plan, seed + number * _NEXT_SEED, served)
        if not arrays.possible or arrays.day.visits == 0 or arrays.day.workers == 0:
            return plan
        centres = ruin_centres(arrays, plan)
        _serve(arrays)
        keep_best(arrays.state)
        budget.until = (number + 1) / rounds
        cost = _anneal_routes(arrays, budget, heat, centres)
        found.append((cost, arrays))
    best = (_best(arrays) for _, arrays in sorted(found, key=lambda one: one[0]))
    return next((one for one in best if one is not None), plan)


class _Budget:
    """How much of the seconds or iterations is used, and how many steps to take before looking again."""

    def __init__(
        self,
        clock: Callable[[], float],
        seconds: float,
        iterations: int | None,
        told: Callable[[float, float], None] | None,
    ) -> None:
        self._clock = clock
        self._began = clock()
        self._seconds = max(seconds, 1e-9)
        self._iterations = iterations
        self._told = told
        self.until = 0.0  # the share at which this round ends
        self._used = 0
        self._least = np.inf

    def rounds(self, visits: int) -> int:
        """How often to begin anew: several short searches find more than a long one that is caught somewhere."""
        most = self._seconds / _ROUND_S if self._iterations is None else self._iterations / _ROUND_ITERATIONS
        return max(1, min(_MOST_ROUNDS, int(most / max(1, visits) ** 3)))

    def chunks(self) -> Iterator[tuple[int, float, float]]:
        """Steps to take, and the shares of this round used before and after them."""
        if self._iterations is not None:
            total = int(self._iterations * self.until) - self._used
            done = 0
            while done < total:
                steps = min(100, total - done)
                yield steps, done / total, (done + steps) / total
                done += steps
            self._used += total
            return
        first = self._share()
        stretch = max(self.until - first, 1e-9)
        steps, share = 20, 0.0
        while share < 1.0:
            before = self._clock()
            yield steps, share, share
            spent = self._clock() - before
            steps = max(5, min(200_000, int(steps * min(4.0, max(0.25, _CHUNK_S / max(spent, 1e-6))))))
            share = (self._share() - first) / stretch

    def _share(self) -> float:
        return (self._clock() - self._began) / self._seconds

    def tell(self, cost: float) -> None:
        """Say how far we are and how good."""
        self._least = min(self._least, cost)
        if self._told is not None:
            self._told(min(1.0, self._share()) if self._iterations is None else 0.0, self._least)


def ruin_centres(arrays: Arrays, plan: Plan) -> np.ndarray:
    """Where ruins begin, visits by number: anywhere, but at least half of them where a day that was told is not as told.

    That is at orders that came in since and at visits the plan cannot keep; what is far from them seldom changes.
    """
    stops: dict[str, list[Stop]] = {}
    for route in plan.routes.values():
        for stop in route:
            stops.setdefault(stop.visit, []).append(stop)
    everywhere = np.arange(len(arrays.visits))
    told = [_as_told(visit, stops.get(visit.id, ())) for visit in arrays.visits]
    astray = np.flatnonzero(np.logical_not(told))
    return np.concatenate([everywhere, np.repeat(astray, len(told) // max(1, len(astray)) - 1)])


def _as_told(visit: Visit, stops: Sequence[Stop]) -> bool:
    """Whether the visit is planned with those who were told, near the start that was told."""
    told = visit.promised
    if told is None or not stops:
        return False
    near = told.start_s is None or abs(stops[-1].start_s - told.start_s) <= told.free_s
    return near and (not told.workers or all(stop.worker in told.workers for stop in stops))


def _anneal_routes(arrays: Arrays, budget: _Budget, heat: Heat, centres: np.ndarray) -> float:
    """Ruin and recreate until this round's budget is used; the cost of the best plan."""
    day, state = arrays.day, arrays.state
    best = total(day, state)
    unit = max(1.0, day.travel_rate * state.sums[TRAVEL] / day.visits)
    done = 0
    for steps, before, after in budget.chunks():
        best = anneal(
            day, state, steps, unit * heat.at(before), unit * heat.at(after), best, heat.strength, done, centres
        )
        done += steps
        budget.tell(best)
    return best


def _best(arrays: Arrays) -> Plan | None:
    """Build the best plan anew from the order of its stops; None where that order alone finds no times.

    Trials come to times step by step, each from the times before it, and the order alone may end at others. Seen on two
    of 100,000 random days, both with a meal linked to a visit that needs equipment; not understood yet.
    """
    day, state = arrays.day, arrays.state
    sequence: list[int] = []
    workers: list[int] = []
    for w in range(day.workers):
        n = int(state.best_after[day.nodes + w])
        while n < day.nodes:
            sequence.append(n)
            workers.append(w)
            n = int(state.best_after[n])
    clean = fresh_state(day, 1)
    if not follow(day, clean, np.asarray(workers, np.int64), np.asarray(sequence, np.int64), len(sequence)):
        return None
    return to_plan(arrays, clean)
