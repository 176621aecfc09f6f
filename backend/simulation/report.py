"""What a replay comes to, judged by the database and the sockets, not by what the program says of itself."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final
from uuid import UUID

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from backend.core.principal import SYSTEM
from backend.database.pool import Connection, Database
from backend.simulation import queries
from backend.simulation.clients import Traffic, Watcher
from backend.simulation.executed import judge
from backend.simulation.instances import Demand, Instance
from backend.simulation.queries import Handling, OrderOutcome
from backend.simulation.world import World

_EXAMPLES: Final = 10
_GIVEN_UP: Final = frozenset(
    {"unserved", "aborted"}
)  # an end with a reason; a meal is not brought past its eat-by time
_LATENESS: Final = frozenset({"window", "shift", "return"})  # late is allowed and recorded; what was begun is finished
DONE: Final = frozenset({"completed", "awaiting_acceptance", "verified", "settled"})


class Run(Struct, frozen=True, kw_only=True):
    """What only the replay itself knows."""

    policy: str
    speed: float
    seed: int
    wall_s: float
    care_s: float
    restarts: Mapping[str, int]
    gave_up: Mapping[str, int]
    stood_still_s: Mapping[str, float]


class Report(Struct, frozen=True, kw_only=True):
    """One replayed day in figures."""

    name: str
    form: str
    policy: str
    orders: int
    dispatched: int
    accepted: int
    completed: int
    unserved: int
    unserved_by_reason: dict[str, int]
    unfinished: dict[str, int]
    on_time_share: float
    lateness_mean_min: float
    lateness_p95_min: float
    lateness_max_min: int
    travel_s: int
    worker_overlaps: int
    events_emitted: int
    events_expected_by_watchers: int
    events_received_by_watchers: int
    watchers: int
    lost: int
    duplicated: int
    leaked: int
    lost_examples: list[str]
    dispatch_p50_ms: float
    dispatch_p99_ms: float
    quote_p50_ms: float
    quote_p99_ms: float
    booking_p50_ms: float
    booking_p99_ms: float
    check_violations: dict[str, int]
    violation_examples: list[str]
    unserved_refuted: list[str]
    requests: int
    retries: int
    restarts: dict[str, int]
    clock_gave_up: dict[str, int]
    clock_stood_still_s: dict[str, float]
    trouble: list[str]
    wall_s: float
    care_s: float
    speed: float
    speed_reached: float
    seed: int

    @property
    def faults(self) -> list[str]:
        """Why the replay is not clean; empty when it is."""
        found = {
            "unfinished orders": sum(self.unfinished.values()),
            "workers in two places": self.worker_overlaps,
            "events lost": self.lost,
            "events duplicated": self.duplicated,
            "events leaked": self.leaked,
            "unserved orders that would have fitted": len(self.unserved_refuted),
            "rules broken by the lived day": sum(
                number for rule, number in self.check_violations.items() if rule not in _LATENESS
            ),
        }
        return [f"{number} {what}" for what, number in found.items() if number]


def share(values: Sequence[float], part: float) -> float:
    """The value below which that part of all values lies; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)], 2)


def lateness_min(demand: Demand, outcome: OrderOutcome | None, zero_s: float | None) -> int | None:
    """Whole minutes after the wished window, never below zero; None when nobody came."""
    if outcome is None or zero_s is None:
        return None
    due = demand.to_s + (demand.seats[0].duration_s if demand.pickup else 0)
    return max(0, math.floor((zero_s - due) / 60))


def travelled(instance: Instance, routes: Mapping[str, Sequence[int]]) -> int:
    """Seconds on the way, from where each worker starts, over the places visited, to where the day ends."""
    total = 0
    for worker in instance.workers:
        places = list(routes.get(worker.id, ()))
        if not places:
            continue
        way = [worker.start, *places, *([] if worker.end is None else [worker.end])]
        total += sum(instance.travel_s(a, b) for a, b in pairwise(way))
    return total


async def make(database: Database, world: World, watchers: Sequence[Watcher], traffic: Traffic, run: Run) -> Report:
    """Read everything once and add it up."""
    async with database.unit_of_work(SYSTEM) as connection:
        outcomes = {outcome.id: outcome for outcome in await queries.outcomes(connection)}
        handlings = await queries.handlings(connection)
        overlaps = await queries.overlaps(connection)
        emitted = await queries.count_events(connection)
        dispatched_ms = await queries.dispatch_latencies(connection)
        heard = await _heard(connection, watchers)
    day = world.day
    demands = {UUID(order_id): door.demand for order_id, door in world.doors.items()}
    by_demand = {demand.id: outcomes[order_id] for order_id, demand in demands.items() if order_id in outcomes}
    late = [_lateness(world, demand, by_demand.get(demand.id)) for demand in day.instance.demands]
    served = [minutes for minutes in late if minutes is not None]
    unserved = {
        demand.id: _reason(world, demand, by_demand.get(demand.id))
        for demand in day.instance.demands
        if demand.id not in by_demand or by_demand[demand.id].status not in DONE
    }
    judged = judge(day, handlings, demands, list(unserved))
    ended = [by_demand[name] for name in by_demand]
    return Report(
        name=day.instance.name,
        form=day.instance.form,
        policy=run.policy,
        orders=len(day.instance.demands),
        dispatched=sum(outcome.offered for outcome in ended),
        accepted=sum(outcome.accepted for outcome in ended),
        completed=sum(outcome.status in DONE for outcome in ended),
        unserved=len(unserved),
        unserved_by_reason=dict(Counter(unserved.values())),
        unfinished=dict(Counter(o.status for o in ended if o.status not in DONE | _GIVEN_UP)),
        on_time_share=round(sum(minutes == 0 for minutes in served) / len(day.instance.demands), 4),
        lateness_mean_min=round(sum(served) / len(served), 2) if served else 0.0,
        lateness_p95_min=share(served, 0.95),
        lateness_max_min=max(served, default=0),
        travel_s=travelled(day.instance, _routes(world, handlings)),
        worker_overlaps=overlaps,
        events_emitted=emitted,
        events_expected_by_watchers=heard.wanted,
        events_received_by_watchers=heard.received,
        watchers=len(watchers),
        lost=heard.lost,
        duplicated=heard.duplicated,
        leaked=heard.leaked,
        lost_examples=heard.examples,
        dispatch_p50_ms=share(dispatched_ms, 0.5),
        dispatch_p99_ms=share(dispatched_ms, 0.99),
        quote_p50_ms=share(traffic.quote_ms, 0.5),
        quote_p99_ms=share(traffic.quote_ms, 0.99),
        booking_p50_ms=share(traffic.booking_ms, 0.5),
        booking_p99_ms=share(traffic.booking_ms, 0.99),
        check_violations=dict(Counter(violation.rule for violation in judged.violations)),
        violation_examples=[f"{v.rule} {v.subject}: {v.detail}" for v in judged.violations[:_EXAMPLES]],
        unserved_refuted=[f"{violation.subject}: {violation.detail}" for violation in judged.refuted],
        requests=traffic.requests,
        retries=traffic.retries,
        restarts=dict(run.restarts),
        clock_gave_up=dict(run.gave_up),
        clock_stood_still_s=dict(run.stood_still_s),
        trouble=world.trouble[:50],
        wall_s=round(run.wall_s, 1),
        care_s=round(run.care_s, 1),
        speed=run.speed,
        speed_reached=round(run.care_s / run.wall_s, 1) if run.wall_s else 0.0,
        seed=run.seed,
    )


class _Heard(Struct):
    """What the sockets got, over all watchers."""

    wanted: int = 0
    received: int = 0
    lost: int = 0
    duplicated: int = 0
    leaked: int = 0
    examples: list[str] = []


async def _heard(connection: Connection, watchers: Sequence[Watcher]) -> _Heard:
    """Compare every socket with the events its audience was owed since its first cursor."""
    heard = _Heard()
    for watcher in watchers:
        first = watcher.first or (0, 0, 0)
        due = await queries.expected_events(connection, watcher.keys, first[1], first[2])
        got = set(watcher.received)
        heard.wanted += len(due)
        heard.received += len(watcher.received)
        heard.lost += len(due - got)
        heard.duplicated += len(watcher.received) - len(got)
        heard.leaked += len(got - due)
        for xid, number in sorted(due - got)[: max(0, _EXAMPLES - len(heard.examples))]:
            heard.examples.append(f"{watcher.keys[0]} {xid}.{number} since {first}, last {watcher.last}")
    return heard


def _lateness(world: World, demand: Demand, outcome: OrderOutcome | None) -> int | None:
    if outcome is None or outcome.status not in DONE:
        return None
    moment = outcome.handed_at if demand.pickup else outcome.started_at
    return lateness_min(demand, outcome, None if moment is None else world.day.seconds(moment))


def _reason(world: World, demand: Demand, outcome: OrderOutcome | None) -> str:
    if outcome is None:
        return f"not booked: {world.unbooked.get(demand.id, 'day ended')}"
    if outcome.status == "aborted":
        return outcome.reason or "aborted"
    if outcome.status != "unserved":
        return f"left {outcome.status}"
    rules = Counter(str(reason.get("rule", "?")) for reason in outcome.reasons)
    rules.pop("no_skill", None)
    return rules.most_common(1)[0][0] if rules else outcome.reason or "no_skill"


def _routes(world: World, handlings: Sequence[Handling]) -> dict[str, list[int]]:
    names = {worker_id: name for name, worker_id in world.day.worker_ids.items()}
    routes: dict[str, list[int]] = {}
    for handling in handlings:
        routes.setdefault(names[handling.worker_id], []).append(world.place(str(handling.place_id)))
    return routes


_ROWS: Final = (
    ("orders", "orders"), ("dispatched", "dispatched"), ("accepted", "accepted"), ("completed", "completed"),
    ("unserved", "unserved"), ("on time, share", "on_time_share"), ("lateness mean, min", "lateness_mean_min"),
    ("lateness p95, min", "lateness_p95_min"), ("travel, s", "travel_s"), ("worker overlaps", "worker_overlaps"),
    ("events emitted", "events_emitted"), ("events received by watchers", "events_received_by_watchers"),
    ("events lost", "lost"), ("events duplicated", "duplicated"), ("placed to offered p50, ms", "dispatch_p50_ms"),
    ("placed to offered p99, ms", "dispatch_p99_ms"), ("quote p50, ms", "quote_p50_ms"),
    ("quote p99, ms", "quote_p99_ms"), ("wall, s", "wall_s"), ("care time per real time", "speed_reached"),
)  # fmt: skip


def show(console: Console, report: Report) -> None:
    """One day as a table."""
    table = Table(title=f"{report.name} ({report.form}, {report.policy})", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for title, field in _ROWS:
        value = getattr(report, field)
        table.add_row(title, f"{value:.3f}" if isinstance(value, float) else f"{value}")
    for reason, number in sorted(report.unserved_by_reason.items()):
        table.add_row(f"  unserved: {reason}", str(number))
    for rule, number in sorted(report.check_violations.items()):
        table.add_row(f"  check: {rule}", str(number))
    table.add_row("verdict", "clean" if not report.faults else "; ".join(report.faults))
    console.print(table)
    for line in [*report.unserved_refuted[:5], *report.lost_examples[:5], *report.trouble[:5]]:
        console.print(f"  {line}", highlight=False, markup=False)


def show_all(console: Console, reports: Sequence[Report]) -> None:
    """Several days, one line each."""
    columns = (
        ("day", "name"), ("orders", "orders"), ("completed", "completed"), ("unserved", "unserved"),
        ("on time", "on_time_share"), ("late p95", "lateness_p95_min"), ("travel s", "travel_s"),
        ("overlaps", "worker_overlaps"), ("lost", "lost"), ("dup", "duplicated"), ("offer p99 ms", "dispatch_p99_ms"),
        ("quote p99 ms", "quote_p99_ms"), ("wall s", "wall_s"),
    )  # fmt: skip
    table = Table(title="All days", title_justify="left")
    for title, _ in columns:
        table.add_column(title, justify="left" if title == "day" else "right")
    table.add_column("verdict")
    for report in reports:
        cells = [str(getattr(report, field)) for _, field in columns]
        table.add_row(*cells, "clean" if not report.faults else "; ".join(report.faults))
    console.print(table)
