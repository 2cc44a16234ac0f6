"""One seed in, independent streams out, by name and never by order of use.

A stream depends on the seed and on its own name alone, so another sampler or one more
random choice elsewhere changes no number that exists.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Key


def rng(seed: int, name: str) -> np.random.Generator:
    """Return the NumPy generator of stream ``name``: for data, whatever the precision of the job."""
    return np.random.default_rng([zlib.crc32(name.encode()), seed])


def key(seed: int, name: str) -> Key[Array, ""]:
    """Return the JAX key of stream ``name``: for initialisation, training and samplers."""
    import jax

    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()))
