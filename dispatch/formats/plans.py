"""Plans as JSON, in the ids and the time of the file they answer."""

from pathlib import Path
from typing import Any

import msgspec

from dispatch.formats.instance import Instance, Starts
from dispatch.formats.reading import Reading
from dispatch.plan import Kind, Plan, Stop
from dispatch.problem import Visit


def write_plan(instance: Instance, plan: Plan) -> tuple[bytes, float]:
    """The plan as JSON and its objective. Stops carry the starts that `settle` gives."""
    settled, starts = instance.settle(plan)
    objective = round(instance.objective(settled, starts), 6)
    body = {
        "objective": objective,
        "routes": [
            {
                "worker": worker,
                "stops": [
                    _stop(instance, stop, start)
                    for stop, start in zip(route, starts[worker], strict=True)
                    if stop.visit
                ],
            }
            for worker, route in settled.routes.items()
        ],
        "unserved": list(dict.fromkeys(instance.names[visit, 0][0] for visit in settled.unserved)),
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=1), objective


def _stop(instance: Instance, stop: Stop, start: float) -> dict[str, Any]:
    visit, service = instance.names[stop.visit, stop.seat]
    told: dict[str, Any] = {"visit": visit, "service": service, "start": _plain(start)}
    if stop.kind != "visit":
        told["kind"] = stop.kind
    return told


def _plain(start: float) -> float:
    """Whole numbers as such, others without the last digits of floating point."""
    return int(start) if start == int(start) else round(start, 9)


def read_plan(instance: Instance, path: Path) -> tuple[Plan, Starts]:
    """A plan file back, and its starts as written. Raises InstanceError."""
    reading = Reading(path)
    body = reading.only(reading.json(), "file", ("routes", "unserved"), ("objective",))
    if "objective" in body:
        reading.number(body["objective"], "objective")
    visits = {visit.id: visit for visit in instance.problem.visits}
    free: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for seat, name in instance.names.items():
        free.setdefault(name, []).append(seat)
    routes: dict[str, tuple[Stop, ...]] = {worker.id: () for worker in instance.problem.workers}
    starts: Starts = dict.fromkeys(routes, ())
    seen: set[str] = set()
    for i, entry in enumerate(reading.items(body["routes"], "routes")):
        field = f"routes[{i}]"
        worker = reading.label(reading.only(entry, field, ("worker", "stops"))["worker"], f"{field}.worker")
        reading.known(worker, f"{field}.worker", routes, "nobody in this day")
        if worker in seen:
            raise reading.refuse(f"{field}.worker", worker, "has two routes")
        seen.add(worker)
        route: list[Stop] = []
        times: list[float] = []
        for n, value in enumerate(reading.items(entry["stops"], f"{field}.stops")):
            at = f"{field}.stops[{n}]"
            stop = reading.only(value, at, ("visit", "service", "start"), ("kind",))
            start = reading.number(stop["start"], f"{at}.start", least=-(10**9))
            visit, seat = _seat(reading, free, stop, at)
            kind = _kind(reading, visits[visit], stop, at)
            route.append(_at(worker, visits[visit], seat, kind, _tick(reading, instance, start, f"{at}.start")))
            times.append(start)
        routes[worker], starts[worker] = tuple(route), tuple(times)
    return as_judged(instance, Plan(routes, _left(reading, instance, body["unserved"], routes))), starts


def as_judged(instance: Instance, plan: Plan) -> Plan:
    """The plan with stops as long as the problem it is judged by has them; that one's figures may be finer."""
    if instance.judged is instance.problem:
        return plan
    visits = {visit.id: visit for visit in instance.judged.visits}
    return Plan(
        {
            worker: tuple(_at(worker, visits[s.visit], s.seat, s.kind, s.start_s) for s in route)
            for worker, route in plan.routes.items()
        },
        plan.unserved,
    )


def _tick(reading: Reading, instance: Instance, start: float, field: str) -> int:
    """A start in the ticks of the problem; rounded only for days whose figures are finer than any tick."""
    if instance.judged is not instance.problem:
        return round(start * instance.unit)
    return reading.ticks(start, field, instance.unit)


def _left(reading: Reading, instance: Instance, value: Any, routes: dict[str, tuple[Stop, ...]]) -> tuple[str, ...]:
    """The visits of those named as unserved; who is named has one that no route serves."""
    names = [reading.label(name, "unserved") for name in reading.items(value, "unserved")]
    reading.once(names, "unserved")
    served = {stop.visit for route in routes.values() for stop in route}
    parts: dict[str, list[str]] = {}
    for visit in instance.problem.visits:
        parts.setdefault(instance.names[visit.id, 0][0], []).append(visit.id)
    for name in names:
        reading.known(name, "unserved", parts, "no visit of this day")
        if served.issuperset(parts[name]):
            raise reading.refuse("unserved", name, "is in a route")
    named = set(names)
    return tuple(visit for name, own in parts.items() if name in named for visit in own if visit not in served)


def _seat(
    reading: Reading, free: dict[tuple[str, str], list[tuple[str, int]]], stop: dict[str, Any], field: str
) -> tuple[str, int]:
    """The next seat of that name; the pick-up and the drop of a meal share one."""
    name = (reading.label(stop["visit"], f"{field}.visit"), reading.label(stop["service"], f"{field}.service"))
    if name not in free:
        raise reading.refuse(field, name, "is no visit and service of this day")
    seats = free[name]
    return seats.pop(0) if len(seats) > 1 and stop.get("kind") != "pickup" else seats[0]


def _at(worker: str, visit: Visit, seat: int, kind: Kind, start_s: int) -> Stop:
    meal = visit.delivery
    if meal is not None and kind == "pickup":
        return Stop(worker, kind, visit.id, seat, meal.pickup_place, start_s, start_s + meal.pickup_duration_s)
    return Stop(worker, kind, visit.id, seat, visit.place, start_s, start_s + visit.seats[seat].duration_s)


def _kind(reading: Reading, visit: Visit, entry: dict[str, Any], field: str) -> Kind:
    """What is done at the stop: a visit, or one end of a delivery."""
    kinds: tuple[Kind, ...] = ("visit",) if visit.delivery is None else ("drop", "pickup")
    asked = entry.get("kind", "visit")
    for kind in kinds:
        if kind == asked:
            return kind
    raise reading.refuse(f"{field}.kind", asked, f"is not {' or '.join(kinds)}")
