"""Whether a long search keeps the platform from answering: a health endpoint asked all the while.

    python -m tests.benchmarks.health [--seconds 60] [--visits 300] [--every 0.02]

The platform runs as in a replay, with a database of its own; the search runs as the dispatcher runs it. The same endpoint
is asked as often before the search begins: the peer of the same run.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from backend.processes.embedded import Urls
from backend.processes.solving import SolverPool
from backend.simulation import launch
from backend.simulation.report import share
from dispatch import construct
from dispatch.formats import read_instance
from tests.benchmarks.generate import city


async def _asked(http: httpx.AsyncClient, seconds: float, every_s: float) -> list[float]:
    """How long each answer took, in milliseconds."""
    took: list[float] = []
    until = time.monotonic() + seconds
    while (began := time.monotonic()) < until:
        (await http.get("/health/ready")).raise_for_status()
        took.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(every_s)
    return took


def _told(when: str, took: Sequence[float]) -> None:
    sys.stdout.write(f"{when:<18}{len(took):>8}{share(took, 0.5):>10.1f}{share(took, 0.99):>10.1f}{max(took):>10.1f}\n")


async def _nothing(_: Urls) -> None:
    """An empty city does."""


async def measure(asked: argparse.Namespace) -> None:
    """Ask at rest, then during one search."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "city.json"
        file.write_text(json.dumps(city(asked.visits, asked.seed)))
        problem = read_instance(file, "city").problem
    plan = construct(problem)
    async with (
        launch.running({}, _nothing) as platform,
        httpx.AsyncClient(base_url=platform.web_url, timeout=30, trust_env=False) as http,
    ):
        with SolverPool() as pool:
            await pool.improve(problem, plan, 0.1, 1)
            rest = await _asked(http, min(10.0, asked.seconds), asked.every)
            search = asyncio.create_task(pool.improve(problem, plan, asked.seconds, 1))
            busy = await _asked(http, asked.seconds, asked.every)
            better = await search
    sys.stdout.write(f"{'health endpoint':<18}{'asked':>8}{'p50, ms':>10}{'p99, ms':>10}{'most, ms':>10}\n")
    _told("at rest", rest)
    _told("during the search", busy)
    sys.stdout.write("the search " + ("failed\n" if better is None else "answered\n"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--visits", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=0.02, help="seconds between questions")
    asyncio.run(measure(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
