"""What a reader does not understand it names and refuses; it drops nothing, cuts nothing and guesses nothing."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch import construct
from dispatch.__main__ import main
from dispatch.formats import FORMATS, InstanceError, read_instance, read_plan, reading, write_plan
from tests.benchmarks.generate import city
from tests.hostile.test_changed_files import SMALL
from tests.unit.test_formats import CARE, EXAMPLES, SITES, SOLOMON

ROWS = SOLOMON.read_text()
SITE_TEXT = gzip.decompress(SITES.read_bytes()).decode().replace("\r", "")


def _refused(folder: Path, body: str | bytes, *words: str, name: str = "day") -> None:
    path = folder / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    with pytest.raises(InstanceError) as refused:
        read_instance(path)
    line = str(refused.value)
    assert line.isprintable()
    for word in (name, *words):
        assert word in line, line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("   3      42", "   C3     42", "line 13 customer: C3 is not a number"),
        ("   3      42", "   4      42", "CUST NO.: 4 stands where 3 should"),
        ("    0      40", "    1      40", "CUST NO.: 1 stands where 0 should"),
        ("  25         200", "  2.5        200", "2.5 is not a whole number"),
        ("  25         200", "  25         200.5", "200.5 is not a whole number"),
        ("  25         200", "  25         -200", "-200"),
        ("  25         200", "  99999      200", "more than the 10000"),
        ("30        825", "30        825.25", "customer 2 ready: 825.25 is finer than 1/10"),
        ("30        825", "-30       825", "customer 2 demand: -30"),
        ("30        825", "30        nan", "nan is not a number"),
        ("30        825", "30        1e999", "is more than"),
        ("30        825", "30        1_825", "1_825 is not a number"),
        ("40         50          0", "40         50          5", "is not 0 at the depot"),
        ("READY TIME  DUE DATE", "DUE DATE  READY TIME", "CUST NO."),
        ("VEHICLE\n", "VEHICLE\nRECHARGE STATIONS\n", "NUMBER CAPACITY"),
        ("CUSTOMER\n", "CUSTOMER\nCUSTOMER\n", "stands there instead"),
    ],
)
def test_a_solomon_file_that_says_more_or_less_is_refused(tmp_path: Path, old: str, new: str, words: str):
    assert old in ROWS
    _refused(tmp_path, ROWS.replace(old, new, 1), words)


def test_rows_left_out_or_written_behind_the_last_are_refused(tmp_path: Path):
    lines = ROWS.splitlines()
    _refused(tmp_path, "\n".join([*lines[:15], *lines[16:]]), "CUST NO.")
    _refused(tmp_path, ROWS + "\nEOF\n", "EOF has 1 columns, not 7")
    _refused(tmp_path, ROWS + ROWS, "columns, not 7")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("CAPACITY : 30", "CAPACITY : 30.5", "CAPACITY: 30.5 is not a whole number"),
        ("CAPACITY : 30\n", "", "CAPACITY: None is missing"),
        ("CAPACITY : 30", "CAPACITY : 30\nCAPACITY : 40", "line 7: CAPACITY appears twice"),
        (
            "CAPACITY : 30",
            "CAPACITY : 30\nDISTANCE : 200",
            "line 7: DISTANCE : 200 is not understood; understood are NAME",
        ),
        ("DEMAND_SECTION", "PICKUP_SECTION", "line 14: PICKUP_SECTION is not understood; understood are"),
        ("DEMAND_SECTION", "DEMAND_SECTION: 6", "line 14: DEMAND_SECTION: 6 is not understood"),
        ("1 0\n2 19", "1 7\n2 19", "DEMAND_SECTION: 7 is not 0 at the depot"),
        ("2 19", "2 19.5", "DEMAND_SECTION: 19.5 is not a whole number"),
        ("2 19", "2 -19", "is less than 0"),
        ("2 19\n3 30", "3 30\n2 19", "should begin with 2"),
        ("1 0\n2 19\n3 30\n4 16\n5 23\n6 11", "0 0\n1 19\n2 30\n3 16\n4 23\n5 11", "should begin with 1"),
        ("4 16\n", "", "should begin with 4"),
        ("6 11\n", "", "DEMAND_SECTION: 5 lines, but 6 are needed"),
        (" 1\n -1", " 2\n -1", "DEPOT_SECTION: 2 -1 is not 1 and -1"),
        (" 1\n -1", " 1\n 2\n -1", "DEPOT_SECTION: 1 2 -1"),
        ("DEPOT_SECTION", "NODE_COORD_SECTION", "line 21: NODE_COORD_SECTION appears twice"),
        ("EOF\n", "", "EOF: None is missing, so the file may have been cut"),
        ("EOF\n", "EOF\n7 1 1\n", "line 25: 7 1 1 stands behind EOF"),
        ("TYPE : CVRP\n", "", "TYPE: None is missing"),
        ("TYPE : CVRP", "TYPE : TSP", "TYPE: TSP is not understood; understood are CVRP"),
        ("TYPE : CVRP", "TYPE : VRPTW", "TIME_WINDOW_SECTION: None is missing, which VRPTW needs"),
        ("EUC_2D", "CEIL_2D", "EDGE_WEIGHT_TYPE: CEIL_2D"),
        ("DIMENSION : 6", "DIMENSION : 30001", "are more than the 10000 that can be planned"),
        ("DIMENSION : 6", "DIMENSION : 6.0000001", "is not a whole number"),
        ("DIMENSION : 6", "DIMENSION 6", "belongs to no section"),
        ("EUC_2D\n", "EUC_2D\nNODE_COORD_TYPE : THREED_COORDS\n", "THREED_COORDS is not understood"),
        ("EUC_2D\n", "EUC_2D\nEDGE_WEIGHT_SECTION\n1 2\n", "EDGE_WEIGHT_TYPE: EUC_2D"),
    ],
)
def test_a_vrplib_file_that_says_more_or_less_is_refused(tmp_path: Path, old: str, new: str, words: str):
    assert old in SMALL
    _refused(tmp_path, SMALL.replace(old, new, 1), words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("VEHICLES_MAX_DURATION: 500", "VEHICLES_MAX_DURATION: 500\nCAPACITY: 9", "says the same once more"),
        ("1\t100\n", "1\t100.5\n", "CAPACITY: 100.5 is not a whole number"),
        ("\n1\t2\t3\t4\t5", "\n1\t2\t2\t4\t5", "appears twice"),
        ("\n1\t2\t3\t4\t5", "\n1\t1\t3\t4\t5", "is less than 2"),
        ("2\t257\t374", "2\t257.0005\t374", "is finer than 1/1000"),
    ],
)
def test_vehicles_described_twice_or_finer_than_counted_are_refused(tmp_path: Path, old: str, new: str, words: str):
    assert old in SITE_TEXT
    _refused(tmp_path, SITE_TEXT.replace(old, new, 1), words)


def test_comments_tabs_ends_of_lines_and_an_old_mark_at_the_end_change_nothing(tmp_path: Path):
    plain, other = tmp_path / "plain", tmp_path / "other"
    for text in (SMALL, ROWS):
        plain.write_text(text)
        want = read_instance(plain).problem
        for change in ("\r\n", "\r", " \t\n\n"):
            other.write_bytes(b"\xef\xbb\xbf" + (text.replace("\n", change) + "\n \n\x1a").encode())
            assert _same(read_instance(other).problem, want)
    other.write_text("# made by hand\n" + SMALL.replace("DEMAND_SECTION", "# what each wants\nDEMAND_SECTION\t"))
    plain.write_text(SMALL)
    assert _same(read_instance(other).problem, read_instance(plain).problem)


def _same(one: Any, two: Any) -> bool:
    return (one.workers, one.visits) == (two.workers, two.visits) and bool(
        (one.travel["car"] == two.travel["car"]).all()
    )


def test_without_windows_no_route_is_ever_too_long(tmp_path: Path):
    """The horizon was a million; doors farther apart than that were left out without a word."""
    path = tmp_path / "day.vrp"
    path.write_text(SMALL.replace("2 37 52", "2 900000 -900000"))
    assert construct(read_instance(path).problem).unserved == ()


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: d["patients"][0].update(priority=3),
            "patients[0].priority: 3 is not understood; understood are id,",
        ),
        (lambda d: d.update(travel_times=[]), "travel_times: [] is not understood"),
        (lambda d: d["caregivers"][0].update(breaks=[]), "caregivers[0].breaks"),
        (lambda d: d.update(departing_points=d.pop("central_offices") * 2), "departing_points: 2 offices"),
        (
            lambda d: d.update(departing_points=[{"id": "e"}]),
            "departing_points: central_offices says the same once more",
        ),
        (
            lambda d: d["caregivers"][0].update(starting_point_id="e"),
            "caregivers[0].starting_point_id: e is not the office",
        ),
        (lambda d: d["patients"][1].update(distance_matrix_index=1), "distance_matrix_index"),
        (lambda d: d["patients"][0].update(incompatible_caregivers=["c99"]), "c99 is no caregiver of this day"),
        (lambda d: d["patients"][0]["required_caregivers"][0].update(service="s99"), "s99 is not among the services"),
        (lambda d: d["caregivers"][0]["abilities"].append("s99"), "caregivers[0].abilities: s99"),
        (lambda d: d["services"].append(d["services"][0]), "services.id: s1 appears twice"),
        (
            lambda d: d["patients"][0].update(synchronization={"type": "sequential", "distance": [1, 2]}),
            "but one is required",
        ),
        (lambda d: d["patients"][0].update(id="p 1 "), "spaces around it"),
        (lambda d: d["patients"][0].update(id="\ufeffp1"), "characters nobody sees"),
        (lambda d: d["patients"][0].update(time_window=["345", "465"]), "345 is not a number"),
        (lambda d: d["distances"][0].pop(), "distances[0]: 10 entries, but 11 are needed"),
    ],
)
def test_a_care_day_that_says_more_or_less_is_refused(tmp_path: Path, change: Change, words: str):
    day = json.loads(gzip.decompress(CARE.read_bytes()))
    change(day)
    _refused(tmp_path, json.dumps(day), words)


def test_several_services_without_a_word_on_how_they_belong_together_are_refused(tmp_path: Path):
    day = json.loads(gzip.decompress(CARE.read_bytes()))
    n = next(n for n, patient in enumerate(day["patients"]) if len(patient["required_caregivers"]) > 1)
    del day["patients"][n]["synchronization"]
    _refused(tmp_path, json.dumps(day), f"patients[{n}].synchronization", "is missing, but 2 services are required")


def test_rows_of_the_matrix_are_those_a_patient_names(tmp_path: Path):
    """Newer files number the rows; read by order, everybody would live at somebody else's."""
    day = json.loads(gzip.decompress(CARE.read_bytes()))
    want = read_instance(CARE).problem.travel["car"]
    size = len(day["distances"])
    turned = [0, *range(size - 1, 0, -1)]
    for n, patient in enumerate(day["patients"], 1):
        patient["distance_matrix_index"] = turned[n]
    day["distances"] = [[day["distances"][a][b] for b in turned] for a in turned]
    path = tmp_path / "day.json"
    path.write_text(json.dumps(day))
    assert (read_instance(path).problem.travel["car"] == want).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["visits"][0].update(due_s=3), "visits[0].due_s: 3 is not understood"),
        (lambda d: d["visits"][0].update(window_s=[1.5, 9000]), "window_s: 1.5 is not a whole number"),
        (lambda d: d.update(shift_s=[27000.5, 72000]), "shift_s: 27000.5"),
        (lambda d: d.update(travel="straight lines at 5 m/s"), "travel: straight lines at 5 m/s"),
        (lambda d: d["workers"][0].update(skills=[""]), "skills: '' is not a name"),
    ],
)
def test_a_city_day_that_says_more_or_less_is_refused(tmp_path: Path, change: Change, words: str):
    day = city(6, 1)
    change(day)
    _refused(tmp_path, json.dumps(day), words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["visits"][1].update(id=""), "visits[1].id: '' is not a name"),
        (lambda d: d["workers"][0].update(id=" "), "workers[0].id"),
        (lambda d: d["workers"][0].update(lunch=1), "unknown field `lunch`; understood are id, provider, skills"),
        (lambda d: d["workers"][0]["breaks"][0].update(duration_s=-600), "workers[0].breaks.duration_s: -600"),
        (lambda d: d["workers"][1].update(capacity=-1), "workers[1].capacity: -1 is less than 0"),
        (lambda d: d["workers"][1].update(max_work_s=10**15), "is more than 1e+09"),
        (
            lambda d: d["workers"][1].update(shifts=[{"start_s": 9, "end_s": 8}]),
            "workers[1].shifts: [9, 8] ends before",
        ),
        (lambda d: d["visits"][0].update(drop_penalty=-1), "visits[0].drop_penalty: -1"),
        (lambda d: d["visits"][0].update(earliest_s=1.5), "visits[0].earliest_s: 1.5"),
        (lambda d: d["links"][0].update(after=d["links"][0]["before"]), "is the visit itself"),
        (
            lambda d: d["links"][0].update(min_gap_s=99, max_gap_s=98),
            "links[0].max_gap_s: 98 is less than min_gap_s 99",
        ),
        (lambda d: d.update(now_s=10**12), "now_s: 1000000000000"),
    ],
)
def test_a_day_of_our_own_that_says_more_or_less_is_refused(tmp_path: Path, change: Change, words: str):
    day = json.loads((EXAMPLES / "morning.json").read_bytes())
    change(day)
    _refused(tmp_path, json.dumps(day), words)


@pytest.mark.parametrize("second", [36_000, 37_799, 37_800])
def test_breaks_of_which_one_can_never_be_taken_are_refused(tmp_path: Path, second: int):
    """Every plan left the second out, and said that no rule was broken."""
    day = json.loads((EXAMPLES / "morning.json").read_bytes())
    rest = {"earliest_s": 36_000, "latest_s": 36_000, "duration_s": 1800}
    day["workers"][0]["breaks"] = [{**rest, "earliest_s": second, "latest_s": second}, rest]
    if second < 37_800:
        _refused(tmp_path, json.dumps(day), f"workers[0].breaks: {second} is the last moment of a break", "until 37800")
    else:
        (tmp_path / "day").write_text(json.dumps(day))
        assert len(read_instance(tmp_path / "day").problem.workers[0].breaks) == 2


def test_a_key_that_stands_twice_is_refused(tmp_path: Path):
    text = (EXAMPLES / "morning.json").read_text().replace('"id": "Anna"', '"id": "Anne", "id": "Anna"')
    _refused(tmp_path, text, "key of one object: id appears twice")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("{}".encode("utf-16"), "save it as UTF-8"),
        (b"", "nothing is in it"),
        (b"\xef\xbb\xbf \r\n", "nothing is in it"),
        (b"{\0}", "day"),
        (b"\x7fELF\x02\x01\xff", "day"),
        (b"[" * 100_000, "day"),
        (b"\x1f\x8b\x08\0", "day"),
        ("x\ufeffy".encode(), "day"),
    ],
    ids=["utf-16", "empty", "mark only", "zero", "program", "deep", "packed", "inner mark"],
)
def test_what_is_no_text_is_refused_in_one_line(tmp_path: Path, form: str, raw: bytes, words: str):
    path = tmp_path / "day"
    path.write_bytes(raw)
    for forced in (form, None):
        with pytest.raises(InstanceError) as refused:
            read_instance(path, forced)
        assert words in str(refused.value)
        assert str(refused.value).isprintable()


def test_what_unpacks_to_more_than_can_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "_MOST_BYTES", 1 << 20)
    for raw in (gzip.compress(b"0" * (2 << 20)), b"0" * (2 << 20)):
        _refused(tmp_path, raw, "over 1 MB are more than can be read")


def test_folders_and_what_may_not_be_read_are_refused_in_one_line(tmp_path: Path):
    with pytest.raises(InstanceError, match="Is a directory so it cannot be read"):
        read_instance(tmp_path)
    with pytest.raises(InstanceError, match="so it cannot be read"):
        read_instance(Path("day\0.json"))
    with pytest.raises(InstanceError, match="File name too long"):
        read_instance(tmp_path / ("x" * 5000))


def test_a_line_about_a_file_holds_nothing_a_terminal_obeys(tmp_path: Path):
    _refused(tmp_path, SMALL.replace("TYPE : CVRP", "TYPE : \u009b2J\u202ex"), "TYPE: ?2J?X is not understood")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.update(breaks=[]), "breaks: [] is not understood; understood are routes, unserved, objective"),
        (lambda p: p["routes"][0]["stops"][0].update(end=5), "routes[0].stops[0].end: 5 is not understood"),
        (lambda p: p["routes"][0]["stops"][0].update(start=0.5), "routes[0].stops[0].start: 0.5 is not whole"),
        (lambda p: p["routes"][0]["stops"][0].pop("kind"), "routes[0].stops[0].kind"),
        (lambda p: p["routes"].append({"worker": p["routes"][0]["worker"], "stops": []}), "has two routes"),
        (lambda p: p["unserved"].append("soup"), "unserved: soup is in a route"),
    ],
)
def test_a_plan_that_says_more_or_less_is_refused(tmp_path: Path, change: Change, words: str):
    instance = read_instance(EXAMPLES / "meals.json")
    body = msgspec.json.decode(write_plan(instance, construct(instance.problem))[0])
    change(body)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(body))
    with pytest.raises(InstanceError) as refused:
        read_plan(instance, path)
    assert words in str(refused.value)


def test_proving_a_day_with_two_shifts_is_refused_before_the_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    day = json.loads((EXAMPLES / "morning.json").read_bytes())
    day["workers"][0]["shifts"] = [{"start_s": 28_800, "end_s": 36_000}, {"start_s": 37_000, "end_s": 46_800}]
    path = tmp_path / "day.json"
    path.write_text(json.dumps(day))
    assert main(["solve", str(path), "--iterations", "1", "--exact", "1"]) == 2
    said = capsys.readouterr().err
    assert said == "--exact: shifts: 2 shifts of Anna are not supported: plans are proven where everybody has one\n"


@pytest.mark.parametrize("option", ["--out", "--svg"])
def test_an_answer_that_cannot_be_written_is_refused_before_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
):
    arguments = ["solve", str(EXAMPLES / "morning.json"), "--iterations", "1", option]
    for path in (tmp_path, tmp_path / "nowhere" / "plan.json"):
        assert main([*arguments, str(path)]) == 2
        assert capsys.readouterr().err.endswith("so it cannot be written\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("figure", ["nan", "inf", "-1", "soon"])
def test_figures_of_options_are_finite_and_not_below_zero(capsys: pytest.CaptureFixture[str], figure: str):
    for option in ("--seconds", "--exact", "--iterations", "--seed"):
        with pytest.raises(SystemExit, match="2"):
            main(["solve", str(EXAMPLES / "morning.json"), option, figure])
        assert "Traceback" not in capsys.readouterr().err


def test_a_visit_asked_for_is_held_to_the_same_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Its times are in the unit of the file, those of a meal too, and no part of a second is cut."""
    instance = read_instance(SOLOMON)
    plan, visit = tmp_path / "plan.json", tmp_path / "visit.json"
    plan.write_bytes(write_plan(instance, construct(instance.problem))[0])
    new = {"id": "new", "place": 3, "earliest_s": 0, "latest_s": 1000, "seats": [{"skills": [], "duration_s": 10}]}
    meal = {"pickup_place": 1, "ready_s": 900, "pickup_duration_s": 5}
    ask = ["quote", str(SOLOMON), str(plan), "--visit", str(visit)]
    visit.write_text(json.dumps({**new, "delivery": meal}))
    assert main([*ask, "--every", "50"]) == 0
    starts = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert min(starts) >= 905
    for change, words in (
        ({"id": ""}, "id: '' is not a name"),
        ({"latest_s": 10.25}, "latest_s: 10.25 is finer than 1/10"),
        ({"load": -1}, "load: -1 is less than 0"),
        ({"earliest_s": -5}, "earliest_s: -5 is less than 0"),
        ({"place": 99}, "place: 99"),
        ({"box": 1}, "unknown field `box`; understood are id, place"),
    ):
        visit.write_text(json.dumps({**new, **change}))
        assert main(ask) == 2
        assert words in capsys.readouterr().err
    visit.write_text(json.dumps({**new, "latest_s": 10**8}))
    assert main([*ask, "--every", "0.1"]) == 2
    assert "are more than the 100000 that are tried" in capsys.readouterr().err
