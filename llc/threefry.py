"""Threefry, which makes JAX's random words, without a loop."""

from __future__ import annotations

import numpy as np
from jaxtyping import Array, UInt32

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)
ROUNDS = 20


def words(
    key0: UInt32[Array, "..."], key1: UInt32[Array, "..."], x0: UInt32[Array, "..."], x1: UInt32[Array, "..."]
) -> tuple[UInt32[Array, "..."], UInt32[Array, "..."]]:
    """Return two random words for each counter (x0, x1) with its key of two words, by Threefry-2x32 of 20 rounds.

    All shapes are those of the counters, or are broadcast to them.

    References
    ----------
    Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC '11.
    """
    keys = (key0, key1, key0 ^ key1 ^ PARITY)
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for group in range(ROUNDS // 4):
        for by in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ (x1 << np.uint32(by) | x1 >> np.uint32(32 - by))
        x0, x1 = x0 + keys[(group + 1) % 3], x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1
