"""The contract of every sampler: a posterior in, a trace out, no weights kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Shaped


@dataclass(frozen=True)
class Trace:
    """What a sampler returns. Warm-up draws are not in it, but count as work."""

    loss: Float[np.ndarray, "chains draws"]  # L_n(w) over all the data, at each kept draw
    n_grad_evals: float  # in gradients of the full loss, all chains, warm-up included
    stats: dict[str, Shaped[np.ndarray, "chains draws"]] = field(default_factory=dict)
    tuned: dict[str, Shaped[np.ndarray, " chains"]] = field(default_factory=dict)
    time_compile_s: float = 0.0
    time_sample_s: float = 0.0


# (key, posterior, **settings of sampler.<name>) -> trace; each chain starts at w*.
Sampler = Callable[..., Trace]


def timed(function: Any, *args: Any, **static: Any) -> tuple[Any, float, float]:
    """Call a jitted function; return its result, and the seconds to compile and to run."""
    start = time.perf_counter()
    compiled = function.lower(*args, **static).compile()
    ready = time.perf_counter()
    result = jax.block_until_ready(compiled(*args))
    return result, ready - start, time.perf_counter() - ready
