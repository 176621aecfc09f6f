"""A day too large for one search, or searched by several threads: cut into parts, and cut anew for the next pass.

A part is some workers with their whole routes and every visit in them, so parts share nothing and their answers fit
together again. Where a crew, or two linked visits, lie in different parts, each part keeps its own stop exactly where it
is. The cuts follow the ways alone: between two far ends, by how much nearer one of them is. Other ends each time, so that
what lay on a border lies inside a part in the next pass.
"""

import random
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from dispatch.cost import plan_cost
from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker
from dispatch.search import Heat, heat_for, search

T = TypeVar("T")
PART_VISITS = (
    600  # visits of a part, about. Judgement from made-up cities: up to 1,000 one search was better than parts
)
WHOLE_VISITS = 1500  # from here parts are better than one search, whatever the number of threads
_PASSES = 4
_OFF_CENTRE = 0.15  # how far from the middle a cut may fall, as a share of what is cut
_LOOK_S = 0.5
_PATIENCE_S = 5.0  # how long after its time a part is waited for


class Part(Struct, frozen=True):
    """A question and the plan it starts from, small enough to be sent to another process."""

    problem: Problem
    plan: Plan
    places: list[int]  # what the part's places are in the whole day
    seats: dict[
        tuple[str, str], int
    ]  # of stops that stay where they are: by visit and worker, the seat in the whole day


class Budget(Struct, frozen=True):
    """What one part may use, and how hot its search begins and ends."""

    seconds: float
    iterations: int | None
    seed: int
    heat: Heat


def search_part(part: Part, budget: Budget, clock: Callable[[], float]) -> dict[str, tuple[Stop, ...]]:
    """The best routes found for one part. Runs in whatever thread or process the executor has."""
    found = search(
        part.problem, part.plan, seed=budget.seed, clock=clock, seconds=budget.seconds, iterations=budget.iterations,
        heat=budget.heat,
    )  # fmt: skip
    return _returned(part, found)


def search_wide(
    problem: Problem,
    plan: Plan,
    *,
    seed: int,
    clock: Callable[[], float],
    executor: Executor,
    threads: int = 1,
    seconds: float = 0.0,
    iterations: int | None = None,
    told: Callable[[float, float], None] | None = None,
) -> Plan:
    """The best plan found by `threads` searches at a time.

    Large days are searched in parts. A day too small for that, or one whose cost or rules tie all parts together, is searched
    whole, once for each thread from another seed, and the best answer counts.
    """
    visits = len(problem.visits)
    if separable(problem) and (visits >= WHOLE_VISITS or (threads > 1 and visits >= 2 * PART_VISITS)):
        return search_parts(
            problem, plan, seed=seed, clock=clock, executor=executor, threads=threads, seconds=seconds,
            iterations=iterations, told=told,
        )  # fmt: skip
    if threads == 1:
        return search(problem, plan, seed=seed, clock=clock, seconds=seconds, iterations=iterations, told=told)
    began = clock()
    futures = [
        executor.submit(search, problem, plan, seed=seed + number, clock=clock, seconds=seconds, iterations=iterations)
        for number in range(threads)
    ]

    def look(found: Sequence[Plan]) -> None:
        share = 0.0 if iterations is not None else min(1.0, (clock() - began) / max(seconds, 1e-9))
        if told is not None:
            told(share, min(plan_cost(problem, one) for one in (plan, *found)))

    answers, _ = _answers(futures, None if iterations is not None else seconds + _PATIENCE_S, look)
    return min(answers, key=lambda p: plan_cost(problem, p), default=plan)


def separable(problem: Problem) -> bool:
    """Whether the parts of a day can be judged one by one: no price or equipment ties all routes together."""
    weights = problem.weights
    shared = any(visit.equipment for visit in problem.visits)
    return bool(problem.workers) and not shared and weights.late_max_s == 0 and weights.uneven == 0


def search_parts(
    problem: Problem,
    plan: Plan,
    *,
    seed: int,
    clock: Callable[[], float],
    executor: Executor,
    threads: int,
    seconds: float = 0.0,
    iterations: int | None = None,
    heat: Heat | None = None,
    part_visits: int = PART_VISITS,
    passes: int = _PASSES,
    told: Callable[[float, float], None] | None = None,
) -> Plan:
    """The plan after some passes over all parts, `threads` of them at a time; what it serves stays served.

    With `iterations` the answer depends on the seed alone, however many threads there are. A part that does not answer
    in time, or fails, keeps its routes.
    """
    began = clock()
    heat = heat or heat_for(problem)
    chance = random.Random(seed)
    for number in range(passes):
        parts = cut(problem, plan, max(1, len(problem.visits) // part_visits), chance)
        left = seconds - (clock() - began)
        if iterations is None and left <= 0:
            break
        share = left / (passes - number) * min(threads, len(parts)) / len(parts)
        cooling = Heat(heat.at(number / passes), heat.at((number + 1) / passes), heat.strength)
        steps = None if iterations is None else max(1, iterations // (passes * len(parts)))
        futures = [
            executor.submit(search_part, part, Budget(share, steps, chance.getrandbits(30), cooling), clock)
            for part in parts
        ]
        answers, whole = _answers(futures, None if iterations is not None else left + _PATIENCE_S)
        plan = _joined(plan, answers)
        if told is not None:
            told((number + 1) / passes, plan_cost(problem, plan))
        if not whole:
            break
    return plan


def _answers(
    futures: Sequence[Future[T]], patience_s: float | None, look: Callable[[Sequence[T]], None] | None = None
) -> tuple[list[T], bool]:
    """What came in time, and whether all did. A search that failed is told as a warning: the best plan so far stands.

    `look` is called every half second with what has been found by then.
    """
    late = set(futures)
    waited = 0.0
    while late and (patience_s is None or waited < patience_s):
        step = _LOOK_S if patience_s is None else min(_LOOK_S, patience_s - waited)
        late = wait(late, timeout=step).not_done
        waited += step
        if look is not None:
            look([future.result() for future in futures if future.done() and future.exception() is None])
    done = set(futures) - late
    for future in late:
        future.cancel()
    broken = [error for future in futures if future in done and (error := future.exception()) is not None]
    if broken:
        warnings.warn(f"{len(broken)} of {len(futures)} searches failed: {broken[0]!r}", RuntimeWarning, stacklevel=3)
    answers = [future.result() for future in futures if future in done and future.exception() is None]
    return answers, len(answers) == len(futures)


def _joined(plan: Plan, answers: Sequence[dict[str, tuple[Stop, ...]]]) -> Plan:
    routes = dict(plan.routes)
    for answer in answers:
        routes.update(answer)
    served = {stop.visit for route in routes.values() for stop in route}
    return Plan(routes, tuple(visit for visit in plan.unserved if visit not in served))


def cut(problem: Problem, plan: Plan, parts: int, chance: random.Random) -> list[Part]:
    """The day in so many parts of about as many visits each."""
    ways = problem.travel[problem.workers[0].mode]
    bundles = [
        _Bundle(worker.id, _places(worker, plan), len(plan.routes.get(worker.id, ()))) for worker in problem.workers
    ]
    by_id = {visit.id: visit for visit in problem.visits}
    bundles += [_Bundle(None, (by_id[name].place,), 1, name) for name in plan.unserved]
    groups = _halved(bundles, parts, ways, chance)
    reader = _Cutter(problem, plan)
    made = [reader.part(group) for group in groups]
    return [part for part in made if part.problem.workers and part.problem.visits]


class _Bundle(Struct, frozen=True):
    """What stays together in a cut: a worker's whole route, or one visit nobody serves."""

    worker: str | None
    places: tuple[int, ...]
    size: int
    unserved: str | None = None


def _places(worker: Worker, plan: Plan) -> tuple[int, ...]:
    stops = plan.routes.get(worker.id, ())
    return tuple(stop.place for stop in stops if stop.kind != "break") or (worker.start_place,)


def _halved(bundles: list[_Bundle], parts: int, ways: np.ndarray, chance: random.Random) -> list[list[_Bundle]]:
    """Cut in two, and each half again, across the line between two places far apart."""
    if parts <= 1 or len(bundles) < 2:
        return [bundles]
    some = chance.choice(bundles).places[0]
    heads = np.asarray([bundle.places[0] for bundle in bundles])
    one = int(heads[np.argmax(ways[some, heads])])
    if chance.random() < 0.5:
        one = some
    other = int(heads[np.argmax(ways[one, heads])])
    nearer = ways[one].astype(np.int64) - ways[other]
    along = sorted(bundles, key=lambda bundle: float(np.mean(nearer[list(bundle.places)])))
    first = parts // 2
    share = first / parts + _OFF_CENTRE * (2 * chance.random() - 1) / parts
    until, total, at = share * sum(bundle.size for bundle in along), 0, 0
    while at < len(along) - 1 and (total < until or at == 0):
        total += along[at].size
        at += 1
    return _halved(along[:at], first, ways, chance) + _halved(along[at:], parts - first, ways, chance)


class _Cutter:
    """Makes the question of one part after another from the same plan."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self._problem, self._plan = problem, plan
        self._visits = {visit.id: visit for visit in problem.visits}
        self._workers = {worker.id: worker for worker in problem.workers}
        self._with: dict[str, set[str]] = {}
        for worker, route in plan.routes.items():
            for stop in route:
                self._with.setdefault(stop.visit, set()).add(worker)
        self._linked: dict[str, set[str]] = {}
        for link in problem.links:
            self._linked.setdefault(link.before, set()).add(link.after)
            self._linked.setdefault(link.after, set()).add(link.before)

    def part(self, group: Sequence[_Bundle]) -> Part:
        """The workers of a group with their routes and visits, and the ways between them."""
        workers = [self._workers[bundle.worker] for bundle in group if bundle.worker is not None]
        inside = {worker.id for worker in workers}
        routes = {worker.id: self._plan.routes.get(worker.id, ()) for worker in workers}
        waiting = tuple(bundle.unserved for bundle in group if bundle.unserved is not None)
        stops: dict[str, list[Stop]] = {}
        for route in routes.values():
            for stop in route:
                stops.setdefault(stop.visit, []).append(stop)
        known = stops.keys() | set(waiting)
        # who waits and is tied to a visit of another part is not asked for here: nobody would keep the gap between them
        unserved = tuple(name for name in waiting if self._linked.get(name, set()) <= known)
        pinned = {name for name in stops if name in self._visits and self._reaches_out(name, inside, known)}
        places = sorted(
            {place for worker in workers for place in (worker.start_place, worker.end_place) if place is not None}
            | {stop.place for route in routes.values() for stop in route}
            | {place for name in unserved for place in _doors(self._visits[name])}
        )
        at = {place: number for number, place in enumerate(places)}
        visits = [
            _pinned(self._visits[name], stops[name]) if name in pinned else self._visits[name]
            for name in (*stops, *unserved)
            if name in self._visits
        ]
        asked = stops.keys() | set(unserved)
        tied = {stop.worker for name in pinned for stop in stops[name]}
        problem = msgspec.structs.replace(
            self._problem,
            workers=tuple(_moved_worker(worker, at, own=worker.id in tied) for worker in workers),
            visits=tuple(_moved_visit(visit, at) for visit in visits),
            links=tuple(link for link in self._problem.links if {link.before, link.after} <= asked),
            travel={mode: _between(self._problem.travel[mode], places) for mode in {worker.mode for worker in workers}},
        )
        seats = {(stop.visit, stop.worker): stop.seat for name in pinned for stop in stops[name]}
        return Part(problem, Plan(_entered(routes, stops, pinned, at), unserved), places, seats)

    def _reaches_out(self, name: str, inside: set[str], known: set[str]) -> bool:
        """Whether a colleague, or a linked visit somebody serves, lies in another part."""
        if not self._with[name] <= inside:
            return True
        return any(other not in known and other in self._with for other in self._linked.get(name, ()))


def _doors(visit: Visit) -> tuple[int, ...]:
    return (visit.place,) if visit.delivery is None else (visit.place, visit.delivery.pickup_place)


def _own(worker: str) -> str:
    """A skill nobody else has."""
    return f"\0{worker}"


def _pinned(visit: Visit, stops: Sequence[Stop]) -> Visit:
    """The visit's seats of this part, at their planned start, for whoever has them."""
    handled = [stop for stop in stops if stop.kind != "pickup"]
    start = max(stop.start_s for stop in handled)
    seats = tuple(
        msgspec.structs.replace(seat, skills=seat.skills | {_own(stop.worker)}, gender=None)
        for stop, seat in ((stop, visit.seats[stop.seat]) for stop in handled)
    )
    return msgspec.structs.replace(visit, seats=seats, earliest_s=start, latest_s=start)


def _moved_worker(worker: Worker, at: dict[int, int], *, own: bool) -> Worker:
    end = None if worker.end_place is None else at[worker.end_place]
    skills = worker.skills | {_own(worker.id)} if own else worker.skills
    return msgspec.structs.replace(worker, start_place=at[worker.start_place], end_place=end, skills=skills)


def _moved_visit(visit: Visit, at: dict[int, int]) -> Visit:
    meal = visit.delivery
    if meal is not None:
        meal = msgspec.structs.replace(meal, pickup_place=at[meal.pickup_place])
    return msgspec.structs.replace(visit, place=at[visit.place], delivery=meal)


def _between(ways: np.ndarray, places: Sequence[int]) -> np.ndarray:
    return np.ascontiguousarray(ways[np.ix_(places, places)])


def _entered(
    routes: dict[str, tuple[Stop, ...]], stops: dict[str, list[Stop]], pinned: set[str], at: dict[int, int]
) -> dict[str, tuple[Stop, ...]]:
    """The routes in the part's own numbers of places and seats."""
    seat = {
        (name, stop.worker): number
        for name in pinned
        for number, stop in enumerate(stop for stop in stops[name] if stop.kind != "pickup")
    }
    return {
        worker: tuple(
            msgspec.structs.replace(stop, place=at[stop.place], seat=seat.get((stop.visit, worker), stop.seat))
            for stop in route
        )
        for worker, route in routes.items()
    }


def _returned(part: Part, plan: Plan) -> dict[str, tuple[Stop, ...]]:
    """Routes in the whole day's numbers again."""
    return {
        worker: tuple(
            msgspec.structs.replace(
                stop, place=part.places[stop.place], seat=part.seats.get((stop.visit, worker), stop.seat)
            )
            for stop in route
        )
        for worker, route in plan.routes.items()
    }
