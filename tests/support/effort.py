"""How much a randomised test tries: enough for every change in `make test`, far more in `make hostile`."""

import os
import random
import sys
from typing import Final

FULL: Final = os.environ.get("YINLING_EFFORT") == "full"
SEED: Final = int(os.environ.get("YINLING_SEED") or (random.SystemRandom().randrange(2**32) if FULL else 7))


def effort(short: int, full: int) -> int:
    """The number of tries: `short` in `make test`, `full` in `make hostile`."""
    return full if FULL else short


def announce(what: str) -> None:
    """Print the seed, so that a failure can be repeated with YINLING_SEED."""
    tell(f"{what}: YINLING_SEED={SEED}")


def tell(line: str) -> None:
    """Say how far a long run has come."""
    sys.stdout.write(f"{line}\n")
