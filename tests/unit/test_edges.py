"""Each rule of the planner to the second and the unit, asked at every door: who checks, who quotes, who plans, who proves."""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, Final

import pytest
from msgspec.structs import replace

from dispatch import (
    Break,
    Delivery,
    Equipment,
    Insertion,
    Link,
    NewOrder,
    Plan,
    Prepared,
    Promise,
    Seat,
    Shift,
    Stop,
    Visit,
    Worker,
    check_plan,
    construct,
    explain,
    improve,
    insert,
    plan_cost,
    quote,
    remove,
    replan,
    retime,
)
from dispatch.cost import drop_cost
from dispatch.exact import _Model
from tests.support.edges import CHECKED, NOT_CHECKED, ROWS, Day, Row
from tests.support.verdict import verdict

_TIMELESS: Final = {
    "capacity", "heavy", "work", "skills", "gender", "refused", "provider", "crew_provider", "crew_distinct", "apart",
    "equipment",
}  # fmt: skip
Door = Callable[[Day, Plan], int | None]
_PLENTY: Final = 10**6  # more than any of these days has


def _base(day: Day) -> Plan:
    """The plan without the new visit, everything else as early as it can be."""
    base = retime(day.problem, remove(day.plan, "new"))
    assert base is not None
    assert verdict(day.problem, base) == []
    return base


def _cost_of(day: Day, plan: Plan | None) -> int | None:
    """What a plan costs that serves everybody, and None of one that does not; no rule may be broken either way."""
    if plan is None:
        return None
    assert verdict(day.problem, plan) == []
    return None if plan.unserved else plan_cost(day.problem, plan)


def _without(day: Day, base: Plan) -> int:
    """What the others cost."""
    return plan_cost(day.problem, base) - drop_cost(day.new)


def _retimed(day: Day, _: Plan) -> int | None:
    """Times for the order of the plan; what does not depend on time is not asked for there."""
    timed = retime(day.problem, day.plan)
    if timed is None:
        return None
    broken = {violation.rule for violation in verdict(day.problem, timed)}
    begun = any(stop.locked for route in timed.routes.values() for stop in route)
    assert broken <= _TIMELESS | ({"gap"} if begun else set())  # what has begun is not moved for it
    return None if broken else _cost_of(day, timed)


def _quoted(day: Day, base: Plan) -> int | None:
    start = day.plan.stops_of("new")[-1].start_s
    asked = sorted({day.new.earliest_s, start, day.new.latest_s})
    slots = {slot.start_s: slot.cost for slot in quote(day.problem, base, day.new, asked)}
    return _without(day, base) + slots.get(start, next(iter(slots.values()))) if slots else None


def _inserted(day: Day, base: Plan) -> int | None:
    outcome = insert(day.problem, base, day.new)
    if not isinstance(outcome, Insertion):
        return None
    cost = _cost_of(day, outcome.plan)
    assert cost == _without(day, base) + outcome.cost
    return cost


def _constructed(day: Day, base: Plan) -> int | None:
    return _cost_of(day, construct(day.problem, base))


def _improved(day: Day, base: Plan) -> int | None:
    return _cost_of(day, improve(day.problem, base, 0, 1, iterations=4))


def _replanned(day: Day, base: Plan) -> int | None:
    links = tuple(link for link in day.problem.links if "new" in {link.before, link.after})
    before = replace(
        day.problem,
        visits=tuple(visit for visit in day.problem.visits if visit.id != "new"),
        links=tuple(link for link in day.problem.links if link not in links),
    )
    order = NewOrder(day.new, links)
    return _cost_of(day, replan(before, Plan(base.routes), [order], day.problem.now_s, seconds=0, iterations=4).plan)


def _explained(day: Day, base: Plan) -> int | None:
    others = explain(day.problem, base, "new", remedies=1).alternatives
    return _without(day, base) + others[0].cost if others else None


def _servable(day: Day, base: Plan) -> int | None:
    """Whether the check calls the visit servable, by whom and when, which it does where nobody else need be moved."""
    told = [(found.rule, *found.figures) for found in check_plan(day.problem, base, unserved=True)]
    worker = next(worker for worker in day.problem.workers if worker.id == day.plan.stops_of("new")[-1].worker)
    open_to = range(day.new.earliest_s, day.new.latest_s + 1)
    served = any(told == [("servable", worker.provider, " at ", at)] for at in open_to)
    return plan_cost(day.problem, day.plan) if served else None


def _proved(day: Day, base: Plan) -> int | None:
    """What the model finds and the bound as it is, before `prove` cuts it at the cost: the two meet on days so small."""
    found, bound = _Model(day.problem, base).solved(5, 1)
    assert found is not None
    assert bound == plan_cost(day.problem, found)
    return _cost_of(day, found)


_INSERTING: Final = (_quoted, _inserted, _constructed)


def _doors(day: Day) -> Iterator[Door]:
    """Who is asked: the model knows one shift and no even shares, and the check says nothing where others must be moved."""
    yield from (_retimed, *_INSERTING, _improved, _replanned, _explained)
    if all(len(worker.shifts) == 1 for worker in day.problem.workers) and not day.problem.weights.uneven:
        yield _proved
    if all(stop in day.plan.routes[worker] for worker, route in _base(day).routes.items() for stop in route):
        yield _servable


def _differing(day: Day, expected: int | None, doors: Iterable[Door]) -> list[str]:
    """Name the doors that serve somebody who cannot be served, refuse somebody who can, or tell another cost."""
    base = _base(day)
    told = {door.__name__: door(day, base) for door in doors}
    return [f"{name}: {cost}, not {expected}" for name, cost in told.items() if cost != expected]


def _expected(row: Row, by: int) -> int | None:
    if by == 0:
        return row.cost
    return row.then if isinstance(row.then, int) else None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_rule_holds_to_the_second_at_every_door(row: Row) -> None:
    """At 0 everybody is served at the cost counted by hand, at 1 nobody serves the visit and the check names the rule."""
    for by in (0, 1):
        day, expected = row.made(by), _expected(row, by)
        told = {violation.rule for violation in verdict(day.problem, day.plan)}
        assert told == ({row.then} if by and expected is None else set()) - {NOT_CHECKED}
        if expected is not None:
            assert plan_cost(day.problem, day.plan) == expected
        assert _differing(day, expected, _doors(day)) == []
        if not told and _proved in _doors(day):
            assert _Model(day.problem, day.plan).solved(5, 1)[1] <= plan_cost(day.problem, day.plan)


@pytest.mark.parametrize("row", CHECKED, ids=lambda row: row.name)
def test_a_plan_at_fault_by_a_second_is_named(row: Row) -> None:
    day, worse = row.made(0), row.made(1)
    assert verdict(day.problem, day.plan) == []
    assert plan_cost(day.problem, day.plan) == row.cost
    assert {violation.rule for violation in verdict(worse.problem, worse.plan)} == set(str(row.then).split())


def _workers(day: Day, change: Callable[[Worker], dict[str, Any]]) -> Day:
    workers = tuple(replace(worker, **change(worker)) for worker in day.problem.workers)
    return Day(replace(day.problem, workers=workers), day.plan)


def _visits(day: Day, change: Callable[[Visit], dict[str, Any]]) -> Day:
    visits = tuple(replace(visit, **change(visit)) for visit in day.problem.visits)
    return Day(replace(day.problem, visits=visits), day.plan)


def _with_a_rest(day: Day) -> Day:
    """A break of no length before everything."""
    return _workers(day, lambda worker: {"breaks": (Break(0, 0, 0), *worker.breaks)})


def _with_an_early_shift(day: Day) -> Day:
    """One more shift, over long before anything begins."""
    return _workers(day, lambda worker: {"shifts": (Shift(-9000, -8000), *worker.shifts)})


def _with_wide_limits(day: Day) -> Day:
    """Limits of the whole day that nobody reaches."""
    return _workers(
        day,
        lambda worker: {
            name: most if getattr(worker, name) is None else getattr(worker, name)
            for name, most in (("max_work_s", _PLENTY), ("max_heavy", 99), ("max_span_s", 7900), ("capacity", _PLENTY))
        },
    )


def _with_starts_told(day: Day) -> Day:
    """Everybody was told a start, which may move as far as it likes."""
    told = Promise(1000, frozenset(), _PLENTY)
    return _visits(day, lambda visit: {} if visit.promised is not None else {"promised": told})


def _with_equipment(day: Day) -> Day:
    """Every visit but a meal needs something of which there is plenty."""
    day = _visits(day, lambda visit: {} if visit.delivery else {"equipment": visit.equipment | {"scale"}})
    return Day(replace(day.problem, equipment=(*day.problem.equipment, Equipment("scale", 9))), day.plan)


def _with_links(day: Day) -> Day:
    """Every visit comes before somebody else's, far away and much later."""
    far = Visit("far", 3, (Seat(frozenset({"z"}), 60),), _PLENTY, _PLENTY)
    other = replace(day.problem.workers[0], id="z", skills=frozenset({"z"}), start_place=3, end_place=None)
    other = replace(other, shifts=(Shift(_PLENTY, _PLENTY + 60),), breaks=())
    links = tuple(Link(visit.id, "far", 0) for visit in day.problem.visits)
    problem = replace(
        day.problem, visits=(*day.problem.visits, far), workers=(*day.problem.workers, other),
        links=(*day.problem.links, *links),
    )  # fmt: skip
    return Day(problem, Plan({**day.plan.routes, "z": (Stop("z", "visit", "far", 0, 3, _PLENTY, _PLENTY + 60),)}))


def _with_the_latest_counted(day: Day) -> Day:
    """The greatest lateness costs, and nobody is late."""
    return Day(replace(day.problem, weights=replace(day.problem.weights, late_max_s=1)), day.plan)


_HARMLESS: Final = (
    _with_a_rest, _with_an_early_shift, _with_wide_limits, _with_starts_told, _with_equipment, _with_links,
    _with_the_latest_counted,
)  # fmt: skip


# Kept away who could be sent: no meal is carried past a stop that others depend on, nobody whom others depend on sets
# out late.
_TIED: Final = {
    "the longest day of who sets out late", "the longest ride past another stop", "two meals in the box", "the box under way",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("added", _HARMLESS, ids=lambda added: added.__name__.removeprefix("_with_"))
def test_what_stands_in_nobodys_way_changes_no_answer(added: Callable[[Day], Day]) -> None:
    """The kernels have a short way for days without this, and a long one for days with it: both find the same."""
    wrong: list[str] = []
    tied = added in {_with_equipment, _with_links}
    for row, by in product(ROWS, (0, 1)):
        day = added(row.made(by))
        counted = day.problem.weights.late_max_s and any(visit.due_s is not None for visit in day.problem.visits)
        if day.problem.weights.uneven or counted or (by == 0 and tied and row.name in _TIED):
            continue  # there what is added has a price, or keeps somebody away who could be sent
        wrong += [f"{row.name} {by}: {found}" for found in _differing(day, _expected(row, by), _INSERTING)]
    assert wrong == []


def test_a_plan_made_ready_answers_every_question_as_if_it_were_the_first() -> None:
    """What was found out for one visit is remembered for the next that asks the same, and for nobody else."""
    day = ROWS[0].made(0)
    one = replace(
        day.problem.workers[0], gender="female", languages=frozenset({"Wu"}), capacity=5, box_capacity=2, max_heavy=1
    )
    two = replace(
        one, id="x", skills=frozenset("x"), gender="male", languages=frozenset({"Min"}), capacity=1, box_capacity=1
    )
    three = replace(two, id="y", provider="q", max_heavy=0, start_place=2)
    problem = replace(day.problem, workers=(one, two, three), equipment=(Equipment("tub", 1),), visits=())
    plain = replace(day.new, earliest_s=1100, latest_s=1500)
    seat, meal = plain.seats[0], Delivery(2, 1000, 10)
    seats = [{"skills": frozenset(name)} for name in "wxz"] + [{"gender": name} for name in ("female", "male")]
    asked = [
        plain,
        *(replace(plain, seats=(replace(seat, **more),)) for more in (*seats, {"heavy": True}, {"duration_s": 7})),
    ]
    asked += [replace(plain, seats=(seat, seat)), replace(plain, seats=(seat, replace(seat, skills=frozenset("x"))))]
    asked += [replace(plain, delivery=replace(meal, load=load)) for load in (1, 2, 3)]
    asked += [
        replace(plain, delivery=replace(meal, ready_s=1200)),
        replace(plain, delivery=replace(meal, max_ride_s=100)),
    ]
    asked += [
        replace(plain, **{name: value})
        for name, values in {
            "providers": [frozenset("p"), frozenset("q")], "refused_workers": [frozenset("w"), frozenset("xy")], "load": [1, 2, 6],
            "known_workers": [frozenset("w"), frozenset("x")], "languages": [frozenset({"Wu"}), frozenset({"Min"})],
            "preferred_worker": ["w", "y"], "promised": [Promise(1200, frozenset("w"), 50), Promise(None, frozenset("y"))],
            "equipment": [frozenset({"tub"}), frozenset({"cot"})], "due_s": [1000, 1200], "place": [1, 3], "latest_s": [1150],
        }.items()
        for value in values
    ]  # fmt: skip
    plan = Plan({worker.id: () for worker in problem.workers})
    prepared, starts = Prepared(problem, plan), range(1000, 1600, 50)
    for visit in (*asked, *reversed(asked)):
        assert quote(problem, plan, visit, starts, prepared) == quote(problem, plan, visit, starts), visit
