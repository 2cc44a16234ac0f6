"""Standard normals that XLA can make quickly on a CPU: with JAX's own they were a seventh of a step of SGLD."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)
ROUNDS = 20
# Of fewer JAX's own: a step of SGLD that chooses its size took 13 % longer with these of 51, and 12 % less of 610.
FEW = 512


def normal(key: Key[Array, ""], n: int, dtype: jnp.dtype) -> Float[Array, " n"]:
    """Return n standard normals, for a ``key`` of JAX's default kind.

    As ``jax.random.normal`` makes them, from 23 random bits each, but both words of a block of
    Threefry are used and its rounds are not a loop, so that they are computed side by side.
    """
    if dtype != jnp.float32 or n < FEW:
        return jax.random.normal(key, (n,), dtype)
    counter = jnp.arange(-(-n // 2), dtype=jnp.uint32)
    words = threefry(jax.random.key_data(key), jnp.zeros_like(counter), counter)
    # Fused with what follows the bits would be computed once for each half.
    bits = jax.lax.optimization_barrier(jnp.concatenate(words))[:n]
    one_to_two = jax.lax.bitcast_convert_type(bits >> np.uint32(9) | np.uint32(0x3F800000), jnp.float32)
    # In steps of 2⁻²² from just above −1: of −1 itself the inverse is infinite.
    uniform = jnp.maximum(2 * one_to_two - 3, np.nextafter(np.float32(-1), np.float32(0)))
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(uniform)


def threefry(
    key: UInt32[Array, "2"], x0: UInt32[Array, " m"], x1: UInt32[Array, " m"]
) -> tuple[UInt32[Array, " m"], UInt32[Array, " m"]]:
    """Return two random words for each counter (x0, x1), by Threefry-2x32 of 20 rounds.

    References
    ----------
    Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC '11.
    """
    keys = (key[0], key[1], key[0] ^ key[1] ^ PARITY)
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for group in range(ROUNDS // 4):
        for by in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = x0 ^ (x1 << np.uint32(by) | x1 >> np.uint32(32 - by))
        x0, x1 = x0 + keys[(group + 1) % 3], x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1
