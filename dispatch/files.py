"""Reading benchmark days and writing plans; a malformed file is refused in one clear line."""

import gzip
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dispatch.plan import Plan, Stop
from dispatch.problem import Link, Problem, Seat, Shift, Visit, Worker

_DAY_S = 172_800


class InstanceError(ValueError):
    """A file cannot be read: which file, which field, which value, and why."""

    def __init__(self, file: str, field: str, value: object, why: str) -> None:
        super().__init__(f"{file}: {field}: {value!r} {why}")


def read_hhcrsp(path: Path) -> Problem:
    """A home-care day in the JSON of the hhcrsp benchmark; minutes become seconds, late starts are allowed."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        day: dict[str, Any] = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise InstanceError(path.name, "file", str(error), "is not JSON") from error
    visits: list[Visit] = []
    links: list[Link] = []
    for number, patient in enumerate(day["patients"]):
        lo, hi = (int(minute * 60) for minute in patient["time_window"])
        care = patient["required_caregivers"]
        seats = [Seat(frozenset({c["service"]}), int(c["duration"] * 60)) for c in care]
        kind = (patient.get("synchronization") or {}).get("type")
        if len(seats) < 2 or kind == "simultaneous":
            visits.append(Visit(patient["id"], number + 1, tuple(seats), lo, _DAY_S, hi))
            continue
        gap = patient["synchronization"]["distance"]
        names = [f"{patient['id']}/{n}" for n in (1, 2)]
        visits += [Visit(name, number + 1, (seat,), lo, _DAY_S, hi) for name, seat in zip(names, seats, strict=True)]
        links.append(Link(names[0], names[1], int(gap[0] * 60), int(gap[1] * 60)))
    workers = tuple(
        Worker(
            id=c["id"], provider="office", skills=frozenset(c["abilities"]), start_place=0, end_place=0,
            shifts=(Shift(0, 2 * _DAY_S),),
        )
        for c in day["caregivers"]
    )  # fmt: skip
    matrix = np.ceil(np.asarray(day["distances"], dtype=float) * 60).astype(np.int32)
    return Problem(workers=workers, visits=tuple(visits), links=tuple(links), travel={"car": matrix})


def plan_to_json(plan: Plan, objective: float) -> bytes:
    """The plan with the ids of its file, times in seconds."""
    body = {
        "objective": objective,
        "routes": [
            {
                "worker": worker,
                "stops": [
                    {"visit": s.visit, "service": s.seat, "start": s.start_s, "kind": s.kind, "end": s.end_s}
                    for s in route
                ],
            }
            for worker, route in plan.routes.items()
        ],
        "unserved": list(plan.unserved),
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=1)


def plan_from_json(problem: Problem, path: Path | None) -> Plan:
    """A plan file back; stops are looked up in the problem. Raises InstanceError."""
    if path is None:
        raise InstanceError("plan", "file", None, "is missing")
    visits = {visit.id: visit for visit in problem.visits}
    routes: dict[str, tuple[Stop, ...]] = {worker.id: () for worker in problem.workers}
    try:
        body: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        for route in body["routes"]:
            stops: list[Stop] = []
            for stop in route["stops"]:
                visit, seat = visits[stop["visit"]], int(stop["service"])
                end = stop["start"] + visit.seats[seat].duration_s
                stops.append(Stop(route["worker"], "visit", visit.id, seat, visit.place, stop["start"], end))
            routes[route["worker"]] = tuple(stops)
        return Plan(routes, tuple(body["unserved"]))
    except (msgspec.DecodeError, KeyError, IndexError, TypeError) as error:
        raise InstanceError(path.name, "routes", str(error), "does not fit the problem") from error


def hhcrsp_objective(problem: Problem, plan: Plan) -> float:
    """The published objective in minutes: (distance + total tardiness + greatest tardiness) / 3."""
    visits = {visit.id: visit for visit in problem.visits}
    matrix = problem.travel["car"]
    distance, late = 0.0, [0.0]
    for route in plan.routes.values():
        places = [0, *(stop.place for stop in route), 0] if route else []
        distance += sum(int(matrix[a, b]) for a, b in pairwise(places)) / 60
        late += [max(0, stop.start_s - (visits[stop.visit].due_s or 0)) / 60 for stop in route]
    return (distance + sum(late) + max(late)) / 3
