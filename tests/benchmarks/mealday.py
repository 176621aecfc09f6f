"""A recorded day of meal orders lived without platform, clock or database: only the planning library decides.

The rules are the dispatcher's: an order is put into the plan when it is placed, tried again every minute while nobody can
take it, and given up when its eat-by time is over; after each order the plan is improved; a courier's next stop is fixed
when they set out for it, which they do as late as the plan allows, but at once with a meal to be handed over.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from backend.simulation.instances import Demand, Instance
from dispatch import (
    Delivery,
    Insertion,
    Plan,
    Problem,
    Refusal,
    Seat,
    Shift,
    Stop,
    Visit,
    Weights,
    Worker,
    improve,
    insert,
    plan_cost,
    retime,
)

MODE = "bike"
RETRY_S = 60
_DECIDING_S = 1  # an order placed in this second sets nobody going before the next
_NEVER = 10**9


class Engine(Protocol):
    """What improves a plan: the front door of the planning library, or anything that keeps its promises."""

    def __call__(self, problem: Problem, plan: Plan, seconds: float, seed: int, *, iterations: int | None) -> Plan: ...


Placing = Callable[[Problem, Plan, Visit], Insertion | Refusal]


class Policy(Struct, frozen=True, kw_only=True):
    """How the day is dispatched. A budget of neither seconds nor iterations: nothing is improved.

    The platform's own way is `every_s` None (improved after orders only), `commit_s` 0 (a stop is fixed when its courier
    sets out, not so many seconds before) and a box of 8; the others show what these are worth.
    """

    place: Placing = insert
    engine: Engine = improve
    weights: Weights = Weights()
    seconds: float = 0.0
    iterations: int | None = None
    every_s: int | None = None
    commit_s: int = 0
    box: int = 8


class Lived(Struct, frozen=True):
    """The day as it was: who did what when, and the question it answers, for the oracle."""

    problem: Problem
    plan: Plan
    looks: int

    def starts(self) -> dict[str, int]:
        """When the hand-over of each meal began."""
        return {
            stop.visit: stop.start_s for route in self.plan.routes.values() for stop in route if stop.kind == "drop"
        }


def problem_of(instance: Instance, weights: Weights, box: int = 8) -> Problem:
    """The whole day as one question, every order known."""
    x, y = (np.asarray([getattr(point, axis) for point in instance.places]) for axis in ("x", "y"))
    metres = np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :])
    ways = np.ceil(metres / float(instance.metres_per_minute or 1) * 60).astype(np.int32)
    workers = tuple(
        Worker(
            id=w.id, provider="p", skills=frozenset(w.skills), mode=MODE, start_place=w.start, end_place=w.end,
            shifts=(Shift(w.on_s, w.off_s),), box_capacity=box,
        )
        for w in instance.workers
    )  # fmt: skip
    return Problem(
        workers=workers, visits=tuple(_visit(d) for d in instance.demands), travel={MODE: ways}, weights=weights
    )


def _visit(demand: Demand) -> Visit:
    meal = demand.pickup
    if meal is None:
        raise ValueError(f"{demand.id} is no meal")
    return Visit(
        demand.id, demand.place, tuple(Seat(frozenset({s.skill}), s.duration_s) for s in demand.seats), demand.from_s,
        demand.latest_s, demand.to_s, Delivery(meal.restaurant, meal.ready_s, meal.pickup_s),
    )  # fmt: skip


def live(instance: Instance, policy: Policy, seed: int = 1) -> Lived:
    """Let the day pass. The same seed and a budget of iterations give the same day."""
    return _Day(instance, policy, seed).live()


class _Day:
    """What has happened, what is planned, and who waits, at one instant."""

    def __init__(self, instance: Instance, policy: Policy, seed: int) -> None:
        self._policy = policy
        self._seed = seed
        self._whole = problem_of(instance, policy.weights, policy.box)
        self._ways = self._whole.travel[MODE]
        self._home = {w.id: w.start_place for w in self._whole.workers}
        self._visits = {visit.id: visit for visit in self._whole.visits}
        self._orders = sorted(instance.demands, key=lambda d: (d.booked_s or 0, d.from_s))
        self._begun: dict[str, list[Stop]] = {w.id: [] for w in self._whole.workers}
        self._ahead: dict[str, tuple[Stop, ...]] = {w.id: () for w in self._whole.workers}
        self._open: dict[str, Visit] = {}  # placed, neither handed over nor given up
        self._waiting: dict[str, int] = {}  # in nobody's route: when to try again
        self._looked_s = 0
        self._looks = 0

    def live(self) -> Lived:
        """Every event in order of time: couriers set out, orders come, waiting ones are tried again."""
        coming = list(reversed(self._orders))
        now = 0
        while (event := self._next(coming[-1].booked_s or 0 if coming else _NEVER)) < _NEVER:
            now = max(now, event)
            self._set_out(now)
            fresh: list[str] = []
            while coming and (coming[-1].booked_s or 0) <= now:
                fresh.append(coming.pop().id)
            self._look(now, fresh)
        routes = {worker: tuple(replace(s, locked=False) for s in stops) for worker, stops in self._begun.items()}
        served = {stop.visit for route in routes.values() for stop in route}
        return Lived(self._whole, Plan(routes, tuple(v for v in self._visits if v not in served)), self._looks)

    def _next(self, placed_s: int) -> int:
        leaving = min((self._leave_s(worker) for worker, stops in self._ahead.items() if stops), default=_NEVER)
        leaving -= self._policy.commit_s if leaving < _NEVER else 0
        trying = min(self._waiting.values(), default=_NEVER)
        looking = _NEVER
        if self._policy.every_s is not None and any(self._ahead.values()):
            looking = self._looked_s + self._policy.every_s
        return min(placed_s, leaving, trying, looking)

    def _leave_s(self, worker: str) -> int:
        """When a courier sets out for the next stop: in time for it, but nobody waits about with a hot meal."""
        stop, begun = self._ahead[worker][0], self._begun[worker]
        place, free = (begun[-1].place, begun[-1].end_s) if begun else (self._home[worker], 0)
        return free if stop.kind == "drop" else stop.start_s - int(self._ways[place, stop.place])

    def _set_out(self, now: int) -> None:
        for worker in self._ahead:
            while self._ahead[worker] and self._leave_s(worker) - self._policy.commit_s <= now:
                stop, *rest = self._ahead[worker]
                self._begun[worker].append(replace(stop, locked=True))
                self._ahead[worker] = tuple(rest)
                if stop.kind == "drop":
                    del self._open[stop.visit]

    def _look(self, now: int, fresh: Sequence[str]) -> None:
        """Place what has come or waited, then improve."""
        for order in fresh:
            self._open[order] = self._visits[order]
            self._waiting[order] = now
        self._waiting = {o: s for o, s in self._waiting.items() if now + _DECIDING_S <= self._visits[o].latest_s}
        self._open = {o: v for o, v in self._open.items() if o in self._waiting or self._has(o)}
        due = [order for order, try_s in self._waiting.items() if try_s <= now]
        policy = self._policy
        overdue = policy.every_s is not None and now >= self._looked_s + policy.every_s
        if not due and not overdue:
            return
        problem, plan = self._now(now)
        plan = retime(problem, plan) or plan
        for order in due:
            outcome = policy.place(problem, plan, self._visits[order])
            self._waiting[order] = now + RETRY_S
            plan = plan if isinstance(outcome, Refusal) else outcome.plan
        if (policy.seconds > 0 or policy.iterations) and any(not s.locked for r in plan.routes.values() for s in r):
            self._looks += 1
            better = policy.engine(
                problem, plan, policy.seconds, self._seed + self._looks, iterations=policy.iterations
            )
            plan = better if plan_cost(problem, better) < plan_cost(problem, plan) else plan
        self._looked_s = now
        self._ahead = {worker: tuple(s for s in route if not s.locked) for worker, route in plan.routes.items()}
        self._waiting = {order: s for order, s in self._waiting.items() if not self._has(order)}

    def _has(self, order: str) -> bool:
        """Whether somebody is to bring it."""
        return any(stop.visit == order for route in self._ahead.values() for stop in route)

    def _now(self, now: int) -> tuple[Problem, Plan]:
        """The rest of the day: of what is over only where each courier stands, as on the platform."""
        anchors: list[Visit] = []
        routes: dict[str, tuple[Stop, ...]] = {}
        for worker, begun in self._begun.items():
            kept: list[Stop] = []
            for number, stop in enumerate(begun):
                if stop.visit in self._open:
                    kept.append(stop)
                elif number == len(begun) - 1:
                    anchor = Visit(f"at:{worker}", stop.place, (Seat(frozenset(), stop.end_s - stop.start_s),), 0, 0)
                    anchors.append(anchor)
                    kept.append(replace(stop, kind="visit", visit=anchor.id))
            routes[worker] = (*kept, *self._ahead[worker])
        problem = replace(self._whole, visits=(*self._open.values(), *anchors), now_s=now + _DECIDING_S)
        served = {stop.visit for route in routes.values() for stop in route}
        return problem, Plan(routes, tuple(order for order in self._open if order not in served))
