"""From a trace to λ̂ = nβ (E[L_n(w)] − L_n(w*)), its error, its diagnostics and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from llc.estimates import limits
from llc.estimates.diagnostics import CORRECTION_ERROR, Distance, diagnose, distance, imbalance, virial
from llc.estimates.metrics import Estimate
from llc.estimates.rounding import off_at_star, too_coarse
from llc.estimates.trace import Trace
from llc.estimates.verdict import verdict

ROUNDING = 8  # units in the last place, of nβ L_n(w*) and what γ adds, by which nβ L_n of a draw may be off


class AtStar(NamedTuple):
    """What is known at w* before anything is drawn."""

    loss_star: float  # L_n(w*), over all the data, in float64
    grad_norm: float  # ‖∇L_n(w*)‖, likewise
    llc_deficit: float  # see llc.targets.polish.deficit
    llc_true: float | None = None  # see llc.targets.known
    llc_exact: float | None = None  # likewise
    losses_elsewhere: Mapping[str, float] = MappingProxyType({})  # L(w*) on each of the other data, by name


class AtEnds(NamedTuple):
    """What is known where the chains ended, in float64, of data that were not rounded."""

    loss: Float[np.ndarray, " chains"]  # L_n
    # By how much it rises from w* beyond what its gradient says on the way; None: it has no jumps, it is ours.
    unseen: Float[np.ndarray, " chains"] | None = None


def estimate(
    trace: Trace,
    at_star: AtStar,
    *,
    n: int,
    beta: float,
    gamma: float,
    n_params: int,
    at_ends: AtEnds | None = None,
) -> Estimate:
    """Return the estimate of one sampler.

    Parameters
    ----------
    trace
        L_n at the kept draws, (chains, draws), and the losses on all other data that ``at_star`` has one on.
    n, beta
        Number of data and inverse temperature that the trace was drawn with.
    n_params
        Number of parameters d that move.
    at_ends
        None: that is not looked at.

    References
    ----------
    λ̂: Lau et al. (2023), arXiv 2308.12108. Diagnostics: ``llc.estimates.diagnostics``.
    """
    chains, draws = trace.loss.shape
    loss_star = at_star.loss_star
    llc = n * beta * (trace.loss.astype(np.float64) - loss_star)
    common: dict[str, Any] = {
        "accept_rate": _mean(trace.stats.get("acceptance_rate")),
        "n_divergent": int(trace.stats.get("diverging", np.zeros(1)).sum()),
        "n_chains": chains,
        "n_draws": draws,
        "n_grad_evals": trace.n_grad_evals,
        "time_compile_s": trace.time_compile_s,
        "time_sample_s": trace.time_sample_s,
        "loss_star": loss_star,
        "grad_norm": at_star.grad_norm,
        "llc_deficit": at_star.llc_deficit,
        "beta": beta,
        "gamma": gamma,
        "llc_true": at_star.llc_true,
        "llc_exact": at_star.llc_exact,
        "n_dropped": trace.dropped,
        "elsewhere": {},
    }
    for name, star in at_star.losses_elsewhere.items():
        common["elsewhere"] |= _elsewhere(name, star, trace, n * beta)
    if trace.ended == "diverged" or not np.isfinite(llc).all():
        return Estimate(**common, status="diverged", reason="a chain left the finite numbers")

    found = diagnose(llc)
    distances = trace.stats.get("distance2")
    bias, distance2 = _mean(trace.excess), _mean(distances)
    subtracted = (bias or 0.0) * trace.correct
    mean = found.mean - subtracted
    # A bias that is predicted and left in is uncertain by all of it, one that is subtracted by a part.
    unsure = CORRECTION_ERROR * subtracted if trace.correct else bias or 0.0
    # A chain that never moved has an estimate but no error to report.
    mcse = None if found.mcse is None else math.hypot(found.mcse, unsure)
    low, high = (None, None) if mcse is None else (mean - limits.CI_WIDTH * mcse, mean + limits.CI_WIDTH * mcse)
    balance = virial(trace.stats.get("virial"), trace.excess, n_params)
    # Samplers that have U at hand take from it what γ adds, so that L_n is rounded as U is.
    added = 0.0 if distances is None else 0.5 * gamma * distances.astype(np.float64)
    eps = float(np.finfo(trace.loss.dtype).eps)
    rounding = ROUNDING * eps * (n * beta * abs(loss_star) + added)
    off = imbalance(balance, mean)
    off = off if gamma > 0 else max(off, 0.0)  # flat directions that nothing holds never fill
    coarse = too_coarse(
        trace, llc, mcse, nbeta=n * beta, loss_star=loss_star, n_params=n_params, at_ends=at_ends and at_ends.loss
    )
    unseen = 0.0 if at_ends is None or at_ends.unseen is None else n * beta * float(np.abs(at_ends.unseen).max())
    away = Distance() if distances is None else distance(distances)
    measured = Estimate(
        llc_mean=mean,
        llc_std=float(llc.std(ddof=1)) if llc.size > 1 else None,
        llc_mcse=mcse,
        llc_ci_low=low,
        llc_ci_high=high,
        ess=found.ess,
        ess_tail=found.ess_tail,
        rhat=found.rhat,
        rhat_distance=away.rhat,
        ess_distance=away.ess_tail,
        drift=found.drift,
        llc_bias=bias,
        below=float(np.mean(llc < -rounding)),
        virial=None if balance is None else balance.mean,
        virial_mcse=None if balance is None else balance.mcse,
        reach=None if distance2 is None or gamma == 0 else gamma * distance2 / n_params,
        **common,
    )
    status, reason = verdict(measured, found, away, trace, coarse=coarse, off=off, unseen=unseen)
    return replace(measured, status=status, reason=reason)


def _elsewhere(name: str, loss_star: float, trace: Trace, nbeta: float) -> dict[str, float | None]:
    """Return the columns of other data: empty where a draw's loss is not finite, or is not that of these data."""
    llc = nbeta * (trace.stats[f"loss_{name}"].astype(np.float64) - loss_star)
    found = diagnose(llc) if np.isfinite(llc).all() else None
    if found is not None and off_at_star(trace, f"loss_{name}", loss_star, nbeta, found.mcse):
        found = None
    values = (found.mean, found.mcse, found.rhat) if found is not None else (None, None, None)
    columns = (f"llc_mean_{name}", f"llc_mcse_{name}", f"rhat_{name}", f"loss_star_{name}")
    return dict(zip(columns, (*values, loss_star), strict=True))


def _mean(values: np.ndarray | None) -> float | None:
    if values is None:
        return None
    mean = float(np.mean(values, dtype=np.float64))
    return mean if np.isfinite(mean) else None
