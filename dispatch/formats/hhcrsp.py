"""Home-care days in the JSON of the hhcrsp benchmark: late starts are allowed and cost, doubles are done by two people.

The published cost is a third of: the distance, the tardiness of every service, and the greatest tardiness; minutes.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dispatch.formats.instance import Instance, Starts, starts_of
from dispatch.formats.reading import Reading
from dispatch.plan import Plan
from dispatch.problem import Link, Problem, Seat, Shift, Visit, Weights, Worker

_CREW_LIMIT = 4
_HORIZON = 50_000  # minutes after which nothing starts; days last 600
_FINEST = 10_000
_DROP = 100_000  # minutes an unserved patient costs in the search
_WEIGHTS = Weights(late_s=1, late_flat=0, wait_s=0, late_max_s=1, late_each_seat=True)


class _Care(NamedTuple):
    """One patient as the file has it, in minutes."""

    id: str
    first: float
    last: float
    services: tuple[tuple[str, float], ...]
    kind: str | None
    gap: tuple[float, float]
    refused: frozenset[str]
    point: tuple[float, float] | None

    @property
    def together(self) -> bool:
        return len(self.services) == 1 or self.kind == "simultaneous"

    @property
    def visits(self) -> list[str]:
        """Ids of the visits of the problem: one for a crew, one per service otherwise."""
        return [self.id] if self.together else [f"{self.id}/{n + 1}" for n in range(len(self.services))]


class _Day(NamedTuple):
    patients: tuple[_Care, ...]
    caregivers: tuple[tuple[str, frozenset[str], tuple[float, float]], ...]
    distances: list[list[float]]
    points: tuple[tuple[float, float], ...] | None

    def sizes(self) -> list[float]:
        """Every figure that the problem must hold exactly."""
        figures = [cell for row in self.distances for cell in row]
        for care in self.patients:
            figures += [care.first, care.last, *care.gap, *(minutes for _, minutes in care.services)]
        return figures


def read_hhcrsp(path: Path) -> Instance:
    """A home-care day; starts and objective are worked out again in the file's own numbers. Raises InstanceError.

    Its problem counts in minutes, tenths, ... of them, the coarsest that holds every figure, at most ten-thousandths.
    """
    reading = Reading(path)
    day = _read(reading)
    figures = np.asarray(day.sizes())
    units = [1, 10, 100, 1000, _FINEST]
    unit = next((u for u in units if np.abs(figures * u - np.rint(figures * u)).max() < 1e-7), None)
    problem = _problem(reading, day, unit or _FINEST, slack=0)
    judged = problem if unit else _problem(reading, day, _FINEST, slack=3)
    names = {
        (visit, seat): (care.id, care.services[seat if care.together else n][0])
        for care in day.patients
        for n, visit in enumerate(care.visits)
        for seat in range(len(care.services) if care.together else 1)
    }
    return Instance(
        name=path.name.removesuffix(".gz").removesuffix(".json"), form="hhcrsp", problem=problem, judged=judged,
        unit=unit or _FINEST, names=names, settle=lambda plan: _settle(day, plan, unit or _FINEST),
        objective=lambda plan, starts: _objective(day, plan, starts), points=day.points,
    )  # fmt: skip


def _read(reading: Reading) -> _Day:
    top = reading.fields(reading.json(), "file", "patients", "caregivers", "distances")
    offices = reading.items(top.get("central_offices", [{}]), "central_offices")
    if len(offices) != 1:
        raise reading.refuse("central_offices", len(offices), "offices, but everybody starts at one")
    durations = {
        reading.label(service["id"], f"services[{i}].id"): service.get("default_duration")
        for i, entry in enumerate(reading.items(top.get("services", []), "services"))
        if (service := reading.fields(entry, f"services[{i}]", "id"))
    }
    patients = tuple(
        _patient(reading, patient, f"patients[{i}]", durations)
        for i, patient in enumerate(reading.items(top["patients"], "patients", least=1))
    )
    caregivers = tuple(
        _caregiver(reading, caregiver, f"caregivers[{i}]")
        for i, caregiver in enumerate(reading.items(top["caregivers"], "caregivers", least=1))
    )
    reading.once((care.id for care in patients), "patients.id")
    reading.once((caregiver[0] for caregiver in caregivers), "caregivers.id")
    points = [_point(reading, offices[0], "central_offices[0]"), *(care.point for care in patients)]
    whole = tuple(point for point in points if point is not None)
    return _Day(
        patients, caregivers, reading.matrix(top["distances"], "distances", len(patients) + 1),
        whole if len(whole) == len(points) else None,
    )  # fmt: skip


def _point(reading: Reading, value: Any, field: str) -> tuple[float, float] | None:
    location = reading.fields(value, field).get("location")
    if location is None:
        return None
    x, y = (
        reading.number(at, f"{field}.location", least=-(10**7))
        for at in reading.items(location, f"{field}.location", exactly=2)
    )
    return x, y


def _caregiver(reading: Reading, value: Any, field: str) -> tuple[str, frozenset[str], tuple[float, float]]:
    entry = reading.fields(value, field, "id", "abilities")
    skills = reading.items(entry["abilities"], f"{field}.abilities")
    shift = (0.0, 2.0 * _HORIZON)
    if entry.get("working_shift") is not None:
        shift = reading.window(entry["working_shift"], f"{field}.working_shift")
    abilities = frozenset(reading.label(skill, f"{field}.abilities") for skill in skills)
    return reading.label(entry["id"], f"{field}.id"), abilities, shift


def _patient(reading: Reading, value: Any, field: str, durations: dict[Any, Any]) -> _Care:
    entry = reading.fields(value, field, "id", "time_window", "required_caregivers")
    first, last = reading.window(entry["time_window"], f"{field}.time_window")
    if last >= _HORIZON:
        raise reading.refuse(f"{field}.time_window", entry["time_window"], f"ends after minute {_HORIZON}")
    required = reading.items(entry["required_caregivers"], f"{field}.required_caregivers", least=1)
    services: list[tuple[str, float]] = []
    for n, care in enumerate(required):
        at = f"{field}.required_caregivers[{n}]"
        service = reading.label(reading.fields(care, at, "service")["service"], f"{at}.service")
        minutes = reading.number(care.get("duration", durations.get(service)), f"{at}.duration")
        services.append((service, minutes))
    sync = reading.fields(entry.get("synchronization") or {}, f"{field}.synchronization")
    kind, gap = sync.get("type"), (0.0, 0.0)
    at = f"{field}.synchronization"
    if not any(kind == known for known in (None, "simultaneous", "sequential", "independent")):
        raise reading.refuse(f"{at}.type", kind, "is not simultaneous, sequential or independent")
    if kind == "sequential" and len(services) > 1:
        reading.items(required, f"{field}.required_caregivers", exactly=2)
        gap = reading.window(reading.fields(sync, at, "distance")["distance"], f"{at}.distance")
    if len(services) > _CREW_LIMIT:
        raise reading.refuse(f"{field}.required_caregivers", len(services), f"at once, at most {_CREW_LIMIT} can be")
    refused = reading.items(entry.get("incompatible_caregivers") or [], f"{field}.incompatible_caregivers")
    return _Care(
        reading.label(entry["id"], f"{field}.id"), first, last, tuple(services), kind, gap,
        frozenset(reading.label(worker, f"{field}.incompatible_caregivers") for worker in refused),
        _point(reading, entry, field),
    )  # fmt: skip


def _problem(reading: Reading, day: _Day, unit: int, slack: int) -> Problem:
    """The day in whole ticks, `unit` to the minute, rounded to the safe side, or by `slack` ticks to the forgiving one."""

    def least(minutes: float) -> int:
        return max(0, (floor(minutes * unit) - slack) if slack else ceil(minutes * unit - 1e-7))

    def most(minutes: float) -> int:
        return (ceil(minutes * unit) + slack) if slack else floor(minutes * unit + 1e-7)

    horizon = _HORIZON * unit
    visits: list[Visit] = []
    links: list[Link] = []
    for place, care in enumerate(day.patients, 1):
        seats = tuple(Seat(frozenset({service}), least(minutes)) for service, minutes in care.services)
        crews = [seats] if care.together else [(seat,) for seat in seats]
        visits += [
            Visit(
                visit, place, crew, least(care.first), horizon, most(care.last), refused_workers=care.refused,
                drop_penalty=_DROP * unit,
            )
            for visit, crew in zip(care.visits, crews, strict=True)
        ]  # fmt: skip
        if care.kind == "sequential" and len(care.visits) == 2:
            links.append(Link(care.visits[0], care.visits[1], least(care.gap[0]), most(care.gap[1]), apart=True))
    workers = tuple(
        Worker(
            id=worker, provider="office", skills=skills, start_place=0, end_place=0,
            shifts=(Shift(least(shift[0]), most(shift[1])),),
        )
        for worker, skills, shift in day.caregivers
    )  # fmt: skip
    matrix = reading.ways(
        np.asarray([[least(cell) for cell in row] for row in day.distances], dtype=float), "distances"
    )
    return Problem(
        workers=workers, visits=tuple(visits), links=tuple(links), travel={"car": matrix}, weights=_WEIGHTS
    )  # fmt: skip


def _objective(day: _Day, plan: Plan, starts: Starts) -> float:
    due = {visit: care.last for care in day.patients for visit in care.visits}
    distance, late = 0.0, [0.0]
    for worker, route in plan.routes.items():
        places = [0, *(stop.place for stop in route), 0] if route else []
        distance += sum(day.distances[a][b] for a, b in pairwise(places))
        late += [max(0.0, start - due[stop.visit]) for stop, start in zip(route, starts[worker], strict=True)]
    return (distance + sum(late) + max(late)) / 3


def _settle(day: _Day, plan: Plan, unit: int) -> tuple[Plan, Starts]:
    """The earliest starts in minutes for the plan's orders of stops: crews together, gaps kept."""
    care_of = {visit: care for care in day.patients for visit in care.visits}
    floors = {visit: care.first for visit, care in care_of.items()}
    opens = {worker: shift[0] for worker, _, shift in day.caregivers}
    for _ in range(4 * len(floors) + 10):
        starts = {
            worker: _walk(day, care_of, floors, opens.get(worker, 0.0), [(s.visit, s.seat, s.place) for s in route])
            for worker, route in plan.routes.items()
        }
        if not _raised(day, plan, starts, floors):
            return plan, starts
    return plan, starts_of(plan, unit)


def _walk(
    day: _Day, care_of: dict[str, _Care], floors: dict[str, float], opens: float, stops: Sequence[tuple[str, int, int]]
) -> tuple[float, ...]:
    here, free = 0, opens
    starts: list[float] = []
    for visit, seat, place in stops:
        care = care_of[visit]
        start = max(free + day.distances[here][place], floors[visit])
        starts.append(start)
        service = seat if care.together else care.visits.index(visit)
        here, free = place, start + care.services[service][1]
    return tuple(starts)


def _raised(day: _Day, plan: Plan, starts: Starts, floors: dict[str, float]) -> bool:
    """Lift the floor of every visit that a colleague or a gap holds back; tells whether any was."""
    at: dict[str, list[float]] = {}
    for worker, route in plan.routes.items():
        for stop, start in zip(route, starts[worker], strict=True):
            at.setdefault(stop.visit, []).append(start)
    wanted: dict[str, float] = {visit: max(times) for visit, times in at.items() if max(times) > min(times)}
    for care in day.patients:
        if care.kind == "sequential" and len(care.visits) == 2 and all(visit in at for visit in care.visits):
            first, then = care.visits
            wanted[then] = max(at[first]) + care.gap[0]
            wanted[first] = max(at[then]) - care.gap[1]
    lifted = {visit: start for visit, start in wanted.items() if visit in at and start > min(at[visit]) + 1e-9}
    floors.update(lifted)
    return bool(lifted)
