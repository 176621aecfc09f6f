"""The row of random numbers a search draws from: its own, so that a seed decides everything."""

from numpy import ndarray

from dispatch.engine.compiling import inlined


@inlined
def chance(row: ndarray) -> float:
    """The next number in [0, 1) of a row (xorshift, Marsaglia 2003)."""
    x = row[0]
    x ^= x << 13
    x ^= x >> 7
    x ^= x << 17
    row[0] = x
    return (x >> 11) * (1.0 / 9007199254740992.0)
