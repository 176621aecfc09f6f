"""Large days in parts: whatever the cuts, nothing is lost, nothing breaks, and the number of threads changes nothing."""

import pickle
import random
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch import Delivery, Link, Plan, Problem, Seat, Shift, Visit, Worker, construct, plan_cost
from dispatch.search import Heat
from dispatch.zones import Budget, cut, search_part, search_parts, search_wide
from tests.support.verdict import verdict

BATH, MEAL = frozenset({"bath"}), frozenset({"meal"})


def _day(seed: int, visits: int = 60) -> Problem:
    """Baths for one or two, meals fetched elsewhere, some baths an hour after the same resident's meal."""
    chance = random.Random(seed)
    points = np.asarray([(chance.uniform(0, 6000), chance.uniform(0, 6000)) for _ in range(visits + 6)])
    ways = (np.abs(points[:, None] - points[None, :]).sum(axis=2) / 5).astype(np.int32)
    workers = tuple(
        Worker(
            id=f"w{n}", provider=f"p{n % 2}", skills=BATH | MEAL if n % 3 else BATH, start_place=n % 6, end_place=n % 6,
            shifts=(Shift(0, 36_000),),
        )
        for n in range(18)
    )  # fmt: skip
    asked: list[Visit] = []
    links: list[Link] = []
    for n in range(visits):
        opens = chance.randrange(0, 24_000)
        if n % 4 == 1:
            meal = Delivery(chance.randrange(6), opens, 120, 1800)
            asked.append(Visit(f"v{n}", n + 6, (Seat(MEAL, 180),), opens, opens + 7200, opens + 2400, meal))
        else:
            crew = 2 if n % 5 == 0 else 1
            asked.append(Visit(f"v{n}", n + 6, (Seat(BATH, 1200),) * crew, opens, opens + 7200))
        if n % 4 == 2:
            links.append(Link(f"v{n - 1}", f"v{n}", 3600, None, from_end=True))
    return Problem(workers=workers, visits=tuple(asked), links=tuple(links), travel={"car": ways})


def _searched(problem: Problem, plan: Plan, threads: int, seed: int = 3) -> Plan:
    with ThreadPoolExecutor(threads) as executor:
        return search_parts(
            problem, plan, seed=seed, clock=time.monotonic, executor=executor, threads=threads, iterations=400,
            part_visits=15, passes=3,
        )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_parts_share_nothing_and_leave_no_stop_out(seed: int):
    problem = _day(seed)
    plan = construct(problem)
    parts = cut(problem, plan, 4, random.Random(seed))
    workers = [worker.id for part in parts for worker in part.problem.workers]
    assert len(workers) == len(set(workers))
    stops = sum(len(route) for part in parts for route in part.plan.routes.values())
    assert stops == sum(len(route) for route in plan.routes.values())
    waiting = [name for part in parts for name in part.plan.unserved]
    assert len(waiting) == len(set(waiting))
    assert set(waiting) <= set(plan.unserved)
    for part in parts:
        assert verdict(part.problem, part.plan) == []


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_no_rule_is_broken_and_nobody_is_left_out(seed: int):
    problem = _day(seed)
    plan = construct(problem)
    found = _searched(problem, plan, 2, seed)
    assert verdict(problem, found) == []
    assert set(found.unserved) <= set(plan.unserved)
    assert plan_cost(problem, found) <= plan_cost(problem, plan)


def test_the_number_of_threads_changes_nothing():
    problem = _day(11)
    plan = construct(problem)
    assert _searched(problem, plan, 1) == _searched(problem, plan, 3)


def test_a_part_can_be_sent_to_another_machine():
    """What is submitted is plain data and a function known by name, as process pools and clusters need it."""
    problem = _day(5)
    part = cut(problem, construct(problem), 3, random.Random(1))[0]
    budget = Budget(0.0, 50, 1, Heat())
    work, *sent = pickle.loads(pickle.dumps((search_part, part, budget, time.monotonic)))  # noqa: S301 our own bytes
    assert work(*sent) == search_part(part, budget, time.monotonic)


class _Deaf(Executor):
    """A cluster that never answers."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


def test_parts_that_never_answer_keep_their_routes(monkeypatch: pytest.MonkeyPatch):
    problem = _day(5)
    plan = construct(problem)
    monkeypatch.setattr("dispatch.zones._PATIENCE_S", 0.01)
    same: dict[str, Any] = {"seed": 1, "clock": time.monotonic, "executor": _Deaf(), "threads": 2, "seconds": 0.01}
    assert search_parts(problem, plan, **same, part_visits=15) == plan
    assert search_wide(problem, plan, **same) == plan


class _Broken(Executor):
    """A cluster whose machines die at work."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(RuntimeError("gone"))
        return future


def test_parts_that_fail_keep_their_routes_and_are_told():
    problem = _day(5)
    plan = construct(problem)
    same: dict[str, Any] = {"seed": 1, "clock": time.monotonic, "executor": _Broken(), "threads": 2, "iterations": 10}
    with pytest.warns(RuntimeWarning, match="2 of 2 searches failed"):
        assert search_wide(problem, plan, **same) == plan
    with pytest.warns(RuntimeWarning, match="gone"):
        assert search_parts(problem, plan, **same, part_visits=15) == plan


def test_several_threads_on_a_small_day_are_no_worse_than_one():
    problem = _day(7)
    plan = construct(problem)
    with ThreadPoolExecutor(2) as executor:
        costs = [
            plan_cost(
                problem,
                search_wide(
                    problem, plan, seed=4, clock=time.monotonic, executor=executor, threads=threads, iterations=50
                ),
            )
            for threads in (1, 2)
        ]
    assert costs[1] <= costs[0]


def test_several_searches_of_one_day_say_how_far_they_are():
    """While they run, and with what the best of them found at the end; the share never falls."""
    problem = _day(7, 30)
    plan = construct(problem)
    heard: list[tuple[float, float]] = []
    with ThreadPoolExecutor(2) as executor:
        found = search_wide(
            problem, plan, seed=4, clock=time.monotonic, executor=executor, threads=2, seconds=0.8,
            told=lambda share, cost: heard.append((share, cost)),
        )  # fmt: skip
    assert len(heard) > 1
    assert [share for share, _ in heard] == sorted(share for share, _ in heard)
    assert heard[-1][1] == plan_cost(problem, found)
