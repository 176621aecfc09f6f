"""Absences, for the interface and the pages alike: who thinks, how long, and with what held."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from litestar import Request, Response
from litestar.datastructures import State

from backend.accounts.requests import decide_once
from backend.core import bounds
from backend.core.principal import Principal
from backend.database.pool import Connection, Lane
from backend.orders import absences
from backend.orders.absences import AbsencePlan, Considered, Recorded, Thought
from backend.workers.model import AbsenceReason

Asked = Request[Principal, Any, State]
_SHOWING_S: Final = 2.0
_RECORDING_S: Final = 6.0  # what is not looked at by then becomes a task of the desk, so it is looked at for longer
_TURN: Final = "other workers"


class Away(bounds.Asked, frozen=True):
    """When a worker cannot come."""

    from_at: bounds.Instant
    to_at: bounds.Instant


class NewAbsence(bounds.Asked, frozen=True):
    """When a worker does not come, and for which of a few reasons."""

    from_at: bounds.Instant
    to_at: bounds.Instant
    reason: AbsenceReason


def _for(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


async def preview(request: Asked, worker_id: UUID, away: Away) -> AbsencePlan:
    """Say where each visit goes: read, give the connection back, think on a thread for two seconds, and put it into words."""
    state = request.app.state
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        considered = await absences.consider(
            connection, request.user, state.planner, worker_id, away.from_at, away.to_at
        )
    async with state.one_at_a_time.turn(_TURN):
        thought = await asyncio.to_thread(absences.think, considered, _for(_SHOWING_S))
    async with state.database.unit_of_work(request.user, Lane.PLANNING) as connection:
        return await absences.told(connection, thought)


async def record(request: Asked, worker_id: UUID, wanted: NewAbsence, *, key: str | None = None) -> Response[Recorded]:
    """Record an absence, and have each visit go where it goes."""
    planner = request.app.state.planner

    async def consider(connection: Connection) -> Considered:
        return await absences.consider(connection, request.user, planner, worker_id, wanted.from_at, wanted.to_at)

    def think(considered: Considered) -> Thought:
        return absences.think(considered, _for(_RECORDING_S))

    async def write(connection: Connection, thought: Thought) -> Recorded:
        return await absences.record(connection, request.user, thought, wanted.reason, planner.zone_info)

    return await decide_once(request, 201, consider, think, write, about=worker_id, key=key, on_a_thread=True)
