"""The planner's own format: a problem as JSON, ways as matrices of seconds or as points with speeds."""

import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Struct

from dispatch.cost import plan_cost
from dispatch.formats.instance import Instance, starts_of
from dispatch.formats.reading import MOST_WORKERS, Reading
from dispatch.problem import (
    Break,
    Delivery,
    Equipment,
    Link,
    Problem,
    Promise,
    Seat,
    Shift,
    Visit,
    Weights,
    Worker,
)

_CREW_LIMIT = 4
_KINDS_LIMIT = 4  # of equipment for one visit
_MOST_FIGURE: Final = 10**9


class Places(Struct, frozen=True, forbid_unknown_fields=True):
    """Points in metres, and by mode the metres a worker makes in a second, straight or along a grid of streets."""

    points: tuple[tuple[float, float], ...]
    speeds: dict[str, float]
    metric: Literal["straight", "streets"] = "straight"


class Day(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One day to plan. Exactly one of `travel` (by mode, a square of seconds from row to column) and `places`."""

    name: str = ""
    workers: tuple[Worker, ...]
    visits: tuple[Visit, ...]
    links: tuple[Link, ...] = ()
    equipment: tuple[Equipment, ...] = ()
    travel: dict[str, tuple[tuple[int, ...], ...]] | None = None
    places: Places | None = None
    now_s: int = 0
    weights: Weights = msgspec.field(default_factory=Weights)


_PARTS: Final[dict[str, type[Struct]]] = {
    "workers": Worker, "shifts": Shift, "breaks": Break, "visits": Visit, "seats": Seat, "delivery": Delivery,
    "promised": Promise, "links": Link, "equipment": Equipment, "places": Places, "weights": Weights,
}  # fmt: skip


def schema() -> bytes:
    """The JSON schema of the format, as committed beside its readers."""
    described = _without_indents(msgspec.json.schema(Day))
    return msgspec.json.format(msgspec.json.encode(described, order="deterministic"), indent=1) + b"\n"


def _without_indents(part: Any) -> Any:
    """The same with docstrings as Python 3.13 keeps them: older ones keep the indents of their lines."""
    if isinstance(part, dict):
        return {name: _without_indents(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_without_indents(value) for value in part]
    return inspect.cleandoc(part) if isinstance(part, str) else part


def read_native(path: Path) -> Instance:
    """A day in the planner's own format; its objective is what plans cost. Raises InstanceError."""
    reading = Reading(path)
    day: Day = typed(reading, reading.json(), Day)
    if day.name:
        reading.label(day.name, "name")
    problem = Problem(
        workers=day.workers, visits=day.visits, links=day.links, travel=_travel(reading, day), now_s=day.now_s,
        weights=day.weights, equipment=day.equipment,
    )  # fmt: skip
    _sound(reading, problem)
    return Instance(
        name=day.name or path.name, form="yinling", problem=problem, judged=problem, unit=1,
        names={(visit.id, n): (visit.id, str(n + 1)) for visit in day.visits for n in range(len(visit.seats))},
        settle=lambda plan: (plan, starts_of(plan, 1)),
        objective=lambda plan, _: plan_cost(problem, plan),
        points=None if day.places is None else day.places.points,
    )  # fmt: skip


def typed(reading: Reading, body: Any, kind: type[Struct]) -> Any:
    """JSON as a Struct; what does not fit is named by its place and value. Raises InstanceError."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        found = re.fullmatch(r"(?P<why>.*?)(?: - at `\$\.?(?P<field>.*)`)?", str(error), re.DOTALL)
        why, field = (found["why"], found["field"] or "file") if found else (str(error), "file")
        if "unknown field" in why:
            part: type[Struct] = _PARTS.get(re.sub(r"\[.*?\]", "", field).rpartition(".")[2], kind)
            why = f"{why}; understood are {', '.join(part.__struct_fields__)}"
        value = _at(body, field)
        raise reading.refuse(field, "" if isinstance(value, dict | list) else repr(value), why) from error


def _at(body: Any, field: str) -> Any:
    """The value at a path like visits[0].place; where the path leads nowhere, the last value on it."""
    for step in re.findall(r"[^.\[\]]+", "" if field == "file" else field):
        try:
            body = body[int(step)] if isinstance(body, list) else body[step]
        except (KeyError, IndexError, TypeError, ValueError):
            break
    return body


def _travel(reading: Reading, day: Day) -> dict[str, np.ndarray]:
    if (day.travel is None) == (day.places is None):
        raise reading.refuse("travel", "both or none", "of travel and places given, not one")
    if day.places is not None:
        reading.crowd(len(day.places.points), "places.points")
        for i, point in enumerate(day.places.points):
            for at in point:
                reading.number(at, f"places.points[{i}]", least=-_MOST_FIGURE)
        points = np.asarray(day.places.points, dtype=float).reshape(-1, 2)
        dx, dy = (np.abs(points[:, None, axis] - points[None, :, axis]) for axis in (0, 1))
        metres = dx + dy if day.places.metric == "streets" else np.hypot(dx, dy)
        for mode, speed in day.places.speeds.items():
            reading.number(speed, f"places.speeds.{mode}", least=0.01)
        return {
            mode: reading.ways(np.maximum(0, np.ceil(metres / speed - 1e-9)), "places.points")
            for mode, speed in day.places.speeds.items()
        }
    found: dict[str, np.ndarray] = {}
    for mode, rows in (day.travel or {}).items():
        reading.crowd(len(rows), f"travel.{mode}")
        for i, row in enumerate(rows):
            if len(row) != len(rows):
                raise reading.refuse(f"travel.{mode}[{i}]", len(row), f"entries, but {len(rows)} are needed")
        found[mode] = reading.ways(np.asarray(rows, dtype=float).reshape(len(rows), len(rows)), f"travel.{mode}")
    if len({len(matrix) for matrix in found.values()}) > 1:
        raise reading.refuse("travel", [len(matrix) for matrix in found.values()], "are different sizes")
    return found


def sound_visit(reading: Reading, visit: Visit, size: int, field: str) -> None:
    """What types alone cannot say of one visit: a name, times in order, places that exist, figures on their scale."""
    within(reading, visit, field)
    reading.window([visit.earliest_s, visit.latest_s], _inside(field, "earliest_s, latest_s"))
    _placed(
        reading, size, (visit.place, visit.delivery.pickup_place if visit.delivery else None), f"{field} place".strip()
    )
    if not 1 <= len(visit.seats) <= _CREW_LIMIT:
        raise reading.refuse(_inside(field, "seats"), len(visit.seats), f"is not 1 to {_CREW_LIMIT}")
    if visit.delivery is not None and len(visit.seats) > 1:
        raise reading.refuse(_inside(field, "seats"), len(visit.seats), "bring one meal, but one must")
    if len(visit.equipment) > _KINDS_LIMIT or (visit.equipment and visit.delivery is not None):
        raise reading.refuse(
            _inside(field, "equipment"), sorted(visit.equipment), "is for a delivery, or too many kinds"
        )  # fmt: skip


def within(reading: Reading, part: Any, field: str) -> None:
    """Every figure of a part is on its scale and every name is one: an empty id would vanish from every plan."""
    if isinstance(part, Struct):
        for name in part.__struct_fields__:
            within(reading, getattr(part, name), _inside(field, name))
    elif isinstance(part, tuple):
        for i, entry in enumerate(part):
            within(reading, entry, f"{field}[{i}]")
    elif isinstance(part, frozenset):
        for name in sorted(part):
            reading.label(name, field)
    elif isinstance(part, str):
        reading.label(part, field)
    elif isinstance(part, int | float) and not isinstance(part, bool):
        reading.number(part, field)


def _sound(reading: Reading, problem: Problem) -> None:
    """What types alone cannot say: ids once, places that exist, times in order, links between visits there are."""
    within(reading, problem.weights, "weights")
    within(reading, problem.now_s, "now_s")
    reading.crowd(len(problem.workers), "workers", MOST_WORKERS)
    reading.crowd(len(problem.visits), "visits")
    size = len(next(iter(problem.travel.values()), ()))
    for i, worker in enumerate(problem.workers):
        _sound_worker(reading, worker, problem, size, f"workers[{i}]")
    for i, visit in enumerate(problem.visits):
        sound_visit(reading, visit, size, f"visits[{i}]")
    reading.once((worker.id for worker in problem.workers), "workers.id")
    reading.once((visit.id for visit in problem.visits), "visits.id")
    within(reading, problem.equipment, "equipment")
    _shared(reading, problem.equipment)
    known = frozenset(visit.id for visit in problem.visits)
    for i, link in enumerate(problem.links):
        within(reading, link, f"links[{i}]")
        for end, name in (("before", link.before), ("after", link.after)):
            reading.known(name, f"links[{i}].{end}", known, "no visit")
        if link.before == link.after:
            raise reading.refuse(f"links[{i}].after", link.after, "is the visit itself")
        if link.max_gap_s is not None and link.max_gap_s < link.min_gap_s:
            raise reading.refuse(f"links[{i}].max_gap_s", link.max_gap_s, f"is less than min_gap_s {link.min_gap_s}")


def _sound_worker(reading: Reading, worker: Worker, problem: Problem, size: int, field: str) -> None:
    for rest in worker.breaks:
        reading.window([rest.earliest_s, rest.latest_s], f"{field}.breaks")
        reading.whole(rest.duration_s, f"{field}.breaks.duration_s")
    free = 0
    for rest in worker.breaks:
        free = max(free, rest.earliest_s)
        if free > rest.latest_s:  # nobody could take it, so every plan would leave it out without a word
            why = f"is the last moment of a break, but those before it last until {free}"
            raise reading.refuse(f"{field}.breaks", rest.latest_s, why)
        free += rest.duration_s
    for shift in worker.shifts:
        reading.window([shift.start_s, shift.end_s], f"{field}.shifts")
    within(reading, worker, field)
    if worker.mode not in problem.travel:
        raise reading.refuse(f"{field}.mode", worker.mode, "has no ways")
    _placed(reading, size, (worker.start_place, worker.end_place), f"{field} place")


def _shared(reading: Reading, equipment: Sequence[Equipment]) -> None:
    """Of every kind, all units are everybody's or each is a provider's own, and all take as long to turn round."""
    pools: dict[str, list[Equipment]] = {}
    for i, pool in enumerate(equipment):
        reading.whole(pool.count, f"equipment[{i}].count", below=10_000)
        pools.setdefault(pool.kind, []).append(pool)
    for kind, mine in pools.items():
        owners = [pool.provider for pool in mine]
        if len(set(owners)) < len(owners) or (None in owners and len(owners) > 1):
            raise reading.refuse(f"equipment {kind}", owners, "are owners of one kind: everybody alone, or each once")
        if len({pool.turnaround_s for pool in mine}) > 1:
            raise reading.refuse(f"equipment {kind}", kind, "has more than one turnaround_s")


def _placed(reading: Reading, size: int, places: Sequence[int | None], field: str) -> None:
    for place in places:
        if place is not None and not 0 <= place < size:
            raise reading.refuse(field, place, f"is not among the {size} places")


def _inside(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name
