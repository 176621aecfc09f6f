"""What a file of a day says, read a second time and on its own: loosely, but with every word and key accounted for.

`said` answers a plain value, or None where something stands in the file that this reading cannot account for. `kept`
answers the same of what the planner's reader made of it. A reader that accepts a file must have kept what it said.
"""

import gzip
import json
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from dispatch.formats import Instance
from dispatch.problem import Delivery, Equipment, Link, Promise, Seat, Visit, Weights, Worker


class UnaccountedError(Exception):
    """Something in the file that this reading does not know: whoever accepts it loses something."""


def said(form: str, raw: bytes) -> Any:
    """What the bytes of a file say, or None."""
    try:
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
        return _SAID[form](text)
    except (UnaccountedError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ArithmeticError):
        return None


def kept(instance: Instance) -> Any:
    """What the planner's reader made of a file."""
    return _KEPT[instance.form](instance)


def _lines(text: str) -> list[str]:
    rows = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\x1a").split("\n")
    return [row.strip() for row in rows if row.strip()]


def figure(word: str) -> Fraction:
    """The number a word says, exactly. Raises UnaccountedError for anything else."""
    if not word.isascii() or set(word) - set("0123456789+-.eE"):
        raise UnaccountedError(word)
    return Fraction(word)


def _whole(word: str) -> int:
    found = figure(word)
    if found.denominator != 1:
        raise UnaccountedError(word)
    return int(found)


def _exact(found: float) -> Fraction:
    """The decimals a file had, not those a binary number has."""
    return Fraction(repr(found))


def _title(line: str) -> str:
    return "".join(c for c in line.upper() if c.isalpha())


def _solomon_said(text: str) -> Any:
    lines = _lines(text)
    name = "" if _title(lines[0]) == "VEHICLE" else lines.pop(0)
    titles = [_title(lines[n]) for n in (0, 1, 3, 4)]
    columns = "CUSTNOXCOORDYCOORDDEMANDREADYTIMEDUEDATESERVICETIME"
    if titles != ["VEHICLE", "NUMBERCAPACITY", "CUSTOMER", columns]:
        raise UnaccountedError(titles)
    fleet, capacity = map(figure, lines[2].split())
    rows = [tuple(map(figure, line.split())) for line in lines[5:]]
    if [row[0] for row in rows] != list(range(len(rows))) or any(len(row) != 7 for row in rows):
        raise UnaccountedError(rows)
    (_, x, y, demand, ready, due, busy), *customers = rows
    if demand or busy:
        raise UnaccountedError(demand)
    return name, fleet, capacity, (x, y, ready, due), [row[1:] for row in customers]


def _solomon_kept(instance: Instance) -> Any:
    problem, points = instance.problem, instance.points or ()
    shifts = {worker.shifts[0] for worker in problem.workers}
    (capacity,) = {worker.capacity for worker in problem.workers}
    (shift,) = shifts
    rows = [
        (
            *map(_exact, points[v.place]), v.load, Fraction(v.earliest_s, 10), Fraction(v.latest_s, 10),
            Fraction(v.seats[0].duration_s, 10),
        )
        for v in problem.visits
    ]  # fmt: skip
    depot = (*map(_exact, points[0]), Fraction(shift.start_s, 10), Fraction(shift.end_s, 10))
    _ways_fit(instance, lambda a, b: math.floor(10 * math.dist(a, b) + 1e-9))
    return instance.name, len(problem.workers), capacity, depot, rows


def _ways_fit(instance: Instance, way: Callable[[Any, Any], int]) -> None:
    """A few ways of the matrix, from the points."""
    points, matrix = instance.points or (), next(iter(instance.problem.travel.values()))
    for n in range(len(points)):
        m = (7 * n + 3) % len(points)
        assert abs(int(matrix[n, m]) - way(points[n], points[m])) <= (abs(math.dist(points[n], points[m])) > 1e6)


def _vrplib_said(text: str) -> Any:
    lines = [line for line in _lines(text) if not line.startswith("#")]
    if lines.pop().upper() != "EOF":
        raise UnaccountedError("EOF")
    values: dict[str, str] = {}
    sections: dict[str, list[list[str]]] = {}
    now: list[list[str]] | None = None
    for line in lines:
        key, colon, rest = (part.strip() for part in line.partition(":"))
        key = key.upper()
        if key == "EOF" or key in values or key in sections:
            raise UnaccountedError(line)
        if key.endswith("_SECTION") and not rest:
            now = sections[key] = []
        elif key == "COMMENT":
            now = None
        elif colon:
            values[key], now = rest, None
        elif now is None:
            raise UnaccountedError(line)
        else:
            now.append(line.split())
    size = _whole(values.pop("DIMENSION"))
    fleet = _whole(values.pop("VEHICLES", str(size - 1)))
    if values.pop("TYPE").upper() not in {"CVRP", "VRPTW", "CVRPTW", "SDVRPTW"}:
        raise UnaccountedError("TYPE")
    name = values.pop("NAME", "")
    measure = values.pop("EDGE_WEIGHT_TYPE").upper(), values.pop("EDGE_WEIGHT_FORMAT", "FUNCTION").upper()
    cells = [figure(word) for row in sections.pop("EDGE_WEIGHT_SECTION", []) for word in row]
    if measure != (("EXPLICIT", "FULL_MATRIX") if cells else ("EUC_2D", "FUNCTION")):
        raise UnaccountedError("EDGE_WEIGHT_TYPE")

    def table(key: str, count: int, width: int) -> list[tuple[Fraction, ...]]:
        rows = [tuple(map(figure, row)) for row in sections.pop(key)]
        if [row[0] for row in rows] != list(range(1, count + 1)) or any(len(row) != width + 1 for row in rows):
            raise UnaccountedError(key)
        return [row[1:] for row in rows]

    def figures(key: str, count: int) -> list[Fraction | None]:
        if f"{key}_SECTION" in sections:
            return [row[0] for row in table(f"{key}_SECTION", count, 1)]
        return [figure(values.pop(key))] * count if key in values else [None] * count

    points = table("NODE_COORD_SECTION", size, 2) if "NODE_COORD_SECTION" in sections or not cells else []
    loads = figures("LINEHAUL" if "LINEHAUL_SECTION" in sections else "DEMAND", size)
    service = figures("SERVICE_TIME", size)
    windows = table("TIME_WINDOW_SECTION", size, 2) if "TIME_WINDOW_SECTION" in sections else None
    capacity, longest = figures("CAPACITY", fleet), figures("VEHICLES_MAX_DURATION", fleet)
    allowed = sections.pop("VEHICLES_ALLOWED_CLIENTS_SECTION", None)
    who = None
    if allowed is not None:
        if [_whole(row[0]) for row in allowed] != list(range(1, fleet + 1)):
            raise UnaccountedError(allowed)
        clients = [[_whole(word) for word in row[1:]] for row in allowed]
        if any(len(set(row)) < len(row) or not set(row) <= set(range(2, size + 1)) for row in clients):
            raise UnaccountedError(clients)
        who = [set(row) for row in clients]
    depots = [word for row in sections.pop("DEPOT_SECTION", []) for word in row]
    settings = {values.pop(key, None) for key in ("NODE_COORD_TYPE", "DISPLAY_DATA_TYPE")}
    if values or sections or depots not in ([], ["1"], ["1", "-1"]) or settings != {None} or loads[0]:
        raise UnaccountedError(values)
    return name, size, capacity, longest, points, loads[1:], service[1:], windows, who, cells


def _vrplib_kept(instance: Instance) -> Any:
    problem = instance.problem
    size = 1 + len(problem.visits)
    loads = [visit.load for visit in problem.visits]
    service = [Fraction(visit.seats[0].duration_s, 1000) for visit in problem.visits]
    shift = problem.workers[0].shifts[0]
    windows = [
        (Fraction(shift.start_s, 1000), Fraction(shift.end_s, 1000)),
        *((Fraction(v.earliest_s, 1000), Fraction(v.latest_s, 1000)) for v in problem.visits),
    ]
    longest = [None if w.max_span_s is None else Fraction(w.max_span_s, 1000) for w in problem.workers]
    who = [{v.place + 1 for v in problem.visits if w.id not in v.refused_workers} for w in problem.workers]
    points = [tuple(map(_exact, point)) for point in instance.points or ()]
    return instance.name, size, [w.capacity for w in problem.workers], longest, points, loads, service, windows, who


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise UnaccountedError(pairs)
    return dict(pairs)


def _json(text: str) -> Any:
    return json.loads(text.removesuffix("\x1a"), object_pairs_hook=_once)


def _empty(entry: dict[str, Any]) -> None:
    """All keys have been taken out."""
    if entry:
        raise UnaccountedError(entry)


def _city_said(text: str) -> Any:
    day = _json(text)
    if not day.pop("travel", "round(").startswith("round("):
        raise UnaccountedError("travel")
    workers = [(w.pop("id"), w.pop("base"), set(w.pop("skills"))) for w in day["workers"]]
    visits = [
        (
            v.pop("id"), v.pop("x"), v.pop("y"), v.pop("service"), v.pop("crew"), v.pop("duration_s"),
            tuple(v.pop("window_s")),
        )
        for v in day["visits"]
    ]  # fmt: skip
    for entry in (*day.pop("workers"), *day.pop("visits")):
        _empty(entry)
    bases = [tuple(base) for base in day.pop("bases")]
    found = (day.pop("name", None), bases, workers, visits, tuple(day.pop("shift_s")), day.pop("drop_penalty_s"))
    _empty(day)
    return found


def _city_kept(instance: Instance) -> Any:
    problem, points = instance.problem, list(instance.points or ())
    bases = points[: len(points) - len(problem.visits)]
    workers = [(w.id, w.start_place, set(w.skills)) for w in problem.workers]
    visits = [
        (
            v.id, *points[v.place], *next(iter({s.skills for s in v.seats})), len(v.seats), v.seats[0].duration_s,
            (v.earliest_s, v.latest_s),
        )
        for v in problem.visits
    ]  # fmt: skip
    shift, penalty = problem.workers[0].shifts[0], problem.visits[0].drop_penalty
    return instance.name, bases, workers, visits, (shift.start_s, shift.end_s), penalty


def _care_said(text: str) -> Any:
    day = _json(text)
    (office,) = day.pop("central_offices") if "central_offices" in day else day.pop("departing_points", [{}])
    at = office.pop("location", None)
    home, first = office.pop("id", None), office.pop("distance_matrix_index", None) or 0
    _empty(office)
    services = day.pop("services", [])
    usual = {s.pop("id"): (s.pop("default_duration", None), s.pop("type", None), _empty(s)) for s in services}
    if len(usual) < len(services):
        raise UnaccountedError(usual)
    carers = [
        (
            c.pop("id"), set(c.pop("abilities")), tuple(c.pop("working_shift", None) or (0, 100_000)),
            c.pop("starting_point_id", home) == home and c.pop("distance_matrix_index", None) in (None, first), _empty(c),
        )
        for c in day.pop("caregivers")
    ]  # fmt: skip
    if not all(carer[3] for carer in carers):
        raise UnaccountedError(carers)
    rows, patients = [first], []
    for n, p in enumerate(day.pop("patients"), 1):
        required = p.pop("required_caregivers")
        services = [(r["service"], r.pop("duration", None)) for r in required]
        services = [(n, usual[n][0] if minutes is None else minutes) for n, minutes in services]
        for r in required:
            r.pop("service")
            _empty(r)
        sync = p.pop("synchronization", None) or {}
        kind, gap = sync.pop("type", None), tuple(sync.pop("distance", ()))
        _empty(sync)
        row = p.pop("distance_matrix_index", None)
        rows.append(n if row is None else row)
        point = p.pop("location", None)
        patients.append(
            (
                p.pop("id"), tuple(p.pop("time_window")), services, kind, gap,
                set(p.pop("incompatible_caregivers", None) or ()), point and tuple(point), _empty(p),
            )
        )  # fmt: skip
    matrix = day.pop("distances")
    if any(len(row) != len(rows) for row in (matrix, *matrix)) or sorted(rows) != list(range(len(rows))):
        raise UnaccountedError(rows)
    day.pop("name", None), day.pop("area", None), _empty(day)
    points = [at and tuple(at), *(p[6] for p in patients)]
    return (
        [[matrix[a][b] for b in rows] for a in rows], [c[:3] for c in carers], [p[:6] for p in patients],
        points if all(points) else None,
    )  # fmt: skip


def _care_kept(instance: Instance) -> Any:
    problem, unit = instance.problem, instance.unit
    matrix = [[int(cell) / unit for cell in row] for row in problem.travel["car"]]
    carers = [
        (w.id, set(w.skills), (w.shifts[0].start_s / unit, w.shifts[0].end_s / unit)) for w in problem.workers
    ]  # fmt: skip
    links = {link.before: link for link in problem.links}
    by_place: dict[int, list[Visit]] = {}
    for visit in problem.visits:
        by_place.setdefault(visit.place, []).append(visit)
    patients = []
    for visits in by_place.values():
        first = visits[0]
        link = links.get(first.id)
        named = [
            (instance.names[v.id, n][1], v.seats[n].duration_s / unit) for v in visits for n in range(len(v.seats))
        ]
        kind = "sequential" if link else "simultaneous" if len(first.seats) > 1 else None
        kind = "independent" if kind is None and len(visits) > 1 else kind
        gap = () if link is None or link.max_gap_s is None else (link.min_gap_s / unit, link.max_gap_s / unit)
        window = (first.earliest_s / unit, (first.due_s or 0) / unit)
        patients.append((instance.names[first.id, 0][0], window, named, kind, gap, set(first.refused_workers)))
    return matrix, carers, patients, None if instance.points is None else list(instance.points)


def _own_said(text: str) -> Any:
    return _json(text)


def agrees(form: str, file_said: Any, instance: Instance) -> bool:
    """Whether a reader kept all that the file says."""
    if form == "yinling":
        return _own_agrees(file_said, instance)
    found = kept(instance)
    if form == "vrplib":
        return _vrplib_agrees(file_said, found, instance)
    if form == "hhcrsp":  # figures finer than the problem counts stay exact in its answers
        return _near(file_said, found, 1e-6 if instance.judged is instance.problem else 2 / instance.unit)
    if form in {"solomon", "city"} and not file_said[0]:
        file_said, found = file_said[1:], found[1:]  # a day without a name is called as its file is
    return file_said == found


def _near(one: Any, two: Any, by: float) -> bool:
    if isinstance(one, list | tuple):
        alike = isinstance(two, list | tuple) and len(one) == len(two)
        return alike and all(_near(a, b, by) for a, b in zip(one, two, strict=True))
    if isinstance(one, int | float) and not isinstance(one, bool):
        return isinstance(two, int | float) and abs(one - two) <= by
    return one == two


def _vrplib_agrees(file_said: Any, found: Any, instance: Instance) -> bool:
    name, size, capacity, longest, points, loads, service, windows, who, cells = file_said
    if cells and cells != [Fraction(int(cell), 1000) for cell in instance.problem.travel["car"].ravel()]:
        return False
    if not cells:
        _ways_fit(instance, lambda a, b: round(1000 * math.dist(a, b)))
    fits = [
        (name or found[0]) == found[0], size == found[1], capacity == found[2], longest == found[3], points == found[4],
        [load or 0 for load in loads] == found[5], [busy or 0 for busy in service] == found[6],
        windows is None or windows == found[7], who is None or who == found[8],
        windows is not None or min(v.latest_s for v in instance.problem.visits) >= 2 * instance.problem.travel["car"].max(),
    ]  # fmt: skip
    return all(fits)


_KINDS: dict[str, Any] = {
    "seats": Seat, "delivery": Delivery, "promised": Promise, "workers": Worker, "visits": Visit, "links": Link,
    "equipment": Equipment,
}  # fmt: skip
_BY_TIME = {
    "shifts": lambda s: (s["start_s"], s["end_s"]),
    "breaks": lambda b: (b["earliest_s"], b["latest_s"], b["duration_s"]),
}


def _own_agrees(day: dict[str, Any], instance: Instance) -> bool:
    problem = instance.problem
    day = dict(day)
    name, travel, places = day.pop("name", ""), day.pop("travel", None), day.pop("places", None)
    if (name or instance.name) != instance.name or (travel is None) == (places is None):
        return False
    if travel is not None:
        fits = travel == {mode: matrix.tolist() for mode, matrix in problem.travel.items()}
    else:
        fits = _own_ways(dict(places), instance)
    whole = {
        "workers": problem.workers, "visits": problem.visits, "links": problem.links, "equipment": problem.equipment,
        "now_s": problem.now_s, "weights": problem.weights,
    }  # fmt: skip
    blank = {"links": [], "equipment": [], "now_s": 0, "weights": {}}
    return fits and set(day) <= set(whole) and all(_same(day.get(k, blank.get(k)), v, k) for k, v in whole.items())


def _own_ways(places: dict[str, Any], instance: Instance) -> bool:
    points, speeds = places.pop("points"), places.pop("speeds")
    streets = places.pop("metric", "straight") == "streets"
    if places or [tuple(p) for p in points] != list(instance.points or ()):
        return False
    for mode, speed in speeds.items():
        for n, here in enumerate(points):
            there = points[(3 * n + 1) % len(points)]
            metres = sum(abs(a - b) for a, b in zip(here, there, strict=True)) if streets else math.dist(here, there)
            if abs(int(instance.problem.travel[mode][n, (3 * n + 1) % len(points)]) - metres / speed) > 1:
                return False
    return set(speeds) == set(instance.problem.travel)


def _same(value: Any, built: Any, key: str) -> bool:
    """Whether JSON says exactly this; what it leaves out has its default."""
    if isinstance(built, frozenset):
        return isinstance(value, list) and set(value) == built
    if isinstance(built, tuple):
        value = sorted(value, key=_BY_TIME[key]) if key in _BY_TIME else value
        value = _joined(value) if key == "shifts" else value
        return len(value) == len(built) and all(_same(v, b, key) for v, b in zip(value, built, strict=True))
    names = getattr(built, "__struct_fields__", None)
    if names is None:
        return type(value) is not bool and value == built if not isinstance(built, bool) else value is built
    if not isinstance(value, dict) or not set(value) <= set(names):
        return False
    kind = Weights if key == "weights" else type(built)
    blanks = dict(zip(names[len(names) - len(kind.__struct_defaults__) :], kind.__struct_defaults__, strict=True))
    return all(
        _same(value[n], getattr(built, n), n) if n in value else n in blanks and _blank(getattr(built, n), blanks[n])
        for n in names
    )


def _joined(shifts: list[dict[str, int]]) -> list[dict[str, int]]:
    """Shifts by time, those that touch or overlap as one."""
    found: list[dict[str, int]] = []
    for shift in shifts:
        if found and shift["start_s"] <= found[-1]["end_s"]:
            found[-1] = {**found[-1], "end_s": max(found[-1]["end_s"], shift["end_s"])}
        else:
            found.append(shift)
    return found


def _blank(built: Any, default: Any) -> bool:
    return built == default or (built in ((), frozenset()) and callable(getattr(default, "factory", None)))


def plan_said(raw: bytes, workers: set[str]) -> Any:
    """The routes and the unserved of a plan file."""
    body = _json(raw.decode("utf-8-sig"))
    routes: dict[str, list[Any]] = {worker: [] for worker in workers}
    entries = body.pop("routes")
    for entry in entries:
        stops = [
            (s.pop("visit"), s.pop("service"), s.pop("start"), s.pop("kind", None), _empty(s)) for s in entry.pop("stops")
        ]  # fmt: skip
        routes[entry.pop("worker")] = [stop[:4] for stop in stops]
        _empty(entry)
    unserved = set(body.pop("unserved"))
    body.pop("objective", None), _empty(body)
    named = {worker: [(*stop[:3], stop[3] or "visit") for stop in route] for worker, route in routes.items()}
    return named, unserved


_SAID: dict[str, Callable[[str], Any]] = {
    "solomon": _solomon_said, "vrplib": _vrplib_said, "city": _city_said, "hhcrsp": _care_said, "yinling": _own_said,
}  # fmt: skip
_KEPT: dict[str, Callable[[Instance], Any]] = {
    "solomon": _solomon_kept, "vrplib": _vrplib_kept, "city": _city_kept, "hhcrsp": _care_kept,
}  # fmt: skip
