"""Why a visit is planned as it is, or why nobody serves it and what would have to give.

Everything said was tried: an alternative was put into the plan and checked, and so was every relaxation, which is the
smallest of its kind to the grain asked for. In these trials nobody else changes workers, but for visits tied to this one.
Trials take time, the longer the more people work: whoever asks may end them, and is told what was found until then.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import combinations, islice

from msgspec import Struct
from msgspec.structs import replace

from dispatch.check import check_plan
from dispatch.cost import drop_cost, plan_cost
from dispatch.insertion import insert, links_of
from dispatch.outcome import Insertion, Refusal
from dispatch.parts import part_of, tangles
from dispatch.plan import Plan, Stop, remove
from dispatch.prepared import Prepared
from dispatch.problem import Problem, Seat, Visit, Worker
from dispatch.relaxing import (
    AnyGender,
    Earlier,
    Later,
    LongerShift,
    MoreSkills,
    MoreWorkers,
    Relaxation,
    relaxed,
)
from dispatch.rules import refusal

_REACH = 240  # grains a window or shift is stretched at most
_BASES = 6  # places more workers could come from, of each provider the nearest ones
_STATIC = (
    "provider_excluded",
    "refused",
    "no_skill",
    "gender",
    "capacity",
    "heavy",
    "no_shift",
)  # and all of `refusal`
_TIMELY = {"no_gap", "window"}  # refusals that more time might lift


class Alternative(Struct, frozen=True):
    """Another way to serve the visit: by whom, in seat order, when, and what the plan would cost more.

    Of a visit nobody serves, the penalty saved is left out of `cost`. `changed` are the routes that would be other ones.
    """

    crew: tuple[str, ...]
    start_s: int
    cost: int
    changed: dict[str, tuple[Stop, ...]]


class Obstacle(Struct, frozen=True):
    """The first rule that keeps one worker from the visit; `missing_s` more seconds would lift a rule about time.

    `window`: if the visit might begin so much later. `shift`: if the worker stayed so much longer. `no_gap`: if the visit
    were so much shorter. 0 where none of these would do.
    """

    worker: str
    rule: str
    detail: str = ""
    missing_s: int = 0


class Remedy(Struct, frozen=True):
    """Something that gives, and the alternative there would be then."""

    relaxation: Relaxation
    then: Alternative


class Explanation(Struct, frozen=True):
    """Who serves a visit now and who else could, cheapest first; who could not; what would help where nobody can.

    Where the trials were ended before all were made it is not `complete`: of whoever is not named nothing is known.
    """

    visit: str
    crew: tuple[str, ...]
    start_s: int | None
    begun: bool
    alternatives: tuple[Alternative, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    summary: str = ""
    remedies: tuple[Remedy, ...] = ()
    complete: bool = True


class _EndedError(Exception):
    """Whoever asked wants to know what was found so far."""


def _always() -> bool:
    return True


def explain(
    problem: Problem,
    plan: Plan,
    visit_id: str,
    *,
    grain_s: int = 60,
    alternatives: int = 5,
    remedies: int = 3,
    go_on: Callable[[], bool] = _always,
) -> Explanation:
    """All about one visit of a plan; `go_on` is asked before each trial. Raises KeyError for a visit the day does not have."""
    visit = {known.id: known for known in problem.visits}[visit_id]
    stops = sorted((s for s in plan.stops_of(visit_id) if s.kind != "pickup"), key=lambda stop: stop.seat)
    crew = tuple(stop.worker for stop in stops)
    start = stops[0].start_s if stops else None
    if any(stop.locked for stop in plan.stops_of(visit_id)):
        return Explanation(visit_id, crew, start, begun=True)
    trial = _Trial(problem, plan, visit, grain_s, go_on)
    found, standing, helping, complete = list[Alternative](), list[Obstacle](), list[Remedy](), True
    try:
        for other in trial.others(crew, start):
            found.append(other)
        for obstacle in trial.obstacles({name for other in found for name in other.crew} | set(crew)):
            standing.append(obstacle)
        if not stops and not found:
            for remedy in islice(trial.remedies(), remedies):
                helping.append(remedy)
    except _EndedError:
        complete = False
    best = tuple(sorted(found, key=lambda other: (other.cost, other.start_s, other.crew))[:alternatives])
    summary = "" if stops or best else _commonest(standing)
    return Explanation(visit_id, crew, start, False, best, tuple(standing), summary, tuple(helping), complete)


def _commonest(obstacles: Iterable[Obstacle]) -> str:
    """One rule for all: a day too full weighs more than people who never could."""
    rules = [one.rule for one in obstacles]
    serious = [rule for rule in rules if rule not in _STATIC] or rules
    return max(dict.fromkeys(serious), key=serious.count) if serious else "no_shift"


class _Trial:
    """One visit taken out of a plan, to be put back in other ways."""

    def __init__(self, problem: Problem, plan: Plan, visit: Visit, grain: int, go_on: Callable[[], bool]) -> None:
        self._problem, self._plan, self._visit, self._grain, self._go_on = problem, plan, visit, grain, go_on
        self._base = remove(plan, visit.id)
        self._now = plan_cost(problem, plan) - (drop_cost(visit) if visit.id in plan.unserved else 0)
        self._known = set(check_plan(problem, plan))
        self._near = {name: group for group in tangles(problem, self._base) for name in group}
        self._linked = bool(links_of(problem, visit))
        self._ready: Prepared | None = None

    def others(self, crew: tuple[str, ...], start: int | None) -> Iterator[Alternative]:
        """Every other way to serve the visit that insertion finds."""
        visit = self._visit
        if crew and start is not None:
            times = ((visit.earliest_s, start - self._grain), (start + self._grain, visit.latest_s))
            for lo, hi in times:
                if lo <= hi:
                    again = replace(visit, earliest_s=lo, latest_s=hi)
                    yield from self._put(again, crew)
        if len(visit.seats) == 1:
            for worker in self._problem.workers:
                if worker.id not in crew and refusal(worker, visit, visit.seats[0]) is None:
                    yield from self._put(visit, (worker.id,))
        else:
            yield from self._crews(crew)

    def obstacles(self, named: Collection[str]) -> Iterator[Obstacle]:
        """Why each worker who is not named is no way to serve it."""
        for worker in self._problem.workers:
            if worker.id not in named and (obstacle := self._obstacle(worker)) is not None:
                yield obstacle

    def _crews(self, crew: tuple[str, ...]) -> Iterator[Alternative]:
        """Crews without one of those who are there now, and then without anybody found before."""
        known = {frozenset(crew)}
        for left_out in [frozenset({name}) for name in crew] or [frozenset[str]()]:
            out = left_out
            for _ in self._problem.workers:  # each time somebody more is left out
                names = [worker.id for worker in self._problem.workers if worker.id not in out]
                found = self._put(self._visit, names)
                if not found:
                    break
                if frozenset(found[0].crew) not in known:
                    known.add(frozenset(found[0].crew))
                    yield found[0]
                out |= frozenset(found[0].crew) - frozenset(crew) or frozenset(found[0].crew)

    def _put(self, visit: Visit, names: Iterable[str], problem: Problem | None = None) -> list[Alternative]:
        """The best way with these workers only, once it has been checked; none or one.

        Whoever shares a visit, a gap or equipment with them may be moved with them, but does not take the visit. What it
        is linked to may go to anybody.
        """
        self._must_go_on()
        problem, mine = problem or self._problem, set(names)
        everybody = (worker.id for worker in problem.workers)
        near = mine.union(everybody if self._linked else (n for name in mine for n in self._near.get(name, {name})))
        only = replace(visit, refused_workers=visit.refused_workers | (near - mine))
        part = part_of(problem, self._base, near, only)
        outcome = insert(part, self._base, only, self._prepared(problem, part))
        if isinstance(outcome, Refusal):
            return []
        return [] if (sound := self._sound(problem, outcome)) is None else [sound]

    def _must_go_on(self) -> None:
        if not self._go_on():
            raise _EndedError

    def _prepared(self, problem: Problem, part: Problem) -> Prepared | None:
        """The whole day is made ready once for all questions about it that leave the workers as they are."""
        if not self._linked or problem.workers is not self._problem.workers:
            return None
        if self._ready is None:
            self._ready = Prepared(part, self._base)
        return self._ready

    def _sound(self, problem: Problem, outcome: Insertion) -> Alternative | None:
        """What was put in, if the whole plan breaks no more rules than before."""
        if not self._known.issuperset(check_plan(problem, outcome.plan)):
            return None
        stops = sorted((s for s in outcome.plan.stops_of(self._visit.id) if s.kind != "pickup"), key=lambda s: s.seat)
        routes = outcome.plan.routes.items()
        changed = {name: route for name, route in routes if route != self._plan.routes.get(name, ())}
        more = plan_cost(problem, outcome.plan) - self._now
        return Alternative(tuple(stop.worker for stop in stops), stops[0].start_s, more, changed)

    def _obstacle(self, worker: Worker) -> Obstacle | None:
        """The rule that stops a worker at the seat that comes nearest; `crew_together` when only colleagues are missing."""
        found: list[tuple[int, int, Obstacle]] = []
        for seat in dict.fromkeys(self._visit.seats):
            rule = refusal(worker, self._visit, seat) or (None if worker.shifts else "no_shift")
            if rule is not None:
                found.append(
                    (_STATIC.index(rule), 0, Obstacle(worker.id, rule, _detail(rule, worker, self._visit, seat)))
                )
                continue
            standing = self._untimely(worker, replace(self._visit, seats=(seat,)))
            level = len(_STATIC) + (2 if standing.rule == "crew_together" else bool(standing.missing_s))
            found.append((level, -standing.missing_s, standing))
        return max(found, key=lambda one: one[:2])[2] if found else None

    def _untimely(self, worker: Worker, alone: Visit) -> Obstacle:
        """What is missing for one seat in one worker's day: of the window, of the shift, or of room between stops."""
        self._must_go_on()
        outcome = insert(part_of(self._problem, self._base, (worker.id,), alone), self._base, alone)
        if isinstance(outcome, Insertion):
            return Obstacle(worker.id, "crew_together")
        rule = next((reason.rule for reason in outcome.reasons if reason.worker == worker.id), "no_gap")
        if rule not in _TIMELY:
            return Obstacle(worker.id, rule)

        def tried(visit: Visit, day: Problem) -> bool:
            return isinstance(insert(part_of(day, self._base, (worker.id,), visit), self._base, visit), Insertion)

        def later(by: int) -> bool:
            return tried(replace(alone, latest_s=alone.latest_s + by), self._problem)

        def longer(by: int) -> bool:
            return tried(alone, relaxed(self._problem, alone.id, LongerShift(worker.id, after_s=by)))

        def shorter(by: int) -> bool:
            seat = alone.seats[0]
            brief = replace(seat, duration_s=seat.duration_s - by)
            return brief.duration_s >= 0 and tried(replace(alone, seats=(brief,)), self._problem)

        for name, check, most in (
            ("window", later, _REACH),
            ("shift", longer, _REACH),
            ("no_gap", shorter, alone.seats[0].duration_s // self._grain),
        ):
            missing = self._least(check, most)
            if missing is not None:
                return Obstacle(worker.id, name, f"{missing} missing", missing)
        return Obstacle(worker.id, rule)

    def _least(self, check: Callable[[int], bool], most: int = _REACH) -> int | None:
        """The smallest whole number of grains that passes, in seconds; None when the greatest does not."""
        if most < 1 or not check(most * self._grain):
            return None
        fails, passes = 0, most
        while passes - fails > 1:
            middle = (fails + passes) // 2
            if check(middle * self._grain):
                passes = middle
            else:
                fails = middle
        return passes * self._grain

    def _try(self, what: Relaxation, names: Iterable[str] | None = None) -> Remedy | None:
        """The remedy, once putting the visit in has worked and the plan has been checked under it."""
        day = relaxed(self._problem, self._visit.id, what)
        visit = next(known for known in day.visits if known.id == self._visit.id)
        found = self._put(visit, names or [worker.id for worker in day.workers], day)
        return Remedy(what, found[0]) if found else None

    def remedies(self) -> Iterator[Remedy]:
        """Of every kind the cheapest that works: time first, then people, wishes and skills."""
        windows = (self._smallest(Later), self._smallest(Earlier))
        yield from sorted((one for one in windows if one is not None), key=_stretch)
        yield from self._longer_shifts()
        yield from self._more_workers()
        yield from self._any_gender()
        yield from self._more_skills()

    def _smallest(self, kind: Callable[[int], Relaxation], names: tuple[str, ...] | None = None) -> Remedy | None:
        least = self._least(lambda by: self._try(kind(by), names) is not None)
        return None if least is None else self._try(kind(least), names)

    def _longer_shifts(self) -> Iterator[Remedy]:
        best: Remedy | None = None
        for worker in self._problem.workers:
            if not worker.shifts or all(refusal(worker, self._visit, seat) for seat in self._visit.seats):
                continue
            names = None if self._linked or len(self._visit.seats) > 1 else (worker.id,)
            for kind in (_stay(worker.id), _begin(worker.id)):
                limit = _REACH if best is None else _stretch(best) // self._grain
                least = self._least(lambda by, kind=kind, names=names: self._try(kind(by), names) is not None, limit)
                remedy = None if least is None else self._try(kind(least), names)
                if remedy is not None and (best is None or _price(remedy) < _price(best)):
                    best = remedy
        if best is not None:
            yield best

    def _more_workers(self) -> Iterator[Remedy]:
        seats = self._visit.seats
        for count in range(1, len(seats) + 1):
            found: list[Remedy] = []
            for needed in dict.fromkeys(combinations(seats, count)):
                genders = {seat.gender for seat in needed} - {None}
                if len(genders) > 1:
                    continue
                skills = tuple(sorted(frozenset[str]().union(*(seat.skills for seat in needed))))
                for model in self._models():
                    more = MoreWorkers(
                        model.id, model.provider, model.start_place, count, skills, next(iter(genders), None)
                    )
                    alone = count == len(seats) and not self._linked
                    names = [f"{model.id}+{n}" for n in range(1, count + 1)] if alone else None
                    found += [r for r in [self._try(more, names)] if r is not None]
            if found:
                yield min(found, key=_price)
                return

    def _models(self) -> list[Worker]:
        """Whose shifts, vehicle and place others could have too: one for every kind, the nearest of each provider."""
        visit = self._visit
        place = visit.place if visit.delivery is None else visit.delivery.pickup_place
        kinds: dict[tuple[object, ...], Worker] = {}
        for worker in self._problem.workers:
            allowed = visit.providers is None or worker.provider in visit.providers
            if worker.shifts and allowed:
                kinds.setdefault((worker.provider, worker.start_place, worker.mode, worker.shifts), worker)
        ranked = sorted(kinds.values(), key=lambda w: int(self._problem.travel[w.mode][w.start_place, place]))
        taken: dict[str, int] = {}
        models: list[Worker] = []
        for worker in ranked:
            taken[worker.provider] = taken.get(worker.provider, 0) + 1
            if taken[worker.provider] <= _BASES:
                models.append(worker)
        return models

    def _any_gender(self) -> Iterator[Remedy]:
        wished = [n for n, seat in enumerate(self._visit.seats) if seat.gender is not None]
        for count in range(1, len(wished) + 1):
            tried = [self._try(AnyGender(seats)) for seats in combinations(wished, count)]
            found = [remedy for remedy in tried if remedy is not None]
            if found:
                yield min(found, key=_price)
                return

    def _more_skills(self) -> Iterator[Remedy]:
        lacking: list[tuple[int, MoreSkills]] = []
        for worker in self._problem.workers:
            for seat in dict.fromkeys(self._visit.seats):
                missing = tuple(sorted(seat.skills - worker.skills))
                if missing and worker.shifts:
                    lacking.append((len(missing), MoreSkills(worker.id, missing)))
        for count in sorted({number for number, _ in lacking}):
            tried = [self._try(what) for number, what in lacking if number == count]
            found = [remedy for remedy in tried if remedy is not None]
            if found:
                yield min(found, key=_price)
                return


def _stay(worker: str) -> Callable[[int], LongerShift]:
    return lambda by: LongerShift(worker, after_s=by)


def _begin(worker: str) -> Callable[[int], LongerShift]:
    return lambda by: LongerShift(worker, before_s=by)


def _stretch(remedy: Remedy) -> int:
    """Seconds that something is stretched."""
    what = remedy.relaxation
    if isinstance(what, Later | Earlier):
        return what.by_s
    return what.before_s + what.after_s if isinstance(what, LongerShift) else 0


def _price(remedy: Remedy) -> tuple[int, int, tuple[str, ...]]:
    return _stretch(remedy), remedy.then.cost, remedy.then.crew


def _detail(rule: str, worker: Worker, visit: Visit, seat: Seat) -> str:
    """The figures or names behind a rule that no time can lift."""
    match rule:
        case "no_skill":
            return "lacks " + ", ".join(sorted(seat.skills - worker.skills))
        case "gender":
            return f"{seat.gender} wished"
        case "provider_excluded":
            return worker.provider
        case "capacity":
            meal = visit.delivery
            boxed = meal is not None and meal.load > worker.box_capacity
            return f"{meal.load} > {worker.box_capacity}" if meal and boxed else f"{visit.load} > {worker.capacity}"
        case "heavy":
            return f"{worker.max_heavy} heavy seats at most"
        case _:
            return ""
