"""The dispatcher is killed in the middle of a day; the day must still end clean."""

import os
import signal
import time
from pathlib import Path

from tests.support.replaying import DAYS, children, clean, finish, start


def test_a_day_ends_clean_although_the_dispatcher_is_killed_twice(tmp_path: Path) -> None:
    """kill -9 leaves no half-written plan, no stuck order and no event lost: another process takes the zone."""
    figures = tmp_path / "figures.json"
    day = DAYS / "hhcrsp" / "InstanzCPLEX_HCSRP_10_1.json.gz"
    replay = start(day, "hhcrsp", figures, "--settle", "2")
    killed = 0
    give_up_at = time.monotonic() + 60
    while killed < 2 and replay.poll() is None and time.monotonic() < give_up_at:
        time.sleep(4)
        for pid in children(replay.pid, "backend dispatcher"):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    found = finish(replay, figures, 150)
    assert killed == 2
    assert found["completed"] == found["orders"] == 12
    clean(found)
