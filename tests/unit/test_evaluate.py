"""The judge of plans: what it lets pass, and each rule broken once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.evaluate import evaluate

CARE = {
    "patients": [
        {"id": "p1", "time_window": [10, 20], "required_caregivers": [{"service": "s1", "duration": 5}]},
        {
            "id": "p2",
            "time_window": [0, 30],
            "required_caregivers": [{"service": "s1", "duration": 5}, {"service": "s2", "duration": 8}],
            "synchronization": {"type": "simultaneous"},
        },
        {
            "id": "p3",
            "time_window": [0, 40],
            "required_caregivers": [{"service": "s1", "duration": 5}, {"service": "s2", "duration": 5}],
            "synchronization": {"type": "sequential", "distance": [10, 20]},
        },
    ],
    "caregivers": [{"id": "c1", "abilities": ["s1"]}, {"id": "c2", "abilities": ["s2", "s1"]}],
    "distances": [[0, 4, 6, 8.5], [4, 0, 3, 5], [6, 3, 0, 2], [8.5, 5, 2, 0]],
}
CARE_PLAN = {
    "routes": [
        {
            "worker": "c1",
            "stops": [
                {"visit": "p1", "service": "s1", "start": 23},
                {"visit": "p2", "service": "s1", "start": 31},
                {"visit": "p3", "service": "s1", "start": 41},
            ],
        },
        {
            "worker": "c2",
            "stops": [
                {"visit": "p2", "service": "s2", "start": 31},
                {"visit": "p3", "service": "s2", "start": 51},
            ],
        },
    ],
    "unserved": [],
}
# Ways 4+3+2+8.5 and 6+2+8.5; late by 3, 1+1 and 1+11, at worst 11.
CARE_COST = (17.5 + 16.5 + 17 + 11) / 3

SOLOMON = """tiny

VEHICLE
NUMBER     CAPACITY
  2         10

CUSTOMER
CUST NO.  XCOORD.   YCOORD.    DEMAND   READY TIME  DUE DATE   SERVICE   TIME

    0      0         0          0          0       60          0
    1      3         3          6         10       20          5
    2      6         6          5          0       30          5
"""
SOLOMON_PLAN = {
    "routes": [
        {"worker": "1", "stops": [{"visit": "1", "service": "delivery", "start": 10}]},
        {"worker": "2", "stops": [{"visit": "2", "service": "delivery", "start": 30}]},
    ],
    "unserved": [],
}

SITES = """NAME: tiny
TYPE: SDVRPTW
EDGE_WEIGHT_TYPE: EUC_2D
DIMENSION: 3
VEHICLES: 2
VEHICLES_MAX_DURATION: 25
NODE_COORD_SECTION
1	0	0
2	3.33333	0
3	0	4
DEMAND_SECTION
1	0
2	1
3	1
SERVICE_TIME_SECTION
1	0
2	5
3	5
TIME_WINDOW_SECTION
1	0	100
2	10	20
3	0	60
CAPACITY_SECTION
1	1
2	2
VEHICLES_ALLOWED_CLIENTS_SECTION
1	2
2	2	3
EOF
"""
SITES_PLAN = {
    "routes": [
        {
            "worker": "2",
            "stops": [
                {"visit": "2", "service": "delivery", "start": 10},
                {"visit": "3", "service": "delivery", "start": 21},
            ],
        },
    ],
    "unserved": [],
}

CITY = {
    "shift_s": [100, 1000],
    "drop_penalty_s": 20_000,
    "bases": [[0, 0]],
    "workers": [{"id": "w1", "base": 0, "skills": ["bath"]}, {"id": "w2", "base": 0, "skills": ["bath", "meal"]}],
    "visits": [
        {"id": "v1", "x": 100, "y": 50, "service": "bath", "crew": 2, "duration_s": 60, "window_s": [200, 300]},
        {"id": "v2", "x": 0, "y": 53, "service": "meal", "crew": 1, "duration_s": 60, "window_s": [0, 900]},
        {"id": "v3", "x": 0, "y": 0, "service": "rehab", "crew": 1, "duration_s": 60, "window_s": [0, 900]},
    ],
}
CITY_PLAN = {
    "routes": [
        {"worker": "w1", "stops": [{"visit": "v1", "service": "bath", "start": 200}]},
        {
            "worker": "w2",
            "stops": [
                {"visit": "v1", "service": "bath", "start": 200},
                {"visit": "v2", "service": "meal", "start": 281},
            ],
        },
    ],
    "unserved": ["v3"],
}

DAYS = {
    "hhcrsp": (json.dumps(CARE), CARE_PLAN, CARE_COST),
    "solomon": (SOLOMON, SOLOMON_PLAN, 4.2 * 2 + 8.4 * 2),
    "vrplib": (SITES, SITES_PLAN, 3.333 + 5.207 + 4),
    "city": (json.dumps(CITY), CITY_PLAN, 30 * 2 + 30 + 21 + 11 + 20_000),
}


def _judged(folder: Path, form: str, spoil: Callable[[dict[str, Any]], None] | None = None) -> Any:
    day, plan, _ = DAYS[form]
    plan = json.loads(json.dumps(plan))
    if spoil:
        spoil(plan)
    (folder / "day").write_text(day)
    (folder / "plan.json").write_text(json.dumps(plan))
    return evaluate(folder / "day", folder / "plan.json", form)


@pytest.mark.parametrize("form", DAYS)
def test_a_plan_that_keeps_every_rule_has_no_faults_and_its_own_cost(tmp_path: Path, form: str):
    verdict = _judged(tmp_path, form)
    assert verdict.faults == []
    assert verdict.objective == pytest.approx(DAYS[form][2])


def _start(route: int, stop: int, start: float) -> Callable[[dict[str, Any]], None]:
    return lambda plan: plan["routes"][route]["stops"][stop].update(start=start)


def _worker(route: int, worker: str) -> Callable[[dict[str, Any]], None]:
    return lambda plan: plan["routes"][route].update(worker=worker)


def _without(route: int, stop: int) -> Callable[[dict[str, Any]], None]:
    def spoil(plan: dict[str, Any]) -> None:
        del plan["routes"][route]["stops"][stop]

    return spoil


def _moved(here: tuple[int, int], there: tuple[int, int], start: float) -> Callable[[dict[str, Any]], None]:
    def spoil(plan: dict[str, Any]) -> None:
        stop = plan["routes"][here[0]]["stops"].pop(here[1])
        plan["routes"][there[0]]["stops"].insert(there[1], {**stop, "start": start})

    return spoil


def _twice(route: int, stop: int) -> Callable[[dict[str, Any]], None]:
    def spoil(plan: dict[str, Any]) -> None:
        again = plan["routes"][route]["stops"][stop]
        plan["routes"][route]["stops"].append({**again, "start": again["start"] + 400})

    return spoil


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda plan: plan.update({key: value})


def _sites_backwards(plan: dict[str, Any]) -> None:
    plan["routes"][0]["stops"] = [
        {"visit": "2", "service": "delivery", "start": 20},
        {"visit": "3", "service": "delivery", "start": 60},
    ]


@pytest.mark.parametrize(
    ("form", "spoil", "faults"),
    [
        ("hhcrsp", _start(0, 1, 30.9), {"travel", "together"}),
        ("hhcrsp", _start(0, 0, 9), {"early"}),
        ("hhcrsp", _start(1, 0, 32), {"together"}),
        ("hhcrsp", _start(1, 1, 50.5), {"gap"}),
        ("hhcrsp", _start(1, 1, 61.5), {"gap"}),
        ("hhcrsp", _without(0, 0), {"served"}),
        ("hhcrsp", _without(1, 0), {"served"}),
        ("hhcrsp", _twice(0, 0), {"served"}),
        ("hhcrsp", _worker(1, "c1"), {"fleet", "skill", "same worker"}),
        ("hhcrsp", _moved((0, 2), (1, 1), 41), {"same worker"}),
        ("hhcrsp", _worker(0, "nobody"), {"fleet", "served"}),
        ("hhcrsp", _set("objective", 5.0), {"objective"}),
        ("solomon", _start(0, 0, 9), {"early"}),
        ("solomon", _start(0, 0, 21), {"window"}),
        ("solomon", _start(1, 0, 8), {"travel"}),
        ("solomon", _moved((1, 0), (0, 1), 30), {"capacity"}),
        ("solomon", _worker(1, "3"), {"fleet", "served"}),
        ("solomon", _worker(1, "1"), {"fleet"}),
        ("solomon", _set("unserved", ["2"]), {"unserved"}),
        ("solomon", _set("unserved", ["9"]), {"unknown"}),
        ("vrplib", _worker(0, "1"), {"skill", "capacity"}),
        ("vrplib", _sites_backwards, {"duration"}),
        ("vrplib", _start(0, 1, 20.2), {"travel"}),
        ("vrplib", _start(0, 1, 61), {"window", "duration"}),
        ("city", _worker(1, "w3"), {"fleet", "served", "lost"}),
        ("city", _start(0, 0, 199), {"early", "together"}),
        ("city", _start(0, 0, 301), {"window", "together"}),
        ("city", _start(1, 1, 900.5), {"window"}),
        ("city", _start(1, 1, 270), {"travel"}),
        ("city", _without(0, 0), {"served"}),
        ("city", _moved((1, 1), (0, 1), 281), {"skill"}),
        ("city", _set("unserved", []), {"lost"}),
        ("city", _set("unserved", ["v3", "v2"]), {"unserved"}),
    ],
)
def test_each_rule_broken_is_told(tmp_path: Path, form: str, spoil: Callable[[dict[str, Any]], None], faults: set[str]):
    verdict = _judged(tmp_path, form, spoil)
    assert {fault.split(":")[0] for fault in verdict.faults} == faults


def test_who_comes_home_after_the_shift_is_told(tmp_path: Path):
    late = json.loads(json.dumps(CITY))
    late["shift_s"] = [100, 340]
    (tmp_path / "day.json").write_text(json.dumps(late))
    (tmp_path / "plan.json").write_text(json.dumps(CITY_PLAN))
    verdict = evaluate(tmp_path / "day.json", tmp_path / "plan.json")
    assert [fault.split(":")[0] for fault in verdict.faults] == ["return"]
