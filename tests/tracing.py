"""Traces of known draws, and what they are estimated to be."""

import numpy as np

from llc.estimates.estimator import AtStar, estimate
from llc.estimates.metrics import Estimate
from llc.samplers import Trace

N, BETA, LOSS_STAR = 1000, 0.15, 0.25


def trace_of(llc: np.ndarray, **stats: np.ndarray) -> Trace:
    """Return a trace whose nβ (L_n − L_n(w*)) is ``llc``."""
    return Trace(loss=LOSS_STAR + llc / (N * BETA), n_grad_evals=1.0, stats=stats)


def verdict_on(trace: Trace, llc_deficit: float = 0.0) -> Estimate:
    return estimate(
        trace,
        AtStar(LOSS_STAR, grad_norm=0.01, llc_deficit=llc_deficit),
        n=N,
        beta=BETA,
        gamma=2.0,
        n_params=10,
    )


def estimate_of(llc: np.ndarray, **stats: np.ndarray) -> Estimate:
    return verdict_on(trace_of(llc, **stats))


def autoregressive(rng: np.random.Generator, rho: float, shape: tuple[int, int], mean: float = 5.0) -> np.ndarray:
    x = np.empty(shape)
    x[:, 0] = rng.normal(size=shape[0])
    for t in range(1, shape[1]):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=shape[0])
    return mean + x


# ------------------------------------------------------------------------------------- verdicts


def independent(mean: float = 5.0, draws: int = 1000) -> np.ndarray:
    return np.random.default_rng(0).gamma(mean, size=(4, draws))
