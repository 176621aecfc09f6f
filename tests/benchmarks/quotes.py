"""How long a quote takes on a busy day, and whether quotes say what timing the whole plan again says.

    python -m tests.benchmarks.quotes --workers 500 --stops 12 --asks 500
    python -m tests.benchmarks.quotes --compare 10000 --seed 1

The first prints one JSON object: microseconds of the processor, median and 99th of 100, of questions to a prepared plan, for days of a half,
one and two times the workers; what making a plan ready takes; and a bare numpy scan of the same gaps in the same run. A day
is `plain` (hard windows) or `mixed` (every other visit may be late at a price, every third worker has a break). The second
compares questions about small random days with every place tried by brute force, and exits with 1 when one is wrong.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from dispatch import Break, Delivery, Plan, Prepared, Problem, Seat, Shift, Stop, Visit, Worker, insert, quote
from tests.support.brute import compare

SIDE_M, SPEED, BUSY_S, PLACES = 14_000, 5, 900, 600
OPENS_S, CLOSES_S = 27_000, 72_000


def busy_day(workers: int, stops: int, seed: int, *, mixed: bool = False) -> tuple[Problem, Plan]:
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
                shifts=(Shift(OPENS_S, CLOSES_S),), breaks=(Break(41_000, 48_000, 900),) if mixed and w % 3 == 0 else (),
            )
        )  # fmt: skip
        here, free, route = base, OPENS_S, list[Stop]()
        for n in range(stops):
            near = np.argsort(ways[here])[1 : PLACES // 8]
            place = int(near[chance.randrange(len(near))])
            rest = 900 if mixed and w % 3 == 0 and n == stops // 2 else 0
            start = free + int(ways[here, place]) + chance.randrange(1500) + rest
            if start + BUSY_S + int(ways[place, base]) > CLOSES_S:
                break
            due = start + 600 if mixed and n % 2 else None
            visit = Visit(f"v{w}-{n}", place, (Seat(frozenset({"bath"}), BUSY_S),), start - 900, start + 900, due)
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
        began = time.thread_time()
        what(n)
        taken.append((time.thread_time() - began) * 1e6)
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 99))


def measure(workers: int, stops: int, asks: int, seed: int, *, mixed: bool = False) -> dict[str, tuple[float, float]]:
    problem, plan = busy_day(workers, stops, seed, mixed=mixed)
    chance = random.Random(seed + 1)
    seat = Seat(frozenset({"bath"}), BUSY_S)
    wanted = [(chance.randrange(PLACES), chance.randrange(OPENS_S + 3600, CLOSES_S - 7200)) for _ in range(asks)]
    prepared = Prepared(problem, plan)

    def ask(n: int, seats: int, starts: int, every: int = 900) -> object:
        place, start = wanted[n]
        visit = Visit("new", place, (seat,) * seats, start, start + every * (starts - 1))
        return quote(problem, plan, visit, range(start, start + every * starts, every), prepared)

    def put(n: int, seats: int) -> object:
        place, start = wanted[n]
        visit = Visit("new", place, (seat,) * seats, start, start + 3600, start + 1800)
        return insert(problem, plan, visit, prepared)

    def meal(n: int, starts: int) -> object:
        place, start = wanted[n]
        fetch = Delivery((place + 1) % PLACES, start - 1800, 120, 2400)
        visit = Visit("new", place, (Seat(frozenset(), 180),), start, start + 900 * (starts - 1), delivery=fetch)
        return quote(problem, plan, visit, range(start, start + 900 * starts, 900), prepared)

    rows = {
        "one start": lambda n: ask(n, 1, 1),
        "20 starts": lambda n: ask(n, 1, 20),
        "crew of two, one start": lambda n: ask(n, 2, 1),
        "crew of two, 20 starts": lambda n: ask(n, 2, 20),
        "crew of two, 120 starts": lambda n: ask(n, 2, 120, 60),
        "crew of four, one start": lambda n: ask(n, 4, 1),
        "meal, one hand-over": lambda n: meal(n, 1),
        "meal, 20 hand-overs": lambda n: meal(n, 20),
        "inserted within an hour": lambda n: put(n, 1),
        "crew of two inserted within an hour": lambda n: put(n, 2),
    }
    found = {"made ready": _times(5, lambda _: Prepared(problem, plan))}
    for name, row in rows.items():
        for n in range(3):
            row(n)
        found[name] = _times(asks, row)
    if not mixed:
        scan = Scan(problem, plan)

        def peer(n: int, starts: int) -> object:
            place, start = wanted[n]
            return scan.cheapest(place, range(start, start + 900 * starts, 900))

        found |= {f"scan, {k} starts": _times(asks, lambda n, k=k: peer(n, k)) for k in (1, 20)}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Time quotes, or compare them with brute force.")
    parser.add_argument("--workers", type=int, default=500)
    parser.add_argument("--stops", type=int, default=12)
    parser.add_argument("--asks", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compare", type=int, default=0)
    asked = parser.parse_args()
    if asked.compare:
        kinds, wrong = compare(asked.compare, asked.seed)
        sys.stdout.write(json.dumps({"compared": dict(kinds), "wrong": wrong}, indent=1) + "\n")
        return 1 if wrong else 0
    told: dict[str, object] = {}
    for workers in (asked.workers // 2, asked.workers, 2 * asked.workers):
        told[f"plain, {workers} workers"] = measure(workers, asked.stops, asked.asks, asked.seed)
    told[f"mixed, {asked.workers} workers"] = measure(asked.workers, asked.stops, asked.asks, asked.seed, mixed=True)
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
