"""VRPLIB files with the keys PyVRP knows for time windows: vehicles with capacities, allowed clients and longest days.

Distances and durations are the same and rounded to thousandths, as behind the best-known values of these sets.
"""

from pathlib import Path

import numpy as np
from msgspec import Struct

from dispatch.formats.instance import Instance, drop_waiting, starts_of, travelled
from dispatch.formats.reading import Reading
from dispatch.plan import Plan
from dispatch.problem import Problem, Seat, Shift, Visit, Worker

_UNIT = 1000
_DROP = 10**9  # more than any detour
_EVER = 10**6  # in the file's unit: the horizon of a depot without a window
_MOST = 100_000  # vehicles or places, so that a slip of the pen cannot ask for a terabyte
_UNKNOWN = (
    "BACKHAUL_SECTION", "MUTUALLY_EXCLUSIVE_GROUP_SECTION", "PRIZE_SECTION", "RELEASE_TIME_SECTION",
    "VEHICLES_MAX_DISTANCE", "VEHICLES_MAX_DISTANCE_SECTION", "VEHICLES_DEPOT_SECTION",
)  # fmt: skip


class _File(Struct):
    """A file taken apart: single values, and the lines of each section as (line number, text)."""

    values: dict[str, str]
    sections: dict[str, list[tuple[int, str]]]


def read_vrplib(path: Path) -> Instance:
    """A day of one depot in VRPLIB form; its objective is the distance. Raises InstanceError."""
    reading = Reading(path)
    file = _apart(reading)
    size = reading.whole(_value(reading, file, "DIMENSION"), "DIMENSION", least=2, below=_MOST)
    fleet = reading.whole(file.values.get("VEHICLES", str(size - 1)), "VEHICLES", least=1, below=_MOST)
    matrix = _matrix(reading, file, size)
    load = _column(
        reading, file, "LINEHAUL_SECTION" if "LINEHAUL_SECTION" in file.sections else "DEMAND_SECTION", size, 0
    )
    service = _column(reading, file, "SERVICE_TIME_SECTION", size, _single(reading, file, "SERVICE_TIME") or 0)
    windows = _windows(reading, file, size)
    capacity = _column(reading, file, "CAPACITY_SECTION", fleet, _single(reading, file, "CAPACITY"))
    longest = _column(
        reading, file, "VEHICLES_MAX_DURATION_SECTION", fleet, _single(reading, file, "VEHICLES_MAX_DURATION")
    )
    barred = _barred(reading, file, size, fleet)
    visits = tuple(
        Visit(
            str(n + 1), n, (Seat(frozenset(), _ticks(service[n])),), _ticks(windows[n][0]), _ticks(windows[n][1]),
            refused_workers=barred[n], drop_penalty=_DROP, load=int(load[n] or 0),
        )
        for n in range(1, size)
    )  # fmt: skip
    workers = tuple(
        Worker(
            id=str(v + 1), provider="depot", skills=frozenset(), start_place=0, end_place=0,
            shifts=(Shift(_ticks(windows[0][0]), _ticks(windows[0][1])),),
            capacity=None if (most := capacity[v]) is None else int(most),
            max_span_s=None if (long := longest[v]) is None else _ticks(long),
        )
        for v in range(fleet)
    )  # fmt: skip
    problem = Problem(workers=workers, visits=visits, travel={"car": matrix})
    limited = any(worker.max_span_s is not None for worker in workers)

    def settle(plan: Plan) -> tuple[Plan, dict[str, tuple[float, ...]]]:
        later = drop_waiting(problem, plan) if limited else plan
        return later, starts_of(later, _UNIT)

    points = None
    if "NODE_COORD_SECTION" in file.sections:
        rows = _table(reading, file, "NODE_COORD_SECTION", size, 2, least=-(10**6))
        points = tuple((row[0], row[1]) for row in rows)
    return Instance(
        name=file.values.get("NAME", path.name), form="vrplib", problem=problem, judged=problem, unit=_UNIT,
        names={(visit.id, 0): (visit.id, "delivery") for visit in visits}, settle=settle,
        objective=lambda plan, _: travelled(problem, plan) / _UNIT, points=points,
    )  # fmt: skip


def _ticks(value: float | None) -> int:
    return round((value or 0) * _UNIT)


def _apart(reading: Reading) -> _File:
    file = _File({}, {})
    section: list[tuple[int, str]] | None = None
    for number, raw in enumerate(reading.text().splitlines(), 1):
        line = raw.strip()
        key = line.split(":")[0].strip().upper()
        if not line or line == "EOF":
            continue
        if key in _UNKNOWN:
            raise reading.refuse(key, line, "is more than this reader understands")
        if key.endswith("_SECTION"):
            section = file.sections.setdefault(key, [])
        elif ":" in line:
            file.values[key], section = line.split(":", 1)[1].strip(), None
        elif section is None:
            raise reading.refuse(f"line {number}", line, "belongs to no section")
        else:
            section.append((number, line))
    return file


def _value(reading: Reading, file: _File, key: str) -> str:
    if key not in file.values:
        raise reading.refuse(key, None, "is missing")
    return file.values[key]


def _single(reading: Reading, file: _File, key: str) -> float | None:
    return reading.number(file.values[key], key) if key in file.values else None


def _table(reading: Reading, file: _File, key: str, size: int, columns: int, least: float = 0) -> list[list[float]]:
    """The values of a section in the order of their numbers, which must run from 1."""
    rows: list[list[float]] = []
    for number, line in file.sections[key]:
        row = reading.numbers(line, f"line {number} {key}", columns + 1, least=least)
        if row[0] != len(rows) + 1:
            raise reading.refuse(f"line {number} {key}", line, f"should begin with {len(rows) + 1}")
        rows.append(row[1:])
    if len(rows) != size:
        raise reading.refuse(key, len(rows), f"lines, but {size} are needed")
    return rows


def _column(reading: Reading, file: _File, key: str, size: int, otherwise: float | None) -> list[float | None]:
    if key not in file.sections:
        return [otherwise] * size
    return [row[0] for row in _table(reading, file, key, size, 1)]


def _windows(reading: Reading, file: _File, size: int) -> list[tuple[float, float]]:
    if "TIME_WINDOW_SECTION" not in file.sections:
        return [(0, _EVER)] * size
    rows = _table(reading, file, "TIME_WINDOW_SECTION", size, 2)
    return [reading.window(row, f"TIME_WINDOW_SECTION {n}") for n, row in enumerate(rows, 1)]


def _matrix(reading: Reading, file: _File, size: int) -> np.ndarray:
    kind = _value(reading, file, "EDGE_WEIGHT_TYPE")
    if kind == "EUC_2D" and "NODE_COORD_SECTION" in file.sections:
        points = np.asarray(_table(reading, file, "NODE_COORD_SECTION", size, 2, least=-(10**6)))
        apart = np.hypot(points[:, None, 0] - points[None, :, 0], points[:, None, 1] - points[None, :, 1])
        return reading.ways(np.rint(apart * _UNIT), "NODE_COORD_SECTION")
    if kind == "EXPLICIT" and file.values.get("EDGE_WEIGHT_FORMAT") == "FULL_MATRIX":
        words = [word for _, line in file.sections.get("EDGE_WEIGHT_SECTION", []) for word in line.split()]
        if len(words) != size * size:
            raise reading.refuse("EDGE_WEIGHT_SECTION", len(words), f"weights, but {size * size} are needed")
        cells = [reading.number(word, "EDGE_WEIGHT_SECTION") for word in words]
        return reading.ways(np.rint(np.asarray(cells).reshape(size, size) * _UNIT), "EDGE_WEIGHT_SECTION")
    raise reading.refuse("EDGE_WEIGHT_TYPE", kind, "is not EUC_2D with coordinates or EXPLICIT with a FULL_MATRIX")


def _barred(reading: Reading, file: _File, size: int, fleet: int) -> list[frozenset[str]]:
    """For every place, the vehicles that may not serve it."""
    key = "VEHICLES_ALLOWED_CLIENTS_SECTION"
    if key not in file.sections:
        return [frozenset()] * size
    lines = file.sections[key]
    if len(lines) != fleet:
        raise reading.refuse(key, len(lines), f"lines, but {fleet} are needed")
    barred: list[set[str]] = [set() for _ in range(size)]
    for vehicle, (number, line) in enumerate(lines, 1):
        field = f"line {number} {key}"
        first, *clients = (reading.whole(word, field, least=1) for word in line.split())
        if first != vehicle:
            raise reading.refuse(field, first, f"should be vehicle {vehicle}")
        allowed = {reading.whole(client, field, least=1, below=size + 1) - 1 for client in clients}
        for n in set(range(size)) - allowed:
            barred[n].add(str(vehicle))
    return [frozenset(vehicles) for vehicles in barred]
