"""Days of a made-up city: bases, workers with skills, visits for one or more, hard windows, metres at 5 m/s."""

from pathlib import Path

import numpy as np

from dispatch.cost import plan_cost
from dispatch.formats.instance import Instance, starts_of
from dispatch.formats.reading import Reading
from dispatch.problem import Problem, Seat, Shift, Visit, Worker

_METRES_A_SECOND = 5
_CREW_LIMIT = 4


def read_city(path: Path) -> Instance:
    """A city day; its objective is travel seconds and a penalty for every visit dropped. Raises InstanceError."""
    reading = Reading(path)
    day = reading.json()
    reading.fields(day, "file", "bases", "workers", "visits", "shift_s", "drop_penalty_s")
    bases = [
        [reading.number(at, f"bases[{i}]", least=-(10**7)) for at in reading.items(base, f"bases[{i}]", exactly=2)]
        for i, base in enumerate(reading.items(day["bases"], "bases", least=1))
    ]
    shift = Shift(*(round(end) for end in reading.window(day["shift_s"], "shift_s")))
    penalty = reading.whole(day["drop_penalty_s"], "drop_penalty_s")
    workers = tuple(
        _worker(reading, worker, f"workers[{i}]", len(bases), shift)
        for i, worker in enumerate(reading.items(day["workers"], "workers", least=1))
    )
    entries = reading.items(day["visits"], "visits", least=1)
    points = np.asarray([*bases, *(_point(reading, visit, f"visits[{i}]") for i, visit in enumerate(entries))])
    metres = np.abs(points[:, None, 0] - points[None, :, 0]) + np.abs(points[:, None, 1] - points[None, :, 1])
    matrix = reading.ways(np.rint(metres / _METRES_A_SECOND), "visits.x, visits.y")
    visits = tuple(_visit(reading, visit, f"visits[{i}]", len(bases) + i, penalty) for i, visit in enumerate(entries))
    reading.once((worker.id for worker in workers), "workers.id")
    reading.once((visit.id for visit in visits), "visits.id")
    problem = Problem(workers=workers, visits=visits, travel={"car": matrix})
    services = {visit.id: entry["service"] for visit, entry in zip(visits, entries, strict=True)}
    return Instance(
        name=str(day.get("name", path.name)), form="city", problem=problem, judged=problem, unit=1,
        names={(visit.id, seat): (visit.id, services[visit.id]) for visit in visits for seat in range(len(visit.seats))},
        settle=lambda plan: (plan, starts_of(plan, 1)),
        objective=lambda plan, _: plan_cost(problem, plan),
        points=tuple((float(x), float(y)) for x, y in points),
    )  # fmt: skip


def _point(reading: Reading, value: object, field: str) -> list[float]:
    visit = reading.fields(value, field, "x", "y")
    return [reading.number(visit[axis], f"{field}.{axis}", least=-(10**7)) for axis in ("x", "y")]


def _worker(reading: Reading, value: object, field: str, bases: int, shift: Shift) -> Worker:
    worker = reading.fields(value, field, "id", "base", "skills")
    base = reading.whole(worker["base"], f"{field}.base", below=bases)
    skills = reading.items(worker["skills"], f"{field}.skills")
    return Worker(
        id=reading.label(worker["id"], f"{field}.id"), provider="city",
        skills=frozenset(reading.label(skill, f"{field}.skills") for skill in skills),
        start_place=base, end_place=base, shifts=(shift,),
    )  # fmt: skip


def _visit(reading: Reading, value: object, field: str, place: int, penalty: int) -> Visit:
    visit = reading.fields(value, field, "id", "service", "crew", "duration_s", "window_s")
    service = reading.label(visit["service"], f"{field}.service")
    crew = reading.whole(visit["crew"], f"{field}.crew", least=1, below=_CREW_LIMIT + 1)
    seat = Seat(frozenset({service}), reading.whole(visit["duration_s"], f"{field}.duration_s"))
    first, last = reading.window(visit["window_s"], f"{field}.window_s")
    return Visit(
        reading.label(visit["id"], f"{field}.id"),
        place,
        (seat,) * crew,
        round(first),
        round(last),
        drop_penalty=penalty,
    )
