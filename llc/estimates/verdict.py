"""The verdict on an estimate: ``ok``, or the gravest of what is wrong with it, and why. Without JAX."""

from __future__ import annotations

import math

import numpy as np

from llc.estimates import limits
from llc.estimates.diagnostics import Diagnosis, Distance, faults
from llc.estimates.metrics import Estimate
from llc.estimates.trace import Trace

BELOW_ZERO = "the 95 % interval lies below zero: w* is not a minimum"


def verdict(
    of: Estimate, found: Diagnosis, away: Distance, trace: Trace, *, coarse: str | None, off: float, unseen: float
) -> tuple[str, str]:
    """Return the status of an estimate that is finite, and its reason: the first that applies, the gravest first.

    Parameters
    ----------
    of
        All that was measured; its status and its reason are not looked at.
    found, away
        The diagnostics of nβ (L_n(w) − L_n(w*)), and of the distance from w*.
    coarse
        What is rounded too coarsely, if anything is.
    off
        By how much the virial is surely not 0.
    unseen
        By how much nβ L_n rises, to where chains ended, beyond what its gradient says on the way.
    """
    if trace.ended == "warmup":
        return "not_converged", "the budget ended during warm-up: raise it, or lower warmup"
    against = [*([coarse] if coarse else []), *faults(found), *_divergent(of)]
    # As precise as the budget allows: no more of it would make w* a minimum. Only of chains that agree: others may be
    # below zero for having gone nowhere.
    negative = not against and of.llc_ci_high is not None and of.llc_ci_high < 0
    if trace.ended == "budget":
        if negative:
            return "negative", BELOW_ZERO
        against += _cut_short(of, found, against)
    below = of.below or 0.0
    lower = f"{below:.0%} of the draws have a loss below L_n(w*): w* is not a minimum"
    if against:
        return "not_converged", "; ".join([*against, *([lower] if below > limits.BELOW_MAX else [])])
    beside = (trace.excess, trace.stats.get("distance2"), trace.stats.get("virial"))
    if any(values is not None and not np.isfinite(values).all() for values in beside):
        return "not_converged", "the predicted bias, the distance from w* or the gradient left the finite numbers"
    balance = "" if of.virial is None else f"virial {of.virial:.3g} ± {of.virial_mcse or math.nan:.2g}"
    jumps = unseen > limits.UNSEEN_MAX * abs(of.llc_mean or 0.0)
    if jumps and trace.excess is not None:  # the others accept by the loss itself
        return "biased", f"nβ L_n has jumps, here of {unseen:.2g}, that its gradient does not know: take nuts or hmc"
    hot = _too_hot(of, trace, off, balance)
    if hot:
        return hot
    if negative:
        return "negative", BELOW_ZERO
    if below > limits.BELOW_MAX:
        return "not_minimum", lower
    mean = of.llc_mean or 0.0
    if of.llc_deficit > limits.DEFICIT_MAX * abs(mean):
        lacks = f"about {of.llc_deficit:.3g}, more than {limits.DEFICIT_MAX:.0%}, because w* is not a minimum"
        return "not_minimum", f"the LLC is too low by {lacks}: train or polish longer, or raise γ"
    if of.reach is not None and of.reach > limits.REACH_MAX:
        times = f"{of.reach:.2g} times as far from w* (squared) as γ alone lets them be"
        return "not_local", f"the draws are {times}: raise γ"
    if trace.ended == "metastable" or not away.at_rest or off < 0:
        seen = f"of the distance R-hat {away.rhat or math.nan:.3f}, ESS of the tails {away.ess_tail or math.nan:.0f}"
        seen += f", {balance}" if balance else ""
        more = "raise γ or the budget" if of.reach is not None else "raise γ"
        return "metastable", f"the chains have not filled what they can reach ({seen}): {more}"
    return "ok", ""


def _divergent(of: Estimate) -> list[str]:
    share = of.n_divergent / (of.n_chains * of.n_draws)
    return [f"{share:.1%} of the draws diverged > {limits.DIVERGENT_MAX:.0%}"] if share > limits.DIVERGENT_MAX else []


def _cut_short(of: Estimate, found: Diagnosis, against: list[str]) -> list[str]:
    """Return what the budget has cut short. Nobody chose this end for what was found: one look is enough."""
    share = found.mcse / abs(of.llc_mean) if found.mcse and of.llc_mean else math.inf
    short = [f"standard error {share:.1%} of the LLC" if found.mcse else "no standard error"]
    short = short if share > limits.MCSE_TARGET else []
    short += [] if against else faults(found, limits.DRIFT_SETTLED)
    return [", ".join(["the budget ended first", *short])] if short or against else []


def _too_hot(of: Estimate, trace: Trace, off: float, balance: str) -> tuple[str, str] | None:
    """Return the verdict on draws that a step, or batches, have heated, or None."""
    step = trace.stats.get("step_size")
    smaller = "a smaller step" + ("" if step is None else f"_size than {np.mean(step, dtype=np.float64):.2g}")
    bias_max = limits.CORRECTED_MAX if trace.correct else limits.BIAS_MAX
    if of.llc_bias is not None and of.llc_bias > bias_max * abs(of.llc_mean or 0.0):
        return "biased", f"step size and batches add about {of.llc_bias:.3g}, more than {bias_max:.0%}: {smaller}"
    if off > 0 and trace.excess is None:  # the step of an adjusted sampler makes no bias
        return "not_converged", f"the chains have not mixed ({balance})"
    if off > 0:
        return "biased", f"the draws are hotter than the posterior ({balance}): {smaller}"
    return None
