"""The day as it was really lived, put to the planning library's independent oracle."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from backend.simulation.importer import Imported
from backend.simulation.instances import Demand, Instance
from backend.simulation.queries import Handling
from dispatch import Delivery, Link, Plan, Problem, Seat, Shift, Stop, Violation, Visit, Worker, check_plan

_MODE = "replay"


class Judgement(Struct, frozen=True):
    """What the oracle found: rules the lived day broke, and unserved orders that would have fitted after all."""

    violations: list[Violation]
    refuted: list[Violation]


def judge(
    day: Imported, handlings: Sequence[Handling], orders: Mapping[UUID, Demand], unserved: list[str]
) -> Judgement:
    """Check the lived day, then each unserved order against it, as from the moment it was booked."""
    visits = {demand.id: _visit(demand) for demand in day.instance.demands}
    plan = _plan(day, handlings, orders, unserved)
    problem = Problem(
        workers=tuple(_worker(day, worker.id) for worker in day.instance.workers),
        visits=tuple(visits.values()),
        links=tuple(
            Link(d.gap.after, d.id, d.gap.min_s, d.gap.max_s) for d in day.instance.demands if d.gap is not None
        ),
        travel={_MODE: _matrix(day.instance)},
        now_s=min(worker.on_s for worker in day.instance.workers),
    )
    broken = check_plan(problem, plan)
    refuted: list[Violation] = []
    for demand in day.instance.demands:
        if demand.id not in unserved:
            continue
        bounded = _bounded(visits[demand.id], demand, plan)
        if bounded is None:
            continue
        asked = replace(
            problem,
            visits=tuple(bounded if visit.id == demand.id else visit for visit in problem.visits),
            now_s=max(problem.now_s, demand.booked_s or problem.now_s),
        )
        alone = Plan(plan.routes, (demand.id,))
        refuted += [v for v in check_plan(asked, alone, unserved=True) if v.rule == "servable"]
    return Judgement(broken, refuted)


def _visit(demand: Demand) -> Visit:
    pickup = demand.pickup
    return Visit(
        id=demand.id,
        place=demand.place,
        seats=tuple(Seat(frozenset({seat.skill}), seat.duration_s) for seat in demand.seats),
        earliest_s=demand.from_s,
        latest_s=demand.latest_s,
        due_s=demand.to_s,
        delivery=Delivery(pickup.restaurant, pickup.ready_s, pickup.pickup_s) if pickup else None,
        refused_workers=frozenset(demand.refused),
    )


def _bounded(visit: Visit, demand: Demand, plan: Plan) -> Visit | None:
    """The visit within the gap after the one before it; None when nothing is left, or that one was not served either."""
    if demand.gap is None:
        return visit
    before = plan.stops_of(demand.gap.after)
    if not before:
        return None
    lo = max(visit.earliest_s, before[0].start_s + demand.gap.min_s)
    hi = min(visit.latest_s, before[0].start_s + demand.gap.max_s)
    return replace(visit, earliest_s=lo, latest_s=hi) if lo <= hi else None


def _worker(day: Imported, name: str) -> Worker:
    worker = next(w for w in day.instance.workers if w.id == name)
    return Worker(
        id=worker.id,
        provider=str(day.provider_id),
        skills=frozenset(worker.skills),
        mode=_MODE,
        start_place=worker.start,
        end_place=worker.end,
        shifts=(Shift(worker.on_s, worker.off_s),),
    )


def _matrix(instance: Instance) -> np.ndarray:
    if instance.matrix is not None:
        return np.asarray(instance.matrix, dtype=np.int32)
    x = np.asarray([point.x for point in instance.places])
    y = np.asarray([point.y for point in instance.places])
    metres = np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :])
    return np.ceil(metres / (instance.metres_per_minute or 1) * 60).astype(np.int32)


def _plan(day: Imported, handlings: Sequence[Handling], orders: Mapping[UUID, Demand], unserved: list[str]) -> Plan:
    names = {worker_id: name for name, worker_id in day.worker_ids.items()}
    places = {place_id: i for i, place_id in enumerate(day.place_ids)}
    begun: dict[UUID, int] = {}
    for h in handlings:
        if h.kind == "visit":
            begun[h.order_id] = max(begun.get(h.order_id, -(10**9)), int(day.seconds(h.from_at)))
    routes: dict[str, list[Stop]] = {worker.id: [] for worker in day.instance.workers}
    for h in handlings:
        if h.order_id not in orders:
            continue
        name = names[h.worker_id]
        start = begun[h.order_id] if h.kind == "visit" else int(day.seconds(h.from_at))
        kind = "visit" if h.kind == "visit" else "pickup" if h.kind == "pickup" else "drop"
        end = int(day.seconds(h.to_at))
        routes[name].append(
            Stop(name, kind, orders[h.order_id].id, h.seat - 1, places[h.place_id], start, max(end, start + 1))
        )
    done = {name: tuple(sorted(stops, key=lambda stop: stop.start_s)) for name, stops in routes.items()}
    return Plan(done, tuple(unserved))
