"""Days of home care in the HHCRSP form: patients with windows and services, caregivers with abilities, a travel matrix."""

import json
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
    read_text,
)  # fmt: skip

_SHIFT_S: Final = 23 * HOUR_S  # the files know no shifts: everybody may serve as late as the plan's day allows
_LATEST_S: Final = 21 * HOUR_S
_CREW_LIMIT: Final = 4


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
    try:
        raw = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise reading.refuse(f"line {error.lineno} column {error.colno}", error.msg, "is not JSON") from error
    top = reading.fields(raw, "", "patients", "caregivers", "distances")
    offices = reading.items(top.get("central_offices", [{}]), "central_offices", at_least=1)
    patients = reading.items(top["patients"], "patients", at_least=1)
    caregivers = reading.items(top["caregivers"], "caregivers", at_least=1)
    durations = _default_durations(reading, top)
    places = tuple(
        _point(reading, place, f"{kind}[{i}]")
        for kind, known in (("central_offices", offices), ("patients", patients))
        for i, place in enumerate(known)
    )
    workers = tuple(_worker(reading, c, f"caregivers[{i}]") for i, c in enumerate(caregivers))
    _once(reading, [worker.id for worker in workers], "caregivers")
    _once(reading, [str(p.get("id")) for p in patients if isinstance(p, dict)], "patients")
    demands = tuple(
        demand
        for i, patient in enumerate(patients)
        for demand in _patient(reading, patient, f"patients[{i}]", len(offices) + i, durations)
    )
    name = path.name.removesuffix(".gz").removesuffix(".json")
    return Instance(
        name=name, form="hhcrsp", places=places, workers=workers, demands=demands,
        matrix=_matrix(reading, top["distances"], len(places)),
    )  # fmt: skip


def _once(reading: Reading, ids: list[str], field: str) -> None:
    seen: set[str] = set()
    for identity in ids:
        if identity in seen:
            raise reading.refuse(f"{field}.id", identity, "appears twice")
        seen.add(identity)


def _default_durations(reading: Reading, top: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for i, service in enumerate(reading.items(top.get("services", []), "services")):
        entry = reading.fields(service, f"services[{i}]", "id")
        if "default_duration" in entry:
            field = f"services[{i}].default_duration"
            found[reading.text(entry["id"], f"services[{i}].id")] = reading.number(entry["default_duration"], field)
    return found


def _point(reading: Reading, place: Any, field: str) -> Point:
    location = reading.fields(place, field).get("location")
    if location is None:
        return Point(0.0, 0.0)
    pair = reading.items(location, f"{field}.location", exactly=2)
    numbers = (reading.number(entry, f"{field}.location[{i}]", size=MOST_OF_A_MAP) for i, entry in enumerate(pair))
    return Point(*map(float, numbers))


def _worker(reading: Reading, caregiver: Any, field: str) -> CareWorker:
    entry = reading.fields(caregiver, field, "id", "abilities")
    on, off = 0.0, _SHIFT_S / 60
    if entry.get("working_shift") is not None:
        on, off = reading.window(entry["working_shift"], f"{field}.working_shift")
    skills = [
        reading.text(skill, f"{field}.abilities[{i}]")
        for i, skill in enumerate(reading.items(entry["abilities"], f"{field}.abilities"))
    ]
    return CareWorker(
        id=reading.text(entry["id"], f"{field}.id"), skills=tuple(skills), start=0, end=0, on_s=round(on * 60),
        off_s=round(off * 60),
    )  # fmt: skip


def _patient(reading: Reading, patient: Any, field: str, place: int, durations: Mapping[str, float]) -> list[Demand]:
    entry = reading.fields(patient, field, "id", "time_window", "required_caregivers")
    identity = reading.text(entry["id"], f"{field}.id")
    first, last = (round(minutes * 60) for minutes in reading.window(entry["time_window"], f"{field}.time_window"))
    if last > _LATEST_S:
        raise reading.refuse(f"{field}.time_window", entry["time_window"], "ends more than 21 hours after minute 0")
    required = reading.items(entry["required_caregivers"], f"{field}.required_caregivers", at_least=1)
    seats = [_seat(reading, seat, f"{field}.required_caregivers[{i}]", durations) for i, seat in enumerate(required)]
    refused = tuple(reading.items(entry.get("incompatible_caregivers") or [], f"{field}.incompatible_caregivers"))

    def demand(identity_of: str, crew: list[SeatNeed], gap: Gap | None = None) -> Demand:
        return Demand(
            id=identity_of, resident=identity, place=place, item=_item(crew), kind="care", seats=tuple(crew),
            from_s=first, to_s=last, latest_s=_LATEST_S, booked_s=None, gap=gap, refused=refused,
        )  # fmt: skip

    together = entry.get("synchronization")
    if len(seats) == 1:
        return [demand(identity, seats)]
    if together is None:
        return [demand(f"{identity}.{i + 1}", [seat]) for i, seat in enumerate(seats)]
    kinds = ("simultaneous", "sequential", "independent")
    kind = reading.one_of(
        reading.fields(together, f"{field}.synchronization", "type")["type"], f"{field}.synchronization.type", kinds
    )
    if kind == "simultaneous":
        if len(seats) > _CREW_LIMIT:
            raise reading.refuse(f"{field}.required_caregivers", len(seats), f"a crew has at most {_CREW_LIMIT}")
        return [demand(identity, seats)]
    if kind == "independent":
        return [demand(f"{identity}.{i + 1}", [seat]) for i, seat in enumerate(seats)]
    distance = reading.fields(together, f"{field}.synchronization", "distance")["distance"]
    low, high = reading.window(distance, f"{field}.synchronization.distance")
    gap = (round(low * 60), round(high * 60))
    return [
        demand(f"{identity}.{i + 1}", [seat], Gap(f"{identity}.{i}", *gap) if i else None)
        for i, seat in enumerate(seats)
    ]


def _seat(reading: Reading, seat: Any, field: str, durations: Mapping[str, float]) -> SeatNeed:
    entry = reading.fields(seat, field, "service")
    service = reading.text(entry["service"], f"{field}.service")
    minutes = entry.get("duration", durations.get(service))
    if minutes is None:
        raise reading.refuse(f"{field}.duration", None, "is missing and the service has no default")
    return SeatNeed(service, math.ceil(reading.number(minutes, f"{field}.duration", above=0) * 60))


def _item(crew: list[SeatNeed]) -> str:
    return "care-" + "-".join(f"{seat.skill}-{seat.duration_s}" for seat in crew)


def _matrix(reading: Reading, rows: Any, size: int) -> tuple[tuple[int, ...], ...]:
    listed = reading.items(rows, "distances", exactly=size)
    return tuple(
        tuple(
            math.ceil(round(reading.number(cell, f"distances[{i}][{j}]", at_least=0) * 60, 6))
            for j, cell in enumerate(reading.items(row, f"distances[{i}]", exactly=size))
        )
        for i, row in enumerate(listed)
    )
