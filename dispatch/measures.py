"""What the oracle counts in a plan. Shares no code with the rules, costs or search that are judged by it."""

from itertools import pairwise

from dispatch.plan import Plan, Stop
from dispatch.problem import Problem, Visit, Worker


def shift_number(worker: Worker, stop: Stop) -> int:
    """Which shift a stop belongs to: the last that has begun before the stop is over, else the first."""
    number = len(worker.shifts) - 1
    while number > 0 and worker.shifts[number].start_s >= max(stop.end_s, stop.start_s + 1):
        number -= 1
    return max(number, 0)


def way_there(problem: Problem, worker: Worker, before: Stop | None, stop: Stop) -> int:
    """Seconds to a stop, from the one before or, where a shift begins between the two, from the start place."""
    ways = problem.travel[worker.mode]
    if before is None or shift_number(worker, before) < shift_number(worker, stop):
        return int(ways[worker.start_place, stop.place])
    return int(ways[before.place, stop.place])


def home_s(problem: Problem, worker: Worker, stop: Stop) -> int:
    """Seconds from a stop to where the day ends; nothing when it ends there."""
    return 0 if worker.end_place is None else int(problem.travel[worker.mode][stop.place, worker.end_place])


def heavy_seats(route: tuple[Stop, ...], visits: dict[str, Visit]) -> int:
    """How many heavy seats a route takes."""
    taken = [visits[stop.visit].seats[stop.seat] for stop in route if stop.kind != "pickup" and stop.visit in visits]
    return sum(seat.heavy for seat in taken)


def worked_s(problem: Problem, worker: Worker, route: tuple[Stop, ...]) -> int:
    """Seconds of handling and on the road, waiting and breaks left out."""
    ways = problem.travel[worker.mode]
    stops = [stop for stop in route if stop.kind != "break"]
    places = [worker.start_place, *(stop.place for stop in stops)]
    if stops and worker.end_place is not None:
        places.append(worker.end_place)
    return sum(int(ways[a, b]) for a, b in pairwise(places)) + sum(stop.end_s - stop.start_s for stop in stops)


def day_s(problem: Problem, worker: Worker, route: tuple[Stop, ...]) -> int:
    """Seconds between setting out, as late as the first stop allows, and being back."""
    ways = problem.travel[worker.mode]
    return (
        route[-1].end_s
        + home_s(problem, worker, route[-1])
        - route[0].start_s
        + int(ways[worker.start_place, route[0].place])
    )


def unfit(worker: Worker, visit: Visit, seat: int) -> str | None:
    """The rule about the person that keeps a worker from a seat, or None."""
    needed = visit.seats[seat]
    if not needed.skills.issubset(worker.skills):
        return "skills"
    if needed.gender is not None and needed.gender != worker.gender:
        return "gender"
    if worker.id in visit.refused_workers:
        return "refused"
    if visit.providers is not None and worker.provider not in visit.providers:
        return "provider"
    return None


def kept_units(problem: Problem, plan: Plan, kind: str, provider: str) -> list[tuple[int, int, bool, str]]:
    """Start, end, whether it has happened, and visit: whenever a unit of the kind open to a provider is kept by a visit."""
    pools = [pool for pool in problem.equipment if pool.kind == kind]
    everybody = any(pool.provider is None for pool in pools)
    providers = {worker.id: worker.provider for worker in problem.workers}
    wait = max((pool.turnaround_s for pool in pools), default=0)
    found: list[tuple[int, int, bool, str]] = []
    for visit in problem.visits:
        stops = plan.stops_of(visit.id) if kind in visit.equipment else []
        if stops and (everybody or providers.get(stops[0].worker) == provider):
            start = min(stop.start_s for stop in stops)
            busy = max(seat.duration_s for seat in visit.seats)
            found.append((start, start + busy + wait, all(stop.locked for stop in stops), visit.id))
    return found


def units_there(problem: Problem, kind: str, provider: str) -> int:
    """How many units of a kind a provider may use."""
    return sum(pool.count for pool in problem.equipment if pool.kind == kind and pool.provider in {None, provider})
