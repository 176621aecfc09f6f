"""What happens on a day, and the day right after it: shifts, ways and begun stops as they are now.

Whatever cannot be done any more is out of its routes afterwards; nothing is put in. A hold is a locked stop of kind
`break` without a visit: its worker stands still until it ends.
"""

from collections.abc import Callable, Iterable

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from dispatch.plan import Plan, Stop
from dispatch.problem import Delivery, Link, Problem, Shift, Visit, Worker


class NewOrder(Struct, frozen=True, tag_field="event", tag="new_order"):
    """One more visit, with what ties it to others."""

    visit: Visit
    links: tuple[Link, ...] = ()


class Cancelled(Struct, frozen=True, tag_field="event", tag="cancelled"):
    """Somebody wants the visit no more; a crew that has begun leaves now."""

    visit: str


class NoAccess(Struct, frozen=True, tag_field="event", tag="no_access"):
    """Nobody opens; the crew goes on at `until_s`, or now. Before it has begun, the visit is called off."""

    visit: str
    until_s: int | None = None


class Overrun(Struct, frozen=True, tag_field="event", tag="overrun"):
    """A visit lasts until then."""

    visit: str
    until_s: int


class WorkerLate(Struct, frozen=True, tag_field="event", tag="worker_late"):
    """The worker can set out for the next stop at that instant only."""

    worker: str
    until_s: int


class WorkerEarly(Struct, frozen=True, tag_field="event", tag="worker_early"):
    """The worker is done with the present stop, or comes to work, at that instant already."""

    worker: str
    free_s: int


class WorkerIll(Struct, frozen=True, tag_field="event", tag="worker_ill"):
    """The worker does nothing more today; what is in the box is lost."""

    worker: str


class WorkerBack(Struct, frozen=True, tag_field="event", tag="worker_back"):
    """The worker works in that shift, whatever was said before."""

    worker: str
    shift: Shift


class PointClosed(Struct, frozen=True, tag_field="event", tag="point_closed"):
    """No meal leaves the place before then (None: today); `instead` is where they are fetched from now."""

    place: int
    until_s: int | None = None
    instead: int | None = None


class SlowTravel(Struct, frozen=True, tag_field="event", tag="slow_travel"):
    """Every way takes so many times as long from now, on these modes or on all."""

    factor: float
    modes: frozenset[str] | None = None


Event = (
    NewOrder
    | Cancelled
    | NoAccess
    | Overrun
    | WorkerLate
    | WorkerEarly
    | WorkerIll
    | WorkerBack
    | PointClosed
    | SlowTravel
)


def begun_at(plan: Plan, now_s: int) -> Plan:
    """The plan with everything locked that has begun, colleagues of somebody under way included."""
    under_way = {s.visit for route in plan.routes.values() for s in route if s.locked and s.kind == "visit"}

    def seen(stop: Stop) -> Stop:
        begun = stop.start_s <= now_s or (stop.kind == "visit" and stop.visit in under_way)
        return replace(stop, locked=True) if begun and not stop.locked else stop

    return Plan({worker: tuple(map(seen, route)) for worker, route in plan.routes.items()}, plan.unserved)


def without(plan: Plan, out: Iterable[str]) -> Plan:
    """The plan with these visits unserved: their stops that have not begun are gone."""
    gone = set(out)
    routes = {
        worker: tuple(s for s in route if s.locked or s.visit not in gone)
        if any(s.visit in gone for s in route)
        else route
        for worker, route in plan.routes.items()
    }
    return Plan(routes, (*(v for v in plan.unserved if v not in gone), *sorted(gone)))


def happened(problem: Problem, plan: Plan, event: Event) -> tuple[Problem, Plan]:
    """The day and the plan right after an event; raises ValueError for a visit or worker the day does not know."""
    match event:
        case NewOrder():
            after = _ordered(problem, plan, event)
        case Cancelled() | NoAccess():
            until = event.until_s if isinstance(event, NoAccess) and event.until_s is not None else problem.now_s
            after = _called_off(problem, plan, _visit(problem, event.visit), until)
        case Overrun():
            after = _overrun(problem, plan, _visit(problem, event.visit), event.until_s)
        case WorkerLate():
            after = _held(problem, plan, _worker(problem, event.worker), event.until_s)
        case WorkerEarly():
            after = _early(problem, plan, _worker(problem, event.worker), event.free_s)
        case WorkerIll():
            after = _ill(problem, plan, _worker(problem, event.worker))
        case WorkerBack():
            worker = replace(_worker(problem, event.worker), shifts=(event.shift,))
            after = _held(_with_worker(problem, worker), plan, worker, event.shift.start_s)
        case PointClosed():
            after = _closed(problem, plan, event)
        case SlowTravel():
            after = _slowed(problem, event), plan
    return after


def _ordered(problem: Problem, plan: Plan, event: NewOrder) -> tuple[Problem, Plan]:
    if any(visit.id == event.visit.id for visit in problem.visits):
        raise ValueError(f"visit {event.visit.id} is known already")
    more = replace(problem, visits=(*problem.visits, event.visit), links=(*problem.links, *event.links))
    return more, Plan(plan.routes, (*plan.unserved, event.visit.id))


def _slowed(problem: Problem, event: SlowTravel) -> Problem:
    return replace(
        problem,
        travel={
            mode: ways if event.modes is not None and mode not in event.modes else _scaled(ways, event.factor)
            for mode, ways in problem.travel.items()
        },
    )


def _scaled(ways: np.ndarray, factor: float) -> np.ndarray:
    return np.ceil(ways * factor - 1e-9).astype(np.int32)


def _visit(problem: Problem, name: str) -> Visit:
    found = next((visit for visit in problem.visits if visit.id == name), None)
    if found is None:
        raise ValueError(f"no visit {name}")
    return found


def _worker(problem: Problem, name: str) -> Worker:
    found = next((worker for worker in problem.workers if worker.id == name), None)
    if found is None:
        raise ValueError(f"no worker {name}")
    return found


def _with_worker(problem: Problem, worker: Worker) -> Problem:
    return replace(problem, workers=tuple(worker if one.id == worker.id else one for one in problem.workers))


def _with_visit(problem: Problem, visit: Visit) -> Problem:
    return replace(problem, visits=tuple(visit if one.id == visit.id else one for one in problem.visits))


def _changed(plan: Plan, change: Callable[[Stop], Stop]) -> Plan:
    return Plan({worker: tuple(map(change, route)) for worker, route in plan.routes.items()}, plan.unserved)


def _spent(stop: Stop) -> Stop:
    """What was begun for a visit that will not be: time passed at a place, no more."""
    return Stop(stop.worker, "break", "", 0, stop.place, stop.start_s, stop.end_s, locked=True)


def spoilt(plan: Plan) -> Plan:
    """The plan in which meals that were fetched and will not be brought are out of their boxes."""
    lost = set(plan.unserved)
    return _changed(plan, lambda stop: _spent(stop) if stop.kind == "pickup" and stop.visit in lost else stop)


def _called_off(problem: Problem, plan: Plan, visit: Visit, until: int) -> tuple[Problem, Plan]:
    stops = [stop for stop in plan.stops_of(visit.id) if stop.kind != "pickup"]
    if any(stop.locked for stop in stops):

        def cut(stop: Stop) -> Stop:
            ours = stop.visit == visit.id and stop.locked and stop.kind != "pickup"
            return replace(stop, end_s=max(stop.start_s, until)) if ours else stop

        return problem, _in_step(_changed(plan, cut))
    left = without(plan, (visit.id,))
    left = Plan(left.routes, tuple(name for name in left.unserved if name != visit.id))
    left = _changed(left, lambda stop: _spent(stop) if stop.visit == visit.id else stop)
    visits = tuple(known for known in problem.visits if known.id != visit.id)
    links = tuple(link for link in problem.links if visit.id not in {link.before, link.after})
    return replace(problem, visits=visits, links=links), left


def _overrun(problem: Problem, plan: Plan, visit: Visit, until: int) -> tuple[Problem, Plan]:
    stops = [stop for stop in plan.stops_of(visit.id) if stop.kind != "pickup"]
    if not stops:
        return problem, plan

    def longer(stop: Stop) -> Stop:
        ours = stop.visit == visit.id and stop.kind != "pickup"
        return replace(stop, end_s=max(stop.end_s, until)) if ours else stop

    lasting = {stop.seat: max(stop.end_s, until) - stop.start_s for stop in stops}
    seats = tuple(replace(s, duration_s=lasting.get(n, s.duration_s)) for n, s in enumerate(visit.seats))
    return _with_visit(problem, replace(visit, seats=seats)), _in_step(_changed(plan, longer))


def _in_step(plan: Plan) -> Plan:
    """Holds begin when what was begun before them is over; one that is over by then is gone."""
    routes: dict[str, tuple[Stop, ...]] = {}
    for worker, route in plan.routes.items():
        free, kept = 0, list[Stop]()
        for stop in route:
            here = stop
            if stop.locked and stop.kind == "break" and stop.start_s < free:
                here = replace(stop, start_s=free, end_s=max(free, stop.end_s))
            free = max(free, here.end_s) if here.locked else free
            kept += [here] if here is stop or here.end_s > here.start_s else []
        routes[worker] = tuple(kept)
    return Plan(routes, plan.unserved)


def _split(route: tuple[Stop, ...]) -> tuple[list[Stop], list[Stop]]:
    """Begun stops, and the open ones behind them."""
    first = max((n + 1 for n, stop in enumerate(route) if stop.locked), default=0)
    return list(route[:first]), list(route[first:])


def _held(problem: Problem, plan: Plan, worker: Worker, until: int) -> tuple[Problem, Plan]:
    """The worker stands still until an instant; before the first stop, the shift begins then."""
    begun, ahead = _split(plan.routes.get(worker.id, ()))
    if not begun:
        shifts = tuple(Shift(max(s.start_s, until), s.end_s) for s in worker.shifts if s.end_s > until)
        return _with_worker(problem, replace(worker, shifts=shifts)), plan
    if begun[-1].kind == "break" and begun[-1].end_s > problem.now_s:
        last = begun.pop()
        begun += [replace(last, end_s=until)] if until > last.start_s else []
    else:
        start = max(begun[-1].end_s, problem.now_s)
        begun += [Stop(worker.id, "break", "", 0, begun[-1].place, start, until, locked=True)] if until > start else []
    return problem, Plan({**plan.routes, worker.id: (*begun, *ahead)}, plan.unserved)


def _early(problem: Problem, plan: Plan, worker: Worker, free: int) -> tuple[Problem, Plan]:
    begun, ahead = _split(plan.routes.get(worker.id, ()))
    if not begun:
        if not worker.shifts or free >= worker.shifts[0].start_s:
            return problem, plan
        shifts = (Shift(free, worker.shifts[0].end_s), *worker.shifts[1:])
        return _with_worker(problem, replace(worker, shifts=shifts)), plan
    cut = [replace(s, end_s=max(s.start_s, min(s.end_s, free))) for s in begun]
    kept = [s for s in cut if s.kind != "break" or s.end_s > s.start_s]
    return problem, Plan({**plan.routes, worker.id: (*kept, *ahead)}, plan.unserved)


def _ill(problem: Problem, plan: Plan, worker: Worker) -> tuple[Problem, Plan]:
    route = plan.routes.get(worker.id, ())
    now = problem.now_s
    ahead = {stop.visit for stop in route if stop.start_s > now and stop.kind == "visit"}
    carried = {s.visit for s in route if s.kind == "drop" and s.start_s > now}
    left = _changed(plan, lambda s: replace(s, locked=False) if s.visit in ahead and s.start_s > now else s)
    left = _changed(left, lambda s: _spent(s) if s.visit in carried and s.locked else s)
    left = without(left, ahead | carried | {s.visit for s in route if s.kind == "pickup" and not s.locked})
    return _with_worker(problem, replace(worker, shifts=())), left


def _closed(problem: Problem, plan: Plan, event: PointClosed) -> tuple[Problem, Plan]:
    fetched = {s.visit for route in plan.routes.values() for s in route if s.kind == "pickup" and s.locked}
    hit = {v.id for v in problem.visits if v.delivery and v.delivery.pickup_place == event.place} - fetched

    def elsewhere(visit: Visit, meal: Delivery) -> Visit:
        if event.instead is not None:
            return replace(visit, delivery=replace(meal, pickup_place=event.instead))
        ready = visit.latest_s + 1 if event.until_s is None else max(meal.ready_s, event.until_s)
        return replace(visit, delivery=replace(meal, ready_s=ready))

    visits = tuple(elsewhere(v, v.delivery) if v.id in hit and v.delivery else v for v in problem.visits)
    served = {stop.visit for route in plan.routes.values() for stop in route}
    return replace(problem, visits=visits), without(plan, hit & served)
