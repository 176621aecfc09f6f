"""How long a quote takes on a busy day, beside a bare numpy scan of the same gaps in the same run.

    python -m tests.benchmarks.quotes --workers 500 --stops 12 --asks 200

Prints one JSON object: microseconds, median and 99th of 100, for one start, for 20 starts and for a crew of two.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from dispatch import Plan, Problem, Seat, Shift, Stop, Visit, Worker, quote

SIDE_M, SPEED, BUSY_S, PLACES = 14_000, 5, 900, 600
OPENS_S, CLOSES_S = 27_000, 72_000


def busy_day(workers: int, stops: int, seed: int) -> tuple[Problem, Plan]:
    """Everybody's day with `stops` visits an hour apart or so, each free to move by up to half an hour."""
    chance = random.Random(seed)
    points = np.array([(chance.uniform(0, SIDE_M), chance.uniform(0, SIDE_M)) for _ in range(PLACES)])
    ways = (np.abs(points[:, None] - points[None, :]).sum(axis=2) / SPEED).astype(np.int32)
    team, visits, routes = [], list[Visit](), dict[str, tuple[Stop, ...]]()
    for w in range(workers):
        base = chance.randrange(PLACES)
        team.append(
            Worker(
                id=f"w{w}", provider=f"p{w % 5}", skills=frozenset({"bath"}), start_place=base, end_place=base,
                shifts=(Shift(OPENS_S, CLOSES_S),),
            )
        )  # fmt: skip
        here, free, route = base, OPENS_S, list[Stop]()
        for n in range(stops):
            near = np.argsort(ways[here])[1 : PLACES // 8]
            place = int(near[chance.randrange(len(near))])
            start = free + int(ways[here, place]) + chance.randrange(1500)
            if start + BUSY_S + int(ways[place, base]) > CLOSES_S:
                break
            visit = Visit(f"v{w}-{n}", place, (Seat(frozenset({"bath"}), BUSY_S),), start - 900, start + 900)
            visits.append(visit)
            route.append(Stop(f"w{w}", "visit", visit.id, 0, place, start, start + BUSY_S))
            here, free = place, start + BUSY_S
        routes[f"w{w}"] = tuple(route)
    return Problem(workers=tuple(team), visits=tuple(visits), travel={"car": ways}), Plan(routes)


class Scan:
    """The peer: every gap of every route in flat arrays, one order at a time, nothing but the cheapest gap for a start."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self.ways = problem.travel["car"]
        visits = {visit.id: visit for visit in problem.visits}
        rows: list[tuple[int, int, int, int]] = []
        for worker in problem.workers:
            route = plan.routes[worker.id]
            latest, slack = CLOSES_S, list[int]()
            here = worker.start_place
            for stop in reversed(route):
                way = int(self.ways[stop.place, here])
                latest = min(visits[stop.visit].latest_s, latest - way - BUSY_S)
                slack.append(latest)
                here = stop.place
            ends = [(worker.start_place, OPENS_S), *((stop.place, stop.end_s) for stop in route)]
            nexts = [*zip((s.place for s in route), reversed(slack), strict=True), (worker.start_place, CLOSES_S)]
            rows += [(a, free, b, last) for (a, free), (b, last) in zip(ends, nexts, strict=True)]
        self.before, self.free, self.behind, self.last = (
            np.array(column, dtype=np.int32) for column in zip(*rows, strict=True)
        )

    def cheapest(self, place: int, starts: Sequence[int]) -> int:
        there, on = self.ways[self.before, place], self.ways[place, self.behind]
        detour = there + on - self.ways[self.before, self.behind]
        first, last = self.free + there, self.last - on - BUSY_S
        wanted = np.asarray(starts, dtype=np.int32)[:, None]
        return int(np.where((first <= wanted) & (wanted <= last), detour, np.int32(2**30)).min(axis=1).min())


def _times(asks: int, what: Callable[[int], object]) -> tuple[float, float]:
    taken: list[float] = []
    for n in range(asks):
        began = time.perf_counter()
        what(n)
        taken.append((time.perf_counter() - began) * 1e6)
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99))


def measure(workers: int, stops: int, asks: int, seed: int) -> dict[str, tuple[float, float]]:
    problem, plan = busy_day(workers, stops, seed)
    chance = random.Random(seed + 1)
    scan = Scan(problem, plan)
    seat = Seat(frozenset({"bath"}), BUSY_S)
    wanted = [(chance.randrange(PLACES), chance.randrange(OPENS_S + 3600, CLOSES_S - 7200)) for _ in range(asks)]

    def ask(n: int, seats: int, starts: int) -> object:
        place, start = wanted[n]
        visit = Visit("new", place, (seat,) * seats, start, start + 900 * (starts - 1))
        return quote(problem, plan, visit, range(start, start + 900 * starts, 900))

    def peer(n: int, starts: int) -> object:
        place, start = wanted[n]
        return scan.cheapest(place, range(start, start + 900 * starts, 900))

    for n in range(3):
        ask(n, 1, 1), ask(n, 2, 20), peer(n, 1)
    return {
        "one start": _times(asks, lambda n: ask(n, 1, 1)),
        "20 starts": _times(asks, lambda n: ask(n, 1, 20)),
        "crew of two, 20 starts": _times(asks, lambda n: ask(n, 2, 20)),
        "scan, one start": _times(asks, lambda n: peer(n, 1)),
        "scan, 20 starts": _times(asks, lambda n: peer(n, 20)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time quotes.")
    parser.add_argument("--workers", type=int, default=500)
    parser.add_argument("--stops", type=int, default=12)
    parser.add_argument("--asks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sys.stdout.write(json.dumps(measure(asked.workers, asked.stops, asked.asks, asked.seed)) + "\n")


if __name__ == "__main__":
    main()
