"""The samplers of a job, held against each other: all draw from one posterior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from llc.estimates.limits import APART_MAX, DEEPER_MAX, DEEPER_SPREAD
from llc.estimates.metrics import Estimate
from llc.estimates.trace import Trace


def held_together(
    estimates: Mapping[str, Estimate], traces: Mapping[str, Trace], nbeta: float, gamma: float
) -> dict[str, Estimate]:
    """Return the estimates by sampler, no longer ``ok`` where another sampler of the same posterior contradicts them.

    R-hat compares chains that were made alike: all that stay in the basin of w* agree. Another sampler that has left it
    for where U = nβ (L_n − L_n(w*)) + (γ/2)‖w − w*‖² is far lower has seen a part of the posterior that weighs more.
    And of two that are both ``ok``, and lie more of their errors apart than chance allows, one is wrong.

    Parameters
    ----------
    estimates, traces
        Of each sampler of a job.
    nbeta, gamma
        Of the posterior.
    """
    energies = {name: _energies(estimates[name], trace, nbeta, gamma) for name, trace in traces.items()}
    return {name: _held(name, estimates, energies) for name in estimates}


def _energies(found: Estimate, trace: Trace, nbeta: float, gamma: float) -> Float[np.ndarray, " draws"]:
    """Return U − U(w*) of the draws in which it is a number."""
    loss, distance2 = trace.loss.astype(np.float64), trace.stats["distance2"].astype(np.float64)
    energies = nbeta * (loss - found.loss_star) + 0.5 * gamma * distance2
    return energies[np.isfinite(energies)]


def _held(
    name: str, estimates: Mapping[str, Estimate], energies: Mapping[str, Float[np.ndarray, " draws"]]
) -> Estimate:
    own = estimates[name]
    if own.status != "ok":
        return own
    # A descent from a w* that is no minimum is below 0 for all: what counts is below its own draws, too.
    reached = min(0.0, energies[name].min() - DEEPER_SPREAD * energies[name].std()) - DEEPER_MAX
    lowest, deeper = min((energies[other].min(initial=math.inf), other) for other in estimates)
    if lowest < reached:
        seen = f"{deeper} has been {-lowest:.3g} below w* in nβ L_n + (γ/2)‖w − w*‖², where these chains have not"
        return replace(own, status="metastable", reason=f"{seen}: w* is not the minimum; train on, or raise γ")
    apart, other = max((_errors_apart(own, found), other) for other, found in estimates.items())
    if apart > APART_MAX:
        theirs = f"{estimates[other].llc_mean:.4g} ± {estimates[other].llc_mcse:.2g}"
        reason = f"{other}, ok too, has {theirs}, {apart:.1f} standard errors away: one of them is wrong"
        return replace(own, status="not_converged", reason=reason)
    return own


def _errors_apart(one: Estimate, other: Estimate) -> float:
    """Return by how many standard errors of their difference two estimates differ, if both are ok."""
    if one.llc_mean is None or other.llc_mean is None or other.status != "ok":
        return 0.0
    error = math.hypot(one.llc_mcse or 0.0, other.llc_mcse or 0.0)
    return abs(one.llc_mean - other.llc_mean) / (error or math.inf)
