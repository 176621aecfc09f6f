"""Ringing back: who hung up while a time was held for them, and whom an operator has promised a call."""

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta

from backend.core.bounds import Asked, Instant, Wording, wording
from backend.core.errors import DomainError
from backend.core.principal import Principal
from backend.database.clock import care_now
from backend.database.pool import Connection, as_the_platform
from backend.orders import queries
from backend.orders.model import OrderStatus
from backend.residents.queries import resident_card
from backend.rules.queries import EVERYWHERE, limit
from backend.tasks import actions as tasks
from backend.tasks import queries as task_queries
from backend.tasks.model import DeskTask, Subject, TaskKind

_WAITING: Final = frozenset({OrderStatus.HELD, OrderStatus.LAPSED})


class CallBack(Asked, frozen=True):
    """When somebody is to be rung back, and what about, in one line."""

    words: Annotated[str, Meta(min_length=1, max_length=200, extra=wording(Wording.SAID))]
    due_at: Instant


async def promise(connection: Connection, principal: Principal, resident_id: UUID, wanted: CallBack) -> DeskTask:
    """An operator has promised a resident, or whoever rang for them, a call.

    Raises unknown_resident, in_the_past, too_far_ahead, already_open while another call about them is promised.
    """
    await resident_card(connection, resident_id)
    now = await care_now(connection)
    if wanted.due_at < now:
        raise DomainError("in_the_past")
    async with as_the_platform(connection):
        if wanted.due_at > now + timedelta(days=await limit(connection, "call_back_ahead_days", EVERYWHERE)):
            raise DomainError("too_far_ahead")
        details = {"words": wanted.words, "by": str(principal.account_id)}
        return await _opened(connection, Subject(resident_id=resident_id), details, wanted.due_at)


async def hung_up(connection: Connection, order_id: UUID) -> DeskTask:
    """Whoever an order is held for has hung up: it stays held as long as it would, and they are rung before it is let go.

    One call about an order is enough: asked again, it is the same. Raises unknown_order, illegal_transition for an order
    that is held no more and has not lapsed.
    """
    async with as_the_platform(connection):
        order = await queries.order_for_update(connection, order_id)
        if order.status not in _WAITING:
            raise DomainError("illegal_transition")
        now = await care_now(connection)
        due_at = now + timedelta(seconds=await limit(connection, "call_back_s", EVERYWHERE))
        if order.hold_expires_at is not None:
            due_at = max(now, min(due_at, order.hold_expires_at))
        about = Subject(order_id=order_id)
        await tasks.open_task(connection, TaskKind.CALL_BACK, {}, about, due_at)
        return await task_queries.open_about(connection, TaskKind.CALL_BACK, about)


async def _opened(connection: Connection, about: Subject, details: dict[str, str], due_at: Instant) -> DeskTask:
    if not await tasks.open_task(connection, TaskKind.CALL_BACK, details, about, due_at):
        raise DomainError("already_open")
    return await task_queries.open_about(connection, TaskKind.CALL_BACK, about)
