"""One file of each format that says all the format can say, and the day it means, written by hand field by field."""

import json
from pathlib import Path
from typing import Any

import pytest

from dispatch import (
    Break,
    Delivery,
    Equipment,
    Link,
    Plan,
    Problem,
    Promise,
    Seat,
    Shift,
    Stop,
    Visit,
    Weights,
    Worker,
    plan_cost,
)
from dispatch.formats import Instance, read_instance, read_plan, write_plan

_CELLS = [[0 if a == b else 10 * a + b for b in range(5)] for a in range(5)]


def _read(folder: Path, body: Any, name: str) -> Instance:
    path = folder / name
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return read_instance(path)


def _same(problem: Problem, meant: Problem) -> None:
    """Field by field, so that a difference is named; ways as lists."""
    assert {mode: ways.tolist() for mode, ways in problem.travel.items()} == meant.travel
    for name in ("workers", "visits", "links", "equipment", "now_s", "weights"):
        assert getattr(problem, name) == getattr(meant, name), name


def _care() -> dict[str, Any]:
    def required(*services: tuple[str, float | None]) -> list[dict[str, Any]]:
        return [{"service": name} | ({} if minutes is None else {"duration": minutes}) for name, minutes in services]

    two = required(("s1", 15), ("s2", None))
    patients: list[dict[str, Any]] = [
        {"time_window": [10, 50], "required_caregivers": required(("s1", None)), "incompatible_caregivers": ["c2"]},
        {"time_window": [60, 90], "required_caregivers": two, "synchronization": {"type": "sequential", "distance": [5, 12.5]}},
        {"time_window": [70, 80.5], "required_caregivers": two, "synchronization": {"type": "simultaneous"}},
        {"time_window": [20, 30], "required_caregivers": two, "synchronization": {"type": "independent"}},
    ]  # fmt: skip
    for n, (patient, row) in enumerate(zip(patients, (0, 2, 4, 3), strict=True), 1):
        patient |= {"id": f"p{n}", "distance_matrix_index": row, "location": [n, 2 * n]}
    return {
        "services": [{"id": "s1", "default_duration": 20}, {"id": "s2", "default_duration": 7.5}],
        "central_offices": [{"id": "d", "distance_matrix_index": 1, "location": [9, 8]}],
        "caregivers": [
            {"id": "c1", "abilities": ["s1"], "working_shift": [0, 600]},
            {"id": "c2", "abilities": ["s1", "s2"], "working_shift": [30, 500.5]},
        ],
        "patients": patients, "distances": _CELLS,
    }  # fmt: skip


def _cared(name: str, place: int, lo: int, due: int, *services: tuple[str, int], refused: str = "") -> Visit:
    seats = tuple(Seat(frozenset({service}), lasts) for service, lasts in services)
    barred = frozenset({refused} - {""})
    return Visit(name, place, seats, lo, 500_000, due, refused_workers=barred, drop_penalty=1_000_000)


def test_a_day_of_home_care_is_what_its_file_says(tmp_path: Path) -> None:
    """In tenths of minutes, rows of the matrix as the file numbers them."""
    instance = _read(tmp_path, _care(), "day.json")
    assert (instance.form, instance.unit) == ("hhcrsp", 10)
    assert instance.points == ((9, 8), (1, 2), (2, 4), (3, 6), (4, 8))
    rows = (1, 0, 2, 4, 3)
    first, second = ("s1", 150), ("s2", 75)
    meant = Problem(
        workers=tuple(
            Worker(id=name, provider="office", skills=skills, start_place=0, end_place=0, shifts=(Shift(*shift),))
            for name, skills, shift in (("c1", frozenset({"s1"}), (0, 6000)), ("c2", frozenset({"s1", "s2"}), (300, 5005)))
        ),
        visits=(
            _cared("p1", 1, 100, 500, ("s1", 200), refused="c2"), _cared("p2/1", 2, 600, 900, first),
            _cared("p2/2", 2, 600, 900, second), _cared("p3", 3, 700, 805, first, second),
            _cared("p4/1", 4, 200, 300, first), _cared("p4/2", 4, 200, 300, second),
        ),
        links=(Link("p2/1", "p2/2", 50, 125, apart=True),),
        travel={"car": [[10 * _CELLS[a][b] for b in rows] for a in rows]},
        weights=Weights(late_s=1, late_flat=0, wait_s=0, late_max_s=1, late_each_seat=True),
    )  # fmt: skip
    _same(instance.problem, meant)
    assert instance.judged == instance.problem
    assert instance.names["p2/2", 0] == ("p2", "s2")
    assert instance.names["p3", 1] == ("p3", "s2")


def test_the_objective_of_a_day_of_home_care_is_counted_as_published(tmp_path: Path) -> None:
    """10 and 1 minutes on the road and 12 and 21; 5 too late and the latest 5 too late: a third of 54."""
    instance = _read(tmp_path, _care(), "day.json")
    late = Stop("c1", "visit", "p1", 0, 1, 550, 750)
    plan = Plan({"c1": (late,), "c2": (Stop("c2", "visit", "p2/1", 0, 2, 600, 750),)}, ("p2/2", "p3", "p4/1", "p4/2"))
    assert instance.objective(plan, {"c1": (55.0,), "c2": (60.0,)}) == 18
    settled, starts = instance.settle(plan)
    assert starts == {"c1": (10.0,), "c2": (60.0,)}
    assert settled == plan


def test_a_day_of_a_city_is_what_its_file_says(tmp_path: Path) -> None:
    day = {
        "name": "two bases", "bases": [[0, 0], [1000, 0]], "shift_s": [100, 9000], "drop_penalty_s": 77,
        "workers": [{"id": "a", "base": 1, "skills": ["bath", "meal"]}, {"id": "b", "base": 0, "skills": ["meal"]}],
        "visits": [
            {"id": "v", "x": 500, "y": 250, "service": "bath", "crew": 2, "duration_s": 600, "window_s": [200, 900]},
            {"id": "w", "x": 0, "y": -52, "service": "meal", "crew": 1, "duration_s": 60, "window_s": [300, 400]},
        ],
    }  # fmt: skip
    instance = _read(tmp_path, day, "day.json")
    assert (instance.form, instance.unit, instance.name) == ("city", 1, "two bases")
    team = (("a", {"bath", "meal"}, 1), ("b", {"meal"}, 0))
    meant = Problem(
        workers=tuple(
            Worker(id=name, provider="city", skills=frozenset(skills), start_place=base, end_place=base, shifts=(Shift(100, 9000),))
            for name, skills, base in team
        ),
        visits=(
            Visit("v", 2, (Seat(frozenset({"bath"}), 600),) * 2, 200, 900, drop_penalty=77),
            Visit("w", 3, (Seat(frozenset({"meal"}), 60),), 300, 400, drop_penalty=77),
        ),
        travel={"car": [[0, 200, 150, 10], [200, 0, 150, 210], [150, 150, 0, 160], [10, 210, 160, 0]]},
    )  # fmt: skip
    _same(instance.problem, meant)
    assert instance.objective(Plan({"a": (), "b": ()}, ("v", "w")), {}) == 154


_ROWS = """two
VEHICLE
NUMBER CAPACITY
2 30
CUSTOMER
CUST NO. XCOORD. YCOORD. DEMAND READY TIME DUE DATE SERVICE TIME
0 0 0 0 5 500 0
1 3 4 10 20 120 9
2 5 2 7 30 240.5 8
"""


def test_a_day_of_solomon_is_what_its_file_says(tmp_path: Path) -> None:
    """In tenths; ways are cut, not rounded: 5.385 is 53 tenths."""
    instance = _read(tmp_path, _ROWS, "day.txt")
    assert (instance.form, instance.unit, instance.name) == ("solomon", 10, "two")
    meant = Problem(
        workers=tuple(
            Worker(id=name, provider="depot", skills=frozenset(), start_place=0, end_place=0, shifts=(Shift(50, 5000),), capacity=30)
            for name in "12"
        ),
        visits=(
            Visit("1", 1, (Seat(frozenset(), 90),), 200, 1200, drop_penalty=10**7, load=10),
            Visit("2", 2, (Seat(frozenset(), 80),), 300, 2405, drop_penalty=10**7, load=7),
        ),
        travel={"car": [[0, 50, 53], [50, 0, 28], [53, 28, 0]]},
    )  # fmt: skip
    _same(instance.problem, meant)


_SITES = """NAME : sites
TYPE : SDVRPTW
DIMENSION : 3
VEHICLES : 2
EDGE_WEIGHT_TYPE : EXPLICIT
EDGE_WEIGHT_FORMAT : FULL_MATRIX
EDGE_WEIGHT_SECTION
0 1 2.5
3 0 4
5 6 0
DEMAND_SECTION
1 0
2 8
3 9
CAPACITY_SECTION
1 20
2 30
SERVICE_TIME_SECTION
1 0
2 7
3 0.5
VEHICLES_MAX_DURATION_SECTION
1 90
2 80
TIME_WINDOW_SECTION
1 1 200
2 10 50
3 20 60
VEHICLES_ALLOWED_CLIENTS_SECTION
1 2 3
2 3
DEPOT_SECTION
1
-1
EOF
"""


def test_a_day_of_vrplib_is_what_its_file_says(tmp_path: Path) -> None:
    """In thousandths, from row to column."""
    instance = _read(tmp_path, _SITES, "day.vrp")
    assert (instance.form, instance.unit, instance.name) == ("vrplib", 1000, "sites")
    meant = Problem(
        workers=tuple(
            Worker(id=name, provider="depot", skills=frozenset(), start_place=0, end_place=0, shifts=(Shift(1000, 200_000),),
                   capacity=holds, max_span_s=longest)
            for name, holds, longest in (("1", 20, 90_000), ("2", 30, 80_000))
        ),
        visits=(
            Visit("2", 1, (Seat(frozenset(), 7000),), 10_000, 50_000, refused_workers=frozenset("2"), drop_penalty=10**9, load=8),
            Visit("3", 2, (Seat(frozenset(), 500),), 20_000, 60_000, drop_penalty=10**9, load=9),
        ),
        travel={"car": [[0, 1000, 2500], [3000, 0, 4000], [5000, 6000, 0]]},
    )  # fmt: skip
    _same(instance.problem, meant)


def _own() -> dict[str, Any]:
    worker = {
        "id": "a", "provider": "p", "skills": ["bath"], "gender": "female", "mode": "bike", "start_place": 1, "end_place": 2,
        "shifts": [{"start_s": 1, "end_s": 2000}], "breaks": [{"earliest_s": 3, "latest_s": 4, "duration_s": 5}],
        "box_capacity": 6, "capacity": 7, "max_span_s": 1800, "max_work_s": 1700, "max_heavy": 8, "languages": ["Wu"],
    }  # fmt: skip
    visit = {
        "id": "v", "place": 2, "earliest_s": 10, "latest_s": 90, "due_s": 80, "priority": 2, "load": 3, "drop_penalty": 44,
        "seats": [{"skills": ["bath"], "duration_s": 60, "gender": "female", "heavy": True}], "providers": ["p"],
        "refused_workers": ["b"], "preferred_worker": "a", "known_workers": ["c"], "languages": ["Min"], "equipment": ["tub"],
        "promised": {"start_s": 20, "workers": ["d"], "free_s": 30},
    }  # fmt: skip
    meal = {
        "id": "m", "place": 1, "earliest_s": 11, "latest_s": 91, "seats": [{"skills": [], "duration_s": 12}],
        "delivery": {"pickup_place": 2, "ready_s": 13, "pickup_duration_s": 14, "max_ride_s": 15, "load": 2},
    }  # fmt: skip
    return {
        "name": "own", "workers": [worker], "visits": [visit, meal], "now_s": 9, "weights": {"late_s": 5, "wait_s": 0.5},
        "links": [{"before": "v", "after": "m", "min_gap_s": 1, "max_gap_s": 2, "from_end": True, "apart": True}],
        "equipment": [{"kind": "tub", "count": 3, "turnaround_s": 4, "provider": "p"}],
        "places": {"points": [[0, 0], [30, 0], [30, 40]], "speeds": {"bike": 3, "car": 10}, "metric": "straight"},
    }  # fmt: skip


def _told() -> Problem:
    only = frozenset[str]
    worker = Worker(
        id="a", provider="p", skills=only({"bath"}), gender="female", mode="bike", start_place=1, end_place=2,
        shifts=(Shift(1, 2000),), breaks=(Break(3, 4, 5),), box_capacity=6, capacity=7, max_span_s=1800, max_work_s=1700,
        max_heavy=8, languages=only({"Wu"}),
    )  # fmt: skip
    visit = Visit(
        "v", 2, (Seat(only({"bath"}), 60, "female", heavy=True),), 10, 90, 80, None, only({"p"}), only({"b"}), "a", 44, 2, 3,
        only({"tub"}), Promise(20, only({"d"}), 30), only({"c"}), only({"Min"}),
    )  # fmt: skip
    meal = Visit("m", 1, (Seat(only(), 12),), 11, 91, delivery=Delivery(2, 13, 14, 15, 2))
    return Problem(
        workers=(worker,), visits=(visit, meal), links=(Link("v", "m", 1, 2, from_end=True, apart=True),), now_s=9,
        equipment=(Equipment("tub", 3, 4, "p"),), weights=Weights(late_s=5, wait_s=0.5),
        travel={"bike": [[0, 10, 17], [10, 0, 14], [17, 14, 0]], "car": [[0, 3, 5], [3, 0, 4], [5, 4, 0]]},
    )  # fmt: skip


@pytest.mark.parametrize("metric", ["straight", "streets"])
def test_a_day_of_our_own_is_what_its_file_says(tmp_path: Path, metric: str) -> None:
    """Ways are rounded up to seconds, along streets both sides of a corner count."""
    day, meant = _own(), _told()
    day["places"]["metric"] = metric
    if metric == "streets":
        meant.travel["bike"][0][2] = meant.travel["bike"][2][0] = 24
        meant.travel["car"][0][2] = meant.travel["car"][2][0] = 7
    instance = _read(tmp_path, day, "day.json")
    assert (instance.form, instance.unit, instance.name) == ("yinling", 1, "own")
    _same(instance.problem, meant)
    assert instance.points == ((0, 0), (30, 0), (30, 40))


def test_a_matrix_of_our_own_goes_from_row_to_column(tmp_path: Path) -> None:
    day, ways = _own(), [[0, 1, 2], [3, 0, 4], [5, 6, 0]]
    del day["places"]
    instance = _read(tmp_path, {**day, "travel": {"bike": ways}}, "day.json")
    assert instance.problem.travel["bike"].tolist() == ways


def test_a_plan_of_our_own_comes_back_stop_by_stop(tmp_path: Path) -> None:
    """What is written names the visit, its seat and the end of a meal, and the objective is what the plan costs."""
    instance = _read(tmp_path, _own(), "day.json")
    stops = Stop("a", "pickup", "m", 0, 2, 13, 27), Stop("a", "drop", "m", 0, 1, 41, 53)
    plan = Plan({"a": stops}, ("v",))
    body, objective = write_plan(instance, plan)
    said = [
        {"visit": "m", "service": "1", "start": 13, "kind": "pickup"},
        {"visit": "m", "service": "1", "start": 41, "kind": "drop"},
    ]
    assert json.loads(body) == {"objective": objective, "routes": [{"worker": "a", "stops": said}], "unserved": ["v"]}
    assert objective == plan_cost(instance.problem, plan) == 44 * 3 + 14 + 14 + 14 + 14
    (tmp_path / "plan.json").write_bytes(body)
    assert read_plan(instance, tmp_path / "plan.json") == (plan, {"a": (13, 41)})
