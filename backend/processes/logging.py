"""Logs: one JSON object a line, made only of keys that cannot carry a person's data."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_LEVELS: Final = logging.getLevelNamesMapping()
ALLOWED: Final = frozenset(
    {
        "event", "level", "timestamp", "process", "pid", "error", "code", "status", "method", "route", "request_id",
        "trace", "kind", "step", "zone", "plan_on", "version", "count", "ms", "seconds", "address", "url", "port",
        "sockets", "reason", "name", "signal", "order", "worker", "database",
    }
)  # fmt: skip


def set_up(process: str, level: str = "info") -> None:
    """Send this process's logs, and those of the libraries it uses, to standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _naming(process),
            _only_allowed,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Bridge()], level=max(_LEVELS[level.upper()], logging.WARNING), force=True)


def where(error: BaseException) -> list[str]:
    """The places an error came through, without its message: a database error quotes the row it stumbled over."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename.rsplit('/backend/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames[-12:]]


def _naming(process: str) -> structlog.types.Processor:
    def name(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry.setdefault("process", process)
        return entry

    return name


def _only_allowed(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: found for key, found in entry.items() if key in ALLOWED}


class _Bridge(logging.Handler):
    """What libraries log: where it came from and which kind of error, not what it said."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        place = f"{record.module}:{record.lineno}"
        structlog.get_logger().log(record.levelno, f"library.{record.name}", error=kind, step=place)
