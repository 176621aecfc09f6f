"""Ends what a program started once the program is gone, however it died.

The program runs this file as a process of its own and tells it over a pipe what it has started. When the pipe closes,
because the program ended or was killed, whatever it has not taken back is ended: process groups, PostgreSQL servers,
folders. The file imports the standard library only: it has to start in an instant and to outlive everything else.
"""

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Final

GROUP, SERVER, FOLDER = "group", "server", "folder"
STOP_S: Final = 10.0  # for PostgreSQL to write a checkpoint and end; what takes longer is cut off and recovers later
_LOOK_S: Final = 0.02
Held = tuple[str, int | str]


class Guard:
    """The program's side of the pipe. A guard that was killed itself is missed by nobody: the next start cleans up."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def hold(self, kind: str, what: int | str) -> None:
        """From now on this ends with the program: a process group, a server by its process id, or a folder."""
        self._tell("+", kind, what)

    def release(self, kind: str, what: int | str) -> None:
        """The program has ended this itself."""
        self._tell("-", kind, what)

    def _tell(self, sign: str, kind: str, what: int | str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
            )  # fmt: skip
            atexit.register(self._let_go)
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin:
                self._process.stdin.write(json.dumps((sign, kind, what)).encode() + b"\n")
                self._process.stdin.flush()

    def _let_go(self) -> None:
        """The program ends in order: wait until what it forgot is gone too."""
        if self._process and self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()


guard: Final = Guard()


def end_server(pid: int) -> None:
    """Stop a PostgreSQL server: its clients are cut off, what they committed is kept. Returns when it is gone."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        give_up_at = time.monotonic() + STOP_S
        while time.monotonic() < give_up_at:
            if not _runs(pid):
                return
            time.sleep(_LOOK_S)


def _runs(pid: int) -> bool:
    """Whether a process is there; our own child that has ended is collected on the way."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _end(held: Iterable[Held]) -> None:
    """Processes first, so that nobody writes any more when the server stops; folders last."""
    for kind, what in sorted(held, key=lambda one: (GROUP, SERVER, FOLDER).index(one[0])):
        if kind == GROUP:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(int(what), signal.SIGKILL)
        elif kind == SERVER:
            end_server(int(what))
        else:
            shutil.rmtree(str(what), ignore_errors=True)


def main() -> None:
    """Listen until the program is gone, then end what it still held."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    held: dict[Held, None] = {}
    for line in sys.stdin.buffer:
        with contextlib.suppress(ValueError):  # a program killed in the middle of a line
            sign, kind, what = json.loads(line)
            if sign == "+":
                held[kind, what] = None
            else:
                held.pop((kind, what), None)
    _end(held)


if __name__ == "__main__":
    main()
