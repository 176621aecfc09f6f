"""Made-up days repeat themselves for a seed; a renamed copy is worth what its original is worth."""

import json
from pathlib import Path
from typing import Any

import pytest

from dispatch import construct
from dispatch.formats import read_instance, write_plan
from tests.benchmarks.evaluate import evaluate
from tests.benchmarks.generate import city, copy, read
from tests.unit.test_formats import CARE, SITES, SOLOMON


def test_a_city_keeps_its_density_shares_and_team(tmp_path: Path):
    day = city(1000, 4, crews=0.4)
    assert (len(day["workers"]), len(day["bases"]), len(day["visits"])) == (96, 8, 1000)
    services = [visit["service"] for visit in day["visits"]]
    assert 0.55 < services.count("meal") / 1000 < 0.65
    baths = [visit["crew"] for visit in day["visits"] if visit["service"] == "bath"]
    assert 0.3 < baths.count(2) / len(baths) < 0.5
    assert max(visit["x"] for visit in city(4000, 1)["visits"]) == pytest.approx(28_000)
    assert {tuple(worker["skills"]) for worker in day["workers"]} == {("meal",), ("meal", "bath"), ("bath", "rehab")}


def test_the_same_seed_makes_the_same_city():
    assert city(50, 1) == city(50, 1) != city(50, 2)


def _renamed(plan: dict[str, Any], names: dict[str, str], *, numbered_workers: bool) -> dict[str, Any]:
    return {
        **plan,
        "routes": [
            {
                "worker": route["worker"] if numbered_workers else names[route["worker"]],
                "stops": [{**stop, "visit": names[stop["visit"]]} for stop in route["stops"]],
            }
            for route in plan["routes"]
        ],
        "unserved": [names[visit] for visit in plan["unserved"]],
    }


@pytest.mark.parametrize("name", ["care", "city", "solomon", "sites"])
def test_a_renamed_copy_of_a_plan_is_worth_the_same_on_a_copy_of_its_day(tmp_path: Path, name: str):
    """Were it not, the best known value of the original would not be that of the copy."""
    (tmp_path / "city.json").write_text(json.dumps(city(40, 6)))
    path = {"care": CARE, "city": tmp_path / "city.json", "solomon": SOLOMON, "sites": SITES}[name]
    instance = read_instance(path)
    (tmp_path / "plan.json").write_bytes(write_plan(instance, construct(instance.problem))[0])
    text, names = copy(read(path), seed=5)
    assert text != read(path)
    other = tmp_path / ("copy" + "".join(s for s in path.suffixes if s != ".gz"))
    other.write_text(text)
    plan = json.loads((tmp_path / "plan.json").read_bytes())
    numbered = name in {"solomon", "sites"}
    (tmp_path / "renamed.json").write_text(json.dumps(_renamed(plan, names, numbered_workers=numbered)))
    one, two = evaluate(path, tmp_path / "plan.json"), evaluate(other, tmp_path / "renamed.json")
    assert two.objective == pytest.approx(one.objective)
    assert len(two.faults) == len(one.faults)
    assert read_instance(other).form == instance.form
