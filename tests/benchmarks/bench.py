"""How good the plans are, beside other solvers in the same run: `make bench`.

Every solve is a process of its own with one thread (two for the largest city) and a budget of wall seconds; one judge
(evaluate.py) works out what each plan is worth. Without --instances only generated days and the small ones kept with the
tests are planned. A gap is to the best known value, or, marked *, to the best plan of this run.
"""

import argparse
import fnmatch
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.evaluate import evaluate
from tests.benchmarks.generate import city, copy, read, write
from tests.benchmarks.peers import CANNOT, NOT_INSTALLED, PEERS

SUPPORT = Path(__file__).parents[1] / "support" / "instances"
SMALL = {"C101_25": 191.3, "PR01": 1655.420, "InstanzCPLEX_HCSRP_10_1": 218.199, "InstanzCPLEX_HCSRP_25_1": 428.097}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Row:
    """A class of days that is reported together."""

    pattern: str
    seconds: float
    threads: int = 1
    visits: int = 0  # generated city days have so many


ROWS = {
    "small": Row("", 5),
    "hhcrsp-10": Row("hhcrsp_mankowska/*_10_*", 10),
    "hhcrsp-25": Row("hhcrsp_mankowska/*_25_*", 10),
    "hhcrsp-50": Row("hhcrsp_mankowska/*_50_*", 10),
    "hhcrsp-75": Row("hhcrsp_mankowska/*_75_*", 30),
    "hhcrsp-100": Row("hhcrsp_mankowska/*_100_*", 30),
    "hhcrsp-200": Row("hhcrsp_mankowska/*_200_*", 60),
    "hhcrsp-300": Row("hhcrsp_mankowska/*_300_*", 60),
    "hhcrsp-italian": Row("hhcrsp_italian/*.json*", 30),
    "solomon": Row("solomon/*.txt*", 10),
    "gh-200": Row("gehring_homberger/*_2_*", 30),
    "gh-1000": Row("gehring_homberger/*_10_*", 60),
    "sdvrptw": Row("sdvrptw/*.vrp*", 30),
    "city-1000": Row("city/city-1000*", 40, visits=1000),
    "city-2000": Row("city/city-2000*", 60, visits=2000),
    "city-5000": Row("city/city-5000*", 60, threads=2, visits=5000),
    "quote": Row("", 0),
    "replan": Row("", 2),
}


@dataclass
class Solve:
    """One plan of one solver for one day; without an objective, `said` tells why."""

    row: str
    day: str
    solver: str
    seed: int
    objective: float | None = None
    best: float | None = None
    said: str = ""
    cpu_s: float = 0
    rss_mb: float = 0


def main() -> int:
    asked = _arguments().parse_args()
    names = [row for row in ROWS if any(fnmatch.fnmatch(row, want) for want in asked.rows.split(","))]
    solvers = ["dispatch", *(peer for peer in asked.peers.split(",") if peer)]
    best = _best(asked)
    solves: list[Solve] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if name == "quote":
                _print_quotes(asked)
                continue
            if name == "replan":
                _print_replans(asked)
                continue
            found = list(_row(asked, name, solvers, best, Path(folder)))
            _print_row(name, found, solvers)
            solves += found
    if asked.json:
        asked.json.write_text(json.dumps([asdict(solve) for solve in solves], indent=1))
    return 1 if any(solve.solver == "dispatch" and solve.said for solve in solves) else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="small,city-1000,quote", help=f"comma list or patterns of: {', '.join(ROWS)}")
    parser.add_argument("--instances", type=Path, help="a folder with one folder per set, and best_known.json")
    parser.add_argument("--files", default="*", help="only days whose name fits this pattern")
    parser.add_argument("--most", type=int, default=1000, help="at most so many days of each row")
    parser.add_argument("--seconds", type=float, help="instead of each row's own budget")
    parser.add_argument("--seeds", default="1", help="comma list")
    parser.add_argument(
        "--copy", type=int, metavar="SEED", help="plan renamed, renumbered, mirrored copies of the days"
    )
    parser.add_argument("--peers", default=",".join(PEERS), help="comma list; empty for none")
    parser.add_argument("--json", type=Path, help="write every solve here")
    return parser


def _best(asked: argparse.Namespace) -> dict[str, float]:
    """Best known values by day; those of the sites set are counted in thousandths."""
    found = dict(SMALL)
    path = asked.instances / "best_known.json" if asked.instances else None
    if path and path.exists():
        for kind, values in json.loads(path.read_text()).items():
            per = 1000 if kind == "sdvrptw" else 1
            found |= {day: value / per for day, value in values.items() if isinstance(value, int | float)}
    return found


def _days(asked: argparse.Namespace, name: str, folder: Path) -> list[Path]:
    row = ROWS[name]
    paths = sorted(SUPPORT.glob("*/*.*")) if name == "small" else []
    if asked.instances and row.pattern:
        paths += sorted(asked.instances.glob(row.pattern))
    if row.visits:
        for seed in asked.seeds.split(","):
            made = folder / f"city-{row.visits}-seed{seed}.json.gz"
            write(made, json.dumps(city(row.visits, int(seed))))
            paths.append(made)
    paths = [path for path in paths if fnmatch.fnmatch(path.name, asked.files)][: asked.most]
    if asked.copy is None:
        return paths
    copies = folder / "copies"
    copies.mkdir(exist_ok=True)
    for path in paths:
        write(copies / path.name, copy(read(path), asked.copy)[0])
    return [copies / path.name for path in paths]


def _row(
    asked: argparse.Namespace, name: str, solvers: list[str], best: dict[str, float], folder: Path
) -> Iterator[Solve]:
    for path in _days(asked, name, folder):
        day = Path(path.name.removesuffix(".gz")).stem
        seconds = asked.seconds or ROWS[name].seconds
        for seed in map(int, asked.seeds.split(",")):
            for solver in solvers:
                solve = Solve(name, day, solver, seed, best=best.get(day))
                _solve(solve, path, seconds, ROWS[name].threads, folder / "plan.json")
                _note(f"{name} {day} {solver} seed {seed}: {solve.said or solve.objective}")
                yield solve


def _solve(solve: Solve, path: Path, seconds: float, threads: int, out: Path) -> None:
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "dispatch", "solve", str(path), "--threads", str(threads)]
    if solve.solver != "dispatch":
        command = [sys.executable, "-m", "tests.benchmarks.peers", solve.solver, str(path)]
    command += ["--seconds", str(seconds), "--seed", str(solve.seed), "--out", str(out)]
    code, error = _run(solve, command, 3 * seconds + 60, threads)
    if code in {NOT_INSTALLED, CANNOT} and solve.solver != "dispatch":
        solve.said = "not installed" if code == NOT_INSTALLED else "cannot"
        return
    if not out.exists():
        solve.said = f"failed: {error}" if solve.solver == "dispatch" else "no answer"
        return
    verdict = evaluate(path, out)
    solve.objective = verdict.objective
    if verdict.faults:
        solve.said = f"{len(verdict.faults)} faults, {verdict.faults[0]}"


def _run(solve: Solve, command: list[str], limit: float, threads: int) -> tuple[int, str]:
    """The command's exit code and last words, killed when it overruns; its processor time and memory go into `solve`."""
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, str(threads))}
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=words, env=environment)
        timer = threading.Timer(limit, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        solve.cpu_s = usage.ru_utime + usage.ru_stime
        solve.rss_mb = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
        words.seek(0)
        lines = words.read().decode(errors="replace").strip().splitlines()
    return process.returncode, lines[-1] if lines else "nothing said"


def _gap(solve: Solve, among: list[Solve]) -> tuple[float | None, bool]:
    """Percent above the best known value; else above the best legal plan of this run, and True."""
    legal = [s.objective for s in among if s.day == solve.day and s.objective is not None and not s.said]
    if solve.objective is None or (solve.best is None and not legal):
        return None, False
    base = solve.best if solve.best is not None else min(legal)
    return 100 * (solve.objective / base - 1), solve.best is None


def _print_row(name: str, solves: list[Solve], solvers: list[str]) -> None:
    head = f"{name:<40}{'objective':>13}{'cpu s':>8}{'MB':>7}" + "".join(f"{solver:>15}" for solver in solvers)
    _say(f"\n{head}\n{'-' * len(head)}")
    gaps: dict[str, list[float]] = {solver: [] for solver in solvers}
    for day in dict.fromkeys(solve.day for solve in solves):
        own = [solve for solve in solves if solve.day == day and solve.solver == "dispatch"]
        values = [solve.objective for solve in own if solve.objective is not None]
        line = f"{day[:39]:<40}{statistics.median(values) if values else float('nan'):>13,.3f}"
        line += f"{statistics.median(s.cpu_s for s in own):>8.1f}{max(s.rss_mb for s in own):>7.0f}"
        for solver in solvers:
            line += f"{_cell(solver, day, solves, gaps):>15}"
        _say(line)
    if not solves:
        _say("no such days here; --instances names their folder")
        return
    means = "".join(f"{f'{statistics.mean(g):.2f} %' if g else '-':>15}" for g in gaps.values())
    worst = "".join(f"{f'{max(g):.2f} %' if g else '-':>15}" for g in gaps.values())
    _say(f"{'mean gap of legal plans':<68}{means}\n{'worst gap':<68}{worst}")
    for solve in solves:
        if solve.solver == "dispatch" and solve.said:
            _say(f"  {solve.day} seed {solve.seed}: {solve.said}")


def _cell(solver: str, day: str, solves: list[Solve], gaps: dict[str, list[float]]) -> str:
    """The median gap over seeds; a word instead when there is no legal plan."""
    mine = [solve for solve in solves if solve.day == day and solve.solver == solver]
    said = next((solve.said for solve in mine if solve.said), "")
    if said:
        return "illegal" if "faults" in said else said.split(":")[0]
    found = [_gap(solve, solves) for solve in mine]
    known = [gap for gap, _ in found if gap is not None]
    if not known:
        return "-"
    gap = statistics.median(known)
    gaps[solver].append(gap)
    return f"{gap:.2f} %{'*' if found[0][1] else ''}"


def _print_quotes(asked: argparse.Namespace) -> None:
    """The kernel alone, on days of free-standing visits of three sizes and one with everything, beside a bare scan."""
    command = [sys.executable, "-m", "tests.benchmarks.quotes", "--workers", "500", "--seed", asked.seeds.split(",")[0]]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **ONE_THREAD}, check=True)
    days: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    head = f"{'quote, microseconds: median / 99th of 100':<46}" + "".join(f"{day:>21}" for day in days)
    _say(f"\n{head}\n{'-' * len(head)}")
    for what in dict.fromkeys(what for day in days.values() for what in day):
        cells = (f"{day[what][0]:,.0f} / {day[what][1]:,.0f}" if what in day else "-" for day in days.values())
        _say(f"{what:<46}" + "".join(f"{cell:>21}" for cell in cells))


def _print_replans(asked: argparse.Namespace) -> None:
    """What keeping promises costs beside a re-plan of the same day, in the same seconds, that promised nothing."""
    names = ("first_s", "seconds", "promised", "workers", "shifts", "free_workers", "free_shifts", "more")
    head = f"{'replan: 300 visits, 5 new orders at noon':<40}" + "".join(f"{name:>14}" for name in names)
    _say(f"\n{head}\n{'-' * len(head)}")
    found: list[dict[str, Any]] = []
    for seed in asked.seeds.split(","):
        command = [sys.executable, "-m", "tests.benchmarks.replan", "--seed", seed]
        command += ["--seconds", str(asked.seconds or ROWS["replan"].seconds)]
        done = subprocess.run(command, capture_output=True, env={**os.environ, **ONE_THREAD}, check=True)
        found.append(json.loads(done.stdout))
        said = f" {found[-1]['faults']} faults" if found[-1]["faults"] else ""
        _say(f"{f'seed {seed}{said}':<40}" + "".join(f"{_plain(name, found[-1]):>14}" for name in names))
    many = sum(one["promised"] for one in found)
    shares = {name: 100 * sum(one[name] for one in found) / many for name in ("workers", "shifts")}
    more = 100 * statistics.mean(one["more"] for one in found)
    _say(
        f"of {many} promised {shares['workers']:.2f} % changed workers, {shares['shifts']:.2f} % moved by more than ten "
        f"minutes, costing {more:.2f} % more than promising nothing"
    )


def _plain(name: str, found: dict[str, Any]) -> str:
    return f"{100 * found[name]:.2f} %" if name == "more" else f"{found[name]:g}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _note(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
