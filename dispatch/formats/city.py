"""Days of a made-up city: bases, workers with skills, visits for one or more, hard windows, metres at 5 m/s."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from dispatch.cost import plan_cost
from dispatch.formats.instance import Instance, starts_of
from dispatch.formats.reading import MOST_WORKERS, Reading
from dispatch.problem import Problem, Seat, Shift, Visit, Worker

_METRES_A_SECOND = 5
_CREW_LIMIT = 4
_TRAVEL: Final = "round((|dx| + |dy|) / 5 m/s) seconds, coordinates in metres; crew members start together"


def read_city(path: Path) -> Instance:
    """A city day; its objective is travel seconds and a penalty for every visit dropped. Raises InstanceError."""
    reading = Reading(path)
    day = reading.only(
        reading.json(), "file", ("bases", "workers", "visits", "shift_s", "drop_penalty_s"), ("name", "travel")
    )
    if day.get("travel", _TRAVEL) != _TRAVEL:
        raise reading.refuse("travel", day["travel"], f"is not the only way to travel understood: {_TRAVEL}")
    bases = [
        [reading.number(at, f"bases[{i}]", least=-(10**7)) for at in reading.items(base, f"bases[{i}]", exactly=2)]
        for i, base in enumerate(reading.items(day["bases"], "bases", least=1))
    ]
    shift = Shift(*_whole_window(reading, day["shift_s"], "shift_s"))
    penalty = reading.whole(day["drop_penalty_s"], "drop_penalty_s")
    entries = reading.items(day["visits"], "visits", least=1)
    reading.crowd(len(bases) + len(entries), "bases, visits")
    reading.crowd(len(reading.items(day["workers"], "workers", least=1)), "workers", MOST_WORKERS)
    workers = tuple(
        _worker(reading, worker, f"workers[{i}]", len(bases), shift) for i, worker in enumerate(day["workers"])
    )
    points = np.asarray([*bases, *(_point(reading, visit, f"visits[{i}]") for i, visit in enumerate(entries))])
    metres = np.abs(points[:, None, 0] - points[None, :, 0]) + np.abs(points[:, None, 1] - points[None, :, 1])
    matrix = reading.ways(np.rint(metres / _METRES_A_SECOND), "visits.x, visits.y")
    visits = tuple(_visit(reading, visit, f"visits[{i}]", len(bases) + i, penalty) for i, visit in enumerate(entries))
    reading.once((worker.id for worker in workers), "workers.id")
    reading.once((visit.id for visit in visits), "visits.id")
    problem = Problem(workers=workers, visits=visits, travel={"car": matrix})
    services = {visit.id: entry["service"] for visit, entry in zip(visits, entries, strict=True)}
    return Instance(
        name=reading.label(day.get("name", path.name), "name"), form="city", problem=problem, judged=problem, unit=1,
        names={(visit.id, seat): (visit.id, services[visit.id]) for visit in visits for seat in range(len(visit.seats))},
        settle=lambda plan: (plan, starts_of(plan, 1)),
        objective=lambda plan, _: plan_cost(problem, plan),
        points=tuple((float(x), float(y)) for x, y in points),
    )  # fmt: skip


def _whole_window(reading: Reading, value: Any, field: str) -> tuple[int, int]:
    first, last = reading.window(value, field)
    return reading.whole(first, field), reading.whole(last, field)


def _entry(reading: Reading, value: Any, field: str) -> dict[str, Any]:
    return reading.only(value, field, ("id", "x", "y", "service", "crew", "duration_s", "window_s"))


def _point(reading: Reading, value: Any, field: str) -> list[float]:
    visit = _entry(reading, value, field)
    return [reading.number(visit[axis], f"{field}.{axis}", least=-(10**7)) for axis in ("x", "y")]


def _worker(reading: Reading, value: Any, field: str, bases: int, shift: Shift) -> Worker:
    worker = reading.only(value, field, ("id", "base", "skills"))
    base = reading.whole(worker["base"], f"{field}.base", below=bases)
    return Worker(
        id=reading.label(worker["id"], f"{field}.id"), provider="city",
        skills=reading.labels(worker["skills"], f"{field}.skills"), start_place=base, end_place=base, shifts=(shift,),
    )  # fmt: skip


def _visit(reading: Reading, value: Any, field: str, place: int, penalty: int) -> Visit:
    visit = _entry(reading, value, field)
    service = reading.label(visit["service"], f"{field}.service")
    crew = reading.whole(visit["crew"], f"{field}.crew", least=1, below=_CREW_LIMIT + 1)
    seat = Seat(frozenset({service}), reading.whole(visit["duration_s"], f"{field}.duration_s"))
    first, last = _whole_window(reading, visit["window_s"], f"{field}.window_s")
    return Visit(
        reading.label(visit["id"], f"{field}.id"), place, (seat,) * crew, first, last, drop_penalty=penalty
    )  # fmt: skip
