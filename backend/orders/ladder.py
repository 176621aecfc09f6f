"""The search behind a door that nobody opens (无人应答): a task of the desk that becomes more urgent until somebody ends it.

A visit is a look at whether somebody is well. Who does not open may lie behind the door: the desk rings them, then those
who know them, then whoever lives near, then 120. The order leaves the state by a person's word only.
"""

from datetime import datetime, timedelta

from backend.database.clock import care_now
from backend.database.pool import Connection
from backend.orders import timer_queries
from backend.orders.model import Order
from backend.rules.queries import limit
from backend.tasks import actions as tasks
from backend.tasks import queries as task_queries
from backend.tasks.model import Subject, TaskKind

TIMER = "no_access_due"


async def begin(connection: Connection, order: Order) -> None:
    """Give the desk the task, and say when it becomes more urgent."""
    step = timedelta(seconds=await limit(connection, "no_access_step_s", order.community_code))
    due_at = await care_now(connection) + step
    await tasks.open_task(connection, TaskKind.NO_ACCESS, about=Subject(order_id=order.id), due_at=due_at)
    await timer_queries.set_timer(connection, TIMER, order.id, due_at)


async def climb(connection: Connection, order: Order) -> None:
    """Nobody has ended it: the next step is due. From the highest on the desk is reminded again and again."""
    most = int(await limit(connection, "no_access_levels", order.community_code))
    step = timedelta(seconds=await limit(connection, "no_access_step_s", order.community_code))
    due_at = await care_now(connection) + step
    await tasks.raise_level(connection, TaskKind.NO_ACCESS, order.id, most, due_at)
    await timer_queries.set_timer(connection, TIMER, order.id, due_at)


async def wait_until(connection: Connection, order: Order) -> datetime | None:
    """Until when the crew is asked to wait at a shut door; None where none is shut."""
    opened_at = await task_queries.opened_at(connection, TaskKind.NO_ACCESS, order.id)
    if opened_at is None:
        return None
    return opened_at + timedelta(seconds=await limit(connection, "no_access_wait_s", order.community_code))


async def end(connection: Connection, order: Order) -> None:
    """The order has left the state, and the task ends with it; what became of it is what the order is now."""
    await tasks.close_task(connection, TaskKind.NO_ACCESS, Subject(order_id=order.id), order.status.value)


async def told_late(connection: Connection, order: Order) -> None:
    """A phone tells that nobody opened when the order has gone on: the desk looks whether somebody has been seen since."""
    await tasks.open_task(connection, TaskKind.NO_ACCESS_LATE, about=Subject(order_id=order.id))
