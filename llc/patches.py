"""What JAX does otherwise in a process of ours: two things that it gives no setting for."""

from __future__ import annotations

from functools import cache

import numpy as np
from jax._src import dtypes, literals
from jax._src.lib import weakref_lru_cache  # type: ignore[attr-defined]
from jax.extend.random import threefry2x32_p
from jax.interpreters import mlir

from llc.threefry import words


@cache
def apply() -> None:
    """Patch JAX, once in a process and before it is asked for anything.

    Its random numbers are compiled without a loop, and are the same bit for bit. On a CPU JAX compiles the rounds of
    Threefry as a loop, and a kernel of NumPyro's or BlackJAX's has five, each of sixteen small operations at each draw
    or step: a tenth of what four samplers of 51 parameters compile, and 3 to 9 % of what ``nuts`` and ``mclmc`` then
    take for a gradient.

    NumPy arrays in a user's code are taken in single or in double precision as each program needs them. JAX makes of
    such an array one constant, and takes that also where the precision is the other: w* is measured in double
    precision, and programs of ``(x - MEAN) / STD`` in single were then refused.
    """
    mlir.register_lowering(threefry2x32_p, mlir.lower_fun(words, multiple_results=True), platform="cpu")
    of = {np.dtype(name): weakref_lru_cache.weak_key_weak_value_cache(_constant) for name in ("float32", "float64")}
    dtypes.register_canonicalize_value_handler(
        np.ndarray, lambda array: of[dtypes.canonicalize_dtype(np.float64)](array)
    )


def _constant(array: np.ndarray) -> literals.TypedNdArray:
    return literals.TypedNdArray(np.asarray(array, dtypes.canonicalize_dtype(array.dtype)))
