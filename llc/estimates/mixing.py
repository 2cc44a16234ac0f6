"""R-hat, effective sample sizes and the standard error of a mean of finite draws, as ArviZ has them.

Its own functions take six tenths of a CPU second to import, with scipy.stats and scipy.signal, in a small job of six,
and twice as long to compute; a test holds these to them.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import ndtri

Draws = Float[np.ndarray, "chains draws"]

DRAWS_MIN = 4  # of a chain; with fewer all of these are NaN
EQUAL = float(np.finfo(float).resolution)  # draws within it are one value, and count as independent
TAILS = (0.05, 0.95)
PARTS = 40  # of all chains together, whose means are compared


def rhat(draws: Draws) -> float:
    """Return the rank-normalised, split R-hat: the larger of that of the draws and that of their distances.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Bayesian Analysis 16(2), 667–718, section 4.
    """
    if draws.shape[1] < DRAWS_MIN:
        return math.nan
    halves = _split(draws)
    return max(_rhat(_normal_scores(values)) for values in (halves, np.abs(halves - np.median(halves))))


def ess_bulk(draws: Draws) -> float:
    """Return the effective sample size of the rank-normalised draws."""
    return math.nan if draws.shape[1] < DRAWS_MIN else _ess(_normal_scores(_split(draws)))


def ess_tail(draws: Draws) -> float:
    """Return the lesser effective sample size of those of the 5 % and 95 % quantiles."""
    if draws.shape[1] < DRAWS_MIN:
        return math.nan
    return min(_ess(_split(draws <= quantile).astype(float)) for quantile in np.quantile(draws, TAILS))


def mcse(draws: Draws) -> float:
    """Return the standard error of the mean."""
    if draws.shape[1] < DRAWS_MIN:
        return math.nan
    return float(np.std(draws, ddof=1) / np.sqrt(_ess(_split(draws))))


def mcse_of_parts(draws: Draws) -> float:
    """Return the standard error of the mean from the means of parts of the chains, of equal length.

    References
    ----------
    Flegal and Jones (2010), Annals of Statistics 38(2), 1034–1070, on batch means.
    """
    chains, n = draws.shape
    of_chain = -(-PARTS // chains)
    length = n // of_chain
    if length == 0:
        return math.nan
    means = draws[:, n - of_chain * length :].reshape(-1, length).mean(axis=1)
    return float(np.std(means, ddof=1) / math.sqrt(means.size))


def _split(draws: Shaped[np.ndarray, "chains draws"]) -> Shaped[np.ndarray, "halves half"]:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _normal_scores(draws: Draws) -> Draws:
    """Return the normal quantiles of the draws' ranks among all of them, ties at their mean rank (Blom 1958)."""
    _, where, counts = np.unique(draws, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[where]
    return ndtri((ranks - 3 / 8) / (draws.size + 1 / 4)).reshape(draws.shape)


def _rhat(chains: Draws) -> float:
    n = chains.shape[1]
    within = np.mean(np.var(chains, axis=1, ddof=1))
    between = n * np.var(np.mean(chains, axis=1), ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # chains that do not move
        return float(np.sqrt((between / within + n - 1) / n))


def _ess(chains: Draws) -> float:
    """Return the effective sample size by the initial monotone sequence of Geyer (1992), Statistical Science 7(4)."""
    m, n = chains.shape
    if np.ptp(chains) < EQUAL:
        return float(chains.size)
    of_lag = np.mean(_autocovariance(chains), axis=0)
    within = of_lag[0] * n / (n - 1)
    variance = of_lag[0] + np.var(np.mean(chains, axis=1), ddof=1)
    correlation = 1 - (within - of_lag) / variance
    correlation[0] = 1
    even = correlation[: n // 2 * 2 : 2]
    pairs = even + correlation[1::2]
    # The pairs before the first that is not above 0, or before the end; of that one its even half, once.
    end = max((n - 3) // 2, 0)
    stops = np.flatnonzero(pairs[:end] <= 0)
    last = int(stops[0]) if len(stops) else end
    rest = even[last] if even[last] > 0 or (last > 0 and pairs[last] >= 0) else 0.0
    time = -1 + 2 * np.sum(np.minimum.accumulate(pairs[:last])) + rest
    return float(m * n / max(time, 1 / math.log10(m * n)))


def _autocovariance(chains: Draws) -> Float[np.ndarray, "chains lags"]:
    n = chains.shape[1]
    length = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(chains - np.mean(chains, axis=1, keepdims=True), length)
    return np.fft.irfft(spectrum * spectrum.conj(), length)[:, :n] / n
