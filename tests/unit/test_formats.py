"""Days from files: each format's own numbers come out exactly, and a bad file is refused in one line."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch import Plan, Stop, check_plan, construct, improve, plan_cost
from dispatch.formats import Instance, InstanceError, read_instance, read_plan, write_plan
from dispatch.formats.hhcrsp import read_hhcrsp
from dispatch.formats.native import schema
from tests.benchmarks.generate import city

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support" / "instances"
CARE = SUPPORT / "hhcrsp" / "InstanzCPLEX_HCSRP_10_1.json.gz"
SOLOMON = SUPPORT / "solomon" / "C101_25.txt"
SITES = SUPPORT / "sdvrptw" / "PR01.vrp.gz"
EXAMPLES = ROOT / "dispatch" / "examples"

# The optimum of C101 with its first 25 customers, published as 191.3.
CLUSTERS = ("5 3 7 8 10 11 9 6 4 2 1", "13 17 18 19 15 16 14 12", "20 24 25 23 22 21")


def _care() -> dict[str, Any]:
    return json.loads(gzip.decompress(CARE.read_bytes()))


def _written(folder: Path, body: Any, name: str = "day.json") -> Path:
    path = folder / name
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return path


def _in_order(instance: Instance, routes: dict[str, list[str]]) -> Plan:
    """The plan that follows these orders of visits as early as possible."""
    problem = instance.problem
    ways, visits = problem.travel["car"], {visit.id: visit for visit in problem.visits}
    found: dict[str, tuple[Stop, ...]] = {}
    for worker, names in routes.items():
        here, free, stops = 0, 0, list[Stop]()
        for name in names:
            visit = visits[name]
            start = max(visit.earliest_s, free + int(ways[here, visit.place]))
            stops.append(Stop(worker, "visit", name, 0, visit.place, start, start + visit.seats[0].duration_s))
            here, free = visit.place, stops[-1].end_s
        found[worker] = tuple(stops)
    return Plan(found)


def test_solomon_distances_are_cut_to_one_decimal_and_summed():
    instance = read_instance(SOLOMON)
    assert instance.form == "solomon"
    assert len(instance.problem.workers) == 25
    assert {worker.capacity for worker in instance.problem.workers} == {200}
    plan = _in_order(instance, {str(n): route.split() for n, route in enumerate(CLUSTERS, 1)})
    assert check_plan(instance.problem, plan) == []
    assert instance.objective(*instance.settle(plan)) == 191.3


def test_a_full_vehicle_is_noticed():
    instance = read_instance(SOLOMON)
    first, second, third = (route.split() for route in CLUSTERS)
    plan = _in_order(instance, {"1": first + second, "2": third})
    assert "capacity" in {violation.rule for violation in check_plan(instance.problem, plan)}


def test_home_care_counts_late_minutes_of_each_service_and_the_worst():
    """The published cost: a third of distance, all lateness and the greatest lateness, in minutes."""
    instance = read_instance(CARE)
    assert instance.unit == 1000
    problem = instance.problem
    plan = construct(problem)
    settled, starts = instance.settle(plan)
    day = _care()
    due = {patient["id"]: patient["time_window"][1] for patient in day["patients"]}
    late = [
        max(0.0, start - due[stop.visit.split("/")[0]])
        for worker, route in settled.routes.items()
        for stop, start in zip(route, starts[worker], strict=True)
    ]
    distance = 3 * instance.objective(settled, starts) - sum(late) - max(late)
    road = sum(
        day["distances"][a][b]
        for route in plan.routes.values()
        for a, b in zip([0, *(s.place for s in route)], [*(s.place for s in route), 0], strict=True)
    )
    assert distance == pytest.approx(road)
    assert plan_cost(problem, plan) == pytest.approx(3000 * instance.objective(settled, starts))


def test_the_ten_patient_day_reaches_its_proven_optimum():
    instance = read_instance(CARE)
    plan = improve(instance.problem, construct(instance.problem), 0, 1, iterations=80)
    assert json.loads(write_plan(instance, plan)[0])["objective"] == pytest.approx(218.199, abs=5e-4)


def test_figures_finer_than_the_problem_counts_stay_exact_in_the_answer(tmp_path: Path):
    """Ways of any precision: the search rounds, the starts and the objective written down do not."""
    day = _care()
    day["distances"] = [[cell * 1.0000317 for cell in row] for row in day["distances"]]
    instance = read_hhcrsp(_written(tmp_path, day))
    body, objective = write_plan(instance, construct(instance.problem))
    plan, starts = read_plan(instance, _written(tmp_path, body.decode(), "plan.json"))
    assert check_plan(instance.judged, plan) == []
    assert instance.objective(plan, starts) == pytest.approx(objective, abs=1e-5)
    for worker, route in plan.routes.items():
        here, free = 0, 0.0
        for stop, start in zip(route, starts[worker], strict=True):
            assert start >= free + day["distances"][here][stop.place] - 1e-6
            here, free = stop.place, start + (stop.end_s - stop.start_s) / instance.unit


def test_allowed_clients_capacities_and_longest_days_are_read():
    instance = read_instance(SITES)
    workers, visits = instance.problem.workers, {visit.id: visit for visit in instance.problem.visits}
    assert (len(workers), len(visits)) == (8, 48)
    assert [worker.capacity for worker in workers] == [100, 100, 150, 150, 200, 200, 250, 250]
    assert {worker.max_span_s for worker in workers} == {500_000}
    assert visits["49"].refused_workers == frozenset("123478")
    assert visits["2"].refused_workers == frozenset()
    assert visits["2"].load == 23


def test_a_day_is_no_longer_than_its_waiting_makes_it():
    """Routes set out as late as their end allows, or a longest day would be broken by waiting at the first door."""
    instance = read_instance(SITES)
    plan = construct(instance.problem)
    settled, _ = instance.settle(plan)
    for worker, route in settled.routes.items():
        early = plan.routes[worker]
        assert [s.visit for s in route] == [s.visit for s in early]
        if route:
            assert route[-1].start_s == early[-1].start_s
            assert route[0].start_s >= early[0].start_s
    broken = {violation.rule for violation in check_plan(instance.problem, settled)}
    assert broken <= {"span"}


def test_a_city_day_asks_for_whole_crews(tmp_path: Path):
    instance = read_instance(_written(tmp_path, city(40, 2, crews=0.6)))
    assert instance.form == "city"
    crews = [visit for visit in instance.problem.visits if len(visit.seats) == 2]
    assert crews
    plan = construct(instance.problem)
    body, objective = write_plan(instance, plan)
    assert objective == plan_cost(instance.problem, plan)
    told = [stop for route in json.loads(body)["routes"] for stop in route["stops"] if stop["visit"] == crews[0].id]
    assert [stop["service"] for stop in told] == ["bath", "bath"]


@pytest.mark.parametrize("name", ["morning", "meals"])
def test_the_examples_can_be_planned_and_come_back_from_their_plan(tmp_path: Path, name: str):
    instance = read_instance(EXAMPLES / f"{name}.json")
    plan = construct(instance.problem)
    assert plan.unserved == ()
    assert check_plan(instance.problem, plan) == []
    back, _ = read_plan(instance, _written(tmp_path, write_plan(instance, plan)[0].decode()))
    assert back == plan


@pytest.mark.parametrize("path", [CARE, SOLOMON, SITES], ids=lambda path: path.name)
def test_a_plan_comes_back_from_its_file(tmp_path: Path, path: Path):
    instance = read_instance(path)
    settled, _ = instance.settle(construct(instance.problem))
    body, objective = write_plan(instance, settled)
    back, starts = read_plan(instance, _written(tmp_path, body.decode()))
    assert {w: [(s.visit, s.start_s) for s in r] for w, r in back.routes.items()} == {
        w: [(s.visit, s.start_s) for s in r] for w, r in settled.routes.items()
    }
    assert instance.objective(back, starts) == pytest.approx(objective, abs=1e-6)


def test_the_schema_beside_the_readers_is_the_one_they_read():
    """Whoever writes days by hand checks them against this file; `python -m tests.unit.test_formats` writes it anew."""
    assert (ROOT / "dispatch" / "formats" / "day.schema.json").read_bytes() == schema()
    assert b"\\n " not in schema()  # Python 3.13 strips the indents of docstrings, older ones do not


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(day: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = day
        for step in way:
            at = at[int(step)] if step.isdigit() else at[step]
        if value is ...:
            del at[int(last) if last.isdigit() else last]
        else:
            at[int(last) if last.isdigit() else last] = value

    return spoil


def _refused(path: Path, *words: str, form: str | None = None) -> None:
    with pytest.raises(InstanceError) as refused:
        read_instance(path, form)
    said = str(refused.value)
    assert "\n" not in said
    for word in (path.name, *words):
        assert word in said, said


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("patients", [], "patients"),
        ("patients.0.time_window", [500, 100], "patients[0].time_window"),
        ("patients.0.time_window", "noon", "patients[0].time_window"),
        ("patients.0.time_window", [0, 1e9], "patients[0].time_window"),
        ("patients.1.id", "p1", "patients.id: p1"),
        ("patients.1.id", ..., "patients[1].id"),
        ("patients.0.location", [1], "patients[0].location"),
        ("patients.0.required_caregivers", [], "patients[0].required_caregivers"),
        ("patients.0.required_caregivers.0.duration", -3, "patients[0].required_caregivers[0].duration: -3"),
        ("patients.0.required_caregivers.0.duration", True, "patients[0].required_caregivers[0].duration: True"),
        ("patients.0.synchronization", {"type": "waltz"}, "patients[0].synchronization.type: waltz"),
        ("caregivers.0.abilities", "all", "caregivers[0].abilities: all"),
        ("caregivers.0.abilities.0", 7, "caregivers[0].abilities: 7"),
        ("central_offices", [{}, {}], "central_offices: 2"),
        ("distances.0", [0], "distances[0]: 1"),
        ("distances.0.1", "far", "distances[0][1]: far"),
    ],
)
def test_a_wrong_care_day_is_refused_in_one_line(tmp_path: Path, path: str, value: Any, field: str):
    day = _care()
    _set(path, value)(day)
    _refused(_written(tmp_path, day), field)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("bases.0", [1], "bases[0]: 1"),
        ("shift_s", [9, 1], "shift_s: [9, 1]"),
        ("drop_penalty_s", ..., "drop_penalty_s"),
        ("workers.0.base", 8, "workers[0].base: 8"),
        ("workers.0.skills", None, "workers[0].skills: None"),
        ("workers.1.id", "w1", "workers.id: w1"),
        ("visits.0.crew", 0, "visits[0].crew: 0"),
        ("visits.0.crew", 1.5, "visits[0].crew: 1.5"),
        ("visits.0.x", "east", "visits[0].x: east"),
        ("visits.0.window_s", [1, 2, 3], "visits[0].window_s: 3"),
    ],
)
def test_a_wrong_city_day_is_refused_in_one_line(tmp_path: Path, path: str, value: Any, field: str):
    day = city(10, 1)
    _set(path, value)(day)
    _refused(_written(tmp_path, day), field)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("visits.0.seats.0.duration_s", "long", "visits[0].seats[0].duration_s: 'long'"),
        ("visits.0.earliest", 5, "unknown field `earliest`"),
        ("visits.0.place", ..., "missing required field `place`"),
        ("visits.0.place", 5, "visits[0] place: 5"),
        ("visits.0.latest_s", 1, "visits[0].earliest_s, latest_s: [32400, 1]"),
        ("visits.1.id", "bath for two", "visits.id: bath for two"),
        ("visits.0.seats", [], "visits[0].seats: 0"),
        ("workers.0.mode", "boat", "workers[0].mode: boat"),
        ("links.0.after", "nowhere", "links[0].after: nowhere"),
        ("places.speeds.car", 0, "places.speeds.car: 0"),
        ("places", ..., "travel: both or none"),
        ("travel", {"car": [[0, 1], [1]]}, "travel: both or none"),
    ],
)
def test_a_wrong_day_of_our_own_is_refused_in_one_line(tmp_path: Path, path: str, value: Any, field: str):
    day = json.loads((EXAMPLES / "morning.json").read_bytes())
    _set(path, value)(day)
    _refused(_written(tmp_path, day), field)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("travel.scooter.1", [0, 1], "travel.scooter[1]: 2"),
        ("travel.scooter.1.0", -4, "travel.scooter: -4"),
        ("travel.scooter.1.0", 2**40, "travel.scooter"),
        ("travel.car", [[0]], "travel: [4, 1]"),
    ],
)
def test_ways_that_are_no_square_of_seconds_are_refused(tmp_path: Path, path: str, value: Any, field: str):
    day = json.loads((EXAMPLES / "meals.json").read_bytes())
    _set(path, value)(day)
    _refused(_written(tmp_path, day), field)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("CUSTOMER", "CLIENTS", "CUSTOMER"),
        ("  25         200", "  25", "vehicles and capacity"),
        ("  25         200", "", "VEHICLE: 0"),
        ("   3      42         66", "   3      42", "line 13 customer"),
        ("   3      42", "   2      42", "CUST NO.: 2"),
        ("   3      42", "   3      east", "line 13 customer: east"),
        ("65        146", "165        146", "customer 3 window"),
        ("30        825", "3.5       825", "customer 2 demand: 3.5"),
    ],
)
def test_a_wrong_solomon_file_is_refused_in_one_line(tmp_path: Path, old: str, new: str, field: str):
    text = SOLOMON.read_text()
    assert old in text
    _refused(_written(tmp_path, text.replace(old, new, 1), "day.txt"), field)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("DIMENSION: 49", "DIMENSION: 50", "NODE_COORD_SECTION: 49"),
        ("DIMENSION: 49", "", "DIMENSION"),
        ("VEHICLES: 8", "VEHICLES: 9", "9 are needed"),
        ("VEHICLES: 8", "VEHICLES: many", "VEHICLES: many"),
        ("EUC_2D", "GEO", "EDGE_WEIGHT_TYPE: GEO"),
        ("CAPACITY_SECTION", "PRIZE_SECTION", "PRIZE_SECTION"),
        ("1\t23.627\t3.963", "2\t23.627\t3.963", "should begin with 1"),
        ("2\t257\t374", "2\t574\t374", "TIME_WINDOW_SECTION 2"),
        ("1\t100\n", "1\tfull\n", "CAPACITY_SECTION: full"),
        ("\n1\t2\t3\t4\t5", "\n1\t77\t3\t4\t5", "VEHICLES_ALLOWED_CLIENTS_SECTION: 77"),
        ("NODE_COORD_SECTION\n", "", "belongs to no section"),
    ],
)
def test_a_wrong_vrplib_file_is_refused_in_one_line(tmp_path: Path, old: str, new: str, field: str):
    text = gzip.decompress(SITES.read_bytes()).decode().replace("\r", "")
    assert old in text
    _refused(_written(tmp_path, text.replace(old, new, 1), "day.vrp"), field)


@pytest.mark.parametrize("form", ["yinling", "hhcrsp", "solomon", "vrplib", "city"])
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b"{}", gzip.compress(b"{}")[:-5]],
    ids=["empty", "cut", "bytes", "list", "null", "object", "torn"],
)
def test_what_is_no_day_at_all_is_refused(tmp_path: Path, form: str, content: bytes):
    path = tmp_path / "day"
    path.write_bytes(content)
    _refused(path, form=form)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    _refused(tmp_path / "day.txt", "No such file")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("routes", ..., "routes"),
        ("routes.0.worker", "zoe", "routes[0].worker: zoe"),
        ("routes.1.worker", "1", "routes[1].worker: 1 has two routes"),
        ("routes.0.stops.0.visit", "99", "routes[0].stops[0]"),
        ("routes.0.stops.0.start", "soon", "routes[0].stops[0].start: soon"),
        ("routes.0.stops.0.kind", "pickup", "routes[0].stops[0].kind: pickup"),
        ("unserved", ["99"], "unserved: 99"),
    ],
)
def test_a_wrong_plan_is_refused_in_one_line(tmp_path: Path, path: str, value: Any, field: str):
    instance = read_instance(SOLOMON)
    plan = _in_order(instance, {str(n): route.split() for n, route in enumerate(CLUSTERS, 1)})
    body = msgspec.json.decode(write_plan(instance, plan)[0])
    _set(path, value)(body)
    with pytest.raises(InstanceError) as refused:
        read_plan(instance, _written(tmp_path, body))
    assert field in str(refused.value)


if __name__ == "__main__":
    (ROOT / "dispatch" / "formats" / "day.schema.json").write_bytes(schema())
