"""NumPy arrays in a user's loss or network serve programs in single and in double precision."""

from __future__ import annotations

from functools import cache

import numpy as np
from jax._src import dtypes, literals
from jax._src.lib import weakref_lru_cache  # type: ignore[attr-defined]


@cache
def by_precision() -> None:
    """Have JAX make a constant of a NumPy array for each precision, from now on in this process.

    It makes one, and takes that also for programs in the other precision: w* is measured in double, and
    ``(x - MEAN) / STD`` in single was then refused. There is no setting for it, nor a public function.
    """
    of = {np.dtype(name): weakref_lru_cache.weak_key_weak_value_cache(_constant) for name in ("float32", "float64")}
    dtypes.register_canonicalize_value_handler(
        np.ndarray, lambda array: of[dtypes.canonicalize_dtype(np.float64)](array)
    )


def _constant(array: np.ndarray) -> literals.TypedNdArray:
    return literals.TypedNdArray(np.asarray(array, dtypes.canonicalize_dtype(array.dtype)))
