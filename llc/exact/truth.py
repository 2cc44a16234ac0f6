"""Closed-form learning coefficients: the minimum over all optimal parameters.

At a given parameter it can be larger (llc/exact/local.py); at a finite number of data an estimate has
another expectation (llc/exact/expected.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple


class LearningCoefficient(NamedTuple):
    """λ and its multiplicity m, in F_n ≈ n L_n(w*) + λ log n − (m − 1) log log n."""

    value: float
    multiplicity: int


def regular(n_params: int) -> LearningCoefficient:
    """Return d/2, the coefficient of a regular model with d parameters.

    References
    ----------
    Schwarz (1978), Annals of Statistics 6(2), 461–464: λ log n is then his (d/2) log n.
    """
    return LearningCoefficient(n_params / 2, 1)


def linear_regression(d_in: int, d_out: int, bias: bool) -> LearningCoefficient:
    """Return the coefficient of least squares with ``d_in`` inputs and ``d_out`` outputs: it is regular."""
    return regular((d_in + bias) * d_out)


def monomial(k: Sequence[int], h: Sequence[int] | None = None) -> LearningCoefficient:
    """Return the coefficient of K(w) = ∏ w_j^{2k_j} with a prior ∏ |w_j|^{h_j} near 0.

    Parameters
    ----------
    k
        Exponents, 0 or more, not all 0.
    h
        Exponents of the prior, by default 0.

    Notes
    -----
    λ is the least (h_j + 1)/(2k_j), and m the number of j that attain it.

    References
    ----------
    Watanabe (2009), "Algebraic Geometry and Statistical Learning Theory", Cambridge, chapter 4.
    """
    h = [0] * len(k) if h is None else h
    if len(h) != len(k) or not any(k) or min((*k, *h)) < 0:
        raise ValueError(f"k and h must be as many exponents of 0 or more, k not all 0, got {k} and {h}")
    poles = [Fraction(b + 1, 2 * a) for a, b in zip(k, h, strict=True) if a]
    return LearningCoefficient(float(min(poles)), poles.count(min(poles)))


def norm_power(dim: int, k: int) -> LearningCoefficient:
    """Return the coefficient of K(w) = |w|^{2k}, w of ``dim`` dimensions: dim/(2k).

    In polar coordinates it is the monomial r^{2k} with the prior r^{dim − 1}.
    """
    return monomial([k], [dim - 1])


def reduced_rank_regression(d_in: int, hidden: int, d_out: int, rank: int) -> LearningCoefficient:
    """Return the coefficient of y = BAx, A of shape (hidden, d_in), B of shape (d_out, hidden).

    Parameters
    ----------
    rank
        Rank of the true product.

    References
    ----------
    Aoyagi and Watanabe (2005), Neural Networks 18(7), 924–933, main theorem.
    """
    m, h, n, r = d_in, hidden, d_out, rank
    if not 0 <= r <= min(m, h, n):
        raise ValueError(f"rank must be in 0 … min(d_in, hidden, d_out)={min(m, h, n)}, got {r}")
    if m + h < n + r:
        return LearningCoefficient((h * m - h * r + n * r) / 2, 1)
    if n + h < m + r:
        return LearningCoefficient((h * n - h * r + m * r) / 2, 1)
    if m + n < h + r:
        return LearningCoefficient(m * n / 2, 1)
    odd = (m + h + n + r) % 2
    return LearningCoefficient((2 * (h + r) * (m + n) - (m - n) ** 2 - (h + r) ** 2 + odd) / 8, 1 + odd)


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
    # Four times the number of layers times λ is an integer: nothing is rounded before the division.
    value = (
        2 * layers * rank * (widths[0] + widths[-1] - rank)
        + a * (layers - a)
        - (layers - 1) * total**2
        + 2 * layers * pairs
    ) / (4 * layers)
    return LearningCoefficient(value, a * (layers - a) + 1)
