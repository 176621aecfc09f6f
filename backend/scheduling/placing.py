"""Which rule finds a crew: the platform's own, or the honest baseline it is measured against."""

from collections.abc import Callable
from typing import Final

from backend.scheduling.nearest import insert_nearest
from dispatch import Insertion, Plan, Problem, Refusal, Visit, insert

Placing = Callable[[Problem, Plan, Visit], Insertion | Refusal]

POLICIES: Final[dict[str, Placing]] = {"best": insert, "nearest": insert_nearest}
