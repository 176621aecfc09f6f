"""One PostgreSQL server out of the wheel, started and stopped: whatever state an earlier one left its folder in.

The wheel's own starter is not used. It keeps a list of its users in the data folder and a lock in the common temporary
folder; both outlive a kill and then stop every later start, or keep every later server running.
"""

import contextlib
import errno
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from backend.processes.guard import FOLDER, SERVER, end_server, guard
from backend.processes.places import VERSION, ServerError, account, binaries, make_folder, socket_folder

PORT: Final = 5432
_READY_S: Final = 60.0  # after a kill the server first repeats its log
_LOOK_S: Final = 0.02
_OPTIONS: Final = ("-h", "", "-p", str(PORT), "-c", "timezone=UTC", "-c", "log_timezone=UTC")
_NOT_DURABLE: Final = tuple(
    word for name in ("fsync", "full_page_writes", "synchronous_commit") for word in ("-c", f"{name}=off")
)
_INIT: Final = (
    "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8", "--no-instructions",
)  # fmt: skip


class Server:
    """A running server. One program at a time uses a data folder: it holds a lock that ends with it."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """Start it; one that is not `durable` never waits for the disk. Raises ServerError."""
        self._options = _OPTIONS if durable else (*_OPTIONS, *_NOT_DURABLE)
        self.folder = folder.resolve()
        self._whose = account()
        self._bin = binaries(self._whose)
        make_folder(self.folder.parent, self._whose)
        self._lock = _locked(self.folder.with_name(f"{self.folder.name}.lock"))
        self._log = self.folder.with_name(f"{self.folder.name}.log")
        try:
            self._prepare()
            self.socket_folder = socket_folder(self._whose)
            guard.hold(FOLDER, str(self.socket_folder))
            self._process = self._started()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def runs(self) -> bool:
        """Whether the server is still there."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server, and with it what it needed outside its folder. A second call does nothing."""
        if self._lock < 0:
            return
        self._end()
        os.close(self._lock)
        self._lock = -1

    def _end(self) -> None:
        if self.runs:
            end_server(self._process.pid)
        self._process.wait()
        guard.release(SERVER, self._process.pid)
        shutil.rmtree(self.socket_folder, ignore_errors=True)
        guard.release(FOLDER, str(self.socket_folder))

    def _prepare(self) -> None:
        _end_leftovers(self.folder)
        if not (self.folder / "global" / "pg_control").exists():
            self._init()
        found = (self.folder / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != str(VERSION):
            raise ServerError(f"{self.folder} was made by PostgreSQL {found}: remove it, then start again")
        if self._whose:
            _give(self.folder, self._whose)
        elif self.folder.stat().st_uid != os.geteuid():
            raise ServerError(f"{self.folder} belongs to another user: remove it, then start again")
        self.folder.chmod(0o700)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)  # whoever wrote it is gone

    def _init(self) -> None:
        """Make the data folder beside its place, so that a start killed half-way leaves nothing that looks whole."""
        part = self.folder.with_name(f"{self.folder.name}.new")
        for left in (part, self.folder):
            if left.exists():
                shutil.rmtree(left)
        part.mkdir(mode=0o700)
        if self._whose:
            os.chown(part, self._whose.pw_uid, self._whose.pw_gid)
        done = subprocess.run([self._bin / "initdb", *_INIT, "-D", part], check=False, **self._how(subprocess.PIPE))
        if done.returncode != 0:
            shutil.rmtree(part, ignore_errors=True)
            raise ServerError(f"PostgreSQL's folder {self.folder} could not be made: {_last(done.stdout)}")
        part.rename(self.folder)

    def _started(self) -> subprocess.Popen[Any]:
        command = [self._bin / "postgres", "-D", self.folder, "-k", self.socket_folder, *self._options]
        with self._log.open("wb") as log:
            process = subprocess.Popen(command, start_new_session=True, **self._how(log.fileno()))
        guard.hold(SERVER, process.pid)
        self._process = process
        try:
            self._until_ready(process)
        except BaseException:
            self._end()
            raise
        return process

    def _until_ready(self, process: subprocess.Popen[Any]) -> None:
        give_up_at = time.monotonic() + _READY_S
        while not _ready(self.folder / "postmaster.pid", process.pid):
            if process.poll() is not None or time.monotonic() > give_up_at:
                words = _last(self._log.read_bytes())
                raise ServerError(f"PostgreSQL did not start ({words}); its log is {self._log}")
            time.sleep(_LOOK_S)

    def _how(self, output: int) -> dict[str, Any]:
        """Programs of PostgreSQL run as its user and know nothing of the servers and languages the desktop speaks of."""
        environment = {name: value for name, value in os.environ.items() if name[:2] not in {"PG", "LC"}}
        as_whom = {"user": self._whose.pw_uid, "group": self._whose.pw_gid, "extra_groups": []} if self._whose else {}
        return {
            "stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT, "cwd": "/", "umask": 0o077,
            "env": {**environment, "LC_ALL": "C"}, **as_whom,
        }  # fmt: skip


def _locked(path: Path) -> int:
    """The lock on a data folder, which no kill leaves behind. Raises ServerError when another program holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock, 20).decode("ascii", "replace")
        os.close(lock)
        if error.errno not in {errno.EAGAIN, errno.EACCES}:
            raise
        raise ServerError(f"it runs already, as process {holder}: stop that one first (Ctrl-C there)") from error
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def _give(folder: Path, whose: pwd.struct_passwd) -> None:
    """Everything in the folder to the server's user, whose number may have changed since it was made."""
    if folder.stat().st_uid != whose.pw_uid:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, whose.pw_uid, whose.pw_gid, follow_symlinks=False)


def _end_leftovers(folder: Path) -> None:
    """End what still runs on a folder whose lock is free: its program was killed, and nobody else will stop it."""
    for pid, command in _on(folder):
        sockets = command.partition(" -k ")[2].partition(" -")[0]
        if "-D" in command:
            end_server(pid)
        if Path(sockets).parent == Path(tempfile.gettempdir()).resolve() and Path(sockets).name.startswith("yinling-"):
            shutil.rmtree(sockets, ignore_errors=True)
    for pid, _ in _on(folder):  # connections whose server was killed: they end by themselves, unless they are busy
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    give_up_at = time.monotonic() + _READY_S
    while any(_on(folder)):
        if time.monotonic() > give_up_at:
            raise ServerError(f"an earlier PostgreSQL still runs on {folder} and cannot be ended")
        time.sleep(_LOOK_S)


def _on(folder: Path) -> Iterator[tuple[int, str]]:
    """Processes of PostgreSQL whose data folder this is: number and command line."""
    if Path("/proc/self/cwd").exists():
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
                where = str((entry / "cwd").readlink()).removesuffix(" (deleted)")
                if where == str(folder) and "postgres" in (entry / "comm").read_text(encoding="utf-8"):
                    words = (entry / "cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ")
                    yield int(entry.name), words
        return
    listing = subprocess.run(["/bin/ps", "-axww", "-o", "pid=,args="], check=True, capture_output=True).stdout
    for line in listing.decode("utf-8", "replace").splitlines():
        pid, _, words = line.strip().partition(" ")
        if "postgres -D " in words and f" {folder} " in f"{words} ":
            yield int(pid), words


def _ready(file: Path, pid: int) -> bool:
    """Whether the server has written that it takes connections."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _last(output: bytes) -> str:
    """What a program said last, as one line."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
