"""The `yinling` command: it picks a process, and holds no logic of its own."""

import asyncio
import gc
import importlib
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

PROCESSES: Final = ("web", "gateway", "relay", "dispatcher", "jobs")
_YOUNG: Final = 50_000  # objects between two looks for rings; whole days in memory made a sixth of the work collecting
USAGE: Final = """usage: yinling COMMAND

  demo         a whole invented city on this machine, in fast motion
  replay PATH  live a recorded day through the public API (replay --help)
  watch        follow somebody's events: watch --as PHONE (watch --help)
  web gateway relay dispatcher jobs
               one process each, settings from YINLING_* variables
  migrate      bring the database to the newest schema, as its owner
  seed         fill a migrated, empty database with the invented city, as its owner
  kernels      compile what the planner needs and is not compiled yet
  doctor       what this machine has and lacks
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    command, *rest = (list(sys.argv[1:]) if arguments is None else list(arguments)) or [""]
    if command in COMMANDS:
        return COMMANDS[command](rest)
    if command in PROCESSES:
        return _process(command, rest)
    sys.stdout.write(USAGE)
    return 0 if command in {"-h", "--help", "help"} else 2


def _room(name: str) -> Any:
    """A part of the program, loaded only when its command is given."""
    return importlib.import_module(f"backend.{name}")


def _migrate(_rest: Sequence[str]) -> int:
    return _as_owner(lambda url: _room("database.migrate").upgrade(url))


def _seed(_rest: Sequence[str]) -> int:
    return _as_owner(lambda url: asyncio.run(_room("simulation.demo.city").build(url)))


COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], int]]] = {
    "demo": lambda rest: _room("simulation.demo.run").main(rest),
    "replay": lambda rest: _room("simulation.replay").main(rest),
    "watch": lambda rest: _room("simulation.watch").main(rest),
    "migrate": _migrate,
    "seed": _seed,
    "kernels": lambda _: _room("processes.kernels").main(),
    "doctor": lambda _: _room("processes.doctor").main(),
}


def _settings() -> Any:
    """The settings, or None after saying what is wrong with them."""
    config = _room("config")
    try:
        return config.load()
    except config.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return None


def _process(name: str, rest: Sequence[str]) -> int:
    """Run one process. `--child-of PID` has it stop when that process, which started it, is gone.

    Such a child begins when its standard input ends: it can be started while its database is still being filled.
    """
    stop = _room("processes.stopping").Stop()
    stop.listen()
    is_child = rest[:1] == ["--child-of"]
    if is_child:
        _room("processes.children").end_with_parent(int(rest[1]), signal.SIGTERM)
    settings = _settings()
    if settings is None:
        return 2
    _room("processes.logging").set_up(name, settings.log_level)
    loop = importlib.import_module("asyncio" if sys.platform == "win32" else "uvloop")
    room = _room(f"processes.{name}")
    gc.freeze()  # what was imported never goes
    gc.set_threshold(_YOUNG)
    if is_child:
        sys.stdin.read()
    loop.run(stop.run(lambda told: room.run(settings, told)))
    return 0


def _as_owner(work: Callable[[str], None]) -> int:
    settings = _settings()
    if settings is None:
        return 2
    if settings.owner_database_url is None:
        sys.stderr.write("YINLING_OWNER_DATABASE_URL is not set\n")
        return 2
    try:
        work(settings.owner_database_url)
    except _room("database.migrate").SchemaError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0
