"""What other solvers make of the same day, written as the same plan file, so that one judge judges all.

    python -m tests.benchmarks.peers pyvrp|vroom|ortools FILE --seconds 10 --seed 1 --out plan.json

They are benchmark-only extras (`pip install .[bench]`). Exit code 3: not installed; 4: the peer cannot express such a day;
5: it found no plan.
"""

import argparse
import importlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.benchmarks.evaluate import READERS, Day, Person, Task, guess
from tests.benchmarks.generate import read

NOT_INSTALLED, CANNOT, NO_ANSWER = 3, 4, 5
UNIT = {"hhcrsp": 1000, "solomon": 10, "vrplib": 1000, "city": 1}  # ticks in one unit of the file
MOST_PLACES = 6000  # above this the peers' own matrices take gigabytes
MOST_IN_ONE_MODEL = 2500  # above this OR-Tools routing overruns every limit without one plan
FEW = 500  # jobs up to which VROOM explores most; measured on days of 100 and of 1,000
FAR = 10**8
DROP = 20_000


class Job(NamedTuple):
    visit: str
    service: str
    task: Task


class Question(NamedTuple):
    """The day in whole ticks, as all three solvers take it: jobs, people and one matrix over places."""

    day: Day
    form: str
    unit: int
    jobs: list[Job]
    people: dict[str, Person]
    ways: np.ndarray

    def tick(self, value: float) -> int:
        return round(min(FAR, value * self.unit))

    def fits(self, person: Person, job: Job) -> bool:
        return job.visit not in person.barred and (not self.day.needs_skill or job.service in person.skills)


class CannotError(Exception):
    """The peer has no words for this day."""


Routes = dict[str, list[int]]


def question(path: Path) -> Question:
    text = read(path)
    form = guess(path, text)
    day = READERS[form](text)
    jobs = [
        Job(visit, service, task)
        for visit, services in day.tasks.items()
        for service, seats in services.items()
        for task in seats
    ]
    size = 1 + max(job.task.place for job in jobs)
    if size > MOST_PLACES:
        raise CannotError(f"{size} places")
    ways = np.array([[round(day.way(a, b) * UNIT[form]) for b in range(size)] for a in range(size)], dtype=np.int64)
    return Question(day, form, UNIT[form], jobs, day.people, ways)


def pyvrp(asked: Question, seconds: float, seed: int) -> Routes:
    """PyVRP: skills and allowed clients as one profile of ways for each kind of vehicle."""
    import pyvrp as p

    if asked.day.together or asked.day.gaps:
        raise CannotError("crews")
    kinds: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for name, person in asked.people.items():
        able = tuple(asked.fits(person, job) for job in asked.jobs)
        kinds[able, person.base, person.capacity, person.longest, person.opens, person.closes].append(name)
    bases = sorted({person.base for person in asked.people.values()})
    places = [*bases, *(job.task.place for job in asked.jobs)]
    plain = asked.ways[np.ix_(places, places)]
    profiles: dict[tuple[bool, ...], int] = {}
    matrices: list[np.ndarray] = []
    types = []
    for (able, base, capacity, longest, opens, closes), names in kinds.items():
        if able not in profiles:
            barred = plain.copy()
            barred[:, len(bases) :][:, ~np.array(able)] = FAR
            np.fill_diagonal(barred, 0)
            profiles[able] = len(matrices)
            matrices.append(barred)
        types.append(
            p.VehicleType(
                len(names), [asked.tick(capacity)], bases.index(base), bases.index(base), tw_early=asked.tick(opens),
                tw_late=asked.tick(closes), shift_duration=asked.tick(longest), profile=profiles[able],
            )
        )  # fmt: skip
    clients = [
        p.Client(
            len(bases) + n, [asked.tick(job.task.demand)], [0], asked.tick(job.task.busy), asked.tick(job.task.first),
            asked.tick(job.task.last), prize=DROP if asked.day.may_drop else 0, required=not asked.day.may_drop,
        )
        for n, job in enumerate(asked.jobs)
    ]  # fmt: skip
    data = p.ProblemData(
        [p.Location(0, 0) for _ in places], clients, [p.Depot(n) for n in range(len(bases))], types, matrices, matrices
    )
    result = p.solve(data, stop=importlib.import_module("pyvrp.stop").MaxRuntime(seconds), seed=seed, display=False)
    free = [list(names) for names in kinds.values()]
    routes: Routes = {}
    for route in result.best.routes():
        routes[free[route.vehicle_type()].pop()] = [stop.idx for stop in route if stop.is_client()]
    return routes


def vroom(asked: Question, seconds: float, _seed: int) -> Routes:
    """VROOM through pyvroom, stopped by the clock; large days at its lowest exploration, which ends best there."""
    import vroom as v

    if asked.day.together or asked.day.gaps or any(p.longest < FAR for p in asked.people.values()):
        raise CannotError("crews or longest days")
    services = sorted({job.service for job in asked.jobs})
    day = v.Input()
    day.set_durations_matrix("car", asked.ways.astype(np.uint32))
    for n, person in enumerate(asked.people.values()):
        day.add_vehicle(
            v.Vehicle(
                n, person.base, person.base, capacity=[asked.tick(person.capacity)],
                skills={services.index(skill) for skill in person.skills if skill in services},
                time_window=v.TimeWindow(asked.tick(person.opens), asked.tick(person.closes)),
            )
        )  # fmt: skip
    for n, job in enumerate(asked.jobs):
        day.add_job(
            v.Job(
                n, job.task.place, default_service=asked.tick(job.task.busy), delivery=v.Amount([asked.tick(job.task.demand)]),
                skills={services.index(job.service)} if asked.day.needs_skill else set(),
                time_windows=[v.TimeWindow(asked.tick(job.task.first), asked.tick(job.task.last))],
            )
        )  # fmt: skip
    steps = day.solve(0 if len(asked.jobs) > FEW else 5, 1, timedelta(seconds=seconds)).to_dict()["routes"]
    names = list(asked.people)
    return {
        names[route["vehicle"]]: [step["id"] for step in route["steps"] if step["type"] == "job"] for route in steps
    }


def ortools(asked: Question, seconds: float, _seed: int) -> Routes:
    """OR-Tools routing alone: one model, the insertion that measured best for its kind of day, guided local search.

    Where that insertion finds no first plan, SAVINGS is tried in what is left of the time.
    Lateness costs in its search, the greatest lateness does not.
    """
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    count, names = len(asked.jobs), list(asked.people)
    if count > MOST_IN_ONE_MODEL:
        raise CannotError(f"{count} jobs in one model")
    fleet = len(names)
    base = [asked.people[name].base for name in names]
    places = [*(job.task.place for job in asked.jobs), *base]
    ends = list(range(count, count + fleet))
    manager = pywrapcp.RoutingIndexManager(count + fleet, fleet, ends, ends)
    routing = pywrapcp.RoutingModel(manager)
    ways = asked.ways[np.ix_(places, places)]
    busy = np.array([*(asked.tick(job.task.busy) for job in asked.jobs), *([0] * fleet)])
    routing.SetArcCostEvaluatorOfAllVehicles(routing.RegisterTransitMatrix(ways.tolist()))
    whole = routing.RegisterTransitMatrix((ways + busy[:, None]).tolist())
    demand = [*(asked.tick(job.task.demand) for job in asked.jobs), *([0] * fleet)]
    horizon = min(FAR, max(asked.tick(min(4 * job.task.due, job.task.last)) for job in asked.jobs) + FAR // 100)
    routing.AddDimension(whole, horizon, horizon, False, "time")
    load = routing.RegisterUnaryTransitVector(demand)
    routing.AddDimensionWithVehicleCapacity(
        load, 0, [asked.tick(asked.people[n].capacity) for n in names], True, "load"
    )
    hours = routing.GetDimensionOrDie("time")
    for v, name in enumerate(names):
        person = asked.people[name]
        for end in (routing.Start(v), routing.End(v)):
            hours.CumulVar(end).SetRange(asked.tick(person.opens), min(horizon, asked.tick(person.closes)))
        if person.longest < FAR:
            hours.SetSpanUpperBoundForVehicle(asked.tick(person.longest), v)
    _ortools_visits(asked, manager, routing, hours)
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    first = routing_enums_pb2.FirstSolutionStrategy
    coupled = asked.day.together or asked.day.gaps
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    until = time.monotonic() + seconds
    answer = None
    for strategy in (first.LOCAL_CHEAPEST_INSERTION if coupled else first.PARALLEL_CHEAPEST_INSERTION, first.SAVINGS):
        left = until - time.monotonic()
        if answer is None and left > 0:
            parameters.first_solution_strategy = strategy
            parameters.time_limit.FromMilliseconds(int(left * 1000))
            answer = routing.SolveWithParameters(parameters)
    routes: Routes = {}
    if answer is None:
        return routes
    for v, name in enumerate(names):
        at, route = answer.Value(routing.NextVar(routing.Start(v))), list[int]()
        while not routing.IsEnd(at):
            route.append(manager.IndexToNode(at))
            at = answer.Value(routing.NextVar(at))
        routes[name] = route
    return routes


def _ortools_visits(asked: Question, manager: Any, routing: Any, hours: Any) -> None:
    solver = routing.solver()
    nodes: dict[str, dict[str, int]] = defaultdict(dict)
    crews: dict[str, list[int]] = defaultdict(list)
    for n, job in enumerate(asked.jobs):
        at = manager.NodeToIndex(n)
        able = [v for v, person in enumerate(asked.people.values()) if asked.fits(person, job)]
        hours.CumulVar(at).SetRange(
            asked.tick(job.task.first), min(hours.CumulVar(at).Max(), asked.tick(job.task.last))
        )
        if asked.tick(job.task.due) < FAR:
            hours.SetCumulVarSoftUpperBound(at, asked.tick(job.task.due), 1)
        routing.VehicleVar(at).SetValues([-1, *able] if asked.day.may_drop else able)
        if asked.day.may_drop:
            routing.AddDisjunction([at], DROP)
        nodes[job.visit][job.service] = at
        crews[job.visit].append(at)
    for visit in asked.day.together:
        for one, two in pairwise(crews[visit]):
            solver.Add(hours.CumulVar(one) == hours.CumulVar(two))
            solver.Add(routing.VehicleVar(one) != routing.VehicleVar(two))
            if asked.day.may_drop:
                solver.Add(routing.ActiveVar(one) == routing.ActiveVar(two))
            hours.AddNodePrecedence(one, two, 0)
            hours.AddNodePrecedence(two, one, 0)
    for visit, (before, after, least, most) in asked.day.gaps.items():
        one, two = nodes[visit][before], nodes[visit][after]
        hours.AddNodePrecedence(one, two, asked.tick(least))
        solver.Add(hours.CumulVar(two) <= hours.CumulVar(one) + asked.tick(most))
        solver.Add(routing.VehicleVar(one) != routing.VehicleVar(two))


def plan_of(asked: Question, routes: Routes) -> dict[str, Any]:
    """The plan with the earliest starts, then pushed back as late as each route's end allows where days are limited."""
    starts = _earliest(asked, routes)
    for name, route in routes.items():
        if asked.people[name].longest < FAR:
            for n in range(len(route) - 2, -1, -1):
                task, then = asked.jobs[route[n]].task, asked.jobs[route[n + 1]].task
                way = asked.ways[task.place, then.place] / asked.unit
                starts[route[n]] = max(starts[route[n]], min(task.last, starts[route[n + 1]] - way - task.busy))
    served = {asked.jobs[n].visit for route in routes.values() for n in route}
    return {
        "routes": [
            {
                "worker": name,
                "stops": [
                    {"visit": asked.jobs[n].visit, "service": asked.jobs[n].service, "start": round(starts[n], 6)}
                    for n in route
                ],
            }
            for name, route in routes.items()
        ],
        "unserved": [visit for visit in asked.day.tasks if visit not in served],
    }


def _earliest(asked: Question, routes: Routes) -> dict[int, float]:
    floors = {n: job.task.first for n, job in enumerate(asked.jobs)}
    starts: dict[int, float] = {}
    for _ in range(len(floors) + 2):
        for name, route in routes.items():
            here, free = asked.people[name].base, asked.people[name].opens
            for n in route:
                task = asked.jobs[n].task
                starts[n] = max(floors[n], free + asked.ways[here, task.place] / asked.unit)
                here, free = task.place, starts[n] + task.busy
        if not _lifted(asked, starts, floors):
            break
    return starts


def _lifted(asked: Question, starts: dict[int, float], floors: dict[int, float]) -> bool:
    seats: dict[str, dict[str, int]] = defaultdict(dict)
    crews: dict[str, list[int]] = defaultdict(list)
    for n in starts:
        seats[asked.jobs[n].visit][asked.jobs[n].service] = n
        crews[asked.jobs[n].visit].append(n)
    wanted = {n: max(starts[m] for m in crews[v]) for v in asked.day.together for n in crews.get(v, [])}
    for visit, (before, after, least, most) in asked.day.gaps.items():
        one, two = seats[visit].get(before), seats[visit].get(after)
        if one is not None and two is not None:
            wanted |= {two: starts[one] + least, one: starts[two] - most}
    late = {n: start for n, start in wanted.items() if start > starts[n] + 1e-9}
    floors.update(late)
    return bool(late)


PEERS: dict[str, Callable[[Question, float, int], Routes]] = {"pyvrp": pyvrp, "vroom": vroom, "ortools": ortools}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Let a peer plan a day.")
    parser.add_argument("peer", choices=tuple(PEERS))
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    try:
        importlib.import_module(asked.peer)
    except ImportError:
        return NOT_INSTALLED
    try:
        day = question(asked.file)
        routes = PEERS[asked.peer](day, asked.seconds, asked.seed)
    except CannotError:
        return CANNOT
    if not any(routes.values()):
        return NO_ANSWER
    asked.out.write_text(json.dumps(plan_of(day, routes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
