"""Closed-form learning coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple


class LearningCoefficient(NamedTuple):
    """λ and its multiplicity m, in F_n ≈ n L_n(w*) + λ log n − (m − 1) log log n."""

    value: float
    multiplicity: int


def deep_linear(widths: Sequence[int], rank: int) -> LearningCoefficient:
    """Return the learning coefficient of a deep linear network.

    Parameters
    ----------
    widths
        d_0 … d_L, input and output included.
    rank
        Rank of the true product.

    Notes
    -----
    It is the minimum over all optimal parameters. At a given w* the local value can be larger;
    where every layer and the product have rank exactly ``rank`` the two agree.

    References
    ----------
    Aoyagi (2024), "Consideration on the learning efficiency of multiple-layered neural
    networks with linear units", Neural Networks 172, 106132. With one hidden layer it is
    reduced rank regression: Aoyagi and Watanabe (2005), Neural Networks 18, 924–933.
    """
    if len(widths) < 2 or not 0 <= rank <= min(widths):
        raise ValueError(f"rank must be in 0 … min(widths)={min(widths, default=0)} of two or more widths, got {rank}")
    excess = sorted(d - rank for d in widths)
    kept = excess[:2]
    for j, m in enumerate(excess[2:], start=2):
        if sum(kept) < (j - 1) * m:
            break
        kept.append(m)
    layers, total = len(kept) - 1, sum(kept)
    ceiling = -(-total // layers)
    a = total - (ceiling - 1) * layers
    pairs = sum(x * y for x, y in combinations(kept, 2))
    value = (
        rank * (widths[0] + widths[-1] - rank) / 2
        + a * (layers - a) / (4 * layers)
        - (layers - 1) * total**2 / (4 * layers)
        + pairs / 2
    )
    return LearningCoefficient(value, a * (layers - a) + 1)
