"""What an estimate is expected to be at finite nβ and γ, without asymptotic error.

λ̂ = nβ E[L(w) − L(w*)] over p(w) ∝ exp(−nβ L(w) − (γ/2)‖w − w*‖²). A sampler that is right agrees
within its standard error at any nβ and γ, not only where n is large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, " dim"]


def quadratic(h: Vector, nbeta: float, gamma: float, offset: Vector | float = 0.0) -> float:
    """Return λ̂ of L(w) = ½ Σ h_i (w_i − m_i)², m the minimum, centred at w* = m + ``offset``.

    Parameters
    ----------
    h
        Curvatures, 0 or more.
    offset
        w* − m, in the coordinates of ``h``.

    Notes
    -----
    The posterior of coordinate i is N(γ δ_i/q_i, 1/q_i) about m_i, q_i = nβ h_i + γ: λ̂ is
    ½ Σ nβ h_i/q_i + (nβ/2) Σ h_i δ_i² [(γ/q_i)² − 1]. Off the minimum it can be negative.
    """
    curved = h > 0  # other directions change no loss, whatever their posterior is
    a, delta = nbeta * h[curved], np.broadcast_to(offset, h.shape)[curved]
    q = a + gamma
    return float(0.5 * np.sum(a / q) + 0.5 * np.sum(a * delta**2 * ((gamma / q) ** 2 - 1)))


def quadratic_variance(h: Vector, nbeta: float, gamma: float, offset: Vector | float = 0.0) -> float:
    """Return the posterior variance of nβ (L(w) − L(w*)), with L and w* as in ``quadratic``.

    The square of a N(μ, v) has variance 2v² + 4μ²v; here v = 1/q_i and μ = γ δ_i/q_i.
    """
    curved = h > 0
    a, delta = nbeta * h[curved], np.broadcast_to(offset, h.shape)[curved]
    q = a + gamma
    return float(np.sum(0.5 * (a / q) ** 2 + a**2 * (gamma * delta) ** 2 / q**3))


def sgld_on_quadratic(
    h: Vector, nbeta: float, gamma: float, step_size: float, gradient_variance: Vector | float = 0.0
) -> float:
    """Return what SGLD itself gives, after any number of steps, on L(w) = ½ Σ h_i w_i² about 0.

    Parameters
    ----------
    step_size
        ε of w ← w − (ε/2)(nβ ∇L_B + γ w) + √ε N(0, I).
    gradient_variance
        Variance C_i of each entry of ∇L_B over minibatches; 0 with all the data.

    Notes
    -----
    The chain is autoregressive: v = (1 − εq/2)² v + ε + (ε nβ/2)² C is solved by
    v = (1 + ε (nβ)² C/4)/(q (1 − εq/4)), where the posterior has 1/q.

    Raises
    ------
    ValueError
        If the step is too long for any of the coordinates: ε q ≥ 4.
    """
    q = nbeta * h + gamma
    if step_size * q.max() >= 4:
        raise ValueError(f"step_size must be below 4/max(nβ h + γ)={4 / q.max()}, got {step_size}")
    heating = 1 + step_size * nbeta**2 * gradient_variance / 4
    return float(0.5 * np.sum(nbeta * h * heating / (q * (1 - step_size * q / 4))))


def monomial(k: Sequence[int], nbeta: float, gamma: float, h: Sequence[int] | None = None) -> float:
    """Return λ̂ of L(w) = ∏ w_j^{2k_j} centred at 0, with one or two w_j.

    Parameters
    ----------
    k
        Exponents, 1 or more.
    h
        Exponents of a prior ∏ |w_j|^{h_j} beside the localising one, by default 0.

    Notes
    -----
    By the trapezoid rule in log |w_j|, where the integrand is analytic and falls off at both
    ends, so that the error falls exponentially with the step. It is about 1e-10.

    Raises
    ------
    ValueError
        If it is not one or two exponents of 1 or more, or γ is 0 and the posterior not proper.
    """
    h = [0] * len(k) if h is None else h
    if len(k) not in (1, 2) or len(h) != len(k) or min(k) < 1 or min(h) < 0:
        raise ValueError(f"k must be one or two exponents of 1 or more, h as many of 0 or more, got {k} and {h}")
    if len(k) == 1 and gamma == 0:
        return (h[0] + 1) / (2 * k[0])
    if gamma <= 0:
        raise ValueError(f"gamma must be above 0, or the posterior is not proper, got {gamma}")
    # √γ w in place of w: then γ is 1.
    log_a = math.log(nbeta) - sum(k) * math.log(gamma)
    step = 0.12 / max(k)
    # Below the lower end lies e^-40 of what is integrated, which is of the order of a^-λ.
    least = 40 + max(log_a, 0) * min((b + 1) / (2 * a) for a, b in zip(k, h, strict=True))
    grids = [np.arange(-least / (b + 1), 0.5 * math.log(1500), step) for b in h]
    log_k = [2 * a * s for a, s in zip(k, grids, strict=True)]
    log_prior = [(b + 1) * s - 0.5 * np.exp(2 * s) for b, s in zip(h, grids, strict=True)]
    outer = zip(log_k[1], log_prior[1], strict=True) if len(k) == 2 else [(0.0, 0.0)]
    total = weighted = 0.0
    for other_k, other_prior in outer:
        # Beyond e^10 the density is 0 already, and further on a product of infinity and 0.
        excess = np.exp(np.minimum(log_a + log_k[0] + other_k, 10.0))
        density = np.exp(log_prior[0] + other_prior - excess)
        total += float(density.sum())
        weighted += float((excess * density).sum())
    return weighted / total


def crossing(nbeta: float, gamma: float) -> float:
    """Return λ̂ of L(w) = w1² w2² centred at 0, in closed form.

    Notes
    -----
    ½ + z − z K1(z)/K0(z), z = γ²/(8 nβ), K the modified Bessel functions: integrate one
    coordinate out, and differentiate log Z by log nβ. The limit ½ is approached like 1/log nβ.
    """
    from scipy.special import k0e, k1e

    z = gamma**2 / (8 * nbeta)
    return float(0.5 + z - z * k1e(z) / k0e(z))


def norm_product(p: int, q: int, nbeta: float, gamma: float) -> float:
    """Return λ̂ of L(u, v) = |u|² |v|² centred at 0, u of p and v of q dimensions, p ≥ q.

    Notes
    -----
    Z ∝ U(p/2, (p−q)/2 + 1, z), z = γ²/(4 nβ), U Tricomi's function: integrate u out, and what
    is left over |v|² is its integral representation (DLMF 13.4.4). Then λ̂ = −d log Z/d log nβ.

    Raises
    ------
    OverflowError
        If U is beyond float64, as for p of a hundred.
    """
    from scipy.special import hyperu

    if not p >= q >= 1:
        raise ValueError(f"p must be q or more, and q 1 or more, got {p} and {q}")
    z = gamma**2 / (4 * nbeta)
    above, below = hyperu(p / 2 + 1, (p - q) / 2 + 2, z), hyperu(p / 2, (p - q) / 2 + 1, z)
    if not (np.isfinite(above) and np.isfinite(below) and below > 0):
        raise OverflowError(f"U(p/2, (p − q)/2 + 1, z) at p={p}, q={q}, z={z:.3g} is beyond float64")
    return float(p / 2 - z * p / 2 * above / below)
