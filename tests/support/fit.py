"""Somebody who was found fit for what is done with them, where a test is about something else."""

from typing import Any, Protocol
from uuid import UUID


class Asked(Protocol):
    """A city that runs SQL as its owner."""

    async def sql(self, statement: str, *args: Any) -> list[dict[str, Any]]:
        """Run a statement."""
        ...


async def found_fit(city: Asked, order_id: str) -> None:
    """Let the checks before a service be passed long before it, and everything at it be done; see test_pre_checks, test_checklists."""
    await all_done(city, order_id)
    await city.sql(
        """INSERT INTO pre_checks (order_id, resident_id, worker_id, received_at, offline, answers, outside, missing, counts)
           SELECT o.id, o.resident_id, (SELECT id FROM workers LIMIT 1), '2000-01-01', false, '{}', '{}', '{}', true
           FROM orders o WHERE o.id = $1""",
        UUID(order_id),
    )


async def all_done(city: Asked, order_id: str) -> None:
    """Let every line of a visit be ticked long before it; how they are ticked is told in test_checklists."""
    await city.sql(
        """INSERT INTO visit_ticks (order_id, worker_id, line, done, received_at, offline, counts)
           SELECT o.id, (SELECT id FROM workers LIMIT 1), l.code, true, '2000-01-01', false, true
           FROM orders o JOIN item_lines l ON l.item IN (o.item_code, o.kind) WHERE o.id = $1""",
        UUID(order_id),
    )
