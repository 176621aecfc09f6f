"""What no plan of a city day can cost less than, and how far above it a plan is.

    python -m tests.benchmarks.bound DAY [PLAN ...]

Every seat of every visit follows one stop or base and is followed by one stop or base, on a way some worker may take who
can do both, in time. Forgetting that crews begin together, that ways must form routes and that a crew is served or left
out whole, the cheapest such pairing is an assignment problem, solved exactly; each real plan is one of its solutions.
Travel seconds and penalties as in the day's objective. Prints one JSON object.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from ortools.graph.python.linear_sum_assignment import SimpleLinearSumAssignment

from dispatch import Problem, Visit, Worker
from dispatch.formats import read_instance
from tests.benchmarks.evaluate import evaluate


def bound(problem: Problem) -> float:
    """The lower bound; ways, windows and skills as the problem has them. Raises ValueError when nothing can be paired."""
    seats = [(visit, n) for visit in problem.visits for n in range(len(visit.seats))]
    workers = [worker for worker in problem.workers if worker.shifts]
    count, fleet = len(seats), len(workers)
    able = np.asarray([[_able(worker, *seat) for worker in workers] for seat in seats])
    ways = problem.travel[workers[0].mode].astype(np.int64)
    rows: list[ndarray] = []
    begins = np.asarray([_begin(ways, workers, seat[0]) for seat in seats])
    busy = np.asarray([visit.seats[n].duration_s for visit, n in seats])
    latest = np.asarray([visit.latest_s for visit, _ in seats])
    place = np.asarray([visit.place for visit, _ in seats])
    whose = np.asarray([visit.id for visit, _ in seats])
    for i in range(count):
        way = ways[place[i], place]
        follows = (begins[i] + busy[i] + way <= latest) & (able[i] & able).any(axis=1) & (whose != whose[i])
        rows.append(_arcs(i, np.flatnonzero(follows), way[follows]))
        home = np.flatnonzero(able[i])
        back = [0 if (end := workers[w].end_place) is None else int(ways[place[i], end]) for w in home]
        rows.append(_arcs(i, count + home, np.asarray(back)))
        visit = seats[i][0]
        rows.append(_arcs(i, np.asarray([i]), np.asarray([visit.drop_penalty // len(visit.seats)])))
    for w, worker in enumerate(workers):
        out = ways[worker.start_place, place]
        may = able[:, w] & (worker.shifts[0].start_s + out <= latest)
        rows.append(_arcs(count + w, np.flatnonzero(may), out[may]))
        rows.append(_arcs(count + w, np.asarray([count + w]), np.asarray([0])))
    one, other, cost = np.concatenate(rows).T
    assignment: Any = SimpleLinearSumAssignment()  # its types want arrays of one width
    assignment.add_arcs_with_cost(one.astype(np.int32), other.astype(np.int32), cost)
    if assignment.solve() != SimpleLinearSumAssignment.OPTIMAL or assignment.num_nodes() != count + fleet:
        raise ValueError("the stops of the day cannot be paired")
    return float(assignment.optimal_cost()) * problem.weights.travel_s


def _able(worker: Worker, visit: Visit, seat: int) -> bool:
    wanted = visit.seats[seat]
    return wanted.skills <= worker.skills and (wanted.gender in {None, worker.gender})


def _begin(ways: ndarray, workers: list[Worker], visit: Visit) -> int:
    """The earliest anybody could begin."""
    return max(visit.earliest_s, min(w.shifts[0].start_s + int(ways[w.start_place, visit.place]) for w in workers))


def _arcs(one: int, others: ndarray, costs: ndarray) -> ndarray:
    return np.stack([np.full(len(others), one, np.int64), others.astype(np.int64), costs.astype(np.int64)], axis=1)


def main() -> None:
    """Print the bound and what each plan is worth beside it."""
    day, *plans = map(Path, sys.argv[1:])
    least = bound(read_instance(day, "city").problem)
    worth = {plan.name: evaluate(day, plan).objective for plan in plans}
    above = {name: round((cost / least - 1) * 100, 2) for name, cost in worth.items()}
    sys.stdout.write(json.dumps({"day": day.name, "bound": least, "objectives": worth, "percent_above": above}) + "\n")


if __name__ == "__main__":
    main()
