"""What a plan is really worth: reads the day and the plan by itself and shares no code with the planner.

    python tests/benchmarks/evaluate.py FILE PLAN [--format hhcrsp|solomon|vrplib|city]

Prints the objective worked out again and every rule the plan breaks.
"""

import argparse
import gzip
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

NEAR = 1e-6


@dataclass(frozen=True)
class Task:
    """One service one worker does: `last` is the last start allowed, `due` the last that is not late."""

    place: int
    busy: float
    first: float
    last: float = math.inf
    due: float = math.inf
    demand: float = 0


@dataclass
class Person:
    base: int = 0
    opens: float = 0
    closes: float = math.inf
    capacity: float = math.inf
    longest: float = math.inf
    skills: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()


@dataclass
class Day:
    """A day as the judge sees it; tasks by visit and service, as many as the visit has seats of that service."""

    way: Callable[[int, int], float]
    people: dict[str, Person]
    tasks: dict[str, dict[str, list[Task]]]
    needs_skill: bool
    total: Callable[[float, list[float], int], float]
    together: set[str] = field(default_factory=set)
    gaps: dict[str, tuple[str, str, float, float]] = field(default_factory=dict)
    may_drop: bool = False


@dataclass
class Verdict:
    objective: float
    faults: list[str]
    distance: float = 0
    lateness: float = 0
    unserved: int = 0


def evaluate(day_file: Path, plan_file: Path, form: str | None = None) -> Verdict:
    """The plan's objective from its own starts, and its faults as `rule: who`."""
    text = _text(day_file)
    day = READERS[form or guess(day_file, text)](text)
    return judge(day, json.loads(_text(plan_file)))


def judge(day: Day, plan: dict[str, Any]) -> Verdict:
    faults: list[str] = []
    starts: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
    distance, late = 0.0, [0.0]
    for worker, count in Counter(route["worker"] for route in plan["routes"]).items():
        if worker not in day.people:
            faults.append(f"fleet: {worker} is nobody")
        elif count > 1:
            faults.append(f"fleet: {worker} has {count} routes")
    for route in plan["routes"]:
        person = day.people.get(route["worker"])
        if person is None:
            continue
        stops: list[tuple[str, Task, float]] = []
        for stop in route["stops"]:
            seats = day.tasks.get(stop["visit"], {}).get(stop["service"])
            if not seats:
                faults.append(f"unknown: {stop['visit']} {stop['service']}")
                continue
            stops.append((stop["visit"], seats[0], float(stop["start"])))
            starts[stop["visit"]].append((stop["service"], route["worker"], float(stop["start"])))
            if day.needs_skill and stop["service"] not in person.skills:
                faults.append(f"skill: {route['worker']} cannot {stop['service']}")
            if stop["visit"] in person.barred:
                faults.append(f"skill: {route['worker']} may not serve {stop['visit']}")
        faults += _route_faults(day, route["worker"], person, stops)
        places = [person.base, *(task.place for _, task, _ in stops), person.base]
        distance += sum(day.way(a, b) for a, b in pairwise(places)) if stops else 0
        late += [max(0.0, start - task.due) for _, task, start in stops]
    faults += _visit_faults(day, starts, plan.get("unserved", []))
    dropped = sum(visit not in starts for visit in day.tasks)
    objective = day.total(distance, late, dropped)
    if "objective" in plan and abs(plan["objective"] - objective) > 5e-4:
        faults.append(f"objective: claims {plan['objective']}, is {objective:.4f}")
    return Verdict(objective, faults, distance, sum(late), dropped)


def _route_faults(day: Day, worker: str, person: Person, stops: list[tuple[str, Task, float]]) -> Iterator[str]:
    here, free = person.base, person.opens
    for visit, task, start in stops:
        if start < free + day.way(here, task.place) - NEAR:
            yield f"travel: {worker} cannot be at {visit} by {start}"
        if start < task.first - NEAR:
            yield f"early: {visit} at {start}"
        if start > task.last + NEAR:
            yield f"window: {visit} at {start}"
        here, free = task.place, start + task.busy
    if not stops:
        return
    back = free + day.way(here, person.base)
    if back > person.closes + NEAR:
        yield f"return: {worker} is back at {back}"
    if back - (stops[0][2] - day.way(person.base, stops[0][1].place)) > person.longest + NEAR:
        yield f"duration: {worker} works too long"
    if sum(task.demand for _, task, _ in stops) > person.capacity + NEAR:
        yield f"capacity: {worker}"


def _visit_faults(day: Day, starts: dict[str, list[tuple[str, str, float]]], unserved: list[str]) -> Iterator[str]:
    for visit in unserved:
        if visit in starts:
            yield f"unserved: {visit} is served"
        elif visit not in day.tasks:
            yield f"unknown: {visit} is unserved"
    for visit, services in day.tasks.items():
        done = starts.get(visit, [])
        if not done and day.may_drop:
            if visit not in unserved:
                yield f"lost: {visit} is neither served nor unserved"
            continue
        if Counter(service for service, _, _ in done) != Counter({s: len(seats) for s, seats in services.items()}):
            yield f"served: {visit} by {[(worker, service) for service, worker, _ in done]}"
            continue
        coupled = visit in day.together or visit in day.gaps
        if coupled and len({worker for _, worker, _ in done}) < len(done):
            yield f"same worker: {visit}"
        times = [start for _, _, start in done]
        if visit in day.together and max(times) - min(times) > NEAR:
            yield f"together: {visit} at {times}"
        if visit in day.gaps:
            before, after, least, most = day.gaps[visit]
            at = {service: start for service, _, start in done}
            if not least - NEAR <= at[after] - at[before] <= most + NEAR:
                yield f"gap: {visit} {at[after] - at[before]}"


def _text(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()


def guess(path: Path, text: str) -> str:
    if text.lstrip().startswith("{"):
        return "hhcrsp" if '"patients"' in text else "city"
    return "vrplib" if "DIMENSION" in text else "solomon"


def read_hhcrsp(text: str) -> Day:
    raw = json.loads(text)
    ways = raw["distances"]
    usual = {service["id"]: service.get("default_duration") for service in raw.get("services", [])}
    day = Day(
        way=lambda a, b: ways[a][b],
        people={c["id"]: Person(skills=frozenset(c["abilities"])) for c in raw["caregivers"]},
        tasks={},
        needs_skill=True,
        total=lambda distance, late, _: (distance + sum(late) + max(late)) / 3,
    )
    for place, patient in enumerate(raw["patients"], 1):
        first, due = patient["time_window"]
        services: dict[str, list[Task]] = defaultdict(list)
        for care in patient["required_caregivers"]:
            busy = care["duration"] if "duration" in care else usual[care["service"]]
            services[care["service"]].append(Task(place, busy, first, due=due))
        day.tasks[patient["id"]] = dict(services)
        sync = patient.get("synchronization") or {}
        if sync.get("type") == "simultaneous":
            day.together.add(patient["id"])
        elif sync.get("type") == "sequential":
            one, two = (care["service"] for care in patient["required_caregivers"])
            day.gaps[patient["id"]] = (one, two, *sync["distance"])
    return day


def read_solomon(text: str) -> Day:
    rows = [line.split() for line in text.splitlines()]
    fleet, capacity = next((int(r[0]), float(r[1])) for r in rows if len(r) == 2 and r[0].isdigit())
    table = [[float(x) for x in row] for row in rows if len(row) == 7 and row[0].isdigit()]

    def way(a: int, b: int) -> float:
        return math.floor(10 * math.dist(table[a][1:3], table[b][1:3]) + 1e-9) / 10

    depot = Person(opens=table[0][4], closes=table[0][5], capacity=capacity)
    return Day(
        way=way,
        people={str(n + 1): depot for n in range(fleet)},
        tasks={
            f"{int(row[0])}": {"delivery": [Task(n, row[6], row[4], row[5], demand=row[3])]}
            for n, row in enumerate(table)
            if n
        },
        needs_skill=False,
        total=lambda distance, _late, _dropped: distance,
    )


def read_vrplib(text: str) -> Day:
    """One depot; ways rounded to thousandths, which is what the best-known values of these sets count."""
    values: dict[str, str] = {}
    tables: dict[str, list[list[float]]] = defaultdict(list)
    section = ""
    for line in (line.strip() for line in text.splitlines()):
        if line.endswith("_SECTION"):
            section = line
        elif ":" in line:
            values.update([[part.strip() for part in line.split(":", 1)]])
        elif line and line != "EOF":
            tables[section].append([float(word) for word in line.split()])
    points = tables["NODE_COORD_SECTION"]
    fleet = int(values["VEHICLES"])

    def way(a: int, b: int) -> float:
        return round(math.dist(points[a][1:3], points[b][1:3]), 3)

    def per_vehicle(key: str, single: str, vehicle: int) -> float:
        return tables[key][vehicle][1] if key in tables else float(values.get(single, math.inf))

    clients = {str(n + 1) for n in range(1, len(points))}
    allowed = tables.get("VEHICLES_ALLOWED_CLIENTS_SECTION")
    windows, busy, demand = (tables.get(f"{key}_SECTION") for key in ("TIME_WINDOW", "SERVICE_TIME", "DEMAND"))
    people = {
        str(v + 1): Person(
            opens=windows[0][1] if windows else 0,
            closes=windows[0][2] if windows else math.inf,
            capacity=per_vehicle("CAPACITY_SECTION", "CAPACITY", v),
            longest=per_vehicle("VEHICLES_MAX_DURATION_SECTION", "VEHICLES_MAX_DURATION", v),
            barred=frozenset(clients - {str(int(c)) for c in allowed[v][1:]}) if allowed else frozenset(),
        )
        for v in range(fleet)
    }
    tasks = {
        str(n + 1): {
            "delivery": [
                Task(
                    n,
                    busy[n][1] if busy else 0,
                    windows[n][1] if windows else 0,
                    windows[n][2] if windows else math.inf,
                    demand=demand[n][1] if demand else 0,
                )
            ]
        }
        for n in range(1, len(points))
    }
    return Day(way, people, tasks, needs_skill=False, total=lambda distance, _late, _dropped: distance)


def read_city(text: str) -> Day:
    raw = json.loads(text)
    points = [*raw["bases"], *([visit["x"], visit["y"]] for visit in raw["visits"])]

    def way(a: int, b: int) -> float:
        return round((abs(points[a][0] - points[b][0]) + abs(points[a][1] - points[b][1])) / 5)

    opens, closes = raw["shift_s"]
    return Day(
        way=way,
        people={w["id"]: Person(w["base"], opens, closes, skills=frozenset(w["skills"])) for w in raw["workers"]},
        tasks={
            v["id"]: {v["service"]: [Task(len(raw["bases"]) + n, v["duration_s"], *v["window_s"])] * v["crew"]}
            for n, v in enumerate(raw["visits"])
        },
        needs_skill=True,
        total=lambda distance, _late, dropped: distance + raw["drop_penalty_s"] * dropped,
        together={v["id"] for v in raw["visits"] if v["crew"] > 1},
        may_drop=True,
    )


READERS: dict[str, Callable[[str], Day]] = {
    "hhcrsp": read_hhcrsp,
    "solomon": read_solomon,
    "vrplib": read_vrplib,
    "city": read_city,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Judge a plan.")
    parser.add_argument("file", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--format", choices=tuple(READERS))
    asked = parser.parse_args()
    verdict = evaluate(asked.file, asked.plan, asked.format)
    for fault in verdict.faults:
        sys.stdout.write(f"{fault}\n")
    sys.stdout.write(f"objective {verdict.objective:.3f}, unserved {verdict.unserved}, faults {len(verdict.faults)}\n")
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
