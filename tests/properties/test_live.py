"""Days lived through whatever may happen: no rule is broken, nothing begun moves, nobody is left out without need."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch import (
    Cancelled,
    Delivery,
    Event,
    Insertion,
    NewOrder,
    NoAccess,
    Overrun,
    Plan,
    PointClosed,
    Problem,
    Promise,
    Replanned,
    Seat,
    Shift,
    SlowTravel,
    Stop,
    Visit,
    Worker,
    WorkerBack,
    WorkerEarly,
    WorkerIll,
    WorkerLate,
    construct,
    insert,
    plan_cost,
    replan,
)
from tests.properties.test_dispatch import days
from tests.support.verdict import verdict


@st.composite
def events(draw: st.DrawFn, problem: Problem, now: int, number: int) -> Event:
    """Something about a visit or worker of the day, at an instant."""
    worker = draw(st.sampled_from(problem.workers)).id
    soon = now + draw(st.integers(0, 3000))
    kinds = [WorkerLate(worker, soon), WorkerIll(worker), WorkerEarly(worker, max(0, now - 60)), SlowTravel(1.3)]
    kinds.append(WorkerBack(worker, Shift(soon, soon + draw(st.integers(2000, 15_000)))))
    if problem.visits:
        visit = draw(st.sampled_from(problem.visits))
        kinds += [Cancelled(visit.id), NoAccess(visit.id), Overrun(visit.id, soon)]
        again = draw(st.sampled_from(problem.visits))
        shift = draw(st.integers(-3000, 6000))
        moved = replace(
            again,
            id=f"new{number}",
            earliest_s=max(0, again.earliest_s + shift),
            latest_s=max(now, again.latest_s + shift, 0),
            due_s=None,
        )
        kinds += [NewOrder(moved)] * 3
        if visit.delivery is not None:
            place = visit.delivery.pickup_place
            kinds += [PointClosed(place), PointClosed(place, soon), PointClosed(place, instead=again.place)]
    return draw(st.sampled_from(kinds))


def _begun(plan: Plan, now: int) -> dict[tuple[str, str, str], Stop]:
    stops = [stop for route in plan.routes.values() for stop in route]
    return {(s.worker, s.visit, s.kind): s for s in stops if s.visit and (s.locked or s.start_s <= now)}


def _still_there(plan: Plan, answer: Replanned, now: int, event: Event) -> None:
    """Every begun stop has its worker and start; its visit is another one only where nobody wants it any more."""
    after = {(s.worker, s.start_s, s.place) for route in answer.plan.routes.values() for s in route if s.locked}
    lost = event.worker if isinstance(event, WorkerIll) else None
    for stop in _begun(plan, now).values():
        assert (stop.worker, stop.start_s, stop.place) in after or (stop.worker == lost and stop.start_s > now)


@pytest.mark.slow
@given(days(), st.data())
@settings(max_examples=50, deadline=None)
def test_a_day_may_take_any_turn(problem: Problem, data: st.DataObject) -> None:
    plan, now = construct(problem), 0
    for number in range(data.draw(st.integers(1, 6))):
        now += data.draw(st.integers(0, 5000))
        event = data.draw(events(problem, now, number))
        first: list[Replanned] = []
        answer = replan(problem, plan, [event], now, seconds=0, seed=number, iterations=5, answered=first.append)
        for one in (*first, answer):
            assert verdict(one.problem, one.plan) == []
            _still_there(plan, one, now, event)
            _nobody_without_need(plan, one)
            _changes_are_told(plan, one, event)
        assert set(answer.plan.unserved) <= set(first[0].plan.unserved)
        problem, plan = answer.problem, answer.plan


def _nobody_without_need(plan: Plan, answer: Replanned) -> None:
    visits = {visit.id: visit for visit in answer.problem.visits}
    for name in set(answer.plan.unserved) - set(plan.unserved):
        outcome = insert(answer.problem, answer.plan, visits[name])
        assert not isinstance(outcome, Insertion) or verdict(answer.problem, outcome.plan)


def _changes_are_told(plan: Plan, answer: Replanned, event: Event) -> None:
    """Exactly the visits whose start or crew differs, each with the event."""

    def said(plan: Plan) -> dict[str, set[tuple[str, int]]]:
        found: dict[str, set[tuple[str, int]]] = {}
        for route in plan.routes.values():
            for stop in route:
                if stop.kind in {"visit", "drop"}:
                    found.setdefault(stop.visit, set()).add((stop.worker, stop.start_s))
        return found

    was, now = said(plan), said(answer.plan)
    assert {change.visit for change in answer.changes} == {v for v in {**was, **now} if was.get(v) != now.get(v)}
    for change in answer.changes:
        assert change.cause == event
        assert change.what
        assert (change.crew == ()) == (change.visit not in now)


@given(days(), st.integers(0, 10_000), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_the_same_seed_and_steps_give_the_same_answer(problem: Problem, now: int, seed: int) -> None:
    plan = construct(problem)
    event = WorkerLate(problem.workers[0].id, now + 1800)
    one, other = (replan(problem, plan, [event], now, seconds=0, seed=seed, iterations=10) for _ in range(2))
    assert one.plan == other.plan
    assert one.changes == other.changes


@given(days())
@settings(max_examples=15, deadline=None)
def test_when_nothing_happens_nothing_changes_that_is_not_worth_it(problem: Problem) -> None:
    """An event that changes nothing is answered with changes only where they save more than they cost."""
    plan = construct(problem)
    answer = replan(problem, plan, [SlowTravel(1.0)], 0, seconds=0, iterations=20)
    if answer.changes:
        assert plan_cost(answer.problem, answer.plan) < plan_cost(problem, plan)


def _street() -> tuple[Problem, Plan]:
    """Two workers of one provider with three visits each, ten minutes apart, at one door."""
    ways = np.full((2, 2), 300, np.int32) - 300 * np.eye(2, dtype=np.int32)
    team = tuple(
        Worker(id=name, provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 20_000),)) for name in "ab"
    )
    visits = tuple(
        Visit(f"{w}{n}", 0, (Seat(frozenset(), 600),), n * 1200, n * 1200 + 900) for w in "ab" for n in range(4)
    )
    routes = {
        w: tuple(Stop(w, "visit", f"{w}{n}", 0, 0, n * 1200, n * 1200 + 600) for n in range(4)) for w in "ab"
    }  # fmt: skip
    problem = Problem(workers=team, visits=visits, travel={"car": ways})
    assert verdict(problem, Plan(routes)) == []
    return problem, Plan(routes)


def test_who_is_ill_is_replaced_and_nobody_else_notices() -> None:
    """Whoever of a's visits still fits goes to b at the hour that was told or a little later; b's own stay."""
    problem, plan = _street()
    answer = replan(problem, plan, [WorkerIll("a")], 700, seconds=0, iterations=50)
    assert verdict(answer.problem, answer.plan) == []
    told = {change.visit: change for change in answer.changes}
    assert list(told) == ["a1", "a2", "a3"], "the next to be rung first"
    for change in told.values():
        assert change.crew == ("b",)
        assert change.start_s is not None
        assert change.was_start_s is not None
        assert abs(change.start_s - change.was_start_s) <= 900


def test_a_little_late_moves_only_what_must() -> None:
    """Held for twenty minutes behind the first stop: the second starts as late, the third and fourth as told."""
    problem, plan = _street()
    late = WorkerLate("a", 1500)
    answer = replan(problem, plan, [SlowTravel(1.0), late], 600, seconds=0, iterations=50)
    (change,) = answer.changes
    assert change.cause == late
    assert (change.visit, change.what, change.was_start_s, change.start_s) == ("a1", ("start",), 1200, 1500)


@pytest.mark.parametrize("promised", [None, Promise(9000, frozenset("w"))])
def test_an_earlier_hour_is_told_where_it_is_the_smaller_change(promised: Promise | None) -> None:
    """A treatment takes the hour of a bath: fifteen minutes earlier the bath just ends in time, later it would begin 35
    minutes late and on a longer way. From then on the earlier hour is what was told."""
    ways = np.full((2, 2), 300, np.int32) - 300 * np.eye(2, dtype=np.int32)
    worker = Worker(id="w", provider="p", skills=frozenset(), start_place=1, shifts=(Shift(0, 20_000),))
    bath = Visit("bath", 1, (Seat(frozenset(), 600),), 0, 18_000, promised=promised)
    plan = Plan({"w": (Stop("w", "visit", "bath", 0, 1, 9000, 9600),)})
    problem = Problem(workers=(worker,), visits=(bath,), travel={"car": ways})
    treatment = Visit("treatment", 0, (Seat(frozenset(), 1800),), 9000, 9100)
    answer = replan(problem, plan, [NewOrder(treatment)], 600, seconds=0, iterations=50)
    assert {stop.visit: stop.start_s for stop in answer.plan.routes["w"]} == {"bath": 8100, "treatment": 9000}
    assert replan(answer.problem, answer.plan, [SlowTravel(1.0)], 700, seconds=0, iterations=50).changes == ()


@pytest.mark.parametrize(("saved", "crew"), [(229, "a"), (230, "b")])
def test_another_worker_comes_where_that_saves_what_it_costs(saved: int, crew: str) -> None:
    """200 for somebody else than was told and 30 for any change at all, to the second; and nobody is left out for a way."""
    ways = np.array(((0, 0, 500 + saved), (0, 0, 500), (0, 0, 0)), np.int32)
    team = tuple(
        Worker(id=name, provider="p", skills=frozenset(), start_place=n, shifts=(Shift(0, 9000),))
        for n, name in enumerate("ab")
    )
    visit = Visit("v", 2, (Seat(frozenset(), 600),), 5000, 5000, drop_penalty=10)
    plan = Plan({"a": (Stop("a", "visit", "v", 0, 2, 5000, 5600),), "b": ()})
    problem = Problem(workers=team, visits=(visit,), travel={"car": ways})
    answer = replan(problem, plan, [SlowTravel(1.0)], 600, seconds=0, iterations=50)
    assert [stop.worker for stop in answer.plan.stops_of("v")] == [crew]


def test_a_meal_that_would_be_cold_is_fetched_anew() -> None:
    """It is in the box of who is held up for longer than a meal may ride."""
    problem, _ = _street()
    meal = Visit("m", 0, (Seat(frozenset(), 60),), 1000, 4000, delivery=Delivery(1, 700, 60, max_ride_s=600))
    fetched = Stop("a", "pickup", "m", 0, 1, 700, 760, locked=True), Stop("a", "drop", "m", 0, 0, 1060, 1120)
    day = replace(problem, visits=(meal,))
    answer = replan(day, Plan({"a": fetched, "b": ()}), [WorkerLate("a", 2000)], 800, seconds=0, iterations=5)
    assert answer.plan.unserved == ()
    fetch, bring = sorted(answer.plan.stops_of("m"), key=lambda stop: stop.start_s)
    assert not fetch.locked
    assert bring.start_s - fetch.end_s <= 600


def test_a_closed_kitchen_loses_its_meals_unless_another_cooks() -> None:
    problem, plan = _street()
    meal = Visit("m", 0, (Seat(frozenset(), 60),), 4000, 9000, delivery=Delivery(1, 4000, 60))
    ordered = replan(problem, plan, [NewOrder(meal)], 600, seconds=0, iterations=5)
    assert ordered.plan.unserved == ()
    closed = replan(ordered.problem, ordered.plan, [PointClosed(1)], 700, seconds=0, iterations=5)
    assert closed.plan.unserved == ("m",)
    assert [change.what for change in closed.changes] == [("unserved",)]
    other = replan(ordered.problem, ordered.plan, [PointClosed(1, instead=0)], 700, seconds=0, iterations=5)
    assert other.plan.unserved == ()
    assert {stop.place for stop in other.plan.stops_of("m")} == {0}
