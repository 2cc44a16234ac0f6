"""Whether chains have converged: what is measured, and held against ``llc.estimates.limits``."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from llc.estimates import mixing
from llc.estimates.limits import (
    DRIFT_MAX,
    ESS_DISTANCE_MIN,
    ESS_MIN,
    RHAT_DISTANCE_MAX,
    RHAT_MAX,
    SPREAD_MAX,
    VIRIAL_ERRORS,
    VIRIAL_MAX,
)

CORRECTION_ERROR = 0.5  # standard error of an excess that a sampler predicts, as a share of it: it is of first order


class Diagnosis(NamedTuple):
    """Diagnostics of the draws of one quantity. None: a chain never moved, or there are too few draws."""

    mean: float
    mcse: float | None  # standard error of the mean
    ess: float | None  # bulk
    ess_tail: float | None
    rhat: float | None  # rank-normalised, split
    drift: float | None  # mean of the second half less that of the first, in standard errors
    spread: float | None  # standard error of the mean by the means of parts of the chains, in that of ``mcse``


def diagnose(draws: Float[np.ndarray, "chains draws"]) -> Diagnosis:
    """Return the mean of finite draws, its standard error and how far the chains agree.

    References
    ----------
    See ``llc.estimates.mixing``; the drift is the comparison of Geweke (1992) between halves.
    """
    mean = float(draws.mean())
    if not (np.ptp(draws, axis=1) > 0).all():
        return Diagnosis(mean, None, None, None, None, None, None)
    mcse = _finite(mixing.mcse(draws))
    return Diagnosis(
        mean=mean,
        mcse=mcse,
        ess=_finite(mixing.ess_bulk(draws)),
        ess_tail=_finite(mixing.ess_tail(draws)),
        rhat=rhat(draws),
        drift=_drift(draws),
        spread=_finite(mixing.mcse_of_parts(draws) / mcse) if mcse else None,
    )


def rhat(draws: Float[np.ndarray, "chains draws"]) -> float | None:
    """Return the rank-normalised, split R-hat of one quantity; None where it has none, as of a constant."""
    chains, n = draws.shape
    if not np.ptp(draws) > 0 or not np.isfinite(draws).all():
        return None
    # Of one chain the two halves are compared, each split in turn.
    return _finite(mixing.rhat(draws if chains > 1 else draws[:, : n // 2 * 2].reshape(2, -1)))


def _drift(draws: Float[np.ndarray, "chains draws"]) -> float | None:
    half = draws.shape[1] // 2
    first, second = draws[:, :half], draws[:, -half:]
    error = math.hypot(mixing.mcse(first), mixing.mcse(second))
    return _finite((second.mean() - first.mean()) / error) if error > 0 else None


def faults(found: Diagnosis, drift_max: float = DRIFT_MAX) -> list[str]:
    """Return what speaks against convergence, each as a text for a person; empty: nothing does."""
    if found.rhat is None or found.mcse is None or found.ess is None or found.ess_tail is None:
        return ["a chain did not move, or there are too few draws"]
    texts = []
    if found.rhat > RHAT_MAX:
        texts.append(f"R-hat {_above(found.rhat, 3)} > {RHAT_MAX}")
    if min(found.ess, found.ess_tail) < ESS_MIN:
        texts.append(f"ESS {math.floor(min(found.ess, found.ess_tail))} < {ESS_MIN:.0f}")
    if found.drift is not None and abs(found.drift) > drift_max:
        texts.append(f"the halves differ by {_above(abs(found.drift), 1)} > {drift_max:.0f} standard errors")
    if found.spread is not None and found.spread > SPREAD_MAX:
        texts.append(
            f"parts of the chains differ by {_above(found.spread, 2)} > {SPREAD_MAX} times their standard error"
        )
    return texts


def _above(value: float, digits: int) -> str:
    """Return a value rounded up, so that what is above a limit reads so."""
    return f"{np.ceil(value * 10**digits) / 10**digits:.{digits}f}"


class Distance(NamedTuple):
    """Diagnostics of ‖w − w*‖², which tell what no column of λ̂ does. None: it does not change, or is not known."""

    rhat: float | None = None
    ess_tail: float | None = None

    @property
    def at_rest(self) -> bool:
        """Whether the chains have been everywhere that they go, often enough.

        Chains that all start at w* and fill the flat directions slowly agree on a λ̂ that is not yet that of the
        posterior, for it changes by less than its noise while they go the same way: the R-hat shows it. And a place
        to which one of them has gone once, for a while, is in λ̂ with the weight of an accident: the ESS of the tails
        shows that.
        """
        spreading = self.rhat is not None and self.rhat > RHAT_DISTANCE_MAX
        return not spreading and (self.ess_tail is None or self.ess_tail >= ESS_DISTANCE_MIN)


def distance(distance2: Float[np.ndarray, "chains draws"]) -> Distance:
    """Return what there is to say of ‖w − w*‖²."""
    distance2 = distance2.astype(np.float64)
    found = rhat(distance2)
    return Distance(found, None if found is None else _finite(mixing.ess_tail(distance2)))


def virial(
    products: Float[np.ndarray, "chains draws"] | None, excess: Float[np.ndarray, "chains draws"] | None, dim: int
) -> Diagnosis | None:
    """Return ½(E[(w − w*)·∇U] − d), less what the sampler predicts of it: 0 of draws from the posterior.

    Integrated by parts E[(w − w*)·∇U] = d for every U of which exp(−U) vanishes at infinity, as with γ above 0. Where
    directions are too hot it is, on a quadratic, what λ̂ is too high by; where some have not filled it is below 0.

    Parameters
    ----------
    products
        (w − w*)·∇U of d = ``dim`` parameters; None, or not finite: nothing is returned.
    excess
        See ``Trace``; the error of the prediction is part of the error.

    References
    ----------
    Butler, Ayton, Jepps and Evans (1998), Journal of Chemical Physics 109, 6519–6522, who check Monte Carlo programs
    by another identity of this kind.
    """
    if products is None:
        return None
    predicted = np.zeros(products.shape) if excess is None else excess.astype(np.float64)
    off = (products.astype(np.float64) - dim) / 2 - predicted
    if not np.isfinite(off).all():
        return None
    found = diagnose(off)
    return found._replace(mcse=found.mcse and math.hypot(found.mcse, CORRECTION_ERROR * predicted.mean()))


def imbalance(found: Diagnosis | None, llc: float) -> float:
    """Return the virial where it is surely not 0, and matters for an estimate ``llc``; else 0.

    Of chains that do not agree on it, its error is not one.
    """
    if found is None or found.mcse is None or found.rhat is None or found.rhat > RHAT_DISTANCE_MAX:
        return 0.0
    return found.mean if abs(found.mean) > VIRIAL_ERRORS * found.mcse + VIRIAL_MAX * abs(llc) else 0.0


def settled(draws: Float[np.ndarray, "chains draws"]) -> int:
    """Return how many draws to drop from the front, so that what is left does not remember its start.

    The number that minimises the marginal standard error of the mean over chains: dropping a
    drift shrinks the spread by more than the smaller number of draws costs. At most half.

    References
    ----------
    White (1997), Simulation 69(6), 323–334, the rule MSER.
    """
    path = draws.mean(axis=0)[::-1]  # from the end
    path = path - path.mean()  # else the squares of a large loss cancel to noise
    kept = np.arange(1, len(path) + 1)
    mean = np.cumsum(path) / kept
    spread = np.cumsum(path**2) / kept - mean**2
    at_least = len(path) - len(path) // 2
    return len(path) - at_least - int(np.argmin((spread / kept)[at_least - 1 :]))


def _finite(value: float | np.floating | np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None
