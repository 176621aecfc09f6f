"""Made-up days of meal orders in the MDRP form, for tests and trials; the same seed makes the same files."""

import random
from pathlib import Path

_PARAMETERS = (
    "meters_per_minute\tpickup service minutes\tdropoff service minutes\ttarget click-to-door\tmaximum click-to-door\t"
    "pay per order\tguaranteed pay per hour\n320\t4\t4\t40\t90\t10\t15\n"
)
_SIDE_M = 6000
_FIRST_MIN, _LAST_MIN = 600, 780


def write_mdrp(folder: Path, *, seed: int, orders: int, couriers: int, restaurants: int) -> Path:
    """Write one folder of orders, couriers and restaurants over three hours around noon."""
    chance = random.Random(seed)  # the point is that it can be repeated
    folder.mkdir(parents=True, exist_ok=True)

    def point() -> str:
        return f"{chance.randrange(_SIDE_M)}\t{chance.randrange(_SIDE_M)}"

    lines = ["restaurant\tx\ty", *(f"r{i + 1}\t{point()}" for i in range(restaurants))]
    (folder / "restaurants.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = ["courier\tx\ty\ton_time\toff_time"]
    lines += [f"c{i + 1}\t{point()}\t{_FIRST_MIN - chance.randrange(30)}\t{_LAST_MIN + 60}" for i in range(couriers)]
    (folder / "couriers.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines = ["order\tx\ty\tplacement_time\trestaurant\tready_time"]
    for i, placed in enumerate(sorted(chance.randrange(_FIRST_MIN, _LAST_MIN) for _ in range(orders))):
        restaurant = chance.randrange(restaurants) + 1
        lines.append(f"o{i + 1}\t{point()}\t{placed}\tr{restaurant}\t{placed + chance.randrange(3, 20)}")
    (folder / "orders.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "instance_parameters.txt").write_text(_PARAMETERS, encoding="utf-8")
    return folder
