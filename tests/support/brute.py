"""Small random days, and every place one more visit could have in them: the slow truth quotes are compared with.

A place is a worker and a position for each seat (for a meal: two positions). It is possible when `retime` finds times
for the whole plan with nothing begun earlier than planned, and `check_plan` finds nothing it did not find before. Whoever
needs equipment begins, at the earliest, when a unit is free in the plan as it stands.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from dispatch import (
    Break,
    Delivery,
    Equipment,
    Insertion,
    Link,
    Plan,
    Prepared,
    Problem,
    Promise,
    Seat,
    Shift,
    Stop,
    Visit,
    Weights,
    Worker,
    construct,
    insert,
    plan_cost,
    quote,
    refusal,
    retime,
)
from tests.support.verdict import verdict

END_S = 30_000
SKILLS, TONGUES, THINGS = ("bath", "rehab"), ("Wu", "Min"), ("tub", "van")


class Case(Struct, frozen=True):
    """A day, its plan, and a visit that the plan does not serve; `problem` has the visit and its links."""

    problem: Problem
    plan: Plan
    visit: Visit


def random_problem(chance: random.Random) -> Problem:
    """A day with whatever may stand in a visit's way."""
    return _drawn(chance)[0]


def _drawn(chance: random.Random) -> tuple[Problem, Visit, tuple[Link, ...]]:
    """A day, one more visit for it, and the links there are then."""
    points = [(chance.randrange(2500), chance.randrange(2500)) for _ in range(7)]
    ways = np.array([[abs(a - c) + abs(b - d) for c, d in points] for a, b in points], np.int32)
    team = tuple(_worker(chance, n) for n in range(chance.randrange(2, 5)))
    visits = [_visit(chance, f"v{n}") for n in range(chance.randrange(2, 9))]
    asked = _visit(chance, "new")
    links = [*_links(chance, [visit.id for visit in visits]), *_links(chance, ["new", *(v.id for v in visits)])[:1]]
    weights = Weights(
        late_max_s=chance.choice([0, 0, 0, 2]),
        late_each_seat=chance.random() < 0.2,
        uneven=chance.choice([0, 0, 0, 0.5]),
    )
    things = (Equipment("tub", chance.choice([1, 1, 2]), chance.choice([0, 1500])), *_vans(chance))
    problem = Problem(
        workers=team, visits=tuple(visits), travel={"car": ways, "bike": ways * 2}, weights=weights, equipment=things,
        links=tuple(link for link in links if "new" not in (link.before, link.after)),
    )  # fmt: skip
    return problem, asked, tuple(links)


def random_case(chance: random.Random) -> Case | None:
    """A day, its plan and a visit for it; None when the plan drawn is no plan."""
    problem, asked, links = _drawn(chance)
    if chance.random() < 0.3:
        problem, asked, links = plain_day(problem), _plain(asked), ()
    plan = _later(chance, problem, construct(problem))
    if chance.random() < 0.5:
        now = chance.randrange(END_S // 2)
        problem = replace(problem, now_s=now)
        plan = Plan({w: tuple(_locked(stop, now) for stop in route) for w, route in plan.routes.items()}, plan.unserved)
    if verdict(problem, plan) or retime(_no_earlier(problem, plan), plan) != plan:
        return None
    return Case(replace(problem, visits=(*problem.visits, asked), links=links), plan, asked)


def plain_day(problem: Problem) -> Problem:
    """The day without all that the kernels have a long way for: one shift and no rest, no crew, meal, tie, limit or price."""
    workers = tuple(
        replace(worker, shifts=worker.shifts[:1], breaks=(), capacity=None, max_span_s=None, max_work_s=None, max_heavy=None)
        for worker in problem.workers
    )  # fmt: skip
    visits = tuple(map(_plain, problem.visits))
    return replace(problem, workers=workers, visits=visits, links=(), equipment=(), weights=Weights())


def _plain(visit: Visit) -> Visit:
    """The visit as one person's, to begin in its window."""
    plain = Visit(
        visit.id, visit.place, visit.seats[:1], visit.earliest_s, visit.latest_s, drop_penalty=visit.drop_penalty
    )
    return replace(plain, providers=visit.providers, refused_workers=visit.refused_workers)


PATHS = (
    "plain route", "route with a price", "route with others", "route with rests or shifts", "no day limited",
    "days limited", "nobody wishes", "wishes", "the latest counts", "the latest does not count", "equipment",
    "no equipment", "ties", "no ties", "meals", "no meals", "begun", "not begun",
)  # fmt: skip


def paths(problem: Problem, plan: Plan) -> set[str]:
    """Which of the short and long ways through the kernels a plan takes them, as far as the day tells."""
    visits = {visit.id: visit for visit in problem.visits}
    tied = {name for link in problem.links for name in (link.before, link.after)}
    depend = {v.id for v in problem.visits if len(v.seats) > 1 or v.equipment or v.id in tied}
    priced = {v.id for v in problem.visits if v.due_s is not None or v.delivery is not None or v.start_told}
    limited = any((w.max_span_s, w.max_work_s, w.max_heavy) != (None, None, None) for w in problem.workers)
    wished = any(v.preferred_worker or v.known_workers or v.languages or v.promised for v in problem.visits)
    found = {
        "days limited" if limited or problem.weights.uneven else "no day limited", "wishes" if wished else "nobody wishes",
        "the latest counts" if problem.weights.late_max_s else "the latest does not count",
        "equipment" if problem.equipment else "no equipment", "ties" if problem.links else "no ties",
        "meals" if any(visit.delivery for visit in problem.visits) else "no meals",
        "begun" if any(stop.locked for route in plan.routes.values() for stop in route) else "not begun",
    }  # fmt: skip
    for worker in problem.workers:
        served = {stop.visit for stop in plan.routes.get(worker.id, ()) if stop.visit in visits and not stop.locked}
        if len(worker.shifts) > 1 or worker.breaks:
            found |= {"route with rests or shifts"} if served else set()
        elif len(served) > 1:
            found |= {"route with others"} if served & depend else set()
            found |= {"route with a price"} if served & priced and not served & depend else set()
            found |= {"plain route"} if not served & (priced | depend) else set()
    return found


def _vans(chance: random.Random) -> list[Equipment]:
    """Each provider's own, and one time for all."""
    turnaround = chance.choice([0, 900])
    return [Equipment("van", chance.choice([0, 1, 1, 2]), turnaround, provider) for provider in "pq"]


def _worker(chance: random.Random, n: int) -> Worker:
    shifts = _shifts(chance)
    return Worker(
        id=f"w{n}", provider=chance.choice("ppq"), skills=frozenset(chance.sample(SKILLS, chance.choice([1, 2, 2]))),
        gender=chance.choice(["female", "male"]), mode=chance.choice(["car", "car", "bike"]),
        start_place=chance.randrange(7), end_place=chance.choice([None, chance.randrange(7)]),
        shifts=shifts, breaks=_breaks(chance, shifts), box_capacity=chance.choice([1, 2, 3]),
        capacity=chance.choice([None, None, 4]), max_span_s=chance.choice([None, None, None, 9000, 20_000]),
        max_work_s=chance.choice([None, None, None, 9000]), max_heavy=chance.choice([None, None, None, 0, 1]),
        languages=frozenset(chance.sample(TONGUES, chance.choice([0, 1]))),
    )  # fmt: skip


def _shifts(chance: random.Random) -> tuple[Shift, ...]:
    """One shift, or several in any order that touch, overlap or leave a gap."""
    first = chance.randrange(3000)
    if chance.random() < 0.6:
        return (Shift(first, END_S),)
    cuts = sorted(chance.sample(range(6000, 26_000), chance.choice([1, 1, 2])))
    gap = chance.choice([0, -600, 900, 1800, 4000])
    shifts = [Shift(a + (gap if n else 0), b) for n, (a, b) in enumerate(itertools.pairwise([first, *cuts, END_S]))]
    chance.shuffle(shifts)
    return tuple(shift for shift in shifts if shift.start_s < shift.end_s)


def _breaks(chance: random.Random, shifts: Sequence[Shift]) -> tuple[Break, ...]:
    """Up to three in any order: anywhere in the day, or beside the ends of shifts, where they may lie in time off."""
    found: list[Break] = []
    for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
        edge = chance.choice([end for shift in shifts for end in (shift.start_s, shift.end_s)])
        begin = max(0, chance.choice([edge + chance.randrange(-3000, 1500), chance.randrange(END_S)]))
        found.append(
            Break(begin, begin + chance.choice([0, 600, 1800, 4000, 9000]), chance.choice([0, 300, 900, 1800]))
        )
    return tuple(found)


def _visit(chance: random.Random, name: str) -> Visit:
    lo = chance.randrange(18_000)
    hi = lo + chance.randrange(600, 9000)
    soft = chance.random() < 0.4
    meal = chance.random() < 0.25
    crew = 1 if meal else chance.choice([1, 1, 1, 2, 2, 3])
    skills = frozenset[str]() if meal or chance.random() < 0.3 else frozenset({chance.choice(SKILLS)})
    heavy = chance.random() < 0.3
    seat = Seat(skills, chance.randrange(300, 3000), chance.choice([None, None, None, "female"]), heavy)
    seats = [seat if chance.random() < 0.5 else Seat(frozenset(), chance.randrange(300, 3000)) for _ in range(crew)]
    ride = chance.choice([None, chance.randrange(1500, 6000)])
    return Visit(
        name, chance.randrange(7), tuple(seats), lo, hi + 5000 if soft else hi, hi if soft else None,
        Delivery(chance.randrange(7), max(0, lo - chance.randrange(3000)), 200, ride) if meal else None,
        providers=chance.choice([None, None, None, frozenset("p")]),
        refused_workers=frozenset({f"w{chance.randrange(4)}"}) if chance.random() < 0.2 else frozenset(),
        load=0 if meal else chance.choice([0, 0, 1, 2]), priority=chance.choice([0, 0, 1]),
        equipment=frozenset() if meal else frozenset(chance.sample(THINGS, chance.choice([0, 0, 0, 1, 1, 2]))),
        **_wishes(chance, lo, hi),
    )  # fmt: skip


def _wishes(chance: random.Random, lo: int, hi: int) -> dict[str, Any]:
    """What somebody was told and would like, of every other visit."""
    if chance.random() < 0.5:
        return {}
    people = [f"w{n}" for n in range(4)]
    told = Promise(chance.choice([None, chance.randint(lo, hi)]), _some(chance, people), chance.choice([0, 300, 900]))
    return {
        "promised": chance.choice([None, told]), "preferred_worker": chance.choice([None, *people]),
        "known_workers": _some(chance, people), "languages": _some(chance, TONGUES),
    }  # fmt: skip


def _some(chance: random.Random, names: Sequence[str]) -> frozenset[str]:
    return frozenset(chance.sample(names, chance.choice([0, 0, 1, 2])))


def _links(chance: random.Random, names: Sequence[str]) -> list[Link]:
    """At most one link, from or to the first name."""
    if len(names) < 2 or chance.random() < 0.5:
        return []
    pair = [names[0], chance.choice(names[1:])]
    chance.shuffle(pair)
    longest = chance.choice([None, chance.randrange(2000, 9000)])
    return [Link(*pair, chance.randrange(2000), longest, chance.random() < 0.5, chance.random() < 0.3)]


def _later(chance: random.Random, problem: Problem, plan: Plan) -> Plan:
    """The same orders of stops, some of them later than they could be."""
    visits = tuple(
        replace(v, earliest_s=min(v.latest_s, v.earliest_s + chance.choice([0, 0, 0, chance.randrange(3000)])))
        for v in problem.visits
    )
    return retime(replace(problem, visits=visits), plan) or plan


def _locked(stop: Stop, now: int) -> Stop:
    return replace(stop, locked=stop.start_s < now)


def _no_earlier(problem: Problem, plan: Plan) -> Problem:
    """The problem in which nothing begins earlier than planned."""
    planned = {(stop.visit, stop.kind != "pickup"): stop.start_s for route in plan.routes.values() for stop in route}
    visits: list[Visit] = []
    for visit in problem.visits:
        start = planned.get((visit.id, True), visit.earliest_s)
        meal = visit.delivery
        if meal is not None:
            meal = replace(meal, ready_s=max(meal.ready_s, planned.get((visit.id, False), 0)))
        visits.append(replace(visit, earliest_s=max(visit.earliest_s, start), delivery=meal))
    return replace(problem, visits=tuple(visits))


def cheapest(case: Case, lo: int, hi: int) -> tuple[int, dict[tuple[str, ...], int]]:
    """What every crew that can begin between two instants costs at least, and the least of all (-1: nobody can)."""
    visit = replace(case.visit, earliest_s=lo, latest_s=hi)
    others = tuple(other for other in case.problem.visits if other.id != visit.id)
    known = {str(violation) for violation in verdict(replace(case.problem, visits=others), case.plan)}
    whole = replace(case.problem, visits=(*others, visit))
    late = _no_earlier(whole, case.plan)
    before = plan_cost(case.problem, case.plan)
    costs: dict[tuple[str, ...], int] = {}
    for crew, routes in _places(case, visit):
        timed = _timed(case, late, visit, Plan(routes, case.plan.unserved))
        if timed is None or any(str(violation) not in known for violation in verdict(whole, timed)):
            continue
        cost = plan_cost(case.problem, timed) - before
        costs[crew] = min(cost, costs.get(crew, cost))
    return min(costs.values(), default=-1), costs


def _timed(case: Case, late: Problem, visit: Visit, plan: Plan) -> Plan | None:
    """The plan with one more visit at its earliest times, of equipment those at which a unit is free."""
    if not visit.equipment:
        return retime(late, plan)
    plenty = replace(late, equipment=(*late.equipment, Equipment("plenty", 99)))
    timed = retime(_with(plenty, replace(visit, equipment=frozenset({"plenty"}))), plan)
    while timed is not None:
        crew = timed.stops_of(visit.id)
        begin = _free_from(case, visit, crew)
        if begin is None:
            return None
        if begin == crew[0].start_s and plan.stops_of(visit.id)[0].start_s == begin:
            return timed
        plan = Plan(
            {w: tuple(stop.at(begin) if stop.visit == visit.id else stop for stop in route) for w, route in plan.routes.items()},
            plan.unserved,
        )  # fmt: skip
        timed = retime(_with(late, replace(visit, earliest_s=begin)), plan)
    return None


def _with(problem: Problem, visit: Visit) -> Problem:
    return replace(problem, visits=tuple(visit if other.id == visit.id else other for other in problem.visits))


def _free_from(case: Case, visit: Visit, crew: Sequence[Stop]) -> int | None:
    """When, not before the crew begins, what the visit needs is free in the plan as it stands."""
    whole = _with(case.problem, visit)
    turnaround = {pool.kind: pool.turnaround_s for pool in case.problem.equipment}
    begin = crew[0].start_s
    freed = {begin}
    for other in case.problem.visits:
        for stop in case.plan.stops_of(other.id):
            busy = max(seat.duration_s for seat in other.seats)
            freed |= {stop.start_s + busy + turnaround[kind] for kind in other.equipment}
    for instant in sorted(instant for instant in freed if begin <= instant <= visit.latest_s):
        routes = dict(case.plan.routes)
        for stop in crew:
            routes[stop.worker] = (*routes.get(stop.worker, ()), stop.at(instant))
        if not any(violation.rule == "equipment" for violation in verdict(whole, Plan(routes, case.plan.unserved))):
            return instant
    return None


def best_of_all(problem: Problem, plan: Plan) -> int | None:
    """Find what the cheapest of all plans costs that keep what has begun: every order in which visits come in, every place.

    At the earliest times that `retime` finds, so that a plan that begins later may cost still less; None where it finds none.
    """
    best: list[int] = []

    def tried(day: Plan, waiting: tuple[Visit, ...]) -> None:
        timed = retime(problem, day)
        if timed is not None and not verdict(problem, timed):
            best.append(plan_cost(problem, timed))
        for visit in waiting:
            rest = tuple(other for other in waiting if other.id != visit.id)
            left = tuple(name for name in day.unserved if name != visit.id)
            for _, routes in _places(Case(problem, day, visit), visit):
                tried(Plan(routes, left), rest)

    waiting = tuple(visit for visit in problem.visits if visit.id in plan.unserved)
    tried(plan, waiting)
    return min(best, default=None)


def _places(case: Case, visit: Visit) -> Iterator[tuple[tuple[str, ...], dict[str, tuple[Stop, ...]]]]:
    routes = case.plan.routes
    first = {w: max((i + 1 for i, s in enumerate(route) if s.locked), default=0) for w, route in routes.items()}
    for crew in itertools.permutations(case.problem.workers, len(visit.seats)):
        if len({worker.provider for worker in crew}) > 1:
            continue
        if any(refusal(worker, visit, seat) for worker, seat in zip(crew, visit.seats, strict=True)):
            continue
        names = tuple(worker.id for worker in crew)
        spots = [range(first.get(name, 0), len(routes.get(name, ())) + 1) for name in names]
        if visit.delivery is not None:
            route = routes.get(names[0], ())
            for i, j in itertools.combinations_with_replacement(spots[0], 2):
                fetch = Stop(
                    names[0], "pickup", visit.id, 0, visit.delivery.pickup_place, 0, visit.delivery.pickup_duration_s
                )
                bring = Stop(names[0], "drop", visit.id, 0, visit.place, 0, visit.seats[0].duration_s)
                yield names, {**routes, names[0]: (*route[:i], fetch, *route[i:j], bring, *route[j:])}
            continue
        for positions in itertools.product(*spots):
            changed = dict(routes)
            for seat, (name, at) in enumerate(zip(names, positions, strict=True)):
                route = routes.get(name, ())
                stop = Stop(name, "visit", visit.id, seat, visit.place, 0, visit.seats[seat].duration_s)
                changed[name] = (*route[:at], stop, *route[at:])
            yield names, changed


def compare(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """So many questions, each against every place tried: how many of which kind, and what is wrong with which."""
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    number = 0
    while kinds["asked"] < count:
        number += 1
        chance = random.Random(seed * 1_000_003 + number)
        case = random_case(chance)
        if case is not None:
            starts = sorted({chance.randint(case.visit.earliest_s, case.visit.latest_s) for _ in range(4)})
            found = wrong_about(case, starts, kinds)
            wrong += [f"{seed}/{number}: {what}" for what in found]
    return kinds, wrong


def wrong_about(case: Case, starts: Sequence[int], kinds: Counter[str]) -> list[str]:
    """What quotes for these starts, and the insertion into the whole window, say that is not so.

    Whatever `retime` finds possible must be offered, for no more. What is offered for less, which happens where a break
    or a meal's ride has two ways to be kept, must stand in a plan that `check_plan` finds nothing in.
    """
    visit = case.visit
    linked = any(visit.id in (link.before, link.after) for link in case.problem.links)
    kind = ("meal" if visit.delivery else f"crew of {len(visit.seats)}") + (", linked" if linked else "")
    kind += ", with equipment" if visit.equipment else ""
    kinds.update(paths(case.problem, case.plan))
    prepared = Prepared(case.problem, case.plan)
    slots = {slot.start_s: slot for slot in quote(case.problem, case.plan, visit, starts, prepared)}
    wrong: list[str] = []
    for start in starts:
        least, costs = cheapest(case, start, start)
        slot = slots.get(start)
        kinds.update(["asked", kind, "possible" if slot else "not possible"])
        if slot is None:
            wrong += [f"{start} is refused, costs {costs}"] if costs else []
            continue
        exact = replace(visit, earliest_s=start, latest_s=start)
        others = tuple(other for other in case.problem.visits if other.id != visit.id)
        placed = insert(replace(case.problem, visits=(*others, exact)), case.plan, exact, prepared)
        wrong += [f"{start}, {slot}: {what}" for what in _untrue(case, exact, placed, slot.cost, least, kinds)]
    least, costs = cheapest(case, visit.earliest_s, visit.latest_s)
    outcome = insert(case.problem, case.plan, visit, prepared)
    kinds.update(["inserted"])
    if isinstance(outcome, Insertion):
        # where nobody else may move, a linked visit was planned anew beside this one
        if least >= 0 or not linked:
            wrong += _untrue(case, visit, outcome, outcome.cost, least, kinds)
    elif costs:
        wrong.append(f"inserted is refused, costs {costs}")
    return wrong


def _untrue(case: Case, visit: Visit, placed: object, told: int, least: int, kinds: Counter[str]) -> list[str]:
    """What is wrong with a plan made for a cost told, where brute force knows one for `least` (-1: none)."""
    if not isinstance(placed, Insertion):
        return ["cannot be placed"]
    whole = replace(case.problem, visits=tuple(visit if v.id == visit.id else v for v in case.problem.visits))
    spare = 1 + sum(other.delivery is not None for other in case.problem.visits)  # costs of waiting are cut to seconds
    more = plan_cost(case.problem, placed.plan) - plan_cost(case.problem, case.plan)
    wrong = [f"breaks {violation}" for violation in verdict(whole, placed.plan)]
    if abs(more - told) > spare:
        wrong.append(f"costs {more} and not {told}")
    if least >= 0 and told > least + spare:
        wrong.append(f"could be had for {least}")
    if least < 0 or told < least - spare:
        kinds.update(["cheaper than by timing alone"])
    for name, route in case.plan.routes.items():
        kept = [stop for stop in placed.plan.routes[name] if stop.visit != visit.id]
        same = [(stop.visit, stop.kind) for stop in kept] == [(stop.visit, stop.kind) for stop in route]
        if not same or any(now.start_s < then.start_s for now, then in zip(kept, route, strict=True)):
            wrong.append(f"{name} has another order or an earlier start")
    return wrong
