"""`python -m dispatch`: what it prints and the exit codes scripts rely on."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dispatch import construct
from dispatch.__main__ import main
from dispatch.formats import read_instance, write_plan
from dispatch.picture import draw
from tests.unit.test_formats import CARE, EXAMPLES, SITES, SOLOMON

MORNING = EXAMPLES / "morning.json"


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    instance = read_instance(MORNING)
    path = tmp_path / "plan.json"
    path.write_bytes(write_plan(instance, construct(instance.problem))[0])
    return path


def test_solving_writes_a_plan_that_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, picture = tmp_path / "plan.json", tmp_path / "plan.svg"
    arguments = ["solve", str(CARE), "--format", "hhcrsp", "--iterations", "5", "--seed", "2"]
    assert main([*arguments, "--out", str(out), "--svg", str(picture)]) == 0
    told = capsys.readouterr()
    assert "planning InstanzCPLEX_HCSRP_10_1" in told.err
    objective = json.loads(out.read_bytes())["objective"]
    assert f"objective {objective:.3f}, unserved 0" in told.out
    assert main(["check", str(CARE), str(out)]) == 0
    assert f"objective {objective:.3f}, unserved 0" in capsys.readouterr().out
    assert ET.parse(picture).getroot().tag.endswith("svg")


def test_the_same_seed_and_steps_give_the_same_plan(tmp_path: Path):
    plans = []
    for name in ("a", "b"):
        main(["solve", str(SOLOMON), "--iterations", "8", "--seed", "3", "--out", str(tmp_path / name)])
        plans.append((tmp_path / name).read_bytes())
    assert plans[0] == plans[1]


def test_a_small_day_is_proven_and_a_large_one_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["solve", str(MORNING), "--iterations", "50", "--exact", "20"]) == 0
    assert capsys.readouterr().out.startswith("proven best\nobjective")
    assert main(["solve", str(SITES), "--iterations", "1", "--exact", "1"]) == 2
    assert "can be proven" in capsys.readouterr().err


def test_a_broken_rule_is_printed_and_ends_with_1(planned: Path, capsys: pytest.CaptureFixture[str]):
    plan = json.loads(planned.read_bytes())
    next(route for route in plan["routes"] if route["worker"] == "Chen")["stops"][0]["start"] = 44_000
    planned.write_text(json.dumps(plan))
    assert main(["check", str(MORNING), str(planned)]) == 1
    assert "shift: rehab Chen" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve", "{nowhere}"],
        ["solve", "{solomon}", "--format", "city"],
        ["check", "{morning}", "{nowhere}"],
        ["check", "{morning}", "{morning}"],
        ["quote", "{morning}", "{plan}", "--visit", "{plan}"],
        ["explain", "{morning}", "{plan}", "--visit", "nobody"],
    ],
)
def test_what_cannot_be_read_ends_with_2_and_one_line(
    planned: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
):
    names = {"{nowhere}": "/nowhere.json", "{solomon}": SOLOMON, "{morning}": MORNING, "{plan}": planned}
    assert main([str(names.get(argument, argument)) for argument in arguments]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.strip()


def test_a_quote_names_starts_and_crews(planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    wanted = {"id": "new", "place": 3, "earliest_s": 32_400, "latest_s": 40_000}
    visit = tmp_path / "visit.json"
    visit.write_text(json.dumps({**wanted, "seats": [{"skills": ["rehab"], "duration_s": 600}]}))
    assert main(["quote", str(MORNING), str(planned), "--visit", str(visit), "--every", "1000"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.split()[0] == "start" and (int(line.split()[1]) - 32_400) % 1000 == 0 for line in lines)
    visit.write_text(json.dumps({**wanted, "seats": [{"skills": ["surgery"], "duration_s": 600}]}))
    assert main(["quote", str(MORNING), str(planned), "--visit", str(visit)]) == 1
    assert "new: not Anna, no_skill" in capsys.readouterr().out


def test_a_quote_speaks_the_time_of_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Home-care days count minutes, whatever the search counts in."""
    instance = read_instance(CARE)
    plan = tmp_path / "plan.json"
    plan.write_bytes(write_plan(instance, construct(instance.problem))[0])
    visit = tmp_path / "visit.json"
    seats = [{"skills": ["s1"], "duration_s": 10.5}]
    visit.write_text(json.dumps({"id": "new", "place": 1, "earliest_s": 0, "latest_s": 900, "seats": seats}))
    assert main(["quote", str(CARE), str(plan), "--visit", str(visit), "--every", "300"]) == 0
    starts = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert set(starts) <= {0, 300, 600, 900}
    assert 900 in starts


def test_explaining_names_who_else_could_and_who_could_not(planned: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", str(MORNING), str(planned), "--visit", "rehab"]) == 0
    told = capsys.readouterr().out
    assert "rehab: Chen at" in told
    assert "rehab: could be Bo at" in told
    assert "rehab: not Anna, no_skill" in told


def test_explaining_what_nobody_can_do_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    day = json.loads(MORNING.read_bytes())
    day["visits"][1]["seats"][0]["skills"] = ["surgery"]
    (tmp_path / "day.json").write_text(json.dumps(day))
    plan = tmp_path / "plan.json"
    main(["solve", str(tmp_path / "day.json"), "--iterations", "2", "--out", str(plan)])
    capsys.readouterr()
    assert main(["explain", str(tmp_path / "day.json"), str(plan), "--visit", "rehab"]) == 1
    told = capsys.readouterr().out
    assert "rehab: not Chen, no_skill" in told
    assert "rehab: nobody, no_skill" in told
    assert "rehab: if one more worker for surgery of north from place" in told
    assert main(["explain", str(tmp_path / "day.json"), str(plan), "--visit", "rehab", "--json"]) == 1
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["crew"] == []
    more = answer["remedies"][0]
    assert more["relaxation"]["kind"] == "more_workers"
    assert more["relaxation"]["skills"] == ["surgery"]
    assert [stop["visit"] for stop in more["then"]["changed"][more["then"]["crew"][0]]] == ["rehab"]


@pytest.mark.parametrize("path", [MORNING, EXAMPLES / "meals.json", CARE, SOLOMON, SITES], ids=lambda path: path.name)
def test_every_picture_is_well_formed_and_shows_every_stop(path: Path):
    instance = read_instance(path)
    plan = construct(instance.problem)
    root = ET.fromstring(
        draw(instance.problem, plan, 'a <b> & "c"', points=instance.points, told=lambda ticks: f"<{ticks}>")
    )
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    for worker, route in plan.routes.items():
        for stop in route:
            wanted = titles.count(f"{stop.visit}, {worker}")
            assert wanted >= (1 if instance.points is None else 2)
    assert any(text.text == 'a <b> & "c"' for text in root.iter("{http://www.w3.org/2000/svg}text"))


def test_a_day_without_work_can_be_drawn():
    instance = read_instance(MORNING)
    empty = type(construct(instance.problem))({}, tuple(visit.id for visit in instance.problem.visits))
    assert ET.fromstring(draw(instance.problem, empty, "empty", points=instance.points)) is not None
