"""Whether care time may go on: everybody has heard everything, every order was looked at, no timer is overdue."""

import time
from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from backend.core.principal import SYSTEM
from backend.database.pool import Database
from backend.simulation import queries
from backend.simulation.clients import Cursor, Watcher
from backend.simulation.clock import Stand, StepClock
from backend.simulation.importer import Imported

_NOTHING: Final[Cursor] = (0, 0, 0)
_FINAL: Final = frozenset({
    "completed", "verified", "settled", "unserved", "cancelled", "aborted", "missed", "lapsed", "rejected", "disputed",
    "exception",
})  # fmt: skip


class Pace:
    """Reads the platform's pulse and the sockets' positions; holds care time until they agree."""

    def __init__(self, database: Database, day: Imported, think_s: float) -> None:
        self._database = database
        self._day = day
        self._think_s = think_s
        self._console: Watcher | None = None
        self._watchers: Mapping[str, Watcher] = {}
        self._owed: dict[str, Cursor] = {}
        self._thinking_until = 0.0
        self._line: asyncpg.Connection | None = None
        self.clock: StepClock | None = None
        self.statuses: dict[str, str] = {}

    def listen(self, console: Watcher, watchers: Mapping[str, Watcher]) -> None:
        """The operator's socket, which hears everything, and the others by audience key."""
        self._console = console
        self._watchers = watchers

    def heard(self, event: dict[str, Any]) -> None:
        """The operator's socket got an event: whoever else it concerns must get it before care time goes on."""
        data = event.get("data")
        if not data:
            return
        epoch, xid, number = (int(part) for part in event["cursor"].split("."))
        kind, _, state = event["type"].partition(".")
        if kind == "order":
            self.statuses[data["order_id"]] = state
            if state == "placed":
                self._thinking_until = time.monotonic() + self._think_s
        for key in _audience(data):
            if key in self._watchers:
                self._owed[key] = max(self._owed.get(key, _NOTHING), (epoch, xid, number))

    @property
    def over(self) -> int:
        """How many orders have come to an end."""
        return sum(1 for status in self.statuses.values() if status in _FINAL)

    async def _pulse(self) -> queries.Pulse:
        """Asked hundreds of times a second: one statement on a line of its own, or asking slows what it asks about."""
        if self._line is None or self._line.is_closed():
            self._line = await self._database.listen()
            await queries.see_as(self._line, SYSTEM.role.value)
        return await queries.pulse(self._line, str(self._day.zero_at.tzinfo))

    async def hang_up(self) -> None:
        """Close the line; the next question opens another."""
        if self._line is not None:
            await self._line.close()

    async def stand(self) -> Stand:
        """How the platform stands now."""
        pulse = await self._pulse()
        due = None if pulse.timer_at is None else self._day.seconds(pulse.timer_at)
        return Stand(self._wait_for(pulse, due), due)

    def _wait_for(self, pulse: queries.Pulse, due: float | None) -> str | None:
        told = (pulse.last_xid, pulse.last_id)
        behind = self._console is not None and (self._console.last or _NOTHING)[1:] < told
        owed = any((self._watchers[key].last or _NOTHING) < cursor for key, cursor in self._owed.items())
        reasons = {
            "sockets": not all(watcher.connected for watcher in self._everybody()),
            "events": behind or owed,
            "dispatch": pulse.unseen > 0,
            "settling": pulse.unsettled > 0,
            "timers": due is not None and self.clock is not None and due <= self.clock.now_s,
            "thinking": pulse.thinking > 0 and time.monotonic() < self._thinking_until,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def _everybody(self) -> list[Watcher]:
        return [*self._watchers.values(), *([self._console] if self._console else [])]

    async def settled(self) -> bool:
        """Whether the dispatcher has found nothing better for any plan."""
        pulse = await self._pulse()
        return not pulse.thinking and not pulse.unseen


def _audience(data: dict[str, Any]) -> list[str]:
    keys = [f"worker:{worker_id}" for worker_id in data.get("worker_ids", ())]
    names = [name for name in ("worker", "resident", "provider") if data.get(f"{name}_id")]
    return keys + [f"{name}:{data[f'{name}_id']}" for name in names]
