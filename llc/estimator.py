"""From a trace to λ̂ = nβ (E[L_n(w)] − L_n(w*)), its error, its diagnostics and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from llc import limits
from llc.diagnostics import CORRECTION_ERROR, Diagnosis, Distance, diagnose, distance, faults, imbalance, virial
from llc.precision import off_at_star, too_coarse
from llc.samplers.trace import Trace

ROUNDING = 8  # units in the last place, of nβ L_n(w*) and what γ adds, by which nβ L_n of a draw may be off


class AtStar(NamedTuple):
    """What is known at w* before anything is drawn."""

    loss_star: float  # L_n(w*), over all the data, in float64
    grad_norm: float  # ‖∇L_n(w*)‖, likewise
    llc_deficit: float  # see llc.polish.deficit
    llc_true: float | None = None  # see llc.known
    llc_exact: float | None = None  # likewise
    losses_elsewhere: Mapping[str, float] = MappingProxyType({})  # L(w*) on each of the other data, by name


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One sampler's row of ``metrics_summary.csv``. None is an empty cell."""

    llc_mean: float | None = None
    llc_std: float | None = None  # posterior sd of nβ (L_n(w) − L_n(w*))
    llc_mcse: float | None = None  # standard error of llc_mean: from the ESS of the mean, and of what was subtracted
    llc_ci_low: float | None = None
    llc_ci_high: float | None = None
    ess: float | None = None
    ess_tail: float | None = None
    rhat: float | None = None  # rank-normalised, split
    rhat_distance: float | None = None  # the same of ‖w − w*‖²
    ess_distance: float | None = None  # and the ESS of its tails
    accept_rate: float | None = None
    n_divergent: int
    n_chains: int
    n_draws: int  # per chain
    n_grad_evals: float
    time_compile_s: float
    time_sample_s: float
    loss_star: float  # L_n(w*)
    grad_norm: float  # ‖∇L_n(w*)‖
    llc_deficit: float  # by how much λ̂ is too low, w* not being the minimum within reach; see llc/polish.py
    beta: float
    gamma: float
    llc_true: float | None = None  # λ at w*, where it is known
    llc_exact: float | None = None  # what llc_mean is expected to be at this n, β and γ, where it is known
    n_dropped: int  # draws per chain that the rule for warm-up took from the front
    drift: float | None = None  # from the first half to the second, in standard errors
    llc_bias: float | None = None  # excess that the sampler predicts; llc_mean is without it if step_size is auto
    below: float | None = None  # share of draws with a loss below L_n(w*)
    virial: float | None = None  # ½(E[(w − w*)·∇U] − d) less llc_bias: 0 of the posterior; nothing at γ = 0
    virial_mcse: float | None = None
    reach: float | None = None  # γ E‖w − w*‖² / d: γ alone allows 1; nothing at γ = 0
    status: str = "ok"  # ok, not_converged, biased, negative, not_minimum, not_local, metastable, diverged
    reason: str = ""  # why it is not ok, for a person
    # Of each of the other data, by its name: nβ (E[L(w)] − L(w*)), its error, R-hat, and L(w*) there.
    elsewhere: dict[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return the columns and their values."""
        row = asdict(self)
        return row | row.pop("elsewhere")


def estimate(
    trace: Trace,
    at_star: AtStar,
    *,
    n: int,
    beta: float,
    gamma: float,
    n_params: int,
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

    References
    ----------
    λ̂: Lau et al. (2023), arXiv 2308.12108. Diagnostics: ``llc.diagnostics``.
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
    coarse = too_coarse(trace, llc, mcse, nbeta=n * beta, loss_star=loss_star, n_params=n_params)
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
        virial=balance and balance.mean,
        virial_mcse=balance and balance.mcse,
        reach=None if distance2 is None or gamma == 0 else gamma * distance2 / n_params,
        **common,
    )
    status, reason = _verdict(measured, mean, found, trace, coarse, off, away)
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


def _verdict(
    of: Estimate, mean: float, found: Diagnosis, trace: Trace, coarse: str | None, off: float, away: Distance
) -> tuple[str, str]:
    """Return the status and its reason: the first of the table that applies, the gravest first."""
    if trace.ended == "warmup":
        return "not_converged", "the budget ended during warm-up: raise it, or lower warmup"
    against = faults(found)
    if coarse is not None:
        against.insert(0, coarse)
    divergent = of.n_divergent / (of.n_chains * of.n_draws)
    if divergent > limits.DIVERGENT_MAX:
        against.append(f"{divergent:.1%} of the draws diverged > {limits.DIVERGENT_MAX:.0%}")
    negative = of.llc_ci_high is not None and of.llc_ci_high < 0
    below_zero = "negative", "the 95 % interval lies below zero: w* is not a minimum"
    if trace.ended == "budget":
        if negative and not against:  # as precise as the budget allows, and no more of it would make it a minimum
            return below_zero
        # Nobody chose this end for what was found, so one look that finds it converged is enough.
        share = math.inf if found.mcse is None or mean == 0 else found.mcse / abs(mean)
        short = [f"standard error {share:.1%} of the LLC"] if share > limits.MCSE_TARGET else []
        short += [] if against else faults(found, limits.DRIFT_SETTLED)
        if short or against:
            against.append(", ".join(["the budget ended first", *short]))
    below = of.below or 0.0
    lower = f"{below:.0%} of the draws have a loss below L_n(w*): w* is not a minimum"
    if against:
        return "not_converged", "; ".join([*against, *([lower] if below > limits.BELOW_MAX else [])])
    beside = (trace.excess, trace.stats.get("distance2"), trace.stats.get("virial"))
    if any(v is not None and not np.isfinite(v).all() for v in beside):
        return "not_converged", "the predicted bias, the distance from w* or the gradient left the finite numbers"
    step = _mean(trace.stats.get("step_size"))
    smaller = "a smaller step" if step is None else f"a smaller step_size than {step:.2g}"
    bias_max = limits.CORRECTED_MAX if trace.correct else limits.BIAS_MAX
    if of.llc_bias is not None and of.llc_bias > bias_max * abs(mean):
        return "biased", f"step size and batches add about {of.llc_bias:.3g}, more than {bias_max:.0%}: {smaller}"
    balance = "" if of.virial is None else f"virial {of.virial:.3g} ± {of.virial_mcse or math.nan:.2g}"
    if off > 0 and trace.excess is None:  # the step of an adjusted sampler makes no bias
        return "not_converged", f"the chains have not mixed ({balance})"
    if off > 0:
        return "biased", f"the draws are hotter than the posterior ({balance}): {smaller}"
    # Only of chains that agree: others may be below zero for having gone nowhere.
    if negative:
        return below_zero
    if below > limits.BELOW_MAX:
        return "not_minimum", lower
    if of.llc_deficit > limits.DEFICIT_MAX * abs(mean):
        lacks = f"about {of.llc_deficit:.3g}, more than {limits.DEFICIT_MAX:.0%}, because w* is not a minimum"
        return "not_minimum", f"the LLC is too low by {lacks}: train or polish longer, or raise γ"
    if of.reach is not None and of.reach > limits.REACH_MAX:
        return (
            "not_local",
            f"the draws are {of.reach:.2g} times as far from w* (squared) as γ alone lets them be: raise γ",
        )
    if trace.ended == "metastable" or not away.at_rest or off < 0:
        of_distance = (
            f"of the distance R-hat {away.rhat or math.nan:.3f}, ESS of the tails {away.ess_tail or math.nan:.0f}"
        )
        seen = ", ".join([of_distance, *([balance] if balance else [])])
        more = "raise γ or the budget" if of.reach is not None else "raise γ"
        return "metastable", f"the chains have not filled what they can reach ({seen}): {more}"
    return "ok", ""


def _mean(values: np.ndarray | None) -> float | None:
    if values is None:
        return None
    mean = float(np.mean(values, dtype=np.float64))
    return mean if np.isfinite(mean) else None
