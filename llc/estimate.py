"""From a trace to λ̂ = nβ (E[L_n(w)] − L_n(w*)), its error, its diagnostics and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

from llc.samplers.trace import Trace

# The one table of limits: R-hat and ESS as Vehtari et al. (2021), Bayesian Analysis 16(2),
# who ask for R-hat < 1.01 and 100 effective draws a chain with four chains.
RHAT_MAX = 1.01
ESS_MIN = 400.0
DIVERGENT_MAX = 0.01  # share of draws; on w1²w2² 5 % of them made `ok` estimates 13 % low
CI_WIDTH = 1.96  # half the 95 % interval, in standard errors


@dataclass(frozen=True)
class Estimate:
    """One sampler's row of ``metrics_summary.csv``. None is an empty cell."""

    llc_mean: float | None
    llc_std: float | None  # posterior sd of nβ (L_n(w) − L_n(w*))
    llc_mcse: float | None  # standard error of llc_mean, from the ESS of the mean
    llc_ci_low: float | None
    llc_ci_high: float | None
    ess: float | None
    ess_tail: float | None
    rhat: float | None  # rank-normalised, split
    accept_rate: float | None
    n_divergent: int
    n_chains: int
    n_draws: int  # per chain
    n_grad_evals: float
    time_compile_s: float
    time_sample_s: float
    loss_star: float  # L_n(w*)
    beta: float
    gamma: float
    llc_true: float | None  # λ at w*, where it is known
    llc_exact: float | None  # what llc_mean is expected to be at this n, β and γ, where it is known
    status: str  # ok, not_converged, negative, diverged


def estimate(
    trace: Trace,
    *,
    loss_star: float,
    n: int,
    beta: float,
    gamma: float,
    llc_true: float | None = None,
    llc_exact: float | None = None,
) -> Estimate:
    """Return the estimate of one sampler.

    Parameters
    ----------
    trace
        L_n at the kept draws, (chains, draws).
    loss_star
        L_n(w*), over all the data, in float64.
    n, beta
        Number of data and inverse temperature that the trace was drawn with.
    llc_true, llc_exact
        What is known of it, see ``llc.known``.

    References
    ----------
    λ̂: Lau et al. (2023), arXiv 2308.12108. Diagnostics: Vehtari, Gelman, Simpson,
    Carpenter and Bürkner (2021), Bayesian Analysis 16(2), as ArviZ has them.
    """
    chains, draws = trace.loss.shape
    acceptance = trace.stats.get("acceptance_rate")
    diverging = trace.stats.get("diverging")
    common: dict[str, Any] = {
        "accept_rate": None if acceptance is None else _finite(np.mean(acceptance, dtype=np.float64)),
        "n_divergent": 0 if diverging is None else int(diverging.sum()),
        "n_chains": chains,
        "n_draws": draws,
        "n_grad_evals": trace.n_grad_evals,
        "time_compile_s": trace.time_compile_s,
        "time_sample_s": trace.time_sample_s,
        "loss_star": loss_star,
        "beta": beta,
        "gamma": gamma,
        "llc_true": llc_true,
        "llc_exact": llc_exact,
    }
    llc = n * beta * (trace.loss.astype(np.float64) - loss_star)
    if not np.isfinite(llc).all():
        empty: dict[str, Any] = dict.fromkeys(
            ("llc_mean", "llc_std", "llc_mcse", "llc_ci_low", "llc_ci_high", "ess", "ess_tail", "rhat")
        )
        return Estimate(**empty, **common, status="diverged")

    mean, std = float(llc.mean()), float(llc.std(ddof=1))
    # A chain that never moved has no R-hat and no ESS: not converged, and no error to report.
    moved = bool((np.ptp(llc, axis=1) > 0).all())
    ess = _finite(array_stats.ess(llc, method="bulk")) if moved else None
    ess_tail = _finite(array_stats.ess(llc, method="tail", prob=(0.05, 0.95))) if moved else None
    # ArviZ asks for two chains; of one the two halves are compared, as splitting does anyway.
    halves = llc if chains > 1 else llc[:, : draws // 2 * 2].reshape(2, -1)
    rhat = _finite(array_stats.rhat(halves)) if moved else None
    mcse = _finite(array_stats.mcse(llc, method="mean")) if moved else None
    low, high = (None, None) if mcse is None else (mean - CI_WIDTH * mcse, mean + CI_WIDTH * mcse)
    return Estimate(
        llc_mean=mean,
        llc_std=std,
        llc_mcse=mcse,
        llc_ci_low=low,
        llc_ci_high=high,
        ess=ess,
        ess_tail=ess_tail,
        rhat=rhat,
        **common,
        status=_status(high, rhat, ess, ess_tail, common["n_divergent"] / (chains * draws)),
    )


def _status(
    ci_high: float | None, rhat: float | None, ess: float | None, ess_tail: float | None, divergent: float
) -> str:
    mixed = rhat is not None and rhat <= RHAT_MAX
    enough = ess is not None and ess_tail is not None and min(ess, ess_tail) >= ESS_MIN
    if not (mixed and enough and divergent <= DIVERGENT_MAX):
        return "not_converged"
    # Only of chains that agree: others may be below zero for having gone nowhere.
    return "negative" if ci_high is not None and ci_high < 0 else "ok"


def _finite(value: float | np.floating | np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None
