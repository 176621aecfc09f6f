"""VRPLIB files with the keys PyVRP knows for time windows: vehicles with capacities, allowed clients and longest days.

Distances and durations are the same and rounded to thousandths, as behind the best-known values of these sets.
"""

from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct

from dispatch.formats.instance import Instance, drop_waiting, starts_of, travelled
from dispatch.formats.reading import MOST_PLACES, MOST_WORKERS, Reading
from dispatch.plan import Plan
from dispatch.problem import Problem, Seat, Shift, Visit, Worker

_UNIT = 1000
_DROP = 10**9  # and at least so many of the longest way: more than any detour
_DETOUR = 4
_MOST_TIME = 10**7  # in the file's unit, so that a day in thousandths stays far below the search's infinity
_FARTHEST = 5 * 10**11  # thousandths, half of that infinity
_SETTINGS: Final[dict[str, frozenset[str]]] = {  # values that mean nothing more than what is done anyway
    "NODE_COORD_TYPE": frozenset({"TWOD_COORDS"}),
    "DISPLAY_DATA_TYPE": frozenset({"COORD_DISPLAY", "TWOD_DISPLAY", "NO_DISPLAY"}),
}
_NEEDED: Final[dict[str, tuple[str, ...]]] = {  # by type, the sections without which a file is cut
    "CVRP": ("DEMAND_SECTION",),
    "VRPTW": ("TIME_WINDOW_SECTION",),
    "CVRPTW": ("DEMAND_SECTION", "TIME_WINDOW_SECTION"),
    "SDVRPTW": ("VEHICLES_ALLOWED_CLIENTS_SECTION", "TIME_WINDOW_SECTION"),
}
_EITHER: Final = ("CAPACITY", "SERVICE_TIME", "VEHICLES_MAX_DURATION")  # one figure for all, or a section
_VALUES: Final = (
    "NAME", "COMMENT", "TYPE", "DIMENSION", "VEHICLES", "EDGE_WEIGHT_TYPE", "EDGE_WEIGHT_FORMAT", *_EITHER, *_SETTINGS,
)  # fmt: skip
_SECTIONS: Final = (
    "NODE_COORD_SECTION", "EDGE_WEIGHT_SECTION", "DEMAND_SECTION", "LINEHAUL_SECTION", "DEPOT_SECTION",
    "TIME_WINDOW_SECTION", "VEHICLES_ALLOWED_CLIENTS_SECTION", *(f"{key}_SECTION" for key in _EITHER),
)  # fmt: skip


class _File(Struct):
    """A file taken apart: single values, and the lines of each section as (line number, text)."""

    values: dict[str, str]
    sections: dict[str, list[tuple[int, str]]]


def read_vrplib(path: Path) -> Instance:
    """A day of one depot in VRPLIB form; its objective is the distance. Raises InstanceError."""
    reading = Reading(path)
    file = _apart(reading)
    _agrees(reading, file)
    size = _count(reading, file, "DIMENSION", least=2, most=MOST_PLACES)
    fleet = _count(reading, file, "VEHICLES", least=1, most=MOST_WORKERS) if "VEHICLES" in file.values else size - 1
    matrix = _matrix(reading, file, size)
    demand = "LINEHAUL_SECTION" if "LINEHAUL_SECTION" in file.sections else "DEMAND_SECTION"
    load = [reading.whole(x or 0, demand) for x in _column(reading, file, demand, size)]
    service = _ticks(reading, _column(reading, file, "SERVICE_TIME_SECTION", size), "SERVICE_TIME")
    for key, asked in ((demand, load), ("SERVICE_TIME_SECTION", service)):
        if asked[0] and key in file.sections:
            raise reading.refuse(key, asked[0], "is not 0 at the depot")
    windows = _windows(reading, file, matrix, [busy or 0 for busy in service])
    capacity = [
        None if x is None else reading.whole(x, "CAPACITY")
        for x in _column(reading, file, "CAPACITY_SECTION", fleet)
    ]  # fmt: skip
    longest = _ticks(reading, _column(reading, file, "VEHICLES_MAX_DURATION_SECTION", fleet), "VEHICLES_MAX_DURATION")
    barred = _barred(reading, file, size, fleet)
    visits = tuple(
        Visit(
            str(n + 1), n, (Seat(frozenset(), service[n] or 0),), *windows[n], refused_workers=barred[n],
            drop_penalty=max(_DROP, _DETOUR * int(matrix.max())), load=load[n],
        )
        for n in range(1, size)
    )  # fmt: skip
    workers = tuple(
        Worker(
            id=str(v + 1), provider="depot", skills=frozenset(), start_place=0, end_place=0, shifts=(Shift(*windows[0]),),
            capacity=capacity[v], max_span_s=longest[v],
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
        name=file.values.get("NAME") or path.name, form="vrplib", problem=problem, judged=problem, unit=_UNIT,
        names={(visit.id, 0): (visit.id, "delivery") for visit in visits}, settle=settle,
        objective=lambda plan, _: travelled(problem, plan) / _UNIT, points=points,
    )  # fmt: skip


def _apart(reading: Reading) -> _File:
    """Every line of the file belongs to a key or a section that is known, stands once and ends before EOF."""
    file = _File({}, {})
    section: list[tuple[int, str]] | None = None
    ended = False
    for number, line in reading.lines():
        at = f"line {number}"
        key, colon, rest = (part.strip() for part in line.partition(":"))
        key = key.upper()
        if ended:
            raise reading.refuse(at, line, "stands behind EOF")
        if line.startswith("#"):
            continue
        ended = line.upper() == "EOF"
        if key in _SECTIONS and not rest:
            if key in file.sections:
                raise reading.refuse(at, key, "appears twice")
            section = file.sections[key] = []
        elif key.endswith("_SECTION") or (colon and key not in _VALUES):
            raise reading.unknown(at, line, (*_VALUES, *_SECTIONS))
        elif colon:
            if key in file.values and key != "COMMENT":
                raise reading.refuse(at, key, "appears twice")
            file.values[key], section = rest, None
        elif section is not None and not ended:
            section.append((number, line))
        elif not ended:
            raise reading.refuse(at, line, "belongs to no section")
    if not ended:
        raise reading.refuse("EOF", None, "is missing, so the file may have been cut")
    return file


def _agrees(reading: Reading, file: _File) -> None:
    """The type is known and has what it needs; nothing is said in two ways; the only depot is the first place."""
    kind = _value(reading, file, "TYPE").upper()
    if kind not in _NEEDED:
        raise reading.unknown("TYPE", kind, _NEEDED)
    for key in _NEEDED[kind]:
        if key not in file.sections and not (key == "DEMAND_SECTION" and "LINEHAUL_SECTION" in file.sections):
            raise reading.refuse(key, None, f"is missing, which {kind} needs")
    for key, known in _SETTINGS.items():
        if key in file.values and file.values[key].upper() not in known:
            raise reading.unknown(key, file.values[key], sorted(known))
    twice = [(key, f"{key}_SECTION") for key in _EITHER if key in file.values]
    for one, other in (*twice, ("DEMAND_SECTION", "LINEHAUL_SECTION")):
        if (one in file.values or one in file.sections) and other in file.sections:
            raise reading.refuse(one, other, "says the same once more; one of the two is needed")
    asked = file.sections.keys() & {"DEMAND_SECTION", "LINEHAUL_SECTION"}
    held = "CAPACITY" in file.values or "CAPACITY_SECTION" in file.sections
    if bool(asked) != held:
        raise reading.refuse("DEMAND_SECTION" if held else "CAPACITY", None, "is missing, the other is there")
    depots = " ".join(line for _, line in file.sections.get("DEPOT_SECTION", [(0, "1 -1")])).split()
    if depots not in (["1"], ["1", "-1"]):
        raise reading.refuse("DEPOT_SECTION", " ".join(depots), "is not 1 and -1: the only depot is the first place")


def _value(reading: Reading, file: _File, key: str) -> str:
    if key not in file.values:
        raise reading.refuse(key, None, "is missing")
    return file.values[key]


def _count(reading: Reading, file: _File, key: str, *, least: int, most: int) -> int:
    found = reading.whole(reading.figure(_value(reading, file, key), key), key, least=least)
    return reading.crowd(found, key, most)


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


def _column(reading: Reading, file: _File, key: str, size: int) -> list[float | None]:
    """One figure for each, from its section or from the value that holds for all; None where neither is there."""
    if key in file.sections:
        return [row[0] for row in _table(reading, file, key, size, 1)]
    name = key.removesuffix("_SECTION")
    return [reading.figure(file.values[name], name) if name in file.values else None] * size


def _ticks(reading: Reading, figures: list[float | None], field: str) -> list[int | None]:
    return [
        None if x is None else reading.ticks(reading.number(x, field, most=_MOST_TIME), field, _UNIT) for x in figures
    ]


def _windows(reading: Reading, file: _File, matrix: np.ndarray, service: list[int]) -> list[tuple[int, int]]:
    """First and last starts; without a section nothing is ever too late, however long the routes."""
    key = "TIME_WINDOW_SECTION"
    if key not in file.sections:
        longest = int(matrix.max(axis=1).sum(dtype=np.int64)) + sum(service)
        if longest > _FARTHEST:
            raise reading.refuse(
                "EDGE_WEIGHT_TYPE", longest // _UNIT, "may be the length of a route, which is too long"
            )
        return [(0, longest)] * len(matrix)
    rows = _table(reading, file, key, len(matrix), 2)
    for n, row in enumerate(rows, 1):
        reading.window(row, f"{key} {n}")
        reading.number(row[1], f"{key} {n}", most=_MOST_TIME)
    return [
        (reading.ticks(first, f"{key} {n}", _UNIT), reading.ticks(last, f"{key} {n}", _UNIT))
        for n, (first, last) in enumerate(rows, 1)
    ]


def _matrix(reading: Reading, file: _File, size: int) -> np.ndarray:
    kind = _value(reading, file, "EDGE_WEIGHT_TYPE").upper()
    form = file.values.get("EDGE_WEIGHT_FORMAT", "").upper()
    weights = file.sections.get("EDGE_WEIGHT_SECTION")
    if kind == "EUC_2D" and "NODE_COORD_SECTION" in file.sections and weights is None and form in {"", "FUNCTION"}:
        points = np.asarray(_table(reading, file, "NODE_COORD_SECTION", size, 2, least=-(10**6)))
        apart = np.hypot(points[:, None, 0] - points[None, :, 0], points[:, None, 1] - points[None, :, 1])
        return reading.ways(np.rint(apart * _UNIT), "NODE_COORD_SECTION")
    if kind == "EXPLICIT" and form == "FULL_MATRIX" and weights is not None:
        words = [word for _, line in weights for word in line.split()]
        if len(words) != size * size:
            raise reading.refuse("EDGE_WEIGHT_SECTION", len(words), f"weights, but {size * size} are needed")
        cells = [reading.figure(word, "EDGE_WEIGHT_SECTION") for word in words]
        ticks = [reading.ticks(cell, "EDGE_WEIGHT_SECTION", _UNIT) for cell in cells]
        return reading.ways(np.asarray(ticks, dtype=float).reshape(size, size), "EDGE_WEIGHT_SECTION")
    raise reading.refuse(
        "EDGE_WEIGHT_TYPE",
        f"{kind} {form}".strip(),
        "is not EUC_2D of coordinates or EXPLICIT with a FULL_MATRIX alone",
    )


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
        words = line.split()
        first, *clients = (reading.whole(reading.figure(word, field), field, least=1, below=10**6) for word in words)
        if first != vehicle:
            raise reading.refuse(field, first, f"should be vehicle {vehicle}")
        reading.once((f"{client}" for client in clients), field)
        allowed = {reading.whole(client, field, least=2, below=size + 1) - 1 for client in clients}
        for n in set(range(size)) - allowed:
            barred[n].add(str(vehicle))
    return [frozenset(vehicles) for vehicles in barred]
