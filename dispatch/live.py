"""A day that goes on: what has happened comes in, out comes the new plan and the fewest changes, each with its cause.

What has begun never moves. What was told moves at the price of `Visit.promised`; a visit that carries none is taken to
have been told as the plan has it, to within `free_s` of its start. A visit once planned is left out only where insertion
finds no place for it.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dispatch.check import Violation, check_plan
from dispatch.cost import plan_cost
from dispatch.easing import ease
from dispatch.happenings import Event, begun_at, happened, spoilt, without
from dispatch.insertion import insert
from dispatch.outcome import Insertion
from dispatch.parts import joined, part_of, tied
from dispatch.plan import Plan, Stop, remove
from dispatch.problem import Problem, Promise, Visit, Worker
from dispatch.search import construct
from dispatch.solver import improve
from dispatch.standing import standing_of
from dispatch.timing import retime

_SHARES = 0.4, 0.25, 0.35  # of the time: to keep what was told, to see what is lost by that, to win some of it back
_CHANGE = 30  # travelled seconds a change must save even where it costs nothing: a phone shows something else

What = Literal["served", "unserved", "start", "worker"]


class Change(Struct, frozen=True):
    """What is new about one visit for those who wait for it, and the event that caused it."""

    visit: str
    what: tuple[What, ...]
    was_start_s: int | None
    start_s: int | None
    was_crew: tuple[str, ...]
    crew: tuple[str, ...]
    cause: Event


class Replanned(Struct, frozen=True):
    """The day and the plan from now on, and what differs from the plan before."""

    problem: Problem
    plan: Plan
    changes: tuple[Change, ...]


def replan(
    problem: Problem,
    plan: Plan,
    events: Sequence[Event],
    now_s: int,
    *,
    seconds: float,
    seed: int = 1,
    iterations: int | None = None,
    free_s: int = 600,
    answered: Callable[[Replanned], None] | None = None,
) -> Replanned:
    """Repair at once, search within the seconds or iterations, take back every change that is not worth its price.

    Nobody is visited earlier than was told, but for the tolerance, unless a plan that promised nothing would come earlier
    and that turns out to be worth its price. `answered` hears the repaired plan before the search begins. With
    `iterations` the answer depends on the seed alone. Raises ValueError for an event about somebody the day does not know.
    """
    day = _Live(problem, plan, events, now_s, free_s)
    if answered is not None:
        answered(day.told(day.plan))

    def improved(asked: Problem, start: Plan, share: float) -> Plan:
        steps = None if iterations is None else int(share * iterations)
        return improve(asked, start, share * seconds, seed, iterations=steps)

    found = day.taken_back(improved(day.priced, day.plan, _SHARES[0]))
    early = day.earlier(improved(_unpromised(day.problem), day.plan, _SHARES[1]))
    if early:
        trial = day.taken_back(ease(day.priced, improved(_unheld(day.priced, early), found, _SHARES[2])))
        found = min(found, trial, key=day.score)
    return day.told(_taken_in(day.priced, found))


class _Live:
    """One round of events: the plan before, the repaired plan, and the day with a price on what was told."""

    def __init__(self, problem: Problem, plan: Plan, events: Sequence[Event], now: int, free: int) -> None:
        self.problem = replace(problem, now_s=now)
        self.events = tuple(events)
        self.before = plan
        self.plan = begun_at(plan, now)
        self._causes: dict[str, int] = {}
        self._touched: list[set[str]] = []
        planned = _handled(plan)
        self._told = {
            name: Promise(stops[0].start_s, frozenset(stop.worker for stop in stops), free)
            for name, stops in planned.items()
        } | {v.id: _told_since(v.promised, planned.get(v.id, ())) for v in problem.visits if v.promised is not None}
        self.priced = self._price()
        for number, event in enumerate(self.events):
            was = self.plan
            self.problem, self.plan = happened(self.problem, self.plan, event)
            self._repair()
            self._note(number, was)

    def _price(self) -> Problem:
        """The day with what was told to everybody who waits."""
        visits = (replace(v, promised=self._told.get(v.id, v.promised)) for v in self.problem.visits)
        self.priced = replace(self.problem, visits=tuple(visits))
        return self.priced

    def _repair(self) -> None:
        """What still holds, with everything else put in where it costs least; never a broken rule."""
        self.problem = _restful(self.problem, self.plan)
        self.plan = self._filled(holding(self._price(), self.plan))
        for _ in range(len(self.plan.routes) + 1):
            broken = check_plan(self.priced, self.plan)
            if not broken:
                return
            self.problem, plan = _eased(self.problem, self.plan, broken)
            self.plan = self._filled(holding(self._price(), plan))

    def _filled(self, plan: Plan) -> Plan:
        """Whoever finds no place near the hour that was told may find one at another hour."""
        plan = _filled(self.priced, plan)
        late = [name for name in plan.unserved if name in self._told and self._told[name].start_s is not None]
        if not late:
            return plan
        self._told |= {name: replace(self._told[name], start_s=None) for name in late}
        return _filled(self._price(), plan)

    def _note(self, number: int, was: Plan) -> None:
        """Remember which visits, and whose days, an event has changed."""
        for name in _differing(was, self.plan):
            self._causes.setdefault(name, number)
        names = was.routes.keys() | self.plan.routes.keys()
        self._touched.append({w for w in names if was.routes.get(w, ()) != self.plan.routes.get(w, ())})

    def taken_back(self, found: Plan) -> Plan:
        """The plan found without the changes that are not worth their price, groups of routes first, then single visits."""
        best = _Scored(found, self.score(found))
        for routes in _tangles(self.plan, found):
            trial = Plan({**best.plan.routes, **{w: self.plan.routes[w] for w in routes}})
            served = {stop.visit for route in trial.routes.values() for stop in route}
            best = self._better(Plan(trial.routes, tuple(v.id for v in self.priced.visits if v.id not in served)), best)
        visits = {visit.id: visit for visit in self.priced.visits}
        was = _handled(self.before)
        for name in _differing(self.before, found):
            old, new = was.get(name, ()), [stop for stop in best.plan.stops_of(name) if stop.kind != "pickup"]
            visit = visits.get(name)
            if visit is None or not old or not new or any(stop.locked for stop in best.plan.stops_of(name)):
                continue
            crew, start = [stop.worker for stop in old], old[0].start_s
            for free in (0, visit.promised.free_s if visit.promised else 0):
                trial = self._as_told(best.plan, visit, crew, start, free)
                kept = best
                best = best if trial is None else self._better(trial, best)
                if best is not kept:
                    break
        return best.plan

    def score(self, plan: Plan) -> int:
        """What the plan costs, with what every change costs by itself."""
        return plan_cost(self.priced, plan) + _CHANGE * len(_differing(self.before, plan))

    def _better(self, trial: Plan, best: "_Scored") -> "_Scored":
        score = self.score(trial)
        sound = score < best.score and set(best.plan.unserved).issuperset(trial.unserved)
        return _Scored(trial, score) if sound and not check_plan(self.priced, trial) else best

    def earlier(self, plan: Plan) -> set[str]:
        """Visits this plan begins earlier than was told, beyond the tolerance."""
        now = _handled(plan)
        told = ((name, promise) for name, promise in self._told.items() if name in now)
        return {name for name, p in told if p.start_s is not None and now[name][0].start_s < p.start_s - p.free_s}

    def _as_told(self, plan: Plan, visit: Visit, crew: Sequence[str], start: int, free: int) -> Plan | None:
        """The plan with one visit back with those who were told, near the start that was told."""
        lo, hi = max(visit.earliest_s, start - free), min(visit.latest_s, start + free)
        if lo > hi:
            return None
        left = remove(plan, visit.id)
        near = replace(visit, earliest_s=lo, latest_s=hi)
        outcome = insert(part_of(self.priced, left, crew, near), left, near)
        return outcome.plan if isinstance(outcome, Insertion) else None

    def told(self, plan: Plan) -> Replanned:
        """The answer: what differs from the plan before, by start."""
        was, now = _handled(self.before), _handled(plan)
        changes: list[Change] = []
        for name in _differing(self.before, plan):
            old, new = was.get(name, ()), now.get(name, ())
            crews = tuple(stop.worker for stop in old), tuple(stop.worker for stop in new)
            starts = old[0].start_s if old else None, new[0].start_s if new else None
            cause = self._cause(name, {*crews[0], *crews[1]})
            changes.append(Change(name, _what(starts, crews), *starts, *crews, cause))
        changes.sort(key=lambda change: (change.start_s or change.was_start_s or 0, change.visit))
        return Replanned(self.problem, plan, tuple(changes))

    def _cause(self, name: str, crew: set[str]) -> Event:
        """The event whose repair changed the visit; else the first that changed the days of its workers; else the last."""
        number = self._causes.get(name)
        if number is None:
            number = next((n for n, touched in enumerate(self._touched) if touched & crew), len(self.events) - 1)
        return self.events[number]


def _told_since(promise: Promise, stops: Sequence[Stop]) -> Promise:
    """The promise; where the plan begins still earlier, that is what was told since."""
    if promise.start_s is None or not stops or stops[0].start_s >= promise.start_s - promise.free_s:
        return promise
    return replace(promise, start_s=stops[0].start_s)


def _unpromised(problem: Problem) -> Problem:
    return replace(problem, visits=tuple(replace(visit, promised=None) for visit in problem.visits))


def _unheld(problem: Problem, names: set[str]) -> Problem:
    """The day in which these visits may begin as soon as somebody is there."""

    def unheld(visit: Visit) -> Visit:
        held = visit.promised if visit.id in names else None
        return visit if held is None else replace(visit, promised=replace(held, start_s=None))

    return replace(problem, visits=tuple(unheld(visit) for visit in problem.visits))


class _Scored(Struct, frozen=True):
    """A plan and what it costs, changes included."""

    plan: Plan
    score: int


def _what(starts: tuple[int | None, int | None], crews: tuple[tuple[str, ...], tuple[str, ...]]) -> tuple[What, ...]:
    if not crews[0]:
        return ("served",)
    if not crews[1]:
        return ("unserved",)
    moved: tuple[What, ...] = ("start",) if starts[0] != starts[1] else ()
    return moved if sorted(crews[0]) == sorted(crews[1]) else (*moved, "worker")


def _handled(plan: Plan) -> dict[str, tuple[Stop, ...]]:
    """By visit the stops residents wait for, in seat order."""
    found: dict[str, list[Stop]] = {}
    for route in plan.routes.values():
        for stop in route:
            if stop.kind in {"visit", "drop"}:
                found.setdefault(stop.visit, []).append(stop)
    return {name: tuple(sorted(stops, key=lambda stop: stop.seat)) for name, stops in found.items()}


def _differing(was: Plan, now: Plan) -> list[str]:
    """Visits whose start or crew is another one, or who are served in one of the plans only."""
    one, other = _handled(was), _handled(now)

    def said(stops: tuple[Stop, ...]) -> list[tuple[str, int]]:
        return sorted((stop.worker, stop.start_s) for stop in stops)

    return [name for name in {**one, **other} if said(one.get(name, ())) != said(other.get(name, ()))]


def holding(problem: Problem, plan: Plan) -> Plan:
    """The plan at times that hold, without the open visits that cannot be kept, the earlier ones first."""
    timed = retime(problem, plan)
    if timed is not None:
        return timed
    routes: dict[str, tuple[Stop, ...]] = {}
    for names in tied(problem, plan):
        theirs = {name: plan.routes[name] for name in names}
        part = part_of(problem, plan, names)
        routes |= _thinned(part, Plan(theirs)).routes
    served = {stop.visit for route in routes.values() for stop in route if stop.kind in {"visit", "drop"}}
    return Plan(routes, tuple(visit.id for visit in problem.visits if visit.id not in served))


def _thinned(problem: Problem, plan: Plan) -> Plan:
    """One part of a day: visit by visit in order of time, those that would break something left out."""
    timed = retime(problem, plan)
    if timed is not None:
        return timed
    starts: dict[str, int] = {}
    for route in plan.routes.values():
        for stop in route:
            if not stop.locked:
                starts[stop.visit] = max(starts.get(stop.visit, 0), stop.start_s)
    order = sorted(starts, key=lambda name: (starts[name], name))
    out: set[str] = set()
    sound = 0
    while (timed := retime(problem, without(plan, out))) is None:
        fails = len(order)
        while fails - sound > 1:
            middle = (sound + fails) // 2
            if retime(problem, without(plan, {*out, *order[middle:]})) is None:
                fails = middle
            else:
                sound = middle
        if fails == sound:
            return without(plan, order)
        out.add(order[fails - 1])
        sound = fails
    return timed


def _tangles(was: Plan, now: Plan) -> list[set[str]]:
    """Groups of routes between which visits were exchanged, those of fewest routes first."""
    one, other = _handled(was), _handled(now)
    ties = [{stop.worker for stop in (*one.get(name, ()), *other.get(name, ()))} for name in {**one, **other}]
    groups = joined(now.routes, ties)
    changed = [group for group in groups if any(was.routes.get(w) != now.routes[w] for w in group)]
    return sorted(changed, key=lambda group: (len(group), sorted(group)))


def _restful(problem: Problem, plan: Plan) -> Problem:
    """Breaks that what has begun leaves no room for are not asked for any more."""

    def rested(worker: Worker) -> Worker:
        route = plan.routes.get(worker.id, ())
        begun = route[: max((n + 1 for n, stop in enumerate(route) if stop.locked), default=0)]
        lost = standing_of(problem, worker, begun).lost
        return replace(worker, breaks=tuple(b for b in worker.breaks if b not in lost)) if lost else worker

    return replace(problem, workers=tuple(rested(w) if w.breaks and w.shifts else w for w in problem.workers))


def _eased(problem: Problem, plan: Plan, broken: Sequence[Violation]) -> tuple[Problem, Plan]:
    """What the oracle still finds wrong gives way: a break that history left no room for, then the visits concerned."""
    restless = {violation.subject for violation in broken if violation.rule == "break"}
    workers = tuple(replace(w, breaks=()) if w.id in restless else w for w in problem.workers)
    names = {violation.subject for violation in broken if violation.rule != "break"}
    routes = {stop.visit for name in names for stop in plan.routes.get(name, ()) if not stop.locked}
    open_visits = {s.visit for route in plan.routes.values() for s in route if not s.locked}
    return replace(problem, workers=workers), without(plan, (names | routes) & open_visits)


def _filled(problem: Problem, plan: Plan) -> Plan:
    """The plan with every unserved visit put in that finds a place; a meal that cannot be brought is fetched anew."""
    plan = construct(problem, plan)
    return _taken_in(problem, construct(problem, spoilt(plan)))


def _taken_in(problem: Problem, plan: Plan) -> Plan:
    """The plan with every unserved visit that plain insertion can still serve."""
    visits = {visit.id: visit for visit in problem.visits}
    for name in plan.unserved:
        outcome = insert(problem, plan, visits[name])
        if isinstance(outcome, Insertion) and not check_plan(problem, outcome.plan):
            plan = outcome.plan
    return plan
