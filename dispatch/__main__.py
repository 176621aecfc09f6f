"""`python -m dispatch solve|quote|check|explain FILE`: plan a day from a file, without the platform."""

import argparse
import io
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from dispatch import (
    Alternative,
    Explanation,
    Insertion,
    Obstacle,
    Plan,
    Problem,
    Refusal,
    Visit,
    check_plan,
    construct,
    explain,
    improve,
    insert,
    keep_kernels_in,
    kernels_folder,
    prove,
    quote,
    sentence,
)
from dispatch.formats import (
    FORMATS,
    Instance,
    InstanceError,
    Reading,
    as_judged,
    printable,
    read_instance,
    read_plan,
    typed,
    write_plan,
)
from dispatch.formats.instance import Starts
from dispatch.formats.native import sound_visit
from dispatch.picture import draw

_TIMES = ("earliest_s", "latest_s", "due_s")
_MEAL_TIMES = ("ready_s", "pickup_duration_s", "max_ride_s")
_PARTS = (("promised", ("start_s", "free_s")), ("delivery", _MEAL_TIMES))
_MOST_STARTS = 100_000  # of one quote
_PROVABLE = 30  # services of a day; proofs of larger ones do not end
_MOST_THREADS = 256  # each is one search more; nobody's machine has so many to run at once
_SECONDS = {"yinling", "city"}  # formats that count seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the plan breaks no rule and the answer is yes, 1 when not, 2 for a file that cannot be read."""
    asked = _arguments().parse_args(arguments)
    keep_kernels_in(kernels_folder(os.environ))
    try:
        answer: int = asked.run(asked)
        sys.stdout.flush()
    except InstanceError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except MemoryError:
        sys.stderr.write(f"{asked.file.name}: file: its day takes more memory than there is\n")
        return 2
    except OSError as error:  # of the standard output: the others are told where they happen
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read along, like `head`, has seen enough
            return 1
        sys.stderr.write(f"the answer: file: {error.strerror} so it is not whole\n")
        return 2
    return answer


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dispatch", description="Plan a day of visits from a file.")
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=about, description=about)
        one.add_argument("file", type=Path, help="the day, plain or .gz")
        one.add_argument("--format", choices=tuple(FORMATS), help="else the file's name and keys tell")
        one.set_defaults(run=run)
        return one

    solve = command("solve", _solve, "make a plan and improve it")
    solve.add_argument("--seconds", type=_amount, default=10.0, help="how long building and searching may take")
    solve.add_argument("--iterations", type=_count, help="search so many steps instead, the same for a seed everywhere")
    solve.add_argument("--seed", type=_count, default=1)
    solve.add_argument("--threads", type=_threads, default=1)
    solve.add_argument(
        "--exact", type=_length, metavar="S", help="then so many seconds to prove it best, for small days"
    )
    solve.add_argument("--out", type=Path, help="write the plan here as JSON")
    solve.add_argument("--svg", type=Path, help="draw the plan here")
    ask = command("quote", _quote, "the starts one more visit could be promised")
    ask.add_argument("plan", type=Path)
    ask.add_argument("--visit", type=Path, required=True, help="the visit as JSON, times in the file's unit")
    ask.add_argument("--every", type=_length, help="time between the starts tried; else a twentieth of the window")
    judge = command("check", _check, "every rule a plan breaks")
    judge.add_argument("plan", type=Path)
    why = command("explain", _explain, "who else could serve a visit, and why others cannot")
    why.add_argument("plan", type=Path)
    why.add_argument("--visit", required=True, help="its id in the file")
    why.add_argument("--json", action="store_true", help="all that was found, times in the planner's own ticks")
    return parser


def _amount(text: str) -> float:
    """A finite figure of an option, zero or more."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or found < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a figure of zero or more")
    return found


def _length(text: str) -> float:
    """A finite figure of an option, more than zero: none at all would be taken for the option left out."""
    if _amount(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than zero")
    return _amount(text)


def _count(text: str, least: int = 0, below: int = 2**32) -> int:
    """A whole number of an option, zero or more and inside 32 bits."""
    try:
        found = int(text)
    except ValueError:
        found = -1
    if not least <= found < below:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from {least} to {below - 1}")
    return found


def _threads(text: str) -> int:
    """A number of searches side by side."""
    return _count(text, 1, _MOST_THREADS + 1)


def _solve(asked: argparse.Namespace) -> int:
    instance = read_instance(asked.file, asked.format)
    problem = instance.problem
    if asked.exact:
        _provable(problem)
    _apart(asked)
    for path in filter(None, (asked.out, asked.svg)):
        _writable(path)
    with _Progress(instance.name, asked.seconds if asked.iterations is None else None) as progress:
        began = time.monotonic()
        plan = construct(problem)
        left = max(0.0, asked.seconds - (time.monotonic() - began))
        with ThreadPoolExecutor(asked.threads) as executor:
            plan = improve(
                problem, plan, left, asked.seed, iterations=asked.iterations, executor=executor, threads=asked.threads,
                told=lambda _, cost: progress.tell(cost),
            )  # fmt: skip
        proof = prove(problem, plan, seconds=asked.exact, seed=asked.seed) if asked.exact else None
    if proof is not None:
        plan = proof.plan
        above = (
            f"at most {100 * (proof.cost / proof.bound - 1):.2f} % above the best there may be"
            if proof.bound > 0
            else "nothing proven in that time"
        )
        sys.stdout.write(f"{'proven best' if proof.optimal else above}\n")
    body, objective = write_plan(instance, plan)
    if asked.out:
        _write(asked.out, body)
    settled, starts = instance.settle(plan)
    if asked.svg:
        title = f"{printable(instance.name)}: {objective:,.3f}"
        picture = draw(problem, settled, title, points=instance.points, told=lambda ticks: _clock(ticks, instance))
        _write(asked.svg, picture.encode())
    return _verdict(instance, settled, starts)


def _provable(problem: Problem) -> None:
    """What can be proven is said before the search: small days, on which everybody has one shift."""
    services = sum(len(visit.seats) for visit in problem.visits)
    if services > _PROVABLE:
        raise InstanceError("--exact", "services", services, f"are more than the {_PROVABLE} that can be proven")
    for worker in problem.workers:
        if len(worker.shifts) > 1:
            why = f"shifts of {worker.id} are not supported: plans are proven where everybody has one"
            raise InstanceError("--exact", "shifts", len(worker.shifts), why)


def _apart(asked: argparse.Namespace) -> None:
    """The day, the plan and the picture are three files: one written over another would be lost without a word."""
    seen: dict[str, str] = {}
    for name, path in (("the day", asked.file), ("--out", asked.out), ("--svg", asked.svg)):
        if path is not None and (path.is_file() or not path.exists()):
            taken = seen.setdefault(os.path.realpath(path), name)
            if taken != name:
                raise InstanceError(path.name, name, "this file", f"is {taken} already")


def _writable(path: Path) -> None:
    """An answer that cannot be written is refused before it is searched for; nothing is left behind by asking."""
    try:
        new = not path.exists()
        if new or path.is_file() or path.is_dir():  # to look into a pipe is to end it for whoever reads
            path.open("ab").close()
        if new:
            path.unlink()
    except (OSError, ValueError) as error:
        raise InstanceError(path.name, "file", getattr(error, "strerror", error), "so it cannot be written") from error


def _write(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        raise InstanceError(path.name, "file", error.strerror, "so it is not written") from error


def _verdict(instance: Instance, plan: Plan, starts: Starts) -> int:
    broken = check_plan(instance.judged, as_judged(instance, plan), unserved=True)
    for violation in broken:
        detail = violation.told(lambda ticks: _told(ticks, instance))
        sys.stdout.write(f"{violation.rule}: {violation.subject} {detail}\n")
    sys.stdout.write(f"objective {instance.objective(plan, starts):.3f}, unserved {len(plan.unserved)}\n")
    return 1 if broken else 0


def _check(asked: argparse.Namespace) -> int:
    instance = read_instance(asked.file, asked.format)
    return _verdict(instance, *read_plan(instance, asked.plan))


def _quote(asked: argparse.Namespace) -> int:
    instance = read_instance(asked.file, asked.format)
    plan, _ = read_plan(instance, asked.plan)
    visit = _asked_visit(Reading(asked.visit), instance)
    problem = replace(instance.problem, visits=(*instance.problem.visits, visit))
    every = max(1, round((visit.latest_s - visit.earliest_s) / 20))
    if asked.every is not None:
        every = Reading(Path("--every")).ticks(asked.every, "time", instance.unit)
    starts = range(visit.earliest_s, visit.latest_s + 1, every)
    if len(starts) > _MOST_STARTS:
        raise InstanceError("--every", "starts", len(starts), f"are more than the {_MOST_STARTS} that are tried")
    slots = quote(problem, plan, visit, starts)
    for slot in slots:
        start, late, cost = (_told(ticks, instance) for ticks in (slot.start_s, slot.late_s, slot.cost))
        sys.stdout.write(f"start {start}  late {late}  cost {cost}  crew {' '.join(slot.crew)}\n")
    if not slots:
        _why_not(insert(problem, plan, visit), visit, instance)
    return 0 if slots else 1


def _asked_visit(reading: Reading, instance: Instance) -> Visit:
    """A visit as in the planner's own format, its times in the file's unit."""
    body = reading.json()
    timed = [(body, _TIMES, "")]
    timed += [(reading.fields(body.get(key) or {}, key), times, f"{key}.") for key, times in _PARTS]
    timed += [(seat, ("duration_s",), f"seats[{n}].") for n, seat in enumerate(_seats(reading, body))]
    for entry, keys, field in timed:
        for key in keys:
            if entry.get(key) is not None:
                entry[key] = reading.ticks(reading.number(entry[key], field + key), field + key, instance.unit)
    visit: Visit = typed(reading, body, Visit)
    sound_visit(reading, visit, len(next(iter(instance.problem.travel.values()))), "")
    if any(visit.id == known.id for known in instance.problem.visits):
        raise reading.refuse("id", visit.id, "is a visit of this day already")
    return visit


def _seats(reading: Reading, body: dict[str, Any]) -> list[dict[str, Any]]:
    seats = reading.items(body.get("seats", []), "seats")
    return [reading.fields(seat, f"seats[{n}]") for n, seat in enumerate(seats)]


def _explain(asked: argparse.Namespace) -> int:
    instance = read_instance(asked.file, asked.format)
    plan, _ = read_plan(instance, asked.plan)
    names = dict.fromkeys(visit for (visit, _), (name, _) in instance.names.items() if name == asked.visit)
    if not names:
        raise InstanceError(asked.file.name, "--visit", asked.visit, "is no visit of this day")
    grain = 60 if instance.form in _SECONDS else instance.unit
    answers = [explain(instance.problem, plan, name, grain_s=grain) for name in names]
    if asked.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answers), indent=1).decode() + "\n")
    for answer in answers if not asked.json else ():
        _say_why(answer, instance)
    return 0 if all(answer.crew or answer.alternatives for answer in answers) else 1


def _say_why(answer: Explanation, instance: Instance) -> None:
    """One line for each: who comes, who could, who cannot and why, and what would help."""
    lines: list[str] = []
    if answer.start_s is not None:
        begun = ", begun" if answer.begun else ""
        lines.append(f"{' '.join(sorted(answer.crew))} at {_told(answer.start_s, instance)}{begun}")
    lines += [f"could be {_say_other(other, instance)}" for other in answer.alternatives]
    lines += [f"not {one.worker}, {one.rule} {_say_detail(one, instance)}".rstrip() for one in answer.obstacles]
    if answer.summary:
        lines.append(f"nobody, {answer.summary}")
    seats = next(visit.seats for visit in instance.problem.visits if visit.id == answer.visit)
    for remedy in answer.remedies:
        said = sentence(remedy.relaxation, seats, lambda ticks: _span(ticks, instance), lambda place: f"place {place}")
        lines.append(f"if {said}: {_say_other(remedy.then, instance)}")
    sys.stdout.write("".join(f"{answer.visit}: {line}\n" for line in lines))


def _say_other(other: Alternative, instance: Instance) -> str:
    start, more = (_told(ticks, instance) for ticks in (other.start_s, other.cost))
    return f"{' '.join(sorted(other.crew))} at {start}, costing {more} more"


def _say_detail(one: Obstacle, instance: Instance) -> str:
    return f"{_span(one.missing_s, instance)} missing" if one.missing_s else one.detail


def _span(ticks: int, instance: Instance) -> str:
    """A length of time: minutes where the file counts seconds, else its own unit."""
    return f"{ticks / 60:g} min" if instance.form in _SECONDS else _told(ticks, instance)


def _why_not(outcome: Insertion | Refusal, visit: Visit, instance: Instance) -> None:
    """For everybody the rule that keeps them away, or the start between those tried that could be kept."""
    if isinstance(outcome, Insertion):
        start, crew = _told(outcome.stops[-1].start_s, instance), " ".join(sorted({s.worker for s in outcome.stops}))
        sys.stdout.write(f"{visit.id}: none of the starts tried, but {crew} at {start}; try more with --every\n")
    else:
        for reason in outcome.reasons:
            sys.stdout.write(f"{visit.id}: not {reason.worker}, {reason.rule} {reason.detail}".rstrip() + "\n")
        sys.stdout.write(f"{visit.id}: nobody, {outcome.summary}\n")


def _told(ticks: int, instance: Instance) -> str:
    """A number of the problem in the file's unit."""
    return f"{ticks / instance.unit:.3f}".rstrip("0").rstrip(".")


def _clock(ticks: int, instance: Instance) -> str:
    """An instant under a picture: hours and minutes where the file counts seconds."""
    return (
        f"{ticks // 3600}:{ticks % 3600 // 60:02}"
        if instance.unit == 1 and instance.form != "hhcrsp"
        else _told(ticks, instance)
    )


class _Progress:
    """One line on stderr that says how far the search is; on a terminal it is rewritten every half second."""

    def __init__(self, name: str, seconds: float | None) -> None:
        self._name, self._seconds = name, seconds
        self._cost: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        sys.stderr.write("\n")

    def tell(self, cost: float) -> None:
        """The cost of the best plan so far, as the search counts it."""
        self._cost = cost

    def _show(self) -> None:
        started = time.monotonic()
        until = "" if self._seconds is None else f" of {self._seconds:g} s"
        while True:
            passed = time.monotonic() - started
            best = "" if self._cost is None else f", cost {self._cost:,.0f}"
            sys.stderr.write(f"\rplanning {self._name}: {passed:.1f} s{until}{best}")
            sys.stderr.flush()
            if not sys.stderr.isatty() or self._done.wait(0.5):
                return


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that a terminal cannot show are spelled out
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C ends the process itself: an exception is lost where the compiler calls back, and the search goes on
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
