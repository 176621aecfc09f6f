"""Made-up days of meal orders with the shape of recorded ones: a small noon, a large evening, shifts of three hours."""

import random
from itertools import accumulate

from backend.simulation.instances import HOUR_S, CareWorker, Demand, Instance, MealPickup, Point, SeatNeed
from backend.simulation.mdrp import ITEM, SKILL

METRES_PER_MINUTE = 320.0
_HANDLING_S = 240
_TARGET_S, _MAXIMUM_S = 40 * 60, 90 * 60
_BY_HOUR = (2, 12, 14, 15, 13, 8, 5, 12, 30, 52, 46, 24, 8)  # orders placed
_SHIFTS = {0: 3, 1: 8, 3: 3, 4: 5, 6: 3, 7: 12, 8: 12, 10: 6, 11: 5}  # couriers beginning in an hour, of 57
_SIDE_M = 10_000


def meal_day(orders: int, seed: int, load: float = 1.6) -> Instance:
    """A day with so many orders for each courier hour; restaurants are nearer to the middle, some are famous."""
    chance = random.Random(seed)

    def point(spread: float) -> Point:
        return Point(*(min(max(chance.gauss(_SIDE_M / 2, spread), 0), _SIDE_M) for _ in range(2)))

    restaurants = [point(1800) for _ in range(max(5, orders // 3))]
    places = list(restaurants)
    fame = list(accumulate(1 / (rank + 2) ** 0.7 for rank in range(len(restaurants))))

    def put(place: Point) -> int:
        places.append(place)
        return len(places) - 1

    workers: list[CareWorker] = []
    team = max(2, round(orders / load / 2.6))
    begins = [hour for hour, count in _SHIFTS.items() for _ in range(count)]
    for number in range(team):
        on_s = begins[number * len(begins) // team] * HOUR_S + chance.choice((0, 1800))
        hours = chance.choice((1.5, 2, 3, 3, 3, 3))
        home = put(point(2200))
        workers.append(
            CareWorker(
                id=f"c{number + 1}",
                skills=(SKILL,),
                start=home,
                end=None,
                on_s=on_s,
                off_s=on_s + round(hours * HOUR_S),
            )
        )
    placed = sorted(
        60 * (chance.choices(range(len(_BY_HOUR)), _BY_HOUR)[0] * 60 + chance.randrange(60)) for _ in range(orders)
    )
    demands: list[Demand] = []
    for number, placed_s in enumerate(placed):
        restaurant = chance.choices(range(len(restaurants)), cum_weights=fame)[0]
        there = restaurants[restaurant]
        door = Point(*(min(max(chance.gauss(at, 1700), 0), _SIDE_M) for at in (there.x, there.y)))
        ready_s = placed_s + 60 * min(45, round(chance.lognormvariate(2.7, 0.6)))
        demands.append(
            Demand(
                id=f"o{number + 1}", resident=f"o{number + 1}", place=put(door), item=ITEM, kind="meal",
                seats=(SeatNeed(SKILL, _HANDLING_S),), from_s=placed_s, to_s=placed_s + _TARGET_S - _HANDLING_S // 2,
                latest_s=placed_s + _MAXIMUM_S - _HANDLING_S // 2, booked_s=placed_s,
                pickup=MealPickup(restaurant, max(placed_s, ready_s - _HANDLING_S // 2), _HANDLING_S),
            )
        )  # fmt: skip
    return Instance(
        name=f"made-{orders}-{seed}", form="mdrp", places=tuple(places), workers=tuple(workers), demands=tuple(demands),
        metres_per_minute=METRES_PER_MINUTE,
    )  # fmt: skip
