"""Recorded days are read whole or refused in one line that names file, field and value."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.simulation import hhcrsp, mdrp
from backend.simulation.generator import write_mdrp
from backend.simulation.importer import layout
from backend.simulation.instances import InstanceError

DAY = Path(__file__).parents[1] / "support" / "instances" / "hhcrsp" / "InstanzCPLEX_HCSRP_10_1.json.gz"


def _day() -> dict[str, Any]:
    return json.loads(gzip.decompress(DAY.read_bytes()))


def _written(folder: Path, day: Any) -> Path:
    path = folder / "day.json"
    path.write_text(json.dumps(day))
    return path


def test_plain_packed_and_a_folder_are_the_same_day(tmp_path: Path):
    plain = _written(tmp_path, _day())
    one, two = hhcrsp.parse(DAY), hhcrsp.parse(plain)
    assert one.demands == two.demands
    assert one.matrix == two.matrix
    (tmp_path / "other.json.gz").write_bytes(DAY.read_bytes())
    assert [p.name for p in hhcrsp.files(tmp_path)] == ["day.json", "other.json.gz"]


def test_what_two_must_do_together_becomes_a_crew_and_what_follows_a_gap():
    instance = hhcrsp.parse(DAY)
    raw = _day()
    kinds = [p.get("synchronization", {}).get("type") for p in raw["patients"] if len(p["required_caregivers"]) > 1]
    assert kinds.count("simultaneous") == sum(len(d.seats) == 2 for d in instance.demands)
    assert kinds.count("sequential") == sum(d.gap is not None for d in instance.demands)


Spoil = Callable[[dict[str, Any]], Any]


def _set(path: str, value: Any) -> Spoil:
    def spoil(day: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = day
        for step in way:
            at = at[int(step)] if step.isdigit() else at[step]
        at[int(last) if last.isdigit() else last] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "field", "value"),
    [
        (_set("patients", []), "patients", "[]"),
        (_set("patients.0.time_window", [500, 100]), "patients[0].time_window", "[500, 100]"),
        (_set("patients.0.time_window", "noon"), "patients[0].time_window", "noon"),
        (_set("patients.1.id", "p1"), "patients", "p1"),
        (_set("caregivers.0.abilities", "all"), "caregivers[0].abilities", "all"),
        (
            _set("patients.0.required_caregivers", [{"service": "x"}]),
            "patients[0].required_caregivers[0].duration",
            "None",
        ),
        (_set("distances.0", [0]), "distances[0]", "1"),
        (_set("distances.0.1", -5), "distances[0][1]", "-5"),
        (_set("distances.0.1", "far"), "distances[0][1]", "far"),
        (_set("distances.0.1", 1e7), "distances[0][1]", "10000000.0"),
        (_set("patients.0.location", [1e10, 0]), "patients[0].location[0]", "10000000000.0"),
        (lambda day: day.pop("caregivers"), "caregivers", "missing"),
    ],
)
def test_a_wrong_care_day_is_refused_in_one_line(tmp_path: Path, spoil: Spoil, field: str, value: str):
    day = _day()
    spoil(day)
    with pytest.raises(InstanceError) as refused:
        hhcrsp.parse(_written(tmp_path, day))
    said = str(refused.value)
    assert "\n" not in said
    for word in ("day.json", field, value):
        assert word in said, said


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", gzip.compress(b"{}")[:-5]],
    ids=["empty", "cut", "bytes", "list", "null", "torn"],
)
def test_what_is_not_a_care_day_at_all_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / ("day.json.gz" if content[:2] == b"\x1f\x8b" else "day.json")
    path.write_bytes(content)
    with pytest.raises(InstanceError, match=r"^[^\n]*day\.json[^\n]*$"):
        hhcrsp.parse(path)


@pytest.mark.parametrize(
    ("file", "old", "new", "field"),
    [
        ("orders.txt", "restaurant\tready", "rest\tready", "restaurant"),
        ("orders.txt", "o1\t", "o1\tx", "line 2 x"),
        ("orders.txt", "o2\t", "o1\t", "order"),
        ("orders.txt", "\tr", "\tq", "restaurant"),
        ("couriers.txt", "c1\t", "c1\t1\t", "line 2"),
        ("couriers.txt", "c1\t", "c1\t9999", "line 2 x"),
        ("instance_parameters.txt", "320\t", "0\t", "meters_per_minute"),
        ("instance_parameters.txt", "40\t90", "90\t40", "maximum click-to-door"),
    ],
)
def test_a_wrong_meal_day_is_refused_in_one_line(tmp_path: Path, file: str, old: str, new: str, field: str):
    day = write_mdrp(tmp_path / "meals", seed=1, orders=5, couriers=2, restaurants=2)
    text = (day / file).read_text()
    assert old in text
    (day / file).write_text(text.replace(old, new))
    with pytest.raises(InstanceError) as refused:
        mdrp.parse(day)
    said = str(refused.value)
    assert "\n" not in said
    assert file in said
    assert field in said


def test_a_meal_changes_hands_in_the_middle_of_a_stop(tmp_path: Path):
    """Of four minutes at a restaurant or a door two are the way in; the target counts to the hand-over itself."""
    day = write_mdrp(tmp_path / "meals", seed=1, orders=5, couriers=2, restaurants=2)
    lines = [line.split("\t") for line in (day / "orders.txt").read_text().splitlines()[1:]]
    minutes = {line[0]: (int(line[3]), int(line[5])) for line in lines}
    for demand in mdrp.parse(day).demands:
        placed, ready = minutes[demand.id]
        assert demand.pickup is not None
        assert (demand.pickup.ready_s, demand.to_s) == (60 * (ready - 2), 60 * (placed + 40 - 2))
        assert (demand.latest_s, demand.pickup.pickup_s) == (60 * (placed + 90 - 2), 240)


def test_the_same_seed_makes_the_same_meals(tmp_path: Path):
    one, two, other = (
        mdrp.parse(write_mdrp(tmp_path / name, seed=seed, orders=9, couriers=3, restaurants=2))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one.demands == two.demands != other.demands


def test_a_window_that_does_not_fit_into_a_day_is_refused(tmp_path: Path):
    day = _day()
    day["patients"][0]["time_window"] = [0, 3000]
    with pytest.raises(InstanceError, match="21 hours"):
        layout(hhcrsp.parse(_written(tmp_path, day)), "Asia/Shanghai")


def _refused(parse: Callable[[], object], *words: str) -> None:
    with pytest.raises(InstanceError) as refused:
        parse()
    said = str(refused.value)
    assert "\n" not in said
    for word in words:
        assert word in said, said


def test_a_byte_order_mark_and_other_ends_of_lines_change_nothing(tmp_path: Path):
    """Spreadsheets write a mark before the first title, which made that column a missing one."""
    plain = hhcrsp.parse(DAY)
    marked = _written(tmp_path, _day())
    marked.write_bytes(b"\xef\xbb\xbf" + marked.read_bytes())
    assert (hhcrsp.parse(marked).demands, hhcrsp.parse(marked).matrix) == (plain.demands, plain.matrix)
    meals = write_mdrp(tmp_path / "meals", seed=1, orders=5, couriers=2, restaurants=2)
    want = mdrp.parse(meals)
    for file in meals.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert mdrp.parse(meals) == want
    (meals / "orders.txt").write_bytes((meals / "orders.txt").read_text("utf-8-sig").encode("utf-16"))
    _refused(lambda: mdrp.parse(meals), "orders.txt", "save it as UTF-8")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_set("patients.0.priority", 3), ("patients[0].priority", "is not one of id, time_window")),
        (_set("central_offices", [{}, {}]), ("central_offices = 2", "everybody starts at one")),
        (_set("departing_points", [{}]), ("departing_points", "central_offices")),
        (_set("caregivers.0.starting_point_id", "e"), ("caregivers[0].starting_point_id", "not the office")),
        (_set("caregivers.0.breaks", []), ("caregivers[0].breaks",)),
        (_set("patients.3.distance_matrix_index", 2), ("distance_matrix_index",)),
        (_set("patients.0.incompatible_caregivers", ["c99"]), ("incompatible_caregivers of p1", "c99")),
        (_set("patients.0.time_window", [345.001, 465]), ("patients[0].time_window", "finer than a second")),
        (_set("patients.0.id", "p2.1 "), ("patients[0].id", "spaces around it")),
        (_set("distances.0.1", "38.471"), ("distances[0][1]", "is not a number")),
    ],
)
def test_a_care_day_that_says_more_or_less_is_refused(tmp_path: Path, spoil: Spoil, words: tuple[str, ...]):
    day = _day()
    spoil(day)
    _refused(lambda: hhcrsp.parse(_written(tmp_path, day)), "day.json", *words)


def test_several_services_without_a_word_on_how_they_belong_together_are_refused(tmp_path: Path):
    day = _day()
    n = next(n for n, patient in enumerate(day["patients"]) if len(patient["required_caregivers"]) > 1)
    del day["patients"][n]["synchronization"]
    _refused(lambda: hhcrsp.parse(_written(tmp_path, day)), f"patients[{n}].synchronization", "is missing")


def test_rows_of_the_matrix_are_those_a_patient_names(tmp_path: Path):
    day = _day()
    turned = [0, *range(len(day["distances"]) - 1, 0, -1)]
    for n, patient in enumerate(day["patients"], 1):
        patient["distance_matrix_index"] = turned[n]
    day["distances"] = [[day["distances"][a][b] for b in turned] for a in turned]
    assert hhcrsp.parse(_written(tmp_path, day)).matrix == hhcrsp.parse(DAY).matrix


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("orders.txt", "ready_time", "ready_time\tpriority", ("header", "priority", "is not one of order")),
        ("couriers.txt", "off_time\n", "off_time\tspeed\n", ("header", "speed")),
        ("restaurants.txt", "x\ty", "x\tx\ty", ("header", "x", "appears twice")),
        ("instance_parameters.txt", "320\t", "320\t4\t4\t40\t90\t10\t15\n99\t", ("line 3", "second row")),
        ("orders.txt", "o1\t", "o1\t1_0", ("line 2 x", "is not a number")),
    ],
)
def test_a_meal_day_that_says_more_or_less_is_refused(
    tmp_path: Path, file: str, old: str, new: str, words: tuple[str, ...]
):
    day = write_mdrp(tmp_path / "meals", seed=1, orders=5, couriers=2, restaurants=2)
    text = (day / file).read_text()
    assert old in text
    text = text.replace(old, new, 1)
    if file == "couriers.txt":
        text = "\n".join(
            f"{line}\t1" if line.startswith("c") and "courier" not in line else line for line in text.split("\n")
        )
    if "twice" in words[-1]:
        text = "\n".join(
            f"{line}\t1" if line.startswith("r") and "restaurant" not in line else line for line in text.split("\n")
        )
    (day / file).write_text(text)
    _refused(lambda: mdrp.parse(day), file, *words)
