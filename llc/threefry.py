"""Threefry, JAX's random words, as a CPU makes them fastest."""

from __future__ import annotations

from functools import cache

import numpy as np
from jax.extend.random import threefry2x32_p
from jax.interpreters import mlir
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


@cache
def unroll() -> None:
    """Have this process compile JAX's own random numbers without a loop. They are the same, bit for bit.

    On a CPU JAX compiles the rounds as a loop, and a kernel of NumPyro's or BlackJAX's has five, each of sixteen small
    operations at each draw or step: a tenth of what four samplers of 51 parameters compile, and 3 to 9 % of what
    ``nuts`` and ``mclmc`` then take for a gradient.
    """
    mlir.register_lowering(threefry2x32_p, mlir.lower_fun(words, multiple_results=True), platform="cpu")
