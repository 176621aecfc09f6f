"""Files changed by accident: whoever reads one says exactly what it says now, or refuses it in one line.

What a file says is read a second time by `tests/support/second_reading.py`, which shares no code with the readers and
accounts for every word. A reader that accepts what that one cannot account for has dropped something.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.simulation import hhcrsp, mdrp
from backend.simulation.generator import write_mdrp
from backend.simulation.instances import Instance as RecordedDay
from backend.simulation.instances import InstanceError as RefusedDay
from dispatch import Plan, construct
from dispatch.formats import FORMATS, Instance, InstanceError, read_instance, read_plan, write_plan
from tests.benchmarks.generate import city, read
from tests.support.effort import SEED, announce, effort, tell
from tests.support.second_reading import agrees, plan_said, said
from tests.support.second_reading_days import care_day, meal_day
from tests.support.spoiling import spoilt
from tests.unit.test_formats import CARE, EXAMPLES, SITES, SOLOMON

TRIES = effort(100, 2_000)
SMALL = """NAME : small
COMMENT : five doors, and a colon: here
TYPE : CVRP
DIMENSION : 6
EDGE_WEIGHT_TYPE : EUC_2D
CAPACITY : 30
NODE_COORD_SECTION
1 30 40
2 37 52
3 49 49
4 52 64
5 31 62
6 52 33
DEMAND_SECTION
1 0
2 19
3 30
4 16
5 23
6 11
DEPOT_SECTION
 1
 -1
EOF
"""
DAYS = {
    "hhcrsp": read(CARE),
    "city": json.dumps(city(6, 1, 0.5), indent=1),
    "yinling morning": read(EXAMPLES / "morning.json"),
    "yinling meals": read(EXAMPLES / "meals.json"),
    "yinling baths": read(EXAMPLES / "baths.json"),
    "solomon": SOLOMON.read_text(),
    "vrplib sites": read(SITES),
    "vrplib small": SMALL,
}


def _refusal(reads: Callable[[], object], refuses: type[ValueError]) -> str | None:
    """The one line a file was refused in; None when it was read."""
    try:
        reads()
    except refuses as error:
        line = str(error)
        assert line.strip()
        assert "\n" not in line
        assert line.isprintable() or refuses is RefusedDay
        return line
    return None


def _tried(name: str, text: str, trial: Callable[[bytes], bool]) -> None:
    """Spoil the file again and again; some of what comes out is read and most is refused."""
    announce(name)
    chance = random.Random(f"{SEED} {name}")
    counts = [0, 0]
    for n in range(TRIES):
        raw = spoilt(text, chance)
        try:
            counts[trial(raw)] += 1
        except BaseException:
            tell(f"{name}: try {n}: {raw[:3000]!r}")
            raise
    tell(f"{name}: {counts[1]} read as they stand, {counts[0]} refused")
    assert all(counts)


@pytest.mark.parametrize("name", DAYS)
def test_a_changed_day_is_read_as_it_stands_or_refused(tmp_path: Path, name: str):
    form, path = name.split(maxsplit=1)[0], tmp_path / "day"
    path.write_text(DAYS[name])
    assert agrees(form, said(form, path.read_bytes()), FORMATS[form](path))

    def trial(raw: bytes) -> bool:
        path.write_bytes(raw)
        found: list[Instance] = []
        if _refusal(lambda: found.append(FORMATS[form](path)), InstanceError) is not None:
            return False
        file_said = said(form, raw)
        assert file_said is not None, "something in the file was dropped"
        assert agrees(form, file_said, found[0]), "the file says something else"
        return True

    _tried(name, DAYS[name], trial)


@pytest.mark.parametrize("day", [CARE, SOLOMON, EXAMPLES / "meals.json"], ids=lambda path: path.name)
def test_a_changed_plan_is_read_as_it_stands_or_refused(tmp_path: Path, day: Path):
    instance = read_instance(day)
    text = write_plan(instance, construct(instance.problem))[0].decode()
    path = tmp_path / "plan.json"

    def trial(raw: bytes) -> bool:
        path.write_bytes(raw)
        found: list[tuple[Plan, Any]] = []
        if _refusal(lambda: found.append(read_plan(instance, path)), InstanceError) is not None:
            return False
        plan, starts = found[0]
        routes = {
            worker: [
                (*instance.names[stop.visit, stop.seat], start, stop.kind)
                for stop, start in zip(route, starts[worker], strict=True)
            ]
            for worker, route in plan.routes.items()
        }
        unserved = {instance.names[visit, 0][0] for visit in plan.unserved}
        assert plan_said(raw, {w.id for w in instance.problem.workers}) == (routes, unserved)
        return True

    _tried(f"plan of {day.name}", text, trial)


def test_a_changed_recorded_day_of_care_is_read_as_it_stands_or_refused(tmp_path: Path):
    path = tmp_path / "day.json"

    def trial(raw: bytes) -> bool:
        path.write_bytes(raw)
        found: list[RecordedDay] = []
        if _refusal(lambda: found.append(hhcrsp.parse(path)), RefusedDay) is not None:
            return False
        file_said = said("hhcrsp", raw)
        assert file_said is not None, "something in the file was dropped"
        assert care_day(file_said, found[0]), "the file says something else"
        return True

    _tried("recorded care", read(CARE), trial)


@pytest.mark.parametrize("name", ["orders", "couriers", "restaurants", "instance_parameters"])
def test_a_changed_recorded_day_of_meals_is_read_as_it_stands_or_refused(tmp_path: Path, name: str):
    folder = write_mdrp(tmp_path / "meals", seed=1, orders=5, couriers=3, restaurants=3)
    path = folder / f"{name}.txt"

    def trial(raw: bytes) -> bool:
        path.write_bytes(raw)
        found: list[RecordedDay] = []
        if _refusal(lambda: found.append(mdrp.parse(folder)), RefusedDay) is not None:
            return False
        assert meal_day({p.stem: p.read_bytes() for p in folder.iterdir()}, found[0])
        return True

    _tried(f"recorded meals, {name}", path.read_text(), trial)
