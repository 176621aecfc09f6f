"""The `yinling` command: it picks a process, and holds no logic of its own."""

import asyncio
import importlib
import sys
from collections.abc import Sequence

PROCESSES = ("web", "gateway", "relay", "dispatcher", "jobs")
USAGE = """usage: yinling COMMAND

  demo         a whole invented city on this machine, in fast motion
  replay PATH  live a recorded day through the public API (replay --help)
  watch        follow somebody's events: watch --as PHONE (watch --help)
  web gateway relay dispatcher jobs
               one process each, settings from YINLING_* variables
  migrate      bring the database to the newest schema, as its owner
  doctor       what this machine has and lacks
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    command, *rest = (list(sys.argv[1:]) if arguments is None else list(arguments)) or ["--help"]
    if command in PROCESSES:
        return _process(command)
    if command == "migrate":
        return _migrate()
    if command == "demo":
        asyncio.run(importlib.import_module("backend.simulation.demo.run").run())
        return 0
    if command in {"replay", "watch"}:
        return importlib.import_module(f"backend.simulation.{command}").main(rest)
    if command == "doctor":
        return importlib.import_module("backend.processes.doctor").main()
    sys.stdout.write(USAGE)
    return 0 if command in {"-h", "--help", "help"} else 2


def _process(name: str) -> int:
    config = importlib.import_module("backend.config")
    logs = importlib.import_module("backend.processes.logging")
    try:
        settings = config.load()
    except config.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.set_up(name, settings.log_level)
    loop = importlib.import_module("asyncio" if sys.platform == "win32" else "uvloop")
    try:
        loop.run(importlib.import_module(f"backend.processes.{name}").run(settings))
    except KeyboardInterrupt:
        return 130
    return 0


def _migrate() -> int:
    settings = importlib.import_module("backend.config").load()
    if settings.owner_database_url is None:
        sys.stderr.write("YINLING_OWNER_DATABASE_URL is not set\n")
        return 2
    importlib.import_module("backend.database.migrate").upgrade(settings.owner_database_url)
    return 0
