"""Solomon's and Gehring and Homberger's days: one depot, equal vehicles, hard windows.

The DIMACS convention: distances are truncated to one decimal and summed; the number of vehicles does not count.
"""

from pathlib import Path
from typing import Final

import numpy as np

from dispatch.formats.instance import Instance, starts_of, travelled
from dispatch.formats.reading import MOST_WORKERS, Reading
from dispatch.problem import Problem, Seat, Shift, Visit, Worker

_UNIT = 10  # a tenth is the smallest distance
_DROP = 10**7  # and at least so many of the longest way: more than any detour
_DETOUR = 4
_FLEET: Final = "NUMBER CAPACITY"
_COLUMNS: Final = "CUST NO. XCOORD. YCOORD. DEMAND READY TIME DUE DATE SERVICE TIME"
_FORM: Final = f"a name, VEHICLE, {_FLEET}, one line of both, CUSTOMER, {_COLUMNS}, and the rows"

Lines = list[tuple[int, str]]


def read_solomon(path: Path) -> Instance:
    """Vehicles and capacity, then rows of number, x, y, demand, ready, due and service. Raises InstanceError."""
    reading = Reading(path)
    name, (number, fleet_line), table = _apart(reading, reading.lines())
    fleet_field = f"line {number} vehicles and capacity"
    fleet, capacity = (reading.whole(x, fleet_field, least=1) for x in reading.numbers(fleet_line, fleet_field, 2))
    reading.crowd(fleet, fleet_field, MOST_WORKERS)
    reading.crowd(len(table), "CUSTOMER")
    rows = [reading.numbers(line, f"line {n} customer", 7, least=-(10**6)) for n, line in table]
    if len(rows) < 2:
        raise reading.refuse("CUSTOMER", len(rows), "rows are too few for a depot and a customer")
    _sensible(reading, rows)
    points = np.asarray([row[1:3] for row in rows], dtype=float)
    apart = np.hypot(*(points[:, None, axis] - points[None, :, axis] for axis in (0, 1)))
    matrix = reading.ways(np.floor(_UNIT * apart + 1e-9), "XCOORD., YCOORD.")
    times = [
        tuple(reading.ticks(row[column], f"customer {n} {what}", _UNIT) for column, what in _TIMES)
        for n, row in enumerate(rows)
    ]
    visits = tuple(
        Visit(
            str(n),
            n,
            (Seat(frozenset(), busy),),
            ready,
            due,
            drop_penalty=max(_DROP, _DETOUR * int(matrix.max())),
            load=int(rows[n][3]),
        )
        for n, (ready, due, busy) in enumerate(times)
        if n
    )
    workers = tuple(
        Worker(
            id=str(n + 1), provider="depot", skills=frozenset(), start_place=0, end_place=0,
            shifts=(Shift(times[0][0], times[0][1]),), capacity=capacity,
        )
        for n in range(fleet)
    )  # fmt: skip
    problem = Problem(workers=workers, visits=visits, travel={"car": matrix})
    return Instance(
        name=name or path.name, form="solomon", problem=problem, judged=problem, unit=_UNIT,
        names={(visit.id, 0): (visit.id, "delivery") for visit in visits},
        settle=lambda plan: (plan, starts_of(plan, _UNIT)),
        objective=lambda plan, _: travelled(problem, plan) / _UNIT,
        points=tuple((row[1], row[2]) for row in rows),
    )  # fmt: skip


_TIMES: Final = ((4, "ready"), (5, "due"), (6, "service"))


def _letters(line: str) -> str:
    """A title without its spaces and dots, which every author sets differently."""
    return "".join(c for c in line.upper() if c.isalpha())


def _apart(reading: Reading, lines: Lines) -> tuple[str, tuple[int, str], Lines]:
    """The name, the line of the fleet and the rows; every other line must be the title that belongs there."""
    name = "" if _letters(lines[0][1]) == "VEHICLE" else lines[0][1]
    rest = lines[1:] if name else lines
    titles = {0: "VEHICLE", 1: _FLEET, 3: "CUSTOMER", 4: _COLUMNS}
    if len(rest) > 2 and _letters(rest[2][1]) == "CUSTOMER":
        raise reading.refuse("VEHICLE", 0, "lines of number and capacity, not 1")
    for at, title in titles.items():
        number, found = rest[at] if at < len(rest) else (lines[-1][0], "the end")
        if _letters(found) != _letters(title):
            raise reading.refuse(title, f"line {number}: {found}", f"stands there instead; the form is {_FORM}")
    return name, rest[2], rest[5:]


def _sensible(reading: Reading, rows: list[list[float]]) -> None:
    """Numbers from 0 in order, whole demands, windows in order; a depot asks for nothing."""
    for n, row in enumerate(rows):
        field = f"customer {row[0]:g}"
        if row[0] != n:
            raise reading.refuse("CUST NO.", f"{row[0]:g}", f"stands where {n} should")
        reading.whole(row[3], f"{field} demand")
        reading.window(row[4:6], f"{field} window")
        reading.number(row[6], f"{field} service")
    if rows[0][3] or rows[0][6]:
        raise reading.refuse("customer 0 demand, service", f"{rows[0][3]:g}, {rows[0][6]:g}", "is not 0 at the depot")
