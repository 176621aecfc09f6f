"""Home-care days in the JSON of the hhcrsp benchmark: late starts are allowed and cost, doubles are done by two people.

The published cost is a third of: the distance, the tardiness of every service, and the greatest tardiness; minutes.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from dispatch.formats.instance import Instance, Starts, starts_of
from dispatch.formats.reading import MOST_WORKERS, Reading
from dispatch.plan import Plan
from dispatch.problem import Link, Problem, Seat, Shift, Visit, Weights, Worker

_CREW_LIMIT = 4
_HORIZON = 50_000  # minutes after which nothing starts; days last 600
_FINEST = 10_000
_DROP = 100_000  # minutes an unserved patient costs in the search
_REQUIRED: Final = ("required_caregivers", "required_services")  # one thing under its old and its new name
_PLACED: Final = ("location", "distance_matrix_index")
_STARTS: Final = ("departing_point", "starting_point_id")
_SYNCHRONIZED: Final = ("simultaneous", "sequential", "independent")
_MAY: Final = ("name", "area", "services", "central_offices", "departing_points")
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
    top = reading.only(reading.json(), "file", ("patients", "caregivers", "distances"), _MAY)
    office = _office(reading, top)
    durations = _services(reading, top)
    entries = reading.items(top["patients"], "patients", least=1)
    reading.crowd(len(entries) + 1, "patients")
    reading.crowd(len(reading.items(top["caregivers"], "caregivers", least=1)), "caregivers", MOST_WORKERS)
    caregivers = tuple(
        _caregiver(reading, caregiver, f"caregivers[{i}]", office, durations)
        for i, caregiver in enumerate(top["caregivers"])
    )
    reading.once((caregiver[0] for caregiver in caregivers), "caregivers.id")
    workers = frozenset(caregiver[0] for caregiver in caregivers)
    patients = tuple(
        _patient(reading, patient, f"patients[{i}]", durations, workers) for i, patient in enumerate(entries)
    )
    reading.once((care.id for care in patients), "patients.id")
    reading.once(
        (visit for care in patients for visit in care.visits), "patients.id, with the numbers of their services"
    )
    points = [_point(reading, office, "central_offices[0]"), *(care.point for care in patients)]
    whole = tuple(point for point in points if point is not None)
    matrix = reading.matrix(top["distances"], "distances", len(patients) + 1)
    order = _order(reading, [office, *entries])
    return _Day(
        patients, caregivers, [[matrix[a][b] for b in order] for a in order],
        whole if len(whole) == len(points) else None,
    )  # fmt: skip


def _office(reading: Reading, top: dict[str, Any]) -> dict[str, Any]:
    """The one office, under its old or its new name; with several, distances would belong to different ones."""
    if "central_offices" in top and "departing_points" in top:
        raise reading.refuse("departing_points", "central_offices", "says the same once more; one of the two is needed")
    key = "departing_points" if "departing_points" in top else "central_offices"
    offices = reading.items(top.get(key, [{}]), key)
    if len(offices) != 1:
        raise reading.refuse(key, len(offices), "offices, but everybody starts at one")
    office = reading.only(offices[0], f"{key}[0]", (), ("id", *_PLACED))
    if "id" in office:
        reading.label(office["id"], f"{key}[0].id")
    return office


def _services(reading: Reading, top: dict[str, Any]) -> dict[str, Any] | None:
    """The usual duration of every service; None where the file does not list services."""
    if "services" not in top:
        return None
    entries = reading.items(top["services"], "services")
    found = {
        reading.label(
            reading.only(entry, f"services[{i}]", ("id",), ("type", "default_duration"))["id"], f"services[{i}].id"
        ): entry.get("default_duration")
        for i, entry in enumerate(entries)
    }
    reading.once((entry["id"] for entry in entries), "services.id")
    return found


def _order(reading: Reading, entries: list[dict[str, Any]]) -> list[int]:
    """The row of the matrix of the office and of each patient: what the file says, else their order."""
    key = "distance_matrix_index"
    rows = [entry.get(key) for entry in entries]
    if all(row is None for row in rows):
        return list(range(len(rows)))
    if rows[0] is None:  # files of the toolbox number patients only, behind the office
        rows[0] = 0
    found = [reading.whole(row, key, below=len(rows)) for row in rows]
    reading.once((f"{row}" for row in found), key)
    return found


def _point(reading: Reading, entry: dict[str, Any], field: str) -> tuple[float, float] | None:
    location = entry.get("location")
    if location is None:
        return None
    x, y = (
        reading.number(at, f"{field}.location", least=-(10**7))
        for at in reading.items(location, f"{field}.location", exactly=2)
    )
    return x, y


def _caregiver(
    reading: Reading, value: Any, field: str, office: dict[str, Any], services: dict[str, Any] | None
) -> tuple[str, frozenset[str], tuple[float, float]]:
    entry = reading.only(value, field, ("id", "abilities"), ("working_shift", "distance_matrix_index", *_STARTS))
    if entry.get("distance_matrix_index") not in (None, office.get("distance_matrix_index", 0)):
        raise reading.refuse(
            f"{field}.distance_matrix_index", entry["distance_matrix_index"], "is not the office's row"
        )
    for key in _STARTS:
        if key in entry and entry[key] != office.get("id"):
            raise reading.refuse(f"{field}.{key}", entry[key], "is not the office of the file")
    shift = (0.0, 2.0 * _HORIZON)
    if entry.get("working_shift") is not None:
        shift = reading.window(entry["working_shift"], f"{field}.working_shift")
        if shift[1] > 2 * _HORIZON:
            raise reading.refuse(f"{field}.working_shift", entry["working_shift"], f"ends after {2 * _HORIZON}")
    abilities = reading.labels(entry["abilities"], f"{field}.abilities")
    for ability in sorted(abilities):
        _listed(reading, ability, f"{field}.abilities", services)
    return reading.label(entry["id"], f"{field}.id"), abilities, shift


def _listed(reading: Reading, service: str, field: str, services: dict[str, Any] | None) -> str:
    """A service: one of those listed, where the file lists them."""
    if services is not None and service not in services:
        raise reading.refuse(field, service, "is not among the services of the file")
    return service


def _patient(
    reading: Reading, value: Any, field: str, durations: dict[str, Any] | None, workers: frozenset[str]
) -> _Care:
    entry = reading.only(
        value, field, ("id", "time_window"), (*_REQUIRED, "synchronization", "incompatible_caregivers", *_PLACED)
    )
    first, last = reading.window(entry["time_window"], f"{field}.time_window")
    if last >= _HORIZON:
        raise reading.refuse(f"{field}.time_window", entry["time_window"], f"ends after minute {_HORIZON}")
    key = next((key for key in _REQUIRED if key in entry), _REQUIRED[0])
    if all(key in entry for key in _REQUIRED):
        raise reading.refuse(f"{field}.{key}", _REQUIRED[1], "says the same once more; one of the two is needed")
    required = reading.items(reading.fields(entry, field, key)[key], f"{field}.{key}", least=1)
    if len(required) > _CREW_LIMIT:
        raise reading.refuse(f"{field}.{key}", len(required), f"at once, at most {_CREW_LIMIT} can be")
    services: list[tuple[str, float]] = []
    for n, care in enumerate(required):
        at = f"{field}.{key}[{n}]"
        asked = reading.only(care, at, ("service",), ("duration",))
        service = _listed(reading, reading.label(asked["service"], f"{at}.service"), f"{at}.service", durations)
        usual = (durations or {}).get(service)
        minutes = usual if asked.get("duration") is None else asked["duration"]
        services.append((service, reading.number(minutes, f"{at}.duration")))
    kind, gap = _synchronized(reading, entry, f"{field}.synchronization", len(services))
    refused = entry.get("incompatible_caregivers")
    barred = reading.labels([] if refused is None else refused, f"{field}.incompatible_caregivers")
    for worker in sorted(barred):
        reading.known(worker, f"{field}.incompatible_caregivers", workers, "no caregiver of this day")
    return _Care(
        reading.label(entry["id"], f"{field}.id"), first, last, tuple(services), kind, gap, barred,
        _point(reading, entry, field),
    )  # fmt: skip


def _synchronized(
    reading: Reading, entry: dict[str, Any], field: str, services: int
) -> tuple[str | None, tuple[float, float]]:
    """How several services belong together, and the least and greatest time between the starts of two in sequence."""
    if entry.get("synchronization") is None:
        if services > 1:
            raise reading.refuse(field, None, f"is missing, but {services} services are required")
        return None, (0.0, 0.0)
    sync = reading.only(entry["synchronization"], field, ("type",), ("distance",))
    kind = sync["type"]
    if not any(kind == known for known in _SYNCHRONIZED):
        raise reading.refuse(f"{field}.type", kind, "is not simultaneous, sequential or independent")
    if services == 1:
        raise reading.refuse(field, kind, "belongs to several services, but one is required")
    if kind != "sequential":
        if sync.get("distance") not in (None, [0, 0]):
            raise reading.refuse(f"{field}.distance", sync["distance"], f"means nothing where services are {kind}")
        return kind, (0.0, 0.0)
    if services != 2:
        raise reading.refuse(field, services, "services in sequence are not understood, only 2 are")
    return kind, reading.window(reading.fields(sync, field, "distance")["distance"], f"{field}.distance")


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
