"""What it costs to keep promises at noon: five new orders come into a planned day, beside a re-plan that promised nothing.

    python -m tests.benchmarks.replan --visits 300 --team 3 --seed 1 --seconds 2

Prints one JSON object. Both re-plans have the same seconds, the same begun stops and the same new orders.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from dispatch import (
    NewOrder,
    Plan,
    Problem,
    Replanned,
    check_plan,
    construct,
    improve,
    plan_cost,
    replan,
    warm,
    warm_quotes,
)
from dispatch.formats import read_instance
from tests.benchmarks.generate import city

NOON_S, LATER_S, NEW, FAR_S = 43_200, 46_800, 5, 600


def day(visits: int, team: int, seed: int) -> Problem:
    """A city day with the new orders behind all others; these may begin from an hour after noon on."""
    made = city(visits + NEW, seed, team=team)
    new = [visit for visit in made["visits"] if visit["window_s"][0] >= LATER_S][:NEW]
    made["visits"] = [visit for visit in made["visits"] if visit not in new] + new
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.json"
        path.write_text(json.dumps(made))
        return read_instance(path, "city").problem


def noon(problem: Problem, morning_s: float, seed: int) -> tuple[Problem, Plan]:
    """The day without the new orders, and its plan as good as the morning's search makes it."""
    known = replace(problem, visits=problem.visits[:-NEW])
    return known, improve(known, construct(known), morning_s, seed)


def measure(problem: Problem, morning_s: float, seconds: float, seed: int) -> dict[str, Any]:
    """Both re-plans and what they changed."""
    known, plan = noon(problem, morning_s, seed)
    orders = [NewOrder(visit) for visit in problem.visits[-NEW:]]
    first: list[tuple[float, Replanned]] = []
    began = time.monotonic()
    live = replan(
        known, plan, orders, NOON_S, seconds=0.6 * seconds, seed=seed,
        answered=lambda answer: first.append((time.monotonic() - began, answer)),
    )  # fmt: skip
    took = time.monotonic() - began
    free = first[0][1]
    free_plan = improve(free.problem, free.plan, took - first[0][0], seed)
    problem = live.problem
    promised = {s.visit for route in plan.routes.values() for s in route if s.start_s > NOON_S}
    report: dict[str, Any] = {
        "seconds": round(took, 3),
        "first_s": round(first[0][0], 4),
        "promised": len(promised),
        "faults": len(check_plan(problem, live.plan)) + len(check_plan(problem, free_plan)),
        "unserved": len(live.plan.unserved),
        "free_unserved": len(free_plan.unserved),
        "begun_moved": _begun_moved(plan, live.plan),
        "changes": len(live.changes),
    }
    for name, found in (("", live.plan), ("free_", free_plan)):
        report[f"{name}cost"] = plan_cost(problem, found)
        report[f"{name}workers"], report[f"{name}shifts"] = _moved(plan, found, promised)
    report["more"] = report["cost"] / report["free_cost"] - 1
    return report


def _begun_moved(before: Plan, after: Plan) -> int:
    return sum(
        not any(s.visit == stop.visit and s.start_s == stop.start_s for s in after.routes[worker])
        for worker, route in before.routes.items()
        for stop in route
        if stop.start_s <= NOON_S
    )


def _moved(before: Plan, after: Plan, promised: set[str]) -> tuple[int, int]:
    """Promised visits with another worker, and those more than ten minutes from their start."""
    was, now = (
        {name: sorted((s.worker, s.start_s) for s in plan.stops_of(name)) for name in promised}
        for plan in (before, after)
    )
    workers = sum([w for w, _ in was[name]] != [w for w, _ in now[name]] for name in promised)
    shifts = sum(not now[name] or abs(now[name][0][1] - was[name][0][1]) > FAR_S for name in promised)
    return workers, shifts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=300)
    parser.add_argument("--team", type=int, default=3, help="workers at each of eight bases")
    parser.add_argument("--morning", type=float, default=20.0, help="seconds the plan was searched for before")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    warm()
    warm_quotes()
    report = measure(day(asked.visits, asked.team, asked.seed), asked.morning, asked.seconds, asked.seed)
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
