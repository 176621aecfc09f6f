"""Which starts one more visit could be promised, and putting it where it costs least.

A start is possible when the whole plan can be timed again with the visit in it: nobody changes worker or order, nothing
begins earlier than planned, later stops, crews and linked visits move later together as far as they must, and no rule
is broken that was not broken before. What it costs is what the plan then costs more.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from dispatch.easing import ease
from dispatch.engine.bringing import answer_meal
from dispatch.engine.crewing import answer
from dispatch.engine.places import NEVER, keep_sums, restore_sums
from dispatch.engine.timing import undo
from dispatch.engine.trying import put_in
from dispatch.outcome import Insertion, Refusal, Slot, WorkerRefusal, refused
from dispatch.plan import Plan, remove
from dispatch.prepared import WINDOWS, Entry, Prepared
from dispatch.problem import Delivery, Link, Problem, Seat, Shift, Visit, Worker
from dispatch.rules import refusal
from dispatch.timing import not_before

_POSSIBLE = NEVER / 2  # a way that becomes shorter by a stop makes a little less than NEVER of what cannot be


def quote(
    problem: Problem, plan: Plan, visit: Visit, starts: Sequence[int], prepared: Prepared | None = None
) -> list[Slot]:
    """For every start asked, the best crew that can begin then; starts nobody can keep are left out.

    `prepared` is the same plan made ready before, of the same workers; it need not know the visit.
    """
    if prepared is None:
        prepared = Prepared(problem, remove(plan, visit.id))
    if not prepared.possible:
        return []
    prepared.ask_about(problem)
    with prepared.entered(visit, links_of(problem, visit)) as entry:
        due = entry.hi if visit.due_s is None else visit.due_s
        slots: list[Slot] = []
        wanted = sorted(start for start in set(starts) if entry.equipped and entry.lo <= start <= entry.hi)
        for first in range(0, len(wanted), WINDOWS):
            some = wanted[first : first + WINDOWS]
            prepared.asked.lo[: len(some)] = prepared.asked.hi[: len(some)] = some
            _ask(prepared, visit, len(some))
            places = prepared.asked.found[: len(some), : 2 * len(visit.seats) : 2].tolist()
            for start, cost, crew in zip(some, prepared.asked.cost[: len(some)].tolist(), places, strict=True):
                if cost < _POSSIBLE:
                    names = tuple(prepared.workers[w].id for w in crew)
                    slots.append(Slot(start, round(cost), names, max(0, start - due)))
        return slots


def insert(problem: Problem, plan: Plan, visit: Visit, prepared: Prepared | None = None) -> Insertion | Refusal:
    """The cheapest way to serve one more visit, or why nobody can.

    When only the gap to a linked visit stands in the way, that visit is planned anew together with this one.
    """
    prepared = prepared or Prepared(problem, plan)
    alone = _insert_alone(prepared, problem, visit)
    if isinstance(alone, Insertion):
        return alone
    return _insert_with_partner(prepared, problem, plan, visit) or alone


def links_of(problem: Problem, visit: Visit) -> list[Link]:
    """The links a visit has."""
    return [link for link in problem.links if visit.id in (link.before, link.after)]


def _insert_alone(prepared: Prepared, problem: Problem, visit: Visit) -> Insertion | Refusal:
    if not prepared.possible:
        return refused(visit, [WorkerRefusal(w.id, "no_gap") for w in problem.workers], problem)
    prepared.ask_about(problem)
    with prepared.entered(visit, links_of(problem, visit)) as entry:
        cost = NEVER
        if entry.lo <= entry.hi and entry.equipped:
            # a start that was told is not gone below by more than its tolerance, unless that was asked for
            prepared.asked.lo[0], prepared.asked.hi[0] = max(entry.lo, not_before(visit)), entry.hi
            _ask(prepared, visit, 1)
            cost = float(prepared.asked.cost[0])
        possible = cost < _POSSIBLE
        return _placed(prepared, problem, visit, entry, cost) if possible else _refused(prepared, visit, entry)


def _ask(prepared: Prepared, visit: Visit, windows: int) -> None:
    day, state, asked = prepared.day, prepared.state, prepared.asked
    if visit.delivery is None:
        answer(day, state, asked, prepared.new, windows)
    else:
        answer_meal(day, state, asked, prepared.new, windows, visit.delivery.ready_s)


def _placed(prepared: Prepared, problem: Problem, visit: Visit, entry: Entry, cost: float) -> Insertion:
    """The plan with the visit at the places found; the arrays stay as they were."""
    day, state, asked = prepared.day, prepared.state, prepared.asked
    state.found[: 2 * entry.size] = asked.found[0, : 2 * entry.size]
    kept = keep_sums(state)
    state.top[0] = 0
    start = int(asked.start[0])
    if visit.equipment:
        day.node["opens"][prepared.first : prepared.first + entry.size + len(visit.equipment)] = start
    if not put_in(day, state, asked, prepared.new, start, NEVER):
        raise RuntimeError("the place found for a visit cannot be timed")
    routes = prepared.changed()
    undo(day, state, 0)
    restore_sums(state, kept)
    plan = prepared.plan
    placed = Plan({**plan.routes, **routes}, tuple(other for other in plan.unserved if other != visit.id))
    if visit.start_told or prepared.eases:
        visits = (*(other for other in problem.visits if other.id != visit.id), visit)
        placed = ease(msgspec.structs.replace(problem, visits=visits), placed, routes)
    stops = sorted(placed.stops_of(visit.id), key=lambda stop: stop.seat)
    return Insertion(placed, tuple(stops), round(cost))


def _refused(prepared: Prepared, visit: Visit, entry: Entry) -> Refusal:
    """For every worker the first rule that keeps them from every seat."""
    seats = 1 if visit.delivery is not None else len(visit.seats)
    refusals: list[WorkerRefusal] = []
    for worker in prepared.problem.workers:
        rules = [refusal(worker, visit, seat) for seat in visit.seats]
        if None not in rules:
            refusals.append(WorkerRefusal(worker.id, rules[0] or ""))
        elif worker.id not in prepared.number:
            refusals.append(WorkerRefusal(worker.id, "no_shift"))
        elif entry.lo > entry.hi:
            refusals.append(WorkerRefusal(worker.id, "window"))
        elif not entry.equipped or _taken(prepared, visit, worker, entry):
            refusals.append(WorkerRefusal(worker.id, "equipment"))
        else:
            w = prepared.number[worker.id]
            able = [int(prepared.asked.able[int(prepared.asked.alike[seat]), w]) for seat in range(seats)]
            if max(able) < 2 or seats == 1:
                refusals.append(WorkerRefusal(worker.id, "no_gap" if max(able) else _full(prepared, w, visit)))
    return refused(visit, refusals, prepared.problem)


def _taken(prepared: Prepared, visit: Visit, worker: Worker, entry: Entry) -> bool:
    """Whether no unit of what the visit needs is free for a worker's provider at any time asked about."""
    provider = int(prepared.day.worker["provider"][prepared.number[worker.id]])
    return bool(visit.equipment) and int(prepared.asked.freed[provider]) > entry.hi


def _full(prepared: Prepared, w: int, visit: Visit) -> str:
    """Which rule about the whole route keeps a worker away whom no rule about the person does."""
    carried, room = int(prepared.state.worker[w]["carried"]), int(prepared.day.worker[w]["room"])
    return "capacity" if visit.load > 0 and carried + visit.load > room else "apart"


def _insert_with_partner(prepared: Prepared, problem: Problem, plan: Plan, visit: Visit) -> Insertion | None:
    """Take a linked visit that has not begun out of the plan, put this one in, and the other back beside it.

    Making a plan ready costs many questions, so that first one is asked: would there be a place but for that gap?
    """
    by_id = {other.id: other for other in problem.visits}
    for link in links_of(problem, visit):
        name = link.other(visit.id)
        stops = plan.stops_of(name)
        if not stops or any(stop.locked or stop.kind != "visit" for stop in stops):
            continue
        others = msgspec.structs.replace(problem, links=tuple(other for other in problem.links if other is not link))
        if isinstance(_insert_alone(prepared, others, visit), Refusal):
            continue
        cleared = Prepared(problem, remove(plan, name))
        for first, second in ((visit, by_id[name]), (by_id[name], visit)):
            one = _insert_alone(cleared, problem, first)
            two = _insert_alone(Prepared(problem, one.plan), problem, second) if isinstance(one, Insertion) else one
            if isinstance(one, Insertion) and isinstance(two, Insertion):
                return Insertion(two.plan, tuple(two.plan.stops_of(visit.id)), one.cost + two.cost)
    return None


def warm_quotes() -> None:
    """Compile the kernels of quotes, or load them from where they were kept, before anybody waits for them."""
    way = np.asarray([[0, 60], [60, 0]], np.int32)
    worker = Worker(id="w", provider="p", skills=frozenset(), start_place=0, shifts=(Shift(0, 36_000),))
    visit = Visit("v", 1, (Seat(frozenset(), 60),), 0, 30_000)
    meal = msgspec.structs.replace(visit, id="m", delivery=Delivery(0, 0, 60))
    problem = Problem(workers=(worker,), visits=(visit, meal), travel={"car": way})
    for one in problem.visits:
        insert(problem, Plan({"w": ()}, ("v", "m")), one)
