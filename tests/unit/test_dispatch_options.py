"""Every option of `python -m dispatch` does what it says or is refused in one line; none is dropped without a word."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dispatch.__main__ import main
from dispatch.formats import FORMATS
from tests.benchmarks.generate import city
from tests.unit.test_formats import CARE, EXAMPLES, SITES, SOLOMON

MORNING, BATHS = EXAMPLES / "morning.json", EXAMPLES / "baths.json"
WISH: dict[str, Any] = {"id": "new", "place": 1, "seats": [{"skills": [], "duration_s": 1}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Days with a plan each, and what is no file of a day."""
    folder = tmp_path_factory.mktemp("options")
    (folder / "city").write_text(json.dumps(city(6, 1)))
    for name, day in (
        ("morning", MORNING),
        ("baths", BATHS),
        ("hhcrsp", CARE),
        ("solomon", SOLOMON),
        ("vrplib", SITES),
    ):
        (folder / name).write_bytes(day.read_bytes())
    for name in ("morning", "baths", "hhcrsp", "solomon", "vrplib", "city"):
        assert main(["solve", str(folder / name), "--iterations", "1", "--out", str(folder / f"{name}.plan")]) == 0
    (folder / "empty").write_bytes(b"")
    (folder / "wish").write_text(json.dumps({**WISH, "earliest_s": 0, "latest_s": 500}))
    (folder / "sideways").symlink_to(folder / "morning")
    return folder


def _asked(folder: Path, line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The exit code, the answer and the last line of what went to stderr."""
    words = [word.replace("@", f"{folder}/", 1) if word.startswith("@") else word for word in line.split()]
    capsys.readouterr()
    try:
        code = main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    told = capsys.readouterr()
    lines = told.err.replace("\r", "\n").rstrip("\n").split("\n")
    assert "Traceback" not in told.err
    return code, told.out, lines[-1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("solve @morning --threads 0", "0 is not a whole number from 1 to 256"),
        ("solve @morning --threads 99999999 --iterations 1", "99999999 is not a whole number from 1 to 256"),
        ("solve @morning --seed 1e3", "1e3 is not a whole number"),
        ("solve @morning --seed -1", "-1 is not a whole number"),
        ("solve @morning --iterations 1.5", "1.5 is not a whole number"),
        ("solve @morning --seconds ten", "ten is not a figure of zero or more"),
        ("solve @morning --seconds inf", "inf is not a figure"),
        ("solve @morning --exact nan", "nan is not a figure"),
        ("solve @morning --exact 0 --iterations 1", "0 is not more than zero"),
        ("quote @hhcrsp @hhcrsp.plan --visit @wish --every 0", "0 is not more than zero"),
        ("quote @solomon @solomon.plan --visit @wish --every 0.01", "--every: time: 0.01 is finer than 1/10"),
        ("quote @hhcrsp @hhcrsp.plan --visit @wish --every 0.001", "are more than the 100000 that are tried"),
        ("solve @baths --exact 1", "2 shifts of Li are not supported"),
        ("solve @vrplib --exact 1", "48 are more than the 30 that can be proven"),
        ("solve @morning --iterations 1 --out @morning", "morning: --out: this file is the day already"),
        ("solve @morning --iterations 1 --svg @sideways", "sideways: --svg: this file is the day already"),
        ("solve @morning --iterations 1 --out @new --svg @new", "new: --svg: this file is --out already"),
        ("solve @morning --iterations 1 --out /dev/full", "full: file: No space left on device so it is not written"),
        ("solve @morning --iterations 1 --svg /dev/full", "full: file: No space left on device so it is not written"),
        ("solve @morning --iterations 1 --out @", "Is a directory so it cannot be written"),
        ("solve @morning --iterations 1 --out @new --svg @none/x", "x: file: No such file or directory"),
        ("check @morning @baths.plan", "routes[0].worker: Gu is nobody in this day"),
        ("check @morning @empty", "empty: file: nothing is in it"),
        ("explain @morning @morning.plan --visit new", "new is no visit of this day"),
        ("quote @morning @morning.plan --visit @morning", "unknown field"),
        *((f"{command} @{name}", "cannot be read") for command in ("solve", "solve --format city") for name in ("", "none")),
        *(
            (f"solve @{name} --iterations 1 --format {form}", f"{name}: ")
            for name, own in (("morning", "yinling"), ("hhcrsp",) * 2, ("solomon",) * 2, ("vrplib",) * 2, ("city",) * 2)
            for form in FORMATS
            if form != own
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_as_it_is_asked_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, words: str
):
    before = (folder / "morning").read_bytes()
    code, answer, said = _asked(folder, line, capsys)
    assert (code, answer) == (2, ""), said
    assert words in said
    assert (folder / "morning").read_bytes() == before
    assert not (folder / "new").exists(), "a plan that nobody made is left behind"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("solve @morning --iterations 1 --exact 0.001", 0, "nothing proven in that time\nobjective"),
        ("solve @morning --seconds 0 --threads 2", 0, "objective"),
        ("solve @morning --iterations 1 --out /dev/null --svg /dev/null", 0, "objective"),
        ("quote @hhcrsp @hhcrsp.plan --visit @wish --every 1000000", 1, "new: none of the starts tried, but c"),
        ("quote @solomon @solomon.plan --visit @wish --every 0.1", 0, "start 18.6 "),
        ("quote @morning @morning.plan --visit @wish", 1, "new: nobody, no_gap"),
    ],
)
def test_what_can_be_done_is_answered_with_a_reason(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, code: int, words: str
):
    found, answer, said = _asked(folder, line, capsys)
    assert found == code, said
    assert words in answer


def _run(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "dispatch", *words], check=False, capture_output=False, **options)


@pytest.mark.slow
def test_pipes_terminals_and_full_disks_are_answered(folder: Path, tmp_path: Path):
    """As a process: what goes wrong when the answer is written, or the day is read only once."""
    solve = ("--iterations", "1")
    piped = _run("solve", "/dev/stdin", *solve, input=MORNING.read_bytes(), stdout=-1, stderr=-1)
    assert (piped.returncode, piped.stderr.count(b"\n")) == (2, 1)
    assert b"a pipe is read once; without --format" in piped.stderr
    with Path("/dev/full").open("wb") as full:
        told = _run("solve", str(folder / "morning"), *solve, stdout=full, stderr=-1)
    assert told.returncode == 2
    assert told.stderr.endswith(b"\nthe answer: file: No space left on device so it is not whole\n")
    chinese = tmp_path / "day.json"
    chinese.write_text(MORNING.read_text().replace('"Anna"', '"安娜"'))
    plan, narrow = tmp_path / "plan", {**os.environ, "PYTHONIOENCODING": "ascii"}
    assert main(["solve", str(chinese), *solve, "--out", str(plan)]) == 0
    words = ("explain", str(chinese), str(plan), "--visit", "bath for two")
    said = _run(*words, env=narrow, stdout=-1, stderr=-1)
    assert (said.returncode, said.stderr) == (0, b"")
    assert b"\\u5b89\\u5a1c at" in said.stdout


@pytest.mark.slow
def test_who_stops_a_search_sees_no_traceback(folder: Path):
    """The signal itself ends it: as an exception it was lost now and then where the compiler calls back."""
    heeding = ["env", "--default-signal=INT"]  # what a shell starts behind its back ignores the signal
    words = [*heeding, sys.executable, "-m", "dispatch", "solve", str(folder / "morning"), "--seconds", "100"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as search:
        assert search.stderr is not None
        began = search.stderr.read(1)  # it has read the day and said that it plans
        search.send_signal(signal.SIGINT)
        _, told = search.communicate(timeout=60)
    assert began
    assert search.returncode == -signal.SIGINT
    assert b"Traceback" not in told
