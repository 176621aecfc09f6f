"""Running the replay command as its users do, and reading the figures it writes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
DAYS = ROOT / "tests" / "support" / "instances"


def start(day: Path, form: str, figures: Path, *more: str) -> subprocess.Popen[str]:
    """Start a replay at full speed; its figures go to a file."""
    command = [
        sys.executable,
        "-m",
        "backend",
        "replay",
        str(day),
        "--format",
        form,
        "--json",
        str(figures),
        "--speed",
        "0",
    ]
    return subprocess.Popen(
        [*command, *more], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(replay: subprocess.Popen[str], figures: Path, within_s: float) -> dict[str, Any]:
    """Wait for the end and return the figures; what it printed goes into the failure."""
    try:
        said, _ = replay.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        replay.terminate()
        said, _ = replay.communicate()
        raise AssertionError(f"the replay did not end:\n{said[-3000:]}") from None
    assert figures.exists(), said[-3000:]
    found = json.loads(figures.read_text())
    return found[0] if isinstance(found, list) else found


def clean(found: dict[str, Any]) -> None:
    """Fail unless nothing that a replay counts went wrong: nobody in two places, no event lost, told twice or to others, no rule
    of the day broken, and nobody unserved who would have fitted."""
    wrong = (
        "worker_overlaps",
        "lost",
        "duplicated",
        "leaked",
        "check_violations",
        "violation_examples",
        "unserved_refuted",
        "trouble",
    )
    assert {name: found[name] for name in wrong if found[name]} == {}
    assert sum(found["unfinished"].values()) == 0, found["unfinished"]
    assert found["events_received_by_watchers"] == found["events_expected_by_watchers"] > 0


def children(parent: int, words: str) -> list[int]:
    """Processes somebody started whose command line contains some words."""
    return [child.pid for child in psutil.Process(parent).children() if words in " ".join(child.cmdline())]
