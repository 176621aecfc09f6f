"""`make mutants`: apply each harmful change alone in a throw-away copy of this checkout and see its tests turn red."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dispatch.kernels import SETTING, kernels_folder
from tests.mutants.changes import ROOT, Change, all_changes

_NOTICED, _HUNG, _SURVIVED, _UNREADABLE, _STALE, _ARGUED = (
    "noticed", "hung", "SURVIVED", "UNREADABLE", "DOES NOT APPLY", "argued",
)  # fmt: skip
_FAILS: Final = frozenset({_SURVIVED, _UNREADABLE, _STALE})
_PATIENCE_S: Final = 600
_PYTEST: Final = ("-m", "pytest", "-qx", "-p", "no:schemathesis", "-p", "no:cacheprovider", "--hypothesis-profile=any")
_RED: Final = 1  # pytest's exit code where tests have failed; 2 and above: it could not even run them


class Outcome(Struct, frozen=True):
    """How one change ended; `told` is the end of what its tests printed."""

    change: Change
    end: str
    seconds: float
    told: str = ""


class Lane:
    """A copy of the checkout in which one change at a time is made and taken back."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._running: subprocess.Popen[str] | None = None

    def end(self) -> None:
        """End what runs in this copy, and whatever it has started."""
        if self._running is not None and self._running.poll() is None:
            os.killpg(self._running.pid, signal.SIGTERM)

    def run(self, tests: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """The tests in this copy; raises subprocess.TimeoutExpired."""
        command = [sys.executable, *_PYTEST, *tests]
        wanted = {**os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1", **environment}
        self._running = process = subprocess.Popen(
            command, cwd=self.root, env=wanted, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            told, _ = process.communicate(timeout=_PATIENCE_S)
        except BaseException:
            self.end()
            process.communicate()
            raise
        return subprocess.CompletedProcess(command, process.returncode, told)

    def tried(self, change: Change) -> Outcome:
        """Make the change, run its tests, take it back."""
        if change.argued:
            return Outcome(change, _ARGUED, 0, change.argued)
        began, file = time.monotonic(), self.root / change.file
        text = file.read_text()
        try:
            file.write_text(change.applied(text))
        except ValueError as stale:
            return Outcome(change, _STALE, 0, str(stale))
        try:
            ran = self.run(change.tests, _environment(change))
        except subprocess.TimeoutExpired:
            return Outcome(change, _HUNG, time.monotonic() - began)
        finally:
            file.write_text(text)
        end = {0: _SURVIVED, _RED: _NOTICED}.get(ran.returncode, _UNREADABLE)
        return Outcome(change, end, time.monotonic() - began, ran.stdout[-2000:])


def _environment(change: Change) -> dict[str, str]:
    """Kernels that are changed run as Python: to compile them anew takes minutes."""
    return {"NUMBA_DISABLE_JIT": "1"} if change.file.startswith("dispatch/engine/") else {}


@contextmanager
def _copies(number: int) -> Generator[list[Lane]]:
    """So many copies of what git knows of this checkout, as it stands in the folder; what runs in one ends with it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    files = [name for name in listed if name and (ROOT / name).is_file()]
    with tempfile.TemporaryDirectory(prefix="yinling-mutants-") as folder:
        lanes = [Lane(Path(folder) / str(n)) for n in range(number)]
        for lane in lanes:
            for name in files:
                (lane.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, lane.root / name)
        try:
            yield lanes
        finally:
            for lane in lanes:
                lane.end()


def _asked(changes: Iterable[Change], wanted: Sequence[str]) -> list[Change]:
    return [c for c in changes if not wanted or any(word == c.kind or word in c.name for word in wanted)]


def _red_without(lane: Lane, changes: Sequence[Change]) -> str:
    """What the tests say on the code as it is: one that is red already notices nothing."""
    tests = sorted({test for change in changes for test in change.tests})
    ran = lane.run(["-n", "2", "--dist", "loadfile", *tests], {})
    return "" if ran.returncode == 0 else ran.stdout[-4000:]


def _try_all(lanes: Sequence[Lane], changes: Sequence[Change], console: Console) -> list[Outcome]:
    """How each change ended; of those tried so far, where somebody interrupts."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def one(change: Change) -> Outcome:
        lane = free.get()
        try:
            return lane.tried(change)
        finally:
            free.put(lane)

    outcomes: list[Outcome] = []
    with Progress(*columns, console=console) as bar, ThreadPoolExecutor(len(lanes)) as pool:
        task = bar.add_task("changes", total=len(changes))
        try:
            for outcome in pool.map(one, changes):
                outcomes.append(outcome)
                if outcome.end in _FAILS:
                    bar.console.print(f"{outcome.end}: {outcome.change.kind}: {outcome.change.name}", markup=False)
                bar.advance(task)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for lane in lanes:
                lane.end()
    return outcomes


def _table(outcomes: Sequence[Outcome]) -> Table:
    ends = (_NOTICED, _HUNG, _ARGUED, _SURVIVED, _UNREADABLE, _STALE)
    table = Table("kind", "changes", *ends, "seconds")
    for kind in [*dict.fromkeys(o.change.kind for o in outcomes), "all"]:
        mine = [o for o in outcomes if kind in {o.change.kind, "all"}]
        count = Counter(o.end for o in mine)
        table.add_row(kind, str(len(mine)), *(str(count[end]) for end in ends), f"{sum(o.seconds for o in mine):.0f}")
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Try all changes, or those of some kinds or names; returns 0 where every one is noticed."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("wanted", nargs="*", help="kinds, or words of names")
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--say", action="store_true", help="print what the tests of a noticed change printed, too")
    parser.add_argument(
        "--skip-unchanged", action="store_true", help="do not see the tests green without a change first"
    )
    given = parser.parse_args(argv)
    console, changes = Console(), _asked(all_changes(), given.wanted)
    os.environ.setdefault(SETTING, str(kernels_folder(os.environ)))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told as Ctrl-C is: with what was tried until then
    with _copies(given.lanes) as lanes:
        if not given.skip_unchanged and (red := _red_without(lanes[0], changes)):
            console.print(red, markup=False)
            console.print("Red without any change: nothing was tried")
            return 1
        outcomes = _try_all(lanes, changes, console)
    for outcome in outcomes:
        if outcome.end in _FAILS or given.say:
            console.print(
                f"\n{outcome.end}: {outcome.change.name}\n{outcome.change.hurts}\n{outcome.told}", markup=False
            )
    console.print(_table(outcomes))
    if missed := len(changes) - len(outcomes):
        console.print(f"Interrupted: {missed} changes were not tried")
    return 1 if missed or not outcomes or any(outcome.end in _FAILS for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
