"""Solomon's and Gehring and Homberger's days: one depot, equal vehicles, hard windows.

The DIMACS convention: distances are truncated to one decimal and summed; the number of vehicles does not count.
"""

from pathlib import Path

import numpy as np

from dispatch.formats.instance import Instance, starts_of, travelled
from dispatch.formats.reading import Reading
from dispatch.problem import Problem, Seat, Shift, Visit, Worker

_UNIT = 10  # a tenth is the smallest distance
_DROP = 10**7  # more than any detour


def read_solomon(path: Path) -> Instance:
    """Vehicles and capacity, then rows of number, x, y, demand, ready, due and service. Raises InstanceError."""
    reading = Reading(path)
    lines = [(n, line.strip()) for n, line in enumerate(reading.text().splitlines(), 1) if line.strip()]
    titles = {line.split()[0].upper(): n for n, (_, line) in enumerate(lines) if line.split()[0].isalpha()}
    for title in ("VEHICLE", "CUSTOMER"):
        if title not in titles:
            raise reading.refuse(title, lines[0][1] if lines else "", "is the first line; no such section follows")
    fleet_lines = [(n, line) for n, line in lines[titles["VEHICLE"] : titles["CUSTOMER"]] if line[0].isdigit()]
    if len(fleet_lines) != 1:
        raise reading.refuse("VEHICLE", len(fleet_lines), "lines of number and capacity, not 1")
    number, line = fleet_lines[0]
    fleet, capacity = (int(x) for x in reading.numbers(line, f"line {number} vehicles and capacity", 2, least=1))
    rows = [
        reading.numbers(line, f"line {n} customer", 7, least=-(10**6))
        for n, line in lines[titles["CUSTOMER"] + 1 :]
        if not line[0].isalpha()
    ]
    if len(rows) < 2:
        raise reading.refuse("CUSTOMER", len(rows), "rows are too few for a depot and a customer")
    reading.once((f"{row[0]:g}" for row in rows), "CUST NO.")
    _sensible(reading, rows)
    table = np.asarray(rows, dtype=float)
    apart = np.hypot(table[:, 1, None] - table[None, :, 1], table[:, 2, None] - table[None, :, 2])
    matrix = reading.ways(np.floor(_UNIT * apart + 1e-9), "XCOORD., YCOORD.")
    ready, due, busy = (np.rint(table[:, column] * _UNIT).astype(int).tolist() for column in (4, 5, 6))
    visits = tuple(
        Visit(
            f"{row[0]:g}", n, (Seat(frozenset(), busy[n]),), ready[n], due[n], drop_penalty=_DROP, load=int(row[3])
        )
        for n, row in enumerate(rows)
        if n
    )  # fmt: skip
    workers = tuple(
        Worker(
            id=str(n + 1), provider="depot", skills=frozenset(), start_place=0, end_place=0,
            shifts=(Shift(ready[0], due[0]),), capacity=capacity,
        )
        for n in range(fleet)
    )  # fmt: skip
    problem = Problem(workers=workers, visits=visits, travel={"car": matrix})
    return Instance(
        name=lines[0][1], form="solomon", problem=problem, judged=problem, unit=_UNIT,
        names={(visit.id, 0): (visit.id, "delivery") for visit in visits},
        settle=lambda plan: (plan, starts_of(plan, _UNIT)),
        objective=lambda plan, _: travelled(problem, plan) / _UNIT,
        points=tuple((row[1], row[2]) for row in rows),
    )  # fmt: skip


def _sensible(reading: Reading, rows: list[list[float]]) -> None:
    for row in rows:
        field = f"customer {row[0]:g}"
        reading.whole(row[3], f"{field} demand")
        reading.window(row[4:6], f"{field} window")
        reading.number(row[6], f"{field} service")
