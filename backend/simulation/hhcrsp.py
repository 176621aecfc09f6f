"""Days of home care in the HHCRSP form: patients with windows and services, caregivers with abilities, a travel matrix."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from backend.simulation.instances import (
    HOUR_S,
    MOST_OF_A_MAP,
    CareWorker,
    Demand,
    Gap,
    Instance,
    InstanceError,
    Point,
    Reading,
    SeatNeed,
)  # fmt: skip

_SHIFT_S: Final = 23 * HOUR_S  # the files know no shifts: everybody may serve as late as the plan's day allows
_LATEST_S: Final = 21 * HOUR_S
_CREW_LIMIT: Final = 4
_REQUIRED: Final = ("required_caregivers", "required_services")  # one thing under its old and its new name
_PLACED: Final = ("location", "distance_matrix_index")
_STARTS: Final = ("departing_point", "starting_point_id")
_MAY: Final = ("name", "area", "services", "central_offices", "departing_points")


def files(path: Path) -> list[Path]:
    """The files a path stands for: itself, or every .json and .json.gz in a folder."""
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if p.name.endswith((".json", ".json.gz")))
    if not found:
        raise InstanceError(path, "folder", path.name, "holds no .json or .json.gz file")
    return found


def parse(path: Path) -> Instance:
    """Read and check one file. Raises InstanceError."""
    reading = Reading(path)
    top = reading.json("patients", "caregivers", "distances", may=_MAY)
    office = _office(reading, top)
    patients = reading.items(top["patients"], "patients", at_least=1)
    caregivers = reading.items(top["caregivers"], "caregivers", at_least=1)
    durations = _default_durations(reading, top)
    places = tuple(
        _point(reading, place, f"{kind}[{i}]")
        for kind, known in (("central_offices", [office]), ("patients", patients))
        for i, place in enumerate(known)
    )
    workers = tuple(_worker(reading, c, f"caregivers[{i}]", office, durations) for i, c in enumerate(caregivers))
    reading.once([worker.id for worker in workers], "caregivers.id")
    reading.once([str(p.get("id")) for p in patients], "patients.id")
    demands = tuple(
        demand
        for i, patient in enumerate(patients)
        for demand in _patient(reading, patient, f"patients[{i}]", 1 + i, durations)
    )
    reading.once([demand.id for demand in demands], "patients.id, with the numbers of their services")
    for demand in demands:
        for refused in demand.refused:
            reading.one_of(refused, f"incompatible_caregivers of {demand.id}", [worker.id for worker in workers])
    name = path.name.removesuffix(".gz").removesuffix(".json")
    return Instance(
        name=name, form="hhcrsp", places=places, workers=workers, demands=demands,
        matrix=_matrix(reading, top["distances"], _order(reading, [office, *patients])),
    )  # fmt: skip


def _office(reading: Reading, top: dict[str, Any]) -> dict[str, Any]:
    """The one office, under its old or its new name; with several, distances would belong to different ones."""
    if "central_offices" in top and "departing_points" in top:
        raise reading.refuse("departing_points", len(top["departing_points"]), "stand beside central_offices")
    key = "departing_points" if "departing_points" in top else "central_offices"
    (office, *more) = reading.items(top.get(key, [{}]), key, at_least=1)
    if more:
        raise reading.refuse(key, 1 + len(more), "offices, but everybody starts at one")
    return reading.only(office, f"{key}[0]", (), ("id", *_PLACED))


def _order(reading: Reading, entries: list[dict[str, Any]]) -> list[int]:
    """The row of the matrix of the office and of each patient: what the file says, else their order."""
    key = "distance_matrix_index"
    rows = [entry.get(key) for entry in entries]
    if all(row is None for row in rows):
        return list(range(len(rows)))
    if rows[0] is None:  # files of the toolbox number patients only, behind the office
        rows[0] = 0
    found: list[int] = []
    for row in rows:
        if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < len(rows):
            raise reading.refuse(key, row, f"is not a row of the {len(rows)}")
        found.append(row)
    reading.once([str(row) for row in found], key)
    return found


def _default_durations(reading: Reading, top: Mapping[str, Any]) -> dict[str, float | None] | None:
    """The usual minutes of every service; None where the file does not list services."""
    if "services" not in top:
        return None
    found: dict[str, float | None] = {}
    for i, service in enumerate(reading.items(top["services"], "services")):
        entry = reading.only(service, f"services[{i}]", ("id",), ("type", "default_duration"))
        identity = reading.text(entry["id"], f"services[{i}].id")
        if identity in found:
            raise reading.refuse("services.id", identity, "appears twice")
        usual = entry.get("default_duration")
        found[identity] = None if usual is None else reading.number(usual, f"services[{i}].default_duration")
    return found


def _point(reading: Reading, place: Any, field: str) -> Point:
    location = reading.fields(place, field).get("location")
    if location is None:
        return Point(0.0, 0.0)
    pair = reading.items(location, f"{field}.location", exactly=2)
    numbers = (reading.number(entry, f"{field}.location[{i}]", size=MOST_OF_A_MAP) for i, entry in enumerate(pair))
    return Point(*map(float, numbers))


def _worker(
    reading: Reading, caregiver: Any, field: str, office: dict[str, Any], services: Mapping[str, Any] | None
) -> CareWorker:
    entry = reading.only(caregiver, field, ("id", "abilities"), ("working_shift", "distance_matrix_index", *_STARTS))
    if entry.get("distance_matrix_index") not in (None, office.get("distance_matrix_index", 0)):
        raise reading.refuse(
            f"{field}.distance_matrix_index", entry["distance_matrix_index"], "is not the office's row"
        )
    for key in _STARTS:
        if key in entry and entry[key] != office.get("id"):
            raise reading.refuse(f"{field}.{key}", entry[key], "is not the office of the file")
    on, off = 0, _SHIFT_S
    if entry.get("working_shift") is not None:
        on, off = _seconds(reading, entry["working_shift"], f"{field}.working_shift")
    skills = [
        _listed(reading, reading.text(skill, f"{field}.abilities[{i}]"), f"{field}.abilities[{i}]", services)
        for i, skill in enumerate(reading.items(entry["abilities"], f"{field}.abilities"))
    ]
    return CareWorker(
        id=reading.text(entry["id"], f"{field}.id"), skills=tuple(skills), start=0, end=0, on_s=on, off_s=off
    )  # fmt: skip


def _seconds(reading: Reading, value: Any, field: str) -> tuple[int, int]:
    """A window of minutes in whole seconds: what is finer is refused, because it would be cut."""
    first, last = (minutes * 60 for minutes in reading.window(value, field))
    for instant in (first, last):
        if abs(instant - round(instant)) > 1e-6:
            raise reading.refuse(field, value, "is finer than a second")
    return round(first), round(last)


def _listed(reading: Reading, service: str, field: str, services: Mapping[str, Any] | None) -> str:
    """A service: one of those listed, where the file lists them."""
    return service if services is None else reading.one_of(service, field, list(services))


def _patient(
    reading: Reading, patient: Any, field: str, place: int, durations: Mapping[str, float | None] | None
) -> list[Demand]:
    entry = reading.only(
        patient, field, ("id", "time_window"), (*_REQUIRED, "synchronization", "incompatible_caregivers", *_PLACED)
    )
    identity = reading.text(entry["id"], f"{field}.id")
    first, last = _seconds(reading, entry["time_window"], f"{field}.time_window")
    if last > _LATEST_S:
        raise reading.refuse(f"{field}.time_window", entry["time_window"], "ends more than 21 hours after minute 0")
    key = next((key for key in _REQUIRED if key in entry), _REQUIRED[0])
    if all(key in entry for key in _REQUIRED):
        raise reading.refuse(f"{field}.{_REQUIRED[1]}", len(entry), f"stands beside {_REQUIRED[0]}")
    required = reading.items(reading.fields(entry, field, key)[key], f"{field}.{key}", at_least=1)
    seats = [_seat(reading, seat, f"{field}.{key}[{i}]", durations) for i, seat in enumerate(required)]
    barred = entry.get("incompatible_caregivers")
    refused = tuple(
        reading.text(worker, f"{field}.incompatible_caregivers")
        for worker in reading.items([] if barred is None else barred, f"{field}.incompatible_caregivers")
    )

    def demand(identity_of: str, crew: list[SeatNeed], gap: Gap | None = None) -> Demand:
        return Demand(
            id=identity_of, resident=identity, place=place, item=_item(crew), kind="care", seats=tuple(crew),
            from_s=first, to_s=last, latest_s=_LATEST_S, booked_s=None, gap=gap, refused=refused,
        )  # fmt: skip

    together = entry.get("synchronization")
    at = f"{field}.synchronization"
    if together is None:
        if len(seats) > 1:
            raise reading.refuse(at, None, f"is missing, but {len(seats)} services are required")
        return [demand(identity, seats)]
    sync = reading.only(together, at, ("type",), ("distance",))
    kind = reading.one_of(sync["type"], f"{at}.type", ("simultaneous", "sequential", "independent"))
    if len(seats) == 1:
        raise reading.refuse(at, kind, "belongs to several services, but one is required")
    if kind != "sequential" and sync.get("distance") not in (None, [0, 0]):
        raise reading.refuse(f"{at}.distance", sync["distance"], f"means nothing where services are {kind}")
    if kind == "simultaneous":
        if len(seats) > _CREW_LIMIT:
            raise reading.refuse(f"{field}.{key}", len(seats), f"a crew has at most {_CREW_LIMIT}")
        return [demand(identity, seats)]
    if kind == "independent":
        return [demand(f"{identity}.{i + 1}", [seat]) for i, seat in enumerate(seats)]
    gap = _seconds(reading, reading.fields(sync, at, "distance")["distance"], f"{at}.distance")
    return [
        demand(f"{identity}.{i + 1}", [seat], Gap(f"{identity}.{i}", *gap) if i else None)
        for i, seat in enumerate(seats)
    ]


def _seat(reading: Reading, seat: Any, field: str, durations: Mapping[str, float | None] | None) -> SeatNeed:
    entry = reading.only(seat, field, ("service",), ("duration",))
    service = reading.text(entry["service"], f"{field}.service")
    minutes = (durations or {}).get(service) if entry.get("duration") is None else entry["duration"]
    if minutes is None:
        raise reading.refuse(f"{field}.duration", None, "is missing and the service has no default")
    lasts = math.ceil(round(reading.number(minutes, f"{field}.duration", above=0) * 60, 6))
    return SeatNeed(_listed(reading, service, f"{field}.service", durations), lasts)


def _item(crew: list[SeatNeed]) -> str:
    return "care-" + "-".join(f"{seat.skill}-{seat.duration_s}" for seat in crew)


def _matrix(reading: Reading, rows: Any, order: list[int]) -> tuple[tuple[int, ...], ...]:
    listed = reading.items(rows, "distances", exactly=len(order))
    cells = [
        [
            math.ceil(round(reading.number(cell, f"distances[{i}][{j}]", at_least=0) * 60, 6))
            for j, cell in enumerate(reading.items(row, f"distances[{i}]", exactly=len(order)))
        ]
        for i, row in enumerate(listed)
    ]
    return tuple(tuple(cells[a][b] for b in order) for a in order)
