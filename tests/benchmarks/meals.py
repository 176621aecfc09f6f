"""How many meals come late under a dispatching policy: recorded or made-up days lived in seconds, beside the nearest courier.

    python -m tests.benchmarks.meals FOLDER... [--made 1,2,3] [--weights '{"meal_late_flat": 2500}'] [--iterations 300]

A folder is a day in the MDRP form, or holds such folders. Late counts every recorded order that was not handed over within
the target, unserved ones too. `floor` is the share nobody could have brought in time, each order taken alone; `ratio` is
our late share to the nearest courier's, `avoidable` the same of what lies above the floor. With --hindsight, a plan that
knew every order from the start stands beside them: not a bound, but what a long search finds.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from backend.scheduling.nearest import insert_nearest
from backend.simulation import mdrp
from backend.simulation.instances import Instance
from dispatch import Problem, Visit, Weights, check_plan, construct, improve
from tests.benchmarks.mealday import MODE, Lived, Policy, live, problem_of
from tests.benchmarks.mealdays import meal_day

_WORTH = 4  # in hindsight a meal is left out where serving it costs more than so many late ones


class Figures(Struct, frozen=True):
    """One lived day in figures; shares of all recorded orders."""

    day: str
    policy: str
    orders: int
    late: float
    unserved: int
    lateness_min: float  # mean of those served
    floor: float
    looks: int
    took_s: float
    faults: int


def floor(problem: Problem) -> float:
    """The share of orders late even with a courier sent to the restaurant from the start of a shift, for them alone."""
    return sum(not _reachable(problem, visit) for visit in problem.visits) / len(problem.visits)


def _reachable(problem: Problem, visit: Visit) -> bool:
    ways, meal = problem.travel[MODE], visit.delivery
    if meal is None or visit.due_s is None:
        raise ValueError(f"{visit.id} is no meal with a target")
    for worker in problem.workers:
        for shift in worker.shifts:
            there = max(shift.start_s + int(ways[worker.start_place, meal.pickup_place]), meal.ready_s)
            start = there + meal.pickup_duration_s + int(ways[meal.pickup_place, visit.place])
            if start <= visit.due_s and start + visit.seats[0].duration_s <= shift.end_s:
                return True
    return False


def figures(day: str, policy: str, lived: Lived, took_s: float) -> Figures:
    """What a lived day comes to, and the rules it broke."""
    starts = lived.starts()
    due = {visit.id: visit.due_s or 0 for visit in lived.problem.visits}
    late_s = [max(0, starts[name] - due_s) for name, due_s in due.items() if name in starts]
    late = len(due) - sum(seconds == 0 for seconds in late_s)
    return Figures(
        day, policy, len(due), late / len(due), len(lived.plan.unserved), statistics.fmean(late_s or [0]) / 60,
        floor(lived.problem), lived.looks, took_s, len(check_plan(lived.problem, lived.plan)),
    )  # fmt: skip


def hindsight(instance: Instance, weights: Weights, iterations: int, seed: int) -> Lived:
    """The day planned with every order known from the start. Who cannot be served at a fair price is left out."""
    problem = problem_of(instance, weights)
    visits = tuple(replace(visit, drop_penalty=_WORTH * weights.meal_late_flat) for visit in problem.visits)
    priced = replace(problem, visits=visits)
    return Lived(problem, improve(priced, construct(priced), 0.0, seed, iterations=iterations), 1)


def days(asked: argparse.Namespace) -> Iterator[Instance]:
    """Every day asked for, recorded ones first."""
    for path in asked.paths:
        for folder in mdrp.files(path):
            yield mdrp.parse(folder)
    for seed in _numbers(asked.made):
        yield meal_day(asked.orders, seed, asked.load)


def _numbers(listed: str) -> list[int]:
    return [int(number) for number in listed.split(",") if number]


def _run(instance: Instance, asked: argparse.Namespace) -> Iterator[tuple[Figures, Figures]]:
    """Each policy's mean over the seeds, with the nearest courier's figures."""
    weights = msgspec.json.decode(asked.weights, type=Weights)
    best = Policy(
        weights=weights, seconds=asked.seconds, iterations=asked.iterations, every_s=asked.every,
        commit_s=asked.commit, box=asked.box,
    )  # fmt: skip
    policies = {"nearest": Policy(place=insert_nearest), "insert": Policy(weights=weights, box=asked.box), "best": best}
    base = _lived(instance, "nearest", lambda seed: live(instance, policies["nearest"], seed), [1])
    for name in asked.policies.split(","):
        seeds = _numbers(asked.seeds) if name == "best" else [1]
        yield _lived(instance, name, lambda seed, name=name: live(instance, policies[name], seed), seeds), base
    if asked.hindsight:
        known = [1]
        yield (
            _lived(instance, "hindsight", lambda seed: hindsight(instance, weights, asked.hindsight, seed), known),
            base,
        )


def _lived(instance: Instance, name: str, run: Callable[[int], Lived], seeds: Sequence[int]) -> Figures:
    found: list[Figures] = []
    for seed in seeds:
        began = time.monotonic()
        lived = run(seed)
        found.append(figures(instance.name, name, lived, time.monotonic() - began))
    means = {key: statistics.fmean(getattr(f, key) for f in found) for key in ("late", "lateness_min", "took_s")}
    return replace(
        found[0],
        **means,
        unserved=round(statistics.fmean(f.unserved for f in found)),
        faults=sum(f.faults for f in found),
    )


def ratio(ours: float, theirs: float) -> float:
    """How our share compares with theirs; 1 where neither has any."""
    return ours / theirs if theirs > 0 else 1.0 if ours <= 0 else float("inf")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when no lived day broke a rule."""
    asked = _arguments().parse_args(arguments)
    sys.stdout.write(
        f"{'day':<18}{'policy':<10}{'orders':>7}{'on time':>9}{'late':>7}{'floor':>7}{'unserved':>10}{'late, min':>11}"
        f"{'ratio':>7}{'avoidable':>11}{'looks':>7}{'s':>7}{'faults':>8}\n"
    )
    rows: dict[str, list[tuple[Figures, Figures]]] = {}
    for instance in days(asked):
        for one, base in _run(instance, asked):
            rows.setdefault(one.policy, []).append((one, base))
            _print(one, base)
    for found in rows.values():
        if len(found) > 1:
            _print(*(_mean([pair[side] for pair in found]) for side in (0, 1)))
    return int(any(one.faults for found in rows.values() for one, _ in found))


def _mean(found: Sequence[Figures]) -> Figures:
    means = {key: statistics.fmean(getattr(f, key) for f in found) for key in ("late", "lateness_min", "floor")}
    sums = {key: sum(getattr(f, key) for f in found) for key in ("orders", "unserved", "looks", "took_s", "faults")}
    return replace(found[0], day="mean or sum", **means, **sums)


def _print(one: Figures, base: Figures) -> None:
    sys.stdout.write(
        f"{one.day:<18}{one.policy:<10}{one.orders:>7}{1 - one.late:>9.3f}{one.late:>7.3f}{one.floor:>7.3f}{one.unserved:>10}"
        f"{one.lateness_min:>11.1f}{ratio(one.late, base.late):>7.2f}"
        f"{ratio(one.late - one.floor, base.late - base.floor):>11.2f}{one.looks:>7}{one.took_s:>7.1f}{one.faults:>8}\n"
    )
    sys.stdout.flush()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, help="folders of recorded days")
    parser.add_argument("--made", default="", help="seeds of made-up days, a comma list")
    parser.add_argument("--orders", type=int, default=250, help="of each made-up day")
    parser.add_argument("--load", type=float, default=1.6, help="orders of a made-up day for each courier hour")
    parser.add_argument("--policies", default="nearest,best", help="comma list of nearest, insert, best")
    parser.add_argument("--weights", default="{}", help="a JSON object of Weights; what is left out keeps its default")
    parser.add_argument(
        "--iterations", type=int, help="of the search after each order; the day then depends on the seed alone"
    )
    parser.add_argument("--seconds", type=float, default=0.1, help="the same as a time, without --iterations")
    parser.add_argument("--every", type=int, help="improve also when so many seconds passed without an order")
    parser.add_argument("--commit", type=int, default=0, help="fix a stop so many seconds before its courier sets out")
    parser.add_argument("--box", type=int, default=8, help="meals a courier can carry; 1: no bundles")
    parser.add_argument("--seeds", default="1", help="comma list; figures are means")
    parser.add_argument("--hindsight", type=int, default=0, metavar="ITERATIONS", help="plan the known day as well")
    return parser


if __name__ == "__main__":
    sys.exit(main())
