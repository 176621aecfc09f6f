"""The bench's own arithmetic: gaps, tables, and how other solvers' routes become plans. No solver runs here."""

import json
from argparse import Namespace
from pathlib import Path

import pytest

from dispatch import construct, plan_cost
from dispatch.formats import read_instance
from tests.benchmarks import bench, peers
from tests.benchmarks.bench import Solve
from tests.benchmarks.bound import bound
from tests.benchmarks.evaluate import evaluate
from tests.benchmarks.generate import city, write
from tests.benchmarks.peers import Question, plan_of, question
from tests.unit.test_evaluate import CARE, SITES, SOLOMON


def _solve(solver: str, objective: float | None, said: str = "", best: float | None = None, day: str = "day") -> Solve:
    return Solve("row", day, solver, 1, objective=objective, said=said, best=best)


def test_gaps_are_to_the_best_known_or_else_to_the_best_legal_plan(capsys: pytest.CaptureFixture[str]):
    solves = [
        _solve("dispatch", 110.0, best=100.0),
        _solve("pyvrp", 105.0, best=100.0),
        _solve("vroom", None, "not installed", best=100.0),
        _solve("dispatch", 60.0, day="new"),
        _solve("pyvrp", 40.0, "2 faults, window: 3", day="new"),
        _solve("vroom", 50.0, day="new"),
    ]
    bench._print_row("row", solves, ["dispatch", "pyvrp", "vroom"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].split()[-6:] == ["10.00", "%", "5.00", "%", "not", "installed"]
    assert lines[4].split()[-4:] == ["%*", "illegal", "0.00", "%*"]
    assert "20.00 %*" in lines[4]
    assert lines[5].split()[-6:] == ["15.00", "%", "5.00", "%", "0.00", "%"]


def test_copies_keep_the_name_their_best_value_is_known_by(tmp_path: Path):
    asked = Namespace(instances=None, files="C101*", most=9, seeds="1", copy=4)
    (copied,) = bench._days(asked, "small", tmp_path)
    assert copied.name == "C101_25.txt"
    assert copied.read_text() != (bench.SUPPORT / "solomon" / "C101_25.txt").read_text()
    assert bench._best(asked)["C101_25"] == 191.3


def _judged(folder: Path, asked: Question, day: Path, routes: dict[str, list[tuple[str, str]]]) -> list[str]:
    numbers = {(job.visit, job.service): n for n, job in enumerate(asked.jobs)}
    plan = folder / "plan.json"
    plan.write_text(json.dumps(plan_of(asked, {w: [numbers[job] for job in route] for w, route in routes.items()})))
    return evaluate(day, plan).faults


def test_routes_of_a_peer_are_timed_by_the_rules_of_the_day(tmp_path: Path):
    """Crews wait for each other, gaps are kept, and days with a limit begin as late as they may."""
    care, sites, plain = (tmp_path / name for name in ("care.json", "sites.vrp", "plain.txt"))
    care.write_text(json.dumps(CARE))
    sites.write_text(SITES.replace("2	10	20", "2	0	60").replace("3	0	60", "3	30	60"))
    plain.write_text(SOLOMON)
    double = {"c1": [("p1", "s1"), ("p2", "s1"), ("p3", "s1")], "c2": [("p2", "s2"), ("p3", "s2")]}
    assert _judged(tmp_path, question(care), care, double) == []
    route = {"2": [("2", "delivery"), ("3", "delivery")]}
    assert _judged(tmp_path, question(sites), sites, route) == []
    assert _judged(tmp_path, question(plain), plain, {"1": [("1", "delivery")], "2": [("2", "delivery")]}) == []


def test_a_peer_that_is_not_installed_or_cannot_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    day = tmp_path / "care.json"
    day.write_text(json.dumps(CARE))
    arguments = ["pyvrp", str(day), "--out", str(tmp_path / "plan.json")]

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(peers.importlib, "import_module", missing)
    assert peers.main(arguments) == peers.NOT_INSTALLED

    def cannot(*_: object) -> None:
        raise peers.CannotError("crews")

    monkeypatch.setattr(peers.importlib, "import_module", lambda _: None)
    monkeypatch.setitem(peers.PEERS, "pyvrp", cannot)
    assert peers.main(arguments) == peers.CANNOT
    assert not (tmp_path / "plan.json").exists()


@pytest.mark.parametrize("crews", [0.0, 0.4])
def test_no_plan_of_a_city_costs_less_than_the_bound(tmp_path: Path, crews: float):
    write(tmp_path / "city-60.json", json.dumps(city(60, 1, crews)))
    problem = read_instance(tmp_path / "city-60.json", "city").problem
    assert 0 < bound(problem) <= plan_cost(problem, construct(problem))
