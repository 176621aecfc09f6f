"""A recorded day through the public interface, people as separate clients, judged from the database afterwards."""

from pathlib import Path

from backend.simulation.generator import write_mdrp
from tests.support.replaying import DAYS, finish, start


def test_a_day_of_home_care_is_booked_dispatched_and_carried_out(tmp_path: Path) -> None:
    """Twelve orders with crews of two and gaps between orders: all done, nobody in two places, no event lost or doubled."""
    figures = tmp_path / "figures.json"
    day = DAYS / "hhcrsp" / "InstanzCPLEX_HCSRP_10_1.json.gz"
    found = finish(start(day, "hhcrsp", figures, "--settle", "2"), figures, 300)
    assert found["orders"] == found["completed"] == 12
    assert (found["worker_overlaps"], found["lost"], found["duplicated"]) == (0, 0, 0)


def test_a_day_of_meals_is_delivered_as_it_comes_in(tmp_path: Path) -> None:
    """Orders appear at their recorded minute; each is delivered, or unserved with a reason the oracle confirms."""
    figures = tmp_path / "figures.json"
    day = write_mdrp(tmp_path / "day", seed=3, orders=25, couriers=8, restaurants=5)
    found = finish(start(day, "mdrp", figures), figures, 300)
    assert found["orders"] == 25
    assert found["completed"] + found["unserved"] == 25
    assert (found["worker_overlaps"], found["lost"], found["duplicated"]) == (0, 0, 0)
