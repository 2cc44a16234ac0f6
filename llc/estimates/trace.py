"""The contract of every sampler: a posterior in, a trace out, of all weights those where the chains end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped


class Ends(NamedTuple):
    """Where the chains are at their last draws."""

    w: Float[np.ndarray, "chains dim"]
    loss: Float[np.ndarray, " chains"]  # L_n there, as it was recorded


@dataclass(frozen=True)
class Trace:
    """What a sampler returns. What was dropped as warm-up is not in it, but counts as work."""

    loss: Float[np.ndarray, "chains draws"]  # L_n(w) over all the data, at each kept draw
    n_grad_evals: float  # in gradients of the full loss, all chains, warm-up included
    stats: dict[str, Shaped[np.ndarray, "chains draws"]] = field(default_factory=dict)
    tuned: dict[str, Shaped[np.ndarray, " chains"]] = field(default_factory=dict)
    # Excess of nβ L_n that the sampler predicts of its step size and batches, and whether the
    # estimate is to be corrected for it.
    excess: Float[np.ndarray, "chains draws"] | None = None
    correct: bool = False
    ended: str = "draws"  # why: the draws asked for, converged, diverged, budget; or budget as
    # metastable (λ̂ has converged; the distance or the virial has not) or as warmup (it ended in it)
    dropped: int = 0  # draws that the rule for warm-up took from the front
    # L_n(w*) as ``loss``, and that on other data as ``loss_NAME``, in the numbers that the draws are in; and how far
    # apart these are where |w*| is largest.
    star: dict[str, float] = field(default_factory=dict)
    spacing: float = 0.0
    ends: Ends | None = None
    time_compile_s: float = 0.0
    time_sample_s: float = 0.0


# (key, posterior, **settings of sampler.<name>) -> trace; each chain starts at w*.
Sampler = Callable[..., Trace]
